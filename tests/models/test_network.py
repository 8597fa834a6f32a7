"""The network's edge: what it takes, what it refuses, what it returns."""

import copy
import pickle

import numpy as np
import pytest

import rnn_native as rn


def pickled(net):
    return pickle.loads(pickle.dumps(net))


@pytest.fixture
def net():
    return rn.Network([rn.Dense(8, "relu"), rn.Dense(10)], (784,))


@pytest.mark.parametrize("shape", [(3, 784), (3, 28, 28), (3, 1, 28, 28)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_takes_images_in_every_usual_shape(net, shape, dtype, rng):
    pixels = rng.integers(0, 256, (3, 784)).astype(np.uint8)
    x = pixels if dtype == np.uint8 else (pixels / np.float32(255)).astype(dtype)
    expected = net.predict_proba(pixels)
    assert net.predict_proba(x.reshape(shape)).tobytes() == expected.tobytes()


def test_layout_does_not_matter(net, rng):
    x = rng.random((6, 28, 28)).astype(np.float32)
    expected = net.predict_proba(x[::2].copy())
    assert net.predict_proba(x[::2]).tobytes() == expected.tobytes()
    assert net.predict_proba(np.asfortranarray(x[::2])).tobytes() == expected.tobytes()
    assert net.predict_proba(x[::2].astype(">f4")).tobytes() == expected.tobytes()
    assert net.predict_proba(x[::2].tolist()).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.zeros((28, 28), np.uint8),
            ValueError,
            r"\(n, 784\), got \(28, 28\); add an axis",
        ),
        (np.zeros((2, 783)), ValueError, r"x: expected shape \(n, 784\), got \(2, 783\)"),
        (
            np.zeros((0, 784)),
            ValueError,
            r"x: expected shape \(n > 0, 784\), got \(0, 784\)",
        ),
        (np.float32(3), ValueError, r"got \(\)"),
        (np.full((2, 784), 200), TypeError, "int64 values beyond 0 and 1 are ambiguous"),
        (np.array([["a"] * 784]), TypeError, "expected uint8 or a float type, got <U1"),
        (np.zeros((1, 784), complex), TypeError, "got complex128"),
        (
            np.full((1, 784), 1e300),
            ValueError,
            r"x: expected finite float32 values, got 1e\+300",
        ),
    ],
)
def test_refuses_what_it_cannot_mean(net, x, error, message):
    with pytest.raises(error, match=message):
        net.predict(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_values_that_are_not_finite_and_says_where(net, value):
    x = np.zeros((4, 28, 28), np.float32)
    x[2, 5, 7] = value
    with pytest.raises(
        ValueError, match=r"x: expected finite float32 values, got .* at \[2, 5, 7\]"
    ):
        net.predict(x)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0, 1, 10], ValueError, r"y: expected labels in 0..9, got 10 at \[2\]"),
        ([0, -1, 0], ValueError, r"got -1 at \[1\]"),
        ([0, 1], ValueError, r"y: expected 3 labels, shape \(3,\), got \(2,\)"),
        ([0.0, 1.0, 2.0], TypeError, "y: expected integer labels, got float64"),
        ([[0, 1], [1, 0], [2, 0]], ValueError, r"got \(3, 2\)"),
    ],
)
def test_refuses_bad_labels(net, y, error, message):
    with pytest.raises(error, match=message):
        net.evaluate(np.zeros((3, 784)), y)


def test_any_integer_type_of_label_will_do(net):
    x = np.zeros((3, 784), np.uint8)
    results = {net.evaluate(x, np.array([1, 2, 3], t)) for t in "bBhHiIlLqQ"}
    assert len(results) == 1


def test_values_for_squared_error():
    net = rn.Network([rn.Dense(1)], (2,), loss="squared_error")
    net.params[:] = [1, 1, 0]
    x = [[0.0, 1.0], [0.25, 0.25]]
    # Outputs of 1 and 1/2: errors of 0 and 1/2; R^2 is 1 - 0.25 / 0.5.
    assert net.evaluate(x, [1.0, 0.0]) == (0.125, 0.25, 0.5)
    assert net.evaluate(x, [[1.0], [0.0]]) == (0.125, 0.25, 0.5)
    assert net.predict(x).tolist() == [1.0, 0.5]
    with pytest.raises(ValueError, match=r"y: expected shape \(2, 1\), got \(2, 2\)"):
        net.evaluate(x, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="y: expected finite float32 values"):
        net.evaluate(x, [np.nan, 0])


