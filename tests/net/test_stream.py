"""Predictions step by step against those of the whole sequence, and against PyTorch's."""

import threading

import numpy as np
import pytest

import rnn_native as rn

T, FEATURES = 7, 3
TOLERANCE = {"rtol": 0, "atol": 1e-6}

NETS = {
    "gru": [rn.GRU(5), rn.Dense(4)],
    "lstm": [rn.LSTM(9), rn.Dense(4)],
    "simple_rnn": [rn.SimpleRNN(5), rn.BatchNorm(), rn.Dense(4)],
    "several": [
        rn.Dense(6, "tanh"),
        rn.LSTM(5, return_sequences=True),
        rn.LayerNorm(),
        rn.Dropout(0.5),
        rn.GRU(17, return_sequences=True, truncate=2),
        rn.Activation("relu"),
        rn.SimpleRNN(4),
        rn.Dense(4),
    ],
    "blocks": [
        rn.Residual([rn.GRU(3, return_sequences=True), rn.Dense(5)]),
        rn.Concat([rn.LSTM(4, return_sequences=True)], [rn.RMSNorm()], []),
        rn.Concat([rn.GRU(2)], [rn.LSTM(3)]),
        rn.Dense(4),
    ],
}

WITH_INDICES = {
    "first": [rn.Embedding(6, 4), rn.GRU(5), rn.Dense(4)],
    "each step": [rn.Embedding(6, 3), rn.Dense(4, "tanh"), rn.LSTM(5), rn.Dense(4)],
    "branches": [
        rn.Concat([rn.Embedding(6, 4)], [rn.Embedding(6, 2), rn.Dense(3, "relu")]),
        rn.LSTM(5, return_sequences=True),
        rn.SimpleRNN(4),
        rn.Dense(4),
    ],
    "ends": [
        rn.Concat([rn.Embedding(6, 4), rn.GRU(3)], [rn.Embedding(6, 2), rn.LSTM(3)]),
        rn.Dense(4),
    ],
}


def net_of(layers, loss="softmax_cross_entropy", seed=3):
    net = rn.Network(layers, (T, FEATURES), loss, seed=seed)
    rng = np.random.default_rng(seed)
    net.weights[:] = rng.normal(0, 0.4, net.weights.size)
    for name, values in net.state.items():
        if name.endswith("running_var"):
            values[...] = 0.5
    return net


def sequences(n, steps=T, seed=0):
    return np.random.default_rng(seed).normal(size=(n, steps, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 4, 33])
@pytest.mark.parametrize("name", NETS)
def test_the_last_step_gives_what_the_whole_sequence_gives(name, n):
    net, x = net_of(NETS[name]), sequences(n)
    stream = net.stream()
    for t in range(T):
        outputs = stream.step(x[:, t])
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, net.predict_proba(x), **TOLERANCE)


@pytest.mark.parametrize("n", [1, 33])
@pytest.mark.parametrize("name", WITH_INDICES)
def test_a_step_of_a_net_of_indices_is_an_index(name, n):
    net = rn.Network(WITH_INDICES[name], (T,), seed=3)
    rng = np.random.default_rng(3)
    net.weights[:] = rng.normal(0, 0.4, net.weights.size)
    x = rng.integers(0, 6, (n, T))
    stream, alone = net.stream(), net.stream()
    for t in range(T):
        outputs = stream.step(x[:, t])
        one = alone.step(x[0, t])
    np.testing.assert_allclose(outputs, net.predict_proba(x), **TOLERANCE)
    np.testing.assert_array_equal(one, outputs[0])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (6, r"x: expected indices for embedding, whole numbers in 0..5, got 6 at \[0\]"),
        ([-1], r"0..5, got -1 at \[0\]"),
        (0.5, r"whole numbers in 0..5, got 0.5 at \[0\]"),
        ([[1]], r"x: expected an index, or \(n,\) of them for n streams, got \(1, 1\)$"),
        ([], r"for n streams, got \(0,\)"),
        ([1, 2], "x: expected 1 streams, as in the steps before, got 2"),
    ],
)
def test_wrong_indices_are_refused_and_leave_the_state(x, message):
    net = rn.Network(WITH_INDICES["first"], (T,), seed=3)
    stream, other = net.stream(), net.stream()
    stream.step(2)
    with pytest.raises(ValueError, match=message):
        stream.step(x)
    other.step(2)
    np.testing.assert_array_equal(stream.step(3), other.step(3))


