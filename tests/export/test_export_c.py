"""C files: compiled with every warning an error, run under sanitizers, compared with us."""

import hashlib
import re

import numpy as np
import pytest

import rnn_native as rn
import twins
from c_compiler import CC, CXX, SANITIZED, STRICT, run
from cases import CASES, MODELS, arrays
from rnn_native.export import c_layers
from rnn_native.export.int8 import quantised
from rnn_native.net.losses import labels_of

pytestmark = pytest.mark.skipif(CC is None, reason="there is no C compiler called cc")


def network(case):
    """A net whose running statistics are drawn too, and inputs."""
    x, _, params = arrays(case)
    net = rn.Network(case.specs, case.input_shape, case.loss)
    net.weights[:] = twins.flatten_all(params)
    return net, x.astype(np.float32)


# The net's own short cuts for blank inputs mean nothing in C.
FLOAT32 = [case for case in CASES if not case.blank]
# These have every layer that has a matrix.
ROUNDED = ("deep cnn", "transformer", "embedding under a gru")
INT8 = [case for case in CASES if case.name in ROUNDED]

# A program that calls every net, so that the compiler is called once. Arrays are as large as
# they must be, and no larger: the sanitizer sees what is written beyond.
CALLER = """
#include <stdio.h>
%s
int main(void)
{
%s
    return 0;
}
"""
DECLARED = "void {0}_predict(const float *, float *);\n{1} {0}_classify(const float *{2});"
CALLED = """
    for (int row = 0; row < {rows}; row++) {{
        static float x[{inputs}], p[{outputs}];
        int labels[{labels}];
        if (fread(x, sizeof x, 1, stdin) != 1) return 1;
        {name}_predict(x, p);
        for (int i = 0; i < {outputs}; i++) printf("%.9g ", (double)p[i]);
        {classify};
        for (int i = 0; i < {labels}; i++) printf("%d ", labels[i]);
        printf("\\n");
    }}"""
SEVERAL = ("void", ", int *", "{name}_classify(x, labels)")
ONE = ("int", "", "labels[0] = {name}_classify(x)")


def called(nets, folder, int8=False):
    """For each net and its inputs: the rows that its C file gave, outputs and labels."""
    declared, calls = [], []
    for i, (net, x) in enumerate(nets):
        name, labels = f"net{i}", labels_of(net.predict_proba(x), net.loss)
        rn.export.to_c(net, folder / f"{name}.c", int8=int8)
        kind, parameter, classify = SEVERAL if labels.ndim > 1 else ONE
        declared.append(DECLARED.format(name, kind, parameter))
        sizes = {"inputs": x[0].size, "outputs": net.output_shape[0]}
        sizes |= {"rows": len(x), "labels": labels[0].size}
        calls.append(CALLED.format(name=name, classify=classify.format(name=name), **sizes))
    (folder / "caller.c").write_text(CALLER % ("\n".join(declared), "".join(calls)))
    files = [f"net{i}.c" for i in range(len(nets))]
    run([CC, *STRICT, *SANITIZED, "caller.c", *files, "-lm", "-o", "caller"], folder)
    inputs = b"".join(x.tobytes() for _, x in nets)
    lines = iter(run([folder / "caller"], folder, input=inputs).splitlines())
    return [np.array([next(lines).split() for _ in x], float) for _, x in nets]


@pytest.fixture(scope="module")
def float32_rows(tmp_path_factory):
    rows = called([network(case) for case in FLOAT32], tmp_path_factory.mktemp("float32"))
    return dict(zip(map(str, FLOAT32), rows, strict=True))


@pytest.fixture(scope="module")
def int8_rows(tmp_path_factory):
    rows = called(
        [network(case) for case in INT8], tmp_path_factory.mktemp("int8"), int8=True
    )
    return dict(zip(map(str, INT8), rows, strict=True))


def assert_rows(rows, net, x):
    outputs = net.output_shape[0]
    expected = net.predict_proba(x)
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(rows[:, :outputs], expected, atol=1e-5 * scale, rtol=0)
    labels = labels_of(net.predict_proba(x), net.loss)
    np.testing.assert_array_equal(rows[:, outputs:], labels.reshape(len(x), -1))


@pytest.mark.parametrize("case", FLOAT32, ids=str)
def test_the_c_file_gives_what_the_net_gives(float32_rows, case):
    assert_rows(float32_rows[case.name], *network(case))


@pytest.mark.parametrize("case", INT8, ids=str)
def test_an_int8_file_gives_what_the_rounded_net_gives(int8_rows, case):
    net, x = network(case)
    assert_rows(int8_rows[case.name], rn.export.rounded_to_int8(net), x)


