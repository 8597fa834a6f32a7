"""Callbacks in a further call of `fit`: each call starts a new count, a resumed run continues."""

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import training
from rnn_native.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from rnn_native.training.history import History
from scripted import ScriptedRun, fit_scripted, rows_of


def second_call(values, *callbacks, before=(1, 2, 3), lr=1.0, column="val_loss"):
    """Run epochs with these values, the history having an earlier call's."""
    rows = rows_of(column, [*before, *values])
    run = ScriptedRun(rows, lr, rows[: len(before)])
    run.history.begin_call()
    training.fit(run, list(callbacks), verbose=0)
    return run


def test_early_stopping_counts_each_call_anew():
    """All values are worse than those of the call before, which stopped."""
    for before in ([1, 2, 3], [1, 2, 3, 4, 5, 6]):
        stop = EarlyStopping(patience=2)
        run = second_call([9, 8, 7, 8, 9, 9], stop, before=before)
        assert len(run.history) == len(before) + 5
        assert stop.best == 7
        assert stop.stopped_epoch == len(before) + 4
        assert stop.best_epoch == len(before) + 2
    late = EarlyStopping(patience=1, start_from_epoch=2)
    assert len(second_call([5, 9, 9, 9, 1], late).history) == 3 + 4


def test_the_best_weights_are_those_of_this_calls_epochs():
    """Weights after epoch e are e + 1 everywhere."""
    run = second_call([9, 7, 8])
    assert run.history.best_epoch() == 4
    assert (run.model.weights == 5).all()
    run = second_call(
        [0.1, 0.2, 0.9],
        EarlyStopping("val_accuracy", patience=9),
        before=[0.5, 0.95],
        column="val_accuracy",
    )
    assert (run.model.weights == 5).all()


def test_a_plateau_of_an_earlier_call_lowers_no_rate():
    reduce = ReduceLROnPlateau(patience=2, factor=0.5, min_delta=0.0)
    run = second_call([9, 8, 7, 8, 8, 8], reduce, before=[1, 1, 1])
    assert [row.learning_rate for row in run.history.call_rows] == [1, 1, 1, 1, 1, 0.5]


def test_a_checkpoint_is_written_for_the_best_epochs_of_each_call(tmp_path):
    save = ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True)
    second_call([9, 8, 8.5, 7], save)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4", "5", "7"]


@pytest.mark.parametrize("times", [1, 2])
def test_one_object_in_several_fits_of_a_net(digits, times):
    """What the first call left in it is gone in the second one."""
    (x, y), test = digits
    stop = EarlyStopping("val_loss", patience=1)
    net = rn.Network([rn.Dense(10)], (784,))
    net.fit(x, y, epochs=30, lr=0.5, validation_data=test, callbacks=stop, verbose=0)
    again = net.fit(
        x, y, epochs=2, lr=1e-6, validation_data=test, callbacks=stop, verbose=0
    )
    assert len(again) >= 1
    assert stop.best == min(again.history["val_loss"])


def test_rows_of_a_call():
    rows = rows_of("val_loss", [3, 1, 2])
    history = History(rows)
    assert history.call_rows == rows
    assert history.best_epoch() == 1
    history.begin_call()
    assert history.call_rows == []
    assert history.best_epoch() is None
    history.append(rows[0])
    assert history.best_epoch() == 3
    history.go_by("val_loss", greatest=True)
    assert history.best_epoch() == 3
    assert len(history) == 4


def test_histories_and_callbacks_of_0_1_0_still_work():
    """Pickles of then lack what is new."""
    history = History(rows_of("val_loss", [3, 1]))
    assert "call_begin" not in vars(history)
    assert len(history.call_rows) == 2
    stop = EarlyStopping(patience=1)
    kept = ("monitor", "_monitor", "patience", "verbose", "baseline")
    kept += ("restore_best_weights", "start_from_epoch")
    for name in vars(stop).keys() - set(kept):
        del vars(stop)[name]
    assert len(second_call([1, 2, 3], stop, before=[]).history) == 2


# ---- Keras' attributes ----


@pytest.mark.parametrize("resumed_after", [0, 2])
def test_keras_attributes(resumed_after):
    made = []

    def make(**options):
        made.append(EarlyStopping(patience=2, **options))
        return made[-1]

    fit_scripted("val_loss", [3, 1, 2, 2, 5], make, resumed_after=resumed_after)
    stop = made[-1]
    assert (stop.stopped_epoch, stop.best_epoch, stop.best) == (3, 1, 1)
    if not resumed_after:
        assert (stop.best_weights == 2).all()
    run = fit_scripted(
        "val_loss", [3, 1], lambda: make(restore_best_weights=False, min_delta=0.5)
    )
    assert (made[-1].stopped_epoch, made[-1].best_epoch) == (0, 1)
    assert made[-1].best_weights is None
    assert (run.model.weights == 2).all()


def test_the_best_epoch_is_without_min_delta_as_the_weights_are():
    made = []
    fit_scripted(
        "val_loss",
        [3, 2.9, 2.8, 9],
        lambda: made.append(EarlyStopping(patience=2, min_delta=1)) or made[-1],
    )
    assert made[0].best == 3
    assert made[0].best_epoch == 2
    assert (made[0].best_weights == 3).all()


def test_no_value_no_best_epoch():
    stop = EarlyStopping(patience=2)
    run = second_call([np.nan, np.nan, np.nan], stop)
    assert (stop.best_epoch, stop.best_weights, stop.stopped_epoch) == (0, None, 4)
    assert len(run.history) == 5


# ---- numbers ----


def test_numpy_numbers_are_numbers():
    stop = EarlyStopping(
        patience=np.int64(2),
        min_delta=np.float32(0.5),
        baseline=np.float64(9),
        start_from_epoch=np.uint8(1),
    )
    assert type(stop.patience) is int
    assert len(second_call([3, 1, 1, 1, 1], stop).history) == 3 + 4
    reduce = ReduceLROnPlateau(
        patience=np.int32(3),
        factor=np.float32(0.5),
        cooldown=np.int8(1),
        min_lr=np.int64(0),
    )
    assert (reduce.patience, reduce.factor) == (3, 0.5)
    ModelCheckpoint("x", initial_value_threshold=np.float32(3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: EarlyStopping(min_delta=None),
            "min_delta: expected a number of at least 0, got None",
        ),
        (
            lambda: EarlyStopping(min_delta="0"),
            "min_delta: expected a number of at least 0, got '0'",
        ),
        (lambda: EarlyStopping(baseline="1"), "baseline: expected a number, got '1'"),
        (lambda: ReduceLROnPlateau(factor=None), "factor: expected a number, got None"),
        (
            lambda: ReduceLROnPlateau(min_lr="x"),
            "min_lr: expected a number of at least 0, got 'x'",
        ),
        (
            lambda: ReduceLROnPlateau(min_delta=True),
            "min_delta: expected a number of at least 0, got True",
        ),
        (
            lambda: ModelCheckpoint("x", initial_value_threshold="1"),
            "initial_value_threshold: expected a number, got '1'",
        ),
    ],
)
def test_what_is_no_number_is_refused(make, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        make()


@pytest.mark.parametrize("patience", [None, 1.0, np.float64(2), True, np.bool_(True), -1])
def test_what_is_no_count_is_refused(patience):
    for make in (EarlyStopping, ReduceLROnPlateau):
        with pytest.raises(
            ValueError, match="^patience: expected an integer of at least 0"
        ):
            make(patience=patience)
