"""Sensor signals: convolutions along time.

    python examples/signals.py --epochs 15 --export signals.c

A wearable has nine channels, acceleration, turning rate and gravity along three axes, and the
net recognizes from 128 samples which of six activities they are. The signals are made here: each
activity has different frequencies and directions, each wearer another pace, strength and
position of the device, and there is noise.
"""

import argparse

import numpy as np

import rnn_native as rn
from files import export

ACTIVITIES = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")
CHANNELS, LENGTH, RATE = 9, 128, 50.0  # samples per second

# For each activity: steps per second, strength of the step and of its second harmonic, and how
# upright the wearer is.
PACE = np.array([1.8, 1.5, 2.1, 0.0, 0.0, 0.0])
STRENGTH = np.array(
    [[1.0, 0.3], [0.8, 0.8], [1.3, 0.7], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
)
UPRIGHT = np.array([1.0, 0.9, 1.1, 0.8, 1.0, 0.1])


def make_signals(n, seed):
    """Return signals (n, 9, 128) and activities (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(ACTIVITIES), n)
    time = np.arange(LENGTH) / RATE
    pace = PACE[y] * rng.normal(1, 0.08, n)
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    turn = 2 * np.pi * pace[:, None] * time + phase
    step = STRENGTH[y, :1] * np.sin(turn) + STRENGTH[y, 1:] * np.sin(2 * turn + 1)
    step *= rng.normal(1, 0.2, (n, 1))
    # How the device lies: each channel sees its own part of the step and of gravity.
    lie = rng.normal(0, 0.15, (n, CHANNELS)) + np.tile([0.3, 1.0, 0.5], 3)
    x = lie[:, :, None] * step[:, None, :]
    x[:, 3:6] = np.gradient(x[:, 3:6], axis=2) * 4
    upright = UPRIGHT[y] + rng.normal(0, 0.07, n)
    x[:, 6:] += lie[:, 6:, None] * upright[:, None, None]
    x += rng.normal(0, 0.25, x.shape) + rng.normal(0, 0.05, (n, CHANNELS, 1))
    return x.astype(np.float32), y


def make_net(seed):
    """Return a net of 1-D convolutions, the second with gaps: it sees further."""
    return rn.Network(
        [
            rn.Normalization(axis=0),  # a mean and a variance for each channel
            rn.Conv1D(32, 5, padding="same", activation="relu"),
            rn.MaxPool1D(2),
            rn.Conv1D(64, 5, padding="same", dilation=2),
            rn.BatchNorm(),
            rn.Activation("relu"),
            rn.GlobalAvgPool1D(),
            rn.Dropout(0.2),
            rn.Dense(len(ACTIVITIES)),
        ],
        input_shape=(CHANNELS, LENGTH),
        optimizer="adam",
        seed=seed,
    )


def main():
    """Train, show which activities are taken for which, and perhaps export."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signals", type=int, default=7000, help="to train on")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--export", help="a file: .onnx or .c")
    options = parser.parse_args()
    x, y = make_signals(options.signals, seed=0)
    test_x, test_y = make_signals(3000, seed=1)
    net = make_net(options.seed)
    net.adapt(x)
    print(net.summary())
    net.fit(x, y, epochs=options.epochs, batch_size=64, lr=0.002, validation_split=0.1)
    print(f"test accuracy: {net.evaluate(test_x, test_y).accuracy:.3f}")
    table = rn.metrics.confusion_matrix(test_y, net.predict(test_x), len(ACTIVITIES))
    for name, row in zip(ACTIVITIES, table, strict=True):
        print(f"{name:>12} taken for", *(f"{n:5d}" for n in row))
    if options.export:
        export(net, options.export)


if __name__ == "__main__":
    main()
