"""What a call was given stays as it was checked, whatever runs beside it or inside it."""

import signal
import threading
import time

import numpy as np
import pytest

import rnn_native._core as _core
from cases import SOFTMAX, dense

ROWS, INPUTS, BATCH = 60, 784, 16


@pytest.fixture
def net():
    net = _core.Net([dense(10)], (INPUTS,), SOFTMAX)
    net.params[:] = np.linspace(-0.1, 0.1, len(net.params))
    return net


def given():
    rng = np.random.default_rng(0)
    x = rng.random((ROWS, INPUTS), np.float32)
    return [x, np.arange(ROWS, dtype=np.int32) % 10, np.arange(ROWS, dtype=np.int32)]


class Rate:
    """A learning rate whose conversion, which comes after all checks of arrays, runs code."""

    def __init__(self, run):
        self.run = run

    def __float__(self):
        self.run()
        return 0.1


def refuse_to_shrink(array):
    with pytest.raises(ValueError, match="cannot resize"):
        array.resize((3,), refcheck=False)


@pytest.mark.parametrize("name", ["x", "weights", "average", "penalties", "done"])
def test_memory_cannot_be_moved_between_check_and_use(net, name):
    x, y, order = given()
    arrays = {
        "x": x,
        "weights": np.ones(ROWS, np.float32),
        "average": net.params.copy(),
        "penalties": np.zeros(1),
        "done": np.zeros(1, np.int64),
    }
    options = {k: v for k, v in arrays.items() if k != "x"}
    called = []

    def attack():
        refuse_to_shrink(arrays[name])
        called.append(1)

    net.train(x, y, order, BATCH, Rate(attack), **options)
    assert called
    arrays[name].resize((3,), refcheck=False)  # free again


def test_memory_of_what_views_show_cannot_be_moved(net):
    x, y, order = given()
    owner = np.concatenate([x, x])
    net.train(owner[ROWS:], y, order, BATCH, Rate(lambda: refuse_to_shrink(owner)))
    owner.resize((1,), refcheck=False)


def test_memory_cannot_be_moved_beside_a_call(net):
    x, y, order = given()
    thread = threading.Thread(
        target=net.train, args=(x, y, order, BATCH, 0.01), kwargs={"epochs": 500}
    )
    thread.start()
    while net.params[-1] == np.float32(0.1):
        time.sleep(0.001)
    assert thread.is_alive()
    refuse_to_shrink(x)
    thread.join()


def test_shape_and_type_are_those_that_were_checked(net):
    """Changed in place they would let the call read beyond the memory."""
    x, y, order = given()
    as_bytes = np.zeros((ROWS, INPUTS), np.uint8)

    def attack():
        for array in (x, as_bytes):
            array.shape = (-1, 4)
        as_bytes.dtype = np.float32

    expected = _core.Net([dense(10)], (INPUTS,), SOFTMAX)
    for inputs in (as_bytes.copy(), x.copy()):
        expected.params[:] = net.params
        expected.train(inputs, y, order, BATCH, 0.1)
    before = net.params.copy()
    net.train(as_bytes, y, order, BATCH, Rate(attack))
    net.params[:] = before
    x.shape = (ROWS, INPUTS)
    net.train(x, y, order, BATCH, Rate(attack))
    assert net.params.tobytes() == expected.params.tobytes()


class Meddling(np.ndarray):
    """Whatever is made of it is cut down at once."""

    made = 0

    def __array_finalize__(self, other):
        if type(self).made >= 0:
            type(self).made += 1
            if self.base is None:
                self.resize((1,), refcheck=False)

    @property
    def shape(self):
        raise AssertionError("a method of a subclass was called")


def meddling(array):
    Meddling.made = -1
    made = array.view(Meddling)
    Meddling.made = 0
    return made


def test_arrays_of_subclasses_are_taken_as_plain_ones(net):
    x, y, order = given()
    expected = net.predict(x)
    np.testing.assert_array_equal(net.predict(meddling(x)), expected)
    score = net.evaluate(x, y)
    assert net.evaluate(meddling(x), meddling(y)) == score
    net.train(meddling(x), meddling(y), meddling(order), BATCH, 0.1)
    assert Meddling.made == 0
    with pytest.raises(ValueError, match=r"got float32 \(784, 60\)"):
        net.predict(meddling(np.zeros((784, 60), np.float32)))


class Rows:
    """Compressed rows whose parts run code when they are asked for."""

    def __init__(self, attack, n=ROWS):
        self.attack, self.seen = attack, set()
        self.parts = {
            "begin": np.arange(n + 1, dtype=np.int32),
            "column": np.arange(n, dtype=np.int32) % INPUTS,
            "value": np.ones(n, np.float32),
        }

    def __getattr__(self, name):
        if name not in ("begin", "column", "value"):
            raise AttributeError(name)
        self.attack(self, name)
        return self.parts[name]


def test_parts_of_compressed_rows_are_taken_once(net):
    def attack(rows, name):
        for earlier in rows.seen - {name}:
            rows.parts[earlier][:] = 10**6
        rows.seen.add(name)

    expected = net.predict(Rows(lambda *_: None))
    np.testing.assert_array_equal(net.predict(Rows(attack)), expected)


class Key(str):
    """A key of a dict that empties the dict when it is compared."""

    spec = None

    def __hash__(self):
        return str.__hash__(self)

    def __eq__(self, other):
        if self.spec is not None:
            self.spec.clear()
        return False


def test_dicts_are_read_as_they_were_given():
    """The type's name is still needed when the dict that held it is empty."""
    key = Key("units")
    spec = {"".join(["ty", "pe"]): "".join(["den", "se"]), key: 3}
    key.spec = spec
    with pytest.raises(ValueError, match=r"layers\[0\]\.units: missing; dense needs it"):
        _core.Net([spec], (4,), SOFTMAX)
    assert not spec


def test_an_interrupt_after_the_last_batch_looks_up_no_rate():
    """With a rate for each step; the sanitizers see what is read beyond them."""
    n = 10_000
    order, done = np.arange(n, dtype=np.int32), np.zeros(1, np.int64)
    net = _core.Net([dense(400, "relu"), dense(400), dense(10)], (INPUTS,), SOFTMAX)

    def interrupt(*_):
        raise KeyboardInterrupt

    def set_alarm(*_):
        # From here on no handler runs before the core asks for one, after the batch.
        signal.setitimer(signal.ITIMER_REAL, 0.02)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            net.train(
                *(Rows(set_alarm, n), np.zeros(n, np.int32), order, n),
                np.full(1, 0.1),
                done=done,
            )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert done[0] == 1
