"""Removes what is on a picture in addition to digits: table, lid, ruled lines, frames, underlines.

Each function gets the mask of what stands out from the paper, and returns what may be digits of
it. None removes everything: a single thing on a picture is its subject.
"""

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer.morphology import Marks, marks

Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]

# A mark along this much of the shorter side's border is not a digit; nor is one as flat as this.
ALONG_BORDER, FLAT = 0.25, 0.03
# The rest must have a mark this large, as a share of the longer side.
LEAST_HEIGHT = 0.025
# Straight lines that run through this share of a side, at most so thick, and the tilts at
# which they are looked for (rows a column).
LINE_SHARE, LINE_THICKNESS = 0.62, 0.03
TILTS = np.linspace(-0.06, 0.06, 25)
# In a frame something is at least so high, as a share of it, or of the picture.
WITHIN_FRAME = 0.2
# A line along a stroke of a digit crosses this share of the page: more than any stroke.
WHOLE_LINE = 0.8
# A side of a box lies within this share of its height or width, tilt included.
BOX_SIDE = 0.06
# A box with a digit in it has less ink than this share of it.
MOSTLY_EMPTY = 0.5
# Underlines are this many times as long as they are thick.
UNDERLINE = 5.0


def without_surroundings(mask: Mask) -> Mask:
    """Remove what comes in from the border: a table, the lid of a scanner, a shadow."""
    found = marks(mask)
    rows, columns = mask.shape
    border = np.concatenate(
        [found.numbers[side] for side in (0, -1)]
        + [found.numbers[:, side] for side in (0, -1)]
    )
    contact = np.bincount(border, minlength=len(found.sizes))
    flat = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1) < FLAT * max(mask.shape)
    outside = (contact > ALONG_BORDER * min(rows, columns)) | (flat & (contact > 0))
    return _unless_all(mask, found.of(~outside))


def without_lines(mask: Mask) -> Mask:
    """Remove straight lines across the picture; strokes that cross them stay."""
    left = _without_rows(mask)
    return _unless_all(mask, np.ascontiguousarray(_without_rows(left.T).T))


def without_boxes(mask: Mask) -> Mask:
    """Remove the sides of a box that a digit touches; what touches them stays."""
    found = marks(mask)
    top, left, bottom, right = found.boxes.T
    largest = int(np.argmax((bottom - top) * (right - left)))
    area = np.s_[top[largest] : bottom[largest], left[largest] : right[largest]]
    own = found.numbers[area] == largest
    if largest == 0 or not _is_box(own):
        return mask
    inside = mask[area] & ~own | without_lines(own)
    left_over = mask.copy()
    left_over[area] = inside
    return _unless_all(mask, left_over)


def without_frames(mask: Mask) -> Mask:
    """Remove boxes and circles: marks around all others."""
    for _ in range(3):  # a box in a circle on a card
        found = marks(mask)
        frame = _frame(found, mask.shape)
        if frame is None:
            break
        mask = mask & (found.numbers != frame)
    return mask


def without_underlines(mask: Mask) -> Mask:
    """Remove long flat marks below all others, or longer than they are wide."""
    found = marks(mask)
    top, left, bottom, right = found.boxes.T
    height, width = bottom - top, right - left
    thick = found.sizes / np.maximum(width, 1)
    flat = (width >= UNDERLINE * thick) & (width >= 3 * height)
    tall = ~flat & (height >= LEAST_HEIGHT * max(mask.shape))
    tall[0] = False
    if not tall.any():
        return mask
    middle = (top + bottom) / 2
    below = middle > bottom[tall].max() - 0.08 * height[tall].max()
    above = middle < top[tall].min() - 0.08 * height[tall].max()
    long = width > 1.3 * width[tall].max()
    return found.of(~(flat & (below | above | long)))


def _without_rows(mask: Mask) -> Mask:
    """Remove lines that are nearly horizontal."""
    y, x = np.nonzero(mask)
    columns = mask.shape[1]
    if len(y) == 0 or len(y) > 0.6 * mask.size:
        return mask
    tilt = _tilt_of_lines(y, x, columns)
    if tilt is None:
        return mask
    at, counts = _along(y, x, columns, tilt)
    # A band of a line, with the rows beside it; wide ones are not lines. Where a digit's stroke
    # lies along a line, only the rows that the line fills are a thin band.
    most = max(3, round(LINE_THICKNESS * max(mask.shape)))
    near = _filled(at, x, columns)
    half, core, full = (
        sums > share * columns
        for sums, share in (
            (counts, LINE_SHARE / 2), (near, LINE_SHARE), (near, WHOLE_LINE)
        )
    )  # fmt: skip
    lines = _thin_bands(half, core, most) | _thin_bands(full, full, most)
    thickness = _median_band(lines)
    lines[1:] |= lines[:-1].copy()
    lines[:-1] |= lines[1:].copy()
    on_line = np.zeros_like(mask)
    on_line[y, x] = lines[at]
    return mask & ~(on_line & (_heights(mask) <= 2 * thickness + 2))


