"""Learning rates over a run, as pure functions of the epoch and the validation losses.

A schedule has no state. What depends on the past (`Plateau`) is recomputed from the validation
losses, so a resumed run continues as an uninterrupted one, bit for bit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from rnn_native.base.checks import check_mapping, check_positive
from rnn_native.base.text import brief
from rnn_native.training.schedule import Rates as Rates
from rnn_native.training.schedule import Schedule, make_plain, require

__all__ = [
    "Constant",
    "CosineAnnealing",
    "Exponential",
    "OneCycle",
    "Plateau",
    "Schedule",
    "StepDecay",
    "Warmup",
    "as_dict",
    "from_dict",
]


@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    """Always the same rate.

    Parameters
    ----------
    lr : float above 0
        The rate.

    Examples
    --------
    >>> Constant(0.1).rates(epoch=5, steps=1)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        make_plain(self)
        check_positive("lr", self.lr)

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        return self.lr


@dataclass(frozen=True, slots=True)
class StepDecay(Schedule):
    """Rates in steps: lr * gamma ** floor(epoch / step_size).

    Parameters
    ----------
    lr : float above 0
        The first rate.
    step_size : int of at least 1
        Epochs of a step.
    gamma : float of at least 0
        What each step multiplies the rate by.

    Examples
    --------
    >>> [StepDecay(0.1, step_size=2, gamma=0.5).rates(epoch, steps=1) for epoch in range(5)]
    [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    lr: float
    step_size: int = 3
    gamma: float = 0.5

    def __post_init__(self) -> None:
        make_plain(self)
        check_positive("lr", self.lr)
        require(self.step_size > 0, "step_size", "a number above 0", self.step_size)
        require(self.gamma >= 0, "gamma", "a number of at least 0", self.gamma)

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        return self.lr * math.pow(self.gamma, epoch // self.step_size)


@dataclass(frozen=True, slots=True)
class Exponential(Schedule):
    """Rates that fall by a factor: lr * decay_rate ** epoch.

    Parameters
    ----------
    lr : float above 0
        The first rate.
    decay_rate : float of at least 0
        What each epoch multiplies it by.

    Examples
    --------
    >>> [Exponential(0.5, decay_rate=0.5).rates(epoch, steps=1) for epoch in range(3)]
    [0.5, 0.25, 0.125]
    """

    lr: float
    decay_rate: float = 0.95

    def __post_init__(self) -> None:
        make_plain(self)
        check_positive("lr", self.lr)
        require(
            self.decay_rate >= 0, "decay_rate", "a number of at least 0", self.decay_rate
        )

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        return self.lr * math.pow(self.decay_rate, epoch)


@dataclass(frozen=True, slots=True)
class CosineAnnealing(Schedule):
    """Half a cosine wave from `lr` to `min_lr` in epoch `T_max`, and `min_lr` after it.

    Parameters
    ----------
    lr : float above 0
        The first rate.
    T_max : int of at least 1
        Epoch of the least rate.
    min_lr : float of at least 0
        The last rate.

    Notes
    -----
    Loshchilov and Hutter 2017, equation 5, without restarts. The reference system lets the
    rate climb again after `T_max`.

    Examples
    --------
    >>> [round(CosineAnnealing(0.1, T_max=4).rates(epoch, steps=1), 4) for epoch in range(5)]
    [0.1, 0.0854, 0.0501, 0.0147, 0.0001]
    """

    lr: float
    T_max: int
    min_lr: float = 1e-4

    def __post_init__(self) -> None:
        make_plain(self)
        check_positive("lr", self.lr)
        require(self.T_max > 0, "T_max", "a number above 0", self.T_max)
        require(self.min_lr >= 0, "min_lr", "a number of at least 0", self.min_lr)

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        return _cosine(self.lr, self.min_lr, min(epoch, self.T_max) / self.T_max)


@dataclass(frozen=True, slots=True)
class OneCycle(Schedule):
    """Up from `lr_max / div` and down to `lr_max / div_final`, a new rate at each step.

    Parameters
    ----------
    lr_max : float above 0
        The greatest rate.
    epochs : int of at least 1
        Length of the cycle; after it the rate stays at its last value.
    div, div_final : float of at least 1
        What it is divided by at the beginning and at the end.
    pct_start : float in (0, 1)
        Part of the steps that goes up.

    Notes
    -----
    Smith and Topin 2018, in the form of fastai's `fit_one_cycle`: both parts are half
    cosine waves, and step k of n is at k / n, so that the last step is a little above
    `lr_max / div_final`.

    Examples
    --------
    >>> OneCycle(lr_max=0.1, epochs=2).rates(epoch=0, steps=4).round(4)
    array([0.004 , 0.052 , 0.1   , 0.0933])
    """

    lr_max: float
    epochs: int
    div: float = 25.0
    div_final: float = 1e5
    pct_start: float = 0.25

    def __post_init__(self) -> None:
        make_plain(self)
        check_positive("lr_max", self.lr_max)
        require(self.epochs > 0, "epochs", "a number above 0", self.epochs)
        require(self.div >= 1, "div", "a number of at least 1", self.div)
        require(self.div_final >= 1, "div_final", "a number of at least 1", self.div_final)
        require(0 < self.pct_start < 1, "pct_start", "a number in (0, 1)", self.pct_start)

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        total = self.epochs * steps
        positions = (min(epoch * steps + step, total) / total for step in range(steps))
        # math and not NumPy, whose cosine depends on the CPU's vector extensions.
        return np.array([self._rate_at(position) for position in positions])

    def _rate_at(self, position: float) -> float:
        """Return the rate where `position` of the cycle, in [0, 1], is done."""
        if position < self.pct_start:
            return _cosine(self.lr_max / self.div, self.lr_max, position / self.pct_start)
        rest = (position - self.pct_start) / (1 - self.pct_start)
        return _cosine(self.lr_max, self.lr_max / self.div_final, rest)


@dataclass(frozen=True, slots=True)
class Plateau(Schedule):
    """Multiply the rate by `factor` whenever the validation loss has stopped falling.

    Parameters
    ----------
    lr : float above 0
        The first rate.
    factor : float in (0, 1)
        What a lowering multiplies the rate by.
    patience : int of at least 1
        After this many epochs in a row without improvement the rate is lowered.
    min_delta : float of at least 0
        An improvement is a loss below the best one minus `min_delta`. NaN is not one.
    cooldown : int of at least 0
        Epochs after a lowering that are not counted.
    min_lr : float of at least 0
        The rate does not go below it.

    Examples
    --------
    >>> Plateau(0.1, factor=0.5).rates(epoch=3, steps=1, history=[1.0, 1.0, 1.0])
    0.05
    """

    lr: float
    factor: float = 0.1
    patience: int = 2
    min_delta: float = 0.001
    cooldown: int = 0
    min_lr: float = 1e-4

    def __post_init__(self) -> None:
        make_plain(self)
        check_positive("lr", self.lr)
        require(0 < self.factor < 1, "factor", "a number in (0, 1)", self.factor)
        require(self.patience > 0, "patience", "a number above 0", self.patience)
        require(self.min_delta >= 0, "min_delta", "a number of at least 0", self.min_delta)
        require(self.cooldown >= 0, "cooldown", "a number of at least 0", self.cooldown)
        require(self.min_lr >= 0, "min_lr", "a number of at least 0", self.min_lr)

    @property
    def needs_validation(self) -> bool:
        """True, as the schedule needs them."""
        return True

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        losses = [loss for loss in history[:epoch] if loss is not None]
        if len(losses) < epoch:
            raise ValueError(
                f"plateau needs the validation loss of every epoch, got {len(losses)} of "
                f"{epoch}; set validation_split"
            )
        rate, best, waited, cooling = self.lr, math.inf, 0, 0
        for loss in losses:
            waited += 1
            if loss < best - self.min_delta:
                best, waited = loss, 0
            if cooling > 0:
                cooling, waited = cooling - 1, 0
            if waited >= self.patience:
                # A rate that starts below min_lr is not raised to it.
                rate = min(rate, max(rate * self.factor, self.min_lr))
                waited, cooling = 0, self.cooldown
        return rate


@dataclass(frozen=True, slots=True)
class Warmup(Schedule):
    """Another schedule whose first rates grow linearly from near 0 to their full size.

    Parameters
    ----------
    schedule : Schedule
        It runs from the first epoch: its rates are multiplied, not delayed.
    epochs, steps : int
        How long it takes; one of the two is given. In step k (from 0) of n the factor is
        (k + 1) / n.

    Examples
    --------
    >>> Warmup(Constant(0.1), epochs=1).rates(epoch=0, steps=4)
    array([0.025, 0.05 , 0.075, 0.1  ])
    """

    schedule: Schedule
    epochs: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        make_plain(self)
        require(
            min(self.epochs, self.steps) == 0 < max(self.epochs, self.steps),
            "warm-up",
            "epochs or steps above 0, and the other 0",
            f"{self.epochs} epochs and {self.steps} steps",
        )

    @property
    def needs_validation(self) -> bool:
        """Whether the schedule inside needs it."""
        return self.schedule.needs_validation

    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        rates = self.schedule.rates(epoch, steps, history)
        first, length = epoch * steps, self.epochs * steps or self.steps
        if first >= length:
            return rates
        factors = [min(step + 1, length) / length for step in range(first, first + steps)]
        return np.array(factors) * rates


_ALL: list[type[Schedule]] = [
    Constant,
    StepDecay,
    Exponential,
    CosineAnnealing,
    OneCycle,
    Plateau,
    Warmup,
]
SCHEDULES: dict[str, type[Schedule]] = {cls.__name__: cls for cls in _ALL}


def as_dict(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as plain data, for JSON: its class under "type", and its fields.

    Parameters
    ----------
    schedule : Schedule
        Of this module.

    Returns
    -------
    dict
        What `from_dict` reads.

    Examples
    --------
    >>> as_dict(Constant(0.1))
    {'type': 'Constant', 'lr': 0.1}
    """
    values = {f.name: getattr(schedule, f.name) for f in fields(schedule)}
    plain = {k: as_dict(v) if isinstance(v, Schedule) else v for k, v in values.items()}
    return {"type": type(schedule).__name__, **plain}


def from_dict(plain: Mapping[str, Any]) -> Schedule:
    """Return the schedule that `as_dict` gave.

    Parameters
    ----------
    plain : mapping
        What `as_dict` gave.

    Returns
    -------
    Schedule
        Equal to the one that `as_dict` was given.

    Raises
    ------
    ValueError, TypeError
        If it is not a schedule: an unknown type, unknown or missing fields, a value out of range.

    Examples
    --------
    >>> from_dict({"type": "StepDecay", "lr": 0.1})
    StepDecay(lr=0.1, step_size=3, gamma=0.5)
    """
    given = check_mapping("schedule", plain)
    values = {k: from_dict(v) if isinstance(v, Mapping) else v for k, v in given.items()}
    name = values.pop("type", None)
    if not isinstance(name, str) or name not in SCHEDULES:
        raise ValueError(
            f"schedule: expected one of {', '.join(SCHEDULES)}, got {brief(name)}"
        )
    return SCHEDULES[name](**values)


def _cosine(start: float, end: float, position: float) -> float:
    """Return where half a cosine wave from `start` to `end` is at `position` in [0, 1]."""
    return end + (start - end) * (1 + math.cos(math.pi * position)) / 2
