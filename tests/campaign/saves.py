"""Saves of a net that another thread trains, over a good file: each file is whole."""

import threading
from pathlib import Path

import attack
import rnn_native as rn
from rnn_native.callbacks.run_files import RunCheckpoint

COUNTS = (120, 1_200, 12_000)


def run(count, seed):
    outcome = attack.Outcome()
    for name, (train, save) in sorted(KINDS.items()):
        _beside(outcome, name, train, save, count // len(KINDS), seed)
    return outcome


def _beside(outcome, name, train, save, count, seed):
    x, y = attack.digits()
    net = rn.Network(attack.small_layers(), (1, 8, 8), seed=seed, optimizer="adam")
    ended, raised = threading.Event(), []

    def trained():
        try:
            while not ended.is_set():
                train(net, x, y)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=trained)
    thread.start()
    try:
        for _ in range(count):
            fault = _fault_of(net, Path(f"{name}.safetensors"), save)
            if fault:
                outcome.fault(f"{name}: {fault}")
            else:
                outcome.add("whole files")
    finally:
        ended.set()
        thread.join()
    for error in raised:
        outcome.fault(f"{name}: training raised {attack.named(error)}")


def _fault_of(net, path, save):
    try:
        again = save(net, path)
        if again is not None:
            before = path.read_bytes()
            again.save(path)
            return None if path.read_bytes() == before else "other bytes when saved again"
    except Exception as error:
        return attack.named(error)
    return None


# ---- what trains ----


def _fit(net, x, y):
    net.fit(x, y, epochs=3, batch_size=16, verbose=0)


def _fit_average(net, x, y):
    net.fit(x, y, epochs=3, batch_size=16, ema_decay=0.9, verbose=0)


def _steps(net, x, y):
    for _ in range(20):
        net.train_on_batch(x[:32], y[:32], lr=0.01)


def _fit_many(net, x, y):
    rn.fit_many([net], x, y, epochs=3, verbose=0)


def _run_folder(net, x, y):
    folder = Path("run")
    folder.mkdir(exist_ok=True)
    net.fit(x, y, epochs=2, verbose=0, callbacks=[RunCheckpoint(folder)])


# ---- what saves ----


def _save(net, path):
    net.save(path)
    return rn.load(path)


def _save_weights(net, path):
    net.save_weights(path)
    other = rn.Network(attack.small_layers(), (1, 8, 8))
    other.load_weights(path)


def _save_ensemble(net, path):
    rn.Ensemble([net]).save(path)
    rn.Ensemble.load(path)


def _load_last(net, path):
    last = Path("run") / "last.safetensors"
    if last.exists():
        rn.load(last)
    net.save(path)
    return rn.load(path)


KINDS = {
    "fit": (_fit, _save),
    "average": (_fit_average, _save),
    "steps": (_steps, _save),
    "fit_many": (_fit_many, _save),
    "weights": (_fit, _save_weights),
    "ensemble": (_fit, _save_ensemble),
    "run_folder": (_run_folder, _load_last),
}
