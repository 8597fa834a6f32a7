"""The stages for layers: the patterns of docs/explanation/plan.md, and their neighbors."""

import numpy as np
import pytest

import rnn_native._core as _core
from branch_twins import concat, flat, residual
from cases import (
    activation,
    avgpool2d,
    conv1d,
    conv2d,
    dense,
    flatten,
    layernorm,
    masking,
    maxpool1d,
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
    net = _core.Net(flat(layers), shape, "none")
    net.profile = True
    outputs = int(np.prod(net.layers[-1]["shape"]))
    net.backprop(np.zeros((3, int(np.prod(shape))), "f4"), np.ones((3, outputs), "f4"))
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
    "a pool that has a mask": (
        [masking(), dense(4), mean_pool()],
        (5, 6),
        ["masking", "dense", "mean_pool"],
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
    "a convolution and its pool alone": (
        [conv2d(1, 3, **RELU), maxpool2d()],
        (1, 12, 12),
        ["conv2d+maxpool2d"],
    ),
    "pixels and a pool alone": (
        [conv2d(16, 3, **RELU), maxpool2d()],
        (3, 12, 12),
        ["rearrange", "conv+maxpool in pixels"],
    ),
    "one dimension": (
        [conv1d(16, 3, **RELU), maxpool1d()],
        (3, 12),
        ["rearrange", "conv+maxpool in pixels"],
    ),
    "another pool": (
        [conv2d(16, 3, **RELU), avgpool2d()],
        (3, 12, 12),
        ["rearrange", "conv in pixels", "avgpool2d"],
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
    "patches and attention alone": (
        [*PATCHES, self_attention(2)],
        (1, 8, 8),
        ["patch_embed+self_attention"],
    ),
    "attention with one head and a dense layer above": (
        [*PATCHES, self_attention(1), dense(3, "relu")],
        (1, 8, 8),
        ["patch_embed+self_attention+dense"],
    ),
    "one head and a linear layer": (
        [*PATCHES, self_attention(1), dense(3)],
        (1, 8, 8),
        ["patch_embed+self_attention", "dense"],
    ),
    "patches of another function": (
        [*PATCHES[:2], activation("tanh"), self_attention(2)],
        (1, 8, 8),
        ["patch_embed", "position", "activation", "self_attention"],
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
    "a block alone": (residual(self_attention(2)), (4, 8), ["self_attention"]),
    "attention in a block that adds its input by itself": (
        residual(self_attention(2, residual=True)),
        (4, 8),
        ["fork", "self_attention", "branch", "add"],
    ),
    "attention and another layer in a block": (
        residual(self_attention(2), dense(8)),
        (4, 8),
        ["fork", "self_attention", "dense", "branch", "add"],
    ),
    "attention beside its input": (
        concat([self_attention(2)], []),
        (4, 8),
        ["fork", "self_attention", "branch", "concat"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_become_stages(name, level):
    layers, shape, stages = CASES[name]
    assert stages_of(layers, shape) == stages


# What one kernel trains: at most 4 dense layers of at most 16 inputs, each of which fits a
# vector. Floats that a vector has, by CPU level:
VECTOR = {"v3": 8, "v4": 16}
TINY = {
    "one layer": ([dense(1)], (2,), True),
    "four layers": ([dense(3)] * 4, (2,), True),
    "five layers": ([dense(3)] * 5, (2,), False),
    "16 inputs": ([dense(2)], (16,), True),
    "17 inputs": ([dense(2)], (17,), False),
    "tokens": ([dense(2), flatten()], (2, 2), False),
    "another layer": ([dense(3), layernorm()], (2,), False),
}


def has_an_epoch_of_one_kernel(layers, shape):
    """Whether training made no pass of a stage."""
    net = _core.Net(layers, shape, "squared_error")
    net.profile = True
    x = np.ones((4, int(np.prod(shape))), "f4")
    y = np.ones((4, int(np.prod(net.layers[-1]["shape"]))), "f4")
    net.train(x, y, np.arange(4, dtype="i4"), 2, 0.01)
    return net.profile == []


@pytest.mark.parametrize("name", TINY)
def test_tiny_nets_are_trained_by_one_kernel(name, level):
    layers, shape, is_tiny = TINY[name]
    assert has_an_epoch_of_one_kernel(layers, shape) == is_tiny


def test_layers_of_tiny_nets_fit_a_vector(level):
    units = VECTOR.get(level, 4)
    assert has_an_epoch_of_one_kernel([dense(units), dense(2)], (3,))
    assert not has_an_epoch_of_one_kernel([dense(units + 1), dense(2)], (3,))


def test_a_row_keeps_outputs_and_caches():
    attention, pool = _core.layer_memory([self_attention(2), mean_pool()], (4, 8))
    assert attention >= 4 * 8 + 2 * 4 * 4  # outputs, and the weights of both heads
    assert pool >= 8


def test_a_net_keeps_the_level_that_it_was_made_with(level):
    net = _core.Net([dense(2)], (3,), "squared_error")
    for other in _core.build_config()["cpu_levels"]:
        _core.choose_cpu_level(other)
        assert net.level == level
