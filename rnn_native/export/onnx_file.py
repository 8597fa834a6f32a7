"""ONNX: a graph of standard operators, without ZipMap, for any number of rows.

What an operator set does not have as one operator (gelu, RMS normalization, attention) is
composed of several.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rnn_native.base.checks import check_integer
from rnn_native.base.files import AnyPath, atomic_write
from rnn_native.export.functions import FUNCTIONS
from rnn_native.export.onnx_blocks import add, branch, concat, fork
from rnn_native.export.onnx_graph import (
    BOOL,
    FLOAT,
    INT64,
    OPSET,
    OPSETS,
    UINT8,
    Graph,
    Port,
)
from rnn_native.export.onnx_norms import batchnorm, layernorm, normalization, rmsnorm
from rnn_native.export.onnx_recurrent import RECURRENT, recurrent
from rnn_native.export.steps import (
    FINAL_FUNCTIONS,
    Step,
    has_many_labels,
    nets_of,
    place_named,
    whole_steps_of,
)
from rnn_native.models.ensemble import Ensemble
from rnn_native.models.network import Network

if TYPE_CHECKING:
    from onnx import ModelProto


def to_onnx(
    model: Network | Ensemble,
    path: AnyPath,
    *,
    uint8_input: bool = False,
    opset: int | None = None,
) -> None:
    """Write a network as an ONNX file, atomically.

    Parameters
    ----------
    model : Network or Ensemble
        Of an ensemble the graph holds all nets, and the mean of what they predict.
    path : path
        The file; its name usually ends in ".onnx".
    uint8_input : bool
        Whether the graph's input is bytes, and it divides them by 255 itself.
    opset : int in [13, 22], optional
        The operator set, for runtimes that need another than 17.

    Raises
    ------
    TypeError
        If `model` is not a Network or Ensemble.
    ImportError
        If the package onnx is not installed.
    ValueError
        If `opset` is out of range; if ONNX cannot express a layer, which is named; if a
        weight is not finite; if the weights are beyond 2 GiB; if `uint8_input` is asked for
        of a net fitted on floats.
    OSError
        If the file cannot be written.

    Notes
    -----
    The input is "x", float32 or uint8: n samples of the net's input shape. The outputs are
    "label", int64 (n,), the class that `Network.predict` gives (with several yes or no
    (n, outputs); of values the greatest output, or whether the one output is >= 0.5), and
    "probabilities", float32 (n, outputs), what `Network.predict_proba` returns.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.export.to_onnx(rn.pretrained.load(), f"{folder}/net.onnx")
    """
    written = onnx_model(model, uint8_input=uint8_input, opset=opset)
    atomic_write(path, written.SerializeToString())


def onnx_model(
    model: Network | Ensemble, *, uint8_input: bool = False, opset: int | None = None
) -> "ModelProto":
    """Return what `to_onnx` writes as an object of the package onnx.

    Parameters
    ----------
    model : Network or Ensemble
        As for `to_onnx`.
    uint8_input : bool
        As for `to_onnx`.
    opset : int, optional
        As for `to_onnx`.

    Returns
    -------
    onnx.ModelProto
        The model, checked by the package.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> rn.export.onnx_model(net).graph.input[0].name
    'x'
    """
    if opset is not None:
        opset = check_integer("opset", opset, OPSETS[0], OPSETS[-1])
    graph, x, nets = Graph(opset=opset or OPSET), "x", nets_of(model)
    if uint8_input and any(net.input_dtype == "float" for net in nets):
        raise ValueError(
            "uint8_input: divides by 255, but this net was fitted on floats, or integers taken "
            "as numbers; leave it out, or set net.input_dtype = 'uint8' if those floats were "
            "x / 255"
        )
    if uint8_input:
        x = graph.node("Div", graph.node("Cast", x, to=FLOAT), graph.number(255))
    predictions = []
    for i, net in enumerate(nets):
        graph.prefix = f"nets.{i}." if isinstance(model, Ensemble) else ""
        with place_named(model, i):
            predictions.append(_add_net(graph, net, x))
    graph.prefix = ""
    joining = "Mean" if isinstance(model, Ensemble) else "Identity"
    graph.node(joining, *predictions, output="probabilities")
    _add_label(graph, nets[0])
    outputs = model.output_shape[0]
    element = UINT8 if uint8_input else FLOAT
    inputs: list[Port] = [("x", element, ["n", *model.input_shape])]
    label: Port = ("label", INT64, ["n", outputs] if has_many_labels(nets[0]) else ["n"])
    scaling = "bytes are divided by 255 here" if uint8_input else _scaling(nets[0])
    return graph.finish(inputs, [label, ("probabilities", FLOAT, ["n", outputs])], scaling)


def _add_net(graph: Graph, net: Network, x: str) -> str:
    """Add a net's layers and the function of its loss; return the name of its predictions."""
    for step in whole_steps_of(net):
        function, alpha = step.activation
        if step.type not in LAYERS or function not in FUNCTIONS:
            raise step.refusal("ONNX")
        x = FUNCTIONS[function].onnx(graph, LAYERS[step.type](graph, step, x), alpha)
    return FUNCTIONS[FINAL_FUNCTIONS[net.loss]].onnx(graph, x, 0.0)


