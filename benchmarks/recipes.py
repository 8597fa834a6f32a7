"""Train the recipes in data/recipes and write their table into benchmarks/recipes.md.

python benchmarks/recipes.py [NAME...] [--seeds 3] [--write]
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import rnn_native as rn
from report import machine, write_into
from rnn_native.settings.recipes import load_recipe

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "data" / "recipes"
PAGE = ROOT / "benchmarks" / "recipes.md"


class Run(NamedTuple):
    """One training of a recipe."""

    seed: int
    accuracy: float
    seconds: float


def train(path: Path, seed: int) -> Run:
    """Train with another seed; the seconds are those of the whole call."""
    start = time.perf_counter()
    result = rn.train(path, seed=seed, verbose=0)
    run = Run(seed, result.test_accuracy, time.perf_counter() - start)
    print(f"{path.stem}: seed {seed}: {100 * run.accuracy:.2f} %, {run.seconds:.1f} s")
    return run


def row(path: Path, runs: list[Run]) -> str:
    """Return a recipe's row of the table."""
    mean = statistics.mean(100 * run.accuracy for run in runs)
    each = ", ".join(f"{run.seed}: {100 * run.accuracy:.2f}" for run in runs)
    seconds = statistics.median(run.seconds for run in runs)
    about = load_recipe(path).description
    return f"| `{path.stem}` | {about} | {mean:.2f} | {each} | {seconds:.1f} |"


def table(rows: list[str]) -> str:
    """Return the table, under a line on the machine."""
    threads = rn.get_num_threads()
    head = "| recipe | what it does | test accuracy, mean, % | by seed | seconds |"
    about = f"{machine()}; {threads} threads; seconds are medians of whole runs, data read."
    return "\n".join([about, "", head, "|---|---|---|---|---|", *rows, ""])


def with_others(rows: list[str]) -> list[str]:
    """Return the rows, and those of the page whose recipes were not measured now."""
    block = PAGE.read_text().split("<!-- measured by recipes.py -->")[1].split("<!--")[0]
    there = [line for line in block.splitlines() if line.startswith("| `")]
    by_name = {line.split("|")[1]: line for line in [*there, *rows]}
    return [by_name[name] for name in sorted(by_name)]


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="recipes; all when left out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into benchmarks/recipes.md")
    args = parser.parse_args()
    paths = [RECIPES / f"{name}.json" for name in args.names]
    paths = paths or sorted(RECIPES.glob("*.json"))
    rows = [row(path, [train(path, s + 1) for s in range(args.seeds)]) for path in paths]
    print(table(rows))
    if args.write:
        write_into(PAGE, "recipes.py", table(with_others(rows)))


if __name__ == "__main__":
    main()
