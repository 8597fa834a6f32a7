"""What pictures show: the data given, in the layout promised, and no figure left behind."""

import io
import math
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import colors
from matplotlib.figure import Figure
from PIL import Image

import rnn_native as rn
from environment import python_environment
from rnn_native import attention_text, plots
from rnn_native.base.errors import FormatError
from rnn_native.plots.figures import check_suffix, save_figure
from rnn_native.training.history import EpochRow, History

HEADER = "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate\n"


@pytest.fixture
def ax():
    return Figure().add_subplot()


@pytest.fixture
def history():
    rows = [
        (2.0, 0.5, 3.0, 1.5, 0.6),
        (1.0, 0.7, 1.0, 1.25, 0.8),
        (0.5, 0.8, 2.0, 1.75, 0.7),
    ]
    return History([EpochRow(a, b, c, 0.1, d, e) for a, b, c, d, e in rows])


@pytest.fixture
def bare():
    """A run without validation."""
    return History([EpochRow(2.0, 0.5, 1.0, 0.1), EpochRow(1.5, 0.6, 1.0, 0.1)])


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(3).dirichlet(np.ones(49), (7, 49))


def mlp(units=6, shape=(1, 28, 28)):
    layers = [rn.Flatten()] if len(shape) > 1 else []
    return rn.Network([*layers, rn.Dense(units, "relu"), rn.Dense(10)], shape)


def xy(line):
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def labels(ax):
    return ax.get_title(), ax.get_xlabel(), ax.get_ylabel()


# ---- manners ----

DRAW = {
    "plot_history": lambda h, m, ax: plots.plot_history(h, ax=ax),
    "compare_runs": lambda h, m, ax: plots.compare_runs([h, h], ax=ax),
    "lr_curve": lambda h, m, ax: plots.lr_curve([0.1, 1], [2, 1], ax=ax),
    "confusion_matrix": lambda h, m, ax: plots.confusion_matrix([0, 1], [1, 1], ax=ax),
    "worst_mistakes": lambda h, m, ax: plots.worst_mistakes(
        np.zeros((1, 4, 4)), [0], [[0.1, 0.9]], ax=ax
    ),
    "reliability_diagram": lambda h, m, ax: plots.reliability_diagram(
        [0, 1], [[0.9, 0.1], [0.6, 0.4]], ax=ax
    ),
    "saliency_over_images": lambda h, m, ax: plots.saliency_over_images(
        np.zeros((1, 4, 4)), np.ones((1, 4, 4)), ax=ax
    ),
    "top_losses": lambda h, m, ax: plots.top_losses(
        np.zeros((1, 4, 4)), [0], [[0.1, 0.9]], [2.3], ax=ax
    ),
    "first_layer_weights": lambda h, m, ax: plots.first_layer_weights(mlp(), ax=ax),
    "conv_filters": lambda h, m, ax: plots.conv_filters(rn.pretrained.load(), ax=ax),
    "attention_map": lambda h, m, ax: plots.attention_map(m[0], ax=ax),
    "token_attention": lambda h, m, ax: plots.token_attention(m[0], ax=ax),
    "attention_over_image": lambda h, m, ax: plots.attention_over_image(
        m[0], np.zeros((28, 28)), ax=ax
    ),
}


@pytest.mark.parametrize("name", DRAW)
def test_the_axes_given_are_drawn_into_and_returned(name, history, maps, ax):
    assert DRAW[name](history, maps, ax) is ax
    assert ax.has_data()
    ax.figure.savefig(io.BytesIO(), format="png", dpi=20)  # any warning is an error


@pytest.mark.parametrize("name", DRAW)
def test_without_axes_there_is_a_figure_of_its_own(name, history, maps):
    first, second = (DRAW[name](history, maps, None) for _ in range(2))
    assert first.has_data()
    assert first.figure is not second.figure
    first.figure.savefig(io.BytesIO(), format="png", dpi=20)


def test_every_public_function_is_drawn_here_or_has_its_own_test():
    figures = {
        "attention_figure",
        "attention_over_images",
        "token_figure",
        "training_report",
    }
    others = {"MAX_SAMPLES", "console_summary", "open_runs", "save_figure"}
    assert set(plots.__all__) == DRAW.keys() | figures | others


def test_neither_import_nor_drawing_touches_pyplot_or_needs_a_display():
    code = """
import sys, io, rnn_native as rn
rn.plots
assert "matplotlib" not in sys.modules, "import is not light"
ax = rn.plots.lr_curve([0.1, 1], [2, 1])
ax.figure.savefig(io.BytesIO())
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    env = python_environment(MPLBACKEND="TkAgg", DISPLAY=":77")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=env)


def png_size(content):
    """Width and height in the header of a PNG file."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return tuple(int.from_bytes(content[at : at + 4], "big") for at in (16, 20))


