"""Normalization layers: what `adapt` finds, who keeps it, and what is refused without it."""

import pickle

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.sklearn import NetworkClassifier


def samples(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * np.arange(1, shape[-1] + 1) + 100 * rng.random(
        shape[-1]
    )


def net_over(shape, *layers, **options):
    top = [] if len(shape) == 1 else [rn.Flatten()]
    return rn.Network(
        [*(layers or [rn.Normalization()]), *top, rn.Dense(2)], shape, **options
    )


def statistics(net, index=0):
    return [net.state[f"layers.{index}.{name}"] for name in ("mean", "variance", "count")]


@pytest.mark.parametrize(
    ("shape", "axis", "others"),
    [
        ((5,), None, (0,)),
        ((7, 4), None, (0, 1)),
        ((3, 9), 0, (0, 2)),
        ((3, 5, 4), None, (0, 2, 3)),
        ((3, 5, 4), -1, (0, 1, 2)),
        ((2, 2, 3, 2), None, (0, 1, 2, 3)),
    ],
)
def test_adapt_finds_mean_and_variance_of_each_feature(shape, axis, others):
    x = samples(2500, *shape)
    net = net_over(shape, rn.Normalization(axis))
    net.adapt(x)
    exact = np.float64(np.float32(x))
    mean, variance, count = statistics(net)
    np.testing.assert_allclose(mean, exact.mean(axis=others), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var(axis=others), rtol=1e-7)
    assert count == x.size / len(mean)


def test_bytes_and_sparse_rows_are_taken_as_fit_takes_them():
    sparse = pytest.importorskip("scipy.sparse")
    x = np.random.default_rng(1).integers(0, 255, (1100, 6)).astype(np.uint8)
    net = net_over((6,))
    net.adapt(x)
    np.testing.assert_allclose(statistics(net)[0], (x / 255).mean(axis=0), rtol=1e-6)
    assert net.input_dtype == "uint8"
    with pytest.raises(ValueError, match="uint8"):
        net.fit(x * 2.0, np.zeros(len(x), int))
    other = net_over((6,))
    other.adapt(sparse.csr_matrix(x / 255))
    for got, expected in zip(statistics(other), statistics(net), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_constant_feature_gives_zero():
    x = samples(50, 3)
    x[:, 1] = 0.1
    net = net_over((3,))
    net.adapt(x)
    assert statistics(net)[1][1] == 0
    weight = net.parameters["layers.1.weight"]
    before = net.predict_proba(x)
    weight[1] = 100
    x[:, 1] = 7
    assert net.predict_proba(x).tobytes() == before.tobytes()


def test_a_layer_above_others_normalizes_what_they_give():
    x = samples(300, 4)
    norm = rn.Normalization()
    net = net_over((4,), norm, rn.Dense(5, "tanh"), norm)
    net.adapt(x)
    below = rn.Network([norm, rn.Dense(5, "tanh")], (4,), loss="squared_error")
    below.set_weights(
        np.concatenate(
            [net.parameters[f"layers.1.{n}"].ravel() for n in ("weight", "bias")]
            + statistics(net)
        )
    )
    values = below.predict(x)
    np.testing.assert_allclose(statistics(net, 2)[0], values.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(statistics(net, 2)[1], values.var(axis=0), rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_padding_is_left_out(value):
    x = samples(40, 6, 3)
    real = np.random.default_rng(3).random((40, 6)) < 0.5
    x[~real] = value
    net = rn.Network(
        [rn.Masking(value), rn.Normalization(), rn.MeanPool(), rn.Dense(2)], (6, 3)
    )
    net.adapt(x)
    mean, variance, count = statistics(net, 1)
    assert count == real.sum()
    np.testing.assert_allclose(mean, np.float32(x)[real].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(variance, np.float32(x)[real].var(axis=0), rtol=1e-5)


def test_nothing_is_trained_without_statistics():
    x, y = samples(20, 3), np.arange(20) % 2
    net = net_over((3,), rn.Dense(3), rn.Normalization())
    message = (
        r"layers\[1\]: normalization has no mean and variance yet; call net\.adapt\(x\)"
    )
    for call in (net.fit, net.train_on_batch, rn.lr_find.__get__(net)):
        with pytest.raises(ValueError, match=message):
            call(x, y)
    with pytest.raises(ValueError, match=message):
        net.forward(x)
    assert net.steps_done == 0


def test_training_leaves_statistics_alone_and_adapt_overrides_them(tmp_path):
    x, y = samples(40, 3), np.arange(40) % 2
    net = net_over((3,), optimizer="adam")
    net.adapt(x[:7])
    net.adapt(x)
    found = [values.copy() for values in statistics(net)]
    assert found[2] == 40
    net.fit(x, y, epochs=2, validation_split=0.2, ema_decay=0.9, verbose=0)
    net.train_on_batch(x, y)
    net.save(tmp_path / "net.safetensors", optimizer_state=True)
    loaded = rn.load(tmp_path / "net.safetensors")
    expected = net.predict_proba(x)
    for other in (net, net.clone(), pickle.loads(pickle.dumps(net)), loaded):
        for got, before in zip(statistics(other), found, strict=True):
            assert got.tobytes() == before.tobytes()
        assert other.predict_proba(x).tobytes() == expected.tobytes()
        other.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    ("layers", "x", "message"),
    [
        ([rn.Dense(2)], np.ones((3, 3)), "adapt: this net has no normalization layer"),
        ([rn.Normalization(), rn.Dense(2)], np.ones((3, 4)), "x: expected"),
        ([rn.Normalization(), rn.Dense(2)], np.full((3, 3), np.nan), "x: expected|finite"),
        (
            [rn.Normalization(), rn.Dense(2)],
            np.diag([1e38, 1, 1]),
            r"adapt: layers\[0\]: expected values whose mean and variance are finite",
        ),
    ],
)
def test_adapt_refuses_what_it_cannot_use(layers, x, message):
    net = rn.Network(layers, (3,))
    before = net.get_weights()
    with pytest.raises(ValueError, match=message):
        net.adapt(x)
    assert net.get_weights().tobytes() == before.tobytes()
    assert net.input_dtype is None


TWICE = [rn.Normalization(), rn.Dense(2), rn.Normalization()]
BESIDE = [rn.Concat(*([rn.Columns(i, 1), rn.Normalization()] for i in range(2)))]


@pytest.mark.parametrize("is_fresh", [True, False])
@pytest.mark.parametrize(
    ("layers", "place"),
    [(TWICE, r"layers\[2\]"), (BESIDE, r"layers\[0\].concat\[1\]\[1\]")],
    ids=["above", "beside"],
)
def test_adapt_that_is_refused_changes_no_layer(layers, place, is_fresh):
    net = net_over((2,), *layers)
    if not is_fresh:
        net.adapt([[1.0, 2.0], [3.0, 4.0]])
    for name, weight in net.parameters.items():
        weight[:] = 3e38 if name == "layers.1.weight" else 0.5
    before = net.get_weights()
    with pytest.raises(ValueError, match=f"^adapt: {place}: expected values whose mean"):
        net.adapt([[5.0, 3e38], [7.0, -3e38]] if layers is BESIDE else [[5, 6], [8, 8]])
    assert net.get_weights().tobytes() == before.tobytes()
    if is_fresh:
        with pytest.raises(ValueError, match="net.adapt"):
            net.fit([[1.0, 2.0]], [0], verbose=0)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_calls_that_make_a_net_adapt_it():
    x, y = samples(60, 3), np.arange(60) % 2
    layers = [rn.Normalization(), rn.Dense(2)]
    result = rn.train(
        layers,
        ((x, y), (x, y)),
        input_shape=(3,),
        epochs=1,
        validation_split=0.0,
        verbose=0,
    )
    np.testing.assert_allclose(statistics(result.model)[0], x.mean(axis=0), rtol=1e-6)
    estimator = NetworkClassifier(layers, max_iter=2, warm_start=True).fit(x, y)
    found = statistics(estimator.network_)[0].copy()
    np.testing.assert_allclose(found, x.mean(axis=0), rtol=1e-6)
    estimator.fit(x + 1, y)
    assert statistics(estimator.network_)[0].tobytes() == found.tobytes()
