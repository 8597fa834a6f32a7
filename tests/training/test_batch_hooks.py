"""Hooks of batches: an epoch that goes batch by batch has the same bits as one call."""

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import schedules


class Batches(rn.Callback):
    """Note the arguments of the hooks."""

    def __init__(self):
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append((batch, dict(logs)))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, dict(logs)))


SGD = {"type": "sgd"}
MOMENTUM = {"type": "sgd", "momentum": 0.9}
MLP = [rn.Dense(512, "relu"), rn.Dense(10)]
DROPOUT = [rn.Dense(64, "relu"), rn.Dropout(0.3), rn.Dense(10)]
NORM = [rn.Dense(32), rn.BatchNorm(), rn.Activation("relu"), rn.Dense(10)]
CNN = rn.models.CNN_LAYERS
ATTENTION = rn.models.attention_layers(16, 32)
# 640 rows: a short last batch with 60, one batch an epoch with 1000.
CASES = {
    "sparse input, packed weights": (MLP, SGD, {"batch_size": 64}),
    "no zeros left out": (MLP, SGD, {"batch_size": 60, "dense": True}),
    "momentum": (MLP, MOMENTUM, {"batch_size": 60}),
    "adam": (MLP, {"type": "adam"}, {"batch_size": 60, "lr": 0.001}),
    "dropout": (DROPOUT, SGD, {"batch_size": 60}),
    "batchnorm": (NORM, SGD, {"batch_size": 60}),
    "cnn": (CNN, SGD, {"batch_size": 32}),
    "attention": (ATTENTION, SGD, {"batch_size": 32}),
    "clipped and smoothed": (
        MLP, SGD, {"batch_size": 60, "clip_norm": 0.1, "label_smoothing": 0.1},
    ),
    "weights of rows": (MLP, SGD, {"batch_size": 60, "class_weight": [0.5] * 5 + [2.0] * 5}),
    "a rate for each step": (
        MLP, MOMENTUM, {"batch_size": 60, "schedule": schedules.OneCycle(0.2, 3)},
    ),
    "averaged, distorted, mixed": (
        MLP, SGD,
        {"batch_size": 60, "ema_decay": 0.9, "mixup": 0.3, "l2": 0.01,
         "augment": rn.Augment(shift=1.5, rotation=10, elastic=1)},
    ),
    "accumulated": (DROPOUT, MOMENTUM, {"batch_size": 60, "accumulate": 4}),
    "one batch": (MLP, SGD, {"batch_size": 1000}),
    "in order": (MLP, SGD, {"batch_size": 60, "shuffle": False}),
}  # fmt: skip


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_batch_by_batch_has_the_bits_of_one_call(case, threads, digits):
    (x, y), test = digits
    layers, optimizer, options = CASES[case]
    options = {"lr": 0.1, **options}
    if options.pop("dense", False):
        x = np.maximum(x, 1)
    shape = (784,) if layers in (MLP, DROPOUT, NORM) else (1, 28, 28)
    nets, rows = [], []
    for callbacks in ([], [Batches()]):
        net = rn.Network(layers, shape, optimizer=optimizer)
        history = net.fit(
            x, y, epochs=3, validation_data=test, callbacks=callbacks, threads=threads,
            verbose=0, **options,
        )  # fmt: skip
        nets.append(net)
        rows.append([{**row, "time": None} for row in history.as_list()])
    assert nets[0].weights.tobytes() == nets[1].weights.tobytes()
    assert nets[0].moments.tobytes() == nets[1].moments.tobytes()
    assert rows[0] == rows[1]


TINY = [rn.Dense(6, "tanh"), rn.Dense(3)]
XOR = [rn.Dense(4, "sigmoid"), rn.Dense(1, "sigmoid")]


