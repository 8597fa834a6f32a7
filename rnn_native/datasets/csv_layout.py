"""Which columns a CSV file of images has, as its first line shows."""

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.errors import FormatError

Bytes: TypeAlias = NDArray[np.uint8]

# Labels of a file without a header are below this: there a greater number is a pixel.
CLASSES = 10
# With a header it is known which column they are.
MOST_CLASSES = 256
LABELS = frozenset({"label", "labels", "class", "target", "digit", "y"})
# Names of a first column that numbers the rows, as pandas and Kaggle write it.
INDEXES = frozenset({"", "unnamed: 0", "index", "id", "imageid", "image_id"})
_LETTER = re.compile(r"[^\W\d]")
_NAME = re.compile(r"pixel_?([0-9]{1,7})|([0-9]{1,4})x([0-9]{1,4})")


class Layout(NamedTuple):
    """Which columns a file has, without the one that numbers the rows.

    Attributes
    ----------
    columns : int
    label : int or None
    pixels : slice or ndarray of int
    is_guess : bool
        Whether the place of the label is taken for granted.
    classes : int
        Labels are below this.
    is_indexed : bool
        Whether a column that numbers the rows comes before all these.
    """

    columns: int
    label: int | None
    pixels: "slice | NDArray[np.intp]"
    is_guess: bool = False
    classes: int = CLASSES
    is_indexed: bool = False

    @property
    def most(self) -> Bytes:
        """The greatest value that is right in each column."""
        values = np.full(self.columns, 255, np.uint8)
        if self.label is not None:
            values[self.label] = self.classes - 1
        return values


def read_layout(
    block: bytes, side: int, name: str, label: str | None, classes: int | None
) -> tuple[Layout, bool]:
    """Return the layout that the first line shows, and whether that line is a header."""
    first = block[: block.index(b"\n")]
    if not first:
        raise empty_line(name, 1)
    fields = fields_of(first, 1, name)
    pixels = side * side
    if any(_LETTER.search(field) for field in fields):
        return _layout_of_names(fields, side, name, classes or MOST_CLASSES), True
    if fields == [str(number) for number in range(len(fields))]:
        raise FormatError(
            f"{name}:1: the columns have numbers; expected names, label and pixel0 to "
            f"pixel{pixels - 1}, or no header"
        )
    if len(fields) == pixels + 1 and label == "last":
        return Layout(
            pixels + 1, pixels, slice(None, pixels), classes=classes or MOST_CLASSES
        ), False
    if len(fields) == pixels + 1:
        is_guess = label is None
        most = classes or (CLASSES if is_guess else MOST_CLASSES)
        return Layout(pixels + 1, 0, slice(1, None), is_guess, most), False
    if len(fields) == pixels:
        return Layout(pixels, None, slice(None)), False
    raise FormatError(
        f"{name}:1: expected {pixels + 1} columns (label and pixels) or {pixels} (pixels), "
        f"got {len(fields)}"
    )


def _layout_of_names(fields: Sequence[str], side: int, name: str, classes: int) -> Layout:
    is_indexed = fields[0].strip().lower() in INDEXES
    named = {field.strip().lower().replace("_", "") for field in fields}
    # Counted from 1, as pandas users write them: the last number shows it.
    first = int("pixel0" not in named and f"pixel{side * side}" in named)
    where: dict[int, int] = {}
    for column, field in enumerate(fields[is_indexed:]):
        number = _column_number(field, side, first)
        at = column + is_indexed + 1
        if number is None:
            raise FormatError(
                f"{name}:1: column {at}: {shortened(field)} is not a column; "
                f"expected label and pixel0 to pixel{side * side - 1}"
            )
        if number in where:
            raise FormatError(
                f"{name}:1: column {at}: expected each name once, got {shortened(field)} "
                f"as in column {where[number] + is_indexed + 1}"
            )
        where[number] = column
    label = where.pop(-1, None)
    if len(where) < side * side:
        missing = next(i for i in range(side * side) if i not in where)
        raise FormatError(
            f"{name}:1: the header has {len(where)} pixel columns, expected {side * side}; "
            f"pixel{missing + first} is missing"
        )
    order = np.array([where[i] for i in range(side * side)], np.intp)
    in_order = bool((np.diff(order) == 1).all())
    pixels = slice(int(order[0]), int(order[-1]) + 1) if in_order else order
    count = len(fields) - is_indexed
    return Layout(count, label, pixels, classes=classes, is_indexed=is_indexed)


def _column_number(field: str, side: int, first: int) -> int | None:
    """Return the number of the pixel that a column's name means, -1 for the label."""
    text = field.strip().lower()
    if text in LABELS:
        return -1
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    if match[1] is not None:
        number = int(match[1]) - first
        return number if 0 <= number < side * side else None
    row, column = int(match[2]), int(match[3])
    within = 1 <= row <= side and 1 <= column <= side
    return (row - 1) * side + column - 1 if within else None


def fields_of(raw: bytes, line: int, name: str) -> list[str]:
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


def shortened(text: str) -> str:
    """Return a field for a message."""
    return repr(text if len(text) <= 24 else text[:21] + "...")


def empty_line(name: str, line: int) -> FormatError:
    """Return the error of a line without anything."""
    return FormatError(f"{name}:{line}: empty line")
