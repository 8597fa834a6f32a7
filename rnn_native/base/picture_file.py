"""Files of pictures, checked before they are unpacked."""

import errno
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, open_regular, shown, size_of

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64_000_000
# A file of some bytes can promise any number of pixels, and deliver them all with one value:
# beyond this ratio each byte has to stand for some of them.
FREE_PIXELS, PIXELS_A_BYTE = 12_000_000, 500
# Of Pillow's formats those whose headers show how much memory unpacking needs. Others hold
# files of other formats, which promise something else, or programs (EPS).
FORMATS = (
    "PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "AVIF", "DIB", "TGA", "PCX", "DDS",
    "QOI",
)  # fmt: skip
# Tags of TIFF: a tile is unpacked whole, however little of it is seen.
TILE_EXTENTS = 322, 323
# Pixels that are converted at a time.
PIECE = 1 << 20
# What decoders raise at damage, or whatever their authors came upon.
_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


class _Silence:
    """No warnings within its blocks, which threads may enter and leave in any order.

    The filters of warnings are the process's. If each block restored those that it found, the
    last one to end could restore those of another.
    """

    def __init__(self) -> None:
        self._lock, self._blocks = threading.Lock(), 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._blocks == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._blocks += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._blocks -= 1
            if self._blocks == 0:
                self._filters.__exit__(None, None, None)


_SILENCE = _Silence()


@contextmanager
def opened_picture(path: AnyPath) -> Iterator["Image"]:
    """Open and unpack a picture; what its content makes fail within the block names it.

    Raises
    ------
    FormatError
        If it is not an image, is damaged, or has more than 64 million pixels, or more than
        12 million and 500 for each byte of the file.
    OSError
        If it cannot be read, or is not a regular file.
    MemoryError
        If there is not enough memory for it.
    """
    with open_regular(path) as file, _unpacked(file, path) as picture:
        yield picture


@contextmanager
def _unpacked(file: IO[bytes], path: AnyPath) -> Iterator["Image"]:
    from PIL import Image, UnidentifiedImageError

    size = size_of(file)
    try:
        # Its limit on pixels is checked here, and damage that it can repair is accepted.
        with _SILENCE, Image.open(file, formats=_formats()) as picture:
            _check_extents(picture, size, path)
            picture.load()
            _check_extents(picture, size, path)
            yield picture
    except UnidentifiedImageError:
        raise FormatError(f"{shown(path)}: not an image that can be read") from None
    except Image.DecompressionBombError:
        raise FormatError(too_large(path)) from None
    except FormatError:
        raise
    except Exception as error:
        if _is_lack_of_memory(error):
            raise MemoryError(
                f"{shown(path)}: needs more memory than is available"
            ) from None
        if not _is_of_the_picture(error):
            if isinstance(error, OSError) and error.errno is not None:
                error.filename = error.filename or os.fspath(path)
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{shown(path)}: damaged image: {reason}") from None


def _is_lack_of_memory(error: Exception) -> bool:
    """Return whether memory was short; Pillow reports it as OSError, too."""
    is_decoders = type(error) is OSError and error.errno is None
    return isinstance(error, MemoryError) or (is_decoders and "out of memory" in str(error))


def _is_of_the_picture(error: Exception) -> bool:
    """Return whether the content of a file made its decoder raise an error.

    The types of others are not theirs: a handler of signals may raise in the midst of a
    decoder, and its exception means something to who has written it.
    """
    if isinstance(error, OSError):
        # EINVAL is where a damaged file sends its decoder.
        return type(error) is OSError and error.errno in (None, errno.EINVAL)
    home = type(error).__module__.partition(".")[0]
    return isinstance(error, _FAULTS) and home in ("builtins", "struct", "zlib", "PIL")


def _formats() -> list[str]:
    """Return those of `FORMATS` that this Pillow has, in the order they are tried."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


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
        raise FormatError(f"{too_large(path)}; got {columns} x {rows}")
    if count > FREE_PIXELS + PIXELS_A_BYTE * file_bytes:
        raise FormatError(
            f"{shown(path)}: too large for a file of {file_bytes} bytes: expected at most "
            f"{FREE_PIXELS // 10**6} million pixels and {PIXELS_A_BYTE} for each byte, got "
            f"{columns} x {rows}"
        )


def too_large(path: AnyPath) -> str:
    """Return the message about a picture of too many pixels."""
    return (
        f"{shown(path)}: too large: expected at most {MOST_PIXELS // 10**6} million pixels"
    )


def pieces(
    picture: "Image", top: int = 0, bottom: int | None = None
) -> Iterator[tuple[int, int, "Image"]]:
    """Yield the rows from `top` to `bottom` in pieces that need little memory.

    Each with the row and the column of its first pixel.
    """
    end = picture.height if bottom is None else bottom
    columns = min(picture.width, PIECE)
    rows = max(1, PIECE // columns)
    for row in range(top, end, rows):
        for column in range(0, picture.width, columns):
            right, below = min(column + columns, picture.width), min(row + rows, end)
            yield row, column, picture.crop((column, row, right, below))
