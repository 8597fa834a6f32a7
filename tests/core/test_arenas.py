"""The memory of nets, small and large."""

import math

import numpy as np
import pytest

import rnn_native._core as _core
from cases import conv2d, dense, flatten
from memory import measured, resident


@pytest.mark.parametrize("units", [1, 100, 511, 512, 513, 2048])
def test_parameters_begin_as_zeros_at_a_cache_line(units):
    net = _core.Net([dense(units)], (512,), "none")
    assert net.params.ctypes.data % 64 == 0
    assert not net.params.any()


@measured
@pytest.mark.parametrize("units", [50, 2000], ids=["small", "large"])
def test_arenas_are_given_back(units):
    def use_a_net():
        net = _core.Net([dense(units)], (1000,), "none")
        net.params[:] = 1
        net.predict(np.zeros((100, 1000), np.float32))
        return net.params.nbytes

    size = use_a_net()
    before = resident()
    for _ in range(max(20, 200_000_000 // size // 10)):
        use_a_net()
    assert resident() - before < 30


@pytest.mark.parametrize(
    ("layers", "shape", "rows", "in_block"),
    [
        ([dense(64)] * 3, (64,), 4096, 1024),
        (
            [conv2d(8, 3), flatten()],
            (1, 28, 28),
            1024,
            128,
        ),  # more would leave the L2 cache
        ([conv2d(8, 1), flatten()], (1, 256, 256), 64, 16),  # more would need over 128 MB
    ],
    ids=["small", "large", "huge"],
)
def test_predictions_go_in_blocks_that_memory_is_bounded_by(layers, shape, rows, in_block):
    """Each block of rows is one job of the threads."""
    net = _core.Net(layers, shape, "none")
    net.profile = True
    net.predict(np.zeros((rows, math.prod(shape)), np.uint8), threads=2)
    assert [count for _, count, _ in net.jobs] == [rows // in_block]
