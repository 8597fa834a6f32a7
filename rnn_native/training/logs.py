"""Training logs: a reader for the CSVs of this package and all those of the reference.

===== ===================================================== ===========================
       columns of a file without a header                    written by
===== ===================================================== ===========================
3     epoch, loss, seconds                                  mlp.c, all programs of V1
4     epoch, loss, val_accuracy, seconds                    attention, V2 and V3
5     epoch, loss, seconds, val_loss, val_accuracy          documented for V2
6     epoch, loss, seconds, val_loss, val_accuracy, seconds MLP and CNN, V2
6     epoch, loss, seconds, val_loss, val_accuracy, rate    CNN, V3
===== ===================================================== ===========================

Six columns are V2's if the sixth equals the third in every row, and else V3's. The third of
four columns must look like a percentage. A header, as this package and the V3 MLP write it,
leaves nothing to guess. One with a column `accuracy`, or with `loss`, `time` and
`learning_rate`, is Keras' or that of our `CSVLogger`, whose accuracies are fractions, not
percentages. Such a file may hold several fits, appended: where its epochs begin again, they
count on. Columns are separated by commas, or by what follows `epoch` where that is the first
name of a header without commas.
"""

import csv
import math
import re
from typing import NamedTuple

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, read_within, shown
from rnn_native.base.text import brief
from rnn_native.training.history import EpochRow, History

MAX_BYTES = 1 << 24
MAX_LINES = 100_000
MAX_LINE = 1 << 18  # characters
MAX_VALUES = 1 << 20

_NAMES = {
    "epoch": "epoch",
    "train_loss": "loss",
    "loss": "loss",
    "accuracy": "accuracy",
    "train_time": "time",
    "time": "time",
    "seconds": "time",
    "val_loss": "val_loss",
    "val_accuracy": "val_accuracy",
    "val_acc": "val_accuracy",
    "learning_rate": "learning_rate",
    "lr": "learning_rate",
}
_LAYOUTS = {
    3: ("epoch", "loss", "time"),
    4: ("epoch", "loss", "val_accuracy", "time"),
    5: ("epoch", "loss", "time", "val_loss", "val_accuracy"),
    6: ("epoch", "loss", "time", "val_loss", "val_accuracy", "learning_rate"),
}
_TIME_TWICE = (*_LAYOUTS[5], "time")
_OPTIONAL = frozenset({"accuracy", "val_loss", "val_accuracy"})
_OURS = frozenset({"epoch", "loss", "time", "learning_rate"})
_SEPARATOR = re.compile(r'"?epoch"?([^\w"])', re.IGNORECASE)
_DIVERGES = frozenset({"loss", "val_loss"})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class _Line(NamedTuple):
    """Fields of a line, and where it is, for messages."""

    where: str
    fields: list[str]


