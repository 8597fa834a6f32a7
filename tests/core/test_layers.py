"""What single layers promise beyond the numbers that the general walk compares."""

import subprocess
import sys

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
import twins
from cases import (
    CASES,
    SOFTMAX,
    SQUARES,
    Case,
    activation,
    arrays,
    avgpool2d,
    batchnorm,
    conv2d,
    dense,
    dropout,
    flatten,
    global_avgpool1d,
    global_maxpool1d,
    global_maxpool2d,
    layer_arrays,
    layernorm,
    maxpool2d,
    mean_pool,
    native,
    native_arrays,
    patch_embed,
    position,
    relative,
    rmsnorm,
    self_attention,
    softmax,
)
from environment import python_environment
from memory import measured


def predict(layers, shape, x, params=None):
    """Outputs of a net of these layers for x: (n, *shape) in, (n, outputs) out."""
    net = _core.Net([*layers, flatten()], shape, SQUARES)
    if params is not None:
        net.weights[:] = params
    return net.predict(np.ascontiguousarray(x, np.float32).reshape(len(x), -1))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shapes_and_storage_order_match_twin(case):
    net = _core.Net(case.layers, case.input_shape, case.loss)
    offset = {False: 0, True: net.params.size}
    for layer, (out, params, state) in zip(net.layers, layer_arrays(case), strict=True):
        assert layer["shape"] == out
        expected = [(name, shape, False) for name, shape in params.items()]
        expected += [(name, shape, True) for name, shape in state.items()]
        got = [(p["name"], p["shape"], p["is_state"]) for p in layer["params"]]
        assert got == expected
        for param in layer["params"]:
            assert param["offset"] == offset[param["is_state"]]
            offset[param["is_state"]] += np.prod(param["shape"])
    assert offset[True] == net.weights.size


def test_no_layer_takes_an_empty_input():
    seen = set()
    for case in CASES:
        kinds = {spec["type"] for spec in case.layers}
        if kinds <= seen:
            continue
        seen |= kinds
        shapes = [
            (*case.input_shape[:axis], extent, *case.input_shape[axis + 1 :])
            for axis in range(len(case.input_shape))
            for extent in (0, -1, 2**40)
        ]
        for make, layers in ((_core.Net, case.layers), (rn.Network, case.specs)):
            for shape in shapes:
                with pytest.raises(
                    ValueError, match="^input_shape: expected .* got "
                ) as told:
                    make(layers, shape, case.loss)
                assert "\n" not in str(told.value)
        net = rn.Network(case.specs, case.input_shape, case.loss)
        for axis in range(len(case.input_shape) + 1):
            empty = [3, *case.input_shape]
            empty[axis] = 0
            for call in (net.predict, net.forward, lambda x, net=net: net.fit(x, [])):
                with pytest.raises(ValueError, match=r"^x: expected shape \(n > 0, "):
                    call(np.zeros(empty, np.float32))
    assert seen >= {*_core.tables()["layers"]}


# ---- what no net could have is refused when the layer is made ----


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rn.Dense(10, "rellu"), "Dense.activation: .*linear, relu.*mean 'relu'"),
        (lambda: rn.Conv2D(8, 3, activation="soft_max"), "Conv2D.activation: .*'softmax'"),
        (lambda: rn.Activation("tan"), "Activation.function: .* mean 'tanh'"),
        (lambda: rn.Position("sinusoid"), "Position.init: .* mean 'sinusoidal'"),
        (lambda: rn.Dense(0), r"Dense.units: expected an integer in \[1, .* got 0"),
        (lambda: rn.Dense(3.5), r"Dense.units: expected an integer in .* got 3.5"),
        (lambda: rn.Dense(True), "Dense.units: expected an integer in .* got true"),
        (lambda: rn.Dense("10"), "Dense.units: expected an integer in .* got '10'"),
        (lambda: rn.Conv2D(8, 3, stride=0), r"Conv2D.stride: .*\[1, 32768\] or .* got 0"),
        (
            lambda: rn.Conv2D(8, 3, padding=-1),
            r"Conv2D.padding: .*\[0, 32768\], 2 .* got -1",
        ),
        (lambda: rn.Conv2D(8, (3, 0)), r"Conv2D.kernel_size: .* 2 of them, got \[3, 0\]"),
        (lambda: rn.Conv2D(8, (3, 3, 3)), r"Conv2D.kernel_size: .* got \[3, 3, 3\]"),
        (lambda: rn.Conv2D(8, 3, padding="full"), "Conv2D.padding: .* valid, got 'full'"),
        (lambda: rn.Conv2D(8, 3, padding=(1, 2, 3)), r"Conv2D.padding: .* got \[1, 2, 3\]"),
        (lambda: rn.Conv2D(8, 3, dilation=(1, 2.0)), r"Conv2D.dilation: .* \[1, 2.0\]"),
        (lambda: rn.Conv2D(8, 3, groups=(2, 2)), "Conv2D.groups: expected an integer in"),
        (lambda: rn.MaxPool2D(0), "MaxPool2D.kernel_size: expected an integer"),
        (lambda: rn.Dropout(1.0), r"Dropout.rate: expected a number in \[0, .* got 1.0"),
        (lambda: rn.Dropout(float("nan")), "Dropout.rate: expected a number"),
        (lambda: rn.BatchNorm(momentum=2), "BatchNorm.momentum: expected a number in"),
        (lambda: rn.LayerNorm(epsilon=0), "LayerNorm.epsilon: expected a number in"),
        (lambda: rn.SelfAttention(heads=0), "SelfAttention.heads: expected an integer"),
        (lambda: rn.SelfAttention(residual=1), "SelfAttention.residual: expected true or"),
        (lambda: rn.PatchEmbed(0, 8), "PatchEmbed.patch_size: expected an integer"),
        (lambda: rn.Dense(3, alpha=0.1), "Dense.alpha: only leaky_relu and elu have"),
    ],
)
def test_layers_refuse_what_no_net_could_have(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([{"type": "dens", "units": 3}], ValueError, r"layers\[0\].type: .* mean 'dense'"),
        ([{"type": "dense", "unit": 3}], ValueError, r"layers\[0\].unit: .* mean 'units'"),
        ([rn.Flatten(), {"type": "dense"}], ValueError, r"layers\[1\].units: missing"),
        ([rn.Flatten(), rn.Dense], TypeError, r"layers\[1\]: .*; write Dense\(...\)"),
        (["dense"], TypeError, r"layers\[0\]: expected a layer or its spec, got 'dense'"),
        (rn.Dense(3), TypeError, "layers: expected a list of layers"),
        (5, TypeError, "layers: expected a list of layers, got 5"),
    ],
)
def test_networks_refuse_what_is_no_layer(layers, error, message):
    with pytest.raises(error, match=message):
        rn.Network(layers, (4,))


