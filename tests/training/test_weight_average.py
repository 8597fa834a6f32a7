"""Stochastic weight averaging: `swa_start` of fit."""

import numpy as np
import pytest

import rnn_native as rn
import twins
from cases import (
    SOFTMAX,
    Case,
    activation,
    arrays,
    batchnorm,
    dense,
    native_arrays,
    relative,
)

# Twenty rows in batches of eight: the last has four.
CASE = Case(
    "averaged", [dense(9), batchnorm(), activation("tanh"), dense(3)], (6,), SOFTMAX, 20
)
EPOCHS, START, SIZE, RATE = 5, 2, 8, 0.1
MOMENTUM = {"type": "sgd", "momentum": 0.9}

RNG = np.random.default_rng(3)
X, Y = RNG.random((50, 1, 8, 8), np.float32), RNG.integers(0, 3, 50)
NORMED = [rn.Conv2D(2, 3), rn.BatchNorm(), rn.Activation("relu"), rn.Flatten()]
LAYERS = [*NORMED, rn.Dropout(0.3), rn.Dense(3)]


def network(optimizer="adam", layers=LAYERS):
    return rn.Network(layers, (1, 8, 8), optimizer=optimizer)


def fit(net, epochs=4, **options):
    given = {"batch_size": 16, "verbose": 0, "swa_start": 1, **options}
    return net.fit(X, Y, epochs=epochs, **given)


def bits(net):
    return net.weights.tobytes(), net.moments.tobytes()


def twin_of(x, y, params, optimizer):
    """Mean weights over epochs and batchnorm's statistics under them, in float64."""
    updates, order, after = twins.Optimizer(optimizer, params), np.arange(20), []
    for epoch in range(EPOCHS):
        twins.train_epoch(
            CASE.layers, params, x, y, order, SIZE, RATE, SOFTMAX, updates, 3 * epoch
        )
        after.append(twins.flatten(params))
    mean = np.mean(after[START:], axis=0)
    # With momentum 0 the state after a batch is that of the batch.
    layers, found = [*CASE.layers], 0.0
    layers[1] = {**layers[1], "momentum": 0.0}
    for begin in range(0, 20, SIZE):
        rows = x[begin : begin + SIZE]
        held = twins.unflatten(mean, params)
        _, caches = twins.forward(layers, held, rows, twins.training_mode())
        state = np.concatenate([*caches[1]["state"].values()])
        found = found + state * len(rows) / 20
    return after[-1], mean, found


@pytest.mark.parametrize("optimizer", [{"type": "sgd"}, MOMENTUM], ids=str)
def test_the_mean_and_its_statistics_match_the_twin(optimizer):
    x, y, params = arrays(CASE)
    net = rn.Network(CASE.specs, (6,), optimizer=optimizer)
    net.weights[:] = twins.flatten_all(params)
    history = net.fit(
        *native_arrays(CASE, x, y), epochs=EPOCHS, swa_start=START, batch_size=SIZE,
        lr=RATE, shuffle=False, verbose=0, validation_data=native_arrays(CASE, x, y),
        callbacks=rn.EarlyStopping(patience=99, restore_best_weights=False),
    )  # fmt: skip
    live, mean, state = twin_of(x, y, params, optimizer)
    n = net.params.size
    assert relative(net.params, mean) < 1e-5
    assert relative(net.training_state.live_params, live) < 1e-5
    assert relative(net.params, live) > 1e-3
    np.testing.assert_allclose(net.weights[n:], state, rtol=1e-4, atol=1e-6)
    # What was validated is what fit leaves.
    assert history.history["val_loss"][-1] == net.evaluate(*native_arrays(CASE, x, y))[0]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_itself_keeps_its_bits(optimizer):
    """With plain SGD the update stays folded into the gradient."""
    plain, averaged = network(optimizer), network(optimizer)
    fit(plain, swa_start=None)
    fit(averaged)
    assert averaged.training_state.live_params.tobytes() == plain.params.tobytes()
    assert averaged.params.tobytes() != plain.params.tobytes()


def test_threads_hooks_and_calls_change_no_bit():
    class Batches(rn.Callback):
        def on_train_batch_end(self, batch, logs):
            pass

    one = network()
    fit(one, 6, threads=1)
    for options in ({"threads": 2}, {"callbacks": Batches()}):
        other = network()
        fit(other, 6, **options)
        assert bits(other) == bits(one), options
    parts = network()
    fit(parts, 3)
    fit(parts, 6, initial_epoch=3)
    assert bits(parts) == bits(one)


@pytest.mark.parametrize("first", [1, 4])
def test_it_resumes_to_the_same_bits(first, tmp_path):
    """Before the mean begins, and while it is under way."""

    class Stop(rn.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch + 1 == first:
                self.run.stop("enough")

    data = (rn.datasets.synthetic_digits(200, seed=3),) * 2
    options = {"epochs": 6, "swa_start": 2, "patience": None, "verbose": 0}
    layers = [
        rn.Flatten(),
        rn.Dense(8),
        rn.BatchNorm(),
        rn.Activation("relu"),
        rn.Dense(10),
    ]
    whole = rn.train(layers, data, **options)
    rn.train(layers, data, out=tmp_path, callbacks=[Stop()], **options)
    resumed = rn.train(layers, data, out=tmp_path, resume=True, **options)
    assert bits(resumed.model) == bits(whole.model)
    with pytest.raises(ValueError, match=r"another recipe: swa_start=3 \(was 2\)"):
        rn.train(layers, data, out=tmp_path, resume=True, **{**options, "swa_start": 3})


def test_a_call_without_it_or_with_other_weights_begins_anew():
    def start(net):
        fit(net, 3)
        return net

    def nudge(net):
        net.weights[0] += 1

    for change, options in ((nudge, {}), (None, {"swa_start": 1})):
        net, fresh = start(network("sgd")), network("sgd")
        if change is not None:
            change(net)
        fresh.weights[:] = net.weights
        for each in (net, fresh):
            fit(each, 3, seed=5, **{"swa_start": 0, **options})
        assert net.params.tobytes() == fresh.params.tobytes()
    net, moving = start(network("sgd")), network("sgd")
    moving.weights[:] = net.weights
    for each in (net, moving):
        fit(each, 2, seed=5, swa_start=None, ema_decay=0.9)
    assert bits(net) == bits(moving)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"swa_start": 4},
            "swa_start: expected the number of an epoch, below epochs=4, got 4",
        ),
        ({"swa_start": -1}, "swa_start: expected an integer of at least 0, got -1"),
        ({"swa_start": 1.5}, "swa_start: expected an integer"),
        ({"ema_decay": 0.9}, "swa_start: expected None with ema_decay"),
    ],
)
def test_what_is_refused(options, message):
    net = network()
    before = bits(net)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        fit(net, **options)
    assert "\n" not in str(caught.value)
    assert bits(net) == before


def test_batches_have_no_rows_for_batchnorms_statistics():
    batches = [(X[:25], Y[:25]), (X[25:], Y[25:])]
    with pytest.raises(
        ValueError, match="swa_start: batchnorm's statistics of the mean need"
    ):
        network().fit(batches, epochs=2, swa_start=0, verbose=0)
    layers = [rn.Flatten(), rn.Dense(3)]
    streamed, whole = network(layers=layers), network(layers=layers)
    streamed.fit(batches, epochs=3, swa_start=1, shuffle=False, verbose=0)
    whole.fit(X, Y, batch_size=25, epochs=3, swa_start=1, shuffle=False, verbose=0)
    assert bits(streamed) == bits(whole)
