"""Draw docs/examples.png: how DQN and PPO of examples/ learn CartPole, five seeds each.

    python scripts/learning_curves.py [FILE.png]

Prints a row for each seed: steps of the environment and seconds of the processor until the mean
return of 100 episodes is 475, and that of 100 other episodes. One thread. Needs gymnasium.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import dqn
import ppo
import rnn_native as rn
from cartpole import SOLVED, evaluate

SEEDS = range(5)
MOST_STEPS = 100_000
DPI = 80


def learn(example: ModuleType, seed: int) -> tuple[list[float], str, float]:
    """Return the mean returns at the checks, a row of the table, and seconds."""
    scores: list[float] = []

    def noted(net: rn.Network, seed: int) -> float:
        scores.append(evaluate(net, seed))
        return scores[-1]

    example.evaluate = noted
    start = time.process_time()
    net, steps = example.train(seed, MOST_STEPS)
    seconds = time.process_time() - start
    row = f"{seed} | {steps:,} | {seconds:.1f} | {evaluate(net, seed + 7):.1f}"
    return scores, row, seconds


def main(path: str) -> None:
    """Train, print and draw."""
    from rnn_native.plots.figures import new_figure

    rn.set_num_threads(1)
    print("| example | seed | steps | seconds | return |\n|---|---|---|---|---|")
    figure = new_figure(9, 3)
    for ax, example in zip(figure.subplots(1, 2, sharey=True), (dqn, ppo), strict=True):
        name, taken = example.__name__, []
        for seed in SEEDS:
            scores, row, seconds = learn(example, seed)
            taken.append(seconds)
            print(f"| {name} | {row} |", flush=True)
            steps = [example.CHECK * (i + 1) / 1000 for i in range(len(scores))]
            ax.plot(steps, scores, marker=".", linewidth=1, label=f"seed {seed}")
        print(f"{name}: median {statistics.median(taken):.1f} seconds", file=sys.stderr)
        ax.axhline(SOLVED, color="gray", linewidth=0.8, linestyle="--")
        ax.set_title(f"{name.upper()} on CartPole", fontsize=10)
        ax.set_xlabel("thousand steps of the environment")
    figure.axes[0].legend(fontsize=7, loc="upper left")
    figure.axes[0].set_ylabel("mean return, 100 episodes")
    rn.plots.save_figure(figure, path, dpi=DPI)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default="docs/examples.png")
    main(parser.parse_args().file)