@pytest.mark.parametrize("shape", [4, None, (4.0,), "4"])
def test_networks_refuse_what_is_no_shape(shape):
    with pytest.raises(TypeError, match=r"input_shape: .* such as \(784,\)"):
        rn.Network([rn.Dense(3)], shape)


def test_numbers_of_numpy_and_other_names_are_accepted():
    net = rn.Network(
        [
            rn.Dense(np.int64(3), "swish"),
            rn.Dropout(np.float32(0.5)),
            {"type": "dense", "units": np.int32(2), "activation": None},
        ],
        np.array([4]),
    )
    assert net.specs[0] == {"type": "dense", "units": 3, "activation": "silu"}
    assert net.specs[1:] == [
        {"type": "dropout", "rate": 0.5},
        {"type": "dense", "units": 2},
    ]


# ---- initial values ----


def test_initial_weights_replay_the_generator():
    """Every Glorot draw, layer by layer, from the reference's generator and mapping."""
    layers = [
        conv2d(4, 3),
        patch_embed(2, 6),
        position(),
        self_attention(),
        position("larger_random"),
        position("xavier"),
        mean_pool(),
        dense(3),
    ]
    net = rn.Network(layers, (2, 8, 6), seed=42)
    twin = twins.Xorshift(42)

    def glorot(fan_in, fan_out, n):
        limit = np.sqrt(np.float32(6) / np.float32(fan_in + fan_out))
        return twin.uniform(-limit, limit, n)

    expected = {"layers.0.weight": glorot(2 * 9, 4 * 9, 72)}
    expected["layers.1.weight"] = glorot(16, 6, 96)
    for name in "qkv":
        expected[f"layers.3.{name}_weight"] = glorot(6, 6, 36)
    expected["layers.4.table"] = twin.uniform(-0.5, 0.5, 36)
    expected["layers.5.table"] = glorot(6, 6, 36)
    expected["layers.7.weight"] = glorot(6, 3, 18)
    for name, values in net.parameters.items():
        if name in expected:
            np.testing.assert_array_equal(values.ravel(), expected[name], err_msg=name)
        elif name != "layers.2.table":
            assert not values.any(), name


def test_sinusoidal_table_matches_twin():
    for trainable in (True, False):
        net = rn.Network([position(trainable=trainable), mean_pool()], (49, 64))
        table = (net.parameters if trainable else net.state)["layers.0.table"]
        # Angles up to 48 are rounded to float32.
        expected = twins.sinusoidal_positions(49, 64)
        np.testing.assert_allclose(table, expected, atol=5e-6)


def test_norms_start_as_identity_over_unit_statistics():
    net = rn.Network([batchnorm(), layernorm()], (3,))
    np.testing.assert_array_equal(net.weights, [1, 1, 1, 0, 0, 0] * 2 + [0, 0, 0, 1, 1, 1])


# ---- dropout ----


