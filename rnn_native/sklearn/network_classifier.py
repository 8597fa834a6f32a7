"""`NetworkClassifier`: any list of layers as a scikit-learn classifier."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_native import losses
from rnn_native.architecture import load_architecture, parse_architecture
from rnn_native.callbacks import Callback
from rnn_native.layers import Dense, Layer, as_spec
from rnn_native.network import Network
from rnn_native.rows import takes_shape
from rnn_native.schedules import Schedule
from rnn_native.sklearn.base import Design
from rnn_native.sklearn.base_classifier import BaseNetworkClassifier
from rnn_native.xorshift import Xorshift

LOSS = "softmax_cross_entropy"


class NetworkClassifier(BaseNetworkClassifier):
    """Classifier over any layers: convolutions, attention, norms, ...

    Parameters
    ----------
    architecture : sequence of Layer or dict, mapping, path, or None
        Layers; or what an architecture file holds, or its path. A last linear `Dense`, or
        one with a softmax, has the outputs, one for each class; without one it is added.
        None is a hidden layer of 100 units with ReLU.
    input_shape : sequence of int or None
        Shape of one sample. None: that of the architecture, or else of the rows of `X`.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle
    random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, class_weight
    label_smoothing, schedule, restore_best_weights, callbacks, n_threads
        As for `MLPClassifier`. First weights are the package's own: Glorot uniform, biases
        zero.

    Attributes
    ----------
    classes_, n_features_in_, loss_curve_, validation_scores_, history_, network_, ...
        As for `MLPClassifier`, but for `coefs_`, `intercepts_` and `n_layers_`; see
        `network_.parameters`.

    Notes
    -----
    `X` is (n, channels, height, width), or flat, (n, features). uint8 is divided by 255, as
    everywhere in the package; other numbers are taken as they are.

    Examples
    --------
    >>> import rnn_native as rn
    >>> from rnn_native.sklearn import NetworkClassifier
    >>> images, labels = rn.datasets.synthetic_digits(300, seed=1)
    >>> layers = [rn.Conv2D(8, 3, activation="relu"), rn.MaxPool2D(), rn.Flatten()]
    >>> model = NetworkClassifier(layers, input_shape=(1, 28, 28), max_iter=60, tol=0.01,
    ...                           batch_size=32, n_iter_no_change=1, random_state=0)
    >>> model.fit(images, labels).score(images, labels) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetworkClassifier._parameter_constraints,
        "architecture": [list, tuple, Mapping, str, PathLike, None],
        "input_shape": ["array-like", None],
    }

    architecture: Any
    input_shape: Sequence[int] | None

    def __init__(
        self,
        architecture: Any = None,
        *,
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        schedule: Schedule | Mapping[str, Any] | None = None,
        restore_best_weights: bool = True,
        callbacks: Sequence[Callback] | Callback | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    # ---- the network ----

    def _design(self, features: int) -> Design:
        layers, shape = self._layers_and_shape()
        shape = tuple(shape or self._sample_shape or (features,))
        if math.prod(shape) != features:
            raise ValueError(
                f"input_shape: {shape} is {math.prod(shape)} features, X has {features}"
            )
        last = losses.without_last_activation(layers, LOSS)[-1]
        if last["type"] != "dense" or last.get("activation", "linear") != "linear":
            layers = [*layers, Dense(self.n_outputs_).spec()]
        return Design(layers, shape, LOSS)

    def _layers_and_shape(self) -> tuple[list[dict[str, Any]], Sequence[int] | None]:
        """Return specs, and the shape of a sample if anything but X tells it."""
        given = [Dense(100, "relu")] if self.architecture is None else self.architecture
        if isinstance(given, (list, tuple)):
            for index, layer in enumerate(given):
                if not isinstance(layer, (Layer, Mapping)):
                    raise TypeError(
                        f"architecture[{index}]: expected a layer, got {layer!r}"
                    )
            if not given:
                raise ValueError("architecture: expected at least one layer")
            return [as_spec(layer) for layer in given], self.input_shape
        read = parse_architecture if isinstance(given, Mapping) else load_architecture
        found = read(given)
        if found.loss != LOSS:
            raise ValueError(f"architecture: expected loss {LOSS}, got {found.loss}")
        return found.layers, self.input_shape or found.input_shape

    def _initialise(self, network: Network, random_state: np.random.RandomState) -> None:
        classes = (self.n_outputs_,)
        if network.output_shape != classes:
            raise ValueError(
                f"architecture: its outputs have shape {network.output_shape}, expected "
                f"{classes}, one for each class of y"
            )
        network._initialise(Xorshift(int(random_state.randint(2**31 - 1))))

    # ---- rows and targets ----

    def _read_rows(self, x: Any, *, reset: bool, **more: Any) -> Any:
        """Return rows, flat; bytes stay bytes."""
        x = np.asarray(x) if isinstance(x, (list, tuple)) else x
        sample_shape = None
        if getattr(x, "ndim", 2) > 2:
            sample_shape = x.shape[1:]
            if not reset and not takes_shape(x.shape, self.network_.input_shape):
                expected = ", ".join(map(str, self.network_.input_shape))
                raise ValueError(f"X: expected shape (n, {expected}), got {x.shape}")
            x = np.asarray(x).reshape(len(x), -1)
        if reset:
            self._sample_shape = sample_shape
        return super()._read_rows(x, reset=reset, dtype=[np.float32, np.uint8], **more)

    def _learn_targets(self, y: NDArray[Any], *, incremental: bool, is_new: bool) -> None:
        super()._learn_targets(y, incremental=incremental, is_new=is_new)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError("y: expected one label for each row, got multilabel targets")
        self.n_outputs_, self.out_activation_ = len(self.classes_), "softmax"
