"""`MLPRegressor`: the same for numbers and counts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from rnn_native.callbacks import Callback
from rnn_native.sklearn.base_mlp import MLP_CONSTRAINTS, BaseMLP
from rnn_native.sklearn.base_regressor import BaseNetworkRegressor
from rnn_native.training.schedules import Schedule


class MLPRegressor(BaseMLP, BaseNetworkRegressor):
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
        As for `MLPClassifier`; scores are R^2. `history_` has no
        accuracies.

    Examples
    --------
    >>> import numpy as np
    >>> from rnn_native.sklearn import MLPRegressor
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> model = MLPRegressor(tol=0.001, learning_rate_init=0.01, random_state=0)
    >>> model.fit(x, x[:, 0]).score(x, x[:, 0]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetworkRegressor._parameter_constraints,
        **MLP_CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

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
