"""Blocks: layers that hold layers, as Python writes, names, keeps and refuses them."""

import copy
import json

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.base.errors import FormatError
from rnn_native.net.block_layers import BLOCKS
from rnn_native.net.block_specs import leaves, sequence
from rnn_native.net.layers import as_specs, from_spec
from rnn_native.settings.architecture import parse_architecture

SHAPE = (2, 9, 9)


def conv(filters, **more):
    return rn.Conv2D(filters, 3, padding=1, **more)


def layers():
    return [
        conv(4, activation="relu"),
        rn.Residual([conv(8, stride=2), rn.BatchNorm(), [rn.Activation("relu"), conv(8)]]),
        [rn.Activation("relu"), rn.Residual([conv(8)], name="second")],
        rn.Concat([rn.MaxPool2D(3, stride=1, padding=1)], [], [conv(2)]),
        rn.GlobalAvgPool2D(),
        rn.Dense(3),
    ]


def net_of(given=None, shape=SHAPE, **more):
    return rn.Network(layers() if given is None else given, shape, **more)


def data(rows=20, shape=SHAPE):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, *shape)).astype(np.float32), np.arange(rows) % 3


def test_names_say_where_a_parameter_is():
    names = [name for name in net_of().parameters if name.endswith("weight")]
    assert names == [
        "layers.0.weight",
        "layers.1.residual.0.weight",
        "layers.1.residual.1.weight",
        "layers.1.residual.2.block.1.weight",
        "layers.1.projection.weight",
        "layers.2.block.1.second.0.weight",
        "layers.3.concat.2.0.weight",
        "layers.5.weight",
    ]


def test_shapes_and_the_projection():
    net = net_of()
    assert net.parameters["layers.1.projection.weight"].shape == (8, 4, 1, 1)
    assert repr(net).startswith(
        "<Network 2x9x9 -> 4x9x9 -> 8x5x5 -> 8x5x5 -> 18x5x5 -> 18 -> 3,"
    )


def test_a_residual_is_a_sum():
    net = rn.Network([rn.Residual([rn.Dense(3, "tanh")])], (3,), "squared_error")
    x = data(5, (3,))[0]
    w, b = net.parameters["layers.0.residual.0.weight"], 0
    np.testing.assert_allclose(net(x), x + np.tanh(x @ w + b), atol=1e-6)


def test_a_projection_takes_the_place_of_the_input():
    net = rn.Network([rn.Residual([rn.Dense(2, "tanh")])], (3,), "squared_error")
    x = data(5, (3,))[0]
    expected = x @ net.parameters["layers.0.projection.weight"]
    expected += np.tanh(x @ net.parameters["layers.0.residual.0.weight"])
    np.testing.assert_allclose(net(x), expected, atol=1e-6)


@pytest.mark.parametrize("heads, out_proj", [(1, False), (2, True)])
@pytest.mark.parametrize("fused", [False, True])
def test_attention_in_a_residual_has_the_bits_of_attention_with_residual(
    heads, out_proj, fused
):
    def trained(attention):
        below = [rn.Activation("relu")] if fused else []
        start = [rn.PatchEmbed(3, 6), rn.Position(), *below]
        net = rn.Network([*start, attention, rn.MeanPool(), rn.Dense(3)], SHAPE)
        net.fit(*data(), epochs=2, batch_size=8, verbose=0)
        return net

    attention = rn.SelfAttention(heads, out_proj)
    block = trained(rn.Residual([attention]))
    layer = trained(rn.SelfAttention(heads, out_proj, residual=True))
    np.testing.assert_array_equal(block.weights, layer.weights)
    x = data()[0]
    np.testing.assert_array_equal(block.predict_proba(x), layer.predict_proba(x))
    np.testing.assert_array_equal(block.attention_maps(x), layer.attention_maps(x))


@pytest.mark.parametrize("stride, length", [(1, 12), (2, 6)])
def test_a_signal_is_projected_by_a_convolution_along_it(stride, length):
    block = rn.Residual([rn.Conv1D(5, 3, stride, padding=1), rn.BatchNorm()])
    net = rn.Network([block, rn.Flatten(), rn.Dense(3)], (2, 12))
    weight = net.parameters["layers.0.projection.weight"]
    assert weight.shape == (5, 2, 1)
    assert repr(net).startswith(f"<Network 2x12 -> 5x{length} -> {5 * length} -> 3")
    net.fit(*data(20, (2, 12)), epochs=1, batch_size=8, verbose=0)


