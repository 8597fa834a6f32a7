"""From colors to gray: what shows the most of ink on paper.

Yellow on white is as light as white, red on green as light as green: what gray hides, a channel
or the difference of two may show.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer.morphology import closed, opened, smoothed

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Projection(NamedTuple):
    """Gray as a sum of red, green and blue, times weights, and an offset of 0 to 255."""

    name: str
    weights: tuple[float, float, float]
    offset: float = 0.0


GRAY = Projection("gray", (0.299, 0.587, 0.114))
PROJECTIONS = (
    GRAY,
    Projection("red", (1, 0, 0)),
    Projection("green", (0, 1, 0)),
    Projection("blue", (0, 0, 1)),
    Projection("red or green", (0.5, -0.5, 0), 127.5),
    Projection("yellow or blue", (0.25, 0.25, -0.5), 127.5),
)
# Gray is taken as long as it shows this share of what the best projection does.
ENOUGH = 0.4
# Of the shorter side: wider than a pen, and narrower than what is between digits of a page.
WINDOWS = (0.17, 0.085)
# Contrast is what this share of pixels exceed; noise below this, in [0, 1], is ignored.
INKED, QUIET = 0.002, 0.008


def projected(rgb: Bytes, projection: Projection) -> Bytes:
    """Return [rows, columns] bytes of [rows, columns, 3]."""
    gray = rgb @ np.array(projection.weights, np.float32) + np.float32(projection.offset)
    result: Bytes = np.rint(gray.clip(0, 255)).astype(np.uint8)
    return result


def best_projection(rgb: Bytes) -> Projection:
    """Return what shows the most of a picture, gray unless it hides much.

    Parameters
    ----------
    rgb : ndarray of shape (rows, columns, 3), uint8
        Some hundred pixels long: a thumbnail is enough.
    """
    if (rgb == rgb[..., :1]).all():
        return GRAY
    shown = [_contrast(projected(rgb, projection)) for projection in PROJECTIONS]
    if shown[0] >= ENOUGH * max(shown):
        return GRAY
    return PROJECTIONS[int(np.argmax(shown))]


def is_white_ink(rgb: Bytes, alpha: Bytes) -> bool:
    """Return whether the opaque pixels can be seen on black only."""
    opaque = alpha > 127
    if opaque.all() or not opaque.any():
        return False
    light = projected(rgb[opaque][None], GRAY)
    blue = projected(rgb[opaque][None], PROJECTIONS[3])
    return bool(np.percentile(np.minimum(light, blue), 2) > 200)


def _contrast(gray: Bytes) -> float:
    """Return how far thin things stand out from their surroundings, in units of the noise."""
    calm = smoothed(np.divide(gray, 255, dtype=np.float32), 1)
    return max(_contrast_within(calm, share * min(gray.shape)) for share in WINDOWS)


def _contrast_within(calm: Floats, window: float) -> float:
    side = max(3, 2 * round(window / 2) + 1)
    excess = np.maximum(closed(calm, side) - calm, calm - opened(calm, side))
    middle = float(np.median(excess))
    noise = 1.5 * float(np.median(np.abs(excess - middle)))
    return (float(np.quantile(excess, 1 - INKED)) - middle) / (noise + QUIET)
