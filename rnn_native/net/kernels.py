"""The kernels one layer at a time, for tests, teaching and checks against other libraries.

``<layer>_forward(x, *parameters, **options)`` returns the outputs; ``<layer>_backward(dout,
x, *parameters, **options)`` returns the gradients with respect to x and to each parameter, summed
over rows. Options are those of the layer's class, without sizes that follow from the weight;
parameters, in the order of docs/reference/layers.md, are float32 arrays; of normalization
they are mean and variance. Both run in training mode:
batchnorm uses the batch's statistics and dropout drops, with the mask of `seed` and `step`.

Examples
--------
>>> import numpy as np
>>> from rnn_native import kernels
>>> x = np.array([[1.0, -2.0]], np.float32)
>>> weight, bias = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)
>>> kernels.dense_forward(x, weight, bias, activation="relu")
array([[1., 0.]], dtype=float32)
>>> dx, dweight, dbias = kernels.dense_backward(np.ones_like(x), x, weight, bias)
>>> dx
array([[1., 1.]], dtype=float32)
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.base import runtime  # noqa: F401  opens the BLAS that the core calls
from rnn_native.net import layers

Array = NDArray[np.float32]


class Forward(Protocol):
    """A layer's forward function."""

    def __call__(
        self, x: Array, *parameters: Array, seed: int = 0, step: int = 0, **options: Any
    ) -> Array:
        """Return the outputs, of shape (n, *layer's output shape)."""


class Backward(Protocol):
    """A layer's backward function."""

    def __call__(
        self,
        dout: Array,
        x: Array,
        *parameters: Array,
        seed: int = 0,
        step: int = 0,
        **options: Any,
    ) -> tuple[Array, ...]:
        """Return the gradients with respect to x and to each parameter."""


def _float32(array: Array, name: str) -> Array:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{name}: expected a float32 array, got {kind}")
    return np.ascontiguousarray(array)


def _net(layer: layers.Layer, x: Array, parameters: tuple[Array, ...]) -> _core.Net:
    """Return a net of one layer that holds the parameters."""
    net = _core.Net([layer.spec()], x.shape[1:], "none")
    given = STATISTICS.get(layer.type, ())
    taken = [p for p in net.layers[0]["params"] if not p["is_state"] or p["name"] in given]
    if len(taken) != len(parameters):
        names = ", ".join(p["name"] for p in taken) or "none"
        raise TypeError(f"{layer.type}: expected parameters {names}, got {len(parameters)}")
    for param, value in zip(taken, parameters, strict=True):
        if _float32(value, param["name"]).shape != param["shape"]:
            raise ValueError(
                f"{layer.type}: {param['name']}: expected shape {param['shape']}, got "
                f"{value.shape}"
            )
        end = param["offset"] + math.prod(param["shape"])
        net.weights[param["offset"] : end] = value.ravel()
    return net


def _run(
    layer: layers.Layer,
    dout: Array | None,
    x: Array,
    parameters: tuple[Array, ...],
    key: dict[str, int],
) -> tuple[Array, ...]:
    """Return outputs, gradient by x and gradients by parameters."""
    x = _float32(x, "x")
    net = _net(layer, x, parameters)
    shape = (len(x), *net.layers[0]["shape"])
    if dout is None:
        dout = np.zeros(shape, np.float32)
    elif _float32(dout, "dout").shape != shape:
        raise ValueError(f"{layer.type}: dout: expected shape {shape}, got {dout.shape}")
    flat = np.ascontiguousarray(dout).reshape(len(x), -1)
    out, dx, grads = net.backprop(x.reshape(len(x), -1), flat, **key)
    split = []
    for param in net.layers[0]["params"]:
        if not param["is_state"]:
            end = param["offset"] + math.prod(param["shape"])
            split.append(grads[param["offset"] : end].reshape(param["shape"]))
    return (out.reshape(shape), dx.reshape(x.shape), *split)


# State that is given as parameters are: training does not find it.
STATISTICS = {"normalization": ("mean", "variance")}

# Sizes that follow from a layer's parameters: option -> axis, or axes, of the first parameter.
SIZES: dict[str, dict[str, int | tuple[int, int]]] = {
    "dense": {"units": 1},
    "conv1d": {"filters": 0, "kernel_size": 2},
    "conv2d": {"filters": 0, "kernel_size": (2, 3)},
    "embedding": {"num_embeddings": 0, "embedding_dim": 1},
    "patch_embed": {"units": 1},
    "patch_embed1d": {"units": 1},
    "simple_rnn": {"units": 1},
}


def _extents(array: Array, axes: int | tuple[int, int]) -> int | tuple[int, ...]:
    shape: tuple[int, ...] = array.shape
    return shape[axes] if isinstance(axes, int) else tuple(shape[axis] for axis in axes)


def _layer(
    cls: type[layers.Layer], parameters: tuple[Array, ...], options: dict[str, Any]
) -> layers.Layer:
    sizes = SIZES.get(cls.type, {})
    last = max((np.max(axes) for axes in sizes.values()), default=0)
    if sizes and not (parameters and np.ndim(parameters[0]) > last):
        got = (
            f"an array of rank {np.ndim(parameters[0])}" if parameters else "no parameters"
        )
        raise ValueError(f"{cls.type}: expected the weight as first parameter, got {got}")
    known = {name: _extents(parameters[0], axes) for name, axes in sizes.items()}
    return cls(**known, **options)


def _forward(cls: type[layers.Layer]) -> Forward:
    def forward(
        x: Array, *parameters: Array, seed: int = 0, step: int = 0, **options: Any
    ) -> Array:
        layer = _layer(cls, parameters, options)
        return _run(layer, None, x, parameters, {"seed": seed, "step": step})[0]

    forward.__name__ = forward.__qualname__ = f"{cls.type}_forward"
    forward.__doc__ = f"Return the outputs of `{cls.__name__}`; see the module's docstring."
    return forward


def _backward(cls: type[layers.Layer]) -> Backward:
    def backward(
        dout: Array,
        x: Array,
        *parameters: Array,
        seed: int = 0,
        step: int = 0,
        **options: Any,
    ) -> tuple[Array, ...]:
        layer = _layer(cls, parameters, options)
        return _run(layer, dout, x, parameters, {"seed": seed, "step": step})[1:]

    backward.__name__ = backward.__qualname__ = f"{cls.type}_backward"
    backward.__doc__ = (
        f"Return the gradients of `{cls.__name__}`; see the module's docstring."
    )
    return backward


for _cls in layers.BY_TYPE.values():
    globals()[f"{_cls.type}_forward"] = _forward(_cls)
    globals()[f"{_cls.type}_backward"] = _backward(_cls)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]:
        """Stand for the pairs above, which follow from the layers."""
