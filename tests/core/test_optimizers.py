"""The native optimizers against their twins, by hand, and bit for bit across a resume."""

import io
from dataclasses import replace

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
import twins
from cases import (
    SOFTMAX,
    SQUARES,
    Case,
    activation,
    arrays,
    batchnorm,
    dense,
    dropout,
    layernorm,
    native,
    native_arrays,
    relative,
)

# Several tensors of odd sizes, one of them beyond a vector of any level.
CASE = Case(
    "several tensors",
    [dense(37, "tanh"), layernorm(), dense(5, "silu"), dense(3)],
    (6,),
    SOFTMAX,
    20,
)

OPTIMIZERS = [
    {"type": "sgd"},
    {"type": "sgd", "momentum": 0.9},
    {"type": "sgd", "momentum": 0.9, "nesterov": True},
    {"type": "sgd", "nesterov": True},
    {"type": "sgd", "weight_decay": 0.1},
    {"type": "sgd", "momentum": 0.5, "nesterov": True, "weight_decay": 0.05},
    {"type": "sgd", "momentum": 0.8, "weight_decay": 0.05},
    {"type": "adam"},
    {"type": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    {"type": "adam", "beta_1": 0.0, "beta_2": 0.0, "epsilon": 1e-2},
    {"type": "adam", "weight_decay": 0.1},
    {"type": "adamw"},
    {"type": "adamw", "weight_decay": 0.5, "epsilon": 1e-4},
    {"type": "adamw", "weight_decay": 0.0},
    {"type": "adam", "epsilon": 0.1, "epsilon_hat": True},
    {"type": "rmsprop"},
    {"type": "rmsprop", "alpha": 0.9, "centered": True, "epsilon": 1e-4},
    {"type": "rmsprop", "momentum": 0.9, "weight_decay": 0.1},
    {"type": "rmsprop", "momentum": 0.5, "centered": True, "alpha": 0.9, "epsilon": 1e-4},
]


def name_of(spec):
    return " ".join(str(value) for value in spec.values())


def train_both(case, spec, lr, epochs=4, **more):
    """Train net and twin for the same steps of five rows; (net, params, twin, losses)."""
    x, y, params = arrays(case)
    net, twin = native(case, params, spec), twins.Optimizer(spec, params)
    order = np.random.default_rng(1).permutation(case.rows).astype(np.int32)
    steps = -(-case.rows // (5 * more.get("accumulate", 1)))
    weights = more.get("weights")
    native_more = {**more, "weights": None if weights is None else np.float32(weights)}
    losses, _ = net.train(
        *native_arrays(case, x, y), order, 5, lr, epochs=epochs, **native_more
    )
    twin_losses = [
        twins.train_epoch(
            case.layers,
            params,
            x,
            y,
            order,
            5,
            lr,
            case.loss,
            twin,
            epoch * steps,
            **more,
        )
        for epoch in range(epochs)
    ]
    return net, params, twin, losses, twin_losses


@pytest.mark.parametrize("spec", OPTIMIZERS, ids=name_of)
def test_twenty_steps_match_twin(spec, level):
    """Equal for every tensor, so each has its own moments."""
    lr = 0.1 if spec["type"] == "sgd" else 0.01
    net, params, twin, losses, expected = train_both(CASE, spec, lr, epochs=5)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for got, layer in zip(twins.unflatten(net.params, params), params, strict=True):
        for name, value in layer.items():
            assert relative(got[name], value) < 1e-5, name
    if net.moments.size:
        assert relative(net.moments, twin.flat()) < 1e-5


def test_moments_have_the_size_they_need():
    def vectors(spec):
        net = _core.Net(CASE.layers, CASE.input_shape, CASE.loss, spec)
        assert not net.moments.any()
        return net.moments.size / net.params.size

    assert vectors(None) == vectors({"type": "sgd"}) == 0
    assert vectors({"type": "sgd", "weight_decay": 0.1}) == 0
    assert vectors({"type": "sgd", "momentum": 0.1}) == 1
    assert vectors({"type": "adam"}) == vectors({"type": "adamw"}) == 2
    assert vectors({"type": "rmsprop"}) == 1
    assert vectors({"type": "rmsprop", "centered": True, "momentum": 0.1}) == 3


# ---- by hand: the gradient by a bias is bias - target, that by the weights is zero ----


def bias_net(bias, spec):
    net = _core.Net([dense(len(bias))], (1,), SQUARES, spec)
    net.params[len(bias) :] = bias
    return net


def bias_step(net, gradient, lr, steps=1, **more):
    """Steps with this gradient by the biases; return the biases."""
    n = len(gradient)
    for step in range(steps):
        target = (net.params[n:] - np.float32(gradient))[None]
        net.train(
            np.zeros((1, 1), np.float32),
            target,
            np.zeros(1, np.int32),
            1,
            lr,
            step=step,
            **more,
        )
    assert not net.params[:n].any()
    return net.params[n:]


def test_sgd_by_hand(level):
    net = bias_net([1, 2, 3], {"type": "sgd"})
    got = bias_step(net, [0.1, 0.2, 0.3], 0.1)
    np.testing.assert_allclose(got, [0.99, 1.98, 2.97], rtol=1e-6)


@pytest.mark.parametrize(("nesterov", "expected"), [(False, -2.5), (True, -3.25)])
def test_momentum_by_hand(nesterov, expected):
    """v = 1, 1.5; nesterov moves by g + v/2 = 1.5, 1.75."""
    net = bias_net([0], {"type": "sgd", "momentum": 0.5, "nesterov": nesterov})
    np.testing.assert_allclose(bias_step(net, [1], 1.0, steps=2), [expected], rtol=1e-6)


def test_first_adam_step_is_the_learning_rate(level):
    net = bias_net([0, 0, 0], {"type": "adam"})
    got = bias_step(net, [1e-3, -5, 1e4], 0.1)
    np.testing.assert_allclose(got, [-0.1, 0.1, -0.1], rtol=1e-4)


def test_decay_is_coupled_in_adam_and_decoupled_in_adamw():
    """With no gradient Adam takes a whole step by the decay's sign, AdamW shrinks p."""
    coupled = bias_net([4], {"type": "adam", "weight_decay": 0.1})
    decoupled = bias_net([4], {"type": "adamw", "weight_decay": 0.1})
    np.testing.assert_allclose(bias_step(coupled, [0], 0.5), [3.5], rtol=1e-6)
    np.testing.assert_allclose(bias_step(decoupled, [0], 0.5), [3.8], rtol=1e-6)


def test_adam_bias_correction_after_many_steps():
    """The correction of step 1000 and that of step 10^9 both leave a constant gradient."""
    for step in (999, 10**9):
        net = bias_net([0], {"type": "adam"})
        corrections = 1 - np.power([0.9, 0.999], step)
        net.moments[:] = [0, 2 * corrections[0], 0, 4 * corrections[1]]
        target = np.array([[-2]], np.float32)
        x, order = np.zeros((1, 1), np.float32), np.zeros(1, np.int32)
        net.train(x, target, order, 1, 0.125, step=step)
        assert net.params[1] == pytest.approx(-0.125, rel=1e-5)


# ---- moments below the smallest normal number: of units that have died ----

SMALLEST_NORMAL = np.finfo(np.float32).smallest_normal


@pytest.mark.parametrize("nesterov", [False, True])
def test_velocity_decays_to_zero(nesterov, level):
    spec = {"type": "sgd", "momentum": 0.5, "nesterov": nesterov}
    net = bias_net([1, 1, 1], spec)
    net.moments[3:] = np.array([1, 2, -3], np.float32) * SMALLEST_NORMAL
    bias_step(net, [0, 0, 0], 0.1)
    np.testing.assert_array_equal(net.moments[3:] / SMALLEST_NORMAL, [0, 1, -1.5])


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_moments_decay_to_zero(optimizer, level):
    """The second one not before the first: it holds back what is left of that."""
    net = bias_net([1] * 19, {"type": optimizer})
    m, v = net.moments.reshape(2, 38)[:, 19:]
    m[:], v[:] = SMALLEST_NORMAL, SMALLEST_NORMAL
    m[:2], v[2] = [-4 * SMALLEST_NORMAL, 0], 1
    bias_step(net, [0] * 19, 0.1)
    expected_m, expected_v = [-3.6, *[0] * 18], [0.999, 0, 0.999 / SMALLEST_NORMAL]
    np.testing.assert_allclose(m / SMALLEST_NORMAL, expected_m, rtol=1e-6)
    np.testing.assert_allclose(v[:3] / SMALLEST_NORMAL, expected_v, rtol=1e-6)
    assert not v[3:].any()


# ---- clipping ----


def test_clipping_by_hand(level):
    """The norm is taken over all tensors: (3, 4) clipped to 1 is (0.6, 0.8)."""
    net = bias_net([0, 0], {"type": "sgd"})
    got = bias_step(net, [3, 4], 1.0, clip_norm=1.0)
    np.testing.assert_allclose(got, [-0.6, -0.8], rtol=1e-6)


def test_gradients_within_the_norm_are_left_alone():
    net = bias_net([0, 0], {"type": "sgd"})
    got = bias_step(net, [3, 4], 1.0, clip_norm=5.001)
    np.testing.assert_allclose(got, [-3, -4], rtol=1e-6)
    x, y, params = arrays(CASE)
    data, order = native_arrays(CASE, x, y), np.arange(CASE.rows, dtype=np.int32)
    free, clipped = (native(CASE, params, {"type": "adam"}) for _ in range(2))
    free.train(*data, order, 5, 0.01)
    clipped.train(*data, order, 5, 0.01, clip_norm=1e9)
    assert free.weights.tobytes() == clipped.weights.tobytes()


def test_clipping_of_gradients_whose_squares_are_beyond_float32(level):
    net = bias_net([0, 0], {"type": "sgd"})
    got = bias_step(net, [3e25, 4e25], 1.0, clip_norm=1.0)
    np.testing.assert_allclose(got, [-0.6, -0.8], rtol=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "sgd"},
        {"type": "sgd", "momentum": 0.9, "weight_decay": 0.1},
        {"type": "adam", "weight_decay": 0.1},
        {"type": "adamw"},
    ],
    ids=name_of,
)
def test_clipped_training_matches_twin(spec, level):
    """Decay is added after clipping."""
    net, params, _, losses, expected = train_both(
        CASE, spec, 0.05, clip_norm=0.05, epochs=5
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


def test_the_penalty_is_clipped_with_the_gradient(level):
    """As in Keras: gradient 0 and l2 * w = (3, 4), clipped to 1, is (0.6, 0.8)."""
    net = _core.Net([dense(1)], (2,), SQUARES, {"type": "sgd"})
    net.params[:2] = [3, 4]
    x, target = np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32)
    order, penalties = np.zeros(1, np.int32), np.empty(1)
    net.train(x, target, order, 1, 1.0, clip_norm=1.0, l2=1.0, penalties=penalties)
    np.testing.assert_allclose(net.params, [2.4, 3.2, 0], rtol=1e-6)
    assert penalties[0] == pytest.approx(12.5)


