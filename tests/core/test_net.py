"""The native net against its float64 twin, and what it promises about bits."""

from dataclasses import replace

import numpy as np
import pytest

import rnn_native._core as _core
import twins
from cases import (
    BLANKS,
    CASES,
    MODELS,
    SOFTMAX,
    SQUARES,
    Case,
    arrays,
    dense,
    native,
    native_arrays,
    relative,
)
from loss_twins import LOSSES


def once(of_case):
    """A function of a case that is called once for each: twins know no CPU levels."""
    known = {}

    def remembered(case):
        if id(case) not in known:
            known[id(case)] = of_case(case)
        return known[id(case)]

    return remembered


@once
def twin_outputs(case):
    x, _, params = arrays(case)
    out, _ = twins.forward(case.layers, params, x)
    return LOSSES[case.loss].predictions(out)


@once
def twin_gradients(case):
    x, y, params = arrays(case)
    return twins.gradients(case.layers, params, x, y, case.loss)


@once
def twin_backprop(case):
    """The gradient of the outputs, outputs, and gradients of inputs and parameters."""
    x, _, params = arrays(case)
    mode = twins.training_mode(0, 0)
    out, caches = twins.forward(case.layers, params, x, mode)
    dout = np.random.default_rng(5).normal(size=out.shape)
    dinp, grads = twins.backward(case.layers, params, caches, dout)
    return dout, (out, dinp.reshape(len(x), -1), twins.flatten(grads))


