"""Estimators over data frames with columns of categories."""

import pickle

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402

import rnn_native as rn  # noqa: E402
from rnn_native.sklearn import (  # noqa: E402
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
)

N = 240
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(5e4, 2e4, N),
        "color": RNG.choice(["red", "green", "blue"], N),
        "shape": pd.Categorical(RNG.choice(["disk", "cube"], N)),
        "count": RNG.integers(0, 9, N),
    }
)
IS_RED = (FRAME["color"] == "red").to_numpy()
LABELS = np.where(IS_RED ^ (FRAME["size"] > 5e4).to_numpy(), "yes", "no")
VALUES = IS_RED + 2.0 * (FRAME["shape"] == "cube").to_numpy()
FAST = {
    "max_iter": 60,
    "learning_rate_init": 0.02,
    "random_state": 0,
    "n_iter_no_change": 60,
}
MODELS = {
    "mlp": (MLPClassifier((16,), **FAST), LABELS),
    "lbfgs": (MLPClassifier((8,), solver="lbfgs", max_iter=100, random_state=0), LABELS),
    "mlp of values": (MLPRegressor(hidden_layer_sizes=(16,), **FAST), VALUES),
    "layers": (NetworkClassifier([rn.Dense(16, "relu")], **FAST), LABELS),
    "layers of values": (NetworkRegressor([rn.Dense(16, "relu")], **FAST), VALUES),
}
pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer", "ignore:lbfgs failed"
)


@pytest.mark.parametrize("name", MODELS)
def test_a_frame_is_fitted_as_it_is(name):
    model, y = MODELS[name]
    model = clone(model).fit(FRAME, y)
    assert model.score(FRAME, y) > 0.9
    assert list(model.feature_names_in_) == list(FRAME)
    assert model.n_features_in_ == 4
    other = clone(model).fit(FRAME, y)
    assert (other.predict(FRAME) == model.predict(FRAME)).all()
    again = pickle.loads(pickle.dumps(model))
    # Unseen and missing ones have separate vectors.
    changed = FRAME.assign(color=["violet", None] * (N // 2))
    assert (again.predict(changed) == model.predict(changed)).all()
    seen = model.predict(changed[:1].assign(color="red"))
    assert len(seen) == 1


def test_the_state_decides_the_vectors():
    weights = [
        MLPClassifier((4,), max_iter=1, random_state=seed)
        .fit(FRAME, LABELS)
        .network_.parameters["layers.0.concat.0.1.weight"]
        for seed in (0, 0, 1)
    ]
    assert (weights[0] == weights[1]).all()
    assert (weights[0] != weights[2]).any()


def test_numbers_are_normalized_and_coefficients_follow():
    model = MLPClassifier((4,), max_iter=1, random_state=0).fit(FRAME, LABELS)
    mean = model.network_.state["layers.0.concat.1.1.mean"]
    np.testing.assert_allclose(mean, FRAME[["size", "count"]].mean(), rtol=1e-5)
    assert model.coefs_[0].shape == (2 * 8 + 2, 4)


def test_a_later_fit_forgets_the_table():
    model = MLPClassifier((4,), max_iter=1).fit(FRAME, LABELS)
    model.fit(FRAME[["count"]].to_numpy(), LABELS)
    assert model.coefs_[0].shape == (1, 4)
    assert not hasattr(model, "feature_names_in_")


def test_partial_fit_and_validation_rows_have_the_first_rows_categories():
    model = MLPClassifier((4,), max_iter=2)
    model.partial_fit(FRAME[:100], LABELS[:100], classes=["no", "yes"])
    model.partial_fit(FRAME[100:].assign(color="violet"), LABELS[100:])
    model.fit(FRAME, LABELS, X_val=FRAME.assign(color="violet"), y_val=LABELS)
    assert len(model.validation_scores_) == 2


def test_cross_validation():
    scores = cross_val_score(MODELS["mlp"][0], FRAME, LABELS, cv=2)
    assert scores.mean() > 0.7


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            FRAME.assign(size=np.nan),
            "^X: column 'size': expected finite numbers, got nan in ro",
        ),
        (
            FRAME.assign(color=3),
            "^X: column 'color': expected words, as in fit, got numbers$",
        ),
        (FRAME.assign(size="a"), "^X: column 'size': expected numbers, got words$"),
        (FRAME.drop(columns="size"), "feature names should match"),
        (FRAME.rename(columns={"size": "sice"}), "feature names should match"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(changed, message):
    model = MLPClassifier((4,), max_iter=1).fit(FRAME, LABELS)
    with pytest.raises((ValueError, TypeError), match=message):
        model.predict(changed)


def test_what_fit_refuses():
    with pytest.raises(
        ValueError, match="^X: column 'size': expected finite numbers, got nan"
    ):
        MLPClassifier().fit(FRAME.assign(size=np.nan), LABELS)
    model = NetworkClassifier([rn.Flatten()], input_shape=(2, 2))
    with pytest.raises(
        ValueError, match=r"^input_shape: expected \(4,\), the columns of a tab"
    ):
        model.fit(FRAME, LABELS)
    ids = pd.DataFrame({"id": [f"{i}" for i in range(10_001)]})
    with pytest.raises(
        ValueError, match="^X: column 'id': expected at most 10000 categories"
    ):
        MLPClassifier().fit(ids, np.arange(10_001) % 2)
