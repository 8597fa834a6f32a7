"""Indices at the edge: the inputs of a net that begins with Embedding."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_all
from rnn_native.net import blocks
from rnn_native.net.compressed import CompressedRows

TableRows: TypeAlias = tuple[int, ...]
"""For each number of a sample how many rows the table has that it is an index of, 0 for
other numbers; empty where no number is an index."""


def table_rows_of(placed: Sequence[blocks.Placed], input_shape: Sequence[int]) -> TableRows:
    """Return, for each number of a sample, which indices all embedding layers have a row for.

    Parameters
    ----------
    placed : sequence of Placed
        A net's layers.
    input_shape : sequence of int
    """
    size = math.prod(input_shape)
    found = np.zeros(size, np.int64)
    for i, one in enumerate(placed):
        if one.spec["type"] == "embedding":
            read = _inputs_read(placed, i, np.arange(size).reshape(input_shape))
            rows = one.spec["num_embeddings"]
            found[read] = np.where(found[read] == 0, rows, np.minimum(found[read], rows))
    return tuple(found.tolist()) if found.any() else ()


def _inputs_read(
    placed: Sequence[blocks.Placed], index: int, numbers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return which numbers of a sample an embedding layer reads; all layers below keep them."""
    for i in blocks.below(placed, index):
        spec = placed[i].spec
        if spec["type"] == "columns":
            numbers = numbers[..., spec["first"] : spec["first"] + spec["count"]]
        elif spec["type"] == "reshape":
            numbers = numbers.reshape(spec["target_shape"])
        elif spec["type"] == "flatten":
            numbers = numbers.ravel()
    return numbers.ravel()


def as_indices(
    values: NDArray[Any], table_rows: TableRows, name: str
) -> NDArray[np.float32]:
    """Return samples, some of whose numbers are indices, as float32, which holds them exactly.

    Parameters
    ----------
    values : ndarray of shape (n, ...)
    table_rows : tuple of int
        Not empty.
    name : str
        What messages call `values`.

    Raises
    ------
    ValueError
        If an index is not whole, or outside of its table, or another number is not finite;
        names it, its row and column.
    TypeError
        If they are not numbers.
    """
    rows = np.array(table_rows).reshape(values.shape[1:])
    if values.dtype.kind not in "biuf":
        expected = _indices_below(int(rows[rows > 0].min()))
        raise TypeError(f"{name}: expected {expected}, got {values.dtype}")
    is_number = rows == 0
    is_good = is_number | ((values >= 0) & (values < rows))
    if values.dtype.kind == "f":
        is_good &= is_number | (values == np.floor(values))
    if not is_good.all():
        at = np.unravel_index(int(np.argmin(is_good)), values.shape)
        check_all(name, values, is_good, _indices_below(int(rows[at[1:]])))
    # Of float64 beyond float32, infinity: other numbers must be finite.
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(values, np.float32)
    check_all(name, values, np.isfinite(found), "finite float32 values")
    return found


def _indices_below(rows: int) -> str:
    return f"indices for embedding, whole numbers in 0..{rows - 1}"


def check_index_rows(
    rows: NDArray[Any] | CompressedRows, table_rows: TableRows, name: str
) -> None:
    """Refuse rows, as the core expects them, for a net of indices, if it is one.

    Raises
    ------
    ValueError
        If one is not an index; see `as_indices`.
    TypeError
        If they are uint8, which the core divides by 255, or sparse.
    """
    if not table_rows:
        return
    if isinstance(rows, CompressedRows):
        got, way = "a sparse matrix", "toarray()"
    elif rows.dtype == np.uint8:
        got, way = "uint8", "astype(int)"
    else:
        as_indices(rows, table_rows, name)
        return
    raise TypeError(
        f"{name}: expected an array of indices for embedding, got {got}; use {name}.{way}"
    )