def test_a_notebook_shows_axes_and_figures(history):
    ax = plots.plot_history(history)
    assert ax._repr_png_() == ax.figure._repr_png_()
    width, height = png_size(ax._repr_png_())
    assert 600 < width < 800
    assert 450 < height < 600
    assert png_size(plots.training_report(history)._repr_png_())[0] > 1000


def test_axes_of_the_caller_stay_what_they_are(history, ax):
    """Where they are shown is the caller's business: pyplot shows its own."""
    assert plots.plot_history(history, ax=ax) is ax
    assert not hasattr(ax, "_repr_png_")


def test_without_matplotlib_one_line_says_what_to_do(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "rnn_native.plots.shown", raising=False)
    with pytest.raises(
        ImportError, match="^plots: matplotlib is not installed; try"
    ) as seen:
        plots.plot_history(history)
    assert "\n" not in str(seen.value)
    assert "0.5" in history._repr_html_()  # the numbers


# ---- training ----


def ring(ax):
    """Where the best epoch is marked."""
    (ring,) = ax.collections
    return tuple(map(float, ring.get_offsets()[0]))


def test_plot_history_draws_both_curves(history, ax):
    plots.plot_history(history, ax=ax)
    training, validation = ax.lines
    assert xy(training) == ([1, 2, 3], [2.0, 1.0, 0.5])
    assert xy(validation) == ([1, 2, 3], [1.5, 1.25, 1.75])
    assert legend(ax) == ["training", "validation", "best: epoch 2"]
    assert ring(ax) == (2, 1.25)
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert training.get_marker() != validation.get_marker()
    assert labels(ax) == ("Loss", "Epoch", "Loss")


def test_plot_history_draws_accuracy_in_per_cent(history, ax):
    plots.plot_history(history, "accuracy", ax)
    assert xy(ax.lines[1])[1] == [60, 80, 70]
    assert ax.get_ylabel() == "Accuracy (%)"


def test_plot_history_leaves_out_what_is_not_there(bare, ax):
    plots.plot_history(bare, ax=ax)
    assert legend(ax) == ["training"]
    nothing = History([EpochRow(1.0, math.nan, 1.0, 0.1)])
    with pytest.raises(ValueError, match="this run's history has no accuracy"):
        plots.plot_history(nothing, "accuracy")
    with pytest.raises(ValueError, match="expected one of loss, accuracy, .* got 'los'"):
        plots.plot_history(bare, "los")


def test_report_is_the_references_figure(history):
    figure = plots.training_report(history, "MNIST MLP Training Performance")
    assert figure.get_size_inches().tolist() == [12, 10]
    title = figure.get_suptitle()
    assert title == "MNIST MLP Training Performance"
    loss, time, cumulative, summary = figure.axes[:4]
    assert labels(loss) == ("Training Loss", "Epoch", "Loss")
    assert labels(time) == ("Time per Epoch", "Epoch", "Time (seconds)")
    assert labels(cumulative) == (
        "Cumulative Training Time",
        "Epoch",
        "Cumulative Time (seconds)",
    )
    assert not summary.axison
    drawn = [(loss, [2.0, 1.0, 0.5], "o", "#1f77b4"), (time, [3, 1, 2], "s", "#ff7f0e"),
             (cumulative, [3, 4, 6], "D", "#2ca02c")]  # fmt: skip
    for ax, values, marker, color in drawn:
        line = ax.lines[0]
        assert xy(line) == ([1, 2, 3], values)
        assert (line.get_marker(), line.get_color()) == (marker, color)
        assert (line.get_linewidth(), line.get_markersize()) == (2, 6)
        assert ax.title.get_fontsize() == 12
        assert ax.xaxis.label.get_fontsize() == ax.yaxis.label.get_fontsize() == 11


def test_report_draws_validation_beside_training(history):
    figure = plots.training_report(history)
    loss, accuracy = figure.axes[0], figure.axes[4]
    assert xy(loss.lines[1])[1] == [1.5, 1.25, 1.75]
    assert xy(accuracy.lines[-1])[1] == [60, 80, 70]
    assert accuracy.get_ylabel() == "Accuracy (%)"
    assert legend(loss) == ["training loss", "validation loss", "best: epoch 2"]
    assert legend(accuracy) == ["training", "validation", "best: epoch 2"]
    assert (ring(loss), ring(accuracy)) == ((2, 1.25), (2, 80))


