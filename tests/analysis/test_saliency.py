"""Gradients by the input against the float64 twin's, finite differences, and PyTorch's."""

import numpy as np
import pytest

import rnn_native as rn
import twins
from cases import CASES, Case, arrays, dense, dropout, native_arrays, relative
from rnn_native.analysis.logits import class_logits
from rnn_native.analysis.saliency import BATCH, input_gradient, over_image, saliency

# Those that end in their own function have separate tests: its logits are meant.
LINEAR_AT_THE_END = [
    case
    for case in CASES
    if len({"softmax", "sigmoid"} & {str(v) for v in case.layers[-1].values()}) == 0
]


def network(case, params):
    net = rn.Network(case.specs, case.input_shape, case.loss)
    net.weights[:] = twins.flatten_all(params)
    return net


@pytest.mark.parametrize("case", LINEAR_AT_THE_END, ids=str)
def test_gradient_is_the_twins_in_prediction(case):
    """Dropout drops nothing, and batchnorm uses its running statistics."""
    x, _, params = arrays(case)
    out, caches = twins.forward(case.layers, params, x)
    outputs = out.shape[1]
    labels = np.arange(case.rows) % max(2, outputs)
    direction = np.eye(outputs)[labels] if outputs > 1 else 2.0 * labels[:, None] - 1
    expected, _ = twins.backward(case.layers, params, caches, direction)
    got = input_gradient(network(case, params), native_arrays(case, x, labels)[0], labels)
    assert got.shape == x.shape
    if not np.any(expected):
        assert not got.any()
    else:
        assert relative(got, expected) < 2e-5


def test_gradient_by_finite_differences():
    """Of the float64 twin, for a net with everything that prediction does otherwise."""
    layers = [
        dense(7, "tanh"),
        {"type": "batchnorm"},
        dropout(0.4),
        dense(5, "gelu"),
        dense(3),
    ]
    case = Case("differences", layers, (4,), "softmax_cross_entropy", 5)
    x, y, params = arrays(case)
    step = 1e-6
    expected = np.empty_like(x)
    for i in range(x.shape[1]):
        up, down = x.copy(), x.copy()
        up[:, i] += step
        down[:, i] -= step
        difference = (
            twins.forward(layers, params, up)[0] - twins.forward(layers, params, down)[0]
        )
        expected[:, i] = difference[np.arange(len(y)), y] / (2 * step)
    got = input_gradient(network(case, params), x.astype(np.float32), y)
    assert relative(got, expected) < 1e-5


@pytest.mark.parametrize(
    "top", [[rn.Dense(1, "sigmoid")], [rn.Dense(1), rn.Activation("sigmoid")]]
)
def test_a_sigmoids_logit_is_meant_not_its_probability(top):
    net = rn.Network(top, (3,), "squared_error")
    net.parameters["layers.0.weight"][:] = [[40], [-80], [0]]  # saturated: its slope is 0
    x = np.ones((2, 3), np.float32)
    got = input_gradient(net, x, [1, 0])
    assert got.tolist() == [[40, -80, 0], [-40, 80, 0]]


def test_a_softmaxs_logits_are_meant():
    net = rn.Network([rn.Dense(2), rn.Softmax()], (3,), "squared_error", seed=4)
    weight = net.parameters["layers.0.weight"]
    got = input_gradient(net, np.ones((2, 3), np.float32), [0, 1])
    np.testing.assert_array_equal(got, weight.T)


def test_logits_of_the_losses(rng):
    """Logits whose softmax are the probabilities, wherever they come from."""
    x = rng.normal(size=(9, 4)).astype(np.float32)
    nets = [
        rn.Network([rn.Dense(3)], (4,)),
        rn.Network([rn.Dense(3, "softmax")], (4,)),
        rn.Network([rn.Dense(1, "sigmoid")], (4,), "sigmoid_cross_entropy"),
        rn.Network([rn.Dense(3), rn.Softmax()], (4,), "squared_error"),
        rn.Network([rn.Dense(1, "sigmoid")], (4,), "squared_error"),
    ]
    for net in nets:
        p = net.predict_proba(x)
        got = twins.softmax(class_logits(net, x))
        np.testing.assert_allclose(got[:, -p.shape[1] :], p, atol=1e-6)


def test_bytes_are_seen_as_their_quotients(digits):
    net, (x, y) = rn.pretrained.load(), digits[1]
    for kind in ("gradient", "gradient_input"):
        got = saliency(net, x[:4], y[:4], kind)
        same = saliency(net, x[:4].astype(np.float32) / np.float32(255), y[:4], kind)
        np.testing.assert_array_equal(got, same)


