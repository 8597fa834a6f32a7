"""`NetworkClassifier`: any layers, images in every usual form."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.model_selection import cross_val_score

import rnn_native as rn
from rnn_native.sklearn import (
    MLPClassifier,
    MLPRegressor,
    NetworkClassifier,
    NetworkRegressor,
)

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IMAGE_LAYERS = [rn.Conv2D(4, 3, activation="relu"), rn.MaxPool2D(), rn.Flatten()]
JSON_FORM = {
    "input_shape": [1, 28, 28],
    "layers": [
        {"type": "conv2d", "filters": 4, "kernel_size": 3, "activation": "relu"},
        {"type": "maxpool2d"},
        {"type": "flatten"},
        {"type": "dense", "units": 10},
    ],
}


@pytest.fixture(scope="module")
def images():
    """Bytes (n, 1, 28, 28), and names of digits."""
    x, y = rn.datasets.synthetic_digits(160, seed=1)
    return x.reshape(-1, 1, 28, 28), np.array([f"digit {label}" for label in y])


def model_of(architecture, **options):
    options = {"random_state": 1, "max_iter": 2, "batch_size": 32, **options}
    return NetworkClassifier(architecture, **options)


def test_an_architecture_comes_in_every_form(images, tmp_path):
    x, y = images
    path = tmp_path / "net.json"
    path.write_text(json.dumps(JSON_FORM))
    forms = [
        model_of([*IMAGE_LAYERS, rn.Dense(10)]),
        model_of(IMAGE_LAYERS),
        model_of([layer.spec() for layer in IMAGE_LAYERS]),
        model_of(JSON_FORM),
        model_of(path),
        model_of(str(path)),
    ]
    expected = forms[0].fit(x, y).predict_proba(x).tobytes()
    for model in forms[1:]:
        assert model.fit(x, y).predict_proba(x).tobytes() == expected
    assert forms[0].network_.output_shape == (10,)
    assert forms[0].classes_[3] == "digit 3"


@pytest.mark.parametrize(
    "end", [[rn.Dense(10)], [rn.Dense(10, "softmax")], [rn.Dense(10), rn.Softmax()]]
)
def test_an_output_layer_may_be_the_last_of_a_list(images, end):
    models = [
        model_of([*IMAGE_LAYERS, *end]),
        model_of([*IMAGE_LAYERS[:2], [rn.Flatten(), end]]),
    ]
    flat, nested = [model.fit(*images) for model in models]
    assert (
        nested.predict_proba(images[0]).tobytes() == flat.predict_proba(images[0]).tobytes()
    )


def test_one_output_may_be_the_last_of_a_list():
    x = np.random.default_rng(0).normal(size=(200, 4))
    last = [rn.Dense(1, "sigmoid")]
    model = model_of([rn.Dense(4, "relu"), last], learning_rate_init=0.05, max_iter=9)
    model.fit(x, x[:, 0] > 0)
    assert model.network_.output_shape == (1,)


def test_images_come_in_every_form(images):
    x, y = images
    model = model_of(IMAGE_LAYERS, input_shape=(1, 28, 28)).fit(x, y)
    expected = model.predict_proba(x).tobytes()
    for form in (
        x.reshape(-1, 784),
        x.reshape(-1, 28, 28),
        (x / np.float32(255)).tolist(),
        np.float32(x) / np.float32(255),
    ):
        assert model.predict_proba(form).tobytes() == expected
        again = model_of(IMAGE_LAYERS, input_shape=(1, 28, 28)).fit(form, y)
        assert again.predict_proba(form).tobytes() == expected
        assert again.n_features_in_ == 784


def test_it_trains_as_the_network_does(images):
    x, y = images
    model = model_of(IMAGE_LAYERS, shuffle=False, alpha=0.0, learning_rate_init=0.01)
    model.fit(x, y)
    twin = rn.Network(
        [*IMAGE_LAYERS, rn.Dense(10)], (1, 28, 28),
        seed=np.random.RandomState(1).randint(2**31 - 1), optimizer=model.network_.optimizer,
    )  # fmt: skip
    labels = np.searchsorted(model.classes_, y)
    twin.fit(x, labels, epochs=2, lr=0.01, batch_size=32, shuffle=False, verbose=0)
    assert twin.weights.tobytes() == model.network_.weights.tobytes()


def test_without_layers_it_has_a_hidden_one():
    """That of MLPClassifier; two classes have two outputs here."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4))
    y = (x[:, 0] > x[:, 1]).astype(int)
    model = model_of(None, max_iter=40, learning_rate_init=0.01).fit(x, y)
    assert model.network_.specs[0] == {"type": "dense", "units": 100, "activation": "relu"}
    assert model.predict_proba(x).shape == (90, 2)
    assert model.score(x, y) > 0.9
    assert MLPClassifier().get_params().keys() >= model.get_params().keys() - {
        "architecture", "input_shape",
    }  # fmt: skip


