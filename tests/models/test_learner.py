"""Steps of the caller's: train_on_batch, forward, backward, apply_gradients, target nets."""

import gc
import threading

import numpy as np
import pytest

import rnn_native as rn
import twins
from cases import CASES, arrays, native_arrays
from loss_twins import LOSSES

OPTIMIZERS = [
    "sgd",
    {"type": "sgd", "momentum": 0.9, "nesterov": True},
    {"type": "adam"},
    {"type": "adamw", "weight_decay": 0.1},
]


def net_of(case, params, optimizer="sgd"):
    """The case's net; `Network` would move a last activation into the loss."""
    net = rn.Network.as_saved(
        {"layers": case.specs, "input_shape": case.input_shape, "loss": case.loss}
    )
    net.optimizer = optimizer
    net.weights[:] = twins.flatten_all(params)
    return net


def small(loss="softmax_cross_entropy", outputs=3, seed=3, optimizer="sgd"):
    layers = [rn.Dense(8, "tanh"), rn.Dropout(0.3), rn.Dense(outputs)]
    return rn.Network(layers, (5,), loss, seed, optimizer=optimizer)


def rows_of(n=12, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)).astype(np.float32), rng.integers(0, 3, n)


# ---- train_on_batch ----


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_batch_has_the_bits_of_fit(case):
    if case.rows < 2:
        pytest.skip("batchnorm wants two rows")
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    fitted, stepped = (net_of(case, params, OPTIMIZERS[case.rows % 4]) for _ in range(2))
    for _ in range(3):
        history = fitted.fit(
            x32, y32, batch_size=case.rows, shuffle=False, lr=0.05, verbose=0
        )
        loss = stepped.train_on_batch(x32, y32, lr=0.05)
        assert loss == history.rows[-1].loss
        assert fitted.weights.tobytes() == stepped.weights.tobytes()
        assert fitted.moments.tobytes() == stepped.moments.tobytes()
    assert fitted.training_state.as_dict() == stepped.training_state.as_dict()


@pytest.mark.parametrize(
    "options",
    [
        {"sample_weight": np.arange(12.0)},
        {"label_smoothing": 0.2},
        {"clip_norm": 0.01},
        {"l2": 0.1},
        {"threads": 3},
    ],
    ids=lambda o: next(iter(o)),
)
def test_options_are_those_of_fit(options):
    x, y = rows_of()
    fitted, stepped = small(optimizer="adam"), small(optimizer="adam")
    for _ in range(2):
        fitted.fit(x, y, batch_size=12, shuffle=False, verbose=0, **options)
        stepped.train_on_batch(x, y, **options)
    assert fitted.weights.tobytes() == stepped.weights.tobytes()


def test_fit_and_steps_take_turns():
    """Moments, steps and masks continue from the one to the other."""
    x, y = rows_of()
    one, other = small(optimizer="adam"), small(optimizer="adam")
    one.fit(x, y, batch_size=12, epochs=4, shuffle=False, verbose=0)
    other.fit(x, y, batch_size=12, epochs=1, shuffle=False, verbose=0)
    other.train_on_batch(x, y)
    other.fit(x, y, batch_size=12, epochs=2, shuffle=False, verbose=0)
    assert one.weights.tobytes() == other.weights.tobytes()
    assert other.steps_done == 4


def test_negative_weights_ascend():
    """A weight of -1 is the gradient of the negative loss."""
    x, y = rows_of()
    down, up = small(), small()
    before = down.get_weights()
    down.train_on_batch(x, y, np.ones(12))
    up.train_on_batch(x, y, -np.ones(12))
    np.testing.assert_allclose(up.weights - before, before - down.weights, atol=1e-6)
    with pytest.raises(ValueError, match="of at least 0, got -1"):
        up.fit(x, y, sample_weight=-np.ones(12), verbose=0)


