"""`fit` in a loop: further calls continue where the last one ended."""

import contextlib
import copy
import pickle
import signal
import threading

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import training
from rnn_native.net.training_state import TrainingState

OPTIMIZERS = {
    "sgd": "sgd",
    "momentum": {"type": "sgd", "momentum": 0.9, "nesterov": True},
    "adam": "adam",
    "adamw": {"type": "adamw", "weight_decay": 0.1},
    "rmsprop": {"type": "rmsprop", "momentum": 0.5, "centered": True},
}

PLAIN = [rn.Flatten(), rn.Dense(12, "tanh"), rn.Dense(3)]
DROPPED = [rn.Flatten(), rn.Dense(12, "tanh"), rn.Dropout(0.4), rn.Dense(3)]
NORMED = [rn.Conv2D(2, 3), rn.BatchNorm(), rn.Activation("relu"), rn.Flatten(), rn.Dense(3)]
FULL = [*NORMED[:4], rn.Dropout(0.3), rn.Dense(3)]

# Layers, and options of fit. 50 rows in batches of 16 end with one of 2.
CASES = {
    "shuffled": (PLAIN, {}),
    "in order": (PLAIN, {"shuffle": False}),
    "whole batches": (PLAIN, {"batch_size": 25}),
    "dropout": (DROPPED, {"shuffle": False}),
    "augment": (PLAIN, {"augment": rn.Augment(shift=1, rotation=10)}),
    "mixup": (PLAIN, {"mixup": 0.4}),
    "ema": (PLAIN, {"ema_decay": 0.9}),
    "mean": (NORMED, {"swa_start": 0}),
    "batchnorm": (NORMED, {}),
    "clip and l2": (PLAIN, {"clip_norm": 0.1, "l2": 0.1, "label_smoothing": 0.1}),
    "parts of a pass": (PLAIN, {"steps_per_epoch": 3}),
    "parts in order": (PLAIN, {"steps_per_epoch": 3, "shuffle": False}),
    "more than a pass": (DROPPED, {"steps_per_epoch": 6, "ema_decay": 0.9}),
    "accumulated": (DROPPED, {"batch_size": 6, "accumulate": 3}),
    "parts, accumulated": (PLAIN, {"batch_size": 8, "accumulate": 2, "steps_per_epoch": 2}),
    "all": (FULL, {"augment": rn.Augment(shift=1), "mixup": 0.2, "ema_decay": 0.99}),
}

RNG = np.random.default_rng(3)
X = RNG.random((50, 1, 8, 8), np.float32)
Y = RNG.integers(0, 3, 50)


def network(layers=FULL, optimizer="adam", seed=1):
    return rn.Network(layers, (1, 8, 8), optimizer=optimizer, seed=seed)


def fit(net, epochs=1, **options):
    given = {"lr": 0.01, "batch_size": 16, "verbose": 0, **options}
    return net.fit(X, Y, epochs=epochs, **given)


def bits(net):
    return net.weights.tobytes(), net.moments.tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", CASES)