def test_predict_takes_the_first_of_equal_outputs(net):
    net.params[:] = 0
    assert net.predict(np.zeros((1, 784))).tolist() == [0]


def test_parameters_are_views(net):
    net.parameters["layers.1.bias"][3] = 5
    assert net.params[-7] == 5
    assert net.predict(np.zeros((1, 784))).tolist() == [3]


def test_summary_is_the_table_that_keras_prints():
    layers = [rn.Conv2D(8, 3, padding=1), rn.BatchNorm(), rn.Flatten(), rn.Dense(2, "relu")]
    net = rn.Network(layers, (1, 4, 4), "squared_error")
    text = net.summary()
    assert text.splitlines() == [
        "_________________________________________________________________",
        "Layer (type)                   Output Shape               Param #",
        "=================================================================",
        "layers.0 (conv2d linear)       (None, 8, 4, 4)                 80",
        "layers.1 (batchnorm)           (None, 8, 4, 4)                 32",
        "layers.2 (flatten)             (None, 128)                      0",
        "layers.3 (dense relu)          (None, 2)                      258",
        "=================================================================",
        "Total params: 370 (1.45 KB)",
        "Trainable params: 354 (1.38 KB)",
        "Non-trainable params: 16 (64.00 B)",
        "_________________________________________________________________",
    ]
    assert isinstance(text, str)
    assert repr(text) == str(text), "an interpreter shows it as it is"
    assert sum(p.size for p in net.parameters.values()) == 354
    assert sum(s.size for s in net.state.values()) == 16


def test_repr(net):
    assert repr(net) == "<Network 784 -> 8 -> 10, 6,370 parameters>"


def test_images_may_not_change_their_axes():
    """A deeper input shape must match, or be flat: (n, 14, 56) is not a 28x28 image."""
    net = rn.Network([rn.Flatten(), rn.Dense(2)], (1, 28, 28))
    for shape in [(3, 28, 28), (3, 1, 28, 28), (3, 784)]:
        net.predict(np.zeros(shape))
    with pytest.raises(
        ValueError, match=r"expected shape \(n, 1, 28, 28\), got \(3, 14, 56\)"
    ):
        net.predict(np.zeros((3, 14, 56)))


def test_attention_maps_need_an_attention_layer(net):
    with pytest.raises(ValueError, match="this net has no self_attention layer"):
        net.attention_maps(np.zeros((1, 784)))


def test_attention_maps_are_rows_of_weights():
    net = rn.Network(rn.models.attention_layers(16, 32), (1, 28, 28))
    maps = net.attention_maps(np.random.default_rng(0).random((3, 28, 28)))
    assert maps.shape == (3, 49, 49)
    np.testing.assert_allclose(maps.sum(axis=2), 1, rtol=1e-5)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_goes_on_as_the_net_does_and_apart_from_it(duplicate, rng):
    layers = [rn.Dense(8), rn.BatchNorm(), rn.Activation("relu"), rn.Dense(3)]
    net = rn.Network(layers, (5,), optimizer="adam")
    x, y = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    net.fit(x, y, epochs=2, verbose=0)
    before = net.weights.tobytes(), net.moments.tobytes()
    other = duplicate(net)
    assert (other.weights.tobytes(), other.moments.tobytes()) == before
    assert other.optimizer == net.optimizer
    other.fit(x, y, epochs=2, verbose=0)
    assert (net.weights.tobytes(), net.moments.tobytes()) == before
    net.fit(x, y, epochs=2, verbose=0)
    assert other.weights.tobytes() == net.weights.tobytes()


# ---- what users of Keras type ----


def test_calls_as_in_keras(net):
    x = np.random.default_rng(3).normal(size=(20, *net.input_shape)).astype(np.float32)
    outputs = net.predict_proba(x)
    assert net(x).tobytes() == outputs.tobytes()
    assert net.predict_proba(x, batch_size=7).tobytes() == outputs.tobytes()
    assert np.array_equal(net.predict(x, batch_size=7), net.predict(x))
    assert net.count_params() == sum(
        p.size for p in [*net.parameters.values(), *net.state.values()]
    )
    y = net.predict(x)
    scores = net.evaluate(x, y, batch_size=3)
    assert net.evaluate(x, y, return_dict=True) == scores._asdict()
    for call in (net.predict, net.predict_proba, lambda x, **o: net.evaluate(x, y, **o)):
        with pytest.raises(ValueError, match="batch_size: expected"):
            call(x, batch_size=0)