def test_what_all_classifiers_do(images):
    x, y = images
    model = model_of(IMAGE_LAYERS, max_iter=8, learning_rate_init=0.01)
    flat = model.set_params(input_shape=(1, 28, 28))
    assert cross_val_score(flat, x.reshape(160, -1), y, cv=2).mean() > 0.5
    flat.set_params(early_stopping=True, class_weight="balanced").fit(x, y)
    assert flat.best_validation_score_ == max(flat.validation_scores_)
    flat.set_params(early_stopping=False, class_weight=None)
    for _ in range(2):
        flat.partial_fit(x[:40], y[:40])
    assert len(flat.history_) == 10


@pytest.mark.parametrize(
    ("architecture", "options", "message"),
    [
        ([], {}, "architecture: expected at least one layer"),
        (
            [*IMAGE_LAYERS, rn.Dense(7)],
            {},
            r"shape \(7,\), expected \(10,\), one for each class of y; a last Dense that is "
            r"linear or ends in softmax is the output layer: .* or an activation",
        ),
        (
            [rn.Dense(9, "relu")],
            {"input_shape": (28, 28)},
            r"^layers\[1\]: .* put flatten \(rn.Flatten\(\)\)",
        ),
        (
            [rn.Dense(10)],
            {"input_shape": (28, 28)},
            r"^layers\[0\]: .* put flatten \(rn.Flatten\(\)\)",
        ),
        ([rn.Conv2D(2, 3)], {}, r"outputs have shape|dense expects"),
        ({**JSON_FORM, "loss": "squared_error"}, {}, "expected loss softmax_cross_entropy"),
        ({"layers": []}, {}, "architecture"),
        (
            [rn.Flatten(), "dense"],
            {},
            r"architecture\[1\]: expected a layer or its spec, got 'dense'",
        ),
        (5, {}, "'architecture' parameter of NetworkClassifier must be"),
        (
            IMAGE_LAYERS,
            {"input_shape": (1, 14, 14)},
            r"\(1, 14, 14\) is 196 features, X has 7",
        ),
        ("no_such.json", {}, "no_such.json"),
    ],
)
def test_architectures_that_do_not_fit(images, architecture, options, message):
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        model_of(architecture, **options).fit(*images)


@pytest.mark.parametrize(
    "layers",
    [
        [rn.Dense(3, "softmax")],
        [rn.Dense(3), rn.Softmax()],
        [rn.Dense(3), rn.Activation("softmax")],
        [rn.Dense(8, "exp")],
    ],
    ids=str,
)
def test_a_last_activation_of_another_loss_names_the_loss_and_what_it_goes_with(layers):
    x = np.arange(12.0).reshape(6, 2)
    classes = np.arange(6) % 3
    name = "exp" if "exp" in str(layers) else "softmax"
    message = f"architecture: its last layer ends in {name}, .* that {{}} needs; expected a"
    with pytest.raises(ValueError, match=message.format("this y") + ".* in sigmoid"):
        NetworkClassifier(layers).fit(x, np.eye(3, dtype=int)[classes])
    with pytest.raises(ValueError, match=message.format("the parameter loss")):
        NetworkRegressor(layers).fit(x, x[:, 0])


def test_images_that_do_not_fit(images):
    x, y = images
    model = model_of(IMAGE_LAYERS).fit(x, y)
    with pytest.raises(
        ValueError, match=r"X: expected shape \(n, 1, 28, 28\), got \(160, 28"
    ):
        model.predict(x.reshape(160, 28, 4, 7))
    with pytest.raises(
        ValueError, match="X has 196 features, but NetworkClassifier is expec"
    ):
        model.predict(x[:, :, ::2, ::2].reshape(160, -1))


def test_several_labels_for_each_row_are_several_yes_or_no():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = (np.stack([x[:, 0], x[:, 1] * x[:, 2], -x[:, 3]], axis=1) > 0).astype(int)
    options = {"max_iter": 150, "learning_rate_init": 0.02, "random_state": 0}
    for layers in (
        [rn.Dense(16, "tanh")],
        [rn.Dense(16, "tanh"), rn.Dense(3)],
        [rn.Dense(16, "tanh"), rn.Dense(3, "sigmoid")],
    ):
        model = NetworkClassifier(layers, **options).fit(x, y)
        assert model.network_.loss == "sigmoid_cross_entropy"
        assert model.network_.output_shape == (3,)
        found = model.predict_proba(x)
        assert found.shape == y.shape
        assert ((found > 0.5) == y).mean() > 0.95
        assert model.predict(x).tolist() == (found > 0.5).astype(int).tolist()
        assert model.score(x, y) == (model.predict(x) == y).all(axis=1).mean()
    with pytest.raises(
        ValueError, match="expected loss sigmoid_cross_entropy, .* softmax_"
    ):
        plain = {"input_shape": [4], "layers": [{"type": "dense", "units": 3}]}
        NetworkClassifier(plain).fit(x, y)


