"""Architectures: both forms, every message with its path, the schema, and the core."""

import importlib.util
import json
import math
import random
import re
from pathlib import Path

import jsonschema
import pytest

import rnn_native
import rnn_native._core as _core
from rnn_native import architecture as module
from rnn_native.base.rules import ConfigError, Place
from rnn_native.models.network import Network
from rnn_native.net import layer_specs
from rnn_native.net.block_specs import BLOCK_RULES
from rnn_native.net.layer_specs import (
    LAST_ACTIVATIONS,
    LAYER_RULES,
    REQUIRED_KEYS,
    checked_spec,
)
from rnn_native.net.tables import ACTIVATION_ALIASES, LAYERS
from rnn_native.settings import reference_form
from rnn_native.settings.architecture import (
    Architecture,
    load_architecture,
    parse_architecture,
)
from rnn_native.settings.reference_form import REFERENCE_KEYS

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "data" / "architectures").glob("*.json"))
PAGE = (ROOT / "docs" / "reference" / "configuration.md").read_text()
SCHEMA = json.loads(
    (Path(rnn_native.__file__).parent / "schema" / "architecture.schema.json").read_text()
)
POSITIONS = LAYERS["position"]["keys"]["init"]["choices"]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def message(mapping):
    with pytest.raises(ConfigError) as error:
        parse_architecture(mapping, "'a.json'")
    assert "\n" not in str(error.value)
    return str(error.value)


def build(architecture):
    return _core.Net(architecture.layers, architecture.input_shape, architecture.loss)


def shapes(net):
    return [layer["shape"] for layer in net.layers]


# ---- the reference's form ----


def dense(inputs, outputs, **more):
    return {
        "layer_type": "dense",
        "input_size": inputs,
        "output_size": outputs,
        **more,
    }


def conv(**changes):
    keys = {
        "layer_type": "conv2d",
        "in_channels": 1,
        "out_channels": 8,
        "kernel_size": 3,
        "input_height": 28,
        "input_width": 28,
    }
    return {k: v for k, v in (keys | changes).items() if v is not ...}


def norm(size, **more):
    return {"layer_type": "batchnorm", "size": size, **more}


def drop(size, rate=0.5, **more):
    return {"layer_type": "dropout", "size": size, "drop_rate": rate, **more}


def test_mlp_files():
    simple = load_architecture(ROOT / "data/architectures/mlp_simple.json")
    assert simple.layers == [{"type": "dense", "units": n} for n in (256, 10)]
    assert (simple.input_shape, simple.loss) == ((784,), "softmax_cross_entropy")
    medium = load_architecture(ROOT / "data/architectures/mlp_medium.json")
    assert [layer["units"] for layer in medium.layers] == [512, 256, 10]


def test_cnn_file_gets_a_flatten():
    found = load_architecture(ROOT / "data/architectures/cnn_simple.json")
    assert found.input_shape == (1, 28, 28)
    assert [layer["type"] for layer in found.layers] == [
        *("conv2d", "flatten", "dense", "dense")
    ]
    assert shapes(build(found)) == [(8, 28, 28), (6272,), (128,), (10,)]


def test_names_in_any_case_null_and_keys_of_other_types():
    layers = [
        dense(4, 3, layer_type="DENSE", padding=-3, drop_rate=7, stride=0),
        norm(3, layer_type="BatchNorm", epsilon=None, momentum=1),
        drop(3, 0, layer_type="Dropout", input_size=None),
    ]
    found = parse_architecture({"layers": layers, "loss": None})
    assert found.layers == [
        {"type": "dense", "units": 3},
        {"type": "batchnorm", "momentum": 1.0},
        {"type": "dropout", "rate": 0.0},
    ]
    VALIDATOR.validate({"layers": layers})


def test_a_long_chain():
    """The reference's tests have a net of ten layers."""
    layers = [dense(64 - i, 63 - i) for i in range(10)]
    assert len(build(parse_architecture({"layers": layers})).layers) == 10


def test_ours_beside_theirs():
    layers = [dense(4, 3, activation="swish"), dense(3, 1, activation="elu", alpha=0.5)]
    found = parse_architecture({"layers": layers, "loss": "squared_error"})
    assert found.loss == "squared_error"
    assert found.layers[0] == {"type": "dense", "units": 3, "activation": "silu"}
    assert found.layers[1]["alpha"] == 0.5