def test_a_batch_of_bytes_decides_what_the_net_accepts():
    net = rn.Network([rn.Dense(3)], (5,))
    net.train_on_batch(np.full((4, 5), 255, np.uint8), [0, 1, 2, 0])
    assert net.input_dtype == "uint8"
    with pytest.raises(ValueError, match=r"floats in 0\.\.1"):
        net.train_on_batch(np.full((4, 5), 3.0), [0, 1, 2, 0])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((np.zeros((4, 6)), [0] * 4), {}, ValueError, "x: expected shape"),
        ((np.zeros((4, 5)), [0] * 3), {}, ValueError, "y: expected"),
        ((np.zeros((4, 5)), [0, 1, 2, 3]), {}, ValueError, "y: expected labels"),
        ((np.zeros((4, 5)), [0] * 4, [1, 2]), {}, ValueError, "sample_weight: expected 4"),
        ((np.zeros((4, 5)), [0] * 4), {"lr": -1}, ValueError, "lr: expected"),
        ((np.zeros((4, 5)), [0] * 4), {"lr": "fast"}, TypeError, "lr: expected a number"),
        ((np.zeros((4, 5)), [0] * 4), {"clip_norm": -1}, ValueError, "clip_norm: expected"),
        ((np.zeros((4, 5)), [0] * 4), {"l2": np.nan}, ValueError, "l2: expected"),
        ((np.zeros((4, 5)), [0] * 4), {"threads": 0}, ValueError, "threads"),
    ],
)
def test_wrong_arguments_train_nothing(arguments, options, error, text):
    net = small()
    before = net.get_weights()
    with pytest.raises(error, match=text) as caught:
        net.train_on_batch(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert net.weights.tobytes() == before.tobytes()
    assert net.steps_done == 0


def test_smoothing_of_values_and_single_rows_of_batchnorm_are_refused():
    net = rn.Network([rn.BatchNorm(), rn.Dense(1)], (5,), "squared_error")
    with pytest.raises(ValueError, match="label_smoothing: expected 0 under"):
        net.train_on_batch(np.zeros((2, 5)), [[0], [1]], label_smoothing=0.1)
    with pytest.raises(ValueError, match="batchnorm needs batches of at least 2 rows"):
        net.train_on_batch(np.zeros((1, 5)), [[0]])
    with pytest.raises(ValueError, match="batchnorm needs batches of at least 2 rows"):
        net.forward(np.zeros((1, 5)))


def test_divergence_is_told_in_one_line():
    net = small("squared_error")
    x = np.full((4, 5), 1e30)
    with pytest.raises(
        rn.TrainingDiverged, match="^train_on_batch: (the loss|a weight) is not finite"
    ):
        for _ in range(5):
            net.train_on_batch(x, np.full((4, 3), 1e30), lr=1e5)


# ---- forward, backward, apply_gradients ----


@pytest.mark.parametrize("case", CASES, ids=str)
def test_three_calls_do_what_one_does(case):
    """The loss's gradient by hand, in float64, is that of train_on_batch."""
    if case.rows < 2:
        pytest.skip("batchnorm wants two rows")
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    optimizer = OPTIMIZERS[case.rows % 2]
    whole, steps = (net_of(case, params, optimizer) for _ in range(2))
    for _ in range(2):
        whole.train_on_batch(x32, y32, lr=0.05)
        out = steps.forward(x32)
        _, gradient = LOSSES[case.loss].rows(out.astype(np.float64), y, 0.0)
        steps.backward(gradient / len(x))
        steps.apply_gradients(0.05)
    scale = np.abs(whole.weights).max()
    assert np.abs(whole.weights - steps.weights).max() < 1e-5 * scale
    assert whole.training_state.as_dict() == steps.training_state.as_dict()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_matches_the_twin(case):
    if case.rows < 2:
        pytest.skip("batchnorm wants two rows")
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    net = net_of(case, params)
    caches = twins.forward(case.layers, params, x, twins.training_mode(1, 0))[1]
    out = net.forward(x32)
    dout = np.random.default_rng(5).normal(size=out.shape)
    dinp, grads = twins.backward(case.layers, params, caches, dout)
    got = net.backward(dout)
    assert got.shape == (len(x), *case.input_shape)
    flat = np.concatenate([g.ravel() for g in net.gradients.values()])
    for mine, expected in ((got.reshape(len(x), -1), dinp.reshape(len(x), -1)),
                           (flat, twins.flatten(grads))):  # fmt: skip
        assert np.linalg.norm(mine - expected) < 3e-6 * np.linalg.norm(expected) + 1e-6


def test_rows_are_kept_from_forward_to_backward():
    """The caller may use its array again."""
    x, _ = rows_of()
    net, other = small(), small()
    net.forward(x), other.forward(x)
    other.backward(np.ones((12, 3)))
    x[:] = 7
    net.backward(np.ones((12, 3)))
    for name, gradient in other.gradients.items():
        assert gradient.tobytes() == net.gradients[name].tobytes()


def test_predictions_and_other_batches_between_do_not_disturb():
    x, _ = rows_of()
    net, alone = small(), small()
    net.forward(x)
    net.predict_proba(rows_of(500, 1)[0])
    net.evaluate(*rows_of(40, 2))
    net.backward(np.ones((12, 3)))
    alone.forward(x)
    alone.backward(np.ones((12, 3)))
    for name, gradient in alone.gradients.items():
        assert gradient.tobytes() == net.gradients[name].tobytes()


def test_gradients_accumulate():
    x, _ = rows_of()
    whole, parts = (rn.Network([rn.Dense(3, "tanh"), rn.Dense(3)], (5,)) for _ in range(2))
    dout = np.random.default_rng(2).normal(size=(12, 3))
    whole.forward(x)
    whole.backward(dout)
    for begin in (0, 4, 8):
        parts.forward(x[begin : begin + 4])
        parts.backward(dout[begin : begin + 4], accumulate=begin > 0)
    for name, gradient in whole.gradients.items():
        np.testing.assert_allclose(parts.gradients[name], gradient, atol=1e-6)
    whole.apply_gradients(0.1, clip_norm=0.5), parts.apply_gradients(0.1, clip_norm=0.5)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-6)


