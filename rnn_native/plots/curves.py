"""Curves over epochs: what all pictures of training share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_native.base.text import brief
from rnn_native.plots.figures import COLOURS, GRID, MARKERS, label
from rnn_native.plots.summary import Series, cumulative_time, series
from rnn_native.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

METRICS = {
    "loss": "Loss",
    "accuracy": "Accuracy (%)",
    "time": "Time (seconds)",
    "learning_rate": "Learning rate",
}
# Axes cannot span values beyond this: their differences overflow. They are drawn as gaps.
LARGEST = 1e300
LINE: dict[str, Any] = {"linewidth": 2, "markersize": 6}
_SECOND: dict[str, Any] = {"linestyle": "--", "markerfacecolor": "white"}


def draw_runs(ax: "Axes", histories: Mapping[str, History], *metrics: str) -> None:
    """Draw metrics of each run in its colour, the second dashed and hollow; with a legend."""
    named = []
    for number, (name, history) in enumerate(histories.items()):
        style: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            # Beyond seven runs colours come again, with other markers.
            "marker": MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
        }
        lines = [
            ax.plot(epoch_numbers(history), values, **line, label=name, **style, **LINE)[0]
            for metric, line in zip(metrics, ({}, _SECOND), strict=False)
            if is_known(values := values_of(history, metric))
        ]
        if lines:
            named.append((lines[0], name))
    if named:
        _add_legend(ax, named)
    else:
        ax.text(0.5, 0.5, "not in these logs", ha="center", transform=ax.transAxes)


def _add_legend(ax: "Axes", named: list[tuple["Line2D", str]]) -> None:
    """Add a legend whose names are taken as they are: no mathematics, no hidden ones."""
    legend = ax.legend([line for line, _ in named], ["run"] * len(named))
    for text, (_, name) in zip(legend.get_texts(), named, strict=True):
        text.set_parse_math(False)
        text.set_text(label(name))


def decorate(ax: "Axes", title: str, y_label: str, x_label: str = "Epoch") -> None:
    """Add title, labels and grid, in the reference system's sizes."""
    from matplotlib.ticker import MaxNLocator

    ax.set_title(title, fontsize=12, fontweight="bold")
    ax.set_xlabel(x_label, fontsize=11)
    ax.set_ylabel(y_label, fontsize=11)
    ax.grid(**GRID)
    if x_label == "Epoch":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def check_metric(metric: str) -> None:
    """Raise ValueError unless METRICS has it."""
    if metric not in METRICS:
        raise ValueError(
            f"metric: expected one of {', '.join(METRICS)}, got {brief(metric)}"
        )


def epoch_numbers(history: History) -> list[int]:
    """Return the numbers of a history's epochs, from 1."""
    return [epoch + 1 for epoch in history.epoch]


def values_of(history: History, metric: str) -> Series:
    """Return a column; accuracies in per cent, NaN where there is no value."""
    if metric == "cumulative_time":
        return cumulative_time(history)
    if metric in ("val_time", "val_learning_rate"):
        return np.full(len(history), np.nan)
    scale = 100 if metric.endswith("accuracy") else 1
    return drawable(scale * series(history, metric))


def drawable(values: Series) -> Series:
    """Return values with NaN in place of those that no axis can show."""
    return np.where(np.abs(values) < LARGEST, values, np.nan)


def is_known(values: Series) -> bool:
    """Tell whether there is anything to draw."""
    return bool(np.isfinite(values).any())
