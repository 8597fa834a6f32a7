"""Pictures from files, checked before they are unpacked."""

import errno
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, regular_file_size, shown
from rnn_native.recognizer.contrast import (
    GRAY,
    best_projection,
    is_white_ink,
    projected,
)

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes = NDArray[np.uint8]

MOST_PIXELS = 64_000_000
# A file of some bytes can promise any number of pixels, and deliver them all with one value:
# beyond this ratio each byte has to stand for some of them.
FREE_PIXELS, PIXELS_A_BYTE = 12_000_000, 500
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".pnm")
)
# Of Pillow's formats those whose headers show how much memory unpacking needs. Others hold
# files of other formats, which promise something else, or programs (EPS).
FORMATS = (
    "PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "AVIF", "DIB", "TGA", "PCX", "DDS",
    "QOI",
)  # fmt: skip
ORIENTATION = 0x0112  # tag of Exif
TILE_EXTENTS = (
    322,
    323,
)  # tags of TIFF: a tile is unpacked whole, however little of it is seen
# Pixels that are converted at a time.
STRIP = 1 << 20
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
    from PIL import Image, UnidentifiedImageError

    size = regular_file_size(path)
    try:
        with warnings.catch_warnings():
            # Its limit on pixels is checked here, and damage that it can repair is accepted.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_formats()) as picture:
                _check_extents(picture, size, path)
                picture.load()
                _check_extents(picture, size, path)
                return _turned(gray_of(picture), picture.getexif().get(ORIENTATION, 1))
    except UnidentifiedImageError:
        raise FormatError(f"{shown(path)}: not an image that can be read") from None
    except Image.DecompressionBombError:
        raise FormatError(_too_large(path)) from None
    except FormatError:
        raise
    except MemoryError:
        raise FormatError(f"{shown(path)}: needs more memory than is available") from None
    except Exception as error:
        # Decoders raise whatever their authors came upon; EINVAL is where the file sends them.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            error.filename = error.filename or os.fspath(path)
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{shown(path)}: damaged image: {reason}") from None


def _formats() -> list[str]:
    """Return those of `FORMATS` that this Pillow has, in the order they are tried."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def gray_of(picture: "Image") -> Bytes:
    """Return a loaded picture's pixels as gray bytes that show the ink: see `read_picture`."""
    gray = np.empty((picture.height, picture.width), np.uint8)
    is_deep = picture.mode in ("F", "I") or picture.mode.startswith("I;")
    convert = _depth_cut(picture) if is_deep else _color_cut(picture)
    for top, strip in _strips(picture):
        gray[top : top + strip.height] = convert(strip)
    return gray


def _strips(picture: "Image") -> Iterator[tuple[int, "Image"]]:
    """Yield the picture in strips from top to bottom, which need little memory."""
    rows = max(1, STRIP // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        yield top, picture.crop((0, top, picture.width, bottom))


def _depth_cut(picture: "Image") -> Callable[["Image"], Bytes]:
    """Return how pixels of more than 8 bits become bytes; Pillow would cut bits off."""
    low, high = np.inf, -np.inf
    for _, strip in _strips(picture):
        values = np.asarray(strip, np.float64)
        low, high = np.minimum(low, values.min()), np.maximum(high, values.max())
    span = float(high - low)
    if not np.isfinite(span):
        raise ValueError("pixels that are not finite")

    def convert(strip: "Image") -> Bytes:
        values = np.asarray(strip, np.float64)
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

    def convert(strip: "Image") -> Bytes:
        rgb = _opaque(strip, ground)
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


def _check_extents(picture: "Image", file_bytes: int, path: AnyPath) -> None:
    columns, rows = picture.size
    if columns * rows < 1:
        raise FormatError(f"{shown(path)}: an image without pixels")
    tags = getattr(picture, "tag_v2", {})
    for width, height in (picture.size, [tags.get(tag, 1) for tag in TILE_EXTENTS]):
        _check_count(width, height, file_bytes, path)


def _check_count(columns: int, rows: int, file_bytes: int, path: AnyPath) -> None:
    count = columns * rows
    if count > MOST_PIXELS:
        raise FormatError(f"{_too_large(path)}; got {columns} x {rows}")
    if count > FREE_PIXELS + PIXELS_A_BYTE * file_bytes:
        raise FormatError(
            f"{shown(path)}: too large for a file of {file_bytes} bytes: expected at most "
            f"{FREE_PIXELS // 10**6} million pixels and {PIXELS_A_BYTE} for each byte, got "
            f"{columns} x {rows}"
        )


def _too_large(path: AnyPath) -> str:
    return (
        f"{shown(path)}: too large: expected at most {MOST_PIXELS // 10**6} million pixels"
    )


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
        raise FormatError(_too_large("the copied picture"))
    return gray_of(picture)
