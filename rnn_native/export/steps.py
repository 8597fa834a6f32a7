"""A net as exporters see it: layer by layer, with shapes, arrays and all options."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.text import brief
from rnn_native.models.ensemble import Ensemble
from rnn_native.models.network import Network
from rnn_native.net.blocks import JOINS, MARKS
from rnn_native.net.layers import from_spec
from rnn_native.net.losses import LOSSES
from rnn_native.net.predictor import check_net
from rnn_native.net.tables import ACTIVATIONS

FINAL_FUNCTIONS = {name: loss.function for name, loss in LOSSES.items()}
"""What `Network.predict_proba` does to the last layer's outputs, by loss."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or pool slides over its input; a number for each axis.

    Attributes
    ----------
    kernel, stride, dilation : tuple of int
    before, after : tuple of int
        Rows, then columns, of padding.
    groups : int
    counts_padding : bool
        Whether means count it as zeros.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    groups: int
    counts_padding: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A layer of a net, in the core's list of them: blocks are layers and marks.

    Attributes
    ----------
    index : int
        In that list.
    name : str
        What names of its parameters begin with: "layers.2".
    path : str
        What messages call it: "layers[2]".
    type : str
        As in specs, or a mark's.
    layer : Layer or None
        With every option; of the class that belongs to the type; None for a mark.
    axis : int
        Of a concat, in a sample's shape.
    input_shape, output_shape : tuple of int
        Of one sample; before a branch what the last one gave.
    arrays : dict of ndarray of float32
        Parameters, running statistics and fixed tables by name ("weight"), in storage
        order: views of the net's own memory.
    masked_by : int
        Index of the masking layer that marks padding here, -1 for none.
    sliding : dict, optional
        The core's record of the window that the layer slides over its input.
    """

    index: int
    name: str
    path: str
    type: str
    layer: Any
    axis: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    arrays: dict[str, NDArray[np.float32]]
    masked_by: int = -1
    sliding: Any = None

    @property
    def activation(self) -> tuple[str, float]:
        """The function that ends the layer ("linear" for none) and its alpha."""
        if self.type == "activation":
            name = self.layer.function
        else:
            name = getattr(self.layer, "activation", "linear")
        alpha = getattr(self.layer, "alpha", None)
        if alpha is None and name in ACTIVATIONS:
            alpha = ACTIVATIONS[name]["alpha"]
        return name, alpha or 0.0

    @property
    def window(self) -> Window:
        """The window of a convolution or pool; along a signal it has one axis."""
        axes = slice(3 - len(self.input_shape), 2)
        padding = self.sliding["padding"]
        kernel, stride, dilation = (
            self.sliding[key][axes] for key in ("kernel", "stride", "dilation")
        )
        groups, counts = self.sliding["groups"], self.sliding["counts_padding"]
        before, after = padding[::2][axes], padding[1::2][axes]
        return Window(kernel, stride, dilation, before, after, groups, counts)

    @property
    def normalization(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        """Means and factors of a normalization, and whether the features are the first axis."""
        mean, variance = self.arrays["mean"], self.arrays["variance"]
        scale = np.zeros_like(variance)
        is_varied = variance > 0
        scale[is_varied] = 1 / np.maximum(np.sqrt(variance[is_varied]), np.float32(1e-7))
        axis = self.layer.axis
        return mean, scale, len(self.input_shape) == 3 if axis is None else axis == 0

    @property
    def tokens(self) -> int:
        """How many rows of values the layer computes one by one."""
        return math.prod(self.input_shape[:-1])

    @property
    def outputs(self) -> int:
        """How many outputs the layer has for a sample."""
        return math.prod(self.output_shape)

    def refusal(self, target: str) -> ValueError:
        """Return the error to raise where `target` has no such layer."""
        return ValueError(f"{self}: {target} cannot express this layer")

    def __str__(self) -> str:
        return f"{self.path} ({self.type})"


def nets_of(model: Network | Ensemble) -> tuple[Network, ...]:
    """Return the nets of an ensemble, or the one that it is; TypeError if it is neither."""
    if not isinstance(model, (Ensemble, Network)):
        raise TypeError(f"model: expected a Network or Ensemble, got {brief(model)}")
    return model.nets if isinstance(model, Ensemble) else (model,)


@contextmanager
def place_named(model: Network | Ensemble, index: int) -> Iterator[None]:
    """Let an error about a net of an ensemble name the net."""
    try:
        yield
    except ValueError as error:
        if not isinstance(model, Ensemble):
            raise
        raise ValueError(f"nets[{index}].{error}") from None


def whole_steps_of(model: Network) -> list[Step]:
    """As `steps_of`, of a copy: its arrays fit together even during training."""
    return steps_of(copy(model))


def steps_of(model: Network) -> list[Step]:
    """Return the layers of a net in order, with views of its arrays.

    Raises
    ------
    TypeError
        If it is not a net.
    ValueError
        If a value is NaN or infinite; names the array.
    """
    check_net("model", model)
    named = {**model.parameters, **model.state}
    for name, array in named.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite values, got NaN or infinity")
    steps: list[Step] = []
    shape = model.input_shape
    for one, layer in zip(model.placed, model.native.layers, strict=True):
        spec = {key: value for key, value in one.spec.items() if key != "path"}
        kind, out = spec["type"], tuple(layer["shape"])
        arrays = one.arrays(named, layer)
        made = None if kind in (*MARKS, *JOINS) else from_spec(spec)
        axis = spec.get("axis", 0 if len(out) == 3 else len(out) - 1) % len(out)
        place = (len(steps), one.name, one.path)
        more = (layer["masked_by"], layer["window"])
        steps.append(Step(*place, kind, made, axis, shape, out, arrays, *more))
        shape = out
    return steps


def is_matrix(name: str, array: NDArray[np.float32]) -> bool:
    """Whether an array of a layer is what its inputs are multiplied by and summed."""
    return name.endswith("weight") and array.ndim > 1


def by_output(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a matrix (inputs, outputs) transposed: a row for each output.

    A convolution's weight has its filters first already and is returned as it is.
    """
    return matrix.T if matrix.ndim == 2 else matrix


def has_many_labels(model: Network) -> bool:
    """Whether `Network.predict` returns a yes or no for each of several outputs."""
    return LOSSES[model.loss].tells_several(model.output_shape[0])