@pytest.mark.parametrize("rates", [None, schedules.OneCycle(0.2, 3)])
@pytest.mark.parametrize("batch_size", [1, 7, 40])
@pytest.mark.parametrize("layers", [TINY, XOR])
def test_nets_with_a_kernel_for_whole_epochs(layers, batch_size, rates, rng):
    x = rng.random((40, 2)).astype(np.float32)
    y = (3 * x.mean(axis=1)).astype(int)
    loss = "softmax_cross_entropy"
    if layers is XOR:
        y, loss = (x[:, :1] > 0.5).astype(np.float32), "squared_error"
    ends = []
    for callbacks in ([], [Batches()]):
        net = rn.Network(layers, (2,), loss)
        history = net.fit(
            x, y, batch_size=batch_size, epochs=3, lr=0.1, schedule=rates,
            callbacks=callbacks, verbose=0,
        )  # fmt: skip
        ends.append((net.weights.tobytes(), history.history["loss"]))
    assert ends[0] == ends[1]


def test_what_the_hooks_are_told(digits):
    (x, y), _ = digits
    batches = Batches()
    net = rn.Network([rn.Dense(10)], (784,))
    history = net.fit(x, y, batch_size=250, epochs=2, callbacks=[batches], verbose=0)
    assert batches.params == {"epochs": 2, "steps": 3, "verbose": 0}
    assert [batch for batch, _ in batches.seen] == [0, 0, 1, 1, 2, 2] * 2
    assert all(logs == {} for _, logs in batches.seen[::2])
    ends = [logs for _, logs in batches.seen[1::2]]
    for epoch, row in enumerate(history):
        assert ends[3 * epoch + 2] == {"loss": row.loss, "accuracy": row.accuracy}
    fresh = rn.Network([rn.Dense(10)], (784,))
    order = batches.run.order
    assert sorted(order) == list(range(640))
    loss, accuracy = fresh.evaluate(x, y)
    assert ends[0]["loss"] == pytest.approx(loss, rel=0.1)
    assert abs(ends[0]["accuracy"] - accuracy) < 0.1


def test_one_call_an_epoch_unless_a_hook_asks_for_batches(digits, monkeypatch):
    calls = []
    train_rows = rn.training.Run.train_rows
    monkeypatch.setattr(
        rn.training.Run,
        "train_rows",
        lambda self, *args, **options: (
            calls.append(1) or train_rows(self, *args, **options)
        ),
    )
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    epochs_only = rn.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    net.fit(x, y, epochs=2, callbacks=[rn.Callback(), epochs_only], verbose=0)
    assert len(calls) == 2
    with_batches = rn.LambdaCallback(on_train_batch_begin=lambda batch, logs: None)
    net.fit(x, y, epochs=2, callbacks=[with_batches], verbose=0)
    assert len(calls) == 2 + 2 * 10


def test_a_hook_may_set_the_rate_of_the_next_batch(digits):
    """Two rates within an epoch, against a schedule that gives the same ones."""
    (x, y), _ = digits

    class Halve(rn.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.run.learning_rate = 0.2 if batch < 2 else 0.1

    class Steps(schedules.Schedule):
        def _rates(self, epoch, steps, history):
            return np.where(np.arange(steps) < 2, 0.2, 0.1)

    nets = [rn.Network([rn.Dense(10)], (784,)) for _ in range(2)]
    nets[0].fit(x, y, epochs=2, callbacks=[Halve()], verbose=0)
    nets[1].fit(x, y, epochs=2, schedule=Steps(), verbose=0)
    assert nets[0].params.tobytes() == nets[1].params.tobytes()


def test_divergence_names_the_batch(digits):
    (x, y), _ = digits

    class Explode(rn.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 4:
                self.model.params[:] = np.nan

    net = rn.Network([rn.Dense(10)], (784,))
    with pytest.raises(rn.TrainingDiverged, match="not finite at epoch 1, batch 5 "):
        net.fit(x, y, callbacks=[Explode()], verbose=0)


def test_ctrl_c_in_a_hook_ends_with_the_last_whole_epoch(digits):
    (x, y), test = digits

    class Interrupt(rn.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, 3):
                raise KeyboardInterrupt

    nets = [rn.Network([rn.Dense(10)], (784,)) for _ in range(2)]
    nets[0].fit(x, y, validation_data=test, verbose=0)
    with pytest.warns(UserWarning, match="training interrupted"):
        history = nets[1].fit(
            x, y, epochs=5, validation_data=test, callbacks=[Interrupt()], verbose=0
        )
    assert len(history) == 1
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
