"""Rows of which only the nonzeros are kept, as SciPy's sparse matrices keep them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT32_MAX = int(np.iinfo(np.int32).max)


class CompressedRows:
    """Rows of float32 numbers without their zeros, in the form of the core's lists.

    Parameters
    ----------
    begin : ndarray of shape (n + 1,), int32
        Row i has the elements begin[i] up to begin[i + 1] of `column` and `value`.
    column : ndarray of shape (any,), int32
        Ascending within a row.
    value : ndarray of the same shape, float32
    columns : int
        Numbers in a row, zeros included.
    dtype : dtype
        Of the numbers as they were given; uint8 has been divided by 255.
    """

    def __init__(
        self,
        begin: NDArray[np.int32],
        column: NDArray[np.int32],
        value: NDArray[np.float32],
        columns: int,
        dtype: Any = np.float32,
    ) -> None:
        self.begin, self.column, self.value, self.columns = begin, column, value, columns
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return len(self.begin) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and numbers in a row."""
        return len(self), self.columns

    def __getitem__(self, rows: slice | NDArray[Any]) -> "CompressedRows":
        """Return some of the rows: a slice, their numbers, or a mask."""
        index = np.arange(len(self))[rows]
        counts = np.diff(self.begin)[index]
        begin = np.concatenate([[0], np.cumsum(counts)])
        # Elements of the rows in a row: where each begins, counted on from there.
        shift = np.repeat(self.begin[index] - begin[:-1], counts)
        kept = shift + np.arange(begin[-1])
        columns, values = self.column[kept], self.value[kept]
        return _with_room(begin, columns, values, self.columns, self.dtype)

    def parts(self) -> Sequence[NDArray[Any]]:
        """Return the arrays that hold the rows, for a digest of them."""
        return self.begin, self.column, self.value


def is_sparse(x: Any) -> bool:
    """Whether x is a sparse matrix or array of SciPy, which is not imported for that."""
    kind = type(x)
    return kind.__module__.startswith("scipy.sparse") and hasattr(x, "tocsr")


def compress(x: Any, name: str = "x") -> CompressedRows:
    """Return the rows of a sparse matrix or array of SciPy, which stays as it is.

    Parameters
    ----------
    x : sparse matrix or array of shape (n, columns)
        In any of SciPy's formats. Entries of one place are summed, zeros left out.
    name : str
        In messages.

    Raises
    ------
    ValueError, TypeError
        As `sound`; if x has too many nonzeros, or numbers that are not finite in float32.
    """
    given = sound(x, name)
    rows = given.tocsr()
    if not (rows.has_canonical_format and rows.data.all()):
        rows = rows.copy() if rows is given or rows.data is given.data else rows
        rows.sum_duplicates()
        rows.eliminate_zeros()
    if rows.nnz > INT32_MAX:
        raise ValueError(f"{name}: expected at most {INT32_MAX} nonzeros, got {rows.nnz}")
    with np.errstate(over="ignore"):
        value = rows.data.astype(np.float32, copy=False)
    if x.dtype == np.uint8:
        value = value / np.float32(255)
    if not np.isfinite(value).all():
        at = int(np.argmin(np.isfinite(value)))
        raise ValueError(
            f"{name}: expected finite float32 numbers, got {rows.data[at]} at row "
            f"{int(np.searchsorted(rows.indptr, at, side='right')) - 1}, column "
            f"{rows.indices[at]}"
        )
    return _with_room(rows.indptr, rows.indices, value, x.shape[1], x.dtype)


def sound(x: Any, name: str) -> Any:
    """Return x if SciPy's compiled code can convert it without leaving its arrays.

    SciPy reads matrices from files, and lets programs change their arrays, without a look at
    the indices that conversions follow.

    Parameters
    ----------
    x : sparse matrix or array of shape (n, columns)
    name : str
        In messages.

    Returns
    -------
    sparse matrix or array
        x; of one in the format dok or lil a copy in coo.

    Raises
    ------
    ValueError, TypeError
        If x has other axes or no numbers, or an index that is outside.
    """
    if len(x.shape) != 2:
        raise ValueError(f"{name}: expected a sparse matrix with 2 axes, got {x.shape}")
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got a sparse matrix of {x.dtype}")
    is_sound = x.format != "lil" or _lengths(x.rows) == _lengths(x.data)
    if is_sound and x.format in ("dok", "lil"):
        x = x.tocoo()
    is_sound = is_sound and _SOUND[x.format](x)
    if not is_sound:
        raise ValueError(
            f"{name}: a damaged sparse matrix ({x.format}): expected indices within its shape "
            f"{x.shape}, and as many as it has values; build it again"
        )
    return x


def _lengths(lists: Any) -> list[int]:
    return [len(each) for each in lists]


def _is_sound_by_places(x: Any) -> bool:
    """Check a matrix that has the row and the column of each value."""
    rows, columns = x.shape
    return (
        x.row.shape == x.col.shape == x.data.shape
        and _are_within(x.row, rows)
        and _are_within(x.col, columns)
    )


def _is_sound_by_diagonals(x: Any) -> bool:
    return bool(x.data.ndim == 2) and tuple(x.offsets.shape) == x.data.shape[:1]


def _is_sound_by_lines(x: Any) -> bool:
    """Check a matrix of compressed rows (csr), columns (csc) or rows of blocks (bsr)."""
    block = x.data.shape[1:] if x.format == "bsr" else (1, 1)
    if x.data.ndim != 1 + (x.format == "bsr") * 2 or 0 in block:
        return False
    lines, end = (size // each for size, each in zip(x.shape, block, strict=True))
    if x.format == "csc":
        lines, end = end, lines
    begin, index = x.indptr, x.indices
    if begin.shape != (lines + 1,) or begin.dtype.kind != "i":
        return False
    if begin[0] != 0 or begin[-1] > len(x.data) or (begin[1:] < begin[:-1]).any():
        return False
    used = index[: begin[-1]]
    return len(used) == int(begin[-1]) and _are_within(used, end)


def _are_within(places: Any, end: int) -> bool:
    """Whether an array of integers has one axis, and all of them are in [0, end)."""
    if places.ndim != 1 or places.dtype.kind != "i":
        return False
    # As unsigned numbers negative ones are beyond all others: one pass instead of two.
    most = min(end - 1, np.iinfo(places.dtype).max)
    unsigned = places.view(places.dtype.str.replace("i", "u"))
    return len(places) == 0 or int(unsigned.max()) <= most


_SOUND: Mapping[str, Callable[[Any], bool]] = {
    "bsr": _is_sound_by_lines,
    "coo": _is_sound_by_places,
    "csc": _is_sound_by_lines,
    "csr": _is_sound_by_lines,
    "dia": _is_sound_by_diagonals,
}


def _with_room(
    begin: NDArray[Any],
    column: NDArray[Any],
    value: NDArray[np.float32],
    columns: int,
    dtype: Any,
) -> CompressedRows:
    """Return rows of the core's types, with at least one element to point at."""
    if len(column) == 0:
        column, value = np.zeros(1, np.int32), np.zeros(1, np.float32)
    return CompressedRows(
        np.ascontiguousarray(begin, np.int32),
        np.ascontiguousarray(column, np.int32),
        np.ascontiguousarray(value, np.float32),
        columns,
        dtype,
    )