@pytest.mark.parametrize(
    ("layers", "types", "input_shape"),
    [
        # A mean for each value, not for each channel, as the reference has it.
        ([conv(), norm(8 * 26 * 26)], ["conv2d", "flatten", "batchnorm"], (1, 28, 28)),
        ([conv(), drop(5408), dense(5408, 2)], ["conv2d", "dropout", "flatten", "dense"],
         (1, 28, 28)),
        ([drop(784), conv(), dense(5408, 2)], ["dropout", "conv2d", "flatten", "dense"],
         (1, 28, 28)),
        ([drop(784), dense(784, 2)], ["dropout", "dense"], (784,)),
        ([norm(7), dense(7, 2)], ["batchnorm", "dense"], (7,)),
        ([conv(), conv(in_channels=8, out_channels=1, input_height=26, input_width=26,
                       padding=1, stride=2), dense(169, 4)],
         ["conv2d", "conv2d", "flatten", "dense"], (1, 28, 28)),
        ([dense(4, 4), conv(input_height=2, input_width=2, kernel_size=2)], None,
         "layers[1]: conv2d expects 1 x 2 x 2, got 4 from the layer before; only the first "
         "layer may turn values into images"),
        ([conv(), conv(input_height=104, input_width=52)], None,
         "layers[1]: conv2d expects 1 x 104 x 52, got 8 x 26 x 26 from the layer before; only "
         "the first layer may turn values into images"),
    ],
)  # fmt: skip
def test_where_images_become_values(layers, types, input_shape):
    if types is None:
        assert message({"layers": layers}) == f"'a.json': {input_shape}"
        return
    found = parse_architecture({"layers": layers})
    assert [layer["type"] for layer in found.layers] == types
    assert found.input_shape == input_shape
    if types[-1] in ("dense", "batchnorm"):
        build(found)


def test_padding_and_stride_become_the_cores():
    layers = [conv(padding=2, stride=3, kernel_size=5), dense(8 * 10 * 10, 2)]
    net = build(parse_architecture({"layers": layers}))
    assert shapes(net)[0] == (8, 10, 10)


