"""Pictures of arrays in the form that Tk and files take, with colours for overlays."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# Orange and blue of Okabe and Ito (2008): told apart whatever one's colour vision.
ORANGE, BLUE = "#E69F00", "#0072B2"
_HEAT = np.array([230, 159, 0], np.float32)


def coloured(image: Floats, overlay: Floats | None = None) -> Bytes:
    """Return a grey image as RGB, with an overlay in orange above it.

    Parameters
    ----------
    image, overlay : ndarray of shape (rows, columns), float32, in [0, 1]

    Returns
    -------
    ndarray of shape (rows, columns, 3), uint8
    """
    grey = np.repeat(image[:, :, None] * np.float32(255), 3, axis=2)
    if overlay is not None:
        share = np.float32(0.85) * overlay[:, :, None]
        grey = grey * (1 - share) + _HEAT * share
    coloured: Bytes = np.rint(grey).astype(np.uint8)
    return coloured


def ppm(rgb: Bytes, zoom: int = 1) -> bytes:
    """Return RGB pixels as a portable pixmap, each `zoom` x `zoom` large."""
    large = rgb.repeat(zoom, axis=0).repeat(zoom, axis=1)
    rows, columns, _ = large.shape
    return b"P6 %d %d 255\n" % (columns, rows) + large.tobytes()
