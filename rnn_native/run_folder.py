"""The folder of a training run: what is written there, and whether it can be."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.files import atomic_write

if TYPE_CHECKING:
    from os import PathLike

BEST = "best.safetensors"
LAST = "last.safetensors"
LOG = "log.csv"
CONFIG = "config.json"


def prepare(path: "str | PathLike[str]") -> Path:
    """Make the folder when it is missing, and see that a file can be written there.

    Raises
    ------
    OSError
        If it cannot: better now than after the first epoch.
    """
    import tempfile

    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"cannot write to the run folder: {reason}", str(folder)
        ) from None
    return folder


def write_config(
    folder: Path,
    kind: str,
    architecture: dict[str, Any],
    recipe: dict[str, Any],
    source: str,
) -> None:
    """Write config.json: what was trained, how, and on which data."""
    config = {
        "model": kind,
        "data": source,
        "recipe": recipe,
        "architecture": architecture,
    }
    atomic_write(folder / CONFIG, json.dumps(config, indent=2).encode() + b"\n")
