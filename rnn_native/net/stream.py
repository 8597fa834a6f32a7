"""A net that goes through a sequence one step at a time, and keeps its state in between."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.base.runtime import resolve_threads
from rnn_native.base.text import brief
from rnn_native.net.arrays import as_array, sparse_refusal
from rnn_native.net.blocks import JOINS, Placed
from rnn_native.net.compressed import CompressedRows
from rnn_native.net.indices import as_indices
from rnn_native.net.rows import (
    NO_FLOAT,
    as_finite_float32,
    as_rows,
    float_range_of,
)

if TYPE_CHECKING:
    from rnn_native.net.compiled import CompiledNet

PARTS = {"simple_rnn": ("hidden",), "gru": ("hidden",), "lstm": ("hidden", "cell")}
"""What the state of each recurrent layer consists of."""

BY_STEP = (
    "dense",
    "activation",
    "softmax",
    "layernorm",
    "rmsnorm",
    "dropout",
    "columns",
    "gaussian_noise",
)
"""Layers that make each step's outputs of that step's inputs alone."""

_INDICES, _STEPS, _MADE = "indices", "steps", "made"


class Stream:
    """A recurrent net's predictions one step at a time; `Network.stream` makes it.

    The weights are those that the net had when the stream was made. The first step after
    `reset` decides how many streams go side by side. Threads may share a stream: steps
    follow each other.
    """

    def __init__(self, net: CompiledNet, threads: int | None = None) -> None:
        check_streams(net)
        self._shape = net.input_shape[1:]  # of a step: () where it is an index
        self._table_rows = net.table_rows[:1]  # the same for all steps
        self._input_dtype = net.input_dtype
        self._plain_range = NO_FLOAT if net.table_rows else float_range_of(net.input_dtype)
        self._threads = resolve_threads(threads)
        self._lock = threading.Lock()
        self._native = net_of_one_step(net)
        self._native.weights[:] = net.get_weights()
        self._native.sparse_below = net.native.sparse_below
        self._layers = [
            (one.name, PARTS[one.spec["type"]], layer["carried"])
            for one, layer in zip(net.placed, self._native.layers, strict=True)
            if layer["carried"]
        ]
        self._size = sum(carried for _, _, carried in self._layers)
        self.reset()

    def reset(self) -> None:
        """Set the state to zero; the next step may have any number of streams."""
        self._is_begun = False
        self._carried = np.zeros(self._size, np.float32)

    def step(self, x: ArrayLike) -> NDArray[np.float32]:
        """Return the outputs after one more step.

        Parameters
        ----------
        x : array_like of shape (features,), or (n, features) for n streams side by side
            What `predict_proba` accepts, of one step. Of a net that begins with `Embedding`
            a step is an index, or (n,) of them for n streams.

        Returns
        -------
        ndarray of shape (outputs,), or (n, outputs), float32
            What `predict_proba` returns for the sequence up to this step; of a net that ends
            in `Flatten` its part for this step.

        Raises
        ------
        ValueError, TypeError
            If x does not fit; the state is then as it was.
        """
        array = x if isinstance(x, np.ndarray) else as_array(x, "x")
        is_one = array.ndim == len(self._shape)
        with self._lock:
            # One call of the core: all else would take as long as a small net.
            outputs = self._native.advance_plain(array, self._carried, *self._plain_range)
            if outputs is None:
                outputs = self._advance(array, is_one)
            self._is_begun = True
        return outputs[0] if is_one else outputs

    def _advance(self, array: NDArray[Any], is_one: bool) -> NDArray[np.float32]:
        self._check_shape(array.shape)
        rows = self._rows(array[None] if is_one else array)
        self._make_room(len(rows))
        return self._native.advance(rows, self._carried, threads=self._threads)

    def _check_shape(self, given: tuple[int, ...]) -> None:
        """Refuse values that are neither a step nor a step for each of several streams."""
        rank = len(self._shape)
        fits = len(given) in (rank, rank + 1) and given[len(given) - rank :] == self._shape
        if fits and 0 not in given:
            return
        if rank:
            n = self._shape[0]
            expected = f"shape ({n},), or (n, {n})"
            what = "; a step is one row of a sequence"
        else:
            expected, what = "an index, or (n,) of them", ""
        raise ValueError(f"x: expected {expected} for n streams, got {given}{what}")

    def _rows(self, steps: NDArray[Any]) -> NDArray[np.float32] | NDArray[np.uint8]:
        """Return steps of n streams as the core expects them, a row for each."""
        if self._table_rows:
            return as_indices(steps, self._table_rows, "x").reshape(len(steps), -1)
        rows = as_rows(steps, self._shape, self._input_dtype)
        if isinstance(rows, CompressedRows):
            raise sparse_refusal("x")
        return rows

    def _make_room(self, n: int) -> None:
        """Make room for the states of n streams, or check that they exist."""
        if n == self._streams:
            return
        if self._is_begun:
            raise ValueError(
                f"x: expected {self._streams} streams, as in the steps before, got {n}; "
                "call reset() to begin again"
            )
        self._carried = np.zeros(n * self._size, np.float32)

    @property
    def _streams(self) -> int:
        return len(self._carried) // self._size

    @property
    def state(self) -> dict[str, NDArray[np.float32]]:
        """The state after the last step: (n, units) arrays, by layer.

        The names are those of the layers, with "hidden", and "cell" for an LSTM's c:
        "layers.0.hidden". Reading returns copies. A new value, a mapping with the same names,
        decides how many streams there are; ValueError if it does not fit.
        """
        with self._lock:
            return {name: view.copy() for name, view in self._views(self._carried).items()}

    @state.setter
    def state(self, state: Mapping[str, ArrayLike]) -> None:
        names = list(self._views(self._carried))
        if not isinstance(state, Mapping) or set(state) != set(names):
            got = brief(sorted(map(str, state)) if isinstance(state, Mapping) else state)
            raise ValueError(f"state: expected a dict of {', '.join(names)}, got {got}")
        called = {name: f"state[{name!r}]" for name in names}
        arrays = {
            name: as_finite_float32(as_array(state[name], where), where)
            for name, where in called.items()
        }
        first = arrays[names[0]]
        n = max(len(first), 1) if first.ndim == 2 else 1
        carried = np.zeros(n * self._size, np.float32)
        for name, view in self._views(carried).items():
            if arrays[name].shape != view.shape:
                raise ValueError(
                    f"{called[name]}: expected shape {view.shape}, got {arrays[name].shape}"
                )
            view[:] = arrays[name]
        with self._lock:
            self._carried, self._is_begun = carried, True

    def _views(self, carried: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the parts of states as they lie one behind the other in the core's array."""
        views = {}
        n, begin = len(carried) // self._size, 0
        for name, parts, size in self._layers:
            own = carried[begin : begin + n * size].reshape(n, len(parts), -1)
            begin += n * size
            views.update({f"{name}.{part}": own[:, i] for i, part in enumerate(parts)})
        return views


