"""Sweeps: two jobs and one, what is lost when they are killed, what executors cost.

    python benchmarks/sweeps.py speed [--runs 24] [--seconds 3]
    python benchmarks/sweeps.py kills [--kills 20]
    python benchmarks/sweeps.py overhead [--runs 24]     # needs loky and dask[distributed]

speed trains the same runs one after the other, then two at a time, each on one thread.
kills ends a sweep by SIGKILL at random moments until it has been killed this many times,
lets it end, and compares it with one that was left alone. overhead is the time that is
not training: wall time minus the seconds of the runs themselves, for each run, on one
worker.
"""

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import rnn_native as rn
from report import machine

LAYERS = [rn.Dense(128, "relu"), rn.Dense(10)]


def digits(n):
    """Return generated digits to learn from and to test with."""
    return rn.datasets.synthetic_digits(n, seed=1), rn.datasets.synthetic_digits(
        500, seed=2
    )


def swept(data, runs, epochs, **options):
    """Return a sweep over learning rates, and its seconds."""
    grid = {"lr": [round(0.01 * (1 + i), 4) for i in range(runs)]}
    start = time.perf_counter()
    fixed = {"input_shape": (784,), "patience": None, "verbose": 0, "threads": 1}
    result = rn.sweep(LAYERS, grid, data, epochs=epochs, **fixed, **options)
    return result, time.perf_counter() - start


def speed(args):
    data = digits(10_000)
    swept(data, 1, 1)
    _, second = swept(data, 1, 20)
    epochs = max(1, int(args.seconds * 20 / second) + 1)
    alone, one = swept(data, args.runs, epochs, jobs=1)
    _, two = swept(data, args.runs, epochs, jobs=2)
    least = min(row.record["seconds"] for row in alone.rows)
    print(f"{args.runs} runs of at least {least:.1f} s: {one:.1f} s one by one, ", end="")
    print(f"{two:.1f} s two at a time, {one / two:.2f} times")


# ---- kills ----

KILLED_RUNS, KILLED_EPOCHS = 8, 12


class Journal(rn.Callback):
    """Appends a line after each epoch."""

    def __init__(self, path):
        self.path = path

    def on_epoch_end(self, epoch, logs):
        with Path(self.path).open("a") as file:
            file.write(f"{self.run.recipe.lr} {epoch}\n")


def child(folder):
    """Sweep in this process, in two new processes."""
    journal = f"{folder}.journal"
    with ProcessPoolExecutor(2) as pool:
        options = {"out": folder, "executor": pool, "steps_per_epoch": 60}
        if os.environ.get("SWEEP_JOURNAL"):
            os.environ["SWEEP_JOURNAL"] = journal
        swept(digits(2000), KILLED_RUNS, KILLED_EPOCHS, callbacks=journals, **options)


def journals():
    path = os.environ.get("SWEEP_JOURNAL")
    return [Journal(path)] if path else []


def records(folder):
    """Return what finished runs have, by name."""
    paths = Path(folder).glob("runs/*/result.json")
    return {
        path.parent.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths
    }


def kills(args):
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as top:
        whole, cut = f"{top}/whole", f"{top}/cut"
        command = [sys.executable, str(Path(__file__).resolve()), "child"]
        start = time.perf_counter()
        subprocess.run([*command, whole], check=True)
        seconds = time.perf_counter() - start
        journal = f"{cut}.journal"
        environment = {**os.environ, "SWEEP_JOURNAL": journal}
        done, changed, ends = 0, 0, 0
        while done < args.kills:
            before = records(cut)
            process = subprocess.Popen([*command, cut], env=environment)
            try:
                # From the start of the imports to two epochs of progress.
                process.wait(draw.uniform(0.3, 0.5) * seconds)
                ends += 1
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                done += 1
            after = records(cut)
            changed += sum(after.get(name) != value for name, value in before.items())
            if process.returncode == 0 and done < args.kills:
                subprocess.run(["rm", "-rf", cut, journal], check=True)
        time.sleep(1)
        subprocess.run([*command, cut], env=environment, check=True)
        epochs = collections.Counter(Path(journal).read_text().split("\n")[:-1])
        same = weights(whole) == weights(cut)
        print(
            f"killed {done} times ({ends} ended before): {len(records(cut))} of {KILLED_RUNS} runs"
        )
        print(
            f"weights as if never killed: {same}; finished runs changed: {changed}; ",
            end="",
        )
        print(f"epochs begun again: {sum(epochs.values()) - len(epochs)} of {len(epochs)}")


def weights(folder):
    """Return the bits of all runs' best weights, and their logs' epochs."""
    found = {}
    for path in Path(folder).glob("runs/*"):
        record = json.loads((path / "result.json").read_bytes())
        bits = rn.load(path / "best.safetensors").weights.tobytes()
        log = [line.split(",")[0] for line in (path / "log.csv").read_text().splitlines()]
        found[path.name] = (bits, record["epochs"], log)
    return found


# ---- overhead ----


def overhead(args):
    import distributed
    import loky

    data = digits(10_000)
    pool = loky.ProcessPoolExecutor(1)
    measured("loky", pool, data, args)
    pool.shutdown()
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        measured("LocalCluster", client.get_executor(), data, args)


def measured(name, executor, data, args):
    swept(data, 1, 1, executor=executor)
    result, seconds = swept(data, args.runs, 4, executor=executor)
    trained = sum(row.record["seconds"] for row in result.rows)
    each = 1000 * (seconds - trained) / args.runs
    print(
        f"{name}: {args.runs} runs of {trained / args.runs:.2f} s, {each:.0f} ms beside each"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["speed", "kills", "overhead", "child"])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.part == "child":
        child(args.folder)
        return
    print(f"{machine()}; load before: {os.getloadavg()[0]:.1f}")
    {"speed": speed, "kills": kills, "overhead": overhead}[args.part](args)


if __name__ == "__main__":
    main()
