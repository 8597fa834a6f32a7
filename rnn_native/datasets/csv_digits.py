"""The Kaggle Digit Recognizer's CSV files: reading with every check, and submissions.

A row is ``label,pixel0,...,pixel783`` or, in test.csv, the pixels alone. Blocks of lines
that hold nothing but digits, commas and line ends are parsed with array operations. A block
with anything else goes line by line through Python's csv module, which also is what finds
the line and column of an error.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_integer
from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, atomic_write, errors_named, shown
from rnn_native.base.text import brief
from rnn_native.datasets.csv_layout import (
    CLASSES,
    MOST_CLASSES,
    Layout,
    empty_line,
    fields_of,
    read_layout,
    shortened,
)
from rnn_native.datasets.csv_text import opened, separator_of, without_first_column

Bytes: TypeAlias = NDArray[np.uint8]

MAX_LINE = 1 << 20
MAX_BYTES = 1 << 31  # 28 times those of Kaggle's train.csv
_PIECE = 1 << 18  # fits the L2 cache with all that is computed from it
_BOM = b"\xef\xbb\xbf"
_NEWLINE, _COMMA, _ZERO, _NINE = b"\n,09"
_SHORT = {str(value): value for value in range(256)}
_WHOLE = re.compile(r"([+-]?)([0-9]+)(?:\.0*)?")


def load_csv(
    path: AnyPath, *, side: int = 28, label: str | None = None, classes: int | None = None
) -> tuple[Bytes, Bytes | None]:
    """Read images, and labels if there are any, from a CSV file.

    Parameters
    ----------
    path : str or path-like
        The file, plain or packed with gzip; UTF-8, or UTF-16 with a byte order mark; lines end
        in LF, CRLF or CR. Separators are commas, or semicolons or tabs where the first line
        has no comma. With a header the columns may be in any order: ``label`` (or
        ``class``, ``target``, ...) and ``pixel0`` to ``pixel783``, ``pixel1`` to
        ``pixel784``, or ``1x1`` to ``28x28`` (row, column); a first column that numbers the
        rows is left out. Without a header the label is the first of 785 columns, and 784
        columns have no label.
    side : int, default 28
        Rows and columns of an image.
    label : {"first", "last"}, optional
        Where the label is in a file without a header. When left out it is the first
        column, and a file whose columns contradict that is refused.
    classes : int in [2, 256], optional
        Labels must be below it. When left out they may be up to 255 with a header, or where
        `label` says their place, and up to 9 elsewhere.

    Returns
    -------
    images : ndarray of shape (n, side, side), uint8
        0 to 255, as the file has them.
    labels : ndarray of shape (n,), uint8, or None
        None when there is no label column.

    Raises
    ------
    OSError
        If there is no such file, it is not a regular one, or reading fails.
    FormatError
        If it has more than 2 GiB, is broken (the message names line and column, from 1), or
        has no header and a last column that looks more like labels than the first does.
    ValueError
        If `label` or `classes` is something else.

    Notes
    -----
    Values are whole numbers, 0 to 255. Quotes and spaces around them, a
    sign and a fraction of zeros ("1.0") are understood. Only the end may have empty lines.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(f"{folder}/digits.csv", "w") as file:
    ...         print("label,pixel0,pixel1,pixel2,pixel3", file=file)
    ...         print("7,0,255,255,0", file=file)
    ...     print(*rn.csv_digits.load_csv(f"{folder}/digits.csv", side=2))
    [[[  0 255]
      [255   0]]] [7]
    """
    if label not in (None, "first", "last"):
        raise ValueError(f"label: expected 'first', 'last' or None, got {brief(label)}")
    if classes is not None:
        check_integer("classes", classes, 2, MOST_CLASSES)
    name = _plain(path)
    layout: Layout | None = None
    images: list[Bytes] = []
    labels: list[Bytes] = []
    separator = b","
    with errors_named(path), opened(path, name, MAX_BYTES) as file:
        for line, block in _without_final_blanks(_blocks(file, name), name):
            if layout is None:
                separator = separator_of(block)
            if separator != b",":
                block = block.replace(separator, b",")
            if layout is None:
                layout, is_header = read_layout(block, side, name, label, classes)
                if is_header:
                    line, block = line + 1, block[block.index(b"\n") + 1 :]
            if not block:
                continue
            if layout.is_indexed:
                block = without_first_column(block)
            table = _parse_fast(block, layout)
            if table is None:
                table = _parse_exact(block, layout, line, name)
            images.append(np.ascontiguousarray(table[:, layout.pixels]))
            if layout.label is not None:
                labels.append(table[:, layout.label])
    if layout is None or not images:
        found = "the file is empty" if layout is None else "there is only a header"
        raise FormatError(f"{name}: expected rows of pixels, but {found}")
    joined = np.concatenate(images).reshape(-1, side, side)
    if not labels:
        return joined, None
    column = np.concatenate(labels)
    if layout.is_guess:
        _check_guess(column, joined[:, -1, -1], name)
    return joined, column


def _check_guess(first: Bytes, last: Bytes, name: str) -> None:
    """Refuse labels of a first column that the last column has a better claim to be.

    Of images the outermost pixels are mostly 0, so a column of labels has more values.
    """
    kinds, kinds_last = len(np.unique(first)), len(np.unique(last))
    fits = last.max() < CLASSES
    if fits and kinds_last > kinds:
        reason = f"the last column has {kinds_last} values in 0..{CLASSES - 1}, the first {kinds}"
    elif fits and len(first) > 1 and not first.any():
        reason = f"all {len(first)} values of the first column are 0"
    else:
        return
    raise FormatError(
        f"{name}: without a header the first column is the label, but {reason}; add a header, or "
        "say where the label is (label first or last)"
    )


def write_submission(path: AnyPath, labels: ArrayLike) -> None:
    """Write the file that Kaggle expects: ``ImageId,Label``, ids from 1, atomically.

    Parameters
    ----------
    path : str or path-like
        The file; its name usually ends in ".csv".
    labels : array_like of int of shape (n,)
        Predictions for the rows of test.csv, in their order.

    Raises
    ------
    TypeError, ValueError
        If `labels` is not a vector of integers from 0 to 9.
    OSError
        If the file cannot be written; an older one is then untouched.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.csv_digits.write_submission(f"{folder}/submission.csv", [7, 2])
    ...     print(Path(folder, "submission.csv").read_text())
    ImageId,Label
    1,7
    2,2
    <BLANKLINE>
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise TypeError(f"labels: expected integers, got {array.dtype}")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"labels: expected shape (n,), got {array.shape}")
    if array.min() < 0 or array.max() >= CLASSES:
        raise ValueError(
            f"labels: expected values in 0..{CLASSES - 1}, got {array.min()} to "
            f"{array.max()}"
        )
    rows = [f"{number},{label}\n" for number, label in enumerate(array.tolist(), 1)]
    atomic_write(path, "".join(["ImageId,Label\n", *rows]).encode())


