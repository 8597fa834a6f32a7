"""IDX, the file format of MNIST: reading with every check, and writing.

A file is two zero bytes, a type code (8: uint8; 12: int32, read only as rows of
labels), the rank, the sizes as big-endian 32-bit numbers, and then the elements in C
order. It may be packed with gzip.
"""

import io
import math
import struct
import sys
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    atomic_write,
    errors_named,
    regular_file_size,
    shown,
)
from rnn_native.datasets.packed import GZIP_MAGIC, gunzipped, gzip_faults, gzipped

Bytes: TypeAlias = NDArray[np.uint8]

# A few megabytes of gzip can unpack to gigabytes, and a file with holes takes no room on a
# disk; the largest file of the MNIST family (EMNIST by class) has 550 MB.
MAX_UNPACKED = 1 << 30
_DEFLATE_MOST = 1032  # bytes that one byte of a gzip file can stand for
_PIECE = 1 << 20
_UINT8 = 0x08
_INT32 = 0x0C
_TYPE_NAMES = {
    _UINT8: "uint8",
    0x09: "int8",
    0x0B: "int16",
    _INT32: "int32",
    0x0D: "float32",
    0x0E: "float64",
}
# What files hold, by type code and rank.
_KINDS = {
    (_UINT8, 1): "labels, magic 0x00000801",
    (_UINT8, 3): "images, magic 0x00000803",
    (_INT32, 2): "rows of labels, magic 0x00000c02",
}


def read_idx(path: AnyPath, *, max_bytes: int = MAX_UNPACKED) -> Bytes:
    """Read an IDX file of unsigned bytes.

    Nothing is allocated before the header agrees with the size of the file, and of
    a gzip file no more is unpacked than its header announces.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip (told by its content, not its name).
    max_bytes : int, default 1 GiB
        The most that a file may announce.

    Returns
    -------
    ndarray of rank 1 to 4, uint8
        The content, with the shape that the header gives.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one, or reading fails.
    FormatError
        If the file is not IDX, not of type uint8, not of rank 1 to 4, shorter or
        longer than its header announces, damaged, or larger than `max_bytes`.
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
        As `read_idx`, and if the rank is not 3 (magic 0x00000803).
    """
    return _read(path, 3, MAX_UNPACKED)


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
        As `read_idx`, and if the rank is not 1 (magic 0x00000801) or a label is
        not smaller than `classes`.
    """
    labels = _read(path, 1, MAX_UNPACKED)
    check_labels(labels, classes, shown(path))
    return labels


def read_label_rows(path: AnyPath) -> NDArray[np.int32]:
    """Read an IDX file of several int32 labels an image, as QMNIST has it.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip.

    Returns
    -------
    ndarray of shape (n, labels), int32
        A row an image.

    Raises
    ------
    OSError, FormatError
        As `read_idx`, and if the file is not one of int32 of rank 2 (magic 0x00000c02).
    """
    return _read(path, 2, MAX_UNPACKED, _INT32).view(">i4")[..., 0].astype(np.int32)


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


def require_pair(
    images: Bytes, labels: Bytes, images_path: AnyPath, labels_path: AnyPath
) -> None:
    """Raise FormatError if two files do not have as many images as labels."""
    if len(images) != len(labels):
        raise FormatError(
            f"{shown(images_path)} has {len(images)} images, but "
            f"{shown(labels_path)} has {len(labels)} labels: use a pair of files that "
            "belong together"
        )


def write_idx(path: AnyPath, array: Bytes) -> None:
    """Write an array as an IDX file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file. It is packed with gzip if its name ends in ``.gz``; the same array
        then always gives the same bytes, as no time or name is stored.
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
    """
    array = np.asarray(array)
    header = idx_header(array)
    body = np.ascontiguousarray(array).reshape(-1).data
    packed = Path(path).suffix == ".gz"
    atomic_write(path, [gzipped(header, body)] if packed else [header, body])


def idx_header(array: Bytes) -> bytes:
    """Return the bytes that stand before the elements of `array` in an IDX file.

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


def check_images(images: Bytes, shape: tuple[int, int], name: str) -> None:
    """Raise FormatError if there are no images, or images of another shape."""
    if images.shape[1:] != shape or not len(images):
        expected = f"(n, {shape[0]}, {shape[1]})"
        raise FormatError(
            f"{name}: images have shape {images.shape}, expected {expected}; load "
            "other sizes with load_idx"
        )


def check_labels(
    labels: NDArray[np.integer[Any]], classes: int, name: str, first: int = 0
) -> None:
    """Raise FormatError unless `labels` are `classes` numbers from `first` up."""
    last = first + classes - 1
    bad = np.flatnonzero((labels < first) | (labels > last))
    if bad.size:
        at = int(bad[0])
        raise FormatError(
            f"{name}: label {at}: expected {first} to {last}, got {labels[at]}"
        )


def _read(path: AnyPath, rank: int | None, max_bytes: int, code: int = _UINT8) -> Bytes:
    """Read the elements of a file; those of several bytes get an axis for these."""
    name = shown(path)
    size = regular_file_size(path)
    with errors_named(path), gzip_faults(name), Path(path).open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        file = gunzipped(raw) if packed else raw
        shape = _read_shape(file, rank, code, name)
        if packed:
            _check_announced(shape, size, max_bytes, name)
        else:
            _check_size(shape, size - file.tell(), max_bytes, name)
        return _read_elements(file, shape, name)


def _read_shape(
    file: io.BufferedIOBase, rank: int | None, code: int, name: str
) -> tuple[int, ...]:
    """Read the header and return the sizes; any rank of 1 to 4 if `rank` is None."""
    magic = file.read(4)
    if len(magic) < 4:
        raise FormatError(
            f"{name}: not an IDX file: it ends after {len(magic)} bytes, expected a "
            "header of 8 at least"
        )
    _check_magic(magic, rank, code, name)
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise FormatError(
            f"{name}: truncated IDX file: it ends after {4 + len(sizes)} bytes, "
            f"expected a header of {4 + 4 * magic[3]}; get the file again"
        )
    shape = struct.unpack(f">{magic[3]}I", sizes)
    return shape if code == _UINT8 else (*shape, 4)


def _check_magic(magic: bytes, rank: int | None, code: int, name: str) -> None:
    found = f"0x{magic.hex()}"
    if magic[:2] != b"\0\0" or magic[2] not in _TYPE_NAMES:
        raise FormatError(
            f"{name}: not an IDX file: it begins with {found}, expected 0x000008 and "
            "the rank"
        )
    if magic[2] != code:
        raise FormatError(
            f"{name}: IDX file of {_TYPE_NAMES[magic[2]]} (magic {found}): only "
            f"{_TYPE_NAMES[code]} (type code 0x{code:02x}) is read"
        )
    if not 1 <= magic[3] <= 4:
        raise FormatError(
            f"{name}: IDX file of rank {magic[3]} (magic {found}), expected 1 to 4"
        )
    if rank is not None and magic[3] != rank:
        kind = _KINDS.get((code, magic[3]), f"magic {found}")
        raise FormatError(f"{name}: IDX file of {kind}; expected {_KINDS[code, rank]}")


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
        # In pieces, as GzipFile makes a copy of what is asked for at once.
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
    if len(shape) == 1:
        return str(shape[0])
    return f"{' x '.join(map(str, shape))} = {math.prod(shape)}"
