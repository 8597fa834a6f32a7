"""What the planner makes of layers: the patterns of ARCHITECTURE.md, and their neighbors."""

import numpy as np
import pytest

import rnn_native._core as _core
from branch_twins import flat, residual
from cases import (
    SOFTMAX,
    activation,
    conv2d,
    dense,
    flatten,
    layernorm,
    maxpool2d,
    mean_pool,
    patch_embed,
    position,
    self_attention,
)

PATCHES = [patch_embed(2, 4), position(), activation("relu")]
RELU = {"activation": "relu"}


def stages_of(layers, shape):
    """Names of the stages, in order, as the profile calls them."""
    net = _core.Net(flat(layers), shape, SOFTMAX)
    net.profile = True
    x = np.zeros((3, int(np.prod(shape))), np.float32)
    net.train(x, np.zeros(3, np.int32), np.arange(3, dtype=np.int32), 3, 0.1)
    stages = dict.fromkeys(stage for stage, _, _ in net.profile)
    return [stage for stage in stages if stage != "net"]


CASES = {
    "pooled dense": ([dense(4), mean_pool()], (5, 6), ["dense+mean_pool"]),
    "dense that is not linear": (
        [dense(4, "relu"), mean_pool()],
        (5, 6),
        ["dense", "mean_pool"],
    ),
    "no dense below the pool": (
        [layernorm(), mean_pool()],
        (5, 6),
        ["layernorm", "mean_pool"],
    ),
    "window by window": (
        [conv2d(8, 3, **RELU), maxpool2d(), flatten(), dense(10)],
        (1, 12, 12),
        ["conv2d+maxpool2d+dense"],
    ),
    "window by window, without the layer above": (
        [conv2d(1, 3, **RELU), maxpool2d(), flatten(), dense(40)],
        (1, 12, 12),
        ["conv2d+maxpool2d", "dense"],
    ),
    "pixels and a pool": (
        [conv2d(16, 3, **RELU), maxpool2d(), flatten(), dense(3)],
        (3, 12, 12),
        ["rearrange", "conv+maxpool in pixels", "dense"],
    ),
    "pixels": (
        [conv2d(16, 3), layernorm(), flatten(), dense(3)],
        (3, 12, 12),
        ["rearrange", "conv in pixels", "layernorm", "dense"],
    ),
    "patches and attention": (
        [*PATCHES, self_attention(2), mean_pool()],
        (1, 8, 8),
        ["patch_embed+self_attention", "mean_pool"],
    ),
    "attention that is causal": (
        [*PATCHES, self_attention(2, causal=True), mean_pool()],
        (1, 8, 8),
        ["patch_embed", "position", "activation", "self_attention", "mean_pool"],
    ),
    "attention alone in a block": (
        [*residual(self_attention(2)), mean_pool()],
        (4, 8),
        ["self_attention", "mean_pool"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_become_stages(name, level):
    layers, shape, stages = CASES[name]
    assert stages_of(layers, shape) == stages
