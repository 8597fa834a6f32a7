"""The end of a net: a last activation that is the loss's own is applied once."""

import json
import pickle
from copy import copy

import numpy as np
import pytest

import rnn_native as rn
import twins
from rnn_native.analysis.logits import class_logits
from rnn_native.base.rules import ConfigError
from rnn_native.export.steps import steps_of
from rnn_native.net import losses, model_file
from rnn_native.net.layers import as_specs
from rnn_native.settings.architecture import parse_architecture

SIGMOID, SOFTMAX, POISSON = "sigmoid_cross_entropy", "softmax_cross_entropy", "poisson"

# Written ends, by what they must be the same as.
OWN = [
    ([rn.Dense(1, "sigmoid")], 1, SIGMOID),
    ([rn.Dense(3, "sigmoid")], 3, SIGMOID),
    ([rn.Dense(1), rn.Activation("sigmoid")], 1, SIGMOID),
    ([rn.Dense(2), rn.Activation("sigmoid"), rn.Flatten()], 2, SIGMOID),
    ([rn.Dense(3), rn.Softmax()], 3, SOFTMAX),
    ([rn.Dense(3, "softmax")], 3, SOFTMAX),
    ([rn.Dense(3), rn.Activation("softmax")], 3, SOFTMAX),
    ([rn.Dense(2, "exponential")], 2, POISSON),
    ([rn.Dense(1), rn.Activation("exp")], 1, POISSON),
]
OWN_IDS = [f"{loss}-{i}" for i, (_, _, loss) in enumerate(OWN)]
# The same in lists, which stand for their layers.
IN_LISTS = [
    ([[rn.Dense(2, "sigmoid")], rn.Flatten()], 2, SIGMOID),
    ([rn.Dense(2, "sigmoid"), [rn.Flatten(), [rn.Flatten()]]], 2, SIGMOID),
    ([[rn.Dense(2), [rn.Activation("sigmoid")]], rn.Flatten()], 2, SIGMOID),
    ([[rn.Dense(2, "exp"), rn.Flatten()], rn.Flatten()], 2, POISSON),
    ([[rn.Dense(3, "softmax")]], 3, SOFTMAX),
]
FUNCTIONS = {
    SIGMOID: lambda z: 1 / (1 + np.exp(-z)),
    SOFTMAX: twins.softmax,
    POISSON: np.exp,
}


def targets(loss, n, outputs, rng):
    if loss == SOFTMAX:
        return rng.integers(0, outputs, n)
    return rng.integers(0, 2, (n, outputs)).astype(float)


@pytest.fixture
def x(rng):
    return rng.normal(size=(40, 4)).astype(np.float32)


@pytest.mark.parametrize(("end", "outputs", "loss"), OWN, ids=OWN_IDS)
def test_a_last_activation_of_the_loss_is_applied_once(end, outputs, loss, x, rng):
    """Outputs, training and weights are those of the net with a linear end."""
    hidden = rn.Dense(5, "tanh")
    net = rn.Network([hidden, *end], (4,), loss, 3, optimizer="adam")
    plain = rn.Network([hidden, rn.Dense(outputs)], (4,), loss, 3, optimizer="adam")
    w1, b1, w2, b2 = (p.astype(float) for p in net.parameters.values())
    z = np.tanh(x @ w1 + b1) @ w2 + b2
    np.testing.assert_allclose(net.predict_proba(x), FUNCTIONS[loss](z), rtol=1e-5)
    y = targets(loss, len(x), outputs, rng)
    for model in (net, plain):
        model.fit(x, y, epochs=3, lr=0.1, verbose=0)
    np.testing.assert_array_equal(net.weights, plain.weights)
    assert net.evaluate(x, y) == plain.evaluate(x, y)


@pytest.mark.parametrize(("end", "outputs", "loss"), OWN, ids=OWN_IDS)
def test_the_summary_says_so(end, outputs, loss):
    net = rn.Network([rn.Dense(5, "tanh"), *end], (4,), loss)
    own = losses.LOSSES[loss].function
    assert f"The {own} of layers." in net.summary()
    assert f"that of the loss, {loss}" in net.summary()
    for same in (copy(net), pickle.loads(pickle.dumps(net))):
        assert same.summary() == net.summary()
    assert "of the loss" not in rn.Network([rn.Dense(outputs)], (4,), loss).summary()


