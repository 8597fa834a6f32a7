"""Columns of a data frame, a dict or an array: numbers, or categories and their codes.

No library of data frames is imported: a frame is an object with `columns`
that returns a column by its name.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_unmasked, plain_number
from rnn_native.base.text import brief

Name: TypeAlias = str | int
Category: TypeAlias = str | int | float | bool

MISSING = ("NoneType", "NAType", "NaTType")
"""Types of what stands for a missing value, in addition to a float NaN."""

FLAGS = (bool, np.bool_)
"""Types of True and False."""


class Factored(NamedTuple):
    """A column's different values, missing ones among them, and which of them each row has.

    Attributes
    ----------
    codes : ndarray of int of shape (n,)
        -1 is the last of `values`.
    values : list
    """

    codes: NDArray[np.int64]
    values: list[Any]


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, pandas' NA and NaT."""
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in MISSING


def kind_of(value: object) -> str:
    """Return "words", "flags" or "numbers", or the name of another value's type."""
    if isinstance(value, str):
        return "words"
    if isinstance(value, FLAGS):
        return "flags"
    return "numbers" if isinstance(value, Real) else type(value).__name__


def kinds_of(values: Sequence[Any]) -> list[str]:
    """Return the kinds of values, missing ones left out, in alphabetical order."""
    return sorted({kind_of(value) for value in values if not is_missing(value)})


class Column:
    """A column of a table, whose properties are computed once.

    Parameters
    ----------
    given : Series of pandas or another library, or array_like
    where : str
        What messages call it.
    """

    def __init__(self, given: Any, where: str) -> None:
        self._given, self._where = given, where

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._given)

    @cached_property
    def _has_codes(self) -> bool:
        """Whether it is one of pandas' categories."""
        return hasattr(self._given, "cat") and hasattr(self._given.cat, "codes")

    @cached_property
    def _array(self) -> NDArray[Any]:
        """Values as an array of one axis."""
        given = self._given
        if hasattr(given, "to_numpy"):
            given = given.to_numpy()
        check_unmasked(self._where, given)
        if isinstance(given, (list, tuple)):
            # Of words and numbers NumPy would make words.
            array = np.empty(len(given), object)
            array[:] = given
            return array
        return np.asarray(given)

    @cached_property
    def factored(self) -> Factored:
        """The different values, of numbers, words, flags or any of these.

        True and 1 are two values, although they are equal.

        Raises
        ------
        TypeError
            If there are other values, or not one per row.
        ValueError
            If values are masked.
        """
        given = self._given
        if self._has_codes:
            codes = np.asarray(given.cat.codes, np.int64)
            return Factored(codes, [*given.cat.categories.tolist(), None])
        array = self._array
        if array.ndim != 1 or array.dtype.kind not in "biufUO":
            shown = array.dtype if array.ndim == 1 else f"shape {array.shape}"
            raise TypeError(
                f"{self._where}: expected numbers or categories, one per row, got {shown}"
            )
        if array.dtype.kind in "biuf":
            numbers, codes = np.unique(array, return_inverse=True)
            return Factored(codes, numbers.tolist())
        try:
            if hasattr(given, "factorize"):  # pandas' own is faster
                codes, different = given.factorize()
                values = [*different.tolist(), None]
                if given.dtype != object or not _may_hide_flags(values):
                    return Factored(codes.astype(np.int64), values)
            return _factored_objects(array)
        except TypeError:
            odd = next(one for one in array.tolist() if not isinstance(one, Hashable))
            raise TypeError(
                f"{self._where}: expected numbers or categories, got {type(odd).__name__}"
            ) from None

    @property
    def is_categorical(self) -> bool:
        """Whether it holds categories: pandas', words, or booleans with missing values."""
        if self._has_codes:
            return True
        if self._array.dtype.kind in "biuf":
            return False
        return kinds_of(self.factored.values) != ["numbers"]

    def numbers(self) -> NDArray[np.float32]:
        """Return numbers or flags as float32.

        Raises
        ------
        TypeError
            If there is something else.
        ValueError
            If a number is missing or masked, or not finite in float32; names the first row.
        """
        array = self._array
        if self._has_codes or array.dtype.kind not in "biuf" or array.ndim != 1:
            array = self._numbers_of_objects()
        with np.errstate(over="ignore"):
            numbers = array.astype(np.float32)
        if not np.isfinite(numbers).all():
            row = int(np.argmin(np.isfinite(numbers)))
            given = brief(plain_number(self._array[row]))
            raise ValueError(
                f"{self._where}: expected finite numbers, got {given} in row {row}; fill "
                "it in, or make the column one of categories"
            )
        return numbers

    def _numbers_of_objects(self) -> NDArray[np.float64]:
        codes, values = self.factored
        if odd := [kind for kind in kinds_of(values) if kind not in ("numbers", "flags")]:
            raise TypeError(f"{self._where}: expected numbers, got {odd[0]}")
        known = [math.nan if is_missing(one) else _float_of(one) for one in values]
        return np.array(known)[codes]

    def categories(self) -> Factored:
        """Return the categories, all of one kind: words, numbers or flags.

        Raises
        ------
        TypeError
            If there are several kinds, or others.
        ValueError
            If values are masked.
        """
        kinds = kinds_of(self.factored.values)
        if len(kinds) > 1:
            raise TypeError(
                f"{self._where}: expected categories of one kind, got {' and '.join(kinds)}; "
                "convert all to words: .astype(str)"
            )
        if kinds and kinds[0] not in ("words", "flags", "numbers"):
            raise TypeError(
                f"{self._where}: expected categories that are words, numbers or flags, got "
                f"{kinds[0]}; convert them to words: .astype(str)"
            )
        return self.factored


