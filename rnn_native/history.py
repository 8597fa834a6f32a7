"""What happened in each epoch of a training run."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

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
        fractions in [0, 1].
    """

    loss: float
    accuracy: float
    time: float
    learning_rate: float
    val_loss: float | None = None
    val_accuracy: float | None = None


class History:
    """Rows of a run, as Keras users know them.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0.
    history : dict of str to list of float
        A list for each of loss, accuracy, time, learning_rate, and val_loss and
        val_accuracy when there was validation.
    stop_reason : str
        Why the run ended: "epochs", "early stopping", "stop_training", "interrupted", or
        what a callback said.
    best_by : str
        The column that tells the best epoch; `go_by` sets it.
    call_begin : int
        Index of the first row of the latest call of `fit`. Above 0 when a history spans
        several calls; a resumed run is one call.
    """

    # Of the class, for histories that an earlier version pickled.
    call_begin = 0

    def __init__(self, rows: list[EpochRow] | None = None) -> None:
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
        return self.epoch[-1] + 1 if self.epoch else 0

    def append(self, row: EpochRow, epoch: int | None = None) -> None:
        """Add a row; `epoch` counts from 0 and is the next number when left out."""
        self.epoch.append(len(self.rows) if epoch is None else epoch)
        self.rows.append(row)
        self._see(len(self.rows) - 1)

    def _see(self, index: int) -> None:
        """Note whether a row is the best one so far."""
        value = self._merit(index)
        if math.isfinite(value) and (self._best is None or value > self._merit(self._best)):
            self._best = index

    def _merit(self, index: int) -> float:
        """Return what is greater for a better row; NaN when the row does not tell."""
        value = getattr(self.rows[index], self.best_by)
        return math.nan if value is None else self._sign * float(value)

    def begin_call(self) -> None:
        """Let the next row be the first one of another call of `fit`.

        `best_epoch` and callbacks consider only the rows of the latest call.
        """
        self.call_begin, self._best = len(self.rows), None

    @property
    def call_rows(self) -> list[EpochRow]:
        """Rows of the latest call of `fit`, those from before a resume included."""
        return self.rows[self.call_begin :]

    def go_by(self, column: str, greatest: bool) -> None:
        """Let `best_epoch` mean the greatest, or the least, value of a column.

        Parameters
        ----------
        column : str
            An attribute of `EpochRow`. A new history goes by the least "val_loss".
        greatest : bool
        """
        self.best_by, self._sign = column, 1 if greatest else -1
        self._best = None
        for index in range(self.call_begin, len(self.rows)):
            self._see(index)

    @property
    def history(self) -> dict[str, list[float]]:
        """Columns by name; validation columns only when every row has them."""
        columns = {
            field.name: [getattr(row, field.name) for row in self.rows]
            for field in fields(EpochRow)
        }
        return {name: list_ for name, list_ in columns.items() if None not in list_}

    def best_epoch(self) -> int | None:
        """Return the index of the best row (the first of equals), None when none tells.

        That is the one with the least validation loss, unless `go_by` said otherwise, among
        the rows of the latest call.
        """
        return self._best

    def as_list(self) -> list[dict[str, Any]]:
        """Return the rows as dicts, for JSON."""
        return [asdict(row) for row in self.rows]

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the columns of `history` as a DataFrame whose index is the epoch.

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
        return pandas.DataFrame(self.history, index=pandas.Index(self.epoch, name="epoch"))

    @classmethod
    def from_list(cls, rows: list[dict[str, Any]]) -> "History":
        """Make a history from what `as_list` gave."""
        return cls([EpochRow(**row) for row in rows])

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
        from rnn_native import notebook

        return notebook.history_html(self)
