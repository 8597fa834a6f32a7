"""Exported pages in Chromium: what they compute is what Python computes."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

import browser as browsers
import fuzz_nets
import net_check
import pictures
import random_nets
import rnn_native as rn
import twins
from branch_twins import nested
from cases import CASES, arrays
from rnn_native.cli import main
from rnn_native.export.functions import FUNCTIONS
from rnn_native.models import open_set
from rnn_native.recognizer import reading
from rnn_native.recognizer.opening import read_picture
from rnn_native.recognizer.preprocessing import from_strokes
from rnn_native.recognizer.strokes import Stroke
from rounding import with_bounds

NETS = range(6)  # seeds, of ten random nets each


def encoded(x):
    return base64.b64encode(np.ascontiguousarray(x, "<f4").tobytes()).decode()


def predictions(browser, folder, models, inputs, **options):
    """What pages of these models predict for each model's inputs.

    Pages with the same scripts are computed in one of them.
    """
    file = folder / "page.html"
    pages = [rn.export.html_page(model, **options) for model in models]
    scripts = [browsers.script_of(page) for page in pages]
    predicted = [None] * len(pages)
    for script in dict.fromkeys(scripts):
        chosen = [i for i, own in enumerate(scripts) if own == script]
        file.write_text(pages[chosen[0]])
        assert browser.open(file) == []
        parts = [browsers.parts_of(pages[i]) for i in chosen]
        found = browser.run(browsers.PREDICT, parts, [encoded(inputs[i]) for i in chosen])
        for i, rows in zip(chosen, found, strict=True):
            predicted[i] = np.array(rows, float).reshape(len(inputs[i]), -1)
    return predicted


# ---- what they compute ----


def network(case):
    """A net whose running statistics are drawn too, and inputs."""
    x, _, params = arrays(case)
    net = rn.Network(case.specs, case.input_shape, case.loss)
    net.weights[:] = twins.flatten_all(params)
    return net, x.astype(np.float32)


def assert_near(got, expected):
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(got, expected, atol=1e-5 * scale, rtol=0)


@pytest.fixture(scope="module")
def rows_of_cases(chromium, tmp_path_factory):
    nets, inputs = zip(*map(network, CASES), strict=True)
    rows = predictions(chromium, tmp_path_factory.mktemp("cases"), nets, inputs)
    return dict(zip(map(str, CASES), rows, strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_page_gives_what_the_net_gives(rows_of_cases, case):
    net, x = network(case)
    assert_near(rows_of_cases[case.name], net.predict_proba(x))


def test_an_int8_page_gives_what_the_rounded_net_gives(browser, tmp_path):
    rounded = ("deep cnn", "transformer", "embedding under a gru")
    chosen = [case for case in CASES if case.name in rounded]
    nets, inputs = zip(*map(network, chosen), strict=True)
    found = predictions(browser, tmp_path, nets, inputs, int8=True)
    for net, x, rows in zip(nets, inputs, found, strict=True):
        assert_near(rows, rn.export.rounded_to_int8(net).predict_proba(x))


def test_an_ensemble_is_the_mean_of_its_nets(browser, tmp_path, rng):
    nets = [rn.Network([rn.Dense(n, "tanh"), rn.Dense(3)], (5,), seed=n) for n in (4, 7)]
    x = rng.normal(size=(6, 5)).astype(np.float32)
    (rows,) = predictions(browser, tmp_path, [rn.Ensemble(nets)], [x])
    assert_near(rows, rn.Ensemble(nets).predict_proba(x))


def test_every_function_of_an_element(browser, tmp_path):
    names = [name for name in FUNCTIONS if name not in ("linear", "exp")]
    nets = [rn.Network([rn.Activation(name)], (1,), "squared_error") for name in names]
    z = np.concatenate([np.linspace(-9, 9, 91), [-90, -1e-3, 1e-6, 90]])
    x = z.astype(np.float32)[:, None]
    found = predictions(browser, tmp_path, nets, [x] * len(nets))
    for name, net, rows in zip(names, nets, found, strict=True):
        np.testing.assert_allclose(
            rows, net.predict(x).reshape(rows.shape), rtol=1e-6, atol=1e-6, err_msg=name
        )


class Answers:
    """Takes a core's place where it is compared with the twin."""

    def __init__(self, rows):
        self._rows = rows

    def predict(self, x):
        return self._rows


