"""The reference system's form of an architecture: layers that name their own sizes.

Its checks have their order and words from there; what the reference accepts is for the core.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from rnn_native.base.rules import (
    MAX_INT,
    Number,
    Place,
    Rule,
    integer,
    mapping_at,
    of_one,
    quoted,
    take,
    text,
)
from rnn_native.net.layer_specs import (
    LAYER_RULES,
    WITH_ACTIVATION,
    Spec,
    settle_activation,
)
from rnn_native.settings.spec import ROOT, Shape, check_size, core_shapes, shown_shape

REFERENCE_TYPES = {
    "dense": "Dense",
    "conv2d": "Conv2D",
    "batchnorm": "BatchNorm",
    "dropout": "Dropout",
}
REFERENCE_REQUIRED = {
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
REFERENCE_VALUES: dict[str, dict[str, _Check]] = {
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
ACTIVATION_RULES = {key: LAYER_RULES["dense"][key] for key in ("activation", "alpha")}
"""What we add to the reference's dense and conv2d."""

REFERENCE_KEYS: dict[str, Rule] = {
    "layer_type": text,
    **dict.fromkeys(REFERENCE_REQUIRED["dense"], _REFERENCE_SIZE),
    **dict.fromkeys(REFERENCE_REQUIRED["conv2d"], _REFERENCE_SIZE),
    "stride": _REFERENCE_SIZE,
    "padding": integer(-MAX_INT),
    "size": _REFERENCE_SIZE,
    "epsilon": Number(),
    "momentum": Number(),
    "drop_rate": Number(),
}
"""Keys of the reference's layers; any of its types may have any of them."""


def parse_reference(place: Place, root: Mapping[str, Any]) -> tuple[list[Spec], Shape]:
    """Return the specs and the input shape of the reference's form.

    Parameters
    ----------
    place : Place
        The architecture.
    root : mapping
        The value.

    Raises
    ------
    ConfigError
        In the reference's words where it makes the check itself.
    """
    given = take(place, root, ROOT)
    at = place.key("layers")
    layers = [
        read_reference_layer(at.item(i), layer) for i, layer in enumerate(given["layers"])
    ]
    outputs = []
    for index, layer in enumerate(layers):
        check_reference_layer(at.item(index), index, layer)
        outputs.append(_reference_output(place, index, layer))
    _check_connections(at, layers, outputs)
    return _as_specs(at, layers, outputs)


def read_reference_layer(place: Place, layer: Any) -> Spec:
    """Check keys and JSON types; the type's name is lower case then where it is known."""
    name = mapping_at(place, layer).get("layer_type")
    if name is None:
        take(place, layer, REFERENCE_KEYS | ACTIVATION_RULES)
        raise place.key("layer_type").error(
            f"missing; expected one of {', '.join(REFERENCE_TYPES)}"
        )
    kind = text(place.key("layer_type"), name).lower()
    extension = ACTIVATION_RULES if kind in WITH_ACTIVATION else {}
    given = take(place, layer, REFERENCE_KEYS | extension)
    if kind in REFERENCE_TYPES:
        given["layer_type"] = kind
    return given


def check_reference_layer(place: Place, index: int, layer: Spec) -> None:
    """Make the reference's checks in its order and words, then the core's."""
    kind, head = layer["layer_type"], f"Layer {index}:"
    if kind not in REFERENCE_TYPES:
        raise place.key("layer_type").error(
            f"{head} Invalid layer type {quoted(kind)}. "
            f"Must be one of: {', '.join(REFERENCE_TYPES)}"
        )
    for key in REFERENCE_REQUIRED[kind]:
        if key not in layer:
            raise place.key(key).error(
                f"{head} {REFERENCE_TYPES[kind]} layer requires '{key}'"
            )
    for key, (holds, rule) in REFERENCE_VALUES[kind].items():
        if key in layer and not holds(layer[key]):
            raise place.key(key).error(f"{head} {key} must be {rule}, got {layer[key]}")
    for key, name in CORE_NAMES[kind].items():
        if key in layer:
            of_one(LAYER_RULES[kind][name])(place.key(key), layer[key])
    if kind in WITH_ACTIVATION:
        settle_activation(place, layer, "activation")
    check_size(place, _reference_input(layer))


def _check_connections(place: Place, layers: list[Spec], outputs: list[Shape]) -> None:
    for i, following in enumerate(layers[1:]):
        given, taken = math.prod(outputs[i]), math.prod(_reference_input(following))
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


def _reference_output(place: Place, index: int, layer: Spec) -> Shape:
    spec = [_core_spec(layer)]
    return core_shapes(place, spec, _reference_input(layer), first=index)[0]


CORE_NAMES = {
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
    names = {**CORE_NAMES[kind], "activation": "activation", "alpha": "alpha"}
    spec = {names[key]: value for key, value in layer.items() if key in names}
    return {"type": kind, **spec}


def _as_specs(
    place: Place, layers: list[Spec], outputs: list[Shape]
) -> tuple[list[Spec], Shape]:
    """Return specs and input shape, with a flatten layer wherever images become values.

    The reference hands flat vectors on, so its batchnorm has a mean for each value and
    flatten precedes that too. Only at the front may values become images.
    """
    specs: list[Spec] = []
    input_shape = shape = _reference_input(layers[0])
    for index, layer in enumerate(layers):
        is_dropout = layer["layer_type"] == "dropout"
        wanted = shape if is_dropout else _reference_input(layer)
        if wanted != shape and len(wanted) == 1:
            specs.append({"type": "flatten"})
        elif wanted != shape and all(spec["type"] == "dropout" for spec in specs):
            input_shape = wanted
        elif wanted != shape:
            raise place.item(index).error(
                f"conv2d expects {shown_shape(wanted)}, got {shown_shape(shape)} from the layer "
                "before; only the first layer may turn values into images"
            )
        specs.append(_core_spec(layer))
        shape = shape if is_dropout else outputs[index]
    return specs, input_shape