@once
def twin_training(case):
    """Three epochs: the order of rows, losses, parameters."""
    x, y, params = arrays(case)
    order = np.random.default_rng(3).permutation(case.rows).astype(np.int32)
    steps = -(-case.rows // 4)
    losses = [
        twins.sgd_epoch(
            case.layers, params, x, y, order, 4, 0.05, case.loss, step=epoch * steps
        )
        for epoch in range(3)
    ]
    return order, losses, twins.flatten(params)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_match_twin(case, level):
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    assert relative(native(case, params).predict(x32), twin_outputs(case)) < 2e-6


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_match_twin(case, level):
    x, y, params = arrays(case)
    row_loss, grads = twin_gradients(case)
    loss, flat = native(case, params).gradients(*native_arrays(case, x, y))
    assert loss == pytest.approx(row_loss.sum(), rel=1e-5, abs=1e-6)
    expected = twins.flatten(grads)
    assert relative(flat, expected) < 2e-6
    # A small tensor with wrong gradients could hide behind a large one.
    for name_grads, got in zip(grads, twins.unflatten(flat, params), strict=True):
        for name, value in name_grads.items():
            error = np.linalg.norm(got[name] - value)
            assert error < 1e-5 * np.linalg.norm(value) + 1e-6, name


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backprop_matches_twin(case, level):
    """Down to the inputs, which training never asks for."""
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    dout, wanted = twin_backprop(case)
    found = native(case, params).backprop(x32, np.float32(dout))
    for mine, expected in zip(found, wanted, strict=True):
        assert np.linalg.norm(mine - expected) < 3e-6 * np.linalg.norm(expected) + 1e-6


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nan_leaves_no_trace(case, level):
    """What a diverged run left in memory meets zeros of later ones: NaN times 0 is NaN."""
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    used, fresh = native(case, params), native(case, params)
    dout = np.ones((case.rows, used.layers[-1]["shape"][0]), np.float32)
    for _ in range(2):
        used.backprop(np.full_like(x32, np.nan), dout * np.float32(np.nan))
        used.gradients(np.full_like(x32, np.nan), y32)
    used.weights[:] = fresh.weights
    for net in (used, fresh):
        net.train(x32, y32, np.arange(case.rows, dtype=np.int32), 4, 0.05, epochs=2)
    assert used.weights.tobytes() == fresh.weights.tobytes()
    for mine, other in zip(
        used.backprop(x32, dout), fresh.backprop(x32, dout), strict=True
    ):
        assert mine.tobytes() == other.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_earlier_batches_leave_no_trace(case, level):
    """What is left in memory from other data must not change a bit: resuming has none."""
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    order = np.arange(case.rows, dtype=np.int32)
    used, fresh = native(case, params), native(case, params)
    used.train(x32[::-1] + np.float32(0.5), y32, order, 4, 0.05)
    used.weights[:] = twins.flatten_all(params)
    for net in (used, fresh):
        net.train(x32, y32, order, 4, 0.05, epochs=2)
    assert used.weights.tobytes() == fresh.weights.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_training_matches_twin(case, level):
    x, y, params = arrays(case)
    order, expected, trained = twin_training(case)
    net = native(case, params)
    losses, _ = net.train(*native_arrays(case, x, y), order, 4, 0.05, epochs=3)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
    assert relative(net.params, trained) < 1e-5


def test_ten_epoch_losses_match_replay_on_digits(digits, level):
    """The MLP's recipe in small, replayed by the twin with the same permutations."""
    (images, labels), _ = digits
    case = Case("mlp", [dense(32, "relu"), dense(10)], 784, SOFTMAX, len(labels))
    _, _, params = arrays(case)
    net = native(case, params)
    x, y = images.reshape(-1, 784), labels.astype(np.int32)
    order = np.arange(len(y), dtype=np.int32)
    state, twin = 5, twins.Xorshift(5)
    twin_order = order.copy()
    for _ in range(10):
        state = _core.rng_shuffle(state, order)
        twin.shuffle(twin_order)
        loss, _ = net.train(x, y, order, 64, 0.1)
        expected = twins.sgd_epoch(
            case.layers, params, x / 255.0, y, twin_order, 64, 0.1, case.loss
        )
        assert loss[0] == pytest.approx(expected, rel=1e-5)


def test_one_step_by_hand():
    """1-1 linear, w=2, b=1, x=3, t=5: y=7, dy=2, w -= 0.1*2*3, b -= 0.1*2; loss 4."""
    net = _core.Net([dense(1)], (1,), SQUARES)
    net.params[:] = [2, 1]
    x, y = np.array([[3]], np.float32), np.array([[5]], np.float32)
    losses, _ = net.train(x, y, np.array([0], np.int32), 1, 0.1)
    assert losses[0] == 4
    np.testing.assert_allclose(net.params, [1.4, 0.8], rtol=1e-6)


def test_cross_entropy_gradient_by_hand():
    """p = (.1, .2, .7), label 2: the bias gradient is p with 1 taken off the label."""
    net = _core.Net([dense(3)], (1,), SOFTMAX)
    net.params[3:] = np.log([0.1, 0.2, 0.7])
    loss, grads = net.gradients(np.zeros((1, 1), np.float32), np.array([2], np.int32))
    np.testing.assert_allclose(grads[3:], [0.1, 0.2, -0.3], atol=1e-7)
    assert loss == pytest.approx(-np.log(0.7), rel=1e-6)


def test_huge_logits_stay_finite(level):
    net = _core.Net([dense(3)], (1,), SOFTMAX)
    net.params[:3] = [1000, 1001, 1002]
    x = np.ones((1, 1), np.float32)
    p = net.predict(x)
    np.testing.assert_allclose(p[0], twins.softmax(np.array([[0.0, 1, 2]]))[0], rtol=1e-6)
    loss, _ = net.evaluate(x, np.array([0], np.int32))
    assert loss == pytest.approx(2.4076059, rel=1e-6)


# ---- bits ----

BIG = Case("big", [dense(320, "relu"), dense(200, "gelu"), dense(10)], 300, SOFTMAX, 500)


def big():
    x, y, params = arrays(BIG)
    return native(BIG, params), *native_arrays(BIG, x, y)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_bits_do_not_depend_on_threads(threads, level):
    alone, x, y = big()
    many, _, _ = big()
    order = np.arange(len(y), dtype=np.int32)[::-1].copy()
    one = alone.train(x, y, order, 64, 0.05, epochs=4, threads=1)
    two = many.train(x, y, order, 64, 0.05, epochs=4, threads=threads)
    assert alone.params.tobytes() == many.params.tobytes()
    assert one[0].tobytes() == two[0].tobytes()
    assert alone.predict(x).tobytes() == many.predict(x, threads=threads).tobytes()
    assert alone.evaluate(x, y) == many.evaluate(x, y, threads=threads)
    assert (
        alone.gradients(x, y)[1].tobytes()
        == many.gradients(x, y, threads=threads)[1].tobytes()
    )


MANY_ROWS = [
    replace(case, name=f"{case.name}, 70 rows", rows=70)
    for case in [*MODELS, *BLANKS]
    if not any(layer["type"] == "batchnorm" for layer in case.layers)
]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("case", [*MODELS, *MANY_ROWS], ids=str)
def test_models_train_to_the_same_bits_with_any_threads(case, optimizer):
    """A whole call is worth threads from 5 million multiply-adds on: hence the epochs."""
    x, y, params = arrays(case)
    left = set()
    for threads in (1, 2, 3, 8):
        net = native(case, params, {"type": optimizer})
        x32, y32 = native_arrays(case, x, y)
        order = np.arange(len(x), dtype=np.int32)
        losses, _ = net.train(x32, y32, order, 37, 0.01, epochs=20, threads=threads)
        left.add((losses.tobytes(), net.weights.tobytes(), net.predict(x32).tobytes()))
    assert len(left) == 1


@pytest.mark.parametrize("case", MANY_ROWS, ids=str)
def test_a_row_alone_equals_the_row_in_a_batch_of_any_model(case, level):
    x, y, params = arrays(case)
    net = native(case, params)
    x32, _ = native_arrays(case, x, y)
    together = net.predict(x32)
    for begin, end in [(0, 1), (1, 2), (3, 9), (60, 70)]:
        assert net.predict(x32[begin:end]).tobytes() == together[begin:end].tobytes()


def test_row_alone_equals_row_in_batch(level):
    net, x, _ = big()
    together = net.predict(x)
    for begin, end in [(0, 1), (1, 2), (7, 12), (255, 258), (499, 500), (3, 403)]:
        assert net.predict(x[begin:end].copy()).tobytes() == together[begin:end].tobytes()


@pytest.mark.parametrize(
    "layers", [[], [dense(24, "tanh"), {"type": "layernorm"}]], ids=["one", "norm"]
)
def test_blocks_of_many_rows_have_the_bits_of_few_for_any_threads(layers, level):
    """Rows go through small nets up to 1,024 at a time, 64 at a time through the layers."""
    case = Case("small", [*layers, dense(3)], 20, SOFTMAX, 2500)
    x, _, params = arrays(case)
    net, x = native(case, params), x.astype(np.float32)
    together = net.predict(x)
    for threads in (2, 3, 8):
        assert net.predict(x, threads=threads).tobytes() == together.tobytes()
    for begin, end in [(0, 7), (63, 200), (1020, 1030), (2499, 2500)]:
        assert net.predict(x[begin:end]).tobytes() == together[begin:end].tobytes()


def test_bytes_train_to_the_bits_of_their_quotients(level):
    case = Case("mlp", [dense(40, "relu"), dense(10)], 100, SOFTMAX, 256)
    _, y, params = arrays(case)
    pixels = np.random.default_rng(0).integers(0, 256, (256, 100)).astype(np.uint8)
    pixels.flat[:256] = np.arange(256)
    order, y = np.arange(256, dtype=np.int32), y.astype(np.int32)
    from_bytes, from_floats = native(case, params), native(case, params)
    from_bytes.train(pixels, y, order, 10, 0.1)
    from_floats.train(pixels / np.float32(255), y, order, 10, 0.1)
    assert from_bytes.params.tobytes() == from_floats.params.tobytes()
    assert (
        from_bytes.predict(pixels).tobytes()
        == from_floats.predict(pixels / np.float32(255)).tobytes()
    )


def test_epochs_in_one_call_equal_calls_one_by_one():
    one, x, y = big()
    many, _, _ = big()
    order = np.arange(len(y), dtype=np.int32)
    losses, hits = one.train(x, y, order, 64, 0.05, epochs=3)
    for epoch in range(3):
        loss, hit = many.train(x, y, order, 64, 0.05)
        assert (loss[0], hit[0]) == (losses[epoch], hits[epoch])
    assert one.params.tobytes() == many.params.tobytes()


def test_short_last_batch_is_divided_by_its_own_size():
    case = Case("tail", [dense(3)], 4, SOFTMAX, 10)
    x, y, params = arrays(case)
    net = native(case, params)
    x32, y32 = native_arrays(case, x, y)
    net.train(x32, y32, np.arange(10, dtype=np.int32), 8, 0.5)
    twins.sgd_epoch(case.layers, params, x, y, np.arange(10), 8, 0.5, SOFTMAX)
    assert relative(net.params, twins.flatten(params)) < 1e-6


def test_fused_xor_epoch_matches_plain_passes(level):
    """Bytes take the plain passes, floats the fused kernel."""
    case = CASES[2]
    assert case.name == "xor"
    _, _, params = arrays(case)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    order = np.array([0, 1, 2, 3], np.int32)
    fused, plain = native(case, params), native(case, params)
    fused_losses, fused_hits = fused.train(x, y, order, 1, 0.5, epochs=200)
    plain_losses, plain_hits = plain.train(
        (x * 255).astype(np.uint8), y, order, 1, 0.5, epochs=200
    )
    np.testing.assert_allclose(fused_losses, plain_losses, rtol=1e-4)
    np.testing.assert_array_equal(fused_hits, plain_hits)
    assert relative(fused.params, plain.params) < 1e-4


def test_the_fused_xor_epoch_takes_halves_for_one(level):
    """Outputs of exactly 1/2, and targets: both are the class 1, as of the plain passes."""
    net = native(CASES[2], arrays(CASES[2])[2])
    net.params[:] = 0
    x = np.zeros((5, 2), np.float32)
    y = np.array([[0.5], [1], [0], [0.5], [0.4]], np.float32)
    order = np.arange(5, dtype=np.int32)
    for rows in (x, x.astype(np.uint8)):
        losses, hits = net.train(rows, y, order, 1, 1e-12)
        assert hits[0] == 3
        assert losses[0] == pytest.approx(0.25 + 0.25 + 0.01)


@pytest.mark.parametrize("bias", [-60.0, -5.0, 60.0])
def test_the_fused_xor_epoch_saturates(bias, level):
    """Far from 0 sigmoids are 0 and 1, in the hidden layer and above it."""
    net = native(CASES[2], arrays(CASES[2])[2])
    net.params[:] = [*np.zeros(8), -100, 100, -17, 17, 1, 2, 4, 8, bias]
    x, y, order = np.zeros((1, 2), np.float32), [[0.25]], np.zeros(1, np.int32)
    losses, _ = net.train(x, np.array(y, np.float32), order, 1, 1e-12)
    output = 1 / (1 + np.exp(-(2 + 8 + bias)))
    assert losses[0] == pytest.approx((output - 0.25) ** 2, rel=1e-5)


S = "sigmoid"
BESIDE_XOR = [
    Case("itself", [dense(4, S), dense(1, S)], (2,), SQUARES, 9),
    Case("a layer more", [dense(4, S), dense(1, S), dense(1)], (2,), SQUARES, 9),
    Case("a layer less", [dense(4, S)], (2,), SQUARES, 9),
    Case("an input more", [dense(4, S), dense(1, S)], (3,), SQUARES, 9),
    Case("a unit more", [dense(5, S), dense(1, S)], (2,), SQUARES, 9),
    Case("an output more", [dense(4, S), dense(2, S)], (2,), SQUARES, 9),
    Case("another function", [dense(4, "tanh"), dense(1, S)], (2,), SQUARES, 9),
    Case("another output", [dense(4, S), dense(1)], (2,), SQUARES, 9),
    Case("other functions", [dense(4, "tanh"), dense(1)], (2,), SQUARES, 9),
    Case("another loss", [dense(4, S), dense(1, S)], (2,), "absolute_error", 9),
]


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("case", BESIDE_XOR, ids=str)
def test_nets_beside_the_xor_net_match_the_twin(case, batch_size, level):
    """The kernel for that net and batches of one row must be used for nothing else."""
    x, y, params = arrays(case)
    order = np.arange(case.rows, dtype=np.int32)[::-1].copy()
    net = native(case, params)
    losses, _ = net.train(*native_arrays(case, x, y), order, batch_size, 0.3, epochs=2)
    steps = -(-case.rows // batch_size)
    args = (order, batch_size, 0.3, case.loss)
    expected = [
        twins.sgd_epoch(case.layers, params, x, y, *args, step=epoch * steps)
        for epoch in range(2)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert relative(net.params, twins.flatten(params)) < 1e-5


@pytest.mark.parametrize("name", sorted(twins.ACTIVATIONS))
def test_activations_over_their_range(name, level):
    """Values to float32 precision from deep in one tail to deep in the other."""
    z = np.linspace(-30, 30, 2001)
    net = _core.Net([dense(len(z), name)], (1,), SQUARES)
    net.params[: len(z)] = z
    got = net.predict(np.ones((1, 1), np.float32))[0]
    f, _ = twins.ACTIVATIONS[name]
    expected = f(np.float64(np.float32(z)), twins.DEFAULT_ALPHA.get(name, 0))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=3e-7)


@pytest.mark.parametrize("name", sorted(twins.ACTIVATIONS))
def test_activations_let_nan_through(name, level):
    net = _core.Net([dense(5, name)], (1,), SQUARES)
    net.params[:5] = np.nan
    assert np.isnan(net.predict(np.ones((1, 1), np.float32))).all()
