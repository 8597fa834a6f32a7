"""What comes beside the arithmetic: `python benchmarks/overhead.py [--rounds 5]`.

The first part is `Network.fit` of the MNIST MLP over ten epochs; native is what the core's calls
took, as the history has it. The second is a custom training loop with a net so small that
calls count: 4-64-64-2, batches of 64 rows, Adam, one thread, with PyTorch's step beside it where
PyTorch is installed. All of these take turns; times are microseconds a call.
"""

import argparse
import importlib.util
import time

import numpy as np

import rnn_native as rn
from report import machine, spread
from workloads import MLP, load

EPOCHS = 10
ROWS, LR, WARM_UP = 64, 1e-3, 3000
CALLS, TURNS = 20, 100  # a turn is shorter than the time that a busy machine gives


def fit_beyond_epochs(rounds):
    """Return per cent of fit beyond its native epochs, round by round."""
    data, beyond = load("mnist"), []
    for _ in range(rounds):
        net = MLP.network()
        start = time.perf_counter()
        history = net.fit(
            data.x, data.y, batch_size=MLP.batch_size, epochs=EPOCHS, verbose=0
        )
        whole = time.perf_counter() - start
        beyond.append(100 * (whole / sum(history.history["time"]) - 1))
    return beyond


def network(loss):
    layers = [rn.Dense(64, "relu"), rn.Dense(64, "relu"), rn.Dense(2)]
    return rn.Network(layers, (4,), loss=loss, optimizer="adam")


def native_step(net, x, y):
    """Return a call of the core alone, with what `train_on_batch` gives it."""
    order, state = np.arange(len(x), dtype=np.int32), net.training_state

    def step():
        net.native.train(
            x, y, order, len(x), LR, threads=1, step=state.steps, updates=state.steps
        )
        state.advance(1)

    return step


def own_loss_step(net, x, y):
    """Return a step of the three calls, whose loss is half of the mean squared error."""

    def step():
        outputs = net.forward(x)
        net.backward((outputs - y) / np.float32(len(x)), input_gradient=False)
        net.apply_gradients(LR)

    return step


def torch_step(x, y):
    import torch

    torch.set_num_threads(1)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 2),
    )
    optimizer, loss = torch.optim.Adam(net.parameters(), LR), torch.nn.MSELoss()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad()
        loss(net(inputs), targets).backward()
        optimizer.step()

    return step


def steps():
    """Return what is timed, by name."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, 4)).astype(np.float32)
    y = rng.standard_normal((ROWS, 2)).astype(np.float32)
    labels = rng.integers(0, 2, ROWS)
    values, classes = network("mse"), network("softmax_cross_entropy")
    found = {
        "native.train, values": native_step(network("mse"), x, y),
        "train_on_batch, values": lambda: values.train_on_batch(x, y, lr=LR),
        "train_on_batch, labels": lambda: classes.train_on_batch(x, labels, lr=LR),
        "forward, backward, apply_gradients": own_loss_step(network("mse"), x, y),
        "net(x) of one row": lambda: values(x[:1]),
    }
    if importlib.util.find_spec("torch") is not None:
        found["PyTorch's step, values"] = torch_step(x, y)
    return found


def time_steps(rounds):
    """Return microseconds a call by name, round by round."""
    rn.set_num_threads(1)
    timed = steps()
    for step in timed.values():
        for _ in range(WARM_UP):  # until units have died, as they do
            step()
    times = {name: [] for name in timed}
    for _ in range(rounds * TURNS):
        for name, step in timed.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                step()
            times[name].append((time.perf_counter() - start) / CALLS * 1e6)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps-only", action="store_true", help="leave fit out")
    args = parser.parse_args()
    print(machine())
    if not args.steps_only:
        beyond = fit_beyond_epochs(args.rounds)
        print(f"\nfit beyond its native epochs: {spread(beyond)} %")
    times = time_steps(args.rounds)
    print(
        "\n| 4-64-64-2, 64 rows, Adam, one thread | microseconds | least |\n|---|---|---|"
    )
    for name, found in times.items():
        print(f"| {name} | {spread(found)} | {min(found):.1f} |")


if __name__ == "__main__":
    main()
