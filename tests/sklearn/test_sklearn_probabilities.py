"""Probabilities near 0 and 1, and their logarithms: from logits, to the last digit."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

import rnn_native as rn
import rnn_native._core as _core
from cases import POISSON, SIGMOID, SOFTMAX, SQUARES, dense
from rnn_native.sklearn import MLPClassifier, NetworkClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# exp(-17) = 4.14e-8 is half a rounding of 1 in float32, exp(-80) = 1.8e-35, exp(-400) = 0.
LOGITS = np.array([-400.0, -80, -17, -1, 0, 1, 17, 80, 400])
LOG_OF_1 = -np.logaddexp(0, -LOGITS)
LOG_OF_0 = -np.logaddexp(0, LOGITS)


@pytest.mark.parametrize("names", [[0, 1], ["no", "yes"]], ids=str)
def test_two_classes_of_one_logit(names):
    model = MLPClassifier((), max_iter=1)
    y = np.array(names * 20)
    model.fit(np.random.default_rng(0).normal(size=(40, 1)), y)
    model.network_.weights[:] = [1, 0]
    x = LOGITS[:, None]
    logs = np.stack([LOG_OF_0, LOG_OF_1], axis=1)
    found, found_logs = model.predict_proba(x), model.predict_log_proba(x)
    assert found.dtype == found_logs.dtype == np.float32
    np.testing.assert_allclose(found, np.exp(logs), rtol=1e-6, atol=1e-44)
    np.testing.assert_allclose(found_logs, logs, rtol=1e-6, atol=1e-44)
    assert np.isfinite(found_logs).all()
    np.testing.assert_array_equal(
        model.predict(x), model.classes_[(LOGITS > 0).astype(int)]
    )


def test_several_classes():
    model = MLPClassifier((), max_iter=1)
    model.fit(np.random.default_rng(0).normal(size=(60, 1)), np.arange(60) % 3)
    model.network_.weights[:] = [1, 0, 0, 0, 0, 0]
    z = np.stack([LOGITS, 0 * LOGITS, 0 * LOGITS], axis=1)
    expected = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    found = model.predict_log_proba(LOGITS[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-44)
    np.testing.assert_allclose(
        model.predict_proba(LOGITS[:, None]), np.exp(expected), rtol=1e-5, atol=1e-37
    )


def test_several_labels():
    model = MLPClassifier((), max_iter=1)
    y = np.random.default_rng(0).integers(0, 2, (40, 3))
    model.fit(np.random.default_rng(0).normal(size=(40, 1)), y)
    model.network_.weights[:] = [1, -1, 0, 0, 0, 0]
    found = model.predict_log_proba(LOGITS[:, None])
    expected = np.stack([LOG_OF_1, LOG_OF_0, np.full(len(LOGITS), np.log(0.5))], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-44)


def test_any_layers():
    model = NetworkClassifier([rn.Dense(2)], max_iter=1)
    model.fit(np.random.default_rng(0).normal(size=(40, 1)), np.arange(40) % 2)
    model.network_.weights[:] = [0, 1, 0, 0]
    logs = np.stack([LOG_OF_0, LOG_OF_1], axis=1)
    found = model.predict_log_proba(LOGITS[:, None])
    np.testing.assert_allclose(found, logs, rtol=1e-6, atol=1e-16)


def test_an_interpretation_has_both_columns_from_the_logit():
    net = rn.Network([rn.Dense(1)], (1,), SIGMOID)
    net.weights[:] = [1, 0]
    seen = rn.interpret(net, LOGITS[:, None], (LOGITS > 0).astype(int))
    np.testing.assert_allclose(
        seen.probabilities[:, 0], np.exp(LOG_OF_0), rtol=1e-6, atol=1e-44
    )


@pytest.mark.parametrize("loss", [SOFTMAX, SIGMOID, POISSON, SQUARES])
def test_raw_predictions_are_the_last_layers_outputs(loss, level):
    layers = [dense(9, "tanh"), dense(3)]
    net, twin = _core.Net(layers, (5,), loss), _core.Net(layers, (5,), SQUARES)
    net.params[:] = twin.params[:] = np.linspace(-1, 1, len(net.params))
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    assert net.predict(x, raw=True).tobytes() == twin.predict(x).tobytes()
    assert (net.predict(x).tobytes() == twin.predict(x).tobytes()) == (loss == SQUARES)
