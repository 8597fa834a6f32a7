"""Training curves: of one run, of several, and of a search for the learning rate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from rnn_native.base.checks import check_all
from rnn_native.plots.curves import (
    LARGEST,
    METRICS,
    check_metric,
    decorate,
    draw_runs,
    drawable,
    epoch_numbers,
    is_known,
    line_style,
    mark_best,
    spread,
    values_of,
)
from rnn_native.plots.figures import COLORS, axes_or_new
from rnn_native.plots.runs import Run, Runs, open_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_history(run: Run, metric: str = "loss", ax: "Axes | None" = None) -> "Axes":
    """Draw one run's training and validation curve; a ring marks the best epoch.

    Parameters
    ----------
    run : History, TrainingResult or path
        As for `open_runs`.
    metric : {"loss", "accuracy", "time", "learning_rate"}
        The last two have no validation curve. Accuracies are drawn in per cent.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        With one curve or two.

    Raises
    ------
    ValueError
        If the metric is another one, or the run has no value of it.
    OSError, FormatError
        If a path is missing or wrong.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(*rn.datasets.synthetic_digits(100, seed=1), epochs=2, verbose=0)
    >>> ax = rn.plots.plot_history(history, "accuracy")
    """
    check_metric(metric)
    ((_, history),) = open_runs(run).items()
    curves: list[tuple[str, str, dict[str, Any]]] = [
        ("training", metric, {"marker": "o", "color": COLORS[0]}),
        ("validation", f"val_{metric}", {"marker": "s", "color": COLORS[1], "ls": "--"}),
    ]
    drawn = [
        (label, values, style)
        for label, name, style in curves
        if is_known(values := values_of(history, name))
    ]
    if not drawn:
        raise ValueError(f"metric: this run's history has no {metric}")
    ax = axes_or_new(ax)
    for label, values, style in drawn:
        ax.plot(
            epoch_numbers(history), values, label=label, **line_style(len(values)),
            **style,
        )  # fmt: skip
    mark_best(ax, history, f"val_{metric}")
    decorate(ax, METRICS[metric].split(" (")[0], METRICS[metric])
    if len(drawn) > 1 or metric in ("loss", "accuracy"):
        ax.legend()
    return ax


def compare_runs(runs: Runs, metric: str = "val_loss", ax: "Axes | None" = None) -> "Axes":
    """Draw one curve of each of several runs.

    Parameters
    ----------
    runs : mapping of str to run, or iterable of run
        As for `open_runs`; the names are in the legend.
    metric : str
        A column of a history: "loss", "accuracy", "val_loss", "val_accuracy", "time" or
        "learning_rate". Runs that do not have it are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        With a curve for each run.

    Raises
    ------
    ValueError
        If the metric is another one, or no run has it.
    OSError, FormatError, TypeError
        As for `open_runs`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> digits = rn.datasets.synthetic_digits(100, seed=1)
    >>> runs = [net.clone().fit(*digits, epochs=2, lr=lr, verbose=0) for lr in (0.01, 0.1)]
    >>> ax = rn.plots.compare_runs(runs, "loss")
    """
    base = metric.removeprefix("val_")
    check_metric(base if metric in ("val_loss", "val_accuracy") else metric)
    histories = open_runs(runs)
    if not any(is_known(values_of(history, metric)) for history in histories.values()):
        raise ValueError(f"metric: none of the runs has {metric}")
    ax = axes_or_new(ax)
    draw_runs(ax, histories, metric)
    spread(ax, y=base != "accuracy")
    kind = "Validation " if base != metric else ""
    decorate(ax, f"{kind}{METRICS[base].split(' (')[0]}".capitalize(), METRICS[base])
    return ax


def lr_curve(
    rates: ArrayLike,
    losses: ArrayLike,
    suggestion: float | None = None,
    ax: "Axes | None" = None,
    trials: Mapping[float, float] | None = None,
) -> "Axes":
    """Draw losses over learning rates, as `Network.lr_find` returns them.

    Parameters
    ----------
    rates, losses : array_like of float of shape (n,)
        Rates are greater than 0; losses that are not finite are left out.
    suggestion : float, optional
        A rate to mark.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.
    trials : mapping of float to float, optional
        Loss of each rate that was tried for longer; those that are not finite are left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the curve.

    Raises
    ------
    ValueError
        If they are not equally many, or there is nothing to draw.

    Examples
    --------
    >>> import rnn_native as rn
    >>> ax = rn.plots.lr_curve([0.01, 0.1, 1], [2.0, 1.5, 3.0], suggestion=0.1)
    """
    x, y = np.asarray(rates, np.float64), drawable(np.asarray(losses, np.float64))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            "lr_curve: expected as many rates as losses, of shape (n,), got "
            f"{x.shape} and {y.shape}"
        )
    check_all("rates", x, np.isfinite(x) & (x > 0), "finite rates greater than 0")
    finite = np.isfinite(y)
    if not finite.any():
        raise ValueError("losses: expected at least one finite loss, got none")
    ax = axes_or_new(ax)
    ax.plot(x[finite], y[finite], color=COLORS[0], linewidth=2, label="rising rates")
    ax.set_xscale("log")
    tried = {r: loss for r, loss in (trials or {}).items() if abs(loss) < LARGEST}
    if tried:
        ax.plot(
            list(tried), list(tried.values()), color=COLORS[2], marker="D", linewidth=1,
            label="tried for longer",
        )  # fmt: skip
    if suggestion is not None:
        label = f"suggested: {suggestion:.3g}"
        ax.axvline(suggestion, color=COLORS[1], linestyle="--", label=label)
        ax.legend(loc="lower left")
    # The end of a search blows up; without a limit the valley would be a flat line.
    low, start = min([*y[finite], *tried.values()]), float(y[finite][0])
    room = 0.5 * max(start - low, 0.1 * abs(low), 1e-12)
    if max([*y[finite], *tried.values()]) > start + 2 * room:
        ax.set_ylim(low - 0.2 * room, start + 2 * room)
    decorate(ax, "Learning rate search", "Loss", x_label="Learning rate")
    return ax