def test_report_uses_all_four_quarters(history, bare):
    """With accuracies the summary is below them, else it is larger."""
    summary, accuracy = plots.training_report(history).axes[3:]
    boxes = [ax.get_position() for ax in (summary, accuracy)]
    assert boxes[0].y1 <= boxes[1].y0
    (alone,) = plots.training_report(bare).axes[3:]
    assert alone.texts[0].get_fontsize() > summary.texts[0].get_fontsize()


def test_time_of_an_epoch_begins_at_zero(history):
    assert plots.training_report(history).axes[1].get_ylim() == (0, pytest.approx(3.3))


def test_runs_of_different_kinds_are_not_squashed(history):
    xor = History()
    for epoch in range(999, 100_000, 1000):
        xor.append(EpochRow(0.25 / epoch, 1.0, 1e-6, 0.01), epoch)
    panels = plots.training_report({"mlp": history, "xor": xor}).axes
    assert [panel.get_xscale() for panel in panels[:3]] == ["log", "linear", "log"]
    assert panels[0].get_yscale() == "log"
    markers = panels[0].lines[-1].get_markevery()
    assert 20 <= 100 / markers <= 30
    alike = plots.training_report({"a": history, "b": history}).axes
    assert {panel.get_xscale() for panel in alike[:3]} == {"linear"}
    assert {panel.get_yscale() for panel in alike[:3]} == {"linear"}
    assert plots.compare_runs([history, xor], "loss").get_xscale() == "log"


def test_summary_panel(history):
    (text,) = plots.training_report(history).axes[3].texts
    assert text.get_fontfamily() == ["monospace"]
    assert text.get_text().splitlines() == [
        "Training Summary",
        "\u2500" * 20,
        "Total Time:        6.00s",
        "Avg Time/Epoch:    2.00s",
        "Final Loss:     0.500000",
        "Best Val Loss:  1.250000",
        "Best Val Acc:     80.00%",
        "Epochs:                3",
    ]


def test_console_summary(history, bare):
    rule = "=" * 50
    assert plots.console_summary(bare).split("\n") == [
        "",
        rule,
        "TRAINING SUMMARY",
        rule,
        "Total Training Time: 2.00 seconds",
        "Average Time/Epoch:  1.00 seconds",
        "Final Loss:          1.500000",
        rule,
    ]
    lines = plots.console_summary({"a": history, "b\n": bare}).split("\n")
    assert lines[4] == "a"
    assert lines[8:12] == ["Best Val Loss:       1.250000", "Best Val Accuracy:   80.00%", rule,
                           "b\\n"]  # fmt: skip


