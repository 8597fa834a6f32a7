"""Train the model that the package ships, on real MNIST: rnn_native/pretrained.safetensors.

python scripts/train_pretrained.py [FILE]

Beside each training image two copies of it are seen, moved by up to two pixels each way.
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
    rn.Dropout(0.3),
    rn.Dense(64, "relu"),
    rn.Dense(10),
]
EPOCHS = 8


def moved(images, rng):
    """Return the images, each moved by its own -2 to 2 pixels down and right."""
    shifts = rng.integers(-2, 3, (len(images), 2))
    pairs = zip(images, map(tuple, shifts), strict=True)
    return np.stack([np.roll(image, shift, axis=(0, 1)) for image, shift in pairs])


(x, y), test = rn.datasets.load_mnist()
train, held = slice(0, 54_000), slice(54_000, None)
rng = np.random.default_rng(1)
copies = [x[train], moved(x[train], rng), moved(x[train], rng)]
# The rows to validate on come last, as `validation_split` takes them.
images = np.concatenate([*copies, x[held]])
labels = np.concatenate([y[train]] * 3 + [y[held]])
options = {
    "epochs": EPOCHS,
    "optimizer": "adam",
    "schedule": rn.schedules.OneCycle(0.004, EPOCHS),
    "validation_split": 6_000 / len(images) + 1e-8,
    "patience": None,
}
data = ((images, labels), test)
result = rn.models.train_layers("pretrained", LAYERS, (1, 28, 28), data, options)
facts = {"test_accuracy": result.test_accuracy, "test_loss": result.test_loss}
checkpoint.save(result.model, sys.argv[1] if len(sys.argv) > 1 else pretrained.PATH, facts)
print(result)
