"""What an npy file says before its data, read without trust and in little memory."""

import ast
import re
import struct
from typing import IO, Any, NamedTuple

import numpy as np

from rnn_native.base.errors import FormatError

MAX_HEADER = 10_000
MAX_RANK = 8

_MAGIC = b"\x93NUMPY"
_DTYPE = re.compile(r"[<>=|]?(?:f[248]|[iu][1248]|b1)")
_LONG = re.compile(rb"(?<=[0-9])L(?=[,)])")  # as Python 2 wrote sizes


class NpyHeader(NamedTuple):
    """What an npy file says about its data, and where they begin.

    Attributes
    ----------
    dtype : numpy.dtype
    is_fortran : bool
    shape : tuple of int
    offset : int
    """

    dtype: "np.dtype[Any]"
    is_fortran: bool
    shape: tuple[int, ...]
    offset: int


def read_npy_header(file: IO[bytes], name: str) -> NpyHeader:
    """Read the header of an npy file from its beginning.

    Parameters
    ----------
    file : binary file
        At its beginning.
    name : str
        What messages call the file.

    Returns
    -------
    NpyHeader

    Raises
    ------
    FormatError
        If it is not an npy file of integers or floats.
    """
    start = file.read(8)
    if len(start) < 8 or start[:6] != _MAGIC:
        raise FormatError(
            f"{name}: not an npy file: it begins with 0x{start[:6].hex()}, "
            f"expected 0x{_MAGIC.hex()}"
        )
    if start[6] not in (1, 2, 3):
        raise FormatError(
            f"{name}: npy format version {start[6]}.{start[7]}, expected 1 to 3"
        )
    kind = "<H" if start[6] == 1 else "<I"
    raw = file.read(struct.calcsize(kind))
    length = struct.unpack(kind, raw)[0] if len(raw) == struct.calcsize(kind) else 0
    if length > MAX_HEADER:
        raise FormatError(
            f"{name}: npy header of {length} bytes, expected at most {MAX_HEADER}"
        )
    text = file.read(length)
    if not length or len(text) < length:
        raise FormatError(f"{name}: truncated npy file: it ends within its header")
    return _parse(text, 8 + len(raw) + length, name)


def _parse(text: bytes, offset: int, name: str) -> NpyHeader:
    broken = FormatError(f"{name}: damaged npy file: its header is not that of an array")
    try:
        entries = ast.literal_eval(_LONG.sub(b"", text).decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        # What deep nesting in hostile headers ends in depends on Python's version.
        raise broken from None
    if not isinstance(entries, dict) or set(entries) != {"descr", "fortran_order", "shape"}:
        raise broken
    shape, is_fortran = entries["shape"], entries["fortran_order"]
    if not isinstance(is_fortran, bool) or not isinstance(shape, tuple):
        raise broken
    if len(shape) > MAX_RANK:
        raise broken
    if not all(type(axis) is int and 0 <= axis < 1 << 40 for axis in shape):
        raise FormatError(
            f"{name}: npy header: expected a shape of integers in [0, 2**40), got "
            f"{str(shape)[:60]}"
        )
    return NpyHeader(_parse_dtype(entries["descr"], name), is_fortran, shape, offset)


def _parse_dtype(descr: object, name: str) -> "np.dtype[Any]":
    if isinstance(descr, str) and re.fullmatch(r"[<>=|]?O[0-9]*", descr):
        raise FormatError(
            f"{name}: expected numbers, got Python objects, which are pickled and not read"
        )
    if not isinstance(descr, str) or not _DTYPE.fullmatch(descr):
        raise FormatError(
            f"{name}: expected integers or floats of up to 8 bytes, got the data type "
            f"{str(descr)[:40]!r}"
        )
    return np.dtype(descr)