@pytest.mark.parametrize(
    "branches, shape",
    [
        (
            [[rn.Conv1D(3, 3, padding="same")], [rn.Conv1D(4, 5, padding="same")], []],
            (9, 12),
        ),
        ([[rn.MaxPool1D(3, 1, padding="same"), rn.Activation("relu")], []], (4, 12)),
        ([[rn.Residual([rn.Conv1D(3, 1)])], []], (5, 12)),
        ([[rn.PatchEmbed1D(3, 4)], [rn.PatchEmbed1D(3, 5)]], (4, 9)),
        ([[rn.Conv1D(3, 1), rn.PatchEmbed1D(3, 4)], [rn.PatchEmbed1D(3, 5)]], (4, 9)),
        ([[rn.Dense(3)], []], (2, 15)),
    ],
)
def test_concat_joins_channels_of_signals_and_values_of_tokens(branches, shape):
    net = rn.Network([rn.Concat(*branches), rn.Flatten(), rn.Dense(3)], (2, 12))
    assert repr(net).startswith(f"<Network 2x12 -> {shape[0]}x{shape[1]} ->")


@pytest.mark.parametrize(
    "block",
    [
        rn.Concat([rn.Dense(3)], [], axis=-1, name="ways"),
        rn.Residual([[rn.Dense(3)], rn.Concat([], [])]),
        rn.Block([rn.Dense(3)], name="stem"),
        rn.TransformerBlock(2, 8, causal=True),
    ],
)
def test_a_repr_makes_the_same_block(block):
    assert eval(repr(block), vars(rn)) == block


def test_a_list_is_a_block_and_changes_no_bit():
    flat = [conv(4), rn.BatchNorm(), rn.Activation("relu"), rn.Flatten(), rn.Dense(3)]
    nested = [flat[0], [flat[1], [flat[2]]], rn.Block(flat[3:], name="head")]
    trained = []
    for given in (flat, nested):
        net = net_of(given)
        net.fit(*data(), epochs=2, batch_size=8, verbose=0)
        trained.append(net.weights.copy())
    np.testing.assert_array_equal(*trained)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_transformer_block_is_its_composition(norm):
    block = rn.TransformerBlock(2, 9, norm=norm, dropout=0.1)
    nets = [
        rn.Network([*given, rn.MeanPool(), rn.Dense(3)], (4, 6), seed=5)
        for given in ([block], [block.composition(6)])
    ]
    for net in nets:
        net.fit(*data(12, (4, 6)), epochs=2, batch_size=4, verbose=0)
    np.testing.assert_array_equal(nets[0].weights, nets[1].weights)
    kinds = [spec["type"] for spec in block.composition(6)]
    assert rn.TransformerBlock(2, 9, causal=True).composition(6)[0]["layers"][1]["causal"]
    assert kinds == ["residual"] * 2 if norm == "pre" else ["residual", "layernorm"] * 2


# ---- files, copies, exports ----


def trained_net():
    net = net_of(optimizer="adam")
    net.fit(*data(), epochs=1, batch_size=8, verbose=0)
    return net


def test_files_and_copies_keep_blocks(tmp_path):
    net = trained_net()
    net.lr_multipliers = [1, 0, 1, 0.5, 1, 1]
    net.save(tmp_path / "net.safetensors")
    x, y = data()
    others = [rn.load(tmp_path / "net.safetensors"), copy.copy(net), net.clone()]
    for other in others:
        assert other.specs == net.specs
        assert other.lr_multipliers == net.lr_multipliers
        np.testing.assert_array_equal(other.predict_proba(x), net.predict_proba(x))
    net.fit(x, y, epochs=1, batch_size=8, verbose=0)
    others[2].fit(x, y, epochs=1, batch_size=8, verbose=0)
    np.testing.assert_array_equal(others[2].weights, net.weights)


def test_json_is_what_the_net_has():
    net = net_of()
    written = json.loads(json.dumps(net.architecture()))
    parsed = parse_architecture(written)
    assert rn.Network(parsed.layers, parsed.input_shape, parsed.loss).specs == net.specs
    assert rn.Network.from_architecture(written).specs == net.specs


def test_specs_and_layers_are_each_others():
    for spec in [*net_of().specs, rn.TransformerBlock(2, 8).spec()]:
        assert from_spec(spec).spec() == spec
    assert {*BLOCKS} == {"block", "residual", "concat", "transformer_block"}


