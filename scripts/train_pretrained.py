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
from distortions import distorted
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
