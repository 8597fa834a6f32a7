"""Python's allocations fail, one after the other, in every call of the core.

MemoryError, nothing left behind, and the next call works. Those that the core makes itself fail
in the campaign (tests/campaign/allocations.py).
"""

import gc
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import rnn_native._core as _core
from cases import SOFTMAX, dense

testcapi = pytest.importorskip("_testcapi", reason="this Python has no _testcapi")

MOST = 20_000  # allocations of a call
ROWS = 6
X = np.linspace(0, 1, ROWS * 36, dtype=np.float32).reshape(ROWS, 36)
Y = np.arange(ROWS, dtype=np.int32) % 3
ORDER = np.arange(ROWS, dtype=np.int32)
ONES = np.ones((ROWS, 3), np.float32)
LISTS = SimpleNamespace(
    begin=np.arange(0, 2 * ROWS + 1, 2, dtype=np.int32),
    column=np.tile(np.array([0, 35], np.int32), ROWS),
    value=np.ones(2 * ROWS, np.float32),
)
ATTENTION = [{"type": "self_attention"}, {"type": "flatten"}, dense(3)]
IMAGES = [
    {"type": "conv2d", "filters": 2, "kernel_size": [3, 3], "padding": "same"},
    {"type": "activation", "function": "relu"},
    {"type": "batchnorm"},
    {"type": "flatten"},
    {"type": "dropout", "rate": 0.1},
    dense(3),
]
AUGMENT = {"channels": 1, "height": 6, "width": 6, "shift": 1.0, "elastic": 1.0}
ADAM = {"type": "adam", "beta_1": 0.5}


def nets():
    """Nets that are used over and over; states are carried by the last one."""
    net = _core.Net(IMAGES, (1, 6, 6), SOFTMAX, ADAM)
    net.weights[:] = np.linspace(-1, 1, net.weights.size)
    net.profile = True
    flat = _core.Net([dense(3)], (36,), SOFTMAX, ADAM)
    attention = _core.Net(ATTENTION, (6, 6), SOFTMAX)
    steps = _core.Net([{"type": "gru", "units": 4}], (6, 6), "none")
    return net, flat, attention, steps


def refused(function, *arguments):
    try:
        function(*arguments)
    except (ValueError, TypeError, AttributeError):
        return
    raise AssertionError("was not refused")


def swap(partner, give, take):
    """Exchange bytes with nobody."""


