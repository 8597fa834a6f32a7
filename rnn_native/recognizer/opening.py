"""Pictures from files, checked before they are unpacked."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, regular_file_size, shown

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64_000_000
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".pnm")
)


def read_picture(path: AnyPath) -> NDArray[np.uint8]:
    """Read an image file as grey bytes; what is transparent is white.

    Returns
    -------
    ndarray of shape (rows, columns), uint8
        Turned as the camera's note in the file says; of several frames the first.

    Raises
    ------
    FormatError
        If it is no image, damaged, or has more than 64 million pixels.
    OSError
        If it cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    regular_file_size(path)
    try:
        with warnings.catch_warnings():
            # Its limit on pixels is checked here, and damage that it can mend is none.
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                _check_size(picture.size, path)
                return _as_grey(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise FormatError(f"{shown(path)}: not an image that can be read") from None
    except Image.DecompressionBombError:
        raise FormatError(_too_large(path)) from None
    except FormatError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{shown(path)}: damaged image: {reason}") from None


def _as_grey(picture: "Image") -> NDArray[np.uint8]:
    from PIL import Image

    if picture.mode in ("F", "I") or picture.mode.startswith("I;"):
        # More than 8 bits: Pillow would cut them off.
        values = np.asarray(picture, np.float64)
        span = float(np.ptp(values))
        scaled = 255 * (values - values.min()) / span if span > 0 else 0 * values
        return np.rint(scaled).astype(np.uint8)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(picture.convert("RGB").convert("L"))


def _check_size(size: tuple[int, int], path: AnyPath) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise FormatError(f"{_too_large(path)}; got {size[0]} x {size[1]}")


def _too_large(path: AnyPath) -> str:
    return (
        f"{shown(path)}: too large: expected at most {MOST_PIXELS // 10**6} million pixels"
    )


def pictures_in(path: AnyPath) -> list[Path]:
    """Return a file itself, or a folder's image files by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or the folder has no image.
    """
    place = Path(path)
    if not place.is_dir():
        return [place]
    found = sorted(
        p for p in place.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()
    )
    if not found:
        raise FileNotFoundError(f"{shown(path)}: no image in this folder")
    return found
