"""`NetworkClassifier`: any list of layers as a scikit-learn classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from rnn_native.callbacks import Callback
from rnn_native.sklearn.base_classifier import BaseNetworkClassifier
from rnn_native.sklearn.base_mlp import LOSSES
from rnn_native.sklearn.layer_list import LAYER_LIST_CONSTRAINTS, LayerList
from rnn_native.training.schedules import Schedule


class NetworkClassifier(LayerList, BaseNetworkClassifier):
    """Classifier over any layers: convolutions, attention, norms, ...

    Parameters
    ----------
    architecture : sequence of Layer or dict, mapping, path, or None
        Layers; or what an architecture file holds, or its path. A last linear `Dense`, or
        one with a softmax, has the outputs, one for each class; without one it is added.
        None is a hidden layer of 100 units with ReLU. Two classes may have one output, with
        or without a sigmoid. Several labels for each row (`y` of shape (n_samples, n_labels),
        0 and 1) have an output each under sigmoid_cross_entropy.
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
        As for `MLPClassifier`, except `coefs_`, `intercepts_` and `n_layers_`; see
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
        **LAYER_LIST_CONSTRAINTS,
    }

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

    def _loss(self) -> str:
        return LOSSES[self.out_activation_]

    def _outputs_of_y(self) -> str:
        return "one for each class of y"

    def _learn_targets(self, y: NDArray[Any], *, incremental: bool, is_new: bool) -> None:
        super()._learn_targets(y, incremental=incremental, is_new=is_new)
        if self.n_outputs_ == 1 and not self._ends_in_one_output():
            self.n_outputs_, self.out_activation_ = len(self.classes_), "softmax"

    def _ends_in_one_output(self) -> bool:
        """Whether the layers end in one logit, of the second of two classes."""
        layers, _, loss = self._described()
        last = self._last_of(layers, LOSSES["logistic"])
        may = loss in (None, LOSSES["logistic"])
        return may and self._is_output(last) and last["units"] == 1

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
