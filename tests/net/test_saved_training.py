"""The optimizer and where training stands, in model files and set on a net."""

import copy
import io
import json
import pickle

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import checkpoint, training
from rnn_native.callbacks import RunCheckpoint
from rnn_native.net import model_file

ADAM = {"type": "adam", "beta_1": 0.8, "epsilon": 1e-7}
RNG = np.random.default_rng(3)
X = RNG.random((50, 6), np.float32)
Y = RNG.integers(0, 3, 50)
OPTIONS = {"lr": 0.01, "batch_size": 16, "verbose": 0}


def network(optimizer=ADAM):
    layers = [rn.Dense(8, "tanh"), rn.Dropout(0.3), rn.Dense(3)]
    return rn.Network(layers, (6,), optimizer=optimizer)


def bits(net):
    return net.weights.tobytes(), net.moments.tobytes()


@pytest.mark.parametrize(
    "optimizer", ["sgd", {"type": "sgd", "momentum": 0.9}, ADAM, "adamw"], ids=str
)
@pytest.mark.parametrize(
    "more", [{}, {"ema_decay": 0.9}, {"swa_start": 0}, {"shuffle": False}], ids=str
)
def test_a_loaded_net_continues_as_the_one_that_was_saved(optimizer, more, tmp_path):
    net = network(optimizer)
    net.fit(X, Y, epochs=3, **OPTIONS, **more)
    net.save(tmp_path / "m", optimizer_state=True)
    loaded = rn.load(tmp_path / "m")
    assert loaded.optimizer == net.optimizer
    assert loaded.steps_done == net.steps_done == 12
    for one in (net, loaded):
        one.fit(X, Y, epochs=2, **OPTIONS, **more)
    assert bits(loaded) == bits(net)


def test_a_file_keeps_the_settings_and_on_request_the_moments(tmp_path):
    net = network()
    net.fit(X, Y, **OPTIONS)
    net.save(tmp_path / "m")
    loaded = rn.load(tmp_path / "m")
    assert loaded.optimizer == ADAM
    assert loaded.steps_done == 0
    assert not loaded.moments.any()
    assert loaded.weights.tobytes() == net.weights.tobytes()
    described = checkpoint.describe(tmp_path / "m")
    assert described["optimizer"] == ADAM
    net.save(tmp_path / "all", optimizer_state=True)
    more = checkpoint.describe(tmp_path / "all")
    assert more["parameters"] == described["parameters"] == net.params.size


def test_another_optimizer_may_be_given_to_load(tmp_path):
    net = network()
    net.fit(X, Y, **OPTIONS)
    net.save(tmp_path / "m", optimizer_state=True)
    same = rn.load(tmp_path / "m", optimizer=ADAM)
    assert bits(same) == bits(net)
    assert same.steps_done == 4
    other = rn.load(tmp_path / "m", optimizer="adamw")
    assert other.optimizer == {"type": "adamw"}
    assert other.steps_done == 0
    assert not other.moments.any()
    with pytest.raises(
        ValueError, match="^optimizer.type: expected one of sgd, adam, adamw, rmsprop"
    ):
        rn.load(tmp_path / "m", optimizer="lion")


def test_an_average_that_no_longer_belongs_to_the_weights_is_not_saved(tmp_path):
    net = network()
    net.fit(X, Y, ema_decay=0.9, **OPTIONS)
    net.weights[0] += 1
    net.save(tmp_path / "m", optimizer_state=True)
    loaded = rn.load(tmp_path / "m")
    for one in (net, loaded):
        one.fit(X, Y, ema_decay=0.9, **OPTIONS)
    assert bits(loaded) == bits(net)


@pytest.mark.parametrize("copied", ["file", "pickle"])
def test_optimizer_and_moments_are_of_the_same_moment(copied, monkeypatch, tmp_path):
    """Where another thread sets the optimizer as soon as the net may be changed."""
    net, path = network(), tmp_path / "net"
    net.optimizer = "adam"
    net.fit(X, Y, **OPTIONS)
    sharing, unchanged = net._sharing, net._sharing.unchanged

    def set_before(function):
        monkeypatch.setattr(sharing, "unchanged", unchanged)
        net.optimizer = "sgd"
        return unchanged(function)

    monkeypatch.setattr(sharing, "unchanged", set_before)
    if copied == "file":
        net.save(path, optimizer_state=True)
        found = rn.load(path)
    else:
        found = pickle.loads(pickle.dumps(net))
    assert found.optimizer["type"] == "sgd"
    assert found.moments.size == net.moments.size == 0


