"""A network of hidden dense layers, as scikit-learn describes and starts it."""

import operator
from collections.abc import Mapping, Sequence, Set
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from rnn_native.base.checks import is_number
from rnn_native.base.text import brief
from rnn_native.base.xorshift import Xorshift
from rnn_native.models.network import Network
from rnn_native.net.layers import Activation, BatchNorm, Dense, Dropout
from rnn_native.sklearn.base import BaseNetworkEstimator
from rnn_native.sklearn.own_network import Design

ACTIVATIONS = {
    "identity": "linear",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "gelu": "gelu",
    "silu": "silu",
}
"""scikit-learn's names, and more, as the core knows them."""

LOSSES = {
    "softmax": "softmax_cross_entropy",
    "logistic": "sigmoid_cross_entropy",
    "identity": "squared_error",
    "exp": "poisson",
}
"""The core's loss by the activation of the outputs."""

MLP_CONSTRAINTS: dict[str, Any] = {
    "activation": [StrOptions(set(ACTIVATIONS))],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "batch_norm": ["boolean"],
}


def as_list(given: Any) -> list[Any]:
    """Return the items of a sequence; raise TypeError for what has none, or none in order."""
    if isinstance(given, (Mapping, Set)):
        raise TypeError(f"expected a sequence, got {brief(given)}")
    return list(given)


class Views(list[NDArray[np.float32]]):
    """Views of a network's parameters; to set items is to write them into the network."""

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            for view, one in zip(self[index], value, strict=True):
                view[...] = one
        else:
            self[index][...] = value


def dense_views(network: Network, name: str) -> Views:
    """Return one parameter, "weight" or "bias", of each dense layer."""
    dense = [i for i, spec in enumerate(network.specs) if spec["type"] == "dense"]
    parameters = network.parameters
    return Views(parameters[f"layers.{i}.{name}"] for i in dense)


class BaseMLP(BaseNetworkEstimator):
    """Base of the estimators with hidden layers of units."""

    hidden_layer_sizes: Any
    activation: str
    dropout: float | Sequence[float]
    batch_norm: bool
    n_outputs_: int
    out_activation_: str

    def _hidden_sizes(self) -> list[int]:
        given = self.hidden_layer_sizes
        try:
            sizes = as_list(given) if hasattr(given, "__iter__") else [given]
            counts = [operator.index(size) for size in sizes]
        except TypeError:
            raise TypeError(
                "hidden_layer_sizes: expected an integer, or one for each hidden layer in "
                f"order, got {brief(given)}"
            ) from None
        if any(count <= 0 for count in counts):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return counts

    def _dropout_rates(self, hidden: int) -> list[float]:
        if is_number(self.dropout):
            return [float(self.dropout)] * hidden
        try:
            rates = as_list(self.dropout)
        except TypeError:
            rates = []
        are_rates = all(is_number(rate) and 0 <= rate < 1 for rate in rates)
        if len(rates) != hidden or not are_rates:
            raise ValueError(
                f"dropout: expected a rate in [0, 1) for each of {hidden} hidden layers in "
                f"order, got {brief(self.dropout)}"
            )
        return [float(rate) for rate in rates]

    def _design(self, features: int) -> Design:
        sizes = self._hidden_sizes()
        function = ACTIVATIONS[self.activation]
        layers = self._table_layers()
        for size, rate in zip(sizes, self._dropout_rates(len(sizes)), strict=True):
            if self.batch_norm:
                layers += [Dense(size), BatchNorm(), Activation(function)]
            else:
                layers.append(Dense(size, function))
            if rate > 0:
                layers.append(Dropout(rate))
        layers.append(Dense(self.n_outputs_))
        self.n_layers_ = len(sizes) + 2
        return Design(layers, (features,), LOSSES[self.out_activation_])

    def _initialise(self, network: Network, random_state: np.random.RandomState) -> None:
        """Draw what scikit-learn draws: Glorot uniform, and of the same width for biases."""
        if self._table is not None:
            network.draw_weights(Xorshift(int(random_state.randint(2**31 - 1))))
        factor = 2.0 if self.activation == "logistic" else 6.0
        weights, biases = dense_views(network, "weight"), dense_views(network, "bias")
        for weight, bias in zip(weights, biases, strict=True):
            bound = np.sqrt(factor / sum(weight.shape))
            weight[:] = random_state.uniform(-bound, bound, weight.shape)
            bias[:] = random_state.uniform(-bound, bound, bias.shape)

    @property
    def coefs_(self) -> Views:
        """Weights of shape (inputs, outputs) for each layer, views of the network's own."""
        check_is_fitted(self)
        return dense_views(self.network_, "weight")

    @coefs_.setter
    def coefs_(self, values: Sequence[Any]) -> None:
        self.coefs_[:] = values

    @property
    def intercepts_(self) -> Views:
        """Biases of shape (outputs,) for each layer, views of the network's own."""
        check_is_fitted(self)
        return dense_views(self.network_, "bias")

    @intercepts_.setter
    def intercepts_(self, values: Sequence[Any]) -> None:
        self.intercepts_[:] = values
