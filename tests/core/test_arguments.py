"""Arguments of the core: each error names function and argument, what it wants, and got."""

import sys
import threading
import time

import numpy as np
import pytest

import rnn_native._core as _core
from cases import SOFTMAX, SQUARES, dense

X = np.zeros((6, 4), np.float32)
Y = np.zeros(6, np.int32)
ORDER = np.arange(6, dtype=np.int32)


@pytest.fixture
def net():
    return _core.Net([dense(3)], (4,), SOFTMAX)


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


BAD_X = [
    ([[0.0] * 4], TypeError, "x: expected a NumPy array, got list"),
    (
        X.astype(np.float64),
        TypeError,
        r"x: expected .*float32 or uint8.*\(n, 4\), got float64",
    ),
    (X.astype(object), TypeError, "x: expected .*got object"),
    (X[:, :3].copy(), ValueError, r"x: expected .*got float32 \(6, 3\)"),
    (X[0], ValueError, r"x: expected .*got float32 \(4,\)"),
    (X[:0], ValueError, r"x: expected .*got float32 \(0, 4\)"),
    (X[::2], ValueError, "x: expected .*not C-contiguous"),
    (np.asfortranarray(X), ValueError, "x: expected .*not C-contiguous"),
    (X.astype(">f4"), ValueError, "x: expected .*byte-swapped"),
    (
        np.frombuffer(bytes(97), np.uint8)[1:].view(np.float32).reshape(6, 4),
        ValueError,
        "x: expected .*misaligned",
    ),
]


@pytest.mark.parametrize(("x", "error", "message"), BAD_X)
def test_bad_x(net, x, error, message):
    with pytest.raises(error, match=f"^train: {message}"):
        net.train(x, Y, ORDER, 2, 0.1)
    with pytest.raises(error, match=f"^evaluate: {message}"):
        net.evaluate(x, Y)
    with pytest.raises(error, match=f"^predict: {message}"):
        net.predict(x)
    with pytest.raises(error, match=f"^gradients: {message}"):
        net.gradients(x, Y)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (Y.astype(np.int64), TypeError, r"y: expected .*int32.*\(6,\), got int64 \(6,\)"),
        (Y[:5], ValueError, r"y: expected .*got int32 \(5,\)"),
        (np.array([0, 1, 3, 0, 0, 0], np.int32), ValueError, r"y\[2\] is 3, .* in 0..2"),
        (np.array([0, 0, 0, 0, 0, -1], np.int32), ValueError, r"y\[5\] is -1"),
    ],
)
def test_bad_y(net, y, error, message):
    with pytest.raises(error, match=f"^train: {message}"):
        net.train(X, y, ORDER, 2, 0.1)
    with pytest.raises(error, match=f"^evaluate: {message}"):
        net.evaluate(X, y)


def test_squared_error_wants_values():
    net = _core.Net([dense(3)], (4,), SQUARES)
    with pytest.raises(TypeError, match=r"y: expected .*float32 array of shape \(6, 3\)"):
        net.evaluate(X, Y)


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        (ORDER.astype(np.int64), TypeError, "order: expected .*int32.*got int64"),
        (ORDER[:0], ValueError, r"order: expected .*got int32 \(0,\)"),
        (np.array([0, 6], np.int32), ValueError, r"order\[1\] is 6, .* in 0..5"),
        (np.array([-1], np.int32), ValueError, r"order\[0\] is -1"),
    ],
)
def test_bad_order(net, order, error, message):
    with pytest.raises(error, match=f"^train: {message}"):
        net.train(X, Y, order, 2, 0.1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"threads": 0}, r"threads: expected 1 to 64, got 0"),
        ({"threads": 65}, r"threads: expected 1 to 64, got 65"),
    ],
)
def test_bad_numbers(net, more, message):
    arguments = {"batch_size": 2, "lr": 0.1, **more}
    with pytest.raises(ValueError, match=f"^train: {message}"):
        net.train(X, Y, ORDER, **arguments)


def test_read_only_out_is_refused():
    with pytest.raises(ValueError, match="^rng_shuffle: order: expected .*read-only"):
        _core.rng_shuffle(1, read_only(ORDER))
    with pytest.raises(ValueError, match="^rng_uniform: out: expected .*read-only"):
        _core.rng_uniform(1, 0.0, 1.0, read_only(X.ravel()))


