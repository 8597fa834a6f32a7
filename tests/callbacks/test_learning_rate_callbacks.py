"""Rates that callbacks set: by a function, and when nothing improves any more."""

import math

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import schedules
from rnn_native.callbacks import LearningRateScheduler, ReduceLROnPlateau
from scripted import fit_scripted


def rates_of(column, values, resumed_after=0, lr=1.0, **options):
    run = fit_scripted(
        column,
        values,
        lambda: ReduceLROnPlateau(column, **options),
        lr=lr,
        resumed_after=resumed_after,
    )
    return run.history.history["learning_rate"]


HALF = {"factor": 0.5}


@pytest.mark.parametrize(
    ("column", "values", "options", "rates"),
    [
        ("val_loss", [3, 2, 2, 2, 2, 2, 2], {**HALF, "patience": 2},
         [1, 1, 1, 1, 0.5, 0.5, 0.25]),
        ("val_loss", [3, 2, 2, 1, 1, 1, 1], {**HALF, "patience": 2},
         [1, 1, 1, 1, 1, 1, 0.5]),
        # An improvement must be of more than min_delta.
        ("val_loss", [1, 0.9, 0.8, 0.8], {**HALF, "patience": 1, "min_delta": 0.15},
         [1, 1, 0.5, 0.5]),
        ("val_accuracy", [0.1, 0.2, 0.2, 0.3], {**HALF, "patience": 1}, [1, 1, 1, 0.5]),
        ("val_accuracy", [0.3, 0.2, 0.2, 0.1], {**HALF, "patience": 1, "mode": "min"},
         [1, 1, 1, 0.5]),
        # Keras counts the last epoch of the cooldown already: 1 is as good as 0.
        ("val_loss", [1] * 6, {**HALF, "patience": 1, "cooldown": 1},
         [1, 1, 0.5, 0.25, 0.125, 0.0625]),
        ("val_loss", [1] * 6, {**HALF, "patience": 1, "cooldown": 2},
         [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ("val_loss", [1] * 5, {**HALF, "patience": 1, "min_lr": 0.3},
         [1, 1, 0.5, 0.3, 0.3]),
        ("val_loss", [1] * 4, {**HALF, "patience": 1, "min_lr": 2}, [1, 1, 1, 1]),
        ("loss", [1, math.nan, math.nan], {**HALF, "patience": 1}, [1, 1, 0.5]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("resumed_after", [0, 1, 2, 3])
def test_hand_worked_plateaus(column, values, options, rates, resumed_after):
    if resumed_after >= len(values):
        return
    assert rates_of(column, values, resumed_after, **options) == rates


def keras_rates(values, sign, factor, patience, cooldown, min_lr, min_delta):
    """A small copy of the rule, in numbers of epochs still to wait."""
    rate, rates, best, left, cool = 1.0, [], -math.inf, patience, 0
    for value in values:
        rates.append(rate)
        if cool:
            cool -= 1
            left = patience
        if sign * value > best + min_delta:
            best, left = sign * value, patience
        elif not cool:
            left -= 1
            if left <= 0 and rate > min_lr:
                rate, left, cool = max(rate * factor, min_lr), patience, cooldown
    return rates


@pytest.mark.parametrize("column", ["val_loss", "val_accuracy", "loss"])
def test_random_plateaus_agree_with_the_rule_also_when_resumed(column, rng):
    sign = 1 if column == "val_accuracy" else -1
    lowered = 0
    for _ in range(100):
        values = (rng.integers(0, 6, 14) / 6).tolist()
        options = {
            "factor": float(rng.choice([0.1, 0.5])),
            "patience": int(rng.integers(0, 4)),
            "cooldown": int(rng.integers(0, 4)),
            "min_lr": float(rng.choice([0, 0.02])),
            "min_delta": float(rng.choice([1e-4, 0.2])),
        }
        expected = keras_rates(values, sign, *options.values())
        assert rates_of(column, values, **options) == expected
        cut = int(rng.integers(1, 14))
        assert rates_of(column, values, cut, **options) == expected
        lowered += expected[-1] < 0.2
    assert lowered > 30


def test_scheduler_is_given_the_epoch_and_the_rate_before():
    asked = []

    def schedule(epoch, lr):
        asked.append((epoch, lr))
        return lr if epoch < 2 else lr / 2

    for resumed_after in (0, 1, 3):
        asked.clear()
        run = fit_scripted(
            "loss", [1] * 5, lambda: LearningRateScheduler(schedule), lr=0.8,
            resumed_after=resumed_after,
        )  # fmt: skip
        assert run.history.history["learning_rate"] == [0.8, 0.8, 0.4, 0.2, 0.1]
        assert asked == [(0, 0.8), (1, 0.8), (2, 0.8), (3, 0.4), (4, 0.2)]


def test_scheduler_of_the_epoch_alone():
    """As Keras accepts; an error in the function is reported unchanged."""
    run = fit_scripted(
        "loss", [3, 2, 1], lambda: LearningRateScheduler(lambda epoch: 0.5**epoch)
    )
    assert [row.learning_rate for row in run.history] == [1, 0.5, 0.25]

    def wrong(epoch, lr):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="^mine$"):
        fit_scripted("loss", [3], lambda: LearningRateScheduler(wrong))


@pytest.mark.parametrize("resumed_after", [0, 1, 2, 3, 4])
def test_both_kinds_together(resumed_after):
    """The scheduler gets what the plateau made of the rate."""
    run = fit_scripted(
        "val_loss",
        [1] * 6,
        lambda: ReduceLROnPlateau(factor=0.5, patience=2),
        lambda: LearningRateScheduler(lambda epoch, lr: 3 * lr if epoch == 4 else lr),
        resumed_after=resumed_after,
    )
    assert run.history.history["learning_rate"] == [1, 1, 1, 0.5, 1.5, 0.75]


def test_the_rate_is_what_the_net_trains_with(digits):
    (x, y), _ = digits
    by_callback, by_schedule = (rn.Network([rn.Dense(10)], (784,)) for _ in range(2))
    halving = LearningRateScheduler(lambda epoch, lr: lr if epoch == 0 else lr / 2)
    one = by_callback.fit(x, y, epochs=3, lr=0.2, callbacks=[halving], verbose=0)
    two = by_schedule.fit(
        x, y, epochs=3, schedule=schedules.Exponential(0.2, 0.5), verbose=0
    )
    assert by_callback.params.tobytes() == by_schedule.params.tobytes()
    assert one.history["learning_rate"] == two.history["learning_rate"] == [0.2, 0.1, 0.05]


def test_resumed_run_equals_uninterrupted_run(digits, tmp_path):
    def train(folder, epochs, **more):
        callbacks = [ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.3)]
        return rn.train_mlp(
            digits,
            epochs=epochs,
            lr=0.1,
            out=folder,
            callbacks=callbacks,
            verbose=0,
            **more,
        )

    whole = train(tmp_path / "whole", 6)
    assert len(set(whole.history.history["learning_rate"])) > 2
    for first in (1, 3, 4):
        train(tmp_path / "parts", first, overwrite=True)
        parts = train(tmp_path / "parts", 6, resume=True)
        for name in ("learning_rate", "loss", "val_loss"):
            assert parts.history.history[name] == whole.history.history[name]
        assert parts.model.params.tobytes() == whole.model.params.tobytes()


def test_what_is_said(capsys):
    fit_scripted(
        "val_loss", [1, 1],
        lambda: LearningRateScheduler(lambda epoch, lr: 0.25, verbose=1),
        lambda: ReduceLROnPlateau(patience=1, verbose=1),
    )  # fmt: skip
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: learning rate 0.25",
        "Epoch 2: learning rate 0.25",
        "Epoch 2: learning rate lowered to 0.025",
    ]


@pytest.mark.parametrize("make", [ReduceLROnPlateau, lambda: LearningRateScheduler(min)])
def test_a_schedule_and_a_callback_cannot_both_set_the_rate(make, digits):
    (x, y), test = digits
    net = rn.Network([rn.Dense(10)], (784,))
    with pytest.raises(ValueError, match="^learning_rate: the run's schedule sets it"):
        net.fit(
            x, y, schedule=schedules.Constant(0.1), validation_data=test, verbose=0,
            callbacks=[make()],
        )  # fmt: skip


@pytest.mark.parametrize("rate", [math.nan, -0.1, math.inf, None, "0.1"])
def test_rates_are_checked(rate):
    with pytest.raises((ValueError, TypeError), match="^learning_rate: expected a"):
        fit_scripted("loss", [1], lambda: LearningRateScheduler(lambda epoch, lr: rate))


def test_a_rate_of_zero_and_numpy_rates_are_rates():
    run = fit_scripted(
        "loss", [1, 1], lambda: LearningRateScheduler(lambda e, lr: np.float32(e / 2))
    )
    assert run.history.history["learning_rate"] == [0.0, 0.5]
    assert type(run.history.rows[1].learning_rate) is float


def test_refused():
    with pytest.raises(TypeError, match="^schedule: expected a function, got 0.1"):
        LearningRateScheduler(0.1)
    for factor in (0, 1, 2, math.nan):
        with pytest.raises(ValueError, match="^factor: expected a number in"):
            ReduceLROnPlateau(factor=factor)
    with pytest.raises(ValueError, match="^min_lr: expected a number of at least 0"):
        ReduceLROnPlateau(min_lr=-1)
    with pytest.raises(ValueError, match="^cooldown: expected an integer"):
        ReduceLROnPlateau(cooldown=-1)
