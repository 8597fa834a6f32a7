"""Calls that are refused or fail: what the estimators are then, and what they say."""

import json
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

import rnn_native as rn
from rnn_native.sklearn import (
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(4)
X = RNG.normal(size=(60, 3))
HALVES = (X[:, 0] > 0).astype(int)
WORDS = np.where(HALVES, "ill", "well")
KINDS = [MLPClassifier, NetworkClassifier, MLPRegressor, NetworkRegressor]
CLASSIFIERS = KINDS[:2]


def is_classifier(kind):
    return kind in CLASSIFIERS


def made(kind, **options):
    return kind(**{"random_state": 0, "max_iter": 5, **options})


def targets(kind):
    return WORDS if is_classifier(kind) else X[:, 1]


def others(kind):
    """Targets that make another network of it, and rows with other columns."""
    return np.arange(60) % 3 if is_classifier(kind) else np.c_[X[:, 1], X[:, 2]]


def facts(model):
    """All that a call can change, as plain values."""
    found = {
        name: pickle.dumps(value)
        for name, value in vars(model).items()
        if name not in ("network_", "history_")
    }
    if (network := found_in(model, "network_")) is not None:
        found["network"] = (
            id(network),
            network.weights.tobytes(),
            network.moments.tobytes(),
            network.training_state.as_dict(),
        )
    if (history := found_in(model, "history_")) is not None:
        found["history"] = (
            id(history),
            [*history.rows],
            history.epoch[:],
            history.call_begin,
        )
        found["best"] = (history.best_epoch(), history.best_by, history.stop_reason)
    return found


def found_in(model, name):
    return vars(model).get(name)


class Failing(rn.Callback):
    """Raises at the end of a call's second epoch, or of its only one."""

    def on_epoch_end(self, epoch, logs):
        if epoch == self.params["epochs"] - 1 or epoch == 1:
            raise ZeroDivisionError("of the callback")


def negative_weights(model, method, kind):
    getattr(model, method)(X, targets(kind), sample_weight=-np.ones(60))


def missing_targets(model, method, kind):
    getattr(model, method)(X, np.full(60, np.nan))


def diverging(model, method, kind):
    model.set_params(alpha=9e5, learning_rate_init=9e5)
    model._rate = 9e5
    getattr(model, method)(X * 1e30, targets(kind))


def failing_callback(model, method, kind):
    model.set_params(callbacks=[Failing()])
    getattr(model, method)(X, targets(kind))


REFUSED = [negative_weights, missing_targets, diverging, failing_callback]


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_raises_leaves_the_estimator_as_it_was(
    kind, warm_start, method, refused
):
    model = made(kind, warm_start=warm_start).fit(X, targets(kind))
    views = model.network_.params
    before = facts(model)
    given = model.get_params()
    rate = model._rate
    with pytest.raises((ValueError, ZeroDivisionError)):
        refused(model, method, kind)
    model.set_params(**given)._rate = rate
    assert facts(model) == before
    assert np.shares_memory(views, model.network_.params)
    other = made(kind, warm_start=warm_start).fit(X, targets(kind))
    again = [one.partial_fit(X, targets(kind)).network_.weights for one in (model, other)]
    assert again[0].tobytes() == again[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_fit_on_other_data_leaves_what_the_estimator_knows(kind):
    model = made(kind, early_stopping=True).fit(X, targets(kind))
    before, answers = facts(model), model.predict(X)
    with pytest.raises(ValueError, match="validation_fraction: 0.1 of 3 rows"):
        model.fit(np.ones((3, 7)), others(kind)[:3])
    assert facts(model) == before
    np.testing.assert_array_equal(model.predict(X), answers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_fit_on_a_table_leaves_the_code_of_the_old_one(kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": ["x", "y"] * 30, "b": X[:, 0]})
    model = made(kind).fit(frame, targets(kind))
    before, answers = facts(model), model.predict(frame)
    with pytest.raises(ValueError, match="Negative values"):
        model.fit(frame[["a"]], others(kind), sample_weight=-np.ones(60))
    assert facts(model) == before
    np.testing.assert_array_equal(model.predict(frame), answers)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_first_call_that_raises_fits_nothing(kind, refused, method):
    model = made(kind)
    before, given = facts(model), model.get_params()
    with pytest.raises((ValueError, ZeroDivisionError)):
        refused(model, method, kind)
    model.set_params(**given)
    vars(model).pop("_rate", None)
    assert facts(model) == before
    classes = {"classes": ["ill", "well"]} if is_classifier(kind) else {}
    model.partial_fit(X, targets(kind), **classes)
    fresh = clone(model).partial_fit(X, targets(kind), **classes)
    assert model.network_.weights.tobytes() == fresh.network_.weights.tobytes()


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("y", [np.where(HALVES, np.nan, 0.0), WORDS, np.ones(3)])
def test_a_right_partial_fit_follows_a_refused_first_one(kind, y):
    model = made(kind)
    with pytest.raises(ValueError):
        model.partial_fit(X, y, classes=[0, 1])
    model.partial_fit(X, HALVES, classes=[0, 1])
    fresh = made(kind).partial_fit(X, HALVES, classes=[0, 1])
    assert model.network_.weights.tobytes() == fresh.network_.weights.tobytes()


# ---- targets of another shape ----

LABELS = np.eye(2, dtype=int)[HALVES]
WIDER = np.eye(3, dtype=int)[np.arange(60) % 3]

SHAPES = [
    (CLASSIFIERS, LABELS, HALVES, r"expected shape \(60, 2\), .* each label, {}, got \(60,\)"),
    (CLASSIFIERS, LABELS, HALVES[:, None], r"expected shape \(60, 2\), .*, got \(60,\)"),
    (CLASSIFIERS, LABELS, WIDER, r"expected shape \(60, 2\), .* label, {}, got \(60, 3\)"),
    (CLASSIFIERS, WIDER, LABELS, r"expected shape \(60, 3\), .* label, {}, got \(60, 2\)"),
    (CLASSIFIERS, HALVES, LABELS, r"expected shape \(60,\), a class .*, {}, got \(60, 2\)"),
    (CLASSIFIERS, np.arange(60) % 3, WIDER, r"expected shape \(60,\), .*, got \(60, 3\)"),
    (KINDS[2:], X[:, :2], X[:, 0], r"expected 2 outputs, {}, got 1"),
    (KINDS[2:], X[:, 0], X[:, :2], r"expected 1 outputs, {}, got 2"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("call", ["fit", "partial_fit", "fit on y_val"])
@pytest.mark.parametrize(
    ("kind", "first", "other", "message"),
    [(kind, *rest) for kinds, *rest in SHAPES for kind in kinds],
)
def test_targets_of_another_shape_are_refused_at_once(kind, first, other, message, call):
    if call == "fit on y_val":
        with pytest.raises(ValueError, match="^y_val: " + message.format("as y")):
            made(kind).fit(X, first, X_val=X, y_val=other)
        return
    model = made(kind, warm_start=call == "fit").fit(X, first)
    with pytest.raises(ValueError, match="^y: " + message.format("as in the first fit")):
        getattr(model, call)(X, other)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_classes_of_a_first_partial_fit_say_how_many_labels_there_are(kind):
    message = r"^y: expected shape \(60, 3\), .* label, as in classes, got \(60, 2\)"
    with pytest.raises(ValueError, match=message):
        made(kind).partial_fit(X, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_sparse_labels_are_labels(kind):
    sparse = pytest.importorskip("scipy.sparse").csr_array(LABELS)
    one = made(kind).fit(X, sparse).partial_fit(X, sparse)
    other = made(kind).fit(X, LABELS).partial_fit(X, LABELS)
    assert one.network_.weights.tobytes() == other.network_.weights.tobytes()


# ---- masked arrays ----


def masked(values):
    """Return an array whose first two elements are masked."""
    values = np.asarray(values)
    return np.ma.masked_array(values, np.arange(values.size).reshape(values.shape) < 2)


ONES = np.ones(60)
MASKED = {
    "X": lambda model, y: model.fit(masked(X), y),
    "y": lambda model, y: model.fit(X, masked(y)),
    "sample_weight": lambda model, y: model.fit(X, y, masked(ONES)),
    "X_val": lambda model, y: model.fit(X, y, X_val=masked(X), y_val=y),
    "y_val": lambda model, y: model.fit(X, y, X_val=X, y_val=masked(y)),
    "sample_weight_val": lambda model, y: model.fit(
        X, y, X_val=X, y_val=y, sample_weight_val=masked(ONES)
    ),
    "X of images": lambda model, y: model.fit(masked(X)[:, None], y),
    "X of partial_fit": lambda model, y: model.partial_fit(masked(X), y),
    "y of partial_fit": lambda model, y: model.partial_fit(X, masked(y)),
    "sample_weight of partial_fit": lambda model, y: model.partial_fit(X, y, masked(ONES)),
    "X of predict": lambda model, y: model.predict(masked(X)),
    "X of score": lambda model, y: model.score(masked(X), y),
    "y of score": lambda model, y: model.score(X, masked(y)),
    "sample_weight of score": lambda model, y: model.score(X, y, masked(ONES)),
}
MASKED_OF_CLASSES = {
    "X of predict_proba": lambda model, y: model.predict_proba(masked(X)),
    "X of predict_log_proba": lambda model, y: model.predict_log_proba(masked(X)),
    "classes of partial_fit": lambda model, y: model.partial_fit(
        X, y, classes=masked(["ill", "well", "none"])
    ),
    "class_weight": lambda model, y: model.set_params(class_weight=masked([1, 2])).fit(
        X, y
    ),
}


@pytest.mark.parametrize("what", MASKED)
@pytest.mark.parametrize("kind", KINDS)
def test_masked_values_are_not_taken_for_values(kind, what):
    model = made(kind).fit(X, targets(kind))
    name = what.split()[0]
    with pytest.raises(
        ValueError, match=f"^{name}: expected no masked values, got 2; fill"
    ):
        MASKED[what](model, targets(kind))


@pytest.mark.parametrize("what", MASKED_OF_CLASSES)
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_masked_values_are_not_taken_for_classes(kind, what):
    model = made(kind).fit(X, WORDS)
    name = what.split()[0]
    with pytest.raises(
        ValueError, match=f"^{name}: expected no masked values, got 2; fill"
    ):
        MASKED_OF_CLASSES[what](model, WORDS)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_arrays_without_a_masked_value_are_arrays(kind):
    one = made(kind).fit(np.ma.masked_array(X), np.ma.masked_array(targets(kind)))
    other = made(kind).fit(X, targets(kind))
    assert one.network_.weights.tobytes() == other.network_.weights.tobytes()


# ---- parameters of another network ----

ANOTHER = [
    (
        MLPClassifier,
        {"hidden_layer_sizes": (3, 3)},
        "made <.* 100 -> .* make <.* 3 -> 3 -> ",
    ),
    (MLPClassifier, {"activation": "tanh"}, "made layer 0 {.*'relu'}, .* make {.*'tanh'}"),
    (
        MLPClassifier,
        {"dropout": 0.5},
        "made <Network .*, the parameters now make <Network ",
    ),
    (MLPClassifier, {"batch_norm": True}, "made <Network .* make <Network .*"),
    (MLPRegressor, {"hidden_layer_sizes": 5}, "made <.* 100 -> .* make <.* 5 -> "),
    (MLPRegressor, {"loss": "poisson"}, "for squared_error, .* make one for poisson"),
    (NetworkClassifier, {"architecture": [rn.Dense(4, "tanh")]}, "made <.* make <.* 4 -> "),
    (NetworkRegressor, {"architecture": [rn.Dense(4, "tanh")]}, "made <.* make <.* 4 -> "),
    (NetworkRegressor, {"loss": "mae"}, "for squared_error, .* make one for absolute"),
]


@pytest.mark.parametrize(("kind", "other", "message"), ANOTHER)
def test_calls_that_continue_need_the_same_network(kind, other, message):
    y = HALVES  # counts are for every loss
    model, before = made(kind).fit(X, y), made(kind).get_params()
    bits = facts(model)["network"]
    ends = "set them back, or start again with fit"
    with pytest.raises(
        ValueError, match=f"^partial_fit: the earlier fit .*{message}.*; {ends}"
    ):
        model.set_params(**other).partial_fit(X, y)
    with pytest.raises(ValueError, match=f"^warm_start: the earlier fit .*{message}"):
        model.set_params(warm_start=True).fit(X, y)
    assert facts(model)["network"] == bits
    model.set_params(**before).partial_fit(X, y)
    model.set_params(**other).fit(X, y).partial_fit(X, y)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (
            MLPClassifier,
            {"hidden_layer_sizes": (5,)},
            {"hidden_layer_sizes": np.array([5])},
        ),
        (MLPClassifier, {"hidden_layer_sizes": 5}, {"hidden_layer_sizes": [5]}),
        (MLPRegressor, {"alpha": 1e-3}, {"alpha": 1e-2}),
        (
            NetworkClassifier,
            {"architecture": [rn.Dense(4, "relu"), rn.Dense(2), rn.Softmax()]},
            {"architecture": (rn.Dense(4, "relu"), rn.Dense(2, "softmax"))},
        ),
        (NetworkRegressor, {"loss": "mae"}, {"loss": "absolute_error"}),
    ],
)
def test_other_words_for_the_same_network_are_no_obstacle(kind, one, other):
    model = made(kind, **one).fit(X, HALVES)
    model.set_params(**other).partial_fit(X, HALVES)
    assert model.n_iter_ == 1


@pytest.mark.parametrize(
    ("kind", "other", "message"),
    [
        (
            MLPClassifier,
            {"activation": "step"},
            "The 'activation' parameter of MLPClassifier",
        ),
        (MLPRegressor, {"loss": "huber"}, "The 'loss' parameter of MLPRegressor"),
        (NetworkRegressor, {"architecture": 3}, "The 'architecture' parameter of Network"),
    ],
)
def test_parameters_that_cannot_be_are_named_by_partial_fit_too(kind, other, message):
    model = made(kind).fit(X, HALVES)
    with pytest.raises(ValueError, match=message):
        model.set_params(**other).partial_fit(X, HALVES)


def write_architecture(path, units):
    layers = [
        {"type": "dense", "units": units, "activation": "relu"},
        {"type": "dense", "units": 2},
    ]
    path.write_text(json.dumps({"input_shape": [3], "layers": layers}))


def test_partial_fit_does_not_need_the_file_of_the_architecture(tmp_path):
    write_architecture(path := tmp_path / "net.json", units=4)
    model = made(NetworkClassifier, architecture=path).fit(X, HALVES)
    path.unlink()
    model = pickle.loads(pickle.dumps(model)).partial_fit(X, HALVES)
    with pytest.raises(OSError, match="net.json"):
        model.fit(X, HALVES)


def test_each_fit_reads_the_file_of_the_architecture(tmp_path):
    write_architecture(path := tmp_path / "net.json", units=4)
    model = made(NetworkClassifier, architecture=path).fit(X, HALVES)
    write_architecture(path, units=5)
    with pytest.raises(ValueError, match="^warm_start: .* 4 -> .* 5 -> "):
        model.set_params(warm_start=True).fit(X, HALVES)
    assert " 5 -> " in str(model.set_params(warm_start=False).fit(X, HALVES).network_)


# ---- weights ----


@pytest.mark.parametrize("tiny", [1e-45, 1e-40])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_below_the_normal_numbers_of_float32_are_refused(kind, solver, tiny):
    model = made(kind, solver=solver)
    ends = r"expected a weight of at least 1.2e-38, .*, got at most 1.*e-4\d; multiply"
    with pytest.raises(ValueError, match=f"^sample_weight: {ends}"):
        model.fit(X, targets(kind), sample_weight=np.full(60, tiny))
    if is_classifier(kind):
        model.set_params(class_weight=[tiny, tiny])
        with pytest.raises(ValueError, match=f"^class_weight: {ends}"):
            model.fit(X, WORDS)
        with pytest.raises(ValueError, match=f"^sample_weight times class_weight: {ends}"):
            model.fit(X, WORDS, sample_weight=np.ones(60))


def test_one_normal_weight_is_enough():
    weights = np.full(60, 1e-45)
    weights[7] = 1.0
    model = made(MLPRegressor, batch_size=60).fit(X, X[:, 1], sample_weight=weights)
    assert np.isfinite(model.loss_)


# ---- values of the MLPs' own parameters ----


@pytest.mark.parametrize(
    "sizes",
    [(2.5,), {"a": 1}, {3: 4}, {3, 4}, ["5"], [None], [[1, 2]], np.array(3)],
    ids=str,
)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_sizes_that_are_no_sequence_of_integers_are_refused_by_name(kind, sizes):
    message = "^hidden_layer_sizes: expected an integer, or one for each .* in order, got "
    with pytest.raises(TypeError, match=message):
        made(kind, hidden_layer_sizes=sizes).fit(X, targets(kind))


NO_RATES = [
    {"a": 1}, {0.5: 1}, {0.5}, ["x"], ["0.3"], [None], [[0.5]], [1j], [True], [10**400],
    [np.nan], [0.1, 0.2], [], np.array(0.5),
]  # fmt: skip


@pytest.mark.parametrize("dropout", NO_RATES, ids=lambda given: str(given)[:9])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_rates_that_are_no_sequence_of_numbers_are_refused_by_name(kind, dropout):
    message = (
        r"^dropout: expected a rate in \[0, 1\) for each of 1 hidden layers in order, got "
    )
    with pytest.raises(ValueError, match=message):
        made(kind, dropout=dropout).fit(X, targets(kind))


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_layer_sizes": np.array([4, 3]), "dropout": np.array([0.1, 0.2])},
        {"hidden_layer_sizes": [np.int64(4), 3], "dropout": (np.float32(0.1), 0)},
        {"hidden_layer_sizes": (), "dropout": ()},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_sequences_of_any_kind_are_sizes_and_rates(kind, options):
    assert made(kind, **options).fit(X, targets(kind)).n_iter_ == 5