def native_mask(rate, shape, row=0, rows=1, seed=0, step=0, below=(), threads=1):
    """What dropout over a row of ones multiplies it by, read off the weights' gradient.

    The only output is a bias of 1 with target 0, so that the gradient by it is 1.
    """
    layers = [*below, dropout(rate), flatten(), dense(1)]
    net = _core.Net(layers, shape, SQUARES)
    net.params[-1] = 1
    x = np.ones((rows, np.prod(shape)), np.float32)
    only = np.zeros(rows, np.float32)
    only[row] = rows
    y = np.zeros((rows, 1), np.float32)
    _, grads = net.gradients(x, y, weights=only, seed=seed, step=step, threads=threads)
    return grads[:-1]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_mask_is_exactly_the_twins(rate, level):
    shape, rows, seed, step = (3, 7, 5), 4, 2**64 - 3, 2**33
    key = twins.mask_key(twins.mask_key(seed, step), 0)
    expected = twins.dropout_mask(key, rate, (rows, *shape))
    for row in range(rows):
        got = native_mask(rate, shape, row, rows, seed, step)
        np.testing.assert_array_equal(got != 0, expected[row].ravel() != 0)
        np.testing.assert_allclose(got, expected[row].ravel(), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -0.0, -1e-45, 3.0, np.inf, np.nan])
def test_gradients_pass_what_was_kept_whatever_it_is(value, level):
    """A kept zero is not a dropped one."""
    x = np.full((3, 21), value, np.float32)
    dout = np.arange(1, 64, dtype=np.float32).reshape(3, 21)
    (dx,) = rn.kernels.dropout_backward(dout, x, rate=0.4, seed=1, step=2)
    mask = twins.dropout_mask(twins.mask_key(twins.mask_key(1, 2), 0), 0.4, (3, 21))
    np.testing.assert_array_equal(dx != 0, mask != 0)
    np.testing.assert_allclose(dx, dout * mask, rtol=1e-6)
    out = rn.kernels.dropout_forward(x, rate=0.4, seed=1, step=2)
    expected = np.where(mask > 0, value * mask.max(), 0)
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=3e-45)


def test_an_element_is_kept_from_its_own_number_down():
    """Its number has 24 bits, so a rate can equal it."""
    key = twins.mask_key(twins.mask_key(2, 0), 0)
    for i, number in enumerate(twins.uniform_numbers(key, (20,))):
        if 0.01 < number < 0.99:
            assert native_mask(float(number), (20,), seed=2)[i] > 0
            assert native_mask(float(number + 2.0**-24), (20,), seed=2)[i] == 0


def test_masks_differ_by_seed_step_and_layer():
    masks = [
        native_mask(0.5, (64,), seed=seed, step=step, below=[activation("linear")] * below)
        for seed, step, below in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)]
    ]
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert 10 < (mask != other).sum() < 54
    key = twins.mask_key(twins.mask_key(0, 0), 1)
    expected = twins.dropout_mask(key, 0.5, (1, 64))[0]
    np.testing.assert_array_equal(masks[3], expected)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropped_share_is_the_rate(rate):
    n = 100_000
    mask = native_mask(rate, (n,), seed=11)
    deviation = 4 * np.sqrt(rate * (1 - rate) / n)
    assert abs((mask == 0).mean() - rate) < deviation
    assert mask.mean() == pytest.approx(1, abs=deviation / (1 - rate))


def test_masks_do_not_depend_on_threads(level):
    case = Case("wide", [dense(256), dropout(0.4), dense(10)], (128,), SOFTMAX, 300)
    x, y, params = arrays(case)
    net, (x, y) = native(case, params), native_arrays(case, x, y)
    alone = net.gradients(x, y, seed=5, step=9)
    for threads in (2, 3, 8):
        many = net.gradients(x, y, seed=5, step=9, threads=threads)
        assert alone[0] == many[0]
        assert alone[1].tobytes() == many[1].tobytes()


def test_dropout_is_identity_in_inference(level):
    x = np.random.default_rng(1).normal(size=(3, 50)).astype(np.float32)
    assert predict([dropout(0.9)], (50,), x).tobytes() == x.tobytes()


def test_every_training_step_has_its_own_masks():
    """The second batch of a call drops as the first batch of a call with step=1."""
    case = Case("masks", [dropout(0.5), dense(2)], (40,), SQUARES, 8)
    x, y, params = arrays(case)
    x, y = native_arrays(case, x, y)
    order = np.arange(8, dtype=np.int32)
    together, apart = native(case, params), native(case, params)
    together.train(x, y, order, 4, 0.1, seed=7, step=3)
    apart.train(x, y, order[:4], 4, 0.1, seed=7, step=3)
    apart.train(x, y, order[4:], 4, 0.1, seed=7, step=4)
    assert together.params.tobytes() == apart.params.tobytes()


# ---- batchnorm ----

CHANNELS = Case(
    "channels",
    [conv2d(5, 3), batchnorm(momentum=0.7), activation("tanh"), flatten(), dense(3)],
    (2, 6, 7),
    SOFTMAX,
    11,
)
FEATURES = Case("features", [dense(6), batchnorm(), dense(3)], (5,), SOFTMAX, 11)


