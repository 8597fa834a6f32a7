"""What a schedule of learning rates is, and the checks that all of them share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_number, plain_number
from rnn_native.base.text import brief

Rates: TypeAlias = float | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Schedule(ABC):
    """Base of all schedules.

    Examples
    --------
    >>> import rnn_native as rn
    >>> class Halving(rn.schedules.Schedule):
    ...     def _rates(self, epoch, steps, history):
    ...         return 0.1 / 2**epoch
    >>> Halving().rates(epoch=2, steps=1)
    0.025
    """

    @property
    def needs_validation(self) -> bool:
        """Whether the rates depend on validation losses."""
        return False

    def rates(self, epoch: int, steps: int, history: Sequence[float | None] = ()) -> Rates:
        """Return the learning rate, or rates, of one epoch.

        Parameters
        ----------
        epoch : int
            Counts from 0.
        steps : int of at least 1
            Batches in the epoch.
        history : sequence of float
            Validation losses of the earlier epochs; later ones are ignored.

        Returns
        -------
        float, or ndarray of shape (steps,), float64
            A float when the rate is the same in the whole epoch.

        Raises
        ------
        ValueError
            If `epoch` or `steps` is out of range, a rate is not a finite number (a factor
            above 1, many times), or validation losses that are needed are missing.
        """
        require(epoch >= 0, "epoch", "a number of at least 0", epoch)
        require(steps >= 1, "steps", "a number of at least 1", steps)
        try:
            rates = self._rates(epoch, steps, history)
        except OverflowError:
            rates = math.inf
        if not np.all(np.isfinite(rates)):
            raise ValueError(f"learning rate of epoch {epoch} is not finite: {self}")
        return rates

    @abstractmethod
    def _rates(self, epoch: int, steps: int, history: Sequence[float | None]) -> Rates:
        """Return what `rates` returns, for arguments that are in range."""


def make_plain(schedule: Schedule) -> None:
    """Make numbers of NumPy plain, which calculate in their own type and are not JSON."""
    for field in fields(schedule):
        value = plain_number(getattr(schedule, field.name))
        if not isinstance(value, Schedule):
            check_number(field.name, value)
        object.__setattr__(schedule, field.name, value)


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """Raise ValueError unless a condition holds; `got` is a value, or says what was given."""
    if not condition:
        text = got if isinstance(got, str) else brief(got)
        raise ValueError(f"{name}: expected {expected}, got {text}")
