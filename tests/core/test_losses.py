"""The losses of values, against hand-worked numbers."""

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from loss_twins import LOSSES as TWINS
from loss_twins import OUTPUTS, TARGETS
from rnn_native.net.losses import LOSSES


def identity(loss):
    """A net whose outputs are its inputs."""
    net = rn.Network([rn.Dense(2)], (2,), loss)
    net.parameters["layers.0.weight"][:] = np.eye(2)
    return net


@pytest.mark.parametrize("loss", [name for name, twin in TWINS.items() if twin.by_hand])
def test_loss_and_gradient_are_those_of_the_definition(loss, level):
    net = identity(loss)
    total, by_output = TWINS[loss].by_hand
    summed, grads = net.native.gradients(OUTPUTS, TARGETS)
    assert summed == pytest.approx(total, rel=1e-6)
    # Those of the bias are the mean over the rows.
    np.testing.assert_allclose(grads[-2:], np.mean(by_output, axis=0), rtol=1e-6)
    assert net.evaluate(OUTPUTS, TARGETS)[0] == pytest.approx(total / 3, rel=1e-6)


@pytest.mark.parametrize(
    "loss", [name for name, r in LOSSES.items() if not r.tells_classes]
)
def test_the_best_constant_is_what_the_row_says(loss):
    targets = np.array([[0], [0], [0], [5], [9]], np.float32)
    net = rn.Network([rn.Dense(1)], (1,), loss)
    net.weights[:] = 0
    tried = np.linspace(0.1, 9, 90)
    found = []
    for answer in np.log(tried) if LOSSES[loss].function == "exp" else tried:
        net.parameters["layers.0.bias"][:] = answer
        found.append(net.evaluate(np.zeros((5, 1)), targets).loss)
    best = tried[int(np.argmin(found))]
    nearest = (
        "mean" if abs(best - targets.mean()) < abs(best - np.median(targets)) else "median"
    )
    assert nearest == LOSSES[loss].best_constant, best


@pytest.mark.parametrize("loss", ["mae", "huber"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_outliers_move_the_robust_losses_little(loss, optimizer, rng):
    """The line 2 x + 1 is found though a tenth of the targets is far off."""
    x = rng.uniform(-1, 1, (400, 1)).astype(np.float32)
    y = 2 * x[:, 0] + 1
    y[::10] += 50
    net = rn.Network([rn.Dense(1)], (1,), loss, optimizer=optimizer)
    net.fit(x, y, epochs=120, lr=0.05 if optimizer == "sgd" else 0.02, verbose=0)
    w, b = (float(p.item()) for p in net.parameters.values())
    assert abs(w - 2) < 0.3
    assert abs(b - 1) < 0.3


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_values_that_are_not_finite_are_no_zero_gradients(loss):
    net = identity(loss)
    net.params[:] = np.nan
    _, grads = net.native.gradients(OUTPUTS, TARGETS)
    assert np.isnan(grads).all()


def test_the_core_names_its_losses():
    with pytest.raises(ValueError, match="squared_error, absolute_error, huber, poisson"):
        _core.Net([{"type": "dense", "units": 1}], (1,), "mae")


@pytest.mark.parametrize("clip", [0.0, 0.3])
@pytest.mark.parametrize(("loss", "factor"), [("mse", 2 / 3), ("mae", 1 / 3)])
def test_rates_and_norms_of_losses_that_others_average(loss, factor, clip, rng):
    """migrating.md: theirs times 2 / outputs or 1 / outputs, norms divided by it."""
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    net = rn.Network([rn.Dense(3)], (4,), loss)
    weight, bias = (np.float64(p) for p in net.parameters.values())
    net.fit(x, y, batch_size=20, lr=0.1 * factor, clip_norm=clip / factor, verbose=0)
    errors = x @ weight + bias - y
    by_output = 2 * errors / 60 if loss == "mse" else np.sign(errors) / 60
    grads = [x.T @ by_output, by_output.sum(axis=0)]
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    shrunk = min(1, clip / norm) if clip else 1
    for found, before, grad in zip(
        net.parameters.values(), (weight, bias), grads, strict=True
    ):
        np.testing.assert_allclose(
            found, before - 0.1 * shrunk * grad, rtol=1e-4, atol=1e-6
        )