def skips(layers):
    """Give the layers of each last branch of a sum."""
    begin = 0
    for i, layer in enumerate(layers):
        if layer["type"] == "branch":
            begin = i + 1
        elif layer["type"] == "add":
            yield layers[begin:i]


def is_network(net):
    """Whether `Network` takes it: some blocks are the core's alone, those without layers, and
    those whose skip is not linear."""
    is_linear = all(
        layer.get("activation", "linear") == "linear"
        for skip in skips(net.layers)
        for layer in skip
    )
    return is_linear and "'layers': []" not in str(nested(net.layers))


def test_random_nets_match_the_twin(browser, tmp_path):
    # Of values: `Network` takes any last activation then.
    drawn = [
        replace(net, loss="squared_error")
        for seed in NETS
        for net in fuzz_nets.nets_of(seed)
        if is_network(net)
    ]
    assert len(drawn) > 4 * len(NETS)
    nets, inputs = [], []
    for net in drawn:
        x, _, _, params = random_nets.arrays(net)
        made = rn.Network(nested(net.layers), net.input_shape, net.loss)
        made.weights[:] = twins.flatten_all(params)
        nets.append(made)
        inputs.append(np.float32(x) / np.float32(255) if net.as_bytes else x)
    found = predictions(browser, tmp_path, nets, inputs)
    for net, made, rows in zip(drawn, nets, found, strict=True):
        x, y, weights, _ = random_nets.arrays(net)
        with with_bounds(has_equal_weights=net.params == "eighths"):
            twin = net_check.Twin(net, x, y, weights)
            params = twin.params(made.weights)
            net_check.check_predictions(Answers(rows), twin, params, x, str(net.layers))


# ---- digits ----


@pytest.fixture(scope="module")
def thousand(request):
    """A thousand images of MNIST's, or generated ones where it is missing."""
    try:
        (_, (images, _)) = request.getfixturevalue("mnist")
    except pytest.skip.Exception:
        images, _ = rn.datasets.synthetic_digits(1000, seed=5)
    return images[:1000]


def test_the_shipped_page_reads_a_thousand_digits_as_python_does(
    browser, tmp_path, thousand
):
    net = rn.pretrained.load()
    x = thousand[:, None] / np.float32(255)
    (rows,) = predictions(browser, tmp_path, [net], [x])
    np.testing.assert_allclose(rows, net.predict_proba(thousand), atol=1e-5, rtol=0)
    np.testing.assert_array_equal(rows.argmax(axis=1), net.predict(thousand))
    assert (tmp_path / "page.html").stat().st_size <= 400_000


def random_strokes(rng):
    """Walks with jumps, curves, dots, and lines off the pad."""
    strokes = []
    for _ in range(rng.integers(1, 5)):
        steps = rng.normal(size=(rng.integers(1, 40), 2)) * rng.choice([0.5, 5, 60])
        points = rng.uniform(-40, 320, 2) + steps.cumsum(axis=0)
        strokes.append(Stroke(points, rng.choice([4, 20, 80])))
    return strokes


def as_lists(strokes):
    return [{"points": s.points.tolist(), "width": s.width} for s in strokes]


def test_strokes_become_the_same_pixels_as_in_python(browser, tmp_path, rng):
    predictions(browser, tmp_path, [rn.pretrained.load()], [np.zeros((1, 784))])
    drawings = [random_strokes(rng) for _ in range(150)]
    drawings += [
        [],
        [Stroke([(3.5, 7)], 20)],
        [Stroke([(0, 0), (0, 0)], 20)],
        [Stroke([(10, 10), (10, 250)], 20)],
        [Stroke([(5, 5)], 4), Stroke([(275, 275)], 4)],
    ]
    script = "return arguments[0].map((strokes) => [...fromStrokes(strokes)])"
    found = browser.run(script, [as_lists(strokes) for strokes in drawings])
    expected = [from_strokes(strokes).ravel() for strokes in drawings]
    np.testing.assert_array_equal(np.array(found, "f"), expected)


