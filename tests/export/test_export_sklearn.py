"""scikit-learn's arrays: by hand, and against its own estimators where they are installed."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import rnn_native as rn

W1, B1 = np.array([[1.0, -2, 3], [4, 5, -6]]), np.array([0.5, 0, -1])
W2, B2 = np.array([[1.0, -1], [2, 0], [0, 3]]), np.array([0.25, -0.25])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_arrays_become_the_net_that_they_describe():
    net = rn.export.from_sklearn([W1, W2], [B1, B2], activation="tanh")
    x = np.array([[0.1, 0.2], [-1, 0.3]])
    expected = softmax(np.tanh(x @ W1 + B1) @ W2 + B2)
    np.testing.assert_allclose(net.predict_proba(x.astype("f")), expected, atol=1e-6)


def test_a_net_becomes_arrays():
    layers = [
        rn.Flatten(),
        rn.Dense(5),
        rn.Activation("sigmoid"),
        rn.Dropout(0.1),
        rn.Dense(4, "sigmoid"),
        rn.Dense(3),
    ]
    net = rn.Network(layers, (2, 3))
    arrays = rn.export.to_sklearn(net)
    assert (arrays.activation, arrays.out_activation) == ("logistic", "softmax")
    assert [c.shape for c in arrays.coefs] == [(6, 5), (5, 4), (4, 3)]
    np.testing.assert_array_equal(arrays.coefs[1], net.parameters["layers.4.weight"])
    arrays.coefs[1][:] = 0  # a copy
    assert net.parameters["layers.4.weight"].any()


def test_softmax_of_two_becomes_one_logistic(rng):
    net = rn.Network([rn.Dense(7, "relu"), rn.Dense(2)], (4,))
    coefs, intercepts, activation, final = rn.export.to_sklearn(net)
    assert (coefs[1].shape, intercepts[1].shape, final) == ((7, 1), (1,), "logistic")
    back = rn.export.from_sklearn(coefs, intercepts, activation, final)
    x = rng.normal(size=(6, 4)).astype("f")
    np.testing.assert_allclose(
        back.predict_proba(x), net.predict_proba(x)[:, 1:], atol=1e-6
    )


@pytest.mark.parametrize(
    ("layers", "loss", "final"),
    [
        ([rn.Dense(3)], "softmax_cross_entropy", "softmax"),
        ([rn.Dense(1)], "sigmoid_cross_entropy", "logistic"),
        ([rn.Dense(2, "sigmoid")], "squared_error", "logistic"),
        ([rn.Dense(2)], "squared_error", "identity"),
        ([rn.Dense(2)], "poisson", "exp"),
    ],
)
def test_there_and_back_predicts_the_same(layers, loss, final, rng):
    net = rn.Network([rn.Dense(4, "tanh"), *layers], (3,), loss)
    arrays = rn.export.to_sklearn(net)
    assert arrays.out_activation == final
    x = rng.normal(size=(6, 3)).astype("f")
    back = rn.export.from_sklearn(*arrays)
    np.testing.assert_array_equal(back.predict_proba(x), net.predict_proba(x))


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            [rn.Conv2D(2, 3), rn.Flatten()],
            (1, 5, 5),
            r"layers\[0\] \(conv2d\): scikit-learn",
        ),
        (
            [rn.Dense(3), rn.MeanPool()],
            (4, 2),
            r"layers\[0\] \(dense\): scikit-learn cannot",
        ),
        ([rn.Dense(3, "gelu"), rn.Dense(2)], (4,), r"layers\[0\] \(dense\): .* no gelu"),
        (
            [rn.Dense(3, "relu"), rn.Dense(3, "tanh"), rn.Dense(2)],
            (4,),
            r"layers\[1\] \(dense\): .* expected relu as in the first, got tanh",
        ),
        ([rn.Dense(3, "leaky_relu")], (4,), r"\(dense\): .* no leaky_relu before softmax"),
        (
            [rn.Dense(3, "relu"), rn.Activation("tanh"), rn.Dense(2)],
            (4,),
            r"layers\[1\] \(activation\)",
        ),
        ([rn.Flatten()], (4,), "at least one dense layer"),
    ],
)
def test_what_scikit_learn_lacks_is_named(layers, shape, message):
    with pytest.raises(ValueError, match=message):
        rn.export.to_sklearn(rn.Network(layers, shape))


def test_a_function_that_no_regressor_ends_with_is_named():
    net = rn.Network([rn.Dense(3, "tanh")], (4,), "squared_error")
    with pytest.raises(ValueError, match=r"layers\[0\] \(dense\): .* no tanh at the end"):
        rn.export.to_sklearn(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([W1, W2],), "intercepts: missing"),
        (([W1, W2], [B1]), "as many of both, got 2 and 1"),
        (([], []), "at least one layer"),
        (
            ([W1, W2.T], [B1, B2]),
            r"coefs\[1\]: expected shape \(3, outputs\), got \(2, 3\)",
        ),
        (([B1], [B1]), r"coefs\[0\]: expected shape \(inputs, outputs\), got \(3,\)"),
        (([W1], [B2]), r"intercepts\[0\]: expected shape \(3,\), got \(2,\)"),
        (([W1 * np.nan], [B1]), r"coefs\[0\]: expected finite float32 values"),
        (([W1], [B1], "gelu"), "activation: expected one of relu, tanh, logistic"),
        (([W1], [B1], "relu", "tanh"), "out_activation: expected one of softmax"),
        ((SimpleNamespace(fit=None, coefs_=[W1]),), "got one without intercepts_"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        rn.export.from_sklearn(*arguments)


# ---- against scikit-learn ----


def fitted(kind, x, y, **options):
    neural_network = pytest.importorskip("sklearn.neural_network")
    options = {"hidden_layer_sizes": (9, 5), "max_iter": 3, "random_state": 0, **options}
    estimator = getattr(neural_network, kind)(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs are too few, it says
        return estimator.fit(x, y)


@pytest.fixture
def table(rng):
    x = rng.normal(size=(60, 4))
    return x, x @ rng.normal(size=(4, 3))


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_a_classifier_of_several_classes(table, activation):
    x, values = table
    theirs = fitted("MLPClassifier", x, values.argmax(axis=1), activation=activation)
    net = rn.export.from_sklearn(theirs)
    np.testing.assert_allclose(
        net.predict_proba(x.astype("f")), theirs.predict_proba(x), atol=1e-6
    )
    np.testing.assert_array_equal(net.predict(x.astype("f")), theirs.predict(x))


def test_a_classifier_of_two_classes_and_one_of_several_labels(table):
    x, values = table
    two = fitted("MLPClassifier", x, values[:, 0] > 0)
    net = rn.export.from_sklearn(two)
    assert net.loss == "sigmoid_cross_entropy"
    np.testing.assert_allclose(
        net.predict_proba(x.astype("f"))[:, 0], two.predict_proba(x)[:, 1], atol=1e-6
    )
    many = fitted("MLPClassifier", x, (values > 0).astype(int))
    np.testing.assert_array_equal(
        rn.export.from_sklearn(many).predict(x.astype("f")), many.predict(x)
    )


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_a_regressor(table, loss):
    x, values = table
    theirs = fitted("MLPRegressor", x, np.abs(values), loss=loss)
    net = rn.export.from_sklearn(theirs)
    assert net.loss == loss
    np.testing.assert_allclose(
        net.predict_proba(x.astype("f")), theirs.predict(x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_our_arrays_in_a_classifier_of_theirs(table, classes):
    x, values = table
    y = values[:, :classes].argmax(axis=1)
    theirs = fitted("MLPClassifier", x, y, activation="tanh")
    net = rn.Network([rn.Dense(9, "tanh"), rn.Dense(5, "tanh"), rn.Dense(classes)], (4,))
    theirs.coefs_, theirs.intercepts_, *_ = rn.export.to_sklearn(net)
    np.testing.assert_allclose(
        theirs.predict_proba(x), net.predict_proba(x.astype("f")), atol=1e-6
    )
    np.testing.assert_array_equal(theirs.predict(x), net.predict(x.astype("f")))


def test_an_estimator_that_is_not_fitted_is_refused():
    neural_network = pytest.importorskip("sklearn.neural_network")
    with pytest.raises(
        ValueError, match="MLPClassifier: expected a fitted .* without coefs_"
    ):
        rn.export.from_sklearn(neural_network.MLPClassifier())
