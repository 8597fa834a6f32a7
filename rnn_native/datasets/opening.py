"""Data that a user names: a data set, a folder, or generated digits."""

import errno
import os
from pathlib import Path
from typing import NamedTuple

from rnn_native.base import outcome
from rnn_native.base.files import AnyPath, shown
from rnn_native.base.rules import did_you_mean
from rnn_native.datasets import places, published
from rnn_native.datasets.download import obtain
from rnn_native.datasets.named import load_from
from rnn_native.datasets.pairs import Bytes
from rnn_native.datasets.places import DataNotFoundError
from rnn_native.datasets.published import Published

SYNTHETIC = "synthetic"
SYNTHETIC_TRAIN = 20_000
SYNTHETIC_TEST = 4_000
SYNTHETIC_CLASSES = 10
NO_MNIST = (
    "MNIST not found: generated digits take its place. To use MNIST, put its files into "
    "./data (rn.datasets.load_mnist() says more)."
)


class Dataset(NamedTuple):
    """Images and labels to learn from and to test with, and where they come from.

    Attributes
    ----------
    x_train, x_test : ndarray of shape (n, 28, 28), uint8
        Images.
    y_train, y_test : ndarray of shape (n,), uint8
        Labels.
    source : str
        Where the data come from, in words, for a log.
    classes : int, optional
        Number of classes, where it is known.

    Examples
    --------
    >>> import rnn_native as rn
    >>> digits = rn.datasets.open_dataset("synthetic")
    >>> digits.x_train.shape, digits.classes
    ((20000, 28, 28), 10)
    """

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes
    source: str
    classes: int | None = None


def load_mnist_or_synthetic(
    path: AnyPath | None = None, *, download: bool = True, progress: bool | None = None
) -> Dataset:
    """Load MNIST, or generate digits if there is neither a file nor a network.

    One line on stderr reports it when digits are generated. Data that were asked for by
    `path` or ``RNN_NATIVE_DATA`` are never replaced.

    Parameters
    ----------
    path, download, progress
        As in `load_mnist`.

    Returns
    -------
    Dataset
        MNIST, or 20,000 generated digits to learn from and 4,000 to test with.

    Raises
    ------
    FileNotFoundError, FormatError, OSError
        As `load_mnist`, but never DataNotFoundError.

    Examples
    --------
    >>> import rnn_native as rn
    >>> digits = rn.datasets.load_mnist_or_synthetic()  # doctest: +SKIP
    """
    try:
        return _open(published.DATASETS["mnist"], path, download, progress)
    except DataNotFoundError:
        outcome.complain(NO_MNIST)
        return _generate()


def open_dataset(name_or_path: AnyPath | None, *, replace: bool = True) -> Dataset:
    """Return the data set that a user names.

    Parameters
    ----------
    name_or_path : str, path-like or None
        The string ``"synthetic"`` for generated digits; the name of a data set as in
        `load_dataset`; None for MNIST with generated digits in its place if it is not
        available; or a folder or ``.npz`` file as in `load_mnist`. A folder that is called
        like a data set is ``./fashion``.
    replace : bool, default True
        Whether generated digits may take MNIST's place. False is for what is measured:
        a model's accuracy on other data does not predict that on MNIST.

    Returns
    -------
    Dataset
        The data.

    Raises
    ------
    FileNotFoundError, FormatError, OSError
        As `load_mnist`; DataNotFoundError only for a name, or if `replace` is False.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.datasets.open_dataset("synthetic").y_test.shape
    (4000,)
    """
    if name_or_path == SYNTHETIC:
        return _generate()
    if isinstance(name_or_path, str) and name_or_path in published.DATASETS:
        return _open(published.DATASETS[name_or_path], None)
    _require_there(name_or_path)
    if replace:
        return load_mnist_or_synthetic(name_or_path)
    return _open(published.DATASETS["mnist"], name_or_path)


def classes_by_name() -> dict[str, int]:
    """Return the names that `open_dataset` accepts, and how many classes each has."""
    known = {record.name: record.classes for record in published.DATASETS.values()}
    return {**known, SYNTHETIC: SYNTHETIC_CLASSES}


def classes_of(data: object) -> int | None:
    """Return the number of classes of a data set, or of one that is named; else None."""
    if isinstance(data, Dataset):
        return data.classes
    return classes_by_name().get(data) if isinstance(data, str) else None


def _require_there(path: AnyPath | None) -> None:
    """Say which names there are when one is given that is neither theirs nor a file's."""
    if isinstance(path, str) and path == Path(path).name and not os.path.lexists(path):
        names = classes_by_name()
        # Not as the error's `filename`, which would follow the hint.
        raise FileNotFoundError(
            errno.ENOENT,
            f"{os.strerror(errno.ENOENT)}: {shown(path)}, and none of the data sets "
            f"{', '.join(names)}{did_you_mean(path, names)}",
        )


def _open(
    record: Published,
    path: AnyPath | None,
    download: bool = True,
    progress: bool | None = None,
) -> Dataset:
    place = places.find(record, path) or obtain(record, download, progress)
    (x_train, y_train), (x_test, y_test) = load_from(place, record)
    source = f"{record.title} files in {place}"
    return Dataset(x_train, y_train, x_test, y_test, source, record.classes)


def _generate() -> Dataset:
    from rnn_native.datasets.synthetic import synthetic_digits

    return Dataset(
        *synthetic_digits(SYNTHETIC_TRAIN, seed=1),
        *synthetic_digits(SYNTHETIC_TEST, seed=2),
        source=f"generated digits ({SYNTHETIC_TRAIN:,} and {SYNTHETIC_TEST:,})",
        classes=SYNTHETIC_CLASSES,
    )