@pytest.mark.parametrize("case", [CHANNELS, FEATURES], ids=str)
def test_running_statistics_match_twin_and_serve_inference(case, level):
    x, y, params = arrays(case)
    net, (x32, y32) = native(case, params), native_arrays(case, x, y)
    order = np.arange(case.rows, dtype=np.int32)
    net.train(x32, y32, order, 4, 0.05, epochs=2)
    for _ in range(2):
        twins.sgd_epoch(case.layers, params, x, y, order, 4, 0.05, case.loss)
    running = twins.flatten_all(params)[net.params.size :]
    np.testing.assert_allclose(net.weights[net.params.size :], running, rtol=2e-5)
    out, _ = twins.forward(case.layers, params, x)
    assert relative(net.predict(x32), twins.softmax(out)) < 1e-5
    before = net.weights.tobytes()
    net.predict(x32)
    net.evaluate(x32, y32)
    assert net.weights.tobytes() == before


def test_batchnorm_by_hand(level):
    """[[0, 1], [2, 3]] becomes [[-1, -1], [1, 1]]; the loss to targets 0 is 2 a row."""
    net = _core.Net([batchnorm(momentum=0.9)], (2,), SQUARES)
    net.weights[:] = [1, 1, 0, 0, 0, 0, 0, 0]
    x = np.array([[0, 1], [2, 3]], np.float32)
    loss, _ = net.train(x, np.zeros((2, 2), np.float32), np.arange(2, dtype=np.int32), 2, 0)
    assert loss[0] == pytest.approx(4, rel=1e-4)
    np.testing.assert_allclose(net.weights[4:], [0.1, 0.2, 0.1, 0.1], rtol=1e-5)


@pytest.mark.parametrize("layer", [batchnorm(), layernorm()], ids=["batch", "layer"])
def test_norms_keep_their_digits_far_from_zero(layer, level):
    """The naive mean of squares minus squared mean would lose the variance."""
    x = 1000 + np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    case = Case("far", [layer], (40,), SQUARES, 40)
    _, y, params = arrays(case)
    y32 = y.astype(np.float32)
    _, grads = native(case, params).gradients(x, y32)
    row_loss, expected = twins.gradients(
        case.layers, params, x.astype(np.float64), y32, SQUARES
    )
    assert relative(grads, twins.flatten(expected)) < 1e-4
    loss, _ = native(case, params).gradients(x, y32)
    assert loss == pytest.approx(row_loss.sum(), rel=1e-4)


def kernel_and_twin(layer, x, params, dout):
    """Outputs and gradients of a layer with these parameters, and what its twin says."""
    kind = layer["type"]
    values = dict(zip(twins.layer_arrays([layer], x.shape[1:])[0][1], params, strict=True))
    exact = {k: v.astype(np.float64) for k, v in values.items()}
    out, caches = twins.forward([layer], [exact], x.astype(np.float64))
    dx, (dparams,) = twins.backward([layer], [exact], caches, dout.astype(np.float64))
    forward = getattr(rn.kernels, f"{kind}_forward")(x, *params)
    backward = getattr(rn.kernels, f"{kind}_backward")(dout, x, *params)
    return (forward, *backward), (out, dx, *dparams.values())


@pytest.mark.parametrize("layer", [layernorm(), rmsnorm()], ids=str)
@pytest.mark.parametrize("size", [1e-3, 1, 1e12, 1e25])
@pytest.mark.parametrize("width", [3, 64, 5000])
def test_norms_of_tokens_of_any_size(layer, size, width, level, rng):
    """From 1e19 on squares do not fit float32."""
    x = (size * rng.normal(size=(40, width))).astype(np.float32)
    dout = rng.normal(size=x.shape).astype(np.float32)
    params = [rng.normal(size=width).astype(np.float32) for _ in range(2)]
    params = params[: 1 if layer["type"] == "rmsnorm" else 2]
    for got, expected in zip(*kernel_and_twin(layer, x, params, dout), strict=True):
        assert relative(got, expected) < 2e-6


@pytest.mark.parametrize("layer", [layernorm(), rmsnorm()], ids=str)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_norms_let_what_is_not_finite_through(layer, value, level):
    net = _core.Net([layer], (20,), "none")
    net.params[:] = 1
    x = np.ones((3, 20), np.float32)
    x[1, 18] = value
    seen = np.isnan(net.predict(x))
    assert seen[1, 18]
    assert not seen[[0, 2]].any()


# ---- windows ----


@pytest.mark.parametrize(
    ("extent", "kernel", "stride", "dilation", "outputs", "before", "after"),
    # Worked out by hand from TensorFlow's description of SAME.
    [
        (5, 3, 1, 1, 5, 1, 1),
        (5, 2, 1, 1, 5, 0, 1),
        (5, 4, 1, 1, 5, 1, 2),
        (5, 2, 2, 1, 3, 0, 1),
        (6, 3, 2, 1, 3, 0, 1),
        (7, 3, 2, 1, 4, 1, 1),
        (6, 1, 4, 1, 2, 0, 0),
        (2, 5, 1, 1, 2, 2, 2),
        (8, 3, 1, 2, 8, 2, 2),
        (7, 2, 3, 3, 3, 1, 2),
    ],
)
def test_same_padding(extent, kernel, stride, dilation, outputs, before, after):
    spec = conv2d(1, (kernel, 1), stride=(stride, 1), dilation=(dilation, 1))
    net = _core.Net([{**spec, "padding": "same"}], (1, extent, 3), "none")
    assert net.layers[0]["shape"] == (1, outputs, 3)
    assert net.layers[0]["window"]["padding"] == (before, after, 0, 0)