@pytest.mark.parametrize(("end", "outputs", "loss"), OWN, ids=OWN_IDS)
def test_files_and_json_apply_it_once(end, outputs, loss, tmp_path, x):
    net = rn.Network(end, (4,), loss, 3)
    net.save(tmp_path / "m.safetensors")
    expected = net.predict_proba(x)
    np.testing.assert_array_equal(
        rn.load(tmp_path / "m.safetensors").predict_proba(x), expected
    )
    written = {"layers": as_specs(end), "input_shape": [4], "loss": loss}
    found = parse_architecture(json.loads(json.dumps(written)))
    again = rn.Network(found.layers, found.input_shape, found.loss, 3)
    np.testing.assert_array_equal(again.predict_proba(x), expected)
    again = rn.Network.from_architecture(net.architecture())
    again.weights[:] = net.weights
    np.testing.assert_array_equal(again.predict_proba(x), expected)


def test_an_architecture_without_a_loss_has_the_usual_one():
    plain = {"layers": [{"type": "dense", "units": 3}], "input_shape": [4]}
    net = rn.Network.from_architecture(plain)
    assert net.loss == parse_architecture(plain).loss == "softmax_cross_entropy"
    with pytest.raises(ValueError, match="architecture: .* missing 'input_shape'$"):
        rn.Network.from_architecture({"layers": plain["layers"], "loss": "huber"})


@pytest.mark.parametrize(("end", "outputs", "loss"), OWN, ids=OWN_IDS)
def test_exports_and_logits_apply_it_once(end, outputs, loss, x):
    net = rn.Network(end, (4,), loss, 3)
    functions = [step.activation[0] for step in steps_of(net)]
    assert {*functions} == {"linear"}
    if not isinstance(end[-1], rn.Flatten):
        final = {SIGMOID: "logistic", SOFTMAX: "softmax", POISSON: "exp"}[loss]
        assert rn.export.to_sklearn(net).out_activation == final
    if loss != POISSON and (loss == SOFTMAX or outputs == 1):
        w, b = (p.astype(float) for p in net.parameters.values())
        got = class_logits(net, x)[:, -outputs:]
        np.testing.assert_allclose(got, x @ w + b, atol=1e-5)


REFUSED = [
    (["relu", "tanh", "sigmoid", "elu", "silu", "gelu", "gelu_exact"], SOFTMAX),
    (["relu", "tanh", "softmax", "elu", "silu", "gelu", "gelu_exact"], SIGMOID),
    (["relu", "tanh", "softmax", "sigmoid", "elu", "silu", "gelu"], POISSON),
]


@pytest.mark.parametrize(
    ("function", "loss"), [(f, loss) for names, loss in REFUSED for f in names]
)
def test_other_bounded_ends_are_refused_with_the_reason(function, loss):
    own = losses.LOSSES[loss].function
    words = rf"layers\[\d\]: .*{function}.*{loss}.*{own} itself"
    for end in ([rn.Dense(3, function)], [rn.Dense(3), rn.Activation(function)]):
        with pytest.raises(ValueError, match=words) as error:
            rn.Network(end, (4,), loss)
        assert "\n" not in str(error.value)
        plain = {"layers": as_specs(end), "input_shape": [4], "loss": loss}
        with pytest.raises(ConfigError, match=rf"a.json.*{words}"):
            parse_architecture(plain, "a.json")
    rn.Network([rn.Dense(3, function)], (4,), "squared_error")


@pytest.mark.parametrize(
    ("end", "loss"),
    [
        # What keeps a bound lets nothing through.
        ([rn.Dense(3, "relu"), rn.Dropout(0.5)], SOFTMAX),
        ([rn.Dense(3, "relu"), rn.Flatten(), rn.Dropout(0.5)], SIGMOID),
        ([rn.Dense(3, "relu"), rn.Activation("leaky_relu")], SOFTMAX),
        ([rn.Dense(3, "leaky_relu", alpha=0)], SOFTMAX),
        # One activation is the loss's, the one before it is not.
        ([rn.Dense(3, "relu"), rn.Softmax()], SOFTMAX),
        ([rn.Dense(1, "sigmoid"), rn.Activation("sigmoid")], SIGMOID),
        ([rn.Softmax(), rn.Softmax()], SOFTMAX),
        # Elsewhere than at the end there is no such activation.
        ([rn.Dense(3, "softmax"), rn.Dense(3)], SOFTMAX),
        ([rn.Dense(3, "exponential"), rn.Dense(3)], POISSON),
        ([rn.Dense(3, "exponential")], "squared_error"),
    ],
)
def test_hidden_bounds_are_found(end, loss):
    with pytest.raises(ValueError, match=r"layers\[\d\]"):
        rn.Network(end, (4,), loss)


