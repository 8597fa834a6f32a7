"""A net as the page's JavaScript reads it: layers as JSON, and their arrays as bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.export.functions import FUNCTIONS
from rnn_native.export.int8 import quantised
from rnn_native.export.steps import FINAL_FUNCTIONS, Step, by_output, whole_steps_of
from rnn_native.models.network import Network


@dataclass(slots=True)
class Store:
    """Arrays of layers, one behind the other: first all float32, then all int8.

    Attributes
    ----------
    int8 : bool
        Whether matrices are rounded to int8.
    floats : list of ndarray of float32
    rounded : list of ndarray of int8
    """

    int8: bool
    floats: list[NDArray[np.float32]] = field(default_factory=list)
    rounded: list[NDArray[np.int8]] = field(default_factory=list)

    def array(self, values: NDArray[np.float32]) -> dict[str, int]:
        """Keep an array; return where it begins among the floats, and its size."""
        at = sum(kept.size for kept in self.floats)
        self.floats.append(values.astype(np.float32).ravel())
        return {"at": at, "size": values.size}

    def matrix(self, rows: NDArray[np.float32]) -> dict[str, Any]:
        """Keep a matrix with a row for each output; return where it is.

        With `scales` it is among the bytes: value i belongs to row i * rows / size.
        """
        if not self.int8:
            return self.array(rows)
        values, scales = quantised(rows)
        at = sum(kept.size for kept in self.rounded)
        self.rounded.append(values.ravel())
        return {"at": at, "size": values.size, "scales": self.array(scales)}

    def content(self) -> bytes:
        """Return all of it, little-endian."""
        floats = b"".join(values.astype("<f4").tobytes() for values in self.floats)
        return floats + b"".join(values.tobytes() for values in self.rounded)


def described_net(net: Network, store: Store) -> dict[str, Any]:
    """Return a net's layers and what makes predictions of its outputs, for JSON.

    Raises
    ------
    ValueError
        If a layer or its activation cannot be expressed; names it.
    """
    layers = [_described(step, store) for step in whole_steps_of(net)]
    return {"layers": layers, "final": FINAL_FUNCTIONS[net.loss]}


def _described(step: Step, store: Store) -> dict[str, Any]:
    function, alpha = step.activation
    if step.type not in LAYERS or function not in FUNCTIONS:
        raise step.refusal("a page")
    layer: dict[str, Any] = {
        "type": step.type,
        "input": step.input_shape,
        "output": step.output_shape,
        **LAYERS[step.type](step, store),
    }
    if function != "linear":
        layer |= {"activation": function, "alpha": float(np.float32(alpha))}
    return layer


# ---- layers: step, store -> what the JavaScript function of the type reads ----


def _nothing(step: Step, store: Store) -> dict[str, Any]:
    return {}


def _linear(step: Step, store: Store, prefix: str = "") -> dict[str, Any]:
    """Keep matrix and bias as the arrays `prefix`weight and `prefix`bias."""
    return {
        f"{prefix}weight": store.matrix(by_output(step.arrays[f"{prefix}weight"])),
        f"{prefix}bias": store.array(step.arrays[f"{prefix}bias"]),
    }


def _window(step: Step, store: Store) -> dict[str, Any]:
    """Return the window's numbers down and right; a signal is an image of one row."""
    window = step.window

    def both(axes: tuple[int, ...], down: int) -> tuple[int, ...]:
        return axes if len(axes) == 2 else (down, *axes)

    return {
        "kernel": both(window.kernel, 1),
        "stride": both(window.stride, 1),
        "dilation": both(window.dilation, 1),
        "before": both(window.before, 0),
    }


def _conv(step: Step, store: Store) -> dict[str, Any]:
    groups = {"groups": step.window.groups}
    return {**_linear(step, store), **_window(step, store), **groups}


def _avgpool(step: Step, store: Store) -> dict[str, Any]:
    return {**_window(step, store), "countsPadding": step.window.counts_padding}