def test_masks_differ_from_forward_to_forward():
    x, _ = rows_of()
    net = small()
    assert not np.array_equal(net.forward(x), net.forward(x))


def test_clipping_bounds_the_step():
    x, _ = rows_of()
    net = small()
    before = net.get_weights()
    net.forward(x)
    net.backward(100 * np.ones((12, 3)))
    net.apply_gradients(1.0, clip_norm=0.25)
    assert np.linalg.norm(net.weights - before) == pytest.approx(0.25, rel=1e-4)


def test_gradients_are_views_that_cannot_be_written_to():
    x, _ = rows_of()
    net = small()
    net.forward(x)
    assert net.backward(np.ones((12, 3)), input_gradient=False) is None
    views = net.gradients
    assert list(views) == list(net.parameters)
    assert all(views[name].shape == p.shape for name, p in net.parameters.items())
    with pytest.raises(ValueError, match="read-only"):
        views["layers.0.weight"][:] = 0
    first = views["layers.0.weight"].copy()
    net.forward(rows_of(700, 4)[0])  # needs more working memory
    net.backward(np.zeros((700, 3)))
    assert first.any()
    assert not views["layers.0.weight"].any()
    del net
    gc.collect()
    assert not views["layers.0.weight"].any()  # the net is alive as long as they are


def test_one_output_takes_a_vector():
    x, _ = rows_of()
    net = small("squared_error", 1)
    net.forward(x)
    assert net.backward(np.ones(12)).shape == (12, 5)


def test_order_of_calls():
    net = small()
    with pytest.raises(RuntimeError, match="gradients: expected a backward before"):
        _ = net.gradients
    with pytest.raises(RuntimeError, match="apply_gradients: expected a backward before"):
        net.apply_gradients()
    with pytest.raises(RuntimeError, match="backward: expected a forward before it"):
        net.backward(np.ones((12, 3)))


@pytest.mark.parametrize(
    "change",
    [
        lambda net, x, y: net.train_on_batch(x, y),
        lambda net, x, y: net.fit(x, y, verbose=0),
        lambda net, x, y: net.set_weights(net.get_weights()),
        lambda net, x, y: net.backward(np.ones((12, 3))),
    ],
    ids=["train_on_batch", "fit", "set_weights", "backward"],
)
def test_a_forward_counts_once_and_for_its_weights_only(change):
    x, y = rows_of()
    net = small()
    net.forward(x)
    change(net, x, y)
    with pytest.raises(RuntimeError, match="backward: expected a forward before it"):
        net.backward(np.ones((12, 3)))


