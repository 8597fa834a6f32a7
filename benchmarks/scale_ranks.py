"""What ranks of MPI do, for scale.py: `mpiexec -n N python -m mpi4py benchmarks/scale_ranks.py`.

Every rank makes the same calls; rank 0 prints JSON. A rank without work sleeps: one
that spins would take a core from those that are measured.
"""

import argparse
import json
import statistics
import time
from typing import Any

from mpi4py import MPI

import rnn_native as rn
from rnn_native.training.ranks import Ranks
from scale_nets import BATCHES, NETS, OF_SPEED, Training, workload_of

COMM = MPI.COMM_WORLD
ROWS, EPOCHS, LR = 12_000, 5, 0.001
EVERY, SEEDS = (1, 8, 64), (1, 2, 3)


class Counted(Ranks):
    """Ranks that count their swaps."""

    swaps = 0

    def swap(self, partner: int, give: memoryview, take: memoryview) -> None:
        self.swaps += 1
        super().swap(partner, give, take)


def meet() -> None:
    """Wait for all ranks, asleep."""
    request = COMM.Ibarrier()
    while not request.Test():
        time.sleep(0.0005)
    COMM.Barrier()


def steps(rounds: int) -> dict[str, Any]:
    """Return medians of a step and of its exchange, and what is swapped, how often."""
    return {f"{net} {b}": step(net, b, rounds) for net in NETS for b in BATCHES}


def step(net: str, batch: int, rounds: int) -> dict[str, float]:
    training, ranks = Training(net, batch, max(4, 2048 // batch)), Counted(COMM)
    times, waits = [], []
    for _ in range(rounds + 1):
        meet()
        before = ranks.seconds
        times.append(training.seconds(1, ranks))
        waits.append((ranks.seconds - before) / training.steps)
    count = (rounds + 1) * training.steps
    return {
        "step": statistics.median(times[1:]),
        "exchange": statistics.median(waits[1:]),
        "bytes": ranks.bytes / count,
        "swaps": ranks.swaps / count,
    }


def speed(rounds: int) -> dict[str, Any]:
    """Return, round by round, one rank of two threads, two of one, and their exchange."""
    found: dict[str, Any] = {}
    for net in OF_SPEED:
        training = Training(net, workload_of(net).batch_size, 96)
        ranks, found[net] = Ranks(COMM), []
        training.seconds(1, ranks)
        for _ in range(rounds):
            meet()
            alone = training.seconds(2) if COMM.rank == 0 else 0.0
            meet()
            ranks.seconds = 0.0
            both = training.seconds(1, ranks)
            found[net].append((alone, both, ranks.seconds / training.steps))
    return found


def local(seeds: int) -> dict[str, Any]:
    """Return test accuracies by net and local steps, one for each seed."""
    (x, y), test = rn.datasets.load_mnist()
    data, found = ((x[:ROWS], y[:ROWS]), test), {}
    for net in NETS:
        train = getattr(rn, f"train_{net}")
        for every in EVERY:
            runs = [accuracy(train, data, every, seed) for seed in SEEDS[:seeds]]
            found[f"{net} {every}"] = runs
    return found


def accuracy(train: Any, data: Any, every: int, seed: int) -> float:
    """Return one training's; one process trains alone what all would train to the same bits."""
    options = {"epochs": EPOCHS, "batch_size": 64, "optimizer": "adam", "lr": LR}
    options |= {"patience": None, "verbose": 0, "seed": seed}
    meet()
    if every > 1:
        found = train(data, **options, every=every, comm=COMM, threads=1)
        return float(found.test_accuracy)
    return float(train(data, **options).test_accuracy) if COMM.rank == 0 else 0.0


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = {"steps": steps, "speed": speed, "local": local}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--rounds", type=int, default=9, help="or seeds")
    args = parser.parse_args()
    found = parts[args.part](args.rounds)
    if COMM.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