def test_inputs_may_be_read_only_and_stay_as_they_are(net, rng):
    x = read_only(rng.random((6, 4), dtype=np.float32))
    before = x.tobytes(), Y.tobytes(), ORDER.tobytes()
    net.train(x, read_only(Y), read_only(ORDER), 2, 0.1)
    net.evaluate(x, Y)
    net.predict(x)
    net.gradients(x, Y)
    assert before == (x.tobytes(), Y.tobytes(), ORDER.tobytes())


# ---- specs ----


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "layers: expected 1 to 1000 layers, got 0"),
        ([3], TypeError, r"layers\[0\]: expected a dict, got 3"),
        ([{}], ValueError, r"^layers\[0\].type: missing$"),
        (
            [{"type": "conv4d"}],
            ValueError,
            r"layers\[0\].type: unknown layer type 'conv4d'; known are dense, ",
        ),
        ([{"type": "\ud800"}], ValueError, r"layers\[0\].type: expected a name"),
        ([dense(3), {"type": "dense"}], ValueError, r"layers\[1\].units: missing; dense"),
        (
            [dense(0)],
            ValueError,
            r"layers\[0\].units: expected an integer in \[1, 2147483647\], got 0",
        ),
        ([dense(2**31)], ValueError, r"layers\[0\].units: .*got 2147483648"),
        ([dense(10**400)], ValueError, r"layers\[0\].units: expected an integer in"),
        ([dense(2.0)], TypeError, r"layers\[0\].units: expected an integer, got 2.0"),
        ([dense(True)], TypeError, r"layers\[0\].units: expected an integer, got True"),
        (
            [dense(2, "relux")],
            ValueError,
            r"layers\[0\].activation: expected one of linear, ",
        ),
        ([dense(2, "relu\0x")], ValueError, r"layers\[0\].activation: expected one of"),
        ([{"type": "dense\0x"}], ValueError, r"layers\[0\].type: expected a name"),
        ([dense(2, 5)], ValueError, r"layers\[0\].activation: expected one of .*got 5"),
        (
            [dense(2, alpha=-1.0)],
            ValueError,
            r"layers\[0\].alpha: expected a number in \[0",
        ),
        (
            [dense(2, alpha=float("nan"))],
            ValueError,
            r"layers\[0\].alpha: expected a number",
        ),
        (
            [dense(2, unit=3)],
            ValueError,
            r"layers\[0\].unit: unknown key; dense has units, act",
        ),
        (
            [dense(2**30)],
            ValueError,
            r"layers\[0\]: expected a weight of .*, got 4 x 1073741824",
        ),
    ],
)
def test_bad_specs(layers, error, message):
    with pytest.raises(error, match=message):
        _core.Net(layers, (4,), SOFTMAX)


FORK, BRANCH = {"type": "fork"}, {"type": "branch"}
ADD, CONCAT = {"type": "add"}, {"type": "concat"}
MANY, WIDE = 2**30, 2**15


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([BRANCH], r"layers\[0\]: branch without a fork"),
        ([ADD], r"layers\[0\]: join without a fork and two branches"),
        ([FORK, dense(2), ADD], r"layers\[2\]: join without a fork and two branches"),
        ([dense(2), FORK, BRANCH], r"layers\[1\]: fork without a join"),
        ([FORK] * 33, r"layers\[32\]: expected blocks nested at most 32 deep"),
        ([FORK] * 32, r"layers\[31\]: fork without a join"),
        ([FORK, *[BRANCH] * 8, CONCAT], r"layers\[8\]: expected at most 8 branches"),
        (
            [FORK, BRANCH, {**CONCAT, "axis": 4}],
            r"layers\[2\].axis: expected an integer in \[-4, 3\], got 4",
        ),
        (
            [FORK, dense(MANY), BRANCH, dense(MANY), CONCAT],
            r"layers\[4\].axis: expected an extent of at most 2147483647, got 2147483648",
        ),
    ],
)
def test_marks_of_blocks_that_do_not_fit(layers, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        _core.layer_shapes(layers, (1,))
    assert _core.layer_shapes([FORK, *[BRANCH] * 7, CONCAT], (3,))[-1] == (24,)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        ({"type": "gru", "units": WIDE}, (1, WIDE), "a weight .*, got 32768 x 98304"),
        ({"type": "lstm", "units": WIDE}, (WIDE, 1), "gates .*, got 32768 x"),
        ({"type": "self_attention"}, (1, 2 * WIDE), "a weight .*, got 65536 x 65536"),
        ({"type": "self_attention"}, (2 * WIDE, 1), "attention maps .*65536 x 65536"),
        (
            {"type": "conv2d", "filters": 2**20, "kernel_size": 1},
            (2048, 1, 1),
            "a weight .*, got 1048576 x 2048 x 1 x 1",
        ),
        (
            {"type": "patch_embed", "patch_size": 2, "units": MANY},
            (1, 2, 2),
            "a weight .*, got 4 x 1073741824",
        ),
    ],
)
def test_layers_of_more_numbers_than_can_be_counted(layer, shape, message):
    with pytest.raises(ValueError, match=rf"^layers\[0\]: expected {message}"):
        _core.layer_shapes([layer], shape)