@pytest.mark.parametrize(
    ("gradient", "error", "text"),
    [
        (np.ones((11, 3)), ValueError, "output_gradient"),
        (np.ones((12, 2)), ValueError, "output_gradient"),
        (np.full((12, 3), np.nan), ValueError, "output_gradient: expected finite"),
        ("abc", (TypeError, ValueError), "output_gradient"),
    ],
)
def test_wrong_gradients_are_refused_and_the_forward_still_counts(gradient, error, text):
    x, _ = rows_of()
    net = small()
    net.forward(x)
    with pytest.raises(error, match=text):
        net.backward(gradient)
    net.backward(np.ones((12, 3)))


def test_gradients_that_are_not_finite_change_nothing():
    net = small("squared_error")
    net.weights[:] = 1e18
    before = net.get_weights()
    net.forward(np.full((2, 5), 1e18))
    net.backward(np.full((2, 3), 1e38))
    with pytest.raises(rn.TrainingDiverged, match="the gradient is not finite"):
        net.apply_gradients()
    assert net.weights.tobytes() == before.tobytes()
    assert net.steps_done == 0


def test_sparse_rows_are_refused_by_forward():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises((TypeError, ValueError), match="sparse"):
        small().forward(sparse.csr_array(np.eye(5, dtype=np.float32)))


def test_predictions_of_other_threads_go_on_beside_steps():
    x, y = rows_of(64)
    net, wrong, over = small(), [], threading.Event()

    def read():
        while not over.is_set():
            if not np.isfinite(net.predict_proba(x)).all():
                wrong.append("not finite")

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(200):
        out = net.forward(x)
        net.backward(out)
        net.apply_gradients(0.001)
        net.train_on_batch(x, y)
    over.set()
    thread.join()
    assert not wrong


# ---- target networks, copies ----


def test_weights_follow_another_net():
    net, target = small(seed=1), small(seed=2)
    expected = 0.9 * target.get_weights() + 0.1 * net.get_weights()
    target.copy_weights_from(net, tau=0.1)
    np.testing.assert_allclose(target.weights, expected, rtol=1e-6)
    target.copy_weights_from(net)
    assert target.weights.tobytes() == net.weights.tobytes()
    for tau in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match="tau: expected"):
            target.copy_weights_from(net, tau)
    with pytest.raises(ValueError, match="copy_weights_from: expected a net of"):
        target.copy_weights_from(rn.Network([rn.Dense(2)], (5,)))


def test_a_net_without_weights_has_none_to_set():
    net = rn.Network([rn.Flatten()], (2, 2), loss="mse")
    net.clone().copy_weights_from(net, tau=0.5)
    net.set_weights(net.get_weights())


def test_a_clone_continues_with_the_same_bits_and_shares_nothing():
    x, y = rows_of()
    net = small(optimizer="adam")
    net.fit(x, y, epochs=2, verbose=0)
    twin = net.clone()
    assert type(twin) is rn.Network
    net.fit(x, y, verbose=0)
    assert twin.weights.tobytes() != net.weights.tobytes()
    twin.fit(x, y, verbose=0)
    assert twin.weights.tobytes() == net.weights.tobytes()


# ---- frozen layers, rates of layers ----

FROZEN_NETS = {
    "dense": [rn.Dense(6, "tanh"), rn.Dense(5, "relu"), rn.Dense(3)],
    "batchnorm": [rn.Dense(6), rn.BatchNorm(), rn.Activation("relu"), rn.Dense(3)],
    "fused convolution": [rn.Conv2D(8, 3, 1, activation="relu"), rn.MaxPool2D(2), rn.Flatten(),
                          rn.Dense(10, "relu"), rn.Dense(3)],
    "convolutions": [rn.Conv2D(3, 3, activation="relu"), rn.Conv2D(4, 3), rn.Flatten(),
                     rn.Dense(3)],
    "attention": [rn.PatchEmbed(2, 8), rn.Position(), rn.Activation("relu"), rn.SelfAttention(),
                  rn.Dense(6, "relu"), rn.MeanPool(), rn.Dense(3)],
}  # fmt: skip


