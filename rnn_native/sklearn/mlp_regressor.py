"""`MLPRegressor`: the same for numbers and counts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions

from rnn_native.callbacks import Callback
from rnn_native.history import EpochRow
from rnn_native.rows import Targets
from rnn_native.schedules import Schedule
from rnn_native.sklearn.base import BaseNetworkEstimator
from rnn_native.sklearn.base_mlp import MLP_CONSTRAINTS, BaseMLP
from rnn_native.sklearn.data import Part, as_float32
from rnn_native.sklearn.protocol import fitting


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """Multi-layer perceptron for numbers, the twin of scikit-learn's.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        "poisson" is for counts or rates, `y` of at least 0; the outputs' logarithms are
        learnt.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate
    learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose, warm_start
    momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2
    epsilon, n_iter_no_change, max_fun, dropout, batch_norm, schedule
    restore_best_weights, callbacks, n_threads
        As for `MLPClassifier`.

    Attributes
    ----------
    coefs_, intercepts_, loss_, best_loss_, loss_curve_, n_iter_, t_, validation_scores_
    validation_loss_curve_, best_validation_score_, history_, network_
        As for `MLPClassifier`; scores are R^2. The accuracies of `history_` say nothing.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetworkEstimator._parameter_constraints,
        **MLP_CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }
    _target_options: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}

    loss: str

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        schedule: Schedule | Mapping[str, Any] | None = None,
        restore_best_weights: bool = True,
        callbacks: Sequence[Callback] | Callback | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    # ---- targets ----

    def _learn_targets(self, y: NDArray[Any], *, incremental: bool, is_new: bool) -> None:
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if not is_new and outputs != self.n_outputs_:
            raise ValueError(
                f"y has {outputs} outputs, the fitted network {self.n_outputs_}"
            )
        self.n_outputs_ = outputs
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"

    def _encode(self, y: NDArray[Any]) -> Targets:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        values = as_float32(y, "y")
        if self.loss == "poisson" and values.min() < 0:
            raise ValueError(f"loss='poisson' needs y of at least 0, got {values.min():g}")
        return values.reshape(len(values), -1)

    @property
    def _loss_scale(self) -> float:
        """The core's squared error is the sum over outputs, scikit-learn's half the mean."""
        return 1.0 if self.loss == "poisson" else 0.5 / self.n_outputs_

    def _score(self, row: EpochRow, held: Part) -> float:
        """Return R^2."""
        outputs = self._outputs_of_rows(held.rows)
        return float(r2_score(held.targets, outputs, sample_weight=held.weights))

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
        self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None
    ) -> "MLPRegressor":
        """Train on rows and their values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Taken as float32.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Taken as float32.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of at least 0.
        validation_data : tuple of (X, y), optional
            Rows to validate on after each epoch; `early_stopping` then holds out none.

        Returns
        -------
        self
        """
        self._fit(X, y, sample_weight, validation_data)
        return self

    @fitting
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Train one epoch more; the optimiser goes on from where it was.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
        """
        self._fit(X, y, sample_weight, incremental=True)
        return self
