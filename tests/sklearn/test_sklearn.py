"""The estimators beyond scikit-learn's: validation, weights, state, callbacks, searches."""

import copy
import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn import metrics
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import rnn_native as rn
from environment import python_environment
from rnn_native import schedules
from rnn_native.sklearn import MLPClassifier, MLPRegressor
from rnn_native.training import interrupts
from rnn_native.training.callback import as_list
from rnn_native.training.history import History

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NAMES = np.array(["ash", "elm", "oak"])


def table(n=120, seed=5):
    """Rows, and string labels of three classes, a sixth of them oaks."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    score = x[:, 0] - x[:, 1] ** 2 + 0.3 * rng.normal(size=n)
    return x, NAMES[np.searchsorted(np.quantile(score, [0.5, 5 / 6]), score)]


X, Y = table()
XV, YV = table(60, seed=6)


def classifier(**options):
    return MLPClassifier(
        **{"hidden_layer_sizes": (9,), "random_state": 1, "max_iter": 6, **options}
    )


def bits(estimator):
    """Everything that training continues from."""
    network = estimator.network_
    return network.weights.tobytes(), network.moments.tobytes(), estimator._steps


# ---- the network ----


def test_layers_follow_from_the_parameters():
    def specs(**options):
        return classifier(**options).fit(X, Y).network_.specs

    dense = {"type": "dense", "activation": "linear"}
    assert specs(activation="gelu", hidden_layer_sizes=(7, 4)) == [
        {"type": "dense", "units": 7, "activation": "gelu"},
        {"type": "dense", "units": 4, "activation": "gelu"},
        {**dense, "units": 3},
    ]
    assert specs(activation="logistic", batch_norm=True, dropout=0.25) == [
        {**dense, "units": 9},
        {"type": "batchnorm", "epsilon": 1e-5, "momentum": 0.9},
        {"type": "activation", "function": "sigmoid"},
        {"type": "dropout", "rate": 0.25},
        {**dense, "units": 3},
    ]
    two = specs(hidden_layer_sizes=(7, 4), dropout=(0, 0.5), activation="silu")
    assert [spec["type"] for spec in two] == ["dense", "dense", "dropout", "dense"]
    for name in ("identity", "leaky_relu", "elu"):
        assert specs(activation=name)[0]["activation"] == name.replace("identity", "linear")


def test_a_classifier_trains_as_the_network_does_with_its_options():
    """From the same weights, over rows in the same order: the same bits."""
    options = {"label_smoothing": 0.2, "schedule": schedules.StepDecay(0.05, 2, 0.3)}
    model = classifier(
        dropout=0.3, batch_norm=True, shuffle=False, alpha=0.5, batch_size=50, **options
    )
    net = model.fit(X, Y).network_
    twin = rn.Network(net.specs, net.input_shape, optimizer=net.optimizer)
    first = clone(model).set_params(max_iter=1, learning_rate_init=1e-30, schedule=None)
    twin.params[:] = first.fit(X, Y).network_.params
    history = twin.fit(
        X.astype(np.float32), np.searchsorted(NAMES, Y), epochs=6, l2=0.5, batch_size=50,
        shuffle=False, seed=model._mask_seed, verbose=0, **options,
    )  # fmt: skip
    assert twin.weights.tobytes() == net.weights.tobytes()
    np.testing.assert_allclose(model.loss_curve_, history.history["loss"], rtol=1e-12)
    rates = [row.learning_rate for row in model.history_]
    assert rates == pytest.approx([0.05, 0.05, 0.015, 0.015, 0.0045, 0.0045])


def test_parameters_can_be_read_and_written_in_place():
    model = classifier()
    assert not hasattr(model, "coefs_")
    with pytest.raises(AttributeError, match="not fitted yet"):
        model.intercepts_  # noqa: B018
    model.fit(X, Y)
    assert [w.shape for w in model.coefs_] == [(6, 9), (9, 3)]
    assert [b.shape for b in model.intercepts_] == [(9,), (3,)]
    model.coefs_[0][:] = 0
    model.intercepts_[0] = np.zeros(9)
    model.coefs_[1:] = [np.zeros((9, 3))]
    model.intercepts_ = [np.zeros(9), [0, np.log(3), 0]]
    expected = np.tile(np.float32([0.2, 0.6, 0.2]), (3, 1))
    np.testing.assert_allclose(model.predict_proba(X[:3]), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="broadcast"):
        model.coefs_[1] = np.zeros((9, 4))
    with pytest.raises(ValueError, match="zip"):
        model.intercepts_ = [np.zeros(9)]


@pytest.mark.filterwarnings("ignore:training diverges")
def test_numbers_are_numbers_whatever_their_type():
    pixels = np.random.default_rng(0).integers(0, 256, X.shape).astype(np.uint8)
    fitted = [classifier().fit(pixels.astype(t), Y) for t in ("u1", "i8", "f4", "f8")]
    assert len({bits(model) for model in fitted}) == 1
    assert fitted[0].predict_proba(pixels).dtype == np.float32


def test_same_bits_for_any_threads_and_in_every_run():
    x, y = np.tile(X, (20, 30)), np.tile(Y, 20)
    models = [
        classifier(hidden_layer_sizes=(200,), n_threads=n, dropout=0.1, max_iter=2).fit(
            x, y
        )
        for n in (1, 2, None, 1)
    ]
    assert len({bits(model) for model in models}) == 1
    assert len({model.predict_proba(x).tobytes() for model in models}) == 1


def test_sparse_rows_are_dense_rows():
    sparse = pytest.importorskip("scipy.sparse")
    x = X * (X > 0)
    dense = classifier().fit(x, Y)
    for kind in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        model = classifier().fit(kind(x), Y)
        assert bits(model) == bits(dense)
        assert model.predict_proba(kind(x)).tobytes() == dense.predict_proba(x).tobytes()


def test_many_threads_predict_with_one_model():
    model = classifier(hidden_layer_sizes=(300,), max_iter=1).fit(X, Y)
    x = np.tile(X, (300, 1))
    expected = model.predict_proba(x).tobytes()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.predict_proba, [x] * 12))
    assert {outputs.tobytes() for outputs in found} == {expected}


class Shallow(MLPClassifier):
    """Has its own parameters."""

    def __init__(self, units=5, alpha=0.1):
        super().__init__((units,), alpha=alpha, max_iter=3)
        self.units = units


def test_a_subclass_with_parameters_of_its_own():
    model = clone(Shallow(units=4)).fit(X, Y)
    assert model.coefs_[0].shape == (6, 4)
    assert model.get_params() == {"units": 4, "alpha": 0.1}


# ---- weights ----


@pytest.mark.parametrize("class_weight", ["balanced", {"ash": 0.5, "oak": 3}])
def test_class_weights_are_sample_weights(class_weight):
    weights = compute_sample_weight(class_weight, Y)
    one = classifier(class_weight=class_weight).fit(X, Y)
    assert bits(one) == bits(classifier().fit(X, Y, sample_weight=weights))
    assert bits(one) != bits(classifier().fit(X, Y))
    more = np.linspace(0.5, 2, len(Y))
    one.fit(X, Y, sample_weight=more)
    other = classifier().fit(X, Y, sample_weight=weights * more.astype("f4"))
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-5, atol=1e-7)


def test_class_weights_of_labels():
    y = np.stack([Y == "ash", Y == "oak"], axis=1).astype(int)
    given = [{0: 1, 1: 2}, {0: 1, 1: 5}]
    one = classifier(class_weight=given).fit(X, y)
    weights = compute_sample_weight(given, y)
    assert bits(one) == bits(classifier().fit(X, y, sample_weight=weights))


def test_class_weights_help_the_rare_class_and_leave_validation_alone():
    plain, balanced = (
        classifier(class_weight=w, max_iter=60, learning_rate_init=0.01, tol=0).fit(
            X, Y, X_val=XV, y_val=YV
        )
        for w in (None, "balanced")
    )
    assert (balanced.predict(XV) == "oak").sum() > (plain.predict(XV) == "oak").sum()
    assert balanced.score(XV, YV) == pytest.approx(balanced.best_validation_score_)


def test_weights_of_classes_that_a_call_does_not_bring():
    model, twin = classifier(class_weight={"oak": 3.0}), classifier()
    for name in NAMES:
        rows = name == Y
        model.partial_fit(X[rows], Y[rows], classes=NAMES)
        weight = 3.0 if name == "oak" else 1.0
        twin.partial_fit(X[rows], Y[rows], np.full(rows.sum(), weight), classes=NAMES)
    assert bits(model) == bits(twin)


def test_balanced_weights_need_all_rows():
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        classifier(class_weight="balanced").partial_fit(X, Y, classes=NAMES)


# ---- validation ----


def one_hot(y):
    return (y[:, None] == NAMES).astype(int)


@pytest.mark.parametrize(
    ("kind", "loss_of"),
    [
        ("classes", metrics.log_loss),
        ("binary", metrics.log_loss),
        ("multilabel", lambda y, p: -np.log(np.where(y == 1, p, 1 - p)).sum(axis=1).mean()),
        ("numbers", lambda y, p: metrics.mean_squared_error(y, p) / 2),
        ("counts", lambda y, p: metrics.mean_poisson_deviance(y, p) / 2),
    ],
)
def test_validation_rows_are_scored_after_each_epoch(kind, loss_of):
    targets = {
        "classes": lambda y: y,
        "binary": lambda y: np.where(y == "oak", "oak", "other"),
        "multilabel": one_hot,
        "numbers": lambda y: one_hot(y)[:, :2] * [3.0, 5.0],
        "counts": lambda y: one_hot(y) @ [1, 0, 4],
    }[kind]
    y, yv = targets(Y), targets(YV)
    options = {"random_state": 1, "max_iter": 5, "restore_best_weights": False}
    if kind == "counts":
        options["loss"] = "poisson"
    is_number = kind in ("numbers", "counts")
    model = (MLPRegressor if is_number else MLPClassifier)(**options)
    model.fit(X, y, X_val=XV, y_val=yv)
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 5
    assert model.validation_scores_[-1] == pytest.approx(model.score(XV, yv), rel=1e-6)
    outputs = model.predict(XV) if is_number else model.predict_proba(XV)
    expected = loss_of(yv, outputs)
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-5)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert np.isfinite(model.best_loss_)


def test_no_validation_no_scores():
    model = classifier().fit(X, Y)
    assert model.validation_scores_ is None
    assert model.validation_loss_curve_ is None
    assert model.best_validation_score_ is None


class Spy(rn.Callback):
    """Keeps what a run trains on, and the weights after each epoch."""

    def on_train_begin(self, logs=None):
        self.data = self.run.data
        self.weights = []

    def on_epoch_end(self, epoch, logs):
        self.weights.append(self.model.weights.tobytes())


def test_held_out_rows_have_every_class_in_proportion():
    spy = Spy()
    classifier(early_stopping=True, validation_fraction=0.2, callbacks=spy).fit(X, Y)
    counts = np.bincount(np.searchsorted(NAMES, Y))
    assert counts.tolist() == [60, 40, 20]
    assert np.bincount(spy.data.val_y).tolist() == [12, 8, 4]
    assert np.bincount(spy.data.y).tolist() == [48, 32, 16]
    rows = np.concatenate([spy.data.x, spy.data.val_x])
    assert {r.tobytes() for r in rows} == {r.tobytes() for r in X.astype(np.float32)}


def test_a_class_too_small_to_be_held_out_is_no_obstacle():
    y = np.where(np.arange(len(Y)) == 3, "yew", Y)
    with pytest.warns(UserWarning, match="not stratified: The least populated class"):
        model = classifier(early_stopping=True).fit(X, y)
    assert model.classes_.tolist() == ["ash", "elm", "oak", "yew"]
    with pytest.raises(ValueError, match="least populated class"):
        model.fit(X, y == "yew")


class StopAfter(rn.Callback):
    def __init__(self, epochs, how):
        self.epochs, self.how = epochs, how

    def on_epoch_end(self, epoch, logs):
        if epoch + 1 == self.epochs:
            self.how(self.run)


def interrupt(run):
    raise KeyboardInterrupt


RESTLESS = {"solver": "sgd", "learning_rate_init": 1.0, "tol": 0.0, "random_state": 2}


@pytest.mark.parametrize(
    "options",
    [
        {"max_iter": 12},
        {"max_iter": 200, "n_iter_no_change": 3},
        {"callbacks": [StopAfter(9, lambda run: run.stop("enough"))], "max_iter": 20},
        {"callbacks": StopAfter(9, interrupt), "max_iter": 20},
    ],
    ids=["epochs", "no change", "callback", "Ctrl-C"],
)
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.filterwarnings("ignore:training interrupted")
def test_best_weights_come_back_whatever_ended_training(options, early_stopping):
    spy = Spy()
    users = as_list(options.get("callbacks"))
    model = classifier(early_stopping=early_stopping, **{**RESTLESS, **options})
    model.set_params(callbacks=[spy, *users]).fit(X, Y, X_val=XV, y_val=YV)
    best = int(np.argmax(model.validation_scores_))
    assert best < len(spy.weights) - 1
    assert model.network_.weights.tobytes() == spy.weights[best]
    assert model.score(XV, YV) == pytest.approx(model.best_validation_score_)
    interrupts._last = None
    model.set_params(restore_best_weights=False, random_state=2).fit(
        X, Y, X_val=XV, y_val=YV
    )
    assert model.network_.weights.tobytes() == spy.weights[-1]


@pytest.mark.parametrize("early_stopping", [True, False])
def test_warm_starts_keep_the_best_weights_of_their_own_epochs(early_stopping):
    spy = Spy()
    options = {**RESTLESS, "max_iter": 2, "early_stopping": early_stopping}
    model = classifier(warm_start=True, callbacks=spy, **options)
    ends = []
    for _ in range(6):
        model.fit(X, Y, X_val=XV, y_val=YV)
        best = int(np.argmax(model.validation_scores_[-model.n_iter_ :]))
        assert bits(model)[0] == spy.weights[best]
        assert model.history_.best_epoch() == len(model.history_) - model.n_iter_ + best
        ends.append(bits(model)[0])
    assert len(set(ends)) == 6  # no call repeats the one before
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.validation_scores_) == len(model.loss_curve_)


def test_ctrl_c_ends_training_with_a_warning():
    model = classifier(callbacks=[StopAfter(2, interrupt)], max_iter=50)
    with pytest.warns(UserWarning, match="(?i)training interrupted by user"):
        model.fit(X, Y)
    assert model.n_iter_ == 2
    assert model.history_.stop_reason == "interrupted"
    assert model.predict(X).shape == Y.shape


# ---- schedules ----


def test_schedules_are_for_every_solver_and_go_on_over_calls():
    cycle = schedules.OneCycle(0.1, epochs=4)
    for solver in ("adam", "sgd"):
        model = classifier(solver=solver, schedule=cycle, max_iter=4, batch_size=50).fit(
            X, Y
        )
        rates = [row.learning_rate for row in model.history_]
        assert rates == [cycle.rates(epoch, 3)[0] for epoch in range(4)]
    model = classifier(schedule=schedules.as_dict(schedules.StepDecay(0.1, 1, 0.5)))
    for _ in range(3):
        model.partial_fit(X, Y, classes=NAMES)
    assert [row.learning_rate for row in model.history_] == [0.1, 0.05, 0.025]


def test_schedules_that_cannot_be():
    plateau = schedules.Plateau(0.1)
    with pytest.raises(ValueError, match="set early_stopping, or give fit X_val and y_val"):
        classifier(schedule=plateau).fit(X, Y)
    classifier(schedule=plateau).fit(X, Y, X_val=XV, y_val=YV)
    with pytest.raises(ValueError, match="learning_rate='adaptive' and schedule"):
        classifier(schedule=plateau, learning_rate="adaptive").fit(X, Y)
    with pytest.raises(ValueError, match="schedule: expected one of Constant"):
        classifier(schedule={"type": "cubic"}).fit(X, Y)


# ---- one call after another ----

STATEFUL = [
    {},
    {"dropout": 0.3, "batch_norm": True},
    {"solver": "sgd", "learning_rate_init": 0.1},
    {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2},
]


def partial_fits(model, times):
    for _ in range(times):
        model.partial_fit(X, Y, classes=NAMES)
    return model


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("options", STATEFUL, ids=str)
@pytest.mark.parametrize("copied", [through_pickle, through_joblib, copy.deepcopy])
def test_five_and_five_epochs_are_ten_also_in_a_copy(options, copied):
    ten = partial_fits(classifier(**options), 10)
    five = partial_fits(classifier(**options), 5)
    other = copied(five)
    assert bits(other) == bits(five)
    assert other.predict_proba(X).tobytes() == five.predict_proba(X).tobytes()
    before = bits(five)
    partial_fits(other, 5)
    assert bits(five) == before
    assert bits(other) == bits(partial_fits(five, 5)) == bits(ten)
    assert other.loss_curve_ == ten.loss_curve_


@pytest.mark.parametrize("options", STATEFUL, ids=str)
def test_fit_and_partial_fit_go_on_from_one_another(options):
    """Where calls do not shuffle, epochs are epochs, whoever asks for them."""
    options = {"shuffle": False, "tol": 0.0, **options}
    ten = classifier(max_iter=10, **options).fit(X, Y)
    five = classifier(max_iter=5, **options).fit(X, Y)
    assert bits(partial_fits(five, 5)) == bits(ten)
    assert five.loss_curve_ == ten.loss_curve_
    assert five.n_iter_ == 1
    assert len(five.history_) == 10


def test_a_memory_mapped_model_can_be_used_and_trained(tmp_path):
    model = partial_fits(classifier(), 2)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    x[:] = X
    x.flush()
    x = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape)
    assert mapped.predict_proba(x).tobytes() == model.predict_proba(X).tobytes()
    assert bits(mapped.partial_fit(x, Y)) == bits(partial_fits(model, 1))


def test_a_warm_start_needs_the_same_network():
    model = classifier(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"made <Network 6 -> 9 -> 3, .* make <.* 7 ->"):
        model.set_params(hidden_layer_sizes=(7,)).fit(X, Y)
    model.set_params(warm_start=False).fit(X, Y)
    assert model.coefs_[0].shape == (6, 7)


# ---- callbacks ----


def test_callbacks_of_the_package(tmp_path):
    log = rn.CSVLogger(tmp_path / "log.csv")
    stop = rn.EarlyStopping(patience=2, min_delta=10)
    model = classifier(callbacks=[log, stop], max_iter=50)
    model.fit(X, Y, X_val=XV, y_val=YV)
    assert model.n_iter_ == 3
    assert model.history_.stop_reason == "early stopping"
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4
    assert log is model.callbacks[0]
    # A run holds the data: copies and clones of the estimator must not.
    assert not {"run", "model", "params"} & set(vars(stop))
    copied = clone(model)
    assert copied.callbacks[1].patience == 2
    assert copied.callbacks[1] is not stop
    with pytest.raises(
        TypeError, match="callbacks: expected instances of rnn_native.Callb"
    ):
        classifier(callbacks=[rn.EarlyStopping]).fit(X, Y)


def test_scores_are_columns_of_history_files_and_monitors(tmp_path):
    path = tmp_path / "log.csv"
    mine = rn.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=epoch))
    model = classifier(
        callbacks=[mine, rn.CSVLogger(path, append=True), rn.EarlyStopping("val_score")],
        early_stopping=True,
        max_iter=20,
    )
    epochs = model.fit(X, Y).n_iter_
    assert 1 < epochs < 20, "EarlyStopping has stopped it"
    columns = model.history_.history
    assert columns["val_score"] == model.validation_scores_
    assert columns["mine"] == [*range(epochs)]
    assert History.from_list(model.history_.as_list()).history == columns
    model.fit(X, Y)
    log = rn.read_log(path)
    assert log.history["val_score"] == columns["val_score"] + model.validation_scores_
    assert log.epoch == [*range(len(log))]


@pytest.mark.parametrize("kind", [rn.EarlyStopping, rn.ReduceLROnPlateau])
@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy", "val_score"])
def test_missing_validation_is_told_in_the_estimators_words(kind, monitor):
    words = (
        "needs validation data; set early_stopping=True, or give X_val and y_val to fit$"
    )
    with pytest.raises(ValueError, match=f"^{kind.__name__} {words}"):
        classifier(callbacks=[kind(monitor)]).fit(X, Y)


def test_hooks_of_batches_change_no_bit():
    seen = []

    class Batches(rn.Callback):
        def on_train_batch_end(self, batch, logs):
            seen.append(logs["loss"])

    options = {"batch_size": 32, "alpha": 1.0, "max_iter": 2}
    weights = np.linspace(0, 2, len(Y))
    one = classifier(callbacks=Batches(), **options).fit(X, Y, sample_weight=weights)
    other = classifier(**options).fit(X, Y, sample_weight=weights)
    assert bits(one) == bits(other)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-12)
    assert seen[3::4] == pytest.approx(one.loss_curve_)


class Recorder:
    """A callback of scikit-learn's protocol."""

    def __init__(self, stop_after=None):
        self.told, self.scores, self.fitted, self.stop_after = [], [], [], stop_after

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.told.append(f"end {context.task_name} {context.task_id}")
        self.scores.append(fitted_estimator.score(X, y, **metadata))
        self.fitted.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