REFERENCE_ERRORS = [
    ([], "layers: Architecture must have at least one layer"),
    *[([dense(2, 2), dense(2, 2) | {key: None}],
       f"layers[1].{key}: Layer 1: Dense layer requires '{key}'")
      for key in ("input_size", "output_size")],
    *[([conv(**{key: ...})], f"layers[0].{key}: Layer 0: Conv2D layer requires '{key}'")
      for key in ("in_channels", "out_channels", "kernel_size", "input_height",
                  "input_width")],
    ([{"layer_type": "batchnorm"}], "layers[0].size: Layer 0: BatchNorm layer requires "
     "'size'"),
    ([{"layer_type": "dropout", "drop_rate": 0}], "layers[0].size: Layer 0: Dropout layer "
     "requires 'size'"),
    ([{"layer_type": "dropout", "size": 1}], "layers[0].drop_rate: Layer 0: Dropout layer "
     "requires 'drop_rate'"),
    ([{"layer_type": "conv2d", "kernel_size": 0}], "layers[0].in_channels: Layer 0: Conv2D "
     "layer requires 'in_channels'"),
    *[([dense(2, 2) | {key: 0}], f"layers[0].{key}: Layer 0: {key} must be greater than 0, "
       "got 0") for key in ("input_size", "output_size")],
    *[([conv(**{key: 0})], f"layers[0].{key}: Layer 0: {key} must be greater than 0, got 0")
      for key in ("in_channels", "out_channels", "kernel_size", "stride")],
    ([conv(stride=0, kernel_size=0, out_channels=0)], "layers[0].out_channels: Layer 0: "
     "out_channels must be greater than 0, got 0"),
    ([norm(0)], "layers[0].size: Layer 0: size must be greater than 0, got 0"),
    ([norm(2, epsilon=0)], "layers[0].epsilon: Layer 0: epsilon must be positive, got 0.0"),
    ([norm(2, epsilon=-1)], "layers[0].epsilon: Layer 0: epsilon must be positive, got "
     "-1.0"),
    *[([norm(2, momentum=m)], "layers[0].momentum: Layer 0: momentum must be in range "
       f"[0.0, 1.0], got {m}") for m in (-0.1, 1.1)],
    *[([drop(2, r)], "layers[0].drop_rate: Layer 0: drop_rate must be in range [0.0, 1.0), "
       f"got {r}") for r in (-0.1, 1.0)],
    ([drop(0, 0.5)], "layers[0].size: Layer 0: size must be greater than 0, got 0"),
    ([dense(2, 2), {"layer_type": "Pool"}], "layers[1].layer_type: Layer 1: Invalid layer "
     "type 'Pool'. Must be one of: dense, conv2d, batchnorm, dropout"),
    # D14: what the reference accepts.
    *[([conv(**{key: 0})], f"layers[0].{key}: Layer 0: {key} must be greater than 0, got 0")
      for key in ("input_height", "input_width")],
    ([conv(padding=-1)], "layers[0].padding: Layer 0: padding must be non-negative, got "
     "-1"),
    # What JSON allows and the reference's reader does not.
    ([dense(2.5, 2)], "layers[0].input_size: expected an integer in [0, 2147483647], got "
     "2.5"),
    ([dense(True, 2)], "layers[0].input_size: expected an integer in [0, 2147483647], got "
     "true"),
    ([dense(-1, 2)], "layers[0].input_size: expected an integer in [0, 2147483647], got "
     "-1"),
    ([dense(2, 2, drop_rate="x")], "layers[0].drop_rate: expected a number, got 'x'"),
    ([{"layer_type": 4}], "layers[0].layer_type: expected a string, got 4"),
    ([{"size": 4}],
     "layers[0].layer_type: missing; expected one of dense, conv2d, batchnorm, dropout"),
    ([3], "layers[0]: expected an object, got 3"),
    # Ours.
    ([dense(2, 2, input_sise=2)], "layers[0].input_sise: unknown key; did you mean "
     "'input_size'?"),
    ([{"layertype": "dense"}], "layers[0].layertype: unknown key; did you mean "
     "'layer_type'?"),
    ([dense(2, 2, activation="rel")], "layers[0].activation: expected one of "
     + ", ".join(LAST_ACTIVATIONS) + ", got 'rel'"),
    ([dense(2, 2, alpha=1)], "layers[0].alpha: only leaky_relu and elu have an alpha, got "
     "activation 'linear'"),
    ([drop(2, activation="relu")], "layers[0].activation: unknown key; known are"),
    ([drop(2, 0.9999999)], "layers[0].drop_rate: expected a number in [0, 0.999999], got "
     "0.9999999"),
    ([norm(2, epsilon=1e-40)], "layers[0].epsilon: expected a number in [1e-30, 1], got "
     "1e-40"),
    ([conv(kernel_size=2**16)], "layers[0].kernel_size: expected an integer in [1, 32768], "
     "got 65536"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "expected"), REFERENCE_ERRORS)
def test_the_references_messages(layers, expected):
    assert message({"layers": layers}).startswith(f"'a.json': {expected}")
    assert not VALIDATOR.is_valid({"layers": layers})


# What no schema can see.
REFERENCE_CHAIN_ERRORS = [
    ([dense(784, 256), dense(128, 10)], "layers[1]: Layer connection mismatch: Layer 0 "
     "output size (256) does not match Layer 1 input size (128)"),
    ([conv(padding=1), dense(6271, 128)], "layers[1]: Layer connection mismatch: Layer 0 "
     "output size (6272) does not match Layer 1 input size (6271)"),
    ([conv(out_channels=4, padding=1), norm(1)], "layers[1]: Layer connection mismatch: "
     "Layer 0 output size (3136) does not match Layer 1 input size (1)"),
    # All layers are looked at before the connections.
    ([dense(784, 256), dense(128, 0)], "layers[1].output_size: Layer 1: output_size "
     "must be greater than 0, got 0"),
    # D14: a kernel of 30 on 28 x 28 gives -1 x -1 = 1 there.
    ([dense(2, 784), dense(784, 784), conv(kernel_size=30)], "layers[2].kernel_size: "
     "expected at most the padded input, 28 x 28, got 30"),
    ([conv(kernel_size=4, input_width=1, padding=1)], "layers[0].kernel_size: expected at "
     "most the padded input, 30 x 3, got 4"),
    ([dense(2**20, 2**20)], "layers[0]: expected a weight of at most 2147483647 elements, "
     "got 1048576 x 1048576"),
    ([conv(in_channels=2**20, out_channels=2**20, input_height=3, input_width=3)],
     "layers[0]: expected a weight of at most 2147483647 elements, got 1048576 x 1048576 x "
     "3 x 3"),
    ([conv(input_height=2**31 - 1, input_width=2**31 - 1)], "layers[0]: expected an array "
     "of at most 2147483647 elements, got 1 x 2147483647 x 2147483647"),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "expected"), REFERENCE_CHAIN_ERRORS)
