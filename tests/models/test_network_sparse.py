"""`Network` with SciPy's sparse matrices: the bits of the same rows with their zeros."""

import numpy as np
import pytest

import rnn_native as rn

sparse = pytest.importorskip("scipy.sparse")

RNG = np.random.default_rng(4)
X = (RNG.normal(size=(90, 60)) * (RNG.random((90, 60)) < 0.1)).astype(np.float32)
Y = RNG.integers(0, 3, 90)


def network(first=(), **options):
    return rn.Network([*first, rn.Dense(20, "relu"), rn.Dense(3)], (60,), **options)


@pytest.mark.parametrize("first", [[], [rn.BatchNorm()]], ids=["dense first", "norm first"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation_split": 0.2},
        {"validation_split": 0.3, "stratify": True, "class_weight": "balanced"},
        {"shuffle": False, "clip_norm": 0.1},
    ],
    ids=str,
)
def test_bits_are_those_of_arrays(options, first):
    rows, one, other = sparse.csr_array(X), network(first), network(first)
    for net, x in ((one, X), (other, rows)):
        net.fit(x, Y, epochs=3, lr=0.05, batch_size=16, verbose=0, **options)
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.predict_proba(X).tobytes() == other.predict_proba(rows.tocsc()).tobytes()
    assert one.evaluate(X, Y) == other.evaluate(rows, Y)
    held = (sparse.coo_array(X[:20]), Y[:20])
    one.fit(X, Y, verbose=0, validation_data=(X[:20], Y[:20]))
    other.fit(rows, Y, verbose=0, validation_data=held)
    assert one.weights.tobytes() == other.weights.tobytes()


def test_train_takes_them_as_fit_does():
    rows = sparse.csr_array(X)
    options = {"input_shape": (60,), "epochs": 2, "validation_split": 0.2, "verbose": 0}
    layers = [rn.Dense(20, "relu"), rn.Dense(3)]
    one = rn.train(layers, ((rows, Y), (rows[:9], Y[:9])), **options)
    other = rn.train(layers, ((X, Y), (X[:9], Y[:9])), **options)
    assert one.model.weights.tobytes() == other.model.weights.tobytes()
    assert one.test_scores == other.test_scores
    with pytest.raises(
        TypeError, match=r"y_test: .* sparse matrix; use y_test.toarray\(\)"
    ):
        labels = sparse.csr_array(Y[:, None])
        rn.train(layers, ((rows, Y), (rows, labels)), **options)


def test_the_rule_of_what_a_net_was_fitted_on_holds():
    x = np.where(X != 0, 200, 0).astype(np.uint8)
    one, other = network(), network()
    one.fit(x, Y, verbose=0)
    other.fit(sparse.csr_array(x), Y, verbose=0)
    assert other.input_dtype == "uint8"
    assert one.predict_proba(x).tobytes() == other.predict_proba(x).tobytes()
    with pytest.raises(ValueError, match="fitted on uint8 .* got float64 in 200..200"):
        other.predict(sparse.csr_array(x.astype(float)))
    other.predict(sparse.csr_array(x / 255.0))
    floats = network()
    floats.fit(sparse.csr_array(X), Y, verbose=0)
    with pytest.raises(ValueError, match="got uint8, but this net was fitted on floats"):
        floats.predict(sparse.csr_array(x))


def test_what_does_not_fit_is_refused():
    net = network()
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 60\), got \(90, 59\)"):
        net.predict(sparse.csr_array(X[:, :59]))
    flat = rn.Augment(shift=1, image_shape=(6, 10))
    for name, value in {"mixup": 0.2, "augment": flat}.items():
        with pytest.raises(TypeError, match=rf"{name}: x: .* sparse .* x.toarray\(\)"):
            net.fit(sparse.csr_array(X), Y, **{name: value}, verbose=0)
    for wrong in ({"y": sparse.csr_array(Y[:, None])}, {"sample_weight": sparse.eye(90)}):
        with pytest.raises(TypeError, match=r"got a sparse matrix; use .*\.toarray\(\)"):
            net.fit(**{"x": X, "y": Y, **wrong}, verbose=0)
    with pytest.raises(TypeError, match=r"got a sparse matrix; use x.toarray\(\)"):
        rn.saliency.input_gradient(net, sparse.csr_array(X), Y)
    with pytest.raises(ValueError, match="not finite|finite float32"):
        net.predict(sparse.csr_array(np.where(X != 0, np.nan, 0)))
