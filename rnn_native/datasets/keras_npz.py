"""The file in which Keras keeps MNIST, `mnist.npz`, read without trusting it."""

import errno
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from rnn_native.base.errors import FormatError, reason_of
from rnn_native.base.files import errors_named, regular_file_size, shown
from rnn_native.datasets.idx import MAX_UNPACKED, Bytes, check_images, check_labels
from rnn_native.datasets.published import Published, Split

_ARRAYS = {"x_train": 3, "y_train": 1, "x_test": 3, "y_test": 1}


def load_npz(path: Path, record: Published) -> tuple[Split, Split]:
    """Load the file that Keras keeps, without trusting it."""
    name = shown(path)
    regular_file_size(path)
    try:
        with errors_named(path), zipfile.ZipFile(path) as archive:
            arrays = [_read_member(archive, key, name) for key in _ARRAYS]
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
        raise FormatError(f"{name}: not a sound npz file: {reason_of(error)}") from error
    x_train, y_train, x_test, y_test = arrays
    for images, labels in (x_train, y_train), (x_test, y_test):
        check_images(images, record.shape, name)
        check_labels(labels, record.classes, name)
        if len(images) != len(labels):
            raise FormatError(
                f"{name}: {len(images)} images, but {len(labels)} labels of the same set"
            )
    return (x_train, y_train), (x_test, y_test)


def _read_member(archive: zipfile.ZipFile, key: str, name: str) -> Bytes:
    """Read one array; its header is compared with its size before allocating."""
    from tokenize import TokenError

    info = archive.getinfo(f"{key}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"{name}: {key} is compressed in an unusual way")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        try:
            shape, _, dtype = read_header[version](file)
        except (KeyError, SyntaxError, TokenError):
            # NumPy reads the header as Python's own literals, with Python's own errors.
            raise FormatError(f"{name}: {key} has a header that cannot be read") from None
        announced = file.tell() + math.prod(shape)
    if dtype != np.uint8 or len(shape) != _ARRAYS[key]:
        raise FormatError(
            f"{name}: {key} is {dtype} of shape {shape}, expected uint8 of rank "
            f"{_ARRAYS[key]}"
        )
    if announced != info.file_size or announced > MAX_UNPACKED:
        raise FormatError(
            f"{name}: {key} has shape {shape} in {info.file_size} bytes, which do not "
            "fit; get the file again"
        )
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    return np.ascontiguousarray(array, np.uint8)
