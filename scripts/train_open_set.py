"""Train rnn_native/open_set.safetensors, which separates digits from everything else.

python scripts/train_open_set.py [FILE]

It has an output for each digit, and an eleventh for everything else: letters, signs, two
digits, scribbles, smudges, blots, textures (not_digits.py). Beside each training image several
copies of it are seen, distorted; beside MNIST's, generated and printed digits. A picture is not
a digit if the eleventh probability is above a threshold, which REFUSED of the digits held out
are, and which the file keeps. Prints how many of the test images are.
"""

import not_digits
import numpy as np
import shipped_nets

import rnn_native as rn
from distortions import distorted
from rnn_native.models import open_set

LAYERS = [
    rn.Conv2D(8, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Conv2D(24, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Conv2D(32, 3, activation="relu"),
    rn.Flatten(),
    rn.Dropout(0.2),
    rn.Dense(64, "relu"),
    rn.Dense(11),
]
EPOCHS = 6
COPIES = 3  # of each image, beside the image itself
GENERATED = 30_000
PRINTED = 4_000  # digits in fonts, each twice
NOT_DIGITS = 22_000  # each three times
REFUSED = 0.0035


def training_images(x, y, rng):
    """Return images and labels, 0 to 10: digits, copies, generated and printed ones, others."""
    digits, digit_labels = shipped_nets.with_copies(x, y, COPIES, GENERATED, rng)
    printed, printed_labels = not_digits.printed_digits(PRINTED, rng)
    others = not_digits.not_digits(NOT_DIGITS, x, y, rng)
    others = np.concatenate([others, distorted(others, rng), distorted(others, rng)])
    images = [digits, printed, distorted(printed, rng), others]
    labels = [
        digit_labels,
        printed_labels,
        printed_labels,
        np.full(len(others), 10, np.uint8),
    ]
    return np.concatenate(images), np.concatenate(labels)


def main():
    """Train, set the threshold, print what is refused, and write the file."""
    path = shipped_nets.parser_of(__doc__, open_set.PATH).parse_args().file
    mnist = rn.datasets.load_mnist()
    (x, y), (x_test, _) = mnist
    rng = np.random.default_rng(1)
    train, held = shipped_nets.TRAIN, shipped_nets.HELD
    images, labels = training_images(x[train], y[train], rng)
    result = shipped_nets.trained("open_set", LAYERS, images, labels, mnist, EPOCHS)
    net = result.model
    threshold = float(np.quantile(net.predict_proba(x[held])[:, -1], 1 - REFUSED))
    refused = float((net.predict_proba(x_test)[:, -1] > threshold).mean())
    print(f"test images: {100 * result.test_accuracy:.2f} %, refused {100 * refused:.2f} %")
    facts = {"test_refused": refused, open_set.THRESHOLD: threshold}
    shipped_nets.write(result, path, facts)


if __name__ == "__main__":
    main()
