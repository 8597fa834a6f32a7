"""Forks while other threads train and save: each child trains a net to the same bits.

Then it trains and saves the one that was in training in its parent.

Everything is imported beforehand: a module that another thread is importing stays locked in a
child forever, which is CPython's own.
"""

import threading
from pathlib import Path

import numpy as np

import attack
import rnn_native as rn

COUNTS = (15, 300, 3_000)


def run(count, seed):
    outcome = attack.Outcome()
    x, y = attack.digits()
    whole = rn.Network(attack.small_layers(), (1, 8, 8), seed=4)
    shared = rn.Network(attack.small_layers(), (1, 8, 8), seed=5)
    expected = _trained(whole, x, y)
    _save_once(whole)
    ended = threading.Event()
    busy = [
        threading.Thread(target=_train, args=(shared, x, y, ended)),
        threading.Thread(target=_save, args=(whole, ended)),
    ]
    for thread in busy:
        thread.start()
    try:
        for number in range(count):
            found = attack.in_fork(_child, x, y, shared, timeout=60)
            if "ended" in found:
                outcome.fault(f"fork {number}: {found['ended']}")
            elif found["weights"] != expected.hex():
                outcome.fault(f"fork {number}: other bits")
            elif found["fault"]:
                outcome.fault(f"fork {number}: {found['fault']}")
            else:
                outcome.add("children with the same bits")
    finally:
        ended.set()
        for thread in busy:
            thread.join()
    return outcome


def _trained(net, x, y):
    net.fit(x, y, epochs=2, batch_size=16, threads=2, seed=1, verbose=0)
    return net.get_weights().tobytes()


def _train(net, x, y, ended):
    while not ended.is_set():
        net.fit(x, y, epochs=20, batch_size=16, threads=2, verbose=0)


def _save(net, ended):
    while not ended.is_set():
        _save_once(net)


def _save_once(net):
    net.save("busy")
    rn.load("busy")


def _child(x, y, shared):
    """A separate net, then the one that was in training when the parent forked."""
    fault = None
    weights = _trained(rn.Network(attack.small_layers(), (1, 8, 8), seed=4), x, y)
    name = f"child{len(weights)}"
    try:
        shared.set_weights(np.zeros(shared.weights.size, np.float32))
        shared.fit(x, y, batch_size=16, threads=2, verbose=0)
        shared.save(name)
        rn.load(name)
    except Exception as error:
        fault = attack.named(error)
    finally:
        Path(name).unlink(missing_ok=True)
    return {"weights": weights.hex(), "fault": fault}