def _tilt_of_lines(y: Indices, x: Indices, columns: int) -> float | None:
    """Return the tilt at which lines fill their rows best; None if nothing is a line."""

    def strength(tilt: float) -> int:
        counts = _along(y, x, columns, tilt)[1]
        return int(np.square(counts[counts > LINE_SHARE * columns]).sum())

    best = max(TILTS, key=strength)
    return float(best) if strength(best) else None


def _along(y: Indices, x: Indices, columns: int, tilt: float) -> tuple[Indices, Indices]:
    """Return on which tilted row each pixel lies, from 1 up, and the pixels of each row."""
    at = (y - np.rint(tilt * (x - columns / 2))).astype(np.intp)
    at -= at.min() - 1
    return at, np.bincount(at, minlength=int(at.max()) + 2)


def _filled(at: Indices, x: Indices, columns: int) -> Indices:
    """Return in how many columns a tilted row or one beside it has ink.

    A line that is a pixel wide steps from row to row.
    """
    has_ink = np.zeros((int(at.max()) + 2, columns), bool)
    has_ink[at, x] = True
    near = has_ink.copy()
    near[1:] |= has_ink[:-1]
    near[:-1] |= has_ink[1:]
    filled: Indices = near.sum(axis=1)
    return filled


def _thin_bands(rows: Mask, core: Mask, most: int) -> Mask:
    """Return the bands of rows, at most so thick, that have some row of the core."""
    starts, ends = _bands(rows)
    thin = np.zeros_like(rows)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        thin[start:end] = end - start <= most and core[start:end].any()
    return thin


def _median_band(lines: Mask) -> float:
    starts, ends = _bands(lines)
    return float(np.median(ends - starts)) if len(starts) else 0.0


def _bands(lines: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    steps = np.diff(lines.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _heights(mask: Mask) -> NDArray[np.intp]:
    """Return how many pixels the vertical run of each pixel has; 0 outside of the mask."""
    turned = np.ascontiguousarray(mask.T)
    steps = np.diff(np.pad(turned, ((0, 0), (1, 1))).view(np.int8), axis=1)
    lengths = np.nonzero(steps == -1)[1] - np.nonzero(steps == 1)[1]
    heights = np.zeros(turned.shape, np.intp)
    heights[turned] = lengths.repeat(lengths)
    return heights.T


def _is_box(mark: Mask) -> bool:
    """Return whether a mark, cropped, has four straight sides and is mostly empty."""
    rows, columns = (max(2, round(BOX_SIDE * n)) for n in mark.shape)
    sides = (
        mark[:rows].any(axis=0), mark[-rows:].any(axis=0),
        mark[:, :columns].any(axis=1), mark[:, -columns:].any(axis=1),
    )  # fmt: skip
    return mark.mean() < MOSTLY_EMPTY and min(float(side.mean()) for side in sides) > 0.9


def _frame(found: Marks, shape: tuple[int, ...]) -> int | None:
    """Return the number of a mark that is around all others of some size."""
    heights = found.boxes[:, 2] - found.boxes[:, 0]
    widths = found.boxes[:, 3] - found.boxes[:, 1]
    if len(heights) < 3:
        return None
    area = heights * widths
    frame = int(np.argmax(area))
    is_thin = found.sizes[frame] < 0.3 * area[frame]
    spans = min(heights[frame] / shape[0], widths[frame] / shape[1]) > 0.6
    least = LEAST_HEIGHT * max(shape) if spans else WITHIN_FRAME * heights[frame]
    inner = heights >= least
    inner[[0, frame]] = False
    if not is_thin or not inner.any():
        return None
    low, high = found.boxes[inner, :2].min(axis=0), found.boxes[inner, 2:].max(axis=0)
    around = (found.boxes[frame, :2] <= low).all() and (
        found.boxes[frame, 2:] >= high
    ).all()
    return frame if around and _sides(found.numbers == frame, low, high) >= 3 else None


def _sides(mask: Mask, low: NDArray[np.intp], high: NDArray[np.intp]) -> int:
    """Return on how many sides of a box most rows or columns meet the mask."""
    (top, left), (bottom, right) = low, high
    rows, columns = slice(top, bottom), slice(left, right)
    meets = (
        mask[:top, columns].any(axis=0),
        mask[bottom:, columns].any(axis=0),
        mask[rows, :left].any(axis=1),
        mask[rows, right:].any(axis=1),
    )
    return sum(float(met.mean()) > 0.7 for met in meets)


def _unless_all(mask: Mask, left: Mask) -> Mask:
    """Return the remaining mask, or the whole mask if almost nothing remains."""
    boxes = marks(left).boxes
    heights = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return left if heights.max() >= LEAST_HEIGHT * max(mask.shape) else mask
