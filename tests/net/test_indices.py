"""Nets that begin with Embedding: what they take, and what is refused, with its place."""

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.sklearn import NetworkClassifier

LAYERS = [rn.Embedding(6, 4), rn.Flatten(), rn.Dense(3)]
X = np.array([[0, 1, 5], [2, 2, 3], [4, 0, 1], [5, 5, 5]])
Y = np.array([0, 1, 2, 1])


@pytest.fixture
def net():
    return rn.Network(LAYERS, (3,))


def changed(value, dtype=float):
    x = X.astype(dtype)
    x[2, 1] = value
    return x


def test_any_dtype_has_the_same_bits(net):
    expected = net.predict_proba(X.astype(np.float32)).tobytes()
    for x in (X, X.astype(np.uint8), X.astype(np.float64), X.tolist(), X.astype(object)):
        assert net.predict_proba(x).tobytes() == expected
    other = rn.Network(LAYERS, (3,))
    net.fit(X.astype(np.uint8), Y, epochs=2, verbose=0)
    other.fit(X, Y, epochs=2, verbose=0)
    assert net.get_weights().tobytes() == other.get_weights().tobytes()
    assert net.input_dtype == "float"


REFUSED = [
    (changed(6), "6.0"),
    (changed(-1), "-1.0"),
    (changed(1.5), "1.5"),
    (changed(np.nan), "nan"),
    (changed(np.inf), "inf"),
    (changed(1.5, np.float32), "1.5"),
    (changed(6, np.int64), "6"),
    (changed(200, np.uint8), "200"),
]


@pytest.mark.parametrize(("x", "got"), REFUSED, ids=[got for _, got in REFUSED])
def test_what_is_no_index_is_refused_with_its_place(net, x, got):
    where = (
        rf"expected indices for embedding, whole numbers in 0..5, got {got} at \[2, 1\]$"
    )
    with pytest.raises(ValueError, match=f"^x: {where}"):
        net.predict(x)
    with pytest.raises(ValueError, match=f"^x: {where}"):
        net.fit(x, Y, verbose=0)
    with pytest.raises(ValueError, match=f"^x of batch 2: {where}"):
        net.fit([(X, Y), (x, Y)], verbose=0)
    with pytest.raises(ValueError, match=rf"^validation_data\[0\]: {where}"):
        net.fit(X, Y, validation_data=(x, Y), verbose=0)


def test_words_are_refused(net):
    with pytest.raises(TypeError, match=r"^x: expected indices for embedding.*, got <U1$"):
        net.predict(np.full((2, 3), "a"))


def test_the_smallest_table_of_all_branches_counts():
    branches = [[rn.Embedding(n, 2), rn.Flatten()] for n in (9, 4)]
    net = rn.Network([rn.Concat(*branches), rn.Dense(2)], (3,))
    with pytest.raises(ValueError, match=r"whole numbers in 0..3, got 5 at \[0, 2\]$"):
        net.predict(X)


TABLE = [
    [
        rn.Reshape((2, 3)),
        rn.Columns(0, 2),
        rn.Flatten(),
        rn.Columns(1, 2),
        rn.Embedding(4, 2),
    ],
    [rn.Columns(2, 3), rn.Normalization()],
]


@pytest.mark.parametrize("dtype", [int, np.float32, float, object])
def test_numbers_beside_indices_may_be_any(dtype):
    net = rn.Network([rn.Concat([*TABLE[0], rn.Flatten()], TABLE[1]), rn.Dense(2)], (6,))
    assert net.table_rows == (0, 4, 0, 4, 0, 0)
    x = np.array([[-9, 0, 70, 3, -5, 6], [8, 1, 9, 2, 300, 7]]).astype(dtype)
    assert net.predict_proba(x).shape == (2, 2)
    x[1, 3] = 4
    with pytest.raises(
        ValueError, match=r"^x: .*, whole numbers in 0..3, got 4.* at \[1, 3\]$"
    ):
        net.predict(x)
    if dtype is not int:
        x[1, 3:] = 2, np.nan, 2
        with pytest.raises(
            ValueError, match=r"^x: expected finite .*, got nan at \[1, 4\]$"
        ):
            net.predict(x)


def test_columns_that_are_not_there_are_refused():
    message = (
        r"^layers\[0\]: expected columns of an input of 2 x 3, which has 3, got first 2 "
        "and count 2$"
    )
    with pytest.raises(ValueError, match=message):
        rn.Network([rn.Columns(2, 2), rn.Flatten()], (2, 3))
    with pytest.raises(ValueError, match=r"^Columns.count: expected an integer in \[1, "):
        rn.Network([rn.Columns(2, 0), rn.Flatten()], (2, 3))


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            [rn.Dense(3), LAYERS[0]],
            4,
            r"^layers\[1\]: embedding expects indices, which are the",
        ),
        ([rn.Dropout(0.5), LAYERS[0]], 4, r"^layers\[1\]: embedding expects indices"),
        (
            LAYERS,
            (4, 2),
            r"^layers\[0\]: embedding expects n indices, got an input of 4 x 2$",
        ),
    ],
)
def test_a_net_that_cannot_be_is_refused(layers, shape, message):
    with pytest.raises(ValueError, match=message):
        rn.Network(layers, (shape,) if isinstance(shape, int) else shape)


def test_the_gradient_adds_rows_of_the_table():
    net = rn.Network([rn.Embedding(3, 2), rn.MeanPool()], (2,), "squared_error")
    before = net.get_weights().reshape(3, 2)
    x = np.array([[1, 1]], np.float32)
    net.fit(x, before[1:2] + 1, epochs=1, batch_size=1, lr=0.5, verbose=0)
    after = net.get_weights().reshape(3, 2)
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    np.testing.assert_allclose(after[1], before[1] + 0.5, rtol=1e-6)


def test_first_values_lie_in_a_twentieth():
    weights = rn.Network([rn.Embedding(500, 8), rn.MeanPool()], (2,)).get_weights()
    assert 0.049 < np.abs(weights).max() <= 0.05


def test_estimators_refuse_what_is_no_index():
    model = NetworkClassifier(LAYERS[:2], max_iter=1)
    with pytest.raises(ValueError, match=r"^X: expected indices.*, got 1.5 at \[2, 1\]$"):
        model.fit(changed(1.5), Y)
    with pytest.raises(TypeError, match=r"got uint8; use X\.astype\(int\)$"):
        model.fit(X.astype(np.uint8), Y)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match=r"^X: expected indices.*, got 6.0 at \[2, 1\]$"):
        model.predict(changed(6))


def test_many_small_terms_of_an_index_are_not_lost_beside_its_weight():
    """Each is less than half of the weight's last bit; with plain SGD they go to the weight."""
    rows, words = 64, 50
    net = rn.Network([rn.Embedding(3, 2), rn.MeanPool()], (words,), "squared_error")
    net.weights[:] = 1.0
    x = np.zeros((rows, words), int)
    y = np.full((rows, 2), 1 - 2**-6, np.float32)
    net.fit(x, y, epochs=1, batch_size=rows, lr=2**-9, verbose=0, validation_split=0)
    step = 2**-9 * 2**-6  # the rate times the gradient of half the squared error
    changed = 1 - np.float64(net.weights[:2])
    assert np.allclose(changed, changed[0])
    assert changed[0] in (pytest.approx(step, rel=0.01), pytest.approx(2 * step, rel=0.01))
