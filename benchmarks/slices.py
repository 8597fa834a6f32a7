"""How far training could scale: slices and barriers of a batch, counted on one thread.

    python benchmarks/slices.py

A batch's work is a list of jobs, each cut into slices that threads share, with a barrier at
its end. A job of S slices takes T threads at least ceil(S / T) / S of its time on one, and
what is in no job takes all of its time. So the time of jobs on one thread, by their number of
slices, bounds the speedup for any number of threads, memory and barriers left out. The last
column is measured, with two threads: the median of interleaved rounds.
"""

import argparse
import math
import statistics
import time
from typing import Any

import numpy as np

import rnn_native as rn

Layers = list[Any]


def norms(*units: int) -> Layers:
    """Return dense layers, each under batchnorm and dropout."""
    layers: Layers = []
    for n in units:
        layers += [rn.Dense(n), rn.BatchNorm(), rn.Activation("relu"), rn.Dropout(0.2)]
    return layers


def conv_bn(filters: int) -> Layers:
    return [rn.Conv2D(filters, 3, padding=1), rn.BatchNorm(), rn.Activation("relu")]


NETS: dict[str, tuple[tuple[int, ...], Layers]] = {
    "784-512-10": ((784,), [rn.Dense(512, "relu"), rn.Dense(10)]),
    "50-256-256-128-10, batchnorm, dropout": (
        (50,),
        [*norms(256, 256, 128), rn.Dense(10)],
    ),
    "3x3 8, pool, dense": (
        (1, 28, 28),
        [
            rn.Conv2D(8, 3, padding=1, activation="relu"),
            rn.MaxPool2D(2),
            rn.Flatten(),
            rn.Dense(10),
        ],
    ),
    "3x3 16-32, batchnorm, pools": (
        (1, 28, 28),
        [
            *(*conv_bn(16), rn.MaxPool2D(2), *conv_bn(32), rn.MaxPool2D(2)),
            rn.Flatten(),
            rn.Dense(10),
        ],
    ),
    "attention, 4 heads": (
        (1, 28, 28),
        [
            *(rn.PatchEmbed(4, 32), rn.Position(), rn.TransformerBlock(4, 64)),
            *(rn.MeanPool(), rn.Dense(10)),
        ],
    ),
}
BATCHES = [32, 64, 256, 1024]
THREADS = [2, 4, 8, 16, 32, 64]


class Training:
    """A net and rows to train it on."""

    def __init__(self, shape: tuple[int, ...], layers: Layers, batch: int) -> None:
        rng = np.random.default_rng(0)
        n = batch * max(2, 512 // batch)
        self.net = rn.Network(layers, shape, optimizer="adam").native
        self.x = rng.standard_normal((n, math.prod(shape)), np.float32)
        self.y = rng.integers(0, 10, n).astype(np.int32)
        self.order = rng.permutation(n).astype(np.int32)
        self.batch, self.batches = batch, n // batch

    def seconds(self, threads: int) -> float:
        """Return the time of an epoch."""
        start = time.perf_counter()
        self.net.train(self.x, self.y, self.order, self.batch, 0.001, threads=threads)
        return time.perf_counter() - start


def bound(total: float, jobs: list[tuple[int, int, float]], threads: int) -> float:
    """Return the speedup that slices allow."""
    saved = sum(t * (1 - math.ceil(s / threads) / s) for s, _, t in jobs)
    return total / (total - saved)


def row(name: str, batch: int, rounds: int) -> str:
    training = Training(*NETS[name], batch)
    training.seconds(1)
    training.net.profile = True
    total = sum(training.seconds(1) for _ in range(rounds))
    jobs = training.net.jobs
    training.net.profile = False
    barriers = sum(count for _, count, _ in jobs) / rounds / training.batches
    most = max((slices for slices, _, _ in jobs), default=1)
    bounds = " | ".join(f"{bound(total, jobs, t):.1f}" for t in THREADS)
    times = [(training.seconds(1), training.seconds(2)) for _ in range(rounds)]
    measured = statistics.median(one / two for one, two in times)
    return f"| {name} | {batch} | {most} | {barriers:.0f} | {bounds} | {measured:.2f} |"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    heads = " | ".join(f"{t} threads" for t in THREADS)
    print(f"| net | batch | most slices | barriers per batch | {heads} | 2, measured |")
    print("|---" * (5 + len(THREADS)) + "|")
    for name in NETS:
        for batch in BATCHES:
            print(row(name, batch, args.rounds), flush=True)


if __name__ == "__main__":
    main()
