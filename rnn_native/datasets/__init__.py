"""MNIST and similar data sets, generated digits, and files of digits; imports `base`."""

from typing import TYPE_CHECKING, Any

from rnn_native.base.errors import FormatError as FormatError
from rnn_native.datasets.idx import load_idx, read_idx, write_idx
from rnn_native.datasets.mnist import find_mnist, load_mnist
from rnn_native.datasets.named import load_dataset
from rnn_native.datasets.opening import Dataset, load_mnist_or_synthetic, open_dataset
from rnn_native.datasets.places import DataNotFoundError
from rnn_native.datasets.published import mnist_hashes_match

if TYPE_CHECKING:
    from rnn_native.datasets.file_loader import FileLoader, from_files
    from rnn_native.datasets.folder_loader import from_folder
    from rnn_native.datasets.loader import Loader
    from rnn_native.datasets.synthetic import synthetic_digits

__all__ = [
    "DataNotFoundError",
    "Dataset",
    "FileLoader",
    "Loader",
    "find_mnist",
    "from_files",
    "from_folder",
    "load_dataset",
    "load_idx",
    "load_mnist",
    "load_mnist_or_synthetic",
    "mnist_hashes_match",
    "open_dataset",
    "read_idx",
    "synthetic_digits",
    "write_idx",
]


def __getattr__(name: str) -> Any:
    # They take time to import, and most users have MNIST, in memory.
    if name in ("FileLoader", "from_files"):
        from rnn_native.datasets import file_loader

        return getattr(file_loader, name)
    if name == "from_folder":
        from rnn_native.datasets.folder_loader import from_folder

        return from_folder
    if name == "Loader":
        from rnn_native.datasets.loader import Loader

        return Loader
    if name == "synthetic_digits":
        from rnn_native.datasets.synthetic import synthetic_digits

        return synthetic_digits
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