def images_of(layers, n=24):
    rng = np.random.default_rng(7)
    shape = (1, 8, 8) if isinstance(layers[0], (rn.Conv2D, rn.PatchEmbed)) else (5,)
    return shape, rng.normal(size=(n, *shape)).astype(np.float32), rng.integers(0, 3, n)


def indices_with_parameters(net):
    return sorted({int(name.split(".")[1]) for name in net.parameters})


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("kind", FROZEN_NETS)
def test_each_layer_can_be_frozen_alone(kind, optimizer):
    """It stays as it is; the first step of all others is that of a net without frozen ones."""
    layers = FROZEN_NETS[kind]
    shape, x, y = images_of(layers)
    free = rn.Network(layers, shape, optimizer=optimizer)
    start = free.get_weights()
    free.train_on_batch(x, y)
    for index in indices_with_parameters(free):
        net = rn.Network(layers, shape, optimizer=optimizer)
        net.trainable = [i != index for i in range(len(layers))]
        net.train_on_batch(x, y)
        for name, value in net.parameters.items():
            if int(name.split(".")[1]) == index:
                expected = free.parts_of(start)[name]
                assert value.tobytes() == expected.tobytes(), name
            else:
                error = np.abs(value - free.parameters[name]).max()
                assert error < 2e-6, (index, name)


@pytest.mark.parametrize("kind", FROZEN_NETS)
def test_frozen_layers_have_the_same_bits_for_any_threads(kind):
    layers = FROZEN_NETS[kind]
    shape, x, y = images_of(layers, 300)
    weights = set()
    for threads in (1, 2, 3):
        net = rn.Network(layers, shape, optimizer="adam")
        net.trainable = [i > 0 for i in range(len(layers))]
        net.fit(x, y, epochs=2, threads=threads, verbose=0)
        weights.add(net.weights.tobytes())
    assert len(weights) == 1


@pytest.mark.parametrize("optimizer", ["sgd", {"type": "sgd", "momentum": 0.9}], ids=str)
def test_multipliers_scale_the_steps_of_layers(optimizer):
    layers = FROZEN_NETS["dense"]
    shape, x, y = images_of(layers)
    plain, scaled = (rn.Network(layers, shape, optimizer=optimizer) for _ in range(2))
    start = plain.get_weights()
    scaled.lr_multipliers = [0.5, 1, 10]
    plain.train_on_batch(x, y, lr=0.01)
    scaled.train_on_batch(x, y, lr=0.01)
    for name, value in scaled.parameters.items():
        factor = scaled.lr_multipliers[int(name.split(".")[1])]
        before = plain.parts_of(start)[name]
        step = plain.parameters[name] - before
        np.testing.assert_allclose(value - before, factor * step, atol=2e-6)


def test_clipping_counts_what_learns_only():
    layers = FROZEN_NETS["dense"]
    shape, x, y = images_of(layers)
    net = rn.Network(layers, shape)
    net.train_on_batch(x, y, clip_norm=1e-3)  # leaves gradients of all layers behind
    net.trainable = [False, False, True]
    before = net.get_weights()
    net.train_on_batch(x, y, lr=1.0, clip_norm=1e-3)
    assert np.linalg.norm(net.weights - before) == pytest.approx(1e-3, rel=1e-4)


def test_l2_and_decay_leave_frozen_layers_alone():
    layers = FROZEN_NETS["dense"]
    shape, x, y = images_of(layers)
    for clip_norm in (0.0, 0.1):
        net = rn.Network(layers, shape, optimizer={"type": "adamw", "weight_decay": 0.5})
        net.trainable = [True, False, True]
        frozen = net.parameters["layers.1.weight"].copy()
        for _ in range(3):
            net.train_on_batch(x, y, l2=0.1, clip_norm=clip_norm)
        assert net.parameters["layers.1.weight"].tobytes() == frozen.tobytes()


