"""One call after another, validation rows, sparse rows, ends: what the estimators do then."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

import rnn_native as rn
from environment import python_environment
from memory import measured
from rnn_native.sklearn import (
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(2)
X = RNG.normal(size=(120, 5))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
T = X[:, 0] + X[:, 1] ** 2
XV, YV, TV = X[90:], Y[90:], T[90:]


def classifier(**options):
    return MLPClassifier(
        **{"hidden_layer_sizes": (8,), "random_state": 1, "max_iter": 5, **options}
    )


# ---- callbacks over several calls ----


class Epochs(rn.Callback):
    """Which epochs each call had, as callbacks count them."""

    def __init__(self):
        self.seen = []

    def on_train_begin(self, logs=None):
        self.seen.append([])

    def on_epoch_end(self, epoch, logs):
        self.seen[-1].append(epoch)


def never_better(**options):
    """A rate of next to nothing: no epoch is better by 1 than the one before."""
    return {"learning_rate_init": 1e-6, "warm_start": True, "max_iter": 6, **options}


@pytest.mark.parametrize("warm_start", [True, False])
def test_each_fit_counts_anew_for_early_stopping(warm_start):
    spy = Epochs()
    stops = rn.EarlyStopping("loss", min_delta=1.0, patience=2)
    model = classifier(**never_better(warm_start=warm_start), callbacks=[stops, spy])
    losses = []
    for _ in range(3):
        assert model.fit(X, Y).n_iter_ == 3
        losses.append(model.loss_)
    assert spy.seen == [[0, 1, 2]] * 3
    assert model.history_.stop_reason == "early stopping"
    assert (len(set(losses)) > 1) == warm_start


def test_each_fit_counts_anew_for_checkpoints(tmp_path):
    path = tmp_path / "best.safetensors"
    saves = rn.ModelCheckpoint(path, "loss", save_best_only=True)
    model = classifier(warm_start=True, callbacks=[saves], learning_rate_init=0.01)
    model.fit(X, Y)
    path.unlink()
    # Worse than all epochs of the first call, whose best loss is another problem's.
    model.fit(X, 1 - Y)
    assert path.exists()


def test_each_fit_counts_anew_for_falling_rates():
    falls = rn.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=1.0)
    model = classifier(**never_better(max_iter=3), callbacks=[falls])
    for _ in range(2):
        model.fit(X, Y)
        rates = [row.learning_rate for row in model.history_.rows[-3:]]
        assert rates == [1e-6] * 3


def test_schedules_begin_with_each_fit():
    cycle = rn.schedules.OneCycle(0.1, epochs=4)
    model = classifier(schedule=cycle, warm_start=True, max_iter=4, batch_size=40)
    expected = [cycle.rates(epoch, 3)[0] for epoch in range(4)]
    for calls in (1, 2):
        model.fit(X, Y)
        assert [row.learning_rate for row in model.history_] == expected * calls
    model.set_params(schedule=rn.schedules.StepDecay(0.1, 1, 0.5), max_iter=2)
    model.fit(X, Y).partial_fit(X, Y).partial_fit(X, Y)
    rates = [row.learning_rate for row in model.history_.rows[-4:]]
    assert rates == pytest.approx([0.1, 0.05, 0.025, 0.0125])


def test_partial_fits_are_one_run_to_callbacks():
    spy = Epochs()
    falls = rn.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1.0)
    model = classifier(**never_better(max_iter=2), callbacks=[spy, falls]).fit(X, Y)
    for _ in range(3):
        model.partial_fit(X, Y)
    assert spy.seen == [[0, 1], [0], [1], [2]]
    rates = [row.learning_rate for row in model.history_]
    assert rates[-1] == rates[2] / 2


def test_partial_fit_trains_or_says_why_not():
    stops = rn.EarlyStopping("loss", min_delta=1.0, patience=1)
    model = classifier(**never_better(), callbacks=[stops]).fit(X, Y)
    for _ in range(2):
        model.partial_fit(X, Y)
        assert model.n_iter_ == 1
    before = model.loss_curve_[:]
    with pytest.warns(
        UserWarning, match="no epoch was trained: early stopping.*fit counts"
    ):
        model.partial_fit(X, Y)
    assert model.n_iter_ == 0
    assert model.loss_curve_ == before
    assert model.fit(X, Y).n_iter_ == 2
    model.partial_fit(X, Y)
    assert model.n_iter_ == 1


# ---- validation rows ----


def test_validation_rows_have_the_names_of_scikit_learn():
    model = classifier().fit(X, Y, X_val=XV, y_val=YV)
    with pytest.warns(FutureWarning, match="validation_data is deprecated.*X_val=, y_val="):
        before = classifier().fit(X, Y, validation_data=(XV, YV))
    assert before.validation_scores_ == model.validation_scores_
    assert len(model.validation_scores_) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": XV}, "X_val is provided, but y_val was not provided"),
        ({"y_val": YV}, "y_val is provided, but X_val was not provided"),
        ({"sample_weight_val": YV}, "sample_weight_val is provided, but X_val was not"),
        ({"X_val": XV, "y_val": YV[1:]}, "inconsistent numbers of samples"),
        (
            {"X_val": XV, "y_val": YV, "sample_weight_val": np.zeros(len(YV))},
            "must contain at least one non-zero",
        ),
        (
            {"X_val": XV, "y_val": YV, "validation_data": (XV, YV)},
            "validation_data and X_val, y_val: expected one of them",
        ),
    ],
)
def test_validation_rows_that_cannot_be(given, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, Y, **given)


def test_weights_of_validation_rows_are_those_of_the_score():
    weights = np.where(np.arange(len(YV)) < 10, 3.0, 0.5)
    options = {"X_val": XV, "y_val": YV, "sample_weight_val": weights}
    model = classifier().fit(X, Y, **options)
    assert model.score(XV, YV, weights) == pytest.approx(model.best_validation_score_)
    repeated = np.repeat(np.arange(len(YV)), (2 * weights).astype(int))
    other = classifier().fit(X, Y, X_val=XV[repeated], y_val=YV[repeated])
    assert model.validation_scores_ == pytest.approx(other.validation_scores_)
    assert model.validation_loss_curve_ == pytest.approx(other.validation_loss_curve_)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_a_pipeline_transforms_validation_rows_where_it_is_told_to(routing):
    wide = X * 1000 + 500
    model = classifier(max_iter=20).set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
    pipeline.fit(wide[:90], Y[:90], X_val=wide[90:], y_val=YV)
    scaler = StandardScaler().fit(wide[:90])
    alone = classifier(max_iter=20).fit(
        scaler.transform(wide[:90]), Y[:90], X_val=scaler.transform(wide[90:]), y_val=YV
    )
    assert pipeline[-1].validation_scores_ == alone.validation_scores_
    assert pipeline.score(wide[90:], YV) == pytest.approx(alone.best_validation_score_)


def test_a_pipeline_that_passes_validation_rows_by_is_warned_of():
    pipeline = make_pipeline(StandardScaler(), classifier())
    rows = {"mlpclassifier__X_val": XV, "mlpclassifier__y_val": YV}
    with pytest.warns(UserWarning, match=r"X_val: the Pipeline transforms X and not these"):
        pipeline.fit(X, Y, **rows)
    with (
        pytest.warns(FutureWarning, match="validation_data is deprecated"),
        pytest.warns(UserWarning, match="validation_data: the Pipeline transforms X"),
    ):
        pipeline.fit(X, Y, mlpclassifier__validation_data=(XV, YV))
    make_pipeline("passthrough", classifier()).fit(X, Y, **rows)
    make_pipeline(classifier()).fit(X, Y, **rows)


def test_held_out_rows_of_no_weight_are_named():
    _, held = train_test_split(
        np.arange(120), test_size=0.1, random_state=np.random.RandomState(1), stratify=Y
    )
    weights = np.ones(120)
    weights[held] = 0
    with pytest.raises(ValueError, match="weight above 0 among the 12 rows to validate on"):
        # The same draws as those of the estimator, which draws first weights before.
        HoldsOut(held).fit(X, Y, weights)


class HoldsOut(MLPClassifier):
    """A classifier that holds out given rows."""

    def __init__(self, held=None):
        super().__init__(early_stopping=True)
        self.held = held

    def _fit(self, x, y, sample_weight, validation=None, **options):
        from rnn_native.sklearn import base

        rest = np.setdiff1d(np.arange(len(x)), self.held)
        before, base.hold_out = base.hold_out, lambda *_: (rest, self.held)
        try:
            super()._fit(x, y, sample_weight, validation, **options)
        finally:
            base.hold_out = before


@pytest.mark.parametrize("kind", [MLPRegressor, NetworkRegressor])
def test_one_row_has_no_r2(kind):
    with pytest.raises(
        ValueError, match=r"X_val: the score is R\^2, which needs at least 2"
    ):
        kind(max_iter=2).fit(X, T, X_val=XV[:1], y_val=TV[:1])


# ---- scores and ends ----


def test_r2_is_calculated_in_float64():
    x = X[:, :1]
    y = (1e20 * np.sign(x[:, 0])).astype(np.float32)
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1, learning_rate_init=1e-9).fit(
        x, y / 1e20
    )
    model.network_.weights[:] = [1e20, 0]
    expected = r2_score(y.astype(float), 1e20 * x[:, 0])
    assert model.score(x, y) == pytest.approx(expected, rel=1e-6)
    small = MLPRegressor(
        hidden_layer_sizes=(), max_iter=1, learning_rate_init=1e-9, alpha=0
    )
    small.fit(x, y / 1e20, X_val=x, y_val=y)
    assert np.isfinite(small.validation_scores_[0])


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"X_val": X, "y_val": T}])
def test_best_weights_come_back_when_the_loss_diverges(options):
    parameters = {k: v for k, v in options.items() if k == "early_stopping"}
    rows = {k: v for k, v in options.items() if k != "early_stopping"}
    model = MLPRegressor(
        hidden_layer_sizes=(100,),
        activation="identity",
        solver="sgd",
        learning_rate_init=1.0,
        random_state=0,
        **parameters,
    )
    with pytest.warns(
        ConvergenceWarning, match="training diverged: .* weights of the best"
    ):
        model.fit(X, T, **rows)
    assert np.isfinite(model.network_.weights).all()
    assert np.isnan(model.validation_scores_[-1])
    assert np.isnan(model.loss_)
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_scores_)
    assert "not finite" in model.history_.stop_reason
    if rows:
        assert model.score(X, T) == pytest.approx(model.best_validation_score_)
    with pytest.raises(ValueError, match="Solver produced non-finite"):
        model.set_params(early_stopping=False, restore_best_weights=False).fit(X, T, **rows)


FAR = X[:, 0] * 100


@pytest.mark.parametrize("rate", [5.0, 50.0])
@pytest.mark.parametrize(
    "rows", [{}, {"X_val": X, "y_val": FAR}], ids=["held out", "given"]
)
@pytest.mark.parametrize("kind", ["mlp", "layers"])
def test_outputs_that_are_not_finite_from_the_first_epoch_on_are_refused(kind, rows, rate):
    options = {
        "solver": "sgd",
        "learning_rate_init": rate,
        "batch_size": 40,
        "random_state": 0,
        "early_stopping": not rows,
    }
    model = (
        MLPRegressor(**options)
        if kind == "mlp"
        else NetworkRegressor([rn.Dense(8, "relu")], **options)
    )
    with pytest.raises(ValueError, match="Solver produced non-finite.*not finite at epoch"):
        model.fit(X, FAR, **rows)


def set_weights(network, size):
    """Of both signs, so that products of large ones have no sum."""
    network.weights[:] = np.resize([size, size, -size], network.weights.shape)


class Scripted(rn.Callback):
    """Gives the model other weights after each epoch."""

    def __init__(self, factors):
        self.factors = factors

    def on_train_batch_begin(self, batch, logs):
        set_weights(self.model, 0.1)

    def on_train_batch_end(self, batch, logs):
        set_weights(self.model, self.factors[len(self.run.history)])


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_epoch_whose_outputs_are_not_finite_is_never_the_best(kind):
    """All finite weights, but 1e30 * 1e30 is not."""
    y = Y if kind is MLPClassifier else T
    options = {"hidden_layer_sizes": (3,), "activation": "identity"}
    fill = Scripted([1e30, 0.1, 1e30])
    model = kind(**options, max_iter=3, callbacks=fill).fit(X, y, X_val=X, y_val=y)
    assert np.isnan(model.validation_scores_).tolist() == [True, False, True]
    assert model.best_validation_score_ == model.validation_scores_[1]
    assert set(abs(model.network_.weights)) == {np.float32(0.1)}
    for more in ({"max_iter": 1}, {"restore_best_weights": False}):
        with pytest.raises(ValueError, match="score on the validation rows is not finite"):
            model.set_params(**more).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_probabilities_of_outputs_that_are_not_finite_give_no_numpy_warning(classes):
    model = classifier(activation="identity").fit(X, np.arange(len(X)) % classes)
    set_weights(model.network_, 1e30)
    assert np.isnan(model.predict_proba(X)).any()
    assert np.isnan(model.predict_log_proba(X)).any()


# ---- sparse rows ----


def few(n=150, columns=400, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, columns)) * (rng.random((n, columns)) < 0.03)
    return x, (x[:, :20].sum(axis=1) > 0).astype(int)


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_array"])
@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True}, {"batch_norm": True}, {"solver": "sgd"}],
    ids=str,
)
def test_sparse_rows_give_the_bits_of_dense_ones(form, options):
    x, y = few()
    rows = getattr(sparse, form)(x)
    one, other = (
        classifier(**options).fit(given, y, X_val=held, y_val=y[:40])
        for given, held in ((x, x[:40]), (rows, rows.tocsr()[:40]))
    )
    assert one.network_.weights.tobytes() == other.network_.weights.tobytes()
    assert one.validation_scores_ == other.validation_scores_
    assert one.predict_proba(x).tobytes() == other.predict_proba(rows).tobytes()
    for model, given in ((one, x), (other, rows)):
        model.set_params(early_stopping=False)
        model.fit(given, y, X_val=given.copy(), y_val=y).partial_fit(given, y)
    assert one.predict(x).tolist() == other.predict(rows).tolist()


def test_sparse_rows_through_a_pipeline_and_any_layers():
    x, y = few()
    rows = sparse.csr_array(x)
    for model in (
        NetworkClassifier(
            [rn.Dense(9, "relu"), rn.LayerNorm()], max_iter=3, random_state=0
        ),
        NetworkRegressor([rn.LayerNorm(), rn.Dense(9, "relu")], max_iter=3, random_state=0),
    ):
        one, other = (make_pipeline(MaxAbsScaler(), model).fit(r, y) for r in (x, rows))
        assert one.predict(rows).tolist() == other.predict(x).tolist()


MEMORY = """
import numpy as np
from memory import peak, reset_peak
from scipy import sparse
from rnn_native.sklearn import MLPClassifier
n, each, columns = 2000, 20, 20_000
steps = columns // each
column = np.random.default_rng(0).integers(0, steps, (n, each)) + np.arange(each) * steps
x = sparse.csr_array((np.ones(n * each, np.float32), column.ravel(),
                      np.arange(0, n * each + 1, each)), shape=(n, columns))
y = np.arange(n) % 3
MLPClassifier((4,), max_iter=1).fit(x[:300, :50], y[:300])
before = reset_peak()
MLPClassifier((4,), max_iter=2, early_stopping=True).fit(x, y).predict_proba(x)
print(peak() - before)
"""


@measured
def test_sparse_rows_take_the_room_of_their_nonzeros():
    # With zeros the rows would be 160 MB, a batch of them 16.
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEMORY],
        env=python_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(found.stdout) < 12
