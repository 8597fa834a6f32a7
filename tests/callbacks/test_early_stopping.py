"""When training stops, and which weights it leaves."""

import math

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.callbacks import EarlyStopping
from scripted import fit_scripted

NAN = math.nan


def stop_of(column, values, resumed_after=0, **options):
    """How many epochs a run with these values has."""
    run = fit_scripted(
        column,
        values,
        lambda: EarlyStopping(column, **options),
        resumed_after=resumed_after,
    )
    return len(run.history)


@pytest.mark.parametrize(
    ("column", "values", "options", "epochs"),
    [
        # Least value in the second epoch, three without improvement after it.
        ("val_loss", [3, 2, 2, 2.5, 2, 1], {"patience": 3}, 5),
        ("val_loss", [3, 2, 2, 2.5, 1.9, 3, 3, 3, 1], {"patience": 3}, 8),
        # Keras' default: the first epoch without improvement is the last.
        ("val_loss", [3, 2, 2, 1], {}, 3),
        ("val_loss", [3, 2, 2, 1], {"patience": 1}, 3),
        # Gains of 0.1 do not count when 0.15 is asked for, two of them do.
        ("val_loss", [1, 0.9, 0.8, 0.75, 0.7], {"patience": 2, "min_delta": 0.15}, 5),
        ("val_loss", [1, 0.9, 0.9, 0.8], {"patience": 2, "min_delta": 0.15}, 3),
        ("val_accuracy", [0.1, 0.5, 0.4, 0.5, 0.9], {"patience": 2}, 4),
        ("val_accuracy", [0.5, 0.4, 0.3, 0.3], {"patience": 1, "mode": "min"}, 4),
        ("loss", [1, 2, 3], {"patience": 1, "mode": "max"}, 3),
        ("accuracy", [0.5, 0.5], {"patience": 1}, 2),
        # Better than before, but never better than the baseline: two epochs, and the first
        # without improvement after them.
        ("val_loss", [5, 4, 3, 3, 1], {"patience": 2, "baseline": 2}, 4),
        ("val_loss", [5, 4, 1.5, 3, 1], {"patience": 2, "baseline": 2}, 5),
        ("val_loss", [1, 9, 9, 8, 9, 9], {"patience": 2, "start_from_epoch": 2}, 6),
        ("val_loss", [1, NAN, NAN, NAN, 0], {"patience": 3}, 4),
        ("val_loss", [NAN, NAN, 3, 2], {"patience": 3}, 4),
    ],
)
def test_hand_worked_sequences(column, values, options, epochs):
    assert stop_of(column, values, **options) == epochs


def definition(values, sign, patience, min_delta, baseline, start):
    """The rule said in another way: distances between epochs instead of a count."""
    best, since = None, start - 1
    for epoch in range(start, len(values)):
        value = sign * values[epoch]
        if value > (-math.inf if best is None else best + min_delta):
            best = value
            if baseline is None or value > sign * baseline + min_delta:
                since = epoch
        elif epoch - since >= patience:
            return epoch + 1
    return len(values)


@pytest.mark.parametrize("column", ["val_loss", "val_accuracy"])
def test_random_sequences_agree_with_the_definition_also_when_resumed(column, rng):
    sign = 1 if column == "val_accuracy" else -1
    stopped = 0
    for _ in range(150):
        values = rng.integers(0, 8, 12) / 8
        if rng.random() < 0.2:
            values[rng.integers(12)] = NAN
        options = {
            "patience": int(rng.integers(0, 5)),
            "min_delta": float(rng.choice([0, 0.125, 0.2])),
            "baseline": [None, 0.5][rng.integers(2)],
            "start_from_epoch": int(rng.integers(0, 3)),
        }
        expected = definition(values, sign, *options.values())
        assert stop_of(column, values, **options) == expected, (values, options)
        cut = int(rng.integers(1, 12))
        assert stop_of(column, values, cut, **options) == expected, (values, options, cut)
        stopped += expected < 12
    assert stopped > 50


@pytest.mark.parametrize(
    ("column", "values", "options", "weights"),
    [
        ("val_loss", [3, 2, 4, 4], {"patience": 2}, 2),
        ("val_loss", [3, 2, 4, 4], {"patience": 2, "restore_best_weights": False}, 4),
        ("val_accuracy", [0.1, 0.5, 0.9, 0.2, 0.2], {"patience": 2}, 3),
        ("loss", [3, 1, 2, 2], {"patience": 2}, 2),
        ("accuracy", [0.5, 0.6, 0.7], {"patience": 2}, 3),
        # The best of all, not the last to improve on another by min_delta.
        ("val_loss", [3, 2.9, 2.8], {"patience": 2, "min_delta": 0.5}, 3),
    ],
)
def test_weights_that_are_left(column, values, options, weights):
    run = fit_scripted(column, values, lambda: EarlyStopping(column, **options))
    np.testing.assert_array_equal(run.model.weights, weights)