LAYOUTS = {
    "three columns": ("1,2.0,3.0\n2,1.0,4.0\n", None, None),
    "attention's four": ("1,2.0,30.5,3.0\n2,1.0,40.5,4.0\n", None, [30.5, 40.5]),
    "V2's five": ("1,2.0,3.0,1.5,50\n2,1.0,4.0,1.25,60\n", [1.5, 1.25], [50, 60]),
    "V2's six": ("1,2.0,3.0,1.5,50,3.0\n2,1.0,4.0,1.25,60,4.0\n", [1.5, 1.25], [50, 60]),
    "V3's six": ("1,2.0,3.0,1.5,50,0.1\n2,1.0,4.0,1.25,60,0.1\n", [1.5, 1.25], [50, 60]),
    "a header": (HEADER + "1,2.0,3.0,1.5,50,0.1\n2,1.0,4.0,1.25,60,0.1\n", [1.5, 1.25], [50, 60]),
    "no validation": (HEADER + "1,2.0,3.0,,,0.1\n2,1.0,4.0,,,0.1\n", None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_of_logs_is_drawn_by_its_columns(name, tmp_path):
    content, val_loss, val_accuracy = LAYOUTS[name]
    path = tmp_path / "log.txt"
    path.write_text(content)
    figure = plots.training_report(path)
    loss, time, cumulative = figure.axes[:3]
    assert xy(loss.lines[0]) == ([1, 2], [2.0, 1.0])
    assert xy(time.lines[0])[1] == [3.0, 4.0]
    assert xy(cumulative.lines[0])[1] == [3.0, 7.0]
    assert [xy(line)[1] for line in loss.lines[1:]] == ([val_loss] if val_loss else [])
    right = [xy(line)[1] for ax in figure.axes[4:] for line in ax.lines]
    assert right == ([val_accuracy] if val_accuracy else [])


def test_a_log_without_times_says_so_and_one_epoch_is_enough(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n1,nan\n")
    figure = plots.training_report(path)
    assert figure.axes[1].texts[0].get_text() == "not in this log"
    (text,) = figure.axes[3].texts
    assert text.get_text().splitlines()[2:] == ["Final Loss: nan", "Epochs:       1"]
    console = plots.console_summary(path)
    assert "Total Training Time: unknown\n" in console
    assert "Final Loss:          nan\n" in console
    figure.savefig(io.BytesIO(), dpi=20)


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_ticks_are_whole_epochs(epochs):
    row = EpochRow(2.0, 0.5, 3.0, 0.1)
    figure = plots.training_report(History([row] * epochs))
    for panel in figure.axes[:3]:
        ticks = [tick for tick in panel.get_xticks() if 1 <= tick <= epochs]
        assert ticks
        assert all(tick == round(tick) for tick in panel.get_xticks())


def test_losses_that_no_axis_can_span_are_gaps():
    losses = (1e308, -1e308, math.inf, 2.0)
    history = History([EpochRow(loss, 0.5, 1.0, 0.1, loss, 0.5) for loss in losses])
    for figure in (plots.training_report(history), plots.training_report([history] * 2)):
        figure.savefig(io.BytesIO(), dpi=20)  # any warning is an error
        assert np.isfinite(figure.axes[0].lines[0].get_ydata()).tolist() == [0, 0, 0, 1]
    assert "Best Val Loss:       -1e+308\n" in plots.console_summary(history)
    ax = plots.lr_curve([0.1, 0.2, 0.3, 0.4], losses)
    assert xy(ax.lines[0]) == ([0.4], [2.0])


def test_rows_that_stand_for_many_epochs_count_for_all_of_them():
    history = History()
    for epoch in (999, 1999, 2499):
        history.append(EpochRow(0.2, 1.0, 0.001, 0.01), epoch)
    cumulative = plots.training_report(history).axes[2].lines[0]
    assert xy(cumulative)[0] == [1000, 2000, 2500]
    assert xy(cumulative)[1] == pytest.approx([1, 2, 2.5])
    assert "Average Time/Epoch:  0.00" in plots.console_summary(history)
    assert "Total Training Time: 2.50" in plots.console_summary(history)


def test_compare_runs_names_runs_as_they_are(history, bare, ax):
    names = ["_hidden", "$no $mathematics", "dir/" + "long" * 20, "tab\t", "\udc80"]
    plots.compare_runs(dict.fromkeys(names, history) | {"bare": bare}, ax=ax)
    assert legend(ax) == [
        "_hidden", "$no $mathematics", "..." + ("long" * 20)[-37:], "tab\\t", "\\udc80",
    ]  # fmt: skip
    assert len({line.get_color() for line in ax.lines}) == 5
    assert labels(ax) == ("Validation loss", "Epoch", "Loss")
    ax.figure.savefig(io.BytesIO(), dpi=20)
    with pytest.raises(ValueError, match="none of the runs has val_loss"):
        plots.compare_runs([bare, bare])
    with pytest.raises(ValueError, match="got 'val_time'"):
        plots.compare_runs([bare], "val_time")


def test_twenty_runs_are_told_apart(history, ax):
    plots.compare_runs([history] * 20, ax=ax)
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 20


def test_report_of_several_runs(history, bare):
    figure = plots.training_report({"a": history, "b": bare})
    loss, accuracy, cumulative, table = figure.axes
    assert [xy(line)[1] for line in loss.lines] == [
        [2.0, 1.0, 0.5], [1.5, 1.25, 1.75], [2.0, 1.5],
    ]  # fmt: skip
    assert [line.get_linestyle() for line in loss.lines] == ["-", "--", "-"]
    assert (
        loss.lines[0].get_color() == loss.lines[1].get_color() != loss.lines[2].get_color()
    )
    assert legend(loss) == ["a", "b"]
    assert labels(accuracy)[0] == "Validation Accuracy"
    assert [xy(line)[1] for line in accuracy.lines] == [[60, 80, 70]]
    assert [xy(line)[1] for line in cumulative.lines] == [[3, 4, 6], [1, 2]]
    cells = table.tables[0].get_celld()
    rows = [
        [cells[row, column].get_text().get_text() for column in range(6)] for row in (1, 2)
    ]
    assert rows == [
        ["a", "3", "6.00", "0.5000", "1.2500", "80.00"],
        ["b", "2", "2.00", "1.5000", "-", "-"],
    ]
    without = plots.training_report([bare, bare]).axes[1]
    assert labels(without)[0] == "Time per Epoch"
    assert xy(without.lines[0])[1] == [1, 1]


# ---- where runs come from ----


def test_runs_are_objects_folders_logs_and_model_files(tmp_path, digits):
    result = rn.train_mlp(digits, epochs=2, out=tmp_path / "run", verbose=0)
    folder = result.run_dir
    sources = [result, folder, folder / "log.csv", folder / "last.safetensors",
               str(folder / "best.safetensors"), result.history]  # fmt: skip
    runs = plots.open_runs(sources)
    assert list(runs)[:2] == ["run 1", str(folder)]
    for history in runs.values():
        assert history.history["val_loss"] == result.history.history["val_loss"]
    assert list(plots.open_runs([folder, folder])) == [str(folder), f"{folder} (2)"]
    (folder / "log.csv").unlink()
    assert len(plots.open_runs(folder)[str(folder)]) == 2
    with pytest.raises(FormatError, match="without the history of its run"):
        plots.open_runs(folder / "best.safetensors")


def test_what_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        plots.open_runs(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"expected log\.csv or last\.safetensors"):
        plots.open_runs([tmp_path])
    with pytest.raises(ValueError, match="at least one run"):
        plots.open_runs([])
    with pytest.raises(ValueError, match="run 1: expected a run with epochs"):
        plots.open_runs(History())
    with pytest.raises(TypeError, match="got int"):
        plots.open_runs([3])


# ---- learning rate ----


def test_lr_curve(ax):
    plots.lr_curve([1e-3, 1e-2, 0.1, 1], [2, 1, math.nan, math.inf], 0.02, ax)
    curve, mark = ax.lines
    assert xy(curve) == ([1e-3, 1e-2], [2, 1])
    assert ax.get_xscale() == "log"
    assert mark.get_xdata() == [0.02, 0.02]
    assert legend(ax) == ["rising rates", "suggested: 0.02"]
    assert labels(ax) == ("Learning rate search", "Learning rate", "Loss")


def test_lr_curve_shows_what_was_tried_for_longer(ax):
    trials = {0.01: 0.5, 0.02: 0.1, 0.04: math.inf}
    plots.lr_curve([1e-3, 1e-2], [2, 1], 0.02, ax, trials)
    assert xy(ax.lines[1]) == ([0.01, 0.02], [0.5, 0.1])
    assert legend(ax) == ["rising rates", "tried for longer", "suggested: 0.02"]


def test_lr_curve_shows_the_valley_when_the_end_blows_up():
    ax = plots.lr_curve([1e-3, 1e-2, 0.1, 1], [2, 2, 1, 1e6])
    low, high = ax.get_ylim()
    assert low < 1 < 2 < high < 5


@pytest.mark.parametrize(
    ("rates", "losses", "message"),
    [
        ([0.1, 0.2], [1], r"\(2,\) and \(1,\)"),
        ([0.0, 0.1], [1, 1], "rates greater than 0"),
        ([0.1, math.nan], [1, 1], "finite rates"),
        ([0.1], [math.nan], "at least one finite loss"),
        ([], [], "at least one finite loss"),
    ],
)
def test_lr_curve_refuses(rates, losses, message):
    with pytest.raises(ValueError, match=message):
        plots.lr_curve(rates, losses)


# ---- texts of users ----

ODD = "a\udc80\ud800\x07\0\uffff\u2028\nb\u00a0\u3000c"
PICTURES, MAPS = np.zeros((2, 28, 28)), np.full((2, 4, 4), 0.25)
SHARES = np.full((2, 2), 0.5, np.float32)
WITH_TEXT = {
    "attention_map": lambda run: plots.attention_map(MAPS[0], ODD),
    "token_attention": lambda run: plots.token_attention(MAPS[0], 0, ODD),
    "attention_over_image": lambda run: plots.attention_over_image(
        MAPS[0], PICTURES[0], title=ODD
    ),
    "attention_over_images": lambda run: plots.attention_over_images(
        MAPS, PICTURES, [ODD, ODD]
    ),
    "training_report": lambda run: plots.training_report(run, ODD),
    "training_report of several": lambda run: plots.training_report({ODD: run, "b": run}),
    "compare_runs": lambda run: plots.compare_runs({ODD: run}),
    "confusion_matrix": lambda run: plots.confusion_matrix([0, 1], [1, 1], names=[ODD, 3]),
    "top_losses": lambda run: plots.top_losses(
        PICTURES, [0, 1], SHARES, [0.7, 0.7], names=[ODD, "b"]
    ),
    "top_losses without images": lambda run: plots.top_losses(
        None, [0, 1], SHARES, [0.7, 0.7], names=[ODD, "b"]
    ),
    "saliency_over_images": lambda run: plots.saliency_over_images(
        PICTURES, PICTURES, [ODD, ODD]
    ),
}


@pytest.mark.parametrize("draw", WITH_TEXT.values(), ids=WITH_TEXT)
def test_texts_that_no_font_can_draw_are_escaped(draw, history, tmp_path):
    drawn = draw(history)
    figure = drawn if isinstance(drawn, Figure) else drawn.figure
    for suffix in ("svg", "png", "pdf"):
        save_figure(figure, tmp_path / f"a.{suffix}", dpi=20)
    ElementTree.parse(tmp_path / "a.svg")
    for ax in figure.axes:
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
    save_figure(figure, tmp_path / "a.svg")


def test_spaces_lines_and_joiners_of_a_title_stay():
    title = "100\u00a0%\n\u4e00\u3000\u200d"
    figure = plots.attention_map(MAPS[0], title).figure
    assert figure.axes[0].get_title() == f"{title} (4 tokens)"


# ---- classification ----


def test_confusion_matrix_colors_shares_and_writes_counts(ax):
    true, predicted = [0] * 4 + [1] * 10, [0, 0, 0, 1] + [1] * 9 + [0]
    plots.confusion_matrix(true, predicted, classes=3, names=["a", "$b$", "c"], ax=ax)
    image = ax.images[0]
    assert image.get_array().tolist() == [[0.75, 0.25, 0], [0.1, 0.9, 0], [0, 0, 0]]
    assert image.get_clim() == (0, 1)
    counts = {text.get_position(): text.get_text() for text in ax.texts}
    assert counts == {(0, 0): "3", (1, 0): "1", (0, 1): "1", (1, 1): "9"}  # x, y
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "$b$", "c"]
    assert labels(ax) == (
        "Confusion matrix, accuracy 85.71 % of 14",
        "Predicted label",
        "True label",
    )
    colors = {text.get_text(): text.get_color() for text in ax.texts}
    assert (colors["9"], colors["1"]) == ("white", "black")


def test_confusion_matrix_of_many_classes_has_no_numbers(ax):
    plots.confusion_matrix(np.arange(30), np.arange(30), ax=ax)
    assert not ax.texts
    with pytest.raises(ValueError, match="names: expected 2, one per class, got 1"):
        plots.confusion_matrix([0, 1], [0, 1], names=["a"])


def test_worst_mistakes_are_the_surest_first(rng, ax):
    images = rng.integers(0, 255, (5, 6, 4), np.uint8)
    shares = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7], [0.99, 0.01]]
    plots.worst_mistakes(images, [0, 0, 0, 1, 1], shares, n=2, ax=ax)
    assert [image.get_array().tolist() for image in ax.images] == [
        images[4].tolist(), images[1].tolist(),
    ]  # fmt: skip
    assert [t.get_text() for t in ax.texts] == ["1 \u2192 0, 99.0 %", "0 \u2192 1, 80.0 %"]
    boxes = [image.get_extent() for image in ax.images]
    assert boxes[0][1] < boxes[1][0], "pictures overlap"


