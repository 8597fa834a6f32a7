"""What a training run comes to in a few numbers, and how they are printed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_native.training.history import History

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in numbers; what its log does not have is NaN.

    Attributes
    ----------
    epochs : int
    total_time, average_time : float
        Seconds, of the run and of an epoch.
    final_loss : float
    best_val_loss, best_val_accuracy : float
        Least loss, greatest accuracy (a fraction).
    """

    epochs: int
    total_time: float
    average_time: float
    final_loss: float
    best_val_loss: float
    best_val_accuracy: float


def series(history: History, name: str) -> Series:
    """Return a column of a history, NaN where it has no value."""
    values = (row.value(name) for row in history.rows)
    return np.array([math.nan if v is None else v for v in values], np.float64)


def cumulative_time(history: History) -> Series:
    """Return the seconds that had passed after each row's epoch.

    A history may have a row for several epochs (XOR: 1000); a row's time is that of one
    epoch, and stands for all since the row before.
    """
    gaps = np.diff([history.first_epoch - 1, *history.epoch])
    return np.cumsum(series(history, "time") * gaps)


def summarise(history: History) -> Summary:
    """Return a run's numbers."""
    total = float(cumulative_time(history)[-1])
    epochs = history.epochs
    return Summary(
        epochs=epochs,
        total_time=total,
        average_time=total / epochs,
        final_loss=history.rows[-1].loss,
        best_val_loss=-_greatest(-series(history, "val_loss")),
        best_val_accuracy=_greatest(series(history, "val_accuracy")),
    )


def facts(summary: Summary) -> list[tuple[str, str]]:
    """Return the lines of a summary that are known, as (name, value)."""
    lines = [
        ("Total Time", summary.total_time, 2, "s"),
        ("Avg Time/Epoch", summary.average_time, 2, "s"),
        ("Final Loss", summary.final_loss, 6, ""),
        ("Best Val Loss", summary.best_val_loss, 6, ""),
        ("Best Val Acc", 100 * summary.best_val_accuracy, 2, "%"),
    ]
    # A final loss of NaN is a result; the others are NaN when the log does not have them.
    known = [
        (name, fixed(value, decimals) + unit)
        for name, value, decimals, unit in lines
        if name == "Final Loss" or not math.isnan(value)
    ]
    return [*known, ("Epochs", f"{summary.epochs}")]


def fixed(value: float, decimals: int) -> str:
    """Return a number with this many decimals; a huge one, which diverged, in short."""
    return f"{value:.{decimals}f}" if abs(value) < 1e12 else f"{value:.4g}"


def console_text(summaries: Mapping[str, Summary]) -> str:
    """Return summaries as the reference system prints them; several ones are named."""
    rule = "=" * 50
    lines = ["", rule, "TRAINING SUMMARY", rule]
    for name, summary in summaries.items():
        if len(summaries) > 1:
            lines.append(name)
        lines += _console_lines(summary)
        lines.append(rule)
    return "\n".join(lines)


def _console_lines(summary: Summary) -> list[str]:
    lines = [
        ("Total Training Time:", summary.total_time, 2, " seconds"),
        ("Average Time/Epoch:", summary.average_time, 2, " seconds"),
        ("Final Loss:", summary.final_loss, 6, ""),
        ("Best Val Loss:", summary.best_val_loss, 6, ""),
        ("Best Val Accuracy:", 100 * summary.best_val_accuracy, 2, "%"),
    ]
    return [
        f"{name:<20} {_told(name, value, decimals, unit)}"
        for name, value, decimals, unit in lines
        if not (name.startswith("Best") and math.isnan(value))
    ]


def _told(name: str, value: float, decimals: int, unit: str) -> str:
    # A loss of NaN is what became of the run; a time of NaN is not in the log.
    unknown = math.isnan(value) and name != "Final Loss:"
    return "unknown" if unknown else fixed(value, decimals) + unit


def _greatest(values: Series) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else math.nan
