"""The nets that scale.py trains, some batches of MNIST at a time."""

import time

import numpy as np

from rnn_native.training.ranks import Ranks
from workloads import GENERAL_CNN, WORKLOADS, Workload, load

NETS = ("mlp", "cnn", "attention")
OF_SPEED = "cnn 16-32", "attention"
BATCHES = (64, 256, 1024)


def workload_of(name: str) -> Workload:
    return GENERAL_CNN if name == "cnn 16-32" else WORKLOADS[name]


class Training:
    """A net and rows to train it on."""

    def __init__(self, name: str, batch: int, steps: int) -> None:
        workload = workload_of(name)
        self.net, self.lr = workload.network().native, workload.lr
        self.x, self.y = load("mnist", batch * steps)
        self.batch, self.steps = batch, len(self.x) // batch
        order = np.random.default_rng(0).permutation(len(self.x)).astype(np.int32)
        self.order = order[: self.steps * batch]

    def seconds(self, threads: int, ranks: Ranks | None = None) -> float:
        """Return the time of a step, the mean of all."""
        rows = (self.x, self.y, self.order, self.batch, self.lr)
        start = time.perf_counter()
        self.net.train(*rows, threads=threads, ranks=ranks)
        return (time.perf_counter() - start) / self.steps
