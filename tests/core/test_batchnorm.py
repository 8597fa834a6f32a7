"""Batch statistics to the last digits, by rows, whatever the data and the layout."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from cases import SOFTMAX, activation, batchnorm, conv2d, dense, flatten
from environment import program_environment

HERE = Path(__file__).parent
SHAPES = [(1,), (7,), (33,), (128,), (3, 2), (2, 40), (5, 7, 7), (3, 1, 1), (2, 70, 70)]


def near_one(rng, shape):
    return rng.standard_normal(shape)


def far_from_zero(rng, shape):
    return 1e4 + rng.standard_normal(shape)


def of_tiny_variance(rng, shape):
    return 3 + 1e-5 * rng.standard_normal(shape)


def of_scales(rng, shape):
    """A channel is a thousand times the one before, and one is constant."""
    channels = np.arange(shape[1]).reshape(-1, *[1] * (len(shape) - 2)) % 5
    return np.where(channels == 4, 0.3, 1000.0 ** (channels - 2) * rng.normal(size=shape))


def with_an_outlier_first(rng, shape):
    x = rng.standard_normal(shape)
    x[0] += 300
    return x


DATA = [near_one, far_from_zero, of_tiny_variance, of_scales, with_an_outlier_first]


def axes_of(x):
    return (0, *range(2, x.ndim))


def per_channel(values, x):
    return values.reshape(-1, *[1] * (x.ndim - 2))


@pytest.mark.parametrize("rows", [1, 2, 9, 40, 300])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("data", DATA, ids=lambda f: f.__name__)
def test_statistics_are_those_of_float64(data, shape, rows, level):
    """With a momentum of 0 the running statistics are the batch's."""
    rows = min(rows, max(1, 400_000 // int(np.prod(shape))))
    x = data(np.random.default_rng(rows), (rows, *shape)).astype(np.float32)
    net = _core.Net([batchnorm(momentum=0)], shape, "none")
    net.weights[:] = 1
    net.forward(x.reshape(rows, -1), threads=2)
    net.backward(np.zeros((rows, x[0].size), np.float32), threads=2)
    n = shape[0]
    mean, var = net.weights[2 * n : 3 * n], net.weights[3 * n :]
    exact = x.astype(np.float64)
    exact_mean, exact_var = exact.mean(axis=axes_of(x)), exact.var(axis=axes_of(x))
    deviation = np.sqrt(exact_var)
    assert (abs(mean - exact_mean) <= 2e-7 * abs(exact_mean) + 2e-6 * deviation).all()
    np.testing.assert_allclose(var, exact_var, rtol=2e-5, atol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("data", [near_one, far_from_zero], ids=lambda f: f.__name__)
def test_gradients_are_those_of_float64(data, shape, level):
    rng = np.random.default_rng(1)
    x = data(rng, (50, *shape)).astype(np.float32)
    dout = rng.standard_normal(x.shape, np.float32)
    weight, bias = rng.standard_normal((2, shape[0]), np.float32)
    out = rn.kernels.batchnorm_forward(x, weight, bias)
    dx, dweight, dbias = rn.kernels.batchnorm_backward(dout, x, weight, bias)
    axes, exact = axes_of(x), x.astype(np.float64)
    deviation = np.sqrt(exact.var(axis=axes, keepdims=True) + 1e-5)
    normal = (exact - exact.mean(axis=axes, keepdims=True)) / deviation
    inner = dout - dout.mean(axis=axes, keepdims=True, dtype=np.float64)
    inner = inner - normal * (dout * normal).mean(axis=axes, keepdims=True)
    # Half a unit in the last place of a mean of 1e4 is 5e-4 of a deviation.
    tolerance = 1e-5 if data is near_one else 2e-3
    scale = per_channel(weight, x)
    expected = [normal * scale + per_channel(bias, x), scale / deviation * inner]
    expected += [(dout * normal).sum(axis=axes), dout.sum(axis=axes, dtype=np.float64)]
    magnitude = [1, 1, np.sqrt(x[:, 0].size), np.sqrt(x[:, 0].size)]
    for got, wanted, size in zip(
        (out, dx, dweight, dbias), expected, magnitude, strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=10 * tolerance * size, rtol=0)


STACK = [
    conv2d(4, 3, padding=1),
    batchnorm(),
    activation("relu"),
    batchnorm(),
    flatten(),
    dense(300),
    batchnorm(),
    dense(200),
    batchnorm(),
]


@pytest.mark.parametrize("rates", [[1] * 9, [1, 0, 1, 1, 1, 1, 0, 1, 0], [0] * 6 + [1] * 3])
def test_norms_below_and_above_all_kinds_of_stages(rates):
    """Beside each other, first and last, around layers by columns; frozen or not."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((90, 36), np.float32)
    y = rng.integers(0, 10, 90).astype(np.int32)
    order = np.arange(90, dtype=np.int32)
    left = []
    for threads in (1, 2):
        net = _core.Net([*STACK, dense(10)], (1, 6, 6), SOFTMAX)
        net.weights[:] = np.random.default_rng(3).uniform(0.01, 0.1, net.weights.size)
        net.set_rates(np.array([*rates, 1], np.float64))
        losses, _ = net.train(x, y, order, 32, 0.01, epochs=6, threads=threads)
        outputs = net.predict(x, threads=threads)
        left.append((losses.tobytes(), net.weights.tobytes(), outputs.tobytes()))
        assert net.predict(x[3:5]).tobytes() == outputs[3:5].tobytes()
    assert left[0] == left[1]


@pytest.mark.parametrize("rates", [[1, 0, 1, 1, 1, 1, 0, 1, 0], [0] * 9])
def test_statistics_move_whether_or_not_a_norm_learns(rates):
    x = np.random.default_rng(2).standard_normal((90, 36), np.float32)
    y, order = np.zeros(90, np.int32), np.arange(90, dtype=np.int32)
    left = []
    for chosen in ([1] * 9, rates):
        net = _core.Net([*STACK, dense(10)], (1, 6, 6), SOFTMAX)
        net.weights[:] = np.random.default_rng(3).uniform(0.01, 0.1, net.weights.size)
        net.set_rates(np.array([*chosen, 1], np.float64))
        net.train(x, y, order, 32, 0.0)
        left.append(net.weights.tobytes())
    assert left[0] == left[1]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
@pytest.mark.parametrize("flags", [[], ["-march=native"]], ids=["128 bits", "native"])
def test_pixels_side_by_side_are_the_same_numbers(flags, tmp_path):
    program = tmp_path / "layouts"
    source = HERE / "batchnorm_driver.c"
    clean = program_environment()
    command = ["cc", "-O2", "-std=gnu11", "-w", *flags, source, "-lm", "-o", program]
    subprocess.run(command, check=True, timeout=120, env=clean)
    done = subprocess.run([program], check=True, capture_output=True, text=True, env=clean)
    assert max(map(float, done.stdout.split())) < 1e-5
