"""Npz files of images: Keras', MedMNIST's, KMNIST's and people's own, read without trust."""

import errno
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError, reason_of
from rnn_native.base.files import errors_named, open_regular, shown
from rnn_native.base.npy_header import read_npy_header
from rnn_native.datasets.idx import MAX_UNPACKED
from rnn_native.datasets.pairs import Bytes, check_images, check_labels
from rnn_native.datasets.published import Published, Split

Numbers: TypeAlias = NDArray[Any]

# Names of the four arrays: Keras', and MedMNIST's.
_KEYS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
_ONLY = "arr_0"  # what NumPy calls an array without a name


def load_npz(path: Path, record: Published) -> tuple[Split, Split]:
    """Load the four arrays of a file, without trusting it.

    Images are uint8, or numbers in [0, 1], which become uint8; they may be flat, or have an
    axis of one channel. Labels are integers of any type, of shape (n,) or (n, 1).
    """
    name = shown(path)
    with _opened(path) as archive:
        members = archive.namelist()
        keys = next((keys for keys in _KEYS if f"{keys[0]}.npy" in members), _KEYS[0])
        read = [(key, _read_member(archive, key, name)) for key in keys]
    x_train, x_test = (_as_images(*read[i], record.shape, name) for i in (0, 2))
    y_train, y_test = (_as_labels(*read[i], record, name) for i in (1, 3))
    for images, labels in (x_train, y_train), (x_test, y_test):
        if len(images) != len(labels):
            raise FormatError(
                f"{name}: {len(images)} images, but {len(labels)} labels of the same set"
            )
    return (x_train, y_train), (x_test, y_test)


def read_images(path: Path, record: Published) -> Bytes:
    """Read a file with images alone, as `load_npz` would."""
    with _opened(path) as archive:
        array = _read_member(archive, _ONLY, shown(path))
    return _as_images(_ONLY, array, record.shape, shown(path))


def read_labels(path: Path, record: Published) -> Bytes:
    """Read a file with labels alone, as `load_npz` would."""
    with _opened(path) as archive:
        array = _read_member(archive, _ONLY, shown(path))
    return _as_labels(_ONLY, array, record, shown(path))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever is wrong with it or its members is a FormatError."""
    name = shown(path)
    try:
        with (
            errors_named(path),
            open_regular(path) as file,
            zipfile.ZipFile(file) as archive,
        ):
            yield archive
    except FormatError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        ValueError,
        RuntimeError,  # encrypted, or as NotImplementedError made by newer programs
        OSError,
    ) as error:
        # A directory that points to before the file's beginning cannot be followed.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise FormatError(
            f"{name}: not an npz file, or damaged: {reason_of(error)}"
        ) from error


def _as_images(key: str, array: Numbers, shape: tuple[int, int], name: str) -> Bytes:
    """Return images as (n, height, width), uint8."""
    if array.ndim in (2, 4) and math.prod(array.shape[1:]) == math.prod(shape):
        array = array.reshape(-1, *shape)
    if array.ndim != 3:
        raise FormatError(
            f"{name}: {key} is {array.dtype} of shape {array.shape}, expected images of rank 3"
        )
    check_images(array, shape, name)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, np.uint8)
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if array.dtype.kind != "f" or not (low >= 0 and high <= 1):
        raise FormatError(
            f"{name}: {key} is {array.dtype} from {low:g} to {high:g}, expected uint8, or "
            "fractions in 0..1"
        )
    return np.rint(255 * array.astype(np.float64)).astype(np.uint8)


def _as_labels(key: str, array: Numbers, record: Published, name: str) -> Bytes:
    """Return labels as (n,), uint8, checked."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise FormatError(
            f"{name}: {key} is {array.dtype} of shape {array.shape}, expected integers of rank 1"
        )
    check_labels(array, record.classes, name)
    return np.ascontiguousarray(array, np.uint8)


def _read_member(archive: zipfile.ZipFile, key: str, name: str) -> Numbers:
    """Read one array; its header is compared with its size before allocating."""
    info = archive.getinfo(f"{key}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(
            f"{name}: expected {key} stored or deflated, got another compression; save the "
            "file again by np.savez_compressed"
        )
    with archive.open(info) as file:
        header = read_npy_header(file, f"{name}: {key}")
    shape, dtype = header.shape, header.dtype
    announced = header.offset + math.prod(shape) * dtype.itemsize
    if dtype.kind == "b":
        raise FormatError(f"{name}: {key} is {dtype} of shape {shape}, expected numbers")
    if announced != info.file_size or announced > MAX_UNPACKED:
        raise FormatError(
            f"{name}: {key} has shape {shape} in {info.file_size} bytes, which do not "
            "fit; get the file again"
        )
    with archive.open(info) as file:
        array: Numbers = np.lib.format.read_array(file, allow_pickle=False)
    return array
