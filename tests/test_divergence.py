"""Training that fails with finite numbers does not end without a word."""

import warnings

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import divergence, losses


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy"])
def test_untrained_loss_of_classes_is_that_of_outputs_of_zero(loss):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 50) if losses.LOSSES[loss].targets is None else None
    y = rng.integers(0, 2, (50, 3)).astype(np.float32) if y is None else y
    net = rn.Network([rn.Dense(3)], (4,), loss)
    net.weights[:] = 0
    expected = net.evaluate(rng.normal(size=(50, 4)), y).loss
    assert divergence.untrained_loss(y, 3, loss) == pytest.approx(expected, rel=1e-6)
    weights = rng.uniform(size=50)
    got = divergence.untrained_loss(y, 3, loss, weights)
    assert got == pytest.approx(expected * weights.mean(), rel=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
@pytest.mark.parametrize("scale", [0, 1e-3, 1, 1e4])
def test_untrained_loss_of_values_is_that_of_small_outputs(loss, scale):
    rng = np.random.default_rng(1)
    y = (scale * rng.uniform(size=(200, 2))).astype(np.float32)
    net = rn.Network([rn.Dense(2)], (4,), loss, seed=3)
    found = net.evaluate(rng.normal(size=(200, 4)) / 2, y).loss
    assert found <= 2 * divergence.untrained_loss(y, 2, loss)


def test_chance_by_hand():
    y = np.array([0, 0, 0, 1])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert divergence.is_chance(y, entropy + 1e-9, 0.75)
    assert not divergence.is_chance(y, entropy - 1e-3, 0.75)
    assert not divergence.is_chance(y, entropy + 1, 1.0)  # sure and mostly right
    assert not divergence.is_chance(np.zeros(4, np.int64), 1.0, 0.5)  # nothing to learn
    # Three times the weight for the last row: probabilities of a half each.
    weights = np.array([1.0, 1.0, 1.0, 3.0])
    assert divergence.is_chance(y, 6 / 4 * np.log(2) + 1e-9, 0.75, weights)
    assert not divergence.is_chance(y, 6 / 4 * np.log(2) - 1e-3, 0.75, weights)


def blobs(n=640, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return rng.normal(size=(classes, 6))[y] + rng.normal(size=(n, 6)) / 3, y


def fitted(x, y, *, outputs=4, loss="softmax_cross_entropy", **options):
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(outputs)], (6,), loss)
    net.fit(x, y, verbose=0, **options)
    return net


@pytest.mark.parametrize("validation_split", [0.0, 0.2])
@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 30), ("adam", 1000)])
def test_divergence_warns(optimizer, lr, validation_split):
    x, y = blobs()
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(4)], (6,), optimizer=optimizer)
    with pytest.warns(UserWarning, match=r"training has (diverged|learned nothing): loss"):
        net.fit(
            x,
            y,
            lr=lr,
            batch_size=8,
            epochs=4,
            validation_split=validation_split,
            verbose=0,
        )


def test_divergence_of_one_yes_or_no_warns():
    x, y = blobs(classes=2)
    with pytest.warns(UserWarning, match="training has diverged: loss"):
        fitted(x, y, outputs=1, loss="sigmoid_cross_entropy", lr=100, epochs=2)


def test_divergence_of_values_warns():
    x, y = blobs()
    with pytest.warns(UserWarning, match="training has diverged: loss"):
        fitted(x, y, outputs=1, loss="absolute_error", lr=1e5, clip_norm=1, epochs=2)


def test_a_collapsed_net_warns():
    """All units are dead: the outputs are the last biases for every row."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(size=(640, 6)), rng.integers(0, 4, 640)
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(4)], (6,))
    net.parameters["layers.0.weight"][:] = -1
    with pytest.warns(UserWarning, match="training has learned nothing: loss 1.* accuracy"):
        net.fit(x, y, lr=0.1, batch_size=16, epochs=3, verbose=0)


@pytest.mark.parametrize(
    ("loss", "outputs", "target"),
    [
        ("softmax_cross_entropy", 4, lambda y: y),
        ("sigmoid_cross_entropy", 1, lambda y: y > 1),
        ("squared_error", 1, lambda y: y / 1000),
        ("squared_error", 1, lambda y: 1e6 * y),
        ("absolute_error", 1, lambda y: y),
        ("huber", 1, lambda y: y - 2),
        ("poisson", 1, lambda y: y),
    ],
)
@pytest.mark.parametrize("options", [{}, {"epochs": 1, "lr": 1e-6}, {"epochs": 20}])
def test_usual_training_does_not_warn(loss, outputs, target, options):
    x, y = blobs()
    rate = 1e-8 if target(1) == 1e6 else 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(
            x, target(y), outputs=outputs, loss=loss, **{"epochs": 3, "lr": rate, **options}
        )


def test_rare_classes_and_weights_do_not_warn():
    x, y = blobs()
    y = np.where(np.arange(640) % 64 == 0, y, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(x, y, epochs=2)
        fitted(x, y, epochs=2, sample_weight=np.full(640, 50.0), lr=1e-4)
        fitted(x, y, epochs=2, class_weight="balanced", label_smoothing=0.3, lr=1e-3)


def test_best_weights_of_before_the_divergence_do_not_warn():
    x, y = blobs()

    class Burst(rn.Callback):
        def on_epoch_begin(self, epoch, logs):
            self.run.learning_rate = 1e-2 if epoch < 3 else 1e3

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = rn.Network([rn.Dense(16, "relu"), rn.Dense(4)], (6,))
        history = net.fit(
            x, y, epochs=4, validation_split=0.2, callbacks=[Burst()], verbose=0
        )
    assert history.rows[3].loss > 10
    assert net.evaluate(x, y).loss < 2


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_warn_too():
    from rnn_native.sklearn import MLPClassifier

    x, y = blobs()
    with pytest.warns(UserWarning, match="training has diverged"):
        MLPClassifier(max_iter=3, learning_rate_init=1e3, random_state=0).fit(x, y)
