"""Whether time and memory grow as they should: with rows, with hidden units, not faster.

    python benchmarks/scaling.py

Seconds per epoch of the MLP (batch 64, SGD) for 6,000 to 600,000 images (MNIST's training
images, repeated) and for 64 to 4,096 hidden units, each in its own process, which also reports the
peak of its resident memory. Images stay bytes.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROWS = [6_000, 20_000, 60_000, 200_000, 600_000]
UNITS = [64, 256, 512, 1024, 2048, 4096]


def status(name: str) -> float:
    """Return a size from this process' status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(li.split()[1]) / 1024 for li in lines if li.startswith(name + ":"))


def measure(rows: int, units: int, threads: int) -> dict[str, float]:
    """Train a few epochs; to be called in its own process."""
    import time

    import numpy as np

    import rnn_native as rn

    (x, y), _ = rn.datasets.load_mnist()
    repeats = -(-rows // len(x))
    x = np.tile(x.reshape(len(x), -1), (repeats, 1))[:rows]
    y = np.tile(y, repeats)[:rows].astype(np.int32)
    net = rn.Network([rn.Dense(units, "relu"), rn.Dense(10)], (784,))
    data = (x.nbytes + y.nbytes) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = status("VmRSS")
    seconds = []
    for epoch in range(3):
        order = np.random.default_rng(epoch).permutation(rows).astype(np.int32)
        start = time.perf_counter()
        net.native.train(x, y, order, 64, 0.01, threads=threads)
        seconds.append(time.perf_counter() - start)
    parameters = net.params.nbytes / 2**20
    return {
        "seconds": statistics.median(seconds),
        "data": data,
        "parameters": parameters,
        "grown": status("VmHWM") - before,
    }


def in_a_process(rows: int, units: int, threads: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", str(rows), str(units), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", nargs=3, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one)))
        return
    print(
        "| images | units | seconds per epoch | microseconds per image | us per unit |",
        end="",
    )
    print(" data, MB | parameters, MB | peak grew by, MB |")
    print("|---|---|---|---|---|---|---|---|")
    for rows, units in [(n, 512) for n in ROWS] + [(60_000, n) for n in UNITS]:
        got = in_a_process(rows, units, args.threads)
        image = 1e6 * got["seconds"] / rows
        print(
            f"| {rows:,} | {units:,} | {got['seconds']:.3f} | {image:.2f} | "
            f"{image / units:.5f} | {got['data']:.0f} | {got['parameters']:.1f} | "
            f"{got['grown']:.1f} |"
        )


if __name__ == "__main__":
    main()
