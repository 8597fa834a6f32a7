"""What an interpretation says, against hand-worked numbers and scikit-learn; what it draws."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

import rnn_native as rn
from rnn_native import plots


def identity_net(classes):
    """A net whose logits are its input."""
    net = rn.Network([rn.Dense(classes)], (classes,))
    net.parameters["layers.0.weight"][:] = np.eye(classes)
    return net


def sure_of(predicted, classes=3, logit=2.0):
    """Inputs of `identity_net` that it gives these labels."""
    return np.float32(logit) * np.eye(classes, dtype=np.float32)[predicted]


def seen_as(y, predicted, classes=3, **more):
    x = sure_of(predicted, classes)
    return rn.interpret(identity_net(classes), x, y, **more)


@pytest.fixture
def ax():
    return Figure().add_subplot()


# ---- numbers ----


def test_it_says_what_the_model_says(poor):
    assert np.array_equal(poor.predicted, poor.model.predict(poor.x))
    np.testing.assert_array_equal(poor.probabilities, poor.model.predict_proba(poor.x))
    loss, accuracy = poor.model.evaluate(poor.x, poor.y)
    assert poor.accuracy == accuracy < 0.9
    assert poor.loss == pytest.approx(loss, rel=1e-6)


def test_losses_are_scikit_learns(poor):
    metrics = pytest.importorskip("sklearn.metrics")
    losses = [
        metrics.log_loss([label], [p], labels=range(10))
        for label, p in zip(poor.y, poor.probabilities / poor.probabilities.sum(1)[:, None],
                            strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(poor.losses, losses, rtol=1e-5)
    expected = metrics.confusion_matrix(poor.y, poor.predicted, labels=range(10))
    np.testing.assert_array_equal(poor.confusion_matrix(), expected)


def test_losses_stay_finite_where_probabilities_are_zero():
    x = sure_of([0, 1], classes=2, logit=500)
    seen = rn.interpret(identity_net(2), x, [1, 1])
    assert seen.probabilities.tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(seen.losses, [500, 0])
    assert seen.top_losses(1).losses.tolist() == [500]


def test_most_confused_by_hand():
    y, guess = [0, 0, 0, 1, 1, 2, 2, 2, 2], [1, 1, 2, 0, 1, 0, 0, 1, 2]
    seen = seen_as(y, guess)
    assert seen.confusion_matrix().tolist() == [[0, 2, 1], [1, 1, 0], [2, 1, 1]]
    expected = [(0, 1, 2), (2, 0, 2), (0, 2, 1), (1, 0, 1), (2, 1, 1)]
    assert seen.most_confused() == expected
    assert seen.most_confused(min_val=2) == expected[:2]
    assert seen.most_confused(min_val=0) == expected
    assert seen.most_confused(min_val=3) == []
    assert seen.most_confused()[0].times == 2


def test_top_losses_by_hand():
    x = np.array([[3, 0], [0, 1], [0, 2], [0, 1]], np.float32)
    seen = rn.interpret(identity_net(2), x, [0, 0, 0, 0])
    losses = np.log1p(np.exp([-3, 1, 2, 1]))
    np.testing.assert_allclose(seen.losses, losses)
    top = seen.top_losses(3)
    assert top.rows.tolist() == [2, 1, 3]  # of equals the first
    np.testing.assert_allclose(top.losses, losses[[2, 1, 3]])
    assert seen.top_losses(9).rows.tolist() == [2, 1, 3, 0]
    assert seen.mistakes().tolist() == [2, 1, 3]


def test_report_has_the_names(capsys):
    names = ["cat", "dog", "an animal with a long name"]
    seen = seen_as([0, 1, 1], [0, 1, 0], class_names=names)
    seen.print_classification_report()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["class", "precision", "recall", "f1", "rows"]
    assert lines[2].split() == ["dog", "1.0000", "0.5000", "0.6667", "2"]
    assert lines[3].startswith("an animal with a long name ")
    assert len({len(line) for line in lines}) == 1
    assert seen.report().accuracy == seen.accuracy == 2 / 3


def test_calibration_and_temperature_are_those_of_the_functions(poor):
    expected = rn.calibration.reliability(poor.y, poor.model.predict_proba(poor.x), 7)
    np.testing.assert_array_equal(poor.calibration(7).count, expected.count)
    assert poor.calibration(7).error == expected.error
    logits = rn.logits.class_logits(poor.model, poor.x)
    assert poor.temperature() == rn.calibration.fit_temperature(logits, poor.y)


@pytest.mark.parametrize(
    "y", [[0, 1, 1], [0.0, 1.0, 1.0], [[0], [1], [1]], [False, True, True]]
)
@pytest.mark.parametrize(
    ("activation", "loss"),
    [("sigmoid", "squared_error"), ("linear", "sigmoid_cross_entropy")],
)
def test_one_sigmoid_is_two_classes(y, activation, loss):
    net = rn.Network([rn.Dense(1, activation)], (1,), loss)
    net.parameters["layers.0.weight"][:] = 1
    x = np.array([[-1], [-2], [800]], np.float32)
    seen = rn.interpret(net, x, y, class_names=["no", "yes"])
    assert seen.predicted.tolist() == [0, 0, 1]
    assert seen.confusion_matrix().tolist() == [[1, 0], [1, 1]]
    expected = 1 / (1 + np.exp([1, 2, -800]))
    np.testing.assert_allclose(seen.probabilities, np.stack([1 - expected, expected], 1))
    np.testing.assert_allclose(seen.losses, [np.log1p(np.exp(-1)), np.log1p(np.exp(2)), 0])
    assert seen.most_confused() == [(1, 0, 1)]


def test_xor():
    result = rn.train_xor(epochs=200_000, verbose=0)
    seen = rn.interpret(result.model, rn.models.XOR_X, rn.models.XOR_Y)
    assert seen.accuracy == 1
    assert seen.mistakes().tolist() == []


# ---- what is refused ----


@pytest.mark.parametrize(
    ("layers", "loss", "words"),
    [
        (
            [rn.Dense(3)],
            "squared_error",
            "got one that predicts values, trained on squared_error",
        ),
        (
            [rn.Dense(1)],
            "squared_error",
            "got one that predicts values, trained on squared_error",
        ),
        (
            [rn.Dense(3, "sigmoid")],
            "squared_error",
            "3 sigmoid outputs, which answer one question",
        ),
        ([rn.Dense(1)], "softmax_cross_entropy", "a softmax of one output"),
        (
            [rn.Dense(2)],
            "sigmoid_cross_entropy",
            "2 sigmoid outputs, which answer one question",
        ),
        ([rn.Dense(1, "exponential")], "poisson", "trained on poisson"),
    ],
)
def test_models_that_tell_no_classes_apart_are_refused(layers, loss, words):
    with pytest.raises(ValueError, match=words) as caught:
        rn.interpret(rn.Network(layers, (2,), loss), np.zeros((2, 2), np.float32), [0, 0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "names", "error", "words"),
    [
        (np.zeros((2, 4)), [0, 1], None, ValueError, r"x: expected shape \(n, 3\)"),
        (
            np.zeros((2, 3)),
            [0],
            None,
            ValueError,
            "y: expected 2 labels, one per row, got 1",
        ),
        (np.zeros((2, 3)), [0, 3], None, ValueError, r"y: expected labels in 0..2, got 3"),
        (np.zeros((2, 3)), [0.0, 1.0], None, TypeError, "y: expected integer labels"),
        (
            np.zeros((2, 3)),
            [0, 1],
            ["a"],
            ValueError,
            "class_names: expected 3, one per class",
        ),
    ],
)
def test_bad_data_are_refused(x, y, names, error, words):
    with pytest.raises(error, match=words):
        rn.interpret(identity_net(3), x, y, names)


def test_bad_counts_are_refused(poor):
    with pytest.raises(ValueError, match="k: expected an integer of at least 1, got 0"):
        poor.top_losses(0)
    with pytest.raises(ValueError, match=r"k: expected an integer of at least 1, got 1\.5"):
        poor.top_losses(1.5)


# ---- pictures ----


def test_pictures_of_rows(digits):
    (x, y), _ = digits
    rows = [4, 2]
    for shape in [(1, 28, 28), (784,), (28, 28)]:
        net = rn.Network([*[rn.Flatten()][: len(shape) - 1], rn.Dense(10)], shape)
        for form in (x, x.reshape(-1, 784), x[:, None]):
            seen = rn.interpret(net, form, y)
            np.testing.assert_array_equal(seen.pictures(rows), x[rows])
    small = rn.Network([rn.Flatten(), rn.Dense(10)], (1, 7, 112))
    assert rn.interpret(small, x.reshape(-1, 784), y).pictures(rows).shape == (2, 7, 112)
    assert seen_as([0], [0]).pictures([0]) is None


def test_top_losses_of_images(poor, ax):
    assert poor.plot_top_losses(5, ax) is ax
    rows = poor.top_losses(5).rows
    for image, row in zip(ax.images, rows, strict=True):
        np.testing.assert_array_equal(image.get_array(), poor.x[row])
    row, p = rows[0], poor.probabilities[rows[0]]
    assert ax.texts[0].get_text() == (
        f"{poor.y[row]} \u2192 {poor.predicted[row]}, {100 * p.max():.1f} %\n"
        f"loss {poor.losses[row]:.2f}"
    )


def test_top_losses_of_a_table_are_bars(ax):
    seen = seen_as([0, 0, 1], [0, 2, 1], class_names=["a", "$b$", "c" * 30])
    seen.plot_top_losses(2, ax)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(
        seen.top_losses(2).losses
    )
    texts = [text.get_text() for text in ax.get_yticklabels()]
    share = 100 * np.exp(2) / (np.exp(2) + 2)
    assert texts[0] == f"row 1: a \u2192 ...{9 * 'c'}, {share:.1f} %"
    ax.figure.canvas.draw()


def test_confusion_matrix_in_shares(ax):
    seen = seen_as([0, 0, 0, 1], [0, 0, 1, 1], class_names=["a", "b", "c"])
    seen.plot_confusion_matrix(normalize=True, ax=ax)
    assert [text.get_text() for text in ax.texts] == ["0.67", "0.33", "1.00"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"]
    other = Figure().add_subplot()
    seen.plot_confusion_matrix(ax=other)
    assert [text.get_text() for text in other.texts] == ["2", "1", "1"]


def test_reliability_diagram_shows_the_bins(poor, ax):
    poor.plot_calibration(10, ax)
    bins = poor.calibration(10)
    full = bins.count > 0
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(bins.accuracy[full])
    assert [bar.get_x() for bar in ax.patches] == pytest.approx(bins.edges[:-1][full])
    points = ax.lines[0].get_xdata(), ax.lines[0].get_ydata()
    np.testing.assert_allclose(points, [bins.confidence[full], bins.accuracy[full]])
    assert f"{100 * bins.error:.2f} %" in ax.get_title()


def test_saliency_over_images(ax):
    images = np.array([[[0, 255]], [[255, 0]]], np.uint8)
    maps = np.array([[[1, 0]], [[0, -1]]])
    plots.saliency_over_images(images, maps, ["one", "$\\two$"], ax)
    shown = [image.get_array().tolist() for image in ax.images]
    assert shown == [
        [[[196, 135, 0], [255, 255, 255]]],
        [[[255, 255, 255], [73, 153, 198]]],
    ]
    assert [text.get_text() for text in ax.texts] == ["one", "$\\two$"]
    ax.figure.canvas.draw()  # as text, not as mathematics


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (
            "saliency_over_images",
            ([[[2.0]]], [[[0]]]),
            "images: expected uint8, or numbers",
        ),
        (
            "saliency_over_images",
            ([[[1.0]]], [[[2]]]),
            r"maps: expected numbers in \[-1, 1\]",
        ),
        ("saliency_over_images", ([[[1.0]]], [[[0, 1]]]), "maps: expected shape"),
        ("saliency_over_images", ([[[1.0]]], [[[0]]], ["a", "b"]), "titles: expected 1"),
        ("top_losses", (None, [0], [1.0], [1]), "probabilities: expected shape"),
        ("top_losses", (None, [0], [[1, 0]], [1, 2]), "losses: expected 1"),
        ("top_losses", ([[[1]]] * 2, [0], [[1, 0]], [1]), "images: expected 1, got 2"),
        ("top_losses", (None, [0], [[1, 0]], [1], None, ["a"]), "names: expected 2"),
        ("top_losses", (None, [0, 1], [[1, 0]] * 2, [1, 2], [7]), "numbers: expected 2"),
        ("reliability_diagram", ([0], [[1, 0]], 0), "bins"),
    ],
)
def test_bad_pictures_are_refused(function, arguments, words):
    with pytest.raises(ValueError, match=words):
        getattr(plots, function)(*arguments)


# ---- in a notebook ----


def test_notebooks_show_the_matrix_and_what_is_confused():
    names = ["<cat>", "dog & co", "hen"]
    seen = seen_as([0, 0, 1, 1, 1], [0, 1, 0, 0, 1], class_names=names)
    root = ET.fromstring(seen._repr_html_())
    matrix, pairs = root.iter("table")
    rows = [["".join(cell.itertext()) for cell in row] for row in matrix.iter("tr")]
    assert rows == [
        ["true \\ predicted", *names],
        ["<cat>", "1", "1", "0"],
        ["dog & co", "2", "1", "0"],
        ["hen", "0", "0", "0"],
    ]
    assert {cell.get("scope") for cell in matrix.iter("th")} == {"row", "col"}
    rows = [["".join(cell.itertext()) for cell in row] for row in pairs.iter("tr")]
    assert rows[1:] == [
        ["dog & co", "<cat>", "2", "66.67 %"],
        ["<cat>", "dog & co", "1", "50.00 %"],
    ]
    assert "5 rows: accuracy 40.00 %" in "".join(root.itertext())


def test_a_matrix_that_is_too_large_is_left_out():
    seen = seen_as([0, 40], [0, 0], classes=41)
    root = ET.fromstring(seen._repr_html_())
    assert len(list(root.iter("table"))) == 1
    assert "41 classes is too large" in "".join(root.itertext())
