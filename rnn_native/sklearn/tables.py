"""Data frames with columns of categories: rows of numbers, and the layers that embed them."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_X_y, validate_data

from rnn_native.datasets.table import Table, is_frame, table_of
from rnn_native.datasets.table_code import TableCode
from rnn_native.net.layer import Layer
from rnn_native.sklearn.data import read_rows


class TableRows:
    """Reads rows of estimators: arrays, and frames whose categories it learns."""

    # Of a data frame with columns of categories.
    _table: TableCode | None = None

    def _read_rows(self, x: Any, *, reset: bool, **more: Any) -> Any:
        """Return rows as the core expects them; see `data.read_rows`."""
        table = categorical_frame(x) if reset else None
        if reset:
            self._table = None if table is None else TableCode.learned(table, name="X")
        if self._table is None:
            return read_rows(self, x, reset=reset, **more)
        return read_table(self, x, table, self._table, reset=reset, **more)

    def _table_layers(self) -> list[Layer]:
        """Return the layers below all others: some only for a table with categories."""
        return [] if self._table is None else self._table.layers()


def categorical_frame(x: Any) -> Table | None:
    """Return a data frame with columns of words or categories as a table; else None."""
    if not is_frame(x) or issparse(x) or not hasattr(x, "dtypes") or len(x) == 0:
        return None
    table = table_of(x, "X")
    return table if any(column.is_categorical for column in table.values()) else None


def read_table(
    estimator: Any,
    x: Any,
    table: Table | None,
    code: TableCode,
    *,
    reset: bool,
    dtype: Any = np.float32,
    **more: Any,
) -> Any:
    """Return the rows of a table as float32, with targets `y` if there are any in `more`.

    `table` is `x` where that was read before. Other parameters and errors are those of
    `data.read_rows` and `TableCode.rows`; `dtype` is without effect.
    """
    validate_data(estimator, x, skip_check_array=True, reset=reset)
    rows = code.rows(x if table is None else table, "X")
    if reset:
        code.check_spread(rows, "X")
    return check_X_y(rows, dtype=np.float32, order="C", **more) if "y" in more else rows