@pytest.mark.parametrize(
    "shape", [(), (0,), (-1,), (1, 1, 1, 1, 1), (2**40,), (2**16, 2**16)]
)
def test_bad_input_shapes(shape):
    with pytest.raises(ValueError, match="^input_shape: expected 1 to 4 extents"):
        _core.Net([dense(2)], shape, SOFTMAX)


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            [dense(2)],
            (3, 4, 5),
            r"dense expects .* \(put flatten before it\), got an input of 3 x 4 x 5",
        ),
        (
            [dense(2)],
            (3, 4),
            "expected the last layer to give one row of numbers, got 3 x 2; put flatten",
        ),
        (
            [{"type": "conv2d", "filters": 2, "kernel_size": 3}],
            (9,),
            "conv2d expects channels x height x width, got an input of 9",
        ),
        (
            [{"type": "conv2d", "filters": 2, "kernel_size": 8, "padding": 1}],
            (1, 5, 9),
            "kernel_size: expected at most the padded input, 7 x 11, got 8",
        ),
        (
            [{"type": "maxpool2d", "padding": 2}],
            (1, 9, 9),
            "padding: expected at most half of the kernel, 1, got 2",
        ),
        (
            [{"type": "conv2d", "filters": 2, "kernel_size": (2, 12), "padding": (0, 1)}],
            (1, 5, 9),
            "kernel_size: expected at most the padded input, 5 x 11, got 2 x 12",
        ),
        (
            [{"type": "conv2d", "filters": 2, "kernel_size": 3, "dilation": (2, 1)}],
            (1, 4, 9),
            "kernel_size: expected at most the padded input, 4 x 9, got 3 with dilation "
            "2 x 1",
        ),
        (
            [{"type": "conv2d", "filters": 6, "kernel_size": 1, "groups": 4}],
            (8, 5, 9),
            "groups: expected a divisor of channels and filters, 8 and 6, got 4",
        ),
        (
            [{"type": "conv2d", "filters": 8, "kernel_size": 1, "groups": 4}],
            (6, 5, 9),
            "groups: expected a divisor of channels and filters, 6 and 8, got 4",
        ),
        (
            [{"type": "conv2d", "filters": 2, "kernel_size": [3], "groups": 4}],
            (6, 5, 9),
            r"kernel_size: expected an integer in \[1, 32768\], 2 of them, got \[3\]",
        ),
        (
            [{"type": "conv2d", "filters": 2, "kernel_size": 3, "padding": (1, 2, -1, 0)}],
            (6, 5, 9),
            r"padding: expected an integer in \[0, 32768\], 2 of them, 4 of them, same, "
            r"valid, got \(1, 2, -1, 0\)",
        ),
        (
            [{"type": "maxpool2d", "kernel_size": (2, 4), "padding": (0, 0, 0, 3)}],
            (1, 9, 9),
            "padding: expected at most half of the kernel, 1 x 2, got 0 x 0 x 0 x 3",
        ),
        (
            [{"type": "self_attention", "heads": 3}],
            (4, 8),
            "heads: expected a divisor of 8, got 3",
        ),
        ([{"type": "self_attention"}], (8,), "self_attention expects tokens x values"),
        ([{"type": "mean_pool"}], (8,), "mean_pool expects tokens x values"),
        ([{"type": "position"}], (8,), "position expects tokens x values"),
        (
            [{"type": "patch_embed", "patch_size": 3, "units": 2}],
            (1, 6, 8),
            "patch_size: expected a divisor of height and width, 6 x 8, got 3",
        ),
        (
            [{"type": "conv1d", "filters": 2, "kernel_size": 3}],
            (1, 5, 9),
            "conv1d expects channels x length, got an input of 1 x 5 x 9",
        ),
        (
            [{"type": "conv1d", "filters": 2, "kernel_size": 9, "padding": (1, 2)}],
            (1, 5),
            "kernel_size: expected at most the padded input, 8, got 9",
        ),
        (
            [{"type": "conv1d", "filters": 2, "kernel_size": (3, 3)}],
            (1, 5),
            "kernel_size: expected an integer, got",
        ),
        (
            [{"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": (1, 1, 1, 1)}],
            (1, 5),
            r"padding: expected an integer in \[0, 32768\], 2 of them, same, valid, got",
        ),
        (
            [{"type": "avgpool1d", "kernel_size": 3, "padding": (0, 2)}],
            (1, 5),
            "padding: expected at most half of the kernel, 1, got 0 x 2",
        ),
        (
            [{"type": "maxpool1d"}],
            (5,),
            "maxpool1d expects channels x length, got an input of 5",
        ),
        (
            [{"type": "patch_embed1d", "patch_size": 3, "units": 2}],
            (6, 8),
            "patch_size: expected a divisor of the length, 8, got 3",
        ),
        ([{"type": "dropout", "rate": 1.0}], (8,), "rate: expected a number in"),
        (
            [{"type": "position", "trainable": 1}],
            (4, 8),
            "trainable: expected true or false",
        ),
        (
            [{"type": "position", "init": "random"}],
            (4, 8),
            "init: expected one of sinusoidal,",
        ),
    ],
)
def test_layers_that_do_not_fit_their_input(layers, shape, message):
    with pytest.raises((ValueError, TypeError), match=message):
        _core.Net(layers, shape, SOFTMAX)


