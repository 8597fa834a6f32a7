"""Compressed rows give the bits of the same rows with their zeros, in the room of the rest."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from cases import SIGMOID, SOFTMAX, SQUARES, Case, batchnorm, conv2d, dense, flatten
from environment import python_environment
from memory import measured
from rnn_native.net.compressed import CompressedRows, compress

sparse = pytest.importorskip("scipy.sparse")

CASES = [
    Case("by columns", [dense(300, "relu"), dense(10)], (200,), SOFTMAX, 150),
    Case("a rest of columns", [dense(450, "gelu"), dense(3)], (131,), SOFTMAX, 70),
    Case("by rows", [dense(33, "relu"), dense(10)], (100,), SOFTMAX, 40),
    Case("one layer", [dense(1)], (2000,), SIGMOID, 40),
    Case("three columns", [dense(7), dense(2)], (3,), SQUARES, 19),
    Case("norm first", [batchnorm(), dense(20, "relu"), dense(3)], (50,), SOFTMAX, 60),
    Case(
        "images",
        [conv2d(3, 3, "relu"), flatten(), dense(4)],
        (1, 9, 9),
        SOFTMAX,
        40,
    ),
]


def native(case, params, optimizer=None):
    net = _core.Net(case.layers, case.input_shape, case.loss, optimizer)
    net.params[:] = params
    return net


def rows_and_targets(case, density):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(case.rows, case.inputs)).astype(np.float32)
    x[rng.random(x.shape) >= density] = 0
    x[0] = 0
    net = _core.Net(case.layers, case.input_shape, case.loss)
    params = rng.normal(scale=0.1, size=net.params.shape)
    if case.loss == SOFTMAX:
        return x, rng.integers(0, 3, case.rows).astype(np.int32), params
    outputs = net.layers[-1]["shape"][0]
    return x, rng.random((case.rows, outputs)).astype(np.float32), params


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bits_are_those_of_the_rows_with_zeros(case, density, optimizer, level):
    x, y, params = rows_and_targets(case, density)
    order = np.random.default_rng(1).permutation(len(x)).astype(np.int32)
    weights = np.linspace(0.5, 2, len(x), dtype=np.float32)
    left = []
    for rows in (x, compress(sparse.csr_array(x))):
        net = native(case, params, {"type": optimizer})
        losses, _ = net.train(
            rows, y, order, 16, 0.01, epochs=2, threads=2, weights=weights, l2=0.01
        )
        outputs = net.predict(rows)
        gradients = net.gradients(rows, y)[1]
        score = net.evaluate(rows, y)
        left.append([a.tobytes() for a in (losses, net.params, outputs, gradients)])
        left[-1].append(score)
    assert left[0] == left[1]


def test_nets_take_rows_of_both_kinds_in_turn():
    case = CASES[0]
    x, y, params = rows_and_targets(case, 0.1)
    few, many = compress(sparse.csr_array(x[:5])), compress(sparse.csr_array(x))
    net, other = native(case, params), native(case, params)
    order = np.arange(5, dtype=np.int32)
    for rows in (few, x[:5], few, many[np.arange(5)], many[:5], many[np.arange(150) < 5]):
        net.train(rows, y[:5], order, 2, 0.01)
        other.train(x[:5], y[:5], order, 2, 0.01)
        assert net.params.tobytes() == other.params.tobytes()
        assert net.predict(many).tobytes() == other.predict(x).tobytes()


def test_rows_are_chosen_as_those_of_arrays():
    x, _, _ = rows_and_targets(CASES[0], 0.1)
    rows = compress(sparse.csr_array(x))
    assert rows.shape == x.shape
    for index in (slice(3, 9), slice(None, None, -2), np.array([7, 0, 7]), x[:, 0] > 0):
        part = rows[index]
        dense_again = sparse.csr_array(
            (part.value, part.column, part.begin), shape=part.shape
        ).toarray()
        np.testing.assert_array_equal(dense_again, x[index])


@pytest.mark.filterwarnings("ignore:Constructing a DIA")
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_formats_of_scipy(form, kind):
    x, _, _ = rows_and_targets(CASES[0], 0.1)
    given = getattr(sparse, f"{form}_{kind}")(x.astype(np.float64))
    rows = compress(given)
    assert isinstance(rows, CompressedRows)
    back = sparse.csr_array((rows.value, rows.column, rows.begin), shape=rows.shape)
    np.testing.assert_array_equal(back.toarray(), x)


@pytest.mark.filterwarnings("ignore:Constructing a DIA")
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
def test_zeros_that_a_matrix_holds_are_left_out(form):
    given = sparse.csr_array(np.arange(1.0, 13).reshape(3, 4))
    given.data[[0, 5, 11]] = 0
    given = given.asformat(form)
    if form == "dok":
        given = sparse.dok_array(given.shape)
        given.update({(i, j): 4.0 * i + j + 1 for i in range(3) for j in range(4)})
        given.update(dict.fromkeys([(0, 0), (1, 1), (2, 3)], 0.0))
    before = given.toarray()
    rows = compress(given)
    assert rows.value.all() and len(rows.value) == 9
    np.testing.assert_array_equal(given.toarray(), before)


def test_entries_are_sorted_summed_and_without_zeros_and_the_matrix_stays_as_it_is():
    parts = np.array([1.0, 2, 3, 0]), np.array([4, 1, 4, 2]), np.array([0, 3, 4])
    given = sparse.csr_array(tuple(p.copy() for p in parts), shape=(2, 5))
    rows = compress(given)
    assert rows.begin.tolist() == [0, 2, 2]
    assert rows.column.tolist() == [1, 4]
    assert rows.value.tolist() == [2, 4]
    for kept, part in zip((given.data, given.indices, given.indptr), parts, strict=True):
        assert kept.tolist() == part.tolist()


def test_bytes_are_divided_by_255():
    x = np.array([[0, 255, 7], [1, 0, 0]], np.uint8)
    rows = compress(sparse.csr_array(x))
    net = _core.Net([dense(4)], (3,), SQUARES)
    net.params[:] = np.linspace(-1, 1, len(net.params))
    assert net.predict(rows).tobytes() == net.predict(x).tobytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (sparse.csr_array([[0, np.inf], [1, 2]]), "inf at row 0, column 1"),
        (sparse.csr_array([[0.0, 1], [1e60, 2]]), r"1e\+60 at row 1, column 0"),
        (sparse.coo_array(np.ones(4)), r"2 axes, got \(4,\)"),
        (sparse.csr_array([[1j]]), "numbers, got a sparse matrix of complex128"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        compress(given)


FAR = 10**8
LINES = "csr", "csc", "bsr"
ELEMENTS = [  # formats, array, place, and what is not sound there
    (LINES, "indices", 0, (FAR, -1, -FAR)),
    (LINES, "indptr", 0, (1, FAR, -7)),
    (LINES, "indptr", 2, (FAR, -7)),
    (LINES, "indptr", -1, (FAR, -7)),
    (["coo"], "row", 0, (FAR, -1)),
    (["coo"], "col", 0, (FAR, -1)),
    (["lil"], "rows", 0, ([FAR, 0], [])),
    (["lil"], "data", 0, ([1.0] * 1000,)),
]
ARRAYS = [  # formats, array, and what is not sound in its place
    (LINES, "indptr", (np.array([0, FAR]), np.zeros((7, 1), int), np.zeros(7))),
    (LINES, "indices", (np.zeros((4, 1), int), np.zeros(2, int), np.zeros(99))),
    ([*LINES, "coo", "dia"], "data", (np.zeros(3), np.zeros((3, 1, 1, 1)))),
    (["bsr"], "data", (np.zeros((99, 0, 1)),)),
    (["coo"], "row", (np.zeros(3, int), np.zeros((3, 1), int))),
    (["dia"], "offsets", (np.array([1, 2]), np.zeros((4, 1), int))),
]


def damaged_matrices():
    """Every matrix of the two lists."""
    for forms, attribute, place, values in ELEMENTS:
        for form, value in itertools.product(forms, values):
            x = sound_matrix(form)
            getattr(x, attribute)[place] = value
            yield x
    for forms, attribute, values in ARRAYS:
        for form, value in itertools.product(forms, values):
            x = sound_matrix(form)
            setattr(x, attribute, value)
            yield x


def sound_matrix(form):
    x = sparse.random_array((6, 6), density=0.5, format="csr", rng=1)
    return x.asformat(form)


@pytest.mark.filterwarnings("ignore:Constructing a DIA")
@pytest.mark.parametrize(
    "layers", [[rn.Dense(2)], [rn.Embedding(9, 3), rn.Flatten(), rn.Dense(2)]]
)
def test_scipy_does_not_follow_the_indices_of_a_damaged_matrix(layers):
    net = rn.Network(layers, (6,))
    for x in damaged_matrices():
        with pytest.raises(ValueError, match=r"^x: a damaged sparse matrix \(.*; build it"):
            net.predict(x)


@pytest.mark.filterwarnings("ignore:Constructing a DIA")
def test_an_estimator_refuses_a_damaged_matrix():
    from rnn_native.sklearn import MLPClassifier

    for x in damaged_matrices():
        with pytest.raises(ValueError, match="X: a damaged sparse matrix"):
            MLPClassifier((3,)).fit(x, [0, 1, 0, 1, 0, 1])


def broken(begin, column, value):
    return CompressedRows(
        np.array(begin, np.int32),
        np.array(column, np.int32),
        np.array(value, np.float32),
        4,
    )


@pytest.mark.parametrize(
    "rows",
    [
        broken([1, 2], [0, 1], [1, 1]),
        broken([0, 3], [0, 1], [1, 1]),
        broken([0, 2, 1], [0, 1], [1, 1]),
        broken([0, 2], [1, 0], [1, 1]),
        broken([0, 2], [1, 1], [1, 1]),
        broken([0, 2], [1, 4], [1, 1]),
        broken([0, 2], [-1, 1], [1, 1]),
        broken([0, -1], [0, 1], [1, 1]),
        broken([0], [0, 1], [1, 1]),
        broken([0, 1], [0, 1], [1]),
    ],
)
def test_the_core_looks_at_every_row(rows):
    net = _core.Net([dense(2)], (4,), SQUARES)
    with pytest.raises(ValueError, match="predict: x"):
        net.predict(rows)


def test_the_core_distorts_and_mixes_arrays_only():
    net = _core.Net([dense(2)], (4,), SQUARES)
    rows = broken([0, 1], [0], [1])
    with pytest.raises(ValueError, match="augment and mixup need an array x"):
        net.train(rows, np.ones((1, 2), np.float32), np.zeros(1, np.int32), 1, 0.1, mixup=1)


PEAK = """
import numpy as np
from memory import peak, reset_peak
from rnn_native import Network, _core  # Network: the package's set-up
from rnn_native.net.compressed import CompressedRows
n, each, columns = 1000, 50, 50_000
column = np.random.default_rng(0).integers(0, columns // each, (n, each))
column = (column + np.arange(each) * (columns // each)).astype(np.int32)
rows = CompressedRows(np.arange(0, n * each + 1, each, dtype=np.int32), column.ravel(),
                      np.ones(n * each, np.float32), columns)
y, order = np.zeros(n, np.int32), np.arange(n, dtype=np.int32)
before = reset_peak()
net = _core.Net([{"type": "dense", "units": 4}], (columns,), "softmax_cross_entropy",
                {"type": "adam"})
net.train(rows, y, order, 200, 0.01)
net.predict(rows)
print(peak() - before)
"""


@measured
def test_memory_follows_the_nonzeros():
    # Parameters, gradients and two moments are 3.2 MB; a batch with zeros would be 40 MB.
    found = subprocess.run(
        [sys.executable, "-c", PEAK],
        env=python_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(found.stdout) < 8
