"""A table of the epochs, in Keras' columns."""

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rnn_native.callbacks.base import Callback, Logs
from rnn_native.callbacks.monitor import COLUMNS
from rnn_native.files import AnyPath, atomic_write, errors_named, shown


class CSVLogger(Callback):
    """Append a row for each epoch to a CSV file.

    The columns are epoch, from 0, and those of the history by name, as in Keras' file:
    accuracies are fractions.

    Parameters
    ----------
    filename : str or path-like
    separator : str
        One character.
    append : bool
        Keep the rows that are in the file; the header is written once. False starts the file
        anew, with the rows of the epochs that a resumed run has behind it.

    Raises
    ------
    ValueError
        If `separator` is longer; from `fit` if the file to append to has other columns.
    OSError
        From `fit` if the file cannot be written.
    """

    def __init__(
        self, filename: AnyPath, separator: str = ",", append: bool = False
    ) -> None:
        if not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"':
            raise ValueError(f"separator: expected one character, got {separator!r}")
        self.filename = Path(filename)
        self.separator = separator
        self.append = append

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write the header and what a resumed run has behind it, or look at what is there."""
        validated = self.run.data.val_x is not None
        names = [name for name in COLUMNS if validated or not name.startswith("val_")]
        self._columns = ["epoch", *sorted(names)]
        header = self._line(self._columns)
        if self.append and self.filename.exists():
            self._append(self._gap(header))
            return
        rows = map(self._row, self.run.history.epoch, map(asdict, self.run.history))
        atomic_write(self.filename, "".join([header, *rows]).encode())

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Append the epoch's row."""
        self._append(self._row(epoch, logs))

    def _gap(self, header: str) -> str:
        """Return what must come between the rows in the file and new ones."""
        with errors_named(self.filename):
            text = self.filename.read_bytes().decode(errors="replace")
        if not text:
            return header
        found = text.splitlines()[0]
        if found != header.rstrip():
            raise ValueError(
                f"{shown(self.filename)}: has the columns {found[:80]!r}, this run has "
                f"{header.rstrip()!r}; choose another file or append=False"
            )
        # A writer that was killed may have left part of a line.
        return "" if text.endswith("\n") else "\n"

    def _append(self, text: str) -> None:
        with errors_named(self.filename), self.filename.open("a", newline="") as file:
            file.write(text)

    def _row(self, epoch: int, logs: dict[str, Any]) -> str:
        return self._line([{"epoch": epoch, **logs}[name] for name in self._columns])

    def _line(self, values: list[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerow(values)
        return text.getvalue()
