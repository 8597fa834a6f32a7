"""One run of a sweep, in whichever thread or process an executor has put it."""

import fcntl
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnn_native.base import outcome
from rnn_native.base.errors import TrainingDiverged, reason_of
from rnn_native.base.files import atomic_write, read_within
from rnn_native.datasets.opening import Dataset
from rnn_native.models.one_call import train_layers
from rnn_native.settings.architecture import parse_architecture
from rnn_native.sweeps.shared_data import read_data
from rnn_native.training import run_folder
from rnn_native.training.callback import Callback, Logs
from rnn_native.training.result import TrainingResult
from rnn_native.training.run import Run

RECORD = "result.json"
"""What a run's folder has once the run is over, or has reached a rung."""
MAX_RECORD = 1 << 23
"""Bytes: those of 10 columns of 40,000 epochs."""
FORMAT_VERSION = 1
BEAT = 1.0
"""Seconds between signs of life."""
PATIENCE = 60.0
"""Seconds to wait for another process that trains the same run."""

DONE, STOPPED, FAILED, INTERRUPTED = "done", "stopped", "failed", "interrupted"
OVER = "sweep is over"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is sent: names, numbers and paths, no arrays unless it is a thread.

    Attributes
    ----------
    id : str
    kind : str
    architecture, recipe : dict
    data : Dataset, or (folder, source, classes) of mapped files
    folder : str
        Of the run's files.
    signs : str
        Folder for signs of life; ``stop`` in it ends all runs after their epoch.
    until : int or None
        Number of the epoch to stop after, for rungs.
    threads : int
    metrics : as for `Network.fit`
    callbacks : callable or None
        Returns further callbacks.
    """

    id: str
    kind: str
    architecture: Mapping[str, Any]
    recipe: Mapping[str, Any]
    data: Dataset | tuple[str, str, int | None]
    folder: str
    signs: str
    until: int | None
    threads: int
    metrics: Any = None
    callbacks: Callable[[], Any] | None = None


class _StopAt(Callback):
    """Stops a run at a rung, or when the sweep is over; keeps its error."""

    run: Run

    def __init__(self, until: int | None, stop: Path) -> None:
        self._until, self._stop = until, stop
        self.faults: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        # A line of each run that learns nothing would hide the sweep's own.
        self.run.faults = self.faults
        self._look()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._look()

    def _look(self) -> None:
        run = self.run
        done = run.history.next_epoch
        if self._stop.exists():
            run.stop(OVER)
        elif self._until is not None and self._until <= done < run.recipe.epochs:
            run.stop(STOPPED)


def probe(folder: str, more: Any) -> tuple[str, bool]:
    """Return the worker's version, and whether it sees the sweep's folder.

    `more` is what tasks will hold beside plain data: whether it can be sent is seen here.
    """
    from rnn_native.base.version import __version__

    watch_parent()
    return __version__, Path(folder).is_dir()


def train_one(task: Task) -> Record:
    """Train a run, or its missing epochs, and return its record.

    A run whose record is there already is not trained again. One whose folder another process
    holds is waited for. A run that fails is a record with its error.
    """
    watch_parent()
    try:
        folder = run_folder.prepare(task.folder, run_folder.FILES)
        with _sign_of_life(Path(task.signs), task.id), _alone_in(folder):
            found = read_record(folder)
            if found is not None and is_enough(found, task.until):
                return found
            return _trained(task, folder, found)
    except Exception as error:
        # Whatever it is: the other runs must be trained.
        return {"id": task.id, "status": FAILED, "error": outcome.one_line(error)}


def _trained(task: Task, folder: Path, before: Record | None) -> Record:
    """Train, and write the record unless the sweep was ended."""
    start = time.perf_counter()
    spent = 0.0 if before is None else float(before.get("seconds", 0))
    try:
        result, faults = _call(task, folder)
    except TrainingDiverged as error:
        record: Record = {"status": FAILED, "error": reason_of(error), "history": {}}
    else:
        record = {**_record_of(result), "warning": faults[0] if faults else None}
        if record["status"] == INTERRUPTED:
            return {"id": task.id, **record}
    seconds = round(spent + time.perf_counter() - start, 4)
    record = {"format_version": FORMAT_VERSION, "id": task.id, "seconds": seconds, **record}
    atomic_write(folder / RECORD, json.dumps(record).encode() + b"\n")
    return record


def _call(task: Task, folder: Path) -> tuple[TrainingResult, list[str]]:
    """Train; return the result and the error."""
    plan = parse_architecture(task.architecture)
    data: Any = task.data if isinstance(task.data, Dataset) else read_data(*task.data)
    more = [] if task.callbacks is None else list(task.callbacks())
    last = _StopAt(task.until, Path(task.signs, "stop"))
    options = {
        **task.recipe,
        "threads": task.threads,
        "metrics": task.metrics,
        "out": folder,
        "resume": (folder / run_folder.LAST).is_file(),
        "callbacks": [*more, last],
        "verbose": 0,
    }
    result = train_layers(
        task.kind, plan.layers, plan.input_shape, data, options, loss=plan.loss
    )
    return result, last.faults


def _record_of(result: TrainingResult) -> Record:
    reason = result.history.stop_reason
    status = {STOPPED: STOPPED, OVER: INTERRUPTED, INTERRUPTED: INTERRUPTED}.get(
        reason, DONE
    )
    return {
        "status": status,
        "stop_reason": reason,
        "epochs": result.history.epochs,
        "test": {name: _finite(value) for name, value in result.test_scores.items()},
        "history": {
            name: [_finite(value) for value in column]
            for name, column in result.history.history.items()
        },
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def read_record(folder: Path) -> Record | None:
    """Return what a run's folder has recorded; None when it is not there, or not whole."""
    try:
        record = json.loads(read_within(folder / RECORD, MAX_RECORD, RECORD))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and _is_whole(record) else None


