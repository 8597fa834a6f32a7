"""What training the two nets that the package ships has in common: images, options, the file."""

import argparse

import numpy as np

import rnn_native as rn
from distortions import distorted
from rnn_native import checkpoint

TRAIN, HELD = slice(0, 54_000), slice(54_000, None)


def with_copies(images, labels, copies, generated, rng):
    """Return images and labels, distorted copies of them, and generated digits."""
    copied = [images, *(distorted(images, rng) for _ in range(copies))]
    drawn, drawn_labels = rn.datasets.synthetic_digits(generated, seed=100)
    return (
        np.concatenate([*copied, drawn]),
        np.concatenate([*[labels] * len(copied), drawn_labels]),
    )


def trained(name, layers, images, labels, mnist, epochs):
    """Train layers on images; MNIST's held-out rows choose the epoch. Return the result."""
    (x, y), test = mnist
    print(f"{len(images)} images", flush=True)
    # The rows to validate on come last, as `validation_split` expects them.
    images, labels = np.concatenate([images, x[HELD]]), np.concatenate([labels, y[HELD]])
    options = {
        "epochs": epochs,
        "optimizer": "adam",
        "schedule": rn.schedules.OneCycle(0.004, epochs),
        "validation_split": len(x[HELD]) / len(images) + 1e-8,
        "patience": None,
    }
    return rn.models.train_layers(
        name, layers, (1, 28, 28), ((images, labels), test), options
    )


def parser_of(script, path):
    """Return the parser of a script that trains a net and writes it to `path`."""
    parser = argparse.ArgumentParser(description=script.splitlines()[0])
    parser.add_argument("file", nargs="?", default=path, help="(that of the package)")
    return parser


def write(result, path, facts):
    """Write the net with its facts to a file."""
    facts = {"test_accuracy": result.test_accuracy, **facts}
    checkpoint.save(result.model, path, facts)
    print(result)
