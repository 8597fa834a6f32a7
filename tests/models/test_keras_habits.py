"""What people type who know Keras: a last softmax, files of weights alone."""

import io

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.net.losses import LOSSES
from rnn_native.settings.architecture import parse_architecture

# ---- softmax as an activation ----

OWN = ("softmax_cross_entropy",)
OF_VALUES = ("squared_error", "absolute_error", "huber")
SMALL = (1, 5, 5)
ELSEWHERE = {
    "first": ([rn.Flatten(), rn.Dense(4, "softmax"), rn.Dense(3)], 1),
    "before dropout": ([rn.Flatten(), rn.Dense(3, "softmax"), rn.Dropout(0.1)], 1),
    "before flatten": ([rn.Flatten(), rn.Dense(3, "softmax"), rn.Flatten()], 1),
    "before softmax": ([rn.Flatten(), rn.Dense(3, "softmax"), rn.Softmax()], 1),
    "of a convolution": ([rn.Conv2D(2, 3, activation="softmax"), rn.Flatten()], 0),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_softmax_that_is_not_the_last_is_refused_with_what_to_use(loss, place):
    layers, at = ELSEWHERE[place]
    with pytest.raises(ValueError, match=rf"^layers\[{at}\]: .*use rn\.Softmax\(\)$"):
        rn.Network(layers, SMALL, loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "last", [[rn.Dense(3, "softmax")], [rn.Dense(3), rn.Softmax()]], ids=["in", "after"]
)
def test_a_last_softmax_belongs_to_its_loss_or_is_a_layer(rng, loss, last):
    x, layers = rng.normal(size=(5, 4)), [rn.Dense(6, "tanh"), *last]
    if loss not in OWN + OF_VALUES:
        text = (
            rf"^layers\[{len(layers) - 1}\]: .*softmax_cross_entropy is the loss for soft"
        )
        with pytest.raises(ValueError, match=text):
            rn.Network(layers, (4,), loss)
        with pytest.raises(ValueError, match=text.replace("^", "^.*")):
            parse_architecture(
                {"layers": [la.spec() for la in layers], "input_shape": [4], "loss": loss}
            )
        return
    net = rn.Network(layers, (4,), loss)
    np.testing.assert_allclose(net.predict_proba(x).sum(axis=1), 1, atol=1e-6)
    plain = rn.Network([rn.Dense(6, "tanh"), rn.Dense(3)], (4,), OWN[0])
    plain.set_weights(net.get_weights())
    np.testing.assert_allclose(net.predict_proba(x), plain.predict_proba(x), atol=1e-6)


# ---- files of weights ----


def network(width=6, seed=1):
    layers = [rn.Dense(width, "relu"), rn.BatchNorm(), rn.Dense(3)]
    return rn.Network(layers, (4,), seed=seed, optimizer="adam")


@pytest.fixture
def trained(rng):
    net = network()
    net.fit(rng.normal(size=(60, 4)), rng.integers(0, 3, 60), epochs=2, verbose=0)
    return net


@pytest.mark.parametrize("whole", [False, True])
def test_weights_come_back_and_nothing_else(trained, rng, tmp_path, whole):
    path = tmp_path / "w.safetensors"
    (trained.save if whole else trained.save_weights)(path)
    other = network(seed=5)
    other.fit(rng.normal(size=(60, 4)), rng.integers(0, 3, 60), verbose=0)
    other.input_dtype = None
    moments, steps = other.moments.copy(), other.steps_done
    other.load_weights(path)
    assert other.weights.tobytes() == trained.weights.tobytes()
    assert other.moments.tobytes() == moments.tobytes()
    assert (other.steps_done, other.input_dtype) == (steps, "float")
    stream = io.BytesIO()
    trained.save_weights(stream)
    network().load_weights(stream.getvalue())


def test_a_file_of_weights_is_told_from_a_model(trained, tmp_path):
    path = tmp_path / "w.safetensors"
    trained.save_weights(path)
    with pytest.raises(
        rn.FormatError, match=r"weights without layers; make the net and use"
    ):
        rn.load(path)


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (network(7), r"layers\.0\.weight: expected float32 \(4, 7\), got float32 \(4, 6\)"),
        (
            rn.Network([rn.Dense(6), rn.BatchNorm(), rn.Dense(3), rn.Dense(3)], (4,)),
            r"layers\.3\.weight: expected float32 \(3, 3\), got nothing",
        ),
        (rn.Network([rn.Dense(6)], (4,)), r"layers\.1\.bias: expected weights of this net"),
    ],
)
def test_weights_of_another_net_are_refused_and_change_nothing(
    trained, tmp_path, other, text
):
    path = tmp_path / "w.safetensors"
    trained.save_weights(path)
    before = other.get_weights()
    with pytest.raises(rn.FormatError, match=text) as caught:
        other.load_weights(path)
    assert "\n" not in str(caught.value)
    assert other.get_weights().tobytes() == before.tobytes()
    assert other.input_dtype is None


def test_damaged_weights_are_refused(trained, tmp_path):
    path, other = tmp_path / "w.safetensors", network()
    trained.save_weights(path)
    whole = path.read_bytes()
    for n in range(0, len(whole), 11):
        path.write_bytes(whole[:n])
        with pytest.raises(rn.FormatError):
            other.load_weights(path)
    for i in range(len(whole) - 4 * other.weights.size, len(whole), 17):
        damaged = bytearray(whole)
        damaged[i] ^= 16
        path.write_bytes(damaged)
        with pytest.raises(rn.FormatError, match="checksum|finite|damaged"):
            other.load_weights(path)
    with pytest.raises(FileNotFoundError):
        other.load_weights(tmp_path / "none.safetensors")


def test_checkpoints_may_hold_weights_only(rng, tmp_path, capsys):
    net, x, y = network(), rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    checkpoint = rn.ModelCheckpoint(
        tmp_path / "{epoch}.safetensors", verbose=1, save_weights_only=True
    )
    net.fit(x, y, epochs=2, callbacks=checkpoint, verbose=0)
    assert "saved the weights to" in capsys.readouterr().out
    other = network(seed=3)
    other.load_weights(tmp_path / "2.safetensors")
    assert other.weights.tobytes() == net.weights.tobytes()
    with pytest.raises(rn.FormatError, match="weights without layers"):
        rn.load(tmp_path / "1.safetensors")
