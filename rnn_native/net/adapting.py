"""Statistics of Normalization layers, found in data."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        """Take in values of shape (k, n)."""
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
    """Adapt a net to rows as `as_rows` gives them, unless that was done before."""
    if unadapted(net) is not None:
        adapt_to_rows(net, rows)


def unadapted(net: Predictor) -> int | None:
    """Return the index of the first Normalization layer without statistics, or None."""
    if not net.normalizations:
        return None
    state = net.state
    return next((i for i in net.normalizations if not state[f"layers.{i}.count"][0]), None)


def adapt_to_rows(net: Predictor, rows: AnyRows) -> None:
    """Set the statistics of all Normalization layers, from the input up."""
    for index in net.normalizations:
        moments = _moments_of(net, index, rows)
        variance = moments.squares / max(moments.count, 1)
        if not (np.abs([moments.mean, variance]) <= LARGEST).all():
            raise ValueError(
                f"adapt: layers[{index}]: expected values whose mean and variance are finite "
                "in float32, got larger ones"
            )
        weights = net.get_weights()
        parts = net.state_parts_of(weights)
        parts[f"layers.{index}.mean"][:] = moments.mean
        parts[f"layers.{index}.variance"][:] = variance
        parts[f"layers.{index}.count"][:] = moments.count
        net.set_weights(weights)


def _moments_of(net: Predictor, index: int, rows: AnyRows) -> Moments:
    """Return the moments of what a layer is given, of real tokens only."""
    shape, axis = _shape_below(net, index), net.specs[index].get("axis")
    by_first = len(shape) == 3 if axis is None else axis == 0
    n = shape[0] if by_first else shape[-1]
    masking = -1 if by_first else net.native.layers[index]["masked_by"]
    below = _net_below(net, index)
    mask_below = _net_below(net, masking) if masking >= 0 else None
    moments = Moments(0, np.zeros(n), np.zeros(n))
    for part in _blocks(rows):
        values = below.native.predict(part).astype(np.float64)
        if by_first:
            values = np.moveaxis(values.reshape(len(part), n, -1), 1, -1)
        values = values.reshape(-1, n)
        if mask_below is not None:
            tokens = mask_below.native.predict(part).reshape(len(values), -1)
            padding = np.float32(net.specs[masking].get("value", 0.0))
            values = values[(tokens != padding).any(axis=1)]
        moments.add(values)
    return moments


def _blocks(rows: AnyRows) -> Iterator[AnyRows]:
    for begin in range(0, len(rows), BLOCK_ROWS):
        yield rows[begin : begin + BLOCK_ROWS]


def _shape_below(net: Predictor, index: int) -> tuple[int, ...]:
    return net.native.layers[index - 1]["shape"] if index else net.input_shape


def _net_below(net: Predictor, index: int) -> Predictor:
    """Return a net that gives what a layer is given."""
    specs = net.specs[:index] or [{"type": "activation", "function": "linear"}]
    tensors = {
        name: values
        for name, values in net.copied_tensors().items()
        if int(name.split(".")[1]) < index
    }
    return net.with_layers(specs, "none", tensors)
