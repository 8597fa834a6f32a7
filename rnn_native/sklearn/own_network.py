"""The network of an estimator: made from its parameters, or continued from."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints

from rnn_native.base.text import brief
from rnn_native.models.network import Network
from rnn_native.net import losses
from rnn_native.net.indices import check_index_rows
from rnn_native.net.layers import RANDOM, Layer, as_specs
from rnn_native.net.rows import AnyRows, input_dtype_of

NETWORK_PARAMETERS = {
    "hidden_layer_sizes",
    "activation",
    "dropout",
    "batch_norm",
    "architecture",
    "input_shape",
    "loss",
}
"""Parameters of the estimators that the network follows from."""


class Design(NamedTuple):
    """The first arguments of `Network`."""

    layers: Sequence[Layer | Mapping[str, Any]]
    input_shape: tuple[int, ...]
    loss: str


class OwnNetwork:
    """What estimators do to have a network.

    Subclasses say what it is and how it starts.
    """

    solver: str
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    learning_rate_init: float

    _parameter_constraints: ClassVar[dict[str, Any]]
    network_: Network

    def _design(self, features: int) -> Design:
        raise NotImplementedError

    def _initialise(self, network: Network, random_state: np.random.RandomState) -> None:
        """Set the initial weights of a new network."""
        raise NotImplementedError

    def _prepare_network(
        self, rows: AnyRows, random_state: np.random.RandomState, is_new: bool
    ) -> None:
        """Make the network, with first weights or with those that it has."""
        network = self._make_network(rows.shape[1])
        check_index_rows(rows, network.table_rows, "X")
        # A warm start keeps to what the first fit decided, as all calls of a net do.
        known = None if is_new else self.network_.input_dtype
        network.input_dtype = known or input_dtype_of(rows)
        if is_new:
            self._initialise(network, random_state)
        else:
            self._check_same(network, "warm_start", "set warm_start=False to start again")
            network.weights[:] = self.network_.weights
            network.lr_multipliers = self.network_.lr_multipliers
        self.network_ = network
        self._steps = 0
        self._rate = self.learning_rate_init
        # Drawn only where it is needed: scikit-learn draws no such number.
        has_masks = not RANDOM.isdisjoint(la["type"] for la in network.native.layers)
        self._mask_seed = int(random_state.randint(2**31 - 1)) if has_masks else 0

    def _check_continued(self, features: int) -> None:
        """Refuse parameters that make another network than the one that `partial_fit` trains."""
        design = self._design(features)
        given = as_specs(design.layers)
        loss = losses.resolve(design.loss, given)
        specs = losses.without_last_activation(given, loss)
        made = {"layers": specs, "input_shape": list(design.input_shape), "loss": loss}
        # To make the network would take longer than to train a batch.
        if made != self.network_.architecture():
            advice = "set them back, or start again with fit"
            self._check_same(self._make_network(features), "partial_fit", advice)

    def _check_same(self, network: Network, name: str, advice: str) -> None:
        """Refuse a network that differs from that of the earlier fit."""
        if network.architecture() != self.network_.architecture():
            before, now = _told_apart(self.network_, network)
            raise ValueError(
                f"{name}: the earlier fit made {before}, the parameters now make {now}; {advice}"
            )

    def _check_network_parameters(self) -> None:
        """Check what the network follows from: scikit-learn does not before `partial_fit`."""
        given, rules = vars(self), self._parameter_constraints
        names = NETWORK_PARAMETERS & given.keys()
        validate_parameter_constraints(
            {name: rules[name] for name in names},
            {name: given[name] for name in names},
            caller_name=type(self).__name__,
        )

    def _make_network(self, features: int) -> Network:
        return Network(*self._design(features), optimizer=self._optimizer())

    def _optimizer(self) -> dict[str, Any]:
        if self.solver == "sgd":
            nesterov = bool(self.nesterovs_momentum)
            return {"type": "sgd", "momentum": self.momentum, "nesterov": nesterov}
        betas = {"beta_1": self.beta_1, "beta_2": self.beta_2}
        return {"type": "adam", **betas, "epsilon": self.epsilon, "epsilon_hat": True}


def _told_apart(one: Network, other: Network) -> tuple[str, str]:
    """Return what two networks are; of those that look the same, where they differ."""
    if str(one) != str(other):
        return str(one), str(other)
    if one.loss != other.loss:
        return f"{one} for {one.loss}", f"one for {other.loss}"
    pairs = enumerate(zip(one.specs, other.specs, strict=True))
    index, (before, now) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
    return f"layer {index} {brief(before)}", brief(now)
