"""A net's parameters and state: as one vector, and by name."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.base.xorshift import Xorshift
from rnn_native.net import losses
from rnn_native.net.blocks import Placed
from rnn_native.net.initial_weights import set_initial
from rnn_native.net.sharing import Sharing


class Weights:
    """The part of `CompiledNet` that manages weights.

    See `rnn_native.models.network.Network` for what users see.
    """

    native: "_core.Net"
    placed: Sequence[Placed]
    _sharing: Sharing

    def unchanged(self, function: str) -> AbstractContextManager[None]:
        """Keep other threads from changing the net meanwhile; refuse while one trains it."""
        return self._sharing.unchanged(function)

    @property
    def params(self) -> NDArray[np.float32]:
        """All parameters as one writable vector, a view of the net's own memory."""
        return self.native.params

    @property
    def weights(self) -> NDArray[np.float32]:
        """Parameters, then running statistics; all that a model file holds."""
        return self.native.weights

    @property
    def moments(self) -> NDArray[np.float32]:
        """What the optimizer keeps from step to step, a view of the net's own memory."""
        return self.native.moments

    def get_weights(self) -> NDArray[np.float32]:
        """Return a copy of `weights`, whole at any time.

        During training in another thread it has the weights between two batches, with
        `ema_decay` or `swa_start` the averaged ones: see docs/explanation/threads.md.

        Returns
        -------
        ndarray of shape (weights,), float32
        """
        return self.native.get_weights()

    def set_weights(self, weights: ArrayLike) -> None:
        """Replace all weights at once.

        A prediction in another thread uses either all of the old or all of the new ones.

        Parameters
        ----------
        weights : array_like of shape (weights,)
            As from `get_weights`.

        Raises
        ------
        ValueError
            If their number is another one, or a weight is not finite.
        RuntimeError
            While another thread trains the net.
        """
        try:
            values = np.ascontiguousarray(weights, np.float32)
        except (TypeError, ValueError):
            raise TypeError(
                f"set_weights: expected one array of {self.weights.size} numbers, as "
                f"get_weights returns it, got {type(weights).__name__}; arrays by name go into "
                "net.parameters[name][:]"
            ) from None
        except OverflowError:
            raise ValueError(
                "set_weights: expected finite weights, got an integer beyond float64"
            ) from None
        if values.shape != self.weights.shape:
            raise ValueError(
                f"set_weights: expected shape {self.weights.shape}, got {values.shape}"
            )
        most = losses.FLOAT32_MAX
        if values.size and not _core.all_within(values[None], -most, most):
            raise ValueError("set_weights: expected finite weights, got NaN or infinity")
        with self.unchanged("set_weights"):
            self.native.set_weights(values)

    @property
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Parameters by name ("layers.0.weight"), views of the net's own memory."""
        return self._named(self.weights, is_state=False)

    @property
    def state(self) -> dict[str, NDArray[np.float32]]:
        """Running statistics and fixed tables by name, views of the net's own memory."""
        return self._named(self.weights, is_state=True)

    def copied_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of `parameters` and `state`, whole at any time as `get_weights`."""
        return self.views_of(self.get_weights())

    def views_of(self, weights: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return views of a vector laid out as `weights`, by all of a model file's names."""
        return {
            **self._named(weights, is_state=False),
            **self._named(weights, is_state=True),
        }

    def parts_of(self, flat: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return views of a vector laid out as `params`, by the names of `parameters`."""
        return self._named(flat, is_state=False)

    def _named(
        self, flat: NDArray[np.float32], *, is_state: bool
    ) -> dict[str, NDArray[np.float32]]:
        """Return the parts of a vector laid out as `weights`, by name."""
        return {
            name: _part(flat, param)
            for name, param in self._params()
            if param["is_state"] == is_state
        }

    def _params(self) -> Iterator[tuple[str, "_core._Param"]]:
        for one, layer in zip(self.placed, self.native.layers, strict=True):
            for param in layer["params"]:
                yield f"{one.name}.{param['name']}", param

    def draw_weights(self, rng: Xorshift) -> None:
        """Set all parameters to their initial values."""
        for _, param in self._params():
            set_initial(_part(self.weights, param), param, rng)


def _part(flat: NDArray[np.float32], param: "_core._Param") -> NDArray[np.float32]:
    """Return the view of one parameter in a vector laid out as `weights`."""
    begin, size = param["offset"], math.prod(param["shape"])
    return flat[begin : begin + size].reshape(param["shape"])
