"""Predictions of more rows than the threads have under way: what stages give to each other then
lies in the same few rows, again and again.
"""

import numpy as np
import pytest

import rnn_native as rn

ROWS = 300  # threads have 64 rows each under way, or fewer


def wide(units):
    """Return a layer whose weights meet all rows together."""
    return rn.Dense(units, "relu")


NETS = {
    "dense": (
        [rn.Dense(24, "gelu"), rn.LayerNorm(), rn.Dense(24, "silu"), rn.Dense(3)],
        (12,),
    ),
    "wide in a residual": (
        [rn.Dense(256), rn.Residual([wide(256), rn.Dense(256)]), rn.Dense(16), rn.Dense(3)],
        (20,),
    ),
    "around the inputs": (
        [
            rn.Residual([rn.Dense(20, "tanh"), rn.Dense(20)]),
            rn.Dense(16, "relu"),
            rn.Dense(3),
        ],
        (20,),
    ),
    "sum above a wide layer": (
        [
            rn.Dense(40, "relu"),
            rn.Residual([rn.Dense(40, "relu"), wide(1000), rn.Dense(40)]),
            rn.Dense(30, "gelu"),
            rn.Dense(3),
        ],
        (20,),
    ),
    "convolutions": (
        [
            rn.Conv2D(16, 3, padding=1),
            rn.BatchNorm(),
            rn.Activation("relu"),
            rn.MaxPool2D(2),
            rn.Residual(
                [rn.Conv2D(16, 3, padding=1), rn.BatchNorm(), rn.Activation("elu")]
            ),
            rn.Flatten(),
            wide(512),
            rn.Dense(3),
        ],
        (3, 12, 12),
    ),
    "branches": (
        [
            rn.Concat([rn.Conv1D(8, 3, padding=1)], [rn.Conv1D(8, 5, padding=2)]),
            rn.GlobalAvgPool1D(),
            rn.Dense(16, "relu"),
            rn.Dense(3),
        ],
        (4, 20),
    ),
    "masked tokens": (
        [
            rn.Masking(),
            rn.Dense(16),
            rn.SelfAttention(heads=2, residual=True),
            rn.LayerNorm(),
            rn.MeanPool(),
            rn.Dense(3),
        ],
        (9, 8),
    ),
    "recurrent": (
        [rn.Masking(), rn.GRU(12, return_sequences=True), rn.LSTM(8), rn.Dense(3)],
        (9, 5),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_a_row_has_the_bits_that_it_has_alone(name):
    layers, shape = NETS[name]
    net = rn.Network(layers, shape, loss="squared_error", seed=3)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, *shape), np.float32)
    x[:, -2:] = 0 if "Masking" in repr(layers) else x[:, -2:]
    some = [0, 1, 63, 64, 129, ROWS - 1]
    alone = np.concatenate([net.predict(x[[i]]) for i in some])
    for threads in (1, 2, 3):
        assert net.predict(x, threads=threads)[some].tobytes() == alone.tobytes()
