"""Pictures from files as gray pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, shown
from rnn_native.base.picture_file import MOST_PIXELS, opened_picture, pieces, too_large
from rnn_native.recognizer.contrast import (
    GRAY,
    best_projection,
    is_white_ink,
    projected,
)

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes = NDArray[np.uint8]

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".pnm")
)
ORIENTATION = 0x0112  # tag of Exif
# Colors are inspected with about this longer side.
SAMPLE = 320


def read_picture(path: AnyPath) -> Bytes:
    """Read an image file as gray bytes that show the ink, whatever its color.

    Transparent pixels are white, or black if all that is opaque is white.

    Returns
    -------
    ndarray of shape (rows, columns), uint8
        Turned as the camera's note in the file says; of several frames the first.

    Raises
    ------
    FormatError
        If it is not an image, is damaged, or has more than 64 million pixels, or more than
        12 million and 500 for each byte of the file.
    OSError
        If it cannot be read.
    """
    try:
        with opened_picture(path) as picture:
            return _turned(gray_of(picture), picture.getexif().get(ORIENTATION, 1))
    except MemoryError as error:
        raise FormatError(str(error)) from None


def gray_of(picture: "Image") -> Bytes:
    """Return a loaded picture's pixels as gray bytes that show the ink: see `read_picture`."""
    gray = np.empty((picture.height, picture.width), np.uint8)
    is_deep = picture.mode in ("F", "I") or picture.mode.startswith("I;")
    convert = _depth_cut(picture) if is_deep else _color_cut(picture)
    for top, left, piece in pieces(picture):
        gray[top : top + piece.height, left : left + piece.width] = convert(piece)
    return gray


def _depth_cut(picture: "Image") -> Callable[["Image"], Bytes]:
    """Return how pixels of more than 8 bits become bytes; Pillow would cut bits off."""
    low, high = np.inf, -np.inf
    for _, _, piece in pieces(picture):
        values = np.asarray(piece, np.float64)
        low, high = np.minimum(low, values.min()), np.maximum(high, values.max())
    span = float(high - low)
    if not np.isfinite(span):
        raise ValueError("pixels that are not finite")

    def convert(piece: "Image") -> Bytes:
        values = np.asarray(piece, np.float64)
        scaled = 255 * (values - low) / span if span > 0 else 0 * values
        return np.rint(scaled).astype(np.uint8)

    return convert


def _color_cut(picture: "Image") -> Callable[["Image"], Bytes]:
    """Return how colors become gray: so that the ink shows, on white unless it is white."""
    small = _sample(picture)
    ground = "white"
    if small.has_transparency_data:
        rgba = np.asarray(small.convert("RGBA"))
        ground = "black" if is_white_ink(rgba[..., :3], rgba[..., 3]) else "white"
    if picture.mode in ("1", "L", "LA", "La"):
        projection = GRAY
    else:
        projection = best_projection(np.asarray(_opaque(small, ground)))

    def convert(piece: "Image") -> Bytes:
        rgb = _opaque(piece, ground)
        if projection is GRAY:
            return np.asarray(rgb.convert("L"))
        return projected(np.asarray(rgb), projection)

    return convert


def _sample(picture: "Image") -> "Image":
    """Return every n-th pixel of a picture, in its mode."""
    from PIL import Image

    step = max(1, max(picture.size) // SAMPLE)
    size = (max(1, picture.width // step), max(1, picture.height // step))
    return picture.resize(size, Image.Resampling.NEAREST) if step > 1 else picture


def _opaque(picture: "Image", ground: str) -> "Image":
    """Return a picture in red, green and blue, on a ground where it is transparent."""
    from PIL import Image

    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, ground), rgba)
    return picture.convert("RGB")


def _turned(gray: Bytes, orientation: object) -> Bytes:
    """Return pixels as they were seen; `orientation` is Exif's, 1 to 8."""
    if orientation in (2, 5, 7):
        gray = gray[:, ::-1]
    elif orientation == 4:
        gray = gray[::-1]
    quarters = {3: 2, 5: 1, 6: -1, 7: -1, 8: 1}  # counterclockwise
    turns = quarters.get(orientation, 0) if isinstance(orientation, int) else 0
    return np.ascontiguousarray(np.rot90(gray, turns))


def pictures_in(path: AnyPath) -> tuple[list[Path], list[Path]]:
    """Return a file itself, or a folder's image files by name, and the folder's other files.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the folder has no image.
    """
    place = Path(path)
    if not place.is_dir():
        return [place], []
    files = sorted(p for p in place.iterdir() if p.is_file())
    found = [p for p in files if p.suffix.lower() in SUFFIXES]
    if not found:
        raise FileNotFoundError(f"{shown(path)}: no image in this folder")
    return found, [p for p in files if p.suffix.lower() not in SUFFIXES]


def read_copied(picture: "Image") -> Bytes:
    """Return a picture's pixels as `read_picture` does those of a file.

    Raises
    ------
    FormatError
        If it has more than 64 million pixels, or none.
    """
    if not 0 < picture.width * picture.height <= MOST_PIXELS:
        raise FormatError(too_large("the copied picture"))
    return gray_of(picture)
