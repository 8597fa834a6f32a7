"""Safetensors files, read without trusting them.

A file has the length of its header as 8 bytes, little-endian, the header, and the data. The
header is a JSON object with type, shape and place (first byte and end, within the data) of each
tensor by its name, and texts under "__metadata__". No memory is taken for data, and none are
read, before the header agrees with itself and with the size of the file.
"""

import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base import nearby
from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    Source,
    errors_named,
    name_of,
    open_regular,
    read_source,
    size_of,
)
from rnn_native.base.text import printable

if TYPE_CHECKING:
    from os import PathLike

MAX_HEADER = 1 << 26
_MAX_RANK = 32  # what every NumPy can have
_MAX_BYTES = 1 << 62
_TYPES = {
    "BOOL": "?",
    **{
        f"{kind.upper()}{8 * size}": f"<{kind}{size}"
        for kind in "iu"
        for size in (1, 2, 4, 8)
    },
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    "C64": "<c8",
}

Tensors = dict[str, NDArray[Any]]


class _Entry(NamedTuple):
    """What a header says of a tensor."""

    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorFile:
    """A file that is open, and whose header is sound.

    Attributes
    ----------
    metadata : dict of str to str
        May be empty.
    """

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        file.seek(0)
        header = _read_header(file, size)
        self.metadata = _metadata_of(header.pop("__metadata__", {}))
        self._file = file
        self._entries = {name: _entry_of(name, entry) for name, entry in header.items()}
        self._begin = file.tell()
        _check_places(self._entries, size - self._begin)

    def tensors(self) -> Tensors:
        """Read all tensors, as separate arrays."""
        return {name: self._tensor(name, entry) for name, entry in self._entries.items()}

    def places(self) -> "dict[str, tuple[int, tuple[int, ...], np.dtype[Any]]]":
        """Return first byte in the file, shape and type of each tensor, by name."""
        return {
            name: (self._begin + entry.begin, entry.shape, entry.dtype)
            for name, entry in self._entries.items()
        }

    def _tensor(self, name: str, entry: _Entry) -> NDArray[Any]:
        array = np.empty(entry.shape, entry.dtype)
        rest = memoryview(array.reshape(-1).view(np.uint8).data)
        self._file.seek(self._begin + entry.begin)
        while rest:
            count = self._file.readinto(rest)
            if count == 0:
                raise ValueError(
                    f"{name}: the file ends within it; it has changed since it was opened"
                )
            rest = rest[count:]
        return array


@contextmanager
def opened(source: Source) -> Iterator[TensorFile]:
    """Open a file and read its header; faults within the block name the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it may not be read, or is not a regular file.
    FormatError
        If it is not a safetensors file, is damaged, or has types that NumPy lacks.
    """
    name = name_of(source)
    content = read_source(source)
    try:
        if content is not None:
            yield TensorFile(io.BytesIO(content), len(content))
            return
        with errors_named(name), _open_model(name) as file:
            yield TensorFile(file, size_of(file))
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"{name}: not a safetensors file, or damaged: {error}") from None
    except MemoryError:
        raise MemoryError(printable(f"{name}: not enough memory for its tensors")) from None


def read_tensors(path: Source) -> tuple[Tensors, dict[str, str]]:
    """Read any safetensors file: its tensors and its metadata, which may be empty.

    Parameters
    ----------
    path : path, binary file or bytes
        The file.

    Returns
    -------
    (dict of str to ndarray, dict of str to str)
        Tensors and metadata by name.

    Raises
    ------
    FileNotFoundError, OSError, FormatError
        As `opened`.

    Examples
    --------
    >>> import io
    >>> import rnn_native as rn
    >>> file = io.BytesIO()
    >>> rn.Network([rn.Dense(3)], input_shape=(4,)).save(file)
    >>> tensors, metadata = rn.checkpoint.read_tensors(file.getvalue())
    >>> {name: tensor.shape for name, tensor in tensors.items()}
    {'layers.0.bias': (3,), 'layers.0.weight': (4, 3)}
    """
    with opened(path) as file:
        return file.tensors(), file.metadata


def is_safetensors(path: "str | PathLike[str]") -> bool:
    """Return whether a file begins as safetensors do: a length that fits, and a brace.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    bool
        False where there is no such file, too.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.Network([rn.Dense(3)], input_shape=(4,)).save(f"{folder}/net")
    ...     print(rn.checkpoint.is_safetensors(f"{folder}/net"))
    True
    """
    with open_regular(path) as file:
        return begins_as_safetensors(file.read(9), size_of(file))


def begins_as_safetensors(head: bytes, size: int) -> bool:
    """Recognize it by the first nine bytes and the file's size.

    Parameters
    ----------
    head : bytes
        The first nine bytes of a file, or more.
    size : int
        Bytes of the whole file.

    Returns
    -------
    bool
        Whether it may be one.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.checkpoint.begins_as_safetensors(b"no model", 8)
    False
    """
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


def _open_model(path: AnyPath) -> io.BufferedReader:
    try:
        return open_regular(path)
    except FileNotFoundError:
        text = printable(f"{path}: no such model file") + nearby.hint(path)
        raise FileNotFoundError(text) from None


# ---- the header ----


def _read_header(file: io.BufferedIOBase, size: int) -> dict[str, Any]:
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise ValueError(
            f"its first 8 bytes announce a header of {length} bytes, but it has only {size}"
        )
    if length > MAX_HEADER:
        raise ValueError(f"header of {length} bytes, expected at most {MAX_HEADER}")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header cannot be read: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    return header


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _metadata_of(found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(t, str) for t in found.values()):
        raise ValueError("__metadata__: expected texts by name")
    return found


def _entry_of(name: str, entry: Any) -> _Entry:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name}: expected dtype, shape and data_offsets")
    kind, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise ValueError(f"{name}: type {str(kind)[:20]!r}; NumPy has {known}")
    if not _are_sizes(shape) or len(shape) > _MAX_RANK:
        raise ValueError(f"{name}: a shape that no array can have")
    if not _are_sizes(place) or len(place) != 2:
        raise ValueError(f"{name}: expected two data_offsets")
    dtype = np.dtype(_TYPES[kind])
    if math.prod(max(extent, 1) for extent in shape) * dtype.itemsize > _MAX_BYTES:
        raise ValueError(f"{name}: a shape that no array can have")
    begin, end = place
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(
            f"{name}: {kind} of shape {tuple(shape)} in {end - begin} bytes, which do not fit"
        )
    return _Entry(dtype, tuple(shape), begin, end)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value <= _MAX_BYTES for value in values
    )


def _check_places(entries: dict[str, _Entry], size: int) -> None:
    """See that the tensors lie one behind the other, and are all of the data."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.begin != end:
            raise ValueError(
                f"{name}: expected its data from byte {end}, got {entry.begin}"
            )
        end = entry.end
    if end != size:
        raise ValueError(f"expected {end} bytes of data, got {size}")


def serialized(tensors: Tensors, metadata: Mapping[str, str]) -> bytes:
    """Return the content of a file; MemoryError where there is no room for it.

    safetensors would end the process: what it needs is asked for first.
    """
    from safetensors.numpy import save

    size = sum(tensor.nbytes for tensor in tensors.values())
    bytearray(3 * size + (1 << 20))  # its own copy of each tensor, of all, and the result
    return save(tensors, metadata=dict(metadata))
