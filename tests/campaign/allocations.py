"""A failure of each allocation that the core asks for, one after the other, once and for good.

Nets made, trained, asked and freed, with one thread and several: MemoryError or the right answer,
never a crash, and the same net gives the right bits afterwards.
"""

import functools

import numpy as np

import attack
import failing
import rnn_native as rn
import rnn_native._core

COUNTS = (1, 8, 40)  # nets, beside a fixed one


def run(count, seed):
    failing.preloaded()
    failing.allocations_of(rnn_native._core.__file__)
    outcome = attack.Outcome()
    for name, layers, shape in nets(count, seed):
        for threads in (1, 3):
            for action in ACTIONS:
                expected = ACTIONS[action](made(layers, shape), shape, threads)
                _each_call(
                    outcome,
                    f"{name}, {threads} threads, {action}",
                    expected,
                    functools.partial(_one, layers, shape, action, threads),
                )
    return outcome


def nets(count, seed):
    """Nets of several kinds: the fixed one, a large one, and convolutions of random sizes."""
    rng = np.random.default_rng(seed)
    yield "small net", attack.small_layers(), (1, 8, 8)
    yield "wide net", [rn.Dense(2048, "relu"), rn.Dense(3)], (700,)
    for i in range(count - 1):
        filters, kernel, units = (int(rng.integers(1, top)) for top in (40, 4, 70))
        layers = [rn.Conv2D(filters, kernel, padding="same"), rn.LayerNorm()]
        layers += [rn.Residual([rn.Activation("gelu")])] if i % 2 else [rn.MaxPool2D(2)]
        yield (
            f"net {i}",
            [*layers, rn.Flatten(), rn.Dense(units, "relu"), rn.Dense(3)],
            (1, 8, 8),
        )


def made(layers, shape):
    return rn.Network(layers, shape, seed=1, optimizer="adam")


def data(shape):
    rng = np.random.default_rng(2)
    return rng.random((40, *shape), np.float32), np.arange(40, dtype=np.int32) % 3


def _train(net, shape, threads):
    x, y = data(shape)
    net.fit(x, y, batch_size=16, threads=threads, verbose=0, seed=1)
    return net.get_weights().tobytes()


def _predict(net, shape, threads):
    return net.predict(data(shape)[0], threads=threads).tobytes()


def _evaluate(net, shape, threads):
    return repr(net.evaluate(*data(shape), threads=threads))


def _step(net, shape, threads):
    x, _ = data(shape)
    out = net.forward(x, threads=threads)
    net.backward(np.ones_like(out), threads=threads)
    net.apply_gradients(0.01, threads=threads)
    return net.get_weights().tobytes()


def _copy(net, shape, threads):
    return net.clone().get_weights().tobytes()


ACTIONS = {
    "train": _train,
    "predict": _predict,
    "evaluate": _evaluate,
    "step": _step,
    "make": _copy,
}


def _each_call(outcome, what, expected, one):
    for stays in (False, True):
        for number in range(1, 1000):
            found = attack.in_fork(one, expected, number, stays, timeout=120)
            if "ended" in found:
                outcome.fault(f"{what}, call {number}: {found['ended']}")
                break
            if found["fault"]:
                outcome.fault(f"{what}, call {number}, {found['failed']}: {found['fault']}")
            elif found["failed"]:
                outcome.add(found["how"])
            else:
                break


def _one(layers, shape, action, threads, expected, number, stays):
    """One failing allocation; then the net must do what it would have done."""
    how, fault, net = "right anyway", None, made(layers, shape)
    with failing.call_fails(failing.ALLOCATIONS, number, stays=stays) as seen:
        try:
            if ACTIONS[action](net, shape, threads) != expected:
                fault = "other bits"
        except MemoryError:
            how = "MemoryError"
        except BaseException as error:
            fault = f"undeclared {attack.named(error)}"
    fresh = made(layers, shape)
    if fault is None and how == "MemoryError":
        # A call that failed may have changed the net's seeds, but not what it can do.
        net.set_weights(fresh.get_weights())
        ACTIONS[action](net, shape, threads)
    if fault is None and ACTIONS[action](fresh, shape, threads) != expected:
        fault = "other bits afterwards"
    return {"how": how, "fault": fault, "failed": seen.failed}
