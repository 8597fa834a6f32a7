"""`NetworkRegressor`: any list of layers as a scikit-learn regressor."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rnn_native.base.rules import did_you_mean, quoted
from rnn_native.callbacks import Callback
from rnn_native.net import losses
from rnn_native.sklearn.base_regressor import BaseNetworkRegressor
from rnn_native.sklearn.layer_list import LAYER_LIST_CONSTRAINTS, LayerList
from rnn_native.training.schedules import Schedule


class NetworkRegressor(LayerList, BaseNetworkRegressor):
    """Regressor over any layers: convolutions, attention, norms, ...

    Parameters
    ----------
    architecture : sequence of Layer or dict, mapping, path, or None
        Layers; or what an architecture file holds, or its path. A last `Dense` that is linear,
        or has as many units as `y` has columns, has the outputs; without one, a linear one is
        added. None is a hidden layer of 100 units with ReLU.
    loss : {"squared_error", "absolute_error", "huber", "poisson"}, default="squared_error"
        As of `MLPRegressor`; "absolute_error" and "huber" (squared up to errors of 1) are
        less moved by outliers. Other names of these are accepted as by `Network` ("mae").
    input_shape : sequence of int or None
        Shape of one sample. None: that of the architecture, or else of the rows of `X`.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle
    random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, schedule
    restore_best_weights, callbacks, n_threads
        As for `MLPRegressor`. First weights are the package's own: Glorot uniform, biases
        zero.

    Attributes
    ----------
    n_features_in_, loss_curve_, validation_scores_, history_, network_, ...
        As for `MLPRegressor`, except `coefs_`, `intercepts_` and `n_layers_`; see
        `network_.parameters`.

    Notes
    -----
    `X` is (n, channels, height, width), or flat, (n, features). uint8 is divided by 255, as
    everywhere in the package; other numbers are taken as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> from rnn_native.sklearn import NetworkRegressor
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> layers = [rn.Dense(16, "tanh"), rn.LayerNorm()]
    >>> model = NetworkRegressor(layers, random_state=0, learning_rate_init=0.02, batch_size=32)
    >>> model.fit(x, x[:, 0] * x[:, 1]).score(x, x[:, 0] * x[:, 1]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetworkRegressor._parameter_constraints,
        **LAYER_LIST_CONSTRAINTS,
        "loss": [str],
    }

    def __init__(
        self,
        architecture: Any = None,
        *,
        loss: str = "squared_error",
        input_shape: Sequence[int] | None = None,
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
        schedule: Schedule | Mapping[str, Any] | None = None,
        restore_best_weights: bool = True,
        callbacks: Sequence[Callback] | Callback | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    # ---- the network ----

    _loss_is_asked_for_by = "the parameter loss"

    def _loss(self) -> str:
        for_values = [
            name for name, loss in losses.LOSSES.items() if not loss.tells_classes
        ]
        try:
            found = losses.resolve(self.loss)
        except ValueError:
            found = ""
        if found not in for_values:
            raise ValueError(
                f"loss: expected one of {', '.join(for_values)}, or another name of one, got "
                f"{quoted(self.loss)}{did_you_mean(self.loss, for_values)}"
            )
        return found

    def _outputs_of_y(self) -> str:
        return "one for each column of y"

    def _is_output(self, last: Mapping[str, Any]) -> bool:
        has_outputs = last["type"] == "dense" and last["units"] == self.n_outputs_
        return has_outputs or super()._is_output(last)