needs_protocol = pytest.mark.skipif(
    not hasattr(MLPClassifier, "set_callbacks"), reason="scikit-learn has no callbacks"
)


@needs_protocol
def test_callbacks_of_scikit_learn():
    pandas = pytest.importorskip("pandas")
    recorder, weights = Recorder(), np.linspace(1, 2, len(Y))
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    scored = []

    class Score(rn.Callback):
        def on_epoch_end(self, epoch, logs):
            scored.append(model.score(frame, Y, sample_weight=weights))

    model = classifier(
        max_iter=3, learning_rate_init=0.05, callbacks=[Score()]
    ).set_callbacks(recorder)
    model.fit(frame, Y, sample_weight=weights)
    epochs = [f"{what} epoch {i}" for i in range(3) for what in ("begin", "end")]
    assert recorder.told == ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]
    # As it was in each epoch, and at the end.
    assert recorder.scores == [*scored, scored[-1]]
    assert len(set(scored)) > 1
    kept = [e.score(frame, Y, sample_weight=weights) for e in recorder.fitted]
    assert kept == recorder.scores


@needs_protocol
def test_a_callback_of_scikit_learn_stops_training_and_is_always_torn_down():
    recorder = Recorder(stop_after=2)
    model = classifier().set_callbacks(recorder).fit(X, Y)
    assert (model.n_iter_, model.history_.stop_reason) == (2, "callback")
    model = classifier(learning_rate_init=1e5, solver="sgd").set_callbacks(Recorder())
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X * 1e15, Y)
    assert model._skl_callbacks[0].told[-1] == "teardown"