def test_a_block_is_frozen_as_a_whole():
    net = net_of()
    net.trainable = [True, False, True, True, True, True]
    before = {name: value.copy() for name, value in net.parameters.items()}
    net.fit(*data(), epochs=1, batch_size=8, verbose=0)
    for name, value in net.parameters.items():
        is_frozen = name.startswith("layers.1.")
        assert np.array_equal(value, before[name]) == is_frozen, name


def test_the_table_has_every_layer_once():
    text = str(net_of().summary())
    assert "layers.1.residual.0 (conv2d linear)" in text
    assert "layers.1 (add)" in text
    assert "layers.3 (concat)" in text
    assert "fork" not in text
    assert f"{net_of().weights.size:,}" in text


def test_pytorchs_names_are_those_of_modules_in_modules():
    tensors = rn.export.to_torch(net_of())
    assert [name for name in tensors if name.endswith("weight")] == [
        "0.weight",
        "2.residual.0.weight",
        "2.residual.1.weight",
        "2.residual.2.1.weight",
        "2.projection.weight",
        "3.1.second.0.weight",
        "4.concat.2.0.weight",
        "6.weight",
    ]
    net = net_of(seed=9)
    again = rn.export.from_torch(rn.export.to_torch(net), net_of())
    np.testing.assert_array_equal(again.weights, net.weights)


def test_saliency_goes_through_blocks():
    net = trained_net()
    x, y = data(6)
    maps = rn.saliency.input_gradient(net, x, y)
    step = 1e-2
    moved = x.copy()
    moved[:, 1, 4, 4] += step
    rows = np.arange(6)
    logits = [np.log(net.predict_proba(at)) for at in (x, moved)]
    # The gradient of a logit less that of log(sum of e^logit), which is the mean of all.
    every = np.stack([rn.saliency.input_gradient(net, x, y * 0 + k) for k in range(3)])
    mean = (net.predict_proba(x).T * every[:, :, 1, 4, 4]).sum(axis=0)
    expected = (logits[1] - logits[0])[rows, y] / step
    np.testing.assert_allclose(maps[:, 1, 4, 4] - mean, expected, atol=5e-2)


def test_a_last_softmax_in_a_list_is_the_losss_own():
    plain = rn.Network([rn.Dense(4, "relu"), rn.Dense(3, "softmax")], (3,))
    nested = rn.Network([rn.Dense(4, "relu"), [rn.Dense(3, "softmax")]], (3,))
    x = data(5, (3,))[0]
    np.testing.assert_array_equal(plain.predict_proba(x), nested.predict_proba(x))
    assert "softmax of layers.1" in str(nested.summary())


def test_walks():
    specs = as_specs(layers())
    paths = [path for path, _ in leaves(specs)]
    assert "layers[1].residual[2].block[1]" in paths
    assert [path for path, _ in sequence(specs)][2:4] == [
        "layers[2].block[0]",
        "layers[2].block[1]",
    ]


# ---- refusals ----


def nest(depth):
    layer = rn.Dense(2)
    for _ in range(depth):
        layer = [layer]
    return layer


REFUSED = [
    (
        [rn.Residual([rn.Conv2D(4, 3)])],
        r"layers\[0\]: residual adds its input, 2 x 9 x 9, to .* 4 x 7 x 7",
    ),
    (
        [rn.Block([conv(3), rn.Residual([rn.Conv2D(3, 2)])])],
        r"layers\[0\]\.block\[1\]: residual .* 3 x 9 x 9, .* 3 x 8 x 8,",
    ),
    (
        [conv(3), rn.Residual([conv(3), rn.Dense(3)])],
        r"layers\[1\]\.residual\[1\]: dense expects",
    ),
    (
        [rn.Residual([conv(2), rn.Residual([rn.Dense(3)], name="inner")])],
        r"layers\[0\]\.residual\[1\]\.inner\[0\]: dense expects",
    ),
    (
        [rn.Concat([conv(2)], [rn.Conv2D(2, 3)])],
        r"layers\[0\]: expected branches of one shape except for the axis, got 2 x 9 x 9 .* 2 x 7",
    ),
    (
        [rn.Concat([conv(2)], [], axis=3)],
        r"layers\[0\]\.axis: expected an axis of 3, got 3",
    ),
    (
        [rn.Concat([conv(2)], [rn.Dense(3)])],
        r"layers\[0\]\.concat\[1\]\[0\]: dense expects",
    ),
    (
        [rn.TransformerBlock(2, 4)],
        r"layers\[0\]: transformer_block expects tokens x values",
    ),
    (
        [rn.PatchEmbed(3, 5), rn.TransformerBlock(2, 4)],
        r"attention\[1\]\.heads: expected a",
    ),
    (
        [[rn.Dense(3, "softmax")], rn.Dense(3)],
        r"layers\[0\]\.block\[0\]: softmax is an act",
    ),
    ([nest(17), rn.Dense(2)], "nested at most 16 deep"),
    ([[]], r"layers\[0\]\.layers: expected at least one layer, got none"),
]


