"""A workload's layers as a PyTorch module with given parameters."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
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


def conv(spec, weight, bias):
    filters, channels, *size = weight.shape
    made = nn.Conv2d if len(size) == 2 else nn.Conv1d
    layer = made(channels, filters, size, spec.get("stride", 1), spec.get("padding", 0))
    return with_parameters(layer, weight, bias)


def with_parameters(layer, weight, bias):
    layer.weight, layer.bias = as_parameter(weight), as_parameter(bias)
    return layer


class BatchNorm(nn.Module):
    """Of PyTorch's three the one that fits what it is given."""

    def __init__(self, weight, bias):
        super().__init__()
        self.norm = with_parameters(nn.BatchNorm2d(len(weight)), weight, bias)

    def forward(self, x):
        return self.norm(x if x.ndim == 4 else x[..., None]).reshape(x.shape)


def projections(params):
    """Return those of queries, keys and values as one layer."""
    weight, bias = (
        np.concatenate([params[f"{which}_{kind}"] for which in "qkv"], -1)
        for kind in ("weight", "bias")
    )
    return linear(weight, bias)


class Heads(nn.Module):
    """Attention of several heads, with the layer after it."""

    def __init__(self, heads, params):
        super().__init__()
        self.heads, self.qkv = heads, projections(params)
        self.out = linear(params["out_weight"], params["out_bias"])

    def forward(self, x):
        rows, tokens, width = x.shape
        split = self.qkv(x).view(rows, tokens, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(q, k, v)
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
        return [conv(spec, **params)]
    if kind in ("maxpool1d", "maxpool2d"):
        return [
            (nn.MaxPool1d if kind == "maxpool1d" else nn.MaxPool2d)(spec["kernel_size"])
        ]
    if kind == "batchnorm":
        return [BatchNorm(**params)]
    if kind == "layernorm":
        return [with_parameters(nn.LayerNorm(len(params["weight"])), **params)]
    if kind == "flatten":
        return [nn.Flatten()]
    if kind == "patch_embed":
        return [Patches(spec["patch_size"]), linear(**params)]
    if kind == "position":
        return [Position(**params)]
    if kind == "self_attention" and spec.get("out_proj"):
        return [Heads(spec["heads"], params)]
    if kind == "self_attention":
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
