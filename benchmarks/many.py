"""fit_many of eight nets, compared with one after the other on one thread.

    python benchmarks/many.py [--rounds 5] [--nets 8] [--threads 2]

Rounds are interleaved; medians with quartiles. The last column is the processor's time of all nets
together over that of one after the other: 1 where they do not slow each other down, so that
`threads` over it is what a machine with nothing else to do gives.
"""

import argparse
import os
import time
from functools import partial

import numpy as np

import rnn_native as rn
from report import machine, spread

CASES = [
    ("4-64-64-2, Adam, 20,000 rows", (4,), "adam", 20_000,
     [rn.Dense(64, "relu"), rn.Dense(64, "relu"), rn.Dense(2)]),
    ("784-128-10, SGD, 6,000 images", (784,), "sgd", 6_000,
     [rn.Dense(128, "relu"), rn.Dense(10)]),
    ("CNN of 8 filters, SGD, 3,000 images", (1, 28, 28), "sgd", 3_000,
     [rn.Conv2D(8, 3, padding=1, activation="relu"), rn.MaxPool2D(2), rn.Flatten(),
      rn.Dense(10)]),
]  # fmt: skip


def rows(shape, count):
    """Images of digits, or points whose sum decides the class."""
    if len(shape) == 1 and shape[0] == 4:
        x = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
        return x, (x.sum(axis=1) > 0).astype(np.int32)
    return rn.datasets.synthetic_digits(count, seed=1)


def measured(work):
    """Return the seconds that something takes, by the clock and of the processor."""
    start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def row(title, shape, optimizer, count, layers, args):
    x, y = rows(shape, count)
    options = {"epochs": args.epochs, "lr": 0.001 if optimizer == "adam" else 0.05}

    def nets():
        seeds = range(args.nets)
        return [rn.Network(layers, shape, seed=s, optimizer=optimizer) for s in seeds]

    def one_by_one(members):
        for net in members:
            net.fit(x, y, **options, threads=1, verbose=0)

    many = partial(rn.fit_many, x=x, y=y, **options, threads=args.threads)
    one_by_one(nets()[:1])
    alone, together, ratios, shares = [], [], [], []
    for _ in range(args.rounds):
        first, second = nets(), nets()
        a, a_cpu = measured(partial(one_by_one, first))
        b, b_cpu = measured(partial(many, second))
        for one, other in zip(first, second, strict=True):
            assert one.weights.tobytes() == other.weights.tobytes()
        alone.append(a)
        together.append(b)
        ratios.append(a / b)
        shares.append(b_cpu / a_cpu)
    cells = [title, *map(spread, (alone, together, ratios, shares))]
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nets", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    before = os.getloadavg()[0]
    print(f"{machine()}; load before: {before:.1f}\n")
    print(f"| {args.nets} nets | one by one, s | {args.threads} threads, s | times | CPU |")
    print("|---|---|---|---|---|")
    for case in CASES:
        print(row(*case, args), flush=True)


if __name__ == "__main__":
    main()
