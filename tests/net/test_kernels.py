"""rn.kernels: each layer by itself against its float64 twin, forward and backward."""

import inspect

import numpy as np
import pytest

import twins
from cases import PLAIN, arrays
from rnn_native import kernels, layers

CLASSES = layers.BY_TYPE


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_each_layer_of_a_case_matches_its_twin(case, rng):
    x, _, params = arrays(case)
    for spec, layer_params in zip(case.layers, params, strict=True):
        out, caches = twins.forward([spec], [layer_params], x, twins.training_mode())
        dout = rng.normal(size=out.shape)
        dx, (dparams,) = twins.backward([spec], [layer_params], caches, dout)
        known = kernels.SIZES.get(spec["type"], {})
        options = {k: v for k, v in spec.items() if k != "type" and k not in known}
        statistics = kernels.STATISTICS.get(spec["type"], ())
        values = [*layer_params.values(), *(layer_params.state[s] for s in statistics)]
        given = [value.astype(np.float32) for value in values]
        forward = getattr(kernels, spec["type"] + "_forward")
        backward = getattr(kernels, spec["type"] + "_backward")
        x32, dout32 = x.astype(np.float32), dout.astype(np.float32)
        if not layer_params.state or spec["type"] in ("batchnorm", "normalization"):
            assert_close(forward(x32, *given, **options), out)
        got_dx, *got = backward(dout32, x32, *given, **options)
        assert_close(got_dx, dx)
        for name, value in zip(layer_params, got, strict=True):
            assert_close(value, dparams[name])
        x = out


def test_every_layer_has_its_pair():
    names = {name for name, _ in inspect.getmembers(kernels, callable)}
    for layer_type in CLASSES:
        assert {f"{layer_type}_forward", f"{layer_type}_backward"} <= names


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x, w: kernels.dense_forward(x, w),
            TypeError,
            "dense: expected parameters weight, b",
        ),
        (
            lambda x, w: kernels.dense_forward(x),
            ValueError,
            "expected the weight as first parameter, got",
        ),
        (lambda x, w: kernels.dense_forward(x, w, w), ValueError, "bias: expected shape"),
        (
            lambda x, w: kernels.dense_forward(x.astype(float), w, w[0]),
            TypeError,
            "x: expected",
        ),
        (
            lambda x, w: kernels.dense_backward(x, x, w, w[0]),
            ValueError,
            "dout: expected shape",
        ),
    ],
)
def test_wrong_calls_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((4, 3), np.float32), np.ones((3, 2), np.float32))


def assert_close(got, expected):
    assert got.shape == expected.shape
    error = np.linalg.norm(got - expected)
    assert error <= 2e-5 * np.linalg.norm(expected) + 1e-5