@pytest.mark.parametrize("last", ["linear", "sigmoid"])
def test_two_classes_may_have_one_output(last):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = np.where(x[:, 0] > 0, "yes", "no")
    options = {"max_iter": 60, "learning_rate_init": 0.05, "random_state": 0}
    model = NetworkClassifier([rn.Dense(8, "relu"), rn.Dense(1, last)], **options).fit(x, y)
    assert model.network_.output_shape == (1,)
    assert model.score(x, y) > 0.97
    assert model.predict_proba(x).shape == (200, 2)
    two = NetworkClassifier([rn.Dense(8, "relu"), rn.Dense(2)], **options).fit(x, y)
    assert two.network_.loss == "softmax_cross_entropy"


@pytest.mark.filterwarnings("ignore:training diverges")
@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_rows_are_of_the_kind_of_fit(kind):
    """uint8 is divided by 255 in every call, or in none."""
    x = np.random.default_rng(0).integers(0, 256, (60, 5)).astype(np.uint8)
    y = (x[:, 0] > 128).astype(int)
    model = kind([rn.Dense(4, "relu")], max_iter=5, random_state=0).fit(x, y)
    expected = model.predict(x).tolist()
    assert model.network_.input_dtype == "uint8"
    assert model.predict(x / np.float32(255)).tolist() == expected
    for other in (x.astype(np.int64), x.astype(float), x.tolist()):
        with pytest.raises(ValueError, match="X: this net was fitted on uint8"):
            model.predict(other)
        with pytest.raises(ValueError, match="X: this net was fitted on uint8"):
            model.partial_fit(other, y)
        with pytest.raises(ValueError, match="X: this net was fitted on uint8"):
            model.fit(x, y, X_val=other, y_val=y)
    model.fit(x.astype(np.int64), y)
    assert model.network_.input_dtype == "float"
    assert model.predict(x.tolist()).tolist() == model.predict(x.astype(float)).tolist()
    with pytest.raises(ValueError, match="X: got uint8, but this net was fitted on floats"):
        model.predict(x)
    mlp = MLPClassifier(max_iter=2).fit(x, y)
    assert mlp.predict(x).tolist() == mlp.predict(x.astype(float)).tolist()


@pytest.mark.filterwarnings("ignore:training diverges")
def test_frames_are_of_the_kind_that_a_network_takes_them_for():
    """uint8 in every form is bytes; a frame of bytes and flags is numbers."""
    x = np.random.default_rng(0).integers(0, 256, (60, 4)).astype(np.uint8)
    y = np.arange(60) % 3
    names = list("abcd")
    frame = pd.DataFrame(x, columns=names)
    missing = frame.astype("UInt8")
    missing.iloc[3, 1] = pd.NA
    for kind in (NetworkClassifier, NetworkRegressor):
        options = {"max_iter": 2, "random_state": 0}
        model = kind([rn.Dense(4, "relu")], **options).fit(x, y)
        weights = model.network_.weights.tobytes()
        for form in (
            "uint8",
            "UInt8",
            "Sparse[uint8]",
            {"a": "UInt8", "b": "Sparse[uint8]"},
        ):
            other = kind([rn.Dense(4, "relu")], **options).fit(frame.astype(form), y)
            assert other.network_.weights.tobytes() == weights
            assert other.feature_names_in_.tolist() == names
            assert other.predict(frame.astype(form)).tolist() == model.predict(x).tolist()
        mixed = frame.assign(d=frame["d"] > 99)
        flags = kind([rn.Dense(4, "relu")], **options).fit(mixed, y)
        assert flags.network_.input_dtype == "float"
        floats = kind([rn.Dense(4, "relu")], **options).fit(mixed.astype(float), y)
        assert flags.predict(mixed).tolist() == floats.predict(mixed).tolist()
        with pytest.raises(ValueError, match="fitted on uint8 .*, got int16 in 0..255"):
            model.predict(mixed.to_numpy(np.int16))
        with pytest.raises(ValueError, match="X contains NaN"):
            model.fit(missing, y)


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_a_warm_start_keeps_what_was_fitted_on(kind):
    x = np.random.default_rng(0).integers(0, 256, (60, 4)).astype(np.uint8)
    y = np.arange(60) % 2
    model = kind([rn.Dense(4, "relu")], max_iter=2, warm_start=True).fit(x, y)
    model.fit(x / np.float32(255), y)
    assert model.network_.input_dtype == "uint8"
    model.predict(x)
    for other in (x.astype(float), x.astype(np.int64), (x > 99).astype(np.int64)):
        with pytest.raises(ValueError, match=f"X: .*fitted on uint8.*got {other.dtype} in"):
            model.predict(other)
        with pytest.raises(ValueError, match=f"X: .*fitted on uint8.*got {other.dtype} in"):
            model.fit(other, y)
    with pytest.raises(ValueError, match=r"got int64 in 0..1; use x.astype\(float\)"):
        model.predict((x > 99).astype(int).tolist())
    model = kind([rn.Dense(4, "relu")], max_iter=2, warm_start=True).fit(x / 255, y)
    with pytest.raises(ValueError, match="got uint8, but this net was fitted on floats"):
        model.fit(x, y)