def test_maps_are_brought_to_one():
    net = rn.Network([rn.Dense(2)], (3,))
    net.parameters["layers.0.weight"][:] = [[1, 0], [-4, 0], [2, 0]]
    x = np.array([[1, 1, 4], [0.5, 0, 0]], np.float32)
    gradients = saliency(net, x, [0, 0])
    products = saliency(net, x, [0, 0], "gradient_input")
    assert gradients.tolist() == [[0.25, 1, 0.5], [0.25, 1, 0.5]]
    assert products.tolist() == [[0.125, -0.5, 1], [1, 0, 0]]
    assert not saliency(net, x, [1, 1]).any()
    assert gradients.dtype == products.dtype == np.float32


def test_rows_are_on_their_own(rng):
    """Also beyond the batch that is computed at once, and for any number of threads."""
    net = rn.Network([rn.Dense(8, "relu"), rn.BatchNorm(), rn.Dense(3)], (5,))
    x = rng.normal(size=(BATCH + 3, 5)).astype(np.float32)
    labels = rng.integers(0, 3, len(x))
    whole = input_gradient(net, x, labels, threads=2)
    for row in (0, BATCH - 1, BATCH, BATCH + 2):
        alone = input_gradient(net, x[row : row + 1], labels[row : row + 1], threads=1)
        np.testing.assert_array_equal(alone[0], whole[row])


def test_the_net_is_left_as_it_is(rng):
    net = rn.Network([rn.Dense(8), rn.BatchNorm(), rn.Dropout(0.5), rn.Dense(3)], (5,))
    before = net.weights.copy()
    saliency(net, rng.normal(size=(4, 5)).astype(np.float32), [0, 1, 2, 0])
    np.testing.assert_array_equal(net.weights, before)


@pytest.mark.parametrize(
    ("labels", "kind", "error", "words"),
    [
        ([0], "gradient", ValueError, "labels: expected 2 labels, one per row, got 1"),
        ([0, 3], "gradient", ValueError, r"labels: expected labels in 0..2, got 3"),
        ([0.0, 1.0], "gradient", TypeError, "labels: expected integer labels"),
        ([0, 1], "grad", ValueError, "kind: expected one of gradient, gradient_input"),
    ],
)
def test_bad_arguments_are_refused(labels, kind, error, words):
    net = rn.Network([rn.Dense(3)], (4,))
    with pytest.raises(error, match=words):
        saliency(net, np.zeros((2, 4), np.float32), labels, kind)


def test_over_image_colors():
    image = np.array([[0, 1]], np.float32)
    assert over_image(image).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    over = over_image(image, np.array([[1, 0]], np.float32))
    assert over[0, 0].tolist() == [196, 135, 0]  # 85 % of the orange
    assert over[0, 1].tolist() == [255, 255, 255]
    against = over_image(image, np.array([[-1, 0]], np.float32))
    assert against[0, 0].tolist() == [73, 153, 198]  # 85 % of the sky blue


@pytest.mark.parity
def test_pytorchs_gradient(rng):
    torch = pytest.importorskip("torch")
    net = rn.Network(
        [rn.Conv2D(4, 3, activation="relu"), rn.BatchNorm(), rn.MaxPool2D(2),
         rn.Flatten(), rn.Dropout(0.3), rn.Dense(5)],
        (1, 8, 8),
    )  # fmt: skip
    net.state["layers.1.running_mean"][:] = rng.normal(size=4)
    net.state["layers.1.running_var"][:] = rng.uniform(0.5, 2, 4)
    p = {k: torch.tensor(v.copy()) for k, v in {**net.parameters, **net.state}.items()}
    x = rng.normal(size=(6, 1, 8, 8)).astype(np.float32)
    labels = rng.integers(0, 5, 6)
    leaf = torch.tensor(x, requires_grad=True)
    F = torch.nn.functional
    z = F.relu(F.conv2d(leaf, p["layers.0.weight"], p["layers.0.bias"]))
    names = ("running_mean", "running_var", "weight", "bias")
    z = F.batch_norm(z, *(p[f"layers.1.{name}"] for name in names))
    z = F.max_pool2d(z, 2).flatten(1) @ p["layers.5.weight"] + p["layers.5.bias"]
    z[torch.arange(6), torch.tensor(labels)].sum().backward()
    assert relative(input_gradient(net, x, labels), leaf.grad.numpy()) < 1e-5
