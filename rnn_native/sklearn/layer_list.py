"""A network over any layers, as a list or an architecture describes it."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from rnn_native import losses
from rnn_native.architecture import load_architecture, parse_architecture
from rnn_native.layers import Dense, as_specs
from rnn_native.network import Network
from rnn_native.rows import check_kind, takes_shape
from rnn_native.sklearn.base import BaseNetworkEstimator, Design
from rnn_native.sklearn.data import dtype_of
from rnn_native.xorshift import Xorshift

LAYER_LIST_CONSTRAINTS: dict[str, Any] = {
    "architecture": [list, tuple, Mapping, str, PathLike, None],
    "input_shape": ["array-like", None],
}


class LayerList(BaseNetworkEstimator):
    """Base of the estimators over any layers; rows may be images."""

    architecture: Any
    input_shape: Sequence[int] | None
    n_outputs_: int

    def _loss(self) -> str:
        """Return the core's name of the loss, once targets are known."""
        raise NotImplementedError

    def _design(self, features: int) -> Design:
        layers, given_shape, given_loss = self._described()
        shape = tuple(given_shape or self._sample_shape or (features,))
        if math.prod(shape) != features:
            raise ValueError(
                f"input_shape: {shape} is {math.prod(shape)} features, X has {features}"
            )
        loss = self._loss()
        if given_loss not in (None, loss):
            raise ValueError(
                f"architecture: expected loss {loss}, which this y asks for, got {given_loss}"
            )
        if not self._is_output(losses.without_last_activation(layers, loss)[-1]):
            layers = [*layers, Dense(self.n_outputs_).spec()]
        return Design(layers, shape, loss)

    def _is_output(self, last: Mapping[str, Any]) -> bool:
        """Whether a last layer has the outputs, so that none is added."""
        return bool(
            last["type"] == "dense" and last.get("activation", "linear") == "linear"
        )

    def _described(
        self,
    ) -> tuple[list[dict[str, Any]], Sequence[int] | None, str | None]:
        """Return specs, and the shape of a sample and the loss where they are given."""
        given = [Dense(100, "relu")] if self.architecture is None else self.architecture
        if isinstance(given, (list, tuple)):
            if not given:
                raise ValueError("architecture: expected at least one layer")
            return as_specs(given, "architecture"), self.input_shape, None
        read = parse_architecture if isinstance(given, Mapping) else load_architecture
        found = read(given)
        return found.layers, self.input_shape or found.input_shape, found.loss

    def _initialise(self, network: Network, random_state: np.random.RandomState) -> None:
        expected = (self.n_outputs_,)
        if network.output_shape != expected:
            raise ValueError(
                f"architecture: its outputs have shape {network.output_shape}, expected "
                f"{expected}, {self._outputs_of_y()}"
            )
        network._initialise(Xorshift(int(random_state.randint(2**31 - 1))))

    def _outputs_of_y(self) -> str:
        """Say what there is an output for, in messages."""
        raise NotImplementedError

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
            self._sample_shape: tuple[int, ...] | None = sample_shape
        found = super()._read_rows(x, reset=reset, dtype=[np.float32, np.uint8], **more)
        if not reset:
            rows = found[0] if isinstance(found, tuple) else found
            check_kind(rows, self.network_.input_dtype, "X", dtype=dtype_of(x))
        return found