def test_a_layer_learns_again_as_before():
    layers = FROZEN_NETS["dense"]
    shape, x, y = images_of(layers)
    net, other = (rn.Network(layers, shape) for _ in range(2))
    net.lr_multipliers = [2, 1, 1]
    net.trainable = False
    assert net.trainable == [False] * 3
    net.trainable = True
    assert net.lr_multipliers == [1, 1, 1]
    net.fit(x, y, verbose=0)
    other.fit(x, y, verbose=0)
    np.testing.assert_allclose(net.weights, other.weights, atol=1e-6)


def test_gradients_of_frozen_layers_are_left_out():
    shape, x, _ = images_of(FROZEN_NETS["dense"])
    net = rn.Network(FROZEN_NETS["dense"], shape)
    net.trainable = [True, False, True]
    net.forward(x)
    net.backward(np.ones((24, 3)))
    assert {name.split(".")[1] for name in net.gradients} == {"0", "2"}
    before = net.parameters["layers.1.weight"].copy()
    net.apply_gradients(0.1)
    assert net.parameters["layers.1.weight"].tobytes() == before.tobytes()


def test_multipliers_are_kept_by_files_and_copies(tmp_path):
    net = rn.Network(FROZEN_NETS["dense"], (5,))
    net.lr_multipliers = [0, 1, 3]
    net.save(tmp_path / "net.safetensors")
    assert rn.load(tmp_path / "net.safetensors").lr_multipliers == [0, 1, 3]
    assert net.clone().lr_multipliers == [0, 1, 3]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr_multipliers", [1, 1]),
        ("lr_multipliers", [1, -1, 1]),
        ("lr_multipliers", [1, np.nan, 1]),
        ("lr_multipliers", 2),
        ("lr_multipliers", ["a", "b", "c"]),
        ("trainable", [True, False]),
        ("trainable", [1, 0, 1]),
        ("trainable", "yes"),
    ],
)
def test_wrong_rates_are_refused(name, value):
    net = rn.Network(FROZEN_NETS["dense"], (5,))
    with pytest.raises(ValueError, match=f"{name}: expected") as caught:
        setattr(net, name, value)
    assert "\n" not in str(caught.value)
    assert net.trainable == [True] * 3


def test_a_net_that_is_frozen_whole_is_not_trained():
    x, y = rows_of()
    net = small()
    net.trainable = False
    for call in (
        lambda: net.train_on_batch(x, y),
        lambda: net.fit(x, y, verbose=0),
        lambda: (net.forward(x), net.backward(np.ones((12, 3))), net.apply_gradients()),
    ):
        with pytest.raises(ValueError, match="trainable: expected a layer that learns"):
            call()
    assert net.steps_done == 0


def works(net, x, y):
    """What the core did for which stages, in one epoch."""
    net.native.profile = True
    net.fit(x, y, verbose=0)
    return {(stage, work) for stage, work, _ in net.native.profile}


# What batchnorm's params add up is needed for its input's gradient, too.
@pytest.mark.parametrize(
    "norm, work", [("layernorm", "params"), ("rmsnorm", "params"), ("batchnorm", "finish")]
)
def test_a_frozen_layer_costs_no_gradient(norm, work):
    layers = [rn.Conv2D(1, 3), rn.Flatten(), {"type": norm}, rn.Dense(3)]
    shape, x, y = images_of(layers)
    net = rn.Network(layers, shape, optimizer="adam")
    assert {("conv2d", "params"), (norm, work)} <= works(net, x, y)
    net.trainable = [True, False, False, True]
    middle = works(net, x, y)
    assert (norm, work) not in middle
    assert {("conv2d", "params"), (norm, "input")} <= middle
    net.trainable = [False, False, True, True]
    lowest = works(net, x, y)
    assert {work for stage, work in lowest if stage == "conv2d"} <= {"prepare", "forward"}
    assert (norm, "input") not in lowest


