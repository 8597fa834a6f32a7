"""Stopping when nothing improves any more."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_count, check_flag, check_number, check_verbose
from rnn_native.callbacks.monitor import Monitor
from rnn_native.training.callback import Callback, Logs, say


class EarlyStopping(Callback):
    """Stop when the monitored value has not improved for `patience` epochs in a row.

    Parameters
    ----------
    monitor : str
        A column of the history: "val_loss", "val_accuracy", "loss", "accuracy", a metric
        of `fit(metrics=...)` ("val_auc"), or what an earlier callback puts into the logs.
    min_delta : float
        An improvement is a value better than the best one by more than this.
    patience : int of at least 0
        0 and 1 stop after the first epoch without improvement.
    verbose : int
        Above 0 prints a line when it stops.
    mode : {"auto", "min", "max"}
        "auto" is "max" for accuracies, auc, r2, f1, precision, recall and scores.
    baseline : float, optional
        Value to beat: until an epoch is better than it, improvements do not reset the count
        of `patience`.
    restore_best_weights : bool
        True, unlike Keras: the model is left with the weights of the epoch that had the best
        value of all (of `monitor`, without `min_delta`). False: with the last ones.
    start_from_epoch : int of at least 0
        Epochs before this one, counted from 0 in this call of `fit`, are ignored.

    Attributes
    ----------
    stopped_epoch : int
        Number of the epoch after which it stopped the run; 0 when it has not.
    best : float
        The best value, by `min_delta`.
    best_epoch : int
        Number of the epoch that had the best value of all; 0 when no epoch had a value.
    best_weights : ndarray of float32 or None
        After training: what the model's `weights` were restored to, if they were.

    Notes
    -----
    The count is recomputed from the history when training begins, so a resumed run stops
    where an uninterrupted one does; each call of `fit` starts a new count. NaN is not an
    improvement. `train_mlp` and the other training functions add one, with the `patience` and
    `min_delta` of the recipe.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> stop = rn.EarlyStopping(min_delta=10, patience=2)
    >>> net.fit(x, y, epochs=50, validation_split=0.2, callbacks=stop, verbose=0).stop_reason
    'early stopping'
    """

    on_every_rank = True

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = True,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor = monitor
        self._monitor = Monitor(monitor, mode, min_delta)
        self.patience = check_count("patience", patience)
        self.verbose = check_verbose(verbose)
        self.baseline = None if baseline is None else check_number("baseline", baseline)
        self.restore_best_weights = check_flag("restore_best_weights", restore_best_weights)
        self.start_from_epoch = check_count("start_from_epoch", start_from_epoch)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Count the epochs that a resumed run has completed."""
        goal = self._monitor
        goal.require(self.run, type(self).__name__)
        if not self.restore_best_weights:
            self.run.keeps_last = True
        elif (goal.name, goal.is_greatest) != ("val_loss", False):
            # That is the rule; to set it again would undo what another callback set.
            self.run.history.go_by(goal.name, goal.is_greatest)
        self._any_gain = replace(goal, min_delta=0.0)
        self.best = self._best_of_all = goal.worst
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: NDArray[np.float32] | None = None
        self._since: int | None = None
        history = self.run.history
        numbers = history.epoch[history.call_begin :]
        for epoch, row in zip(numbers, history.call_rows, strict=True):
            self._see(epoch, row.value(self.monitor))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Count this epoch."""
        if self._see(epoch, self._monitor.of(logs, type(self).__name__)):
            say(self.verbose, epoch, "early stopping")

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Keep the weights that the model was left with, if they are the best ones."""
        if not self.run.keeps_last:
            self.best_weights = self.run.best_weights

    def _see(self, epoch: int, value: float | None) -> bool:
        """Count an epoch; return whether it is the one to stop after."""
        if value is None:
            return False
        if self._any_gain.is_better(value, self._best_of_all):
            self._best_of_all, self.best_epoch = value, epoch
        if epoch - self.run.history.call_begin < self.start_from_epoch:
            return False
        self.wait += 1
        if self._monitor.is_better(value, self.best):
            self.best = value
            if self.baseline is None or self._monitor.is_better(value, self.baseline):
                self.wait, self._since = 0, epoch
            return False
        if self.wait < self.patience:
            return False
        self.stopped_epoch = epoch
        self.run.stop("early stopping")
        self.run.stop_detail = self._why()
        return True

    def _why(self) -> str:
        """Return what has not improved, and since which epoch."""
        if self._since is None:
            goal = "" if self.baseline is None else f" on the baseline {self.baseline:g}"
            return f"no improvement{goal}"
        delta = self._monitor.min_delta
        least = f" of at least {delta:g}" if delta else ""
        return f"no improvement{least} since epoch {self._since + 1}"
