"""Facts about each activation: its twin in float64, its rounding, PyTorch's module."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np


class Activation(NamedTuple):
    """An activation.

    value, slope are functions of z and alpha. value_error, slope_error are functions of z,
    the value or slope there, and alpha: what the core's formula leaves beyond the error of z,
    in half units in the last place of 1; zero where it calculates nothing. torch is
    PyTorch's module and its options; alpha the option that ours is there, with our default.
    values, slopes are numbers worked out elsewhere, by z.
    """

    value: Callable[..., Any]
    slope: Callable[..., Any]
    value_error: Callable[..., Any]
    slope_error: Callable[..., Any]
    torch: tuple[str, dict[str, Any]]
    alpha: tuple[str, float] | None = None
    values: Mapping[float, float] = MappingProxyType({})
    slopes: Mapping[float, float] = MappingProxyType({})


def _nothing(z, f, a):
    return 0 * f


def _own(z, f, a):
    return np.abs(f)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _gelu_inner(z):
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def _gelu_slope(z, _):
    t = np.tanh(_gelu_inner(z))
    inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * inner_slope


def _gelu_tail(z, value, alpha):
    """1 + tanh and 1 - tanh^2 of numbers deep in the tails leave no digits."""
    return 4 * (1 + np.abs(z) + 0.15 * np.abs(z) ** 3)


def _normal_cdf(z):
    return np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(z)


def _gelu_exact_slope(z, _):
    return _normal_cdf(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


ACTIVATIONS = {
    "linear": Activation(
        lambda z, a: z,
        lambda z, a: np.ones_like(z),
        _nothing,
        _nothing,
        ("Identity", {}),
    ),
    "relu": Activation(
        lambda z, a: np.maximum(z, 0),
        lambda z, a: (z > 0) * 1.0,
        _nothing,
        _nothing,
        ("ReLU", {}),
    ),
    "leaky_relu": Activation(
        lambda z, a: np.where(z > 0, z, a * z),
        lambda z, a: np.where(z > 0, 1.0, a),
        _own,
        _own,
        ("LeakyReLU", {}),
        ("negative_slope", 0.01),
        values={-2: -0.02, -100: -1},
        slopes={0: 0.01},
    ),
    "elu": Activation(
        lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0))),
        lambda z, a: np.where(z > 0, 1.0, a * np.exp(np.minimum(z, 0))),
        lambda z, f, a: 4 * (np.abs(f) + a),
        lambda z, f, a: 4 * np.abs(f),
        ("ELU", {}),
        ("alpha", 1.0),
        values={-1: math.exp(-1) - 1},
        slopes={0: 1},
    ),
    "sigmoid": Activation(
        lambda z, a: sigmoid(z),
        lambda z, a: sigmoid(z) * (1 - sigmoid(z)),
        lambda z, f, a: 6 * f,
        lambda z, f, a: 6 * f + 2 * sigmoid(z),
        ("Sigmoid", {}),
        values={2: 0.8807971, -2: 0.1192029},
        slopes={0: 0.25},
    ),
    "tanh": Activation(
        lambda z, a: np.tanh(z),
        lambda z, a: 1 - np.tanh(z) ** 2,
        lambda z, f, a: 6 * np.abs(f),
        lambda z, f, a: 8 + 0 * f,
        ("Tanh", {}),
        slopes={math.atanh(0.5): 0.75},
    ),
    "silu": Activation(
        lambda z, a: z * sigmoid(z),
        lambda z, a: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
        lambda z, f, a: 8 * np.abs(f),
        lambda z, f, a: 8 * sigmoid(z) * (1 + np.abs(z)),
        ("SiLU", {}),
        slopes={0: 0.5},
    ),
    "gelu": Activation(
        lambda z, a: 0.5 * z * (1 + np.tanh(_gelu_inner(z))),
        _gelu_slope,
        lambda z, f, a: 4 * np.abs(z),
        _gelu_tail,
        ("GELU", {"approximate": "tanh"}),
        values={1: 0.841192, -1: -0.158808, 10: 10, -10: 0},
        slopes={0: 0.5, 1: 1.082964, -1: -0.082964},
    ),
    "gelu_exact": Activation(
        lambda z, a: z * _normal_cdf(z),
        _gelu_exact_slope,
        lambda z, f, a: 10 * np.abs(f),
        lambda z, f, a: 8 + 0 * f,
        ("GELU", {}),
        values={1: 0.8413447, -1: -0.1586553},
        slopes={0: 0.5, 1: 1.0833155},
    ),
    "softplus": Activation(
        lambda z, a: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))),
        lambda z, a: sigmoid(z),
        lambda z, f, a: 8 * f,
        lambda z, f, a: 6 * f,
        ("Softplus", {}),
        values={0: 0.6931472, 2: 2.126928, -2: 0.126928, 1000: 1000, -1000: 0},
        slopes={0: 0.5, 2: 0.8807971},
    ),
    "hardsigmoid": Activation(
        lambda z, a: np.clip(z / 6 + 0.5, 0, 1),
        lambda z, a: (np.abs(z) < 3) / 6,
        lambda z, f, a: 4 * np.abs(f),
        lambda z, f, a: 2 * np.abs(f),
        ("Hardsigmoid", {}),
        values={-4: 0, -1: 1 / 3, 0: 0.5, 1.5: 0.75, 4: 1},
        slopes={-4: 0, -3: 0, 1: 1 / 6, 3: 0},
    ),
    "hardswish": Activation(
        lambda z, a: z * np.clip(z / 6 + 0.5, 0, 1),
        lambda z, a: np.where(np.abs(z) < 3, z / 3 + 0.5, (z > 0) * 1.0),
        lambda z, f, a: 5 * np.abs(f),
        lambda z, f, a: 2 * (1 + np.abs(f)),
        ("Hardswish", {}),
        values={-4: 0, -1: -1 / 3, 1: 2 / 3, 2: 5 / 3, 4: 4},
        slopes={-4: 0, -3: 0, -1: 1 / 6, 0: 0.5, 1.5: 1, 3: 1},
    ),
}


def torch_module(name, alpha=None):
    """Return PyTorch's module."""
    from torch import nn

    row = ACTIVATIONS[name]
    module, options = row.torch
    if row.alpha is not None:
        option, default = row.alpha
        options = {option: default if alpha is None else alpha}
    return getattr(nn, module)(**options)
