"""What images and labels must be, whichever file they are from."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, shown

Bytes: TypeAlias = NDArray[np.uint8]


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


def as_bytes(array: NDArray[Any], name: str) -> Bytes:
    """Return whole numbers from 0 to 255 as uint8."""
    if array.dtype == np.uint8:
        return array
    bad = np.argwhere(~((array >= 0) & (array <= 255) & (array == np.floor(array))))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise FormatError(
            f"{name}: IDX file of {array.dtype}: expected whole numbers from 0 to 255, got "
            f"{array[at]} at {at}; read others with read_idx"
        )
    return array.astype(np.uint8)