def check_streams(net: CompiledNet) -> None:
    """Refuse a net whose outputs after a step need more than this step and the state."""
    takes_indices = bool(net.table_rows)
    if len(net.input_shape) != (1 if takes_indices else 2):
        raise ValueError(
            "stream: expected a net over sequences, of input_shape (steps, features), got "
            f"{net.input_shape}"
        )
    # What the next layer sees: the sequence, its indices, or what was made of it.
    at = _INDICES if takes_indices else _STEPS
    around: list[str] = []  # of the blocks around it
    is_recurrent = False
    for i, one in enumerate(net.placed):
        kind = one.spec["type"]
        if kind == "fork":
            around.append(at)
        elif kind == "branch":
            at = around[-1]
        elif kind in PARTS:
            if at != _STEPS or one.spec.get("reverse"):
                raise _refusal(
                    one, "in reverse" if at == _STEPS else "above the last output"
                )
            at = _STEPS if one.spec.get("return_sequences") else _MADE
            is_recurrent = True
        elif kind == "embedding":
            at = _STEPS
        elif kind == "flatten" and i == len(net.placed) - 1:
            if at == _STEPS and net.loss == "softmax_cross_entropy":
                raise _refusal(one, "under softmax_cross_entropy")
        elif at == _INDICES or (at == _STEPS and not _goes_by_step(one)):
            raise _refusal(one)
        if kind in JOINS:
            around.pop()
    if not is_recurrent:
        raise ValueError(
            "stream: expected a net with a recurrent layer (GRU, LSTM, SimpleRNN), got none"
        )


def net_of_one_step(net: CompiledNet) -> _core.Net:
    """Return a native net of the same layers over sequences of one step, without weights."""
    specs = [one.spec for one in net.placed]
    return _core.Net(specs, (1, *net.input_shape[1:]), net.loss)


def _goes_by_step(one: Placed) -> bool:
    kind, axis = one.spec["type"], one.spec.get("axis")
    return kind in BY_STEP or (kind in (*JOINS, "normalization") and axis in (None, -1, 1))


def _refusal(one: Placed, how: str = "") -> ValueError:
    what = f"{one.spec['type']} {how}".rstrip()
    return ValueError(
        f"{one.path}: stream: {what} needs the whole sequence; use predict on sequences"
    )