@pytest.mark.parametrize("given, message", REFUSED, ids=[m for _, m in REFUSED])
def test_what_does_not_fit_is_told_with_its_path(given, message):
    with pytest.raises((ValueError, FormatError), match=message) as caught:
        rn.Network(given, SHAPE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: rn.Residual([]), "Residual.layers: expected at least one layer"),
        (lambda: rn.Concat([]), "Concat.branches: expected 2 to 8 branches, got 1"),
        (lambda: rn.Concat([rn.Dense(3)]), "to 8 branches, got 1; each is a list$"),
        (
            lambda: rn.Residual(rn.Dense(3)),
            r"^Residual.residual: expected a list of layers, got Dense; write \[Dense\(...\)\]$",
        ),
        (
            lambda: rn.Concat(rn.Dense(3), []),
            r"^Concat.concat\[0\]: expected a list of layers, got Dense; write \[Dense",
        ),
        (lambda: rn.Block([rn.Dense(3)], name="a.b"), "Block.name: expected at most 40"),
        (lambda: rn.TransformerBlock(2, 3, norm="both"), "norm: expected one of pre, post"),
        (lambda: rn.Residual([3]), r"Residual.residual\[0\]: expected a layer or its spec"),
    ],
)
def test_a_block_that_no_net_could_have_is_refused_at_once(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


@pytest.mark.parametrize(
    "layer, message",
    [
        ({"type": "residual"}, r"layers\[0\]\.layers: missing; residual needs it"),
        ({"type": "fork"}, "unknown layer type 'fork'"),
        ({"type": "dense", "units": 3, "path": "x"}, "path: unknown key"),
        ({"type": "residual", "layers": [{"type": "x"}]}, r"residual\[0\]\.type: unknown"),
        ({"type": "concat", "branches": [[], 3]}, r"concat\[1\]: expected an array, got 3"),
    ],
)
def test_files_are_refused_with_the_path(layer, message):
    with pytest.raises(FormatError, match=message):
        parse_architecture({"input_shape": [3], "layers": [layer]})


def test_lists_of_any_depth_end_in_one_line():
    deep = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested at most 16 deep"):
        rn.Network([deep], (3,))


def test_a_normalization_in_a_block_is_adapted_to_what_it_is_given():
    inner = [rn.Dense(4, "tanh"), rn.Normalization(), rn.Dense(3)]
    net = rn.Network(
        [rn.Normalization(), rn.Residual([rn.Concat([rn.Dense(2)], inner)]), rn.Dense(3)],
        (3,),
    )
    x = 5 + 3 * data(200, (3,))[0]
    net.adapt(x)
    names = [name.rpartition(".")[0] for name in net.state if name.endswith("mean")]
    assert names == ["layers.0", "layers.1.residual.0.concat.1.1"]
    weight = net.parameters["layers.1.residual.0.concat.1.0.weight"]
    seen = np.tanh((x - x.mean(0)) / x.std(0) @ weight)
    np.testing.assert_allclose(net.state[f"{names[1]}.mean"], seen.mean(0), atol=1e-5)
    np.testing.assert_allclose(net.state[f"{names[1]}.variance"], seen.var(0), atol=1e-5)


def test_padding_is_left_out_in_blocks_too():
    def net_over(tokens):
        return rn.Network(
            [
                rn.Masking(),
                rn.TransformerBlock(2, 7),
                rn.Concat([], [rn.Dense(2)]),
                rn.MeanPool(),
                rn.Dense(3),
            ],
            (tokens, 4),
        )

    x = data(6, (3, 4))[0]
    padded = np.concatenate([x, np.zeros((6, 2, 4), np.float32)], axis=1)
    np.testing.assert_allclose(net_over(5)(padded), net_over(3)(x), atol=1e-6)
