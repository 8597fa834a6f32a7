"""Activities as they change: a recurrent net that names one after each sample.

    python examples/activity.py --epochs 12 --export activity.c

The signals are those of signals.py: nine channels of a wearable, and six activities. Here the
wearer changes from one to another in the middle, and the net has an answer after each sample.
Then it follows a recording as it comes in, `net.stream()`; a device does the same in C.
"""

import argparse

import numpy as np

import rnn_native as rn
from files import export
from signals import ACTIVITIES, CHANNELS, LENGTH, RATE, make_signals

LATE = 25  # samples after a change, half a second


def make_changes(n, seed):
    """Return sequences (n, 128, 9), the activity of each sample (n, 128), and when it changes."""
    (before, first), (after, second) = (make_signals(n, seed + i) for i in (0, 1000))
    change = np.random.default_rng(seed).integers(LENGTH // 4, LENGTH * 3 // 4, (n, 1))
    is_before = np.arange(LENGTH) < change
    x = np.where(is_before[:, None], before, after).transpose(0, 2, 1)
    return x, np.where(is_before, first[:, None], second[:, None]), change


def make_net(seed):
    """Return a net that says yes or no to each activity after each sample."""
    return rn.Network(
        [
            rn.Normalization(),
            rn.GRU(48, return_sequences=True),
            rn.Dense(len(ACTIVITIES)),
            rn.Flatten(),
        ],
        input_shape=(LENGTH, CHANNELS),
        loss="sigmoid_cross_entropy",
        optimizer="adam",
        seed=seed,
    )


def yes_or_no(y):
    """Return 1 for the activity of each sample, 0 for the others: (n, 128 * 6)."""
    return np.eye(len(ACTIVITIES), dtype=np.float32)[y].reshape(len(y), -1)


def follow(net, seconds, seed):
    """Print what the net says of a recording at the end of each second."""
    x, y = make_signals(seconds, seed)
    stream = net.stream()
    for signal, activity in zip(x, y, strict=True):
        for sample in signal[:, : int(RATE)].T:
            outputs = stream.step(sample)
        print(f"{ACTIVITIES[activity]:>12} taken for {ACTIVITIES[outputs.argmax()]}")


def main():
    """Train, print how many samples are recognized, and follow a recording."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signals", type=int, default=4000, help="to train on")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=12, help="of the recording")
    parser.add_argument("--export", help="a file: .onnx or .c")
    options = parser.parse_args()
    x, y, _ = make_changes(options.signals, seed=0)
    net = make_net(options.seed)
    net.adapt(x)
    settings = {"batch_size": 32, "lr": 0.004, "clip_norm": 1.0}
    net.fit(x, yes_or_no(y), epochs=options.epochs, **settings)

    x, y, change = make_changes(1000, seed=1)
    right = net.predict_proba(x).reshape(*y.shape, -1).argmax(axis=2) == y
    since = np.arange(LENGTH) - change
    is_new = (since >= 0) & (since < LATE)
    print(
        f"samples right: {right[~is_new].mean():.3f}; in the half second after a change: "
        f"{right[is_new].mean():.3f}"
    )
    follow(net, options.seconds, seed=2)
    if options.export:
        export(net, options.export)


if __name__ == "__main__":
    main()
