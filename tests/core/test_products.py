"""Products of matrices of many shapes, exactly: sums of small integers have no rounding."""

import numpy as np
import pytest

from rnn_native import kernels

# Rows, inputs, units: where tiles, panels, blocks of K, copied pieces and slices end.
EDGES = [
    (1, 1, 1),
    (7, 130, 513),
    (9, 13, 27),
    (31, 129, 600),
    (80, 256, 512),
    (81, 512, 128),
    (128, 257, 545),
    (161, 128, 577),
    (300, 384, 700),
    (385, 200, 192),
    (600, 64, 520),
]
DRAWN = np.random.default_rng(5).integers(1, 600, (20, 3)).tolist()


def integers(rng, *shape):
    return rng.integers(-8, 9, shape).astype(np.float32)


@pytest.mark.parametrize("shape", EDGES + DRAWN, ids=str)
def test_products_are_exact(shape, level):
    rows, inputs, units = shape
    rng = np.random.default_rng(rows)
    x, dout = integers(rng, rows, inputs), integers(rng, rows, units)
    weight, bias = integers(rng, inputs, units), integers(rng, units)
    out = kernels.dense_forward(x, weight, bias)
    np.testing.assert_array_equal(out, x.astype(np.float64) @ weight + bias)
    relu = kernels.dense_forward(x, weight, bias, activation="relu")
    np.testing.assert_array_equal(relu, np.maximum(out, 0))
    dx, dweight, dbias = kernels.dense_backward(dout, x, weight, bias)
    np.testing.assert_array_equal(dx, dout.astype(np.float64) @ weight.T)
    np.testing.assert_array_equal(dweight, x.T.astype(np.float64) @ dout)
    np.testing.assert_array_equal(dbias, dout.sum(0))


@pytest.mark.parametrize("shape", [(12, 24, 100, 50), (9, 70, 96, 130)], ids=str)
def test_products_of_tokens_are_exact(shape, level):
    rows, tokens, inputs, units = shape
    rng = np.random.default_rng(rows)
    x, dout = integers(rng, rows, tokens, inputs), integers(rng, rows, tokens, units)
    weight, bias = integers(rng, inputs, units), integers(rng, units)
    out = kernels.dense_forward(x, weight, bias)
    np.testing.assert_array_equal(out, x.astype(np.float64) @ weight + bias)
    dx, dweight, _ = kernels.dense_backward(dout, x, weight, bias)
    np.testing.assert_array_equal(dx, dout.astype(np.float64) @ weight.T)
    flat = x.reshape(-1, inputs).astype(np.float64)
    np.testing.assert_array_equal(dweight, flat.T @ dout.reshape(-1, units))


@pytest.mark.parametrize("activation", ["linear", "relu", "gelu"])
@pytest.mark.parametrize(
    "shape", [(300, 300, 600), (130, 512, 140), (90, 600, 70)], ids=str
)
def test_a_row_alone_has_the_bits_of_its_batch(shape, activation, level):
    rows, inputs, units = shape
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(rows, inputs)), rng.normal(size=(inputs, units)) / 8
    x, weight = x.astype(np.float32), weight.astype(np.float32)
    bias = weight[0].copy()
    out = kernels.dense_forward(x, weight, bias, activation=activation)
    for row in (0, rows // 2, rows - 1):
        for count in (1, 2, 3, 5, 9):
            part = x[row : row + count]
            alone = kernels.dense_forward(part, weight, bias, activation=activation)
            assert alone.tobytes() == out[row : row + count].tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(200, 400, 520), (20, 30, 40)], ids=str)
def test_what_is_not_finite_stays_in_its_row_and_column(shape, value, level):
    rows, inputs, units = shape
    rng = np.random.default_rng(0)
    x, weight = integers(rng, rows, inputs), integers(rng, inputs, units) + 0.5
    bias = np.zeros(units, np.float32)
    x[rows // 2, inputs // 2] = value
    out = kernels.dense_forward(x, weight, bias)
    assert (~np.isfinite(out)).any(1).nonzero()[0].tolist() == [rows // 2]
    assert not np.isfinite(out[rows // 2]).any()
    dout = integers(rng, rows, units) + 0.5
    _, dweight, _ = kernels.dense_backward(dout, x, weight, bias)
    assert (~np.isfinite(dweight)).any(1).nonzero()[0].tolist() == [inputs // 2]
