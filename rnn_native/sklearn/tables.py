"""Data frames with columns of categories: rows of numbers, and the layers that embed them."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_X_y, validate_data

from rnn_native.datasets.table import columns_of, is_categorical, is_frame
from rnn_native.datasets.table_code import TableCode
from rnn_native.net.layer import Layer
from rnn_native.sklearn.data import read_rows


class TableRows:
    """Reads rows of estimators: arrays, and frames whose categories it learns."""

    # Of a data frame with columns of categories.
    _table: TableCode | None = None

    def _read_rows(self, x: Any, *, reset: bool, **more: Any) -> Any:
        """Return rows as the core expects them; see `data.read_rows`."""
        if reset:
            has_categories = is_categorical_frame(x)
            self._table = TableCode.learned(x, name="X") if has_categories else None
        if self._table is None:
            return read_rows(self, x, reset=reset, **more)
        return read_table(self, x, self._table, reset=reset, **more)

    def _table_layers(self) -> list[Layer]:
        """Return the layers below all others: some only for a table with categories."""
        return [] if self._table is None else self._table.layers()


def is_categorical_frame(x: Any) -> bool:
    """Whether rows are a data frame with columns of words or categories."""
    if not is_frame(x) or issparse(x) or not hasattr(x, "dtypes") or len(x) == 0:
        return False
    columns = columns_of(x, "X")
    return any(
        is_categorical(column, f"X: column {one!r}") for one, column in columns.items()
    )


def read_table(
    estimator: Any,
    x: Any,
    code: TableCode,
    *,
    reset: bool,
    dtype: Any = np.float32,
    **more: Any,
) -> Any:
    """Return the rows of a table as float32, with targets `y` if there are any in `more`.

    Parameters and errors are those of `data.read_rows` and `TableCode.rows`; `dtype` is
    without effect.
    """
    validate_data(estimator, x, skip_check_array=True, reset=reset)
    rows = code.rows(x, "X")
    return check_X_y(rows, dtype=np.float32, order="C", **more) if "y" in more else rows
