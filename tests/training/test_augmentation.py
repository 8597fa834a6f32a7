"""Distorted images and mixed rows in training, against their float64 twin and by hand."""

import json

import numpy as np
import pytest

import distortions
import rnn_native as rn
import rnn_native._core as _core
import twins
from cases import (
    SIGMOID,
    SOFTMAX,
    Case,
    arrays,
    conv2d,
    dense,
    dropout,
    flatten,
    maxpool2d,
    native,
    native_arrays,
    relative,
)

IMAGE = {"channels": 1, "height": 9, "width": 21}
KINDS = {
    "shift": {"shift": 2.5},
    "rotation": {"rotation": 0.6},
    "scale": {"scale": 0.3},
    "shear": {"shear": 0.5},
    "elastic": {"elastic": 2.0},
    "all": {"shift": 3.0, "rotation": 3.0, "scale": 0.5, "shear": 0.3, "elastic": 1.0},
}


def distorted(x, spec, seed=3, step=5, threads=1):
    """What a net is given in training: the weight's gradient of one output, row by row."""
    net = _core.Net([dense(1)], (x[0].size,), "squared_error", {"type": "sgd"})
    seen = []
    for i in range(len(x)):
        # Weights are zero, the target is -1: the step is the input, of row i of the batch.
        order = np.arange(len(x), dtype=np.int32)
        net.params[:] = 0
        y = np.zeros((len(x), 1), np.float32)
        y[i] = -1
        net.train(
            x.reshape(len(x), -1), y, order, len(x), float(len(x)), augment=spec,
            seed=seed, step=step, threads=threads,
        )  # fmt: skip
        seen.append(-net.params[:-1].reshape(x[i].shape))
    return np.stack(seen)


def spotted(rng, spec, n=4):
    """Images with a margin of zeros, as drawings have."""
    x = np.zeros((n, spec["channels"], spec["height"], spec["width"]), np.float32)
    x[..., 2:-2, 3:-4] = rng.uniform(0.1, 1, x[..., 2:-2, 3:-4].shape)
    return x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_match_twin(kind, channels, rng, level):
    spec = {**IMAGE, "channels": channels, **KINDS[kind]}
    x = spotted(rng, spec)
    x[0] = rng.uniform(0.1, 1, x[0].shape)  # and one without
    key = twins.mask_key(3, 5)
    expected = distortions.distort_batch(x.astype(np.float64), spec, key)
    np.testing.assert_allclose(distorted(x, spec), expected, atol=2e-5)
    assert np.abs(expected - x).max() > 0.1


def test_apply_shows_what_training_sees(rng, level):
    x = spotted(rng, IMAGE)
    augment = rn.Augment(shift=2, rotation=30, scale=0.2, shear=0.1, elastic=1)
    spec = augment.spec((1, 9, 21))
    seen = augment.apply(x, seed=3, step=5)
    np.testing.assert_allclose(seen, distorted(x, spec), atol=1e-7)
    assert seen.shape == x.shape
    assert np.abs(seen - x).max() > 0.1
    as_bytes = np.rint(255 * x[:, 0]).astype(np.uint8)
    floats = as_bytes.astype(np.float32) / np.float32(255)
    assert augment.apply(as_bytes).tobytes() == augment.apply(floats).tobytes()
    with pytest.raises(ValueError, match="images: expected a batch of images, got float64"):
        augment.apply(1.5)
    with pytest.raises(ValueError, match=r"got rows of shape \(35,\); give image_shape"):
        augment.apply(np.zeros((3, 35)))


def test_rows_after_the_last_are_left_alone(rng, level):
    x = spotted(rng, IMAGE).reshape(4, -1)
    before = x.copy()
    _core.augment(x[:3], {**IMAGE, "shift": 2.0}, 3, 5)
    assert (x[3] == before[3]).all()
    assert (x[:3] != before[:3]).any(axis=1).all()


def test_numbers_of_numpy_are_plain():
    given = rn.Augment(
        shift=np.int64(2), rotation=np.float32(3), image_shape=np.array([2, 3])
    )
    expected = {"shift": 2, "rotation": 3.0, "image_shape": [2, 3]}
    assert json.dumps(given.as_dict()) == json.dumps(expected)
    for wrong in (1j, np.complex64(1), "2", True, np.bool_(True), None):
        with pytest.raises(TypeError, match=r"augment\.shift: expected a number, got"):
            rn.Augment(shift=wrong)
    with pytest.raises(
        TypeError, match=r"augment\.image_shape: expected integers, .*got \(2\.5, 2"
    ):
        rn.Augment(shift=1, image_shape=(2.5, 2))


