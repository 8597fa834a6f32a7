"""The report of a training run, or of several: four panels, and a text for the console."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_native.base.text import printable
from rnn_native.plots.curves import (
    METRICS,
    decorate,
    draw_runs,
    epoch_numbers,
    is_known,
    line_style,
    mark_best,
    spread,
    values_of,
)
from rnn_native.plots.figures import COLORS, as_drawn, label, new_figure
from rnn_native.plots.runs import Runs, open_runs
from rnn_native.plots.summary import (
    Summary,
    console_text,
    cumulative_time,
    facts,
    fixed,
    series,
    summarise,
)
from rnn_native.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The reference system's colors.
_LOSS, _TIME, _CUMULATIVE = "#1f77b4", "#ff7f0e", "#2ca02c"


def training_report(runs: Runs, title: str | None = None) -> "Figure":
    """Draw the four panels of one run, or of several: the reference system's figure.

    One run: loss with its validation curve, time of each epoch, cumulative time, and a summary
    below the accuracies. Several: losses, validation accuracy (or the time of each epoch
    if no run has it), cumulative time, a table; axes are logarithmic where runs of different kinds
    would be squashed. The best epoch is marked.

    Parameters
    ----------
    runs : run, mapping of str to run, or iterable of run
        As for `open_runs`.
    title : str, optional
        Above the panels.

    Returns
    -------
    matplotlib.figure.Figure
        12 x 10 inches.

    Raises
    ------
    OSError, FormatError, TypeError, ValueError
        As for `open_runs`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(*rn.datasets.synthetic_digits(100, seed=1), epochs=2, verbose=0)
    >>> figure = rn.plots.training_report(history)
    """
    histories = open_runs(runs)
    figure = new_figure(12, 10)
    figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.15)
    figure.suptitle(
        as_drawn(title or "Training Performance"),
        fontsize=14, fontweight="bold", parse_math=False,
    )  # fmt: skip
    if len(histories) == 1:
        _report_one(figure, next(iter(histories.values())))
    else:
        panels = figure.subplots(2, 2)
        _report_several(panels, histories)
    return figure


def console_summary(runs: Runs) -> str:
    """Return the text that the reference system prints beside its figure.

    Parameters and errors are those of `training_report`.

    Parameters
    ----------
    runs : run, mapping of str to run, or iterable of run
        As for `open_runs`.

    Returns
    -------
    str
        Several lines.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(*rn.datasets.synthetic_digits(100, seed=1), epochs=2, verbose=0)
    >>> "Loss" in rn.plots.console_summary(history)
    True
    """
    named = open_runs(runs).items()
    return console_text({printable(name): summarise(history) for name, history in named})


# ---- panels ----


def _report_one(figure: "Figure", history: History) -> None:
    grid = figure.add_gridspec(2, 2)
    loss, time = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    cumulative = figure.add_subplot(grid[1, 0])
    epochs = epoch_numbers(history)
    _loss_panel(loss, history)
    _single(time, epochs, series(history, "time"), "s", _TIME)
    decorate(time, "Time per Epoch", "Time (seconds)")
    if time.lines:
        # Or noise of a per cent would fill the panel.
        time.set_ylim(0, 1.1 * np.nanmax(values_of(history, "time")) or 1)
    _single(cumulative, epochs, cumulative_time(history), "D", _CUMULATIVE)
    decorate(cumulative, "Cumulative Training Time", "Cumulative Time (seconds)")
    summary = summarise(history)
    if not is_known(values_of(history, "val_accuracy")):
        _summary_panel(figure.add_subplot(grid[1, 1]), summary, 16)
        return
    halves = grid[1, 1].subgridspec(2, 1, height_ratios=[3, 2])
    _summary_panel(figure.add_subplot(halves[1]), summary, 11)
    _accuracy_panel(figure.add_subplot(halves[0]), history)


def _report_several(panels: Any, histories: Mapping[str, History]) -> None:
    draw_runs(panels[0, 0], histories, "loss", "val_loss")
    spread(panels[0, 0], y=True)
    decorate(panels[0, 0], "Training Loss (validation: dashed, hollow; best: ring)", "Loss")
    shown = [values_of(history, "val_accuracy") for history in histories.values()]
    if any(map(is_known, shown)):
        draw_runs(panels[0, 1], histories, "val_accuracy")
        spread(panels[0, 1])
        decorate(panels[0, 1], "Validation Accuracy", METRICS["accuracy"])
    else:
        draw_runs(panels[0, 1], histories, "time")
        spread(panels[0, 1], y=True)
        decorate(panels[0, 1], "Time per Epoch", METRICS["time"])
    draw_runs(panels[1, 0], histories, "cumulative_time")
    spread(panels[1, 0], y=True)
    decorate(panels[1, 0], "Cumulative Training Time", "Cumulative Time (seconds)")
    _table_panel(panels[1, 1], {n: summarise(h) for n, h in histories.items()})


def _loss_panel(ax: "Axes", history: History) -> None:
    """Training loss as the reference draws it; with validation if there is one."""
    epochs = epoch_numbers(history)
    loss, val_loss = values_of(history, "loss"), values_of(history, "val_loss")
    lines = ax.plot(
        epochs, loss, marker="o", color=_LOSS, label="training loss", **line_style(len(epochs)),
    )  # fmt: skip
    if is_known(val_loss):
        lines += ax.plot(
            epochs, val_loss, marker="s", color=COLORS[1], ls="--",
            label="validation loss", **line_style(len(epochs)),
        )  # fmt: skip
    decorate(ax, "Training Loss", "Loss")
    mark_best(ax, history, "val_loss")
    if len(lines) > 1:
        ax.legend()


def _accuracy_panel(ax: "Axes", history: History) -> None:
    epochs = epoch_numbers(history)
    curves: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("accuracy", "training", {"marker": "o", "color": COLORS[0]}),
        ("val_accuracy", "validation", {"marker": "s", "color": COLORS[1], "ls": "--"}),
    )
    for name, text, style in curves:
        if is_known(values := values_of(history, name)):
            ax.plot(epochs, values, label=text, **line_style(len(values)), **style)
    decorate(ax, "Accuracy", METRICS["accuracy"])
    mark_best(ax, history, "val_accuracy")
    ax.legend(loc="lower right")


def _single(ax: "Axes", x: Any, y: Any, marker: str, color: str) -> None:
    if is_known(y):
        ax.plot(x, y, marker=marker, color=color, **line_style(len(x)))
    else:
        ax.text(0.5, 0.5, "not in this log", ha="center", transform=ax.transAxes)


def _summary_panel(ax: "Axes", summary: Summary, size: int) -> None:
    lines = facts(summary)
    # The longest value begins behind the longest name, and all values end in one column.
    names = max(len(name) for name, _ in lines) + 2
    values = max(len(value) for _, value in lines)
    body = [f"{name + ':':<{names}}{value:>{values}}" for name, value in lines]
    text = "\n".join(["Training Summary", "\u2500" * 20, *body])
    ax.axis("off")
    ax.text(
        0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=size,
        family="monospace", multialignment="left",
        bbox={"boxstyle": "round", "facecolor": "lightgray", "alpha": 0.5},
    )  # fmt: skip


def _table_panel(ax: "Axes", summaries: Mapping[str, Summary]) -> None:
    head = ["run", "epochs", "seconds", "loss", "val loss", "val acc"]
    rows = [
        [
            label(name, 20),
            f"{s.epochs:,}",
            _cell(s.total_time, 2),
            _cell(s.final_loss, 4),
            _cell(s.best_val_loss, 4),
            _cell(100 * s.best_val_accuracy, 2),
        ]
        for name, s in summaries.items()
    ]
    ax.axis("off")
    ax.set_title("Training Summary", fontsize=12, fontweight="bold")
    table = ax.table(
        rows, colLabels=head, loc="upper center", colWidths=[0.3, 0.17, *[0.14] * 4]
    )
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    table.scale(1, 1.9)
    for (_, column), cell in table.get_celld().items():
        cell.get_text().set_parse_math(False)
        cell.set_edgecolor("lightgray")
        if column == 0:
            cell.set_text_props(ha="left")


def _cell(value: float, decimals: int) -> str:
    return "-" if np.isnan(value) else fixed(value, decimals)
