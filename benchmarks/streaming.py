"""Training on data larger than memory: rate, and memory of the process's own.

    python benchmarks/streaming.py                  # 1 GB
    python benchmarks/streaming.py --gigabytes 10   # slow

Generated digits are written to one file below `--folder`, which is removed at the end. A net of
784-128-10 trains on them by `rn.datasets.from_files`, with the file in the system's cache and
(on Linux) not in it, and by `fit` on an array of the first 0.5 GB. The runs take turns; medians.
Private memory is the greatest sum of the process's anonymous pages in the runs from the file.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import rnn_native as rn

ROW = 784
GB = 10**9


def write(path, rows):
    """Write digits as npy: a few thousand, again and again, each time turned by a shift."""
    digits, labels = rn.datasets.synthetic_digits(4000, seed=1)
    digits = digits.reshape(-1, ROW)
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, ROW))
    for i, first in enumerate(range(0, rows, len(digits))):
        part = np.roll(digits, i % 3, axis=1)[: rows - first]
        out[first : first + len(part)] = part
    out.flush()
    return np.resize(labels, rows)


def new_net():
    return rn.Network([rn.Dense(128, "relu"), rn.Dense(10)], input_shape=(ROW,))


def private_bytes():
    """Return the process's anonymous memory; 0 where the system does not show it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class Peak(threading.Thread):
    """Greatest private memory while it runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.bytes, self.is_over = 0, threading.Event()

    def run(self):
        while not self.is_over.wait(0.02):
            self.bytes = max(self.bytes, private_bytes())


def rate(*data, rows, **options):
    """Return rows per second of one epoch."""
    net, begin = new_net(), time.perf_counter()
    net.fit(*data, verbose=0, **options)
    return rows / (time.perf_counter() - begin)


def forget(path):
    """Let the system drop a file from its cache; return whether it can."""
    if not hasattr(os, "posix_fadvise"):
        return False
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def read_through(path):
    """Return bytes per second of reading a file from its begin to its end."""
    begin, size = time.perf_counter(), path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass
    return size / (time.perf_counter() - begin)


def measure(path, rows, rounds):
    labels = write(path, rows)
    peak = Peak()
    peak.start()
    loader = rn.datasets.from_files(path, labels)
    cached, cold, disk = [], [], []
    for _ in range(rounds):
        if forget(path):
            disk.append(read_through(path))
            forget(path)
            cold.append(rate(loader, rows=rows))
        read_through(path)
        cached.append(rate(loader, rows=rows))
    peak.is_over.set()
    peak.join()
    few = min(rows, GB // 2 // ROW)
    held = np.fromfile(path, np.uint8, few * ROW, offset=128).reshape(few, ROW)
    part = (
        rn.datasets.from_files(path, labels).split(1 - few / rows)[0]
        if few < rows
        else loader
    )
    inside, outside, spent = [], [], np.zeros(2)
    for _ in range(2 * rounds + 1):
        begin = time.process_time()
        inside.append(rate(held, labels[:few], rows=few))
        spent[0] += time.process_time() - begin
        read_through(path)
        begin = time.process_time()
        outside.append(rate(part, rows=part.shape[0]))
        spent[1] += time.process_time() - begin
    middle = statistics.median
    print(f"file {rows * ROW / GB:.2f} GB, private memory {peak.bytes / 1e6:.0f} MB")
    print(f"in memory, {few * ROW / GB:.2g} GB: {middle(inside):,.0f} rows/s")
    share = middle(outside) / middle(inside)
    print(
        f"the same rows from the file, cached: {middle(outside):,.0f} rows/s, {share:.0%}"
    )
    print(f"processor time, from the file / in memory: {spent[1] / spent[0]:.2f}")
    print(f"the whole file, cached: {middle(cached):,.0f} rows/s")
    if cold:
        share = middle(cold) * ROW / middle(disk)
        print(
            f"not cached: {middle(cold):,.0f} rows/s, {middle(cold) * ROW / 1e6:,.0f} MB/s, "
            f"{share:.0%} of plain reading, {middle(disk) / 1e6:,.0f} MB/s"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    size = int(options.gigabytes * GB)
    if shutil.disk_usage(options.folder).free < size + 5 * GB:
        parser.error(f"--folder: expected {size / GB + 5:.0f} GB free at {options.folder}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder) / "digits.npy", size // ROW, options.rounds)


if __name__ == "__main__":
    main()
