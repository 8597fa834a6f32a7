"""Architectures: JSON files that describe the layers of a net.

There are two forms. Ours has "input_shape", "loss" and layers with a "type"; the reference
system's has layers with a "layer_type" that name their own sizes. Both become the specs
that `Network` takes, checked so far that the core then finds nothing wrong with them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from rnn_native.base.files import AnyPath, shown
from rnn_native.base.rules import (
    MAX_INT,
    Choice,
    Number,
    Place,
    Rule,
    array,
    integer,
    mapping_at,
    quoted,
    take,
    text,
)
from rnn_native.net import losses
from rnn_native.net.layer_specs import (
    ACTIVATION_RULES,
    LAYER_RULES,
    Spec,
    checked_spec,
    settle_activation,
)
from rnn_native.settings.json_file import HEAD_KEYS, read_json

Shape: TypeAlias = tuple[int, ...]

LOSSES = losses.NAMES
MAX_LAYERS = 1000
MAX_RANK = 4


@dataclass(frozen=True, slots=True)
class Architecture:
    """Layers, input shape and loss: the first arguments of `Network`.

    Attributes
    ----------
    layers : list of dict
        Specs as `Network` takes them; keys that were not given are not there.
    input_shape : tuple of int
    loss : str
    """

    layers: list[Spec]
    input_shape: Shape
    loss: str

    def with_hidden_activation(self, activation: Mapping[str, Any]) -> "Architecture":
        """Return a copy whose hidden layers have an activation.

        Parameters
        ----------
        activation : mapping
            Keys "activation" and "alpha", as `TrainingConfig.hidden_activation` gives them.

        Returns
        -------
        Architecture
            Every dense and conv2d layer has it except the last of them, those with an
            activation of their own ("linear" is one), and those that an activation layer
            follows before the next dense or conv2d layer.
        """
        layers = [
            {**spec, **activation} if self._lacks_activation(index) else spec
            for index, spec in enumerate(self.layers)
        ]
        return Architecture(layers, self.input_shape, self.loss)

    def _lacks_activation(self, index: int) -> bool:
        if (
            self.layers[index]["type"] not in _WEIGHTED
            or "activation" in self.layers[index]
        ):
            return False
        for later in self.layers[index + 1 :]:
            if later["type"] == "activation":
                return False
            if later["type"] in _WEIGHTED:
                return True
        return False


_WEIGHTED = ("dense", "conv2d")


def load_architecture(path: AnyPath) -> Architecture:
    """Read an architecture.

    Parameters
    ----------
    path : str or path-like
        JSON in our form or the reference system's; docs/configuration.md describes both.

    Returns
    -------
    Architecture

    Raises
    ------
    OSError
        If there is no such file, it is not a regular one, or reading fails.
    ConfigError
        If it is not JSON, a key is unknown or missing, a value is out of range, or a
        layer's output cannot feed the next.
    """
    return parse_architecture(read_json(path), shown(path))


def parse_architecture(
    mapping: Mapping[str, Any], source: str = "architecture"
) -> Architecture:
    """Make an architecture from plain data.

    Parameters
    ----------
    mapping : mapping
        What `load_architecture` reads from a file, or `Network.architecture` gives.
    source : str
        What messages name.

    Returns
    -------
    Architecture

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
    if _is_reference_form(root):
        return _parse_reference(place, root)
    given = take(place, root, _ROOT)
    if "layers" not in given:
        raise place.key("layers").error("missing; expected an array of layers")
    if "input_shape" not in given:
        raise place.key("input_shape").error(
            "missing; expected the shape of one sample, such as [784] or [1, 28, 28]"
        )
    at = place.key("layers")
    specs = [checked_spec(at.item(i), layer) for i, layer in enumerate(given["layers"])]
    _check_chain(place, specs, given["input_shape"])
    return _with_loss(place, specs, given["input_shape"], given.get("loss", LOSSES[0]))


def _with_loss(place: Place, specs: list[Spec], shape: Shape, name: str) -> Architecture:
    """Refuse a last activation that the loss cannot have."""
    loss = losses.resolve(name, specs)
    left = losses.without_last_activation(specs, loss)
    if fault := losses.last_activation_fault(left, loss):
        raise place.key("layers").item(fault[0]).error(fault[1])
    return Architecture(specs, shape, loss)


