"""Arrays in files, of which parts are read: IDX, npy, and tensors of safetensors."""

import glob
import io
import math
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import open_regular, size_of
from rnn_native.base.npy_header import MAX_RANK, read_npy_header
from rnn_native.base.text import brief
from rnn_native.net.tensor_file import is_safetensors, opened

AnyPath = str | os.PathLike[str]

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


class Shard(NamedTuple):
    """Where the elements of an array are in a file, in C order.

    Attributes
    ----------
    path : str
    begin : int
        Of the first element, in bytes.
    shape : tuple of int
    dtype : numpy.dtype
    """

    path: str
    begin: int
    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"


class Rows:
    """The rows of several files, one file behind the other.

    Parameters
    ----------
    shards : sequence of Shard
        Of one dtype and shape, the number of rows aside.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype

    Raises
    ------
    FormatError
        If shapes or dtypes differ, or a file has no rows.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        first = shards[0]
        for shard in shards:
            if not shard.shape or 0 in shard.shape:
                raise FormatError(f"{shard.path}: expected rows, got shape {shard.shape}")
            if shard.shape[1:] != first.shape[1:] or shard.dtype != first.dtype:
                raise FormatError(
                    f"{shard.path}: expected rows of {first.dtype} of shape "
                    f"{first.shape[1:]}, as {first.path} has, got {shard.dtype} of shape "
                    f"{shard.shape[1:]}"
                )
        self.shards = list(shards)
        self.begins = [0]
        for shard in shards:
            self.begins.append(self.begins[-1] + shard.shape[0])
        self.shape = (self.begins[-1], *first.shape[1:])
        self.dtype = first.dtype
        self.row_bytes = math.prod(first.shape[1:]) * first.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def empty(self, count: int) -> NDArray[Any]:
        """Return an array for some rows."""
        return np.empty((count, *self.shape[1:]), self.dtype)

    def read(self, begin: int, out: NDArray[Any]) -> None:
        """Fill an array with the rows from `begin` on.

        Raises
        ------
        FormatError
            If a file has become shorter.
        """
        rest = memoryview(out.reshape(-1).view(np.uint8).data)
        for shard, offset, count in self._pieces(begin, begin + len(out)):
            with open_regular(shard.path) as file:
                file.seek(offset)
                _read_into(file, rest[:count], shard.path)
            rest = rest[count:]

    def will_need(self, begin: int, end: int) -> None:
        """Let the system read rows ahead, where it can be asked to."""
        advise = getattr(os, "posix_fadvise", None)
        if advise is None:
            return
        for shard, offset, count in self._pieces(begin, end):
            with suppress(OSError), open_regular(shard.path) as file:
                advise(file.fileno(), offset, count, os.POSIX_FADV_WILLNEED)

    def _pieces(self, begin: int, end: int) -> Iterator[tuple[Shard, int, int]]:
        """Yield file, first byte and number of bytes of each part of a range of rows."""
        for shard, first, stop in zip(
            self.shards, self.begins, self.begins[1:], strict=False
        ):
            low, high = max(begin, first), min(end, stop)
            if low < high:
                place = shard.begin + (low - first) * self.row_bytes
                yield shard, place, (high - low) * self.row_bytes


def _read_into(file: io.BufferedReader, rest: memoryview, path: str) -> None:
    while rest:
        count = file.readinto(rest)
        if not count:
            raise FormatError(
                f"{path}: it ends too early; it has changed since it was opened"
            )
        rest = rest[count:]


def files_of(given: AnyPath | Sequence[AnyPath], name: str) -> list[str]:
    """Return paths: one, several, or those that match a pattern, by their names.

    Raises
    ------
    FileNotFoundError
        If nothing matches.
    ValueError
        If there are no shards.
    TypeError
        If it is neither a path nor paths.
    """
    if isinstance(given, (str, os.PathLike)):
        path = os.fspath(given)
        if not any(sign in path for sign in "*?[") or Path(path).exists():
            return [path]
        found = sorted(glob.glob(path))  # noqa: PTH207 - Path.glob has no absolute patterns
        if not found:
            raise FileNotFoundError(f"{name}: no file matches {path!r}")
        return found
    try:
        paths = [os.fspath(path) for path in given]
    except TypeError:
        raise TypeError(
            f"{name}: expected a path or a sequence of paths, got {brief(given)}"
        ) from None
    if not paths:
        raise ValueError(f"{name}: expected at least one file, got none")
    return paths


def open_shard(path: str, tensor: str) -> Shard:
    """Return where the array of a file is; `tensor` is its name among safetensors.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it is not a regular one.
    FormatError
        If it is of no known format, damaged, or not of plain numbers in C order.
    """
    with open_regular(path) as file:
        size = size_of(file)
        head = file.read(4)
        file.seek(0)
        if head == b"\x93NUM":
            shard = _npy(file, path)
        elif head[:2] == b"\0\0" and len(head) == 4 and head[2] in _IDX_TYPES:
            shard = _idx(file, path)
        elif is_safetensors(path):
            shard = _safetensors(path, tensor)
        else:
            hint = "; unpack it first" if head[:2] == b"\x1f\x8b" else ""
            raise FormatError(f"{path}: expected an IDX, npy or safetensors file{hint}")
    if shard.dtype.kind not in "biuf":
        raise FormatError(f"{path}: expected numbers, got {shard.dtype}")
    wanted = shard.begin + math.prod(shard.shape) * shard.dtype.itemsize
    if size < wanted:
        raise FormatError(
            f"{path}: truncated: expected {wanted} bytes for shape {shard.shape}, got {size}"
        )
    return shard


def _npy(file: IO[bytes], path: str) -> Shard:
    header = read_npy_header(file, path)
    if header.is_fortran and len(header.shape) > 1:
        raise FormatError(
            f"{path}: expected rows in C order, got Fortran order; save "
            "np.ascontiguousarray(array)"
        )
    return Shard(path, header.offset, header.shape, header.dtype)


def _idx(file: IO[bytes], path: str) -> Shard:
    head = file.read(4)
    if head[3] > MAX_RANK:
        raise FormatError(
            f"{path}: expected an IDX file of at most {MAX_RANK} dimensions, got {head[3]}"
        )
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise FormatError(f"{path}: truncated IDX file: its header is not whole")
    shape = struct.unpack(f">{head[3]}I", sizes)
    return Shard(path, file.tell(), shape, np.dtype(_IDX_TYPES[head[2]]))


def _safetensors(path: str, tensor: str) -> Shard:
    with opened(path) as found:
        places = found.places()
    if tensor not in places:
        raise FormatError(
            f"{path}: expected a tensor {tensor!r}, got {', '.join(sorted(places)) or 'none'}"
        )
    return Shard(path, *places[tensor])
