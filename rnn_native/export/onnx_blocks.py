"""Blocks as nodes of ONNX: where branches begin and end, and how they are joined."""

from rnn_native.export.onnx_graph import Graph
from rnn_native.export.steps import Step


def fork(graph: Graph, step: Step, x: str) -> str:
    """Keep what a block is given, for its branches."""
    graph.forks.append((x, []))
    return x


def branch(graph: Graph, step: Step, x: str) -> str:
    """End a branch, and begin the next with what the block is given."""
    given, ends = graph.forks[-1]
    ends.append(x)
    return given


def add(graph: Graph, step: Step, x: str) -> str:
    """Add the last two branches."""
    _, ends = graph.forks.pop()
    return graph.node("Add", *ends, x)


def concat(graph: Graph, step: Step, x: str) -> str:
    """Put the outputs of all branches one behind the other."""
    _, ends = graph.forks.pop()
    return graph.node("Concat", *ends, x, axis=1 + step.axis)