@pytest.mark.parametrize("more", [{}, {"ema_decay": 0.9}], ids=str)
def test_a_resumed_run_continues_with_the_counts_of_its_net(more, tmp_path):
    """Of a net that had been trained before the run; also when it is fitted afterwards."""

    def trained():
        net = network()
        net.fit(X, Y, epochs=2, seed=5, **OPTIONS, **more)
        return net

    def run_of(net, epochs):
        recipe = training.Recipe(
            epochs=epochs,
            batch_size=16,
            lr=0.01,
            seed=5,
            patience=None,
            optimizer=ADAM,
            **more,
        )
        data = training.Split(net.as_rows(X), net.as_targets(Y, 50))
        return training.Run(net, data, recipe)

    whole, first, resumed = trained(), trained(), network()
    training.fit(run_of(whole, 3), verbose=0)
    training.fit(run_of(first, 2), [RunCheckpoint(tmp_path)], verbose=0)
    run = run_of(resumed, 3)
    checkpoint.restore_run(run, tmp_path / "last.safetensors")
    assert resumed.steps_done == 16
    training.fit(run, verbose=0)
    assert bits(resumed) == bits(whole)
    for net in (whole, resumed):
        net.fit(X, Y, **OPTIONS, **more)
    assert bits(resumed) == bits(whole)


def changed(path, tensors=(), **metadata):
    """Rewrite the file with changes and a digest that fits them."""
    old, old_metadata = model_file.read(path)
    del old_metadata["sha256"]
    model_file.write(path, {**old, **dict(tensors)}, {**old_metadata, **metadata})


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({}, {"optimizer": {"type": "x"}}, "optimizer cannot be used: optimizer.type: exp"),
        ({}, {"optimizer": 3}, "optimizer cannot be used: optimizer: expected a name"),
        ({}, {"training": {}}, "training cannot be used: steps: expected an integer"),
        ({}, {"training": 3}, "training cannot be used"),
        ({"training.moments": np.zeros(3, np.float32)}, {}, "moments are missing"),
        ({"training.order": np.zeros(3, np.int32)}, {}, "order: expected the numbers"),
        ({"training.order": np.arange(3)}, {}, "order: expected the numbers"),
        ({"training.live": np.zeros(3, np.float32)}, {}, "live: expected parameters"),
    ],
)
def test_files_that_lie_are_refused(tensors, metadata, message, tmp_path):
    net = network()
    net.fit(X, Y, **OPTIONS)
    net.save(tmp_path / "m", optimizer_state=True)
    changed(tmp_path / "m", tensors, **metadata)
    with pytest.raises(rn.FormatError, match=message) as error:
        rn.load(tmp_path / "m")
    assert "\n" not in str(error.value)


# ---- the attribute ----


def test_setting_the_optimizer_has_effect_and_keeps_the_weights():
    """As a new net with that optimizer and those weights; old views stay views."""
    net = network("sgd")
    weights, bias = net.weights, net.parameters["layers.0.bias"]
    net.fit(X, Y, **OPTIONS)
    for optimizer in ({"type": "sgd", "momentum": 0.9}, "adam", ADAM, "sgd", "adamw"):
        before = weights.copy()
        net.optimizer = optimizer
        assert net.steps_done == 0
        assert not net.moments.any()
        fresh = network(optimizer)
        fresh.weights[:] = before
        for one in (net, fresh):
            one.fit(X, Y, seed=3, **OPTIONS)
            one.fit(X, Y, **OPTIONS)
        assert bits(net) == bits(fresh)
        assert weights.tobytes() == fresh.weights.tobytes(), "the view is still the net's"
        assert bias.tobytes() == fresh.parameters["layers.0.bias"].tobytes()


def test_setting_the_same_optimizer_begins_its_moments_anew():
    net = network()
    net.fit(X, Y, **OPTIONS)
    old = net.moments
    net.optimizer = ADAM
    assert not net.moments.any()
    assert net.steps_done == 0
    # Old views stay readable, whatever becomes of the net.
    net.optimizer = "sgd"
    net.optimizer = "adam"
    del net
    assert old.size == 2 * network().params.size
    assert np.isfinite(old).all()


def test_settings_cannot_be_changed_in_place():
    net = network()
    message = r"^optimizer: its settings cannot be changed in place; set net.optimizer = "
    for change in (
        lambda: net.optimizer.__setitem__("beta_1", 0.5),
        lambda: net.optimizer.update(beta_1=0.5),
        lambda: net.optimizer.pop("beta_1"),
        lambda: net.optimizer.clear(),
        lambda: net.optimizer.setdefault("beta_2", 0.5),
    ):
        with pytest.raises(TypeError, match=message):
            change()
    # As callbacks written for Keras do.
    with pytest.raises(AttributeError, match="in a callback self.run.learning_rate$"):
        net.optimizer.learning_rate = 0.1
    with pytest.raises(AttributeError, match="^optimizer: has no attribute 'lr'"):
        net.optimizer.lr  # noqa: B018
    assert copy.deepcopy(net.optimizer) == net.optimizer
    net.optimizer = {**net.optimizer, "beta_1": 0.5}
    assert net.optimizer["beta_1"] == 0.5
    assert json.loads(json.dumps(net.optimizer)) == net.optimizer
    assert pickle.loads(pickle.dumps(net.optimizer)) == net.optimizer


