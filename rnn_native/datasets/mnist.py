"""MNIST from where it lies, or downloaded.

`load_mnist` looks in these places, in this order: its argument, the folder that the
environment variable ``RNN_NATIVE_DATA`` names, ``./data`` and torchvision's place in it,
the file that Keras keeps, its own cache. Otherwise it downloads the files.
"""

from pathlib import Path

from rnn_native.base.files import AnyPath
from rnn_native.datasets import places, published
from rnn_native.datasets.named import load_dataset
from rnn_native.datasets.published import Split


def load_mnist(
    path: AnyPath | None = None, *, download: bool = True, progress: bool | None = None
) -> tuple[Split, Split]:
    """Load MNIST, or files of the same layout such as Fashion-MNIST.

    Parameters
    ----------
    path : str or path-like, optional
        A folder with the four IDX files (each plain or ending in ``.gz``) or with
        ``mnist.npz``, or an ``.npz`` file with Keras' or MedMNIST's names of arrays. The
        default is to look at the folder
        that the environment variable ``RNN_NATIVE_DATA`` names and nowhere else, or
        if it is not set at ``./data``, ``~/.keras/datasets/mnist.npz`` and a cache.
    download : bool, default True
        Whether to download MNIST to the cache (55 MB) if it is in none of these
        places. Never done when `path` or the variable is given.
    progress : bool, optional
        Whether to show a bar while downloading; by default if stderr is a terminal.

    Returns
    -------
    tuple of pairs of ndarray
        ``(x_train, y_train), (x_test, y_test)``: images of shape (n, 28, 28), uint8, and
        labels of shape (n,), uint8, below 10. MNIST has 60,000 and 10,000 of them.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` has no such files.
    DataNotFoundError
        If no place has them, and downloads are off or fail.
    FormatError
        If a file is found that is not what its name says. The next place is then not
        tried.
    OSError
        If a file that was found cannot be read.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()  # doctest: +SKIP
    """
    return load_dataset("mnist", path, download=download, progress=progress)


def find_mnist(path: AnyPath | None = None) -> Path | None:
    """Return where `load_mnist` would load from, without loading or downloading.

    Parameters
    ----------
    path : str or path-like, optional
        As in `load_mnist`.

    Returns
    -------
    Path or None
        The folder that holds the four IDX files, or the ``.npz`` file. None if
        the usual places have none.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` is given, and has no such
        files. Another OSError if it cannot be looked into.

    Examples
    --------
    >>> import rnn_native as rn
    >>> place = rn.datasets.find_mnist()  # doctest: +SKIP
    """
    return places.find(published.DATASETS["mnist"], path)
