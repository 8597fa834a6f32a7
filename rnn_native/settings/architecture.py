"""Architectures: JSON files that describe the layers of a net.

There are two forms. Ours has "input_shape", "loss" and layers with a "type"; the reference
system's has layers with a "layer_type" that name their own sizes. Both become the specs
that `Network` accepts, checked so far that the core then finds nothing wrong with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnn_native.base.files import AnyPath, shown
from rnn_native.base.rules import Place, mapping_at, take
from rnn_native.net import losses
from rnn_native.net.layer_specs import WITH_ACTIVATION, Spec, checked_spec
from rnn_native.settings.json_file import read_json
from rnn_native.settings.reference_form import REFERENCE_KEYS as REFERENCE_KEYS
from rnn_native.settings.reference_form import REFERENCE_TYPES as REFERENCE_TYPES
from rnn_native.settings.reference_form import parse_reference
from rnn_native.settings.spec import LOSSES, ROOT, Shape, core_shapes
from rnn_native.settings.spec import MAX_LAYERS as MAX_LAYERS
from rnn_native.settings.spec import MAX_RANK as MAX_RANK


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers, input shape and loss: the first arguments of `Network`.

    Attributes
    ----------
    layers : list of dict
        Specs as `Network` expects them; keys that were not given are not there.
    input_shape : tuple of int
    loss : str

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [{"type": "dense", "units": 10}]
    >>> plan = rn.architecture.Architecture(layers, (784,), "softmax_cross_entropy")
    >>> rn.Network(plan.layers, plan.input_shape, plan.loss)
    <Network 784 -> 10, 7,850 parameters>
    """

    layers: list[Spec]
    input_shape: Shape
    loss: str

    def with_hidden_activation(self, activation: Mapping[str, Any]) -> "Architecture":
        """Return a copy whose hidden layers have an activation.

        Parameters
        ----------
        activation : mapping
            Keys "activation" and "alpha", as `TrainingConfig.hidden_activation` returns them.

        Returns
        -------
        Architecture
            Every dense and convolution layer has it except the last of them, those with their
            own activation ("linear" is one), and those that an activation layer
            follows before the next dense or convolution layer.
        """
        layers = [
            {**spec, **activation} if self._lacks_activation(index) else spec
            for index, spec in enumerate(self.layers)
        ]
        return Architecture(layers, self.input_shape, self.loss)

    def _lacks_activation(self, index: int) -> bool:
        if (
            self.layers[index]["type"] not in WITH_ACTIVATION
            or "activation" in self.layers[index]
        ):
            return False
        for later in self.layers[index + 1 :]:
            if later["type"] == "activation":
                return False
            if later["type"] in WITH_ACTIVATION:
                return True
        return False


def load_architecture(path: AnyPath) -> Architecture:
    """Read an architecture.

    Parameters
    ----------
    path : str or path-like
        JSON in our form or the reference system's; docs/reference/configuration.md describes both.

    Returns
    -------
    Architecture
        Checked.

    Raises
    ------
    OSError
        If there is no such file, it is not a regular one, or reading fails.
    ConfigError
        If it is not JSON, a key is unknown or missing, a value is out of range, or a
        layer's output cannot feed the next.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import rnn_native as rn
    >>> plan = {"input_shape": [784], "layers": [{"type": "dense", "units": 10}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "net.json")
    ...     size = path.write_text(json.dumps(plan))
    ...     print(rn.architecture.load_architecture(path).layers)
    [{'type': 'dense', 'units': 10}]
    """
    return parse_architecture(read_json(path), shown(path))


def parse_architecture(
    mapping: Mapping[str, Any], source: str = "architecture"
) -> Architecture:
    """Make an architecture from plain data.

    Parameters
    ----------
    mapping : mapping
        What `load_architecture` reads from a file, or `Network.architecture` returns.
    source : str
        What messages name.

    Returns
    -------
    Architecture
        Checked.

    Raises
    ------
    ConfigError
        As `load_architecture`.

    Examples
    --------
    >>> from rnn_native.architecture import parse_architecture
    >>> layers = [{"type": "dense", "units": 10}]
    >>> found = parse_architecture({"input_shape": [784], "layers": layers})
    >>> found.input_shape, found.loss
    ((784,), 'softmax_cross_entropy')
    """
    place = Place(source)
    root = mapping_at(place, mapping)
    is_reference = _is_reference_form(root)
    specs, shape = (parse_reference if is_reference else _parse_ours)(place, root)
    loss = losses.resolve(root.get("loss") or LOSSES[0], specs)
    if not is_reference:
        core_shapes(place, specs, shape, loss)
    left = losses.without_last_activation(specs, loss)
    if fault := losses.last_activation_fault(left, loss):
        path = losses.as_given(fault[0], specs)
        raise Place(place.source, path).error(fault[1])
    return Architecture(specs, shape, loss)


def _parse_ours(place: Place, root: Mapping[str, Any]) -> tuple[list[Spec], Shape]:
    given = take(place, root, ROOT)
    if "layers" not in given:
        raise place.key("layers").error("missing; expected an array of layers")
    if "input_shape" not in given:
        raise place.key("input_shape").error(
            "missing; expected the shape of one sample, such as [784] or [1, 28, 28]"
        )
    at = place.key("layers")
    specs = [checked_spec(at.item(i), layer) for i, layer in enumerate(given["layers"])]
    return specs, given["input_shape"]


def _is_reference_form(root: Mapping[str, Any]) -> bool:
    layers = root.get("layers")
    if root.get("input_shape") is not None or not isinstance(layers, (list, tuple)):
        return False
    return not any(_is_ours(layer) for layer in layers)


def _is_ours(layer: Any) -> bool:
    return isinstance(layer, (list, tuple)) or (
        isinstance(layer, Mapping) and "type" in layer
    )
