"""The estimators against scikit-learn's own: the same seed gives the same numbers.

scikit-learn computes in float64 here, so what differs is the rounding of float32.
"""

import inspect
import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network as scikit
from sklearn.exceptions import ConvergenceWarning

from rnn_native import sklearn as ours

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The default multioutput:FutureWarning",
)

N = 103  # not a multiple of any batch size here


def table(kind):
    """Rows, and targets of a kind that some signal of the rows is in."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, 6))
    signal = x @ rng.normal(size=(6, 3)) + 0.3 * rng.normal(size=(N, 3))
    targets = {
        "classes": np.array(["ash", "elm", "oak"])[signal.argmax(axis=1)],
        "binary": np.array(["no", "yes"])[(signal[:, 0] > 0).astype(int)],
        "multilabel": (signal > 0).astype(int),
        "number": signal[:, 0],
        "numbers": signal[:, :2],
        "counts": rng.poisson(np.exp(signal[:, 0] / 3)),
    }
    return x, targets[kind]


CLASSES = ["classes", "binary", "multilabel"]
KINDS = [*CLASSES, "number", "numbers", "counts"]


def both(kind, x, y, sample_weight=None, **options):
    """Our estimator and scikit-learn's, fitted in the same way."""
    options = {"hidden_layer_sizes": (9, 5), "random_state": 3, "max_iter": 6, **options}
    if kind == "counts":
        options["loss"] = "poisson"
    name = "MLPClassifier" if kind in CLASSES else "MLPRegressor"
    fitted = [getattr(m, name)(**options) for m in (ours, scikit)]
    return [estimator.fit(x, y, sample_weight=sample_weight) for estimator in fitted]


def assert_agree(our, their, tolerance=2e-5):
    """Weights, losses, counts, and what is predicted."""
    assert [w.shape for w in our.coefs_] == [w.shape for w in their.coefs_]
    one, other = (
        np.concatenate([w.ravel() for w in [*e.coefs_, *e.intercepts_]])
        for e in (our, their)
    )
    assert np.abs(one - other).max() < tolerance * np.abs(other).max()
    np.testing.assert_allclose(our.loss_curve_, their.loss_curve_, rtol=tolerance)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(our, name) == getattr(their, name), name
    for name in ("loss_", "best_loss_", "best_validation_score_", "validation_scores_"):
        one, other = getattr(our, name), getattr(their, name)
        assert (one is None) == (other is None), name
        if other is not None:
            np.testing.assert_allclose(one, other, rtol=tolerance, err_msg=name)


def test_parameters_are_those_of_scikit_learn_and_ours_come_after_them():
    for name in ("MLPClassifier", "MLPRegressor"):
        one, other = (
            list(inspect.signature(getattr(m, name)).parameters.values())
            for m in (ours, scikit)
        )
        for mine, theirs in zip(one, other, strict=False):
            assert mine.replace(annotation=theirs.annotation) == theirs
        more = one[len(other) :]
        assert all(p.kind == p.KEYWORD_ONLY for p in more)


SOLVERS = [
    {"solver": "adam", "learning_rate_init": 0.01},
    {"solver": "adam", "beta_1": 0.7, "beta_2": 0.9, "epsilon": 0.01},
    {"solver": "sgd", "learning_rate_init": 0.05},
    {"solver": "sgd", "learning_rate_init": 0.05, "nesterovs_momentum": False},
    {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0, "alpha": 0.0},
]


def shown(options):
    return " ".join(map(str, options.values()))


@pytest.mark.parametrize("solver", SOLVERS, ids=shown)
@pytest.mark.parametrize("kind", KINDS)
def test_training_agrees(kind, solver):
    x, y = table(kind)
    our, their = both(kind, x, y, batch_size=32, **solver)
    assert_agree(our, their)
    np.testing.assert_allclose(our.score(x, y), their.score(x, y), rtol=1e-5)
    if kind in CLASSES:
        np.testing.assert_array_equal(our.predict(x), their.predict(x))
        for method in ("predict_proba", "predict_log_proba"):
            one, other = (getattr(e, method)(x) for e in (our, their))
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    else:
        np.testing.assert_allclose(our.predict(x), their.predict(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 30.0},
        {"alpha": 0.0},
        {"activation": "logistic", "alpha": 1.0},
        {"activation": "tanh"},
        {"activation": "identity", "batch_size": 1},
        {"shuffle": False, "batch_size": 10},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 7, "batch_size": N},
    ],
    ids=shown,
)
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_options_agree(kind, options):
    x, y = table(kind)
    assert_agree(*both(kind, x, y, **options))


