"""A search for the learning rate: train with rates that rise, and see where the loss falls."""

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_count, check_range
from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.xorshift import Xorshift
from rnn_native.training.augmentation import Augment
from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rnn_native.net.predictor import Predictor
    from rnn_native.training.class_weights import ClassWeights

SMOOTHING = 0.98
"""Share of the losses before in each smoothed one."""

DIVERGED = 4.0
"""Smoothed losses beyond so many times the least one end the search."""


@dataclass(frozen=True, slots=True, eq=False)
class RateSearch:
    """What `lr_find` found.

    Attributes
    ----------
    rates, losses : ndarray of shape (n,), float64
        The rate of each batch and the smoothed loss after it.
    suggestion : float or None
        A rate within the longest valley, None when the loss never fell.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float | None

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curve and the suggestion; see `rnn_native.plots.lr_curve`."""
        import rnn_native.plots as plots

        return plots.lr_curve(self.rates, self.losses, self.suggestion, ax)

    def __repr__(self) -> str:
        found = "no suggestion"
        if self.suggestion is not None:
            found = f"suggestion {self.suggestion:.3g}"
        tried = (
            f"{self.rates[0]:.3g} to {self.rates[-1]:.3g}" if len(self.rates) else "none"
        )
        return f"<RateSearch of {len(self.rates)} rates, {tried}: {found}>"


def lr_find(
    model: "Predictor",
    x: ArrayLike,
    y: ArrayLike,
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,
    stop_div: bool = True,
    batch_size: int = 64,
    class_weight: "ClassWeights | None" = None,
    label_smoothing: float = 0.0,
    clip_norm: float = 0.0,
    l2: float = 0.0,
    augment: Augment | Mapping[str, Any] | None = None,
    mixup: float = 0.0,
    seed: int = 1,
    threads: int | None = None,
) -> RateSearch:
    """Train a few batches with a rising learning rate and suggest one; the model is unchanged.

    Parameters
    ----------
    model : Predictor
        Afterwards its weights, its optimiser's moments and where its training stands are
        what they were, bit for bit.
    x, y : array_like
        As for `Network.fit`: rows to train on.
    start_lr, end_lr : float above 0
        Batch k of `num_it` has the rate start_lr * (end_lr / start_lr) ** (k / num_it).
    num_it : int of at least 1
        Batches, over as many epochs as it takes.
    stop_div : bool
        Stop as soon as the smoothed loss is four times its least value so far. A loss that
        is not finite always ends the search, and is not among the results.
    batch_size, class_weight, label_smoothing, clip_norm, l2, augment, mixup, seed, threads
        As for `Network.fit`; use what you will train with.

    Returns
    -------
    RateSearch

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or does not fit.

    Notes
    -----
    Smith 2017, section 3.3, with the smoothing and the rule for the suggestion of fastai
    2.8: losses are averaged with weights that fall by 0.98 a batch. Without the first tenth
    and the last five, the longest valley is sought, the longest sequence (not
    necessarily of neighbours) in which each loss is less than the one before; if it ends at
    e and has n, the suggestion is the rate at e - n + n // 3 + n // 6.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(2000, seed=1)
    >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], input_shape=(784,))
    >>> 0.001 < rn.lr_find(net, x, y).suggestion < 1
    True
    """
    rates = _rising(start_lr, end_lr, check_count("num_it", num_it, 1))
    rows = model.as_rows(x, learns=True)
    recipe = Recipe(
        batch_size=batch_size,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        clip_norm=clip_norm,
        l2=l2,
        augment=augment,
        mixup=mixup,
        seed=seed,
        optimizer=model.optimizer,
    )
    data = Split(rows, model.as_targets(y, len(rows)))
    with model.being_trained("lr_find"):
        weights, moments = model.weights.copy(), model.moments.copy()
        state = model.training_state
        model.training_state = state.copy()
        try:
            run = Run(model, data, recipe, Xorshift(seed), threads=threads)
            losses = _losses(run, rates, stop_div)
        finally:
            model.weights[:] = weights
            model.moments[:] = moments
            model.training_state = state
    rates = rates[: len(losses)]
    return RateSearch(rates, losses, _suggestion(rates, losses, num_it))


def _rising(start: float, end: float, count: int) -> NDArray[np.float64]:
    """Return `count` rates in equal ratios, the first being `start`; checked."""
    low = check_range("start_lr", start, 1e-30, 1e6)
    high = check_range("end_lr", end, 1e-30, 1e6)
    if low >= high:
        raise ValueError(f"end_lr: expected a rate above start_lr, {low:g}, got {high:g}")
    return np.array([low * math.pow(high / low, k / count) for k in range(count)])


def _losses(run: Run, rates: NDArray[np.float64], stop_div: bool) -> NDArray[np.float64]:
    """Train a batch with each rate until the loss grows too large; return smoothed losses."""
    size, average, least = run.recipe.batch_size, 0.0, math.inf
    smoothed: list[float] = []
    for step, rate in enumerate(rates):
        batch = step % run.steps
        if batch == 0:
            run.state.rng.shuffle(run.order)
        rows = run.order[batch * size : (batch + 1) * size]
        try:
            loss, _ = run.train_rows(rows, float(rate), step)
        except TrainingDiverged:
            if step == 0:
                raise  # that was not the rate
            break
        average = SMOOTHING * average + (1 - SMOOTHING) * loss / len(rows)
        # The average begins at 0; this takes out what is left of that.
        smoothed.append(average / (1 - math.pow(SMOOTHING, step + 1)))
        least = min(least, smoothed[-1])
        if stop_div and smoothed[-1] > DIVERGED * least:
            break
    return np.array(smoothed)


def _suggestion(
    rates: NDArray[np.float64], losses: NDArray[np.float64], num_it: int
) -> float | None:
    """Return the rate that the longest valley suggests, None when there is no valley."""
    inner = slice(num_it // 10, -5)
    end, length = _longest_fall(losses[inner].tolist())
    if length < 2:
        return None
    return float(rates[inner][max(end - length + length // 3 + length // 6, 0)])


def _longest_fall(values: list[float]) -> tuple[int, int]:
    """Return end and length of the longest strictly falling subsequence that ends first."""
    # heights[n]: of all falls of n + 1 values so far, the greatest last value, negated.
    heights: list[float] = []
    end = 0
    for index, value in enumerate(values):
        place = bisect.bisect_left(heights, -value)
        if place == len(heights):
            heights.append(-value)
            end = index
        else:
            heights[place] = -value
    return end, len(heights)
