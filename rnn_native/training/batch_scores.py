"""Scores of a net on batches, of which one block is in memory at a time."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.datasets.loader import Block
from rnn_native.net.rows import Weights
from rnn_native.training.batches import Batches
from rnn_native.training.measures import evaluated

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor


def _blocks_of(model: "Predictor", batches: Batches) -> Iterator[Block]:
    batches.kind = model.input_dtype
    with closing(batches.epoch(None)) as blocks:
        yield from blocks


def loss_and_hits(
    model: "Predictor", batches: Batches, threads: int
) -> tuple[float, float]:
    """Return mean loss and share of hits of all rows; errors are those of `Batches.epoch`."""
    loss = hits = count = 0.0
    for block in _blocks_of(model, batches):
        loss, more_hits, more_count = evaluated(
            model.native, block.x, block.y, block.weights, threads=threads, loss=loss
        )
        hits, count = hits + more_hits, count + more_count
    return loss / count, hits / count


def outputs_of(
    model: "Predictor", batches: Batches, threads: int
) -> tuple[NDArray[np.float32], NDArray[Any], Weights]:
    """Return outputs, targets and weights of all rows; errors are those of `Batches.epoch`."""
    outputs, targets, weights, is_weighted = [], [], [], False
    for block in _blocks_of(model, batches):
        outputs.append(model.native.predict(block.x, threads=threads))
        targets.append(block.y.copy())
        is_weighted |= block.weights is not None
        ones = np.ones(len(block.y), np.float32)
        weights.append(ones if block.weights is None else block.weights)
    given = np.concatenate(weights) if is_weighted else None
    return np.concatenate(outputs), np.concatenate(targets), given
