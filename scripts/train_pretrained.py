"""Train the model that the package ships, on real MNIST: rnn_native/pretrained.safetensors.

python scripts/train_pretrained.py [FILE]

Beside each training image several copies of it are seen, each turned, scaled, slanted, moved
and drawn with a thinner or thicker pen, and generated digits: drawings vary more than MNIST
does, which has hardly a 1 with a flag or a crossed 7. Prints how well the model reads the test
images, as they are and distorted in the same way.
"""

import sys

import numpy as np

import rnn_native as rn
from rnn_native import checkpoint, pretrained

LAYERS = [
    rn.Conv2D(8, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Conv2D(16, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Flatten(),
    rn.Dropout(0.2),
    rn.Dense(64, "relu"),
    rn.Dense(10),
]
EPOCHS = 10
COPIES = 5  # of each image, beside the image itself
GENERATED = 40_000
TURN = 15  # degrees, at most
SCALE = 0.15
SLANT = 0.25
MOVE = 2.0  # pixels
PEN = 0.25  # share of images with a thicker pen, and with a thinner one
CHUNK = 3_000


def distorted(images, rng):
    """Return the images, each distorted in its own way."""
    chunks = [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]
    return np.concatenate([_distort(chunk, rng) for chunk in chunks])


def _distort(images, rng):
    n = len(images)
    turn = np.deg2rad(rng.uniform(-TURN, TURN, n))
    wide, high = 1 + rng.uniform(-SCALE, SCALE, (2, n))
    slant = rng.uniform(-SLANT, SLANT, n)
    cos, sin = np.cos(turn), np.sin(turn)
    # Where in the old image a pixel of the new one comes from, around the middle.
    matrix = np.stack(
        [cos / wide, sin / wide + slant, -sin / high, cos / high], axis=-1
    ).reshape(n, 2, 2)
    at = np.arange(28) - 13.5
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(1, 784, 2)
    x, y = np.moveaxis(
        grid @ matrix.swapaxes(1, 2) + rng.uniform(-MOVE, MOVE, (n, 1, 2)), 2, 0
    )
    return np.rint(_between_pixels(_redrawn(images, rng), x + 13.5, y + 13.5)).astype(
        np.uint8
    )


def _between_pixels(images, x, y):
    """Return images at (x, y), [n, 784], by the four pixels around; zeros outside."""
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).astype(np.float32)
    x, y = (np.clip(v + 1, 0, 29).astype(np.float32) for v in (x, y))
    left, top = x.astype(np.intp), y.astype(np.intp)
    right_share, low_share = x - left, y - top
    n = np.arange(len(images))[:, None]
    upper = (
        padded[n, top, left] * (1 - right_share) + padded[n, top, left + 1] * right_share
    )
    below = padded[n, top + 1, left], padded[n, top + 1, left + 1]
    lower = below[0] * (1 - right_share) + below[1] * right_share
    return (upper * (1 - low_share) + lower * low_share).reshape(-1, 28, 28)


def _redrawn(images, rng):
    """Return the images, some with a thicker or a thinner pen, by up to half a pixel a side."""
    below, right = np.roll(images, 1, axis=1), np.roll(images, 1, axis=2)
    thick = np.maximum(np.maximum(images, below), right)
    thin = np.minimum(np.minimum(images, below), right)
    kind = rng.random((len(images), 1, 1))
    return np.where(kind < PEN, thick, np.where(kind > 1 - PEN, thin, images))


(x, y), (x_test, y_test) = rn.datasets.load_mnist()
train, held = slice(0, 54_000), slice(54_000, None)
rng = np.random.default_rng(1)
copies = [x[train], *(distorted(x[train], rng) for _ in range(COPIES))]
generated, generated_labels = rn.datasets.synthetic_digits(GENERATED, seed=100)
# The rows to validate on come last, as `validation_split` takes them.
images = np.concatenate([*copies, generated, x[held]])
labels = np.concatenate([*[y[train]] * len(copies), generated_labels, y[held]])
options = {
    "epochs": EPOCHS,
    "optimizer": "adam",
    "schedule": rn.schedules.OneCycle(0.004, EPOCHS),
    "validation_split": 6_000 / len(images) + 1e-8,
    "patience": None,
}
data = ((images, labels), (x_test, y_test))
result = rn.models.train_layers("pretrained", LAYERS, (1, 28, 28), data, options)
_, accuracy = result.model.evaluate(distorted(x_test, rng), y_test.astype(int))
print(f"test images: {100 * result.test_accuracy:.2f} %, distorted {100 * accuracy:.2f} %")
facts = {
    "test_accuracy": result.test_accuracy,
    "test_loss": result.test_loss,
    "distorted_test_accuracy": accuracy,
}
checkpoint.save(result.model, sys.argv[1] if len(sys.argv) > 1 else pretrained.PATH, facts)
print(result)
