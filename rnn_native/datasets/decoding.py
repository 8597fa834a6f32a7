"""Pictures to rows of a file: what a worker process of `from_folder` does.

It reads its job from standard input, as JSON, and writes to standard output which pictures are
broken, or what kept it from decoding.
"""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base.errors import FormatError
from rnn_native.base.files import errors_named, shown
from rnn_native.base.picture_file import MOST_PIXELS, PIECE, opened_picture, pieces

if TYPE_CHECKING:
    from PIL.Image import Image


def decode(job: dict[str, Any]) -> list[list[Any]]:
    """Decode pictures into an existing file.

    Parameters
    ----------
    job : dict
        root; pictures, pairs of row and path below root; out, the file; name, which errors
        call it; begin, its first byte of rows; shape of a row, (height, width) or
        (3, height, width).

    Returns
    -------
    list of [int, str]
        Row and message of each picture that is broken.

    Raises
    ------
    OSError, MemoryError
        If a file cannot be read or written, whatever it has.
    """
    faults: list[list[Any]] = []
    shape, root = tuple(job["shape"]), Path(job["root"])
    with Path(job["out"]).open("r+b") as out:
        for row, name in job["pictures"]:
            path = root / name
            try:
                pixels = _pixels(path, shape)
            except FormatError as error:
                reason = str(error).removeprefix(f"{shown(path)}: ")
                faults.append([row, f"{path}: not a picture, or broken: {reason}"])
                continue
            with errors_named(job["name"]):
                out.seek(job["begin"] + row * math.prod(shape))
                out.write(pixels)
                out.flush()
    return faults


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Return what `decode` returns, as faults, or the error that ended it; see `faults_of`."""
    try:
        return {"faults": decode(job)}
    except MemoryError as error:
        return {"memory": str(error)}
    except OSError as error:
        if error.errno is None:
            raise
        return {"error": [error.errno, error.strerror, error.filename]}


def faults_of(found: dict[str, Any]) -> list[list[Any]]:
    """Return the broken pictures of an answer, or raise the error that it has."""
    if "memory" in found:
        raise MemoryError(found["memory"])
    if "error" in found:
        raise OSError(*found["error"])
    faults: list[list[Any]] = found["faults"]
    return faults


def _pixels(path: Path, shape: tuple[int, ...]) -> bytes:
    mode = "RGB" if len(shape) == 3 else "L"
    with opened_picture(path) as picture:
        bands = [_band(picture, mode, channel, shape[-2:]) for channel in mode]
    return b"".join(bands)


def _band(picture: "Image", mode: str, channel: str, size: tuple[int, ...]) -> bytes:
    """Return a channel of a picture that is brought to (height, width).

    The bytes are those of converting and resizing all of it at once, which need several
    times the memory of the picture.
    """
    from PIL import Image

    height, width = size
    # Pillow resizes rows first, but columns of a thin picture; so does this, and also where
    # longer rows would make it a large one.
    is_thin = picture.height > max(100 * picture.width, height)
    is_thin |= picture.width < width and width * picture.height > MOST_PIXELS
    first = picture.width if is_thin else width
    narrow = Image.new("L", (first, picture.height))
    rows = max(1, PIECE // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        strip = Image.new("L", (picture.width, bottom - top))
        for row, column, piece in pieces(picture, top, bottom):
            strip.paste(piece.convert(mode).getchannel(channel), (column, row - top))
        made = strip.resize((first, strip.height), Image.Resampling.BILINEAR)
        narrow.paste(made, (0, top))
    for extents in ((first, height), (width, height)):
        narrow = narrow.resize(extents, Image.Resampling.BILINEAR)
    return narrow.tobytes()


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
