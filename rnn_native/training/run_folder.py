"""The folder of a training run: its files, and whether they can be written."""

import errno
import itertools
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base.files import atomic_write

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["RunExistsError"]

BEST = "best.safetensors"
LAST = "last.safetensors"
LOG = "log.csv"
CONFIG = "config.json"
CONFIG_VERSION = 1
FILES = (BEST, LAST, LOG, CONFIG)


def prepare(path: "str | PathLike[str]", names: Sequence[str] = ()) -> Path:
    """Make the folder when it is missing, and see that files can be written there.

    Parameters
    ----------
    path : path
        The folder.
    names : sequence of str
        Files that will be written there.

    Raises
    ------
    OSError
        If they cannot, or one of them is a folder: better now than after the first epoch.
    """
    import tempfile

    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_writable(error, folder) from None
    for place in (folder / name for name in names):
        if place.is_dir():
            text = "expected a file, or a free place for one, got a folder"
            raise IsADirectoryError(errno.EISDIR, text, str(place))
    return folder


def _not_writable(error: OSError, folder: Path) -> OSError:
    reason = error.strerror or str(error)
    return OSError(error.errno, f"cannot write to the run folder: {reason}", str(folder))


class RunExistsError(FileExistsError):
    """A folder holds files that a new run would replace; the message has the choices.

    Parameters
    ----------
    folder : path
        The folder.
    found : str
        A file in it.

    Examples
    --------
    >>> import rnn_native as rn
    >>> issubclass(rn.run_folder.RunExistsError, FileExistsError)
    True
    """

    def __init__(self, folder: "str | PathLike[str]", found: list[str]) -> None:
        self._found = found
        text = self.told("folder", "resume=True", "overwrite=True")
        super().__init__(errno.EEXIST, text, str(folder))

    def told(self, out: str, resume: str, overwrite: str) -> str:
        """Return the message with the caller's names of the three options."""
        resumed = f"{resume} to continue it, " if LAST in self._found else ""
        return (
            f"a run is there already ({self._found[0]}); use {resumed}{overwrite} to "
            f"replace it, or another {out}"
        )


def require_free(path: "str | PathLike[str]", names: Sequence[str] = FILES) -> None:
    """Raise RunExistsError if a folder holds one of the files that a new run would replace."""
    if found := [name for name in names if (Path(path) / name).is_file()]:
        raise RunExistsError(path, found)


def clear(folder: Path) -> None:
    """Remove the files of the run that a folder holds, so that those of two are not mixed."""
    for path in (folder / name for name in FILES):
        if path.is_file():
            path.unlink()


def new_numbered(base: Path) -> Path:
    """Make the first folder of base, base-2, base-3, ... that is not there yet."""
    folder = base
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(2):
            if not folder.exists():
                # Of two processes one makes it, the other tries the next number.
                with suppress(FileExistsError):
                    folder.mkdir()
                    break
            folder = base.with_name(f"{base.name}-{number}")
    except OSError as error:
        raise _not_writable(error, folder) from None
    return folder


def newest_numbered(base: Path) -> Path:
    """Return that of the folders base, base-2, ... whose run was written last."""
    runs = [
        path
        for path in base.parent.glob(f"{escape(base.name)}*")
        if re.fullmatch("(-[1-9][0-9]*)?", path.name[len(base.name) :])
        and (path / LAST).is_file()
    ]
    return max(runs, key=lambda path: (path / LAST).stat().st_mtime_ns, default=base)


def write_config(
    folder: Path,
    kind: str,
    architecture: dict[str, Any],
    recipe: dict[str, Any],
    source: str,
) -> None:
    """Write config.json: the net, the recipe, the data, and the version."""
    from rnn_native.base.version import __version__

    config = {
        "format_version": CONFIG_VERSION,
        "version": __version__,
        "model": kind,
        "data": source,
        "recipe": recipe,
        "architecture": architecture,
    }
    atomic_write(folder / CONFIG, json.dumps(config, indent=2).encode() + b"\n")
