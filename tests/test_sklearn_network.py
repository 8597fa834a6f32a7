"""`NetworkClassifier`: any layers, images in every usual form."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.model_selection import cross_val_score

import rnn_native as rn
from rnn_native.sklearn import MLPClassifier, NetworkClassifier

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
        assert again.predict_proba(x).tobytes() == expected
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
            r"outputs have shape \(7,\), expected \(10,\), one",
        ),
        ([rn.Conv2D(2, 3)], {}, r"outputs have shape|dense takes"),
        ({**JSON_FORM, "loss": "squared_error"}, {}, "expected loss softmax_cross_entropy"),
        ({"layers": []}, {}, "architecture"),
        ([rn.Flatten(), "dense"], {}, r"architecture\[1\]: expected a layer, got 'dense'"),
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
    with pytest.raises(ValueError, match="expected one label for each row, got multilabel"):
        model.fit(x, np.eye(10, dtype=int)[np.searchsorted(model.classes_, y)])
