"""Levels that part ink from paper, and how thick the pen was."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEVELS = 256


def otsu(gray: Floats) -> float:
    """Return the level that parts pixels into two classes best (Otsu 1979)."""
    counts, edges = np.histogram(gray, LEVELS, (0.0, 1.0))
    share = counts / counts.sum()
    level = (edges[:-1] + edges[1:]) / 2
    below, mean = np.cumsum(share), np.cumsum(share * level)
    above = 1 - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * below - mean) ** 2 / (below * above)
    between[~np.isfinite(between)] = 0
    # Between two far classes all levels separate them equally well: the middle one is safest.
    best = np.nonzero(between >= between.max() * (1 - 1e-9))[0]
    return float(edges[(best[0] + best[-1]) // 2 + 1])


def pen_width(ink: Floats) -> float:
    """Return about how thick lines are, in pixels.

    A line of width w loses about 2 of it when the pixels at its edges are taken away.
    """
    mask = np.pad(ink > 0.5, 1)
    inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2]
    inner &= mask[1:-1, 2:]
    whole, left = int(mask.sum()), int(inner.sum())
    return 2 * whole / (whole - left) if whole > left else 0.0


def widened(ink: Floats, by: float) -> Floats:
    """Return ink with `by` pixels more on all sides of lines, or less when it is negative."""
    reach = round(abs(by))
    if reach == 0:
        return ink
    best = np.maximum if by > 0 else np.minimum
    padded = np.pad(ink, 2 * reach)
    result = padded.copy()
    for dy in range(-reach, reach + 1):
        half = int((reach * reach - dy * dy) ** 0.5)
        for dx in range(-half, half + 1):
            best(result, np.roll(padded, (dy, dx), axis=(0, 1)), out=result)
    return result if result.any() else ink
