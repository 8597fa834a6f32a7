"""Recurrent layers as ONNX's operators RNN, GRU and LSTM."""

from typing import Any

import numpy as np

from rnn_native.export.onnx_graph import Graph
from rnn_native.export.steps import Step

# The operator, and the place of each of our gates in its order.
RECURRENT = {
    "simple_rnn": ("RNN", (0,)),
    "gru": ("GRU", (1, 0, 2)),
    "lstm": ("LSTM", (0, 3, 1, 2)),
}


def recurrent(graph: Graph, step: Step, x: str) -> str:
    """Add a recurrent layer; return the name of its output."""
    if step.masked_by >= 0:
        raise ValueError(
            f"{step}: ONNX has no padding within a sequence; leave out the masking layer"
        )
    operator, order = RECURRENT[step.type]
    units, reverse = step.layer.units, step.layer.reverse
    parts = {
        name: [np.split(array.T, len(order))[gate] for gate in order]
        for name, array in step.arrays.items()
    }
    biases = [*parts["input_bias"], *parts["hidden_bias"]]
    names = [
        graph.constant(f"{step.name}.{name}", np.concatenate(parts[name])[None])
        for name in ("input_weight", "hidden_weight")
    ]
    names.append(graph.constant(f"{step.name}.bias", np.concatenate(biases)[None]))
    options: dict[str, Any] = {"linear_before_reset": 1} if step.type == "gru" else {}
    direction = "reverse" if reverse else "forward"
    by_step = graph.node("Transpose", x, perm=[1, 0, 2])
    out = graph.node(
        operator, by_step, *names, hidden_size=units, direction=direction, **options
    )
    out = graph.node("Squeeze", out, graph.constant("directions", np.array([1], np.int64)))
    if step.layer.return_sequences:
        return graph.node("Transpose", out, perm=[1, 0, 2])
    last = 0 if reverse else step.input_shape[0] - 1
    index = graph.constant(f"step_{last}", np.array([last], np.int64))
    chosen = graph.node("Gather", out, index, axis=0)
    return graph.node("Squeeze", chosen, graph.constant("first", np.array([0], np.int64)))
