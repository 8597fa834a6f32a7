"""What happens at the borders of epochs: stopping, saving, logging, progress."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from os import PathLike

    from rnn_native.history import History
    from rnn_native.training import Run


class Callback:
    """Base class: override what you need; the methods are those of Keras.

    Attributes
    ----------
    run : Run
        Set by `fit` before anything is called: `run.model`, `run.history`,
        `run.stop("why")`.
    """

    run: "Run"

    def on_train_begin(self) -> None:
        """Before the first epoch; a resumed run has a history here."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After an epoch and its validation; `logs` is the epoch's row of the history."""

    def on_train_end(self) -> None:
        """After the last epoch, also when the run ended with an exception."""


class EarlyStopping(Callback):
    """Stop when the validation loss has not improved for `patience` epochs in a row.

    Parameters
    ----------
    patience : int
    min_delta : float
        An improvement is a loss below the best one minus `min_delta`.

    Notes
    -----
    The count is made anew from the history when training begins, so a resumed run stops
    where an uninterrupted one does. `fit` restores the best weights. NaN is no improvement.
    """

    def __init__(self, patience: int = 3, min_delta: float = 0.001) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ValueError(
                f"patience: expected an integer of at least 1, got {patience!r}"
            )
        if not 0 <= min_delta < math.inf:
            raise ValueError(
                f"min_delta: expected a number of at least 0, got {min_delta!r}"
            )
        self.patience = patience
        self.min_delta = min_delta

    def on_train_begin(self) -> None:
        """Count the epochs that a resumed run has behind it."""
        self.best = math.inf
        self.waited = 0
        for row in self.run.history:
            self._see(row.val_loss)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Count this epoch."""
        self._see(logs.get("val_loss"))

    def _see(self, loss: float | None) -> None:
        if loss is None:
            raise ValueError("EarlyStopping needs validation data; set validation_split")
        if loss < self.best - self.min_delta:
            self.best = loss
            self.waited = 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.run.stop("early stopping")


class ModelCheckpoint(Callback):
    """Write best.safetensors on improvement and last.safetensors after every epoch.

    Parameters
    ----------
    folder : path
        Must exist. Files are replaced atomically: a good one is never lost.

    Notes
    -----
    last.safetensors holds all that is needed to resume the run bit for bit. It is also
    written before the first epoch, so that what is resumed is never an older run.
    """

    def __init__(self, folder: "str | PathLike[str]") -> None:
        self.folder = Path(folder)

    def on_train_begin(self) -> None:
        """Save the run as it stands before its first epoch."""
        from rnn_native import checkpoint, run_folder

        if not self.run.history:
            checkpoint.save_run(self.run, self.folder / run_folder.LAST)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Save. Without validation, the last epoch is the best."""
        from rnn_native import checkpoint, run_folder

        if self.run.history.best_epoch() in (epoch, None):
            checkpoint.save(self.run.model, self.folder / run_folder.BEST, logs)
        checkpoint.save_run(self.run, self.folder / run_folder.LAST)


CSV_HEADER = "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate"
"""Columns of the log: epochs from 1, seconds, and the accuracy in percent."""


class CSVLogger(Callback):
    """Append a row for each epoch to a CSV file, in the reference system's columns.

    Parameters
    ----------
    path : path
        A new run starts the file anew. A resumed run keeps the rows of the epochs it has
        behind it, drops later ones, and writes no second header.
    """

    def __init__(self, path: "str | PathLike[str]") -> None:
        self.path = Path(path)

    def write(self, history: "History") -> None:
        """Write the header and all rows of a history, replacing the file atomically."""
        from rnn_native.files import atomic_write

        rows = zip(history.epoch, history.as_list(), strict=True)
        text = "".join(self._row(epoch, row) for epoch, row in rows)
        atomic_write(self.path, f"{CSV_HEADER}\n{text}".encode())

    def on_train_begin(self) -> None:
        """Write the header, and what the history already holds."""
        self.write(self.run.history)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Append the epoch's row."""
        from rnn_native.files import errors_named

        with errors_named(self.path), self.path.open("a", newline="") as file:
            file.write(self._row(epoch, logs))

    @staticmethod
    def _row(epoch: int, logs: dict[str, Any]) -> str:
        accuracy = logs.get("val_accuracy")
        values = [
            epoch + 1,
            logs["loss"],
            logs["time"],
            logs.get("val_loss"),
            None if accuracy is None else 100 * accuracy,
            logs["learning_rate"],
        ]
        return ",".join("" if v is None else repr(v) for v in values) + "\n"


class ProgressLogger(Callback):
    """Tell how training goes, with the reference system's facts.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0 says nothing; 1 shows a bar (tqdm, on standard error); 2 prints a line an epoch;
        "auto" is 1 on a terminal or in a notebook, else 2.
    stream : text file, optional
        Where lines go; standard output when left out.
    """

    def __init__(self, verbose: int | str = "auto", stream: TextIO | None = None) -> None:
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
        self.verbose = verbose
        self.stream = stream
        self._bar: Any = None

    def on_train_begin(self) -> None:
        """Open the bar."""
        if self.verbose == 1 or (self.verbose == "auto" and _is_interactive()):
            from tqdm.auto import tqdm

            done, total = len(self.run.history), self.run.recipe.epochs
            self._bar = tqdm(total=total, initial=done, unit="epoch")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Move the bar or print the line."""
        facts = [f"Loss: {logs['loss']:.6f}"]
        if "val_loss" in logs:
            facts.append(f"Val Loss: {logs['val_loss']:.6f}")
            facts.append(f"Val Acc: {100 * logs['val_accuracy']:.2f}%")
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join(facts), refresh=False)
            self._bar.update()
        elif self.verbose != 0:
            head = f"Epoch {epoch + 1}/{self.run.recipe.epochs}"
            self._print(", ".join([head, *facts, f"Time: {logs['time']:.3f}s"]))

    def on_train_end(self) -> None:
        """Close the bar; say why training ended when it ended early."""
        if self._bar is not None:
            self._bar.close()
        if self.verbose != 0 and self.run.stop_reason == "early stopping":
            best = self.run.history.best_epoch()
            if best is not None:
                loss = self.run.history.rows[best].val_loss
                self._print(
                    f"Early stopping after epoch {len(self.run.history)}: best validation "
                    f"loss {loss:.6f} in epoch {best + 1}"
                )

    def _print(self, line: str) -> None:
        """Print a line; when nobody reads any more, train on in silence."""
        try:
            print(line, file=self.stream, flush=True)
        except BrokenPipeError:
            self.verbose = 0


def _is_interactive() -> bool:
    """Whether standard error is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