def test_a_regressor_over_any_layers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = np.stack([x[:, 0] * x[:, 1], np.sin(2 * x[:, 2])], axis=1)
    options = {"max_iter": 300, "learning_rate_init": 0.01, "random_state": 0}
    model = NetworkRegressor([rn.Dense(32, "tanh"), rn.LayerNorm()], **options)
    assert model.fit(x, y).score(x, y) > 0.9
    assert model.predict(x).shape == (300, 2)
    assert model.network_.output_shape == (2,)
    assert model.fit(x, y[:, 1]).predict(x).shape == (300,)
    bounded = NetworkRegressor([rn.Dense(16, "relu"), rn.Dense(1, "sigmoid")], **options)
    share = 1 / (1 + np.exp(-x[:, 0]))
    assert bounded.fit(x, share).network_.specs[-1]["activation"] == "sigmoid"
    assert bounded.score(x, share) > 0.95
    counts = rng.poisson(np.exp(x[:, 0]))
    rates = NetworkRegressor([rn.Dense(8, "tanh"), rn.Dense(1)], loss="poisson", **options)
    found = rates.fit(x, counts).predict(x)
    assert found.min() > 0
    assert np.corrcoef(found, np.exp(x[:, 0]))[0, 1] > 0.8
    with pytest.raises(
        ValueError, match=r"outputs have shape \(3,\), expected \(1,\), one"
    ):
        NetworkRegressor([rn.Dense(3)]).fit(x, y[:, 0])


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_losses_of_a_regressor_are_means_over_rows_and_outputs(loss, outputs):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(90, 4)).astype(np.float32)
    y = np.abs(3 * x[:, :outputs] + rng.normal(size=(90, outputs)))
    y = y[:, 0] if outputs == 1 else y
    weights = np.arange(30) % 2
    layers = [rn.Dense(8, "relu")]
    model = NetworkRegressor(layers, loss=loss, max_iter=2, alpha=0, random_state=0)
    model.fit(x[:60], y[:60], X_val=x[60:], y_val=y[60:], sample_weight_val=weights)
    truth = y[60:].reshape(30, -1)
    found = model.predict(x[60:]).reshape(30, -1).astype(float)
    errors = found - truth
    by_output = {
        "squared_error": lambda: errors**2 / 2,
        "absolute_error": lambda: np.abs(errors),
        "huber": lambda: np.where(abs(errors) < 1, errors**2 / 2, abs(errors) - 0.5),
        "poisson": lambda: errors + truth * np.log(truth / found),
    }[loss]()
    by_row = by_output.sum(axis=1) if loss == "poisson" else by_output.mean(axis=1)
    best = np.argmax(model.validation_scores_)
    expected = np.average(by_row, weights=weights)
    assert model.validation_loss_curve_[best] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mae", "absolute_error"),
        ("MSELoss", "squared_error"),
        ("huber_loss", "huber"),
        ("PoissonNLLLoss", "poisson"),
    ],
)
def test_a_regressor_knows_the_names_of_losses_that_networks_know(name, loss):
    x = np.arange(40.0).reshape(20, 2) / 40
    one, other = (
        NetworkRegressor(loss=given, max_iter=2, random_state=0).fit(x, x)
        for given in (name, loss)
    )
    assert one.network_.loss == loss
    assert one.get_params()["loss"] == name
    assert one.loss_curve_ == other.loss_curve_
    assert one.predict(x).tobytes() == other.predict(x).tobytes()


