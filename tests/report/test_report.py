"""The page of an evaluation: well-formed, self-contained, true, and the same every time."""

import io
import json
import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import rnn_native as rn
from rnn_native.cli import main
from rnn_native.report import evaluation_page, page, parts
from rnn_native.training.history import EpochRow, History

VOID = {"meta", "img", "br"}


class Checker(HTMLParser):
    """Raises where a browser would have to guess: tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parse(text):
    """The page's tree, after html.parser and an XML parser have found nothing wrong."""
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    return ET.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def sections(root):
    return {s.find("h2").text: s for s in root.iter("section")}


def cells(table):
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def said(element):
    return "".join(element.itertext())


def assert_self_contained(text):
    """Nothing is loaded, nothing runs."""
    root = parse(text)
    for element in root.iter():
        name = element.tag.rsplit("}")[-1]
        assert name not in ("script", "link", "iframe", "object", "embed", "form", "a")
        for key, value in element.attrib.items():
            assert not key.startswith("on"), key
            if key in ("src", "href", "action", "data"):
                assert value.startswith("data:image/png;base64,")
    style = said(root.find("head/style"))
    assert "url(" not in style + text
    assert "@import" not in style
    assert "https:" not in text
    assert re.findall('http:[^"]+', text) == ["http://www.w3.org/2000/svg"] * text.count(
        "<svg"
    )
    assert "default-src 'none'" in text


@pytest.fixture
def history():
    return History(
        [EpochRow(2.0, 0.5, 1.0, 0.1, 1.5, 0.6), EpochRow(1, 0.7, 1, 0.1, 1.2, 0.8)]
    )


def pixels(image):
    data = b64decode(image.get("src").removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened)


# ---- the page ----


def test_the_page_is_sound_and_small(poor, history):
    text = evaluation_page(poor, "A title", [("model", "a file")], history)
    assert_self_contained(text)
    assert len(text.encode()) < 200_000
    root = parse(text)
    assert root.get("lang") == "en"
    assert root.find("head/title").text == root.find("body/h1").text == "A title"
    assert list(sections(root)) == [
        "Model and data", "Result", "Training", "Confusion matrix", "Most confused",
        "Classes", "Calibration", "Worst mistakes",
    ]  # fmt: skip
    assert all(image.get("alt") for image in root.iter("img"))
    svgs = list(root.iter("{http://www.w3.org/2000/svg}svg"))
    assert len(svgs) == 3
    assert all(svg.get("aria-label") and svg.get("role") == "img" for svg in svgs)


def test_equal_arguments_are_equal_pages(poor, history):
    first = evaluation_page(poor, "t", [("a", "b")], history, threads=1)
    again = rn.interpret(poor.model, poor.x.copy(), poor.y)
    assert first == evaluation_page(again, "t", [("a", "b")], history, threads=2)


def test_the_numbers_are_the_interpretations(poor):
    found = sections(parse(evaluation_page(poor, "t")))
    assert "Model and data" not in found
    (result,) = found["Result"].iter("table")
    (_, accuracy), (_, loss) = cells(result)
    wrong = int((poor.predicted != poor.y).sum())
    low, high = rn.metrics.wilson_interval(200 - wrong, 200)
    assert accuracy == (
        f"{100 * poor.accuracy:.2f} % (95 % interval {100 * low:.2f} to {100 * high:.2f} %); "
        f"{wrong} of 200 wrong"
    )
    error = 1.959964 * poor.losses.std() / np.sqrt(200)
    assert loss.startswith(f"{poor.loss:.4f} \u00b1 {error:.4f}")
    (matrix,) = found["Confusion matrix"].iter("table")
    assert matrix.find("caption") is not None
    counts = [list(map(int, row[1:])) for row in cells(matrix)[1:]]
    assert counts == poor.confusion_matrix().tolist()
    (pairs,) = found["Most confused"].iter("table")
    shown = [tuple(map(int, row[:3])) for row in cells(pairs)[1:]]
    assert shown == poor.most_confused()[: parts.MAX_PAIRS]
    (classes,) = found["Classes"].iter("table")
    report = poor.report()
    assert cells(classes)[4] == [
        "3", *(f"{100 * c[3]:.2f} %" for c in (report.precision, report.recall, report.f1)),
        str(report.support[3]),
    ]  # fmt: skip


