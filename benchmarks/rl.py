"""DQN and PPO on CartPole compared with the same loops in PyTorch, one thread each.

    python benchmarks/rl.py [--rounds 5] [--dqn-steps 6000] [--ppo-steps 8192] [--cpu]

Ours are the loops of examples/; PyTorch's are in benchmarks/peers/torch_rl.py, as people write
them and tuned. All take turns for the same number of steps of the environment, without
evaluations. A round of gymnasium alone makes the same steps with actions that are drawn. Times are
medians with quartiles over the rounds, and so are ratios, which are taken round by round. With
--cpu they are of the processor, for machines that others use as well.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import gymnasium as gym
import numpy as np
import torch

import dqn
import ppo
import rnn_native as rn
from peers import torch_rl
from report import machine, spread


def dqn_alone(seed, steps):
    env, rng = gym.make("CartPole-v1"), np.random.default_rng(seed)
    env.reset(seed=seed)
    for action in rng.integers(2, size=steps).tolist():
        _, _, ended, cut, _ = env.step(action)
        if ended or cut:
            env.reset()


def ppo_alone(seed, steps):
    envs, rng = gym.make_vec("CartPole-v1", num_envs=ppo.ENVS), np.random.default_rng(seed)
    envs.reset(seed=seed)
    for _ in range(steps // ppo.ENVS):
        envs.step(rng.integers(2, size=ppo.ENVS))


def dqn_rows(size, every, n):
    """Return what is timed of DQN: nets of size-size, batches of as many rows."""

    def sized(run, *args):
        def call(seed):
            dqn.HIDDEN = dqn.BATCH = size
            run(seed, n, *args)

        return call

    return {
        "rnn_native": sized(dqn.train, every),
        "PyTorch": sized(torch_rl.train_dqn, every),
        "PyTorch, tuned": sized(torch_rl.train_dqn, every, True),
        "gymnasium alone": sized(dqn_alone),
    }


def loops(args):
    """Return what is timed: by the name of a table its steps, and its rows by name."""
    n, m = args.dqn_steps, args.ppo_steps
    found = {
        f"DQN, 4-{size}-{size}-2, batch {size}, an update every {every} steps": (
            n,
            dqn_rows(size, every, n),
        )
        for size, every in ((64, 1), (64, 4), (128, 1))
    }
    found[f"PPO, {ppo.ENVS} x {ppo.LENGTH} steps, {ppo.EPOCHS} epochs"] = (
        m,
        {
            "rnn_native": lambda seed: ppo.train(seed, m),
            "PyTorch": lambda seed: torch_rl.train_ppo(seed, m),
            "PyTorch, tuned": lambda seed: torch_rl.train_ppo(seed, m, True),
            "gymnasium alone": lambda seed: ppo_alone(seed, m),
        },
    )
    return found


def time_loops(rows, rounds, clock):
    """Return seconds by name, round by round, taking turns."""
    times = {name: [] for name in rows}
    for seed in range(rounds):
        for name, run in rows.items():
            start = clock()
            run(seed)
            times[name].append(clock() - start)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dqn-steps", type=int, default=6000)
    parser.add_argument("--ppo-steps", type=int, default=8192)
    parser.add_argument(
        "--cpu", action="store_true", help="processor's time, not the clock's"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    rn.set_num_threads(1)
    dqn.CHECK = ppo.CHECK = sys.maxsize
    clock = time.process_time if args.cpu else time.perf_counter
    print(f"{machine()}; PyTorch {torch.__version__}, gymnasium {gym.__version__}")
    for title, (steps, rows) in loops(args).items():
        times = time_loops(rows, args.rounds, clock)
        print(f"\n| {title} | seconds for {steps:,} | steps per second | times ours |")
        print("|---|---|---|---|")
        for name, found in times.items():
            ratios = [t / ours for t, ours in zip(found, times["rnn_native"], strict=True)]
            speed = steps / statistics.median(found)
            print(f"| {name} | {spread(found)} | {speed:,.0f} | {spread(ratios)} |")


if __name__ == "__main__":
    main()
