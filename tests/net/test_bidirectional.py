"""`Bidirectional` compared with PyTorch, and as the layers that it stands for."""

import numpy as np
import pytest

import rnn_native as rn

T, FEATURES, UNITS = 6, 3, 5
PEERS = {rn.SimpleRNN: "RNN", rn.GRU: "GRU", rn.LSTM: "LSTM"}
OF_TORCH = {
    "input_weight": "weight_ih_l0",
    "hidden_weight": "weight_hh_l0",
    "input_bias": "bias_ih_l0",
    "hidden_bias": "bias_hh_l0",
}


def net_of(layer, *above):
    return rn.Network([rn.Bidirectional(layer), *above], (T, FEATURES), "squared_error")


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", PEERS)
def test_outputs_are_those_of_pytorch(kind, sequences):
    torch = pytest.importorskip("torch")
    net = net_of(kind(UNITS, return_sequences=sequences), rn.Flatten())
    peer = getattr(torch.nn, PEERS[kind])(
        FEATURES, UNITS, batch_first=True, bidirectional=True
    )
    values = {}
    for name, array in net.parameters.items():
        *_, direction, _, own = name.split(".")
        values[OF_TORCH[own] + ("_reverse" if direction == "1" else "")] = array.T
    peer.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    x = np.random.default_rng(0).normal(size=(4, T, FEATURES)).astype(np.float32)
    with torch.no_grad():
        outputs, last = peer(torch.tensor(x))
        state = last[0] if kind is rn.LSTM else last
        expected = outputs if sequences else torch.cat([*state], dim=1)
    np.testing.assert_allclose(
        net.predict_proba(x), expected.reshape(4, -1).numpy(), rtol=0, atol=2e-6
    )


def test_it_is_saved_as_the_layers_that_it_stands_for(tmp_path):
    layer = rn.LSTM(UNITS, truncate=2)
    net = net_of(layer, rn.Dense(2))
    other = [[rn.LSTM(UNITS, truncate=2)], [rn.LSTM(UNITS, reverse=True, truncate=2)]]
    same = rn.Network([rn.Concat(*other), rn.Dense(2)], (T, FEATURES), "squared_error")
    assert net.architecture() == same.architecture()
    np.testing.assert_array_equal(net.weights, same.weights)
    net.save(tmp_path / "net.safetensors")
    x = np.ones((2, T, FEATURES), np.float32)
    loaded = rn.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), net.predict(x))


def test_names_and_specs_are_accepted():
    layer = {"type": "gru", "units": 2}
    assert rn.Bidirectional(layer, name="both").spec() == {
        "type": "concat",
        "branches": [[layer], [{**layer, "reverse": True}]],
        "name": "both",
    }
    assert rn.Bidirectional(rn.GRU(2)) == rn.Bidirectional(rn.GRU(2))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            rn.Dense(2),
            r"layer: expected GRU\(...\), LSTM\(...\) or SimpleRNN\(...\), got Dense",
        ),
        (rn.GRU, "layer: expected GRU"),
        ([rn.GRU(2)], "layer: expected GRU"),
        ({"type": "gru"}, "Bidirectional: layer.units: "),
        (rn.GRU(2, reverse=True), "expected a layer that is not in reverse"),
    ],
)
def test_other_layers_are_refused(layer, message):
    with pytest.raises(ValueError, match=message) as caught:
        rn.Bidirectional(layer)
    assert "\n" not in str(caught.value)
