"""What leaves zeros out gives the bits of what multiplies them, and hides no NaN."""

import numpy as np
import pytest

import rnn_native._core as _core
from cases import SOFTMAX, SQUARES, Case, arrays, conv2d, dense, flatten, maxpool2d, native

NEVER, ALWAYS = 0, 2

SPARSE = [
    Case("wide", [dense(300, "relu"), dense(10)], (200,), SOFTMAX, 150, blank=True),
    Case("a rest of columns", [dense(450, "gelu"), dense(3)], (131,), SOFTMAX, 70, True),
    Case("by rows", [dense(33, "relu"), dense(10)], (100,), SOFTMAX, 40, blank=True),
    Case("one layer", [dense(10)], (400,), SOFTMAX, 40, blank=True),
    Case("values", [dense(129, "tanh"), dense(2)], (260,), SQUARES, 19, blank=True),
    Case("blocks of rows", [dense(300), dense(2)], (120,), SQUARES, 600, blank=True),
]


def sparse_data(case, as_bytes):
    x, y, params = arrays(case)
    x = x.reshape(len(x), -1)
    x = np.abs(255 * x).astype(np.uint8) if as_bytes else x.astype(np.float32)
    return x, y.astype(np.int32 if case.loss == SOFTMAX else np.float32), params


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("as_bytes", [False, True], ids=["floats", "bytes"])
@pytest.mark.parametrize("case", SPARSE, ids=str)
def test_leaving_zeros_out_changes_no_bit(case, as_bytes, optimizer, level):
    x, y, params = sparse_data(case, as_bytes)
    order = np.random.default_rng(1).permutation(len(x)).astype(np.int32)
    left = []
    for below in (NEVER, ALWAYS):
        net = native(case, params, {"type": optimizer})
        net.sparse_below = below
        losses, _ = net.train(x, y, order, 300, 0.01, epochs=2, threads=2)
        outputs = net.predict(x)
        grads = net.gradients(x, y)[1]
        left.append([a.tobytes() for a in (losses, net.params, outputs, grads)])
        left[-1].append(net.predict(x[3:5]).tobytes() == outputs[3:5].tobytes())
    assert left[0] == left[1]
    assert left[1][-1]


def leaves_zeros_out(layers, shape, density, below=None):
    """Whether a NaN among the weights that meet only zeros stays out of the outputs."""
    net = _core.Net(layers, shape, SOFTMAX)
    if below is not None:
        net.sparse_below = below
    net.params[:] = 0.01
    net.params[: layers[-2]["units"]] = np.nan  # of input 0
    x = np.random.default_rng(0).random((50, 400), np.float32) < density
    x[:, 0] = False
    return bool(np.isfinite(net.predict(x.astype(np.float32))).all())


@pytest.mark.parametrize("units", [20, 200], ids=["by rows", "by columns"])
def test_density_decides(units):
    layers = [dense(units), dense(10)]
    assert leaves_zeros_out(layers, (400,), 0.3)
    assert not leaves_zeros_out(layers, (400,), 0.8)
    assert not leaves_zeros_out(layers, (400,), 0.3, NEVER)
    assert leaves_zeros_out(layers, (400,), 0.8, ALWAYS)
    assert leaves_zeros_out([flatten(), *layers], (20, 20), 0.3)


def test_sparse_below_is_a_number():
    net = _core.Net([dense(5)], (4,), SOFTMAX)
    assert 0 < net.sparse_below < 1
    with pytest.raises(TypeError):
        net.sparse_below = "often"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "layers",
    [
        [dense(200, "relu"), dense(10)],
        [dense(20, "relu"), dense(10)],
    ],
    ids=["by columns", "by rows"],
)
def test_a_weight_that_meets_only_zeros_stops_training(layers, value, level):
    net = _core.Net(layers, (300,), SOFTMAX)
    net.params[:] = 0.01
    units = layers[0]["units"]
    x = np.zeros((8, 300), np.float32)
    x[:, 5] = 1
    y, order = np.zeros(8, np.int32), np.arange(8, dtype=np.int32)
    net.params[7 * units + 3] = value  # pixel 7 is never anything but zero
    with pytest.raises(
        FloatingPointError, match="weight is not finite at epoch 4, batch 1"
    ):
        net.train(x, y, order, 4, 0.1, epoch=4)


def test_a_weight_that_becomes_infinite_is_seen_after_the_epoch():
    """The last batch's update overflows: no later loss can show it."""
    net = _core.Net([dense(1)], (20,), SQUARES)
    net.params[0] = 1e30
    x, y = np.zeros((2, 20), np.float32), np.array([[1e30], [-1e30]], np.float32)
    x[:, 0] = 1
    with pytest.raises(
        FloatingPointError, match="weight is not finite at epoch 1, batch 2"
    ):
        net.train(x, y, np.array([0, 1], np.int32), 1, 1e9)


def test_blank_images_do_not_hide_a_nan_filter(level):
    layers = [conv2d(4, 3, "relu", padding=1), maxpool2d(), flatten(), dense(3)]
    net = _core.Net(layers, (1, 8, 8), SOFTMAX)
    net.params[5] = np.nan
    x = np.zeros((4, 64), np.float32)
    with pytest.raises(FloatingPointError, match="weight is not finite"):
        net.train(x, np.zeros(4, np.int32), np.arange(4, dtype=np.int32), 2, 0.1)


def test_rows_that_weigh_nothing_leave_no_noise_in_the_dense_gradient(level):
    """Filters that are dead where they see ink give 0 there, and their bias over background;
    the rows with background have weight 0."""
    layers = [conv2d(8, 3, "relu", padding=1), maxpool2d(), flatten(), dense(3)]
    net = _core.Net(layers, (1, 8, 8), SOFTMAX)
    rng = np.random.default_rng(1)
    net.params[:72] = -1
    net.params[72:80] = rng.uniform(0.1, 0.5, 8)
    net.params[80:] = rng.uniform(-1, 1, net.params.size - 80)
    x = np.zeros((15, 64), np.float32)
    x[6:] = 1
    weights = rng.uniform(0.1, 1, 15).astype(np.float32)
    weights[:6] = 0
    _, grads = net.gradients(x, np.arange(15, dtype=np.int32) % 3, weights=weights)
    assert not grads[:-3].any()
    assert grads[-3:].all()
