"""Successive halving: many runs of few epochs, the best of them longer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rnn_native.base.checks import check_count
from rnn_native.net.scores import is_greater_better
from rnn_native.sweeps.worker import Record


def rungs_of(epochs: int, factor: int | None, min_epochs: int) -> list[int]:
    """Return the number of epochs of each rung, the last one's being all of them.

    Examples
    --------
    >>> rungs_of(20, 3, 1)
    [1, 3, 9, 20]
    >>> rungs_of(20, None, 1)
    [20]
    """
    if factor is None:
        return [epochs]
    check_count("factor", factor, 2)
    found, rung = [], check_count("min_epochs", min_epochs, 1)
    while rung < epochs:
        found.append(rung)
        rung *= factor
    return [*found, epochs]


def value_of(record: Record | None, monitor: str, until: int | None = None) -> float | None:
    """Return the best value that a run had within this many epochs; None when it had none."""
    at = best_epoch(record, monitor, until)
    return None if record is None or at is None else record["history"][monitor][at]


def best_epoch(record: Record | None, monitor: str, until: int | None = None) -> int | None:
    """Return the index of the epoch with the best value; None without values."""
    column = [] if record is None else record.get("history", {}).get(monitor, [])[:until]
    known = [(value, i) for i, value in enumerate(column) if value is not None]
    if not known:
        return None
    sign = -1 if is_greater_better(monitor) else 1
    return min(known, key=lambda pair: (sign * pair[0], pair[1]))[1]


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean over seeds; None when one of them has no value."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def ranked(values: Mapping[Any, float | None], monitor: str) -> list[Any]:
    """Return the names of those that have a value, the best first, equal ones as they come."""
    sign = -1 if is_greater_better(monitor) else 1
    known = {name: sign * value for name, value in values.items() if value is not None}
    return sorted(known, key=known.__getitem__)


def promoted(values: Mapping[Any, float | None], monitor: str, factor: int) -> list[Any]:
    """Return who reaches the next rung: one of `factor`, at least one."""
    best = ranked(values, monitor)
    return best[: max(1, math.ceil(len(values) / factor))]
