"""The folder of a sweep: whose it is."""

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnn_native.base.files import atomic_write, read_within
from rnn_native.base.text import printable
from rnn_native.training import run_folder

MANIFEST = "sweep.json"
MAX_MANIFEST = 1 << 20
FORMAT_VERSION = 1


class TemporaryFolder:
    """A folder that is removed with this object."""

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp(prefix="rnn_native-sweep-")
        weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)


def claim(folder: Path, content: Mapping[str, str], *, overwrite: bool) -> None:
    """Make the folder this sweep's, or see that it is.

    Raises
    ------
    FileExistsError
        If another sweep, or a run, is there.
    """
    manifest = folder / MANIFEST
    holds_sweep = manifest.is_file()
    if overwrite or not holds_sweep:
        run_folder.require_free(folder)
        run_folder.prepare(folder)
        if holds_sweep:
            shutil.rmtree(folder / "runs", ignore_errors=True)
        content = {"format_version": str(FORMAT_VERSION), **content}
        atomic_write(manifest, json.dumps(content, indent=2).encode() + b"\n")
        return
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(read_within(manifest, MAX_MANIFEST, MANIFEST))
    if not isinstance(found, dict):
        raise ValueError(
            printable(f"{manifest}: expected a sweep's JSON; set overwrite to replace it")
        )
    for name, value in content.items():
        if found.get(name) != value:
            what = "other data" if name == "data" else "another base"
            text = f"{folder}: holds a sweep of {what}; use another out, or overwrite"
            raise FileExistsError(printable(text))
