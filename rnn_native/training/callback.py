"""What a callback is, and how `fit` calls it."""

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import as_float
from rnn_native.base.text import brief, printable
from rnn_native.training.history import History
from rnn_native.training.holding_out import Split
from rnn_native.training.recipe import Recipe

Logs: TypeAlias = dict[str, float]
"""Values by name: loss, accuracy, ..., those of the validation beginning with ``val_``."""


class TrainingRun(Protocol):
    """What a callback sees of the run under way; see `rnn_native.training.Run`."""

    model: Any
    recipe: Recipe
    data: Split
    history: History
    order: NDArray[np.int32]
    best_weights: NDArray[np.float32] | None
    keeps_last: bool
    stop_reason: str | None
    stop_detail: str
    has_foreign_logs: bool
    learning_rate: float
    validation_hint: str

    @property
    def callbacks(self) -> "Sequence[Callback]":
        """Those of the `fit` under way."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns that the run's epochs will have, in order."""

    def columns_with(self, validation: bool) -> list[str]:
        """Return the names of the columns that epochs have with or without validation."""

    def stop(self, reason: str) -> None:
        """End the run after the current epoch."""


class Callback:
    """Base class: override what you need; the hooks are those of Keras.

    Attributes
    ----------
    run : Run
        Set by `fit`, as the others, before anything is called. `run.history` has the epochs
        so far, `run.stop("why")` ends the run after this one, and `run.learning_rate` can be
        set.
    model : Network
        `model.stop_training = True` ends the run, too.
    params : dict
        epochs, steps (batches in an epoch) and verbose.
    handles_divergence : bool
        True lets a loss that is not finite end the run instead of raising
        `TrainingDiverged`.
    on_every_rank : bool
        In a run on several ranks (docs/explanation/scale.md), False calls the hooks on rank 0
        alone, and its decisions hold for all. True is for a callback that writes nothing and
        decides by the history.

    Notes
    -----
    A callback derives what it needs of past epochs from `run.history.call_rows` in
    `on_train_begin`: so a resumed run continues as an uninterrupted one, and callbacks start
    over in a further call of `fit`. Epochs count from 0 in a history, or from `initial_epoch`;
    the row of this call's first epoch has the index `run.history.call_begin`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> class Stop(rn.Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         if logs["loss"] < 5:
    ...             self.run.stop("good enough")
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> net.fit(x, y, epochs=50, callbacks=Stop(), verbose=0).stop_reason
    'good enough'
    """

    run: TrainingRun
    model: Any
    params: dict[str, Any]
    handles_divergence = False
    on_every_rank = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch; a resumed run has a history here."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch; `epoch` counts from 0."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch; `batch` counts from 0 in each epoch.

        Epochs are one native call unless a callback overrides a hook of batches; then they
        go batch by batch, to the same bits, which needs more time.
        """
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """After a batch; `logs` has the means of loss and accuracy since the epoch began.

        Nets that predict values have no accuracy.
        """
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Override `on_train_batch_begin` instead: this is Keras' older name."""

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """Override `on_train_batch_end` instead: this is Keras' older name."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before the validation of an epoch."""

    def on_test_end(self, logs: Logs) -> None:
        """After the validation of an epoch; `logs` has its values without the ``val_``."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation; `logs` is the epoch's row of the history.

        Numbers put into `logs` under new names reach the callbacks after this one, among
        them those that monitor a value, and the history. Other values reach only later callbacks
        of your own.
        """

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, whatever ended the run; `logs` is the last epoch's row."""


def as_list(callbacks: Iterable[Callback] | Callback | None) -> list[Callback]:
    """Return callbacks as a list; one alone and None are taken, as by Keras.

    Raises
    ------
    TypeError
        If something else is among them, such as a class in place of its instance.
    """
    if callbacks is None or isinstance(callbacks, Callback):
        return [] if callbacks is None else [callbacks]
    chosen = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in chosen:
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks: expected instances of rnn_native.Callback, got {brief(callback)}"
            )
    return chosen


BATCH_HOOKS = (
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_batch_begin",
    "on_batch_end",
)

NEVER_CALLED = {
    "on_test_batch_begin": "validation is one call; use on_test_begin",
    "on_test_batch_end": "validation is one call; use on_test_end",
    "on_predict_begin": "predict calls no callbacks",
    "on_predict_end": "predict calls no callbacks",
    "on_predict_batch_begin": "predict calls no callbacks",
    "on_predict_batch_end": "predict calls no callbacks",
}
"""Keras' hooks that are never called, and why."""


def wants_batches(callback: Callback) -> bool:
    """Return whether a callback overrides a hook of batches."""
    return any(
        getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)
        for name in BATCH_HOOKS
    )


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


def check_hooks(callback: Callback) -> None:
    """Raise TypeError if a callback has a hook of Keras' that is never called.

    Warns
    -----
    UserWarning
        If a method is named almost as a hook is.
    """
    for name, reason in NEVER_CALLED.items():
        if hasattr(callback, name):
            raise TypeError(
                f"{type(callback).__name__}.{name} is never called: {reason}; leave it out"
            )

    for name in dir(type(callback)):
        if not name.startswith("on_") or name in HOOKS:
            continue
        import difflib  # seldom needed, and slow to import

        if difflib.get_close_matches(name, HOOKS, n=1, cutoff=_NEAR):
            near = difflib.get_close_matches(name, HOOKS, n=2)
            warnings.warn(
                f"{type(callback).__name__}.{name} is not a hook, fit never calls it; did you "
                f"mean {' or '.join(near)}?",
                stacklevel=4,
            )


# How similar the name of a hook must be to a misspelt one, on_epoch_start among them.
_NEAR = 0.68


def as_number(name: str, value: object) -> float | None:
    """Return a number of Python or NumPy in the logs as float, None for anything else."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return as_float(f"logs: {name}", value)
    return None


def numbers_of(logs: Mapping[Any, Any]) -> Logs:
    """Return those of the logs that are numbers with a name that a column can have."""
    found = {
        name: as_number(name, value) for name, value in logs.items() if _is_column(name)
    }
    return {name: value for name, value in found.items() if value is not None}


def _is_column(name: object) -> bool:
    """Return whether a table of epochs can have a column of that name beside its own first."""
    return (
        isinstance(name, str)
        and name not in ("", "epoch")
        and name.isprintable()
        and name == name.strip()
    )


def values_of(run: TrainingRun, logs: Mapping[Any, Any]) -> Logs:
    """Return an epoch's numbers: those of the logs, or of the history where these have none."""
    return {**run.history.rows[-1].values(), **numbers_of(logs)}


def may_log(callback: Callback) -> bool:
    """Return whether a callback may add values to the logs of an epoch."""
    owner = type(callback).on_epoch_end
    given = getattr(callback.on_epoch_end, "__func__", None) is not owner
    return given or not owner.__module__.startswith("rnn_native.")


def call(hook: Callable[..., None], *arguments: Any) -> None:
    """Call a hook whose last parameter, logs, may be left out of its definition."""
    try:
        inspect.signature(hook).bind(*arguments)
    except TypeError:
        arguments = arguments[:-1]
    hook(*arguments)


def say(verbose: int, epoch: int, text: str) -> None:
    """Print what a callback did after an epoch, counted from 0, unless it is to be silent."""
    if verbose > 0:
        print(f"Epoch {epoch + 1}: {printable(text)}", flush=True)