def read_log(path: AnyPath) -> History:
    """Read a training log, whichever program wrote it.

    Parameters
    ----------
    path : str or path-like
        A CSV file with one of the column layouts that this module lists.

    Returns
    -------
    History
        Accuracies are fractions. What a file does not have is None for `accuracy`,
        `val_loss` and `val_accuracy`, and NaN for `time` and `learning_rate`.
        Epochs count from 0 whether the file's count from 0 or from 1.

    Raises
    ------
    OSError
        If there is no such file, or it is not a regular one.
    FormatError
        If it has more than 16 MiB, 100,000 lines or 2**20 values, or a line is not what its layout
        demands; the message names the line.

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
    name = shown(path)[1:-1]
    lines = _split(read_within(path, MAX_BYTES, name), name)
    columns = _header(lines[0])
    if columns is None:
        return _as_history(lines, _guess(lines), name, has_fractions=False)
    return _as_history(lines[1:], columns, name, _has_fractions(lines[0]))


def _split(content: bytes, name: str) -> list[_Line]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{name}:{line}: not UTF-8; not a training log") from None
    rows = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    if len(rows) > MAX_LINES:
        raise FormatError(
            f"{name}: a training log has at most {MAX_LINES} lines, got {len(rows)}"
        )
    if rows == [""]:
        raise FormatError(f"{name}: expected a training log, but the file is empty")
    separator, lines = _separator_of(rows[0]), []
    count = text.count(separator) + len(rows)
    if count > MAX_VALUES:
        raise FormatError(
            f"{name}: a training log has at most {MAX_VALUES} values, got {count}"
        )
    for number, row in enumerate(rows, 1):
        if not row.strip():
            raise FormatError(f"{name}:{number}: empty line")
        where = f"{name}:{number}"
        if len(row) > MAX_LINE:
            raise FormatError(
                f"{where}: expected a line of at most {MAX_LINE} characters, got {len(row)}"
            )
        lines.append(_Line(where, [f.strip() for f in _fields(row, separator, where)]))
    return lines


def _separator_of(header: str) -> str:
    """Return what separates columns: `CSVLogger` may have been given another character."""
    found = _SEPARATOR.match(header)
    return found[1] if found and "," not in header else ","


def _fields(row: str, separator: str, where: str) -> list[str]:
    if '"' not in row:
        return row.split(separator)
    try:
        return next(csv.reader([row], delimiter=separator))
    except csv.Error as error:
        raise FormatError(f"{where}: not a line of a training log: {error}") from None


# ---- columns ----


def _header(line: _Line) -> tuple[str, ...] | None:
    """Return the columns that a header names, or None if the line is not a header."""
    if all(_is_number(field) or not field for field in line.fields):
        return None
    columns: dict[str, None] = {}  # in order
    fields = frozenset(line.fields)
    # A log of this package may have columns of further metrics, whatever their names.
    is_ours = {_NAMES.get(field.lower()) for field in fields} >= _OURS
    for column, field in enumerate(line.fields, 1):
        known = _NAMES.get(field.lower())
        is_told_elsewhere = known != field and (known in fields or known in columns)
        if is_ours and field and (known is None or is_told_elsewhere):
            known = field
        if known is None:
            raise FormatError(
                f"{line.where}: column {column}: {field[:24]!r} is not a column of a "
                f"training log; known are {', '.join(_NAMES)}"
            )
        if known in columns:
            raise FormatError(
                f"{line.where}: column {column}: expected each name once, got a second {known}"
            )
        columns[known] = None
    for needed in ("epoch", "loss"):
        if needed not in columns:
            raise FormatError(f"{line.where}: the header names no column for {needed}")
    return tuple(columns)


def _has_fractions(header: _Line) -> bool:
    """Return whether a log with this header is Keras' or our `CSVLogger`'s."""
    return "accuracy" in map(str.lower, header.fields) or {*header.fields} >= _OURS


def _guess(lines: list[_Line]) -> tuple[str, ...]:
    """Return the columns of a file without a header."""
    count = len(lines[0].fields)
    if count not in _LAYOUTS:
        raise FormatError(
            f"{lines[0].where}: expected 3 to 6 columns, or a header, got {count} columns"
        )
    if count == 4:
        for line in lines:
            _check_percentage(line)
    if count == 6 and all(
        len(line.fields) == 6 and line.fields[5] == line.fields[2] for line in lines
    ):
        return _TIME_TWICE
    return _LAYOUTS[count]


def _check_percentage(line: _Line) -> None:
    text = line.fields[2] if len(line.fields) == 4 else "0"
    if _is_number(text) and not 0 <= float(text) <= 100:
        raise FormatError(
            f"{line.where}: column 3: {text[:24]!r} is not a percentage; four columns are "
            "epoch, loss, validation accuracy, seconds"
        )


# ---- values ----


def _as_history(
    lines: list[_Line], columns: tuple[str, ...], name: str, has_fractions: bool
) -> History:
    if not lines:
        raise FormatError(f"{name}: expected epochs, but there is only a header")
    history = History()
    first = _epoch_number(lines[0], columns)
    origin, before = min(first, 1), -1
    done = 0  # epochs of the fits before
    whole = 1 if has_fractions else 100
    for line in lines:
        values = _values(line, columns, whole)
        epoch = _epoch_number(line, columns)
        if epoch <= before:
            if epoch != first or not has_fractions:
                raise FormatError(f"{line.where}: epoch {epoch} comes after epoch {before}")
            done = history.epochs
        before = epoch
        history.append(_as_row(values, whole), done + epoch - origin)
    return history


def _as_row(values: dict[str, float | None], whole: int) -> EpochRow:
    reached = values.get("val_accuracy")
    loss, seconds, rate = (
        math.nan if (value := values.get(name)) is None else value
        for name in ("loss", "time", "learning_rate")
    )
    return EpochRow(
        loss=loss,
        accuracy=values.get("accuracy"),
        time=seconds,
        learning_rate=rate,
        val_loss=values.get("val_loss"),
        val_accuracy=None if reached is None else reached / whole,
        metrics={
            name: value
            for name, value in values.items()
            if name not in _NAMES.values() and value is not None
        },
    )


def _epoch_number(line: _Line, columns: tuple[str, ...]) -> int:
    text = line.fields[columns.index("epoch")]
    if not re.fullmatch("[0-9]{1,15}", text):
        raise FormatError(
            f"{line.where}: expected the number of an epoch, got {brief(text[:24])}"
        )
    return int(text)


def _values(line: _Line, columns: tuple[str, ...], whole: int) -> dict[str, float | None]:
    if len(line.fields) != len(columns):
        raise FormatError(
            f"{line.where}: expected {len(columns)} columns, got {len(line.fields)}"
        )
    return {
        column: _value(text, column, whole, f"{line.where}: column {number}")
        for number, (text, column) in enumerate(zip(line.fields, columns, strict=True), 1)
    }


def _value(text: str, column: str, whole: int, where: str) -> float | None:
    """Return a number; `whole` is what the accuracy of all rows is, 1 or 100."""
    is_metric = column not in _NAMES.values()
    if not text and (is_metric or column in _OPTIONAL):
        return None
    if not _is_number(text):
        raise FormatError(f"{where}: {text[:24]!r} is not a number ({column})")
    value = float(text)
    if not math.isfinite(value) and not is_metric and column not in _DIVERGES:
        raise FormatError(f"{where}: expected a finite {column}, got {brief(text[:24])}")
    if column in ("accuracy", "val_accuracy") and not 0 <= value <= whole:
        kind = "fraction" if whole == 1 else "percentage"
        raise FormatError(f"{where}: expected a {kind}, got {brief(text[:24])}")
    if column in ("time", "learning_rate") and value < 0:
        raise FormatError(
            f"{where}: expected a {column} of at least 0, got {brief(text[:24])}"
        )
    return value


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text))
