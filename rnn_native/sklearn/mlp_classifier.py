"""`MLPClassifier`: scikit-learn's parameters, and what its users missed."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rnn_native.callbacks import Callback
from rnn_native.sklearn.base_classifier import BaseNetworkClassifier
from rnn_native.sklearn.base_mlp import MLP_CONSTRAINTS, BaseMLP
from rnn_native.training.schedules import Schedule


class MLPClassifier(BaseMLP, BaseNetworkClassifier):
    """Multi-layer perceptron for classes, the twin of scikit-learn's.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Units of each hidden layer.
    activation : str, default="relu"
        Of the hidden units: identity, logistic, tanh, relu, or leaky_relu (slope 0.01), elu,
        gelu (tanh form), silu.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        "lbfgs" has one batch of all rows; it needs no learning rate, and suits small tables.
    alpha : float, default=0.0001
        L2 penalty of the weights, divided by the batch's rows.
    batch_size : int or "auto", default="auto"
        Rows of a batch; "auto" is the smaller of 200 and all.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        How `sgd` changes its rate: not, by `power_t` of the rows seen, or to a fifth when
        nothing improves. `schedule` is for every solver.
    learning_rate_init : float, default=0.001
        The rate of the first update.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Epochs, or iterations of lbfgs, at most.
    shuffle : bool, default=True
        Whether each epoch uses the rows in a new order.
    random_state : int, RandomState or None, default=None
        Of first weights, held out rows, orders and masks. The first three are those that
        scikit-learn draws.
    tol : float, default=1e-4
        Less is not an improvement; for lbfgs the greatest entry of a gradient that ends
        training.
    verbose : bool, default=False
        Whether each epoch prints a line.
    warm_start : bool, default=False
        Whether `fit` begins with the existing weights.
    momentum, nesterovs_momentum : float, default=0.9, and bool, default=True
        Of `sgd`.
    early_stopping : bool, default=False
        Whether the score on held out rows decides when to stop.
    validation_fraction : float, default=0.1
        Of the rows that `early_stopping` holds out, in proportion to the classes.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of `adam`.
    n_iter_no_change : int or inf, default=10
        Training stops, or the adaptive rate falls, after more epochs than that without an
        improvement.
    max_fun : int, default=15000
        Evaluations of the loss by lbfgs, at most, except for those of the last iteration.
    dropout : float or sequence of float in [0, 1), default=0.0
        Probability that a hidden unit's output is left out in training, one for each hidden
        layer or the same for all.
    batch_norm : bool, default=False
        Whether hidden units are normalized over the batch before their activation.
    class_weight : dict, "balanced", list of dict (multilabel) or None, default=None
        What multiplies the rows' losses in training, by class.
    label_smoothing : float in [0, 1), default=0.0
        Share of a label that is spread over the classes.
    schedule : Schedule, its dict, or None, default=None
        Learning rates, in place of those above; see `rnn_native.schedules`.
    restore_best_weights : bool, default=True
        With validation rows: whether `fit` ends with the weights of the best score of its
        own epochs, whatever ended it, or with the last ones.
    callbacks : Callback, sequence of Callback, or None, default=None
        Those of rnn_native; scikit-learn's own are given to `set_callbacks`.
    n_threads : int in [1, 64] or None, default=None
        None is `rnn_native.get_num_threads()`. The number changes no bit of any result.

    Attributes
    ----------
    classes_, n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.
    coefs_, intercepts_ : list of ndarray of float32
        Views of the network's parameters: values written into them are used.
    loss_, best_loss_, loss_curve_, n_iter_, t_ : float, float, list of float, int, int
        As in scikit-learn.
    validation_scores_, validation_loss_curve_ : list of float or None
        By epoch: accuracy and loss on the validation rows, None without such rows.
    best_validation_score_ : float or None
        The greatest of `validation_scores_`, those of earlier warm starts among them.
    history_ : History
    network_ : Network

    Examples
    --------
    >>> import numpy as np
    >>> from rnn_native.sklearn import MLPClassifier
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = x[:, 0] > 0
    >>> model = MLPClassifier((8,), tol=0.01, learning_rate_init=0.05, random_state=0)
    >>> bool(model.fit(x, y).score(x, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetworkClassifier._parameter_constraints,
        **MLP_CONSTRAINTS,
    }

    def __init__(
        self,
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
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        schedule: Schedule | Mapping[str, Any] | None = None,
        restore_best_weights: bool = True,
        callbacks: Sequence[Callback] | Callback | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