def test_the_references_connections(layers, expected):
    assert message({"layers": layers}) == f"'a.json': {expected}"


# ---- our form ----


def own(*layers, shape=(1, 28, 28), **more):
    return {"input_shape": list(shape), "layers": list(layers), **more}


OWN_ERRORS = [
    ({}, "layers: missing; expected an array of layers"),
    ({"layers": None}, "layers: missing; expected an array of layers"),
    ({"layers": "x"}, "layers: expected an array, got 'x'"),
    ({"layer": []}, "layer: unknown key; did you mean 'layers'?"),
    ({"layers": [[{"type": "softmax"}]]}, "input_shape: missing; expected the shape of one "
     "sample, such as [784] or [1, 28, 28]"),
    ({"layers": [{"type": "softmax"}]}, "input_shape: missing; expected the shape of one "
     "sample, such as [784] or [1, 28, 28]"),
    (own(), "layers: Architecture must have at least one layer"),
    (own(*[{"type": "flatten"}] * 1001), "layers: expected at most 1000 layers, got 1001"),
    (own({"type": "flatten"}, shape=()), "input_shape: expected 1 to 4 extents, got 0"),
    (own({"type": "flatten"}, shape=[1] * 5), "input_shape: expected 1 to 4 extents, "
     "got 5"),
    (own({"type": "flatten"}, shape=[3, 0]), "input_shape[1]: expected an integer in "
     "[1, 2147483647], got 0"),
    (own({"type": "flatten"}, loss="hinge"), "loss: expected one of softmax_cross_entropy, "
     "sigmoid_cross_entropy, squared_error, "),
    (own({"type": "flaten"}), "layers[0].type: unknown layer type 'flaten'; did you mean "
     "'flatten'?"),
    (own({"type": "Dense", "units": 1}), "layers[0].type: unknown layer type 'Dense'; did "
     "you mean 'dense'?"),
    (own({"layer_type": "dense"}), "layers[0].layer_type: unknown key; did you mean "
     "'type'?"),
    (own({"units": 3}), "layers[0].type: missing; expected a layer type, such as 'dense'"),
    (own({"type": "dense", "unit": 3}), "layers[0].unit: unknown key; did you mean "
     "'units'?"),
    (own({"type": "dense"}), "layers[0].units: missing; dense needs it"),
    (own({"type": "conv2d", "filters": 2}), "layers[0].kernel_size: missing; conv2d needs "
     "it"),
    (own({"type": "dense", "units": 3, "kernel_size": 3}), "layers[0].kernel_size: unknown "
     "key"),
    (own({"type": "conv2d", "filters": 2, "kernel_size": [3, 3, 3]}),
     "layers[0].kernel_size: expected an integer in [1, 32768] or 2 of them, got [3, 3, 3]"),
    (own({"type": "conv2d", "filters": 2, "kernel_size": [[3]] * 9}),
     "layers[0].kernel_size: expected an integer in [1, 32768] or 2 of them, got an array"),
    (own({"type": "conv2d", "filters": 2, "kernel_size": 3, "padding": -1}),
     "layers[0].padding: expected an integer in [0, 32768], 2 of them, 4 of them, same or "
     "valid, got -1"),
    (own({"type": "conv2d", "filters": 2, "kernel_size": 3, "padding": "sane"}),
     "layers[0].padding: expected an integer in [0, 32768], 2 of them, 4 of them, same or "
     "valid, got 'sane'"),
    (own({"type": "flatten"}, {"type": "dropout", "rate": 1}), "layers[1].rate: expected a "
     "number in [0, 0.999999], got 1"),
    (own({"type": "activation", "function": "relu", "alpha": 0.1}), "layers[0].alpha: only "
     "leaky_relu and elu have an alpha, got function 'relu'"),
    (own({"type": "self_attention", "out_proj": 1}), "layers[0].out_proj: expected true or "
     "false, got 1"),
    (own({"type": "position", "init": "random"}), "layers[0].init: expected one of "
     "sinusoidal, small_random, larger_random, zero, xavier, got 'random'"),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "expected"), OWN_ERRORS)