@needs_protocol
def test_scoring_monitor_and_searches_propagate_callbacks():
    monitor = pytest.importorskip("sklearn.callback").ScoringMonitor(scoring="accuracy")
    classifier(max_iter=3).set_callbacks(monitor).fit(X, Y)
    assert len(monitor.get_logs().data) == 4


# ---- what users do with estimators ----


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_grid_search(backend, monkeypatch):
    environment = python_environment()
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    model = make_pipeline(
        StandardScaler(), classifier(learning_rate_init=0.02, max_iter=30)
    )
    grid = {"mlpclassifier__alpha": [1e-4, 1e3], "mlpclassifier__dropout": [0.0, 0.1]}
    with joblib.parallel_backend(backend, n_jobs=2):
        search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert search.best_params_["mlpclassifier__alpha"] == 1e-4
    serial = GridSearchCV(model, grid, cv=2).fit(X, Y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )
    assert search.predict(XV).tolist() == serial.predict(XV).tolist()


def test_feature_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    model = classifier().fit(frame, pandas.Series(Y, dtype="category"))
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert model.n_features_in_ == 6
    assert bits(model) == bits(classifier().fit(X, Y))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[list("abcdfe")])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_an_estimator_shows_itself():
    model = classifier(dropout=0.2).fit(X, Y)
    assert "dropout=0.2" in repr(model)
    assert "MLPClassifier" in model._repr_html_()


