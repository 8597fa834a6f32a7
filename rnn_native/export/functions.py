"""Functions of each element, as exported files have them: in C, and as ONNX operators."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from rnn_native.export.onnx_graph import Graph
from rnn_native.net.layer_specs import WITH_ALPHA

Onnx: TypeAlias = Callable[[Graph, str, float], str]
"""Graph, name of z, alpha -> name of the output."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A function of z, element by element.

    Attributes
    ----------
    onnx : callable
        Adds its operators.
    c_name : str
        What it is called in C, where that is not its own name.
    c_text : str
        The C function; empty for one that is written elsewhere.
    """

    onnx: Onnx
    c_name: str = ""
    c_text: str = ""


# ---- ONNX ----


def _operator(name: str) -> Onnx:
    return lambda graph, z, alpha: graph.node(name, z)


def _with_alpha(name: str) -> Onnx:
    return lambda graph, z, alpha: graph.node(name, z, alpha=alpha)


def _silu(graph: Graph, z: str, alpha: float) -> str:
    return graph.node("Mul", z, graph.node("Sigmoid", z))


def _gelu(graph: Graph, z: str, alpha: float) -> str:
    cube = graph.node("Mul", z, graph.node("Mul", z, z))
    bent = graph.node("Add", z, graph.node("Mul", cube, graph.number(0.044715)))
    scaled = graph.node("Mul", bent, graph.number(math.sqrt(2 / math.pi)))
    return _half_of_one_plus(graph, graph.node("Tanh", scaled), z)


def _gelu_exact(graph: Graph, z: str, alpha: float) -> str:
    scaled = graph.node("Mul", z, graph.number(math.sqrt(0.5)))
    return _half_of_one_plus(graph, graph.node("Erf", scaled), z)


def _hardsigmoid(graph: Graph, z: str, alpha: float) -> str:
    return graph.node("HardSigmoid", z, alpha=1 / 6, beta=0.5)


def _hardswish(graph: Graph, z: str, alpha: float) -> str:
    return graph.node("Mul", z, _hardsigmoid(graph, z, alpha))  # HardSwish came with set 14


def _half_of_one_plus(graph: Graph, t: str, z: str) -> str:
    """Add 0.5 z (1 + t)."""
    half = graph.node("Mul", z, graph.number(0.5))
    return graph.node("Mul", half, graph.node("Add", t, graph.number(1.0)))


# ---- C ----


def _of_each(name: str, value: str, parameter: str = "", note: str = "") -> str:
    """Return a function that computes `value` for each element z[i]."""
    return f"""\
{note}static void
{name}(float *out, const float *z, int n{parameter})
{{
    for (int i = 0; i < n; i++)
        out[i] = {value};
}}
"""


_GELU = "tanhf(0.797884561f * (z[i] + 0.044715f * z[i] * z[i] * z[i]))"
_HARDSIGMOID = "z[i] < -3 ? 0 : z[i] > 3 ? 1 : (z[i] + 3) / 6"
_NORMAL = "/* z times the normal distribution function at z{}. */\n"


# ---- both ----


def _exported(
    name: str, value: str, onnx: Onnx, c_name: str = "", note: str = ""
) -> Exported:
    """Return a function with its value as a C expression of z[i], and alpha if it has one."""
    parameter = ", float alpha" if name in WITH_ALPHA else ""
    called = c_name or name
    return Exported(onnx, called, _of_each(called, value, parameter, note))


def _linear(graph: Graph, z: str, alpha: float) -> str:
    return z


FUNCTIONS = {
    "linear": _exported("linear", "z[i]", _linear, "copy"),
    "relu": _exported("relu", "z[i] > 0 ? z[i] : 0", _operator("Relu")),
    "leaky_relu": _exported(
        "leaky_relu", "z[i] > 0 ? z[i] : alpha * z[i]", _with_alpha("LeakyRelu")
    ),
    "elu": _exported("elu", "z[i] > 0 ? z[i] : alpha * expm1f(z[i])", _with_alpha("Elu")),
    "sigmoid": _exported("sigmoid", "1 / (1 + expf(-z[i]))", _operator("Sigmoid")),
    "tanh": _exported("tanh", "tanhf(z[i])", _operator("Tanh"), "hyperbolic_tangent"),
    "silu": _exported("silu", "z[i] / (1 + expf(-z[i]))", _silu),
    "gelu": _exported(
        "gelu",
        f"0.5f * z[i]\n{17 * ' '}* (1 + {_GELU})",
        _gelu,
        note=_NORMAL.format(", nearly"),
    ),
    "gelu_exact": _exported(
        "gelu_exact",
        "0.5f * z[i] * erfcf(-0.707106781f * z[i])",
        _gelu_exact,
        note=_NORMAL.format(""),
    ),
    "softplus": _exported(
        "softplus",
        "(z[i] > 0 ? z[i] : 0) + log1pf(expf(-fabsf(z[i])))",
        _operator("Softplus"),
    ),
    "hardsigmoid": _exported("hardsigmoid", _HARDSIGMOID, _hardsigmoid),
    "hardswish": _exported("hardswish", f"z[i] * ({_HARDSIGMOID})", _hardswish),
    "exp": _exported("exp", "expf(z[i])", _operator("Exp"), "exponential"),
    "softmax": Exported(_operator("Softmax")),  # over the last axis, in C by rows
}
"""By their names in specs, and in `Loss.function`."""
