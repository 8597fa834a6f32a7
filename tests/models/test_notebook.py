"""What notebooks show: well-formed, true, and made without matplotlib."""

import math
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.base import markup
from rnn_native.training.history import EpochRow, History

SVG = "{http://www.w3.org/2000/svg}"


def parse(fragment):
    return ET.fromstring(fragment)


def texts(root):
    return [node.text for node in root.iter(f"{SVG}text")]


def history_of(losses, val_losses=None, accuracy=0.5):
    vals = val_losses or [None] * len(losses)
    return History(
        [
            EpochRow(loss, accuracy, 1.5, 0.01, val, None if val is None else 0.25)
            for loss, val in zip(losses, vals, strict=True)
        ]
    )


def points(path):
    return [tuple(map(float, p.split())) for p in path.get("d")[1:].split("L")]


def curves(svg):
    return [
        p for p in svg.iter(f"{SVG}path") if p.get("stroke-width") and "L" in p.get("d")
    ]


def test_curves_lie_where_their_values_are():
    svg, _ = parse(history_of([4, 2, 1], [3, 3, 1])._repr_html_()).iter(f"{SVG}svg")
    training, validation = map(points, map_sorted(curves(svg)))
    left, right = markup.LEFT, markup.WIDTH - markup.RIGHT
    top, bottom = markup.TOP, markup.HEIGHT - markup.BOTTOM
    assert [x for x, _ in training] == [left, (left + right) / 2, right]
    heights = [(4 - loss) / 3 * (bottom - top) + top for loss in (4, 2, 1)]
    assert [y for _, y in training] == pytest.approx(heights, abs=0.05)
    assert (
        validation[0][1]
        == validation[1][1]
        == pytest.approx(heights[0] + (bottom - top) / 3, abs=0.1)
    )


def map_sorted(paths):
    """Curves with the solid one first."""
    return sorted(paths, key=lambda path: path.get("stroke-dasharray") or "")


def test_curves_are_named_and_told_apart_without_color():
    svg, _ = parse(history_of([2, 1], [3, 1.5])._repr_html_()).iter(f"{SVG}svg")
    assert {"Loss", "training", "validation", "epoch", "1", "2"} <= set(texts(svg))
    dashes = [path.get("stroke-dasharray") for path in map_sorted(curves(svg))]
    assert dashes == [None, "5 3"]
    places = {t.text: float(t.get("y")) for t in svg.iter(f"{SVG}text")}
    assert abs(places["training"] - places["validation"]) >= 12


def test_names_stay_apart_and_above_the_epochs_when_curves_end_together():
    svg, _ = parse(history_of([2, 1], [3, 1])._repr_html_()).iter(f"{SVG}svg")
    places = {t.text: float(t.get("y")) for t in svg.iter(f"{SVG}text")}
    assert abs(places["training"] - places["validation"]) >= 12
    assert max(places["training"], places["validation"]) <= markup.HEIGHT - markup.BOTTOM


def test_without_validation_there_is_one_curve_and_no_best_epoch():
    root = parse(history_of([2, 1])._repr_html_())
    assert "validation" not in texts(root)
    rows = ["".join(tr.itertext()) for tr in root.iter("tr")]
    assert [row for row in rows if row.startswith(("best", "last"))] == [
        "last: epoch 2150.00 %--1.5"
    ]


def test_what_a_log_does_not_tell_is_not_drawn():
    root = parse(history_of([2, 1], accuracy=math.nan)._repr_html_())
    assert len(list(root.iter(f"{SVG}svg"))) == 1


def test_gaps_lone_points_and_values_that_are_all_the_same():
    svg = parse(history_of([1, math.nan, 1, 1, 1e308, -1e308, math.inf, 1])._repr_html_())
    loss = next(svg.iter(f"{SVG}svg"))
    assert len(list(loss.iter(f"{SVG}circle"))) == 2
    assert [len(points(path)) for path in curves(loss)] == [2]
    assert "nan" not in ET.tostring(loss).decode()


def test_the_best_epoch_is_marked_in_both_pictures():
    root = parse(history_of([3, 2, 1, 1], [0.7, 0.5, 0.9, 0.9])._repr_html_())
    third = (markup.WIDTH - markup.RIGHT - markup.LEFT) / 3
    for svg in root.iter(f"{SVG}svg"):
        (mark,) = [p for p in svg.iter(f"{SVG}path") if p.get("stroke-dasharray") == "2 3"]
        assert mark.get("d").startswith(f"M{markup.LEFT + third:.1f} ")
        assert "best" in texts(svg)


def test_long_histories_are_thinned_but_keep_their_end():
    losses = np.linspace(5, 1, 12_345).tolist()
    html = history_of(losses)._repr_html_()
    path = points(curves(next(parse(html).iter(f"{SVG}svg")))[0])
    assert len(path) <= markup.MAX_POINTS
    assert path[-1][0] == markup.WIDTH - markup.RIGHT
    assert path[-1][1] == markup.HEIGHT - markup.BOTTOM
    assert len(html) < 20_000


def test_best_and_last_epoch_are_in_the_table():
    root = parse(history_of([3, 2, 1], [0.7, 0.5, 0.9])._repr_html_())
    cells = [[td.text for td in tr.iter("td")] for tr in root.iter("tr")][1:]
    assert cells == [
        ["best: epoch 2", "2", "50.00 %", "0.5", "25.00 %", "1.5"],
        ["last: epoch 3", "1", "50.00 %", "0.9", "25.00 %", "1.5"],
    ]


def test_empty_history():
    assert "0 epochs" in "".join(parse(History()._repr_html_()).itertext())


def test_a_network_is_a_table_of_its_layers():
    net = rn.Network([rn.Dense(4, "relu"), rn.Dense(2)], input_shape=(3,))
    root = parse(net._repr_html_())
    cells = [[td.text for td in tr.iter("td")] for tr in root.iter("tr")][1:]
    assert cells == [
        ["dense relu", "(n, 4)", "16"],
        ["dense linear", "(n, 2)", "10"],
        ["total", None, "26"],
    ]
    assert "Network 3 -> 4 -> 2" in "".join(root.itertext())
    bars = [float(bar.get("width")) for bar in root.iter(f"{SVG}rect")]
    assert bars == [100, 62.5, 0]


def test_a_result_shows_history_and_model_and_escapes_what_it_is_told():
    net = rn.Network([rn.Dense(2)], input_shape=(3,))
    source = "<script>&\"'\x00\x1b files"
    result = rn.TrainingResult(net, history_of([2, 1]), 0.5, 0.75, None, source)
    root = parse(result._repr_html_())
    said = "".join(root.itertext())
    assert "<script>&\"'\\x00\\x1b files" in said
    assert "75.00%" in said
    assert not list(root.iter("script"))
    assert list(root.iter(f"{SVG}svg"))
    assert "dense linear" in said


def test_matplotlib_is_not_needed():
    code = (
        "import sys, rnn_native as rn\n"
        "sys.modules['matplotlib'] = None\n"
        "r = rn.train_xor(epochs=2000, verbose=0)\n"
        "assert '<svg' in r._repr_html_()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