# One filter of a group fills less of a vector than the layout in pixels wants, on any level.
@pytest.mark.parametrize(
    ("conv", "is_fused"),
    [
        (conv2d(1, 3, padding=1), True),
        (conv2d(1, 3, padding="same"), True),
        (conv2d(1, (3, 3), padding=(1, 1, 1, 1), dilation=1, groups=1), True),
        (conv2d(1, (3, 2), padding=(1, 1)), False),
        (conv2d(1, 2, padding="same"), False),
        (conv2d(1, 3, padding=(1, 0)), False),
        (conv2d(1, 3, stride=(1, 2)), False),
        (conv2d(1, 3, padding=2, dilation=(1, 2)), False),
        (conv2d(1, 1, dilation=2), False),
        (conv2d(3, 3, groups=3), False),
        (conv2d(1, 3, padding=3), False),
    ],
)
def test_which_convolutions_are_one_stage_with_a_pool(conv, is_fused):
    net = _core.Net([conv, maxpool2d()], (3, 12, 12), "none")
    net.profile = True
    net.predict(np.ones((1, 3 * 144), np.float32))
    stages = {stage for stage, _, _ in net.profile}
    assert ("conv2d+maxpool2d" in stages) == is_fused
    assert ("conv2d" in stages) == (not is_fused)


def test_specs_are_as_short_as_they_can_be():
    """A layer that older files know has the spec that they have."""
    plain = rn.Conv2D(8, 3, padding=1).spec()
    assert plain == {
        **{"type": "conv2d", "filters": 8, "kernel_size": 3, "stride": 1, "padding": 1},
        "activation": "linear",
    }
    said = rn.Conv2D(8, (3, 3), (1, 1), (1, 1, 1, 1), dilation=(1, 1), groups=1)
    assert said.spec() == plain
    mixed = rn.Conv2D(8, np.array([3, 5]).tolist(), padding=(1, 1, 2, 2), dilation=(2, 1))
    assert {key: mixed.spec()[key] for key in ("kernel_size", "padding", "dilation")} == {
        "kernel_size": [3, 5],
        "padding": [1, 2],
        "dilation": [2, 1],
    }


def test_windows_go_through_files(tmp_path):
    layers = [
        rn.Conv2D(6, (3, 2), (1, 2), (0, 1, 2, 0), "relu", groups=2, dilation=(1, 2)),
        rn.MaxPool2D((2, 1), padding="same"),
        rn.AvgPool2D((1, 2), (2, 1), "valid"),
        rn.Flatten(),
        rn.Dense(3),
    ]
    net = rn.Network(layers, (4, 7, 9), seed=1)
    net.save(tmp_path / "net.safetensors")
    loaded = rn.load(tmp_path / "net.safetensors")
    assert loaded.specs == net.specs
    x = np.random.default_rng(0).random((3, 4, 7, 9), np.float32)
    np.testing.assert_array_equal(loaded.predict_proba(x), net.predict_proba(x))


def test_a_window_too_large_to_count_is_refused():
    spec = conv2d(1, 1, padding=1 << 15)
    with pytest.raises(ValueError, match=r"^layers\[0\]: expected a padded input of at "):
        _core.Net([spec], (1, 1, 2**31 - 1), "none")
    # Gaps: what is unfolded is small, the padded planes are not.
    spec = conv2d(1, 2, dilation=1 << 15, padding=(1 << 15, 0))
    with pytest.raises(ValueError, match=r"^layers\[0\].filters: expected padded planes"):
        _core.Net([spec], (1, 1, 2**15 + 1), "none")


# ---- pools ----


@pytest.mark.parametrize(
    ("pool", "width"),
    [
        (maxpool2d(2), 20),
        (maxpool2d(2), 7),
        (maxpool2d(3, stride=1), 9),
        (maxpool2d(3, stride=2, padding=1), 12),
    ],
)
def test_first_of_equal_maxima_gets_the_gradient(pool, width, level):
    """Two channels that add up to a constant: all pixels tie, and the gradient by the
    weight of one channel shows which pixel was taken."""
    ramp = np.arange(6.0 * width).reshape(6, width)
    image = np.stack([ramp, 200 - ramp])
    case = Case("ties", [conv2d(1, 1), pool, flatten()], (2, 6, width), SQUARES, 1)
    params = [
        twins.Params({"weight": np.ones((1, 2, 1, 1)), "bias": np.zeros(1)}),
        twins.Params(),
        twins.Params(),
    ]
    out, _ = twins.forward(case.layers, params, image[None])
    assert (out == 200).all()
    targets = out - 1  # the gradient is 1 everywhere
    _, grads = native(case, params).gradients(*native_arrays(case, image[None], targets))
    stride, padding = pool.get("stride", pool["kernel_size"]), pool.get("padding", 0)
    corners = [
        np.maximum(np.arange(n) * stride - padding, 0) for n in layer_arrays(case)[1][0][1:]
    ]
    taken = ramp[np.ix_(*corners)]
    np.testing.assert_allclose(grads[:2], [taken.sum(), (200 - taken).sum()], rtol=1e-6)


