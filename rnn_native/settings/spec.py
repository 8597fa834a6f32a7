"""What both forms of an architecture have: input shape, list of layers, loss and shapes."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import rnn_native._core as _core
from rnn_native.base.rules import MAX_INT, Choice, Place, Rule, array, integer
from rnn_native.net import losses
from rnn_native.net.blocks import flatten, last_of_each
from rnn_native.net.layer_specs import Spec
from rnn_native.settings.json_file import HEAD_KEYS

Shape: TypeAlias = tuple[int, ...]

LOSSES = losses.NAMES
MAX_LAYERS = 1000
MAX_RANK = 4


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
    check_size(place, shape)
    return shape


ROOT: dict[str, Rule] = {
    "input_shape": _input_shape,
    "loss": Choice(LOSSES),
    "layers": _layer_list,
    **HEAD_KEYS,
}
"""Keys of an architecture, whatever its layers look like."""


def check_size(place: Place, shape: Shape) -> None:
    """Refuse what the core, which counts elements in 32 bits, could not hold."""
    if math.prod(shape) > MAX_INT:
        raise place.error(
            f"expected an array of at most {MAX_INT} elements, got {shown_shape(shape)}"
        )


def shown_shape(shape: Shape) -> str:
    """Return a shape for a message."""
    return " x ".join(map(str, shape))


def core_shapes(
    place: Place, specs: Sequence[Spec], shape: Shape, loss: str = "none", first: int = 0
) -> list[Shape]:
    """Return the shape of each layer's output.

    Parameters
    ----------
    place : Place
        The architecture.
    specs : sequence of dict
        Checked.
    shape : tuple of int
        What the first of them gets.
    loss : str
        The core's name; "none" for layers that need not end in one row of numbers.
    first : int
        Index of the first of them in the architecture, for messages.

    Raises
    ------
    ConfigError
        If layers do not fit together.
    """
    try:
        placed = flatten(losses.with_linear_ends(specs), shape, first)
        shapes = _core.layer_shapes([one.spec for one in placed], shape, loss)
    except ValueError as error:
        raise place.error(str(error)) from None
    return last_of_each(placed, map(tuple, shapes))
