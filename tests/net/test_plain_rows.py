"""Predictions of plain float32 rows go straight to the core: same bits, same refusals."""

import sys

import numpy as np
import pytest

import rnn_native as rn

HIGHEST = float(np.finfo(np.float32).max)


@pytest.fixture
def net():
    return rn.Network(
        [rn.Conv2D(2, 3, activation="tanh"), rn.Flatten(), rn.Dense(3)], (2, 5, 4)
    )


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(6, 2, 5, 4)).astype(np.float32)


def plain(net, x, low=-HIGHEST, high=HIGHEST):
    return net.native.predict_plain(x, low, high)


def test_it_gives_what_predict_gives(net, x):
    expected = net.native.predict(x.reshape(6, 40))
    for rows in (x, x.reshape(6, 40)):
        assert plain(net, rows).tobytes() == expected.tobytes()
        assert net.predict_proba(rows).tobytes() == expected.tobytes()
    assert plain(net, x[2:3]).tobytes() == expected[2:3].tobytes()


def test_a_range_ends_with_its_bounds(net, x):
    low, high = float(x.min()), float(x.max())
    assert plain(net, x, low, high) is not None
    assert plain(net, x, low, np.nextafter(np.float32(high), np.float32(0))) is None
    assert plain(net, x, np.nextafter(np.float32(low), np.float32(0)), high) is None


class Marked(np.ndarray):
    pass


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.tolist(),
        lambda x: None,
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.uint8),
        lambda x: x.astype(">f4"),
        lambda x: x[:0],
        lambda x: x[0],
        lambda x: x[::2],
        lambda x: np.asfortranarray(x),
        lambda x: x.reshape(6, 2, 20),
        lambda x: x.reshape(6, 4, 5, 2),
        lambda x: x.reshape(6, 1, 2, 5, 4),
        lambda x: x.reshape(12, 20),
        lambda x: x.ravel(),
        lambda x: x.view(Marked),
        lambda x: np.ma.masked_greater(x, 1),
        lambda x: np.where(x > 1, np.nan, x),
        lambda x: np.where(x > 1, np.inf, x),
        lambda x: (
            np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:]
            .view(np.float32)
            .reshape(x.shape)
        ),
    ],
)
def test_all_else_is_left_to_the_longer_way(net, x, change):
    assert plain(net, change(x)) is None


def test_long_work_may_take_several_threads(net, x):
    assert plain(net, np.repeat(x, 2_000, axis=0)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(net, x, value):
    x[3, 1, 2, 2] = value
    for call in (net, net.predict, net.predict_proba):
        with pytest.raises(ValueError, match="x: expected finite float32 values"):
            call(x)


def test_more_rows_than_the_core_counts_are_refused(net):
    rows = np.broadcast_to(np.uint8(1), (2**31, 2, 5, 4))
    for call in (net, net.predict, net.predict_proba):
        with pytest.raises(
            ValueError, match="x: expected at most 2147483647 rows, got 21474"
        ):
            call(rows)


def test_a_net_fitted_on_bytes_refuses_other_numbers(net, x):
    net.input_dtype = "uint8"
    unit = np.abs(x) / np.abs(x).max()
    assert net(unit).shape == (6, 3)
    with pytest.raises(ValueError, match="this net was fitted on uint8"):
        net(x)
    net.input_dtype = None
    assert net(x).shape == (6, 3)


def test_a_warning_that_is_due_is_given_once(net, x):
    net.take_input_dtype({}, "old.safetensors")
    with pytest.warns(UserWarning, match="^old.safetensors: does not have the dtype"):
        first = net.predict_proba(x)
    assert net.predict_proba(x).tobytes() == first.tobytes()


def test_an_argument_takes_the_longer_way_to_the_same_bits(net, x):
    expected = net(x).tobytes()
    assert net.predict_proba(x, threads=2).tobytes() == expected
    assert net.predict_proba(x, batch_size=2).tobytes() == expected
    with pytest.raises(ValueError, match="batch_size: "):
        net.predict_proba(x, batch_size=0)
    with pytest.raises(ValueError, match="threads: "):
        net.predict_proba(x, threads=0)


@pytest.mark.parametrize(
    ("loss", "outputs", "shape"), [("mse", 3, (6, 3)), ("mse", 1, (6,))]
)
def test_values_are_answers_as_they_are(x, loss, outputs, shape):
    net = rn.Network([rn.Flatten(), rn.Dense(outputs)], (2, 5, 4), loss)
    answers = net.predict(x)
    assert answers.shape == shape
    assert answers.tobytes() == net.predict_proba(x).tobytes()


def test_bad_calls_of_the_core(net, x):
    with pytest.raises(TypeError, match="predict_plain: expected 3 arguments, got 1"):
        net.native.predict_plain(x)
    with pytest.raises(TypeError, match="must be real number"):
        net.native.predict_plain(x, "low", 1.0)


def test_references_are_balanced(net, x):
    bad = np.where(x > 1, np.nan, x)
    objects = [net.native, x, bad]
    before = [sys.getrefcount(one) for one in objects]
    for _ in range(50):
        plain(net, x)
        plain(net, bad)
        with pytest.raises(TypeError):
            net.native.predict_plain(x, None, 1.0)
    assert [sys.getrefcount(one) for one in objects] == before
