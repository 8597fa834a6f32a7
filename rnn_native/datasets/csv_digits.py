"""The Kaggle Digit Recognizer's CSV files: reading with every check, and submissions.

A row is ``label,pixel0,...,pixel783`` or, in test.csv, the pixels alone. Blocks of lines
that hold nothing but digits, commas and line ends are parsed with array operations. A block
with anything else goes line by line through Python's csv module, which also is what finds
the line and column of an error.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, atomic_write, errors_named, shown, size_within

if TYPE_CHECKING:
    from collections.abc import Sequence

Bytes: TypeAlias = NDArray[np.uint8]

CLASSES = 10
MAX_LINE = 1 << 20
MAX_BYTES = 1 << 31  # 28 times those of Kaggle's train.csv
_PIECE = 1 << 18  # fits the second-level cache with all that is computed from it
_BOM = b"\xef\xbb\xbf"
_NEWLINE, _COMMA, _ZERO, _NINE = b"\n,09"
_SHORT = {str(value): value for value in range(256)}
_WHOLE = re.compile(r"([+-]?)([0-9]+)(?:\.0*)?")
_LETTER = re.compile(r"[^\W\d]")
_NAME = re.compile(r"pixel([0-9]{1,7})|([0-9]{1,4})x([0-9]{1,4})")


class _Layout(NamedTuple):
    """Which columns a file has."""

    columns: int
    label: int | None
    pixels: "slice | NDArray[np.intp]"
    is_guess: bool = False  # whether the place of the label is taken for granted

    @property
    def most(self) -> Bytes:
        """The greatest value that is right in each column."""
        values = np.full(self.columns, 255, np.uint8)
        if self.label is not None:
            values[self.label] = CLASSES - 1
        return values


def load_csv(
    path: AnyPath, *, side: int = 28, label: str | None = None
) -> tuple[Bytes, Bytes | None]:
    """Read images, and labels if there are any, from a CSV file.

    Parameters
    ----------
    path : str or path-like
        The file, UTF-8 with or without a byte order mark; lines end in LF, CRLF or CR. With
        a header the columns may stand in any order: ``label`` and ``pixel0`` to
        ``pixel783``, or ``1x1`` to ``28x28`` (row, column). Without one the label is the
        first of 785 columns, and 784 columns have no label.
    side : int, default 28
        Rows and columns of an image.
    label : {"first", "last"}, optional
        Where the label stands in a file without a header. When left out it is the first
        column, and a file whose columns speak against that is refused.

    Returns
    -------
    images : ndarray of shape (n, side, side), uint8
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
        If `label` is something else.

    Notes
    -----
    Values are whole numbers, 0 to 255 (labels 0 to 9). Quotes and spaces around them, a
    sign and a fraction of zeros ("1.0") are understood. Only the end may have empty lines.
    """
    if label not in (None, "first", "last"):
        raise ValueError(f"label: expected 'first', 'last' or None, got {label!r}")
    name = _plain(path)
    size_within(path, MAX_BYTES, name)
    layout: _Layout | None = None
    images: list[Bytes] = []
    labels: list[Bytes] = []
    with errors_named(path), Path(path).open("rb") as file:
        for line, block in _without_final_blanks(_blocks(file, name), name):
            if layout is None:
                layout, is_header = _read_layout(block, side, name, label)
                if is_header:
                    line, block = line + 1, block[block.index(b"\n") + 1 :]
            if not block:
                continue
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
    """Write the file that Kaggle takes: ``ImageId,Label``, ids from 1, atomically.

    Parameters
    ----------
    path : str or path-like
    labels : array_like of int of shape (n,)
        Predictions for the rows of test.csv, in their order.

    Raises
    ------
    TypeError, ValueError
        If `labels` is not a vector of integers from 0 to 9.
    OSError
        If the file cannot be written; an older one is then untouched.
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
    line, rest = 1, file.read(_PIECE).removeprefix(_BOM)
    more = True
    while more:
        piece = file.read(_PIECE)
        more = bool(piece)
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
            raise _empty_line(name, blank)
        if body:
            yield line, body + b"\n"
        if blank is None and len(block) - len(body) > bool(body):
            blank = line + body.count(b"\n") + bool(body)


def _empty_line(name: str, line: int) -> FormatError:
    return FormatError(f"{name}:{line}: empty line")


# ---- columns ----


