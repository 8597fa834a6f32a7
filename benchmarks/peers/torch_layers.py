"""A workload's layers as a PyTorch module with given parameters."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def as_parameter(array):
    return nn.Parameter(torch.tensor(array))


def linear(weight, bias):
    """Return the layer x W + b; PyTorch keeps W transposed."""
    layer = nn.Linear(*weight.shape)
    layer.weight = as_parameter(weight.T)
    layer.bias = as_parameter(bias)
    return layer


def conv(spec, weight, bias):
    filters, channels, size, _ = weight.shape
    layer = nn.Conv2d(channels, filters, size, spec["stride"], spec["padding"])
    layer.weight, layer.bias = as_parameter(weight), as_parameter(bias)
    return layer


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
        weight, bias = (
            np.concatenate([params[f"{which}_{kind}"] for which in "qkv"], -1)
            for kind in ("weight", "bias")
        )
        self.qkv = linear(weight, bias)
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
    if kind == "conv2d":
        return [conv(spec, **params)]
    if kind == "maxpool2d":
        return [nn.MaxPool2d(spec["kernel_size"])]
    if kind == "flatten":
        return [nn.Flatten()]
    if kind == "patch_embed":
        return [Patches(spec["patch_size"]), linear(**params)]
    if kind == "position":
        return [Position(**params)]
    if kind == "self_attention":
        return [SelfAttention(params, fused_attention)]
    if kind == "mean_pool":
        return [MeanPool()]
    assert kind == "activation", kind
    return []


def build(layers, fused_attention=False):
    """Return a Sequential of (spec, params) layers."""
    net = nn.Sequential()
    for spec, params in layers:
        net.extend(modules_of(spec, params, fused_attention))
        activation = spec.get("activation", spec.get("function", "linear"))
        if activation != "linear":
            net.append(ACTIVATIONS[activation]())
    return net
