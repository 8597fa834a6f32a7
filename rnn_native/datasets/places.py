"""Where MNIST lies.

The folder that the environment variable ``RNN_NATIVE_DATA`` names, ``./data`` (with the
place where torchvision puts MNIST below it), the file that Keras keeps, and a cache of our
own.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rnn_native.base.files import AnyPath, shown
from rnn_native.datasets import published
from rnn_native.datasets.published import Part

VARIABLE = "RNN_NATIVE_DATA"
# torchvision's folder, and one that people make by hand; relative to a data folder.
_SUBFOLDERS = ("", "MNIST/raw", "mnist")


class DataNotFoundError(FileNotFoundError):
    """MNIST is in none of the usual places and cannot be downloaded.

    The message is one line: where it was looked for, why the download failed, and
    what to do.
    """


def find_mnist(path: AnyPath | None = None) -> Path | None:
    """Tell from where `load_mnist` would load, without loading or downloading.

    Parameters
    ----------
    path : str or path-like, optional
        As in `load_mnist`.

    Returns
    -------
    Path or None
        The folder that holds the four IDX files, or the ``.npz`` file. None if
        there is none in the usual places.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` is given, and has no such
        files. Another OSError if it cannot be looked into.
    """
    if path is not None:
        return _demand(Path(path), "")
    if named := os.environ.get(VARIABLE):
        return _demand(_expanded(named), f"{VARIABLE}: ")
    return next(filter(None, map(_look_into, usual_places())), None)


def usual_places() -> Iterator[Path]:
    """Yield the places that are looked at when none is named, in this order."""
    yield Path("data")
    keras = _expanded(os.environ.get("KERAS_HOME") or "~/.keras")
    yield keras / "datasets" / "mnist.npz"
    if cache := cache_folder():
        yield cache


def _expanded(path: str) -> Path:
    # A user without a home folder, as in containers, is a RuntimeError.
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def cache_folder() -> Path | None:
    """Return the folder for downloads; None for a user without a home folder."""
    import pooch

    folder = Path(pooch.os_cache("rnn_native")) / "mnist"
    # Without a home folder it begins with a "~" that would be taken as a name.
    return folder if folder.is_absolute() else None


def _look_into(place: Path) -> Path | None:
    """Return the folder or npz file that holds MNIST at or below `place`."""
    if place.suffix == ".npz" and is_file(place):
        return place
    for folder in (place / sub for sub in _SUBFOLDERS):
        if all(part_in(folder, part) for part in published.PARTS):
            return folder
        if is_file(folder / "mnist.npz"):
            return folder / "mnist.npz"
    return None


def _demand(place: Path, origin: str) -> Path:
    """Return what `_look_into` finds; raise if there is nothing."""
    if found := _look_into(place):
        return found
    try:
        # Says better than we could what is wrong with the folder as such.
        next(place.iterdir(), None)
    except OSError as error:
        raise OSError(error.errno, f"{origin}{error.strerror}", str(place)) from error
    missing = [part.name for part in published.PARTS if not part_in(place, part)]
    raise FileNotFoundError(
        f"{origin}no MNIST in {shown(place)}: {', '.join(missing)} missing (plain or "
        ".gz), and no mnist.npz"
    )


def part_in(folder: Path, part: Part) -> Path | None:
    """Return the file of `folder` that is `part`, under one of its usual names."""
    dotted = part.name.replace("-idx", ".idx")
    for name in (part.name, dotted, f"{part.name}.gz", f"{dotted}.gz"):
        # The archive on Kaggle unpacks to folders, each with one file of its name.
        for path in (folder / name, folder / name / name):
            if is_file(path):
                return path
    return None


def is_file(path: Path) -> bool:
    """Tell whether a file is there, and may be seen."""
    # A folder where one may not look is one without the file.
    with suppress(OSError):
        return path.is_file()
    return False
