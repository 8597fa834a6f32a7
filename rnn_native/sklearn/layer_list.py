"""A network over any layers, as a list or an architecture describes it."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from rnn_native.base.xorshift import Xorshift
from rnn_native.models.network import Network
from rnn_native.net import losses
from rnn_native.net.block_specs import sequence
from rnn_native.net.indices import check_index_rows
from rnn_native.net.layers import Dense, as_specs
from rnn_native.net.rows import check_kind, takes_shape
from rnn_native.settings.architecture import (
    Architecture,
    load_architecture,
    parse_architecture,
)
from rnn_native.sklearn.base import BaseNetworkEstimator
from rnn_native.sklearn.data import dtype_of
from rnn_native.sklearn.own_network import Design

LAYER_LIST_CONSTRAINTS: dict[str, Any] = {
    "architecture": [list, tuple, Mapping, str, PathLike, None],
    "input_shape": ["array-like", None],
}


def _ends(loss: str) -> str:
    """Say what a layer with the outputs under a loss ends in."""
    function = losses.LOSSES[loss].function
    return "is linear" if function == "linear" else f"is linear or ends in {function}"


class LayerList(BaseNetworkEstimator):
    """Base of the estimators over any layers; rows may be images."""

    architecture: Any
    input_shape: Sequence[int] | None
    n_outputs_: int

    # The path of an architecture's file, and what it held at the last fit.
    _read: tuple[Any, Architecture] | None = None

    # What says which loss it is, in messages.
    _loss_is_asked_for_by = "this y"

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
        if self._table is not None and shape != (features,):
            raise ValueError(
                f"input_shape: expected ({features},), the columns of a table with categories, "
                f"got {shape}"
            )
        if given_loss not in (None, loss):
            raise ValueError(
                f"architecture: expected loss {loss}, which {self._loss_is_asked_for_by} "
                f"needs, got {given_loss}"
            )
        last = self._last_of(layers, loss)
        if not self._is_output(last):
            if losses.function_of(last) in losses.LAST_ONLY.values():
                raise ValueError(self._foreign_activation(sequence(layers)[-1][1], loss))
            layers = [*layers, Dense(self.n_outputs_).spec()]
        return Design([*self._table_layers(), *layers], shape, loss)

    def _foreign_activation(self, last: Mapping[str, Any], loss: str) -> str:
        """Say that a last layer ends in a function that only another loss has."""
        return (
            f"architecture: its last layer ends in {losses.function_of(last)}, which does "
            f"not fit {loss}, the loss that {self._loss_is_asked_for_by} needs; expected a "
            f"last Dense that {_ends(loss)}, its outputs {self._outputs_of_y()}"
        )

    def _last_of(self, layers: Sequence[Mapping[str, Any]], loss: str) -> Mapping[str, Any]:
        """Return the last layer, or that of the list that is last, without the loss's own."""
        return sequence(losses.without_last_activation(layers, loss))[-1][1]

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
        found = (
            parse_architecture(given) if isinstance(given, Mapping) else self._file(given)
        )
        return found.layers, self.input_shape or found.input_shape, found.loss

    def _file(self, path: str | PathLike[str]) -> Architecture:
        """Return what the file of an architecture holds.

        Each fit reads it once; it need not exist any more for `partial_fit`.
        """
        if self._read is None or self._read[0] != path:
            self._read = (path, load_architecture(path))
        return self._read[1]

    def _check_parameters(self, incremental: bool, has_validation: bool) -> None:
        super()._check_parameters(incremental, has_validation)
        if not incremental:
            self._read = None

    def _initialise(self, network: Network, random_state: np.random.RandomState) -> None:
        expected = (self.n_outputs_,)
        if network.output_shape != expected:
            raise ValueError(
                f"architecture: its outputs have shape {network.output_shape}, expected "
                f"{expected}, {self._outputs_of_y()}; a last Dense that {_ends(network.loss)} "
                "is the output layer: give it that many units, or an activation, such as "
                "relu, if it is a hidden layer"
            )
        network.draw_weights(Xorshift(int(random_state.randint(2**31 - 1))))

    def _outputs_of_y(self) -> str:
        """Say what the outputs stand for, in messages."""
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
            check_index_rows(rows, self.network_.table_rows, "X")
        return found
