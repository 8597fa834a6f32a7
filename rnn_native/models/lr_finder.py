"""A search for the learning rate: train with rates that rise, then try some for longer.

The rising rates show where the loss begins to fall and where it blows up. How well a rate
trains they do not show: each has one batch. So rates from there on are tried from the same
weights, one after the other, each for some hundred batches. Each trial is a short training: it
goes through the schedule that one will train with, because a rate that warms up and falls again
may be many times as high as one that stays.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_count, check_flag, check_range
from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.xorshift import Xorshift
from rnn_native.net.predictor import check_net
from rnn_native.training.augmentation import Augment
from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe, as_schedule
from rnn_native.training.run import Run
from rnn_native.training.schedules import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rnn_native.net.predictor import Predictor
    from rnn_native.training.class_weights import ClassWeights

SMOOTHING = 0.98
"""Share of the losses before in each smoothed one."""

DIVERGED = 4.0
"""Smoothed losses beyond this many times the least one end the search."""

STEP = 2.0
"""Each rate that is tried is this many times the one before."""

WORSE = 2
"""This many rates in a row that are worse than the best one end the trials."""

NEARLY = 0.03
"""A loss at most this fraction above the least one is as good: the lower rate is safer."""

LOWEST = 1e-3
"""Where the loss never fell, trials begin with this share of the last rate."""


@dataclass(frozen=True, slots=True, eq=False)
class RateSearch:
    """What `lr_find` found.

    Attributes
    ----------
    rates, losses : ndarray of shape (n,), float64
        The rate of each batch and the smoothed loss after it.
    suggestion : float or None
        The lowest rate whose trial had a loss within 3 % of the least one; without trials a
        rate within the longest valley. None when the loss never fell.
    trials : dict of float to float
        Mean loss over the last third of each trial, by its greatest rate; infinite when it
        diverged.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(200, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> found = rn.lr_find(net, x, y, num_it=20, trial_it=0)
    >>> found.rates.shape == found.losses.shape, found.trials
    (True, {})
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float | None
    trials: dict[float, float] = field(default_factory=dict)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw curve, trials and suggestion; see `rnn_native.plots.lr_curve`."""
        import rnn_native.plots as plots

        return plots.lr_curve(self.rates, self.losses, self.suggestion, ax, self.trials)

    def __repr__(self) -> str:
        found = "no suggestion"
        if self.suggestion is not None:
            found = f"suggestion {self.suggestion:.3g}"
        tried = (
            f"{self.rates[0]:.3g} to {self.rates[-1]:.3g}" if len(self.rates) else "none"
        )
        return f"<RateSearch of {len(self.rates)} rates, {tried}: {found}>"


def lr_find(
    model: Predictor,
    x: ArrayLike,
    y: ArrayLike,
    *,
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,
    trial_it: int = 300,
    schedule: Schedule | Mapping[str, Any] | None = None,
    epochs: int | None = None,
    stop_div: bool = True,
    batch_size: int = 64,
    accumulate: int = 1,
    class_weight: ClassWeights | None = None,
    label_smoothing: float = 0.0,
    clip_norm: float = 0.0,
    l2: float = 0.0,
    augment: Augment | Mapping[str, Any] | None = None,
    mixup: float = 0.0,
    seed: int = 1,
    threads: int | None = None,
) -> RateSearch:
    """Train with rising learning rates, try some, and suggest one; the model is unchanged.

    Parameters
    ----------
    model : Predictor
        Afterwards its weights, its optimizer's moments and where its training stands are
        what they were, bit for bit.
    x, y : array_like
        As for `Network.fit`: rows to train on.
    start_lr, end_lr : float above 0
        Batch k of `num_it` has the rate start_lr * (end_lr / start_lr) ** (k / num_it).
    num_it : int of at least 1
        Batches, over as many epochs as necessary.
    trial_it : int of at least 0
        Batches of each trial; 0 tries none, and suggests by the rising rates alone.
    schedule : Schedule, its `as_dict`, or None
        What you will train with; of any rate. Each trial goes through all of it, scaled so
        that its greatest rate is the one that is tried. None: the rate stays the same, as
        one that waits for a plateau does.
    epochs : int of at least 1, optional
        How many epochs you will train; a schedule needs it. Trials are no longer than that.
    stop_div : bool
        Stop as soon as the smoothed loss is four times its least value so far. A loss that
        is not finite always ends the search, and is not among the results.
    batch_size, accumulate, class_weight, label_smoothing, clip_norm, l2
        As for `Network.fit`; use what you will train with.
    augment, mixup, seed, threads
        As for `Network.fit`; use what you will train with.

    Returns
    -------
    RateSearch
        The suggestion, with the losses that it comes from.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or does not fit.

    Notes
    -----
    The rising rates are Smith's (2017, section 3.3), with the smoothing and the rule for a
    valley of fastai 2.8: losses are averaged with weights that fall by 0.98 a batch. Without
    the first tenth and the last five, the longest valley is sought, the longest sequence (not
    necessarily of neighbors) in which each loss is less than the one before; if it ends at
    e and has n, the valley's rate is that at e - n + n // 3 + n // 6.

    Trials begin there and go up by factors of 2, up to `end_lr`, until two in a row are worse
    than the best one. All begin with the same weights and train on the same batches. For training
    of few epochs the valley's rate is too low (benchmarks/learning_rates.py compares them).
    A schedule is looked at in as many places as a trial has batches: a one-cycle of ten
    epochs becomes one of 300 batches. Without it, a rate would have to suit the first batches
    as well, and would be too low for a schedule that warms up.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(2000, seed=1)
    >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], input_shape=(784,))
    >>> 0.001 < rn.lr_find(net, x, y).suggestion < 1
    True
    """
    check_net("model", model)
    check_flag("stop_div", stop_div)
    rates = _rising(start_lr, end_lr, check_count("num_it", num_it, 1))
    rows = model.as_rows(x, learns=True)
    recipe = Recipe(
        batch_size=batch_size,
        accumulate=accumulate,
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
    shares = _shares(
        as_schedule(schedule),
        None if epochs is None else check_count("epochs", epochs, 1),
        -(-len(rows) // (recipe.batch_size * recipe.accumulate)),
        check_count("trial_it", trial_it, 0),
    )

    def new_run() -> Run:
        return Run(model, data, recipe, Xorshift(seed), threads=threads)

    with model.being_trained("lr_find"):
        with _put_back(model):
            losses = _losses(new_run(), rates, stop_div)
        rates = rates[: len(losses)]
        suggestion = _valley(rates, losses, num_it)
        trials: dict[float, float] = {}
        if len(shares):
            first = suggestion or LOWEST * float(rates[-1])
            for rate in _upward(first, end_lr, trials):
                with _put_back(model):
                    trials[rate] = _trial(new_run(), rate * shares)
            suggestion = _lowest_of_the_best(trials, float(losses[0]))
    return RateSearch(rates, losses, suggestion, trials)


@contextmanager
def _put_back(model: Predictor) -> Iterator[None]:
    """Restore the weights, moments and training state of a model at the end."""
    weights, moments = model.weights.copy(), model.moments.copy()
    state = model.training_state
    model.training_state = state.copy()
    try:
        yield
    finally:
        model.weights[:] = weights
        model.moments[:] = moments
        model.training_state = state


def _rising(start: float, end: float, count: int) -> NDArray[np.float64]:
    """Return `count` rates in equal ratios, the first being `start`; checked."""
    low = check_range("start_lr", start, 1e-30, 1e6)
    high = check_range("end_lr", end, 1e-30, 1e6)
    if low >= high:
        raise ValueError(f"end_lr: expected a rate above start_lr, {low:g}, got {high:g}")
    return np.array([low * math.pow(high / low, k / count) for k in range(count)])


def _losses(run: Run, rates: NDArray[np.float64], stop_div: bool) -> NDArray[np.float64]:
    """Train a batch with each rate until the loss grows too large; return smoothed losses."""
    average, least = 0.0, math.inf
    smoothed: list[float] = []
    for loss in _batch_losses(run, rates):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        # The average begins at 0; this removes the rest of that bias.
        smoothed.append(average / (1 - math.pow(SMOOTHING, len(smoothed) + 1)))
        least = min(least, smoothed[-1])
        if stop_div and smoothed[-1] > DIVERGED * least:
            break
    return np.array(smoothed)


def _batch_losses(run: Run, rates: NDArray[np.float64]) -> Iterator[float]:
    """Train a batch with each rate and yield its mean loss; end when it is not finite."""
    size = run.batch_size
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
            return
        yield loss / len(rows)


# ---- trials ----


def _shares(
    schedule: Schedule | None, epochs: int | None, steps: int, length: int
) -> NDArray[np.float64]:
    """Return the rate of each batch of a trial, as a share of the trial's greatest rate.

    A trial goes through the whole schedule, in at most `length` of its batches.
    """
    if epochs is not None:
        length = min(length, epochs * steps)
    if schedule is None:
        return np.ones(length)
    if epochs is None:
        raise ValueError("epochs: expected the number that the schedule is for, got None")
    falling = [-1e9 * epoch for epoch in range(epochs)]  # losses without a plateau
    of_epoch: dict[int, NDArray[np.float64]] = {}
    rates = np.empty(length)
    for batch in range(length):
        epoch, step = divmod((2 * batch + 1) * epochs * steps // (2 * length), steps)
        if epoch not in of_epoch:
            found = schedule.rates(epoch, steps, falling)
            of_epoch = {epoch: np.broadcast_to(found, steps)}
        rates[batch] = of_epoch[epoch][step]
    shares: NDArray[np.float64] = rates / rates.max(initial=0.0)
    return shares


def _upward(first: float, last: float, trials: Mapping[float, float]) -> Iterator[float]:
    """Yield rates from `first` up, as long as `trials`, which gets their losses, get better."""
    rate, worse, least = first, 0, math.inf
    while rate <= max(first, last) and worse < WORSE:
        yield rate
        worse = 0 if trials[rate] < least else worse + 1
        least = min(least, trials[rate])
        rate *= STEP


def _trial(run: Run, rates: NDArray[np.float64]) -> float:
    """Train a batch with each rate; return the mean loss of the last third, or infinity."""
    length = len(rates)
    try:
        losses = list(_batch_losses(run, rates))
    except TrainingDiverged:
        return math.inf
    if len(losses) < length:
        return math.inf
    return math.fsum(losses[2 * length // 3 :]) / (length - 2 * length // 3)


def _lowest_of_the_best(trials: Mapping[float, float], start: float) -> float | None:
    """Return the lowest rate whose loss is nearly the least; None if that is above `start`."""
    least = min(trials.values())
    if not least < start:
        return None
    return min(rate for rate, loss in trials.items() if loss <= least + NEARLY * abs(least))


# ---- the valley ----


def _valley(
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
