"""What tokens see: causal attention, and padding that a masking layer marks."""

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from cases import SQUARES, dense, flatten, masking, mean_pool, self_attention


def drawn(layers, shape, loss="none"):
    net = _core.Net(layers, shape, loss)
    net.weights[:] = np.random.default_rng(1).uniform(-1, 1, net.weights.size)
    return net


def sequences(rows, tokens, width):
    return np.float32(np.random.default_rng(2).uniform(0.1, 1, (rows, tokens, width)))


def flat(x):
    return np.ascontiguousarray(x.reshape(len(x), -1))


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("tokens", [1, 5, 17])
def test_no_token_sees_a_later_one(tokens, heads, level):
    net = drawn([self_attention(heads, causal=True), flatten()], (tokens, 4))
    x = sequences(3, tokens, 4)
    maps = net.maps(flat(x), 0)
    assert not np.triu(maps, 1).any()
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-6)
    before = net.predict(flat(x)).reshape(x.shape)
    x[:, -1] += 5
    after = net.predict(flat(x)).reshape(x.shape)
    assert before[:, :-1].tobytes() == after[:, :-1].tobytes()
    assert (before[:, -1] != after[:, -1]).any()


def test_a_causal_layer_is_not_fused_with_patches():
    layers = [rn.PatchEmbed(2, 8), rn.Position(), rn.Activation("relu")]
    layers += [
        rn.SelfAttention(causal=True),
        rn.Dense(30, "relu"),
        rn.MeanPool(),
        rn.Dense(2),
    ]
    net = rn.Network(layers, (1, 8, 8))
    maps = net.attention_maps(sequences(2, 8, 8))
    assert not np.triu(maps, 1).any()


@pytest.mark.parametrize("value", [0.0, -2.5])
def test_padding_changes_no_answer(value, level):
    """The same weights over as many tokens as are real, whatever is in the padding."""
    layers = [dense(6, "tanh"), self_attention(2), self_attention(), mean_pool(), dense(2)]
    long = drawn([masking(value), *layers], (7, 3))
    short = drawn(layers, (4, 3))
    short.weights[:] = long.weights
    x = sequences(5, 7, 3)
    real = np.delete(x, [0, 3, 6], axis=1)
    x[:, [0, 3, 6]] = value
    np.testing.assert_allclose(long.predict(flat(x)), short.predict(flat(real)), atol=1e-6)
    maps = long.maps(flat(x), 2)
    assert not maps[..., [0, 3, 6]].any()
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-6)


def test_padding_has_no_gradient(level):
    net = drawn([masking(), self_attention(), mean_pool()], (5, 3))
    x = sequences(2, 5, 3)
    x[:, 3:] = 0
    dout = np.ones((2, 3), np.float32)
    _, dinp, _ = net.backprop(flat(x), dout, seed=0, step=0)
    dinp = dinp.reshape(x.shape)
    assert not dinp[:, 3:].any()
    assert dinp[:, :3].all()


def test_a_sample_of_padding_gives_zeros(level):
    net = drawn(
        [masking(), self_attention(2), self_attention(causal=True), mean_pool()], (4, 2)
    )
    x = sequences(3, 4, 2)
    x[1] = 0
    assert not net.predict(flat(x))[1].any()
    assert not net.maps(flat(x), 1)[1].any()
    _, dinp, grads = net.backprop(flat(x), np.ones((3, 2), np.float32), seed=0, step=0)
    assert not dinp.reshape(x.shape)[1].any()
    assert np.isfinite(grads).all()


def test_a_token_with_one_value_of_its_own_is_real():
    net = drawn([masking(1.0), mean_pool()], (3, 2))
    x = np.float32([[[1, 1], [1, 3], [1, 1]]])
    np.testing.assert_array_equal(net.predict(flat(x)), [[1, 3]])


@pytest.mark.parametrize(
    ("layers", "masked"),
    [
        ([masking(), dense(4), self_attention(), mean_pool()], [-1, -1, 0, 0]),
        ([masking(), flatten(), dense(3)], [-1, -1, -1]),
        ([self_attention(), masking(), mean_pool()], [-1, -1, 1]),
        ([masking(), self_attention(), masking(), mean_pool()], [-1, 0, -1, 2]),
    ],
)
def test_which_layers_leave_padding_out(layers, masked):
    net = _core.Net(layers, (4, 6), SQUARES)
    assert [layer["masked_by"] for layer in net.layers] == masked


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_only_tokens_are_masked(shape):
    message = r"layers\[0\]: masking expects tokens x values, got an input of "
    with pytest.raises(ValueError, match=message):
        rn.Network([rn.Masking(), rn.Flatten(), rn.Dense(2)], shape)


def test_copies_and_files_keep_both(tmp_path):
    layers = [rn.Masking(0.5), rn.SelfAttention(causal=True), rn.MeanPool(), rn.Dense(2)]
    net = rn.Network(layers, (4, 3))
    net.save(tmp_path / "net.safetensors")
    x = sequences(4, 4, 3)
    x[:, 2:] = 0.5
    for other in (net.clone(), rn.load(tmp_path / "net.safetensors")):
        assert other.specs == net.specs
        assert other.predict_proba(x).tobytes() == net.predict_proba(x).tobytes()


def test_an_ensemble_exports_each_nets_own_mask(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    nets = [
        rn.Network(
            [rn.Masking(value), rn.SelfAttention(), rn.MeanPool(), rn.Dense(2)], (4, 3)
        )
        for value in (0.0, 0.5)
    ]
    ensemble = rn.Ensemble(nets)
    rn.export.to_onnx(ensemble, tmp_path / "net.onnx")
    x = sequences(3, 4, 3)
    x[:, 1], x[:, 2] = 0, 0.5
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    (got,) = session.run(["probabilities"], {"x": x})
    np.testing.assert_allclose(got, ensemble.predict_proba(x), atol=1e-6)
