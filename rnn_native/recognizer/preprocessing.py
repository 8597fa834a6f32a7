"""Drawings and pictures as MNIST has them: what a net that learned from it can read.

MNIST's digits are white on black, their longer side is 20 pixels, and their center of mass
lies in the middle of 28 x 28 (LeCun, Bottou, Bengio and Haffner 1998, section III.A).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.recognizer.mnist_form import LONGER_SIDE, SIDE, centred, to_peak
from rnn_native.recognizer.page import read_page
from rnn_native.recognizer.strokes import Stroke, bounds, rasterise

Floats = NDArray[np.float32]

# The pen of drawings, in pixels of 28 x 28.
PEN = 2.2


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
    return centred(to_peak(rasterise(moved)))


def from_image(image: ArrayLike) -> Floats:
    """Return a picture from a digit as MNIST would have it: see `read_page`.

    Parameters
    ----------
    image : array_like of shape (rows, columns), uint8, or float in [0, 1]
        Dark on light or light on dark.

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]
        White on black; zeros when there is no ink, all of them when there are several
        digits. What looks like an image of MNIST's is returned as it is.

    Raises
    ------
    ValueError
        If it has another shape or type.
    """
    return read_page(image).whole