def test_of_equal_outputs_the_first_is_the_label_and_half_is_a_yes(tmp_path):
    nets = [
        small_net(rn.Dense(3)),
        small_net(rn.Dense(1), loss="sigmoid_cross_entropy"),
        small_net(rn.Dense(2), loss="sigmoid_cross_entropy"),
    ]
    for net in nets:
        net.params[:] = 0
    x = np.ones((1, 4), np.float32)
    first, one, several = called([(net, x) for net in nets], tmp_path)
    np.testing.assert_allclose(first, [[1 / 3, 1 / 3, 1 / 3, 0]], rtol=1e-6)
    assert (one.tolist(), several.tolist()) == ([[0.5, 1]], [[0.5, 0.5, 1, 1]])


# ---- the file as a user has it ----


def small_net(*layers, loss="softmax_cross_entropy"):
    end = layers or [rn.Dense(3)]
    return rn.Network([rn.Dense(6, "tanh"), *end], (4,), loss, seed=3)


def constants(source, name):
    """What a constant array holds, as Python reads it."""
    body = re.search(rf" {name}\[\d+\] = {{(.*?)}};", source, flags=re.DOTALL).group(1)
    return [float(text) for text in re.findall(r"[-+.\w]+", body.replace("f,", ","))]


def test_one_command_makes_a_program_of_it(tmp_path, rng):
    net = small_net(rn.Dense(3))
    rn.export.to_c(net, tmp_path / "digit.c")
    run([CC, *STRICT, "-O2", "-DDIGIT_MAIN", "digit.c", "-lm", "-o", "digit"], tmp_path)
    x = rng.normal(size=(7, 4)).astype(np.float32)
    printed = run([tmp_path / "digit"], tmp_path, input=x.tobytes()).splitlines()
    rows = np.array([line.split() for line in printed], float)
    np.testing.assert_allclose(rows, net.predict_proba(x), atol=1e-6)


@pytest.mark.skipif(CXX is None, reason="there is no C++ compiler called g++")
def test_a_cpp_compiler_takes_it_too(tmp_path):
    net, _ = network(next(case for case in MODELS if case.name == "transformer"))
    for int8 in (False, True):
        rn.export.to_c(net, tmp_path / "net.c", int8=int8)
        run(
            [CXX, "-Wall", "-Wextra", "-Werror", "-xc++", "-fsyntax-only", "net.c"],
            tmp_path,
        )


def test_every_constant_is_the_weight_to_the_bit(tmp_path):
    net = small_net(rn.Dense(3))
    odd = [1e-45, -0.0, 3.4028235e38, 0.1, 1 / 3, 16777217, 1e10, -1.1754944e-38]
    net.parameters["layers.1.weight"].flat[: len(odd)] = odd
    source = rn.export.c_source(net, "net")
    weight = np.array(constants(source, "layer1_weight"), np.float32).reshape(3, 6)
    assert weight.T.tobytes() == net.parameters["layers.1.weight"].tobytes()
    (tmp_path / "net.c").write_text(source)
    run([CC, *STRICT, "-fsyntax-only", "net.c"], tmp_path)


def test_the_header_says_what_it_is():
    net = small_net(rn.Dense(3))
    source = rn.export.c_source(net, "digit")
    assert source == rn.export.c_source(net, "digit")
    assert source.startswith("/* digit: a neural network")
    assert hashlib.sha256(net.weights.tobytes()).hexdigest() in source
    assert "layer 0, dense, tanh: 4 -> 6" in source
    assert "#define DIGIT_INPUTS 4" in source
    assert max(map(len, source.splitlines())) < 100
    assert "$" not in source


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("digit.c", "digit"),
        ("my-net v2.c", "my_net_v2"),
        ("3.c", "net_3"),
        ("int.c", "int"),
    ],
)
def test_names_come_from_the_file(tmp_path, file, name):
    rn.export.to_c(small_net(rn.Dense(3)), tmp_path / file)
    assert f"void {name}_predict(" in (tmp_path / file).read_text()


def functions_of(source):
    """Names of all functions in a C file except `main`."""
    return set(re.findall(r"^(\w+)\(", source, flags=re.MULTILINE)) - {"main"}


def test_any_name_may_begin_the_public_names(tmp_path):
    sequence = rn.Network([rn.GRU(3), rn.Dense(2)], (5, 2), seed=1)
    models = [sequence, rn.Ensemble([small_net(), small_net()])]
    functions = {
        function
        for net in [network(case)[0] for case in FLOAT32]
        for function in functions_of(rn.export.c_source(net, "net"))
        if not function.startswith("net_")
    }
    parts = {part for name in functions for part in (name, name.split("_")[0])}
    words = {"int", "while", "static", "main", "exp", "tanhf", "fmax", "NAN", "x", "a", "c"}
    files = []
    for name in sorted(parts | words | {"layer0", "net0", "state", "probabilities"}):
        for i, model in enumerate(models):
            files.append(f"{name}_{i}.c")
            (tmp_path / files[-1]).write_text(rn.export.c_source(model, name))
    assert "recurrent" in parts
    run([CC, *STRICT, "-fsyntax-only", *files], tmp_path)