def test_no_mistakes_is_said(ax):
    plots.worst_mistakes(np.zeros((1, 784)), [1], [[0, 1.0]], ax=ax)
    assert [t.get_text() for t in ax.texts] == ["no mistakes"]
    assert not ax.images


@pytest.mark.parametrize(
    ("images", "y", "shares", "n", "message"),
    [
        (np.zeros((2, 5)), [0, 0], [[1, 0]] * 2, 4, "expected gray images"),
        (np.zeros((2, 784)), [0, 0], [[1, 0]], 4, r"expected shape \(2, classes\)"),
        (np.zeros((2, 784)), [0, 2], [[1, 0]] * 2, 4, r"labels in 0\.\.1, got 2"),
        (np.zeros((2, 784)), [0], [[1, 0]] * 2, 4, "expected 1 labels"),
        (np.zeros((2, 784)), [0, 0], [[1, math.nan]] * 2, 4, "expected finite numbers"),
        (
            np.zeros((2, 784)),
            [0, 0],
            [[1, 0]] * 2,
            0,
            r"n: expected an integer in 1\.\.1024, got 0",
        ),
    ],
)
def test_worst_mistakes_refuse(images, y, shares, n, message):
    with pytest.raises(ValueError, match=message):
        plots.worst_mistakes(images, y, shares, n)


