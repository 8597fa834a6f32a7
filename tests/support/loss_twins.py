"""Facts about each loss: its twin in float64, targets, PyTorch's, numbers by hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from activations import sigmoid


class Loss(NamedTuple):
    """A loss.

    rows is a function of outputs, targets and smoothing: the loss of each row, and the
    gradient of their sum that training follows. predictions is one of outputs. targets draws
    some, from a generator, a number of rows and one of outputs. torch is PyTorch's loss of
    each row, a function of `torch.nn.functional`, outputs and targets. by_hand is the sum of
    the losses, and the gradient, at OUTPUTS and TARGETS, where someone has worked it out.
    """

    rows: Callable[..., Any]
    predictions: Callable[..., Any]
    targets: Callable[..., Any]
    torch: Callable[..., Any]
    by_hand: tuple[float, list[list[float]]] | None = None


# Errors of 0, 1/2, -1, 3 and -2 at targets of 1.
OUTPUTS = np.array([[1, 1.5], [0, 4], [-1, 1]], np.float32)
TARGETS = np.ones((3, 2), np.float32)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _softmax_cross_entropy(z, labels, smoothing=0.0):
    classes = z.shape[1]
    targets = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(targets * log_p).sum(axis=1), softmax(z) - targets


def _sigmoid_cross_entropy(z, targets, smoothing=0.0):
    targets = (1 - smoothing) * targets + smoothing / 2
    loss = np.logaddexp(0, z) - targets * z
    return loss.sum(axis=1), sigmoid(z) - targets


def _squared_error(y, targets, smoothing=0.0):
    """The loss is reported whole and differentiated as one half of it."""
    return ((y - targets) ** 2).sum(axis=1), y - targets


def _absolute_error(y, targets, smoothing=0.0):
    return np.abs(y - targets).sum(axis=1), np.sign(y - targets)


def _huber(y, targets, smoothing=0.0):
    """With delta = 1, as `keras.losses.Huber` and `torch.nn.HuberLoss` define it."""
    error = np.abs(y - targets)
    loss = np.where(error <= 1, 0.5 * error**2, error - 0.5)
    return loss.sum(axis=1), np.clip(y - targets, -1, 1)


def _poisson(z, targets, smoothing=0.0):
    """Half the deviance of counts from rates e^z."""
    known = np.where(targets > 0, targets, 1)
    loss = np.exp(z) - targets - targets * z + targets * np.log(known)
    return loss.sum(axis=1), np.exp(z) - targets


def _torch_poisson(F, out, y):
    import torch

    rows = F.poisson_nll_loss(out, y, reduction="none") + torch.xlogy(y, y) - y
    return rows.sum(dim=1)


LOSSES = {
    "softmax_cross_entropy": Loss(
        _softmax_cross_entropy,
        softmax,
        lambda rng, rows, outputs: rng.integers(0, outputs, rows),
        lambda F, out, y: F.cross_entropy(out, y.long(), reduction="none"),
    ),
    "sigmoid_cross_entropy": Loss(
        _sigmoid_cross_entropy,
        sigmoid,
        lambda rng, rows, outputs: rng.choice([0.0, 1.0, 0.3], (rows, outputs)),
        lambda F, out, y: F.binary_cross_entropy_with_logits(out, y, reduction="none").sum(
            1
        ),
    ),
    "squared_error": Loss(
        _squared_error,
        np.asarray,
        lambda rng, rows, outputs: rng.uniform(-1, 1, (rows, outputs)),
        lambda F, out, y: ((out - y) ** 2).sum(dim=1),
        # The sum of squares, and half of its gradient.
        (0 + 0.25 + 1 + 9 + 4 + 0, [[0, 0.5], [-1, 3], [-2, 0]]),
    ),
    "absolute_error": Loss(
        _absolute_error,
        np.asarray,
        lambda rng, rows, outputs: rng.uniform(-3, 3, (rows, outputs)),
        lambda F, out, y: F.l1_loss(out, y, reduction="none").sum(dim=1),
        # |e| and its sign: 0 at 0, as torch.nn.L1Loss has it.
        (0 + 0.5 + 1 + 3 + 2 + 0, [[0, 1], [-1, 1], [-1, 0]]),
    ),
    "huber": Loss(
        _huber,
        np.asarray,
        lambda rng, rows, outputs: rng.uniform(-3, 3, (rows, outputs)),
        lambda F, out, y: F.huber_loss(out, y, reduction="none").sum(dim=1),
        # e^2 / 2 up to 1, then |e| - 1/2.
        (0 + 0.125 + 0.5 + 2.5 + 1.5 + 0, [[0, 0.5], [-1, 1], [-1, 0]]),
    ),
    "poisson": Loss(
        _poisson,
        np.exp,
        lambda rng, rows, outputs: rng.poisson(2.0, (rows, outputs)).astype(np.float64),
        _torch_poisson,
    ),
}
