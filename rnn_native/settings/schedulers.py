"""Schedules as a training configuration names them, a row a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnn_native.base.rules import Number, Rule, integer
from rnn_native.training.schedules import (
    Constant,
    CosineAnnealing,
    Exponential,
    OneCycle,
    Plateau,
    Schedule,
    StepDecay,
)

RATE = Number(1e-30, 1e6, below=True)
_AT_LEAST_1 = Number(1)
_FRACTION = Number(0, 1, above=True, below=True)


@dataclass(frozen=True)
class Scheduler:
    """A kind of schedule.

    Attributes
    ----------
    make : callable
        Returns the schedule for a configuration, a learning rate and a number of epochs.
    keys : mapping
        Keys that no other kind has, with their rules. The reference's own are not among
        them, because the reference accepts them with any kind.
    above_0 : str
        A key of the reference's that must not be 0 for this kind; it may be 0 beside others.
    """

    make: Callable[[Any, float, int], Schedule]
    keys: Mapping[str, Rule] = field(default_factory=dict)
    above_0: str = ""


SCHEDULERS = {
    "constant": Scheduler(lambda config, lr, epochs: Constant(lr)),
    "step_decay": Scheduler(
        lambda config, lr, epochs: StepDecay(lr, config.step_size, config.gamma),
        above_0="step_size",
    ),
    "exponential": Scheduler(lambda config, lr, epochs: Exponential(lr, config.decay_rate)),
    "cosine_annealing": Scheduler(
        lambda config, lr, epochs: CosineAnnealing(
            lr, config.T_max or epochs, config.min_lr
        ),
        above_0="T_max",
    ),
    "one_cycle": Scheduler(
        lambda config, lr, epochs: OneCycle(
            config.lr_max or lr, epochs, config.div, config.div_final, config.pct_start
        ),
        {
            "lr_max": RATE,
            "div": _AT_LEAST_1,
            "div_final": _AT_LEAST_1,
            "pct_start": _FRACTION,
        },
    ),
    "plateau": Scheduler(
        lambda config, lr, epochs: Plateau(
            lr,
            config.plateau_factor,
            config.plateau_patience,
            config.plateau_min_delta,
            config.plateau_cooldown,
            config.min_lr,
        ),
        {
            "plateau_factor": _FRACTION,
            "plateau_patience": integer(1),
            "plateau_min_delta": Number(0),
            "plateau_cooldown": integer(0),
        },
    ),
}
"""All kinds by the names that "scheduler_type" accepts."""