# ---- weights ----


def test_first_layer_weights_are_pictures_of_the_input(ax):
    net = mlp()
    weight = net.parameters["layers.1.weight"]
    weight[:, 2] *= 3
    weight[:, 4] *= 2
    plots.first_layer_weights(net, 2, ax)
    for image, unit in zip(ax.images, (2, 4), strict=True):
        np.testing.assert_array_equal(image.get_array(), weight[:, unit].reshape(28, 28))
        limit = float(abs(weight).max())
        assert image.get_clim() == (-limit, limit)
        assert image.get_cmap().name == "RdBu_r"
    assert ax.get_title() == "Weights of the first layer:\n2 strongest of 6 units"
    before = ax.images[0].get_array().copy()
    weight[:] = 0  # training continues
    np.testing.assert_array_equal(ax.images[0].get_array(), before)


def test_first_layer_weights_of_other_nets():
    assert len(plots.first_layer_weights(mlp(3, (16,))).images) == 3
    shape = plots.first_layer_weights(mlp(3, (4, 5))).images[0].get_array().shape
    assert shape == (4, 5)
    with pytest.raises(ValueError, match="first, got conv2d; use conv_filters"):
        plots.first_layer_weights(rn.pretrained.load())
    with pytest.raises(ValueError, match="inputs that are a picture, got 5"):
        plots.first_layer_weights(mlp(3, (5,)))


