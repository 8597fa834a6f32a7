"""An ONNX graph under construction; the package onnx is imported when it is finished."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.export.steps import Step

if TYPE_CHECKING:
    from onnx import ModelProto

FLOAT, UINT8, INT64, BOOL = 1, 2, 7, 9  # onnx.TensorProto's numbers of element types

# Operator sets that can be written, and the one that is. In the first, Squeeze and ReduceSum
# have axes as inputs; all other reductions do from REDUCES_BY_INPUT on.
OPSETS, OPSET = range(13, 23), 17
HAS_LAYERNORM, REDUCES_BY_INPUT = 17, 18
MAX_BYTES = 2**31 - 2**20  # protobuf's limit, minus room for the rest

Port = tuple[str, int, list[int | str]]
"""Name, element type and shape of an input or output; "n" is any number of rows."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with the names of its inputs and its output."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class Graph:
    """Nodes in order of computation, and constants by name.

    Attributes
    ----------
    opset : int
        The operator set, one of `OPSETS`.
    prefix : str
        What names of constants begin with, as "nets.0." in an ensemble.
    forks : list of (str, list of str)
        Those that are open: the name of the input, and of what its branches gave so far.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    opset: int = OPSET
    prefix: str = ""
    forks: list[tuple[str, list[str]]] = field(default_factory=list)

    def node(
        self, operator: str, *inputs: str, output: str | None = None, **attributes: Any
    ) -> str:
        """Add an operator; return its output's name, which is made up unless given."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(operator, inputs, name, attributes))
        return name

    def constant(self, name: str, value: ArrayLike) -> str:
        """Add a constant, unless it is there; return its name, with the prefix."""
        name = f"{self.prefix}{name}"
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def number(self, value: float) -> str:
        """Add a float32 number; return its name, which is the number."""
        return self.constant(repr(value), np.array([value], np.float32))

    def array(self, step: Step, name: str) -> str:
        """Add a layer's array; return its name, which is that in model files."""
        return self.constant(f"{step.name}.{name}", step.arrays[name])

    def reshape(self, x: str, *shape: int) -> str:
        """Add a change of the shape of each row."""
        name = "shape_" + "_".join(map(str, shape))
        return self.node("Reshape", x, self.constant(name, np.array([0, *shape], np.int64)))

    def reduced(self, operator: str, x: str, axis: int, *, keepdims: int) -> str:
        """Add ReduceMean or the like over one axis."""
        if self.opset < REDUCES_BY_INPUT:
            return self.node(operator, x, axes=[axis], keepdims=keepdims)
        axes = self.constant(f"axis_{axis}", np.array([axis], np.int64))
        return self.node(operator, x, axes, keepdims=keepdims)

    def finish(self, inputs: list[Port], outputs: list[Port], note: str) -> "ModelProto":
        """Return the model.

        Raises
        ------
        ImportError
            If the package onnx is not installed.
        ValueError
            If the constants are too large for a file.
        """
        try:
            from onnx import helper, numpy_helper
        except ImportError as error:
            raise ImportError(
                f"ONNX needs the package onnx: pip install 'rnn_native[onnx]' ({error})"
            ) from None
        from rnn_native.base.version import __version__

        size = sum(value.nbytes for value in self.constants.values())
        if size > MAX_BYTES:
            raise ValueError(
                f"model: expected weights of at most 2 GiB for an ONNX file, got {size} bytes"
            )
        nodes = [
            helper.make_node(n.operator, n.inputs, [n.output], n.output, **n.attributes)
            for n in self.nodes
        ]
        graph = helper.make_graph(
            nodes,
            "rnn_native",
            [helper.make_tensor_value_info(*port) for port in inputs],
            [helper.make_tensor_value_info(*port) for port in outputs],
            [
                numpy_helper.from_array(value, name)
                for name, value in self.constants.items()
            ],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(
            graph,
            producer_name="rnn_native",
            producer_version=__version__,
            ir_version=helper.find_min_ir_version_for(opsets),
            opset_imports=opsets,
            doc_string=note,
        )
