"""Where histories come from: objects, logs, folders of runs, model files."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, shown
from rnn_native.net import model_facts, tensor_file
from rnn_native.training import run_folder
from rnn_native.training.history import History
from rnn_native.training.logs import read_log

if TYPE_CHECKING:
    from rnn_native.training.result import TrainingResult

Run: TypeAlias = Union[History, "TrainingResult", AnyPath]
Runs: TypeAlias = Run | Mapping[str, Run] | Iterable[Run]


def open_runs(runs: Runs) -> dict[str, History]:
    """Return histories by name.

    Parameters
    ----------
    runs : run, mapping of str to run, or iterable of run
        A run is a `History`, a `TrainingResult`, or a path: of a training log (any layout
        that `read_log` knows), of a run's folder, or of a model file with the history of
        its run, last.safetensors. For best.safetensors it is the log beside it.

    Returns
    -------
    dict of str to History
        Named by the mapping's keys, else by path, else "run 1", "run 2", ...

    Raises
    ------
    OSError, FormatError
        If a file is missing or wrong.
    ValueError
        If there are no runs, or one has no epochs.
    TypeError
        If a run is not one of these.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(*rn.datasets.synthetic_digits(100, seed=1), epochs=2, verbose=0)
    >>> [*rn.plots.open_runs({"mine": history})]
    ['mine']
    """
    if isinstance(runs, Mapping):
        named = {str(name): _open(run) for name, run in runs.items()}
    else:
        is_list = isinstance(runs, Iterable) and not isinstance(runs, (History, str))
        named = {}
        for number, run in enumerate(runs if is_list else [runs], 1):  # type: ignore[arg-type]
            named[_unused(_name(run, number), named)] = _open(run)
    if not named:
        raise ValueError("runs: expected at least one run, got none")
    for name, history in named.items():
        if not len(history):
            raise ValueError(f"{name}: expected a run with epochs, got an empty history")
    return named


def _name(run: object, number: int) -> str:
    return os.fspath(run) if isinstance(run, (str, os.PathLike)) else f"run {number}"


def _unused(name: str, used: Mapping[str, History]) -> str:
    """Return the name, numbered if a run before has it too."""
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name} ({number})"
    return candidate


def _open(run: object) -> History:
    history = run if isinstance(run, History) else getattr(run, "history", None)
    if isinstance(history, History):
        return history
    if not isinstance(run, (str, os.PathLike)):
        raise TypeError(
            f"runs: expected a History, a TrainingResult or a path, got {type(run).__name__}"
        )
    path = Path(run)
    if path.is_dir():
        return _of_folder(path)
    if path.is_file() and tensor_file.is_safetensors(path):
        return _of_model(path)
    return read_log(path)


def _of_folder(folder: Path) -> History:
    for name, read in ((run_folder.LOG, read_log), (run_folder.LAST, _of_model)):
        if (folder / name).is_file():
            return read(folder / name)
    raise FileNotFoundError(
        f"{shown(folder)[1:-1]}: not the folder of a run: expected {run_folder.LOG} or "
        f"{run_folder.LAST} in it"
    )


def _of_model(path: Path) -> History:
    run = model_facts.describe(path).get("run")
    log = path.with_name(run_folder.LOG)
    if run is None and path.name == run_folder.BEST and log.is_file():
        return read_log(log)
    if run is None:
        raise FormatError(
            f"{shown(path)[1:-1]}: a model without the history of its run; name its log, or "
            f"{run_folder.LAST}"
        )
    try:
        return History.from_list(run["history"])
    except (TypeError, KeyError, ValueError) as error:
        raise FormatError(f"{shown(path)[1:-1]}: history cannot be used: {error}") from None
