"""A forecast of a signal, one value at a time: a recurrent net.

    python examples/forecaster.py --steps 400 --export forecaster.onnx

Two waves whose paces wander are the signal, with noise. A GRU reads windows of it and learns
the next value after each step. Then it follows new data as they come in, `net.stream()`, and
continues from its own forecasts, each of which is the input of the next step.
"""

import argparse

import numpy as np

import rnn_native as rn
from files import export

WINDOW = 48


def make_signal(n, seed):
    """Return n values (n,) of about -2 to 2."""
    rng = np.random.default_rng(seed)
    paces = np.array([[0.21], [0.067]]) * (1 + rng.normal(0, 0.02, (2, n)))
    phases = np.cumsum(paces, axis=1) + rng.uniform(0, 2 * np.pi, (2, 1))
    waves = np.sin(phases) * [[1.0], [0.6]]
    return (waves.sum(axis=0) + rng.normal(0, 0.03, n)).astype(np.float32)


def make_windows(signal):
    """Return windows (n, WINDOW, 1), and the value after each of their steps (n, WINDOW)."""
    both = np.lib.stride_tricks.sliding_window_view(signal, WINDOW + 1)[::4]
    return both[:, :-1, None], both[:, 1:]


def make_net(seed):
    """Return a net whose outputs are the next value after each step."""
    return rn.Network(
        [rn.GRU(32, return_sequences=True), rn.Dense(1), rn.Flatten()],
        input_shape=(WINDOW, 1),
        loss="squared_error",
        optimizer="adam",
        seed=seed,
    )


def follow(net, signal):
    """Return the stream after the signal, and the forecasts of each next value."""
    stream = net.stream()
    return stream, np.concatenate([stream.step([value]) for value in signal])


def go_on(stream, value, steps):
    """Return forecasts of the next values, each made from the one before."""
    forecasts = []
    for _ in range(steps):
        forecasts.append(value)
        (value,) = stream.step([value])
    return np.array(forecasts)


def draw(values):
    """Print a line for each value, with a mark where it is."""
    for value in values:
        print(f"{value:7.2f} " + " " * int(15 * np.clip(value + 2, 0, 4)) + "*")


def main():
    """Train, measure the forecasts of a signal not seen, and draw what comes next."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", type=int, default=8000, help="to train on")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=24, help="to forecast")
    parser.add_argument("--export", help="a file: .onnx or .c")
    options = parser.parse_args()
    net = make_net(options.seed)
    x, y = make_windows(make_signal(options.values, seed=0))
    net.fit(x, y, epochs=options.epochs, batch_size=64, lr=0.005, clip_norm=1.0)

    signal = make_signal(1000, seed=1)
    stream, forecasts = follow(net, signal[:-1])
    error = np.sqrt(np.mean((forecasts - signal[1:]) ** 2))
    same = np.sqrt(np.mean(np.diff(signal) ** 2))
    print(
        f"error of the next value: {error:.3f}; of the last value as forecast: {same:.3f}"
    )
    print(f"the next {options.steps}, from the net's own forecasts:")
    draw(go_on(stream, forecasts[-1], options.steps))
    if options.export:
        export(net, options.export)


if __name__ == "__main__":
    main()
