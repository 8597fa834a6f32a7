"""The oracle itself: central differences of every parameter, in float64."""

import numpy as np
import pytest

import reference
from cases import CASES, arrays

STEP = 1e-5


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_match_central_differences(case, rng):
    x, y, params = arrays(case)
    # A random weight for each row makes the check see errors that a plain sum hides.
    cotangent = rng.uniform(0.5, 2, case.rows)
    half = 0.5 if case.loss == "squared_error" else 1.0

    def loss(flat):
        out, _ = reference.forward(case.layers, reference.unflatten(flat, params), x)
        return half * (cotangent * reference.LOSSES[case.loss](out, y)[0]).sum()

    out, caches = reference.forward(case.layers, params, x)
    dout = reference.LOSSES[case.loss](out, y)[1] * cotangent[:, None]
    grads = []
    for spec, p, cache in reversed(list(zip(case.layers, params, caches, strict=True))):
        dout, layer_grads = reference.LAYERS[spec["type"]][1](spec, p, cache, dout)
        grads.append(layer_grads)
    analytic = reference.flatten(grads[::-1])

    flat = reference.flatten(params)
    probes = rng.permutation(flat.size)[:400]  # all of them, save for the largest nets
    numeric = np.empty(len(probes))
    for k, i in enumerate(probes):
        up, down = flat.copy(), flat.copy()
        up[i] += STEP
        down[i] -= STEP
        numeric[k] = (loss(up) - loss(down)) / (2 * STEP)
    error = np.linalg.norm(numeric - analytic[probes])
    assert error <= 1e-7 * (np.linalg.norm(numeric) + np.linalg.norm(analytic[probes]))


def test_softmax_of_equal_and_of_huge_logits():
    np.testing.assert_allclose(reference.softmax(np.ones((1, 3))), 1 / 3)
    np.testing.assert_allclose(
        reference.softmax(np.array([[1000.0, 1001, 1002]])).sum(), 1, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("name", "z", "value"),
    [
        ("sigmoid", 2, 0.8807971),
        ("sigmoid", -2, 0.1192029),
        ("gelu", 1, 0.841192),
        ("gelu", -1, -0.158808),
        ("leaky_relu", -2, -0.02),
        ("elu", -1, np.exp(-1) - 1),
    ],
)
def test_golden_activation_values(name, z, value):
    alpha = reference.DEFAULT_ALPHA.get(name, 0)
    f = reference.ACTIVATIONS[name][0]
    assert f(np.array([float(z)]), alpha)[0] == pytest.approx(value, abs=1e-6)
