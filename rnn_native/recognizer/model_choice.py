"""Which model reads the drawings: what a user names, or what lies around."""

import contextlib
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rnn_native.base.files import AnyPath
from rnn_native.formats.loading import load
from rnn_native.models import pretrained
from rnn_native.models.network import Network
from rnn_native.training.run_folder import BEST

# The reference system's words for the files that its programs leave.
REFERENCE_FILES = {
    "serial": "mnist_model.bin",
    "cpu": "mnist_model_cpu.bin",
    "gpu": "mnist_model_gpu.bin",
    "cuda": "mnist_model_gpu.bin",
}
# Those of its programs that its own window cannot read.
MORE_REFERENCE_FILES = (
    "mnist_model_best.bin",
    "mnist_cnn_model_best.bin",
    "mnist_cnn_model.bin",
    "mnist_attention_model_best.bin",
    "mnist_attention_model.bin",
)
RUNS = Path("runs")
PIXELS, DIGITS = 784, 10
MOST_OFFERED = 40  # each is opened to see what it reads


class Choice(NamedTuple):
    """A model file and what to call it."""

    name: str
    path: Path


def named(word: str) -> Choice:
    """Return the model that a user names: a path, or one of the reference's words.

    Raises
    ------
    FileNotFoundError
        If a word's file is not there.
    """
    path = Path(word)
    file = REFERENCE_FILES.get(word.lower())
    if file is None or _status(path) is not None:
        return Choice(word, path)
    if not _is_file(file):
        raise FileNotFoundError(
            f"{file}: not found in this folder; train the model first, or name a file"
        )
    return Choice(word.lower(), Path(file))


def around(runs: Path = RUNS) -> list[Choice]:
    """Return what lies around, best first.

    These are runs from the newest on, the reference's files in the current folder, and the
    model that comes with the package.
    """
    found = [Choice(f"run {path.parent.name}", path) for path in _best_of(runs)]
    seen = set()
    for word, file in REFERENCE_FILES.items():
        if file not in seen and _is_file(file):
            found.append(Choice(word, Path(file)))
        seen.add(file)
    found += [Choice(file, Path(file)) for file in MORE_REFERENCE_FILES if _is_file(file)]
    return [*found, Choice("pretrained", pretrained.PATH)]


def _best_of(runs: Path) -> list[Path]:
    """Return the best models of runs, the newest first."""
    found = []
    with contextlib.suppress(OSError):  # there may be no runs
        found = [run / BEST for run in runs.iterdir() if _is_file(run / BEST)]
    return sorted(found, key=_age)


def _is_file(path: AnyPath) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _age(path: Path) -> float:
    status = _status(path)
    return 0.0 if status is None else -status.st_mtime


def _status(path: AnyPath) -> os.stat_result | None:
    """Return what the system says about a path; None if it is missing or cannot be looked at.

    `Path.exists` raises for a closed folder, a path that is too long, and more.
    """
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


def open_model(choice: Choice) -> Network:
    """Read a model that accepts 28 x 28 pixels and distinguishes ten digits.

    Raises
    ------
    ValueError
        If its inputs or outputs are others, or it is damaged (FormatError).
    OSError
        If it cannot be read.
    """
    net = load(choice.path)
    size, outputs = math.prod(net.input_shape), math.prod(net.output_shape)
    if (size, outputs) != (PIXELS, DIGITS):
        raise ValueError(
            f"{choice.path}: expected a model from 28 x 28 pixels to 10 digits, got one "
            f"from {size} numbers to {outputs}"
        )
    return net


def short_name(path: Path) -> str:
    """Return what a model is called in a list: its run, or its file with the folder."""
    if path.name == BEST:
        return f"run {path.parent.name}"
    return f"{path.parent.name}/{path.name}"


def opened_before(paths: Iterable[str]) -> list[Choice]:
    """Return the models that were opened before, without those that cannot be looked at."""
    found = [Path(path) for path in paths if _status(path) is not None]
    return [Choice(short_name(path), path) for path in found]


def that_read_digits(choices: list[Choice]) -> list[Choice]:
    """Return the models that can be opened and read digits, each once, in their order."""
    found: dict[str, Choice] = {}
    for choice in choices[:MOST_OFFERED]:
        with contextlib.suppress(ValueError, OSError):
            # Path.resolve raises RuntimeError for a loop of links.
            place = os.path.realpath(choice.path)
            if place not in found:
                open_model(choice)
                found[place] = choice
    return list(found.values())


def first_that_opens(choices: list[Choice]) -> tuple[Choice, Network]:
    """Return the first model that reads digits: a run may have been for something else.

    Raises
    ------
    ValueError, OSError
        What is wrong with the last one, if no model fits.
    """
    for choice in choices[:-1]:
        with contextlib.suppress(ValueError, OSError):
            return choice, open_model(choice)
    return choices[-1], open_model(choices[-1])
