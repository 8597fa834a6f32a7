"""One net in several threads: readers side by side, and beside a call that trains."""

import contextlib
import copy
import io
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from cases import (
    SOFTMAX,
    Case,
    arrays,
    batchnorm,
    conv2d,
    dense,
    flatten,
    maxpool2d,
    native,
)
from environment import SANITIZED, python_environment
from rnn_native import Callback

ROWS, BATCH = 96, 16

KINDS = {
    "panels": ([dense(200, "relu"), dense(10)], (300,), "sgd"),
    "blocks": (
        [conv2d(8, 3, "relu", padding=1), maxpool2d(), flatten(), dense(10)],
        (1, 12, 14),
        "sgd",
    ),
    "adam and running statistics": (
        [dense(30), batchnorm(), dense(10)],
        (40,),
        "adam",
    ),
    "whole epochs in one kernel": ([dense(4, "tanh"), dense(3)], (2,), "sgd"),
}


class Training:
    """A net, its data, and the weights that it has at each border of batches."""

    def __init__(self, kind, epochs=3, ema=False):
        layers, shape, optimizer = KINDS[kind]
        case = Case(kind, layers, shape, SOFTMAX, ROWS, blank=len(shape) > 1)
        x, y, params = arrays(case)
        self.x, self.y = np.float32(x.reshape(ROWS, -1)), np.int32(y)
        if kind == "panels":
            self.x[:, ::2] = 0
        self.order = np.arange(ROWS, dtype=np.int32)
        self.net, twin = (native(case, params, {"type": optimizer}) for _ in range(2))
        self.epochs, self.ema = epochs, ema
        self.options = self._options(self.net)
        # Tiny nets train an epoch in one kernel, where no batch has a border.
        size = ROWS if kind.startswith("whole") and not ema else BATCH
        self.borders, options = [twin.weights.tobytes()], self._options(twin)
        for step in range(epochs * ROWS // size):
            rows = self.order[step * size % ROWS :][:size]
            twin.train(self.x, self.y, rows, BATCH, 0.01, step=step, **options)
            self.borders.append(twin.weights.tobytes())

    def _options(self, net):
        if not self.ema:
            return {}
        average = {"average": net.params.copy(), "average_decay": 0.5}
        return {**average, "average_is_outside": True}

    def run(self, threads=1):
        self.net.train(
            *(self.x, self.y, self.order, BATCH, 0.01),
            epochs=self.epochs,
            threads=threads,
            **self.options,
        )


def beside(work, threads=3):
    """Run a function over and over in threads until the block ends; return what it gave."""
    seen, errors, stop = [], [], threading.Event()

    def loop():
        try:
            while not stop.is_set():
                seen.append(work())
        except Exception as error:
            errors.append(error)

    readers = [threading.Thread(target=loop) for _ in range(threads)]

    class Beside:
        def __enter__(self):
            for reader in readers:
                reader.start()
            return seen

        def __exit__(self, *_):
            stop.set()
            for reader in readers:
                reader.join()
            assert not errors, errors[0]

    return Beside()


@pytest.mark.parametrize("ema", [False, True], ids=["", "averaged"])
@pytest.mark.parametrize("kind", KINDS)
def test_readers_see_the_weights_of_a_border(kind, ema):
    """Never half an update, never panels that are not written back."""
    training = Training(kind, epochs=10, ema=ema)
    with beside(lambda: training.net.get_weights().tobytes(), threads=2) as seen:
        training.run(threads=2)
    assert seen and set(seen) <= set(training.borders)
    assert training.net.weights.tobytes() == training.borders[-1]


def test_readers_see_weights_of_the_call_under_way():
    training = Training("panels", epochs=100)
    with beside(lambda: training.net.get_weights().tobytes(), threads=1) as seen:
        training.run()
    assert set(seen) - {training.borders[0], training.borders[-1]}


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_with_readers(kind):
    training = Training(kind, epochs=5)
    with beside(lambda: training.net.predict(training.x[:3])):
        training.run(threads=2)
    assert training.net.weights.tobytes() == training.borders[-1]


def test_predictions_beside_training_are_those_of_its_borders():
    training = Training("blocks", epochs=8)
    with beside(lambda: training.net.predict(training.x[:5]).tobytes(), threads=2) as seen:
        training.run()
    net = _core.Net(*KINDS["blocks"][:2], SOFTMAX)
    expected = set()
    for border in training.borders:
        net.weights[:] = np.frombuffer(border, np.float32)
        expected.add(net.predict(training.x[:5]).tobytes())
    assert seen and set(seen) <= expected


@pytest.mark.parametrize("kind", KINDS)
def test_readers_side_by_side_have_the_bits_of_one(kind):
    training = Training(kind, epochs=1)
    net, x, y = training.net, training.x, training.y
    dout = np.ones((ROWS, net.layers[-1]["shape"][0]), np.float32)

    def everything(n):
        score = net.evaluate(x[:n], y[:n])
        arrays = [net.predict(x[:n]), net.gradients(x[:n], y[:n])[1]]
        arrays += net.backprop(x[:n], dout[:n])
        return score, [array.tobytes() for array in arrays]

    expected = {n: everything(n) for n in (1, 7, ROWS)}

    def work():
        return all(everything(n) == expected[n] for n in (7, 1, ROWS))

    with beside(work, threads=5) as seen:
        time.sleep(0.2)
    assert seen and all(seen)


def test_a_net_that_is_trained_is_not_trained_twice():
    training = Training("panels", epochs=1)
    training.epochs = 1000
    thread = threading.Thread(target=training.run)
    thread.start()
    time.sleep(0.02)
    assert thread.is_alive(), "the training is over before anything can be tried"
    with pytest.raises(RuntimeError, match="^train: this net is in training in another"):
        training.run()
    with pytest.raises(RuntimeError, match="^set_weights: this net is in training"):
        training.net.set_weights(training.net.get_weights())
    training.net.predict(training.x[:1])
    thread.join()


def test_weights_are_replaced_at_once():
    net = _core.Net([dense(200, "relu"), dense(10)], (300,), SOFTMAX)
    ones, twos = (np.full_like(net.weights, value) for value in (1, 2))
    net.set_weights(ones)
    values = {ones.tobytes(), twos.tobytes()}
    with beside(lambda: net.get_weights().tobytes() in values) as seen:
        for _ in range(200):
            net.set_weights(twos)
            net.set_weights(ones)
    assert all(seen)
    with pytest.raises(ValueError, match="weights: expected a C-contiguous float32"):
        net.set_weights(ones[1:])


def test_an_average_is_outside_the_call_when_asked():
    training = Training("adam and running statistics", epochs=1)
    net, average = training.net, training.net.params.copy()
    arguments = training.x, training.y, training.order, BATCH, 0.01
    net.train(*arguments, average=average, average_decay=0.9)
    live, shown = net.params.copy(), average.copy()
    other = Training("adam and running statistics", epochs=1).net
    outside = other.params.copy()
    other.train(*arguments, average=outside, average_decay=0.9, average_is_outside=True)
    np.testing.assert_array_equal(other.params, shown)
    np.testing.assert_array_equal(outside, live)


IN_A_HANDLER = """
import os, signal, sys
import rnn_native.base.runtime
sys.path.insert(0, {tests!r})
from test_sharing import Training
training = Training("panels", epochs=1)
training.epochs = {epochs}
seen = []
def handler(*_):
    {work}
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
{main}
signal.setitimer(signal.ITIMER_REAL, 0)
assert seen
"""


@pytest.mark.parametrize(
    ("work", "main"),
    [
        ("seen.append(training.net.predict(training.x[:2]))", "training.run()"),
        (
            "\n    try: training.run()\n    except RuntimeError as e: seen.append(str(e))",
            "while not seen: training.net.predict(training.x.repeat(500, 0))",
        ),
    ],
    ids=["predicts while it trains", "trains while it predicts"],
)
def test_a_signal_handler_does_not_wait_for_its_own_thread(work, main):
    epochs = 100 if SANITIZED else 1000  # far more than 50 ms of them
    tests = os.path.dirname(__file__)
    code = IN_A_HANDLER.format(tests=tests, work=work, main=main, epochs=epochs)
    run = [sys.executable, "-c", code]
    subprocess.run(run, check=True, timeout=60, env=python_environment())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_fork_is_told_that_weights_are_torn():
    training = Training("panels", epochs=1)
    training.epochs = 1000
    thread = threading.Thread(target=training.run)
    thread.start()
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            training.net.predict(training.x)
        except RuntimeError as error:
            training.net.set_weights(np.zeros_like(training.net.weights))
            training.net.predict(training.x)
            training.epochs = 1
            training.run()
            code = 0 if "forked while the net was trained" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("busy", ["reads", "trains"])
def test_a_child_of_fork_can_use_a_net_that_was_in_use(busy):
    """Whatever the thread that is gone was doing with its working memory."""
    training = Training("panels", epochs=3)
    net, weights = training.net, training.net.get_weights()
    many = training.x.repeat(40_000 // ROWS, 0)
    expected = net.predict(training.x).tobytes()
    training.epochs = 1000
    thread = threading.Thread(
        target=training.run if busy == "trains" else lambda: net.predict(many)
    )
    thread.start()
    time.sleep(0.02)
    assert thread.is_alive()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            net.profile = True
            net.set_weights(weights)
            same = net.predict(training.x).tobytes() == expected
            training.epochs = 3
            training.run(threads=2)
            code = 0 if same and net.weights.tobytes() == training.borders[-1] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    thread.join()


FORK_IN_A_HANDLER = """
import os, signal, sys
import rnn_native.base.runtime
sys.path.insert(0, {tests!r})
from test_sharing import Training
training, same = Training("panels", epochs=1), Training("panels", epochs=1)
training.epochs = same.epochs = {epochs}
children = []
def handler(*_):
    children.append(os.fork())
    if not children[0]:
        signal.alarm(50)
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.signal(signal.SIGVTALRM, handler)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.03)
training.run(threads=2)
if children[0]:
    code = os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])
    sys.exit(code)
same.run()
os._exit(training.net.weights.tobytes() != same.net.weights.tobytes())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_call_goes_on_in_the_child_that_its_signal_handler_made():
    epochs = 50 if SANITIZED else 500  # far more than 30 ms of them
    code = FORK_IN_A_HANDLER.format(tests=os.path.dirname(__file__), epochs=epochs)
    run = [sys.executable, "-c", code]
    subprocess.run(run, check=True, timeout=60, env=python_environment())


def test_readers_follow_from_one_training_call_to_the_next():
    """Calls of one long batch each: patience ends while no copy of a new call exists."""
    layers = [dense(512, "relu"), dense(512, "relu"), dense(10)]
    net = _core.Net(layers, (784,), SOFTMAX)
    net.set_weights(np.full_like(net.weights, 1e-3))
    x, y = np.ones((192, 784), np.float32), np.zeros(192, np.int32)
    order = np.arange(192, dtype=np.int32)
    with beside(lambda: net.predict(x[:1]), threads=4) as seen:
        for _ in range(150):
            net.train(x, y, order, 192, 1e-6)
    assert len(seen) > 4


def test_files_hold_whole_weights_beside_training(tmp_path):
    import rnn_native as rn

    rng = np.random.default_rng(0)
    x, y = rng.random((96, 300), np.float32), rng.integers(0, 10, 96)
    net = rn.Network([rn.Dense(200, "relu"), rn.Dense(10)], (300,))
    twin = rn.Network([rn.Dense(200, "relu"), rn.Dense(10)], (300,))
    borders = {twin.get_weights().tobytes()}
    options = {"batch_size": 16, "shuffle": False, "verbose": 0}
    for _ in range(10):
        twin.fit(x, y, **options, callbacks=_Borders(borders))
    paths = iter(tmp_path / f"{i}.safetensors" for i in range(10**6))

    def saved():
        path = next(paths)
        net.save(path)
        return rn.load(path).weights.tobytes()

    with beside(saved, threads=1) as seen:
        net.fit(x, y, epochs=10, **options)
    assert seen and set(seen) <= borders


class _Borders(Callback):
    """Keeps the weights after each batch."""

    def __init__(self, borders):
        self.borders = borders

    def on_train_batch_end(self, batch, logs):
        self.borders.add(self.model.get_weights().tobytes())


# ---- Network, during its own fit ----

FIT_X = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
FIT_Y = np.arange(2000) % 10


class Fit:
    """A net that a thread trains until `end`, and what the test does meanwhile."""

    def __init__(self, loss="softmax_cross_entropy", **options):
        outputs, y = (10, FIT_Y) if loss == "softmax_cross_entropy" else (1, FIT_X[:, 0])
        self.net = rn.Network(
            [rn.Dense(128, "relu"), rn.Dense(outputs)], (64,), loss, optimizer="adam"
        )
        given = {"epochs": 10**6, "lr": 1e-4, "verbose": 0, **options}
        self.thread = threading.Thread(target=self.net.fit, args=(FIT_X, y), kwargs=given)

    def __enter__(self):
        self.thread.start()
        while self.net.steps_done < 100:
            time.sleep(0.001)
        return self.net

    def __exit__(self, *_):
        self.net.stop_training = True
        self.thread.join()


def test_weights_cannot_be_set_between_the_epochs_of_another_threads_fit():
    with Fit() as net:
        weights = net.get_weights()
        refused = 0
        for _ in range(300):
            try:
                net.set_weights(weights)
            except RuntimeError as error:
                assert str(error).startswith("set_weights: this net is being trained")
                refused += 1
        assert refused == 300


def test_a_file_with_moments_is_whole_or_refused(tmp_path):
    with Fit() as net:
        refused = 0
        for _ in range(50):
            file = io.BytesIO()
            try:
                net.save(file, optimizer_state=True)
                rn.load(file.getvalue())
            except RuntimeError as error:
                assert str(error).startswith(
                    "save(optimizer_state=True): this net is being"
                )
                refused += 1
        assert refused == 50


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copies_beside_training_begin_moments_and_steps_anew(copied):
    with Fit() as net:
        copies = [copied(net) for _ in range(30)]
    assert {twin.steps_done for twin in copies} == {0}
    assert not any(twin.moments.any() for twin in copies)
    assert all(np.isfinite(twin.weights).all() for twin in copies)
    later = copied(net)
    assert later.steps_done == net.steps_done
    assert later.moments.tobytes() == net.moments.tobytes()


@pytest.mark.filterwarnings("ignore:training has learned nothing")  # it is stopped early
def test_scores_of_one_evaluation_are_of_the_same_weights():
    """Loss and mae of one output are the same number."""
    with Fit("absolute_error") as net:
        for _ in range(30):
            found = net.evaluate(FIT_X[:300], FIT_X[:300, 0])
            assert found.mae == pytest.approx(found.loss, rel=1e-5)


def test_calls_that_change_a_net_for_a_moment_do_not_stop_a_fit():
    net = rn.Network([rn.Dense(10)], (64,))
    stop = threading.Event()

    def change():
        while not stop.is_set():
            with contextlib.suppress(RuntimeError):
                net.set_weights(np.zeros_like(net.weights))

    thread = threading.Thread(target=change)
    thread.start()
    for _ in range(200):
        net.fit(FIT_X[:64], FIT_Y[:64], verbose=0)
    stop.set()
    thread.join()


def test_a_child_of_fork_can_set_the_weights_of_a_net_in_training():
    with Fit() as net:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            code = 1
            try:
                net.set_weights(np.zeros_like(net.weights))
                net.fit(FIT_X[:64], FIT_Y[:64], verbose=0)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


def test_a_search_for_a_rate_is_a_training_for_other_threads():
    net = rn.Network([rn.Dense(64, "relu"), rn.Dense(10)], (64,), optimizer="adam")
    net.fit(FIT_X, FIT_Y, verbose=0)
    steps = net.steps_done
    thread = threading.Thread(
        target=net.lr_find, args=(FIT_X, FIT_Y), kwargs={"num_it": 3000, "stop_div": False}
    )
    thread.start()
    while net.steps_done == steps:
        time.sleep(0.001)
    assert copy.deepcopy(net).steps_done == 0
    with pytest.raises(RuntimeError, match="this net is being trained by another thread"):
        net.save(io.BytesIO(), optimizer_state=True)
    thread.join()
    assert net.steps_done == steps


@pytest.mark.skipif(
    SANITIZED,
    reason="a child of fork may find the sanitizer's allocator locked",
)
def test_a_child_of_fork_in_a_callback_can_go_on():
    def forks(epoch, logs):
        if epoch == 0 and os.fork() == 0:
            signal.alarm(20)
            try:
                copy.deepcopy(net).predict(FIT_X[:1])
                net.predict(FIT_X[:1])
            except BaseException:
                os._exit(1)

    net = rn.Network([rn.Dense(10)], (64,))
    parent = os.getpid()
    code = 1
    try:
        net.fit(
            *(FIT_X, FIT_Y),
            epochs=2,
            threads=1,
            callbacks=rn.LambdaCallback(on_epoch_end=forks),
            verbose=0,
        )
        code = 0
    finally:
        if os.getpid() != parent:
            os._exit(code)
    assert os.wait()[1] == 0
