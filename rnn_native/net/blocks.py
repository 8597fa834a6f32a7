"""Blocks as the core sees them: one flat list, with marks between branches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.net.block_specs import Spec, is_block, word_of

T = TypeVar("T")

MARKS = ("fork", "branch")
"""Marks before a branch, which pass its input."""

JOINS = ("add", "concat")
"""What makes one of all branches: it stands for the block."""

_SIGNALS = ("conv1d", "maxpool1d", "avgpool1d")
"""Layers whose output is a signal, with channels as its first axis."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer of the core's list.

    Attributes
    ----------
    spec : dict
        For the core, with the path that its messages name.
    name : str
        What names of its parameters begin with: "layers.3.residual.0".
    index : int
        Of the layer in the net's own list that it is, or is in.
    """

    spec: Spec
    name: str
    index: int

    @property
    def path(self) -> str:
        """Where it is: "layers[3].residual[0]"."""
        path: str = self.spec["path"]
        return path

    def arrays(
        self, tensors: Mapping[str, NDArray[np.float32]], layer: "_core._Layer"
    ) -> dict[str, NDArray[np.float32]]:
        """Return the layer's own of a net's tensors, by the names that the core has."""
        names = [param["name"] for param in layer["params"]]
        return {name: tensors[f"{self.name}.{name}"] for name in names}


@dataclass(frozen=True, slots=True)
class _At:
    """A place in the lists: path, name and the index of the outermost layer."""

    path: str
    name: str
    index: int

    def key(self, word: str) -> "_At":
        return _At(f"{self.path}.{word}", f"{self.name}.{word}", self.index)

    def item(self, i: int) -> "_At":
        return _At(f"{self.path}[{i}]", f"{self.name}.{i}", self.index)


def flatten(
    specs: Sequence[Mapping[str, Any]], input_shape: Sequence[int], first: int = 0
) -> list[Placed]:
    """Return the layers of the core for a net's layers, with marks between branches.

    Parameters
    ----------
    specs : sequence of dict
        Checked.
    input_shape : sequence of int
        Of one sample.
    first : int
        Index of the first of them, for messages.

    Raises
    ------
    ValueError
        If layers in a block, or under one, do not fit together: names the path, and the
        shapes.
    """
    ats = [_At(f"layers[{i}]", f"layers.{i}", i) for i in range(first, first + len(specs))]
    return _all(specs, tuple(input_shape), ats)


def _all(
    specs: Sequence[Mapping[str, Any]], shape: tuple[int, ...], ats: Sequence[_At]
) -> list[Placed]:
    placed: list[Placed] = []
    since = 0  # layers from here on are not in `shape`
    for spec, at in zip(specs, ats, strict=True):
        if is_block(spec):
            shape = _shape_after(placed[since:], shape)
            since = len(placed)
            placed += _BLOCKS[spec["type"]](spec, shape, at)
        else:
            placed.append(Placed({**spec, "path": at.path}, at.name, at.index))
    return placed


def below(placed: Sequence[Placed], index: int) -> list[int]:
    """Return which layers a layer's input goes through, with the marks of whole blocks.

    Of a block around the layer these are the layers before it in its branch.
    """
    found: list[int] = []
    around: list[tuple[list[int], int]] = []  # of open blocks: layers before, and the fork
    for i, one in enumerate(placed[:index]):
        kind = one.spec["type"]
        if kind == "fork":
            around.append((found, i))
            found = []
        elif kind == "branch":
            found = []
        elif kind in JOINS:
            found, fork = around.pop()
            found += range(fork, i + 1)
        else:
            found.append(i)
    return [i for before, _ in around for i in before] + found


def last_of_each(placed: Sequence[Placed], values: Iterable[T]) -> list[T]:
    """Return, of a value for each layer of the core, the last of each of the net's own."""
    by_index = {one.index: value for one, value in zip(placed, values, strict=True)}
    return list(by_index.values())


def _shape_after(placed: Sequence[Placed], shape: tuple[int, ...]) -> tuple[int, ...]:
    if not placed:
        return shape
    return tuple(_core.layer_shapes([one.spec for one in placed], shape)[-1])


def _list(
    specs: Sequence[Mapping[str, Any]], shape: tuple[int, ...], at: _At
) -> list[Placed]:
    """Return the layers of a list inside a block."""
    return _all(specs, shape, [at.item(i) for i in range(len(specs))])


def _mark(kind: str, at: _At, **keys: Any) -> Placed:
    return Placed({"type": kind, **keys, "path": at.path}, at.name, at.index)


# ---- kinds of blocks: spec, input's shape and place -> layers ----