def test_errors_of_our_form(mapping, expected):
    assert message(mapping).startswith(f"'a.json': {expected}")
    assert not VALIDATOR.is_valid(mapping)


FLAT, POOL = {"type": "flatten"}, {"type": "maxpool2d"}
PATCH = {"type": "patch_embed", "patch_size": 4, "units": 6}
CONV = {"type": "conv2d", "filters": 2, "kernel_size": 3}
DENSE = {"type": "dense", "units": 3}
ATTENTION = {"type": "self_attention"}
CHAIN_ERRORS = [
    (own(DENSE), "layers[0]: dense expects n values or tokens x n values (put flatten before "
     "it), got an input of 1 x 28 x 28"),
    (own(CONV, shape=(28, 28)), "layers[0]: conv2d expects channels x height x width, got an "
     "input of 28 x 28"),
    (own(FLAT, POOL), "layers[1]: maxpool2d expects channels x height x width, got an input "
     "of 784"),
    (own(POOL, POOL, POOL, CONV | {"kernel_size": 4}, FLAT), "layers[3].kernel_size: "
     "expected at most the padded input, 3 x 3, got 4"),
    (own(POOL, shape=(1, 1, 5)), "layers[0].kernel_size: expected at most the padded "
     "input, 1 x 5, got 2"),
    (own(POOL | {"padding": 2}), "layers[0].padding: expected at most half of the kernel, "
     "1, got 2"),
    (own(PATCH | {"patch_size": 5}), "layers[0].patch_size: expected a divisor of height "
     "and width, 28 x 28, got 5"),
    (own(FLAT, PATCH), "layers[1]: patch_embed expects height x width, with or without "
     "channels, got an input of 784"),
    (own(PATCH, {"type": "maxpool2d"}), "layers[1]: maxpool2d expects channels x height x "
     "width, got an input of 49 x 6"),
    (own(FLAT, {"type": "position"}), "layers[1]: position expects tokens x values, got an "
     "input of 784"),
    (own(ATTENTION), "layers[0]: self_attention expects tokens x values, got an input of 1 x "
     "28 x 28"),
    (own(PATCH, ATTENTION | {"heads": 4}), "layers[1].heads: expected a divisor of 6, "
     "got 4"),
    (own({"type": "mean_pool"}), "layers[0]: mean_pool expects tokens x values, got an input "
     "of 1 x 28 x 28"),
    (own(PATCH, DENSE), "layers[1]: expected the last layer to give one row of "
     "numbers, got 49 x 3; put flatten (rn.Flatten()) before the dense layers, or mean_pool "
     "after tokens"),
    (own(DENSE | {"units": 2**30}, shape=(4,)), "layers[0]: expected a weight of at most "
     "2147483647 elements, got 4 x 1073741824"),
    (own(FLAT, shape=(2**16, 2**16)), "input_shape: expected an array of at most "
     "2147483647 elements, got 65536 x 65536"),
    (own(CONV | {"padding": 2**15}, shape=(1, 1, 1)), "layers[0]: expected an unfolded "
     "image of at most 2147483647 elements, got 1 x 3 x 3 x 65535 x 65535"),
    (own(ATTENTION, shape=(2**16, 1)), "layers[0]: expected attention maps of at most "
     "2147483647 elements, got 1 x 65536 x 65536"),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "expected"), CHAIN_ERRORS)
def test_what_does_not_fit_together(mapping, expected):
    assert message(mapping) == f"'a.json': {expected}"


def test_a_network_describes_itself_in_our_form():
    net = Network([DENSE | {"activation": "elu"}], (4,), "squared_error")
    found = parse_architecture(net.architecture())
    assert found == Architecture(net.specs, net.input_shape, net.loss)


def test_files(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"layers": [{"layer_type": "dense", "size": 1, "size": 2}]}')
    with pytest.raises(ConfigError) as error:
        load_architecture(path)
    assert (
        str(error.value)
        == f"{str(path)!r}: layers[0]: key 'size' is set twice; remove one of them"
    )
    path.write_bytes(b'{"layers": ' + b"[" * 10**5)
    with pytest.raises(ConfigError, match="nested too deeply$"):
        load_architecture(path)
    with pytest.raises(FileNotFoundError):
        load_architecture(tmp_path / "none.json")