def test_branches_of_indices_must_each_look_at_one_step():
    among = [rn.Embedding(6, 4), rn.GRU(3)]
    for other, message in (
        (
            [rn.Embedding(6, 2), rn.Flatten()],
            r"concat\[1\]\[1\]: stream: flatten needs the",
        ),
        ([rn.Dense(3)], r"layers\[0\].concat\[1\]\[0\]: stream: dense needs the whole"),
    ):
        with pytest.raises(ValueError, match=message):
            rn.Network([rn.Concat(among, other), rn.Dense(4)], (T,)).stream()


def test_many_streams_have_states_of_their_own():
    net = rn.Network([rn.LSTM(3), rn.Dense(2)], (T, FEATURES))
    x = sequences(2500)
    stream = net.stream(threads=2)
    for t in range(T):
        outputs = stream.step(x[:, t])
    np.testing.assert_allclose(outputs, net.predict_proba(x), **TOLERANCE)


def test_a_last_flatten_gives_the_outputs_of_each_step():
    layers = [rn.GRU(5, return_sequences=True), rn.Dense(2), rn.Flatten()]
    for loss in ("squared_error", "sigmoid_cross_entropy", "poisson"):
        net, x = net_of(layers, loss), sequences(3)
        stream = net.stream()
        found = np.stack([stream.step(x[:, t]) for t in range(T)], axis=1)
        np.testing.assert_allclose(found.reshape(3, -1), net.predict_proba(x), **TOLERANCE)


def test_steps_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    net = net_of([rn.LSTM(5, return_sequences=True), rn.Flatten()], "squared_error")
    module = torch.nn.LSTM(FEATURES, 5, batch_first=True)
    own = {name.split(".")[-1]: torch.tensor(p.T) for name, p in net.parameters.items()}
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = (
        own[k] for k in ("input_weight", "hidden_weight", "input_bias", "hidden_bias")
    )
    module.load_state_dict(dict(zip(names, values, strict=True)))
    stream, state = net.stream(), None
    for row in sequences(1, 20)[0]:
        with torch.no_grad():
            out, state = module(torch.as_tensor(row)[None, None], state)
        np.testing.assert_allclose(stream.step(row), out[0, 0].numpy(), rtol=0, atol=2e-6)
    np.testing.assert_allclose(
        stream.state["layers.0.cell"], state[1][0].numpy(), rtol=0, atol=4e-6
    )


def test_one_stream_has_the_bits_that_it_has_among_others():
    net, x = net_of(NETS["several"]), sequences(9)
    alone, among = net.stream(), net.stream()
    for t in range(T):
        np.testing.assert_array_equal(alone.step(x[4, t]), among.step(x[:, t])[4])


def test_a_state_that_is_set_continues_where_it_was_read():
    net, x = net_of(NETS["several"]), sequences(2)
    first, other = net.stream(), net.stream()
    for t in range(3):
        first.step(x[:, t])
    state = first.state
    assert {name: value.shape for name, value in state.items()} == {
        "layers.1.hidden": (2, 5),
        "layers.1.cell": (2, 5),
        "layers.4.hidden": (2, 17),
        "layers.6.hidden": (2, 4),
    }
    other.state = state
    expected = first.step(x[:, 3])
    np.testing.assert_array_equal(other.step(x[:, 3]), expected)
    first.reset()
    assert not any(value.any() for value in first.state.values())
    first.state = state
    np.testing.assert_array_equal(first.step(x[:, 3]), expected)


def test_the_first_state_is_that_which_is_set():
    net = net_of([rn.GRU(2)], "squared_error")
    stream = net.stream()
    stream.state = {"layers.0.hidden": [[0.5, -0.25]]}
    found = stream.step(np.zeros(FEATURES))
    w = {name.split(".")[-1]: np.float64(value) for name, value in net.parameters.items()}
    before = np.array([0.5, -0.25])
    x, h = w["input_bias"], before @ w["hidden_weight"] + w["hidden_bias"]
    r, z = (1 / (1 + np.exp(-(x + h)[part])) for part in (slice(0, 2), slice(2, 4)))
    n = np.tanh(x[4:] + r * h[4:])
    np.testing.assert_allclose(found, (1 - z) * n + z * before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 3])
