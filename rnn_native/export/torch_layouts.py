"""Which of PyTorch's tensors a layer's parameters are, and in which layout."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.export.steps import Step, by_output

Parts: TypeAlias = dict[str, list[NDArray[np.float32]]]
"""Tensors by PyTorch's name, each as the views of a net's memory that make it up, one after
another along the first axis. Numbers that cannot be written must match exactly."""


def _linear(step: Step) -> Parts:
    return {"weight": [by_output(step.arrays["weight"])], "bias": [step.arrays["bias"]]}


def _as_they_are(step: Step) -> Parts:
    return {name: [array] for name, array in step.arrays.items()}


def _patch_embed(step: Step) -> Parts:
    """As a convolution whose windows do not overlap."""
    patch, units = step.layer.patch_size, step.layer.units
    kernels = by_output(step.arrays["weight"]).reshape(units, -1, patch, patch)
    return {"weight": [kernels], "bias": [step.arrays["bias"]]}


def _patch_embed1d(step: Step) -> Parts:
    """As a convolution whose windows do not overlap."""
    patch, units = step.layer.patch_size, step.layer.units
    kernels = by_output(step.arrays["weight"]).reshape(units, -1, patch)
    return {"weight": [kernels], "bias": [step.arrays["bias"]]}


def _self_attention(step: Step) -> Parts:
    """As nn.MultiheadAttention, which always has an out_proj: the identity if ours has none."""
    width = step.input_shape[1]
    arrays = step.arrays
    parts = {
        "in_proj_weight": [arrays[f"{name}_weight"].T for name in "qkv"],
        "in_proj_bias": [arrays[f"{name}_bias"] for name in "qkv"],
    }
    if step.layer.out_proj:
        out = {"weight": arrays["out_weight"].T, "bias": arrays["out_bias"]}
    else:
        out = {
            "weight": np.eye(width, dtype=np.float32),
            "bias": np.zeros(width, np.float32),
        }
        for fixed in out.values():
            fixed.flags.writeable = False
    return {**parts, **{f"out_proj.{name}": [array] for name, array in out.items()}}


def _recurrent(step: Step) -> Parts:
    """As nn.RNN, nn.GRU and nn.LSTM of one layer, whose gates are in the same order."""
    arrays = step.arrays
    return {
        "weight_ih_l0": [arrays["input_weight"].T],
        "weight_hh_l0": [arrays["hidden_weight"].T],
        "bias_ih_l0": [arrays["input_bias"]],
        "bias_hh_l0": [arrays["hidden_bias"]],
    }


LAYERS: dict[str, Callable[[Step], Parts]] = {
    "dense": _linear,
    "conv1d": _as_they_are,
    "conv2d": _as_they_are,
    "batchnorm": _as_they_are,
    "layernorm": _as_they_are,
    "rmsnorm": _as_they_are,
    "normalization": _as_they_are,
    "prelu": _as_they_are,
    "patch_embed": _patch_embed,
    "patch_embed1d": _patch_embed1d,
    "embedding": _as_they_are,
    "position": _as_they_are,
    "self_attention": _self_attention,
    "simple_rnn": _recurrent,
    "gru": _recurrent,
    "lstm": _recurrent,
}
"""Layers that have parameters."""
