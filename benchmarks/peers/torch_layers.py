"""A workload's layers as a PyTorch module with given parameters."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "gelu_exact": nn.GELU,
    "gelu": partial(nn.GELU, approximate="tanh"),
}


def as_parameter(array):
    return nn.Parameter(torch.tensor(array))


def linear(weight, bias):
    """Return the layer x W + b; PyTorch keeps W transposed."""
    layer = nn.Linear(*weight.shape)
    layer.weight = as_parameter(weight.T)
    layer.bias = as_parameter(bias)
    return layer


def window_of(spec, axes, *names):
    """Return a window's numbers, for an image's two axes or for the one of a signal."""
    return {name: spec["window"][name][-axes:] for name in names}


def sides_of(spec, axes):
    """Return the padding before and after each axis, as the core has it; the last axis first."""
    top, bottom, left, right = spec["window"]["padding"]
    return [left, right, top, bottom][: 2 * axes]


def conv(spec, weight, bias):
    """Return a convolution, after a layer that pads unless both sides are the same."""
    filters, channels, *size = weight.shape
    axes = len(size)
    made = nn.Conv2d if axes == 2 else nn.Conv1d
    sides = sides_of(spec, axes)
    even = sides[::2] == sides[1::2]
    options = window_of(spec, axes, "stride", "dilation")
    groups = spec["window"]["groups"]
    layer = made(
        *(channels * groups, filters, size),
        padding=sides[::2][::-1] if even else 0,
        groups=groups,
        **options,
    )
    padding = [] if even else [(nn.ZeroPad2d if axes == 2 else nn.ConstantPad1d)(sides)]
    return [*padding, with_parameters(layer, weight, bias)]


POOLS = {
    "maxpool1d": nn.MaxPool1d,
    "maxpool2d": nn.MaxPool2d,
    "avgpool1d": nn.AvgPool1d,
    "avgpool2d": nn.AvgPool2d,
}


def pool(spec):
    axes = 2 if spec["type"].endswith("2d") else 1
    options = window_of(spec, axes, "stride")
    sides = sides_of(spec, axes)
    assert sides[::2] == sides[1::2], "a pool with as much padding on both sides"
    size = spec["window"]["kernel"][-axes:]
    return POOLS[spec["type"]](size, padding=sides[::2][::-1], **options)


class GlobalPool(nn.Module):
    """The mean or the maximum of each channel."""

    def __init__(self, kind):
        super().__init__()
        self.is_mean = kind.startswith("global_avg")

    def forward(self, x):
        axes = tuple(range(2, x.ndim))
        return x.mean(axes) if self.is_mean else x.amax(axes)


def with_parameters(layer, weight, bias):
    layer.weight, layer.bias = as_parameter(weight), as_parameter(bias)
    return layer


def batchnorm(spec, params):
    made = nn.BatchNorm2d if len(spec["shape"]) == 3 else nn.BatchNorm1d
    layer = made(len(params["weight"]), spec["epsilon"], 1 - spec["momentum"])
    return with_parameters(layer, **params)


def projections(params):
    """Return those of queries, keys and values as one layer."""
    weight, bias = (
        np.concatenate([params[f"{which}_{kind}"] for which in "qkv"], -1)
        for kind in ("weight", "bias")
    )
    return linear(weight, bias)


class Heads(nn.Module):
    """Attention of several heads, with the layer after it."""

    def __init__(self, spec, params):
        super().__init__()
        self.heads, self.qkv = spec["heads"], projections(params)
        self.causal = spec.get("causal", False)
        self.out = linear(params["out_weight"], params["out_bias"])

    def forward(self, x):
        rows, tokens, width = x.shape
        split = self.qkv(x).view(rows, tokens, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(context.transpose(1, 2).reshape(rows, tokens, width))


class Join(nn.Module):
    """What branches give for one input: their sum, or all channels."""

    def __init__(self, kind, branches):
        super().__init__()
        self.adds, self.branches = kind == "add", nn.ModuleList(branches)

    def forward(self, x):
        given = [branch(x) for branch in self.branches]
        return sum(given[1:], given[0]) if self.adds else torch.cat(given, dim=1)


class Patches(nn.Module):
    """Square patches of an image as tokens, row by row of the grid."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        b, c, h, w = x.shape
        size = self.size
        grid = x.reshape(b, c, h // size, size, w // size, size)
        return grid.permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * size * size)


class Position(nn.Module):
    """A trained table added to the tokens."""

    def __init__(self, table):
        super().__init__()
        self.table = as_parameter(table)

    def forward(self, x):
        return x + self.table


class SelfAttention(nn.Module):
    """One head, its three projections as one product; `fused` has PyTorch do the rest."""

    def __init__(self, params, fused):
        super().__init__()
        self.qkv = projections(params)
        self.fused = fused

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.fused:
            q, k, v = (part.unsqueeze(1) for part in (q, k, v))
            return F.scaled_dot_product_attention(q, k, v).squeeze(1)
        scores = torch.bmm(q, k.transpose(1, 2)) * q.shape[-1] ** -0.5
        return torch.bmm(scores.softmax(-1), v)


class MeanPool(nn.Module):
    """The mean over tokens."""

    def forward(self, x):
        return x.mean(1)


def modules_of(spec, params, fused_attention):
    """Return the modules for one layer, its activation aside."""
    kind = spec["type"]
    if kind == "dense":
        return [linear(**params)]
    if kind in ("conv1d", "conv2d"):
        return conv(spec, **params)
    if kind in POOLS:
        return [pool(spec)]
    if kind.startswith("global_"):
        return [GlobalPool(kind)]
    if kind == "dropout":
        return [nn.Dropout(spec["rate"])]
    if kind == "batchnorm":
        return [batchnorm(spec, params)]
    if kind == "layernorm":
        return [with_parameters(nn.LayerNorm(len(params["weight"])), **params)]
    if kind == "rmsnorm":
        layer = nn.RMSNorm(len(params["weight"]), spec["epsilon"])
        layer.weight = as_parameter(params["weight"])
        return [layer]
    if kind == "flatten":
        return [nn.Flatten()]
    if kind == "patch_embed":
        return [Patches(spec["patch_size"]), linear(**params)]
    if kind == "position":
        return [Position(**params)]
    assert not spec.get("residual"), "a residual block says the same"
    if kind == "self_attention" and spec.get("out_proj"):
        return [Heads(spec, params)]
    if kind == "self_attention":
        assert spec["heads"] == 1
        return [SelfAttention(params, fused_attention)]
    if kind == "mean_pool":
        return [MeanPool()]
    assert kind == "activation", kind
    return []


def build(layers, fused_attention=False):
    """Return a Sequential of (spec, params) layers, blocks between their marks."""
    lists = [[nn.Sequential()]]  # the branches of each open fork, innermost last
    for spec, params in layers:
        if spec["type"] == "fork":
            lists.append([nn.Sequential()])
        elif spec["type"] == "branch":
            lists[-1].append(nn.Sequential())
        elif spec["type"] in ("add", "concat"):
            branches = lists.pop()
            lists[-1][-1].append(Join(spec["type"], branches))
        else:
            lists[-1][-1].extend(modules_of(spec, params, fused_attention))
        activation = spec.get("activation", spec.get("function", "linear"))
        if activation != "linear":
            lists[-1][-1].append(ACTIVATIONS[activation]())
    return lists[0][0]
