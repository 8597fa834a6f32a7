"""A run on several ranks: what they must have in common before it, and agree on in it."""

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import RankError
from rnn_native.base.runtime import config
from rnn_native.base.version import __version__
from rnn_native.net.compressed import CompressedRows
from rnn_native.training import local_steps
from rnn_native.training.callback import wants_batches
from rnn_native.training.ranks import Ranks
from rnn_native.training.run import Run
from rnn_native.training.streaming import StreamRun

if TYPE_CHECKING:
    from rnn_native.net.rows import AnyRows


def begin(run: Run, ranks: Ranks) -> None:
    """Give a run its ranks, once all of them are known to agree.

    Raises
    ------
    ValueError
        If a batch has fewer rows than ranks, local steps cannot be shared, or the
        run is on batches.
    RankError
        If a rank has other data, weights or settings.
    """
    if isinstance(run, StreamRun):
        raise ValueError(
            "comm: expected arrays x and y, got batches, which ranks cannot share; "
            "pass x and y, or leave comm out"
        )
    shards = ranks.size if ranks.shards else 1
    if run.recipe.accumulate > 1:
        raise ValueError(
            f"accumulate: expected 1 with comm, whose processes share a batch, got "
            f"{run.recipe.accumulate}; use a larger batch_size"
        )
    batch = min(run.recipe.batch_size, len(run.order) * shards)
    if batch < ranks.size:
        raise ValueError(
            f"batch_size: expected at least {ranks.size}, a row for each rank, got {batch}; "
            "start fewer ranks or use a larger batch_size"
        )
    facts = {
        "version of rnn_native": __version__,
        "CPU level": config()["cpu_level"],
        "seed or recipe": run.recipe.as_dict(),
        "every or shards": (ranks.every, ranks.shards),
        "architecture": run.model.architecture(),
        "data": run.data_digest(),
        "weights": _crc(run.model.weights),
        "state of training": (run.state.steps, run.state.seed_steps, _crc(run.order)),
    }
    if not ranks.shards:
        facts["weights of rows"] = (_crc(run.row_weights), _crc(run.data.val_weights))
        facts["validation rows"] = (_crc_of_rows(run.data.val_x), _crc(run.data.val_y))
    ranks.require_alike(facts)
    _check_local_steps(run, ranks)
    run.ranks = ranks
    if ranks.trains_locally:
        run.train_locally = local_steps.train


def _check_local_steps(run: Run, ranks: Ranks) -> None:
    """Refuse what ranks that train by themselves could not do the same way."""
    if not ranks.trains_locally:
        return
    ranks.share_of_batch(run.recipe.batch_size)
    if run.recipe.ema_decay:
        raise ValueError(f"ema_decay: expected 0 with {ranks.how}; leave one out")
    if run.recipe.swa_start is not None:
        raise ValueError(f"swa_start: expected None with {ranks.how}; leave one out")
    wanting = [type(c).__name__ for c in run.callbacks if wants_batches(c)]
    if any(ranks.notes(bool(wanting))):
        raise ValueError(
            f"callbacks: expected none that is called in batches with {ranks.how}, got "
            f"{', '.join(wanting) or 'one on another rank'}; use hooks of epochs"
        )


def _crc_of_rows(rows: "AnyRows | None") -> list[int]:
    """Return checksums of the arrays that hold the rows."""
    parts = rows.parts() if isinstance(rows, CompressedRows) else [rows]
    return [_crc(part) for part in parts]


def _crc(values: NDArray[Any] | None) -> int:
    return 0 if values is None else zlib.crc32(np.ascontiguousarray(values).data)


def share_decisions(run: Run) -> None:
    """After an epoch: rank 0's callbacks decide for all; weights must be the same.

    Raises
    ------
    RankError
        If a rank's weights are others.
    """
    if run.ranks is None:
        return
    rate = None if run.recipe.schedule is not None else run.learning_rate
    own = [_crc(run.model.weights), run.stop_reason, rate, run.stop_detail]
    notes = run.ranks.notes(own)
    for k, note in enumerate(notes):
        if note[0] != notes[0][0]:
            raise RankError(
                f"ranks: rank {k} has other weights than rank 0 after epoch "
                f"{run.history.next_epoch}; callbacks that run on rank 0 alone must not "
                "change weights, or rates within an epoch"
            )
    _, run.stop_reason, rate, run.stop_detail = notes[0]
    if rate is not None and rate != run.learning_rate:
        run.learning_rate = rate