def test_plain_steps_go_straight_to_the_core_for_the_same_bits(n):
    net, x = net_of(NETS["several"]), sequences(n)
    plain, longer = net.stream(), net.stream()
    for t in range(T):
        rows = np.ascontiguousarray(x[:, t])
        expected = longer.step(rows.astype(np.float64))
        assert plain.step(rows).tobytes() == expected.tobytes()
    states = [stream.state.items() for stream in (plain, longer)]
    for (_, one), (_, other) in zip(*states, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_plain_step_decides_how_many_streams_there_are():
    stream, row = net_of(NETS["gru"]).stream(), np.zeros((1, FEATURES), np.float32)
    stream.step(row)
    with pytest.raises(
        ValueError, match="expected 1 streams, as in the steps before, got 2"
    ):
        stream.step(np.repeat(row, 2, axis=0))


def test_what_is_not_a_plain_step_is_left_to_the_longer_way():
    highest = float(np.finfo(np.float32).max)
    net, row = net_of(NETS["gru"]).stream()._native, np.zeros(FEATURES, np.float32)
    carried = np.zeros(2 * 5, np.float32)
    fixed = np.zeros(5, np.float32)
    fixed.flags.writeable = False

    def plain(x, carried, low=-highest, high=highest):
        return net.advance_plain(x, carried, low, high)

    assert plain(row, carried[:5]).shape == (1, 4)
    assert plain(np.zeros((2, FEATURES), np.float32), carried).shape == (2, 4)
    carried[:] = 0.25
    for x in (row.tolist(), row.astype(float), row[:2], row[None, None], np.float32(0)):
        assert plain(x, carried[:5]) is None
    for states in (carried, carried[:4], carried[::2], fixed, np.zeros(5), [0.0] * 5):
        assert plain(row, states) is None
    assert plain(np.full(FEATURES, np.nan, np.float32), carried[:5]) is None
    assert plain(row + 1, carried[:5], 0.0, 0.5) is None
    assert plain(np.zeros((1_000_000, FEATURES), np.float32), carried) is None
    assert (carried == 0.25).all()
    with pytest.raises(TypeError, match="advance_plain: expected 4 arguments, got 2"):
        net.advance_plain(row, carried)
    without_state = rn.Network([rn.Dense(2)], (FEATURES,)).native
    assert without_state.advance_plain(row, carried[:0], -highest, highest) is None


def test_weights_are_those_of_when_the_stream_was_made():
    net, x = net_of(NETS["gru"]), sequences(1)[0]
    expected = net.stream().step(x[0])
    stream = net.stream()
    net.weights[:] = 0
    np.testing.assert_array_equal(stream.step(x[0]), expected)


def test_pixels_are_divided_as_in_predictions():
    net = net_of(NETS["gru"])
    net.input_dtype = "uint8"
    x = np.random.default_rng(0).integers(0, 256, (2, T, FEATURES), np.uint8)
    stream = net.stream()
    for t in range(T):
        outputs = stream.step(x[:, t])
    np.testing.assert_allclose(outputs, net.predict_proba(x), **TOLERANCE)


def test_threads_share_a_stream_step_by_step():
    net = net_of(NETS["gru"])
    stream, alone = net.stream(), net.stream()
    row = np.ones(FEATURES, np.float32)
    threads = [
        threading.Thread(target=lambda: [stream.step(row) for _ in range(50)])
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(150):
        alone.step(row)
    np.testing.assert_array_equal(stream.step(row), alone.step(row))


@pytest.mark.parametrize(
    ("layers", "loss", "message"),
    [
        (
            [rn.GRU(2, reverse=True)],
            "mse",
            r"layers\[0\]: stream: gru in reverse needs the",
        ),
        (
            [rn.SelfAttention(), rn.GRU(2)],
            "mse",
            r"layers\[0\]: stream: self_attention needs",
        ),
        ([rn.Masking(), rn.GRU(2)], "mse", r"layers\[0\]: stream: masking needs the whole"),
        (
            [rn.Position(), rn.GRU(2)],
            "mse",
            "position needs the whole sequence; use predict",
        ),
        ([rn.Normalization(axis=0), rn.GRU(2)], "mse", "normalization needs the whole"),
        ([rn.Conv1D(4, 3), rn.GRU(2)], "mse", "conv1d needs the whole sequence"),
        ([rn.GRU(2, return_sequences=True), rn.MeanPool()], "mse", "mean_pool needs"),
        (
            [rn.GRU(2, return_sequences=True), rn.Flatten(), rn.Dense(2)],
            "mse",
            "flatten needs",
        ),
        (
            [rn.GRU(2, return_sequences=True), rn.Flatten()],
            "log_loss",
            "under softmax_cross",
        ),
        ([rn.GRU(6), rn.Reshape((3, 2)), rn.GRU(2)], "mse", "gru above the last output"),
        (
            [rn.Dense(2), rn.Flatten()],
            "mse",
            "a recurrent layer .GRU, LSTM, SimpleRNN., got",
        ),
        (
            [rn.Concat([rn.GRU(2)], [rn.LSTM(2, reverse=True)]), rn.Dense(2)],
            "mse",
            r"layers\[0\].concat\[1\]\[0\]: stream: lstm in reverse",
        ),
        (
            [rn.Concat([], [rn.GRU(3, return_sequences=True)], axis=0), rn.LSTM(2)],
            "mse",
            r"layers\[0\]: stream: concat needs",
        ),
    ],
)
def test_what_needs_the_whole_sequence_is_refused(layers, loss, message):
    net = rn.Network(layers, (T, FEATURES), loss)
    with pytest.raises(ValueError, match=message) as caught:
        net.stream()
    assert "\n" not in str(caught.value)


def test_a_net_over_rows_is_refused():
    with pytest.raises(ValueError, match=r"input_shape \(steps, features\), got \(4,\)"):
        rn.Network([rn.Dense(2)], (4,)).stream()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(4), r"x: expected shape \(3,\), or \(n, 3\) for n streams, got \(4,\)"),
        (np.zeros((1, T, 3)), "a step is one row of a sequence"),
        (np.zeros((0, 3)), r"got \(0, 3\)"),
        (0.5, r"got \(\)"),
        ([0.0, np.nan, 0.0], "x: expected finite float32 values, got nan"),
        (
            np.zeros((2, 3)),
            r"x: expected 1 streams, as in the steps before, got 2; call reset",
        ),
    ],
)
def test_wrong_steps_are_refused_and_leave_the_state(x, message):
    net, row = net_of(NETS["gru"]), np.ones(FEATURES)
    stream, other = net.stream(), net.stream()
    stream.step(row)
    with pytest.raises(ValueError, match=message):
        stream.step(x)
    other.step(row)
    np.testing.assert_array_equal(stream.step(row), other.step(row))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, r"state: expected a dict of layers.0.hidden, layers.0.cell, got \[\]"),
        ({"a\x1b": 1}, r"state: expected a dict .*, got \['a.x1b'\]"),
        (3, "state: expected a dict of layers.0.hidden, layers.0.cell, got 3"),
        (list({"layers.0.hidden": np.zeros((2, 99))}.items()), r"^[^\n]{,150}$"),
        (
            {"layers.0.hidden": np.zeros((0, 9)), "layers.0.cell": np.zeros((0, 9))},
            r"state\['layers.0.hidden'\]: expected shape \(1, 9\), got \(0, 9\)",
        ),
        (
            {"layers.0.hidden": np.zeros((2, 9)), "layers.0.cell": np.zeros((1, 9))},
            r"state\['layers.0.cell'\]: expected shape \(2, 9\), got \(1, 9\)",
        ),
        (
            {"layers.0.hidden": np.zeros(9), "layers.0.cell": np.zeros(9)},
            r"state\['layers.0.hidden'\]: expected shape \(1, 9\), got \(9,\)",
        ),
        (
            {"layers.0.hidden": np.zeros((1, 9)), "layers.0.cell": np.full((1, 9), np.inf)},
            r"^state\['layers.0.cell'\]: expected finite float32 values, got inf",
        ),
    ],
)
def test_wrong_states_are_refused(state, message):
    stream = net_of(NETS["lstm"]).stream()
    with pytest.raises(ValueError, match=message):
        stream.state = state


