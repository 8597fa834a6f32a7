"""A table of the epochs, in Keras' columns."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnn_native.callbacks.base import Callback, Logs
from rnn_native.files import AnyPath, atomic_write, errors_named, shown


class CSVLogger(Callback):
    """Append a row for each epoch to a CSV file.

    The columns are epoch, from 0, and those of the history by name, as in Keras' file:
    accuracies are fractions. Metrics, and numbers that earlier callbacks put into the logs of
    the first epoch, have columns of their own.

    Parameters
    ----------
    filename : str or path-like
    separator : str
        One character.
    append : bool
        Keep the rows that are in the file, and count epochs on from its last one; the header
        is written once. A resumed run continues after the row of its own last epoch. False
        starts the file anew, with the rows of the epochs that a resumed run has behind it.

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
        done = {name for row in self.run.history for name in row.metrics}
        self._columns = ["epoch", *sorted({*self.run.columns, *done})]
        header = self._line(self._columns)
        self._shift = 0
        self._may_grow = False
        if self.append and self.filename.exists():
            self._continue(header)
            return
        # What earlier callbacks put into the logs is known after the first epoch.
        self._may_grow = not self.run.history
        rows = [self._row(*row) for row in self._behind()]
        atomic_write(self.filename, "".join([header, *rows]).encode())

    def _behind(self) -> Iterator[tuple[int, dict[str, Any]]]:
        history = self.run.history
        return zip(history.epoch, (row.as_dict() for row in history), strict=True)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Append the epoch's row."""
        if self._may_grow and (more := logs.keys() - {*self._columns}):
            self._columns = ["epoch", *sorted({*self._columns[1:], *more})]
            atomic_write(self.filename, self._line(self._columns).encode())
        self._may_grow = False
        self._append(self._row(epoch + self._shift, logs))

    def _continue(self, header: str) -> None:
        """Make the file end where this run begins, and let epochs count on from there."""
        with errors_named(self.filename):
            text = self.filename.read_bytes().decode(errors="replace")
        # A writer that was killed may have left part of a line.
        lines = text[: text.rfind("\n") + 1].splitlines()
        if lines and lines[0] != header.rstrip():
            raise ValueError(
                f"{shown(self.filename)}: has the columns {lines[0][:80]!r}, this run has "
                f"{header.rstrip()!r}; choose another file or append=False"
            )
        rows = lines[1:]
        history = self.run.history
        if history.call_rows:
            last = self._row(0, history.rows[-1].as_dict()).rstrip()
            rows = rows[: _after_last(rows, last.partition(self.separator)[2])]
        if rows:
            self._shift = self._epoch_of(rows[-1]) + 1 - len(history)
        whole = "".join(f"{line}\n" for line in [header.rstrip(), *rows])
        if whole != text:
            atomic_write(self.filename, whole.encode())

    def _epoch_of(self, line: str) -> int:
        number = line.partition(self.separator)[0]
        if not number.isdecimal():
            raise ValueError(
                f"{shown(self.filename)}: expected the number of an epoch, got "
                f"{number[:24]!r}; choose another file or append=False"
            )
        return int(number)

    def _append(self, text: str) -> None:
        with errors_named(self.filename), self.filename.open("a", newline="") as file:
            file.write(text)

    def _row(self, epoch: int, logs: dict[str, Any]) -> str:
        values = {"epoch": epoch, **logs}
        return self._line([values.get(name) for name in self._columns])

    def _line(self, values: list[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerow(values)
        return text.getvalue()


def _after_last(rows: list[str], values: str) -> int:
    """Return the index behind the last row with these values, or behind all rows."""
    for end in range(len(rows), 0, -1):
        if rows[end - 1].endswith(values):
            return end
    return len(rows)
