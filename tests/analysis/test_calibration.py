"""Calibration against slow loops, a grid, and cases that can be worked by hand."""

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.analysis.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability,
    scale_outputs,
)
from rnn_native.analysis.logits import class_logits


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def labels_of(p, rng):
    """A label for each row, drawn with its probabilities."""
    return (rng.random((len(p), 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def nll(z, y):
    return -np.log(softmax(z)[np.arange(len(y)), y]).mean()


# ---- expected calibration error ----


def slow_error(y, p, bins):
    """Guo et al. 2017, equations 2, 3 and 5, a row at a time."""
    error = 0.0
    for m in range(1, bins + 1):
        rows = [i for i in range(len(y)) if (m - 1) / bins < max(p[i]) <= m / bins]
        if rows:
            right = sum(np.argmax(p[i]) == y[i] for i in rows) / len(rows)
            sure = sum(max(p[i]) for i in rows) / len(rows)
            error += len(rows) / len(y) * abs(right - sure)
    return error


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("classes", [2, 5])
def test_error_is_that_of_a_slow_loop(bins, classes, rng):
    p = softmax(2 * rng.normal(size=(300, classes)))
    y = rng.integers(0, classes, 300)
    expected = slow_error(y, p, bins)
    assert expected > 0.05
    assert expected_calibration_error(y, p, bins) == pytest.approx(expected, rel=1e-12)


def test_bins_by_hand():
    """Two bins: 0.5 is in the lower one, with its upper edge; 0.6 and 1 in the upper."""
    seen = reliability([0, 1, 0, 0], [[0.5, 0.5], [0.6, 0.4], [0.6, 0.4], [1, 0]], bins=2)
    assert seen.edges.tolist() == [0, 0.5, 1]
    assert seen.count.tolist() == [1, 3]
    np.testing.assert_allclose(seen.confidence, [0.5, 2.2 / 3])
    np.testing.assert_allclose(seen.accuracy, [1, 2 / 3])
    assert seen.error == pytest.approx((0.5 + 3 * (2.2 - 2) / 3) / 4)


def test_empty_bins_are_nan_and_count_for_nothing():
    seen = reliability([0, 0], [[1, 0], [1, 0]], bins=4)
    assert seen.count.tolist() == [0, 0, 0, 2]
    assert np.isnan(seen.accuracy[:3]).all()
    assert np.isnan(seen.confidence[:3]).all()
    assert seen.error == 0
    for limits, expected in zip(seen.interval(), (0.3424, 1), strict=True):
        assert np.isnan(limits[:3]).all()
        assert limits[3] == pytest.approx(expected, abs=5e-5)  # n / (n + 1.96 ** 2), and 1


def test_one_column_is_class_1():
    p = np.array([0.9, 0.2, 0.4])
    whole = reliability([1, 0, 1], np.stack([1 - p, p], axis=1), 10)
    for form in (p, p[:, None], p.astype(np.float32)):
        seen = reliability([1, 0, 1], form, 10)
        np.testing.assert_allclose(seen.accuracy, whole.accuracy)
        np.testing.assert_allclose(seen.confidence, whole.confidence, rtol=1e-6)


def test_scikit_learn_agrees_on_bins(rng):
    """Its curve is that of class 1, so of two classes ours is the same when all are above 0.5."""
    curves = pytest.importorskip("sklearn.calibration")
    p = rng.uniform(0.5, 1, 400)
    y = (rng.random(400) < p**2).astype(int)
    right, sure = curves.calibration_curve(y, p, n_bins=10)
    seen = reliability(y, p, 10)
    full = seen.count > 0
    np.testing.assert_allclose(seen.accuracy[full], right)
    np.testing.assert_allclose(seen.confidence[full], sure)


def test_rounding_beyond_1_is_in_the_last_bin():
    p = np.array([[np.nextafter(1, 2), 0.0]])
    assert reliability([0], p, 5).count.tolist() == [0, 0, 0, 0, 1]


# ---- temperature ----


@pytest.mark.parametrize("wanted", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 6])
def test_temperature_is_found_again(wanted, classes, rng):
    """Labels drawn from the model, whose logits then are multiplied."""
    z = 2 * rng.normal(size=(20_000, classes))
    y = labels_of(softmax(z), rng)
    assert fit_temperature(wanted * z, y) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_temperature_is_the_best_of_a_grid(seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(60, 4)) * rng.choice([0.1, 1, 30])
    y = np.where(rng.random(60) < 0.7, z.argmax(axis=1), rng.integers(0, 4, 60))
    found = fit_temperature(z, y)
    grid = found * np.exp(np.linspace(-1, 1, 2001))
    losses = [nll(z / t, y) for t in grid]
    assert grid[np.argmin(losses)] == found == grid[1000]
    wide = np.exp(np.linspace(-9, 9, 500))
    with np.errstate(divide="ignore"):
        assert nll(z / found, y) <= min(nll(z / t, y) for t in wide)


def test_temperature_by_hand():
    """One logit of 2, right three times of four: sigmoid(2 / T) = 3/4, so T = 2 / log 3."""
    assert fit_temperature([2, 2, 2, 2], [1, 1, 1, 0]) == pytest.approx(
        2 / np.log(3), rel=1e-12
    )


@pytest.mark.parametrize("scale", [1e-200, 1e-8, 1e8, 1e200])
def test_temperature_of_any_scale(scale):
    z, y = np.array([2, 2, 2, 2.0]), [1, 1, 1, 0]
    assert fit_temperature(scale * z, y) == pytest.approx(2 * scale / np.log(3), rel=1e-9)


def test_temperature_takes_logarithms_of_probabilities_too(rng):
    z = 3 * rng.normal(size=(200, 3))
    y = labels_of(softmax(z / 2), rng)
    assert fit_temperature(np.log(softmax(z)), y) == pytest.approx(
        fit_temperature(z, y), rel=1e-9
    )


def test_apply_temperature():
    z = np.log([[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(apply_temperature(z, 1), [[0.9, 0.1], [0.5, 0.5]])
    half = np.array([[3.0, 1.0], [2.0, 2.0]]) / 4
    np.testing.assert_allclose(apply_temperature(z, 2), half)
    np.testing.assert_allclose(apply_temperature([np.log(9)], 2), half[:1, ::-1])


@pytest.mark.parametrize(
    ("z", "y", "words"),
    [
        ([[2, 0], [0, 1]], [0, 1], "expected rows whose label is not the likeliest class"),
        ([[1, 1], [0, 0]], [0, 1], "expected rows whose label is not the likeliest class"),
        ([[2, 0], [0, 1]], [1, 0], "predict the labels better than chance"),
    ],
)
def test_where_no_temperature_is_best(z, y, words):
    with pytest.raises(ValueError, match=words):
        fit_temperature(z, y)


# ---- a net at a temperature ----

NETS = {
    "mlp": rn.Network([rn.Dense(16, "relu"), rn.Dense(5)], (6,)),
    "yes or no": rn.Network([rn.Dense(1)], (6,), "sigmoid_cross_entropy"),
    "sigmoid": rn.Network([rn.Dense(4), rn.Dense(1, "sigmoid")], (6,), "squared_error"),
    "sigmoid apart": rn.Network(
        [rn.Dense(1), rn.Activation("sigmoid")], (6,), "squared_error"
    ),
    "softmax": rn.Network([rn.Dense(3), rn.Softmax()], (6,), "squared_error"),
    "tokens": rn.Network([rn.Dense(4), rn.MeanPool()], (3, 2)),
    "image": rn.Network(
        [rn.Conv2D(4, 1), rn.AvgPool2D(3), rn.Flatten(), rn.Dropout(0.5)], (1, 3, 3)
    ),
}


def labels(outputs):
    return outputs >= 0.5 if outputs.shape[1] == 1 else outputs.argmax(axis=1)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("temperature", [0.3, 2.5])
def test_scaled_nets_say_what_the_temperature_makes(name, temperature, rng):
    net = NETS[name]
    net.weights[:] = rng.normal(size=net.weights.size)
    x = rng.normal(size=(50, *net.input_shape)).astype(np.float32)
    before = net.predict_proba(x)
    scaled = scale_outputs(net, temperature)
    expected = apply_temperature(class_logits(net, x), temperature)
    got = scaled.predict_proba(x)
    np.testing.assert_allclose(got, expected[:, -got.shape[1] :], atol=2e-6)
    assert np.abs(got - before).max() > 0.05, "the temperature changed nothing"
    assert np.array_equal(labels(got), labels(before))
    assert np.array_equal(net.predict_proba(x), before), "the net was changed"
    assert scaled.architecture() == net.architecture()


def test_a_scaled_net_is_a_model_file_like_any_other(tmp_path, rng):
    net, x = NETS["mlp"], rng.normal(size=(20, 6)).astype(np.float32)
    scaled = scale_outputs(net, 1.7)
    scaled.save(tmp_path / "model.safetensors")
    assert np.array_equal(
        rn.load(tmp_path / "model.safetensors").predict_proba(x), scaled.predict_proba(x)
    )


def test_a_temperature_mends_a_net_that_is_too_sure(digits):
    (x, y), (x_test, y_test) = digits
    net = rn.pretrained.load()
    too_sure = scale_outputs(net, 0.2)
    fitted = fit_temperature(class_logits(too_sure, x), y)
    mended = scale_outputs(too_sure, fitted)
    assert fitted > 2
    errors = [
        expected_calibration_error(y_test, model.predict_proba(x_test))
        for model in (too_sure, mended)
    ]
    assert mended.evaluate(x_test, y_test)[0] < too_sure.evaluate(x_test, y_test)[0]
    assert errors[1] < errors[0]


# ---- what is refused ----


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([0], [[0.5, 0.4]]), ValueError, r"rows that sum to 1, got 0.9 at \[0\]"),
        (([0], [[1.5, -0.5]]), ValueError, r"probabilities: expected numbers in \[0, 1\]"),
        (([0], [[np.nan, 1]]), ValueError, "probabilities"),
        (([0], [[[1]]]), ValueError, r"probabilities: .* got int64 of shape \(1, 1, 1\)"),
        (([], np.zeros((0, 2))), ValueError, "probabilities"),
        (([0], [["a"]]), ValueError, "probabilities"),
        (([0, 1], [[1, 0]]), ValueError, "y: expected 1 labels, one per row, got 2"),
        (([2], [[1, 0]]), ValueError, r"y: expected labels in 0..1, got 2 at \[0\]"),
        (([0.0], [[1, 0]]), TypeError, "y: expected integer labels"),
        (([0], [[1, 0]], 0), ValueError, r"bins: .* 1..1000, got 0"),
        (([0], [[1, 0]], 1001), ValueError, "bins"),
    ],
)
def test_bad_probabilities_and_labels_are_refused(arguments, error, words):
    for function in (reliability, expected_calibration_error):
        with pytest.raises(error, match=words):
            function(*arguments)


def test_bad_logits_are_refused():
    for function in (lambda z: fit_temperature(z, [0]), lambda z: apply_temperature(z, 1)):
        with pytest.raises(ValueError, match="logits: expected finite numbers"):
            function([[np.inf, 0]])
        with pytest.raises(ValueError, match="logits: expected numbers of shape"):
            function(3.0)


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf])
def test_bad_temperatures_are_refused(temperature):
    for function in (
        lambda t: apply_temperature([[0, 1]], t),
        lambda t: scale_outputs(NETS["mlp"], t),
    ):
        with pytest.raises(
            ValueError, match="temperature: expected a finite number above 0"
        ):
            function(temperature)


@pytest.mark.parametrize(
    ("layers", "loss", "words"),
    [
        ([rn.Dense(3, "leaky_relu")], "softmax_cross_entropy", "got dense leaky_relu"),
        ([rn.Dense(3), rn.LayerNorm()], "softmax_cross_entropy", "got layernorm linear"),
        ([rn.Softmax()], "softmax_cross_entropy", "got activation linear"),
        (
            [rn.Dense(3)],
            "squared_error",
            "got one that predicts values, trained on squared_error",
        ),
    ],
)
def test_nets_that_no_factor_goes_through_are_refused(layers, loss, words):
    with pytest.raises(ValueError, match=words):
        scale_outputs(rn.Network(layers, (4,), loss), 2.0)


def test_weights_that_would_overflow_are_refused():
    with pytest.raises(ValueError, match="too low for float32"):
        scale_outputs(rn.Network([rn.Dense(2)], (3,)), 1e-45)
