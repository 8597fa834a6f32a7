"""Local SGD: each rank makes some updates by itself, then weights are averaged."""

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import TrainingDiverged
from rnn_native.training.native_options import native_options
from rnn_native.training.ranks import Ranks
from rnn_native.training.run import Run
from rnn_native.training.schedules import Rates


def train(
    run: Run, order: NDArray[np.int32], rates: Rates, before: float
) -> tuple[float, float]:
    """Train on rows of the epoch; each rank has its part of every batch, or its shard.

    Weights, running statistics and the optimizer's moments are averaged over ranks after
    `ranks.every` updates, and after the last ones.

    Returns
    -------
    float, float
        The loss of the epoch, of which `before` is the sum of earlier rows, and the hits:
        summed over the rows of all ranks; of shards their mean.

    Raises
    ------
    TrainingDiverged
        On all ranks, if one of them has diverged.
    KeyboardInterrupt
        On all ranks, after an average, if one of them was asked to end.
    """
    ranks = run.ranks
    assert ranks is not None
    size = run.batch_size
    block, loss, hits = size * ranks.every, 0.0, 0
    for begin in range(0, len(order), block):
        rows = order[begin : begin + block]
        first, steps = begin // size, -(-len(rows) // size)
        rate = rates[first : first + steps] if isinstance(rates, np.ndarray) else rates
        more, more_hits, failure = _train_own(run, ranks, rows, rate)
        reports = ranks.notes([more, more_hits, failure, int(ranks.stop[0])])
        if failures := [report[2] for report in reports if report[2]]:
            raise TrainingDiverged(failures[0])
        for values in (run.model.weights, run.model.moments):
            ranks.average(values)
        loss, hits = loss + sum(r[0] for r in reports), hits + sum(r[1] for r in reports)
        run.state.advance(steps)
        run.state.take(len(rows), len(run.order))
        run.is_begun = True
        if any(report[3] for report in reports):
            raise KeyboardInterrupt
    shards = ranks.size if ranks.shards else 1
    return before + loss / shards, hits / shards


def _train_own(
    run: Run, ranks: Ranks, rows: NDArray[np.int32], rates: Rates
) -> tuple[float, int, str]:
    """Train on this rank's part of each batch; return loss, hits, and what went wrong."""
    size, own = run.batch_size, rows
    if not ranks.shards:
        parts = _parts(rows, size, ranks)
        if not len(parts[-1]) and isinstance(rates, np.ndarray):
            rates = rates[:-1]
        size, own = size // ranks.size, np.concatenate(parts)
    if not len(own):
        return 0.0, 0, ""
    options = native_options(run.recipe, run.state)
    # Ranks have other masks: else they would drop and distort the same.
    options["seed"] = (options["seed"] + ranks.rank) % 2**64
    try:
        loss, hits = run.model.native.train(
            run.data.x,
            run.data.y,
            own,
            size,
            rates,
            threads=run.threads,
            epoch=run.history.next_epoch + 1,
            weights=run.row_weights,
            augment=run.augment,
            **options,
        )
    except FloatingPointError as error:
        return 0.0, 0, str(error)
    return float(loss[0]), int(hits[0]), ""


def _parts(rows: NDArray[np.int32], size: int, ranks: Ranks) -> list[NDArray[np.int32]]:
    """Return this rank's rows of each batch."""
    parts = []
    for begin in range(0, len(rows), size):
        batch = rows[begin : begin + size]
        first, end = (len(batch) * k // ranks.size for k in (ranks.rank, ranks.rank + 1))
        parts.append(batch[first:end])
    return parts
