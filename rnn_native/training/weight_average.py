"""Means of weights that a run ends with: moving from step to step, or over epochs."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_native.net.training_state import STAYS, TrainingState
from rnn_native.training.batch_statistics import set_batch_statistics
from rnn_native.training.history import History
from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor


class AveragedRun(Protocol):
    """What of a run is needed here; see `rnn_native.training.Run`."""

    model: "Predictor"
    state: TrainingState
    recipe: Recipe
    history: History
    data: Split
    order: NDArray[np.int32]
    batch_size: int
    threads: int


def begin(run: AveragedRun) -> None:
    """Let a mean continue or begin as the run wants it; without one, none is kept."""
    if run.recipe.ema_decay > 0:
        run.state.begin_moving_average(run.model.params)
    elif _is_averaged(run):
        run.state.begin_mean(run.model.params)
    else:
        run.state.end_average()


def decay_of(recipe: Recipe) -> float:
    """Return what native calls move a mean by, if there is one."""
    return recipe.ema_decay or STAYS


def add_epoch(run: AveragedRun) -> None:
    """From `swa_start` on, give the model the mean over epochs, with this one."""
    if not _is_averaged(run):
        return
    weights = run.model.get_weights()
    mean = weights[: run.model.params.size]
    live = run.state.add_epoch(mean)
    batch_size = run.batch_size // run.recipe.accumulate
    set_batch_statistics(run.model, weights, run.data, run.order, batch_size, run.threads)
    run.model.set_weights(weights)
    run.state.note_epoch(live, mean)


def _is_averaged(run: AveragedRun) -> bool:
    """Return whether the run's next epoch, or the one that was just trained, is in the mean."""
    start = run.recipe.swa_start
    return start is not None and run.history.next_epoch >= start