def test_conv_filters_of_any_layer(ax):
    net = rn.pretrained.load()
    plots.conv_filters(net, 2, ax)
    weight = net.parameters["layers.2.weight"]
    assert len(ax.images) == 16 * 8
    np.testing.assert_array_equal(ax.images[9].get_array(), weight[1, 1])
    assert ax.get_title() == "Filters of layers.2:\n16 x 8 of 3 x 3"
    with pytest.raises(
        ValueError, match="one of the conv2d layers layers.0, layers.2, got 1"
    ):
        plots.conv_filters(net, 1)
    with pytest.raises(ValueError, match="has no conv2d layer"):
        plots.conv_filters(mlp())


# ---- attention ----


def test_attention_map(maps, ax):
    plots.attention_map(maps[0], ax=ax)
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), maps[0])
    assert image.get_clim() == (0, maps[0].max())
    assert (image.get_cmap().name, image.get_interpolation()) == ("viridis", "nearest")
    assert ax.get_aspect() == "auto"
    assert labels(ax) == ("Attention Weights (49 tokens)", "Key Token (attended to)",
                          "Query Token (attending from)")  # fmt: skip
    assert ax.get_xticks().tolist() == ax.get_yticks().tolist() == list(range(0, 49, 7))
    bar = image.colorbar.ax.yaxis.label
    assert (bar.get_text(), bar.get_rotation()) == ("Attention Weight", 270)
    with pytest.raises(
        ValueError, match=r"\(queries, keys\), got float64 of shape \(49,\)"
    ):
        plots.attention_map(maps[0, 0])


@pytest.mark.parametrize(
    ("count", "panels"),
    [(1, 1), (2, 2), (3, 3), (4, 6), (7, 6)],
)
def test_attention_figure_is_the_references(maps, count, panels):
    # In no order: samples are drawn by their numbers.
    samples = {10 * i: maps[i] for i in reversed(range(count))}
    figure = plots.attention_figure(samples)
    assert figure.get_size_inches().max() < 16, "text would be small in a page"
    assert figure.get_suptitle() == "MNIST Attention Model - Attention Weight Patterns"
    axes = figure.axes[:panels]
    used = [ax for ax in axes if ax.axison]
    assert len(used) == min(count, 6)
    for i, ax in enumerate(used):
        np.testing.assert_array_equal(ax.images[0].get_array(), maps[i])
        assert ax.images[0].get_clim() == (0, 0.15)
        assert ax.get_title() == f"Sample {10 * i}\nAttention Weights (49 tokens)"


def test_weights_beyond_the_limit_are_marked():
    weights = np.full((4, 4), 0.05)
    weights[1, 2] = 0.85
    ax = plots.attention_map(weights, limit=0.15)
    over = ax.images[0].get_cmap()(2.0)
    assert colors.same_color(over, "#D55E00")
    assert ax.images[0].colorbar.extend == "max"
    label = ax.images[0].colorbar.ax.get_ylabel()
    assert label == "Attention Weight (1 above 0.15, up to 0.85)"
    within = plots.attention_map(weights / 10, limit=0.15).images[0].colorbar
    assert (within.extend, within.ax.get_ylabel()) == ("neither", "Attention Weight")


@pytest.mark.parametrize(("count", "drawn"), [(1, 1), (3, 3), (6, 4)])
def test_token_figure_is_the_references(maps, count, drawn):
    figure = plots.token_figure({i: maps[i] for i in range(count)}, token=9)
    assert figure.get_size_inches().max() < 16, "text would be small in a page"
    assert figure.get_suptitle() == "Attention from Token 9 (spatial view)"
    for i, ax in enumerate(figure.axes[:drawn]):
        image, (star,) = ax.images[0], ax.lines
        np.testing.assert_array_equal(image.get_array(), maps[i, 9].reshape(7, 7))
        assert image.get_cmap().name == "hot"
        assert xy(star) == ([2], [1])
        assert (star.get_marker(), star.get_markersize()) == ("*", 15)
        assert colors.same_color(star.get_markerfacecolor(), "blue")
        assert colors.same_color(star.get_markeredgecolor(), "white")
        assert star.get_markeredgewidth() == 1.5


