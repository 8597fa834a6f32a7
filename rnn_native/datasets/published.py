"""What is published of MNIST: its files, their sizes and their hashes."""

from typing import NamedTuple, TypeAlias

import numpy as np

from rnn_native.base.errors import FormatError
from rnn_native.datasets.idx import Bytes, idx_header

Split: TypeAlias = tuple[Bytes, Bytes]


class Part(NamedTuple):
    """One file of MNIST: its name, and size and SHA-256 when it is not packed."""

    name: str
    size: int
    sha256: str


PARTS = (
    Part(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    Part(
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    Part(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    Part(
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


def mnist_hashes_match(arrays: tuple[Split, Split]) -> bool:
    """Tell whether `arrays`, as `load_mnist` returns them, are MNIST itself.

    Parameters
    ----------
    arrays : tuple of pairs of ndarray
        ``(x_train, y_train), (x_test, y_test)``, uint8.

    Returns
    -------
    bool
        True if all four give the SHA-256 of the published files.
    """
    (x_train, y_train), (x_test, y_test) = arrays
    return all(
        sha256_of(idx_header(array), np.ascontiguousarray(array).reshape(-1).data)
        == part.sha256
        for part, array in zip(PARTS, (x_train, y_train, x_test, y_test), strict=True)
    )


def check_images(images: Bytes, name: str) -> None:
    """Raise FormatError if there are no images, or images of another shape."""
    if images.shape[1:] != (28, 28) or not len(images):
        raise FormatError(
            f"{name}: images have shape {images.shape}, expected (n, 28, 28); load "
            "other sizes with load_idx"
        )


def sha256_of(*pieces: bytes | memoryview) -> str:
    """Return the SHA-256 of pieces in a row, in hexadecimal digits."""
    import hashlib

    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
