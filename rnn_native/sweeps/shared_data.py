"""Data that all runs of a sweep share: in memory for threads, in mapped files for processes."""

import functools
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.files import atomic_write, open_regular, shown
from rnn_native.base.npy_header import read_npy_header
from rnn_native.datasets.opening import Dataset
from rnn_native.models.one_call import as_dataset

PARTS = ("x_train", "y_train", "x_test", "y_test")


def open_data(data: Any) -> Dataset:
    """Return the data set that a sweep was given, its parts as arrays.

    Raises
    ------
    TypeError
        If a part is a sparse matrix or no array of numbers.
    """
    found = as_dataset(data)
    parts: dict[str, Any] = {name: _as_array(name, getattr(found, name)) for name in PARTS}
    return found._replace(**parts)


def _as_array(name: str, given: Any) -> NDArray[Any]:
    if hasattr(given, "tocsr"):
        raise TypeError(
            f"data: {name}: expected an array, got a sparse matrix; use toarray()"
        )
    array = np.ascontiguousarray(given)
    if array.dtype.kind not in "uifb":
        raise TypeError(f"data: {name}: expected numbers, got dtype {array.dtype}")
    return array


def digest_of(data: Dataset) -> str:
    """Return a hash of all rows and targets."""
    digest = hashlib.sha256()
    for name in PARTS:
        array = getattr(data, name)
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:16]


def write_data(data: Dataset, folder: Path) -> None:
    """Write the parts as .npy files, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        path = folder / f"{name}.npy"
        if path.exists():
            continue
        array, head = getattr(data, name), io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, np.lib.format.header_data_from_array_1_0(array)
        )
        atomic_write(path, [head.getvalue(), array.reshape(-1).view(np.uint8).data])


@functools.lru_cache(maxsize=1)
def read_data(folder: str, source: str, classes: int | None) -> Dataset:
    """Return the parts that `write_data` wrote, mapped: all processes share their pages."""
    parts: Mapping[str, Any] = {
        name: _mapped(Path(folder, f"{name}.npy")) for name in PARTS
    }
    return Dataset(**parts, source=source, classes=classes)


def _mapped(path: Path) -> Any:
    with open_regular(path) as file:
        header = read_npy_header(file, shown(path))
        return np.memmap(file, header.dtype, "r", header.offset, header.shape)
