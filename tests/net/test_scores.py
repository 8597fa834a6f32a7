"""Metrics that fit the loss and metrics of one's own, in everything that shows epochs."""

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest

import rnn_native as rn
from environment import python_environment
from rnn_native.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from rnn_native.net import scores
from rnn_native.training.history import EpochRow, History
from rnn_native.training.logs import read_log

VALUE_LOSSES = ["squared_error", "absolute_error", "huber", "poisson"]


@pytest.fixture
def line(rng):
    """Rows whose targets are 3 x + 5 and a little noise."""
    x = rng.uniform(0, 1, (120, 1)).astype(np.float32)
    return x, 3 * x[:, 0] + 5 + rng.normal(scale=0.1, size=120)


@pytest.fixture
def halves(rng):
    """Rows of two classes that overlap."""
    x = rng.normal(size=(200, 3)).astype(np.float32)
    return x, (x[:, 0] + rng.normal(size=200) > 0).astype(int)


# ---- values ----


@pytest.mark.parametrize("loss", VALUE_LOSSES)
def test_predict_gives_values(loss, line):
    x, y = line
    net = rn.Network([rn.Dense(1)], (1,), loss)
    net.fit(x, y, epochs=60, lr=0.01, batch_size=8, verbose=0)
    found = net.predict(x)
    assert (found.shape, found.dtype) == ((120,), np.float32)
    np.testing.assert_array_equal(found, net.predict_proba(x)[:, 0])
    assert abs(found - y).mean() < 0.6
    several = rn.Network([rn.Dense(2)], (1,), loss).predict(x)
    assert (several.shape, several.dtype) == ((120, 2), np.float32)


