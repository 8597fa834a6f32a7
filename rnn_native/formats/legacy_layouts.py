"""Layouts of the reference system's model files: one of each of its three models."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from rnn_native.formats.parameters import Architecture

ATTENTION_SIZES = ((64, 128), (16, 32))
"""(D, F) of the known attention models; a file does not store them."""

_POOL = 2
_CLASSES = 10


class Tensor(NamedTuple):
    """A parameter in a file: its name in the reference system, and its shape."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Format:
    """A layout of a file.

    Attributes
    ----------
    kind : {"mlp", "cnn", "attention"}
    width : {4, 8}
        Bytes of a value.
    pieces : tuple of int and Tensor
        What the file holds, in order; an int is that number, stored as int32.
    architecture : dict
        Layers, input shape and loss, as `Network.architecture` returns them.
    """

    kind: str
    width: int
    pieces: tuple[int | Tensor, ...]
    architecture: Architecture

    @property
    def tensors(self) -> list[Tensor]:
        """The parameters, in storage order."""
        return [piece for piece in self.pieces if isinstance(piece, Tensor)]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        values = sum(math.prod(tensor.shape) for tensor in self.tensors)
        return 4 * (len(self.pieces) - len(self.tensors)) + self.width * values

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.architecture["input_shape"]))
        return f"{self.kind} on {sizes}, float{8 * self.width}"


# ---- the three layouts ----


def mlp_format(inputs: int, hidden: int, outputs: int, width: int) -> Format:
    """Return the layout of an MLP, whose values are `width` bytes wide."""
    return Format(
        "mlp",
        width,
        (
            inputs,
            hidden,
            outputs,
            Tensor("W1", (inputs, hidden)),
            Tensor("b1", (hidden,)),
            Tensor("W2", (hidden, outputs)),
            Tensor("b2", (outputs,)),
        ),
        _architecture([inputs], [_dense(hidden, "relu"), _dense(outputs)]),
    )


def cnn_format(
    filters: int, channels: int, kernel: int, height: int, width: int, outputs: int
) -> Format:
    """Return the layout of a CNN on images of `channels` x `height` x `width`."""
    pooled_height, pooled_width = _pooled(height, kernel), _pooled(width, kernel)
    inputs = filters * pooled_height * pooled_width
    layers: list[dict[str, Any]] = [
        {
            "type": "conv2d",
            "filters": filters,
            "kernel_size": kernel,
            "stride": 1,
            "padding": 1,
            "activation": "relu",
        },
        {"type": "maxpool2d", "kernel_size": _POOL, "stride": _POOL, "padding": 0},
        {"type": "flatten"},
        _dense(outputs),
    ]
    return Format(
        "cnn",
        4,
        (
            filters,
            channels,
            kernel,
            height,
            width,
            Tensor("conv_w", (filters, channels, kernel, kernel)),
            Tensor("conv_b", (filters,)),
            inputs,
            outputs,
            Tensor("fc_w", (inputs, outputs)),
            Tensor("fc_b", (outputs,)),
        ),
        _architecture([channels, height, width], layers),
    )


def _pooled(extent: int, kernel: int) -> int:
    """Return what padding 1, the kernel, and pooling leave of an image's extent."""
    return max(0, extent + 2 - kernel + 1) // _POOL


def attention_format(model: int, feed_forward: int) -> Format:
    """Return the layout of an attention model of width `model`."""
    tokens, patch = 49, 4
    projections = [
        tensor
        for letter in "qkv"
        for tensor in (
            Tensor(f"w_{letter}", (model, model)),
            Tensor(f"b_{letter}", (model,)),
        )
    ]
    layers: list[dict[str, Any]] = [
        {"type": "patch_embed", "patch_size": patch, "units": model},
        {"type": "position", "init": "sinusoidal", "trainable": True},
        {"type": "activation", "function": "relu"},
        {"type": "self_attention", "heads": 1, "out_proj": False, "residual": False},
        _dense(feed_forward, "relu"),
        _dense(model),
        {"type": "mean_pool"},
        _dense(_CLASSES),
    ]
    return Format(
        "attention",
        4,
        (
            Tensor("w_patch", (patch * patch, model)),
            Tensor("b_patch", (model,)),
            Tensor("pos", (tokens, model)),
            *projections,
            Tensor("w_ff1", (model, feed_forward)),
            Tensor("b_ff1", (feed_forward,)),
            Tensor("w_ff2", (feed_forward, model)),
            Tensor("b_ff2", (model,)),
            Tensor("w_cls", (model, _CLASSES)),
            Tensor("b_cls", (_CLASSES,)),
        ),
        _architecture([1, 28, 28], layers),
    )


def _dense(units: int, activation: str = "linear") -> dict[str, Any]:
    return {"type": "dense", "units": units, "activation": activation}


def _architecture(input_shape: list[int], layers: list[dict[str, Any]]) -> Architecture:
    return {"layers": layers, "input_shape": input_shape, "loss": "softmax_cross_entropy"}
