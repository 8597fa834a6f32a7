"""Which value of an epoch measures how good it was, and which way is better."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rnn_native.base.checks import check_not_negative
from rnn_native.base.rules import did_you_mean
from rnn_native.base.text import brief
from rnn_native.net.scores import is_greater_better
from rnn_native.training.callback import TrainingRun, as_number, may_log
from rnn_native.training.history import COLUMNS


@dataclass(frozen=True, slots=True)
class Monitor:
    """A column of the history and a direction.

    Parameters
    ----------
    name : str
        "val_loss", "val_accuracy", "loss", "accuracy", "val_mae", ..., a metric of
        `fit(metrics=...)`, or what an earlier callback puts into the logs.
    mode : {"auto", "min", "max"}
        "auto" is "max" for names that end in accuracy, auc, r2, f1, precision, recall or
        score, else "min".
    min_delta : float
        A value is better when it is so by more than this; at least 0.

    Raises
    ------
    ValueError
        If one of them is something else.
    """

    name: str = "val_loss"
    mode: str = "auto"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(
                f"monitor: expected one of {', '.join(COLUMNS)}, got {brief(self.name)}"
            )
        if self.mode not in ("auto", "min", "max"):
            raise ValueError(
                f"mode: expected 'auto', 'min' or 'max', got {brief(self.mode)}"
            )
        check_not_negative("min_delta", self.min_delta)

    @property
    def is_greatest(self) -> bool:
        """Whether greater values are better."""
        return self.mode == "max" or (self.mode == "auto" and is_greater_better(self.name))

    @property
    def worst(self) -> float:
        """Infinity of the sign that every number is better than."""
        return -math.inf if self.is_greatest else math.inf

    def is_better(self, value: float, best: float) -> bool:
        """Return whether `value` improves on `best` by more than `min_delta`; NaN never does."""
        if self.is_greatest:
            return value > best + self.min_delta
        return value < best - self.min_delta

    def require(self, run: TrainingRun, name: str) -> None:
        """Raise ValueError when the run's epochs will not have the value."""
        if self.name in run.columns:
            return
        possible = run.columns_with(validation=True)
        if self.name in possible:
            raise ValueError(f"{name} needs validation data; {run.validation_hint}")
        if run.has_foreign_logs:
            return
        text = self._unknown(
            name, possible if self.name.startswith("val_") else run.columns
        )
        if any(map(may_log, run.callbacks)):
            text += "; if a callback puts it into the logs, that one must come first"
        raise ValueError(text)

    def of(self, logs: Mapping[str, object], name: str) -> float:
        """Return the value among an epoch's logs, or raise ValueError when it is not there."""
        if self.name not in logs:
            raise ValueError(self._unknown(name, logs))
        value = as_number(self.name, logs[self.name])
        if value is None:
            kind = type(logs[self.name]).__name__
            raise ValueError(
                f"{name}: monitor: expected a number as {self.name!r} in the logs, got {kind}"
            )
        return value

    def _unknown(self, name: str, columns: Iterable[str]) -> str:
        return (
            f"{name}: monitor: expected one of {', '.join(columns)}, got {brief(self.name)}"
            f"{did_you_mean(self.name, columns)}"
        )