# ---- hidden activations (D9) ----


def hidden(*layers):
    made = Architecture(list(layers), (1, 28, 28), "squared_error")
    found = made.with_hidden_activation({"activation": "elu", "alpha": 0.5})
    assert (found.input_shape, found.loss) == (made.input_shape, made.loss)
    assert [la["type"] for la in found.layers] == [la["type"] for la in layers]
    return [layer.get("activation") for layer in found.layers]


def test_hidden_layers_get_the_activation_and_the_last_does_not():
    assert hidden(CONV, FLAT, DENSE, DENSE) == ["elu", None, "elu", None]
    assert hidden(DENSE) == [None]
    assert hidden(DENSE, {"type": "softmax"}) == [None, None]


def test_layers_with_their_own_activation_keep_it():
    linear = DENSE | {"activation": "linear"}
    assert hidden(linear, DENSE, DENSE) == ["linear", "elu", None]
    later = {"type": "activation", "function": "relu"}
    assert hidden(DENSE, {"type": "batchnorm"}, later, DENSE) == [None] * 4


def test_the_wired_reference_file_builds():
    found = load_architecture(ROOT / "data/architectures/cnn_simple.json")
    wired = found.with_hidden_activation({"activation": "leaky_relu", "alpha": 0.01})
    build(wired)
    assert "activation" not in found.layers[0]


# ---- the core agrees ----


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_files_build(path):
    net = build(load_architecture(path))
    assert shapes(net)[-1] == (10,)
    VALIDATOR.validate(json.loads(path.read_text()))


def test_example_files_are_the_reference_models():
    counts = {path.stem: build(load_architecture(path)).params.size for path in EXAMPLES}
    assert counts["mnist_mlp"] == 407_050
    assert counts["mnist_cnn"] == 15_770
    assert counts["mnist_attention"] == 33_930
    assert counts["mlp_simple"] == 784 * 256 + 256 + 2570


def random_layer(draw):
    kind = draw.choice(list(LAYER_RULES))
    spec = {"type": kind}
    small = {
        "units": [1, 2, 6], "filters": [1, 3], "kernel_size": [1, 2, 3, 5],
        "stride": [1, 2, 4], "padding": [0, 1, 2], "activation": ["relu", "silu"],
        "function": ["tanh", "gelu_exact"], "rate": [0.0, 0.5], "patch_size": [1, 2, 3],
        "heads": [1, 2, 3], "out_proj": [True], "residual": [True], "trainable": [False],
        "init": list(POSITIONS), "epsilon": [1e-30, 1.0], "momentum": [0.0, 1.0],
    }  # fmt: skip
    for key in LAYER_RULES[kind]:
        if key in small and (key in REQUIRED_KEYS[kind] or draw.random() < 0.4):
            spec[key] = draw.choice(small[key])
    return spec


INPUTS = [(5,), (4, 6), (1, 6, 6), (3, 7, 5), (2, 1, 1)]


def random_chain(seed):
    draw = random.Random(seed)
    layers = [random_layer(draw) for _ in range(draw.randint(1, 4))]
    chain = {"input_shape": draw.choice(INPUTS), "layers": [*layers, FLAT]}
    return chain | {"loss": "squared_error"}  # its last activation may be any


def test_parser_and_core_agree_on_what_fits_together():
    verdicts = []
    for seed in range(4000):
        chain = random_chain(seed)
        try:
            found = parse_architecture(chain)
        except ConfigError as error:
            found, reason = None, str(error)
        try:
            net = _core.Net(chain["layers"], chain["input_shape"], "squared_error")
        except ValueError as error:
            assert found is None, (chain, error)
            at = re.search(r"layers\[\d+\]", str(error))
            assert at is not None
            assert at.group() in reason, (reason, error)
        else:
            assert found is not None, (chain, reason)
            assert shapes(net)[-1] == (math.prod(shapes(net)[-2]),)
        verdicts.append(found is not None)
    assert 400 < sum(verdicts) < 3600