def test_the_best_by_accuracy_survives_a_resume(digits, tmp_path):
    """Model, best.safetensors and progress follow what is monitored."""

    class Worse(rn.Callback):
        """Later epochs have a lower accuracy and, sharpened, another loss."""

        def on_epoch_begin(self, epoch):
            self.model.weights[:] *= 1.5 if epoch else 1

    def train(folder, epochs, **more):
        callbacks = [Worse(), EarlyStopping("val_accuracy", patience=9)]
        return rn.train_mlp(
            digits, epochs=epochs, lr=0.3, patience=None, out=folder,
            callbacks=callbacks, verbose=0, **more,
        )  # fmt: skip

    whole = train(tmp_path / "whole", 6)
    train(tmp_path / "parts", 3)
    parts = train(tmp_path / "parts", 6, resume=True)
    accuracies = whole.history.history["val_accuracy"]
    best = accuracies.index(max(accuracies))
    assert whole.history.best_epoch() == parts.history.best_epoch() == best
    losses = whole.history.history["val_loss"]
    assert losses.index(min(losses)) != best, "the test needs columns that disagree"
    assert parts.model.weights.tobytes() == whole.model.weights.tobytes()
    for folder in ("whole", "parts"):
        saved = rn.load(tmp_path / folder / "best.safetensors")
        assert saved.weights.tobytes() == whole.model.weights.tobytes()


def test_the_best_by_loss_needs_no_validation(digits, tmp_path):
    class Worse(rn.Callback):
        def on_epoch_begin(self, epoch):
            self.model.weights[:] += 0.5 if epoch >= 2 else 0

    def train(folder, epochs, **more):
        return rn.train_mlp(
            digits, epochs=epochs, lr=0.1, validation_split=0.0, out=folder, verbose=0,
            callbacks=[Worse(), EarlyStopping("loss", patience=9)], **more,
        )  # fmt: skip

    whole = train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 3)
    parts = train(tmp_path / "parts", 4, resume=True)
    assert whole.history.best_epoch() == parts.history.best_epoch() == 1
    assert parts.model.weights.tobytes() == whole.model.weights.tobytes()
    last = rn.load(tmp_path / "whole" / "last.safetensors")
    assert last.weights.tobytes() != whole.model.weights.tobytes()


def test_what_is_said(digits, capsys):
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    stopping = EarlyStopping("val_accuracy", patience=1, verbose=1)
    net.fit(x, y, epochs=9, lr=1e-12, validation_split=0.2, callbacks=[stopping], verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Epoch 2: early stopping"
    best = f"{net.evaluate(x[512:], y[512:])[1]:.6f}"
    told = f"no improvement since epoch 1; best validation accuracy {best} in epoch 1"
    assert lines[3:] == [f"Early stopping after epoch 2: {told}"]


@pytest.mark.parametrize(
    ("values", "options", "why"),
    [
        # Least in epoch 4, but less than 0.15 below what counted last: epoch 1.
        (
            [1, 0.9, 0.9, 0.86, 0.87],
            {"patience": 4, "min_delta": 0.15},
            "no improvement of at least 0.15 since epoch 1",
        ),
        ([1, 0.8, 0.9, 0.9], {"patience": 2}, "no improvement since epoch 2"),
        (
            [5, 4, 3, 3],
            {"patience": 2, "baseline": 2},
            "no improvement on the baseline 2",
        ),
        (
            [5, 1.5, 1.2, 3, 3],
            {"patience": 2, "baseline": 2},
            "no improvement since epoch 3",
        ),
        ([NAN, NAN], {"patience": 2}, "no improvement"),
    ],
)
@pytest.mark.parametrize("resumed_after", [0, 1])
def test_why_it_stopped_is_counted_as_it_counts(values, options, why, resumed_after):
    run = fit_scripted(
        "val_loss", values, lambda: EarlyStopping(**options), resumed_after=resumed_after
    )
    assert (run.stop_reason, run.stop_detail) == ("early stopping", why)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": 3}, "^monitor: expected one of .*, got 3"),
        ({"mode": "maximum"}, "^mode: expected 'auto', 'min' or 'max', got 'maximum'"),
        ({"patience": -1}, "^patience: expected an integer of at least 0, got -1"),
        ({"patience": 1.5}, "^patience: expected an integer"),
        ({"min_delta": -0.1}, "^min_delta: expected a number of at least 0, got -0.1"),
        ({"min_delta": NAN}, "^min_delta: expected a number"),
        ({"start_from_epoch": -1}, "^start_from_epoch: expected an integer"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options)


def test_validation_is_missed_before_the_first_epoch(digits):
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    before = net.params.copy()
    with pytest.raises(ValueError, match="^EarlyStopping needs validation data; set"):
        net.fit(x, y, callbacks=[EarlyStopping()], verbose=0)
    assert net.params.tobytes() == before.tobytes()
    net.fit(x, y, callbacks=[EarlyStopping("loss")], verbose=0)
