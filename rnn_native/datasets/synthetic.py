"""Handwritten-looking digits, generated from stroke skeletons.

They replace MNIST where there is no network: a model trained on them reads
real MNIST digits. No pixel comes from MNIST: the skeletons below were written by
hand, and every sample varies them (control points, proportions, slant, bending,
pen) before it is drawn and placed in the way in which MNIST places its digits.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_integer

__all__ = ["digit_strokes", "synthetic_digits"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# A skeleton is a list of strokes separated by "|", a stroke a list of "x,y" points
# with y downwards and a height of 100. A smooth curve runs through the points; one
# that ends where it began is smooth there too. Strokes meet where they name the
# same point, so a corner is the end of one stroke and the start of the next. The
# number before a skeleton says how often it is written relative to the others.
SKELETONS: tuple[tuple[tuple[float, str], ...], ...] = (
    (  # 0: closed, wide, overlapping at the top, open at the top, with a tail inside
        (4, "38,0 13,14 2,50 13,86 38,100 63,86 74,50 63,14 38,0"),
        (4, "50,0 16,13 0,50 16,88 50,100 84,88 98,50 84,13 50,0"),
        (2, "56,6 36,1 10,22 2,58 16,92 48,100 76,76 80,34 56,4 30,10"),
        (1, "34,4 8,28 2,62 18,96 50,98 76,66 72,22 46,6"),
        (2, "26,0 8,14 0,54 8,88 24,100 42,86 50,46 44,12 26,0"),
        (1, "66,2 28,6 2,46 12,92 44,98 74,62 68,14 40,4 30,36"),
    ),
    (  # 1: bar, bent bar, with a flag, with flag and base
        (10, "20,0 20,100"),
        (2, "24,0 20,50 20,100"),
        (2, "4,20 24,0 | 24,0 24,100"),
        (1, "2,22 28,0 | 28,0 28,100 | 0,100 58,98"),
    ),
    (  # 2: pointed foot, looped foot, wide with a flat loop, round foot, low and wide
        (4, "4,22 28,2 58,8 62,34 36,68 2,98 | 2,98 36,96 80,94"),
        (4, "6,18 32,0 60,12 58,46 36,82 12,98 0,88 14,74 42,82 88,96"),
        (4, "16,14 42,0 66,14 62,52 40,88 14,98 0,86 20,72 54,84 100,90"),
        (2, "8,26 26,2 56,12 50,42 18,78 8,94 28,98 74,92"),
        (2, "8,14 46,0 70,20 42,62 2,96 | 2,96 50,90 112,92"),
    ),
    (  # 3: pointed waist, looped waist, flat top, round waist, small top
        (5, "2,10 30,0 60,14 50,36 24,47 | 24,47 58,56 64,80 36,100 0,92"),
        (2, "4,10 30,0 58,16 42,40 22,48 28,42 54,52 64,76 38,98 0,92"),
        (1, "2,4 60,2 | 60,2 26,40 | 26,40 62,54 64,84 36,100 0,92"),
        (2, "2,8 34,0 56,18 38,44 62,66 52,92 22,100 0,88"),
        (2, "14,10 40,0 58,14 34,38 | 34,38 66,48 72,76 40,98 0,90"),
    ),
    (  # 4: open, open and round, closed, 9-like, stem that starts low, wide
        (4, "10,2 2,52 | 2,52 34,54 72,46 | 64,0 56,50 50,100"),
        (3, "12,0 2,36 12,56 38,52 64,42 | 66,4 56,52 52,100"),
        (2, "46,0 2,60 | 2,60 70,58 | 46,0 44,100"),
        (1, "16,2 0,42 14,56 40,48 62,24 | 62,24 52,60 46,100"),
        (1, "36,2 4,54 | 4,54 34,56 70,52 | 52,30 44,100"),
        (3, "20,6 2,54 | 2,54 40,56 92,44 | 76,0 62,50 54,100"),
    ),
    (  # 5: angular, hat drawn apart, round like an S, leaning, long hat
        (4, "78,2 22,6 | 22,6 14,44 | 14,44 50,38 76,62 62,90 30,100 0,90"),
        (3, "16,8 8,46 | 8,46 48,38 76,64 56,94 2,94 | 16,8 46,6 88,2"),
        (3, "78,2 36,4 12,22 26,42 62,58 62,86 30,100 2,86 4,74"),
        (2, "96,0 40,8 | 40,8 24,44 | 24,44 60,52 56,84 26,100 0,92"),
        (2, "106,0 44,12 | 44,12 28,44 | 28,44 66,56 54,90 22,100 0,88"),
    ),
    (  # 6: curved, straight back with small loop, large loop, wide and low
        (4, "48,0 20,24 3,62 12,94 42,98 60,78 46,60 20,66 8,80"),
        (2, "36,0 12,40 2,76 16,98 42,96 52,78 34,64 8,78"),
        (2, "60,2 22,18 2,58 16,94 50,96 64,70 42,50 8,64"),
        (3, "40,0 10,36 2,74 28,100 66,94 82,72 58,56 28,70 16,90"),
    ),
    (  # 7: plain, with a serif, crossed, round, wide
        (4, "0,8 32,7 68,4 | 68,4 50,44 34,100"),
        (4, "2,30 6,8 | 6,8 36,7 68,2 | 68,2 52,44 36,100"),
        (3, "0,8 28,6 66,4 | 66,4 48,46 28,100 | 16,54 72,48"),
        (3, "2,18 20,4 54,4 64,18 50,56 36,100"),
        (2, "0,20 40,10 92,2 | 92,2 66,46 48,100"),
    ),
    (  # 8: one stroke, one open stroke, two rings, wide top
        (5, "58,16 34,0 8,18 28,44 56,76 30,100 2,80 26,54 52,34 58,16"),
        (3, "66,8 34,1 8,20 30,46 56,76 30,100 4,80 30,52 68,14"),
        (2, "32,0 6,22 32,46 58,22 32,0 | 32,46 2,74 32,100 62,74 32,46"),
        (3, "80,10 46,1 12,16 30,42 50,74 28,100 4,82 28,52 60,30 80,10"),
    ),
    (  # 9: straight stem, bent stem, curled tail, one curve, wide ring
        (5, "58,12 32,1 4,24 14,46 42,42 58,12 | 58,12 54,56 48,100"),
        (3, "54,20 32,0 4,20 14,46 42,38 54,20 | 54,20 52,60 32,100"),
        (2, "56,14 28,0 2,22 20,46 56,14 | 56,14 56,70 36,100 8,92"),
        (2, "54,8 24,5 2,28 16,46 52,26 | 54,8 52,26 | 52,26 44,66 40,100"),
        (3, "74,14 38,0 2,26 20,50 56,38 74,14 | 74,14 64,58 56,100"),
    ),
)

SIDE = 28
BOX = 20  # MNIST scales the longer side of the ink to this many pixels
MARGIN = (SIDE - BOX) // 2
POINTS = 110  # dense enough that the thinnest pen leaves no gaps
CHUNK = 500  # samples whose canvases stay in the cache together

# How samples differ. Each number is the deviation of a normal variate; those with
# no unit given are in skeleton heights.
JITTER = 0.03  # of every control point by itself
BEND = 0.35  # of the coefficients of x*x, x*y and y*y in the bent coordinates
RIPPLE = 0.05  # of the amplitude of the waves, which have random directions
WIDTH = 0.2  # of log(width)
ROTATION = 0.12  # radians
MEAN_SLANT, SLANT = 0.13, 0.3  # as tangents; most people lean to the right
LIMIT = 2.0  # no variate is more deviations than this away from its mean

WAVES = 3
WAVE_NUMBER = 5.0  # radians per skeleton height: a little less than one wave

# The pen, in px: a disc with a gray edge. REACH must not be less than
# MEAN_RADIUS + LIMIT * RADIUS + SOFTNESS_RANGE[1] / 2.
MEAN_RADIUS, RADIUS, MIN_RADIUS = 1.2, 0.35, 0.7
SOFTNESS_RANGE = (0.3, 0.7)
REACH = 3


class Glyph(NamedTuple):
    """One skeleton, ready to be drawn many times."""

    knots: Floats  # [knots, 2], its distinct points around 0 with a height of 1
    basis: Floats  # [POINTS, knots], from the knots to points along the strokes


def _tangents(count: int, closed: bool) -> Floats:
    """Return the [count, count] matrix from a stroke's knots to its tangents."""
    rows = np.zeros((count, count), np.float32)
    for i in range(count):
        before, after = max(i - 1, 0), min(i + 1, count - 1)
        if closed and i in (0, count - 1):
            before, after = count - 2, 1
        rows[i, after] += 0.5
        rows[i, before] -= 0.5
    return rows


