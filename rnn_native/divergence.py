"""Whether training that ended with finite numbers has failed all the same."""

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.losses import LOSSES

if TYPE_CHECKING:
    from rnn_native.training import Run

DIVERGED_FACTOR = 4
"""How many times an untrained net's loss tells of divergence; initial weights, class weights
and unlucky batches make less of it."""
LEAST_STEPS = 100
"""Updates before a net is expected to be better than a constant."""
CHANCE = 0.1
"""How much better than the share of the most frequent class is still chance: so much of that
share, or of what is missing to 1."""


def untrained_losses(targets: NDArray[Any], outputs: int, loss: str) -> NDArray[np.float64]:
    """Return about what each row's loss is before a net has learned anything.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, outputs)
        As the core takes them.
    outputs : int
    loss : str
        The core's name.

    Returns
    -------
    ndarray of shape (n,)
        Of classes that of outputs 0: log(outputs), or log(2) for each yes or no. Of values,
        which may be much smaller than a new net's outputs, that of errors by 1 plus the
        targets.
    """
    if LOSSES[loss].function == "softmax":
        return np.full(len(targets), math.log(outputs))
    if LOSSES[loss].function == "sigmoid":
        return np.full(len(targets), outputs * math.log(2))
    errors = 1 + np.abs(targets.astype(np.float64))
    if loss == "poisson":
        return np.asarray((1 + targets * np.log(errors)).sum(axis=1))
    return np.asarray((errors**2 if loss == "squared_error" else errors).sum(axis=1))


def constant_losses(
    labels: NDArray[Any], classes: int, smoothing: float, weights: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Return each row's cross-entropy when all rows get the same probabilities, the best.

    Parameters
    ----------
    labels : ndarray of shape (n,), integers in [0, classes)
    classes : int
    smoothing : float
        Share of each label that is spread evenly.
    weights : ndarray of shape (n,), optional
        What multiplies the rows' losses.
    """
    by_class = np.bincount(labels, weights, classes)
    even = smoothing / classes
    logs = np.log(np.maximum((1 - smoothing) * by_class / by_class.sum() + even, 1e-300))
    return np.asarray(-(1 - smoothing) * logs[labels] - even * logs.sum())


def is_chance(accuracy: float, labels: NDArray[Any]) -> bool:
    """Tell whether an accuracy is about that of naming the most frequent class."""
    share = float(np.bincount(labels).max() / len(labels))
    return share < 1 and accuracy <= share + CHANCE * min(share, 1 - share)


def warn_of_failure(run: "Run", *, stacklevel: int = 2) -> None:
    """Warn when the net has the weights of an epoch in which it had learned nothing.

    Parameters
    ----------
    run : Run
        That has ended.
    stacklevel : int
        As `warnings.warn` takes it.
    """
    if not run.history.call_rows:
        return
    best = run.history.best_epoch()
    epoch = len(run.history) - 1 if best is None or run.keeps_last else best
    loss = run.history.rows[epoch].loss - run.penalty_of(epoch)
    before = run.mean_loss(
        untrained_losses(run.data.y, run.model.output_shape[0], run.model.loss)
    )
    if loss > DIVERGED_FACTOR * before:
        fault = (
            f"training has diverged: loss {loss:.4g} in epoch {epoch + 1}, where a net that "
            f"has learned nothing has about {before:.2g}; use a lower learning rate, or "
            "scale the inputs"
        )
    elif (epoch + 1 - run.history.call_begin) * run.steps < LEAST_STEPS:
        return
    elif (found := _no_better_than_a_constant(run, epoch, loss)) is not None:
        fault = (
            f"training has learned nothing: {found} in epoch {epoch + 1}, no better than "
            "the same answer for every row; try another learning rate, or scale the inputs"
        )
    else:
        return
    warnings.warn(fault, stacklevel=stacklevel + 1)


def _no_better_than_a_constant(run: "Run", epoch: int, loss: float) -> str | None:
    """Return the scores that are no better, on the rows that were trained on, or None."""
    row, weights = run.history.rows[epoch], run.row_weights
    if not run.tells_classes:
        return None if weights is not None else _values_no_better(run, row.metrics)
    labels = run.labels()
    if labels is None or row.accuracy is None or not is_chance(row.accuracy, labels):
        return None
    classes = max(2, run.model.output_shape[0])
    best = constant_losses(labels, classes, run.recipe.label_smoothing, weights)
    if loss < run.mean_loss(best):
        return None
    return f"loss {loss:.4g} and accuracy {row.accuracy:.1%}"


def _values_no_better(run: "Run", metrics: Mapping[str, float]) -> str | None:
    """Compare R^2 with 0; under losses of absolute errors, the errors with the medians'."""
    if run.model.loss in ("squared_error", "poisson"):
        r2 = metrics.get("r2", np.nan)
        return f"r2 {r2:.3g}" if r2 <= 0 else None
    targets = run.data.y
    spread = float(np.abs(targets - np.median(targets, axis=0)).mean(dtype=np.float64))
    mae = metrics.get("mae", np.nan)
    return f"mae {mae:.4g}" if mae >= spread > 0 else None
