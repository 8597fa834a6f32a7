"""What a sweep returns: a row for each run, the best of them, files with both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base.files import atomic_write, csv_line
from rnn_native.sweeps import page
from rnn_native.sweeps.candidates import Params
from rnn_native.sweeps.plans import shown, told
from rnn_native.sweeps.rungs import best_epoch, mean_of, ranked, value_of
from rnn_native.sweeps.worker import FAILED, Record
from rnn_native.training import run_folder

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor

CSV, HTML = "results.csv", "results.html"
MISSING = "missing"
"""Status of a run that was not begun, or not finished."""


@dataclass(slots=True)
class Row:
    """A run of a sweep.

    Attributes
    ----------
    params : dict
        What the sweep varies, without the seed.
    seed : int
    id : str
        Name of its folder: a hash of its configuration and data.
    run_dir : Path
    record : dict or None
        None until the run is over, or has reached a rung.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> data = (x, y), (x[:20], y[:20])
    >>> layers = [rn.Flatten(), rn.Dense(10)]
    >>> found = rn.sweep(layers, {"lr": [0.001, 0.1]}, data, epochs=1, verbose=0)
    >>> [row.params for row in found.rows]
    [{'lr': 0.001}, {'lr': 0.1}]
    """

    params: Params
    seed: int
    id: str
    run_dir: Path
    record: Record | None = None

    @property
    def status(self) -> str:
        """Return "done", "stopped" (at a rung), "failed" or "missing"."""
        return MISSING if self.record is None else str(self.record["status"])

    @property
    def error(self) -> str | None:
        """Why the run failed."""
        return None if self.record is None else self.record.get("error")

    def value(self, monitor: str) -> float | None:
        """Return the best value of a column; None without values."""
        return None if self.status == FAILED else value_of(self.record, monitor)

    def as_dict(self, monitor: str) -> dict[str, Any]:
        """Return the row as the table has it."""
        record = self.record or {}
        history, at = record.get("history", {}), best_epoch(record, monitor)
        columns = [n for n in history if n not in ("time", "learning_rate")]
        return {
            **self.params,
            "seed": self.seed,
            "status": self.status,
            "epochs": record.get("epochs"),
            "best_epoch": None if at is None else at + 1,
            **{name: None if at is None else history[name][at] for name in columns},
            **{f"test_{name}": value for name, value in record.get("test", {}).items()},
            "seconds": record.get("seconds"),
            "run": self.id,
            "warning": record.get("warning"),
            "error": self.error,
        }


@dataclass(slots=True, repr=False)
class SweepResult:
    """What `sweep` returns.

    Attributes
    ----------
    rows : list of Row
        In the order of the grid.
    monitor : str
        The column by which the best run is chosen.
    out : Path
        Folder of the files. One that `sweep` was not given is removed with this object.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> data = (x, y), (x[:20], y[:20])
    >>> layers = [rn.Flatten(), rn.Dense(10)]
    >>> found = rn.sweep(layers, {"lr": [0.001, 0.1]}, data, epochs=1, verbose=0)
    >>> found.best_params, found.monitor
    ({'lr': 0.1}, 'val_loss')
    """

    rows: list[Row]
    monitor: str
    out: Path
    keeper: Any = field(default=None)

    @property
    def ranking(self) -> list[tuple[Params, float]]:
        """Return parameters with their value, the mean over seeds, the best first."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(told(row.params), []).append(row)
        # A run that was stopped at a rung has had too few epochs to be compared.
        most = max((self._reached(rows) for rows in groups.values()), default=0)
        values = {
            name: mean_of([row.value(self.monitor) for row in rows])
            if self._reached(rows) == most
            else None
            for name, rows in groups.items()
        }
        return [
            (groups[name][0].params, float(values[name] or 0.0))
            for name in ranked(values, self.monitor)
        ]

    def _reached(self, rows: Sequence[Row]) -> int:
        return 0 if any(row.status == "stopped" for row in rows) else 1

    @property
    def best_params(self) -> Params:
        """Return the parameters with the best value, the mean over seeds.

        Raises
        ------
        ValueError
            If no run has one.
        """
        return self._best()[0]

    @property
    def best_score(self) -> float:
        """Return the value of `monitor` of `best_params`."""
        return self._best()[1]

    def _best(self) -> tuple[Params, float]:
        ranking = self.ranking
        if not ranking:
            errors = [row.error for row in self.rows if row.error]
            why = f"; the first error is: {errors[0]}" if errors else ""
            raise ValueError(f"sweep: no run has a {self.monitor}{why}")
        return ranking[0]

    @property
    def best_run(self) -> Row:
        """Return the best run of `best_params`."""
        params = told(self.best_params)
        rows = {i: row for i, row in enumerate(self.rows) if told(row.params) == params}
        values = {i: row.value(self.monitor) for i, row in rows.items()}
        return rows[ranked(values, self.monitor)[0]]

    def best_model(self) -> "Predictor":
        """Return the model of `best_run`, with the weights of its best epoch."""
        from rnn_native.formats.loading import load

        return load(self.best_run.run_dir / run_folder.BEST)

    @property
    def failed(self) -> list[Row]:
        """Return the runs that failed."""
        return [row for row in self.rows if row.status == FAILED]

    def table(self) -> list[dict[str, Any]]:
        """Return the rows as dicts with the same names; ``pandas.DataFrame`` accepts them."""
        rows = [row.as_dict(self.monitor) for row in self.rows]
        tail = ("seconds", "run", "warning", "error")
        names = dict.fromkeys(n for row in rows for n in row if n not in tail)
        return [{name: row.get(name) for name in (*names, *tail)} for row in rows]

    def html(self) -> str:
        """Return the table and the curves of all runs as one page."""
        return page.sweep_page(self)

    def write(self) -> None:
        """Write results.csv and results.html."""
        table = self.table()
        lines = [csv_line(table[0])]
        lines += [csv_line(_cell(value) for value in row.values()) for row in table]
        atomic_write(self.out / CSV, "".join(lines).encode())
        atomic_write(self.out / HTML, self.html().encode())

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.status] = counts.get(row.status, 0) + 1
        runs = ", ".join(f"{count} {status}" for status, count in counts.items())
        best = ""
        if ranking := self.ranking:
            best = f"; best {self.monitor} {ranking[0][1]:.6g}: {told(ranking[0][0])}"
        return f"<SweepResult of {len(self.rows)} runs: {runs}{best}>"

    def _repr_html_(self) -> str:
        return page.sweep_html(self)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return shown(value)
