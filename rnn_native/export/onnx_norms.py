"""Normalizations as operators of ONNX."""

from rnn_native.export.onnx_graph import HAS_LAYERNORM, Graph
from rnn_native.export.steps import Step


def batchnorm(graph: Graph, step: Step, x: str) -> str:
    """Add batch normalization by its running statistics; return the name of its output."""
    names = ("weight", "bias", "running_mean", "running_var")
    arrays = [graph.array(step, name) for name in names]
    return graph.node("BatchNormalization", x, *arrays, epsilon=step.layer.epsilon)


def layernorm(graph: Graph, step: Step, x: str) -> str:
    """Add layer normalization: one operator where the operator set has it."""
    weight, bias = (graph.array(step, name) for name in ("weight", "bias"))
    if graph.opset >= HAS_LAYERNORM:
        epsilon = step.layer.epsilon
        return graph.node("LayerNormalization", x, weight, bias, epsilon=epsilon)
    mean = graph.reduced("ReduceMean", x, -1, keepdims=1)
    normal = _of_unit_size(graph, graph.node("Sub", x, mean), step.layer.epsilon)
    return graph.node("Add", graph.node("Mul", normal, weight), bias)


def rmsnorm(graph: Graph, step: Step, x: str) -> str:
    """Add RMS normalization."""
    normal = _of_unit_size(graph, x, step.layer.epsilon)
    return graph.node("Mul", normal, graph.array(step, "weight"))


def _of_unit_size(graph: Graph, x: str, epsilon: float) -> str:
    """Add x / sqrt(mean of its squares + epsilon), over the last axis."""
    square = graph.reduced("ReduceMean", graph.node("Mul", x, x), -1, keepdims=1)
    shifted = graph.node("Add", square, graph.number(epsilon))
    return graph.node("Div", x, graph.node("Sqrt", shifted))


def normalization(graph: Graph, step: Step, x: str) -> str:
    """Add a normalization by constants."""
    mean, scale, by_first = step.normalization
    shape = (-1, *[1] * (len(step.input_shape) - 1)) if by_first else (-1,)
    names = [f"{step.name}.{name}" for name in ("mean", "scale")]
    constants = [
        graph.constant(name, values.reshape(shape))
        for name, values in zip(names, (mean, scale), strict=True)
    ]
    return graph.node("Mul", graph.node("Sub", x, constants[0]), constants[1])
