"""What a peer's process and the runner say to each other, and the data they share.

A peer module defines `prepare(model, data, threads)`, which returns a function that trains
one epoch in a given order of rows and returns the mean loss, each row's loss taken before
its batch's update. Its process reads a line for each epoch and answers with one of JSON.
"""

import importlib
import json
import sys
import time
from typing import NamedTuple

import numpy as np

BATCH_SIZE = 64
LR = 0.01
HIDDEN = 512
TRAINING_ROWS = 54_000


class Data(NamedTuple):
    """Training rows and the initial weights that every peer begins with."""

    x: np.ndarray  # (n, 784) uint8
    y: np.ndarray  # (n,) int32
    w1: np.ndarray  # (784, 512) float32
    b1: np.ndarray
    w2: np.ndarray  # (512, 10)
    b2: np.ndarray

    @property
    def floats(self) -> np.ndarray:
        """Images as float32 in [0, 1], what peers are given before the clock starts."""
        return self.x.astype(np.float32) / np.float32(255)


def load(kind: str) -> Data:
    """`mnist`: its first 54,000 images; `noise`: as many without a zero in them."""
    import rnn_native as rn

    if kind == "mnist":
        x, y = rn.datasets.load_mnist()[0]
        x = x.reshape(len(x), -1)[:TRAINING_ROWS]
        y = y[:TRAINING_ROWS].astype(np.int32)
    else:
        rng = np.random.default_rng(0)
        x = rng.integers(1, 256, (TRAINING_ROWS, 784)).astype(np.uint8)
        y = rng.integers(0, 10, TRAINING_ROWS).astype(np.int32)
    net = rn.Network([rn.Dense(HIDDEN, "relu"), rn.Dense(10)], (784,))
    return Data(x, y, *(p.copy() for p in net.parameters.values()))


def order_of(epoch: int, n: int) -> np.ndarray:
    """Return the rows' order in an epoch, the same for every peer."""
    return np.random.default_rng(epoch).permutation(n).astype(np.int32)


def serve() -> None:
    """Run as `python -m peers.protocol PEER MODEL DATA THREADS`."""
    peer, model, kind, threads = sys.argv[1:5]
    data = load(kind)
    module = importlib.import_module(f"peers.{peer}")
    train_epoch = module.prepare(model, data, int(threads))
    train_epoch(order_of(10**6, len(data.y)))  # compiles, and touches all memory
    print(json.dumps({"ready": module.VERSION}), flush=True)
    for line in sys.stdin:
        order = order_of(int(line), len(data.y))
        start = time.perf_counter()
        loss = train_epoch(order)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "loss": float(loss)}), flush=True)


if __name__ == "__main__":
    serve()
