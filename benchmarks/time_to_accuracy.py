"""Seconds from the start of a process to a model of a test accuracy, compared with PyTorch.

    python benchmarks/time_to_accuracy.py --data FOLDER [--rounds 3] [--write]

Each recipe is trained by a fresh process that imports, reads MNIST's gzipped files, trains
and tests; the processes take turns. PyTorch's own recipe is the same (peers/recipe_torch.py).
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from report import machine, spread, write_into

HERE = Path(__file__).resolve().parent
RECIPES = HERE.parent / "data" / "recipes"
PAGE = HERE.parent / "benchmarks" / "recipes.md"
GOALS = {"fast-97": 0.97, "fast-98": 0.98, "fast-99": 0.99}
PEERS = {
    "rnn_native": ["recipe_rnn_native.py"],
    "PyTorch": ["recipe_torch.py"],
    "PyTorch, compiled": ["recipe_torch.py", "compile"],
}


class Run(NamedTuple):
    """One process."""

    seconds: float
    accuracy: float


def run(peer: str, recipe: str, folder: str, threads: int) -> Run:
    script, *more = PEERS[peer]
    command = [sys.executable, HERE / "peers" / script, RECIPES / f"{recipe}.json", folder]
    start = time.perf_counter()
    done = subprocess.run(
        [*map(str, command), str(threads), *more],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = Run(time.perf_counter() - start, float(done.stdout.split()[-1]))
    print(f"{recipe}: {peer}: {found.seconds:.2f} s, {found.accuracy:.4f}", file=sys.stderr)
    return found


def lines(recipe: str, runs: dict[str, list[Run]]) -> list[str]:
    """Return a recipe's rows of the table: the ratio to ours is taken round by round."""
    ours = [run.seconds for run in runs["rnn_native"]]
    rows = []
    for peer, found in runs.items():
        seconds = [run.seconds for run in found]
        ratios = [theirs / our for theirs, our in zip(seconds, ours, strict=True)]
        accuracy = 100 * statistics.mean(run.accuracy for run in found)
        reached = 100 * GOALS[recipe]
        rows.append(
            f"| {reached:.0f} % | `{recipe}` | {peer} | {spread(seconds)} | {spread(ratios)} "
            f"| {accuracy:.2f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with MNIST's gzipped files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="into benchmarks/recipes.md")
    args = parser.parse_args()
    head = "| to reach | recipe | who | seconds | times ours | test accuracy, mean, % |"
    table = [machine(), "", head, "|---|---|---|---|---|---|"]
    for recipe in GOALS:
        runs: dict[str, list[Run]] = {peer: [] for peer in PEERS}
        for _ in range(args.rounds):
            for peer, found in runs.items():
                found.append(run(peer, recipe, args.data, args.threads))
        table += lines(recipe, runs)
    text = "\n".join(table) + "\n"
    print(text)
    if args.write:
        write_into(PAGE, "time_to_accuracy.py", text)


if __name__ == "__main__":
    main()
