"""Whether training has failed although it ended with finite numbers."""

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.net import scores
from rnn_native.net.losses import LOSSES

if TYPE_CHECKING:
    from rnn_native.training.run import Run

DIVERGED_FACTOR = 4
"""How many times an untrained net's loss means divergence; initial weights, class weights
and unlucky batches make less of it."""
LEAST_STEPS = 100
"""Updates before a net is expected to be better than a constant."""
SAMPLE = 2000
"""Rows that a suspect is measured on."""
GOOD_ACCURACY = 0.8
"""Of a net that is merely too sure of some wrong answers."""
TOLD_APART = 0.6
"""Area under the ROC curve of a net that has begun to distinguish classes; 0.5 is chance."""
CHANCE = 0.1
"""How much better than the share of the most frequent class is still chance: this fraction of that
share, or of what is missing to 1."""


def untrained_losses(targets: NDArray[Any], outputs: int, loss: str) -> NDArray[np.float64]:
    """Return about what each row's loss is before a net has learned anything.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, outputs)
        As the core expects them.
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
    if LOSSES[loss].function == "exp":
        return np.asarray((1 + targets * np.log(errors)).sum(axis=1))
    is_squared = LOSSES[loss].best_constant == "mean"
    return np.asarray((errors**2 if is_squared else errors).sum(axis=1))


def constant_losses(
    labels: NDArray[Any], classes: int, weights: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Return each row's cross-entropy when all rows get the same probabilities, the best.

    Parameters
    ----------
    labels : ndarray of shape (n,), integers in [0, classes)
    classes : int
    weights : ndarray of shape (n,), optional
        What multiplies the rows' losses.
    """
    by_class = np.bincount(labels, weights, classes)
    return np.asarray(-np.log(np.maximum(by_class / by_class.sum(), 1e-300))[labels])


def is_chance(
    accuracy: float, labels: NDArray[Any], weights: NDArray[Any] | None = None
) -> bool:
    """Return whether an accuracy is about that of naming the most frequent class."""
    by_class = np.bincount(labels, weights)
    share = float(by_class.max() / by_class.sum())
    return share < 1 and accuracy <= share + CHANCE * min(share, 1 - share)


def warn_of_failure(run: "Run", *, stacklevel: int = 2) -> None:
    """Warn when a run leaves a net that is no better than one that has learned nothing.

    What an epoch reports is a mean over a net that changed, so a suspect is measured again.

    Parameters
    ----------
    run : Run
        That has ended.
    stacklevel : int
        As `warnings.warn` expects it.
    """
    if not run.history.call_rows:
        return
    epoch = run.kept_epoch()
    row, when = run.history.rows[epoch], f"after epoch {run.history.epoch[epoch] + 1}"
    is_old = (epoch + 1 - run.history.call_begin) * run.steps >= LEAST_STEPS
    # Those that the net should distinguish by now.
    labels = run.labels() if is_old and run.tells_classes else None
    fault = None
    if row.loss > DIVERGED_FACTOR * _least_untrained(run) or (
        labels is not None and _may_be_chance(run, row.accuracy, labels)
    ):
        fault = _measured_fault(run, labels, when)
    if fault is None and is_old and not run.tells_classes and run.row_weights is None:
        fault = _fault_of_values(run, row.metrics, when)
    if fault is not None and run.faults is None:
        warnings.warn(fault, stacklevel=stacklevel + 1)
    elif fault is not None and run.faults is not None:
        run.faults.append(fault)


def _least_untrained(run: "Run") -> float:
    """Return the loss of an untrained net, however the history counts weights."""
    by_row = untrained_losses(run.data.y, run.model.output_shape[0], run.model.loss)
    weights = run.row_weights
    mean = float(np.average(by_row, weights=weights)) * run.loss_scale
    return mean if weights is None else mean * min(1.0, float(weights.mean()))


def _may_be_chance(run: "Run", accuracy: float | None, labels: NDArray[Any]) -> bool:
    return run.row_weights is not None or (
        accuracy is not None and is_chance(accuracy, labels)
    )


def _measured_fault(run: "Run", labels: NDArray[Any] | None, when: str) -> str | None:
    """Measure the net on some of the rows that were trained on; return what is wrong."""
    n, outputs = len(run.data.x), run.model.output_shape[0]
    some = np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.intp)
    x, y = run.data.x[some], run.data.y[some]
    weights = None if run.row_weights is None else run.row_weights[some]
    count = len(some) if weights is None else float(weights.sum(dtype=np.float64))
    if count == 0:
        return None
    net, threads = run.model.native, run.threads
    total, hits = net.evaluate(x, y, threads=threads, weights=weights)
    loss, accuracy = total / count, hits / count
    before = float(
        np.average(untrained_losses(y, outputs, run.model.loss), weights=weights)
    )
    is_good = run.tells_classes and accuracy > GOOD_ACCURACY
    if not (is_good or loss <= DIVERGED_FACTOR * before):
        return (
            f"training diverges, or its inputs are far from a scale of 1: loss {loss:.4g} "
            f"{when}, where a net that has learned nothing has about {before:.2g}; use a "
            "lower learning rate, or scale the inputs"
        )
    if labels is None or not is_chance(accuracy, labels[some], weights):
        return None
    if scores.auc(y, net.predict(x, threads=threads), weights) >= TOLD_APART:
        return None
    constant = constant_losses(labels[some], max(2, outputs), weights)
    if loss < float(np.average(constant, weights=weights)):
        return None
    return _no_better(f"loss {loss:.4g} (accuracy {accuracy:.1%})", when)


def _fault_of_values(run: "Run", metrics: Mapping[str, float], when: str) -> str | None:
    """Compare with the best constant: R^2 with the mean, which has 0, else errors' means."""
    if LOSSES[run.model.loss].best_constant == "mean":
        r2 = metrics.get("r2", np.nan)
        return _no_better(f"r2 {r2:.3g}", when) if r2 <= 0 else None
    targets = run.data.y
    spread = float(np.abs(targets - np.median(targets, axis=0)).mean(dtype=np.float64))
    mae = metrics.get("mae", np.nan)
    return _no_better(f"mae {mae:.4g}", when) if mae >= spread > 0 else None


def _no_better(found: str, when: str) -> str:
    return (
        f"training has learned nothing: {found} {when} is no better than the same "
        "answer for every row; try another learning rate, or scale the inputs"
    )
