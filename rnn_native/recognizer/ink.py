"""Ink on paper: which pixels of a picture are drawn, and how thick the pen was."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Marks with less ink than this share of the largest one are specks.
SPECK = 0.04
# Ink and paper that differ by less are one: noise, or an empty page.
CONTRAST = 0.15
LEVELS = 256


def clean_ink(grey: Floats) -> Floats:
    """Return how much ink there is, from 0 for paper to 1, without specks.

    Parameters
    ----------
    grey : ndarray of shape (rows, columns), float32, in [0, 1]
        Dark on light or light on dark: most of the border is paper.

    Returns
    -------
    ndarray of the same shape, float32, in [0, 1]
        Zeros if there is next to no contrast.
    """
    light = _border(grey) > (float(grey.min()) + float(grey.max())) / 2
    ink = 1 - grey if light else grey
    threshold = otsu(ink)
    mask = ink > threshold
    if not mask.any() or mask.all():
        return np.zeros_like(grey)
    paper, drawn = np.median(ink[~mask]), np.median(ink[mask])
    if drawn - paper < CONTRAST:
        return np.zeros_like(grey)
    kept = _grown(_without_specks(mask))
    shares: Floats = ((ink - paper) / (drawn - paper)).clip(0, 1).astype(np.float32)
    # Paper is never quite even: a faint trace of it is none.
    shares[shares < 0.1] = 0
    return np.where(kept, shares, np.float32(0))


def otsu(grey: Floats) -> float:
    """Return the level that parts pixels into two classes best (Otsu 1979)."""
    counts, edges = np.histogram(grey, LEVELS, (0.0, 1.0))
    share = counts / counts.sum()
    level = (edges[:-1] + edges[1:]) / 2
    below, mean = np.cumsum(share), np.cumsum(share * level)
    above = 1 - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * below - mean) ** 2 / (below * above)
    between[~np.isfinite(between)] = 0
    # Between two far classes all levels part alike: the middle one is safest.
    best = np.nonzero(between >= between.max() * (1 - 1e-9))[0]
    return float(edges[(best[0] + best[-1]) // 2 + 1])


def _border(grey: Floats) -> float:
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return float(np.median(edge))


def _grown(mask: Mask) -> Mask:
    """Return the mask with the neighbours of its pixels: there the ink fades out."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    grown: Mask = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return grown


def marks(mask: Mask) -> NDArray[np.intp]:
    """Return the numbers of the connected marks of a mask, diagonals included.

    Returns
    -------
    ndarray of the same shape, int
        0 where there is none, else the mark's number from 1.
    """
    labels = np.zeros(mask.shape, np.intp)
    parents = [0]
    above: list[
        tuple[int, int, int]
    ] = []  # begin, end, label of the runs of the row before
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False)).tolist()
        runs = []
        passed = 0  # runs above that end before those still to come
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            while passed < len(above) and above[passed][1] < begin:
                passed += 1
            touching, at = [], passed
            while at < len(above) and above[at][0] <= end:
                touching.append(_root(parents, above[at][2]))
                at += 1
            label = min(touching, default=len(parents))
            if not touching:
                parents.append(label)
            for other in touching:
                parents[other] = label
            labels[y, begin:end] = label
            runs.append((begin, end, label))
        above = runs
    roots = np.array([_root(parents, i) for i in range(len(parents))])
    _, numbers = np.unique(roots, return_inverse=True)
    return numbers[labels]


def _root(parents: list[int], label: int) -> int:
    while parents[label] != label:
        parents[label] = label = parents[parents[label]]
    return label


def _without_specks(mask: Mask) -> Mask:
    numbers = marks(mask)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    kept: Mask = (sizes >= SPECK * sizes.max())[numbers] & mask
    return kept


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
