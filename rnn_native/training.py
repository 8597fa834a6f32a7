"""The training loop: the only place that knows what an epoch consists of."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native._runtime import resolve_threads
from rnn_native.callbacks import Callback, ProgressLogger
from rnn_native.errors import TrainingDiverged
from rnn_native.history import EpochRow, History
from rnn_native.xorshift import Xorshift

if TYPE_CHECKING:
    from rnn_native.network import Network, Rows, Targets


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers that define a run; a resumed run must have the same, epochs aside.

    Parameters
    ----------
    epochs, batch_size : int of at least 1
    lr : float
        Learning rate of plain SGD, above 0.
    seed : int in [0, 2**64)
        Of the initial weights and, after them, the shuffles.
    validation_split : float in [0, 1)
        Fraction of the rows that is held out.
    stratify : bool
        Whether the held-out rows keep the proportions of the classes.
    patience : int of at least 1, or None
        Epochs without improvement before early stopping; None never stops early.
    min_delta : float
        How much lower a validation loss must be to count as an improvement.
    """

    epochs: int = 10
    batch_size: int = 64
    lr: float = 0.01
    seed: int = 1
    validation_split: float = 0.1
    stratify: bool = False
    patience: int | None = 3
    min_delta: float = 0.001

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"{name}: expected an integer of at least 1, got {value!r}"
                )
        for name, low, high in (
            ("lr", 0.0, 1e6),
            ("validation_split", 0.0, 1.0),
            ("min_delta", 0.0, 1e6),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name}: expected a number, got {value!r}")
            if not low <= value < high or (name == "lr" and value == 0):
                raise ValueError(
                    f"{name}: expected a value in [{low:g}, {high:g}), got {value}"
                )
        Xorshift(self.seed)

    def differences(self, other: "Recipe") -> list[str]:
        """Name what differs, epochs aside, as "lr=0.1 (was 0.01)"."""
        return [
            f"{f.name}={getattr(self, f.name)!r} (was {getattr(other, f.name)!r})"
            for f in fields(self)
            if f.name != "epochs" and getattr(self, f.name) != getattr(other, f.name)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data, for JSON."""
        return asdict(self)


class Split(NamedTuple):
    """Rows to train on and rows held out (None without validation)."""

    x: "Rows"
    y: "Targets"
    val_x: "Rows | None" = None
    val_y: "Targets | None" = None


def split(x: "Rows", y: "Targets", fraction: float, stratify: bool = False) -> Split:
    """Hold out the last floor(n * fraction) rows, or the last rows of each class.

    Parameters
    ----------
    x : ndarray of shape (n, inputs)
    y : ndarray of shape (n,) or (n, outputs)
        Labels are needed for `stratify`.
    fraction : float in [0, 1)
        As in the reference system the product is rounded to float32 first.
    stratify : bool
        Take the last floor(n_c * fraction) rows of each class c; order is kept.

    Raises
    ------
    ValueError
        If nothing would be left to train on, or `stratify` has no labels.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"validation_split: expected a value in [0, 1), got {fraction}")
    if fraction == 0:
        return Split(x, y)
    if not stratify:
        held = _held_out_count(len(x), fraction)
        if held == 0:
            return Split(x, y)
        return Split(x[:-held], y[:-held], x[-held:], y[-held:])
    if y.ndim != 1:
        raise ValueError("stratify: expected class labels, got values")
    is_held = np.zeros(len(x), dtype=bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        is_held[rows[len(rows) - _held_out_count(len(rows), fraction) :]] = True
    if not is_held.any():
        return Split(x, y)
    return Split(x[~is_held], y[~is_held], x[is_held], y[is_held])


def _held_out_count(n: int, fraction: float) -> int:
    return int(np.float32(n) * np.float32(fraction))


class Run:
    """A training run under way: everything that a checkpoint must hold.

    Parameters
    ----------
    model : Network
    data : Split
    recipe : Recipe
    rng : Xorshift
        Draws the shuffles; `model`'s initial weights have been drawn from it before.
    threads : int in [1, 64], optional

    Attributes
    ----------
    history : History
    order : ndarray of int32
        Row numbers as the last shuffle left them; each epoch shuffles them further.
    best_params : ndarray of float32 or None
        Parameters after the epoch with the least validation loss.
    """

    def __init__(
        self,
        model: "Network",
        data: Split,
        recipe: Recipe,
        rng: Xorshift,
        *,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.data = data
        self.recipe = recipe
        self.rng = rng
        self.threads = resolve_threads(threads)
        self.history = History()
        self.order = np.arange(len(data.x), dtype=np.int32)
        self.best_params: NDArray[np.float32] | None = None
        self.stop_reason: str | None = None

    def stop(self, reason: str) -> None:
        """End the run after the current epoch."""
        self.stop_reason = reason

    def train_epoch(self) -> EpochRow:
        """Train one epoch, validate, and return its row."""
        data, net, recipe = self.data, self.model._net, self.recipe
        self.rng.shuffle(self.order)
        start = time.perf_counter()
        try:
            loss, hits = net.train(
                data.x,
                data.y,
                self.order,
                recipe.batch_size,
                recipe.lr,
                threads=self.threads,
                epoch=len(self.history) + 1,
            )
        except FloatingPointError as error:
            raise TrainingDiverged(str(error)) from None
        seconds = time.perf_counter() - start
        row = EpochRow(
            loss=float(loss[0]) / len(data.x),
            accuracy=int(hits[0]) / len(data.x),
            time=seconds,
            learning_rate=recipe.lr,
        )
        if data.val_x is None or data.val_y is None:
            return row
        val_loss, val_hits = net.evaluate(data.val_x, data.val_y, threads=self.threads)
        n = len(data.val_x)
        return EpochRow(
            **{**asdict(row), "val_loss": val_loss / n, "val_accuracy": val_hits / n}
        )

    def restore_best(self) -> None:
        """Give the model the weights of the best epoch, if there was validation."""
        if self.best_params is not None:
            self.model.params[:] = self.best_params


def fit(
    run: Run, callbacks: Sequence[Callback] = (), *, verbose: int | str = "auto"
) -> History:
    """Train until `run.recipe.epochs` epochs are done or a callback stops the run.

    Whatever ends the run, the model is left with the weights of its best epoch (least
    validation loss), or with the last ones when there is no validation.

    Parameters
    ----------
    run : Run
        Fresh, or restored from a checkpoint.
    callbacks : sequence of Callback
        Called at epoch borders, in order.
    verbose : {"auto", 0, 1, 2}
        See `ProgressLogger`.

    Returns
    -------
    History
        `stop_reason` is "interrupted" after Ctrl-C, which also gives a warning.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite.
    OSError
        From callbacks that write files.
    """
    # Progress comes last: what it tells has then been saved.
    callbacks = [*callbacks, ProgressLogger(verbose)]
    for callback in callbacks:
        callback.run = run
    try:
        for callback in callbacks:
            callback.on_train_begin()
        while run.stop_reason is None and len(run.history) < run.recipe.epochs:
            _epoch(run, callbacks)
    except KeyboardInterrupt:
        run.stop_reason = "interrupted"
        warnings.warn("training interrupted; best weights kept", stacklevel=2)
    finally:
        run.history.stop_reason = run.stop_reason or "epochs"
        run.restore_best()
        for callback in callbacks:
            callback.on_train_end()
    return run.history


def _epoch(run: Run, callbacks: Sequence[Callback]) -> None:
    epoch = len(run.history)
    for callback in callbacks:
        callback.on_epoch_begin(epoch)
    row = run.train_epoch()
    run.history.append(row)
    if run.history.best_epoch() == epoch:
        run.best_params = run.model.params.copy()
    logs = {name: value for name, value in asdict(row).items() if value is not None}
    for callback in callbacks:
        callback.on_epoch_end(epoch, logs)