def test_nothing_asked_for_changes_nothing(rng, level):
    x = spotted(rng, IMAGE)
    np.testing.assert_allclose(distorted(x, IMAGE), x, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 33)])
def test_odd_shapes_match_twin(shape, rng, level):
    spec = {"channels": 1, "height": shape[0], "width": shape[1], **KINDS["all"]}
    x = rng.uniform(0, 1, (3, 1, *shape)).astype(np.float32)
    key = twins.mask_key(3, 5)
    expected = distortions.distort_batch(x.astype(np.float64), spec, key)
    np.testing.assert_allclose(distorted(x, spec), expected, atol=2e-5)


def test_far_beyond_the_edge_there_is_nothing(rng):
    x = rng.uniform(0.1, 1, (4, 1, 9, 21)).astype(np.float32)
    far = distorted(x, {**IMAGE, "shift": 1e6})
    assert not far.any()


def test_a_blank_image_stays_blank():
    assert not distorted(np.zeros((2, 1, 9, 21), np.float32), {**IMAGE, "shift": 3.0}).any()


def test_bytes_are_their_quotients():
    x = np.random.default_rng(2).integers(0, 256, (4, 1, 9, 21)).astype(np.uint8)
    spec = {**IMAGE, **KINDS["all"]}
    scaled = x.astype(np.float32) / np.float32(255)
    assert distorted(x, spec).tobytes() == distorted(scaled, spec).tobytes()


def test_a_step_and_a_seed_draw_anew(rng):
    x = spotted(rng, IMAGE)
    spec = {**IMAGE, "shift": 2.0}
    base = distorted(x, spec)
    assert (distorted(x, spec, step=6) != base).any()
    assert (distorted(x, spec, seed=4) != base).any()
    same = np.repeat(x[:1], 2, axis=0)
    first, second = distorted(same, spec)
    assert (first != second).any(), "each row has its own draw"


# ---- whole epochs ----

CNN = [conv2d(3, 3, "relu", padding=1), maxpool2d(2), flatten(), dense(4)]
MLP = [flatten(), dense(20, "relu"), dropout(0.2), dense(4)]
SMALL = {"channels": 1, "height": 10, "width": 8}
TRAINING = {
    "augment": {"augment": {**SMALL, **KINDS["all"]}},
    "mixup": {"mixup": 0.6},
    "both": {"augment": {**SMALL, "shift": 1.5}, "mixup": 1.0, "smoothing": 0.1},
    "weighted": {"mixup": 0.3, "weights": np.linspace(0.1, 2, 23, dtype=np.float32)},
}


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("layers", [CNN, MLP], ids=["cnn", "mlp"])
@pytest.mark.parametrize(
    ("blank", "loss"), [(False, SIGMOID), (True, SOFTMAX)], ids=["dense", "sparse"]
)
def test_training_matches_twin(name, layers, blank, loss, level):
    more = dict(TRAINING[name])
    case = Case("distorted", layers, (1, 10, 8), loss, 23, blank=blank)
    x, y, params = arrays(case)
    net = native(case, params, {"type": "sgd", "momentum": 0.5})
    order = np.random.default_rng(1).permutation(23).astype(np.int32)
    losses, _ = net.train(
        *native_arrays(case, x, y), order, 7, 0.05, epochs=2, seed=4, **more
    )
    spec, mixup = more.pop("augment", None), more.pop("mixup", 0.0)
    twin = twins.Optimizer({"type": "sgd", "momentum": 0.5}, params)
    expected = [
        twins.train_epoch(
            case.layers, params, x, y, order, 7, 0.05, loss, twin, 4 * epoch, seed=4,
            distort=spec and (lambda rows, key: distortions.distort_batch(rows, spec, key)),
            share_of=lambda key: distortions.batch_share(mixup, key),
            **more,
        )
        for epoch in range(2)
    ]  # fmt: skip
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
    assert relative(net.params, twins.flatten(params)) < 2e-5