def _stroke_basis(stroke: Floats, points: int) -> Floats:
    """Return the [points, count] matrix that samples a stroke [count, 2].

    The curve is a Catmull-Rom spline; the samples are about equally far apart.
    """
    count = len(stroke)
    lengths = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.interp(np.linspace(0.0, along[-1], points), along, np.arange(count))
    left = np.minimum(at.astype(np.intp), count - 2)
    t = (at - left).astype(np.float32)[:, None]
    closed = bool((stroke[0] == stroke[-1]).all())
    value, tangent = np.eye(count, dtype=np.float32), _tangents(count, closed)
    basis: Floats = (
        (2 * t**3 - 3 * t**2 + 1) * value[left]
        + (t**3 - 2 * t**2 + t) * tangent[left]
        + (3 * t**2 - 2 * t**3) * value[left + 1]
        + (t**3 - t**2) * tangent[left + 1]
    )
    return basis


def _compile(skeleton: str) -> Glyph:
    """Parse a skeleton and share POINTS among its strokes by length."""
    strokes = [
        np.array([xy.split(",") for xy in stroke.split()], np.float32)
        for stroke in skeleton.split("|")
    ]
    lengths = [np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes]
    ends = np.rint(np.cumsum(lengths) / np.sum(lengths) * POINTS).astype(int)
    knots, index = np.unique(np.concatenate(strokes), axis=0, return_inverse=True)
    basis = np.zeros((POINTS, len(knots)), np.float32)
    start = first = 0
    for stroke, end in zip(strokes, ends.tolist(), strict=True):
        columns = index.ravel()[first : first + len(stroke)]  # NumPy 2.0.0: [n, 1]
        part = _stroke_basis(stroke, end - start)
        for column, weights in zip(columns.tolist(), part.T, strict=True):
            basis[start:end, column] += weights
        start, first = end, first + len(stroke)
    center = (knots.min(axis=0) + knots.max(axis=0)) / 2
    return Glyph((knots - center) / 100, basis)