@pytest.mark.parametrize(
    ("pool", "shape"), [(global_maxpool1d(), (2, 9)), (global_maxpool2d(), (2, 3, 3))]
)
def test_first_of_equal_maxima_of_a_channel_gets_the_gradient(pool, shape, level):
    x = np.float32([[0, 1, 3, 2, 3, 0, 0, 3, 1], [-2, -2, -4, -2, -5, -6, -3, -2, -9]])
    net = _core.Net([pool], shape, "none")
    out, dinp, _ = net.backprop(x.reshape(1, -1), np.float32([[5, 7]]), seed=0, step=0)
    np.testing.assert_array_equal(out, [[3, -2]])
    expected = np.zeros((2, 9))
    expected[0, 2], expected[1, 0] = 5, 7
    np.testing.assert_array_equal(dinp.reshape(2, 9), expected)


def test_padding_never_is_the_maximum(level):
    x = -np.ones((1, 2, 5, 5), np.float32)
    assert (predict([maxpool2d(3, stride=2, padding=1)], (2, 5, 5), x) == -1).all()


def test_padding_counts_in_the_average(level):
    got = predict([avgpool2d(2, padding=1)], (1, 2, 2), np.ones((1, 1, 2, 2)))
    np.testing.assert_array_equal(got, [[0.25] * 4])


def test_same_padding_does_not_count_in_the_average(level):
    x = np.arange(1.0, 7.0).reshape(1, 1, 2, 3)
    got = predict([avgpool2d(2, padding="same")], (1, 2, 3), x)
    np.testing.assert_array_equal(got, [[3, 4.5]])


# ---- attention ----


@pytest.mark.parametrize("heads", [1, 2, 3])
@pytest.mark.parametrize(("tokens", "width"), [(1, 6), (5, 18), (49, 12), (150, 6)])
def test_maps_match_twin_and_sum_to_one(heads, tokens, width, level):
    layers = [position("zero"), self_attention(heads), mean_pool()]
    case = Case("maps", layers, (tokens, width), SQUARES, 3)
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    net = native(case, params)
    maps = net.maps(x32, 1)
    _, caches = twins.forward(case.layers, params, x)
    expected = caches[1]["alpha"]
    shape = (3, heads, tokens, tokens) if heads > 1 else (3, tokens, tokens)
    assert maps.shape == shape
    np.testing.assert_allclose(maps, expected.reshape(shape), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=2e-6)
    assert maps.tobytes() == net.maps(x32, 1, threads=4).tobytes()


def test_maps_of_more_rows_than_are_taken_at_a_time():
    case = Case("rows", [self_attention(), mean_pool()], (3, 2), SQUARES, 600)
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    net = native(case, params)
    maps = net.maps(x32, 0)
    for row in (0, 255, 256, 599):
        assert net.maps(x32[row : row + 1].copy(), 0).tobytes() == maps[row].tobytes()


ATTENTION_MEMORY = """
import numpy as np
from memory import peak, reset_peak
from rnn_native import Network, _core  # Network: the package's set-up
layers = [{"type": "self_attention", "heads": 8, "out_proj": True}, {"type": "mean_pool"}]
net = _core.Net(layers, (256, 16), "squared_error", {"type": "adam"})
x = np.random.default_rng(0).normal(size=(64, 256 * 16)).astype(np.float32)
y, order = np.zeros((64, 16), np.float32), np.arange(64, dtype=np.int32)
before = reset_peak()
net.train(x, y, order, 64, 0.01)
net.predict(x)
print(peak() - before)
"""


@measured
def test_attention_over_many_tokens_keeps_no_matrix_of_them():
    # Eight heads' 256 x 256 weights of 64 rows would be 128 MB; tokens, q, k, v, contexts and
    # gradients of the tokens are 10 MB.
    found = subprocess.run(
        [sys.executable, "-c", ATTENTION_MEMORY],
        env=python_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(found.stdout) < 32


def test_maps_of_another_layer_are_refused():
    net = _core.Net([self_attention(), mean_pool()], (3, 2), SQUARES)
    for layer in (1, 2, -1):
        with pytest.raises(ValueError, match="maps"):
            net.maps(np.zeros((1, 6), np.float32), layer)


# ---- what is not a number, and what is huge ----

NAN_LAYERS = {
    "maxpool": ([maxpool2d()], (1, 4, 6)),
    "maxpool padded": ([maxpool2d(3, stride=1, padding=1)], (2, 5, 17)),
    "avgpool": ([avgpool2d(3, stride=1)], (1, 5, 20)),
    "global maxpool": ([global_maxpool2d()], (1, 3, 7)),
    "global maxpool 1d": ([global_maxpool1d()], (2, 9)),
    "global avgpool 1d": ([global_avgpool1d()], (2, 9)),
    "conv": ([conv2d(2, 3, "relu", padding=1)], (1, 5, 20)),
    "softmax": ([softmax()], (5, 19)),
    "layernorm": ([layernorm()], (3, 18)),
    "batchnorm": ([batchnorm()], (2, 3, 9)),
    "patch_embed": ([patch_embed(2, 3)], (1, 4, 6)),
    "position": ([position()], (3, 5)),
    "mean_pool": ([mean_pool()], (3, 18)),
    "attention": ([self_attention()], (4, 17)),
}


@pytest.mark.parametrize("name", NAN_LAYERS)
def test_nan_goes_exactly_where_the_twin_sends_it(name, level):
    layers, shape = NAN_LAYERS[name]
    case = Case(name, [*layers, flatten()], shape, SQUARES, 3)
    x, y, params = arrays(case)
    for place in (0, 7, case.inputs - 1):
        poisoned = x.copy()
        poisoned[1].flat[place] = np.nan
        got = native(case, params).predict(native_arrays(case, poisoned, y)[0])
        expected, _ = twins.forward(case.layers, params, poisoned)
        assert np.isnan(expected[1]).any()
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))


