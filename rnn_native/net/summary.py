"""The table of a net's layers, as Keras' users know it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import rnn_native._core as _core
from rnn_native.net.blocks import MARKS, Placed

WIDTHS = (30, 24)
RULE = 65


class LayerRow(NamedTuple):
    """A layer of the table.

    Attributes
    ----------
    name, kind : str
        As in `Network.parameters` ("layers.0"); type and function ("dense gelu").
    shape : tuple of int
        Of one sample's output.
    params : int
        What the layer holds, running statistics and tables included.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int

    def output_shape(self, samples: str) -> str:
        """Return the shape as text, with a name for the number of samples."""
        return "(" + ", ".join([samples, *map(str, self.shape)]) + ")"


class Table(str):
    """Text that an interpreter and a notebook show as it is, instead of between quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def layer_rows(
    placed: Sequence[Placed], layers: Sequence["_core._Layer"]
) -> list[LayerRow]:
    """Return the rows of the table, from what the native net says of each layer."""
    rows = []
    for one, layer in zip(placed, layers, strict=True):
        if layer["type"] in MARKS:
            continue
        function = one.spec.get("activation", one.spec.get("function", ""))
        params = sum(math.prod(param["shape"]) for param in layer["params"])
        kind = f"{layer['type']} {function}".strip()
        rows.append(LayerRow(one.name, kind, tuple(layer["shape"]), params))
    return rows


def table_of(
    rows: Sequence[LayerRow], trainable: int, fixed: int, notes: Sequence[str]
) -> Table:
    """Return the table, the sums under it, and lines of notes."""
    lines = ["_" * RULE, _line("Layer (type)", "Output Shape", "Param #"), "=" * RULE]
    for row in rows:
        shape = row.output_shape("None")
        lines.append(_line(f"{row.name} ({row.kind})", shape, f"{row.params:,}"))
    counts = {"Total": trainable + fixed, "Trainable": trainable, "Non-trainable": fixed}
    lines.append("=" * RULE)
    lines += [f"{name} params: {n:,} ({_size(4 * n)})" for name, n in counts.items()]
    return Table("\n".join([*lines, *notes, "_" * RULE]))


def _line(name: str, shape: str, params: str) -> str:
    """Return a row; a text longer than its column moves the others to the right."""
    start = f"{name:<{WIDTHS[0]}} {shape:<{WIDTHS[1]}} "
    return f"{start}{params:>{max(RULE - len(start), 0)}}"


def _size(count: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "KB", "MB"):
        if count < 1024 or unit == "MB":
            break
        count /= 1024
    return f"{count:.2f} {unit}"