def _is_reference_form(root: Mapping[str, Any]) -> bool:
    layers = root.get("layers")
    if root.get("input_shape") is not None or not isinstance(layers, (list, tuple)):
        return False
    return not any(isinstance(layer, Mapping) and "type" in layer for layer in layers)


def _layer_list(place: Place, value: Any) -> list[Any]:
    layers = array(place, value)
    if not layers:
        raise place.error("Architecture must have at least one layer")
    if len(layers) > MAX_LAYERS:
        raise place.error(f"expected at most {MAX_LAYERS} layers, got {len(layers)}")
    return layers


def _input_shape(place: Place, value: Any) -> Shape:
    extents = array(place, value)
    if not 1 <= len(extents) <= MAX_RANK:
        raise place.error(f"expected 1 to {MAX_RANK} extents, got {len(extents)}")
    shape = tuple(integer(1)(place.item(i), extent) for i, extent in enumerate(extents))
    _check_size(place, shape)
    return shape


_ROOT: dict[str, Rule] = {
    "input_shape": _input_shape,
    "loss": Choice(LOSSES),
    "layers": _layer_list,
    **HEAD_KEYS,
}


# ---- our form: shapes ----


def _check_chain(place: Place, specs: list[Spec], shape: Shape) -> None:
    """Follow the shapes from the input up; the core does the same without paths."""
    at = place.key("layers")
    for index, spec in enumerate(specs):
        at = place.key("layers").item(index)
        shape = _SHAPES[spec["type"]](at, spec, shape)
        _check_size(at, shape)
    if len(shape) != 1:
        raise at.error(
            f"the last layer must give one axis, got {_shown(shape)}; "
            "end with flatten or mean_pool and dense"
        )


def _check_size(place: Place, shape: Shape, what: str = "an array") -> None:
    """Refuse what the core, which counts elements in 32 bits, could not hold."""
    if math.prod(shape) > MAX_INT:
        raise place.error(
            f"expected {what} of at most {MAX_INT} elements, got {_shown(shape)}"
        )


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _require_rank(
    place: Place, spec: Spec, shape: Shape, ranks: Shape, expected: str
) -> None:
    if len(shape) not in ranks:
        raise place.error(
            f"{spec['type']} takes {expected}, got an input of {_shown(shape)}"
        )


def _same_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    return shape


def _dense_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    expected = "n values or tokens x n values (put flatten before it)"
    _require_rank(place, spec, shape, (1, 2), expected)
    _check_size(place, (shape[-1], spec["units"]), "a weight")
    return (*shape[:-1], spec["units"])


def _conv2d_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (3,), "channels x height x width")
    kernel = spec["kernel_size"]
    window = (kernel, spec.get("stride", 1), spec.get("padding", 0))
    height, width = _slide(place, shape, window)
    _check_size(place, (spec["filters"], shape[0], kernel, kernel), "a weight")
    unfolded = (shape[0], kernel, kernel, height, width)
    _check_size(place, unfolded, "an unfolded image")
    return (spec["filters"], height, width)


def _pool_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (3,), "channels x height x width")
    kernel: int = spec.get("kernel_size", 2)
    stride: int = spec.get("stride", kernel)
    padding: int = spec.get("padding", 0)
    if padding > kernel // 2:
        raise place.key("padding").error(
            f"expected at most half of the kernel, {kernel // 2}, got {padding}"
        )
    return (shape[0], *_slide(place, shape, (kernel, stride, padding)))


def _slide(place: Place, shape: Shape, window: tuple[int, int, int]) -> Shape:
    """Return height and width that a window of (kernel, stride, padding) gives."""
    kernel, stride, padding = window
    padded = [extent + 2 * padding for extent in shape[1:]]
    if kernel > min(padded):
        raise place.key("kernel_size").error(
            f"expected at most the padded input, {_shown(tuple(padded))}, got {kernel}"
        )
    return tuple((extent - kernel) // stride + 1 for extent in padded)


def _flatten_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    return (math.prod(shape),)


def _batchnorm_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (1, 3), "n values or channels x height x width")
    return shape


def _patch_embed_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (2, 3), "height x width, with or without channels")
    patch, units = spec["patch_size"], spec["units"]
    *channels, height, width = shape
    if height % patch or width % patch:
        raise place.key("patch_size").error(
            f"expected a divisor of height and width, {height} x {width}, got {patch}"
        )
    _check_size(place, (*channels, patch, patch, units), "a weight")
    return (height // patch * (width // patch), units)


def _tokens_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (2,), "tokens x values")
    return shape


