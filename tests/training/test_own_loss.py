"""A function in place of the net's loss."""

import numpy as np
import pytest

import rnn_native as rn

X = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
LABELS = np.random.default_rng(2).integers(0, 3, 50)
VALUES = np.random.default_rng(3).normal(size=(50, 3)).astype(np.float32)
WEIGHTS = np.random.default_rng(4).uniform(0, 2, 50)
LAYERS = [rn.Dense(12, "tanh"), rn.Dropout(0.3), rn.Dense(3)]


def squared(outputs, targets):
    """The net's own, whose gradient is that of half of it."""
    error = outputs.astype(np.float64) - targets
    return (error**2).sum(axis=1), error


def network(loss="mse", layers=LAYERS, optimizer="adam"):
    return rn.Network(layers, (6,), loss, optimizer=optimizer)


def fit(net, y, epochs=2, **options):
    given = {"batch_size": 16, "lr": 0.01, "verbose": 0, **options}
    return net.fit(X, y, epochs=epochs, **given).history


CASES = {
    "plain": {},
    "weighted, validated": {"sample_weight": WEIGHTS, "validation_split": 0.3},
    "accumulated": {"batch_size": 6, "accumulate": 3},
    "rates": {"schedule": rn.schedules.OneCycle(0.02, 2), "clip_norm": 0.1},
    "parts": {"steps_per_epoch": 3, "shuffle": False},
}