def test_a_random_state_agrees_and_is_drawn_from_alike():
    x, y = table("binary")
    states = [np.random.RandomState(8) for _ in range(2)]
    pair = [
        m.MLPClassifier(random_state=state, max_iter=3, early_stopping=True).fit(x, y)
        for m, state in zip((ours, scikit), states, strict=True)
    ]
    assert_agree(*pair)
    assert states[0].rand() == states[1].rand()


@pytest.mark.parametrize("solver", SOLVERS[::2], ids=shown)
@pytest.mark.parametrize("kind", KINDS)
def test_sample_weights_agree(kind, solver):
    """A batch is divided by its weights, its penalty as well."""
    x, y = table(kind)
    weights = np.random.default_rng(1).uniform(0, 3, N)
    weights[:5] = 0
    options = {"batch_size": 32, "alpha": 2.0, "max_iter": 4, **solver}
    assert_agree(*both(kind, x, y, weights, **options))


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_weights_are_repeated_rows(kind):
    """What scikit-learn's check asks, within float32: as weights, repeated, or left out."""
    x, y = table(kind)
    weights = np.random.default_rng(1).integers(0, 3, N)
    name = "MLPClassifier" if kind == "classes" else "MLPRegressor"
    options = {"max_iter": 30, "random_state": 3, "batch_size": 2 * N, "shuffle": False}
    weighted, repeated = (getattr(ours, name)(**options) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weighted.fit(x, y, sample_weight=weights)
        repeated.fit(np.repeat(x, weights, axis=0), np.repeat(y, weights))
    for one, other in zip(weighted.coefs_, repeated.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


# ---- when training ends ----


ENDINGS = [
    {"solver": "adam", "learning_rate_init": 0.02, "tol": 3e-3, "n_iter_no_change": 3},
    {"solver": "sgd", "learning_rate_init": 0.05, "tol": 3e-3, "n_iter_no_change": 2},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5,
     "power_t": 0.3, "tol": 3e-3, "n_iter_no_change": 2},
    {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1, "tol": 1e-2,
     "n_iter_no_change": 1},
    {"solver": "adam", "learning_rate": "adaptive", "learning_rate_init": 0.02, "tol": 1e-2,
     "n_iter_no_change": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", ENDINGS, ids=shown)
@pytest.mark.parametrize("kind", ["classes", "number"])
def test_training_ends_in_the_same_epoch(kind, options, capsys):
    x, y = table(kind)
    options = {**options, "max_iter": 300, "batch_size": 32, "verbose": True}
    our, their = both(kind, x, y, **options)
    assert 3 < their.n_iter_ < 300
    # The last epochs of some runs amplify what rounding left.
    assert_agree(our, their, tolerance=2e-3)
    # First ours, then theirs; the last digits of losses aside.
    lines = re.sub(r"(loss = .{5})\d*", r"\1", capsys.readouterr().out).splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]


@pytest.mark.parametrize("kind", ["binary", "multilabel", "number"])
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_early_stopping_agrees(kind, learning_rate):
    """The same rows are held out; with more than two classes ours are others, stratified."""
    x, y = table(kind)
    our, their = both(
        kind, x, y, early_stopping=True, solver="sgd", learning_rate_init=0.1,
        learning_rate=learning_rate, n_iter_no_change=3, max_iter=100, tol=1e-3,
        validation_fraction=0.25, batch_size=20,
    )  # fmt: skip
    assert our.best_loss_ is None
    assert_agree(our, their, tolerance=1e-3)


def test_early_stopping_with_sample_weights_agrees():
    x, y = table("binary")
    weights = np.random.default_rng(1).uniform(0.5, 3, N)
    options = {"early_stopping": True, "validation_fraction": 0.3, "max_iter": 20}
    assert_agree(
        *both("binary", x, y, weights, learning_rate_init=0.02, **options), tolerance=1e-4
    )
    x, y = table("number")
    assert_agree(
        *both("number", x, y, weights, learning_rate_init=0.02, **options), tolerance=1e-4
    )


# ---- one call after another ----


@pytest.mark.parametrize("solver", SOLVERS, ids=shown)
@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_agrees(kind, solver):
    """Also where calls bring different numbers of rows, with a rate that falls."""
    x, y = table(kind)
    options = {"hidden_layer_sizes": (5,), "random_state": 3, "batch_size": 16, **solver}
    if solver["solver"] == "sgd":
        options["learning_rate"] = "invscaling"
        options["power_t"] = 0.2
    if kind == "counts":
        options["loss"] = "poisson"
    name = "MLPClassifier" if kind in CLASSES else "MLPRegressor"
    pair = [getattr(m, name)(**options) for m in (ours, scikit)]
    for estimator in pair:
        first = {"classes": np.unique(y)} if kind in ("classes", "binary") else {}
        first = {"classes": np.arange(3)} if kind == "multilabel" else first
        for begin, end in ((0, 40), (40, 90), (0, N), (0, N)):
            estimator.partial_fit(x[begin:end], y[begin:end], **first)
    assert_agree(*pair)


def test_partial_fit_after_fit_and_warm_starts_agree():
    x, y = table("classes")
    options = {"hidden_layer_sizes": (5,), "random_state": 3, "max_iter": 3}
    pair = [m.MLPClassifier(warm_start=True, **options) for m in (ours, scikit)]
    for estimator in pair:
        estimator.fit(x, y).fit(x, y)
        estimator.partial_fit(x, y)
        estimator.set_params(max_iter=2, solver="sgd").fit(x, y)
    assert_agree(*pair)
    assert pair[0].n_iter_ == 2
    assert len(pair[0].loss_curve_) == 9


def test_single_class_agrees():
    x, _ = table("binary")
    y = np.full(N, "only")
    our, their = both("binary", x, y, max_iter=2)
    assert_agree(our, their)
    np.testing.assert_array_equal(our.predict(x), their.predict(x))


# ---- words ----


def outcome(call):
    """Type and text of what a call raises, or None."""
    try:
        call()
    except Exception as error:
        return type(error), str(error)
    return None


X3 = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({"hidden_layer_sizes": (3, -1)}, [(X3, [0, 1, 0, 1])]),
        ({"alpha": -1}, [(X3, [0, 1, 0, 1])]),
        ({"batch_size": 0}, [(X3, [0, 1, 0, 1])]),
        ({"learning_rate": "fast"}, [(X3, [0, 1, 0, 1])]),
        ({"max_iter": 1.5}, [(X3, [0, 1, 0, 1])]),
        ({"momentum": 2}, [(X3, [0, 1, 0, 1])]),
        ({"beta_1": 1.0}, [(X3, [0, 1, 0, 1])]),
        ({"random_state": "x"}, [(X3, [0, 1, 0, 1])]),
        ({}, [(X3, [0, 1, 0])]),
        ({}, [(X3, [0.5, 1.5, 0.1, 3.3])]),
        ({}, [(X3, None)]),
        ({}, [(X3[0], [0, 1, 0])]),
        ({}, [(X3[None], [0])]),
        ({}, [(np.full((4, 3), np.nan), [0, 1, 0, 1])]),
        ({}, [(np.full((4, 3), np.inf), [0, 1, 0, 1])]),
        ({}, [(np.full((4, 3), "a"), [0, 1, 0, 1])]),
        ({}, [(X3 + 1j, [0, 1, 0, 1])]),
        ({}, [(np.empty((0, 3)), [])]),
        ({}, [(X3, [[0, 1], [2, 1], [0, 2], [1, 1]])]),
        ({"warm_start": True}, [(X3, [0, 1, 0, 1]), (X3, [0, 1, 2, 1])]),
        ({"warm_start": True}, [(X3, [0, 1, 0, 1]), (X3[:, :2], [0, 1, 0, 1])]),
    ],
)
def test_refusals_are_those_of_scikit_learn(options, calls):
    def fit(module):
        estimator = module.MLPClassifier(**{"max_iter": 2, **options})
        for x, y in calls:
            estimator.fit(x, y)

    theirs = outcome(lambda: fit(scikit))
    assert theirs is not None
    # Ours has looked at the rows as float32.
    kind, text = theirs
    assert outcome(lambda: fit(ours)) == (kind, text.replace("float64", "float32"))