def calls():
    """Every function of the core that a test may call, by name."""
    net, flat, attention, steps = nets()
    carried, out = np.zeros(ROWS * 4, np.float32), np.zeros(9, np.float32)
    average, penalties = np.zeros(net.params.size, np.float32), np.zeros(2)
    done, rates = np.zeros(1, np.int64), np.full(6, 0.1)
    ranks = SimpleNamespace(rank=0, size=1, stop=np.zeros(1, np.uint8), swap=swap)
    weights, two = np.ones(ROWS, np.float32), np.zeros((ROWS, 36), np.float32)

    def in_steps():
        net.forward(X, threads=2, seed=1)
        net.backward(ONES)
        net.apply(0.1)

    of_net = {
        "train": lambda: net.train(
            X, Y, ORDER, 2, rates, epochs=2, weights=weights, augment=AUGMENT, mixup=0.5,
            average=average, average_decay=0.5, penalties=penalties, done=done, l2=0.1,
        ),
        "train on ranks": lambda: net.train(X, Y, ORDER, 2, 0.1, ranks=ranks),
        "train on lists": lambda: flat.train(LISTS, Y, ORDER, 2, 0.1),
        "minimize": lambda: flat.minimize(X, Y, 1e-5, 3, 9, values=np.zeros(4)),
        "set_optimizer": lambda: net.set_optimizer(ADAM),
        "evaluate": lambda: net.evaluate(X, Y, threads=2),
        "evaluate, weighted": lambda: net.evaluate(X, Y, weights=weights),
        "predict": lambda: net.predict(X, threads=2),
        "predict lists": lambda: flat.predict(LISTS),
        "predict_plain": lambda: net.predict_plain(X, 0.0, 1.0),
        "advance": lambda: steps.advance(X, carried),
        "advance_plain": lambda: steps.advance_plain(X, carried, 0.0, 1.0),
        "gradients": lambda: net.gradients(X, Y),
        "backprop": lambda: net.backprop(X, ONES),
        "forward, backward, apply": in_steps,
        "maps": lambda: attention.maps(X, 0),
        "get_weights": lambda: net.get_weights(),
        "set_weights": lambda: net.set_weights(np.zeros_like(net.weights)),
        "set_rates": lambda: net.set_rates(np.ones(len(net.layers))),
        "params": lambda: net.params,
        "weights": lambda: net.weights,
        "moments": lambda: net.moments,
        "grads": lambda: net.grads,
        "rates": lambda: net.rates,
        "layers": lambda: net.layers,
        "level": lambda: net.level,
        "sparse_below": lambda: net.sparse_below,
        "profile": lambda: net.profile,
        "jobs": lambda: net.jobs,
    }  # fmt: skip
    return {
        **of_net,
        "Net": lambda: _core.Net(IMAGES, (1, 6, 6), SOFTMAX, ADAM),
        "Net, refused": lambda: refused(_core.Net, [dense(-1)], (4,), SOFTMAX),
        "Net of an unknown layer": lambda: refused(
            _core.Net, [{"type": "x"}], (4,), SOFTMAX
        ),
        "Net of other keys": lambda: refused(
            _core.Net, [{**dense(3), "x": 1}], (4,), SOFTMAX
        ),
        "Net of other shapes": lambda: refused(_core.Net, IMAGES, (36,), SOFTMAX),
        "train, refused": lambda: refused(net.train, X, Y, ORDER + 1, 2, 0.1),
        "predict, refused": lambda: refused(net.predict, X.astype(np.float64)),
        "predict lists, refused": lambda: refused(
            flat.predict, SimpleNamespace(begin=LISTS.begin, column=LISTS.column + 36)
        ),
        "evaluate, refused": lambda: refused(net.evaluate, X, Y + 3),
        "set_optimizer, refused": lambda: refused(net.set_optimizer, {"type": "x"}),
        "set_weights, refused": lambda: refused(net.set_weights, ONES),
        "augment": lambda: _core.augment(two, AUGMENT, 3, 4),
        "all_within": lambda: _core.all_within(X, 0.0, 1.0),
        "check_optimizer": lambda: _core.check_optimizer(ADAM),
        "layer_shapes": lambda: _core.layer_shapes(IMAGES, (1, 6, 6)),
        "layer_params": lambda: _core.layer_params(IMAGES, (1, 6, 6)),
        "layer_memory": lambda: _core.layer_memory(IMAGES, (1, 6, 6)),
        "choose_cpu_level": lambda: _core.choose_cpu_level(net.level),
        "build_config": lambda: _core.build_config(),
        "rng_uniform": lambda: _core.rng_uniform(5, 0.0, 1.0, out),
        "rng_shuffle": lambda: _core.rng_shuffle(5, ORDER.copy()),
        "tables": lambda: _core.tables(),
    }


CALLS = calls()
# It opens a library once; it measures for a tenth of a second.
LEFT_OUT = {"load_blas", "measure_peak"}


def has_memory_for_all_but(number, call):
    """Whether a call works although this allocation fails, if there is one."""
    works = True
    testcapi.set_nomemory(number, number + 1)
    try:
        call()
    except MemoryError:
        works = False
    finally:
        testcapi.remove_mem_hooks()
    return works


def test_no_function_is_left_out():
    names = {name for call in CALLS for name in call.replace(",", "").split()}
    module = {name for name in dir(_core) if not name.startswith("_")}
    methods = {name for name in dir(_core.Net) if not name.startswith("_")}
    assert module | methods <= names | LEFT_OUT


def kept_by_calls(number, call):
    """Blocks that a call keeps when this allocation fails; Python itself keeps some dozens."""
    for repeats in (20, 80, 320):
        before = sys.getallocatedblocks()
        for _ in range(repeats):
            has_memory_for_all_but(number, call)
        kept = (sys.getallocatedblocks() - before) / repeats
        if kept < 1:
            break
        gc.collect()
    return kept


@pytest.mark.parametrize("name", CALLS)
def test_python_has_no_memory(name):
    """Each allocation fails, until some in a row are not asked for."""
    call, not_asked_for = CALLS[name], 0
    call()
    for number in range(1, MOST):
        works = has_memory_for_all_but(number, call)
        not_asked_for = not_asked_for + 1 if works else 0
        if not_asked_for == 20:
            break
        assert kept_by_calls(number, call) < 1, f"allocation {number}"
    call()
    assert number < MOST - 1
