"""Sparse rows: `rnn_native.sklearn.MLPClassifier` compared with scikit-learn's.

    python benchmarks/sparse.py

4,000 x 20,000, of which 0.1 % is filled. Seconds and peak memory of `fit`, beyond what the
process held before it; each fit is a separate process, and the peers take turns. Medians
of the rounds, with the quartiles in brackets.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from report import spread

OURS, THEIRS = "rnn_native", "scikit-learn"
ROWS, COLUMNS, FILLED = 4000, 20_000, 0.001
FITS = {"10 units, 10 epochs": ((10,), 10), "100 units, 3 epochs": ((100,), 3)}


def resident():
    """Return the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class Peak(threading.Thread):
    """Looks every millisecond at how much memory the process has."""

    def __init__(self):
        super().__init__(daemon=True)
        self.bytes, self.is_done = 0, threading.Event()

    def run(self):
        while not self.is_done.wait(0.001):
            self.bytes = max(self.bytes, resident())


def measure(peer, units, epochs):
    """Fit once; return seconds and megabytes."""
    import scipy.sparse
    from sklearn import neural_network

    from rnn_native import sklearn as ours

    warnings.simplefilter("ignore")  # that the epochs are used up
    module = ours if peer == OURS else neural_network
    rng = np.random.default_rng(0)
    x = scipy.sparse.random(ROWS, COLUMNS, FILLED, "csr", np.float32, rng)
    y = rng.integers(0, 5, ROWS)
    options = {"tol": 0.0, "n_iter_no_change": np.inf, "random_state": 0}
    # What a process does only once is not part of it.
    module.MLPClassifier((2,), max_iter=1, **options).fit(x[:50, :50], y[:50])
    model = module.MLPClassifier(units, max_iter=epochs, **options)
    before, peak = resident(), Peak()
    peak.start()
    begin = time.perf_counter()
    model.fit(x, y)
    seconds = time.perf_counter() - begin
    peak.is_done.set()
    peak.join()
    return {"time": seconds, "memory": (max(peak.bytes, resident()) - before) / 1e6}


def rounds(units, epochs, count):
    found = {OURS: [], THEIRS: []}
    for _ in range(count):
        for peer, answers in found.items():
            job = json.dumps([peer, units, epochs])
            call = [sys.executable, __file__, "--measure", job]
            child = subprocess.run(call, check=True, stdout=subprocess.PIPE)
            answers.append(json.loads(child.stdout))
    return found


def main():
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*json.loads(args.measure))))
        return
    print("| fit | peer | seconds | MB | times our seconds | times our MB |")
    print("|---|---|---|---|---|---|")
    for name, (units, epochs) in FITS.items():
        found = rounds(units, epochs, args.rounds)
        for peer, answers in found.items():
            cells = [spread([a[key] for a in answers]) for key in ("time", "memory")]
            for key in ("time", "memory"):
                pairs = zip(answers, found[OURS], strict=True)
                cells.append(spread([a[key] / b[key] for a, b in pairs]))
            print(f"| {name} | {peer} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
