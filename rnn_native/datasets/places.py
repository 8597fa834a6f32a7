"""Where data sets lie.

The folder that the environment variable ``RNN_NATIVE_DATA`` names, ``./data`` (with the
places where torchvision puts data sets below it), what Keras keeps, and a cache of our own.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rnn_native.base.files import AnyPath, shown
from rnn_native.datasets.published import File, Published

VARIABLE = "RNN_NATIVE_DATA"


class DataNotFoundError(FileNotFoundError):
    """A data set is in none of the usual places and cannot be downloaded.

    The message is one line: where it was looked for, why the download failed, and
    what to do.

    Examples
    --------
    >>> import rnn_native as rn
    >>> try:
    ...     rn.datasets.load_dataset("emnist-letters", download=False)
    ... except (rn.DataNotFoundError, FileNotFoundError):
    ...     print("It is not here.")
    It is not here.
    """


def find(record: Published, path: AnyPath | None = None) -> Path | None:
    """Return the folder or npz file that holds a data set; None if no usual place does.

    Parameters
    ----------
    record : Published
        The data set.
    path : str or path-like, optional
        As in `load_dataset`.

    Raises
    ------
    FileNotFoundError
        If `path` or the folder in ``RNN_NATIVE_DATA`` is given, and has no such
        files. Another OSError if it cannot be looked into.
    """
    if path is not None:
        return _demand(Path(path), _anywhere(record), "")
    if named := os.environ.get(VARIABLE):
        return _demand(_expanded(named), record, f"{VARIABLE}: ")
    places = usual_places(record)
    return next(filter(None, (_look_into(place, record) for place in places)), None)


def has_some(record: Published, folder: Path) -> bool:
    """Return whether a folder has at least one of a data set's files, as `find` looks there."""
    return _begun_folder(folder, _anywhere(record)) is not None


def _anywhere(record: Published) -> Published:
    """Return a data set that needs no folder of its name: it was asked for by name."""
    return record._replace(folders=(*record.folders, *({""} - {*record.folders})))


def usual_places(record: Published) -> Iterator[Path]:
    """Yield the places that are searched by default, in this order."""
    yield Path("data")
    if record.keras:
        home = _expanded(os.environ.get("KERAS_HOME") or "~/.keras")
        yield home / "datasets" / record.keras
    if cache := cache_folder(record):
        yield cache


def _expanded(path: str) -> Path:
    # A user without a home folder, as in containers, is a RuntimeError.
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def cache_folder(record: Published) -> Path | None:
    """Return the folder for downloads; None for a user without a home folder."""
    import pooch

    folder = Path(pooch.os_cache("rnn_native")) / record.name
    # Without a home folder it begins with a "~" that would be taken as a name.
    return folder if folder.is_absolute() else None


def _look_into(place: Path, record: Published) -> Path | None:
    """Return the folder or npz file that holds the data set at or below `place`."""
    npz = _npz_name(record)
    if npz and place.suffix == ".npz" and is_file(place):
        return place
    for folder in (place / below for below in _folders_in(place, record)):
        if not _missing_in(folder, record):
            return folder
        if npz and is_file(folder / npz):
            return folder / npz
    return None


def _npz_name(record: Published) -> str:
    """Return the name of Keras's npz file, or nothing for a data set without one."""
    return record.keras if record.keras.endswith(".npz") else ""


def _folders_in(place: Path, record: Published) -> tuple[str, ...]:
    """Return the folders to look at below a place: itself too if it is one of them."""
    if "" not in record.folders and any(place.match(folder) for folder in record.folders):
        return ("", *record.folders)
    return record.folders


def _demand(place: Path, record: Published, origin: str) -> Path:
    """Return what `_look_into` finds; raise if there is nothing."""
    if found := _look_into(place, record):
        return found
    try:
        # Says better than we could what is wrong with the folder as such.
        next(place.iterdir(), None)
    except OSError as error:
        text = f"{origin}expected a folder with {record.title}'s files: {error.strerror}"
        raise OSError(error.errno, text, str(place)) from error
    folder = _begun_folder(place, record)
    if folder is None and "" not in _folders_in(place, record):
        # Its files have the names of MNIST's: only their folder distinguishes them.
        raise FileNotFoundError(
            f"{origin}no {record.title} in {shown(place)}: expected its files in a folder "
            f"{' or '.join(record.folders)} there"
        )
    folder = folder or place
    missing = _missing_in(folder, record)
    no_npz = f", and no {npz}" if (npz := _npz_name(record)) else ""
    raise FileNotFoundError(
        f"{origin}no {record.title} in {shown(folder)}: {', '.join(missing)} missing (plain "
        f"or .gz){no_npz}"
    )


def _begun_folder(place: Path, record: Published) -> Path | None:
    """Return the folder at or below `place` with most of the files, None without any."""
    folders = [place / below for below in _folders_in(place, record)]
    fullest = min(folders, key=lambda folder: len(_missing_in(folder, record)))
    return fullest if len(_missing_in(fullest, record)) < len(record.files) else None


def _missing_in(folder: Path, record: Published) -> list[str]:
    """Return the names of a data set's files that are not in `folder`."""
    return [file.name for file in record.files if not part_in(folder, file)]


def part_in(folder: Path, file: File) -> Path | None:
    """Return the path of a data set's file in `folder`, under one of its usual names."""
    dotted = file.name.replace("-idx", ".idx")
    names = [file.name, dotted, f"{file.name}.gz", f"{dotted}.gz"]
    for name in names + [file.npz] * bool(file.npz):
        # The archive on Kaggle unpacks to folders, each with one file of its name.
        for path in (folder / name, folder / name / name):
            if is_file(path):
                return path
    return None


def is_file(path: Path) -> bool:
    """Return whether a file is there, and may be seen."""
    # A folder where one may not look is one without the file.
    with suppress(OSError):
        return path.is_file()
    return False
