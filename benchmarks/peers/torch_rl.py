"""The loops of examples/dqn.py and examples/ppo.py in PyTorch: the same algorithm and numbers.

`tuned` is what someone does who looks for time: Adam and the target network's update as one
call each for all tensors, and no objects of torch.distributions. Memory, advantages and the
environments are the examples' own.
"""

import copy

import gymnasium as gym
import numpy as np
import torch
from torch.nn import functional

import dqn
import ppo


def mlp(shape, outputs, function, hidden=64):
    (inputs,) = shape
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden),
        function(),
        torch.nn.Linear(hidden, hidden),
        function(),
        torch.nn.Linear(hidden, outputs),
    )


def follow(target, net, tuned):
    theirs, own = list(target.parameters()), list(net.parameters())
    with torch.no_grad():
        if tuned:
            torch._foreach_lerp_(theirs, own, dqn.TARGET_SHARE)
            return
        for t, p in zip(theirs, own, strict=True):
            t.copy_(dqn.TARGET_SHARE * p + (1 - dqn.TARGET_SHARE) * t)


def learn_values(net, target, optimizer, batch, tuned):
    states, actions, rewards, next_states, goes_on = map(torch.from_numpy, batch)
    with torch.no_grad():
        best = target(next_states).max(dim=1).values
        wanted = rewards + dqn.DISCOUNT * goes_on * best
    values = net(states).gather(1, actions[:, None]).squeeze(1)
    optimizer.zero_grad()
    functional.smooth_l1_loss(values, wanted).backward()
    optimizer.step()
    follow(target, net, tuned)


def train_dqn(seed, steps, train_every=1, tuned=False):
    torch.manual_seed(seed)
    env, rng = gym.make("CartPole-v1"), np.random.default_rng(seed)
    shape, actions = env.observation_space.shape, int(env.action_space.n)
    net = mlp(shape, actions, torch.nn.ReLU, dqn.HIDDEN)
    target, memory = copy.deepcopy(net), dqn.Memory(dqn.MEMORY, shape)
    optimizer = torch.optim.Adam(net.parameters(), dqn.LR, fused=tuned or None)
    state, _ = env.reset(seed=seed)
    for step in range(1, steps + 1):
        if rng.random() < max(dqn.LEAST_EXPLORATION, 1 - step / dqn.EXPLORE):
            action = int(rng.integers(actions))
        else:
            with torch.no_grad():
                action = int(net(torch.from_numpy(state)).argmax())
        next_state, reward, ended, cut, _ = env.step(action)
        memory.add(state, action, reward, next_state, ended)
        state = env.reset()[0] if ended or cut else next_state
        if step > dqn.FIRST and step % train_every == 0:
            learn_values(net, target, optimizer, memory.draw(rng, dqn.BATCH), tuned)


class Chooser:
    """An actor as `ppo.play` calls it: probabilities of the actions of states."""

    def __init__(self, actor, tuned):
        self.actor, self.tuned = actor, tuned

    def __call__(self, states):
        with torch.no_grad():
            logits = self.actor(torch.from_numpy(states))
            if self.tuned:
                return functional.softmax(logits, dim=1).numpy()
            return torch.distributions.Categorical(logits=logits).probs.numpy()


def learn_policy(actor, critic, optimizer, played, lr, clip, tuned):
    seen, over, actions, chances, rewards, ends = played
    with torch.no_grad():
        values = critic(torch.from_numpy(seen.reshape(-1, seen.shape[-1]))).numpy()
    values = values.reshape(over.shape)
    advantages = ppo.advantages_of(values, rewards, ends, over)
    counts = ~over[:-1]
    returns = torch.from_numpy((advantages + values[:-1])[counts])
    advantages, states = advantages[counts], torch.from_numpy(seen[:-1][counts])
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    advantages, actions = torch.from_numpy(advantages), torch.from_numpy(actions[counts])
    before = torch.from_numpy(chances[counts]).log()
    for group in optimizer.param_groups:
        group["lr"] = lr
    for _ in range(ppo.EPOCHS):
        if tuned:
            logs = functional.log_softmax(actor(states), dim=1)
            logs = logs.gather(1, actions[:, None]).squeeze(1)
        else:
            logs = torch.distributions.Categorical(logits=actor(states)).log_prob(actions)
        ratios = (logs - before).exp()
        clipped = ratios.clamp(1 - clip, 1 + clip)
        gain = torch.min(ratios * advantages, clipped * advantages).mean()
        loss = functional.mse_loss(critic(states).squeeze(1), returns) - gain
        optimizer.zero_grad()
        loss.backward()
        for net in (actor, critic):
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()


def train_ppo(seed, steps, tuned=False):
    torch.manual_seed(seed)
    envs = gym.make_vec("CartPole-v1", num_envs=ppo.ENVS)
    rng = np.random.default_rng(seed)
    shape, n = envs.single_observation_space.shape, int(envs.single_action_space.n)
    actor, critic = mlp(shape, n, torch.nn.Tanh), mlp(shape, 1, torch.nn.Tanh)
    both = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(both, ppo.LR, fused=tuned or None)
    (states, _), over = envs.reset(seed=seed), np.zeros(ppo.ENVS, bool)
    for done in range(0, steps, ppo.ENVS * ppo.LENGTH):
        played = ppo.play(envs, states, over, Chooser(actor, tuned), rng)
        states, over, left = played[0][-1], played[1][-1], 1 - done / steps
        learn_policy(
            actor, critic, optimizer, played, ppo.LR * left, ppo.CLIP * left, tuned
        )
