"""Curves over epochs: what all pictures of training share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_native.base.text import brief
from rnn_native.plots.figures import COLORS, GRID, MARKERS, as_drawn, label
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
# More markers a curve would run into each other.
MARKERS_MOST = 30
# Runs are of different kinds if one has this many times the epochs, or loss, of another.
FAR_APART = 50
LINE: dict[str, Any] = {"linewidth": 2, "markersize": 6}
_SECOND: dict[str, Any] = {"linestyle": "--", "markerfacecolor": "white"}


def draw_runs(ax: "Axes", histories: Mapping[str, History], *metrics: str) -> None:
    """Draw metrics of each run in its color, the second dashed and hollow; with a legend."""
    named = []
    for number, (name, history) in enumerate(histories.items()):
        style: dict[str, Any] = {
            "color": COLORS[number % len(COLORS)],
            # Beyond seven runs colors come again, with other markers.
            "marker": MARKERS[(number + number // len(COLORS)) % len(MARKERS)],
        }
        lines = [
            ax.plot(
                epoch_numbers(history),
                values,
                **line,
                label=as_drawn(name),
                **style,
                **line_style(len(values)),
            )[0]
            for metric, line in zip(metrics, ({}, _SECOND), strict=False)
            if is_known(values := values_of(history, metric))
        ]
        for metric in metrics:
            mark_best(ax, history, metric, color=style["color"])
        if lines:
            named.append((lines[0], name))
    if named:
        _add_legend(ax, named)
    else:
        ax.text(0.5, 0.5, "not in these logs", ha="center", transform=ax.transAxes)


def mark_best(ax: "Axes", history: History, metric: str, color: str = "") -> None:
    """Put a ring around the best epoch's value of validation; without a color, named."""
    best = history.best_epoch()
    if best is None or not metric.startswith("val_"):
        return
    epoch, value = history.epoch[best] + 1, values_of(history, metric)[best]
    if np.isfinite(value):
        # No line, whose values would be taken for a curve's.
        ax.scatter(
            [epoch], [value], s=150, facecolors="none", edgecolors=color or "black",
            linewidths=1.5, zorder=3, label="" if color else f"best: epoch {epoch}",
        )  # fmt: skip


def line_style(points: int) -> dict[str, Any]:
    """Return keywords of a curve: markers are left out where they would run into each other."""
    every = -(-points // MARKERS_MOST) if points > MARKERS_MOST else None
    return {**LINE, "markevery": every}


def spread(ax: "Axes", y: bool = False) -> None:
    """Make axes logarithmic where runs of different kinds would be squashed.

    XOR has a million epochs where others have ten, and a squared error of 1e-4. Epochs are
    those of the runs' ends; values, with `y`, the curves' last ones.
    """
    ends = [float(np.asarray(line.get_xdata())[-1]) for line in ax.lines]
    if ends and max(ends) > FAR_APART * min(ends):
        ax.set_xscale("log")
    known = [values for line in ax.lines if (values := _finite(line.get_ydata())).size]
    lasts = [float(values[-1]) for values in known]
    is_positive = all(values.min() > 0 for values in known)
    if y and known and is_positive and max(lasts) > FAR_APART * min(lasts):
        ax.set_yscale("log")


def _finite(values: Any) -> Series:
    numbers = np.asarray(values, np.float64)
    return numbers[np.isfinite(numbers)]


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
    if x_label == "Epoch" and ax.get_xscale() == "linear":
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
    """Return whether there is anything to draw."""
    return bool(np.isfinite(values).any())