def test_calibration_is_told_with_what_a_temperature_would_do(poor):
    section = sections(parse(evaluation_page(poor, "t")))["Calibration"]
    bins = poor.calibration()
    assert f"error {100 * bins.error:.2f} %" in said(section)
    fitted = rn.calibration.fit_temperature(poor.logits[::2], poor.y[::2])
    z, y = poor.logits[1::2], poor.y[1::2]
    p = rn.calibration.apply_temperature(z, fitted)
    error = rn.calibration.expected_calibration_error(y, p)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    assert f"A temperature of {fitted:.4g}, fitted on every other row" in said(section)
    assert f"to {100 * error:.2f} % and the loss from" in said(section)
    assert f"to {loss:.4f}; rn.calibration.scale_outputs(model, {fitted:.4g})" in said(
        section
    )
    (table,) = section.iter("table")
    assert [row[1] for row in cells(table)[1:]] == [str(n) for n in bins.count if n]
    rect = list(section.iter("{http://www.w3.org/2000/svg}rect"))
    full = bins.accuracy[bins.count > 0]
    heights = (parts.HEIGHT - parts.TOP - parts.BOTTOM) * full
    assert [float(r.get("height")) for r in rect] == pytest.approx(heights, abs=0.06)


def test_the_worst_mistakes_are_pictures_with_what_spoke_for_them(poor):
    section = sections(parse(evaluation_page(poor, "t")))["Worst mistakes"]
    figures = list(section.iter("figure"))
    rows = poor.mistakes()[: page.WORST]
    assert len(figures) == len(rows)
    for figure, row in zip(figures, rows, strict=True):
        drawn, spoke = figure.iter("img")
        np.testing.assert_array_equal(pixels(drawn), poor.x[row])
        assert drawn.get("alt") == f"row {row}: a {poor.y[row]}"
        assert pixels(spoke).shape == (28, 28, 3)
        assert said(figure) == (
            f"{poor.y[row]} \u2192 {poor.predicted[row]}, "
            f"{100 * poor.probabilities[row].max():.1f} %"
            f"row {row}, loss {poor.losses[row]:.2f}"
        )


def test_without_a_log_the_page_says_so(poor, history):
    assert "no training log" in said(
        sections(parse(evaluation_page(poor, "t")))["Training"]
    )
    with_log = sections(parse(evaluation_page(poor, "t", (), history)))["Training"]
    assert "no training log" not in said(with_log)
    assert "best: epoch 2" in said(with_log)


def test_names_cannot_break_out(poor):
    evil = '</style><script>alert("x")</script>&\x00\ud800\n'
    names = [evil, *"abcdefghi"]
    named = rn.interpret(poor.model, poor.x, poor.y, names)
    text = evaluation_page(named, evil, [(evil, evil)])
    text.encode()  # no lone surrogates
    assert_self_contained(text)
    assert "<script" not in text
    assert '<script>alert("x")</script>' in parse(text).find("body/h1").text


def test_rows_that_are_no_images_are_a_table():
    net = rn.Network([rn.Dense(2)], (2,))
    net.parameters["layers.0.weight"][:] = np.eye(2)
    x = np.array([[1, 0], [0, 1], [0, 3]], np.float32)
    text = evaluation_page(rn.interpret(net, x, [0, 0, 0]), "t")
    assert_self_contained(text)
    found = sections(parse(text))
    (table,) = found["Worst mistakes"].iter("table")
    assert cells(table)[1] == ["2", "0", "1", "95.3 %", f"{np.log1p(np.exp(3)):.4f}"]
    assert "too few rows to fit a temperature" in said(found["Calibration"])


def test_without_mistakes():
    net = rn.Network([rn.Dense(2)], (2,))
    net.parameters["layers.0.weight"][:] = np.eye(2)
    labels = np.arange(200) % 2
    x = np.eye(2, dtype=np.float32)[labels]
    found = sections(parse(evaluation_page(rn.interpret(net, x, labels), "t")))
    assert "No mistakes." in said(found["Worst mistakes"])
    assert "No mistakes." in said(found["Most confused"])
    assert "expected rows whose label is not the likeliest class" in said(
        found["Calibration"]
    )
    assert "100.00 % (95 % interval 98.12 to 100.00 %)" in said(found["Result"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 255]], np.uint8), [[0, 1]]),
        (np.array([[0.25, 1.0]]), [[0.25, 1]]),
        (np.array([[-1.0, 3.0]]), [[0, 1]]),
        (np.array([[0, 1]]), [[0, 1]]),
    ],
)
def test_pictures_in_gray(values, expected):
    assert parts.as_gray(values).tolist() == expected


