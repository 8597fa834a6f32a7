"""The step of an exported C file against `net.stream()`, under sanitizers."""

import numpy as np
import pytest

import rnn_native as rn
from c_compiler import CC, CXX, SANITIZED, STRICT, run

pytestmark = pytest.mark.skipif(CC is None, reason="there is no C compiler called cc")

T, FEATURES, STREAMS = 6, 3, 2
WHOLE = (T, FEATURES)
OF_STEPS = {"return_sequences": True}

# Layers, shape of a sequence, loss.
NETS = {
    "gru": ([rn.GRU(5), rn.Dense(4)], WHOLE, "softmax_cross_entropy"),
    "lstm": ([rn.LSTM(9)], WHOLE, "squared_error"),
    "several": (
        [
            rn.Normalization(),
            rn.Dense(6, "tanh"),
            rn.LSTM(5, **OF_STEPS),
            rn.LayerNorm(),
            rn.Dropout(0.5),
            rn.GRU(17, **OF_STEPS, truncate=2),
            rn.Activation("relu"),
            rn.SimpleRNN(4),
            rn.BatchNorm(),
            rn.Dense(4),
        ],
        WHOLE,
        "softmax_cross_entropy",
    ),
    "blocks": (
        [
            rn.Residual([rn.GRU(3, **OF_STEPS), rn.Dense(5)]),
            rn.Concat([rn.LSTM(4, **OF_STEPS)], [rn.RMSNorm()], []),
            rn.Concat([rn.GRU(2)], [rn.LSTM(3)]),
            rn.Dense(4),
        ],
        WHOLE,
        "softmax_cross_entropy",
    ),
    "added": (
        [rn.GRU(4, **OF_STEPS), rn.Residual([rn.GRU(4, **OF_STEPS)]), rn.LSTM(2)],
        WHOLE,
        "huber",
    ),
    "outputs of each step": (
        [rn.GRU(5, **OF_STEPS), rn.Dense(2), rn.Flatten()],
        WHOLE,
        "sigmoid_cross_entropy",
    ),
    "images of what was read": (
        [rn.GRU(12), rn.Reshape((1, 3, 4)), rn.Conv2D(2, 2), rn.Flatten(), rn.Dense(2)],
        WHOLE,
        "softmax_cross_entropy",
    ),
    "indices": (
        [
            rn.Concat([rn.Embedding(7, 4)], [rn.Embedding(7, 2), rn.Dense(3, "relu")]),
            rn.LSTM(5),
            rn.Dense(3),
        ],
        (T,),
        "softmax_cross_entropy",
    ),
}

# Two streams take turns. Arrays are as large as they must be, so that the sanitizer sees what
# is written beyond them.
CALLER = """
#include <stdio.h>
#include "net.c"
int main(void)
{
    static net_state states[2];
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < sizeof states[s]; i++) ((unsigned char *)&states[s])[i] = 99;
        net_stream_init(&states[s]);
    }
    static float x[NET_STEP_INPUTS], y[NET_STEP_OUTPUTS];
    for (int s = 0; fread(x, sizeof x, 1, stdin) == 1; s = 1 - s) {
        net_step(&states[s], x, y);
        for (int i = 0; i < NET_STEP_OUTPUTS; i++) printf("%.9g ", (double)y[i]);
        printf("\\n");
    }
    return 0;
}
"""


def net_of(name):
    """A net with drawn weights and statistics."""
    layers, shape, loss = NETS[name]
    net, rng = rn.Network(layers, shape, loss, seed=3), np.random.default_rng(3)
    net.weights[:] = rng.normal(0, 0.4, net.weights.size)
    for key, values in net.state.items():
        if key.endswith(("running_var", "variance", "count")):
            values[...] = 0.5
    return net


def steps_for(net):
    """Sequences of 2 T steps, (steps, streams, ...), as a user has them."""
    rng = np.random.default_rng(1)
    if net.table_rows:
        return rng.integers(0, net.table_rows[0], (2 * T, STREAMS))
    return rng.normal(size=(2 * T, STREAMS, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("name", NETS)
def test_a_step_gives_what_the_stream_gives(tmp_path, name):
    net = net_of(name)
    x, stream = steps_for(net), net.stream()
    expected = np.stack([stream.step(rows) for rows in x])
    rn.export.to_c(net, tmp_path / "net.c")
    (tmp_path / "caller.c").write_text(CALLER)
    run([CC, *STRICT, *SANITIZED, "caller.c", "-lm", "-o", "caller"], tmp_path)
    given = x.astype(np.float32).tobytes()
    lines = run([tmp_path / "caller"], tmp_path, input=given).splitlines()
    found = np.array([line.split() for line in lines], float).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["several", "indices"])
def test_an_int8_file_steps_as_the_rounded_net(tmp_path, name):
    net = net_of(name)
    x, stream = steps_for(net)[:, 0], rn.export.rounded_to_int8(net).stream()
    rn.export.to_c(net, tmp_path / "net.c", int8=True)
    command = [CC, *STRICT, "-O2", "-DNET_STREAM_MAIN", "net.c", "-lm", "-o", "net"]
    run(command, tmp_path)
    lines = run([tmp_path / "net"], tmp_path, input=x.astype("f").tobytes())
    found = np.array([line.split() for line in lines.splitlines()], float)
    expected = np.stack([stream.step(row) for row in x])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.skipif(CXX is None, reason="there is no C++ compiler called g++")
def test_a_cpp_compiler_accepts_the_step_too(tmp_path):
    rn.export.to_c(net_of("blocks"), tmp_path / "net.c")
    strict = ["-Wall", "-Wextra", "-Werror", "-xc++", "-fsyntax-only"]
    run([CXX, *strict, "net.c"], tmp_path)


def test_weights_are_in_the_file_once_and_the_struct_is_named():
    source = rn.export.c_source(net_of("several"), "walk")
    assert source.count(" layer2_input_weight[") == 1
    for text in ("float layer2_hidden[5];", "float layer2_cell[5];", "} walk_state;"):
        assert text in source
    assert max(map(len, source.splitlines())) < 100
    assert "$" not in source


def test_what_cannot_be_streamed_has_no_step():
    whole = rn.Network([rn.Bidirectional(rn.GRU(3)), rn.Dense(2)], WHOLE)
    rows = rn.Network([rn.Dense(2)], (4,))
    several = rn.Ensemble([net_of("gru"), net_of("gru")])
    for model in (whole, rows, several):
        assert "net_step" not in rn.export.c_source(model, "net")
