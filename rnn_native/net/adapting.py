"""Statistics of Normalization layers, found in data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.net import blocks
from rnn_native.net.native import native_net
from rnn_native.net.predictor import Predictor
from rnn_native.net.rows import AnyRows, input_dtype_of

BLOCK_ROWS = 1024
LARGEST = np.finfo(np.float32).max


@dataclass(slots=True)
class Moments:
    """Count, mean and sum of squared deviations of n features, over blocks of values.

    Blocks are put together as by Chan, Golub and LeVeque 1983.
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    def add(self, values: NDArray[np.float64]) -> None:
        """Add values of shape (k, n)."""
        k = len(values)
        if k == 0:
            return
        mean = values.mean(axis=0)
        delta, total = mean - self.mean, self.count + k
        self.squares += ((values - mean) ** 2).sum(axis=0)
        self.squares += delta**2 * (self.count * k / total)
        self.mean += delta * (k / total)
        self.count = total


def adapt(net: Predictor, x: ArrayLike) -> None:
    """Set mean and variance of the net's Normalization layers; see `Network.adapt`."""
    if not net.normalizations:
        raise ValueError(
            "adapt: this net has no normalization layer; put rn.Normalization() in"
        )
    rows = net.as_rows(x, learns=True)
    with net.unchanged("adapt"):
        adapt_to_rows(net, rows)
        if net.input_dtype is None:
            net.input_dtype = input_dtype_of(rows)


def adapt_new(net: Predictor, rows: AnyRows) -> None:
    """Adapt a net to rows as `as_rows` returns them, unless that was done before."""
    if unadapted(net) is not None:
        adapt_to_rows(net, rows)


def unadapted(net: Predictor) -> int | None:
    """Return the index of the first Normalization layer without statistics, or None."""
    if not net.normalizations:
        return None
    state = net.state
    every = net.normalizations
    return next((i for i in every if not state[f"{net.placed[i].name}.count"][0]), None)


def adapt_to_rows(net: Predictor, rows: AnyRows) -> None:
    """Set the statistics of all Normalization layers, from the input up; all or none."""
    weights = net.get_weights()
    tensors = net.views_of(weights)
    for index in net.normalizations:
        moments = _moments_of(net, tensors, index, rows)
        variance = moments.squares / max(moments.count, 1)
        if not (np.abs([moments.mean, variance]) <= LARGEST).all():
            raise ValueError(
                f"adapt: {net.placed[index].path}: expected values whose mean and variance "
                "are finite in float32, got larger ones"
            )
        name = net.placed[index].name
        tensors[f"{name}.mean"][:] = moments.mean
        tensors[f"{name}.variance"][:] = variance
        tensors[f"{name}.count"][:] = moments.count
    net.set_weights(weights)


def _moments_of(
    net: Predictor, tensors: Mapping[str, NDArray[np.float32]], index: int, rows: AnyRows
) -> Moments:
    """Return the moments of what a layer is given by those below, of real tokens only."""
    layer, axis = net.native.layers[index], net.placed[index].spec.get("axis")
    shape = layer["shape"]
    by_first = len(shape) == 3 if axis is None else axis == 0
    n = shape[0] if by_first else shape[-1]
    masking = -1 if by_first else layer["masked_by"]
    below = _net_below(net, tensors, index)
    mask_below = _net_below(net, tensors, masking) if masking >= 0 else None
    moments = Moments(0, np.zeros(n), np.zeros(n))
    for part in _blocks(rows):
        values = below.predict(part).astype(np.float64)
        if by_first:
            values = np.moveaxis(values.reshape(len(part), n, -1), 1, -1)
        values = values.reshape(-1, n)
        if mask_below is not None:
            tokens = mask_below.predict(part).reshape(len(values), -1)
            padding = np.float32(net.placed[masking].spec.get("value", 0.0))
            values = values[(tokens != padding).any(axis=1)]
        with np.errstate(over="ignore", invalid="ignore"):  # it is refused
            moments.add(values)
    return moments


def _blocks(rows: AnyRows) -> Iterator[AnyRows]:
    for begin in range(0, len(rows), BLOCK_ROWS):
        yield rows[begin : begin + BLOCK_ROWS]


def _net_below(
    net: Predictor, tensors: Mapping[str, NDArray[np.float32]], index: int
) -> "_core.Net":
    """Return a native net of some weights whose output is the input of a layer."""
    layers = net.native.layers
    specs: list[dict[str, Any]] = []
    arrays: list[dict[str, NDArray[np.float32]]] = []
    for i in blocks.below(net.placed, index):
        specs.append(net.placed[i].spec)
        arrays.append(net.placed[i].arrays(tensors, layers[i]))
    if not specs:
        specs, arrays = [{"type": "activation", "function": "linear"}], [{}]
    return native_net(specs, arrays, net.input_shape, "none")
