"""Drawings and pictures as MNIST has them: what a net that learned from it can read.

MNIST's digits are white on black, their longer side is 20 pixels, and their centre of mass
lies in the middle of 28 x 28 (LeCun, Bottou, Bengio and Haffner 1998, section III.A).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_all
from rnn_native.recognizer.ink import clean_ink, pen_width, widened
from rnn_native.recognizer.strokes import Stroke, bounds, rasterise

Floats = NDArray[np.float32]

SIDE = 28
LONGER_SIDE = 20
# The pen of drawings, in pixels of 28 x 28; pictures are brought into the range. Of MNIST's
# digits 90 % lie in it.
PEN = 2.2
THINNEST, THICKEST = 1.7, 4.0
# Pictures are worked on with their longer side so long.
FINE = 8 * LONGER_SIDE
# Numbers worked on at a time while an image is scaled.
BLOCK = 1 << 18


def from_strokes(strokes: Sequence[Stroke]) -> Floats:
    """Draw strokes as MNIST would have them, whatever their size, place and pen.

    Parameters
    ----------
    strokes : sequence of Stroke

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]
        White on black; zeros when there are no strokes. A dot stays a dot.
    """
    if not strokes:
        return np.zeros((SIDE, SIDE), np.float32)
    low, high = bounds(strokes)
    # A line that is hardly longer than its pen is wide is a dot: it is not blown up.
    extent = max(float((high - low).max()), *(s.width for s in strokes))
    scale = (LONGER_SIDE - PEN) / extent
    shift = SIDE / 2 - scale * (low + high) / 2
    moved = [stroke.moved(scale, shift, PEN) for stroke in strokes]
    return centred(_to_peak(rasterise(moved)))


def from_image(image: ArrayLike) -> Floats:
    """Make a picture of a digit as MNIST would have it.

    The ink is told from the paper (Otsu 1979), specks are dropped, a pen that is too thin
    or too thick is corrected, and the digit is scaled by the mean over areas.

    Parameters
    ----------
    image : array_like of shape (rows, columns), uint8, or float in [0, 1]
        Dark on light or light on dark.

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]
        White on black; zeros when there is no ink. What looks like an image of MNIST's is
        returned as it is.

    Raises
    ------
    ValueError
        If it has another shape or type.
    """
    array = _checked(image)
    is_large = max(array.shape) > 4 * FINE
    grey = scaled(array, 4 * FINE) if is_large else _as_floats(array)
    if is_like_mnist(grey):
        return grey
    ink = clean_ink(grey)
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
    return centred(_to_peak(page))


def is_like_mnist(image: Floats) -> bool:
    """Whether an image has the size, place and background that MNIST's have."""
    if image.shape != (SIDE, SIDE) or not image.any():
        return False
    longer = max(cropped(image).shape)
    return longer == LONGER_SIDE and _shift(image) == (0, 0) and float(image.max()) > 0.5


def centred(image: Floats) -> Floats:
    """Move an image by whole pixels: its centre of mass to [13.5, 14.5) both ways.

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
    """Return how far the centre of mass is from [13.5, 14.5), in whole pixels."""
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


def scaled(image: NDArray[np.generic], longer: int) -> Floats:
    """Scale an image, its longer side to `longer` pixels, by means over areas.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), uint8, or float in [0, 1]
    longer : int

    Returns
    -------
    ndarray of float32, in [0, 1]
        Beside it no more than some megabytes are taken, whatever the image's shape.
    """
    rows, columns = image.shape
    ratio = longer / max(rows, columns)
    small_rows, small_columns = (max(1, round(n * ratio)) for n in (rows, columns))
    # The longer side comes first: what is left for the other one is small.
    if rows >= columns:
        means = _mean_rows(_mean_rows(image, small_rows).T, small_columns).T
    else:
        means = _mean_rows(_mean_rows(image.T, small_columns).T, small_rows)
    return np.clip(means, 0, 1)  # rounding may lead a little beyond


def _mean_rows(image: NDArray[np.generic], to: int) -> Floats:
    """Return `to` rows, each the mean over its share of the image's, in blocks of them."""
    n, columns = image.shape
    means = np.empty((to, columns), np.float32)
    # A target of n / to sources: so many in a block keep shares and pixels below BLOCK.
    step = max(1, min(math.isqrt(BLOCK * to // n), BLOCK * to // (n * columns)))
    for first in range(0, to, step):
        last = min(first + step, to)
        low, high = first * n // to, min(n, -(-last * n // to))
        shares = _areas(np.arange(first, last + 1) * (n / to), np.arange(low, high + 1))
        means[first:last] = shares * np.float32(to / n) @ _as_floats(image[low:high])
    return means


def _areas(targets: NDArray[np.float64], sources: NDArray[np.integer[Any]]) -> Floats:
    """Return how far each interval between targets lies over each between sources."""
    low = np.maximum(targets[:-1, None], sources[:-1])
    high = np.minimum(targets[1:, None], sources[1:])
    overlap: Floats = (high - low).clip(0).astype(np.float32)
    return overlap


def _to_peak(image: Floats) -> Floats:
    """Return the image with its greatest value at 1."""
    top = image.max()
    return np.divide(image, top, dtype=np.float32) if top > 0 else image


def _checked(image: ArrayLike) -> NDArray[Any]:
    array = np.asarray(image)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"image: expected shape (rows, columns), got {array.shape}")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise ValueError(f"image: expected uint8 or float, got {array.dtype}")
    check_all("image", array, (array >= 0) & (array <= 1), "floats in [0, 1]")
    return array


def _as_floats(image: NDArray[np.generic]) -> Floats:
    """Return pixels in [0, 1]; bytes are divided by 255."""
    if image.dtype == np.uint8:
        image = np.divide(image, 255, dtype=np.float32)
    return image.astype(np.float32, copy=False)