def _scaling(model: Network) -> str:
    """Return what users with inputs other than floats must know."""
    if model.input_dtype == "float":
        return "numbers as the net was fitted on"
    return "divide bytes by 255"


def _add_label(graph: Graph, model: Network) -> None:
    """Add what `Network.predict` does."""
    if model.output_shape[0] > 1 and not has_many_labels(model):
        graph.node("ArgMax", "probabilities", output="label", axis=1, keepdims=0)
        return
    yes = graph.node("GreaterOrEqual", "probabilities", graph.number(0.5))
    if not has_many_labels(model):
        yes = graph.node("Reshape", yes, graph.constant("rows", [-1]))
    graph.node("Cast", yes, output="label", to=INT64)


# ---- layers: graph, step, name of the input -> name of the output ----


def _linear(graph: Graph, step: Step, x: str, prefix: str = "") -> str:
    """X W + b, with the arrays `prefix`weight and `prefix`bias."""
    product = graph.node("MatMul", x, graph.array(step, f"{prefix}weight"))
    return graph.node("Add", product, graph.array(step, f"{prefix}bias"))


def _dense(graph: Graph, step: Step, x: str) -> str:
    if len(step.input_shape) > 1:
        return _linear(graph, step, x)
    return graph.node("Gemm", x, graph.array(step, "weight"), graph.array(step, "bias"))


def _conv(graph: Graph, step: Step, x: str) -> str:
    weight, bias = graph.array(step, "weight"), graph.array(step, "bias")
    window = step.window
    more: dict[str, Any] = {"dilations": list(window.dilation), "group": window.groups}
    return graph.node("Conv", x, weight, bias, **more, **_window(step))


def _window(step: Step) -> dict[str, Any]:
    window = step.window
    return {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "pads": [*window.before, *window.after],
    }


def _maxpool(graph: Graph, step: Step, x: str) -> str:
    return graph.node("MaxPool", x, **_window(step))


def _avgpool(graph: Graph, step: Step, x: str) -> str:
    counts = int(step.window.counts_padding)
    return graph.node("AveragePool", x, count_include_pad=counts, **_window(step))


def _global_avgpool(graph: Graph, step: Step, x: str) -> str:
    return graph.node("Flatten", graph.node("GlobalAveragePool", x))


def _global_maxpool(graph: Graph, step: Step, x: str) -> str:
    return graph.node("Flatten", graph.node("GlobalMaxPool", x))


def _flatten(graph: Graph, step: Step, x: str) -> str:
    return graph.node("Flatten", x)


def _reshape(graph: Graph, step: Step, x: str) -> str:
    return graph.reshape(x, *step.output_shape)


def _same(graph: Graph, step: Step, x: str) -> str:
    return x


def _prelu(graph: Graph, step: Step, x: str) -> str:
    weight = step.arrays["weight"]
    if len(weight) > 1:
        weight = weight.reshape(-1, *[1] * (len(step.input_shape) - 1))
    return graph.node("PRelu", x, graph.constant(f"{step.name}.weight", weight))


def _softmax(graph: Graph, step: Step, x: str) -> str:
    return graph.node("Softmax", x)


def _patch_embed(graph: Graph, step: Step, x: str) -> str:
    """Write it as a convolution whose windows do not overlap, and tokens from its pixels."""
    patch, units = step.layer.patch_size, step.layer.units
    *channels, height, width = step.input_shape
    depth = channels[0] if channels else 1
    image = x if channels else graph.reshape(x, depth, height, width)
    weight = step.arrays["weight"].T.reshape(units, depth, patch, patch)
    name = graph.constant(f"{step.name}.weight", weight)
    bias = graph.array(step, "bias")
    size: Any = [patch, patch]
    grid = graph.node("Conv", image, name, bias, kernel_shape=size, strides=size)
    columns = graph.reshape(grid, units, step.output_shape[0])
    return graph.node("Transpose", columns, perm=[0, 2, 1])


def _patch_embed1d(graph: Graph, step: Step, x: str) -> str:
    """Write it as a convolution whose windows do not overlap."""
    patch, units = step.layer.patch_size, step.layer.units
    weight = step.arrays["weight"].T.reshape(units, -1, patch)
    name = graph.constant(f"layers.{step.index}.weight", weight)
    size: Any = [patch]
    bias = graph.array(step, "bias")
    columns = graph.node("Conv", x, name, bias, kernel_shape=size, strides=size)
    return graph.node("Transpose", columns, perm=[0, 2, 1])


def _embedding(graph: Graph, step: Step, x: str) -> str:
    table, last = (
        graph.array(step, "weight"),
        graph.number(float(step.layer.num_embeddings - 1)),
    )
    within = graph.node("Min", graph.node("Max", x, graph.number(0.0)), last)
    nearest = graph.node("Add", within, graph.number(0.5))
    return graph.node("Gather", table, graph.node("Cast", nearest, to=INT64))


