"""Separates ink from paper, however the light falls on them.

A clean picture has two even classes of pixels. In all others the paper's brightness is
estimated around each pixel, and what counts is how much darker (or lighter) than it a pixel
is: a shadow darkens paper and ink by the same factor.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer.ink import otsu
from rnn_native.recognizer.morphology import (
    closed,
    marks,
    opened,
    shrunk,
    smoothed,
)
from rnn_native.recognizer.scaling import scaled

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Ink and paper that differ by less are one: noise, or an empty page.
LEAST_CONTRAST = 0.15
# In a clean picture nearly all of the paper differs from its middle by less than this share of
# the contrast; of the ink more may be faint.
EVEN, UNEVEN_PAPER, UNEVEN_INK = 0.25, 0.02, 0.04
# Marks of a clean picture that faint ink links, above this share of the contrast, are one.
LINK = 0.1
# Paper whose brightness differs by less is equally bright.
SAME_PAPER = 0.05
# The thickest pen, as a share of the longer side, and that of a digit that is cropped closely.
THICKEST, THICKEST_CROPPED = 0.28, 0.4
# The first guess of the paper is made with this longer side, with a window of this
# share of the shorter one: wider than any pen.
COARSE, WINDOW = 160, 0.34
# Windows of the paper's estimate: this many pens, and at least this share of the shorter side.
PENS, LEAST_WINDOW = 3.0, 0.06
# Ink is darker than the paper by this many deviations of it, and by this share at least.
DEVIATIONS, LEAST_INK = 5.0, 0.08
# Pixels lighter than this share of the darkest ink are not ink.
FAINT = 0.4
# Added to the divisor, in [0, 1]: black has no relative brightness.
FLOOR = 0.06


class Ink(NamedTuple):
    """How much ink there is on each pixel.

    Attributes
    ----------
    shares : ndarray of shape (rows, columns), float32
        0 for paper to 1 for ink.
    mask : ndarray of the same shape, bool
        Where ink is.
    paper : ndarray of the same shape, float32
        The brightness of the paper there.
    is_even : bool
        Whether the paper is equally bright everywhere.
    """

    shares: Floats
    mask: Mask
    paper: Floats
    is_even: bool


def told_apart(gray: Floats) -> Ink:
    """Separate ink from paper; dark on light or light on dark.

    Parameters
    ----------
    gray : ndarray of shape (rows, columns), float32, in [0, 1]
    """
    return even_ink(gray) or relative_ink(gray)


def even_ink(gray: Floats) -> Ink | None:
    """Separate ink from paper in a clean picture; None if it has not two even classes."""
    light = _border(gray) > (float(gray.min()) + float(gray.max())) / 2
    ink = 1 - gray if light else gray
    mask = ink > otsu(ink)
    if not mask.any() or mask.all():
        return None
    if _is_thick(mask):
        return None  # paper on a dark table
    paper, drawn = float(np.median(ink[~mask])), float(np.median(ink[mask]))
    contrast = drawn - paper
    # Edges are between the classes: they belong to neither.
    if contrast < LEAST_CONTRAST or not (
        _is_even(ink[shrunk(mask)], drawn, contrast, UNEVEN_INK)
        and _is_even(ink[shrunk(~mask)], paper, contrast, UNEVEN_PAPER)
    ):
        return None
    mask = _linked(mask, ink > paper + LINK * contrast)
    level = 1 - paper if light else paper
    around = np.full(gray.shape, level, np.float32)
    return Ink(_cut((ink - paper) / contrast), mask, around, True)


def _linked(mask: Mask, faint: Mask) -> Mask:
    """Return a mask with the faint ink that links several of its marks."""
    around, found = marks(faint), marks(mask)
    # One row for each mark, with the number of the faint mark around it.
    pairs = np.unique(np.stack([around.numbers[mask], found.numbers[mask]]), axis=1)
    outer, count = np.unique(pairs[0], return_counts=True)
    return mask | around.of(outer[count > 1])


def relative_ink(gray: Floats) -> Ink:
    """Separate ink from the paper around it."""
    small = scaled(gray, min(COARSE, max(gray.shape)))
    is_dark = _is_ink_dark(small)
    window = _odd(WINDOW * min(small.shape))
    if is_dark:
        excess = darkness(small, closed(small, window))
    else:
        excess = lightness(small, opened(small, window))
    pen = _pen(excess) * max(gray.shape) / max(small.shape)
    shorter = min(gray.shape)
    side = _odd(min(max(PENS * pen, LEAST_WINDOW * shorter), WINDOW * shorter))
    calm = smoothed(gray, 1)
    paper = closed(calm, side) if is_dark else opened(calm, side)
    excess = (darkness if is_dark else lightness)(calm, paper)
    return _above_noise(excess, paper)


def darkness(gray: Floats, paper: Floats) -> Floats:
    """Return by which share pixels are darker than the paper."""
    result: Floats = (paper - gray) / (paper + np.float32(FLOOR))
    return result


def lightness(gray: Floats, paper: Floats) -> Floats:
    """Return by which factor less 1 pixels are lighter than dark paper."""
    result: Floats = (gray - paper) / (paper + np.float32(4 * FLOOR))
    return result


def _is_ink_dark(gray: Floats) -> bool:
    """Return whether thin parts are dark, rather than light.

    The space between strokes, or between a digit and the edge of a sheet, may be narrower than the
    widest window, but seldom narrower than the pen. So what shows in several windows counts
    several times, and in narrow ones for more.
    """
    dark = light = 0.0
    for share in (WINDOW / 8, WINDOW / 4, WINDOW / 2):
        side = _odd(share * min(gray.shape))
        dark += _energy(closed(gray, side) - gray) / side**2
        light += _energy(gray - opened(gray, side)) / side**2
    return dark >= light


def _above_noise(excess: Floats, paper: Floats) -> Ink:
    """Return as ink what stands out of the noise of the paper."""
    middle, deviation = _level(excess)
    is_even = float(np.ptp(paper)) < SAME_PAPER
    least = middle + max(DEVIATIONS * deviation, LEAST_INK)
    found = excess > least
    if not found.any():
        return Ink(np.zeros_like(excess), found, paper, is_even)
    top = float(np.percentile(excess[found], 90))
    mask = excess > max(least, middle + FAINT * (top - middle))
    full = float(np.median(excess[mask]))
    return Ink(_cut((excess - middle) / (full - middle)), mask, paper, is_even)


def _level(excess: Floats) -> tuple[float, float]:
    """Return the paper's middle, and how far it deviates."""
    sample = excess[::2, ::2]
    middle = float(np.median(sample))
    return middle, 1.4826 * float(np.median(np.abs(sample - middle)))


