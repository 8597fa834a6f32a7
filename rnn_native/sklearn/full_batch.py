"""`solver="lbfgs"`: all rows as one batch, by the core's L-BFGS."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if

from rnn_native.base.runtime import resolve_threads
from rnn_native.models.network import Network
from rnn_native.net.adapting import adapt_new
from rnn_native.net.losses import LOSSES
from rnn_native.sklearn.data import Part

MOST_ITERATIONS = 2**31 - 1

MOST_NOTED = 100_000
"""Iterations whose losses `loss_curve_` has at most."""

BATCH_LAYERS = {
    "dropout": "draws a mask for each batch",
    "gaussian_noise": "draws noise for each batch",
    "batchnorm": "follows the statistics of batches",
}
"""Layers whose loss of all rows is not one function of the weights, or says more than it."""


Method = TypeVar("Method", bound=Callable[..., Any])


def _is_stochastic(estimator: Any) -> bool:
    """Whether the solver trains by batches; raise AttributeError otherwise."""
    if estimator.solver != "lbfgs":
        return True
    raise AttributeError(
        "partial_fit is only available for stochastic optimizers. "
        f"{estimator.solver} is not stochastic."
    )


def by_batches(method: Method) -> Method:
    """Hide a method from estimators whose solver has one batch of all rows."""
    hidden: Method = available_if(_is_stochastic)(method)
    return hidden


class FullBatch:
    """What estimators do for `solver="lbfgs"`."""

    solver: str
    alpha: float
    max_iter: int
    tol: float
    verbose: bool
    schedule: Any
    callbacks: Any
    n_threads: int | None
    network_: Network
    loss_: float
    best_loss_: float | None
    loss_curve_: list[float]

    # MLPs have it as a parameter; layer lists train with scikit-learn's default.
    max_fun = 15000

    def _check_full_batch(self, has_validation: bool) -> None:
        """Refuse what depends on epochs, which lbfgs does not have."""
        given = {
            "schedule": self.schedule is not None,
            "callbacks": self.callbacks is not None and self.callbacks != [],
            "X_val": has_validation,
        }
        for name, is_given in given.items():
            if is_given:
                raise ValueError(
                    f"{name}: depends on epochs, which solver='lbfgs' does not have; leave it "
                    "out, or use solver='adam'"
                )

    def _check_layers(self) -> None:
        """Refuse layers whose training depends on batches."""
        for layer in self.network_.native.layers:
            if layer["type"] in BATCH_LAYERS:
                raise ValueError(
                    f"solver='lbfgs': {layer['type']} {BATCH_LAYERS[layer['type']]}, and "
                    "lbfgs has one batch of all rows; leave it out, or use solver='adam'"
                )

    def _minimize(self, train: Part, loss_scale: float, smoothing: float) -> None:
        """Minimize the loss of all rows, and store the result."""
        network, iterations = self.network_, min(self.max_iter, MOST_ITERATIONS)
        self._check_layers()
        adapt_new(network, train.rows)
        values = np.full(min(iterations, MOST_NOTED), np.nan)
        followed = LOSSES[network.loss].followed
        try:
            with network.being_trained("fit"):
                value, penalty, done, _, end = network.native.minimize(
                    train.rows,
                    train.targets,
                    float(self.tol),
                    iterations,
                    min(self.max_fun, MOST_ITERATIONS),
                    threads=resolve_threads(self.n_threads),
                    weights=train.weights,
                    smoothing=smoothing,
                    l2=self.alpha,
                    followed=followed,
                    values=values,
                )
        except FloatingPointError as error:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may "
                f"contain large values and need to be preprocessed. {error}"
            ) from error
        self.n_iter_ = done
        self.loss_ = (value - penalty) * loss_scale / followed + penalty
        self.best_loss_ = self.loss_
        self.loss_curve_ += values[:done].tolist()
        if self.verbose:
            print(f"Iteration {done}, loss = {self.loss_:.8f}: ended by {end}")
        if end in ("iterations", "evaluations"):
            self._warn_of_limit(end)

    def _warn_of_limit(self, end: str) -> None:
        limits = {
            "iterations": f"max_iter={self.max_iter}",
            "evaluations": f"max_fun={self.max_fun}",
        }
        warnings.warn(
            f"lbfgs failed to converge after {self.n_iter_} iteration(s): it reached "
            f"{limits[end]}. Increase it, or scale the data "
            "(https://scikit-learn.org/stable/modules/preprocessing.html).",
            ConvergenceWarning,
            stacklevel=6,
        )