def _plain(path: AnyPath) -> str:
    """Return `path` printable, on one line and without quotes, for "path:17: ..."."""
    return shown(path)[1:-1]


# ---- lines ----


def _blocks(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole lines, ends made LF, with the number of the first line."""
    line, rest, size = 1, file.read(_PIECE).removeprefix(_BOM), 0
    more = True
    while more:
        piece = file.read(_PIECE)
        more = bool(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise FormatError(f"{name}: expected at most {MAX_BYTES} bytes when unpacked")
        text = rest + piece if more else rest
        # The line feed of a CR at the very end may be in the next piece.
        held = b"\r" if more and text.endswith(b"\r") else b""
        if b"\r" in text:
            text = text[: len(text) - len(held)]
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not more and text and not text.endswith(b"\n"):
            text += b"\n"
        cut = text.rfind(b"\n") + 1
        rest = text[cut:] + held
        if cut:
            yield line, text[:cut]
            line += text.count(b"\n")
        if len(rest) > MAX_LINE:
            raise FormatError(
                f"{name}:{line}: the line has more than {MAX_LINE} bytes; this is not a "
                "CSV file of digits"
            )


def _without_final_blanks(
    blocks: Iterator[tuple[int, bytes]], name: str
) -> Iterator[tuple[int, bytes]]:
    """Pass blocks on; empty lines are left out at the end of the file, refused before."""
    blank = None
    for line, block in blocks:
        body = block.rstrip(b"\n")
        if body and blank is not None:
            raise empty_line(name, blank)
        if body:
            yield line, body + b"\n"
        if blank is None and len(block) - len(body) > bool(body):
            blank = line + body.count(b"\n") + bool(body)


# ---- values ----


def _parse_fast(block: bytes, layout: Layout) -> Bytes | None:
    """Return the rows of a block as a table, or None if there is anything special in it."""
    text = np.frombuffer(block, np.uint8)
    if text.max() > _NINE:
        return None
    is_digit = text >= _ZERO
    ends = np.flatnonzero(~is_digit)
    if ends.size % layout.columns:
        return None
    separators = text[ends].reshape(-1, layout.columns)
    if (separators[:, -1] != _NEWLINE).any() or (separators[:, :-1] != _COMMA).any():
        return None
    lengths = np.diff(ends, prepend=-1)
    if lengths.min() < 2 or lengths.max() > 4:
        return None
    # At a field's last digit: itself, 10 times the one before, 100 times the one before
    # that. Separators count as 0, and what follows one does not count.
    digits = (text - np.uint8(_ZERO)) * is_digit
    values = digits.astype(np.uint16)
    values[1:] += np.uint8(10) * digits[:-1]
    values[2:] += np.uint16(100) * (digits[:-2] * is_digit[1:-1])
    table = values[ends - 1].reshape(-1, layout.columns)
    if (table > layout.most).any():
        return None
    return table.astype(np.uint8)


def _parse_exact(block: bytes, layout: Layout, first: int, name: str) -> Bytes:
    """Return the rows of a block as a table, or raise FormatError with the place."""
    rows = [
        _parse_row(raw, layout, line, name)
        for line, raw in enumerate(block[:-1].split(b"\n"), first)
    ]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, layout.columns)


def _parse_row(raw: bytes, layout: Layout, line: int, name: str) -> bytes:
    if not raw:
        raise empty_line(name, line)
    fields = fields_of(raw, line, name)
    if len(fields) != layout.columns:
        raise FormatError(
            f"{name}:{line}: expected {layout.columns} columns, got {len(fields)}"
        )
    try:
        values = [_SHORT[field] for field in fields]
    except KeyError:
        values = [
            _parse_value(field, f"{name}:{line}: column {column}")
            for column, field in enumerate(fields, 1)
        ]
    if layout.label is not None and values[layout.label] >= layout.classes:
        hint = "; without a header the label is expected first" if layout.is_guess else ""
        raise FormatError(
            f"{name}:{line}: column {layout.label + 1}: label "
            f"{shortened(fields[layout.label])} is outside 0..{layout.classes - 1}{hint}"
        )
    return bytes(values)


def _parse_value(field: str, where: str) -> int:
    match = _WHOLE.fullmatch(field.strip(" \t"))
    if match is None:
        raise FormatError(f"{where}: {shortened(field)} is not a whole number")
    digits = match[2].lstrip("0")
    # Python refuses to convert thousands of digits.
    value = int(digits or "0") if len(digits) <= 3 else 256
    if value > 255 or (match[1] == "-" and value):
        raise FormatError(f"{where}: {shortened(field)} is outside 0..255")
    return value