def test_a_frozen_layer_that_goes_by_rows_costs_no_gradient():
    layers = [
        rn.PatchEmbed(2, 8),
        rn.Position(),
        rn.SelfAttention(),
        rn.MeanPool(),
        rn.Dense(3),
    ]
    shape, x, y = images_of(layers)
    net = rn.Network(layers, shape, optimizer="adam")
    assert ("self_attention", "params") in works(net, x, y)
    net.trainable = [True, True, False, True, True]
    assert ("self_attention", "params") not in works(net, x, y)


def test_a_refused_batch_leaves_the_average_alone():
    x, y = rows_of()
    net, other = small(), small()
    for one in (net, other):
        one.fit(x, y, epochs=2, ema_decay=0.9, verbose=0)
    for options in ({"clip_norm": -1}, {"l2": -1}, {"threads": 0}):
        with pytest.raises(ValueError, match="expected"):
            net.train_on_batch(x, y, **options)
    for one in (net, other):
        one.fit(x, y, ema_decay=0.9, verbose=0)
    assert net.weights.tobytes() == other.weights.tobytes()


def test_a_frozen_layer_stays_under_a_moving_average():
    shape, x, y = images_of(FROZEN_NETS["dense"])
    net = rn.Network(FROZEN_NETS["dense"], shape, optimizer="adam")
    net.fit(x, y, ema_decay=0.9, verbose=0)
    net.trainable = [False, True, True]
    frozen = net.parameters["layers.0.weight"].copy()
    net.fit(x, y, ema_decay=0.9, epochs=3, verbose=0)
    assert net.parameters["layers.0.weight"].tobytes() == frozen.tobytes()


@pytest.mark.parametrize(
    "layout",
    [np.asfortranarray, lambda g: np.repeat(g, 2, axis=1)[:, ::2], lambda g: g.tolist()],
    ids=["columns", "strided", "list"],
)
def test_gradients_of_any_layout(layout):
    x, _ = rows_of()
    gradient = np.random.default_rng(3).normal(size=(12, 3)).astype(np.float32)
    net, other = small(), small()
    for one, given in ((net, gradient), (other, layout(gradient))):
        one.forward(x)
        one.backward(given)
    for name, value in net.gradients.items():
        assert value.tobytes() == other.gradients[name].tobytes()


def test_a_resumed_run_keeps_layers_frozen(tmp_path):
    (x, y) = rn.datasets.synthetic_digits(200, seed=1)
    data = ((x, y), (x, y))

    class Freezes(rn.Callback):
        def on_train_begin(self, logs=None):
            if not self.run.history:
                self.model.trainable = [True, False]

    options = {"verbose": 0, "batch_size": 50}
    layers = [rn.Dense(8, "relu"), rn.Dense(10)]
    whole = rn.train(
        layers, data, input_shape=(784,), epochs=4, callbacks=[Freezes()], **options
    )
    rn.train(layers, data, input_shape=(784,), epochs=2, out=tmp_path, callbacks=[Freezes()],
             **options)  # fmt: skip
    resumed = rn.train(
        layers, data, input_shape=(784,), epochs=4, out=tmp_path, resume=True, **options
    )
    assert resumed.model.lr_multipliers == [1, 0]
    assert resumed.model.weights.tobytes() == whole.model.weights.tobytes()


def test_the_summary_counts_what_learns():
    net = rn.Network([rn.Dense(4), rn.BatchNorm(), rn.Dense(3)], (4,))
    net.trainable = [False, True, True]
    assert "Trainable params: 23 " in net.summary()
    assert "Non-trainable params: 28 " in net.summary()


def test_only_nets_are_copied_from():
    for other in (None, "x"):
        with pytest.raises(TypeError, match="copy_weights_from: expected a Network"):
            small().copy_weights_from(other)


def test_rates_of_1_change_no_bit():
    """Neither where they are set nor in a copy: tiny nets train an epoch in one kernel."""
    x, y = rows_of(40)
    nets = [rn.Network([rn.Dense(3)], (5,)) for _ in range(3)]
    nets[1].lr_multipliers = [1]
    nets[2] = nets[2].clone()
    for net in nets:
        net.fit(x, y, epochs=3, verbose=0)
    assert len({net.weights.tobytes() for net in nets}) == 1