@pytest.mark.parametrize("case", FLOAT32, ids=str)
def test_no_name_within_the_file_ends_as_a_public_one(case):
    net, _ = network(case)
    source = rn.export.c_source(net, "NAME")
    streamed = (
        "state",
        "step",
        "stream_init",
        "STEP_INPUTS",
        "STEP_OUTPUTS",
        "STREAM_MAIN",
    )
    ends = {*re.findall(r"\bNAME_(\w+)", source), *streamed, "net0"}
    code = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    within = {word for word in re.findall(r"[A-Za-z]\w*", code) if word[:5] != "NAME_"}
    assert not [w for w in within if w.endswith(tuple(f"_{end}" for end in ends))]


@pytest.mark.parametrize("name", ["", "3d", "a-b", "a b", "\u00e9", "a*/"])
def test_a_name_that_is_no_identifier_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="name: expected a C identifier"):
        rn.export.to_c(small_net(), tmp_path / "net.c", name=name)
    assert not list(tmp_path.iterdir())


def test_what_is_too_large_for_a_stack_is_static():
    wide = [rn.Conv2D(9, 3), rn.Flatten(), rn.Dense(2)]
    for extent, default in [(60, ""), (100, " static")]:
        source = rn.export.c_source(rn.Network(wide, (1, extent, extent)), "net")
        assert f"#define NET_STORAGE{default}\n" in source
        assert "NET_STORAGE float a[" in source


def test_a_layer_without_c_code_is_named(monkeypatch, tmp_path):
    monkeypatch.delitem(c_layers.LAYERS, "rmsnorm")
    with pytest.raises(ValueError, match=r"layers\[1\] \(rmsnorm\): C export cannot"):
        rn.export.to_c(small_net(rn.RMSNorm()), tmp_path / "net.c")
    monkeypatch.delitem(c_layers.ELEMENTWISE, "tanh")
    with pytest.raises(ValueError, match=r"layers\[0\] \(dense\): C export cannot"):
        rn.export.to_c(small_net(), tmp_path / "net.c")
    assert not list(tmp_path.iterdir())


def test_a_weight_that_is_not_finite_is_named(tmp_path):
    net = small_net(rn.BatchNorm())
    net.state["layers.1.running_mean"][2] = np.nan
    with pytest.raises(ValueError, match=r"layers\.1\.running_mean: expected finite"):
        rn.export.to_c(net, tmp_path / "net.c")


# ---- int8 ----


def test_int8_is_what_a_hand_computes():
    rows = np.array([[1.27, -0.5, 0.004], [0, 0, 0], [-254, 3, 2.9]], np.float32)
    values, scales = quantised(rows)
    np.testing.assert_array_equal(values, [[127, -50, 0], [0, 0, 0], [-127, 2, 1]])
    np.testing.assert_allclose(scales, [0.01, 0, 2], rtol=1e-6)


def test_int8_is_nearest_and_keeps_the_greatest(rng):
    rows = (rng.normal(size=(9, 4, 3)) * 10.0 ** rng.integers(-44, 38, (9, 1, 1))).astype(
        "f"
    )
    values, scales = quantised(rows)
    assert values.dtype == np.int8
    assert np.abs(values).max() <= 127
    back = values * scales[:, None, None].astype(np.float64)
    assert (np.abs(back - rows) <= 0.5001 * scales[:, None, None] + 1e-44).all()
    tiny, _ = quantised(np.array([[1e-45, 0]], np.float32))
    assert not tiny.any()


def test_rounding_leaves_the_net_and_its_vectors_alone():
    net = small_net(rn.LayerNorm(), rn.Dense(3))
    before = net.weights.copy()
    rounded = rn.export.rounded_to_int8(net)
    np.testing.assert_array_equal(net.weights, before)
    assert not np.array_equal(
        rounded.parameters["layers.2.weight"], net.parameters["layers.2.weight"]
    )
    for name in ("layers.0.bias", "layers.1.weight", "layers.1.bias"):
        np.testing.assert_array_equal(rounded.parameters[name], net.parameters[name])
    again = rn.export.rounded_to_int8(rounded)
    np.testing.assert_allclose(again.weights, rounded.weights, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
def test_the_pretrained_model_reads_mnist_in_c(mnist, tmp_path, int8):
    net = rn.pretrained.load()
    images, labels = mnist[1]
    rn.export.to_c(net, tmp_path / "digit.c", int8=int8)
    run([CC, *STRICT, "-O2", "-DDIGIT_MAIN", "digit.c", "-lm", "-o", "digit"], tmp_path)
    x = (images / np.float32(255)).astype(np.float32)
    printed = run([tmp_path / "digit"], tmp_path, input=x.tobytes()).splitlines()
    rows = np.array([line.split() for line in printed], float)
    peer = rn.export.rounded_to_int8(net) if int8 else net
    np.testing.assert_allclose(rows, peer.predict_proba(images), atol=1e-5)
    np.testing.assert_array_equal(rows.argmax(axis=1), peer.predict(images))
    assert (rows.argmax(axis=1) == labels).mean() > 0.99
