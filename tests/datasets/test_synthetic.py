"""Tests of the generated digits: format, placement, determinism, learnability."""

import numpy as np
import pytest

from rnn_native.datasets.synthetic import synthetic_digits


@pytest.fixture(scope="module")
def digits():
    return synthetic_digits(2000, seed=0)


def bounding_boxes(images):
    """Heights and widths [n] of the pixels above 0."""
    sides = []
    for axis in (2, 1):
        used = images.any(axis=axis)
        first, behind_last = used.argmax(axis=1), used[:, ::-1].argmax(axis=1)
        sides.append(images.shape[axis] - first - behind_last)
    return sides


def test_dtypes_and_shapes(digits):
    images, labels = digits
    assert images.dtype == labels.dtype == np.uint8
    assert images.shape == (2000, 28, 28)
    assert labels.shape == (2000,)
    assert images.min() == 0
    assert images.max() == 255


def test_same_seed_gives_same_bytes(digits):
    images, labels = synthetic_digits(2000, seed=0)
    assert images.tobytes() == digits[0].tobytes()
    assert labels.tobytes() == digits[1].tobytes()


def test_other_seed_gives_other_digits(digits):
    images, labels = synthetic_digits(2000, seed=1)
    assert (labels != digits[1]).any()
    same = (images[:, None] == digits[0][None, :20]).all(axis=(2, 3))
    assert not same.any()


def test_no_two_digits_are_the_same(digits):
    images, _ = digits
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


@pytest.mark.parametrize("n", [1, 7, 10, 503, 1234])
def test_labels_are_balanced(n):
    images, labels = synthetic_digits(n, seed=3)
    assert len(images) == len(labels) == n
    counts = np.bincount(labels, minlength=10)
    assert len(counts) == 10
    assert counts.max() - counts.min() <= 1


def test_labels_are_shuffled(digits):
    labels = digits[1].astype(int)
    assert set(labels[:200]) == set(range(10))
    followers = np.mean((labels[:-1] + 1) % 10 == labels[1:])
    assert followers < 0.2


def test_longer_side_is_20_pixels(digits):
    assert (np.maximum(*bounding_boxes(digits[0])) == 20).all()


def test_centre_of_mass_is_in_the_middle(digits):
    images = digits[0].astype(np.int64)
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        moment = images.sum(axis=axis) @ np.arange(28)
        # In integers: 13.5 <= moment / mass < 14.5.
        assert (27 * mass <= 2 * moment).all()
        assert (2 * moment < 29 * mass).all()


def test_ink_is_as_much_as_in_mnist(digits):
    images, labels = digits
    assert 0.10 < images.mean() / 255 < 0.15  # MNIST: 0.13
    assert 0.12 < (images > 0).mean() < 0.22  # MNIST: 0.19
    assert (images > 0).mean(axis=(1, 2)).min() > 0.02
    width = bounding_boxes(images)[1]
    assert 14 <= np.median(width) <= 18  # MNIST: 16
    assert np.median(width[labels == 1]) <= 11  # MNIST: 10


def test_nearest_centroid_generalises(digits):
    def features(images):
        flat = images.reshape(len(images), -1).astype(np.float64)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    images, labels = digits
    train, test = features(images), synthetic_digits(1000, seed=1)
    centroids = np.stack([train[labels == digit].mean(axis=0) for digit in range(10)])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    predicted = (features(test[0]) @ centroids.T).argmax(axis=1)
    assert (predicted == test[1]).mean() > 0.6


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, ValueError, "n: expected an integer in 1..2147483647, got 0"),
        ({"n": -5}, ValueError, "n: expected an integer in 1..2147483647, got -5"),
        ({"n": 2.0}, TypeError, r"n: expected an integer in 1..2147483647, got 2\.0"),
        ({"n": True}, TypeError, "n: expected an integer in 1..2147483647, got True"),
        (
            {"n": 1, "seed": -1},
            ValueError,
            "seed: expected an integer of at least 0, got -1",
        ),
        (
            {"n": 1, "seed": None},
            TypeError,
            "seed: expected an integer of at least 0, got None",
        ),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        synthetic_digits(**arguments)


def test_numpy_integers_are_integers():
    images, _ = synthetic_digits(np.int64(3), seed=np.uint8(0))
    assert images.tobytes() == synthetic_digits(3)[0].tobytes()