def test_softmax_of_huge_values(level):
    x = np.array([[1000, 1001, 1002], [-1e30, 0, 1e30], [-3e38, -3e38, -3e38]])
    got = predict([softmax()], (3,), x)
    expected = twins.softmax(np.float64(x))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-30)


def test_attention_over_huge_scores_picks_one_token(level):
    net = _core.Net([self_attention(), flatten()], (3, 1), SQUARES)
    net.params[[0, 2, 4]] = [100, 100, 1]  # q = k = 100 x, v = x
    x = np.array([[1, 2, 30]], np.float32)
    np.testing.assert_array_equal(net.predict(x), [[30, 30, 30]])


# ---- bits, for the models of the reference ----

CNN = Case(
    "cnn",
    [
        conv2d(8, 3, "relu", padding=1),
        batchnorm(),
        maxpool2d(),
        dropout(0.1),
        flatten(),
        dense(10),
    ],
    (1, 28, 28),
    SOFTMAX,
    70,
)
ATTENTION = Case(
    "attention",
    [
        patch_embed(4, 64),
        position(),
        activation("relu"),
        self_attention(),
        layernorm(),
        dense(128, "relu"),
        dense(64),
        mean_pool(),
        dense(10),
    ],
    (1, 28, 28),
    SOFTMAX,
    70,
)
BLOCKS = Case(
    "window blocks",
    [conv2d(8, 3, "relu", padding=1), maxpool2d(), flatten(), dense(10)],
    (1, 28, 28),
    SOFTMAX,
    140,
    blank=True,
)
TIED = Case(
    "attention under a dense layer",
    [*ATTENTION.layers[:4], dense(128, "relu"), dense(64), mean_pool(), dense(10)],
    (1, 28, 28),
    SOFTMAX,
    70,
    blank=True,
)


@pytest.mark.parametrize(("optimizer", "clip_norm"), [("adam", 1.0), ("sgd", 0.0)])
@pytest.mark.parametrize("case", [CNN, BLOCKS, ATTENTION, TIED], ids=str)
def test_bits_do_not_depend_on_threads(case, optimizer, clip_norm, level):
    x, y, params = arrays(case)
    x, y = native_arrays(case, x, y)
    order = np.arange(case.rows, dtype=np.int32)[::-1].copy()
    nets = [native(case, params, {"type": optimizer}) for _ in range(3)]
    results = [
        net.train(x, y, order, 32, 0.01, seed=3, clip_norm=clip_norm, threads=threads)
        for net, threads in zip(nets, (1, 2, 5), strict=True)
    ]
    for net, result in zip(nets[1:], results[1:], strict=True):
        assert net.weights.tobytes() == nets[0].weights.tobytes()
        assert net.moments.tobytes() == nets[0].moments.tobytes()
        assert result[0].tobytes() == results[0][0].tobytes()


@pytest.mark.parametrize("case", [BLOCKS, TIED], ids=str)
def test_what_is_left_out_hides_no_nan(case, level):
    """Blank windows and patches, and a key's bias, which changes no score."""
    x, y, params = arrays(case)
    x, y = native_arrays(case, x, y)
    net = native(case, params)
    for layer in net.layers:
        for param in layer["params"]:
            net.weights[:] = twins.flatten_all(params)
            net.params[param["offset"]] = np.nan
            assert np.isnan(net.gradients(x, y)[0]), param["name"]
            assert np.isnan(net.predict(x)).any(), param["name"]


@pytest.mark.parametrize("case", [CNN, BLOCKS, ATTENTION, TIED], ids=str)
def test_row_alone_equals_row_in_batch(case, level):
    x, y, params = arrays(case)
    x, _ = native_arrays(case, x, y)
    net = native(case, params)
    together = net.predict(x, threads=2)
    for begin, end in [(0, 1), (7, 12), (69, 70)]:
        assert net.predict(x[begin:end].copy()).tobytes() == together[begin:end].tobytes()


