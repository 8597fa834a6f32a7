"""Drawings as lines: what a pen did, drawn on a grid, and rubbed out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Points = NDArray[np.float64]

# Distances computed at a time: these stay in the cache.
BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Stroke:
    """What the pen drew between touching the paper and leaving it.

    Parameters
    ----------
    points : array_like of shape (n, 2), n >= 1
        (x, y) with y downwards, in any unit; kept as float64. One point is a dot.
    width : float
        The round pen's diameter in the same unit, greater than 0.

    Raises
    ------
    ValueError
        If the points have another shape or are not finite, or the width is not positive.
    """

    points: Points
    width: float

    def __init__(self, points: ArrayLike, width: float) -> None:
        array = np.array(points, np.float64)
        if array.ndim != 2 or array.shape[1] != 2 or not len(array):
            raise ValueError(f"stroke: expected points of shape (n, 2), got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("stroke: expected finite points, got NaN or infinity")
        if not (math.isfinite(width) and width > 0):
            raise ValueError(f"stroke: expected a pen wider than 0, got {width}")
        array.setflags(write=False)
        object.__setattr__(self, "points", array)
        object.__setattr__(self, "width", float(width))

    def moved(self, scale: float, shift: ArrayLike, width: float) -> "Stroke":
        """Return the stroke with points `scale * points + shift`, for another pen."""
        return Stroke(scale * self.points + np.asarray(shift), width)


def bounds(strokes: Sequence[Stroke]) -> tuple[Points, Points]:
    """Return the least and the greatest (x, y) of all points, the pen left aside."""
    points = np.concatenate([stroke.points for stroke in strokes])
    return points.min(axis=0), points.max(axis=0)


def rasterise(
    strokes: Iterable[Stroke], shape: tuple[int, int] = (28, 28), samples: int = 4
) -> Floats:
    """Draw strokes with their round pens on a grid of pixels.

    A pixel's value is the share of its `samples` x `samples` points that lie within half
    a pen's width of a line. Pixel (0, 0) covers x and y from 0 to 1.

    Parameters
    ----------
    strokes : iterable of Stroke
        In pixels. What lies outside the grid is not drawn.
    shape : (int, int)
        Rows and columns.
    samples : int
        Sample points along a pixel's side.

    Returns
    -------
    ndarray of shape `shape`, float32, in [0, 1]
    """
    rows, columns = shape
    # A frame of one sample collects what falls outside: windows are clipped onto it.
    grid = np.zeros((rows * samples + 2, columns * samples + 2), np.bool_)
    for stroke in strokes:
        # Sample (i, j) of the framed grid lies at (j - 1 + 0.5, i - 1 + 0.5) / samples.
        _ink(grid, stroke.points * samples + 0.5, stroke.width / 2 * samples)
    inside = grid[1:-1, 1:-1].reshape(rows, samples, columns, samples)
    drawn: Floats = inside.mean(axis=(1, 3), dtype=np.float32)
    return drawn


def _ink(grid: NDArray[np.bool_], points: Points, radius: float) -> None:
    """Set the samples of `grid` that are within `radius` of a polyline, all in samples."""
    starts, steps = _pieces(points, longest=max(4.0, radius))
    # Every piece looks at a window of one size around its middle.
    reach = math.ceil(radius + np.hypot(*steps.T).max() / 2) + 1
    window = np.arange(-reach, reach + 1)
    count = max(1, BLOCK // len(window) ** 2)
    for first in range(0, len(starts), count):
        part = slice(first, first + count)
        _ink_windows(grid, starts[part], steps[part], radius, window)


def _pieces(points: Points, longest: float) -> tuple[Points, Points]:
    """Cut a polyline into straight pieces: start and direction of each."""
    if len(points) == 1:
        return points, np.zeros((1, 2))
    steps = np.diff(points, axis=0)
    counts = np.ceil(np.hypot(*steps.T) / longest).astype(np.intp).clip(1)
    first = np.cumsum(counts) - counts
    number = np.arange(counts.sum()) - np.repeat(first, counts)
    pieces = np.repeat(steps / counts[:, None], counts, axis=0)
    return np.repeat(points[:-1], counts, axis=0) + number[:, None] * pieces, pieces


def _ink_windows(
    grid: NDArray[np.bool_],
    starts: Points,
    steps: Points,
    radius: float,
    window: NDArray[np.intp],
) -> None:
    height, width = grid.shape
    middle = np.rint(starts + steps / 2).astype(np.intp)
    column = middle[:, :1] + window  # [pieces, window]
    row = middle[:, 1:] + window
    x = (column - starts[:, :1]).astype(np.float32)[:, None, :]
    y = (row - starts[:, 1:]).astype(np.float32)[:, :, None]
    dx, dy = steps.astype(np.float32).T[:, :, None, None]
    squared = dx * dx + dy * dy
    # How far along the piece, from 0 to 1, its point nearest to the sample lies.
    along = (x * dx + y * dy) / np.maximum(squared, np.float32(1e-12))
    np.clip(along, 0, 1, out=along)
    off_x, off_y = x - along * dx, y - along * dy
    near = off_x * off_x + off_y * off_y <= np.float32(radius * radius)
    places = (
        row.clip(0, height - 1)[:, :, None] * width + column.clip(0, width - 1)[:, None]
    )
    grid.reshape(-1)[places[near]] = True


def erase(strokes: Iterable[Stroke], point: ArrayLike, radius: float) -> list[Stroke]:
    """Rub out what lies within `radius` of `point`.

    Lines are cut where the circle crosses them; of a line that runs through it two
    strokes are left.

    Parameters
    ----------
    strokes : iterable of Stroke
    point : array_like of shape (2,)
        The rubber's middle, (x, y).
    radius : float
        In the unit of the points, greater than 0.

    Returns
    -------
    list of Stroke
        Those that were not touched are the same objects.
    """
    middle = np.asarray(point, np.float64)
    left: list[Stroke] = []
    for stroke in strokes:
        left.extend(_outside(stroke, middle, radius))
    return left


def _outside(stroke: Stroke, middle: Points, radius: float) -> list[Stroke]:
    """Return the parts of a stroke that are outside a circle."""
    points = stroke.points
    if len(points) == 1:
        return [stroke] if math.dist(points[0], middle) > radius else []
    enters, leaves = _crossings(points, middle, radius)
    if not (enters < leaves).any():
        return [stroke]
    parts: list[list[Points]] = [[points[0]]]
    cut = zip(points[:-1], points[1:], enters.tolist(), leaves.tolist(), strict=True)
    for start, end, enter, leave in cut:
        if enter >= leave:
            parts[-1].append(end)
            continue
        if enter > 0:
            parts[-1].append(start + enter * (end - start))
        else:
            parts[-1] = parts[-1][:-1]
        parts.append([start + leave * (end - start), end] if leave < 1 else [end])
    # An end in the circle is dropped by the segment after it; the last has none.
    if leaves[-1] == 1 and enters[-1] < 1:
        parts.pop()
    return [Stroke(part, stroke.width) for part in parts if len(part) > 1]


def _crossings(points: Points, middle: Points, radius: float) -> tuple[Points, Points]:
    """Return where on each segment, from 0 to 1, the circle begins and ends.

    The beginning is not before the end where a segment does not pass through it.
    """
    steps, offsets = np.diff(points, axis=0), points[:-1] - middle
    # |offset + t step|**2 = radius**2; a segment of no length counts as a short one.
    a = np.maximum((steps * steps).sum(axis=1), 1e-18)
    b = (offsets * steps).sum(axis=1)
    c = (offsets * offsets).sum(axis=1) - radius * radius
    discriminant = b * b - a * c
    root = np.sqrt(discriminant.clip(0))
    enters, leaves = ((-b - root) / a).clip(0, 1), ((-b + root) / a).clip(0, 1)
    return np.where(discriminant > 0, enters, 1.0), np.where(discriminant > 0, leaves, 0.0)