EDGE = {
    "units": 2**31 - 1, "filters": 1 << 20, "kernel_size": 1 << 15, "stride": 1 << 15,
    "padding": 1 << 15, "alpha": 1e30, "epsilon": 1, "momentum": 1, "rate": 1 - 1e-6,
    "patch_size": 1 << 15, "heads": 1 << 20, "dilation": 1 << 15, "groups": 1 << 20,
    "truncate": 2**31 - 1, "num_embeddings": 1 << 23, "embedding_dim": 2**31 - 1,
    "first": 2**31 - 1, "count": 2**31 - 1, "stddev": 1e6,
}  # fmt: skip
EDGE_OF = {(kind, "units"): 1 << 15 for kind in ("simple_rnn", "gru", "lstm")}
OF_BOTH_SIGNS = {
    "value": (-1e30, 1e30), "axis": (-1, 0), "target_shape": (-1, 2**31 - 1),
    "initial": (-1e6, 1e6),
}  # fmt: skip
RIGHT = {
    "units": 1, "filters": 1, "kernel_size": 1, "rate": 0.5, "function": "elu",
    "patch_size": 1, "target_shape": -1, "num_embeddings": 1, "embedding_dim": 1,
    "first": 0, "count": 1, "stddev": 0.5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "key"),
    [(kind, key) for kind, rules in LAYER_RULES.items() for key in rules],
)
def test_parser_and_core_have_the_same_limits(kind, key):
    """Beyond the edge both name the key; at the edge neither says it is out of range."""
    spec = {"type": kind} | {k: RIGHT[k] for k in REQUIRED_KEYS[kind]}
    if key == "alpha":
        spec["function" if kind == "activation" else "activation"] = "elu"
    edge = EDGE_OF.get((kind, key), EDGE.get(key))
    if edge is None:
        values = [(5, False), (-1, False), ("x", False)]
    else:
        beyond = edge + 1 if isinstance(edge, int) and edge > 1 else edge * 1.1
        values = [(edge, True), (beyond, False), (-1, False), ("x", False), (True, False)]
    if key in ("trainable", "out_proj", "residual", "causal"):
        values = [(True, True), (1, False), ("x", False)]
    if key in OF_BOTH_SIGNS:
        low, high = OF_BOTH_SIGNS[key]
        values = [(low, True), (high, True), ("x", False), (True, False)]
        values += [(2 * low - 1, False), (2 * high + 1, False)]
    for value, is_right in values:
        layer = spec | {key: value}
        try:
            checked_spec(Place("a").key("layers").item(0), layer)
            ours = True
        except ConfigError as error:
            ours = False
            assert f"layers[0].{key}: expected" in str(error)
        try:
            # Shapes that large layers do not take: nothing large is allocated.
            _core.Net([layer], (1, 1, 1) if kind == "dense" else (2,), "squared_error")
            core = True
        except (ValueError, TypeError, MemoryError) as error:
            core = re.match(rf"layers\[0\]\.{key}: expected", str(error)) is None
        assert ours == core == is_right, layer


def test_parser_and_core_know_the_same_names():
    for name in layer_specs.ACTIVATIONS:
        found = parse_architecture(
            own(DENSE | {"activation": name}, shape=(2,), loss="mse")
        )
        build(found)
    with pytest.raises(ValueError, match=r"one of") as error:
        _core.Net([DENSE | {"activation": "?"}], (2,), "squared_error")
    names = re.search(r"one of (.*), got", str(error.value)).group(1).split(", ")
    assert {*names, *ACTIVATION_ALIASES} == set(layer_specs.ACTIVATIONS)
    for loss in module.LOSSES:
        build(parse_architecture(own(DENSE, shape=(2,), loss=loss)))


# ---- schema and parser say the same ----

VALUES = [
    True, False, -1, 0, 1, 2, 40, 2**15, 2**15 + 1, 2**20, 2**20 + 1, 2**31 - 1, 2**31,
    -(2**31), 2**64, -0.5, 0.5, 1.5, 0.9999999, 1e-31, 1e31, "", "x", "relu", "elu",
    "Swish", "xavier", "dense", "Dropout", "flatten", [], {}, [1], None,
    "same", "valid", [2, 1], [1, 2**15 + 1], [0, 1], [1, 1.5], [1, None], [1, 2, 3],
    [1, 2, 0, 1], [1, 2, 0, -1], [[1, 1], [1, 1]], [1] * 5,
]  # fmt: skip


