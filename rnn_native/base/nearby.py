"""What a mistyped path may have been."""

import itertools
import os
from pathlib import Path

from rnn_native.base.rules import nearest_of
from rnn_native.base.text import printable

MOST_LOOKED_AT = 1000


def hint(path: "str | os.PathLike[str]") -> str:
    """Return "; did you mean 'x'?" for a path that is not there, or nothing.

    The first part of the path that is missing is compared with its neighbors.
    """
    missing = Path(path)
    if os.path.lexists(missing) or "\0" in str(missing):
        return ""
    while not missing.parent.exists():
        missing = missing.parent
    # What has more parts below it is a folder. The ending does not make two names similar.
    names = _names_in(missing.parent, folders_only=missing != Path(path))
    beside = {Path(name).stem: name for name in names}
    stem = nearest_of(missing.stem, beside)
    if stem is None:
        return ""
    meant = missing.parent / beside[stem]
    whole = meant / Path(path).relative_to(missing)
    return printable(f"; did you mean '{whole if whole.exists() else meant}'?")


def _names_in(folder: Path, *, folders_only: bool) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            seen = itertools.islice(entries, MOST_LOOKED_AT)
            return [e.name for e in seen if not folders_only or e.is_dir()]
    except OSError:
        return []