def test_tokens_that_are_no_square_are_one_row():
    ax = plots.token_attention(np.full((5, 5), 0.2), token=3)
    assert ax.images[0].get_array().shape == (1, 5)
    assert xy(ax.lines[0]) == ([3], [0])
    with pytest.raises(ValueError, match="square number of tokens, got 5"):
        plots.attention_over_image(np.full((5, 5), 0.2), np.zeros((28, 28)))


@pytest.mark.parametrize("token", [-1, 49])
def test_tokens_out_of_range_are_refused(maps, token):
    image = np.zeros((28, 28))
    for draw in (
        lambda: plots.token_attention(maps[0], token),
        lambda: plots.token_figure({0: maps[0]}, token),
        lambda: plots.attention_over_image(maps[0], image, token),
    ):
        with pytest.raises(IndexError, match=rf"expected one in 0\.\.48, got {token}"):
            draw()


def test_attention_over_image_covers_the_patches_attended_to(maps, rng, ax):
    image = rng.integers(0, 255, (28, 28), np.uint8)
    plots.attention_over_image(maps[0], image, token=8, ax=ax)
    picture, patches = ax.images
    np.testing.assert_array_equal(picture.get_array(), image)
    np.testing.assert_array_equal(patches.get_array(), maps[0, 8].reshape(7, 7))
    assert picture.get_extent() == patches.get_extent()
    assert patches.get_alpha() is None, "colors are those of the bar"
    assert picture.get_alpha().max() == 0.4, "ink is light"
    assert picture.get_zorder() > patches.get_zorder()
    assert xy(ax.lines[0]) == ([1], [1])
    whole = plots.attention_over_image(maps[0], image.reshape(1, 28, 28))
    np.testing.assert_allclose(
        whole.images[1].get_array(), maps[0].mean(axis=0).reshape(7, 7)
    )
    assert not whole.lines


def test_attention_over_images(maps, rng):
    images = rng.integers(0, 255, (4, 784), np.uint8)
    figure = plots.attention_over_images(maps[:4], images, list("abcd"), token=3)
    drawn = [ax for ax in figure.axes if len(ax.images) == 2]
    assert [ax.get_title() for ax in drawn] == list("abcd")
    np.testing.assert_array_equal(drawn[3].images[0].get_array(), images[3].reshape(28, 28))
    np.testing.assert_array_equal(drawn[3].images[1].get_array(), maps[3, 3].reshape(7, 7))
    limits = {ax.images[1].get_clim() for ax in drawn}
    assert limits == {(0, float(maps[:4, 3].max()))}
    assert len(figure.axes) == 6 + 1, "one bar for all"
    with pytest.raises(ValueError, match="got 3, 4 and 3"):
        plots.attention_over_images(maps[:3], images)


@pytest.mark.parametrize("draw", [plots.attention_figure, plots.token_figure])
def test_no_samples_are_refused(draw):
    with pytest.raises(ValueError, match="at least one attention map"):
        draw({})


def test_maps_of_a_model_can_be_drawn(digits):
    layers = [rn.PatchEmbed(7, 8), rn.SelfAttention(), rn.MeanPool(), rn.Dense(10)]
    maps = rn.Network(layers, (1, 28, 28)).attention_maps(digits[0][0][:2])
    figure = plots.attention_figure(dict(enumerate(maps)))
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), maps[1])
    assert attention_text.attention_statistics(maps[0]).shape == (16, 16)


# ---- files ----


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_the_ending_decides_the_format_and_equal_figures_are_equal_bytes(
    tmp_path, history, name, start
):
    contents = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        save_figure(plots.training_report(history), tmp_path / folder / name, dpi=30)
        contents.append((tmp_path / folder / name).read_bytes())
        assert len(list((tmp_path / folder).iterdir())) == 1
    assert contents[0].startswith(start)
    assert contents[0] == contents[1]


def test_pictures_have_300_dots_per_inch(tmp_path, ax):
    ax.figure.set_size_inches(2, 1)
    save_figure(ax.figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.size[0] > 300


@pytest.mark.parametrize("name", ["a.jpeg", "a", "png", "a.png.txt"])
def test_other_endings_are_refused(tmp_path, ax, name):
    with pytest.raises(
        ValueError, match=r"expected a name that ends in \.png, \.svg, \.pdf"
    ):
        save_figure(ax.figure, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_names_that_the_font_lacks_are_no_warning(tmp_path, history):
    ax = plots.compare_runs({"\u6f22\u5b57": history})
    save_figure(ax.figure, tmp_path / "a.png", dpi=30)
    assert check_suffix(tmp_path / "a.png") == "png"


def test_a_failing_save_leaves_the_old_picture(tmp_path, ax, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        save_figure(ax.figure, path)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
