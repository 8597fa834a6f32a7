"""PPO on CartPole: the gradient of a loss of your own.

    pip install "rnn_native[rl]"
    python examples/ppo.py --seed 0 --threads 1 --export policy.onnx

The actor's outputs are the logits of actions, and a critic estimates the value of a state. Several
environments run side by side for a while; then the actor learns to choose again what turned out
better than the critic expected, as long as its probability has not moved by more than CLIP.
Settings are those of RL Baselines3 Zoo for CartPole.                  Schulman et al. 2017
"""

import argparse
import time

import gymnasium as gym
import numpy as np

import rnn_native as rn
from cartpole import SOLVED, evaluate
from files import export

ENVS, LENGTH, EPOCHS, CHECK = 8, 32, 20, 2000  # rows of a batch: ENVS * LENGTH
DISCOUNT, TRACE, CLIP, LR = 0.98, 0.8, 0.2, 1e-3


def play(envs, states, is_over, actor, rng):
    """Return LENGTH steps of all environments, from states in which some episodes are over."""
    shape, every = (LENGTH, ENVS), np.arange(ENVS)
    seen = np.zeros((LENGTH + 1, *states.shape), np.float32)
    over = np.zeros((LENGTH + 1, ENVS), bool)
    actions, ends = np.zeros(shape, np.int64), np.zeros(shape, bool)
    chances, rewards = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    seen[0], over[0] = states, is_over
    for t in range(LENGTH):
        probabilities = actor(seen[t])
        actions[t] = (probabilities.cumsum(axis=1) > rng.random((ENVS, 1))).argmax(axis=1)
        chances[t] = probabilities[every, actions[t]]
        seen[t + 1], rewards[t], ends[t], cuts, _ = envs.step(actions[t])
        over[t + 1] = ends[t] | cuts
    return seen, over, actions, chances, rewards, ends


def advantages_of(values, rewards, ends, over):
    """Return how much better each step was than expected (Schulman et al. 2016)."""
    found, later = np.zeros_like(rewards), np.float32(0)
    surprises = rewards + DISCOUNT * values[1:] * ~ends - values[:-1]
    for t in reversed(range(LENGTH)):
        later = surprises[t] + DISCOUNT * TRACE * ~over[t + 1] * later
        found[t] = later
    return found


def learn(actor, critic, played, lr, clip):
    """Make EPOCHS updates of both nets with all that was played as one batch."""
    seen, over, actions, chances, rewards, ends = played
    values = critic(seen.reshape(-1, seen.shape[-1])).reshape(LENGTH + 1, ENVS)
    advantages = advantages_of(values, rewards, ends, over)
    counts = ~over[:-1]  # after its end an environment only resets
    returns, states = (advantages + values[:-1])[counts], seen[:-1][counts]
    actions, chances, advantages = actions[counts], chances[counts], advantages[counts]
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    rows = np.arange(len(states))
    for _ in range(EPOCHS):
        logits = actor.forward(states)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        gradient = powers / powers.sum(axis=1, keepdims=True)
        ratios = gradient[rows, actions] / chances
        gradient[rows, actions] -= 1  # of the logarithm's negative
        has_room = np.where(advantages > 0, ratios < 1 + clip, ratios > 1 - clip)
        gradient *= (has_room * ratios * advantages / len(rows))[:, None]
        actor.backward(gradient, input_gradient=False)
        actor.apply_gradients(lr, clip_norm=0.5)
        critic.train_on_batch(states, returns[:, None], lr=lr, clip_norm=0.5)


def train(seed, steps):
    """Return the actor, and after how many steps it was solved."""
    envs, rng = gym.make_vec("CartPole-v1", num_envs=ENVS), np.random.default_rng(seed)
    shape, n = envs.single_observation_space.shape, int(envs.single_action_space.n)
    hidden = [rn.Dense(64, "tanh"), rn.Dense(64, "tanh")]
    actor = rn.Network([*hidden, rn.Dense(n)], shape, seed=seed, optimizer="adam")
    critic = rn.Network([*hidden, rn.Dense(1)], shape, "mse", seed + 1, optimizer="adam")
    (states, _), over, done = envs.reset(seed=seed), np.zeros(ENVS, bool), 0
    while done < steps:
        played = play(envs, states, over, actor, rng)
        states, over = played[0][-1], played[1][-1]
        learn(actor, critic, played, LR * (1 - done / steps), CLIP * (1 - done / steps))
        before, done = done, done + ENVS * LENGTH
        if done // CHECK > before // CHECK and evaluate(actor, seed + done) >= SOLVED:
            break
    return actor, done


def main():
    parser = argparse.ArgumentParser(description="PPO on CartPole-v1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100_000, help="at most")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--export", help="file for the policy, .onnx or .c")
    args = parser.parse_args()
    rn.set_num_threads(args.threads)
    start = time.perf_counter()
    actor, steps = train(args.seed, args.steps)
    seconds = time.perf_counter() - start
    print(f"seed {args.seed}: {steps} steps in {seconds:.1f} s", end=", ")
    print(f"mean return of 100 other episodes: {evaluate(actor, args.seed + 7):.1f}")
    if args.export:
        export(actor, args.export)


if __name__ == "__main__":
    main()
