"""A training run whose loss is a function of the caller's."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.errors import TrainingDiverged
from rnn_native.base.text import brief
from rnn_native.net.arrays import as_array, sparse_refusal
from rnn_native.net.compressed import CompressedRows
from rnn_native.net.losses import LOSSES
from rnn_native.net.scores import weighted_sum
from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run
from rnn_native.training.schedules import Rates

if TYPE_CHECKING:
    from rnn_native.net.predictor import Predictor

LossFunction: TypeAlias = Callable[
    [NDArray[np.float32], NDArray[Any]], tuple[ArrayLike, ArrayLike]
]
"""Outputs and targets of some rows -> a loss for each row, and its gradient with respect to
the outputs."""

WITHOUT = ("label_smoothing", "l2", "augment", "mixup", "ema_decay", "swa_start")
"""Options of a recipe that need the core's own losses."""


def as_loss_function(loss: object) -> None:
    """Check that a loss is callable.

    Raises
    ------
    TypeError
    """
    if isinstance(loss, type):
        raise TypeError(
            f"loss: expected a function of outputs and targets, got the class {loss.__name__}; "
            f"make one of it: {loss.__name__}(...)"
        )
    if callable(loss):
        return
    raise TypeError(
        "loss: expected a function of outputs and targets that returns (losses, gradient), got "
        f"{brief(loss)}; a loss by name is the net's: Network(layers, input_shape, loss)"
    )


class OwnLossRun(Run):
    """A run that follows a function's gradient; its histories have the function's losses.

    Parameters
    ----------
    model, data, recipe
        See `Run`.
    *args, **options
        See `Run`.
    function : callable
        A `LossFunction`.

    Raises
    ------
    ValueError, TypeError
        If the recipe has one of `WITHOUT`, or rows are sparse.
    """

    def __init__(
        self,
        model: "Predictor",
        data: Split,
        recipe: Recipe,
        *args: Any,
        function: LossFunction,
        **options: Any,
    ) -> None:
        plain = Recipe()
        for name in WITHOUT:
            if getattr(recipe, name) != getattr(plain, name):
                raise ValueError(
                    f"{name}: expected none with a function as loss, got "
                    f"{brief(getattr(recipe, name))}; leave one of them out"
                )
        if isinstance(data.x, CompressedRows):
            raise sparse_refusal("x", "loss: ")
        super().__init__(model, data, recipe, *args, **options)
        self._function = function
        self.faults = []  # a bad loss is unknown: no warnings

    def train_rows(
        self,
        order: NDArray[np.int32],
        rates: Rates,
        batch: int = 0,
        loss: float = 0.0,
        **average: Any,
    ) -> tuple[float, int]:
        """Train on rows of the epoch, of which `batch` batches have been trained before.

        Returns
        -------
        float, int
            The loss summed over the epoch's rows so far, and the hits among these rows.
        """
        size, hits = self.batch_size, 0
        for begin in range(0, len(order), size):
            rows, number = order[begin : begin + size], begin // size
            rate = float(rates[number] if isinstance(rates, np.ndarray) else rates)
            try:
                more, more_hits = self._step(rows, rate)
            except FloatingPointError as error:
                raise TrainingDiverged(
                    f"{error} at epoch {self.history.next_epoch + 1}, batch "
                    f"{batch + number + 1} (learning rate {rate:g}); lower the learning "
                    "rate or look for extreme values in the data or weights"
                ) from None
            self.state.advance(1)
            self.state.take(len(rows), len(self.order))
            self.is_begun = True
            loss, hits = loss + more, hits + more_hits
        return loss, hits

    def _step(self, rows: NDArray[np.int32], rate: float) -> tuple[float, int]:
        """Make one update, by one batch or by several; return loss and hits, summed."""
        loss, hits, size = 0.0, 0, self.batch_size // self.recipe.accumulate
        first = self.state.seed_steps * self.recipe.accumulate
        for begin in range(0, len(rows), size):
            part = rows[begin : begin + size]
            more, more_hits = self._add_gradient(part, len(rows), first, begin // size)
            loss, hits = loss + more, hits + more_hits
        try:
            self.model.native.apply(
                rate,
                threads=self.threads,
                clip_norm=self.recipe.clip_norm,
                updates=self.state.steps,
            )
        except FloatingPointError:
            raise FloatingPointError("a weight or moment is not finite") from None
        return loss, hits

    def _add_gradient(
        self, rows: NDArray[np.int32], count: int, first: int, number: int
    ) -> tuple[float, int]:
        """Add a batch's part of the mean gradient over `count` rows; return loss and hits."""
        native, y = self.model.native, self.data.y[rows]
        outputs = native.forward(
            np.ascontiguousarray(self.data.x[rows]),
            threads=self.threads,
            seed=self.state.seed,
            step=first + number,
        )
        hits = int(_are_right(outputs, y, self.model.loss).sum())
        losses, gradient = call(self._function, outputs, y)
        if self.row_weights is not None:
            weights = self.row_weights[rows].astype(np.float64)
            losses, gradient = losses * weights, gradient * weights[:, None]
        with np.errstate(over="ignore"):  # said below
            dout = np.ascontiguousarray(gradient / count, np.float32)
        for name, values in (("loss", losses), ("gradient", dout)):
            if not np.isfinite(values).all():
                raise FloatingPointError(f"the {name} is not finite")
        native.backward(
            dout,
            threads=self.threads,
            accumulate=number > 0,
            to_input=False,
        )
        return float(losses.sum()), hits

    def _evaluate(self) -> tuple[float, float]:
        """Return the function's mean loss and the share of hits of the rows held out."""
        x, y, weights = self.data.val_x, self.data.val_y, self.data.val_weights
        assert x is not None and y is not None
        outputs = self.model.native.predict(x, threads=self.threads, raw=True)
        hits = _are_right(outputs, y, self.model.loss)
        losses, _ = call(self._function, outputs, y.copy())
        shares = np.ones(len(y)) if weights is None else weights.astype(np.float64)
        count = shares.sum()
        loss, right = (weighted_sum(values, shares) / count for values in (losses, hits))
        return float(loss), float(right)


def call(
    function: LossFunction, outputs: NDArray[np.float32], targets: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the losses of rows and their gradients, in float64.

    Raises
    ------
    TypeError, ValueError
        If the function returns something else.
    """
    shape = outputs.shape
    found = function(outputs, targets)
    if not (isinstance(found, tuple) and len(found) == 2):
        raise TypeError(
            f"loss: expected its function to return (losses, gradient), got {brief(found)}"
        )
    losses, gradient = _numbers("loss", found[0]), _numbers("gradient", found[1])
    if losses.shape != shape[:1]:
        raise ValueError(
            f"loss: expected a loss of each row, of shape {shape[:1]}, got {losses.shape}"
        )
    if gradient.shape != shape:
        raise ValueError(
            f"loss: expected a gradient of shape {shape}, as the outputs, got "
            f"{gradient.shape}"
        )
    return losses, gradient


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers of a function in float64, or raise TypeError."""
    array = as_array(values, f"loss: its {name}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"loss: expected its {name} to be numbers, got {array.dtype}")
    return array.astype(np.float64)


def _are_right(
    outputs: NDArray[np.float32], targets: NDArray[Any], loss: str
) -> NDArray[np.bool_]:
    """Return which rows the outputs, logits, say right; none where there are no classes."""
    if not LOSSES[loss].tells_classes:
        return np.zeros(len(targets), np.bool_)
    if targets.ndim == 1:
        return np.asarray(outputs.argmax(axis=1) == targets)
    return np.asarray(((outputs >= 0) == (targets >= 0.5)).all(axis=1))