READ = """
const nets = openNets(described, bytesOf(byId("weights").textContent));
return arguments[0].map((image) => {
  const reading = readDrawing(nets, Float32Array.from(image), described.outputs.names, true);
  return [reading.label, reading.doubt];
});
"""


def test_drawings_are_read_and_doubted_as_in_python(browser, tmp_path, rng, monkeypatch):
    net, known = rn.pretrained.load(), open_set.shipped()
    predictions(browser, tmp_path, [net], [np.zeros((1, 784))])
    rounded = known._replace(net=rn.export.rounded_to_int8(known.net))
    monkeypatch.setattr(open_set, "shipped", lambda: rounded)
    images = [from_strokes(random_strokes(rng)) for _ in range(100)]
    images += [np.zeros((28, 28), "f"), np.ones((28, 28), "f")]
    images += [np.float32(rng.random((28, 28)) < share) for share in (0.01, 0.1, 0.6)]
    found = browser.run(READ, [image.ravel().tolist() for image in images])
    readings = [reading.recognise(net, image) for image in images]
    expected = [[one.label, one.doubt or ""] for one in readings]
    assert found == expected
    assert len({doubt[:5] for _, doubt in found}) > 5  # each reason is among them


def test_a_photographed_page_is_read_as_by_predict(browser, tmp_path, capsys):
    """The exported page reads the digits that `predict` found, one by one, as `predict` does."""
    numbers = ("2026", "31415", "90210", "8657")
    rng = np.random.default_rng(2)
    photo = pictures.page_of_numbers(pictures.sure_digits(), numbers, rng)
    photo.save(tmp_path / "photo.png")
    command = ["predict", str(tmp_path / "photo.png"), "--layout", "digits", "--json"]
    assert main(command) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert told["lines"] == list(numbers)
    page = reading.read_digits(
        rn.pretrained.load(), read_picture(tmp_path / "photo.png")
    ).page
    assert [list(digit.box) for digit in page.digits] == [d["box"] for d in told["digits"]]
    model = str(rn.pretrained.PATH)
    assert main(["export", model, str(tmp_path / "digit.html")]) == 0
    assert browser.open(tmp_path / "digit.html") == []
    found = browser.run(READ, [digit.image.ravel().tolist() for digit in page.digits])
    assert found == [[digit["digit"], ""] for digit in told["digits"]]
    assert "".join(str(label) for label, _ in found) == "".join(numbers)
    assert browser.console() == []


def test_a_guard_says_what_is_no_digit(browser, tmp_path, rng, monkeypatch):
    none = open_set.shipped()._replace(threshold=2.0)  # finds everything a digit
    monkeypatch.setattr(open_set, "shipped", lambda: none)
    net = rn.pretrained.load()
    guard = rn.Network([rn.Flatten(), rn.Dense(11)], (1, 28, 28), seed=3)
    images = [from_strokes(random_strokes(rng)) for _ in range(40)]
    rounded = rn.export.rounded_to_int8(guard)
    scores = rounded.predict_proba(np.float32(images)[:, None])[:, -1]
    threshold = float(np.median(scores)) + 1e-6
    predictions(browser, tmp_path, [net], [np.zeros((1, 784))], guard=(guard, threshold))
    found = browser.run(READ, [image.ravel().tolist() for image in images])
    for image, (label, doubt), score in zip(images, found, scores, strict=True):
        plain = reading.recognise(net, image)
        if plain.label is not None and score > threshold:
            assert (label, doubt) == (None, "not a digit")
        else:
            assert (label, doubt) == (plain.label, plain.doubt or "")
    assert "not a digit" in {doubt for _, doubt in found}
