"""How the columns of a table become rows of numbers: the categories that a net knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import as_float
from rnn_native.base.text import brief
from rnn_native.datasets.table import (
    Category,
    Column,
    Name,
    is_missing,
    kinds_of,
    table_of,
)
from rnn_native.net.block_layers import Concat
from rnn_native.net.layer import Layer
from rnn_native.net.layers import Columns, Embedding, Flatten, Normalization
from rnn_native.net.losses import FLOAT32_MAX

UNSEEN, MISSING, FIRST = 0, 1, 2
"""Rows of a column in the table of vectors: of unseen and rare categories, of missing ones, and
of the first category."""

EMBEDDING_DIM = 8
MAX_CATEGORIES = 10_000
MOST_ROWS = 1 << 23


@dataclass(frozen=True, slots=True)
class TableCode:
    """The columns of a table that a net was fitted on, and their categories.

    Attributes
    ----------
    categories : dict of name to tuple
        Of each categorical column, in the table's order: its categories, sorted.
    numbers : tuple of names
        The other columns, in the table's order.

    Notes
    -----
    `rows` puts the categorical columns first, then the numbers. All categories share one
    table of vectors: a column's rows there follow those of the column before, and are one for
    unseen categories, one for missing values, then one for each category.
    """

    categories: dict[Name, tuple[Category, ...]]
    numbers: tuple[Name, ...]

    @classmethod
    def learned(
        cls,
        table: Any,
        categorical: Sequence[Name] = (),
        *,
        min_count: int = 1,
        max_categories: int = MAX_CATEGORIES,
        name: str = "x",
    ) -> "TableCode":
        """Return the columns of a table and their categories.

        Parameters
        ----------
        table : data frame, dict of columns, or array; see `table_of`
        categorical : sequence of names
            Further columns of categories, beyond those of such a type.
        min_count : int
            A category that fewer rows have counts as unseen.
        max_categories : int
            Of a column.
        name : str
            What messages call the table.

        Raises
        ------
        ValueError, TypeError
            If a column has neither numbers nor categories, or has too many of these.
        """
        columns = table_of(table, name)
        for one in categorical:
            if one not in columns:
                raise ValueError(
                    f"categorical: unknown column {one!r}; expected some of {_listed(columns)}"
                )
        found: dict[Name, tuple[Category, ...]] = {}
        numbers = []
        for one, column in columns.items():
            if one in categorical or column.is_categorical:
                where = f"{name}: column {one!r}"
                found[one] = _learned(column, min_count, max_categories, where)
            else:
                numbers.append(one)
        code = cls(found, tuple(numbers))
        if code.table_rows > MOST_ROWS:
            raise ValueError(
                f"{name}: expected at most {MOST_ROWS} categories in all columns together, got "
                f"{code.table_rows}; leave a column out, or give min_count"
            )
        return code

    @property
    def sizes(self) -> list[int]:
        """How many rows each categorical column has in the table of vectors."""
        return [FIRST + len(known) for known in self.categories.values()]

    @property
    def table_rows(self) -> int:
        """How many rows the table of vectors has."""
        return sum(self.sizes)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.categories) + len(self.numbers)

    def layers(self, embedding_dim: int = EMBEDDING_DIM) -> list[Layer]:
        """Return the first layers of a net over `rows`: vectors and normalized numbers."""
        first, count = len(self.categories), len(self.numbers)
        vectors = [Embedding(self.table_rows, embedding_dim), Flatten()] if first else []
        if not first:
            return [Normalization()]
        if not count:
            return vectors
        return [
            Concat([Columns(0, first), *vectors], [Columns(first, count), Normalization()])
        ]

    def rows(self, table: Any, name: str = "x") -> NDArray[np.float32]:
        """Return a table's rows as a net expects them.

        Parameters
        ----------
        table : data frame, dict of columns, or array
            With the columns of the table that was learned, in any order if they have names.
        name : str
            What messages call it.

        Returns
        -------
        ndarray of shape (n, columns), float32
            Rows of the table of vectors, then numbers.

        Raises
        ------
        ValueError, TypeError
            If a column is missing, unknown, or of another kind, or a number is not finite.
        """
        columns = table_of(table, name)
        self._check_names(columns, name)
        n = len(next(iter(columns.values())))
        rows = np.empty((n, self.width), np.float32)
        first = 0
        for i, (one, known) in enumerate(self.categories.items()):
            rows[:, i] = first + _coded(columns[one], known, f"{name}: column {one!r}")
            first += FIRST + len(known)
        for i, one in enumerate(self.numbers, len(self.categories)):
            rows[:, i] = columns[one].numbers()
        return rows

    def check_spread(self, rows: NDArray[np.float32], name: str = "x") -> None:
        """Refuse numbers that cannot be normalized, as their variance is not finite in float32.

        Parameters
        ----------
        rows : ndarray of shape (n, columns), float32
            What `rows` returned.
        name : str
            What messages call the table.

        Raises
        ------
        ValueError
            Names the first such column.
        """
        for i, one in enumerate(self.numbers, len(self.categories)):
            if rows[:, i].var(dtype=np.float64) > FLOAT32_MAX:
                raise ValueError(
                    f"{name}: column {one!r}: expected numbers whose variance is finite in "
                    "float32, got larger ones; use a larger unit"
                )

    def _check_names(self, columns: Mapping[Name, Any], name: str) -> None:
        known = {*self.categories, *self.numbers}
        missing = [one for one in (*self.categories, *self.numbers) if one not in columns]
        extra = [one for one in columns if one not in known]
        if not missing and not extra:
            return
        faults = [f"missing {_listed(missing)}"] if missing else []
        faults += [f"unknown {_listed(extra)}"] if extra else []
        if columns.keys() <= {*range(len(columns))} and not known & columns.keys():
            faults = ["got an array; give a data frame, or a dict of columns"]
        raise ValueError(
            f"{name}: expected the {len(known)} columns that the net was fitted on; "
            + "; ".join(faults)
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        return {
            "categories": [[name, list(known)] for name, known in self.categories.items()],
            "numbers": list(self.numbers),
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "TableCode":
        """Make it of what `as_dict` returned.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is not that.
        """
        categories = {name: tuple(known) for name, known in given["categories"]}
        code = cls(categories, tuple(given["numbers"]))
        names = [*categories, *code.numbers]
        if len({*names}) != len(given["categories"]) + len(code.numbers) or any(
            isinstance(one, bool) or not isinstance(one, (str, int)) for one in names
        ):
            raise ValueError("expected different names of columns")
        for name, known in categories.items():
            if len(kinds_of(known)) > 1 or any(
                not isinstance(one, (str, int, float)) for one in known
            ):
                raise ValueError(f"expected categories of one kind in column {name!r}")
        return code


def _learned(
    column: Column, min_count: int, max_categories: int, where: str
) -> tuple[Category, ...]:
    """Return the categories that enough rows have, sorted."""
    codes, values = column.categories()
    # Code -1 is the last value's.
    unknown, *counts = np.bincount(codes + 1, minlength=len(values) + 1).tolist()
    counts[-1] += unknown
    known = [
        _as_category(value, where)
        for value, count in zip(values, counts, strict=True)
        if count >= min_count and not is_missing(value)
    ]
    if len(known) > max_categories:
        raise ValueError(
            f"{where}: expected at most {max_categories} categories, got {len(known)}, such as "
            f"{brief(known[0])}; leave the column out, or give max_categories or min_count"
        )
    return tuple(sorted(known))


def _as_category(value: Any, where: str) -> Category:
    """Return a category as Python's, or raise TypeError or ValueError if no file can hold it."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return plain
    if not isinstance(plain, (int, float)):
        raise TypeError(
            f"{where}: expected categories that are words, flags, int or float, got "
            f"{brief(value)}; convert them: .astype(float)"
        )
    as_float(where, plain)
    return plain


def _coded(column: Column, known: Sequence[Category], where: str) -> NDArray[np.int64]:
    """Return the row of each value among those of its column."""
    codes, values = column.categories()
    expected, got = kinds_of(known), kinds_of(values)
    if expected and got and expected != got:
        raise TypeError(f"{where}: expected {expected[0]}, as in fit, got {got[0]}")
    places = {value: FIRST + i for i, value in enumerate(known)}
    rows = [MISSING if is_missing(one) else places.get(one, UNSEEN) for one in values]
    return np.array(rows, np.int64)[codes]


def _listed(names: Any) -> str:
    shown = [repr(one) for one in names]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