def test_what_the_net_would_not_follow_cannot_be_set():
    net = network()
    for name, value in (("loss", "mse"), ("specs", []), ("input_shape", (3,))):
        before = getattr(net, name)
        with pytest.raises(
            AttributeError, match=f"^{name}: cannot be changed; make another"
        ):
            setattr(net, name, value)
        assert getattr(net, name) == before
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert copied.loss == net.loss


@pytest.mark.parametrize(
    ("optimizer", "error", "message"),
    [
        (
            "rmsprob",
            ValueError,
            "optimizer.type: expected one of sgd, adam, adamw, rmsprop, got 'rm",
        ),
        ({"type": 3}, ValueError, "optimizer.type: expected a name, got 3"),
        ({"momentum": 0.9}, ValueError, "optimizer.type: missing"),
        ({"type": "sgd", "lr": 0.1}, ValueError, "optimizer.lr: unknown key"),
        (
            {"type": "sgd", "momentun": 0.1},
            ValueError,
            "optimizer.momentun: unknown key; did you mean 'momentum'",
        ),
        ({"type": "adam", "epsilon": 0.0}, ValueError, "optimizer.epsilon: expected a num"),
        ({"type": "adam", "epsilon": 1e-30}, ValueError, "optimizer.epsilon: expected a n"),
        (None, TypeError, "optimizer: expected a name or a dict with 'type', got None"),
        (3, TypeError, "optimizer: expected a name or a dict with 'type', got 3"),
    ],
)
def test_what_is_no_optimizer_is_refused_early(optimizer, error, message, digits):
    with pytest.raises(error, match=f"^{message}"):
        network(optimizer)
    net = network()
    with pytest.raises(error, match=f"^{message}"):
        net.optimizer = optimizer
    assert net.optimizer == ADAM
    if optimizer is not None:
        with pytest.raises(error, match=f"^{message}"):
            rn.train_mlp("no such folder", optimizer=optimizer)


def test_names_in_any_case_and_numpy_numbers():
    assert network("AdamW").optimizer == {"type": "adamw"}
    spec = {"type": "SGD", "momentum": np.float32(0.5), "nesterov": np.bool_(True)}
    settings = network(spec).optimizer
    assert settings == {"type": "sgd", "momentum": 0.5, "nesterov": True}
    assert json.dumps(settings)


def test_the_least_epsilon_trains_dead_units_and_tiny_gradients():
    """0 / 0 for those, and a step of 1e18 for these, with a smaller one."""
    for hat in (False, True):
        spec = {"type": "adam", "epsilon": 1e-20, "epsilon_hat": hat}
        net = rn.Network([rn.Dense(2)], (2,), loss="squared_error", optimizer=spec)
        net.weights[:] = 0
        x = np.array([[1e-12, 0]], np.float32)
        net.fit(x, np.full((1, 2), 1e-11, np.float32), lr=0.1, epochs=5, verbose=0)
        assert np.abs(net.weights).max() < 1


# ---- file objects and bytes ----


def test_files_and_bytes(tmp_path):
    net = network()
    net.fit(X, Y, **OPTIONS)
    buffer = io.BytesIO()
    net.save(buffer, optimizer_state=True)
    net.save(tmp_path / "m", optimizer_state=True)
    content = (tmp_path / "m").read_bytes()
    assert buffer.getvalue() == content
    buffer.seek(0)
    with (tmp_path / "m").open("rb") as file:
        sources = [file, buffer, content, bytearray(content), memoryview(content)]
        for source in sources:
            loaded = rn.load(source)
            assert bits(loaded) == bits(net)
            assert loaded.steps_done == 4
    with (tmp_path / "n").open("wb") as file:
        net.save(file)
    assert rn.load(tmp_path / "n").optimizer == ADAM


def test_what_is_neither_path_nor_file(tmp_path):
    net = network()
    net.save(tmp_path / "m")
    with (tmp_path / "m").open(errors="replace") as file, pytest.raises(TypeError) as error:
        rn.load(file)
    assert "binary mode" in str(error.value)
    for wrong in (3, None, ["m"]):
        with pytest.raises(TypeError, match="^expected a path, bytes, or a file in binary"):
            rn.load(wrong)
        with pytest.raises(TypeError, match="^expected a path or a file in binary mode"):
            net.save(wrong)
    with pytest.raises(TypeError, match="^expected a path or a file in binary mode"):
        net.save(io.StringIO())


def test_every_truncation_of_bytes_is_refused():
    net = network()
    buffer = io.BytesIO()
    net.save(buffer, optimizer_state=True)
    content = buffer.getvalue()
    for size in [*range(0, 64), *range(64, len(content), 97)]:
        with pytest.raises(rn.FormatError, match="^<bytes>: "):
            rn.load(content[:size])


def test_specs_are_copies(tmp_path):
    """A changed one would make a file that nobody can read."""
    net = network()
    net.specs[0]["units"] = 77
    net.save(tmp_path / "m")
    assert bits(rn.load(tmp_path / "m"))[0] == bits(net)[0]
    assert bits(pickle.loads(pickle.dumps(net))) == bits(net)
    assert net.specs[0]["units"] == 8
