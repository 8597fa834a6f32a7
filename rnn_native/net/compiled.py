"""A net's layers, parameters and state: what its answers and its training start from."""

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.base.checks import check_extents, check_mapping
from rnn_native.base.text import brief
from rnn_native.base.xorshift import Xorshift
from rnn_native.net import losses
from rnn_native.net.blocks import flatten, last_of_each
from rnn_native.net.indices import table_rows_of
from rnn_native.net.input_dtype import check_input_dtype
from rnn_native.net.layers import AnyLayer, as_specs
from rnn_native.net.optimizers import Optimizer, Settings, as_settings
from rnn_native.net.rows import NO_FLOAT, float_range_of
from rnn_native.net.sharing import Sharing
from rnn_native.net.training_state import TrainingState
from rnn_native.net.weights import Weights

SHAPE_EXPECTED = "the integers of one sample's shape, such as (784,) or (1, 28, 28)"


class CompiledNet(Weights):
    """Layers made into a native net: its parameters, and what training continues from.

    See `rnn_native.models.network.Network`, which also answers and learns, for parameters,
    attributes and errors.
    """

    def __init__(
        self,
        layers: Sequence[AnyLayer],
        input_shape: Sequence[int],
        loss: str = "softmax_cross_entropy",
        seed: int = 1,
        *,
        optimizer: Optimizer = "sgd",
        rng: Xorshift | None = None,
    ) -> None:
        if rng is not None and not isinstance(rng, Xorshift):
            raise TypeError(f"rng: expected a Xorshift or None, got {brief(rng)}")
        given = as_specs(layers)
        loss = losses.resolve(loss, given)
        specs = losses.without_last_activation(given, loss)
        if fault := losses.last_activation_fault(specs, loss):
            raise ValueError(f"{losses.as_given(fault[0], given)}: {fault[1]}")
        own = losses.own_activation(given, loss)
        self._compile(specs, input_shape, loss, optimizer, own)
        self.draw_weights(rng if rng is not None else Xorshift(seed))

    def _compile(
        self,
        specs: Sequence[Mapping[str, Any]],
        input_shape: Sequence[int],
        loss: str,
        optimizer: Optimizer,
        own_activation: int | None = None,
    ) -> None:
        """Make the native net, all of whose parameters are zero.

        `own_activation` is the layer, as it was given, whose function is the loss's.
        """
        self._specs = [copy.deepcopy(dict(spec)) for spec in specs]
        self.input_shape = check_extents("input_shape", input_shape, SHAPE_EXPECTED)
        self.loss = loss
        self.stop_training = False
        self._own_activation = own_activation
        self.placed = flatten(self._specs, self.input_shape)
        self._optimizer = as_settings(optimizer)
        self.native = self._native(loss, self._optimizer)
        self.table_rows = table_rows_of(self.placed, self.input_shape)
        self._know_input(None)
        self.training_state = TrainingState()
        self._sharing = Sharing()
        # Asked for in each call, and slow to ask of the core.
        made = self.native.layers
        self._output_shape = tuple(made[-1]["shape"])
        self._answers_are_outputs = (
            not losses.LOSSES[loss].tells_classes and math.prod(self._output_shape) > 1
        )
        self.normalizations = tuple(
            i for i, layer in enumerate(made) if layer["type"] == "normalization"
        )

    def _native(self, loss: str, optimizer: Settings | None = None) -> "_core.Net":
        """Return a native net of these layers."""
        layers = [one.spec for one in self.placed]
        return _core.Net(layers, self.input_shape, loss, optimizer)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what the native net would not follow."""
        # vars(self) would convert it to a dict, and slow down every look-up.
        if name in ("specs", "input_shape", "loss") and hasattr(self, name):
            raise AttributeError(
                f"{name}: cannot be changed; make another Network, and give it these weights "
                "with set_weights(net.get_weights()) if they fit"
            )
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Return plain data and arrays, what copies of the net are made from."""
        return {
            "architecture": self.architecture(),
            "own_activation": self._own_activation,
            "input_dtype": self.input_dtype,
            "lr_multipliers": self.rates,
            **self._whole_state(),
        }

    def _whole_state(self) -> dict[str, Any]:
        """Return copies of what training changes, all of them of the same moment.

        While another thread trains there is no such moment for moments and steps, which then
        start from zero.
        """
        try:
            with self.unchanged("copy"):
                return {
                    "optimizer": self.optimizer,
                    "weights": self.get_weights(),
                    "moments": self.moments.copy(),
                    "training_state": self.training_state.copy(),
                }
        except RuntimeError:
            return {
                "optimizer": self.optimizer,
                "weights": self.get_weights(),
                "moments": None,
                "training_state": TrainingState(),
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        plain = state["architecture"]
        self._compile(
            # What 0.1.0 pickled may name the loss's own activation.
            losses.without_last_activation(plain["layers"], plain["loss"]),
            plain["input_shape"],
            plain["loss"],
            state["optimizer"],
            state.get("own_activation"),
        )
        self.weights[:] = state["weights"]
        if state["moments"] is not None:
            self.moments[:] = state["moments"]
        self.take_input_dtype(state, "a net that an earlier version saved")
        if "lr_multipliers" in state:
            self.set_rates(state["lr_multipliers"])
        # A net that an earlier version pickled has none.
        self.training_state = state.get("training_state", TrainingState()).copy()

    def take_input_dtype(self, saved: Mapping[str, Any], source: str) -> None:
        """Set what the net was fitted on; where that was not saved, the first use warns."""
        self.input_dtype = saved.get("input_dtype")
        if "input_dtype" not in saved:
            self._know_input(
                None,
                f"{source}: does not have the dtype that the net was fitted on; uint8 is "
                "divided by 255, and floats are used unchanged. Set net.input_dtype to 'uint8' "
                "or 'float' and save the net again",
            )

    def _know_input(self, input_dtype: str | None, warning: str | None = None) -> None:
        """Set what the net was fitted on, and what the next use warns of first.

        `_plain_low` and `_plain_high` bound the floats that predictions accept without a
        further look; while there is something to warn of, and for indices, they accept none.
        """
        self._input_dtype = input_dtype
        self._unknown_input = warning
        is_plain = warning is None and not self.table_rows
        self._plain_low, self._plain_high = (
            float_range_of(input_dtype) if is_plain else NO_FLOAT
        )

    @classmethod
    def from_architecture(
        cls, architecture: Mapping[str, Any], optimizer: Optimizer = "sgd"
    ) -> Self:
        """Make a net from what `architecture` gave, with initial weights of seed 1.

        Without "loss" it is softmax_cross_entropy, as in `rnn_native.train`.
        """
        architecture = check_mapping("architecture", architecture)
        if missing := {"layers", "input_shape"} - architecture.keys():
            raise ValueError(
                "architecture: expected the keys 'layers' and 'input_shape', missing "
                f"{', '.join(map(repr, sorted(missing)))}"
            )
        loss = architecture.get("loss", "softmax_cross_entropy")
        return cls(
            architecture["layers"], architecture["input_shape"], loss, optimizer=optimizer
        )

    @classmethod
    def as_saved(cls, architecture: Mapping[str, Any]) -> Self:
        """Return a net from a model file's architecture, whose parameters are zero.

        Files of 0.1.0 may hold activations that `Network` refuses by now.
        """
        net = cls.__new__(cls)
        loss = losses.resolve(architecture["loss"])
        specs = losses.without_last_activation(architecture["layers"], loss)
        net._compile(specs, architecture["input_shape"], loss, "sgd")
        return net

    @staticmethod
    def shapes_as_saved(architecture: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all that `as_saved` would make, by name, without making it."""
        loss = losses.resolve(architecture["loss"])
        specs = losses.without_last_activation(architecture["layers"], loss)
        shape = check_extents("input_shape", architecture["input_shape"], SHAPE_EXPECTED)
        placed = flatten(specs, shape)
        params = _core.layer_params([one.spec for one in placed], shape, loss)
        return {
            f"{one.name}.{name}": extents
            for one, own in zip(placed, params, strict=True)
            for name, extents in own
        }

    @staticmethod
    def row_memory_as_saved(architecture: Mapping[str, Any]) -> int:
        """Return the float32 numbers that what `as_saved` makes would keep of a row."""
        loss = losses.resolve(architecture["loss"])
        specs = losses.without_last_activation(architecture["layers"], loss)
        shape = check_extents("input_shape", architecture["input_shape"], SHAPE_EXPECTED)
        layers = [one.spec for one in flatten(specs, shape)]
        return math.prod(shape) + sum(_core.layer_memory(layers, shape, loss))

    def with_layers(
        self,
        specs: Sequence[Mapping[str, Any]],
        loss: str | None = None,
        tensors: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> Self:
        """Return a net of other layers over the same input, with new weights.

        Parameters
        ----------
        specs : sequence of dict
        loss : str, optional
            This net's when left out.
        tensors : mapping of str to ndarray, optional
            Values of parameters and state by name. A copy of this net's when left out: the
            layers must then have as many, in the same order.
        """
        other = type(self).__new__(type(self))
        other._compile(specs, self.input_shape, loss or self.loss, self.optimizer)
        if tensors is None:
            other.set_weights(self.get_weights())
        else:
            views = {**other.parameters, **other.state}
            for name, values in tensors.items():
                views[name][:] = values
        other.input_dtype = self.input_dtype
        return other

    @property
    def specs(self) -> list[dict[str, Any]]:
        """The layers as dicts; a copy, as the native net would not follow a change."""
        return copy.deepcopy(self._specs)

    def architecture(self) -> dict[str, Any]:
        """Return layers, input shape and loss as plain data, for JSON."""
        return {
            "layers": self.specs,
            "input_shape": list(self.input_shape),
            "loss": self.loss,
        }

    @property
    def input_dtype(self) -> str | None:
        """What the net was fitted on; None before any fit, or if it is unknown.

        "uint8": uint8, which is divided by 255, or floats in 0..1, as they are; the net
        accepts nothing else. "float": numbers as they are; the net refuses uint8. The first
        fit decides, and model files keep it. Set it for a net whose weights come from
        elsewhere, or None to let the next fit decide.
        """
        return self._input_dtype

    @input_dtype.setter
    def input_dtype(self, value: str | None) -> None:
        self._know_input(check_input_dtype(value))

    @property
    def optimizer(self) -> Settings:
        """Settings of the optimizer, with its name as "type".

        A name or dict that is set, as for the constructor, replaces the optimizer.
        Weights stay; the moments and their step count start from zero, and views of `moments`
        that were made before are no longer the net's.
        """
        return self._optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer) -> None:
        settings = as_settings(optimizer)
        with self.unchanged("optimizer"):
            self.native.set_optimizer(settings)
            self._optimizer = settings
            self.training_state.steps = 0

    def being_trained(self, function: str) -> AbstractContextManager[None]:
        """Keep other threads from changing the net during a call that trains it."""
        return self._sharing.being_trained(function)

    @property
    def steps_done(self) -> int:
        """Updates (batches) by the optimizer until now, over all calls of `fit`."""
        return self.training_state.steps

    def _shapes(self) -> list[tuple[int, ...]]:
        """Return the shape of the output of each of `specs` for a sample."""
        shapes = (tuple(layer["shape"]) for layer in self.native.layers)
        return last_of_each(self.placed, shapes)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the outputs for one sample."""
        return self._output_shape

    @property
    def rates(self) -> list[float]:
        """What the learning rate of each of `specs` is multiplied by."""
        return last_of_each(self.placed, self.native.rates)

    def set_rates(self, rates: Sequence[float] | NDArray[np.float64]) -> None:
        """Set `rates`: a block's is that of all layers in it."""
        if len(rates) != len(self.specs):
            raise ValueError(f"expected {len(self.specs)} numbers, got {len(rates)}")
        of_each = [rates[one.index] for one in self.placed]
        self.native.set_rates(np.array(of_each, np.float64))