def _block(spec: Mapping[str, Any], shape: tuple[int, ...], at: _At) -> list[Placed]:
    return _list(spec["layers"], shape, at.key(word_of(spec)))


def _residual(spec: Mapping[str, Any], shape: tuple[int, ...], at: _At) -> list[Placed]:
    layers = _list(spec["layers"], shape, at.key(word_of(spec)))
    # An input of rank 2 is a signal where a window slides along it, else it is tokens.
    is_signal = any(one.spec["type"].endswith("1d") for one in layers)
    skip = _projection(shape, _shape_after(layers, shape), at, is_signal=is_signal)
    return [_mark("fork", at), *layers, _mark("branch", at), *skip, _mark("add", at)]


def _projection(
    shape: tuple[int, ...], wanted: tuple[int, ...], at: _At, *, is_signal: bool
) -> list[Placed]:
    """Return the layer that converts a residual's input to the shape of its outputs, if any."""
    if shape == wanted:
        return []
    spec: Spec | None = None
    rank = len(shape)
    if rank == len(wanted) == 3 or (rank == len(wanted) == 2 and is_signal):
        steps = [_step(n, m) for n, m in zip(shape[1:], wanted[1:], strict=True)]
        if None not in steps:
            kernel = {"kernel_size": 1, "stride": steps if rank == 3 else steps[0]}
            spec = {"type": f"conv{rank - 1}d", "filters": wanted[0], **kernel}
    elif shape[:-1] == wanted[:-1]:
        spec = {"type": "dense", "units": wanted[-1]}
    if spec is None:
        raise ValueError(
            f"{at.path}: residual adds its input, {_shown(shape)}, to the output of its layers, "
            f"{_shown(wanted)}, and no 1x1 convolution or dense layer converts one to the other"
        )
    at = at.key("projection")
    return [Placed({**spec, "path": at.path}, at.name, at.index)]


def _step(extent: int, wanted: int) -> int | None:
    """Return the least stride with which a window of one has this many outputs, if any."""
    for stride in range(1, extent + 1):
        if (extent - 1) // stride + 1 <= wanted:
            return stride if (extent - 1) // stride + 1 == wanted else None
    return None


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _concat(spec: Mapping[str, Any], shape: tuple[int, ...], at: _At) -> list[Placed]:
    inside = at.key(word_of(spec))
    placed = []
    for i, branch in enumerate(spec["branches"]):
        placed.append(_mark("branch" if i else "fork", at))
        placed += _list(branch, shape, inside.item(i))
    axis = {"axis": spec["axis"]} if "axis" in spec else _axis_of(placed)
    return [*placed, _mark("concat", at, **axis)]


def _axis_of(branches: Sequence[Placed]) -> dict[str, int]:
    """Return the axis of a concat that names none, unless the core's is right.

    The core treats rank 2 as tokens, and joins their values; in signals these are channels.
    """
    kinds = {one.spec["type"] for one in branches}
    is_signal = not kinds.isdisjoint(_SIGNALS) and "patch_embed1d" not in kinds
    return {"axis": 0} if is_signal else {}


def _transformer_block(
    spec: Mapping[str, Any], shape: tuple[int, ...], at: _At
) -> list[Placed]:
    if len(shape) != 2:
        raise ValueError(
            f"{at.path}: transformer_block expects tokens x values, got an input of "
            f"{_shown(shape)}"
        )
    return _list(transformer_layers(spec, shape[1]), shape, at.key(word_of(spec)))


def transformer_layers(spec: Mapping[str, Any], width: int) -> list[Spec]:
    """Return the layers that a transformer_block is made of, over tokens of this width."""
    drop = [{"type": "dropout", "rate": spec["dropout"]}] if spec.get("dropout") else []
    attention = {"type": "self_attention", "heads": spec["heads"], "out_proj": True}
    attention |= {"causal": True} if spec.get("causal") else {}
    function = {"activation": spec.get("activation", "gelu")}
    hidden = {"type": "dense", "units": spec["units"], **function}
    parts = {
        "attention": [attention, *drop],
        "feed_forward": [hidden, *drop, {"type": "dense", "units": width}],
    }
    norm: Spec = {"type": "layernorm"}
    layers = []
    for name, part in parts.items():
        if spec.get("norm", "pre") == "pre":
            layers.append({"type": "residual", "layers": [norm, *part], "name": name})
        else:
            layers += [{"type": "residual", "layers": part, "name": name}, norm]
    return layers


_BLOCKS = {
    "block": _block,
    "residual": _residual,
    "concat": _concat,
    "transformer_block": _transformer_block,
}
