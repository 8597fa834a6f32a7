"""Files that end with a checksum of all that is before it, CRC-32 in four bytes."""

import os
import zlib
from typing import IO

from rnn_native.base.files import AnyPath, open_regular, size_of

_BYTES = 4
_PIECE = 1 << 20


def seal(file: IO[bytes]) -> None:
    """Append the checksum to a file that is open for reading and writing."""
    size = file.seek(0, os.SEEK_END)
    file.write(_checksum(file, size))


def is_whole(path: AnyPath) -> bool:
    """Whether a file ends with its checksum.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    """
    with open_regular(path) as file:
        size = size_of(file) - _BYTES
        return size >= 0 and _checksum(file, size) == file.read()


def _checksum(file: IO[bytes], size: int) -> bytes:
    """Return the checksum of the first bytes, and leave the file after them."""
    file.seek(0)
    found = 0
    while size > 0 and (piece := file.read(min(size, _PIECE))):
        found = zlib.crc32(piece, found)
        size -= len(piece)
    return found.to_bytes(_BYTES, "little")
