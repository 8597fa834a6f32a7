"""The numbers that define a run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from rnn_native.base.checks import check_count, check_flag, check_range, check_seed
from rnn_native.base.text import brief
from rnn_native.net.optimizers import as_settings
from rnn_native.training import schedules
from rnn_native.training.augmentation import Augment, as_augment
from rnn_native.training.class_weights import (
    ClassWeights,
    plain_class_weight,
)
from rnn_native.training.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers that define a run; a resumed run must have the same, epochs aside.

    Parameters
    ----------
    epochs, batch_size : int of at least 1
        A batch larger than the data is all of it; the last one may be smaller.
    accumulate : int of at least 1
        Batches of an update: it follows the mean gradient over all their rows, the last one
        of an epoch that over the rows that are left. Steps, rates, hooks of batches and
        `steps_per_epoch` count updates. Memory is that of one batch.
    lr : float
        Learning rate, above 0; a schedule brings its own.
    seed : int in [0, 2**64)
        Of the initial weights and, after them, the shuffles.
    validation_split : float in [0, 1)
        Fraction of the rows that is held out.
    stratify : bool
        Whether the held-out rows keep the proportions of the classes.
    patience : int of at least 1, or None
        Epochs without improvement before early stopping; None never stops early.
    min_delta : float
        How much lower a validation loss must be to count as an improvement.
    optimizer : dict
        `type` (sgd, adam, adamw, rmsprop) and its settings; see `Network`. Training functions
        accept the type alone.
    clip_norm : float
        Greatest norm of the gradient of a batch, all parameters together and that of `l2`
        included, as in Keras; 0: no clipping. An optimizer's weight_decay is added later.
    label_smoothing : float in [0, 1)
        Share of a label that is spread evenly over the classes.
    class_weight : "balanced", dict of int to float, sequence of float, or None
        Weight of each class' rows in the loss; "balanced" is n / (classes * n_c). Classes
        that a dict does not name have the weight 1. One sigmoid output has two classes.
    schedule : Schedule, its `as_dict`, or None
        Learning rate by epoch or step; see `rnn_native.schedules`.
    l2 : float
        Adds l2 / 2 times the sum of squares of all weights (biases and other vectors
        aside) to the summed loss of each batch, as scikit-learn's `alpha` does.
    augment : Augment, its `as_dict`, or None
        Distorts the images that are trained on.
    mixup : float in [0, 4]
        Each row is mixed with another one of its batch, in shares that are drawn
        from Beta(mixup, mixup) for each batch (Zhang et al. 2018, arXiv:1710.09412);
        0: not mixed.
    ema_decay : float in [0, 1)
        Above 0, the net that is validated, saved and returned is an exponential moving average of
        the parameters, followed from step to step with this decay, or (1 + t) / (10 + t) in
        early steps t. Running statistics of batchnorm are those of the last step.
    swa_start : int of at least 0, or None
        Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407): from the epoch with
        this number on, counted from 0, what is validated, saved and returned is the mean of the
        parameters after each epoch. Batchnorm's statistics are then those of the rows that
        are trained on under the mean, as PyTorch's ``update_bn`` finds them.
    shuffle : bool
        False: the rows in their order in every epoch.
    steps_per_epoch : int of at least 1, or None
        Updates in an epoch; None: as many as go once through all rows. The next epoch begins
        with the rows where this one ended, and all rows are shuffled once each has been
        trained: so the batches are those of whole epochs, cut elsewhere.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.training.Recipe(epochs=5, lr=0.05).batch_size
    64
    """

    epochs: int = 10
    batch_size: int = 64
    accumulate: int = 1
    lr: float = 0.01
    seed: int = 1
    validation_split: float = 0.1
    stratify: bool = False
    patience: int | None = 3
    min_delta: float = 0.001
    optimizer: Mapping[str, Any] = field(default_factory=lambda: {"type": "sgd"})
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    class_weight: ClassWeights | None = None
    schedule: Schedule | Mapping[str, Any] | None = None
    l2: float = 0.0
    augment: Augment | Mapping[str, Any] | None = None
    mixup: float = 0.0
    ema_decay: float = 0.0
    swa_start: int | None = None
    shuffle: bool = True
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        self._normalise("augment", as_augment(self.augment))
        self._normalise("schedule", as_schedule(self.schedule))
        for name in ("epochs", "batch_size", "accumulate", "patience", "steps_per_epoch"):
            if (
                name not in ("patience", "steps_per_epoch")
                or getattr(self, name) is not None
            ):
                self._normalise(name, check_count(name, getattr(self, name), 1))
        for name, low, high in (
            ("lr", 1e-30, 1e6),
            ("validation_split", 0.0, 1.0),
            ("min_delta", 0.0, 1e6),
            ("clip_norm", 0.0, 1e30),
            ("label_smoothing", 0.0, 1.0),
            ("l2", 0.0, 1e6),
            ("mixup", 0.0, math.nextafter(4.0, 5.0)),
            ("ema_decay", 0.0, 1.0),
        ):
            self._normalise(name, check_range(name, getattr(self, name), low, high))
        self._check_swa()
        for name in ("stratify", "shuffle"):
            self._normalise(name, check_flag(name, getattr(self, name)))
        self._normalise("seed", check_seed(self.seed))
        self._normalise("optimizer", as_settings(self.optimizer))
        self._normalise("class_weight", plain_class_weight(self.class_weight))

    def _check_swa(self) -> None:
        if self.swa_start is None:
            return
        self._normalise("swa_start", check_count("swa_start", self.swa_start))
        if self.swa_start >= self.epochs:
            raise ValueError(
                f"swa_start: expected the number of an epoch, below epochs={self.epochs}, got "
                f"{self.swa_start}; epochs count from 0"
            )
        if self.ema_decay:
            raise ValueError(
                "swa_start: expected None with ema_decay, another mean of the same weights; "
                "leave one of them out"
            )

    def _normalise(self, name: str, value: object) -> None:
        """Set a field to plain data: NumPy's numbers are accepted, but are not JSON."""
        object.__setattr__(self, name, value)

    @property
    def needs_validation(self) -> bool:
        """Whether the schedule depends on validation losses."""
        return isinstance(self.schedule, Schedule) and self.schedule.needs_validation

    def differences(self, other: "Recipe") -> list[str]:
        """Name what differs, epochs aside, as "lr=0.1 (was 0.01)"."""
        return [
            f"{f.name}={getattr(self, f.name)!r} (was {getattr(other, f.name)!r})"
            for f in fields(self)
            if f.name != "epochs" and getattr(self, f.name) != getattr(other, f.name)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data, for JSON."""
        weight: Any = self.class_weight
        if isinstance(weight, Mapping):
            weight = {str(label): value for label, value in weight.items()}
        given = self.schedule
        schedule = schedules.as_dict(given) if isinstance(given, Schedule) else None
        augment = self.augment.as_dict() if isinstance(self.augment, Augment) else None
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "augment": augment,
            "optimizer": dict(self.optimizer),
            "class_weight": weight,
            "schedule": schedule,
        }


def as_schedule(given: object) -> Schedule | None:
    """Return a schedule from a user's `schedule`: one, its `as_dict`, or None.

    Raises
    ------
    ValueError, TypeError
        If it is something else, or as `schedules.from_dict`.
    """
    if isinstance(given, Mapping):
        return schedules.from_dict(given)
    if given is not None and not isinstance(given, Schedule):
        raise TypeError(
            f"schedule: expected a Schedule, its as_dict or None, got {brief(given)}"
        )
    return given
