"""Numbers and counts: checked, scored, and given back."""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, column_or_1d

from rnn_native.net.losses import LOSSES
from rnn_native.net.rows import Targets
from rnn_native.sklearn.base import BaseNetworkEstimator
from rnn_native.sklearn.data import Part, as_float32, check_all_unmasked, same_as
from rnn_native.sklearn.full_batch import by_batches
from rnn_native.sklearn.protocol import fitting
from rnn_native.sklearn.rollback import whole_or_not
from rnn_native.sklearn.validation_rows import given_validation
from rnn_native.training.history import EpochRow


class BaseNetworkRegressor(RegressorMixin, BaseNetworkEstimator):  # type: ignore[misc]
    """Base of the regressors: a linear output for each column of the targets."""

    _target_options: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}

    loss: str
    n_outputs_: int
    out_activation_: str

    # ---- targets ----

    def _loss(self) -> str:
        """Return the core's name of the loss."""
        return self.loss

    def _learn_targets(self, y: NDArray[Any], *, incremental: bool, is_new: bool) -> None:
        if is_new:
            self.n_outputs_ = _outputs_of(y)
        function = LOSSES[self._loss()].function
        self.out_activation_ = "identity" if function == "linear" else function

    def _encode(self, y: NDArray[Any], name: str = "y") -> Targets:
        if _outputs_of(y) != self.n_outputs_:
            raise ValueError(
                f"{name}: expected {self.n_outputs_} outputs, {same_as(name)}, "
                f"got {_outputs_of(y)}"
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        values = as_float32(y, name)
        allowed = LOSSES[self._loss()].targets
        if allowed is not None and values.min() < allowed[0]:
            raise ValueError(
                f"loss={self._loss()!r} needs {name} of at least {allowed[0]:g}, got "
                f"{values.min():g}"
            )
        return values.reshape(len(values), -1)

    @property
    def _loss_scale(self) -> float:
        """Losses are means over outputs, squared errors halved; poisson's is the sum."""
        loss = self._loss()
        return 1.0 if loss == "poisson" else LOSSES[loss].followed / self.n_outputs_

    def _score(self, row: EpochRow, held: Part) -> float:
        """Return R^2."""
        outputs = self._outputs_of_rows(held.rows).astype(np.float64)
        if not np.isfinite(outputs).all():
            return math.nan  # r2_score refuses them
        targets = held.targets.astype(np.float64)
        return float(r2_score(targets, outputs, sample_weight=held.weights))

    def _check_held(self, held: Part) -> None:
        super()._check_held(held)
        if len(held.rows) < 2:
            raise ValueError("X_val: the score is R^2, which needs at least 2 rows, got 1")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions, calculated in float64.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        """
        check_all_unmasked(y=y, sample_weight=sample_weight)
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        found = self.predict(X).astype(np.float64)
        return float(r2_score(y, found, sample_weight=sample_weight))

    def predict(self, X: Any) -> NDArray[np.float32]:
        """Return the predicted values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), float32
        """
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    # ---- fit ----

    @fitting
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        validation_data: Any = None,
        comm: Any = None,
    ) -> "BaseNetworkRegressor":
        """Train on rows and their values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Taken as float32. A pandas frame may have columns of words or categories: see
            docs/how-to/sklearn.md.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Taken as float32.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of at least 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), optional
            Rows to validate on after each epoch; `early_stopping` then holds out none. In a
            `sklearn.pipeline.Pipeline` with ``transform_input=["X_val"]`` they are transformed
            as `X` is.
        y_val : array-like, optional
            Their targets, as `y`.
        sample_weight_val : array-like of shape (n_val,), optional
            Their weights in the loss and the score.
        validation_data : tuple of (X, y), optional
            Deprecated: `X_val` and `y_val`.
        comm : communicator, optional
            Processes that train together; see `rnn_native.Network.fit`.

        Returns
        -------
        self
        """
        validation = given_validation(X_val, y_val, sample_weight_val, validation_data)
        with whole_or_not(self):
            self._fit(X, y, sample_weight, validation, comm=comm)
        return self

    @by_batches
    @fitting
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> "BaseNetworkRegressor":
        """Train one epoch more; the optimizer continues from where it was.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
        """
        with whole_or_not(self, in_place=True):
            self._fit(X, y, sample_weight, incremental=True)
        return self


def _outputs_of(y: NDArray[Any]) -> int:
    """Return the number of values in each row of targets."""
    return 1 if y.ndim == 1 else y.shape[1]
