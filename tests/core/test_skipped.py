"""What a kernel leaves out has exactly no effect, and what it keeps is all there."""

import numpy as np
import pytest

import twins
from cases import SOFTMAX, SQUARES, Case, arrays, conv2d, dense, flatten, maxpool2d, native


def single_pixels(channels, height, width):
    """Images of which each shows one pixel: some of all, and the last two rows."""
    n = channels * height * width
    shown = {*range(0, n, n // 20 + 1), *range(n - 2 * width, n)}
    return np.eye(n)[sorted(shown)].reshape(-1, channels, height, width)


@pytest.mark.parametrize("filters", [2, 9])
@pytest.mark.parametrize(
    ("shape", "kernel", "padding"),
    [
        ((1, 7, 5), 2, 0),
        ((1, 7, 5), 3, 1),
        ((1, 9, 4), 4, 3),
        ((1, 6, 17), 3, 0),
        ((1, 20, 3), 1, 0),
        ((1, 21, 22), 18, 0),
        ((2, 6, 5), 3, 0),
        ((3, 5, 6), 2, 1),
    ],
    ids=str,
)
def test_gradients_of_a_single_pixel(shape, kernel, padding, filters, level):
    """A weight that meets no ink has no gradient; whole vectors reach past live rows."""
    layers = [conv2d(filters, kernel, padding=padding), flatten()]
    x = single_pixels(*shape)
    case = Case("pixels", layers, shape, SQUARES, len(x))
    _, _, params = arrays(case)
    net = native(case, params)
    rng = np.random.default_rng(3)
    for image in x:
        out, caches = twins.forward(layers, params, image[None])
        dout = rng.normal(size=out.shape)
        expected = twins.flatten(twins.backward(layers, params, caches, dout)[1])
        _, _, got = net.backprop(np.float32(image.reshape(1, -1)), np.float32(dout))
        np.testing.assert_array_equal(got == 0, expected == 0)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def dead_filter_net(filters, units, rows, background, rng):
    """A net whose filter 1 is negative on every image; `background`: share of blanks."""
    layers = [conv2d(filters, 3, "relu", padding=1), maxpool2d(), flatten(), dense(units)]
    case = Case("dead filter", layers, (1, 12, 14), SOFTMAX, rows)
    x, y, params = arrays(case)
    x = rng.uniform(0.2, 1, x.shape)
    params[0]["weight"][1] = -np.abs(params[0]["weight"][1]) - 1
    params[0]["bias"][1] = 0.15
    if background:
        # Blank in the corner of every image: other windows are live in all rows.
        x[..., :background, :background] = 0
    return case, np.float32(x), np.int32(y), params


@pytest.mark.parametrize("background", [0, 4, 10])
@pytest.mark.parametrize("rows", [1, 70])
@pytest.mark.parametrize(("filters", "units"), [(8, 10), (8, 3), (5, 10)])
def test_a_dead_filter_has_no_gradient(filters, units, rows, background, level, rng):
    """Adam makes whole steps of rounding noise."""
    case, x, y, params = dead_filter_net(filters, units, rows, background, rng)
    _, flat = native(case, params).gradients(x.reshape(rows, -1), y)
    got = twins.unflatten(flat, params)
    _, expected = twins.gradients(
        case.layers, params, x.astype(float), y, case.loss, seed=0, step=0
    )
    assert not got[0]["weight"][1].any()
    assert (expected[0]["bias"][1] == 0) == (background == 0)
    for mine, wanted in zip(got, expected, strict=True):
        for name in mine:
            np.testing.assert_array_equal(mine[name] == 0, wanted[name] == 0)
            np.testing.assert_allclose(mine[name], wanted[name], rtol=1e-4, atol=1e-6)


def test_training_leaves_a_dead_filter_alone(level, rng):
    """Ten updates of Adam, to the bit."""
    case, x, y, params = dead_filter_net(8, 10, 32, 0, rng)
    net = native(case, params, {"type": "adam"})
    before = twins.unflatten(net.params.copy(), params)[0]
    net.train(x.reshape(32, -1), y, np.arange(32, dtype=np.int32), 16, 0.001, epochs=5)
    after = twins.unflatten(net.params, params)[0]
    for name in before:
        np.testing.assert_array_equal(before[name][1], after[name][1])
        assert (before[name] != after[name]).sum() >= before[name][0].size
