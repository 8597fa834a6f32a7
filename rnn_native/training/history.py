"""What happened in each epoch of a training run."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from rnn_native.base import markup
from rnn_native.base.checks import check_mapping, check_number

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch.

    Attributes
    ----------
    loss, accuracy : float
        Means over the training rows, each as it stood before its batch's update.
    time : float
        Seconds of training, validation not counted.
    learning_rate : float
        Of the epoch's first step.
    val_loss, val_accuracy : float or None
        On the validation rows after the epoch; None without validation. Accuracies are
        fractions in [0, 1], and None for nets that predict values.
    metrics : mapping of str to float
        Further columns by name ("mae", "val_mae", "val_auc"), measured after the epoch.

    Examples
    --------
    >>> import rnn_native as rn
    >>> row = rn.history.EpochRow(loss=0.5, accuracy=0.9, time=1.0, learning_rate=0.01)
    >>> row.value("loss")
    0.5
    """

    loss: float
    accuracy: float | None
    time: float
    learning_rate: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __setstate__(self, state: list[Any]) -> None:
        """Set the values of a copied row; those of 0.1.0 have no `metrics`."""
        names = [f.name for f in fields(self)]
        values = list(state)
        if len(values) < len(names):
            values.insert(names.index("metrics"), {})
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    def value(self, column: str) -> float | None:
        """Return a column by name, None when the row does not have it."""
        found: float | None = self.as_dict().get(column)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return all columns by name, those of `metrics` among them."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "metrics"}
        return {**own, **self.metrics}

    def values(self) -> dict[str, float]:
        """Return the columns that have a value, by name."""
        row = self.as_dict().items()
        return {name: float(value) for name, value in row if value is not None}

    def held(self) -> dict[str, float]:
        """Return the values of the rows held out, their names without ``val_``."""
        found = self.values().items()
        return {n.removeprefix("val_"): v for n, v in found if n.startswith("val_")}


COLUMNS = tuple(f.name for f in fields(EpochRow) if f.name != "metrics")
"""Columns that every history may have."""


def _check_row(name: str, values: Mapping[str, Any]) -> None:
    """Refuse a row of a file that lacks a column, or has what is not a number in one."""
    for column in ("loss", "time", "learning_rate"):
        check_number(f"{name}.{column}", values.get(column))
    for column, value in values.items():
        if column != "metrics" and value is not None:
            check_number(f"{name}.{column}", value)


