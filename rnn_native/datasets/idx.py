"""IDX, the file format of MNIST: reading with every check, and writing.

A file is two zero bytes, a type code, the rank, the sizes as big-endian 32-bit numbers, and
then the elements, big-endian, in C order. It may be packed with gzip. uint8 is what MNIST's
files have; all six types are read.
"""

import io
import math
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    atomic_write,
    errors_named,
    open_regular,
    shown,
    size_of,
)
from rnn_native.datasets.packed import GZIP_MAGIC, gunzipped, gzip_faults, gzipped
from rnn_native.datasets.pairs import Bytes, as_bytes, check_labels, require_pair

__all__ = [
    "load_idx",
    "read_idx",
    "read_images",
    "read_label_rows",
    "read_labels",
    "write_idx",
]

# A few megabytes of gzip can unpack to gigabytes, and a file with holes takes no room on a
# disk; the largest file of the MNIST family (EMNIST by class) has 550 MB.
MAX_UNPACKED = 1 << 30
_DEFLATE_MOST = 1032  # bytes that one byte of a gzip file can stand for
_PIECE = 1 << 20
_UINT8 = 0x08
_TYPES = {_UINT8: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# What files of a rank hold.
_KINDS = {1: "labels, rank 1", 2: "rows of labels, rank 2", 3: "images, rank 3"}


def read_idx(path: AnyPath, *, max_bytes: int = MAX_UNPACKED) -> NDArray[Any]:
    """Read an IDX file.

    Nothing is allocated before the header agrees with the size of the file, and of
    a gzip file no more is unpacked than its header announces.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip (recognized by its content, not its name).
    max_bytes : int, default 1 GiB
        The most that a file may announce.

    Returns
    -------
    ndarray of rank 1 to 4
        The content, with the shape and the type of the header: uint8, int8, int16,
        int32, float32 or float64.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one, or reading fails.
    FormatError
        If the file is not IDX, not of rank 1 to 4, shorter or longer than its header
        says, damaged, or larger than `max_bytes`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.datasets.write_idx(f"{folder}/x.gz", np.eye(2, dtype=np.uint8))
    ...     print(rn.datasets.read_idx(f"{folder}/x.gz"))
    [[1 0]
     [0 1]]
    """
    return _read(path, None, max_bytes)


def read_images(path: AnyPath) -> Bytes:
    """Read an IDX file of images.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip.

    Returns
    -------
    ndarray of shape (n, rows, columns), uint8
        The images.

    Raises
    ------
    OSError, FormatError
        As `read_idx`, and if the rank is not 3 or a value is not a whole number from 0 to
        255.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.datasets.write_idx(f"{folder}/images", np.zeros((5, 28, 28), np.uint8))
    ...     print(rn.idx.read_images(f"{folder}/images").shape)
    (5, 28, 28)
    """
    return as_bytes(_read(path, 3, MAX_UNPACKED), shown(path))


def read_labels(path: AnyPath, classes: int = 10) -> Bytes:
    """Read an IDX file of labels.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip.
    classes : int, default 10
        Labels must be smaller than this.

    Returns
    -------
    ndarray of shape (n,), uint8
        The labels.

    Raises
    ------
    OSError, FormatError
        As `read_idx`, and if the rank is not 1, or a label is not a whole number from 0 up
        and smaller than `classes`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.datasets.write_idx(f"{folder}/labels", np.array([7, 2], np.uint8))
    ...     print(rn.idx.read_labels(f"{folder}/labels"))
    [7 2]
    """
    labels = as_bytes(_read(path, 1, MAX_UNPACKED), shown(path))
    check_labels(labels, classes, shown(path))
    return labels


def read_label_rows(path: AnyPath) -> NDArray[np.int32]:
    """Read an IDX file of several int32 labels per image, as QMNIST has it.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip.

    Returns
    -------
    ndarray of shape (n, labels), int32
        One row per image.

    Raises
    ------
    OSError, FormatError
        As `read_idx`, and if the file is not one of int32 of rank 2.
    """
    rows = _read(path, 2, MAX_UNPACKED)
    if rows.dtype != np.int32:
        raise FormatError(f"{shown(path)}: IDX file of {rows.dtype}, expected int32")
    return rows


def load_idx(
    images_path: AnyPath, labels_path: AnyPath, classes: int = 10
) -> tuple[Bytes, Bytes]:
    """Read images and their labels.

    Parameters
    ----------
    images_path, labels_path : str or path-like
        IDX files, plain or packed with gzip.
    classes : int, default 10
        Labels must be smaller than this.

    Returns
    -------
    images : ndarray of shape (n, rows, columns), uint8
        The images.
    labels : ndarray of shape (n,), uint8
        Their labels.

    Raises
    ------
    OSError, FormatError
        As `read_images` and `read_labels`, and if there are more images than
        labels or the reverse.

    Examples
    --------
    >>> images, labels = load_idx("x-images.gz", "x-labels.gz")  # doctest: +SKIP
    """
    labels = read_labels(labels_path, classes)
    images = read_images(images_path)
    require_pair(images, labels, images_path, labels_path)
    return images, labels


def write_idx(path: AnyPath, array: Bytes) -> None:
    """Write an array as an IDX file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file. It is packed with gzip if its name ends in ``.gz``; the same array
        then always has the same bytes, as no time or name is stored.
    array : ndarray of rank 1 to 4, uint8
        What to write.

    Raises
    ------
    TypeError
        If `array` is not uint8.
    ValueError
        If its rank is not 1 to 4, or an axis has 2**32 elements or more.
    OSError
        If the file cannot be written; an older one is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.datasets.write_idx(f"{folder}/x-images.gz", x)
    """
    array = np.asarray(array)
    header = idx_header(array)
    body = np.ascontiguousarray(array).reshape(-1).data
    packed = Path(path).suffix == ".gz"
    atomic_write(path, [gzipped(header, body)] if packed else [header, body])


def idx_header(array: Bytes) -> bytes:
    """Return the bytes that precede the elements of `array` in an IDX file.

    Raises
    ------
    TypeError, ValueError
        As `write_idx`.
    """
    if array.dtype != np.uint8:
        raise TypeError(f"array: expected uint8, as IDX files have it, got {array.dtype}")
    if not 1 <= array.ndim <= 4:
        raise ValueError(f"array: expected 1 to 4 axes for an IDX file, got {array.ndim}")
    if max(array.shape) >= 1 << 32:
        raise ValueError(
            "array: expected less than 2**32 elements along an axis of an IDX file, got "
            f"shape {array.shape}"
        )
    sizes = (size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, _UINT8, array.ndim]) + b"".join(sizes)


