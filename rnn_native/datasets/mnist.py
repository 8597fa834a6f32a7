"""MNIST: loaded from where it lies, downloaded, or replaced by generated digits.

`load_mnist` looks, in this order, at its argument, at the folder that the
environment variable ``RNN_NATIVE_DATA`` names, at ``./data`` (with the place where
torchvision puts MNIST below it), at the file that Keras keeps, at a cache of its own,
and then downloads.
"""

import sys
from pathlib import Path
from typing import NamedTuple

from rnn_native.base.files import AnyPath, shown
from rnn_native.datasets import places, published
from rnn_native.datasets.download import obtain
from rnn_native.datasets.idx import Bytes, load_idx
from rnn_native.datasets.places import DataNotFoundError, find_mnist
from rnn_native.datasets.published import Split, check_images

SYNTHETIC_TRAIN = 20_000
SYNTHETIC_TEST = 4_000


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
    """

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes
    source: str


def load_mnist(
    path: AnyPath | None = None, *, download: bool = True, progress: bool | None = None
) -> tuple[Split, Split]:
    """Load MNIST, or files of the same layout such as Fashion-MNIST.

    Parameters
    ----------
    path : str or path-like, optional
        A folder with the four IDX files (each plain or ending in ``.gz``) or with
        ``mnist.npz``, or an ``.npz`` file. The default is to look at the folder
        that the environment variable ``RNN_NATIVE_DATA`` names and nowhere else, or
        if it is not set at ``./data``, ``~/.keras/datasets/mnist.npz`` and a cache.
    download : bool, default True
        Whether to download MNIST to the cache (55 MB) if it is in none of these
        places. Never done when `path` or the variable is given.
    progress : bool, optional
        Whether to show a bar while downloading; by default if stderr is a terminal.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuple of pairs of ndarray
        Images of shape (n, 28, 28), uint8, and labels of shape (n,), uint8, below
        10. MNIST has 60,000 and 10,000 of them.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` has no such files.
    DataNotFoundError
        If no place has them, and a download was not wanted or not possible.
    FormatError
        If a file is found that is not what its name says. There is no going on to
        the next place then.
    OSError
        If a file that was found cannot be read.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()  # doctest: +SKIP
    """
    place = find_mnist(path) or obtain(download, progress)
    return _load(place)


def load_mnist_or_synthetic(
    path: AnyPath | None = None, *, download: bool = True, progress: bool | None = None
) -> Dataset:
    """Load MNIST, or generate digits if there is neither a file nor a network.

    One line on stderr says so when digits are generated. Data that were asked for by
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
    """
    try:
        return _load_dataset(path, download, progress)
    except DataNotFoundError as error:
        print(f"rnn_native: {error}. Using generated digits now.", file=sys.stderr)
        return _generate()


def _load_dataset(path: AnyPath | None, download: bool, progress: bool | None) -> Dataset:
    place = find_mnist(path) or obtain(download, progress)
    (x_train, y_train), (x_test, y_test) = _load(place)
    return Dataset(x_train, y_train, x_test, y_test, f"MNIST files in {place}")


def open_dataset(name_or_path: AnyPath | None, *, replace: bool = True) -> Dataset:
    """Return the data set that a user names.

    Parameters
    ----------
    name_or_path : str, path-like or None
        The string ``"synthetic"`` for generated digits, None for MNIST with
        generated digits in its place if it cannot be had, or a folder or ``.npz``
        file as in `load_mnist`. (A folder of that name is ``./synthetic``.)
    replace : bool, default True
        Whether generated digits may take MNIST's place. False is for what is measured:
        a model's accuracy on other data says nothing of that on MNIST.

    Returns
    -------
    Dataset
        The data.

    Raises
    ------
    FileNotFoundError, FormatError, OSError
        As `load_mnist`; DataNotFoundError only if `replace` is False.
    """
    if name_or_path == "synthetic":
        return _generate()
    if replace:
        return load_mnist_or_synthetic(name_or_path)
    return _load_dataset(name_or_path, download=True, progress=None)


def _load(place: Path) -> tuple[Split, Split]:
    if place.suffix == ".npz" and not place.is_dir():
        from rnn_native.datasets.keras_npz import load_npz

        return load_npz(place)
    paths = [places.part_in(place, part) or place / part.name for part in published.PARTS]
    train = load_idx(paths[0], paths[1])
    test = load_idx(paths[2], paths[3])
    check_images(train[0], shown(paths[0]))
    check_images(test[0], shown(paths[2]))
    return train, test


def _generate() -> Dataset:
    from rnn_native.datasets.synthetic import synthetic_digits

    return Dataset(
        *synthetic_digits(SYNTHETIC_TRAIN, seed=1),
        *synthetic_digits(SYNTHETIC_TEST, seed=2),
        source=f"generated digits ({SYNTHETIC_TRAIN:,} and {SYNTHETIC_TEST:,})",
    )