GLYPHS = tuple(
    tuple(_compile(skeleton) for _, skeleton in variants) for variants in SKELETONS
)


def _normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Return standard normal variates without the far tails."""
    return rng.standard_normal(shape, np.float32).clip(-LIMIT, LIMIT)


def _write(labels: Bytes, rng: np.random.Generator) -> Floats:
    """Return jittered points along the strokes, [n, POINTS, 2] as (x, y)."""
    paths = np.empty((len(labels), POINTS, 2), np.float32)
    for digit, variants in enumerate(SKELETONS):
        rows = np.flatnonzero(labels == digit)
        share = np.array([weight for weight, _ in variants])
        choice = rng.choice(len(variants), size=len(rows), p=share / share.sum())
        for variant, glyph in enumerate(GLYPHS[digit]):
            mine = rows[choice == variant]
            noise = _normal(rng, len(mine), *glyph.knots.shape)
            paths[mine] = glyph.basis @ (glyph.knots + JITTER * noise)
    return paths


def _bend(paths: Floats, rng: np.random.Generator) -> Floats:
    """Bend every sample of [n, POINTS, 2] smoothly as a whole."""
    n = len(paths)
    x, y = paths[..., 0], paths[..., 1]
    squares = np.stack([x * x, x * y, y * y], axis=-1)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, n, 1, WAVES)).astype(np.float32)
    wave = WAVE_NUMBER * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    ripples = np.sin(paths @ wave + phase)
    bent: Floats = (
        paths
        + squares @ (BEND * _normal(rng, n, 3, 2))
        + ripples @ (RIPPLE * _normal(rng, n, WAVES, 2))
    )
    return bent


def _tilt(paths: Floats, rng: np.random.Generator) -> Floats:
    """Widen, then slant, then rotate every sample of [n, POINTS, 2]."""
    width, slant, turn = _normal(rng, 3, len(paths))
    width = np.exp(WIDTH * width)
    slant = MEAN_SLANT + SLANT * slant
    cos, sin = np.cos(ROTATION * turn), np.sin(ROTATION * turn)
    # The rows say where the x axis and the y axis go.
    x_axis = np.stack([width * cos, width * sin], axis=-1)
    y_axis = np.stack([-slant * cos - sin, -slant * sin + cos], axis=-1)
    tilted: Floats = paths @ np.stack([x_axis, y_axis], axis=1)
    return tilted


def _distances(paths: Floats) -> Floats:
    """Return how far each pixel is from the paths, [n, SIDE, SIDE] from [n, :, 2].

    True up to REACH px, beyond that true or too far.
    """
    n = len(paths)
    squares = np.full((n, SIDE, SIDE), 2 * SIDE**2, np.float32)
    size = 2 * REACH + 2
    windows = np.lib.stride_tricks.sliding_window_view(
        squares, (size, size), axis=(1, 2), writeable=True
    )
    corner = np.floor(paths).astype(np.intp) - REACH
    offset = (corner - paths)[..., None] + np.arange(size)
    offset = (offset * offset).astype(np.float32)
    sample = np.arange(n)
    # One point of every sample at a time, so that no pixel is written twice at once.
    for k in range(paths.shape[1]):
        where = sample, corner[:, k, 1], corner[:, k, 0]
        near = offset[:, k, 1, :, None] + offset[:, k, 0, None, :]
        windows[where] = np.minimum(windows[where], near)
    return np.sqrt(squares)


def _draw(paths: Floats, rng: np.random.Generator) -> Bytes:
    """Draw [n, POINTS, 2] with random pens; the ink fills a box in the middle."""
    n = len(paths)
    radius = (MEAN_RADIUS + RADIUS * _normal(rng, n, 1, 1)).clip(MIN_RADIUS)
    softness = rng.uniform(*SOFTNESS_RANGE, (n, 1, 1)).astype(np.float32)
    outer = radius + softness / 2
    low, high = paths.min(axis=1, keepdims=True), paths.max(axis=1, keepdims=True)
    scale = (BOX - 2 * outer) / (high - low).max(axis=2, keepdims=True)
    placed = (paths - (low + high) / 2) * scale + (SIDE - 1) / 2
    ink = (outer - _distances(placed)) / softness
    images: Bytes = np.rint(255 * ink.clip(0, 1)).astype(np.uint8)
    return images


def _centre(images: Bytes) -> tuple[Bytes, NDArray[np.bool_]]:
    """Move the centers of mass of [n, SIDE, SIDE] to the middle, as MNIST does.

    Also returns, as [n], which images are whole: the others wrapped around.
    """
    pixel = np.arange(SIDE)
    mass = images.sum(axis=(1, 2))
    # Row and column sums, [2, n, SIDE]; the middle is [13.5, 14.5) on either axis.
    profiles = np.stack([images.sum(axis=2), images.sum(axis=1)])
    shifts = np.ceil((SIDE - 1) / 2 - profiles @ pixel / mass).astype(np.intp)
    rows, columns = (pixel - shifts[..., None]) % SIDE
    sample = np.arange(len(images))[:, None, None]
    moved = images[sample, rows[:, :, None], columns[:, None, :]]
    return moved, (np.abs(shifts) <= MARGIN).all(axis=0)


def _render(labels: Bytes, rng: np.random.Generator) -> Bytes:
    """Return one image [SIDE, SIDE] for each label."""
    images = np.empty((len(labels), SIDE, SIDE), np.uint8)
    todo = np.arange(len(labels))
    # A digit so lopsided that centring pushes it over the edge is written again.
    while todo.size:
        paths = _tilt(_bend(_write(labels[todo], rng), rng), rng)
        images[todo], whole = _centre(_draw(paths, rng))
        todo = todo[~whole]
    return images


def synthetic_digits(n: int, seed: int = 0) -> tuple[Bytes, Bytes]:
    """Generate handwritten-looking digits in the format of MNIST.

    White ink on black; the longer side of the ink's bounding box is 20 px, and the
    center of mass is in the middle: in [13.5, 14.5) on both axes.

    Parameters
    ----------
    n : int
        How many, at least 1.
    seed : int, optional
        At least 0. The same n and seed give the same bytes.

    Returns
    -------
    images : uint8 [n, 28, 28]
        0 is paper, 255 is ink.
    labels : uint8 [n]
        0 to 9 in random order; no digit is more than one ahead of another.

    Raises
    ------
    TypeError
        If n or seed is not an int.
    ValueError
        If n is less than 1 or seed is less than 0.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> x.shape, x.dtype, np.bincount(y)
    ((100, 28, 28), dtype('uint8'), array([10, 10, 10, 10, 10, 10, 10, 10, 10, 10]))
    """
    check_integer("n", n, 1, 2**31 - 1)
    check_integer("seed", seed, 0)
    rng = np.random.Generator(np.random.PCG64(seed))
    labels = np.resize(np.arange(10, dtype=np.uint8), n)
    rng.shuffle(labels)
    images = np.empty((n, SIDE, SIDE), np.uint8)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _render(labels[part], rng)
    return images, labels


def digit_strokes(labels: Bytes, seed: int = 0) -> list[list[Floats]]:
    """Generate digits as the strokes of a pen.

    Parameters
    ----------
    labels : ndarray of shape (n,), uint8
        Which digits.
    seed : int of at least 0
        The same seed gives the same strokes.

    Returns
    -------
    list of n lists of ndarray of shape (points, 2), float32
        Strokes as (x, y) with y downwards, about 1 high, around (0, 0).

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> strokes = rn.synthetic.digit_strokes(np.array([1, 8], np.uint8))
    >>> [len(strokes), strokes[0][0].shape[1]]
    [2, 2]
    """
    rng = np.random.default_rng(seed)
    paths = _tilt(_bend(_write(labels, rng), rng), rng)
    return [_lifted(path) for path in paths]


def _lifted(path: Floats) -> list[Floats]:
    """Cut a path where the pen was lifted: points along a stroke are equally far apart."""
    steps = np.hypot(*np.diff(path, axis=0).T)
    lifts = np.flatnonzero(steps > 4 * np.median(steps)) + 1
    return np.split(path, lifts)
