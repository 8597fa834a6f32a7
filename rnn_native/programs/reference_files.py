"""Training with the files and the console of the reference system's MNIST programs."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnn_native import models
from rnn_native.base.files import append_text, atomic_write
from rnn_native.datasets import opening
from rnn_native.formats.legacy import write_legacy
from rnn_native.models import reference
from rnn_native.programs.reference_console import CONSOLES, Console, Times, number
from rnn_native.training import run_folder
from rnn_native.training.callback import Callback, Logs, values_of
from rnn_native.training.history import History
from rnn_native.training.result import TrainingResult

LOGS = "logs"
HEADER = "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate\n"


class Names(NamedTuple):
    """Names of the files of one program."""

    last: str
    best: str
    log: str


def names_of(model: str, optimizer: str) -> Names:
    """Return the names of a program's files: model is mlp, cnn or attention."""
    stem = "mnist_model" if model == "mlp" else f"mnist_{model}_model"
    log = f"{LOGS}/training_loss_{optimizer if model == 'mlp' else model}.txt"
    return Names(f"{stem}.bin", f"{stem}_best.bin", log)


def train(
    model: str,
    data: str | None,
    options: Mapping[str, Any],
    *,
    folder: Path = Path(),
    is_quiet: bool = False,
) -> TrainingResult:
    """Train a reference model, writing and printing what its program does.

    Parameters
    ----------
    model : {"mlp", "cnn", "attention"}
    data : str, optional
        As for `train_mlp`.
    options : mapping
        Of `train_mlp`. `resume` and `overwrite` hold for the reference's files, too.
    folder : path
        Where the files go.
    is_quiet : bool
        Print nothing.

    Returns
    -------
    TrainingResult

    Raises
    ------
    RunExistsError
        If one of the files is there, and is neither resumed nor to be overwritten.
    ValueError
        If the reference has no format for the net: with another activation, for example.
    """
    recipe = reference.untrained(model, data, **options)[1]
    names = names_of(model, str(recipe.optimizer["type"]))
    if not (options.get("resume") or options.get("overwrite")):
        run_folder.require_free(folder, names)
    run_folder.prepare(folder / LOGS)
    console = CONSOLES[model](recipe, options.get("config"), is_quiet)
    console.begin()
    begun = time.perf_counter()
    dataset = opening.open_dataset(data)
    loading = time.perf_counter() - begun
    files = ReferenceFiles(folder, names, console, dataset, loading, is_mlp=model == "mlp")
    functions: dict[str, Any] = {
        "mlp": models.train_mlp,
        "cnn": models.train_cnn,
        "attention": models.train_attention,
    }
    result: TrainingResult = functions[model](
        dataset, **{**options, "callbacks": [files], "verbose": 0}
    )
    testing = time.perf_counter() - files.ended
    times = Times(loading, files.ended - files.begun, testing)
    console.end(result.test_accuracy, times, names.last, names.log)
    return result


class ReferenceFiles(Callback):
    """Write the two model files and the log, and print a program's lines.

    The best file is replaced whenever best.safetensors is, the other one after every epoch.
    """

    def __init__(
        self,
        folder: Path,
        names: Names,
        console: Console,
        data: opening.Dataset,
        loading: float,
        *,
        is_mlp: bool,
    ) -> None:
        self._folder, self._names, self._console = folder, names, console
        self._data, self._loading, self._is_mlp = data, loading, is_mlp
        self.begun = self.ended = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin the log with what a resumed run has completed."""
        from rnn_native.formats.legacy_choice import format_for

        format_for(
            self.model.architecture(), 4
        )  # refuses other nets before they are trained
        held_out = 0 if self.run.data.val_x is None else len(self.run.data.val_x)
        self._console.loaded(self._data, held_out, self._loading)
        history = self.run.history
        rows = zip(history.epoch, (row.values() for row in history), strict=True)
        text = "".join(self._row(epoch, values) for epoch, values in rows)
        header = HEADER if self._is_mlp else ""
        atomic_write(self._folder / self._names.log, f"{header}{text}".encode())
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Print the epoch's line, append its row, and save."""
        values, history = values_of(self.run, logs), self.run.history
        self._console.epoch(epoch + 1, values)
        append_text(self._folder / self._names.log, self._row(epoch, values))
        if history.best_epoch() in (len(history) - 1, None):
            write_legacy(self.model, self._folder / self._names.best)
            self._console.say(f"Model saved to {self._names.best}")
        write_legacy(self.model, self._folder / self._names.last)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Say why training ended, if it ended early."""
        self.ended = time.perf_counter()
        if self.run.stop_reason == "early stopping":
            self._console.stopped(self.run.history)

    def _row(self, epoch: int, values: Mapping[str, float]) -> str:
        """Return a line of the log, in the program's columns and its form of numbers."""
        if "val_loss" not in values:
            columns = [values["loss"], values["time"]]
            shown = [number(value) for value in columns]
            if self._is_mlp:
                shown += ["", "", number(values["learning_rate"])]
            return f"{','.join([str(epoch + 1), *shown])}\n"
        accuracy = 100 * values["val_accuracy"]
        if self._names.log.endswith("attention.txt"):
            loss, seconds = values["loss"], values["time"]
            return f"{epoch + 1},{loss:.6f},{accuracy:.2f},{seconds:.2f}\n"
        columns = [
            values["loss"],
            values["time"],
            values["val_loss"],
            accuracy,
            values["learning_rate"],
        ]
        return f"{','.join([str(epoch + 1), *map(number, columns)])}\n"


def xor_lines(history: History) -> list[str]:
    """Return the lines of the XOR program, one for each row of the history."""
    pairs = zip(history.epoch, history.rows, strict=True)
    return [f"Epoch {epoch + 1}, Error: {row.loss:.6f}" for epoch, row in pairs]