# ---- refusals ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"activation": "softplus"},
            "'activation' parameter of MLPClassifier must be a str",
        ),
        ({"dropout": 1.0}, "'dropout' parameter of MLPClassifier must be a float in the"),
        ({"dropout": (0.1, 0.2)}, "dropout: expected a rate in .* each of 1 hidden layers"),
        ({"dropout": (1.0,)}, "dropout: expected a rate in"),
        ({"n_threads": 0}, "'n_threads' parameter of MLPClassifier must be an int in"),
        ({"batch_norm": "yes"}, "'batch_norm' parameter"),
        ({"class_weight": "even"}, "'class_weight' parameter"),
        (
            {"class_weight": {"oak": -1}},
            "class_weight: expected finite weights of at least 0",
        ),
        ({"class_weight": {"fir": 2}}, "The classes, .*, are not in class_weight"),
        ({"label_smoothing": 1}, "'label_smoothing' parameter"),
        ({"schedule": "cosine"}, "'schedule' parameter"),
    ],
)
def test_bad_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        classifier(**options).fit(X, Y)


def test_numbers_that_only_scikit_learn_takes():
    for name in ("alpha", "learning_rate_init", "epsilon"):
        with pytest.raises(ValueError, match=rf"^{name}: expected a value in \[.*, got 1e"):
            classifier(**{name: 1e7}).fit(X, Y)
    for name in ("learning_rate_init", "epsilon"):
        with pytest.raises(
            ValueError, match=rf"^{name}: expected a value in \[.*, got 1e-40"
        ):
            classifier(**{name: 1e-40}).fit(X, Y)


