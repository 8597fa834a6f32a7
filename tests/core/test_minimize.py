"""L-BFGS in the core: a closed form, the conditions of its line search, bits, what stays.

`tests/sklearn/test_lbfgs.py` compares it with scikit-learn's.
"""

import itertools

import numpy as np
import pytest

import rnn_native as rn

ROWS, CLASSES = 40, 3
NETS = {
    "dense": ([rn.Dense(7, "tanh"), rn.Dense(CLASSES)], (5,)),
    "convolution": (
        [rn.Conv2D(3, 3, activation="tanh"), rn.MaxPool2D(2), rn.Flatten()],
        (1, 8, 8),
    ),
    "recurrent": ([rn.LSTM(4, return_sequences=True), rn.GRU(3)], (6, 5)),
    "attention": ([rn.SelfAttention(2), rn.MeanPool()], (5, 4)),
}


def net_and_rows(name, seed=1):
    layers, shape = NETS[name]
    layers = layers if name == "dense" else [*layers, rn.Dense(CLASSES)]
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, int(np.prod(shape)))).astype(np.float32)
    y = rng.integers(0, CLASSES, ROWS).astype(np.int32)
    return rn.Network(layers, shape, seed=seed), x, y


def point_of(net, x, y):
    """Weights, mean loss and its gradient."""
    loss, gradient = net.native.gradients(x, y)
    return net.weights.astype(np.float64), loss / ROWS, gradient.astype(np.float64)


def test_weighted_ridge_ends_at_the_closed_form():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6)).astype(np.float32)
    y = rng.normal(size=(60, 2)).astype(np.float32)
    weights = rng.integers(0, 4, 60).astype(np.float32)
    net = rn.Network([rn.Dense(2)], (6,), "squared_error", seed=1)
    value, penalty, _, _, end = net.native.minimize(
        x, y, 1e-6, 200, 999, weights=weights, l2=3.0, followed=0.5, threads=2
    )
    assert end in ("gradient", "decrease")
    one = np.column_stack([x, np.ones(60)]).astype(np.float64)
    weighted = one.T * weights
    best = np.linalg.solve(weighted @ one + 3 * np.diag([1.0] * 6 + [0.0]), weighted @ y)
    found = np.vstack([net.parameters["layers.0.weight"], net.parameters["layers.0.bias"]])
    np.testing.assert_allclose(found, best, atol=2e-3)
    assert penalty == pytest.approx(1.5 * (best[:-1] ** 2).sum() / weights.sum(), rel=1e-3)
    errors = (weights[:, None] * (one @ best - y) ** 2).sum() / weights.sum()
    assert value == pytest.approx(errors / 2 + penalty, rel=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_each_step_meets_the_wolfe_conditions(name):
    """Decrease by 1e-3 of the slope, and a slope that is 0.9 of it at most."""
    points = []
    for iterations in range(1, 9):
        net, x, y = net_and_rows(name)
        if not points:
            points.append(point_of(net, x, y))
        values = np.full(iterations + 2, np.nan)
        value, _, done, evaluations, end = net.native.minimize(
            x, y, 0.0, iterations, 500, values=values
        )
        assert (done, end) == (iterations, "iterations")
        assert evaluations > iterations
        assert value == values[done - 1]
        assert np.isnan(values[done:]).all()
        points.append(point_of(net, x, y))
        assert points[-1][1] == pytest.approx(value, rel=1e-5)
    for before, after in itertools.pairwise(points):
        (w, value, gradient), (w_next, value_next, gradient_next) = before, after
        step = w_next - w
        slope, slope_next = gradient @ step, gradient_next @ step
        assert slope < 0
        assert value_next <= value + 1e-3 * slope + 1e-6
        assert abs(slope_next) <= 0.9 * abs(slope) + 1e-6


@pytest.mark.parametrize("name", NETS)
def test_threads_change_no_bit_and_layers_of_rate_0_stay(name):
    ends = []
    for threads in (1, 3):
        net, x, y = net_and_rows(name)
        rates = np.ones(len(net.native.layers))
        rates[0] = 0
        net.native.set_rates(rates)
        first = {key: value.copy() for key, value in net.parameters.items()}
        found = net.native.minimize(x, y, 1e-5, 25, 99, threads=threads, l2=0.1)
        ends.append((found, net.weights.tobytes()))
        for key, value in net.parameters.items():
            assert (value == first[key]).all() == key.startswith("layers.0.")
    assert ends[0] == ends[1]


def test_evaluations_end_it_after_the_iteration_that_exceeds_them():
    net, x, y = net_and_rows("dense")
    _, _, iterations, evaluations, end = net.native.minimize(x, y, 0.0, 500, 6)
    assert end == "evaluations"
    assert iterations >= 1
    assert evaluations > 6


def test_large_weights_and_steps_that_overflow_are_searched():
    """Nets far from any minimum, where steps lead to values that are not finite."""
    for seed in range(6):
        net, x, y = net_and_rows("dense", seed)
        net.weights[:] *= np.float32(10.0 ** (3 * seed - 3))
        x = x * np.float32(10.0 ** (4 * seed))
        before = net.native.evaluate(x, y)[0] / ROWS
        value, _, _, _, _ = net.native.minimize(x, y, 1e-6, 40, 400)
        assert value <= before * (1 + 1e-6)
        assert net.native.evaluate(x, y)[0] / ROWS == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_steps_that_overflow_are_halved(scale):
    """exp z - 1e37 z falls until z = log 1e37, and overflows soon after."""
    x = np.full((4, 1), scale, np.float32)
    y = np.full((4, 1), 1e37, np.float32)
    net = rn.Network([rn.Dense(1)], (1,), "poisson", seed=1)
    net.weights[:] = 0
    net.native.minimize(x, y, 0.0, 30, 300)
    found = scale * net.weights[0] + net.weights[1]
    assert found == pytest.approx(np.log(1e37), rel=1e-6)


@pytest.mark.parametrize("seed", [1, 5])
def test_a_search_that_fails_begins_again_without_the_history(seed):
    """exp z over thousands: what is known of curvatures soon says nothing."""
    rng = np.random.default_rng(seed)
    x = 5 * rng.normal(size=(ROWS, 3)).astype(np.float32)
    y = rng.poisson(2, size=(ROWS, 1)).astype(np.float32)
    net = rn.Network([rn.Dense(1)], (3,), "poisson", seed=seed)
    first = np.abs(point_of(net, x, y)[2]).max()
    values = np.full(102, np.nan)
    value, _, done, _, end = net.native.minimize(x, y, 0.0, 100, 1000, values=values)
    _, loss, gradient = point_of(net, x, y)
    assert end == "decrease"
    assert (np.diff(values[:done]) <= 0).all()
    assert loss == pytest.approx(value, rel=1e-6)
    assert np.abs(gradient).max() < 1e-4 * min(first, ROWS)
