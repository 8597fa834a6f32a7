"""Learning rates that a callback sets from epoch to epoch."""

import inspect
from collections.abc import Callable

from rnn_native.base.checks import (
    check_count,
    check_not_negative,
    check_number,
    check_verbose,
)
from rnn_native.base.text import brief
from rnn_native.callbacks.monitor import Monitor
from rnn_native.training.callback import Callback, Logs, say


class LearningRateScheduler(Callback):
    """Set each epoch's learning rate by a function.

    Parameters
    ----------
    schedule : callable
        `schedule(epoch, lr)`, or `schedule(epoch)`, returns the epoch's rate; `epoch` counts
        from 0, `lr` is the rate of the epoch before, and in the first one that of `fit`.
    verbose : int
        Above 0 prints one line per epoch.

    Notes
    -----
    `rnn_native.schedules` has ready-made ones for `fit(schedule=...)`, among them those that
    change the rate with every batch. A run that has one accepts no callback of this kind.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> halve = rn.LearningRateScheduler(lambda epoch, lr: lr / 2 if epoch else lr)
    >>> net.fit(x, y, epochs=3, lr=0.1, callbacks=halve, verbose=0).history["learning_rate"]
    [0.1, 0.05, 0.025]
    """

    on_every_rank = True

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule: expected a function, got {brief(schedule)}")
        self.schedule = schedule
        self.verbose = check_verbose(verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        given = (epoch, self.run.learning_rate)
        self.run.learning_rate = self.schedule(*given[: _parameters_of(self.schedule)])
        say(self.verbose, epoch, f"learning rate {self.run.learning_rate:.6g}")


def _parameters_of(schedule: Callable[..., float]) -> int:
    """Return 1 for a function of the epoch alone, else 2."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return 1
    except ValueError:  # it has no signature, as some that are written in C
        return 2
    return 2


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` when the monitored value stops improving.

    Parameters
    ----------
    monitor : str
        As for `EarlyStopping`.
    factor : float in (0, 1)
        What the rate is multiplied by.
    patience : int of at least 0
        After this many epochs in a row without improvement the rate is lowered.
    verbose : int
        Above 0 prints a line when the rate is lowered.
    mode : str
        As for `EarlyStopping`.
    min_delta : float
        An improvement is a value better than the best one by more than this.
    cooldown : int of at least 0
        After a lowering, counting restarts with the epoch of this number; 0 and 1 mean the
        next one, as in Keras.
    min_lr : float of at least 0
        The rate is not lowered below it.

    Notes
    -----
    The state is recomputed from the history when training begins, so a resumed run
    continues as an uninterrupted one; each call of `fit` starts afresh. NaN is not an improvement.
    `schedules.Plateau` is the same idea as a schedule, in PyTorch's way of counting.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> lower = rn.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10)
    >>> net.fit(x, y, epochs=4, lr=0.1, callbacks=lower, verbose=0).history["learning_rate"]
    [0.1, 0.1, 0.05, 0.025]
    """

    on_every_rank = True

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        self.monitor = monitor
        self.factor = check_number("factor", factor)
        if not 0 < factor < 1:
            raise ValueError(f"factor: expected a number in (0, 1), got {brief(factor)}")
        self.patience = check_count("patience", patience)
        self.verbose = check_verbose(verbose)
        self.cooldown = check_count("cooldown", cooldown)
        self.min_lr = check_not_negative("min_lr", min_lr)
        self._monitor = Monitor(monitor, mode, min_delta)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Count the epochs that a resumed run has completed."""
        self._monitor.require(self.run, type(self).__name__)
        self.best = self._monitor.worst
        self.wait = self._cooling = 0
        lowered = None
        for row in self.run.history.call_rows:
            lowered = self._lowered(row.value(self.monitor), row.learning_rate)
        # Set it in any case: a schedule is refused now, not when the rate first changes.
        self.run.learning_rate = self.run.learning_rate if lowered is None else lowered

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Count this epoch; lower the rate of the next one."""
        value = self._monitor.of(logs, type(self).__name__)
        lowered = self._lowered(value, logs["learning_rate"])
        if lowered is not None:
            self.run.learning_rate = lowered
            say(self.verbose, epoch, f"learning rate lowered to {lowered:.6g}")

    def _lowered(self, value: float | None, rate: float) -> float | None:
        """Count an epoch that had this value and rate; return the new rate if it is time."""
        self._cooling = max(self._cooling - 1, 0)
        if value is not None and self._monitor.is_better(value, self.best):
            self.best = value
            self.wait = 0
        elif self._cooling == 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.wait, self._cooling = 0, self.cooldown
                return max(rate * self.factor, self.min_lr)
        return None
