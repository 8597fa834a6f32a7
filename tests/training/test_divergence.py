"""Training that fails with finite numbers does not end without a word."""

import warnings

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.net import losses
from rnn_native.training import divergence

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy"])
def test_untrained_loss_of_classes_is_that_of_outputs_of_zero(loss):
    rng = np.random.default_rng(0)
    shape = 50 if losses.LOSSES[loss].targets is None else (50, 3)
    y = rng.integers(0, 2, shape)
    net = rn.Network([rn.Dense(3)], (4,), loss)
    net.weights[:] = 0
    expected = net.evaluate(rng.normal(size=(50, 4)), y).loss
    by_row = divergence.untrained_losses(y, 3, loss)
    assert by_row.mean() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
@pytest.mark.parametrize("scale", [0, 1e-3, 1, 1e4])
def test_untrained_loss_of_values_is_that_of_small_outputs(loss, scale):
    rng = np.random.default_rng(1)
    y = (scale * rng.uniform(size=(200, 2))).astype(np.float32)
    net = rn.Network([rn.Dense(2)], (4,), loss, seed=3)
    found = net.evaluate(rng.normal(size=(200, 4)) / 2, y).loss
    assert found <= 2 * divergence.untrained_losses(y, 2, loss).mean()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 5])
def test_constant_loss_is_that_of_a_net_of_biases(classes, weighted):
    """A net without inputs finds the best constant probabilities."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, classes, 300) * rng.integers(0, 2, 300)
    weights = rng.uniform(0.1, 3, 300) if weighted else None
    net = rn.Network([rn.Dense(classes)], (1,))
    options = {"sample_weight": weights, "verbose": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = net.fit(
            np.zeros((300, 1)), y, batch_size=300, epochs=4000, lr=2, **options
        )
    by_row = divergence.constant_losses(y, classes, weights)
    expected = by_row.mean() if weights is None else by_row @ weights / 300
    assert history.rows[-1].loss == pytest.approx(expected, rel=1e-5)


def test_chance_by_hand():
    even, rare = np.arange(10), np.array([0] * 19 + [1])
    assert divergence.is_chance(0.11, even)
    assert not divergence.is_chance(0.12, even)
    assert divergence.is_chance(0.95, rare)
    assert not divergence.is_chance(0.96, rare)
    assert not divergence.is_chance(0.5, np.zeros(4, np.int64))  # nothing to learn


def blobs(n=640, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return rng.normal(size=(classes, 6))[y] + rng.normal(size=(n, 6)) / 3, y


def fitted(x, y, *, outputs=4, loss="softmax_cross_entropy", **options):
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(outputs)], (6,), loss)
    net.fit(x, y, verbose=0, **options)
    return net


@pytest.mark.parametrize("validation_split", [0.0, 0.2])
@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 1000), ("adam", 3000)])
def test_divergence_warns(optimizer, lr, validation_split):
    x, _ = blobs()
    y = np.random.default_rng(1).integers(0, 4, 640)  # so that no accuracy is good
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(4)], (6,), optimizer=optimizer)
    with pytest.warns(UserWarning, match=r"training (diverges|has learned nothing)"):
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
    x, y = blobs()
    with pytest.warns(UserWarning, match="training diverges"):
        fitted(x, y % 2, outputs=1, loss="sigmoid_cross_entropy", lr=100, epochs=2)


def test_divergence_of_values_warns():
    x, y = blobs()
    with pytest.warns(UserWarning, match="training diverges"):
        fitted(x, y, outputs=1, loss="absolute_error", lr=1e5, clip_norm=1, epochs=2)


def test_a_collapsed_net_warns():
    """All units are dead: the outputs are the last biases for every row."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(size=(640, 6)), rng.integers(0, 4, 640)
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(4)], (6,))
    net.parameters["layers.0.weight"][:] = -1
    with pytest.warns(UserWarning, match=r"learned nothing: loss 1.*\(accuracy"):
        net.fit(x, y, lr=0.1, batch_size=16, epochs=3, verbose=0)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_a_collapsed_net_of_values_warns(loss):
    x, y = blobs()
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(1)], (6,), loss)
    net.parameters["layers.0.weight"][:] = 0
    net.parameters["layers.0.bias"][:] = -10
    with pytest.warns(UserWarning, match=r"training has learned nothing: (r2|mae)"):
        net.fit(x, y + 5, lr=1e-4, batch_size=16, epochs=3, verbose=0)


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
    is_far = target(1) not in (0, 1, -1)
    options = {"epochs": 3, "lr": 1e-8 if target(1) == 1e6 else 0.01, **options}
    if is_far:  # from a new net's outputs: these rates do not get there in 100 steps
        options["epochs"] = min(options["epochs"], 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(x, target(y), outputs=outputs, loss=loss, **options)


def test_rare_classes_and_weights_do_not_warn():
    x, y = blobs()
    y = np.where(np.arange(640) % 64 == 0, y, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(x, y, epochs=2)
        fitted(x, y, epochs=2, sample_weight=np.full(640, 50.0), lr=1e-4)
        fitted(x, y, epochs=2, class_weight="balanced", label_smoothing=0.3, lr=1e-3)


@pytest.mark.parametrize("label_smoothing", [0.1, 0.4])
def test_smoothed_losses_of_good_nets_do_not_warn(label_smoothing):
    """They are above the entropy of the labels when one class is rare."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2000, 6)), np.zeros(2000, int)
    y[::20] = 1
    x[::20, 0] += 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for outputs, loss in ((2, "softmax_cross_entropy"), (1, "sigmoid_cross_entropy")):
            net = rn.Network([rn.Dense(outputs)], (6,), loss, optimizer="adam")
            net.fit(x, y, epochs=10, lr=0.05, label_smoothing=label_smoothing, verbose=0)
            assert net.evaluate(x, y).accuracy > 0.99


def test_penalties_are_no_divergence():
    from rnn_native.sklearn import MLPClassifier, MLPRegressor

    x, y = blobs()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Stochastic Optimizer")
        fitted(x, y, lr=1e-5, l2=100.0)
        options = {"max_iter": 1, "alpha": 100.0, "learning_rate_init": 1e-6}
        for estimator in (MLPClassifier, MLPRegressor):
            estimator(hidden_layer_sizes=(300,), **options).fit(x, y)


def test_estimators_compare_losses_as_they_count_them():
    """Means over outputs, halves of squares, and weights that are divided by their sum."""
    from rnn_native.sklearn import MLPRegressor

    x, y = blobs()
    wide = np.repeat(y[:, None] - 1.5, 50, axis=1)
    weights = np.full(640, 1000.0)
    with pytest.warns(UserWarning, match="training diverges"):
        MLPRegressor(learning_rate_init=100.0, max_iter=2).fit(x, wide, weights)


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


def test_estimators_warn_too():
    from rnn_native.sklearn import MLPClassifier

    x, _ = blobs()
    y = np.random.default_rng(1).integers(0, 2, 640)
    with pytest.warns(UserWarning, match="training diverges"):
        MLPClassifier(max_iter=3, learning_rate_init=1e3, random_state=0).fit(x, y)


@pytest.mark.parametrize("share", [0.1, 0.03])
@pytest.mark.parametrize("validation_split", [0.0, 0.2])
def test_one_long_epoch_over_rare_classes_does_not_warn(share, validation_split):
    """Its mean loss is that of a net that was learning; the net it leaves is good."""
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=10_000) < share).astype(int)
    x = rng.normal(size=(10_000, 10)) + y[:, None]
    net = rn.Network([rn.Dense(32, "relu"), rn.Dense(2)], (10,), optimizer="adam")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(x, y, lr=0.001, validation_split=validation_split, verbose=0)


def test_large_inputs_of_a_net_that_learns_do_not_warn():
    x, y = blobs()
    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(4)], (6,), optimizer="adam")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(100 * x, y, epochs=3, verbose=0)


def test_a_resumed_run_with_a_penalty_does_not_warn(tmp_path):
    digits, labels = rn.datasets.synthetic_digits(400, seed=1)
    data = ((digits[:300], labels[:300]), (digits[300:], labels[300:]))
    options = {"l2": 3.0, "epochs": 2, "patience": None, "verbose": 0, "out": tmp_path}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rn.train_mlp(data, **options)
        rn.train_mlp(data, resume=True, **options)


@pytest.mark.parametrize("weight", [None, 1.0, 1000.0])
def test_weights_do_not_hide_that_inputs_are_far_from_a_scale_of_1(weight):
    """Several outputs, of whose squared errors the estimator reports half the mean."""
    from rnn_native.sklearn import MLPRegressor

    x, y = blobs()
    wide = np.repeat(y[:, None] - 1.5, 50, axis=1)
    weights = None if weight is None else np.full(640, weight)
    with pytest.warns(UserWarning, match="training diverges"):
        MLPRegressor(max_iter=1, learning_rate_init=1e-6, random_state=0).fit(
            20 * x, wide, weights
        )
