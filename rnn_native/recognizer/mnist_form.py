"""Ink in the form that MNIST has: 28 x 28 pixels, the digit 20 long, its mass in the middle."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_all
from rnn_native.recognizer.ink import pen_width, widened
from rnn_native.recognizer.scaling import scaled

Floats = NDArray[np.float32]

SIDE = 28
LONGER_SIDE = 20
# Pens of pictures are brought into this range, in pixels of 28 x 28: of MNIST's digits 90 % lie
# in it.
THINNEST, THICKEST = 1.7, 4.0
# Pictures are worked on scaled to this longer side.
FINE = 8 * LONGER_SIDE


def as_mnist(ink: Floats) -> Floats:
    """Make the ink of a digit as MNIST would have it.

    Parameters
    ----------
    ink : ndarray of shape (rows, columns), float32
        0 for paper to 1 for ink.

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]
        The pen at least 1.7 and at most 4 pixels wide; zeros when there is no ink.
    """
    if not ink.any():
        return np.zeros((SIDE, SIDE), np.float32)
    fine = scaled(cropped(ink), FINE)
    pen = pen_width(fine) * LONGER_SIDE / FINE
    wanted = min(max(pen, THINNEST), THICKEST)
    if wanted != pen:
        fine = cropped(widened(fine, (wanted - pen) / 2 * FINE / LONGER_SIDE))
    small = scaled(fine, LONGER_SIDE)
    page = np.zeros((SIDE, SIDE), np.float32)
    top, left = ((SIDE - n) // 2 for n in small.shape)
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return centred(to_peak(page))


def is_like_mnist(image: Floats) -> bool:
    """Whether an image has the size, place and background that MNIST's have."""
    if image.shape != (SIDE, SIDE) or not image.any():
        return False
    longer = max(cropped(image).shape)
    return longer == LONGER_SIDE and _shift(image) == (0, 0) and float(image.max()) > 0.5


def centred(image: Floats) -> Floats:
    """Move an image by whole pixels: its center of mass to [13.5, 14.5) both ways.

    What would leave the page stays on it: the image is then not moved as far.
    """
    dy, dx = _shift(image)
    moved = np.zeros_like(image)
    rows, columns = np.nonzero(image.any(axis=1))[0], np.nonzero(image.any(axis=0))[0]
    if not len(rows):
        return moved
    dy = min(max(dy, -int(rows[0])), SIDE - 1 - int(rows[-1]))
    dx = min(max(dx, -int(columns[0])), SIDE - 1 - int(columns[-1]))
    inked = np.ix_(rows, columns)
    moved[np.ix_(rows + dy, columns + dx)] = image[inked]
    return moved


def _shift(image: Floats) -> tuple[int, int]:
    """Return how far the center of mass is from [13.5, 14.5), in whole pixels."""
    mass = float(image.sum(dtype=np.float64))
    if mass == 0:
        return 0, 0
    at = np.arange(SIDE)  # as MNIST's makers have it, pixel i lies at i
    middle = [float(image.sum(axis=axis, dtype=np.float64) @ at) / mass for axis in (1, 0)]
    dy, dx = (int(np.ceil(SIDE / 2 - 0.5 - m)) for m in middle)
    return dy, dx


def cropped(image: Floats) -> Floats:
    """Return the rows and columns from the first to the last that are not all zero."""
    rows, columns = np.nonzero(image.any(axis=1))[0], np.nonzero(image.any(axis=0))[0]
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def to_peak(image: Floats) -> Floats:
    """Return the image with its greatest value at 1."""
    top = image.max()
    return np.divide(image, top, dtype=np.float32) if top > 0 else image


def checked(image: ArrayLike) -> NDArray[Any]:
    """Return a picture as an array, or raise ValueError."""
    array = np.asarray(image)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"image: expected shape (rows, columns), got {array.shape}")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise ValueError(f"image: expected uint8 or float, got {array.dtype}")
    check_all("image", array, (array >= 0) & (array <= 1), "floats in [0, 1]")
    return array