def _self_attention_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (2,), "tokens x values")
    heads = spec.get("heads", 1)
    if shape[1] % heads:
        raise place.key("heads").error(f"expected a divisor of {shape[1]}, got {heads}")
    _check_size(place, (shape[1], shape[1]), "a weight")
    _check_size(place, (heads, shape[0], shape[0]), "attention maps")
    return shape


def _mean_pool_shape(place: Place, spec: Spec, shape: Shape) -> Shape:
    _require_rank(place, spec, shape, (2,), "tokens x values")
    return shape[1:]


_SHAPES: dict[str, Callable[[Place, Spec, Shape], Shape]] = {
    "dense": _dense_shape,
    "conv2d": _conv2d_shape,
    "maxpool2d": _pool_shape,
    "avgpool2d": _pool_shape,
    "flatten": _flatten_shape,
    "activation": _same_shape,
    "softmax": _same_shape,
    "batchnorm": _batchnorm_shape,
    "layernorm": _same_shape,
    "rmsnorm": _same_shape,
    "dropout": _same_shape,
    "patch_embed": _patch_embed_shape,
    "position": _tokens_shape,
    "self_attention": _self_attention_shape,
    "mean_pool": _mean_pool_shape,
}


# ---- the reference's form ----

REFERENCE_TYPES = {
    "dense": "Dense",
    "conv2d": "Conv2D",
    "batchnorm": "BatchNorm",
    "dropout": "Dropout",
}
_REFERENCE_REQUIRED = {
    "dense": ("input_size", "output_size"),
    "conv2d": (
        "in_channels",
        "out_channels",
        "kernel_size",
        "input_height",
        "input_width",
    ),
    "batchnorm": ("size",),
    "dropout": ("size", "drop_rate"),
}
_Check: TypeAlias = tuple[Callable[[Any], bool], str]
_ABOVE_0: _Check = (lambda value: value > 0, "greater than 0")
# In the reference's order; what it does not check comes last.
_REFERENCE_VALUES: dict[str, dict[str, _Check]] = {
    "dense": {"input_size": _ABOVE_0, "output_size": _ABOVE_0},
    "conv2d": {
        "in_channels": _ABOVE_0,
        "out_channels": _ABOVE_0,
        "kernel_size": _ABOVE_0,
        "stride": _ABOVE_0,
        "input_height": _ABOVE_0,
        "input_width": _ABOVE_0,
        "padding": (lambda value: value >= 0, "non-negative"),
    },
    "batchnorm": {
        "size": _ABOVE_0,
        "epsilon": (lambda value: value > 0, "positive"),
        "momentum": (lambda value: 0 <= value <= 1, "in range [0.0, 1.0]"),
    },
    "dropout": {
        "size": _ABOVE_0,
        "drop_rate": (lambda value: 0 <= value < 1, "in range [0.0, 1.0)"),
    },
}
_REFERENCE_SIZE = integer(0)
REFERENCE_KEYS: dict[str, Rule] = {
    "layer_type": text,
    **dict.fromkeys(_REFERENCE_REQUIRED["dense"], _REFERENCE_SIZE),
    **dict.fromkeys(_REFERENCE_REQUIRED["conv2d"], _REFERENCE_SIZE),
    "stride": _REFERENCE_SIZE,
    "padding": integer(-MAX_INT),
    "size": _REFERENCE_SIZE,
    "epsilon": Number(),
    "momentum": Number(),
    "drop_rate": Number(),
}
"""Keys of the reference's layers; any of its types may have any of them."""


def _parse_reference(place: Place, root: Mapping[str, Any]) -> Architecture:
    given = take(place, root, _ROOT)
    at = place.key("layers")
    layers = [
        _read_reference_layer(at.item(i), layer) for i, layer in enumerate(given["layers"])
    ]
    for index, layer in enumerate(layers):
        _check_reference_layer(at.item(index), index, layer)
    _check_connections(at, layers)
    specs, shape = _as_specs(at, layers)
    return _with_loss(place, specs, shape, given.get("loss", LOSSES[0]))