def test_bad_data_is_named():
    huge = np.where(np.arange(6) == 3, 1e300, X)
    too_large = "contains infinity or a value too large for dtype"
    with pytest.raises(ValueError, match=f"Input X {too_large}"):
        classifier().fit(huge, Y)
    with pytest.raises(ValueError, match=f"Input X {too_large}"):
        classifier().fit(np.where(X > 0, 1e300, -1e300), Y)  # and no warning of NumPy
    with pytest.raises(ValueError, match=f"Input X {too_large}"):
        classifier().fit(X, Y).predict(huge)
    with pytest.raises(ValueError, match=f"Input y {too_large}"):
        MLPRegressor().fit(X, huge[:, 3])
    with pytest.raises(ValueError, match="Input sample_weight contains infinity"):
        classifier().fit(X, Y, sample_weight=np.full(len(Y), 1e300))
    with pytest.raises(
        ValueError, match="Negative values in data passed to `sample_weight`"
    ):
        classifier().fit(X, Y, sample_weight=-np.ones(len(Y)))
    with pytest.raises(ValueError, match="loss='poisson' needs y of at least 0, got -1"):
        MLPRegressor("poisson").fit(X, np.where(Y == "oak", -1, 1))
    with pytest.raises(
        ValueError, match=r"validation_data: expected \(X, y\), got a tuple of length 3"
    ):
        classifier().fit(X, Y, validation_data=(XV, YV, YV))
    with pytest.raises(TypeError, match=r"expected a tuple \(X, y\), got ndarray"):
        classifier().fit(X, Y, validation_data=XV)
    with pytest.raises(ValueError, match="`y` has classes not in `self.classes_`"):
        classifier().fit(X, Y, X_val=XV, y_val=np.where(YV == "oak", "fir", YV))
    with pytest.raises(
        ValueError, match="X has 5 features, but MLPClassifier is expecting 6"
    ):
        classifier().fit(X, Y, X_val=XV[:, :5], y_val=YV)
    model = MLPRegressor(max_iter=1).partial_fit(X, X[:, :2])
    with pytest.raises(
        ValueError, match="y: expected 2 outputs, as in the first fit, got 1"
    ):
        model.partial_fit(X, X[:, 0])


def test_divergence_is_scikit_learns_error_and_says_where():
    model = MLPRegressor(solver="sgd", learning_rate_init=1e4, random_state=1)
    message = "Solver produced non-finite parameter weights.*not finite at epoch 3, batch 1"
    with pytest.raises(ValueError, match=message):
        model.fit(X, 1e6 * X[:, 0])


def test_scikit_learn_is_imported_only_where_it_is_needed():
    code = "import sys, rnn_native; assert 'sklearn' not in sys.modules; rnn_native.sklearn"
    subprocess.run([sys.executable, "-c", code], check=True, env=python_environment())
    code = "import sys; sys.modules['sklearn'] = None; import rnn_native.sklearn"
    child = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=python_environment(),
    )
    last = child.stderr.splitlines()[-1]
    assert last.startswith(
        "ImportError: rnn_native.sklearn: scikit-learn is not installed;"
    )
