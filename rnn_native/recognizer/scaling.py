"""Images scaled by means over areas, in little memory."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Numbers worked on at a time while an image is scaled.
BLOCK = 1 << 18


def scaled(image: NDArray[np.generic], longer: int) -> Floats:
    """Scale an image, its longer side to `longer` pixels, by means over areas.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), uint8, or float in [0, 1]
    longer : int

    Returns
    -------
    ndarray of float32, in [0, 1]
        In addition it needs at most some megabytes, for any shape of the image.
    """
    rows, columns = image.shape
    ratio = longer / max(rows, columns)
    small_rows, small_columns = (max(1, round(n * ratio)) for n in (rows, columns))
    # The longer side comes first: the remaining work for the other one is small.
    if rows >= columns:
        means = _mean_rows(_mean_rows(image, small_rows).T, small_columns).T
    else:
        means = _mean_rows(_mean_rows(image.T, small_columns).T, small_rows)
    return np.clip(means, 0, 1)  # rounding may lead a little beyond


def _mean_rows(image: NDArray[np.generic], to: int) -> Floats:
    """Return `to` rows, each the mean over its share of the image's, in blocks of them."""
    n, columns = image.shape
    means = np.empty((to, columns), np.float32)
    # As many targets in a block that their sources are no more than BLOCK numbers.
    step = max(1, BLOCK * to // (n * columns))
    for first in range(0, to, step):
        last = min(first + step, to)
        low, high = first * n // to, min(n, -(-last * n // to))
        means[first:last] = _sums(
            image[low:high], np.arange(first, last + 1) * n / to - low
        )
    return means * np.float32(to / n)


def _sums(image: NDArray[np.generic], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of an image's rows between edges that may lie within rows."""
    rows = np.pad(as_floats(image), ((0, 1), (0, 0)))
    whole = np.minimum(edges.astype(np.intp), len(rows) - 1)
    # A sum to an edge is that of whole rows, and a share of the one it lies in.
    sums = np.zeros((len(rows), image.shape[1]))
    np.cumsum(rows[:-1], axis=0, dtype=np.float64, out=sums[1:])
    return np.diff(sums[whole] + (edges - whole)[:, None] * rows[whole], axis=0)


def as_floats(image: NDArray[np.generic]) -> Floats:
    """Return pixels in [0, 1]; bytes are divided by 255."""
    if image.dtype == np.uint8:
        image = np.divide(image, 255, dtype=np.float32)
    return image.astype(np.float32, copy=False)
