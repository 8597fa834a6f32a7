"""Data sets by their names, as arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, shown
from rnn_native.datasets import idx, pairs, places, published
from rnn_native.datasets.download import obtain
from rnn_native.datasets.pairs import Bytes
from rnn_native.datasets.published import Published, Split


def load_dataset(
    name: str,
    path: AnyPath | None = None,
    *,
    download: bool = True,
    progress: bool | None = None,
) -> tuple[Split, Split]:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        "mnist", "fashion", "emnist-letters", ...: docs/reference/api/data.md has all of them.
    path : str or path-like, optional
        A folder with the four IDX files (each plain or ending in ``.gz``), or one above
        torchvision's, such as ``FashionMNIST/raw``; for MNIST a ``mnist.npz``, too. The
        default is to look at the folder that the environment variable
        ``RNN_NATIVE_DATA`` names and nowhere else, or if it is not set at ``./data``, at
        what Keras keeps below ``~/.keras/datasets``, and at a cache. Without `path` files
        that are called like MNIST's are found in folders that are called like their set.
    download : bool, default True
        Whether to download the files to the cache if they are in none of these places.
        Never done when `path` or the variable is given, and not for EMNIST: no hashes of
        its files are published.
    progress : bool, optional
        Whether to show a bar while downloading; by default if stderr is a terminal.

    Returns
    -------
    tuple of pairs of ndarray
        ``(x_train, y_train), (x_test, y_test)``: images of shape (n, 28, 28), uint8, and
        labels of shape (n,), uint8.

    Raises
    ------
    ValueError
        If there is no data set of that name; TypeError if it is not a string.
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` has no such files.
    DataNotFoundError
        If no place has them, and downloads are off or fail. The message
        says where they are available.
    FormatError
        If a file is found that is not what its name says.
    OSError
        If a file that was found cannot be read.

    Notes
    -----
    Labels are 0 to classes - 1: EMNIST's letters, which its files number from 1, become 0
    (A) to 25 (Z). EMNIST's images, whose rows and columns its files exchange, are returned
    upright. torchvision returns both as the files have them. Of QMNIST's eight labels per
    image only the first, the digit, is returned.

    Examples
    --------
    >>> (x, y), (x_test, y_test) = load_dataset("fashion")  # doctest: +SKIP
    """
    record = published.record_of(name)
    place = places.find(record, path) or obtain(record, download, progress)
    return load_from(place, record)


def load_from(place: Path, record: Published) -> tuple[Split, Split]:
    """Load a data set from the folder or npz file where it was found."""
    if place.suffix == ".npz" and not place.is_dir():
        from rnn_native.datasets.npz import load_npz

        return load_npz(place, record)
    x_train, y_train, x_test, y_test = (
        places.part_in(place, file) or place / file.name for file in record.files
    )
    train = _load_pair(x_train, y_train, record)
    test = _load_pair(x_test, y_test, record)
    _require_others_than_mnist(test[1], y_test, record)
    return train, test


def _load_pair(images_path: Path, labels_path: Path, record: Published) -> Split:
    labels = _read_labels(labels_path, record)
    images = _read_images(images_path, record)
    pairs.require_pair(images, labels, images_path, labels_path)
    pairs.check_images(images, record.shape, shown(images_path))
    if record.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    return images, labels


def _read_images(path: Path, record: Published) -> Bytes:
    if path.suffix != ".npz":
        return idx.read_images(path)
    from rnn_native.datasets.npz import read_images

    return read_images(path, record)


def _read_labels(path: Path, record: Published) -> Bytes:
    """Read labels and number their classes from 0."""
    if path.suffix == ".npz":
        from rnn_native.datasets.npz import read_labels

        return read_labels(path, record)
    labels: NDArray[np.integer[Any]]
    if record.label_rows:
        rows = idx.read_label_rows(path)
        if not rows.shape[1]:
            raise FormatError(f"{shown(path)}: expected labels in each row, got none")
        labels = rows[:, 0]
    else:
        labels = idx.read_labels(path, classes=256)
    pairs.check_labels(labels, record.classes, shown(path), record.first_label)
    return (labels - record.first_label).astype(np.uint8)


def _require_others_than_mnist(labels: Bytes, path: Path, record: Published) -> None:
    """Refuse MNIST's own files where those of another set with the same names are expected."""
    mnist = published.DATASETS["mnist"]
    if record.name == mnist.name or record.files[3].name != mnist.files[3].name:
        return
    found = published.sha256_of(idx.idx_header(labels), labels.data)
    if found == mnist.files[3].sha256:
        raise FormatError(
            f"{shown(path)}: expected labels of {record.title}, got MNIST's; name the folder "
            f"with the files of {record.title}"
        )