@pytest.mark.parametrize("name", ["log_loss", "bce", "hubr"])
def test_a_regressor_refuses_other_losses_by_name(name):
    expected = "loss: expected one of squared_error, absolute_error, huber, poisson"
    with pytest.raises(ValueError, match=f"{expected}.* got '{name}'"):
        NetworkRegressor(loss=name).fit([[0.0], [1.0]], [0.0, 1.0])
    plain = {"input_shape": [1], "layers": [{"type": "dense", "units": 1}], "loss": "mae"}
    with pytest.raises(ValueError, match="squared_error, which the parameter loss needs"):
        NetworkRegressor(plain).fit([[0.0], [1.0]], [0.0, 1.0])


def test_a_regressor_for_outliers_finds_the_median():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 2)).astype(np.float32)
    y = x[:, 0] + np.where(np.arange(400) % 10 == 0, 500.0, 0.0)
    options = {"max_iter": 300, "learning_rate_init": 0.02, "random_state": 0, "tol": 0}
    found = {}
    for loss in ("squared_error", "absolute_error", "huber"):
        model = NetworkRegressor([rn.Dense(1)], loss=loss, **options)
        found[loss] = np.abs(model.fit(x, y).predict(x) - x[:, 0]).mean()
    assert max(found["absolute_error"], found["huber"]) < 0.5 < found["squared_error"]


def test_a_regressor_has_the_numbers_of_the_mlp_of_the_same_layers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    y = x @ rng.normal(size=(3, 2))
    mlp = MLPRegressor(
        "squared_error", (7,), max_iter=4, shuffle=False, early_stopping=True
    )
    net = NetworkRegressor(
        [rn.Dense(7, "relu")], max_iter=1, shuffle=False, early_stopping=True
    )
    net.set_params(random_state=0).fit(x, y)
    mlp.set_params(random_state=0, max_iter=1).fit(x, y)
    assert net.loss_ != mlp.loss_
    for model in (mlp, net):
        model.network_.weights[:] = np.linspace(-1, 1, len(model.network_.weights))
        model.network_.moments[:] = 0
        model.set_params(early_stopping=False).partial_fit(x, y)
    assert net.loss_ == mlp.loss_
    assert net.score(x, y) == mlp.score(x, y)


@pytest.mark.parametrize(
    "weights",
    [
        {"oak": 3.0, "elm": 0.5},
        [1.0, 0.5, 3.0],
        np.array([1, 0.5, 3]),
        pd.Series({"oak": 3.0, "elm": 0.5, "ash": 1.0}),
    ],
    ids=str,
)
def test_class_weights_come_in_every_form(weights):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    y = np.array(["ash", "elm", "oak"])[np.arange(90) % 3]
    rows = np.array([1, 0.5, 3.0])[np.arange(90) % 3]
    for kind in (NetworkClassifier, MLPClassifier):
        options = {"max_iter": 3, "random_state": 0}
        one = kind(class_weight=weights, **options).fit(x, y)
        other = kind(**options).fit(x, y, sample_weight=rows)
        assert one.network_.weights.tobytes() == other.network_.weights.tobytes()
        for wrong in ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0], ["a", "b", "c"]):
            with pytest.raises(
                ValueError, match="class_weight: expected a number for each of"
            ):
                kind(class_weight=wrong).fit(x, y)


@pytest.mark.filterwarnings("error:overflow")
def test_class_weights_that_cannot_be():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 3)), np.arange(90) % 3
    for wrong in ([1, 2, 3], [{0: 1, 1: 2}], pd.Series([1, 2, 3])):
        with pytest.raises(
            ValueError, match="several labels per row expected 'balanced', or"
        ):
            MLPClassifier((4,), class_weight=wrong).fit(x, np.eye(3, dtype=int)[y])
    with pytest.raises(ValueError, match="class_weight: expected finite weights of at"):
        MLPClassifier((4,), class_weight=[1, 1e39, 1]).fit(x, y)
    with pytest.raises(ValueError, match="class_weight times sample_weight: expected"):
        MLPClassifier((4,), class_weight=[1, 1e30, 1]).fit(x, y, np.full(90, 1e30))


def test_class_weights_of_several_labels():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 3)), np.eye(2, dtype=int)[np.arange(90) % 2]
    weights = [{0: 1, 1: 2}, {0: 1, 1: 1}]
    options = {"max_iter": 3, "random_state": 0}
    one = MLPClassifier((4,), class_weight=weights, **options).fit(x, y)
    other = MLPClassifier((4,), **options).fit(x, y, sample_weight=1 + y[:, 0])
    assert one.network_.weights.tobytes() == other.network_.weights.tobytes()
