"""Files of others and ours, of the same arrays: single flipped bits, and kills while saving.

A flip is silent if other numbers are read than were saved; a file is lost if it cannot be read
after a kill. Whoever is not installed is left out.
"""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np

import attack
import rnn_native as rn

COUNTS = (200, 3_000, 30_000)  # flips of each; a tenth as many kills
LARGE = 400  # units, of the net that is saved while kills come


def run(count, seed):
    outcome = attack.Outcome()
    for name, (write, read) in _formats().items():
        rng = random.Random(attack.seed_of(seed, name))
        silent = _silent_flips(write, read, count, rng)
        lost = _lost_files(write, read, count // 10, rng)
        outcome.cases += count + count // 10
        outcome.counts[f"{name}: silent of {count} flips"] = silent
        outcome.counts[f"{name}: files lost to {count // 10} kills"] = lost
    return outcome


def _arrays(units):
    net = rn.Network([rn.Dense(units, "relu"), rn.Dense(10)], (64,), seed=1)
    return net, {name: np.array(p) for name, p in net.parameters.items()}


def _formats():
    """How each writes a net's arrays to a path, and reads them back."""
    found = {
        "rnn_native": (lambda net, arrays: net.save("file"), _read_ours),
        "numpy.savez": (lambda net, arrays: np.savez("file.npz", **arrays), _read_npz),
    }
    try:
        import joblib

        found["joblib"] = (
            lambda net, a: joblib.dump(a, "file"),
            lambda: joblib.load("file"),
        )
    except ImportError:
        pass
    try:
        from safetensors.numpy import load_file, save_file

        found["safetensors"] = (
            lambda net, a: save_file(a, "file"),
            lambda: load_file("file"),
        )
    except ImportError:
        pass
    try:
        import torch
    except ImportError:
        return found
    found["torch"] = (
        lambda net, a: torch.save({k: torch.from_numpy(v) for k, v in a.items()}, "file"),
        lambda: {k: v.numpy() for k, v in torch.load("file", weights_only=True).items()},
    )
    return found


def _read_ours():
    return {name: np.array(p) for name, p in rn.load("file").parameters.items()}


def _read_npz():
    with np.load("file.npz") as file:
        return dict(file)


def _file():
    return Path("file.npz") if Path("file.npz").exists() else Path("file")


def _clean():
    for name in ("file", "file.npz"):
        Path(name).unlink(missing_ok=True)


def _silent_flips(write, read, count, rng):
    """Each flip is read in a child: a damaged file may end the process."""
    _clean()
    net, arrays = _arrays(12)
    write(net, arrays)
    whole, silent, at_a_time = _file().read_bytes(), 0, 100
    for begin in range(0, count, at_a_time):
        bits = [rng.randrange(8 * len(whole)) for _ in range(min(at_a_time, count - begin))]
        found = attack.in_fork(_flips, whole, bits, read, arrays, timeout=600)
        silent += found.get("silent", 0)
    return silent


def _flips(whole, bits, read, arrays):
    silent, path = 0, _file()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for bit in bits:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            got = read()
            same = got.keys() == arrays.keys() and all(
                np.array_equal(got[name], arrays[name], equal_nan=True) for name in arrays
            )
        except Exception:
            continue
        silent += not same
    return {"silent": silent}


def _lost_files(write, read, count, rng):
    _clean()
    net, arrays = _arrays(LARGE)
    write(net, arrays)
    lost = 0
    for _ in range(count):
        child = os.fork()
        if child == 0:
            try:
                while True:
                    write(net, arrays)
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0.002, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            read()
        except Exception:
            lost += 1
            write(net, arrays)
    return lost
