"""`solver="lbfgs"`: scikit-learn's losses, a closed form, bits, limits and refusals."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as ScikitClassifier
from sklearn.neural_network import MLPRegressor as ScikitRegressor
from sklearn.preprocessing import scale

import rnn_native as rn
from rnn_native.sklearn import MLPClassifier, MLPRegressor, NetworkRegressor

IRIS = load_iris(return_X_y=True)
X, Y = scale(IRIS[0]), IRIS[1]
TABLE, VALUES = load_diabetes(return_X_y=True)
TABLE, VALUES = scale(TABLE), scale(VALUES)
TWO = np.column_stack([VALUES, VALUES**2])


def fitted(estimator, x, y, **more):
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after"):
        return estimator.fit(x, y, **more)


@pytest.mark.parametrize(
    ("ours", "theirs", "x", "y", "options"),
    [
        (MLPClassifier, ScikitClassifier, X, Y, {"activation": "tanh"}),
        (MLPClassifier, ScikitClassifier, X, Y == 1, {"activation": "logistic"}),
        (MLPRegressor, ScikitRegressor, TABLE, VALUES, {"activation": "relu"}),
        (
            MLPRegressor,
            ScikitRegressor,
            TABLE,
            VALUES,
            {"activation": "tanh", "alpha": 1.0},
        ),
        (MLPRegressor, ScikitRegressor, TABLE, VALUES**2, {"loss": "poisson"}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_losses_as_scikit_learn(ours, theirs, x, y, options, weighted):
    options = {"solver": "lbfgs", "hidden_layer_sizes": 7, "max_iter": 12, **options}
    weights = np.random.default_rng(0).integers(0, 3, len(x)).astype(float)
    more = {"sample_weight": weights} if weighted else {}
    one, other = (
        fitted(m(random_state=3, **options), x, y, **more) for m in (ours, theirs)
    )
    assert one.n_iter_ == other.n_iter_ == 12
    assert one.loss_ == pytest.approx(other.loss_, rel=1e-4)
    assert len(one.loss_curve_) == 12
    assert (np.diff(one.loss_curve_) < 0).all()
    assert one.loss_curve_[-1] == pytest.approx(one.loss_)


def test_least_squares_end_at_the_closed_form():
    model = NetworkRegressor(
        [rn.Dense(2)], solver="lbfgs", alpha=0.0, tol=1e-6, max_iter=500
    )
    model.fit(TABLE, TWO)
    inputs = np.column_stack([TABLE, np.ones(len(TABLE))])
    best = inputs @ np.linalg.lstsq(inputs, TWO, rcond=None)[0]
    assert np.allclose(model.predict(TABLE), best, atol=2e-3)
    # Reported as scikit-learn does: half of the mean over rows and outputs.
    assert model.loss_ == pytest.approx(((best - TWO) ** 2).mean() / 2, rel=1e-6)


def test_threads_change_no_bit():
    x = np.random.default_rng(1).normal(size=(3000, 40))
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2]
    models = [
        fitted(
            MLPRegressor(
                hidden_layer_sizes=60,
                solver="lbfgs",
                max_iter=5,
                random_state=0,
                n_threads=n,
            ),
            x,
            y,
        )
        for n in (1, 2, 5)
    ]
    for other in models[1:]:
        assert other.loss_curve_ == models[0].loss_curve_
        assert other.network_.weights.tobytes() == models[0].network_.weights.tobytes()


def test_layers_that_do_not_learn_stay():
    net = rn.Network([rn.Dense(5, "tanh"), rn.Dense(1)], (10,), "squared_error")
    net.lr_multipliers = [0.0, 1.0]
    before = {name: value.copy() for name, value in net.parameters.items()}
    x, y = TABLE.astype(np.float32), VALUES.astype(np.float32)[:, None]
    value, _, iterations, evaluations, end = net.native.minimize(
        x, y, 1e-4, 50, 500, followed=0.5
    )
    assert end == "gradient"
    assert value < 0.5
    assert evaluations > iterations > 1
    for name in ("weight", "bias"):
        assert (net.parameters[f"layers.0.{name}"] == before[f"layers.0.{name}"]).all()
        assert (net.parameters[f"layers.1.{name}"] != before[f"layers.1.{name}"]).all()


def test_a_warm_start_continues():
    options = {"solver": "lbfgs", "max_iter": 8, "random_state": 0}
    model = MLPRegressor(hidden_layer_sizes=(9,), warm_start=True, **options)
    fitted(model, TABLE, VALUES)
    first = model.loss_
    fitted(model, TABLE, VALUES)
    assert model.loss_ < first
    assert len(model.loss_curve_) == 16


def test_evaluations_have_a_limit():
    model = MLPClassifier(solver="lbfgs", max_fun=4, tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"it reached max_fun=4\. Increase it"):
        model.fit(X, Y)
    assert model.n_iter_ <= 4


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        ({"dropout": 0.5}, {}, "solver='lbfgs': dropout draws a mask for each batch, and"),
        ({"batch_norm": True}, {}, "solver='lbfgs': batchnorm follows the statistics"),
        (
            {"schedule": rn.schedules.OneCycle(0.1, epochs=5)},
            {},
            "^schedule: depends on epochs, which solver=",
        ),
        ({"callbacks": [rn.EarlyStopping()]}, {}, "^callbacks: depends on epochs"),
        ({}, {"X_val": X, "y_val": Y}, "^X_val: depends on epochs"),
    ],
)
def test_what_goes_by_epochs_or_batches_is_refused(options, more, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(solver="lbfgs", **options).fit(X, Y, **more)


def test_it_has_no_partial_fit():
    assert hasattr(MLPRegressor(), "partial_fit")
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")


def test_a_loss_that_is_not_finite_changes_nothing():
    net = rn.Network([rn.Dense(1)], (10,), "squared_error")
    x, y = np.full((4, 10), 1e38, np.float32), np.zeros((4, 1), np.float32)
    net.weights[:] = 1e10
    with pytest.raises(FloatingPointError, match="not finite before the first iteration"):
        net.native.minimize(x, y, 1e-4, 5, 5)
    assert (net.weights == np.float32(1e10)).all()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((-1.0, 5, 5), "minimize: tolerance: expected at least 0, got -1"),
        ((np.nan, 5, 5), "minimize: tolerance: expected at least 0, got nan"),
        ((0.0, 0, 5), "minimize: iterations: expected at least 1, got 0"),
        ((0.0, 5, 0), "minimize: evaluations: expected at least 1, got 0"),
    ],
)
def test_the_core_refuses_limits(limits, message):
    net = rn.Network([rn.Dense(1)], (10,), "squared_error")
    x, y = np.zeros((4, 10), np.float32), np.zeros((4, 1), np.float32)
    with pytest.raises(ValueError, match=message):
        net.native.minimize(x, y, *limits)
