"""Indices at the edge: the inputs of a net that begins with Embedding."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_all
from rnn_native.net.compressed import CompressedRows


def table_rows_of(specs: Iterable[Mapping[str, Any]]) -> int:
    """Return how many indices all embedding layers have a row for; 0 where there are none."""
    rows = [spec["num_embeddings"] for spec in specs if spec["type"] == "embedding"]
    return min(rows, default=0)


def as_indices(values: NDArray[Any], table_rows: int, name: str) -> NDArray[np.float32]:
    """Return indices below `table_rows` as float32, which holds them exactly.

    Raises
    ------
    ValueError
        If one is not whole, or outside of the table; names it, its row and column.
    TypeError
        If they are not numbers.
    """
    expected = f"indices for embedding, whole numbers in 0..{table_rows - 1}"
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected {expected}, got {values.dtype}")
    is_index = (values >= 0) & (values < table_rows)
    if values.dtype.kind == "f":
        is_index &= values == np.floor(values)
    check_all(name, values, is_index, expected)
    return np.ascontiguousarray(values, np.float32)


def check_index_rows(
    rows: NDArray[Any] | CompressedRows, table_rows: int, name: str
) -> None:
    """Refuse rows, as the core takes them, for a net of indices below `table_rows`, if not 0.

    Raises
    ------
    ValueError
        If one is no index; see `as_indices`.
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