@pytest.mark.parametrize(
    ("kind", "fraction", "y"),
    [
        ("MLPClassifier", 0.1, [0, 1, 0, 1]),
        ("MLPClassifier", 0.9, [0, 1, 0, 1]),
        ("MLPClassifier", 0.0, [0, 1, 0, 1]),
        ("MLPClassifier", 0.5, ["no", "no", "no", "yes"]),
        ("MLPClassifier", 0.1, [1, 1, 1, 1]),
        ("MLPClassifier", 0.1, [0, 1, 2, 1]),
        ("MLPClassifier", 0.1, [[0, 1], [1, 1], [0, 1], [1, 0]]),
        ("MLPRegressor", 0.1, [0.5, 1.5, 0.1, 3.3]),
        ("MLPRegressor", 0.0, [0.5, 1.5, 0.1, 3.3]),
        ("MLPRegressor", 0.99, [0.5, 1.5, 0.1, 3.3]),
    ],
)
def test_rows_that_cannot_be_held_out_are_refused_with_both_names(kind, fraction, y):
    """scikit-learn's reason, and the parameter that it is about."""

    def fit(module):
        options = {"early_stopping": True, "validation_fraction": fraction}
        getattr(module, kind)(max_iter=2, **options).fit(X3, y)

    theirs, our = outcome(lambda: fit(scikit)), outcome(lambda: fit(ours))
    assert our[0] is theirs[0] is ValueError
    assert our[1].startswith(f"validation_fraction: {fraction:g} of 4 rows cannot be held")
    # scikit-learn has made the labels True and False.
    assert our[1].endswith(f"({theirs[1].replace('True', 'yes')})")


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.predict(X3),
        lambda m: m.partial_fit(X3, [0, 1, 0, 1]),
        lambda m: m.partial_fit(X3, [0, 1, 0, 1], classes=[0, 1]).partial_fit(
            X3, [0, 1, 2, 1]
        ),
        lambda m: m.set_params(early_stopping=True).partial_fit(
            X3, [0, 1, 0, 1], classes=[0, 1]
        ),
        lambda m: m.fit(X3, [0, 1, 0, 1], sample_weight=[1, 2, 3]),
        lambda m: m.fit(X3, [0, 1, 0, 1], sample_weight=[1, 2, 3, np.nan]),
        lambda m: m.fit(X3, [0, 1, 0, 1]).predict(X3[:, :2]),
        lambda m: m.fit(X3, [0, 1, 0, 1]).score(X3, [0, 1]),
    ],
)
def test_refusals_of_other_calls_are_those_of_scikit_learn(call):
    theirs = outcome(lambda: call(scikit.MLPClassifier(max_iter=2)))
    assert theirs is not None
    assert outcome(lambda: call(ours.MLPClassifier(max_iter=2))) == theirs


def test_warnings_are_those_of_scikit_learn():
    def texts(module):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module.MLPClassifier(max_iter=2, batch_size=99).fit(X3, [[0], [1], [0], [1]])
        return {(w.category, str(w.message)) for w in caught}

    assert texts(ours) == texts(scikit)
    assert {category for category, _ in texts(ours)} >= {ConvergenceWarning, UserWarning}


@pytest.mark.parametrize("power_t", [1, 8, 15, 30.0])
def test_rates_that_fall_to_nothing_are_no_fault_of_the_data(power_t):
    """The velocity, which has no rate in it here, would leave float32."""
    x = np.random.default_rng(0).random((60, 4))
    options = {
        "hidden_layer_sizes": (5,),
        "solver": "sgd",
        "learning_rate": "invscaling",
        "power_t": power_t,
        "learning_rate_init": 0.1,
        "batch_size": 10,
        "max_iter": 8,
        "tol": 0,
        "random_state": 1,
    }
    one = ours.MLPRegressor(**options).fit(x, x.sum(axis=1))
    other = scikit.MLPRegressor(**options).fit(x, x.sum(axis=1))
    assert one.loss_ == pytest.approx(other.loss_, rel=1e-5)
    for mine, theirs in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
