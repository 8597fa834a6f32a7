"""A table of the epochs, in Keras' columns."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from rnn_native.base.checks import check_flag
from rnn_native.base.errors import FormatError
from rnn_native.base.files import (
    AnyPath,
    append_text,
    as_path,
    atomic_write,
    csv_line,
    read_within,
    shown,
)
from rnn_native.base.text import brief
from rnn_native.training.callback import Callback, Logs, values_of
from rnn_native.training.history import COLUMNS
from rnn_native.training.logs import MAX_BYTES

_ADVICE = "choose another file or append=False"
_VALUE = re.compile(r"(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|inf|nan))?")
_PART = re.compile(r"[+-]?[0-9.]*(?:e[+-]?[0-9]*)?|[+-]?(?:i|in|n|na)")


class CSVLogger(Callback):
    """Append a row for each epoch to a CSV file.

    The columns are epoch, from 0, and those of the history by name, as in Keras' file:
    accuracies are fractions. Metrics, and numbers that earlier callbacks put into the logs,
    have separate columns; one that first appears in a later epoch is empty in the rows
    before.

    Parameters
    ----------
    filename : str or path-like
        The file; it is made when missing.
    separator : str
        One character.
    append : bool
        Keep the rows that are in the file, and count epochs on from its last one; there is
        one header. A resumed run continues after the row of its own last epoch. False
        starts the file again, with the rows of the epochs that a resumed run has completed.

    Raises
    ------
    ValueError
        If `separator` is longer; from `fit` if the file to append to has other columns, or
        is not a table that `read_log` would accept.
    OSError
        From `fit` if the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = rn.CSVLogger(f"{folder}/log.csv")
    ...     history = net.fit(x, y, epochs=2, callbacks=log, verbose=0)
    ...     print(rn.read_log(f"{folder}/log.csv").epoch)
    [0, 1]
    """

    def __init__(
        self, filename: AnyPath, separator: str = ",", append: bool = False
    ) -> None:
        is_one = isinstance(separator, str) and len(separator) == 1
        if not is_one or separator in '\r\n"' or "\ud800" <= separator <= "\udfff":
            raise ValueError(f"separator: expected one character, got {brief(separator)}")
        self.filename = as_path("filename", filename)
        self.separator = separator
        self.append = check_flag("append", append)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write the header and what a resumed run has completed, or check the existing file."""
        done = {name for _, row in self._behind() for name in row}
        self._columns = _sorted({*self.run.columns, *done})
        self._shift = 0
        if self.append and self.filename.exists():
            self._continue()
            return
        rows = [self._row(*row) for row in self._behind()]
        self._write([self._line(self._columns), *rows])

    def _behind(self) -> Iterator[tuple[int, Logs]]:
        history = self.run.history
        return zip(history.epoch, (row.values() for row in history), strict=True)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Append the epoch's row."""
        values = values_of(self.run, logs)
        # What earlier callbacks put into the logs is known only now.
        if more := values.keys() - {*self._columns}:
            self._widen(more)
        append_text(self.filename, self._row(epoch + self._shift, values))

    def _continue(self) -> None:
        """Make the file end where this run begins, and let epochs count on from there."""
        text = self._text()
        whole, _, rest = text.rpartition("\n")
        lines = whole.split("\n") if whole or rest != text else []
        header = lines[0] if lines else rest or self._line(self._columns).rstrip()
        self._columns = self._columns_of(header)
        rows = lines[1:]
        if lines and rest and self._is_whole(rest):
            rows.append(rest)
        history = self.run.history
        if history.call_rows:
            last = self._row(0, history.rows[-1].values()).rstrip()
            rows = rows[: _after_last(rows, last.partition(self.separator)[2])]
        if rows:
            self._shift = self._epoch_of(rows[-1]) + 1 - history.next_epoch
        lines = [f"{line}\n" for line in (header, *rows)]
        if "".join(lines) != text:
            self._write(lines)

    def _text(self) -> str:
        """Return what the file to append to has, or raise an error if it is not a table."""
        name = shown(self.filename)
        try:
            content = read_within(self.filename, MAX_BYTES, name)
        except FormatError as error:
            raise FormatError(f"{error}; {_ADVICE}") from None
        try:
            # Not splitlines() after this: it also ends lines within names of columns.
            return content.decode().replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise FormatError(
                f"{name}: expected a table in UTF-8, got byte "
                f"0x{content[error.start]:02x} in line {line}; {_ADVICE}"
            ) from None

    def _is_whole(self, line: str) -> bool:
        """Return whether a last line without an end is a row; False for a part of one.

        A writer that was killed may have left a part. What is neither is not ours to remove.
        """
        *before, last = self._fields(line) or [line]
        count = len(self._columns)
        if len(before) < count and all(map(_VALUE.fullmatch, before)):
            if len(before) == count - 1 and last and _VALUE.fullmatch(last):
                return True
            if _PART.fullmatch(last):
                return False
        raise FormatError(
            f"{shown(self.filename)}: expected the row of an epoch as its last line, got "
            f"{brief(line[:80])}; {_ADVICE}"
        )

    def _columns_of(self, header: str) -> list[str]:
        """Return the columns of a file to append to, or raise ValueError for another table's.

        Columns that callbacks add to the logs appear later: the file may have more.
        """
        found = self._fields(header)
        missing = {*self.run.columns} - {*found}
        more = {*found} - {*self._columns}
        foreign = more if self.run.has_foreign_logs else set()
        if found[:1] == ["epoch"] and not missing and more <= foreign - {*COLUMNS}:
            return found
        own = self._line(self._columns).rstrip()
        raise ValueError(
            f"{shown(self.filename)}: has the columns {header[:80]!r}, this run has "
            f"{own!r}; {_ADVICE}"
        )

    def _widen(self, more: Collection[str]) -> None:
        """Add columns to the file, empty in the rows that it has."""
        lines = self._text().removesuffix("\n").split("\n")[1:]
        before = self._columns
        self._columns = _sorted({*before, *more})
        rows = [dict(zip(before, self._fields(line), strict=False)) for line in lines]
        table = [self._line([row.get(name) for name in self._columns]) for row in rows]
        self._write([self._line(self._columns), *table])

    def _epoch_of(self, line: str) -> int:
        number = line.partition(self.separator)[0]
        if not number.isdecimal():
            raise ValueError(
                f"{shown(self.filename)}: expected the number of an epoch, got "
                f"{number[:24]!r}; {_ADVICE}"
            )
        return int(number)

    def _write(self, lines: Iterable[str]) -> None:
        atomic_write(self.filename, "".join(lines).encode())

    def _row(self, epoch: int, values: Logs) -> str:
        return self._line([epoch, *(values.get(name) for name in self._columns[1:])])

    def _fields(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self.separator), [])
        except csv.Error:  # no table at all
            return []

    def _line(self, values: list[Any]) -> str:
        return csv_line(values, self.separator)


def _sorted(columns: set[str]) -> list[str]:
    return ["epoch", *sorted(columns - {"epoch"})]


def _after_last(rows: list[str], values: str) -> int:
    """Return the index after the last row with these values, or after all rows."""
    for end in range(len(rows), 0, -1):
        if rows[end - 1].endswith(values):
            return end
    return len(rows)