def test_images_and_tokens_whose_end_is_bounded():
    image = [rn.Conv2D(2, 3, activation="relu"), rn.AvgPool2D(2), rn.Flatten()]
    with pytest.raises(ValueError, match=r"layers\[0\]: .*relu"):
        rn.Network(image, (1, 6, 6))
    tokens = [rn.PatchEmbed(2, 4), rn.Dense(3, "sigmoid"), rn.MeanPool()]
    with pytest.raises(ValueError, match=r"layers\[1\]: .*sigmoid"):
        rn.Network(tokens, (4, 4), SIGMOID)
    rn.Network([rn.Conv2D(1, 6, activation="sigmoid"), rn.Flatten()], (1, 6, 6), SIGMOID)


@pytest.mark.parametrize(
    "end",
    [
        [rn.Dense(3, "leaky_relu")],
        [rn.Dense(3, "relu"), rn.BatchNorm()],
        [rn.Dense(3, "relu"), rn.Dense(3)],
        [rn.Dense(3), rn.Dropout(0.5)],
    ],
)
def test_ends_without_bounds_stay(end):
    for loss in (SOFTMAX, SIGMOID, POISSON):
        assert len(rn.Network(end, (4,), loss).specs) == len(end)


def test_a_dense_softmax_without_its_loss_is_a_layer(x):
    net = rn.Network([rn.Dense(3, "softmax")], (4,), "squared_error", 3)
    same = rn.Network([rn.Dense(3), rn.Softmax()], (4,), "squared_error", 3)
    assert net.specs == same.specs
    np.testing.assert_allclose(net.predict_proba(x).sum(axis=1), 1, rtol=1e-6)


def test_training_by_one_call_obeys(rng):
    """The case that people wrote: 0.5 accuracy where 1.0 is easy."""
    x = rng.normal(size=(400, 2)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    net = rn.Network([rn.Dense(1, "sigmoid")], (2,), "binary_crossentropy")
    net.fit(x, y, epochs=20, lr=0.5, verbose=0)
    assert net.evaluate(x, y)[1] > 0.95
    arrays = ((x, y), (x, y))
    options = {"epochs": 10, "lr": 0.5, "verbose": 0, "label_smoothing": 0.1}
    ends = [[rn.Dense(2)], [rn.Dense(2), rn.Softmax()], [rn.Dense(2, "softmax")]]
    results = [rn.train(end, arrays, input_shape=(2,), **options) for end in ends]
    for result in results[1:]:
        np.testing.assert_array_equal(result.model.weights, results[0].model.weights)
    assert results[0].test_accuracy > 0.95
    with pytest.raises(ValueError, match="relu"):
        rn.train([rn.Dense(2, "relu")], arrays, input_shape=(2,), **options)


def saved_by_0_1_0(path, layers, loss):
    """Write a model file as 0.1.0 did, which kept every last activation."""
    model = rn.Network([rn.Dense(3)], (4,), loss, 3)
    metadata = model_file.metadata_of(model, None)
    metadata["architecture"]["layers"] = as_specs(layers)
    model_file.write(path, {**model.parameters, **model.state}, metadata)
    return model


def test_files_of_0_1_0_with_a_doubled_activation_are_loaded_and_warned_of(tmp_path, x):
    path = tmp_path / "old.safetensors"
    plain = saved_by_0_1_0(path, [rn.Dense(3), rn.Softmax()], SOFTMAX)
    with pytest.warns(UserWarning, match=r"old\.safetensors: its last softmax .* twice"):
        loaded = rn.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(x), plain.predict_proba(x))
    loaded.save(path)
    rn.load(path)  # no warning: the test run makes warnings errors


def test_files_of_0_1_0_with_a_bounded_end_predict_as_they_did(tmp_path, x):
    path = tmp_path / "old.safetensors"
    plain = saved_by_0_1_0(path, [rn.Dense(3, "relu")], SOFTMAX)
    with pytest.warns(UserWarning, match="relu.*the model predicts as it did"):
        loaded = rn.load(path)
    w, b = (p.astype(float) for p in plain.parameters.values())
    expected = twins.softmax(np.maximum(x @ w + b, 0))
    np.testing.assert_allclose(loaded.predict_proba(x), expected, rtol=1e-5)
    assert rn.export.rounded_to_int8(loaded).specs == loaded.specs