def _read(path: AnyPath, rank: int | None, max_bytes: int) -> NDArray[Any]:
    name = shown(path)
    with errors_named(path), gzip_faults(name), open_regular(path) as raw:
        size = size_of(raw)
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        file = gunzipped(raw) if packed else raw
        kind, shape = _read_header(file, rank, name)
        if packed:
            _check_announced(shape, size, max_bytes, name)
        else:
            _check_size(shape, size - file.tell(), max_bytes, name)
        content = _read_elements(file, shape, name)
    if kind.itemsize == 1:
        return content.view(kind)
    return content.view(kind)[..., 0].astype(kind.newbyteorder("="))


def _read_header(
    file: io.BufferedIOBase, rank: int | None, name: str
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return type and sizes; any rank of 1 to 4 if `rank` is None.

    Elements of several bytes have a last axis for these.
    """
    magic = file.read(4)
    if len(magic) < 4:
        raise FormatError(
            f"{name}: not an IDX file: it ends after {len(magic)} bytes, expected a "
            "header of 8 at least"
        )
    _check_magic(magic, rank, name)
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise FormatError(
            f"{name}: truncated IDX file: it ends after {4 + len(sizes)} bytes, "
            f"expected a header of {4 + 4 * magic[3]}; get the file again"
        )
    shape = struct.unpack(f">{magic[3]}I", sizes)
    kind = np.dtype(_TYPES[magic[2]])
    return kind, shape if kind.itemsize == 1 else (*shape, kind.itemsize)


def _check_magic(magic: bytes, rank: int | None, name: str) -> None:
    found = f"0x{magic.hex()}"
    if magic[:2] != b"\0\0" or magic[2] not in _TYPES:
        raise FormatError(
            f"{name}: not an IDX file: it begins with {found}, expected 0x000008 and "
            "the rank"
        )
    if not 1 <= magic[3] <= 4:
        raise FormatError(
            f"{name}: IDX file of rank {magic[3]} (magic {found}), expected 1 to 4"
        )
    if rank is not None and magic[3] != rank:
        kind = _KINDS.get(magic[3], f"rank {magic[3]}")
        raise FormatError(
            f"{name}: IDX file of {kind} (magic {found}); expected {_KINDS[rank]}"
        )


def _check_announced(shape: tuple[int, ...], size: int, max_bytes: int, name: str) -> None:
    """Refuse what a gzip file of `size` bytes cannot hold, or should not."""
    # An empty axis makes the product 0, and still NumPy multiplies the other ones.
    announced = math.prod(axis or 1 for axis in shape)
    if announced > max_bytes:
        raise FormatError(
            f"{name}: header announces {_product(shape)} bytes, expected {max_bytes} "
            "at most in a gzip file; unpack it first if that is right"
        )
    if announced > _DEFLATE_MOST * size:
        raise FormatError(
            f"{name}: truncated IDX file: header announces {_product(shape)} bytes of "
            f"data, more than a gzip file of {size} bytes can hold; get the file again"
        )


def _check_size(shape: tuple[int, ...], size: int, max_bytes: int, name: str) -> None:
    """Compare the header with the bytes that follow it in a plain file."""
    if math.prod(axis or 1 for axis in shape) > sys.maxsize:
        raise FormatError(
            f"{name}: header announces {_product(shape)} elements, more than the "
            "memory of any machine"
        )
    expected = math.prod(shape)
    if size < expected:
        raise _truncated(name, shape, size)
    if size > expected:
        raise _too_long(name, shape, f"{size - expected} bytes")
    if size > max_bytes:
        raise FormatError(f"{name}: expected at most {max_bytes} bytes of data, got {size}")


def _read_elements(file: io.BufferedIOBase, shape: tuple[int, ...], name: str) -> Bytes:
    array = np.empty(shape, np.uint8)
    view = array.reshape(-1).data
    done = 0
    while done < len(view):
        # In pieces, because GzipFile copies all that one call reads.
        count = file.readinto(view[done : done + _PIECE])
        if not count:
            raise _truncated(name, shape, done)
        done += count
    # Reading on to the end is also what makes gzip compare its checksum.
    if file.read(1):
        raise _too_long(name, shape, "more bytes")
    return array


def _truncated(name: str, shape: tuple[int, ...], found: int) -> FormatError:
    return FormatError(
        f"{name}: truncated IDX file: header announces {_product(shape)} bytes of "
        f"data, found {found}; get the file again"
    )


def _too_long(name: str, shape: tuple[int, ...], surplus: str) -> FormatError:
    return FormatError(
        f"{name}: IDX file too long: {surplus} after the {_product(shape)} that the "
        "header announces; get the file again"
    )


def _product(shape: tuple[int, ...]) -> str:
    """Return "60000 x 28 x 28 = 47040000", or "60000" for a single axis."""
    sizes = " x ".join(map(str, shape))
    return sizes if len(shape) == 1 else f"{sizes} = {math.prod(shape)}"