def test_the_core_looks_at_the_states_memory():
    net = net_of(NETS["gru"])
    x = np.zeros((2, T * FEATURES), np.float32)
    with pytest.raises((ValueError, TypeError), match="advance: carried"):
        net.native.advance(x, np.zeros(9, np.float32))
    fixed = np.zeros(10, np.float32)
    fixed.flags.writeable = False
    with pytest.raises((ValueError, TypeError), match="advance: carried"):
        net.native.advance(x, fixed)
    plain = rn.Network([rn.Dense(2)], (3,)).native
    with pytest.raises(ValueError, match="advance: no layer of this net has a state"):
        plain.advance(np.zeros((1, 3), np.float32), np.zeros(0, np.float32))


def test_the_core_continues_after_several_steps_at_once():
    net, x = net_of([rn.LSTM(4)], "squared_error"), sequences(3, 2 * T)
    whole = rn.Network([rn.LSTM(4)], (2 * T, FEATURES), "squared_error")
    whole.weights[:] = net.weights
    carried = np.zeros(3 * 8, np.float32)
    for part in (x[:, :T], x[:, T:]):
        outputs = net.native.advance(np.ascontiguousarray(part).reshape(3, -1), carried)
    np.testing.assert_allclose(outputs, whole.predict_proba(x), **TOLERANCE)
    np.testing.assert_array_equal(carried.reshape(3, 2, 4)[:, 0], outputs)