def test_six_calls_equal_one_of_six_epochs(case, optimizer):
    layers, options = CASES[case]
    one, six = (network(layers, OPTIMIZERS[optimizer]) for _ in range(2))
    whole = fit(one, 6, **options).history["loss"]
    parts = [fit(six, 1, **options).history["loss"][0] for _ in range(6)]
    assert parts == whole
    assert bits(six) == bits(one)
    rows = options.get("batch_size", 16) * options.get("accumulate", 1)
    steps = options.get("steps_per_epoch", -(-50 // rows))
    assert six.steps_done == one.steps_done == 6 * steps


def test_the_first_call_has_the_bits_of_seed_1():
    """Of a new net, whatever its weights' seed."""
    for seed in (1, 5):
        given, left_out = network(seed=seed), network(seed=seed)
        fit(given, 2, seed=1)
        fit(left_out, 2)
        assert bits(given) == bits(left_out)


def test_batch_hooks_and_threads_change_no_bit_of_a_loop():
    class Batches(rn.Callback):
        def on_train_batch_end(self, batch, logs):
            pass

    one, other = network(), network()
    fit(one, 4, ema_decay=0.9)
    for threads in (1, 3, 2, 1):
        fit(other, ema_decay=0.9, callbacks=Batches(), threads=threads)
    assert bits(other) == bits(one)


def test_a_given_seed_restarts_shuffles_and_masks_but_keeps_moments_and_steps():
    """Masks, by themselves: SGD keeps nothing, so equal weights lead to equal weights."""
    first = network(DROPPED, "sgd")
    fit(first, 3, seed=7)
    used = network(DROPPED, "sgd")
    fit(used, 5, seed=2)
    used.weights[:] = network(DROPPED, "sgd").weights
    fit(used, 1, seed=7)
    fit(used, 2)
    assert bits(used) == bits(first)
    # Adam's moments and steps stay: without dropout and shuffling the seed has no effect.
    one, other = (network(PLAIN, "adam") for _ in range(2))
    fit(one, 4, shuffle=False)
    for seed in (1, 9, None, 4):
        fit(other, 1, shuffle=False, seed=seed)
    assert bits(other) == bits(one)
    # And a seed changes something where there are masks.
    again = network(DROPPED, "sgd")
    fit(again, 3, seed=8)
    assert bits(again) != bits(first)


def test_adam_in_a_loop_is_the_definition_in_float64():
    """One weight, a constant gradient of 1: with the right step every update is lr."""
    net = rn.Network([rn.Dense(1)], (1,), loss="squared_error", optimizer="adam")
    net.weights[:] = 0
    x = np.zeros((1, 1), np.float32)
    for call in range(1, 6):
        # The loss is (output - y)^2 / 2 or (output - y)^2; its sign is all that Adam sees.
        target = net.params[1:] + np.float32(1)
        net.fit(x, target[None], lr=0.125, verbose=0)
        assert net.params[1] == pytest.approx(0.125 * call, rel=1e-5)


def test_the_average_is_dropped_when_weights_change_or_it_is_not_wanted():
    def averaged(change=None, **between):
        net = network(PLAIN, "sgd")
        fit(net, 2, ema_decay=0.99)
        if change is not None:
            change(net)
        if between:
            fit(net, 1, **between)
        start = net.weights.copy()
        fit(net, 1, ema_decay=0.99, shuffle=False)
        return start, net

    def fresh(start):
        net = network(PLAIN, "sgd")
        net.weights[:] = start
        fit(net, 1, ema_decay=0.99, shuffle=False)
        return net

    def nudge(net):
        net.weights[0] += 1

    for options in ({"change": nudge}, {"ema_decay": 0.0}):
        start, net = averaged(**options)
        assert bits(net) == bits(fresh(start))
    start, net = averaged()
    assert bits(net) != bits(fresh(start)), "else it would begin anew each time"


def test_other_rows_and_batches_are_trained_on_from_the_same_steps():
    net = network()
    fit(net, 2)
    steps = net.steps_done
    net.fit(X[:20], Y[:20], batch_size=7, lr=0.01, verbose=0)
    assert net.steps_done == steps + 3
    assert len(net.training_state.order) == 20
    fit(net, 1)
    assert sorted(net.training_state.order) == list(range(50))
    fit(net, 1, shuffle=False)
    assert net.training_state.order is None, "nothing to keep, in pickles neither"


def test_the_best_epoch_is_one_of_this_call():
    """The second call's epochs are all worse than the first one's."""
    net = network(PLAIN, "sgd")
    validation = {"validation_data": (X, Y)}
    fit(net, 5, lr=0.1, **validation)
    good = net.evaluate(X, Y)[0]
    with pytest.warns(UserWarning, match="training diverges"):
        history = fit(net, 1, lr=30.0, **validation)
    assert len(history) == 1
    assert net.evaluate(X, Y)[0] == pytest.approx(history.rows[0].val_loss)
    assert history.rows[0].val_loss > good


@pytest.mark.parametrize("copied", ["deepcopy", "pickle", "copy"])
def test_copies_continue_as_the_net_itself(copied):
    make = {
        "deepcopy": copy.deepcopy,
        "pickle": lambda net: pickle.loads(pickle.dumps(net)),
        "copy": copy.copy,
    }[copied]
    net = network(FULL, {"type": "adam", "beta_1": 0.8})
    fit(net, 2, ema_decay=0.9)
    twin = make(net)
    assert twin.optimizer == net.optimizer
    assert twin.steps_done == net.steps_done == 8
    fit(net, 2, ema_decay=0.9)
    fit(twin, 1, ema_decay=0.9)
    fit(twin, 1, ema_decay=0.9)
    assert bits(twin) == bits(net)


def test_lr_find_changes_nothing_that_training_continues_from():
    plain, searched = network(), network()
    for net in (plain, searched):
        fit(net, 2, ema_decay=0.9)
    searched.lr_find(X, Y, num_it=12, batch_size=16, seed=5)
    for net in (plain, searched):
        fit(net, 2, ema_decay=0.9)
    assert bits(searched) == bits(plain)


def test_a_second_trainer_is_refused_and_changes_no_bit():
    """Also between epochs, when no native call is under way."""
    plain, shared = network(), network()
    fit(plain, 4, ema_decay=0.9)
    refused = []

    def train_too(epoch, logs):
        for call in (
            lambda: fit(shared, 1, seed=3),
            lambda: setattr(shared, "optimizer", "sgd"),
        ):
            thread = threading.Thread(target=refuse, args=(call,))
            thread.start()
            thread.join()

    def refuse(call):
        with pytest.raises(RuntimeError, match="this net is being trained by another") as e:
            call()
        refused.append(str(e.value).split(":")[0])

    fit(shared, 4, ema_decay=0.9, callbacks=rn.LambdaCallback(on_epoch_end=train_too))
    assert refused == ["fit", "optimizer"] * 4
    assert bits(shared) == bits(plain)


def test_lr_find_in_a_callback_changes_nothing():
    plain, searching = network(), network()
    fit(plain, 4, ema_decay=0.9)

    def search(epoch, logs):
        searching.lr_find(X, Y, num_it=5, batch_size=16)

    fit(searching, 2, ema_decay=0.9, callbacks=rn.LambdaCallback(on_epoch_begin=search))
    fit(searching, 2, ema_decay=0.9)
    assert bits(searching) == bits(plain)


def test_an_argument_that_is_refused_changes_nothing():
    plain, tried = network(), network()
    for net in (plain, tried):
        fit(net, 2)
    for wrong in ({"class_weight": [1.0]}, {"seed": -1}, {"lr": 0.0}, {"patience": 3}):
        with pytest.raises((ValueError, TypeError)):
            fit(tried, 1, **{"seed": 3, **wrong})
    for net in (plain, tried):
        fit(net, 1)
    assert bits(tried) == bits(plain)


def test_a_call_that_a_callback_refuses_changes_nothing():
    class Refuses(rn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs):
            raise ValueError("no")

    net, other = network(), network()
    for refused in (rn.EarlyStopping(), Refuses()):
        with pytest.raises(ValueError, match="validation|no"):
            fit(net, callbacks=[refused], seed=5, ema_decay=0.9)
    assert net.input_dtype is None
    assert net.training_state.seed == other.training_state.seed
    fit(net), fit(other)
    assert bits(net) == bits(other)
    with pytest.raises(ValueError, match="no"):
        fit(net, callbacks=[Refuses()], ema_decay=0.9)
    fit(net), fit(other)
    assert bits(net) == bits(other)


def test_a_run_that_was_refused_may_be_fitted_again():
    net, other = network(), network()
    data = training.Split(X.reshape(50, -1), Y.astype(np.int32))
    run = training.Run(net, data, training.Recipe(epochs=1, validation_split=0, seed=3))
    with pytest.raises(ValueError, match="validation"):
        training.fit(run, rn.EarlyStopping(), verbose=0)
    assert net.input_dtype is None
    training.fit(run, verbose=0)
    again = training.Run(other, data, run.recipe)
    training.fit(again, verbose=0)
    assert bits(net) == bits(other)
    assert net.training_state is run.state
    assert net.input_dtype == other.input_dtype


def test_a_result_of_train_continues_with_its_optimizer(digits):
    """As one longer run, which has no validation to restore from."""
    options = {"validation_split": 0.0, "optimizer": "adam", "lr": 0.001, "verbose": 0}
    long = rn.train_mlp(digits, epochs=3, **options).model
    short = rn.train_mlp(digits, epochs=1, **options).model
    short.fit(*digits[0], epochs=2, lr=0.001, verbose=0)
    assert bits(short) == bits(long)


def test_an_interrupted_epoch_counts_the_steps_that_it_made():
    net = network()

    def interrupt(batch, logs):
        if batch == 2:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        fit(net, 1, callbacks=rn.LambdaCallback(on_train_batch_end=interrupt))
    assert net.steps_done == 3


@pytest.mark.filterwarnings("ignore:training has learned nothing")
def test_ctrl_c_in_a_native_call_counts_the_steps_that_it_made():
    """What the net then has is what that many batches give, wherever the signal came."""
    layers = [rn.Dense(300, "relu"), rn.Dense(3)]
    x = RNG.standard_normal((20_000, 100), np.float32)
    y = RNG.integers(0, 3, len(x))
    options = {"batch_size": 10, "shuffle": False, "lr": 1e-4, "verbose": 0, "threads": 1}
    net, twin = (rn.Network(layers, (100,), optimizer="adam") for _ in range(2))

    def press(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.warns(UserWarning, match="interrupted"):
            net.fit(x, y, epochs=1000, **options)
    finally:
        signal.signal(signal.SIGALRM, before)
    epochs, batches = divmod(net.steps_done, 2000)
    if epochs:
        twin.fit(x, y, epochs=epochs, **options)
    if batches:
        twin.fit(x[: batches * 10], y[: batches * 10], **options)
    assert twin.steps_done == net.steps_done
    assert bits(twin) == bits(net)


def test_state_of_a_file_is_checked():
    state = TrainingState()
    good = state.as_dict()
    for name in good:
        for wrong in (None, -1, 2**64, 1.0, True):
            with pytest.raises(ValueError, match=f"^{name}: expected an integer in"):
                state.update({**good, name: wrong})
    assert state.as_dict() == good


def test_a_run_without_a_generator_continues_the_nets_own():
    """If that has the recipe's seed; else it restarts with it."""
    one, two = network(), network()
    fit(one, 3)
    fit(one, 2, seed=8)
    fit(one, 1)
    data = training.Split(two.as_rows(X), two.as_targets(Y, 50))
    for seed in (1, 1, 1, 8, 8, 8):
        recipe = training.Recipe(
            epochs=1, batch_size=16, seed=seed, patience=None, optimizer="adam"
        )
        training.fit(training.Run(two, data, recipe), verbose=0)
    assert bits(two) == bits(one)


# ---- a call that is refused, or ends before its first batch, changes nothing ----


class _Refuses(rn.Callback):
    def on_train_begin(self, logs=None):
        raise ValueError("no")


class _Interrupts(rn.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        raise KeyboardInterrupt


class _NeverCalled(rn.Callback):
    def on_predict_begin(self, logs=None):
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks": [_Refuses()]},
        {"callbacks": [object()]},
        {"callbacks": [rn.EarlyStopping]},
        {"callbacks": [rn.EarlyStopping()]},
        {"callbacks": [_NeverCalled()]},
        {"callbacks": [_Interrupts()]},
        {"verbose": 9},
    ],
    ids=[
        "refuses",
        "object",
        "class",
        "no validation",
        "never called",
        "Ctrl-C",
        "verbose",
    ],
)
@pytest.mark.parametrize("more", [{"seed": 7}, {"shuffle": False}, {"ema_decay": 0.0}])
@pytest.mark.filterwarnings("ignore:training interrupted")
def test_calls_that_train_nothing_change_nothing(options, more):
    net, twin = (network(FULL, "adam") for _ in range(2))
    for each in (net, twin):
        fit(each, 2, ema_decay=0.9)
    with contextlib.suppress(ValueError, TypeError):
        net.fit(X, Y, **{"verbose": 0, **options, **more})
    for each in (net, twin):
        fit(each, 1, ema_decay=0.9)
    assert bits(net) == bits(twin)
    assert net.steps_done == twin.steps_done


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_end"])
def test_a_refused_call_inside_a_call_changes_nothing(hook):
    net, twin = (network(FULL, "adam") for _ in range(2))

    def refused(*_):
        with pytest.raises(ValueError, match="no"):
            net.fit(X, Y, callbacks=[_Refuses()], verbose=0)

    fit(net, 3, callbacks=rn.LambdaCallback(**{hook: refused}))
    fit(twin, 3)
    for each in (net, twin):
        fit(each, 1)
    assert bits(net) == bits(twin)
    assert net.steps_done == twin.steps_done


def test_an_error_after_the_first_batch_undoes_nothing():
    net = network(FULL, "adam")

    def fails(*_):
        net.optimizer = "adam"
        raise KeyError

    with pytest.raises(KeyError):
        fit(net, 2, callbacks=rn.LambdaCallback(on_epoch_end=fails))
    assert net.training_state.seed_steps > 0
    assert net.input_dtype is not None