@pytest.mark.parametrize("spec", [{"type": "sgd", "momentum": 0.9}, {"type": "adamw"}])
def test_clipped_and_penalised_training_matches_twin(spec, level):
    net, params, _, losses, expected = train_both(
        CASE, spec, 0.05, clip_norm=0.3, l2=2.0, epochs=5
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


# ---- losses' options, through training ----


@pytest.mark.parametrize("spec", [{"type": "sgd"}, {"type": "adam"}], ids=name_of)
def test_smoothing_and_row_weights_match_twin(spec, level):
    weights = np.random.default_rng(2).uniform(0, 2, CASE.rows)
    weights[3] = 0
    net, params, _, losses, expected = train_both(
        CASE, spec, 0.05, weights=weights, smoothing=0.1
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


def test_gradients_with_smoothing_and_weights_match_twin(level):
    x, y, params = arrays(CASE)
    weights = np.random.default_rng(2).uniform(0, 2, CASE.rows)
    net = native(CASE, params)
    for more in ({"smoothing": 0.3}, {"weights": weights}):
        row_loss, grads = twins.gradients(CASE.layers, params, x, y, SOFTMAX, **more)
        if "weights" in more:
            more = {"weights": np.float32(weights)}
        loss, flat = net.gradients(*native_arrays(CASE, x, y), **more)
        assert loss == pytest.approx(row_loss.sum(), rel=1e-5)
        assert relative(flat, twins.flatten(grads)) < 2e-6


def test_row_weights_go_with_squared_error(level):
    case = Case("weighted squares", [dense(4, "tanh"), dense(2)], (3,), SQUARES, 15)
    weights = np.random.default_rng(2).uniform(0, 2, case.rows)
    net, params, _, losses, expected = train_both(
        case, {"type": "sgd"}, 0.05, weights=weights
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


@pytest.mark.parametrize("spec", [OPTIMIZERS[k] for k in (0, 5, 8, 12)], ids=name_of)
def test_penalty_matches_twin(spec, level):
    """Of matrices, not of biases and scales; beside the optimizer's own weight decay."""
    lr = 0.1 if spec["type"] == "sgd" else 0.01
    net, params, _, losses, expected = train_both(CASE, spec, lr, l2=0.7)
    _, _, _, plain, _ = train_both(CASE, spec, lr)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert losses[0] > 1.05 * plain[0]
    for got, layer in zip(twins.unflatten(net.params, params), params, strict=True):
        for name, value in layer.items():
            assert relative(got[name], value) < 1e-5, name


def test_penalty_of_a_large_net_matches_twin(level):
    """Its parameters are cut into several slices, which end within a matrix."""
    case = Case("large", [dense(300, "relu"), dense(70)], (90,), SOFTMAX, 20)
    net, params, _, losses, expected = train_both(case, {"type": "sgd"}, 0.05, l2=2.0)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("spec", [OPTIMIZERS[k] for k in (0, 2, 7)], ids=name_of)
def test_weighted_means_match_twin(spec, l2, level):
    """A batch is divided by its weights' sum; the last batch is a smaller one."""
    case = Case("weighted mean", [dense(37, "tanh"), dense(3)], (6,), SOFTMAX, 18)
    more = {
        "weights": np.random.default_rng(2).uniform(0, 2, case.rows),
        "weighted_mean": True,
        "l2": l2,
    }
    lr = 0.1 if spec["type"] == "sgd" else 0.01
    net, params, _, losses, expected = train_both(case, spec, lr, **more)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


def train_rows(weights, **more):
    """A net's parameters, loss and penalty after an epoch over one batch of CASE."""
    x, y, params = arrays(CASE)
    net, order = native(CASE, params), np.arange(CASE.rows, dtype=np.int32)
    penalties = np.full(1, -1.0)
    losses, _ = net.train(
        *native_arrays(CASE, x, y), order, CASE.rows, 0.1,
        weights=weights, penalties=penalties, **more,
    )  # fmt: skip
    return net.params, losses[0], penalties[0]


def test_a_weighted_mean_does_not_know_the_weights_scale():
    """Twice all weights change nothing: what is penalised is halved with the rest."""
    weights = np.random.default_rng(2).uniform(0, 2, CASE.rows).astype(np.float32)
    params, loss, _ = train_rows(weights, weighted_mean=True)
    twice, twice_loss, _ = train_rows(2 * weights, weighted_mean=True)
    np.testing.assert_allclose(twice, params, rtol=1e-6, atol=1e-8)
    assert twice_loss == pytest.approx(loss, rel=1e-12)
    ones = np.ones(CASE.rows, np.float32)
    plain = train_rows(None)
    weighted = train_rows(ones, weighted_mean=True)
    np.testing.assert_array_equal(weighted[0], plain[0])
    nothing, loss, _ = train_rows(0 * ones, weighted_mean=True)
    assert loss == 0
    np.testing.assert_array_equal(nothing, native(CASE, arrays(CASE)[2]).params)


def test_penalties_are_told_apart_from_losses():
    _, plain, none = train_rows(None)
    _, penalised, penalty = train_rows(None, l2=0.7)
    assert none == 0
    assert penalised == pytest.approx(plain + penalty, rel=1e-6)
    matrices = [w for layer in arrays(CASE)[2] for w in layer.values() if w.ndim > 1]
    expected = 0.35 * sum((w**2).sum() for w in matrices)
    assert penalty == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("spec", [OPTIMIZERS[0], OPTIMIZERS[7]], ids=name_of)
def test_average_matches_twin(spec, level):
    x, y, params = arrays(CASE)
    twin, average = (
        twins.Optimizer(spec, params),
        twins.unflatten(twins.flatten(params), params),
    )
    net = native(CASE, params, spec)
    got = net.params.copy()
    order = np.arange(CASE.rows, dtype=np.int32)
    net.train(
        *native_arrays(CASE, x, y), order, 5, 0.1, epochs=9, average=got, average_decay=0.7
    )
    for epoch in range(9):
        twins.train_epoch(
            CASE.layers, params, x, y, order, 5, 0.1, SOFTMAX, twin, 4 * epoch,
            average=average, average_decay=0.7,
        )  # fmt: skip
    assert relative(net.params, twins.flatten(params)) < 1e-4
    assert relative(got, twins.flatten(average)) < 1e-4
    assert relative(got, net.params) > 1e-3


@pytest.mark.parametrize("spec", OPTIMIZERS[:2], ids=name_of)
def test_accumulated_gradients_match_twin(spec, level):
    """The last update is by one batch and a part of one; masks and statistics are those of
    batches. Not Adam: see below."""
    case = replace(DROPPED, rows=17)
    more = {
        "weights": np.random.default_rng(2).uniform(0, 2, case.rows),
        "l2": 0.7,
        "clip_norm": 0.5,
        "seed": 6,
        "accumulate": 2,
    }
    for weighted_mean in (False, True):
        net, params, _, losses, expected = train_both(
            case, spec, 0.05, weighted_mean=weighted_mean, **more
        )
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        assert relative(net.params, twins.flatten(params)) < 1e-4
        running = twins.flatten_all(params)[net.params.size :]
        np.testing.assert_allclose(net.weights[net.params.size :], running, rtol=1e-5)


def test_accumulated_batches_are_one_large_batch():
    """Except for rounding: batches of 4, 4 and 4 rows are one of 12, which has one rate."""
    x, y, params = arrays(CASE)
    data, order = native_arrays(CASE, x, y), np.arange(CASE.rows, dtype=np.int32)
    parts, whole = (native(CASE, params, {"type": "sgd"}) for _ in range(2))
    rates, done = np.array([0.1, 0.05]), np.zeros(1, np.int64)
    got, _ = parts.train(*data, order, 4, rates, accumulate=3, done=done)
    expected, _ = whole.train(*data, order, 12, rates)
    assert done[0] == 2
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert relative(parts.params, whole.params) < 1e-6
    assert relative(parts.params, twins.flatten(params)) > 1e-3


def test_an_average_changes_no_bit_of_training():
    x, y, params = arrays(CASE)
    data, order = native_arrays(CASE, x, y), np.arange(CASE.rows, dtype=np.int32)
    adam = {"type": "adam"}
    with_one, without = native(CASE, params, adam), native(CASE, params, adam)
    average = with_one.params.copy()
    with_one.train(*data, order, 5, 0.1, average=average, average_decay=0.9)
    without.train(*data, order, 5, 0.1)
    assert with_one.weights.tobytes() == without.weights.tobytes()


def test_a_rate_for_each_step():
    x, y, params = arrays(CASE)
    data, order = native_arrays(CASE, x, y), np.arange(CASE.rows, dtype=np.int32)
    rates = np.array([0.1, 0.0, 0.05, 0.2, 0.01, 0.1, 0.3, 0.0])
    one, many = (native(CASE, params, {"type": "adam"}) for _ in range(2))
    one.train(*data, order, 5, rates, epochs=2)
    for step, rate in enumerate(rates):
        begin = step % 4 * 5
        many.train(*data, order[begin : begin + 5], 5, rate, step=step)
    assert one.weights.tobytes() == many.weights.tobytes()


# ---- state ----

DROPPED = Case(
    "dropped",
    [dense(9), batchnorm(), activation("relu"), dropout(0.3), dense(3)],
    (6,),
    SOFTMAX,
    20,
)


def test_running_statistics_are_not_decayed():
    # Not Adam: the bias below batchnorm has no gradient but rounding, which Adam scales up.
    spec = {"type": "sgd", "momentum": 0.9, "weight_decay": 0.5}
    net, params, _, losses, expected = train_both(DROPPED, spec, 0.01, seed=6)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    running = twins.flatten_all(params)[net.params.size :]
    np.testing.assert_allclose(net.weights[net.params.size :], running, rtol=1e-5)


@pytest.mark.parametrize("case", [CASE, DROPPED], ids=str)
@pytest.mark.parametrize(
    "spec", [OPTIMIZERS[2], {"type": "adam"}, {"type": "adamw"}], ids=name_of
)
def test_resuming_gives_the_same_bits(case, spec):
    x, y, params = arrays(case)
    data, order = native_arrays(case, x, y), np.arange(case.rows, dtype=np.int32)
    straight, first, second = (native(case, params, spec) for _ in range(3))
    straight.train(*data, order, 5, 0.01, epochs=4, seed=8)
    first.train(*data, order, 5, 0.01, epochs=2, seed=8)
    second.weights[:] = first.weights
    second.moments[:] = first.moments
    second.train(*data, order, 5, 0.01, epochs=2, seed=8, step=8)
    assert second.weights.tobytes() == straight.weights.tobytes()
    assert second.moments.tobytes() == straight.moments.tobytes()


# ---- moments that are not finite ----


def grown(optimizer="adam"):
    """A net, and rows so large that squares of gradients are infinite in float32."""
    rng = np.random.default_rng(0)
    net = rn.Network([rn.Dense(3)], (4,), optimizer=optimizer)
    return net, rng.normal(size=(64, 4)) * 1e25, rng.integers(0, 3, 64)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_infinite_moments_are_a_divergence(optimizer):
    """They would hold finite weights where they are, in all later calls as well."""
    net, x, y = grown(optimizer)
    with pytest.raises(
        rn.TrainingDiverged, match="a moment of the optimizer is not finite"
    ):
        net.fit(x, y, lr=1e-3, verbose=0)
    with pytest.raises(
        rn.TrainingDiverged, match="already before training: an earlier call diverged"
    ):
        net.fit(x / 1e25, y, lr=1e-3, verbose=0)
    with pytest.raises(
        ValueError, match=r"save: .* moments are not finite.*net\.optimizer"
    ):
        net.save(io.BytesIO(), optimizer_state=True)
    net.save(io.BytesIO())
    net.optimizer = net.optimizer
    net.set_weights(np.zeros_like(net.weights))
    net.fit(x / 1e25, y, lr=1e-3, verbose=0)


def test_weights_that_are_not_finite_before_training_are_named_so():
    net, x, y = grown("sgd")
    net.params[0] = np.nan
    with pytest.raises(
        rn.TrainingDiverged,
        match="a weight is not finite at epoch 1, batch 1 .*, already before",
    ):
        net.fit(x, y, verbose=0)
    assert net.steps_done == 0


def test_weights_that_one_batch_made_infinite_were_finite_before():
    net, x, y = grown("sgd")
    with pytest.raises(
        rn.TrainingDiverged, match=r"batch 1 \(learning rate 1e\+06\); lower"
    ):
        net.fit(x * 1e10, y, lr=999_999.9, verbose=0)
    assert net.steps_done == 1
