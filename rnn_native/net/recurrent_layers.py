"""Layers that keep a state along the steps of a sequence, of shape (steps, values)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rnn_native.base.text import brief
from rnn_native.net.block_layers import Concat
from rnn_native.net.layer import Layer, as_spec

_UNSAID = {"return_sequences": False, "reverse": False, "truncate": 0}


@dataclass(frozen=True, slots=True)
class SimpleRNN(Layer):
    """Recurrent layer: h = tanh(x W + b + h' U + c), with h' = 0 before the first step.

    Parameters
    ----------
    units : int
        Numbers in the state.
    return_sequences : bool
        Whether outputs are the states after all steps, (steps, units), or that after the last
        one, (units,).
    reverse : bool
        Whether the steps are taken from the last to the first. Outputs stay in the order of
        the steps.
    truncate : int
        Gradients go back to the last step whose number, counted from 0 in the order in which
        steps are taken, is a multiple of this one; 0: to the first step.

    Notes
    -----
    W is (values, units), U (units, units), b and c (units,), all of them uniform in
    +-1 / sqrt(units), as in PyTorch. Above a `Masking` layer padding leaves the state as it
    is, so that outputs at padding repeat those before it.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.SimpleRNN(8), rn.Dense(2)], input_shape=(5, 3))
    >>> net.predict_proba(np.ones((1, 5, 3))).shape
    (1, 2)
    """

    type: ClassVar[str] = "simple_rnn"
    unsaid: ClassVar[Mapping[str, object]] = _UNSAID
    units: int
    return_sequences: bool = False
    reverse: bool = False
    truncate: int = 0


@dataclass(frozen=True, slots=True)
class GRU(Layer):
    """Gated recurrent unit (Cho et al. 2014), as in PyTorch: h = (1 - z) n + z h'.

    Parameters
    ----------
    units : int
        Width of the state.
    return_sequences : bool
        As for `SimpleRNN`.
    reverse : bool
        As for `SimpleRNN`.
    truncate : int
        As for `SimpleRNN`.

    Notes
    -----
    r and z are sigmoid(x W + b + h' U + c), n is tanh(x W + b + r (h' U + c)), each with
    its own columns. W is (values, 3 units), U (units, 3 units), b and c (3 units,), the
    columns of r, z and n side by side; first values as for `SimpleRNN`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.GRU(8, return_sequences=True), rn.GRU(8), rn.Dense(2)]
    >>> rn.Network(layers, input_shape=(5, 3))
    <Network 5x3 -> 5x8 -> 8 -> 2, 762 parameters>
    """

    type: ClassVar[str] = "gru"
    unsaid: ClassVar[Mapping[str, object]] = _UNSAID
    units: int
    return_sequences: bool = False
    reverse: bool = False
    truncate: int = 0


@dataclass(frozen=True, slots=True)
class LSTM(Layer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), as in PyTorch.

    Parameters
    ----------
    units : int
        Width of the state.
    return_sequences : bool
        As for `SimpleRNN`.
    reverse : bool
        As for `SimpleRNN`.
    truncate : int
        As for `SimpleRNN`.

    Notes
    -----
    c = f c' + i g and h = o tanh(c), c' being c before the step, zero at first. i, f and o are
    sigmoid(x W + b + h' U + d), g is tanh of that, each with its own columns. W is
    (values, 4 units), U (units, 4 units), b and d (4 units,), the columns of i, f, g and o
    side by side; first values as for `SimpleRNN`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.Network([rn.LSTM(8), rn.Dense(2)], input_shape=(5, 3))
    <Network 5x3 -> 8 -> 2, 434 parameters>
    """

    type: ClassVar[str] = "lstm"
    unsaid: ClassVar[Mapping[str, object]] = _UNSAID
    units: int
    return_sequences: bool = False
    reverse: bool = False
    truncate: int = 0


_RECURRENT = (SimpleRNN.type, GRU.type, LSTM.type)


@dataclass(frozen=True, slots=True)
class Bidirectional(Layer):
    """A recurrent layer and another one of its kind in reverse, as in Keras.

    It is ``Concat([layer], [layer in reverse])``, and files hold it as that. Outputs are
    (2 units,), or (steps, 2 units) with `return_sequences`: those of the layer first, then
    those in reverse, as of PyTorch's ``bidirectional=True``.

    Parameters
    ----------
    layer : SimpleRNN, GRU or LSTM, or its spec
        Not in reverse.
    name : str, optional
        As for `Block`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.Bidirectional(rn.GRU(8)), rn.Dense(2)]
    >>> net = rn.Network(layers, input_shape=(5, 3))
    >>> net.architecture()["layers"][0]["branches"]
    [[{'type': 'gru', 'units': 8}], [{'type': 'gru', 'units': 8, 'reverse': True}]]
    """

    type: ClassVar[str] = "concat"
    layer: Layer | Mapping[str, object]
    name: str | None = None

    def spec(self) -> dict[str, Any]:
        """Return the `Concat` as a dict."""
        is_layer = isinstance(self.layer, (Layer, Mapping))
        spec = as_spec(self.layer, "Bidirectional: layer") if is_layer else {}
        if spec.get("type") not in _RECURRENT:
            raise ValueError(
                "Bidirectional: layer: expected GRU(...), LSTM(...) or SimpleRNN(...), got "
                f"{brief(self.layer)}"
            )
        if spec.get("reverse"):
            raise ValueError(
                "Bidirectional: layer: expected a layer that is not in reverse, got "
                "reverse=True; both directions are made from it"
            )
        return Concat([spec], [{**spec, "reverse": True}], name=self.name).spec()
