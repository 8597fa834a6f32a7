"""Ending trials of Optuna that do badly."""

from typing import Any

from rnn_native.callbacks.monitor import Monitor
from rnn_native.training.callback import Callback, Logs


class PruningCallback(Callback):
    """Report each epoch's value to a trial of Optuna, and end the trial when it asks for that.

    Parameters
    ----------
    trial : optuna.Trial
        The trial whose value is reported.
    monitor : str
        A column of the history, as for `EarlyStopping`.

    Raises
    ------
    TypeError
        If `trial` is not one.
    optuna.TrialPruned
        From training, after the epoch in which the trial is pruned. The model has the weights
        of its best epoch.
    ValueError
        From training, if its epochs do not have the value.

    Notes
    -----
    Epochs count from 0, and those of a resumed run are reported, too.

    Examples
    --------
    >>> import rnn_native as rn
    >>> def objective(trial):  # for optuna.create_study().optimize(objective)
    ...     lr = trial.suggest_float("lr", 0.001, 0.1, log=True)
    ...     net = rn.Network([rn.Dense(10)], input_shape=(784,))
    ...     prune = rn.PruningCallback(trial, "val_loss")
    ...     history = net.fit(x, y, lr=lr, epochs=9, validation_split=0.1, callbacks=prune)
    ...     return min(history.history["val_loss"])
    """

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        if not (hasattr(trial, "report") and hasattr(trial, "should_prune")):
            raise TypeError(
                f"trial: expected a trial of Optuna, got {type(trial).__name__}"
            )
        self.trial = trial
        self._monitor = Monitor(monitor)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See that the value will be there, and report what a resumed run has."""
        self._monitor.require(self.run, type(self).__name__)
        for epoch, row in enumerate(self.run.history.call_rows):
            value = row.value(self._monitor.name)
            if value is not None:
                self.trial.report(value, epoch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Report the epoch's value."""
        self.trial.report(self._monitor.of(logs, type(self).__name__), epoch)
        if self.trial.should_prune():
            from optuna import TrialPruned

            raise TrialPruned(f"pruned after epoch {epoch + 1}")