# ---- names ----


@pytest.mark.parametrize(
    ("name", "outputs", "expected"),
    [
        ("mse", 1, "squared_error"),
        ("mean_squared_error", 1, "squared_error"),
        ("MSELoss", 1, "squared_error"),
        ("MeanSquaredError", 1, "squared_error"),
        ("binary_crossentropy", 1, SIGMOID),
        ("BinaryCrossentropy", 3, SIGMOID),
        ("BCEWithLogitsLoss", 1, SIGMOID),
        ("sparse_categorical_crossentropy", 3, SOFTMAX),
        ("categorical_crossentropy", 3, SOFTMAX),
        ("CrossEntropyLoss", 3, SOFTMAX),
        ("log_loss", 3, SOFTMAX),
        ("log_loss", 1, SIGMOID),
        ("poisson", 1, POISSON),
        ("mae", 1, "absolute_error"),
        ("mean_absolute_error", 1, "absolute_error"),
        ("L1Loss", 1, "absolute_error"),
        ("MeanAbsoluteError", 1, "absolute_error"),
        ("huber", 1, "huber"),
        ("huber_loss", 1, "huber"),
        ("SmoothL1Loss", 1, "huber"),
        ("PoissonNLLLoss", 1, POISSON),
    ],
)
def test_names_of_other_libraries(name, outputs, expected):
    net = rn.Network([rn.Dense(outputs)], (4,), name)
    assert net.loss == expected == net.architecture()["loss"]


@pytest.mark.parametrize("kind", ["f8", "f4", "i8", "u1", "?"])
def test_one_hot_rows_are_their_labels(kind, x, rng):
    y = rng.integers(0, 3, len(x))
    one, other = (rn.Network([rn.Dense(3)], (4,), "categorical_crossentropy") for _ in "12")
    one.fit(x, y, epochs=2, verbose=0)
    other.fit(x, np.eye(3)[y].astype(kind), epochs=2, verbose=0)
    np.testing.assert_array_equal(one.weights, other.weights)


@pytest.mark.parametrize(
    "row", [[0.5, 0.5, 0], [0, 0, 0], [1, 1, 0], [2, 0, -1], [np.nan] * 3]
)
def test_rows_that_are_not_one_hot_are_refused(row, x):
    y = np.eye(3)[[0, 1, 2]]
    y[1] = row
    with pytest.raises(ValueError, match=r"^y: expected labels, .*one-hot.* at \[1\]$"):
        rn.Network([rn.Dense(3)], (4,)).evaluate(x[:3], y)


def test_log_loss_goes_by_the_last_activation():
    assert rn.Network([rn.Dense(3, "sigmoid")], (4,), "log_loss").loss == SIGMOID
    assert rn.Network([rn.Dense(3, "softmax")], (4,), "log_loss").loss == SOFTMAX


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("squared_eror", "expected one of softmax_cross_entropy, .*; did you mean "
         "'squared_error'"),
        ("binary_crosentropy", "did you mean 'binary_crossentropy'"),
        ("zzz", r"expected one of softmax_cross_entropy.*got 'zzz'$"),
    ],
)  # fmt: skip
def test_unknown_names_list_the_choices(name, words):
    with pytest.raises(ValueError, match=rf"^loss: .*{words}"):
        rn.Network([rn.Dense(1)], (4,), name)


def test_a_loss_that_is_no_name():
    with pytest.raises(TypeError, match=r"^loss: expected a name, got <built-in"):
        rn.Network([rn.Dense(1)], (4,), max)


@pytest.mark.parametrize(("layers", "outputs", "loss"), IN_LISTS)
def test_an_end_in_lists_is_applied_once(layers, outputs, loss):
    net = rn.Network(layers, (4,), loss, seed=3)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    logits = rn.Network([rn.Dense(outputs)], (4,), loss, seed=3).forward(x)
    np.testing.assert_array_equal(net.forward(x), logits)


@pytest.mark.parametrize(
    "layers",
    [[rn.Residual([rn.Dense(4, "exp")])], [rn.Dense(2, "exponential"), rn.Dropout(0.1)]],
)
def test_exponential_before_the_end_says_where_it_belongs(layers):
    with pytest.raises(
        ValueError, match="is an activation of the last layer only"
    ) as caught:
        rn.Network(layers, (4,), POISSON)
    assert "\n" not in str(caught.value)