def _read_layout(
    block: bytes, side: int, name: str, label: str | None
) -> tuple[_Layout, bool]:
    """Return the layout that the first line shows, and whether that line is a header."""
    first = block[: block.index(b"\n")]
    if not first:
        raise _empty_line(name, 1)
    fields = _fields(first, 1, name)
    pixels = side * side
    if any(_LETTER.search(field) for field in fields):
        return _layout_of_names(fields, side, name), True
    if fields == [str(number) for number in range(len(fields))]:
        raise FormatError(
            f"{name}:1: the line numbers the columns; expected names, label and pixel0 to "
            f"pixel{pixels - 1}, or no header"
        )
    if len(fields) == pixels + 1 and label == "last":
        return _Layout(pixels + 1, pixels, slice(None, pixels)), False
    if len(fields) == pixels + 1:
        return _Layout(pixels + 1, 0, slice(1, None), label is None), False
    if len(fields) == pixels:
        return _Layout(pixels, None, slice(None)), False
    raise FormatError(
        f"{name}:1: expected {pixels + 1} columns (label and pixels) or {pixels} (pixels), "
        f"got {len(fields)}"
    )


def _layout_of_names(fields: "Sequence[str]", side: int, name: str) -> _Layout:
    where: dict[int, int] = {}
    for column, field in enumerate(fields):
        number = _column_number(field, side)
        if number is None:
            raise FormatError(
                f"{name}:1: column {column + 1}: {_shortened(field)} is not a column; "
                f"expected label and pixel0 to pixel{side * side - 1}"
            )
        if number in where:
            raise FormatError(
                f"{name}:1: column {column + 1}: {_shortened(field)} again, it already is "
                f"column {where[number] + 1}"
            )
        where[number] = column
    label = where.pop(-1, None)
    if len(where) < side * side:
        missing = next(i for i in range(side * side) if i not in where)
        raise FormatError(
            f"{name}:1: the header has {len(where)} pixel columns, expected {side * side}; "
            f"pixel{missing} is missing"
        )
    order = np.array([where[i] for i in range(side * side)], np.intp)
    in_order = bool((np.diff(order) == 1).all())
    pixels = slice(int(order[0]), int(order[-1]) + 1) if in_order else order
    return _Layout(len(fields), label, pixels)


def _column_number(field: str, side: int) -> int | None:
    """Return the number of the pixel that a column's name means, -1 for the label."""
    text = field.strip().lower()
    if text == "label":
        return -1
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    if match[1] is not None:
        number = int(match[1])
        return number if number < side * side else None
    row, column = int(match[2]), int(match[3])
    within = 1 <= row <= side and 1 <= column <= side
    return (row - 1) * side + column - 1 if within else None


# ---- values ----


def _parse_fast(block: bytes, layout: _Layout) -> Bytes | None:
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
    # that. Separators count as 0, and what lies behind one does not count.
    digits = (text - np.uint8(_ZERO)) * is_digit
    values = digits.astype(np.uint16)
    values[1:] += np.uint8(10) * digits[:-1]
    values[2:] += np.uint16(100) * (digits[:-2] * is_digit[1:-1])
    table = values[ends - 1].reshape(-1, layout.columns)
    if (table > layout.most).any():
        return None
    return table.astype(np.uint8)


def _parse_exact(block: bytes, layout: _Layout, first: int, name: str) -> Bytes:
    """Return the rows of a block as a table, or say what is wrong and where."""
    rows = [
        _parse_row(raw, layout, line, name)
        for line, raw in enumerate(block[:-1].split(b"\n"), first)
    ]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, layout.columns)


def _parse_row(raw: bytes, layout: _Layout, line: int, name: str) -> bytes:
    if not raw:
        raise _empty_line(name, line)
    fields = _fields(raw, line, name)
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
    if layout.label is not None and values[layout.label] >= CLASSES:
        hint = "; without a header the label is expected first" if layout.is_guess else ""
        raise FormatError(
            f"{name}:{line}: column {layout.label + 1}: label "
            f"{_shortened(fields[layout.label])} is outside 0..{CLASSES - 1}{hint}"
        )
    return bytes(values)


def _parse_value(field: str, where: str) -> int:
    match = _WHOLE.fullmatch(field.strip(" \t"))
    if match is None:
        raise FormatError(f"{where}: {_shortened(field)} is not a whole number")
    digits = match[2].lstrip("0")
    # Python refuses to convert thousands of digits.
    value = int(digits or "0") if len(digits) <= 3 else 256
    if value > 255 or (match[1] == "-" and value):
        raise FormatError(f"{where}: {_shortened(field)} is outside 0..255")
    return value


def _fields(raw: bytes, line: int, name: str) -> list[str]:
    """Split one line; quotes do not reach over line ends here."""
    import csv

    try:
        return next(csv.reader([raw.decode("utf-8")], strict=True), [""])
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}:{line}: not UTF-8: byte 0x{raw[error.start]:02x} at position "
            f"{error.start + 1} of the line"
        ) from None
    except csv.Error as error:
        raise FormatError(f"{name}:{line}: not CSV: {error}") from None


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 24 else text[:21] + "...")
