"""Train the model that the package ships, on real MNIST: rnn_native/pretrained.safetensors.

python scripts/train_pretrained.py [FILE]

Beside each training image several copies of it are seen, each turned, scaled, slanted, moved
and drawn with a thinner or thicker pen, and generated digits: drawings vary more than MNIST
does, which has hardly a 1 with a flag or a crossed 7. Prints how well the model reads the test
images, as they are and distorted in the same way.
"""

import numpy as np
import shipped_nets

import rnn_native as rn
from distortions import distorted
from rnn_native import pretrained

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


def main():
    """Train, print the accuracies, and write the file."""
    path = shipped_nets.parser_of(__doc__, pretrained.PATH).parse_args().file
    mnist = rn.datasets.load_mnist()
    (x, y), (x_test, y_test) = mnist
    rng = np.random.default_rng(1)
    train = shipped_nets.TRAIN
    images, labels = shipped_nets.with_copies(x[train], y[train], COPIES, GENERATED, rng)
    result = shipped_nets.trained("pretrained", LAYERS, images, labels, mnist, EPOCHS)
    _, accuracy = result.model.evaluate(distorted(x_test, rng), y_test.astype(int))
    print(
        f"test images: {100 * result.test_accuracy:.2f} %, distorted {100 * accuracy:.2f} %"
    )
    facts = {"test_loss": result.test_loss, "distorted_test_accuracy": accuracy}
    shipped_nets.write(result, path, facts)


if __name__ == "__main__":
    main()