@pytest.mark.parametrize("layers", [CNN, MLP], ids=["cnn", "mlp"])
def test_threads_and_resuming_give_the_same_bits(layers, level):
    case = Case("distorted", layers, (1, 10, 8), SOFTMAX, 300, blank=True)
    x, y, params = arrays(case)
    data, order = native_arrays(case, x, y), np.arange(300, dtype=np.int32)
    more = {"augment": {**SMALL, **KINDS["all"]}, "mixup": 0.4, "seed": 9}
    one, three, halves = (native(case, params) for _ in range(3))
    one.train(*data, order, 64, 0.05, epochs=2, **more)
    three.train(*data, order, 64, 0.05, epochs=2, threads=3, **more)
    for step in (0, 5):
        halves.train(*data, order, 64, 0.05, step=step, **more)
    assert one.weights.tobytes() == three.weights.tobytes() == halves.weights.tobytes()


def test_shares_are_beta():
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1)) of Beta(alpha, alpha)."""
    for alpha in (0.2, 1.0, 3.0):
        drawn = [distortions.share(alpha, twins.mask_key(1, k)) for k in range(2000)]
        assert np.mean(drawn) == pytest.approx(0.5, abs=0.03)
        assert np.var(drawn) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_mixing_by_hand():
    """Two rows 1 and 3 with targets 0: both inputs are s * own + (1 - s) * other."""
    net = _core.Net([dense(1)], (1,), "squared_error")
    net.params[:] = [1, 0]
    x = np.array([[1], [3]], np.float32)
    y = np.zeros((2, 1), np.float32)
    order = np.array([0, 1], np.int32)
    loss, _ = net.train(x, y, order, 2, 1e-9, mixup=0.5, seed=11)
    s = distortions.batch_share(0.5, twins.mask_key(11, 0))
    inputs = s * np.array([1, 3]) + (1 - s) * np.array([3, 1])
    assert loss[0] == pytest.approx((inputs**2).sum(), rel=1e-6)


@pytest.mark.parametrize("rows", [2, 8, 33])
def test_hits_of_mixed_rows_are_of_the_greater_share(rows, rng, level):
    x = rng.standard_normal((rows, 5)).astype(np.float32)
    y, order = rng.integers(0, 3, rows).astype(np.int32), np.arange(rows, dtype=np.int32)
    net = _core.Net([dense(3)], (5,), SOFTMAX)
    net.params[:] = rng.standard_normal(18)
    weight, bias = net.params[:15].reshape(5, 3).copy(), net.params[15:].copy()
    shares = []
    for seed in range(6):
        _, hits = net.train(x, y, order, rows, 1e-12, mixup=0.7, seed=seed)
        share = distortions.batch_share(0.7, twins.mask_key(seed, 0))
        mixed = share * x + (1 - share) * np.roll(x, -1, axis=0)
        labels = y if share >= 0.5 else np.roll(y, -1)
        assert hits[0] == np.sum(np.argmax(mixed @ weight + bias, axis=1) == labels)
        shares.append(share)
    assert min(shares) < 0.5 < max(shares)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"augment": 3}, "augment: expected a dict, got 3"),
        (
            {"augment": {**SMALL, "width": 9}},
            "images of 1 x 10 x 9 do not fit the net's 80",
        ),
        (
            {"augment": {**SMALL, "scale": 1.0}},
            r"augment.scale: expected a number in \[0, 0.99",
        ),
        ({"augment": {**SMALL, "zoom": 1.0}}, "augment.zoom: unknown key; augment has"),
        ({"augment": {"channels": 1, "height": 80}}, "augment.width: missing"),
        ({"mixup": -1.0}, r"mixup: expected a number in \[0, 4\], got -1"),
        ({"mixup": float("nan")}, "mixup: expected"),
        (
            {"average": np.zeros(3, np.float32)},
            "average: expected a C-contiguous, writable",
        ),
        ({"average_decay": 2.0}, r"average_decay: expected a number in \[0, 1\]"),
        ({"l2": -1.0}, "l2: expected at least 0"),
        ({"penalties": np.zeros(2)}, "penalties: expected a C-contiguous, writable"),
    ],
)
def test_bad_arguments_are_named(more, message):
    net = _core.Net(MLP, (1, 10, 8), SOFTMAX)
    x, order = np.zeros((4, 80), np.float32), np.arange(4, dtype=np.int32)
    with pytest.raises((ValueError, TypeError), match=message):
        net.train(x, np.zeros(4, np.int32), order, 2, 0.1, **more)
