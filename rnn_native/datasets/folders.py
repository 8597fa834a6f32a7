"""What a training call reads batch by batch: folders of pictures by class, or of shards."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.text import brief, printable
from rnn_native.datasets import opening, places, published
from rnn_native.datasets.file_loader import FileLoader, from_files
from rnn_native.datasets.folder_loader import from_folder, has_pictures
from rnn_native.datasets.loader import Loader

TEST_SHARE = 0.2
"""Of the pictures of a folder that has none for the test."""

_KINDS = ("safetensors", "npy", "idx")


class Loaders(NamedTuple):
    """Loaders of rows to learn from and to test with, and where they come from.

    Attributes
    ----------
    train, test : Loader
    source : str
        Where the data come from, in words, for a log.
    classes : int, optional
        Number of classes, where it is known.
    """

    train: Loader
    test: Loader
    source: str
    classes: int | None = None


def loaders_of(data: Any, input_shape: Sequence[int]) -> Loaders | None:
    """Return the loaders that a training call was given, or that its folder holds.

    Parameters
    ----------
    data : Loaders, a pair of Loader, path, or anything else
        A folder holds pictures, as ``train/CLASS/NAME.png`` and ``test/CLASS/NAME.png``, or as
        ``CLASS/NAME.png``, of which a fifth is for the test; or shards: tensors x and y in
        ``train*.safetensors`` and ``test*.safetensors``, or arrays in ``x_train*.npy``,
        ``y_train*.npy``, ``x_test*.npy`` and ``y_test*.npy``, or such ``.idx`` files.
    input_shape : sequence of int
        Of the net; pictures are brought to it.

    Returns
    -------
    Loaders or None
        None for other data, and for a folder with some of MNIST's files.

    Raises
    ------
    FileNotFoundError, FormatError, OSError, ValueError
        If a part is missing or broken; see `from_folder` and `from_files`.
    """
    if isinstance(data, Loaders):
        return data
    if isinstance(data, (tuple, list)):
        if len(data) == 2 and all(isinstance(part, Loader) for part in data):
            return Loaders(data[0], data[1], "given loaders")
        return None
    if not isinstance(data, (str, os.PathLike)) or opening.classes_of(data) is not None:
        return None
    place = Path(data)
    if not place.is_dir() or _holds_mnist(place):
        return None
    found = _pictures(place, input_shape) or _shards(place)
    if found is None and not places.has_some(published.DATASETS["mnist"], place):
        raise FileNotFoundError(
            printable(
                f"{place}: expected MNIST's files, pictures as CLASS/NAME.png, or shards such "
                "as train*.safetensors and test*.safetensors, got none of these"
            )
        )
    return found


def rows_of(loader: Loader) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all rows of a loader and their targets, in memory, in order."""
    parts = [part[:2] for part in loader.batches(None)]
    x, y = zip(*parts, strict=True)
    return np.concatenate(x), np.concatenate(y)


def _holds_mnist(place: Path) -> bool:
    try:
        return places.find(published.DATASETS["mnist"], place) is not None
    except OSError:
        return False


def _pictures(place: Path, input_shape: Sequence[int]) -> Loaders | None:
    train, test = place / "train", place / "test"
    source = f"pictures in {place}"
    if has_pictures(train):
        if not has_pictures(test):
            raise FileNotFoundError(
                printable(f"{test}: expected folders of pictures by class, as {train} has")
            )
        first, last = _loader(train, input_shape), _loader(test, input_shape)
        if first.classes != last.classes:
            raise ValueError(
                printable(
                    f"{test}: expected the classes of {train}, {_listed(first)}, got "
                    f"{_listed(last)}"
                )
            )
    elif has_pictures(place):
        both = _loader(place, input_shape)
        if both.shape[0] * TEST_SHARE < 1:
            raise ValueError(
                printable(
                    f"{place}: expected at least {round(1 / TEST_SHARE)} pictures, of which a "
                    f"fifth is for the test, got {both.shape[0]}"
                )
            )
        first, last = both.split(TEST_SHARE)
    else:
        return None
    return Loaders(first, last, source, len(first.classes or ()))


def _loader(folder: Path, input_shape: Sequence[int]) -> FileLoader:
    color, size = _picture_shape(input_shape)
    return from_folder(folder, size=size, color=color)


def _picture_shape(input_shape: Sequence[int]) -> tuple[bool, tuple[int, int]]:
    """Return whether a net sees colors, and height and width."""
    shape = tuple(input_shape)
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    if len(shape) == 1 and side * side == shape[0]:
        return False, (side, side)
    if len(shape) == 2:
        return False, (shape[0], shape[1])
    if len(shape) == 3 and shape[0] in (1, 3):
        return shape[0] == 3, (shape[1], shape[2])
    raise ValueError(
        "data: pictures need a net over (height, width), (1, height, width) or (3, height, "
        f"width), got {shape}"
    )


def _listed(loader: FileLoader) -> str:
    return brief(", ".join(loader.classes or ()))


def _shards(place: Path) -> Loaders | None:
    for kind in _KINDS:
        train = _shards_of(place, "train", kind)
        if train is None:
            continue
        test = _shards_of(place, "test", kind)
        if test is None:
            name = "" if kind == "safetensors" else "x_"
            raise FileNotFoundError(
                printable(
                    f"{place}: expected {name}test*.{kind} beside {name}train*.{kind}"
                )
            )
        return Loaders(train, test, f"{kind} files in {place}", _classes_of(train))
    return None


def _shards_of(place: Path, part: str, kind: str) -> FileLoader | None:
    prefix = "" if kind == "safetensors" else "x_"
    names = sorted(place.glob(f"{prefix}{part}*.{kind}"))
    if not names:
        return None
    if kind == "safetensors":
        return from_files(names)
    return from_files(names, sorted(place.glob(f"y_{part}*.{kind}")))


def _classes_of(loader: FileLoader) -> int | None:
    """Return the number of classes, 1 more than the greatest label; None of values."""
    labels = loader.labels
    if labels is None or labels.dtype.kind not in "iu":
        return None
    return int(labels.max()) + 1