@pytest.mark.parametrize("outputs", [1, 3])
def test_evaluate_gives_what_scikit_learn_calculates(outputs, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    x = rng.normal(size=(50, 4)).astype(np.float32)
    y = rng.normal(size=(50, outputs)).astype(np.float32)
    net = rn.Network([rn.Dense(outputs)], (4,), "squared_error")
    found = net.evaluate(x, y)
    outputs_of = net.predict_proba(x)
    assert found._fields == ("loss", "mae", "r2")
    assert found.mae == pytest.approx(metrics.mean_absolute_error(y, outputs_of), rel=1e-6)
    assert found.r2 == pytest.approx(metrics.r2_score(y, outputs_of), rel=1e-6)
    assert found.loss == pytest.approx(((y - outputs_of) ** 2).sum(axis=1).mean(), rel=1e-6)


def test_classifiers_keep_loss_and_accuracy(halves):
    x, y = halves
    loss, accuracy = rn.Network([rn.Dense(2)], (3,)).evaluate(x, y)
    assert loss > 0
    assert 0 <= accuracy <= 1


def test_r2_does_not_overflow_in_float32():
    """Squares of 1e20 are beyond float32; those of rows are 0 and 1e40."""
    y = np.array([1e20, 2e20, 3e20, 4e20], np.float32)
    assert scores.r2(y, y) == 1
    assert scores.r2(y, y + np.float32(1e20)) == pytest.approx(1 - 4 / 5, rel=1e-6)
    assert scores.mean_squared_error(y, y + np.float32(1e20)) == pytest.approx(1e40)


@pytest.mark.parametrize(
    ("y", "p", "expected"),
    [
        ([2, 2, 2], [2, 2, 2], 1.0),
        ([2, 2, 2], [2, 2, 3], 0.0),
        ([1, 2, 3], [2, 2, 2], 0.0),
        ([[1, 1], [3, 3]], [[1, 2], [3, 2]], 0.5),
    ],
)
def test_r2_of_constants_and_means(y, p, expected):
    assert scores.r2(np.array(y, float), np.array(p, float)) == expected


def test_r2_of_a_single_row_is_not_known():
    assert np.isnan(scores.r2(np.ones(1), np.ones(1)))


# ---- classes ----


@pytest.mark.parametrize("classes", [2, 4])
def test_auc_and_f1_are_scikit_learns(classes, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    y = rng.integers(0, classes, 300)
    p = rng.integers(1, 9, (300, classes)).astype(float)  # with ties
    p /= p.sum(axis=1, keepdims=True)
    labels = p.argmax(axis=1)
    if classes == 2:
        expected = metrics.roc_auc_score(y, p[:, 1])
        assert scores.auc(y.astype(float), p[:, 1]) == pytest.approx(expected, rel=1e-12)
        assert scores.f1(y, p) == pytest.approx(metrics.f1_score(y, labels))
    else:
        expected = metrics.roc_auc_score(y, p, multi_class="ovr")
        assert scores.f1(y, p) == pytest.approx(
            metrics.f1_score(y, labels, average="macro")
        )
    assert scores.auc(y, p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("present", [[0], [1], [0, 1], [1, 2], [2, 4], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("predicted", [[0], [0, 1], [1, 3], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_f1_goes_by_the_classes_of_the_net(classes, present, predicted, rng):
    """Whatever classes the rows happen to have: of three and more it is the macro mean."""
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    if max(*present, *predicted, 0) >= classes:
        return
    y = rng.choice(present, 50)
    labels = rng.choice(predicted, 50)
    p = 0.5 * np.eye(classes)[labels] + 0.5 / classes
    average = "binary" if classes == 2 else "macro"
    expected = f1_score(y, labels, average=average, zero_division=0)
    assert scores.f1(y, p) == pytest.approx(expected)


def test_f1_of_validation_rows_of_two_of_three_classes(rng):
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    x = rng.normal(size=(120, 4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(int) + (x[:, 2] > 1)
    net = rn.Network([rn.Dense(8, "relu"), rn.Dense(3)], (4,))
    held = x[y == 0], y[y == 0]
    options = {"epochs": 10, "lr": 0.1, "verbose": 0, "validation_data": held}
    history = net.fit(x, y, metrics=["f1"], **options)
    best = history.rows[history.best_epoch()]
    expected = f1_score(held[1], net.predict(held[0]), average="macro")
    assert best.metrics["val_f1"] == pytest.approx(expected)


def test_auc_of_one_class_is_not_known():
    assert np.isnan(scores.auc(np.zeros(3), np.array([0.1, 0.2, 0.3])))


def test_several_yes_or_no_have_the_mean(rng):
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    y = rng.integers(0, 2, (60, 3)).astype(float)
    p = rng.uniform(size=(60, 3))
    by_column = [scores.auc(y[:, j], p[:, j]) for j in range(3)]
    assert scores.auc(y, p) == pytest.approx(np.mean(by_column))
    labels = (p >= 0.5).astype(int)
    by_column = [f1_score(y[:, j], labels[:, j]) for j in range(3)]
    assert scores.f1(y, p) == pytest.approx(np.mean(by_column))


# ---- weighted ----


@pytest.mark.parametrize("outputs", [1, 3])
def test_weighted_scores_of_values_are_scikit_learns(outputs, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    y, p = rng.normal(size=(2, 40, outputs))
    weights = rng.uniform(size=40) * (rng.uniform(size=40) > 0.2)
    for own, theirs in [
        (scores.mean_absolute_error, metrics.mean_absolute_error),
        (scores.mean_squared_error, metrics.mean_squared_error),
        (scores.r2, metrics.r2_score),
    ]:
        expected = theirs(y, p, sample_weight=weights)
        assert own(y, p, weights) == pytest.approx(expected, rel=1e-12)
        assert own(y, p, np.full(40, 3.0)) == pytest.approx(own(y, p), rel=1e-12)


@pytest.mark.parametrize("classes", [2, 4])
def test_weighted_scores_of_classes_are_scikit_learns(classes, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    y = rng.integers(0, classes, 300)
    p = rng.integers(1, 9, (300, classes)).astype(float)  # with ties
    p /= p.sum(axis=1, keepdims=True)
    weights = rng.uniform(size=300) * (rng.uniform(size=300) > 0.2)
    average = "binary" if classes == 2 else "macro"
    expected = metrics.f1_score(y, p.argmax(axis=1), sample_weight=weights, average=average)
    assert scores.f1(y, p, weights) == pytest.approx(expected, rel=1e-12)
    areas = [
        metrics.roc_auc_score(y == c, p[:, c], sample_weight=weights)
        for c in range(classes)
    ]
    assert scores.auc(y, p, weights) == pytest.approx(np.mean(areas), rel=1e-12)
    if classes == 2:
        assert scores.auc(y.astype(float), p[:, 1], weights) == pytest.approx(areas[1])


def test_rows_of_weight_2_count_as_two_rows_in_evaluate(line, halves):
    for (x, y), last, loss in ((line, 1, "huber"), (halves, 2, "softmax_cross_entropy")):
        net = rn.Network([rn.Dense(last)], x.shape[1:], loss)
        counts = np.arange(len(x)) % 3
        repeated = net.evaluate(np.repeat(x, counts, axis=0), np.repeat(y, counts))
        weighted = net.evaluate(x, y, sample_weight=counts)
        assert weighted == pytest.approx(repeated, rel=1e-6)
        assert net.evaluate(x, y, sample_weight=counts > 1) != weighted


def test_weights_that_say_nothing_are_refused_by_evaluate(line):
    x, y = line
    net = rn.Network([rn.Dense(1)], (1,), "mse")
    for weights, message in [
        (np.zeros(120), "got 120 that are 0"),
        (np.ones(3), "expected 120 numbers"),
        (-np.ones(120), "at least 0, got -1.0"),
    ]:
        with pytest.raises(ValueError, match=f"sample_weight: .*{message}"):
            net.evaluate(x, y, sample_weight=weights)


def test_validation_weights_weigh_every_metric(line):
    """Also those of users that accept sample_weight; others get no weights."""
    x, y = line
    weights = (np.arange(40) % 2).astype(float)
    seen = []

    def worst(y_true, y_pred, sample_weight=None):
        seen.append(sample_weight)
        return np.abs(y_true - y_pred).max()

    def plain(y_true, y_pred):
        return np.abs(y_true - y_pred).mean()

    net = rn.Network([rn.Dense(1)], (1,), "mse")
    history = net.fit(
        *(x[:80], y[:80]),
        validation_data=(x[80:], y[80:], weights),
        metrics=["mse", worst, plain],
        epochs=1,
        verbose=0,
    )
    row = history.rows[0]
    np.testing.assert_array_equal(seen[0], weights)
    best = net.evaluate(x[80:], y[80:], sample_weight=weights)
    found = (row.val_loss, row.metrics["val_mae"], row.metrics["val_r2"])
    assert found == pytest.approx(tuple(best), rel=1e-12)
    assert row.metrics["val_mse"] == pytest.approx(row.val_loss, rel=1e-6)
    plain_error = net.evaluate(x[80:], y[80:]).mae
    assert row.metrics["val_plain"] == pytest.approx(plain_error, rel=1e-6)


# ---- in the history ----


def test_histories_of_values_have_errors_in_place_of_accuracies(line):
    x, y = line
    net = rn.Network([rn.Dense(1)], (1,), "mse")
    history = net.fit(x, y, epochs=3, validation_split=0.25, verbose=0)
    assert list(history.history) == [
        *("loss", "time", "learning_rate", "val_loss", "mae", "r2", "val_mae", "val_r2"),
    ]  # fmt: skip
    best = net.evaluate(x[90:], y[90:])
    row = history.rows[history.best_epoch()]
    assert (row.val_loss, row.metrics["val_mae"], row.metrics["val_r2"]) == tuple(best)
    again = History.from_list(history.as_list())
    assert again.rows == history.rows
    assert pickle.loads(pickle.dumps(history)).rows == history.rows
    assert "accuracy" not in repr(history)


def test_progress_shows_them(line, capsys):
    x, y = line
    net = rn.Network([rn.Dense(1)], (1,), "mse")
    history = net.fit(x, y, epochs=1, validation_split=0.25, verbose=2)
    row, text = history.rows[0], capsys.readouterr().out
    assert f"Val MAE: {row.metrics['val_mae']:.6g}, Val R2: " in text
    assert "Acc" not in text
    net.fit(x, y, epochs=1, verbose=2)
    text = capsys.readouterr().out
    assert "MAE: " in text
    assert "Val" not in text


def test_rows_of_0_1_0_are_read():
    old = {"loss": 1.0, "accuracy": 0.5, "time": 0.1, "learning_rate": 0.01,
           "val_loss": None, "val_accuracy": None}  # fmt: skip
    history = History.from_list([old])
    assert history.as_list() == [old]
    row = EpochRow.__new__(EpochRow)
    row.__setstate__([1.0, 0.5, 0.1, 0.01, None, None])
    assert row == history.rows[0]


def brier(y_true, y_pred):
    return float(np.mean((y_true - y_pred) ** 2))


def test_metrics_of_ones_own(halves):
    """They see outputs of shape (n,) for one output, and labels where asked for."""
    x, y = halves
    seen = []

    def hits(y_true, y_pred):
        seen.append((y_true.shape, y_pred.shape, y_pred.dtype))
        return np.mean(y_true == y_pred)

    net = rn.Network([rn.Dense(1)], (3,), "bce")
    history = net.fit(
        x, y, epochs=2, validation_split=0.5, verbose=0,
        metrics=[brier, "auc", "f1", "accuracy", ("hits", hits, "predict")],
    )  # fmt: skip
    assert [*history.rows[0].metrics] == ["val_brier", "val_auc", "val_f1", "val_hits"]
    assert seen[0] == ((100,), (100,), np.int64)
    row = history.rows[history.best_epoch()]
    p = net.predict_proba(x[100:])[:, 0]
    assert row.metrics["val_brier"] == pytest.approx(brier(y[100:], p), rel=1e-6)
    assert row.metrics["val_hits"] == row.val_accuracy
    trained_on = net.fit(x, y, epochs=1, verbose=0, metrics=brier)
    assert [*trained_on.rows[0].metrics] == ["brier"]


def test_scikit_learns_functions_are_taken(halves):
    metrics = pytest.importorskip("sklearn.metrics")
    x, y = halves
    history = rn.Network([rn.Dense(1)], (3,), "bce").fit(
        x, y, epochs=1, validation_split=0.5, verbose=0,
        metrics=[metrics.roc_auc_score, ("f1_of", metrics.f1_score, "predict"), "auc", "f1"],
    )  # fmt: skip
    found = history.rows[0].metrics
    assert found["val_roc_auc_score"] == pytest.approx(found["val_auc"], rel=1e-9)
    assert found["val_f1_of"] == pytest.approx(found["val_f1"], rel=1e-9)


def test_metrics_do_not_change_training(halves):
    x, y = halves
    plain, measured = (rn.Network([rn.Dense(2)], (3,)) for _ in "12")
    plain.fit(x, y, epochs=3, validation_split=0.5, verbose=0)
    measured.fit(x, y, epochs=3, validation_split=0.5, verbose=0, metrics=["auc"])
    np.testing.assert_array_equal(plain.weights, measured.weights)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("held", [{}, {"validation_split": 0.5}])
def test_metrics_that_work_in_place_have_arrays_of_their_own(halves, loss, held):
    x, y = halves
    y = y.astype(np.int32 if loss == "cross_entropy" else np.float32)
    weights = np.full(len(x), 2.0, np.float32)
    plain, measured = (
        rn.Network([rn.Dense(2 - (loss == "mse"))], (3,), loss) for _ in "12"
    )
    given = x.copy(), y.copy(), weights.copy()

    def fitted(net, metrics):
        options = {"sample_weight": given[2], "verbose": 0, "epochs": 3, **held}
        return net.fit(*given[:2], metrics=metrics, **options).rows[-1].metrics

    def wiped(y_true, y_pred, sample_weight=None):
        for array in (y_true, y_pred, sample_weight):
            if array is not None:
                array[:] = 0
        return 0.0

    last = (
        "auc" if loss == "cross_entropy" else ("mean", lambda y_true, y_pred: y_pred.mean())
    )
    found = fitted(measured, [wiped, last])
    assert found.items() >= fitted(plain, [last]).items()
    np.testing.assert_array_equal(plain.weights, measured.weights)
    for array, before in zip(given, (x, y, weights), strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("metrics", "loss", "error", "words"),
    [
        (
            "auk",
            "bce",
            ValueError,
            "one of auc, f1, accuracy, got 'auk'; did you mean 'auc'",
        ),
        ("mae", "bce", ValueError, "under sigmoid_cross_entropy one of auc, f1"),
        ("accuracy", "mse", ValueError, "under squared_error one of mae, mse, r2"),
        ([3], "bce", TypeError, "expected names, functions with a __name__"),
        ([("a b", brier)], "bce", TypeError, "expected names"),
        ([("p", brier, "proba")], "bce", ValueError, "expected 'predict' or"),
        ([("loss", brier)], "bce", ValueError, "'loss' is a column of the history"),
        ([("val_x", brier)], "bce", ValueError, "'val_x' is a column"),
        ([("mae", brier)], "mse", ValueError, "'mae' is a column of the history"),
        ([("r2", brier)], "huber", ValueError, "'r2' is a column of the history"),
        ([brier, brier], "bce", ValueError, "'brier' is listed twice"),
    ],
)
def test_metrics_that_are_none_are_refused_at_once(metrics, loss, error, words, halves):
    x, y = halves
    net = rn.Network([rn.Dense(1)], (3,), loss)
    before = net.weights.copy()
    with pytest.raises(error, match=f"^metrics: .*{words}"):
        net.fit(x, y, verbose=0, metrics=metrics)
    np.testing.assert_array_equal(net.weights, before)


def test_a_metric_that_returns_no_number_is_named(halves):
    x, y = halves
    net = rn.Network([rn.Dense(1)], (3,), "bce")
    with pytest.raises(TypeError, match="metrics: expected a number from shape, got tuple"):
        net.fit(x, y, verbose=0, metrics=[("shape", lambda t, p: t.shape)])


def test_a_metric_that_fails_is_named(halves, line):
    """scikit-learn's f1_score needs labels and gets probabilities: the message says how."""
    f1_score = pytest.importorskip("sklearn.metrics").f1_score
    x, y = halves
    net = rn.Network([rn.Dense(1)], (3,), "bce")
    words = r"^metrics: f1_score raised ValueError: .*\('f1_score', f1_score, 'predict'\)$"
    with pytest.raises(ValueError, match=words) as caught:
        net.fit(x, y, verbose=0, metrics=[f1_score])
    assert isinstance(caught.value.__cause__, ValueError)

    def broken(y_true, y_pred):
        raise KeyError("mine")

    values = rn.Network([rn.Dense(1)], (1,), "mse")
    with pytest.raises(ValueError, match="^metrics: broken raised KeyError: 'mine'$"):
        values.fit(*line, verbose=0, metrics=[broken])


def test_names_of_metrics_that_values_have_are_no_second_column(line):
    history = rn.Network([rn.Dense(1)], (1,), "mse").fit(
        *line, verbose=0, metrics=["mae", "r2", ("mse", brier)]
    )
    assert [*history.rows[0].metrics] == ["mae", "r2", "mse"]


def test_weights_of_rows_to_train_on_weigh_no_metric(line):
    """As loss and accuracy of these rows, metrics are means over rows."""
    x, y = line
    seen = []

    def worst(y_true, y_pred, sample_weight=None):
        seen.append(sample_weight)
        return np.abs(y_true - y_pred).max()

    net = rn.Network([rn.Dense(1)], (1,), "mse")
    history = net.fit(x, y, sample_weight=np.arange(120), verbose=0, metrics=[worst])
    assert seen == [None]
    assert history.rows[0].metrics["mae"] == pytest.approx(net.evaluate(x, y).mae)


# ---- callbacks ----


class Scripted(rn.Callback):
    """Puts a script of values into the logs."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs):
        logs["val_mine"] = np.float32(self.values[epoch])


SCRIPT = [0.5, 0.75, 0.25, 0.25, 1.0]


def fit_scripted(halves, callbacks, **options):
    x, y = halves
    net = rn.Network([rn.Dense(2)], (3,), seed=3)
    history = net.fit(
        x, y, epochs=5, validation_split=0.5, verbose=0, callbacks=callbacks, **options
    )
    return net, history


def test_values_in_the_logs_reach_monitors_and_history(halves, tmp_path):
    stopping = EarlyStopping("val_mine", mode="max", patience=2)
    path = tmp_path / "best.safetensors"
    best = ModelCheckpoint(path, "val_mine", save_best_only=True, mode="max")
    log = CSVLogger(tmp_path / "log.csv")
    net, history = fit_scripted(halves, [Scripted(SCRIPT), stopping, best, log])
    assert history.history["val_mine"] == SCRIPT[:4]
    assert history.best_epoch() == 1
    np.testing.assert_array_equal(rn.load(path).weights, net.weights)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index("val_mine")
    assert [float(row.split(",")[column]) for row in rows[1:]] == SCRIPT[:4]


def test_functions_in_lambda_callbacks_may_log(halves):
    mine = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=-epoch))
    _, history = fit_scripted(halves, [mine, EarlyStopping("mine", patience=1)])
    assert history.history["mine"] == [0, -1, -2, -3, -4]


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_metrics_can_be_monitored(kind, halves):
    script = iter(SCRIPT)
    options = {"patience": 1, "mode": "max"}
    metrics = [("mine", lambda t, p: next(script))]
    _, history = fit_scripted(halves, kind("val_mine", **options), metrics=metrics)
    if kind is EarlyStopping:
        assert len(history) == 3
        assert history.best_epoch() == 1
    else:
        rates = [row.learning_rate for row in history]
        assert rates == pytest.approx([0.01, 0.01, 0.01, 0.001, 0.0001])


def test_auto_mode_knows_scores():
    greater = ["val_auc", "val_f1", "r2", "val_my_score", "accuracy", "val_precision"]
    less = ["val_mae", "val_loss", "mse", "brier"]
    assert all(EarlyStopping(name)._monitor.is_greatest for name in greater)
    assert not any(EarlyStopping(name)._monitor.is_greatest for name in less)


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping("val_auk"),
        ReduceLROnPlateau("val_auk"),
        ModelCheckpoint("m.safetensors", "val_auk", save_best_only=True),
        ModelCheckpoint("{val_auk}.safetensors"),
    ],
)
def test_what_no_epoch_has_is_refused_before_training(
    callback, halves, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    x, y = halves
    net = rn.Network([rn.Dense(2)], (3,))
    before = net.weights.copy()
    with pytest.raises(ValueError, match="monitor: .*'val_auk'; did you mean 'val_auc'"):
        net.fit(x, y, validation_split=0.5, verbose=0, callbacks=callback, metrics="auc")
    np.testing.assert_array_equal(net.weights, before)


def test_a_value_in_the_logs_needs_no_validation_rows(halves, tmp_path):
    """One that begins with val_ neither; monitors, tables, progress and TensorBoard take it."""
    pytest.importorskip("tensorboardX")
    x, y = halves
    net = rn.Network([rn.Dense(2)], (3,))
    stream = io.StringIO()
    callbacks = [
        Scripted(SCRIPT),
        EarlyStopping("val_mine", mode="max", patience=2),
        ReduceLROnPlateau("val_mine", mode="max"),
        ModelCheckpoint(tmp_path / "{val_mine}.st", "val_mine"),
        CSVLogger(tmp_path / "log.csv"),
        rn.TensorBoard(tmp_path / "board"),
        rn.ProgressLogger(2, stream),
    ]
    history = net.fit(x, y, epochs=5, verbose=0, callbacks=callbacks)
    assert history.history["val_mine"] == SCRIPT[:4]
    assert history.best_epoch() == 1
    assert read_log(tmp_path / "log.csv").history["val_mine"] == SCRIPT[:4]
    assert "Val mine: 0.75" in stream.getvalue()
    assert list((tmp_path / "board" / "validation").iterdir())
    assert (tmp_path / "0.75.st").exists()


def test_who_puts_a_value_into_the_logs_comes_first(halves):
    x, y = halves
    net = rn.Network([rn.Dense(2)], (3,))
    words = (
        "got 'val_mine'.*; if a callback puts it into the logs, that one must come first"
    )
    for split in (0.0, 0.5):
        with pytest.raises(ValueError, match=f"^EarlyStopping: monitor: .*{words}"):
            net.fit(
                x, y, validation_split=split, verbose=0,
                callbacks=[EarlyStopping("val_mine", mode="max"), Scripted(SCRIPT)],
            )  # fmt: skip


def test_values_of_the_history_may_come_from_a_callback(halves):
    """As val_loss, where there is no validation of ours."""
    x, y = halves
    mine = LambdaCallback(on_epoch_end=lambda e, logs: logs.update(val_loss=[3, 1, 2][e]))
    net = rn.Network([rn.Dense(2)], (3,))
    history = net.fit(x, y, epochs=3, verbose=0, callbacks=mine)
    assert history.history["val_loss"] == [3, 1, 2]
    assert history.best_epoch() == 1


NO_NUMBERS = [None, "s", [1.0], np.ones(2), np.ones((1, 1)), 1j, object()]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", ["tag", "val_tag", "loss", "val_loss", 3])
def test_logs_that_are_no_numbers_reach_no_file(name, value, halves, tmp_path):
    pytest.importorskip("tensorboardX")
    seen = []
    mine = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({name: value}))
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs[name]))
    callbacks = [
        mine,
        look,
        ModelCheckpoint(tmp_path / "m.st"),
        CSVLogger(tmp_path / "log.csv"),
        rn.TensorBoard(tmp_path / "board"),
        rn.ProgressLogger(2, io.StringIO()),
        rn.callbacks.RunLog(tmp_path / "run.csv"),
        rn.callbacks.RunCheckpoint(tmp_path),
    ]
    _, history = fit_scripted(halves, callbacks)
    assert len(history) == 5
    assert seen[0] is value
    assert "tag" not in "".join(map(str, history.history))
    log = read_log(tmp_path / "log.csv")
    assert log.history == history.history
    assert read_log(tmp_path / "run.csv").history["loss"] == history.history["loss"]


@pytest.mark.parametrize(
    "value", [True, np.bool_(1), np.int8(1), np.float16(1), np.array(1)]
)
def test_logs_that_are_numbers_of_any_kind(value, halves, tmp_path):
    mine = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=value))
    log = CSVLogger(tmp_path / "log.csv")
    _, history = fit_scripted(halves, [mine, log, EarlyStopping("mine", patience=9)])
    assert history.history["mine"] == [1.0] * 5
    assert read_log(tmp_path / "log.csv").history["mine"] == [1.0] * 5


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_monitored_must_be_a_number(value, halves):
    mine = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(tag=value))
    words = f"expected a number as 'tag' in the logs, got {type(value).__name__}$"
    with pytest.raises(ValueError, match=f"^EarlyStopping: monitor: {words}"):
        fit_scripted(halves, [mine, EarlyStopping("tag")])


def late(epoch, logs):
    if epoch:
        logs["late"] = 1.0 * epoch


def test_values_that_appear_late_are_nan_before(halves, tmp_path):
    path, run_log = tmp_path / "log.csv", tmp_path / "run.csv"
    callbacks = [
        LambdaCallback(on_epoch_end=late),
        CSVLogger(path),
        rn.callbacks.RunLog(run_log),
    ]
    _, history = fit_scripted(halves, callbacks)
    expected = [np.nan, 1, 2, 3, 4]
    for found in (history, read_log(path), read_log(run_log)):
        np.testing.assert_array_equal(found.history["late"], expected)
        assert all(len(column) == 5 for column in found.history.values())
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,accuracy,late,learning_rate,loss,time,val_accuracy,val_loss"
    assert lines[1].split(",")[2] == ""
    table = pytest.importorskip("pandas") and history.to_pandas()
    np.testing.assert_array_equal(table["late"], expected)


def test_what_a_callback_does_not_put_there_is_named(halves):
    with pytest.raises(ValueError, match="EarlyStopping: monitor: .* got 'val_other'"):
        fit_scripted(halves, [Scripted(SCRIPT), EarlyStopping("val_other")])


@pytest.mark.parametrize("split", [0.0, 0.5])
def test_former_names_are_answered_with_todays(split, halves):
    x, y = halves
    net = rn.Network([rn.Dense(2)], (3,))
    before = net.weights.copy()
    for callback in (
        EarlyStopping("val_acc"),
        ReduceLROnPlateau("val_acc"),
        ModelCheckpoint("{val_acc}"),
    ):
        with pytest.raises(ValueError, match="'val_acc'; did you mean 'val_accuracy'"):
            net.fit(x, y, validation_split=split, verbose=0, callbacks=callback)
    np.testing.assert_array_equal(net.weights, before)
    own = [("acc", lambda t, p: 0.5)]
    stop = EarlyStopping("val_acc")
    history = net.fit(
        x, y, epochs=5, validation_split=0.5, verbose=0, metrics=own, callbacks=stop
    )
    assert len(history) == 2


def test_accuracy_is_no_column_of_values(line):
    x, y = line
    net = rn.Network([rn.Dense(1)], (1,), "mse")
    with pytest.raises(
        ValueError, match="monitor: expected one of .*val_mae.*'val_accuracy'"
    ):
        net.fit(x, y, validation_split=0.5, callbacks=EarlyStopping("val_accuracy"))


def test_runs_resume_with_their_metrics(halves, tmp_path):
    x, y = halves
    arrays = ((x, y), (x, y))
    options = {"input_shape": (3,), "validation_split": 0.5, "patience": None, "verbose": 0}

    def train(epochs, **more):
        stop = EarlyStopping("val_auc", patience=100)
        return rn.train(
            [rn.Dense(2)], arrays, epochs=epochs, metrics=["auc"], callbacks=[stop],
            **options, **more,
        )  # fmt: skip

    whole = train(4)
    train(2, out=tmp_path / "run")
    resumed = train(4, out=tmp_path / "run", resume=True)
    assert resumed.history.history["val_auc"] == whole.history.history["val_auc"]
    assert resumed.history.best_epoch() == whole.history.best_epoch()
    np.testing.assert_array_equal(resumed.model.weights, whole.model.weights)
    log = read_log(tmp_path / "run" / "log.csv")
    assert log.history["val_auc"] == whole.history.history["val_auc"]
    assert log.history["val_accuracy"] == pytest.approx(
        whole.history.history["val_accuracy"]
    )


def test_regressions_by_one_call(line, tmp_path):
    x, y = line
    plan = {"layers": [{"type": "dense", "units": 1}], "input_shape": [1], "loss": "mse"}
    out = tmp_path / "run"
    result = rn.train(plan, ((x, y), (x, y)), epochs=2, out=out, verbose=0)
    assert result.test_scores == result.model.evaluate(x, y)._asdict()
    assert np.isnan(result.test_accuracy)
    assert "test mae" in repr(result)
    assert "accuracy" not in repr(result)
    assert read_log(out / "log.csv").history["val_mae"] == result.history.history["val_mae"]
    assert "mae" in result._repr_html_()


SCORES = """
import numpy as np
from rnn_native.net import scores
rng = np.random.default_rng(3)
truth, found = rng.normal(size=(2, 30_001, 2))
labels, weights = rng.integers(0, 2, 30_001), rng.uniform(size=30_001)
print(scores.r2(truth, found, weights).hex(), scores.r2(truth[:, 0], found[:, 0]).hex())
print(scores.auc(labels, found[:, 0], weights).hex(), scores.f1(labels, found, weights).hex())
"""


def test_scores_have_the_same_bits_for_any_number_of_blas_threads():
    printed = [
        subprocess.check_output(
            [sys.executable, "-c", SCORES], env=python_environment(OPENBLAS_NUM_THREADS=n)
        )
        for n in ("1", "3")
    ]
    assert printed[0] == printed[1] != b""
