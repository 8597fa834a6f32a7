"""Measurements after an epoch, and their columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_native.net.losses import LOSSES
from rnn_native.net.rows import AnyRows, Targets, Weights
from rnn_native.net.scores import Metric
from rnn_native.training.history import COLUMNS
from rnn_native.training.holding_out import Split

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor


def evaluated(
    native: Any,
    x: AnyRows | None,
    y: Targets | None,
    weights: Weights = None,
    *,
    threads: int = 1,
    loss: float = 0.0,
) -> tuple[float, float, float]:
    """Return loss and hits, summed over rows, and what divides them: rows, or weights.

    The loss continues the sum over rows before these, `loss`.
    """
    assert x is not None and y is not None
    loss, hits = native.evaluate(x, y, threads=threads, weights=weights, loss=loss)
    count = len(x) if weights is None else float(weights.sum(dtype=np.float64))
    return float(loss), float(hits), count


class Measures:
    """Metrics of a run: those that fit its loss, and the caller's.

    Parameters
    ----------
    loss : str
        The net's.
    fitting : sequence of Metric
        Measured on the rows that are trained on, and on those held out.
    given : sequence of Metric
        Measured on the rows held out, or without these on the rows that are trained on.
    """

    def __init__(
        self, loss: str, fitting: Sequence[Metric], given: Sequence[Metric] = ()
    ) -> None:
        self._loss = loss
        self._fitting = list(fitting)
        self._given = list(given)

    def columns(self, validation: bool) -> list[str]:
        """Return the names of an epoch's columns, with or without validation."""
        tells_classes = LOSSES[self._loss].tells_classes
        own = [
            name
            for name in COLUMNS
            if (validation or not name.startswith("val_"))
            and (tells_classes or not name.endswith("accuracy"))
        ]
        held = [f"val_{metric.name}" for metric in self._chosen(True)] if validation else []
        return [*own, *(metric.name for metric in self._chosen(not validation)), *held]

    def _chosen(self, with_given: bool) -> list[Metric]:
        return [*self._fitting, *(self._given if with_given else [])]

    def of(self, model: "Predictor", data: Split, threads: int) -> dict[str, float]:
        """Return the metrics of a model as it is, by column."""

        def measured(
            prefix: str,
            x: AnyRows,
            y: Targets,
            metrics: list[Metric],
            weights: Weights = None,
        ) -> dict[str, float]:
            if not metrics:
                return {}
            outputs = model.native.predict(x, threads=threads)
            return {prefix + m.name: m.of(y, outputs, self._loss, weights) for m in metrics}

        found = measured("", data.x, data.y, self._chosen(data.val_x is None))
        if data.val_x is not None and data.val_y is not None:
            held = data.val_x, data.val_y, self._chosen(True), data.val_weights
            found |= measured("val_", *held)
        return found