# ---- on the command line ----


@pytest.fixture
def run_folder(data, tmp_path):
    out = tmp_path / "run"
    rn.train_mlp(data, epochs=2, verbose=0, out=out)
    return out


def call(capsys, *args):
    """Return exit code, standard output and standard error of a command."""
    code = main(list(map(str, args)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_evaluate_writes_a_page(data, run_folder, tmp_path, capsys):
    target = tmp_path / "report.html"
    args = ("evaluate", run_folder / "best.safetensors", "--data", data, "--report", target)
    code, out, err = call(capsys, *args)
    assert (code, err) == (0, "")
    accuracy, last = out.splitlines()[-2:]
    assert last == f"Report: {target}"
    first = target.read_bytes()
    assert_self_contained(first.decode())
    found = sections(parse(first.decode()))
    facts = dict(cells(next(found["Model and data"].iter("table"))))
    described = rn.checkpoint.describe(run_folder / "best.safetensors")
    assert facts["sha256"] == described["sha256"]
    assert facts["to try it"].startswith(
        f"rnn-native export {run_folder}/best.safetensors "
    )
    assert facts["evaluated on"].endswith(": 200 test rows")
    assert str(data) in facts["evaluated on"]
    assert str(data) in facts["trained on"]
    assert facts["loss"] == "softmax_cross_entropy"
    head, best, _ = (
        ["".join(cell.itertext()) for cell in row]
        for row in list(found["Training"].iter("tr"))[-3:]
    )
    assert best[head.index("accuracy")].endswith(" %"), "that of training"
    assert "784 -> 512 -> 10" in facts["layers"]
    assert accuracy.removeprefix("Test Accuracy: ")[:-1] in said(found["Result"])
    assert "best: epoch 2" in said(found["Training"])
    assert call(capsys, *args, "--threads", 2)[0] == 0
    assert target.read_bytes() == first


def test_evaluate_of_a_folder_and_of_a_model_by_itself(data, run_folder, tmp_path, capsys):
    target = tmp_path / "report.html"
    args = ("--data", data, "--report", target, "--json")
    code, out, _ = call(capsys, "evaluate", run_folder, *args)
    assert code == 0
    assert json.loads(out)["report"] == str(target)
    assert "best: epoch" in target.read_text()
    alone = tmp_path / "alone.safetensors"
    rn.load(run_folder).save(alone)
    assert call(capsys, "evaluate", alone, *args)[0] == 0
    assert "no training log" in target.read_text()
    assert "unknown: the folder of the model has no config.json" in target.read_text()
    assert "report" not in json.loads(
        call(capsys, "evaluate", alone, "--json", *args[:2])[1]
    )


def assert_one_line(result, code, *words):
    assert result[0] == code
    assert result[2].count("\n") == 1
    for word in words:
        assert word in result[2]


def test_evaluate_refuses_a_bad_target_before_it_reads_anything(tmp_path, capsys):
    for target, words in [
        ("a.pdf", ("a.pdf", ".html")),
        (tmp_path / "no/a.html", ("there is no folder",)),
    ]:
        result = call(capsys, "evaluate", "missing", "--report", target)
        assert_one_line(result, 2, *words)


def test_a_broken_log_is_named_and_an_older_page_stays(data, run_folder, tmp_path, capsys):
    target = tmp_path / "report.html"
    target.write_text("before")
    (run_folder / "last.safetensors").unlink()
    (run_folder / "log.csv").write_text("nonsense\n")
    args = ("evaluate", run_folder, "--data", data, "--report", target)
    assert_one_line(call(capsys, *args), 1, "log.csv:1")
    assert target.read_text() == "before"


def test_a_model_of_values_is_refused(data, tmp_path, capsys):
    model, target = tmp_path / "value.safetensors", tmp_path / "report.html"
    rn.Network([rn.Flatten(), rn.Dense(1)], (1, 28, 28), "squared_error").save(model)
    result = call(capsys, "evaluate", model, "--data", data, "--report", target)
    assert_one_line(result, 1, "expected a classifier", "squared_error")
    assert not target.exists()