def _energy(excess: Floats) -> float:
    middle, deviation = _level(excess)
    return float(np.square((excess - middle - 3 * deviation).clip(0)).sum(dtype=np.float64))


def _pen(excess: Floats) -> float:
    """Return about how thick the thickest lines are."""
    middle, deviation = _level(excess)
    found = excess - middle > max(
        DEVIATIONS * deviation, LEAST_INK, 0.4 * (float(excess.max()) - middle)
    )
    width, left = 1, found
    whole = int(found.sum())
    # A line of width w is gone when (w - 1) / 2 pixels are taken from its sides.
    while whole and int(left.sum()) > 0.05 * whole:
        left = shrunk(left)
        width += 2
    return float(width)


def _is_thick(mask: Mask) -> bool:
    """Return whether something in a mask is thicker than any pen."""
    touches = mask[[0, -1]].any() or mask[:, [0, -1]].any()
    pen = (THICKEST_CROPPED if touches else THICKEST) * max(mask.shape)
    return bool(shrunk(np.pad(mask, 1), round(pen / 2)).any())


def _is_even(values: Floats, middle: float, contrast: float, share: float) -> bool:
    """Return whether no more than a share of values is far from the middle."""
    far = np.abs(values - middle) > EVEN * contrast
    return not len(values) or bool(far.mean() <= share)


def _border(gray: Floats) -> float:
    edge = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return float(np.median(edge))


def _cut(shares: Floats) -> Floats:
    """Return shares in [0, 1]; paper is never quite even: a faint trace is not ink."""
    cut: Floats = shares.clip(0, 1).astype(np.float32)
    cut[cut < 0.1] = 0
    return cut


def _odd(size: float) -> int:
    return max(3, 2 * round(size / 2) + 1)
