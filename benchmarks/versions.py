"""Two checkouts of this package, built, compared in one run.

    python benchmarks/versions.py ../before ../after

Seconds per epoch of the reference's models (XOR: 10,000 epochs) and microseconds a prediction
of one row, medians of interleaved rounds; each measurement is a separate process. The last
column is the second checkout's time over the first's, round by round: below 1 it is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROWS = 10_000


def measure(threads: int) -> dict[str, float]:
    """Return seconds by what was measured; to be called in its own process."""
    import time

    import numpy as np

    import rnn_native as rn
    from rnn_native import models

    (x, y), _ = rn.datasets.load_mnist()
    x, y = x[:ROWS].reshape(ROWS, -1), y[:ROWS].astype(np.int32)
    order = np.random.default_rng(0).permutation(ROWS).astype(np.int32)
    nets = {
        "mlp": (models.MLP_LAYERS, (784,), 64),
        "cnn": (models.CNN_LAYERS, (1, 28, 28), 32),
        "attention": (models.attention_layers(), (1, 28, 28), 32),
    }
    times = {}
    for name, (layers, shape, batch) in nets.items():
        net = rn.Network(layers, shape)
        native = getattr(net, "native", None) or net._net  # as 0.1.0 called it
        one = (x[:1] / 255).astype(np.float32).reshape(1, *shape)
        native.train(x, y, order, batch, 0.01, threads=threads)
        start = time.perf_counter()
        for _ in range(3):
            native.train(x, y, order, batch, 0.01, threads=threads)
        times[f"{name} epoch"] = (time.perf_counter() - start) / 3
        start = time.perf_counter()
        for _ in range(2000):
            net.predict_proba(one)
        times[f"{name} prediction"] = (time.perf_counter() - start) / 2000
    xor = rn.Network(models.XOR_LAYERS, (2,), loss="squared_error", seed=42)
    four = np.arange(4, dtype=np.int32)
    start = time.perf_counter()
    native = getattr(xor, "native", None) or xor._net
    native.train(models.XOR_X, models.XOR_Y, four, 1, 0.01, epochs=1_000_000)
    times["xor 10,000 epochs"] = (time.perf_counter() - start) / 100
    start = time.perf_counter()
    for _ in range(5000):
        xor.predict_proba(models.XOR_X[:1])
    times["xor prediction"] = (time.perf_counter() - start) / 5000
    return times


def in_a_process(folder: str, threads: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, Path(__file__).resolve(), "--one", "--threads", str(threads)],
        env={**os.environ, "PYTHONPATH": str(Path(folder).resolve())},
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return json.loads(done.stdout)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.threads)))
        return
    if len(args.folders) != 2:
        parser.error("expected two folders")
    rounds = [
        [in_a_process(folder, args.threads) for folder in args.folders]
        for _ in range(args.rounds)
    ]
    print("| | first, us | second, us | second / first (quartiles) |")
    print("|---|---|---|---|")
    for what in rounds[0][0]:
        pairs = [(1e6 * first[what], 1e6 * second[what]) for first, second in rounds]
        first, second = (statistics.median(side) for side in zip(*pairs, strict=True))
        low, half, high = statistics.quantiles([b / a for a, b in pairs], n=4)
        print(
            f"| {what} | {first:,.1f} | {second:,.1f} | {half:.3f} ({low:.3f} to {high:.3f}) |"
        )


if __name__ == "__main__":
    main()
