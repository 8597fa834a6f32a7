"""Batchnorm above a convolution, and the activation above that: in inference they are part of
the convolution, to what rounding changes.
"""

import numpy as np
import pytest

import twins
from cases import (
    SQUARES,
    Case,
    activation,
    arrays,
    batchnorm,
    conv1d,
    conv2d,
    flatten,
    native,
)

BELOW = {
    "in pixels": (conv2d(16, 3, padding=1), (5, 9, 9)),
    "in planes": (conv2d(3, 3), (2, 11, 11)),
    "in groups": (conv2d(16, 3, groups=16), (16, 8, 8)),
    "of a signal": (conv1d(20, 5, stride=2), (3, 60)),
    "with more weights than outputs": (conv2d(32, 3), (32, 4, 4)),
    "not linear": (conv2d(16, 3, activation="tanh"), (3, 8, 8)),
}
ABOVE = {
    "nothing": [],
    "relu": [activation("relu")],
    "leaky relu": [activation("leaky_relu", alpha=0.2)],
    "of its input": [activation("gelu")],
    "two": [activation("tanh"), activation("relu")],
}


@pytest.mark.parametrize("above", ABOVE)
@pytest.mark.parametrize("below", BELOW)
def test_predictions_are_those_of_the_twin(below, above, level):
    layer, shape = BELOW[below]
    case = Case("folded", [layer, batchnorm(), *ABOVE[above], flatten()], shape, SQUARES, 3)
    x, _, params = arrays(case)
    x = x.astype(np.float32)
    expected = twins.forward(case.layers, params, x.astype(np.float64))[0].reshape(3, -1)
    net = native(case, params)
    got = net.predict(x.reshape(3, -1))
    assert np.abs(got - expected).max() <= 1e-6 * np.abs(expected).max()
    for row in range(3):
        alone = net.predict(x[[row]].reshape(1, -1))
        assert alone.tobytes() == got[[row]].tobytes()


def test_parameters_and_statistics_that_change_are_folded_again(level):
    layer, shape = BELOW["in pixels"]
    case = Case(
        "folded", [layer, batchnorm(), activation("relu"), flatten()], shape, SQUARES, 3
    )
    x = arrays(case)[0].reshape(3, -1).astype(np.float32)
    net = native(case, arrays(case)[2])
    net.predict(x)
    net.weights[:] = native(case, arrays(case, seed=1)[2]).weights
    fresh = native(case, arrays(case, seed=1)[2])
    assert net.predict(x).tobytes() == fresh.predict(x).tobytes()
