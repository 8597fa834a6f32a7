"""Pictures in the form that Tk needs, and the colors beside them."""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

# Orange and blue of Okabe and Ito (2008): which can be distinguished with any color vision.
ORANGE, BLUE = "#E69F00", "#0072B2"


def ppm(rgb: Bytes, zoom: int = 1) -> bytes:
    """Return RGB pixels as a portable pixmap, each `zoom` x `zoom` large."""
    large = rgb.repeat(zoom, axis=0).repeat(zoom, axis=1)
    rows, columns, _ = large.shape
    return b"P6 %d %d 255\n" % (columns, rows) + large.tobytes()