# ---- batches of one row under batchnorm ----

DENSE_NORM = ([dense(4), batchnorm(), dense(2)], (6,))
PIXEL_NORM = ([conv2d(2, 6), batchnorm(), flatten()], (1, 6, 6))


def fit_rows(layers_and_shape, rows, batch_size, **options):
    layers, shape = layers_and_shape
    x = np.random.default_rng(0).normal(size=(rows, *shape))
    net = rn.Network(layers, shape)
    before = net.weights.tobytes()
    try:
        net.fit(
            x, np.arange(rows) % 2, batch_size=batch_size, epochs=1, verbose=0, **options
        )
    except ValueError:
        assert net.weights.tobytes() == before
        assert net.steps_done == 0
        raise


@pytest.mark.parametrize("net", [DENSE_NORM, PIXEL_NORM], ids=["dense", "one pixel"])
@pytest.mark.parametrize(("rows", "batch_size"), [(1, 64), (9, 1)])
def test_batchnorm_refuses_batches_of_one_row(net, rows, batch_size):
    found = f"got {rows} row.* in batches of {batch_size}; use a larger batch_size"
    with pytest.raises(ValueError, match=rf"layers\[1\]: batchnorm needs .*, {found}"):
        fit_rows(net, rows, batch_size)


@pytest.mark.parametrize("net", [DENSE_NORM, PIXEL_NORM], ids=["dense", "one pixel"])
@pytest.mark.parametrize(("rows", "batch_size"), [(9, 8), (9, 2), (9, 4)])
def test_batchnorm_warns_of_a_last_batch_of_one_row(net, rows, batch_size):
    with pytest.warns(UserWarning, match=r"layers\[1\]: .* the last batch is a single row"):
        fit_rows(net, rows, batch_size)


def test_a_split_may_leave_a_last_batch_of_one_row():
    with pytest.warns(UserWarning, match="of 9 rows in batches of 8 the last batch"):
        fit_rows(DENSE_NORM, 10, 8, validation_split=0.1)


@pytest.mark.parametrize(
    ("net", "rows", "batch_size"),
    [
        (DENSE_NORM, 8, 8),
        (DENSE_NORM, 10, 8),
        (([conv2d(2, 3), batchnorm(), flatten()], (1, 6, 6)), 9, 1),
        (([dense(4), layernorm(), dense(2)], (6,)), 1, 1),
    ],
)
def test_other_batches_say_nothing(net, rows, batch_size):
    fit_rows(net, rows, batch_size)


# ---- long sums ----


def test_equal_terms_of_a_long_sum_do_not_err_to_one_side(level):
    """The mean over 15360 tokens: each bias' gradient is that of the output."""
    net = _core.Net(
        [patch_embed(1, 8), position("zero"), mean_pool()], (1, 120, 128), SQUARES
    )
    rng = np.random.default_rng(0)
    x = np.zeros((1, 15360), np.float32)
    y = rng.normal(size=(1, 8)).astype(np.float32)
    _, grads = net.gradients(x, y)
    np.testing.assert_allclose(grads[8:16], -y[0], rtol=1e-5)


# ---- shapes ----


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ((5, 5), "the input has 24 numbers, 4 x 6; expected a shape of as many, got 5 x 5"),
        (
            (-1, 5),
            "the input has 24 numbers, 4 x 6; expected a shape of as many, got -1 x 5",
        ),
        ((-1, -1), "expected extents above 0, and one -1 at most, got -1 x -1"),
        ((0, 24), "expected extents above 0, and one -1 at most, got 0 x 24"),
        ((-1, 0), "expected extents above 0, and one -1 at most, got -1 x 0"),
        (
            (2**31 - 1,) * 4,
            "the input has 24 numbers, 4 x 6; expected a shape of as many, got 2147483647",
        ),
    ],
)
def test_a_shape_of_other_numbers_is_refused(target, message):
    with pytest.raises(ValueError, match=r"layers\[1\]\.target_shape: ") as error:
        rn.Network([rn.Softmax(), rn.Reshape(target), rn.Flatten(), rn.Dense(2)], (4, 6))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "target", [(), (1, 1, 1, 1, 24), (2.0, 12), "24", (True, 24), None]
)
def test_what_is_no_shape_is_refused(target):
    with pytest.raises(ValueError, match=r"Reshape\.target_shape: (expected|missing)"):
        rn.Reshape(target)


@pytest.mark.parametrize(
    "target", [24, (24,), [-1], np.int64(24), (-1, 2, 3), (2, 1, 3, 4)]
)
def test_a_shape_is_left_out_of_the_plan(target):
    net = rn.Network([rn.Reshape(target), rn.Flatten(), rn.Dense(2)], (4, 6))
    plain = rn.Network([rn.Flatten(), rn.Dense(2)], (4, 6))
    x = np.random.default_rng(0).normal(size=(3, 4, 6))
    assert net.predict_proba(x).tobytes() == plain.predict_proba(x).tobytes()
    again = rn.Network(net.specs, (4, 6))
    assert again.specs == net.specs
