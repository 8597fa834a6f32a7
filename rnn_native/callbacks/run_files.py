"""The files of a run's folder: what resumes it, its best model, its log."""

from collections.abc import Mapping
from pathlib import Path

from rnn_native.base.files import AnyPath, append_text, atomic_write, csv_line
from rnn_native.net import model_file
from rnn_native.training import run_folder
from rnn_native.training.callback import Callback, Logs, values_of
from rnn_native.training.history import History
from rnn_native.training.run import Run
from rnn_native.training.run_file import save_run


class RunConfig(Callback):
    """Take over the run's folder: remove an older run's files, write config.json.

    It comes behind the user's callbacks: while one of them may refuse the run, the older one
    stays as it is.

    Parameters
    ----------
    folder : path
        Must exist.
    kind, source : str
        What the file calls the model and the data.
    resumes : bool
        Whether the folder's run is the one that is continued.
    """

    run: Run

    def __init__(self, folder: AnyPath, kind: str, source: str, *, resumes: bool) -> None:
        self.folder = Path(folder)
        self._kind, self._source, self._resumes = kind, source, resumes

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Make the folder this run's."""
        if not self._resumes:
            run_folder.clear(self.folder)
        architecture, recipe = self.run.model.architecture(), self.run.recipe.as_dict()
        run_folder.write_config(self.folder, self._kind, architecture, recipe, self._source)


class RunCheckpoint(Callback):
    """Write best.safetensors on improvement and last.safetensors after every epoch.

    Parameters
    ----------
    folder : path
        Must exist. Files are replaced atomically: a good one is never lost.

    Notes
    -----
    last.safetensors holds all that is needed to resume the run bit for bit. It is also
    written before the first epoch, so that an older run is never resumed.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = net.fit(x, y, callbacks=rn.callbacks.RunCheckpoint(folder), verbose=0)
    ...     print(sorted(os.listdir(folder)))
    ['best.safetensors', 'last.safetensors']
    """

    run: Run

    def __init__(self, folder: AnyPath) -> None:
        self.folder = Path(folder)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Save the run before its first epoch."""
        if not self.run.history:
            save_run(self.run, self.folder / run_folder.LAST)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save. Without validation, the last epoch is the best."""
        if self.run.history.best_epoch() in (len(self.run.history) - 1, None):
            facts = values_of(self.run, logs)
            model_file.save(self.run.model, self.folder / run_folder.BEST, facts)
        save_run(self.run, self.folder / run_folder.LAST)


CSV_HEADER = "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate"
"""Columns of the log: epochs from 1, seconds, and the accuracy in percent."""


class RunLog(Callback):
    """Append a row for each epoch to a CSV file, in the reference system's columns.

    Further metrics have columns after these.

    Parameters
    ----------
    path : path
        A new run starts a new file. A resumed run keeps the rows of the epochs it has
        completed, drops later ones, and writes no second header.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = rn.callbacks.RunLog(f"{folder}/log.csv")
    ...     history = net.fit(x, y, epochs=2, callbacks=log, verbose=0)
    ...     print(len(rn.read_log(f"{folder}/log.csv")))
    2
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = Path(path)

    def write(self, history: History) -> None:
        """Write the header and all rows of a history, replacing the file atomically."""
        self._more = list(dict.fromkeys(name for row in history for name in row.metrics))
        rows = zip(history.epoch, (row.values() for row in history), strict=True)
        text = "".join(self._row(epoch, row) for epoch, row in rows)
        header = csv_line([*CSV_HEADER.split(","), *self._more])
        atomic_write(self.path, f"{header}{text}".encode())

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write the header, and what the history already holds."""
        self.write(self.run.history)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Append the epoch's row."""
        if {*self.run.history.rows[-1].metrics} - {*self._more}:
            self.write(self.run.history)
            return
        append_text(self.path, self._row(epoch, values_of(self.run, logs)))

    def _row(self, epoch: int, logs: Mapping[str, float]) -> str:
        accuracy = logs.get("val_accuracy")
        values = [
            epoch + 1,
            logs["loss"],
            logs["time"],
            logs.get("val_loss"),
            None if accuracy is None else 100 * accuracy,
            logs["learning_rate"],
            *(logs.get(name) for name in self._more),
        ]
        return csv_line(["" if value is None else repr(value) for value in values])
