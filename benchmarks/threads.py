"""One net in several threads: predictions side by side, and during training.

    python benchmarks/threads.py

Calls per second of four Python threads that predict with one net, beside those of one
thread, and the same of a loop of plain Python; every call runs on its own thread. Then
how long a prediction of one row takes during a training, and what the training loses. Rounds
are interleaved; medians, with the least and the greatest in brackets.
"""

import argparse
import statistics
import threading
import time
from functools import partial

import numpy as np

import rnn_native as rn
from roof import together

MLP = [rn.Dense(512, "relu"), rn.Dense(10)]
CNN = [
    rn.Conv2D(8, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Flatten(),
    rn.Dense(10),
]
CASES = [
    ("8-16-3", [rn.Dense(16, "relu"), rn.Dense(3)], (8,), 1, 200_000),
    ("MLP", MLP, (784,), 1, 30_000),
    ("CNN", CNN, (1, 28, 28), 1, 80_000),
    ("CNN", CNN, (1, 28, 28), 64, 4_000),
    ("MLP", MLP, (784,), 64, 1_000),
    ("MLP", MLP, (784,), 512, 200),
]


def plain_python():
    """Work of a few microseconds that never gives the interpreter's lock away."""
    return sum(range(100))


def rate(call, threads, calls):
    """Return calls per second of all threads together."""

    def work():
        for _ in range(calls // threads):
            call()

    return calls / together([work] * threads)


def spread(values, digits):
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def side_by_side(rounds):
    rng = np.random.default_rng(0)
    print("| net | rows | microseconds a call, one thread | four threads / one thread |")
    print("|---|---|---|---|")
    print(row("plain Python", "", plain_python, 200_000, rounds))
    for name, layers, shape, rows, calls in CASES:
        net = rn.Network(layers, shape)
        x = rng.random((rows, *shape), dtype=np.float32)
        print(row(name, rows, partial(net.predict_proba, x, threads=1), calls, rounds))


def row(name, rows, call, calls, rounds):
    rate(call, 4, calls // 4)
    alone, together = [], []
    for _ in range(rounds):
        alone.append(rate(call, 1, calls))
        together.append(rate(call, 4, calls))
    ratios = [b / a for a, b in zip(alone, together, strict=True)]
    microseconds = 1e6 / statistics.median(alone)
    return f"| {name} | {rows} | {microseconds:.1f} | {spread(ratios, 2)} |"


def beside_training(rounds, seconds=2.0):
    digits, y = rn.datasets.synthetic_digits(10_000, seed=1)
    x = digits.reshape(len(y), 784) / np.float32(255)
    print("\n| training | readers | predictions | median, ms | 99 %, ms | epochs / alone |")
    print("|---|---|---|---|---|---|")
    for name, layers, shape in [("MLP", MLP, (784,)), ("CNN", CNN, (1, 28, 28))]:
        for readers in (1, 4):
            alone, beside, times = [], [], []
            for _ in range(rounds):
                alone.append(epochs_in(seconds, layers, shape, x, y, 0, []))
                beside.append(epochs_in(seconds, layers, shape, x, y, readers, times))
            share = [b / a for a, b in zip(alone, beside, strict=True)]
            half, most = np.percentile(1e3 * np.array(times), [50, 99])
            print(
                f"| {name} | {readers} | {len(times):,} | {half:.2f} | {most:.2f} | "
                f"{spread(share, 2)} |"
            )


def epochs_in(seconds, layers, shape, x, y, readers, times):
    """Train for some seconds while readers ask every 5 ms; return the epochs done."""
    net = rn.Network(layers, shape)
    stop = threading.Event()
    one = x[:1].reshape(1, *shape)

    def read():
        while not stop.is_set():
            begin = time.perf_counter()
            net.predict_proba(one, threads=1)
            times.append(time.perf_counter() - begin)
            time.sleep(0.005)

    threads = [threading.Thread(target=read) for _ in range(readers)]
    for thread in threads:
        thread.start()
    start, epochs = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        net.fit(x, y, verbose=0)
        epochs += 1
    elapsed = time.perf_counter() - start
    stop.set()
    for thread in threads:
        thread.join()
    return epochs / elapsed


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    side_by_side(args.rounds)
    beside_training(args.rounds)


if __name__ == "__main__":
    main()