@pytest.mark.parametrize(
    ("optimizer", "error", "message"),
    [
        (
            {"type": "rmsprob"},
            ValueError,
            "optimizer.type: expected one of sgd, adam, adamw, rmsprop, got 'rmsprob'",
        ),
        ({}, ValueError, "optimizer.type: missing"),
        ("adam", TypeError, "optimizer: expected a dict, got 'adam'"),
        (
            {"type": "adam", "beta1": 0.9},
            ValueError,
            "optimizer.beta1: unknown key; adam has beta_1, ",
        ),
        (
            {"type": "sgd", "momentum": 2.0},
            ValueError,
            "optimizer.momentum: expected a number",
        ),
        ({"type": "sgd", "nesterov": 1}, TypeError, "optimizer.nesterov: expected true or"),
    ],
)
def test_bad_optimizers(optimizer, error, message):
    with pytest.raises(error, match=message):
        _core.Net([dense(2)], (4,), SOFTMAX, optimizer)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"weights": np.ones(5, np.float32)}, ValueError, r"weights: expected .*\(6,\)"),
        ({"weights": np.ones(6)}, TypeError, "weights: expected .*float32"),
        (
            {"smoothing": 1.0},
            ValueError,
            r"smoothing: expected a number in \[0, 1\), got 1",
        ),
        ({"clip_norm": -1.0}, ValueError, "clip_norm: expected at least 0, got -1"),
        ({"step": -1}, ValueError, "step: expected at least 0, got -1"),
    ],
)
def test_bad_training_options(net, more, error, message):
    with pytest.raises(error, match=f"^train: {message}"):
        net.train(X, Y, ORDER, 2, 0.1, **more)