def _columns(graph: Graph, step: Step, x: str) -> str:
    first, end = step.layer.first, step.layer.first + step.layer.count
    bounds = [
        graph.constant(f"{step.name}.{name}", np.array([value], np.int64))
        for name, value in (("first", first), ("end", end), ("axis", -1))
    ]
    return graph.node("Slice", x, *bounds)


def _position(graph: Graph, step: Step, x: str) -> str:
    return graph.node("Add", x, graph.array(step, "table"))


def _self_attention(graph: Graph, step: Step, x: str) -> str:
    tokens, width = step.input_shape
    heads = step.layer.heads
    q, k, v = (
        graph.reshape(_linear(graph, step, x, f"{name}_"), tokens, heads, width // heads)
        for name in "qkv"
    )
    q, v = (graph.node("Transpose", array, perm=[0, 2, 1, 3]) for array in (q, v))
    k = graph.node("Transpose", k, perm=[0, 2, 3, 1])
    scale = graph.number(1 / math.sqrt(width // heads))
    scores = graph.node("Mul", graph.node("MatMul", q, k), scale)
    weights = _weights_of_seen(graph, step, scores)
    context = graph.node("MatMul", weights, v)
    joined = graph.node("Transpose", context, perm=[0, 2, 1, 3])
    out = graph.reshape(joined, tokens, width)
    if step.layer.out_proj:
        out = _linear(graph, step, out, "out_")
    return graph.node("Add", out, x) if step.layer.residual else out


def _weights_of_seen(graph: Graph, step: Step, scores: str) -> str:
    """Write the softmax over the tokens that each token sees; zeros where it sees none."""
    tokens = step.input_shape[0]
    seen = ""
    if step.masked_by >= 0:
        seen = graph.reshape(_real(graph, step), 1, 1, tokens)
    if step.layer.causal:
        before = graph.constant(
            f"causal_{tokens}", np.tri(tokens, dtype=np.float32)[None, None]
        )
        seen = graph.node("Mul", seen, before) if seen else before
    if not seen:
        return graph.node("Softmax", scores)
    sees = graph.node("Cast", seen, to=BOOL)
    hidden = graph.node("Where", sees, scores, graph.number(-1e30))
    return graph.node("Mul", graph.node("Softmax", hidden), seen)


def _real(graph: Graph, step: Step) -> str:
    """Return the name of a masking layer's 1 for each real token and 0 for padding."""
    index = step.index if step.type == "masking" else step.masked_by
    return f"{graph.prefix}real_{index}"


def _masking(graph: Graph, step: Step, x: str) -> str:
    alike = graph.node("Equal", x, graph.number(step.layer.value))
    same = graph.node("Cast", alike, to=FLOAT)
    padding = graph.reduced("ReduceMin", same, 2, keepdims=1)
    real = graph.node("Sub", graph.number(1.0), padding, output=_real(graph, step))
    return graph.node("Mul", x, real)


def _mean_pool(graph: Graph, step: Step, x: str) -> str:
    if step.masked_by < 0:
        return graph.reduced("ReduceMean", x, 1, keepdims=0)
    axis = graph.constant("tokens", np.array([1], np.int64))
    total = graph.node(
        "ReduceSum", graph.node("Mul", x, _real(graph, step)), axis, keepdims=0
    )
    count = graph.node("ReduceSum", _real(graph, step), axis, keepdims=0)
    return graph.node("Div", total, graph.node("Max", count, graph.number(1.0)))


Writer: TypeAlias = Callable[[Graph, Step, str], str]

LAYERS: dict[str, Writer] = {
    "dense": _dense,
    "conv1d": _conv,
    "conv2d": _conv,
    "maxpool1d": _maxpool,
    "maxpool2d": _maxpool,
    "avgpool1d": _avgpool,
    "avgpool2d": _avgpool,
    "global_avgpool1d": _global_avgpool,
    "global_avgpool2d": _global_avgpool,
    "global_maxpool1d": _global_maxpool,
    "global_maxpool2d": _global_maxpool,
    "flatten": _flatten,
    "reshape": _reshape,
    "activation": _same,  # its function is added as any layer's
    "prelu": _prelu,
    "softmax": _softmax,
    "batchnorm": batchnorm,
    "layernorm": layernorm,
    "rmsnorm": rmsnorm,
    "normalization": normalization,
    "dropout": _same,
    "gaussian_noise": _same,
    "columns": _columns,
    "embedding": _embedding,
    "patch_embed": _patch_embed,
    "patch_embed1d": _patch_embed1d,
    "position": _position,
    "self_attention": _self_attention,
    "masking": _masking,
    **dict.fromkeys(RECURRENT, recurrent),
    "mean_pool": _mean_pool,
    "fork": fork,
    "branch": branch,
    "add": add,
    "concat": concat,
}
