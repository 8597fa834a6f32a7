"""What estimators keep of training from epoch to epoch, over calls of `fit`."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnn_native.base.errors import TrainingDiverged
from rnn_native.sklearn.fitting import EstimatorRun
from rnn_native.training.history import History

GROWING = ("loss_curve_", "validation_scores_", "validation_loss_curve_")
"""Attributes that are lists of a value per epoch, or None."""


class Records:
    """The attributes of an estimator that grow from epoch to epoch."""

    early_stopping: bool
    history_: History
    n_iter_: int
    best_loss_: float | None

    # Of the class, for estimators that 0.1.0 pickled.
    _epochs_before_fit = 0
    _counts_partial_fits = False

    def _begin_records(self) -> None:
        """Set the attributes that grow from epoch to epoch."""
        self.history_ = History()
        # Epochs of `history_` before the last `fit`.
        self._epochs_before_fit = 0
        self._counts_partial_fits = False
        self.t_ = 0
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_: list[float] | None = None
        self.validation_loss_curve_: list[float] | None = None
        self.best_validation_score_: float | None = None

    def count_wait(self, has_improved: bool) -> int:
        """Count an epoch; return how many there were since the last that improved."""
        self._no_improvement_count = 0 if has_improved else self._no_improvement_count + 1
        return self._no_improvement_count

    def forget_wait(self) -> None:
        """Count from 0 again."""
        self._no_improvement_count = 0

    def _count_epochs(self, incremental: bool) -> None:
        """Settle which epochs schedules and callbacks count, and the best one is among.

        Each `fit` starts a new count. Calls of `partial_fit` are one run: schedules continue from
        the `fit` before, callbacks begin with the first of these calls.
        """
        if not incremental:
            self._epochs_before_fit = len(self.history_)
        if not (incremental and self._counts_partial_fits):
            self.history_.begin_call()
        self._counts_partial_fits = incremental

    def _begin_validation(self, run: EstimatorRun) -> None:
        if self.validation_scores_ is None:
            self.validation_scores_, self.validation_loss_curve_ = [], []
            self.best_validation_score_ = -np.inf
        for history in (self.history_, run.history):
            history.go_by("val_score", greatest=True)

    def _end_diverged(self, run: EstimatorRun, error: TrainingDiverged) -> None:
        """End with the best weights, as scikit-learn does; the last epoch's values are NaN."""
        run.stop(str(error))
        run.history.stop_reason = self.history_.stop_reason = str(error)
        self.n_iter_ += 1
        self.loss_ = np.nan
        for name in GROWING:
            if (curve := getattr(self, name)) is not None:
                curve.append(np.nan)
        warnings.warn(
            f"training diverged: {error}; the weights of the best validation score are kept",
            ConvergenceWarning,
            stacklevel=6,
        )
