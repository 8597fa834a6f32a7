"""The memory of nets, small and large."""

import numpy as np
import pytest

import rnn_native._core as _core
from cases import dense
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
