"""gradcheck: right gradients pass, wrong ones do not."""

import numpy as np
import pytest

import rnn_native as rn
import twins
from cases import CASES, arrays, native_arrays


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_gradients_of_nets_are_right(case):
    if case.rows < 2:
        pytest.skip("batchnorm wants two rows")
    if any(spec.get("truncate") for spec in case.specs):
        pytest.skip("a truncated gradient is not that of the loss")
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    net = rn.Network.as_saved(
        {"layers": case.specs, "input_shape": case.input_shape, "loss": case.loss}
    )
    net.weights[:] = twins.flatten_all(params)
    # A ReLU of exactly 0, as blank inputs give, has no slope to compare with.
    net.params[:] += np.random.default_rng(1).normal(0, 0.01, net.params.size)
    before = net.get_weights()
    assert rn.gradcheck(net, x32, y32) < 0.1  # small nets have kinks nearby
    assert net.weights.tobytes() == before.tobytes()
    assert net.input_dtype is None


@pytest.mark.parametrize("factor", [-1.0, 0.9, 1.1, 0.0])
def test_a_wrong_gradient_of_a_loss_is_found(factor):
    net = rn.Network([rn.Dense(8, "tanh"), rn.Dropout(0.5), rn.Dense(3)], (5,))
    x = np.random.default_rng(0).normal(size=(16, 5))

    def cubes(z):
        return float((np.abs(z) ** 3).sum()), factor * 3 * z * np.abs(z)

    assert rn.gradcheck(net, x, loss=cubes) > 0.05


def test_one_wrong_parameter_cannot_hide(monkeypatch):
    net = rn.Network([rn.Dense(50), rn.Dense(3)], (5,))
    x = np.random.default_rng(0).normal(size=(16, 5))
    monkeypatch.setattr(
        type(net), "parts_of", lambda self, flat: {**self._named(flat, is_state=False),
                                                   "layers.1.bias": np.zeros(3)},
    )  # fmt: skip
    assert rn.gradcheck(net, x, np.arange(16) % 3) > 0.1


def test_one_of_targets_and_loss_is_wanted():
    net = rn.Network([rn.Dense(3)], (5,))
    for options in ({}, {"y": [0], "loss": lambda z: (0.0, z)}):
        with pytest.raises(ValueError, match="expected one of y and loss"):
            rn.gradcheck(net, np.zeros((1, 5)), **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_right(bad):
    net = rn.Network([rn.Dense(8, "tanh"), rn.Dense(3)], (5,))
    x = np.random.default_rng(0).normal(size=(16, 5))
    assert (
        not rn.gradcheck(net, x, loss=lambda z: (float(z.sum()), np.full(z.shape, bad))) < 1
    )
    assert not rn.gradcheck(net, x, loss=lambda z: (bad, np.ones(z.shape))) < 1


def test_a_slope_that_rounding_hides_is_not_called_right():
    net = rn.Network([rn.Dense(8, "tanh"), rn.Dense(3)], (5,))
    x = np.random.default_rng(0).normal(size=(16, 5))
    assert np.isnan(
        rn.gradcheck(net, x, loss=lambda z: (1e9 + 0.5 * float((z**2).sum()), -z))
    )


def test_wrong_arguments_are_named():
    net = rn.Network([rn.Dense(1)], (5,))
    x = np.random.default_rng(0).normal(size=(16, 5))
    assert rn.gradcheck(net, x, loss=lambda z: (float(z.sum()), np.ones(16))) < 0.05
    for loss in (lambda z: z.sum(), lambda z: (None, z), lambda z: (0.0, np.ones(3))):
        with pytest.raises(TypeError, match="loss: expected a number and a gradient"):
            rn.gradcheck(net, x, loss=loss)
    with pytest.raises(TypeError, match="gradcheck: expected a Network, got str"):
        rn.gradcheck("net", x, np.zeros(16))