def _is_whole(record: Record) -> bool:
    """Whether a record has what `_trained` writes, each of its type."""
    status, epochs = record.get("status"), record.get("epochs", 0)
    history, test = record.get("history"), record.get("test", {})
    if record.get("format_version") != FORMAT_VERSION or type(epochs) is not int:
        return False
    if not isinstance(history, dict) or not isinstance(test, dict):
        return False
    columns = list(history.values())
    if not all(isinstance(column, list) and len(column) == epochs for column in columns):
        return False
    values = [record.get("seconds", 0), *test.values(), *(v for c in columns for v in c)]
    if not all(value is None or type(value) in (int, float) for value in values):
        return False
    if status == FAILED:
        return isinstance(record.get("error"), str)
    return status in (DONE, STOPPED) and "epochs" in record


def is_enough(record: Record, until: int | None) -> bool:
    """Whether a record has all requested epochs."""
    if record["status"] != STOPPED:
        return True
    return until is not None and record["epochs"] >= until


# ---- processes ----


@contextmanager
def _sign_of_life(folder: Path, name: str) -> Iterator[None]:
    """Touch a file again and again, so that those who wait know that work is under way."""
    path, over = folder / f"alive-{name}", threading.Event()

    def beat() -> None:
        while True:
            with suppress(OSError):
                path.touch()
            if over.wait(BEAT):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(OSError):
            path.unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a run's folder: of two processes one trains the run, the other waits a while."""
    with open(folder / ".lock", "a", opener=_without_waiting) as file:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise BlockingIOError(
                        f"{folder}: another process trains this run"
                    ) from None
                time.sleep(0.05)
        yield


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; where a pipe is that nobody reads, raise OSError."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


_watched: int | None = None


def watch_parent() -> None:
    """End this process when the one that started it has ended, if it is a pool's."""
    import multiprocessing

    global _watched
    parent = multiprocessing.parent_process()
    if parent is None or _watched == os.getpid():
        return
    _watched, started_by = os.getpid(), os.getppid()

    def watch() -> None:
        try:
            parent.join()
        except ValueError:  # loky's workers cannot wait for it
            while os.getppid() == started_by:
                time.sleep(BEAT)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="rnn_native parent").start()
