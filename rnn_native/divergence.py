"""Whether training that ended with finite numbers has failed all the same."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.losses import LOSSES

DIVERGED_FACTOR = 4
"""How many times an untrained net's loss tells of divergence; initial weights, class weights
and unlucky batches make less of it."""
LEAST_STEPS = 100
"""Updates before a net is expected to be better than a constant."""
CHANCE_FACTOR = 1.1
"""How many times the share of the most frequent class is still chance."""


def untrained_loss(
    targets: NDArray[Any], outputs: int, loss: str, weights: NDArray[Any] | None = None
) -> float:
    """Return about what a net's loss is before it has learned anything.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, outputs)
        As the core takes them.
    outputs : int
    loss : str
        The core's name.
    weights : ndarray of shape (n,), optional
        What multiplies the rows' losses.

    Returns
    -------
    float
        Mean over the rows. Of classes that of outputs 0: log(outputs), or log(2) for each
        yes or no. Of values, which may be much smaller than a new net's outputs, that of
        errors by 1 plus the targets.
    """
    if LOSSES[loss].function == "softmax":
        by_row = np.full(len(targets), math.log(outputs))
    elif LOSSES[loss].function == "sigmoid":
        by_row = np.full(len(targets), outputs * math.log(2))
    else:
        errors = 1 + np.abs(targets.astype(np.float64))
        by_row = (errors**2 if loss == "squared_error" else errors).sum(axis=1)
        if loss == "poisson":
            by_row = (1 + targets * np.log(errors)).sum(axis=1)
    return _mean(by_row, weights)


def is_chance(
    labels: NDArray[Any],
    mean_loss: float,
    accuracy: float,
    weights: NDArray[Any] | None = None,
) -> bool:
    """Tell whether a net is no better than one that gives every row the same probabilities.

    Parameters
    ----------
    labels : ndarray of shape (n,), integers
        Of the rows that the loss and the accuracy are means over.
    mean_loss : float
        Its cross-entropy in nats.
    accuracy : float
    weights : ndarray of shape (n,), optional
        What multiplied the rows' losses.
    """
    shares = np.bincount(labels) / len(labels)
    if len(labels) == 0 or accuracy > CHANCE_FACTOR * shares.max() or shares.max() == 1:
        return False
    by_class = np.bincount(labels, weights=weights)
    best = by_class / by_class.sum()  # the constant probabilities of least loss
    return mean_loss >= _mean(-np.log(np.maximum(best, 1e-300))[labels], weights)


def _mean(by_row: NDArray[Any], weights: NDArray[Any] | None) -> float:
    """Return the mean of rows' losses as training has it: weights do not divide it."""
    return float(by_row.mean() if weights is None else by_row @ weights / len(by_row))