class History:
    """Rows of a run, as Keras users know them.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0.
    history : dict of str to list of float
        A list for each of loss, accuracy, time, learning_rate, val_loss and val_accuracy
        when there was validation, and further metrics. Nets that predict values have mae and r2
        in place of accuracies. NaN in epochs without the value.
    stop_reason : str
        Why the run ended: "epochs", "early stopping", "stop_training", "interrupted", or
        what a callback said.
    best_by : str
        The column that decides the best epoch; `go_by` sets it.
    call_begin : int
        Index of the first row of the latest call of `fit`. Above 0 when a history spans
        several calls; a resumed run is one call.
    first_epoch : int
        Number of the first row's epoch: `initial_epoch` of `Network.fit`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> history = net.fit(*rn.datasets.synthetic_digits(100, seed=1), epochs=2, verbose=0)
    >>> history.epoch, [*history.history], history.stop_reason
    ([0, 1], ['loss', 'accuracy', 'time', 'learning_rate'], 'epochs')
    """

    # Of the class, for histories that an earlier version pickled.
    call_begin = 0
    first_epoch = 0

    def __init__(self, rows: list[EpochRow] | None = None, *, first_epoch: int = 0) -> None:
        self.first_epoch = first_epoch
        self.rows: list[EpochRow] = []
        self.epoch: list[int] = []
        self.stop_reason = "epochs"
        self.best_by = "val_loss"
        self._sign = -1
        self._best: int | None = None
        for row in rows or []:
            self.append(row)

    @property
    def epochs(self) -> int:
        """Number of epochs trained; there may be fewer rows, as in `train_xor`'s history."""
        return self.next_epoch - self.first_epoch

    @property
    def next_epoch(self) -> int:
        """Number of the epoch after the last row's, from 0."""
        return self.epoch[-1] + 1 if self.epoch else self.first_epoch

    def append(self, row: EpochRow, epoch: int | None = None) -> None:
        """Add a row; `epoch` counts from 0 and is the next number when left out."""
        number = self.first_epoch + len(self.rows) if epoch is None else epoch
        self.epoch.append(number)
        self.rows.append(row)
        self._see(len(self.rows) - 1)

    def note(self, values: Mapping[str, float]) -> None:
        """Add columns to the last row, which may make it the best one."""
        last = self.rows[-1]
        own = {f.name for f in fields(last)} - {"metrics"}
        of_row: dict[str, Any] = {k: value for k, value in values.items() if k in own}
        more = {k: value for k, value in values.items() if k not in own}
        self.rows[-1] = replace(last, **of_row, metrics={**last.metrics, **more})
        if self.best_by in values:
            self._see(len(self.rows) - 1)

    def _see(self, index: int) -> None:
        """Note whether a row is the best one so far."""
        value = self._merit(index)
        if math.isfinite(value) and (self._best is None or value > self._merit(self._best)):
            self._best = index

    def _merit(self, index: int) -> float:
        """Return a number that is greater for a better row; NaN when the row does not have it."""
        value = self.rows[index].value(self.best_by)
        return math.nan if value is None else self._sign * float(value)

    def begin_call(self) -> None:
        """Let the next row be the first one of another call of `fit`.

        `best_epoch` and callbacks consider only the rows of the latest call.
        """
        self.call_begin, self._best = len(self.rows), None

    def snapshot(self) -> Callable[[], None]:
        """Return a function that forgets what came since; the rows before must still be there."""
        then, count = vars(self).copy(), len(self.rows)

        def restore() -> None:
            vars(self).update(then)
            del self.rows[count:], self.epoch[count:]

        return restore

    @property
    def call_rows(self) -> list[EpochRow]:
        """Rows of the latest call of `fit`, those from before a resume included."""
        return self.rows[self.call_begin :]

    def go_by(self, column: str, greatest: bool) -> None:
        """Let `best_epoch` mean the greatest, or the least, value of a column.

        Parameters
        ----------
        column : str
            Its name, as `EpochRow.value` expects it. A new history uses the least "val_loss".
        greatest : bool
        """
        self.best_by, self._sign = column, 1 if greatest else -1
        self._best = None
        for index in range(self.call_begin, len(self.rows)):
            self._see(index)

    @property
    def history(self) -> dict[str, list[float]]:
        """Columns by name, those that a row has; NaN in rows without the value."""
        rows = [row.values() for row in self.rows]
        found = {name for row in rows for name in row}
        own = [name for name in COLUMNS if name in found or not rows]
        names = dict.fromkeys([*own, *(name for row in rows for name in row)])
        return {name: [row.get(name, math.nan) for row in rows] for name in names}

    def best_epoch(self) -> int | None:
        """Return the index of the best row (the first of equals), None if no row has its value.

        That is the one with the least validation loss, unless `go_by` said otherwise, among
        the rows of the latest call.

        Examples
        --------
        >>> import rnn_native as rn
        >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
        >>> history = net.fit(*rn.datasets.synthetic_digits(100, seed=1), epochs=2, verbose=0)
        >>> history.best_epoch() is None  # without validation
        True
        """
        return self._best

    def as_list(self) -> list[dict[str, Any]]:
        """Return the rows as dicts, for JSON."""
        # Without further metrics rows are those of 0.1.0.
        rows = [asdict(row) for row in self.rows]
        return [{k: v for k, v in row.items() if k != "metrics" or v} for row in rows]

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the columns of `history` as a DataFrame.

        Its index is the epoch, counted from 1 as in log.csv and in what `fit` prints.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError(
                "to_pandas: pandas is not installed; try `pip install pandas`"
            ) from None
        shown = [epoch + 1 for epoch in self.epoch]
        return pandas.DataFrame(self.history, index=pandas.Index(shown, name="epoch"))

    @classmethod
    def from_list(cls, rows: list[dict[str, Any]]) -> "History":
        """Make a history from what `as_list` gave.

        Raises
        ------
        ValueError, TypeError
            If a row lacks a column, or a value is not a number.
        """
        own = {f.name for f in fields(EpochRow)}
        history = cls()
        for index, given in enumerate(rows):
            row = check_mapping(f"history[{index}]", given)
            # Estimators' rows have a field more.
            more = {k: v for k, v in row.items() if k not in own and v is not None}
            metrics = check_mapping(f"history[{index}].metrics", row.get("metrics", {}))
            metrics = {**metrics, **more}
            known = {k: v for k, v in row.items() if k in own}
            _check_row(f"history[{index}]", {**known, **metrics})
            history.append(EpochRow(**{**known, "metrics": metrics}))
        return history

    def html(self) -> str:
        """Return curves and a table of the best and the last epoch, as a notebook shows."""
        epochs = [epoch + 1 for epoch in self.epoch]
        return markup.history_html(epochs, self.history, self.best_epoch())

    def __iter__(self) -> Iterator[EpochRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        shown = {
            name: f"{column[0]:.4g} -> {column[-1]:.4g}"
            for name, column in self.history.items()
            if column and name != "time"
        }
        body = ", ".join(f"{name} {text}" for name, text in shown.items())
        rows = "" if len(self) == self.epochs else f" in {len(self)} rows"
        return f"<History of {self.epochs} epochs{rows}: {body or 'empty'}>"

    def _repr_html_(self) -> str:
        return self.html()