def _read_reference_layer(place: Place, layer: Any) -> Spec:
    """Check keys and JSON types; the type's name is lower case then where it is known."""
    name = mapping_at(place, layer).get("layer_type")
    if name is None:
        take(place, layer, REFERENCE_KEYS | ACTIVATION_RULES)
        raise place.key("layer_type").error("missing")
    kind = text(place.key("layer_type"), name).lower()
    extension = ACTIVATION_RULES if kind in _WEIGHTED else {}
    given = take(place, layer, REFERENCE_KEYS | extension)
    if kind in REFERENCE_TYPES:
        given["layer_type"] = kind
    return given


def _check_reference_layer(place: Place, index: int, layer: Spec) -> None:
    """Make the reference's checks in its order and words, then the core's."""
    kind, head = layer["layer_type"], f"Layer {index}:"
    if kind not in REFERENCE_TYPES:
        raise place.key("layer_type").error(
            f"{head} Invalid layer type {quoted(kind)}. "
            f"Must be one of: {', '.join(REFERENCE_TYPES)}"
        )
    for key in _REFERENCE_REQUIRED[kind]:
        if key not in layer:
            raise place.key(key).error(
                f"{head} {REFERENCE_TYPES[kind]} layer requires '{key}'"
            )
    for key, (holds, rule) in _REFERENCE_VALUES[kind].items():
        if key in layer and not holds(layer[key]):
            raise place.key(key).error(f"{head} {key} must be {rule}, got {layer[key]}")
    for key, name in _CORE_NAMES[kind].items():
        if key in layer:
            LAYER_RULES[kind][name](place.key(key), layer[key])
    if kind in _WEIGHTED:
        settle_activation(place, layer, "activation")
    _check_size(place, _reference_input(layer))
    _check_size(place, _reference_output(place, layer))


def _check_connections(place: Place, layers: list[Spec]) -> None:
    for i, (layer, following) in enumerate(pairwise(layers)):
        given = math.prod(_reference_output(place.item(i), layer))
        taken = math.prod(_reference_input(following))
        if given != taken:
            raise place.item(i + 1).error(
                f"Layer connection mismatch: Layer {i} output size ({given}) does not "
                f"match Layer {i + 1} input size ({taken})"
            )


def _reference_input(layer: Spec) -> Shape:
    if layer["layer_type"] == "dense":
        return (layer["input_size"],)
    if layer["layer_type"] == "conv2d":
        return (layer["in_channels"], layer["input_height"], layer["input_width"])
    return (layer["size"],)


def _reference_output(place: Place, layer: Spec) -> Shape:
    kind = layer["layer_type"]
    return _SHAPES[kind](place, _core_spec(layer), _reference_input(layer))


_CORE_NAMES = {
    "dense": {"output_size": "units"},
    "conv2d": {
        "out_channels": "filters",
        "kernel_size": "kernel_size",
        "stride": "stride",
        "padding": "padding",
    },
    "batchnorm": {"epsilon": "epsilon", "momentum": "momentum"},
    "dropout": {"drop_rate": "rate"},
}


def _core_spec(layer: Spec) -> Spec:
    kind = layer["layer_type"]
    names = {**_CORE_NAMES[kind], "activation": "activation", "alpha": "alpha"}
    spec = {names[key]: value for key, value in layer.items() if key in names}
    return {"type": kind, **spec}


def _as_specs(place: Place, layers: list[Spec]) -> tuple[list[Spec], Shape]:
    """Return specs and input shape, with a flatten layer wherever images become values.

    The reference hands flat vectors on, so its batchnorm has a mean for each value and
    flatten goes before that too. Only at the front may values become images.
    """
    specs: list[Spec] = []
    input_shape = shape = _reference_input(layers[0])
    for index, layer in enumerate(layers):
        at = place.item(index)
        wanted = shape if layer["layer_type"] == "dropout" else _reference_input(layer)
        if wanted != shape and len(wanted) == 1:
            specs.append({"type": "flatten"})
        elif wanted != shape and all(spec["type"] == "dropout" for spec in specs):
            input_shape = wanted
        elif wanted != shape:
            raise at.error(
                f"conv2d of {_shown(wanted)} after a layer that gives {_shown(shape)}: "
                "values cannot become images again"
            )
        specs.append(_core_spec(layer))
        shape = _SHAPES[layer["layer_type"]](at, specs[-1], wanted)
    return specs, input_shape