def check_agreement(layer, accept, root):
    try:
        accept(layer)
        ours = True
    except ConfigError:
        ours = False
    assert ours == VALIDATOR.is_valid(root | {"layers": [layer]}), layer


@pytest.mark.parametrize("kind", LAYER_RULES)
def test_schema_and_parser_agree_on_our_layers(kind):
    spec = {"type": kind} | {k: RIGHT[k] for k in REQUIRED_KEYS[kind]}
    place = Place("a").key("layers").item(0)
    bases = [spec]
    if "alpha" in LAYER_RULES[kind]:
        name = "function" if kind == "activation" else "activation"
        bases += [spec | {name: "elu"}, spec | {"alpha": 0.5}]
    for base in bases:
        for key in [*LAYER_RULES[kind], "type", "size", "layer_type"]:
            for value in VALUES:
                layer = base | {key: value}
                check_agreement(
                    layer,
                    lambda layer: checked_spec(place, layer),
                    {"input_shape": [1]},
                )


@pytest.mark.parametrize("kind", reference_form.REFERENCE_TYPES)
def test_schema_and_parser_agree_on_the_references_layers(kind):
    base = {
        "dense": dense(1, 1, activation="elu"),
        # Large enough for most kernels: what does not fit is not for a schema.
        "conv2d": conv(input_height=2**15, input_width=2**15, stride=2**15),
        "batchnorm": norm(1),
        "dropout": drop(1),
    }[kind]

    def accept(layer):
        place = Place("a").key("layers").item(0)
        try:
            reference_form.check_reference_layer(
                place, 0, reference_form.read_reference_layer(place, layer)
            )
        except ConfigError as error:
            if "elements" not in str(error) and "padded input" not in str(error):
                raise

    for key in [*REFERENCE_KEYS, "activation", "alpha", "units"]:
        for value in VALUES:
            if key == "layer_type" and isinstance(value, str):
                continue
            check_agreement(base | {key: value}, accept, {})


def test_schema_and_parser_agree_on_the_root():
    for base in (own(FLAT), {"layers": [dense(1, 1)]}):
        for key in (
            "input_shape",
            "loss",
            "layers",
            "$schema",
            "format_version",
            "unknown",
        ):
            for value in [*VALUES, [2**31], [1] * 5, [0], "squared_error"]:
                mapping = base | {key: value}
                try:
                    parse_architecture(mapping)
                    ours = True
                except ConfigError:
                    ours = False
                assert ours == VALIDATOR.is_valid(mapping), mapping


def test_the_schemas_are_what_the_script_writes():
    path = ROOT / "scripts" / "write_schemas.py"
    spec = importlib.util.spec_from_file_location("write_schemas", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, text in script.schemas().items():
        assert (script.FOLDER / name).read_text() == text, f"run {path.name}"


def test_the_schema_is_one_and_has_the_parsers_keys():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    defs = SCHEMA["$defs"]
    known = LAYER_RULES | BLOCK_RULES
    assert defs["layer"]["properties"]["type"]["enum"] == list(known)
    for kind, rules in known.items():
        assert set(defs[kind]["properties"]) == {"type", *rules}
    extra = {"activation", "alpha"}
    assert set(defs["reference_layer"]["properties"]) == set(REFERENCE_KEYS) | extra


def test_the_schema_has_the_parsers_names():
    defs = SCHEMA["$defs"]
    functions = [*LAST_ACTIVATIONS, None]
    for kind, key in [
        *[("dense", "activation"), ("conv2d", "activation"), ("activation", "function")],
        ("reference_layer", "activation"),
    ]:
        assert defs[kind]["properties"][key]["enum"] == functions
    assert defs["position"]["properties"]["init"]["enum"] == [*POSITIONS, None]
    for root in ("architecture", "reference_architecture"):
        assert defs[root]["properties"]["loss"]["enum"] == [*module.LOSSES, None]


# ---- the page ----

BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.S)]


@pytest.mark.parametrize("block", [b for b in BLOCKS if "layers" in b], ids=str)
def test_the_pages_examples(block):
    build(parse_architecture(block))
    VALIDATOR.validate(block)


def test_the_page_names_every_key_of_the_reference():
    _, theirs = PAGE.split("### The reference system's form")
    for key in REFERENCE_KEYS:
        assert f"`{key}`" in theirs, key