class Table(dict[Name, Column]):
    """The columns of a table by their names, all of one length."""


def _float_of(number: Any) -> float:
    """Return a number as a float, infinity for one beyond float64."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _factored_objects(array: NDArray[Any]) -> Factored:
    given = array.tolist()
    found = _numbered(given)
    if not _may_hide_flags(found.values):
        return found
    codes, pairs = _numbered((isinstance(one, FLAGS), one) for one in given)
    return Factored(codes, [one for _, one in pairs])


def _numbered(values: Iterable[Hashable]) -> Factored:
    seen: dict[Hashable, int] = {}
    codes = np.array([seen.setdefault(one, len(seen)) for one in values])
    return Factored(codes, list(seen))


def _may_hide_flags(values: Sequence[Any]) -> bool:
    """Whether one of different values is 0 or 1, which False and True are equal to."""
    return any(isinstance(one, (Real, np.bool_)) and one in (0, 1) for one in values)


def is_frame(table: object) -> bool:
    """Whether a table is a data frame, of pandas or another library."""
    return hasattr(table, "columns") and not isinstance(table, np.ndarray)


def table_of(table: Any, name: str) -> Table:
    """Return a table's columns by their names, none of them read yet.

    Parameters
    ----------
    table : data frame, mapping of str to array_like, or array_like of shape (n, columns)
        The names of an array's columns are 0, 1, ... A `Table` is returned as it is.
    name : str
        What messages call it.

    Raises
    ------
    ValueError, TypeError
        If it has no rows or columns, columns of several lengths, a name twice, or is an
        array with masked values.
    """
    if isinstance(table, Table):
        return table
    if is_frame(table):
        names = list(table.columns)
        if len({*names}) < len(names):
            twice = next(one for one in names if names.count(one) > 1)
            raise ValueError(
                f"{name}: expected columns with different names, got {twice!r} twice"
            )
        found = {one: table[one] for one in names}
    elif isinstance(table, Mapping):
        found = dict(table)
    else:
        array = _array_of(table, name)
        found = {i: array[:, i] for i in range(array.shape[1])}
    _check_lengths(found, name)
    return Table(
        {one: Column(given, f"{name}: column {one!r}") for one, given in found.items()}
    )


def _array_of(table: Any, name: str) -> NDArray[Any]:
    """Return a table without names as an array of two axes."""
    expected = (
        f"{name}: expected a data frame, a dict of columns or an array of shape "
        "(n, columns)"
    )
    check_unmasked(name, table)
    try:
        array = np.asarray(table)
    except ValueError:
        raise ValueError(f"{expected}, got rows of several lengths or shapes") from None
    if array.ndim != 2:
        raise ValueError(f"{expected}, got shape {array.shape}")
    return array


def _check_lengths(columns: Mapping[Any, Any], name: str) -> None:
    for one in columns:
        if isinstance(one, bool) or not isinstance(one, (str, int)):
            raise TypeError(f"{name}: expected names of columns as str, got {brief(one)}")
    lengths = {
        one: _length(column, f"{name}: column {one!r}") for one, column in columns.items()
    }
    if not lengths or not any(lengths.values()):
        raise ValueError(
            f"{name}: expected a table with rows and columns, got an empty one"
        )
    first = next(iter(lengths))
    for one, length in lengths.items():
        if length != lengths[first]:
            raise ValueError(
                f"{name}: expected columns of one length, got {lengths[first]} rows in "
                f"{first!r} and {length} in {one!r}"
            )


def _length(column: Any, where: str) -> int:
    """Return how many rows a column has."""
    if not isinstance(column, (str, bytes, Mapping, Set)):
        with suppress(TypeError):
            return len(column)
    raise TypeError(
        f"{where}: expected a value for each row, got {brief(column)}; for one row, "
        "write [value]"
    )
