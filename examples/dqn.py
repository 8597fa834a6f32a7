"""DQN on CartPole: a custom training step, and a target network.

    pip install "rnn_native[rl]"
    python examples/dqn.py --seed 0 --threads 1 --export policy.c

A net maps a state to the value of each action. Each step of the environment goes into a memory,
and one batch from it moves the net toward reward + discount * (the target network's best value
of the next state). Training ends when the mean return of 100 episodes is 475. Mnih et al. 2015
"""

import argparse
import time

import gymnasium as gym
import numpy as np

import rnn_native as rn
from cartpole import SOLVED, evaluate
from files import export

DISCOUNT, LR, HIDDEN, BATCH = 0.99, 3e-4, 64, 64
MEMORY, FIRST, CHECK = 50_000, 1000, 2000  # steps kept, before learning, between checks
EXPLORE, LEAST_EXPLORATION = (
    10_000,
    0.05,
)  # steps until, and the share of random actions then
TARGET_SHARE = 0.005  # of the net that its target network takes in each step


class Memory:
    """The last steps, in arrays that are filled round by round."""

    def __init__(self, size, shape):
        self.states = np.zeros((size, *shape), np.float32)
        self.next_states = np.zeros((size, *shape), np.float32)
        self.actions = np.zeros(size, np.int64)
        self.rewards = np.zeros(size, np.float32)
        self.goes_on = np.zeros(size, np.float32)  # 0 where the episode ended there
        self.count = 0

    def add(self, state, action, reward, next_state, ended):
        at = self.count % len(self.states)
        self.states[at], self.next_states[at] = state, next_state
        self.actions[at], self.rewards[at] = action, reward
        self.goes_on[at] = not ended
        self.count += 1

    def draw(self, rng, n):
        rows = rng.integers(min(self.count, len(self.states)), size=n)
        columns = self.states, self.actions, self.rewards, self.next_states, self.goes_on
        return [column[rows] for column in columns]


def learn(net, target, batch):
    """Make one update; the loss is Huber's, of the values of the actions that were taken."""
    states, actions, rewards, next_states, goes_on = batch
    wanted = rewards + DISCOUNT * goes_on * target(next_states).max(axis=1)
    rows = np.arange(len(states))
    values = net.forward(states)
    gradient = np.zeros(values.shape, np.float32)
    error = values[rows, actions] - wanted
    gradient[rows, actions] = error.clip(-1, 1) / np.float32(len(states))
    net.backward(gradient, input_gradient=False)
    net.apply_gradients(LR)
    target.copy_weights_from(net, TARGET_SHARE)


def train(seed, steps, every=1):
    """Return the net, and after how many steps it was solved."""
    env, rng = gym.make("CartPole-v1"), np.random.default_rng(seed)
    shape, actions = env.observation_space.shape, int(env.action_space.n)
    layers = [rn.Dense(HIDDEN, "relu"), rn.Dense(HIDDEN, "relu"), rn.Dense(actions)]
    net = rn.Network(layers, shape, loss="mse", seed=seed, optimizer="adam")
    target, memory = net.clone(), Memory(MEMORY, shape)
    state, _ = env.reset(seed=seed)
    for step in range(1, steps + 1):
        if rng.random() < max(LEAST_EXPLORATION, 1 - step / EXPLORE):
            action = int(rng.integers(actions))
        else:
            action = int(net(state[None]).argmax())
        next_state, reward, ended, cut, _ = env.step(action)
        memory.add(state, action, reward, next_state, ended)
        state = env.reset()[0] if ended or cut else next_state
        if step > FIRST and step % every == 0:
            learn(net, target, memory.draw(rng, BATCH))
        if step % CHECK == 0 and evaluate(net, seed=1000 * seed + step) >= SOLVED:
            break
    return net, step


def main():
    parser = argparse.ArgumentParser(description="DQN on CartPole-v1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100_000, help="at most")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--export", help="file for the policy, .onnx or .c")
    args = parser.parse_args()
    rn.set_num_threads(args.threads)
    start = time.perf_counter()
    net, steps = train(args.seed, args.steps)
    seconds = time.perf_counter() - start
    print(f"seed {args.seed}: {steps} steps in {seconds:.1f} s", end=", ")
    print(f"mean return of 100 other episodes: {evaluate(net, seed=args.seed + 7):.1f}")
    if args.export:
        export(net, args.export)


if __name__ == "__main__":
    main()
