"""Losses for `Network.fit`: functions of outputs and targets.

They return a loss for each row, and its gradient with respect to the outputs. What predictions
are, the net's own loss says, which stays in files and exports.

A net that predicts what nine of ten values stay below:

>>> import numpy as np
>>> import rnn_native as rn
>>> rng = np.random.default_rng(0)
>>> x = np.zeros((1000, 1))
>>> y = rng.exponential(size=1000)
>>> net = rn.Network([rn.Dense(1)], (1,), "mae", optimizer="adam")
>>> history = net.fit(x, y, loss=rn.losses.Quantile(0.9), lr=0.02, epochs=60, verbose=0)
>>> bool(abs((y < net.predict(x)).mean() - 0.9) < 0.01)
True
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_not_negative, check_number
from rnn_native.base.text import brief

__all__ = ["Focal", "Quantile"]

Losses = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Focal:
    """Cross-entropy that counts rows less the better they are predicted already.

    -(1 - p)^gamma log p, p being the probability of the right class: of nets whose loss is
    softmax_cross_entropy that of the class, under sigmoid_cross_entropy that of each yes or no.
    Weigh classes by `class_weight`.

    Parameters
    ----------
    gamma : float of at least 0
        0 is the cross-entropy.

    References
    ----------
    Lin et al. 2017, arXiv:1708.02002.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> losses, _ = rn.losses.Focal(2.0)(np.zeros((1, 1)), np.ones((1, 1)))
    >>> bool(np.isclose(losses[0], np.log(2) / 4))
    True
    """

    gamma: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", check_not_negative("gamma", self.gamma))

    def __call__(self, outputs: NDArray[np.float32], targets: NDArray[Any]) -> Losses:
        """Return the loss of each row, and its gradient with respect to the outputs."""
        z = outputs.astype(np.float64)
        if targets.ndim == 1:
            return self._of_classes(z, targets)
        if not ((targets >= 0) & (targets <= 1)).all():
            raise ValueError(
                "loss: Focal expects labels, or targets in 0..1, got values; use a net whose "
                "loss is a cross-entropy"
            )
        return self._of_each(z, targets.astype(np.float64))

    def _of_classes(self, z: NDArray[np.float64], labels: NDArray[Any]) -> Losses:
        rows = np.arange(len(z))
        shifted = z - z.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        right = log_p[rows, labels]
        p = np.exp(log_p)
        rest = 1 - p[rows, labels]
        slope = p[rows, labels] * right * self._slope(rest) - rest**self.gamma
        gradient = -slope[:, None] * p
        gradient[rows, labels] += slope
        return -(rest**self.gamma) * right, gradient

    def _of_each(self, z: NDArray[np.float64], targets: NDArray[np.float64]) -> Losses:
        entropy = np.logaddexp(0, z) - targets * z
        p = np.exp(-np.logaddexp(0, -z))
        rest = p + targets - 2 * p * targets
        moved = entropy * self._slope(rest) * (1 - 2 * targets) * p * (1 - p)
        gradient = (p - targets) * rest**self.gamma + moved
        return (rest**self.gamma * entropy).sum(axis=1), gradient

    def _slope(self, rest: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return that of rest^gamma, 0 where nothing is left."""
        found = np.zeros_like(rest)
        np.power(rest, self.gamma - 1, out=found, where=rest > 0)
        return self.gamma * found


@dataclass(frozen=True, slots=True)
class Quantile:
    """The pinball loss: outputs become quantiles of the targets, for given inputs.

    With e = target - output it is q e where e > 0, (q - 1) e elsewhere, summed over outputs.

    Parameters
    ----------
    q : float in (0, 1), or sequence of float
        One for all outputs, or one for each: the targets have as many columns.

    Notes
    -----
    For a net whose outputs are values, such as one with the loss "absolute_error", which is
    twice the pinball loss of q = 1/2.

    References
    ----------
    Koenker and Bassett 1978.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> losses, gradient = rn.losses.Quantile(0.9)(np.zeros((2, 1)), np.array([[2], [-2]]))
    >>> losses, gradient
    (array([1.8, 0.2]), array([[-0.9],
           [ 0.1]]))
    """

    q: float | Sequence[float]

    def __post_init__(self) -> None:
        is_array = isinstance(self.q, np.ndarray) and self.q.ndim > 0
        single = not (is_array or isinstance(self.q, (list, tuple)))
        given: Any = [self.q] if single else self.q
        levels = [check_number("q", level) for level in given]
        if not levels:
            raise ValueError("q: expected at least one number in (0, 1), got none")
        if bad := [level for level in levels if not 0 < level < 1]:
            raise ValueError(f"q: expected numbers in (0, 1), got {bad[0]:g}")
        object.__setattr__(self, "q", levels[0] if single else tuple(levels))

    def __call__(self, outputs: NDArray[np.float32], targets: NDArray[Any]) -> Losses:
        """Return the loss of each row, and its gradient with respect to the outputs."""
        levels = np.atleast_1d(np.asarray(self.q, np.float64))
        if outputs.shape != targets.shape or len(levels) not in (1, outputs.shape[1]):
            raise ValueError(
                f"q: expected a level for all outputs or one for each of {outputs.shape[1]}, "
                f"and targets that are values, got {brief(self.q)} and targets of shape "
                f"{targets.shape}"
            )
        error = targets.astype(np.float64) - outputs
        losses = np.maximum(levels * error, (levels - 1) * error).sum(axis=1)
        return losses, np.where(error > 0, -levels, np.where(error < 0, 1 - levels, 0.0))