def _norm(step: Step, store: Store) -> dict[str, Any]:
    arrays = {name: store.array(values) for name, values in step.arrays.items()}
    return {**arrays, "epsilon": float(np.float32(step.layer.epsilon))}


def _normalization(step: Step, store: Store) -> dict[str, Any]:
    mean, scale, by_first = step.normalization
    arrays = {"mean": store.array(mean), "scale": store.array(scale)}
    return {**arrays, "area": step.outputs // len(mean) if by_first else 1}


def _patch_embed(step: Step, store: Store) -> dict[str, Any]:
    size = step.layer.patch_size
    return {**_linear(step, store), "patch": (size, size)}


def _patch_embed1d(step: Step, store: Store) -> dict[str, Any]:
    channels, length = step.input_shape
    patch = {"patch": (1, step.layer.patch_size), "input": (channels, 1, length)}
    return {**_linear(step, store), **patch}


def _embedding(step: Step, store: Store) -> dict[str, Any]:
    weight = step.arrays["weight"]
    return {"weight": store.array(weight), "rows": len(weight)}


def _columns(step: Step, store: Store) -> dict[str, Any]:
    return {"first": step.layer.first}


def _prelu(step: Step, store: Store) -> dict[str, Any]:
    return {"weight": store.array(step.arrays["weight"])}


def _position(step: Step, store: Store) -> dict[str, Any]:
    return {"table": store.array(step.arrays["table"])}


def _self_attention(step: Step, store: Store) -> dict[str, Any]:
    layer = step.layer
    matrices: dict[str, Any] = {}
    for prefix in ("q_", "k_", "v_", *(["out_"] if layer.out_proj else [])):
        matrices |= _linear(step, store, prefix)
    return {
        **matrices,
        "heads": layer.heads,
        "causal": layer.causal,
        "residual": layer.residual,
        "maskedBy": step.masked_by,
    }


def _masking(step: Step, store: Store) -> dict[str, Any]:
    return {"value": float(np.float32(step.layer.value))}


def _recurrent(step: Step, store: Store) -> dict[str, Any]:
    return {
        **_linear(step, store, "input_"),
        **_linear(step, store, "hidden_"),
        "units": step.layer.units,
        "sequences": step.layer.return_sequences,
        "reverse": step.layer.reverse,
        "maskedBy": step.masked_by,
    }


def _mean_pool(step: Step, store: Store) -> dict[str, Any]:
    return {"maskedBy": step.masked_by}


def _concat(step: Step, store: Store) -> dict[str, Any]:
    return {"axis": step.axis}


Describe: TypeAlias = Callable[[Step, Store], dict[str, Any]]

LAYERS: dict[str, Describe] = {
    "dense": _linear,
    "conv1d": _conv,
    "conv2d": _conv,
    "maxpool1d": _window,
    "maxpool2d": _window,
    "avgpool1d": _avgpool,
    "avgpool2d": _avgpool,
    "global_avgpool1d": _nothing,
    "global_avgpool2d": _nothing,
    "global_maxpool1d": _nothing,
    "global_maxpool2d": _nothing,
    "flatten": _nothing,
    "reshape": _nothing,
    "activation": _nothing,  # its function is that of any layer
    "prelu": _prelu,
    "softmax": _nothing,
    "batchnorm": _norm,
    "layernorm": _norm,
    "rmsnorm": _norm,
    "normalization": _normalization,
    "dropout": _nothing,
    "gaussian_noise": _nothing,
    "columns": _columns,
    "embedding": _embedding,
    "patch_embed": _patch_embed,
    "patch_embed1d": _patch_embed1d,
    "position": _position,
    "self_attention": _self_attention,
    "masking": _masking,
    "simple_rnn": _recurrent,
    "gru": _recurrent,
    "lstm": _recurrent,
    "mean_pool": _mean_pool,
    "fork": _nothing,
    "branch": _nothing,
    "add": _nothing,
    "concat": _concat,
}
"""By type; `LAYERS` of page/layers.js, and what is added to it, has what they compute."""