NAN = float("nan")
# Numbers beside those that are taken, of each option that is one.
BESIDE = {
    "train": {
        "batch_size": [0, -1], "epochs": [0], "accumulate": [0], "threads": [0, 65],
        "smoothing": [-0.1, 1.0, NAN], "clip_norm": [-1e-9, NAN], "l2": [-1e-9, NAN],
        "step": [-1], "mixup": [-1e-9, 4.1, NAN], "average_decay": [-1e-9, 1.1, NAN],
    },
    "minimize": {
        "tolerance": [-1e-9, NAN], "iterations": [0], "evaluations": [0], "threads": [0, 65],
        "smoothing": [-0.1, 1.0, NAN], "l2": [-1e-9, NAN], "followed": [-1e-9, NAN],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [(f, name, value) for f in BESIDE for name in BESIDE[f] for value in BESIDE[f][name]],
)
def test_numbers_out_of_range(net, function, name, value):
    given = {
        "train": {"order": ORDER, "batch_size": 2, "lr": 0.1},
        "minimize": {"tolerance": 1e-5, "iterations": 1, "evaluations": 9},
    }[function]
    getattr(net, function)(X, Y, **given)
    with pytest.raises(ValueError, match=f"^{function}: {name}: expected "):
        getattr(net, function)(X, Y, **{**given, name: value})


# A call that works, of each method with threads.
THREADED = {
    "train": (X, Y, ORDER, 2, 0.1),
    "minimize": (X, Y, 1e-5, 1, 9),
    "evaluate": (X, Y),
    "predict": (X,),
    "gradients": (X, Y),
    "backprop": (X, np.ones((6, 3), np.float32)),
    "forward": (X,),
}


@pytest.mark.parametrize("function", THREADED)
def test_each_method_refuses_bad_threads_weights_and_names(net, function):
    method, given = getattr(net, function), THREADED[function]
    method(*given)
    for threads in (0, -1, 65):
        with pytest.raises(
            ValueError, match=f"^{function}: threads: expected 1 to 64, got"
        ):
            method(*given, threads=threads)
    with pytest.raises(TypeError, match="threads|integer"):
        method(*given, threads="2")
    with pytest.raises(TypeError, match="nonsense"):
        method(*given, nonsense=1)
    with pytest.raises(TypeError, match="argument"):
        method()
    for wrong in (X[:, :3].copy(), None, X.tolist()):
        with pytest.raises((ValueError, TypeError), match=f"^{function}: x: expected "):
            method(wrong, *given[1:])
    if function in ("train", "minimize", "evaluate", "gradients"):
        with pytest.raises(ValueError, match=f"^{function}: weights: expected "):
            method(*given, weights=np.ones(5, np.float32))
        for without in ([dense(3)], [dense(2), dense(3)]):
            other = _core.Net(without, (4,), "none")
            with pytest.raises(ValueError, match=f"^{function}: .*without a loss"):
                getattr(other, function)(*given)


@pytest.mark.parametrize("rate", [-1e-9, 1e9, NAN])
def test_bad_rates_of_layers(net, rate):
    with pytest.raises(ValueError, match="^set_rates: rates"):
        net.set_rates(np.array([rate]))


@pytest.mark.parametrize(
    "name",
    ["rng_uniform", "rng_shuffle", "all_within", "measure_peak", "augment", "load_blas"],
)
def test_functions_refuse_other_numbers_of_arguments(name):
    for arguments in ((), (object(),) * 9, (object(),)):
        with pytest.raises(TypeError):
            getattr(_core, name)(*arguments)


def test_one_rate_for_each_step(net):
    net.train(X, Y, ORDER, 4, np.array([0.1, 0.2, 0.3, 0.4]), epochs=2)
    with pytest.raises(
        ValueError, match=r"^train: lr: expected .*float64.*\(4,\), got .*\(3,\)"
    ):
        net.train(X, Y, ORDER, 4, np.array([0.1, 0.2, 0.3]), epochs=2)


def test_unknown_loss():
    with pytest.raises(
        ValueError, match="^loss: expected one of softmax_cross_entropy, sig"
    ):
        _core.Net([dense(2)], (4,), "hinge")


def test_a_net_that_does_not_fit_memory_is_a_memory_error():
    layers = [dense(2**15), dense(2**15)] * 500
    with pytest.raises(MemoryError):
        _core.Net(layers, (2**15,), SOFTMAX)


# ---- behavior around a call ----


def test_divergence_names_epoch_and_batch_and_spares_the_weights(net):
    x = np.full((6, 4), 3e38, np.float32)
    net.params[:12] = 1
    before = net.params.tobytes()
    with pytest.raises(
        FloatingPointError, match=r"not finite at epoch 7, batch 1 \(learning"
    ):
        net.train(x, Y, ORDER, 2, 0.1, epoch=7)
    assert net.params.tobytes() == before


def test_divergence_spares_the_running_statistics_and_gradients_leave_them():
    net = _core.Net([{"type": "batchnorm"}, dense(3)], (4,), SOFTMAX)
    before = net.weights.tobytes()
    net.gradients(X + 1, Y)
    assert net.weights.tobytes() == before
    with pytest.raises(FloatingPointError):
        net.train(X + np.float32(np.nan), Y, ORDER, 6, 0.1)
    assert net.weights.tobytes() == before


def test_a_nan_weight_stops_training(net):
    net.params[0] = np.nan
    with pytest.raises(FloatingPointError, match="not finite at epoch 1, batch 1"):
        net.train(X + 1, Y, ORDER, 6, 0.1)


def test_params_keep_the_net_alive():
    params = _core.Net([dense(3)], (4,), SOFTMAX).params
    params[:] = 7
    assert (params == 7).all()


def test_references_are_balanced(net):
    """Neither good calls nor refused ones may keep or lose a reference."""
    good, bad = X.copy(), X.astype(np.float64)
    labels, order = Y.copy(), ORDER.copy()
    objects = [good, bad, labels, order, net]
    before = [sys.getrefcount(o) for o in objects]
    for _ in range(100):
        net.train(good, labels, order, 2, 0.1)
        net.predict(good)
        for call in (net.evaluate, net.gradients):
            call(good, labels)
            with pytest.raises(TypeError):
                call(bad, labels)
        with pytest.raises(ValueError, match="order"):
            net.train(good, labels, order - 1, 2, 0.1)
    del call  # a bound method holds the net
    assert [sys.getrefcount(o) for o in objects] == before


def long_training(net, done):
    x = np.zeros((64, 4), np.float32)
    y, order = np.zeros(64, np.int32), np.arange(64, dtype=np.int32)
    try:
        net.train(x, y, order, 1, 0.0, epochs=20_000)
    finally:
        done.set()


def test_gil_is_released_and_a_net_in_training_refuses_another(net):
    done = threading.Event()
    thread = threading.Thread(target=long_training, args=(net, done))
    thread.start()
    time.sleep(0.05)
    assert not done.is_set(), "the main thread only got here after the training"
    with pytest.raises(RuntimeError, match="^train: this net is in training"):
        long_training(net, threading.Event())
    thread.join()
    long_training(net, done)


def test_indices_are_copied_before_they_are_checked(net):
    """Another thread may write to the caller's arrays while the GIL is released."""
    x = np.ones((64, 4), np.float32)
    y, order = np.zeros(64, np.int32), np.arange(64, dtype=np.int32)
    expected = _core.Net([dense(3)], (4,), SOFTMAX)
    expected.train(x, y, order, 1, 1e-4, epochs=5_000)
    thread = threading.Thread(target=net.train, args=(x, y, order, 1, 1e-4), kwargs=EPOCHS)
    thread.start()
    time.sleep(0.02)
    order[:], y[:] = 2**31 - 1, 10**7
    thread.join()
    assert net.params.tobytes() == expected.params.tobytes()


EPOCHS = {"epochs": 5_000}


FOREIGN = "a\x1b[31m" + "b" * 5000


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.Net([{"type": FOREIGN}], (3,), SOFTMAX),
        lambda: _core.Net([{**dense(3), FOREIGN: 1}], (3,), SOFTMAX),
        lambda: _core.Net([dense(FOREIGN)], (3,), SOFTMAX),
        lambda: _core.Net([dense(3)], (3,), FOREIGN),
        lambda: _core.check_optimizer({"type": FOREIGN}),
        lambda: _core.measure_peak(FOREIGN, 1),
    ],
)
def test_foreign_text_is_escaped_and_cut(call):
    with pytest.raises((ValueError, TypeError), match=r"a\\x1b\[31mb") as raised:
        call()
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 800