@pytest.mark.parametrize("case", CASES)
def test_the_nets_own_loss_as_a_function_trains_the_same(case):
    own, native = network(), network()
    found = fit(own, VALUES, loss=squared, **CASES[case])
    expected = fit(native, VALUES, **CASES[case])
    for name in expected.keys() - {"time"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(own.weights, native.weights, atol=2e-5)
    assert own.steps_done == native.steps_done


@pytest.mark.parametrize(("loss", "y"), [("cross_entropy", LABELS), ("bce", VALUES > 0)])
def test_a_focal_loss_without_focus_is_the_cross_entropy(loss, y):
    own, native = network(loss), network(loss)
    found = fit(own, y, loss=rn.losses.Focal(0.0), validation_split=0.2)
    expected = fit(native, y, validation_split=0.2)
    for name in expected.keys() - {"time"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, err_msg=name)


def test_calls_continue_and_threads_and_hooks_change_no_bit():
    class Batches(rn.Callback):
        def on_train_batch_end(self, batch, logs):
            pass

    at_once, in_parts = network(), network()
    fit(at_once, VALUES, 3, loss=squared)
    fit(in_parts, VALUES, 1, loss=squared, threads=3)
    fit(in_parts, VALUES, 2, loss=squared, callbacks=Batches())
    assert in_parts.weights.tobytes() == at_once.weights.tobytes()
    assert in_parts.moments.tobytes() == at_once.moments.tobytes()


# ---- the losses of the package ----


def close_gradient(function, outputs, targets):
    """By central differences, element by element."""
    _, gradient = function(outputs, targets)
    for at in np.ndindex(outputs.shape):
        moved = [outputs.copy() for _ in range(2)]
        moved[0][at] += 1e-5
        moved[1][at] -= 1e-5
        more, less = (function(o, targets)[0].sum() for o in moved)
        assert gradient[at] == pytest.approx((more - less) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_losses(gamma):
    outputs = np.random.default_rng(5).normal(size=(7, 3)) * 3
    focal = rn.losses.Focal(gamma)
    close_gradient(focal, outputs, LABELS[:7])
    close_gradient(focal, outputs, np.abs(np.tanh(VALUES[:7])))
    # p = 1/2 of a yes, and 1/3 of a class.
    assert focal(np.zeros((1, 1)), np.ones((1, 1)))[0] == pytest.approx(
        [np.log(2) / 2**gamma]
    )
    assert focal(np.zeros((1, 3)), np.array([1]))[0] == pytest.approx(
        [np.log(3) * (2 / 3) ** gamma]
    )
    # What is certain and right costs nothing, without a warning.
    losses, gradient = focal(np.array([[900.0, 0, -900]]), np.array([0]))
    assert losses[0] == 0
    assert not gradient.any()


def test_quantile_losses():
    outputs = VALUES[:9] + np.random.default_rng(6).normal(size=(9, 3))
    for q in (0.1, [0.1, 0.5, 0.9]):
        close_gradient(rn.losses.Quantile(q), outputs, VALUES[:9])
    losses, gradient = rn.losses.Quantile(0.9)(np.zeros((3, 1)), np.array([[2], [-2], [0]]))
    np.testing.assert_allclose(losses, [1.8, 0.2, 0])
    np.testing.assert_allclose(gradient, [[-0.9], [0.1], [0]])


# ---- what is refused ----


def returns(result):
    return lambda outputs, targets: result


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"loss": "mse"},
            TypeError,
            "loss: expected a function .* got 'mse'; a loss by name",
        ),
        (
            {"loss": rn.losses.Focal},
            TypeError,
            r"got the class Focal; make one of it: Focal\(",
        ),
        (
            {"loss": rn.losses.Focal()},
            ValueError,
            "loss: Focal expects labels, or targets in",
        ),
        (
            {"loss": returns((np.ones(16), np.full((16, 3), "a")))},
            TypeError,
            "loss: expected its gradient to be numbers, got <U1",
        ),
        (
            {"loss": returns((np.ones(16) * 1j, np.ones((16, 3))))},
            TypeError,
            "loss: expected its loss to be numbers, got complex128",
        ),
        (
            {"loss": returns((np.ones(16), np.full((16, 3), 1e300)))},
            rn.TrainingDiverged,
            "the gradient is not finite at epoch 1",
        ),
        (
            {"loss": returns((np.ones(16), [[1.0], [2.0, 3.0]]))},
            ValueError,
            "loss: its gradient: expected an array of numbers",
        ),
        ({"loss": returns(3.0)}, TypeError, r"to return \(losses, gradient\), got 3.0"),
        (
            {"loss": returns((1.0, np.ones((16, 3))))},
            ValueError,
            r"loss: expected a loss of each row, of shape \(16,\), got \(\)",
        ),
        (
            {"loss": returns((np.ones(16), np.ones(16)))},
            ValueError,
            r"loss: expected a gradient of shape \(16, 3\), as the outputs, got \(16,\)",
        ),
        ({"loss": squared, "l2": 0.1}, ValueError, "l2: expected none with a function"),
        ({"loss": squared, "ema_decay": 0.9}, ValueError, "ema_decay: expected none with"),
        ({"loss": squared, "swa_start": 0}, ValueError, "swa_start: expected none with"),
        (
            {"loss": rn.losses.Quantile([0.1, 0.9])},
            ValueError,
            "q: expected a level for all",
        ),
        (
            {"loss": returns((np.ones(16), np.full((16, 3), np.nan)))},
            rn.TrainingDiverged,
            r"the gradient is not finite at epoch 1, batch 1 \(learning rate 0.01\)",
        ),
    ],
)
def test_what_is_refused_changes_nothing(options, error, message):
    net = network()
    before = net.weights.tobytes(), net.training_state.as_dict()
    with pytest.raises(error, match=message) as caught:
        fit(net, VALUES, **options)
    assert "\n" not in str(caught.value)
    assert (net.weights.tobytes(), net.training_state.as_dict()) == before


def test_batches_and_sparse_rows_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    net = network()
    with pytest.raises(
        ValueError, match="loss: a function needs arrays x and y, got batch"
    ):
        net.fit([(X, VALUES)], loss=squared, verbose=0)
    with pytest.raises(TypeError, match="loss: x: expected an array, got a sparse matrix"):
        net.fit(sparse.csr_matrix(X), VALUES, loss=squared, verbose=0)


def test_bad_levels_and_exponents():
    for q in (0, 1, -0.1, [0.5, 2]):
        with pytest.raises(ValueError, match="^q: expected"):
            rn.losses.Quantile(q)
    with pytest.raises(ValueError, match="^q: expected at least one"):
        rn.losses.Quantile([])
    for q, text in (np.array(0.5), r"array\(0.5\)"), ([0.1, [0.2]], r"\[0.2\]"):
        with pytest.raises(TypeError, match=f"^q: expected a number, got {text}"):
            rn.losses.Quantile(q)
    with pytest.raises(ValueError, match="^gamma: expected"):
        rn.losses.Focal(-1)
