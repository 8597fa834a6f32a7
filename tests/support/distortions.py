"""The float64 twin of how images are distorted and rows mixed in training."""

import numpy as np

import twins

AUGMENTATION_PART, MIXUP_PART = 1 << 32, 2 << 32
POINTS = 5


def even(key, index):
    """Number `index` of a key, uniform in [0, 1)."""
    return (twins.mix_one(key + index * twins.GOLDEN) >> 32) / 2.0**32


def draw(key, index, most):
    return (2 * even(key, index) - 1) * most


def share(alpha, key):
    """From Beta(alpha, alpha), as Joehnk does."""
    index = 0
    while True:
        a, b = even(key, index) ** (1 / alpha), even(key, index + 1) ** (1 / alpha)
        if 0 < a + b <= 1:
            return a / (a + b)
        index += 2


def matrix(spec, key):
    """The map from the old image to the new one, around the center, and the shift."""
    angle = draw(key, 2, spec.get("rotation", 0))
    factor = 1 + draw(key, 3, spec.get("scale", 0))
    shear = draw(key, 4, spec.get("shear", 0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return factor * turn @ np.array([[1, shear], [0, 1]])


def hat(at):
    """How much each of the grid's points counts at a place, in cells."""
    return np.maximum(0, 1 - np.abs(at - np.arange(POINTS)))


def elastic(spec, key, x, y):
    """What the coarse grid adds to where the pixel (x, y) comes from."""
    most = spec.get("elastic", 0)
    if most == 0:
        return np.zeros(2)
    grid = np.array([draw(key, 5 + k, most) for k in range(2 * POINTS**2)])
    cells = POINTS - 1
    across = hat(x * cells / max(1, spec["width"] - 1))
    down = hat(y * cells / max(1, spec["height"] - 1))
    return np.einsum("i,j,ijk->k", down, across, grid.reshape(POINTS, POINTS, 2))


def pixel(plane, x, y):
    """Between the four neighbors; zero outside."""
    height, width = plane.shape
    left, top = int(np.floor(x)), int(np.floor(y))
    total = 0.0
    for j in (top, top + 1):
        for i in (left, left + 1):
            if 0 <= i < width and 0 <= j < height:
                total += plane[j, i] * (1 - abs(x - i)) * (1 - abs(y - j))
    return total


def distort(image, spec, key):
    """A new image (channels, height, width)."""
    channels, height, width = spec["channels"], spec["height"], spec["width"]
    old = image.reshape(channels, height, width)
    new = np.zeros_like(old)
    shift = [draw(key, k, spec.get("shift", 0)) for k in range(2)]
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    back = np.linalg.inv(matrix(spec, key))
    for y in range(height):
        for x in range(width):
            at = back @ (np.array([x, y]) - center - shift) + center
            at = at + elastic(spec, key, x, y)
            for c in range(channels):
                new[c, y, x] = pixel(old[c], *at)
    return new.reshape(image.shape)


def distort_batch(x, spec, step_key):
    keys = [twins.mask_key(step_key, AUGMENTATION_PART + i) for i in range(len(x))]
    return np.stack([distort(image, spec, key) for image, key in zip(x, keys, strict=True)])


def batch_share(mixup, step_key):
    return share(mixup, twins.mask_key(step_key, MIXUP_PART)) if mixup > 0 else 1.0
