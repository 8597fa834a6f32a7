"""Greatest and least values around pixels, means over boxes, and marks that are connected.

The time for greatest and least values hardly grows with the size of the window.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.intp]
Values = NDArray[Any]


def greatest(image: Values, rows: int, columns: int) -> Values:
    """Return the greatest value in a window around each pixel; edges are repeated outside.

    Parameters
    ----------
    image : ndarray of shape (m, n)
    rows, columns : int
        The window's size, odd.

    Returns
    -------
    ndarray of the same shape and type
    """
    down = _greatest_below(image, rows)
    return np.ascontiguousarray(_greatest_below(down.T, columns).T)


def closed(image: Floats, side: int) -> Floats:
    """Return the image with dark things that no square of `side` pixels fits in filled.

    Dark things that reach the border count as continuing outside of it. Values are rounded to
    1 / 255: bytes are four times as fast.
    """
    return _as_floats(_closed(_as_bytes(image), side))


def opened(image: Floats, side: int) -> Floats:
    """Return the image with light things that no square of `side` fits in taken away."""
    return _as_floats(255 - _closed(255 - _as_bytes(image), side))


def _closed(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    wide = np.pad(image, side, mode="edge")  # squares may lie outside as a whole
    filled: NDArray[np.uint8] = 255 - greatest(255 - greatest(wide, side, side), side, side)
    inner: NDArray[np.uint8] = filled[side:-side, side:-side]
    return inner


def _as_bytes(image: Floats) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(image * np.float32(255)).astype(np.uint8)
    return levels


def _as_floats(image: NDArray[np.uint8]) -> Floats:
    return np.divide(image, 255, dtype=np.float32)


def grown(mask: Mask, by: int = 1) -> Mask:
    """Return the mask with the pixels up to `by` rows and columns away."""
    if by == 0:
        return mask
    side = 2 * by + 1
    result: Mask = greatest(mask, side, side)
    return result


def shrunk(mask: Mask, by: int = 1) -> Mask:
    """Return the mask without the pixels up to `by` rows and columns from pixels outside it."""
    return ~grown(~mask, by)


def smoothed(image: Floats, reach: int) -> Floats:
    """Return the mean over the square of 2 reach + 1 around each pixel."""
    if reach == 0:
        return image
    down = _sums_below(image, reach)
    total = np.ascontiguousarray(_sums_below(down.T, reach).T)
    total /= np.float32((2 * reach + 1) ** 2)
    return total


def _greatest_below(image: Values, size: int) -> Values:
    """Return the greatest of `size` values down each column, around each row."""
    half = size // 2
    best = np.pad(image, ((half, half), (0, 0)), mode="edge")
    length = 1
    while length < size:  # windows of twice the length from two of half of it
        step = min(length, size - length)
        best = np.maximum(best[:-step], best[step:])
        length += step
    return best


def _sums_below(image: Floats, reach: int) -> Floats:
    padded = np.pad(image, ((reach, reach), (0, 0)), mode="edge")
    rows = len(image)
    total = padded[:rows].copy()
    for first in range(1, 2 * reach + 1):
        total += padded[first : first + rows]
    return total


# ---- connected marks ----


class Marks(NamedTuple):
    """The connected marks of a mask.

    Attributes
    ----------
    numbers : ndarray of the mask's shape, intp
        0 where there is no mark, else the mark's number from 1.
    boxes : ndarray of shape (count + 1, 4), intp
        Top, left, bottom and right of each, the last two beyond it; zeros in row 0.
    sizes : ndarray of shape (count + 1,), intp
        Pixels of each; 0 in row 0.
    """

    numbers: Integers
    boxes: Integers
    sizes: Integers

    def of(self, chosen: "list[int] | Integers | Mask") -> Mask:
        """Return the mask of the marks with some numbers."""
        wanted = np.zeros(len(self.sizes), np.bool_)
        wanted[chosen] = True
        wanted[0] = False
        mask: Mask = wanted[self.numbers]
        return mask


def marks(mask: Mask) -> Marks:
    """Find the connected marks of a mask, diagonals included."""
    rows, begins, ends = _runs(mask)
    roots = _roots(rows, begins, ends, mask.shape[1])
    first, run_numbers = np.unique(roots, return_inverse=True)
    run_numbers = run_numbers.reshape(-1) + 1
    count = len(first) + 1
    boxes = np.zeros((count, 4), np.intp)
    boxes[1:, :2] = np.iinfo(np.intp).max
    np.minimum.at(boxes[:, 0], run_numbers, rows)
    np.minimum.at(boxes[:, 1], run_numbers, begins)
    np.maximum.at(boxes[:, 2], run_numbers, rows + 1)
    np.maximum.at(boxes[:, 3], run_numbers, ends)
    sizes = np.bincount(run_numbers, ends - begins, count).astype(np.intp)
    numbers = np.zeros(mask.shape, np.intp)
    numbers[mask] = run_numbers.repeat(ends - begins)
    return Marks(numbers, boxes, sizes)


def _runs(mask: Mask) -> tuple[Integers, Integers, Integers]:
    """Return row, begin and end of the runs of a mask's rows, in order."""
    padded = np.pad(mask, ((0, 0), (1, 1))).view(np.int8)
    steps = np.diff(padded, axis=1)
    rows, begins = np.nonzero(steps == 1)
    return rows, begins, np.nonzero(steps == -1)[1]


def _roots(rows: Integers, begins: Integers, ends: Integers, width: int) -> Integers:
    """Return for each run the first run that it is connected with."""
    pitch = width + 2
    # Runs of the next row from the first that ends not before, to the last that does
    # not begin after this one; touching by a corner counts.
    below = (rows + 1) * pitch
    low = np.searchsorted(rows * pitch + ends, below + begins)
    high = np.searchsorted(rows * pitch + begins, below + ends, "right")
    counts = np.maximum(high - low, 0)
    upper = np.arange(len(rows)).repeat(counts)
    within = np.arange(counts.sum()) - (counts.cumsum() - counts).repeat(counts)
    lower = low.repeat(counts) + within
    roots = np.arange(len(rows))
    while True:
        one, other = roots[upper], roots[lower]
        apart = one != other
        if not apart.any():
            return roots
        upper, lower, one, other = upper[apart], lower[apart], one[apart], other[apart]
        np.minimum.at(roots, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(above := roots[roots], roots):
            roots = above
