"""Checks of arguments: what passes, and the one line that says what does not."""

import math

import numpy as np
import pytest

from rnn_native.base import checks


def test_numbers_of_numpy_are_numbers_and_booleans_are_none():
    assert checks.check_integer("n", np.int8(3), 0, 5) == 3
    assert type(checks.check_integer("n", np.uint8(3), 0)) is int
    assert checks.check_positive("t", np.float32(0.5)) == 0.5
    assert checks.check_extents("shape", [np.int64(2), 3], "integers") == (2, 3)
    for wrong in (True, np.True_, "3", None, 3.0):
        assert not checks.is_integer(wrong)


@pytest.mark.parametrize(
    ("check", "error", "message"),
    [
        (
            lambda: checks.check_number("lr", {"layers.0.weight": np.zeros((9, 90))}),
            TypeError,
            "lr: expected a number, got "
            "{'layers.0.weight': array([[0., 0., 0., 0., 0., 0., 0., 0., ...",
        ),
        (
            lambda: checks.check_integer("n", 1.0, 2),
            TypeError,
            "n: expected an integer of at least 2, got 1.0",
        ),
        (
            lambda: checks.check_integer("n", 1, 2),
            ValueError,
            "n: expected an integer of at least 2, got 1",
        ),
        (
            lambda: checks.check_integer("n", 9, 2, 8),
            ValueError,
            "n: expected an integer in 2..8, got 9",
        ),
        (
            lambda: checks.check_seed(-1),
            ValueError,
            "seed: expected a value in [0, 2**64), got -1",
        ),
        (
            lambda: checks.check_positive("t", math.inf),
            ValueError,
            "t: expected a finite number above 0, got inf",
        ),
        (
            lambda: checks.check_positive("t", None),
            TypeError,
            "t: expected a finite number above 0, got None",
        ),
        (
            lambda: checks.check_not_negative("d", None),
            TypeError,
            "d: expected a number of at least 0, got None",
        ),
        (
            lambda: checks.check_not_negative("d", math.nan),
            ValueError,
            "d: expected a number of at least 0, got nan",
        ),
        (
            lambda: checks.check_extents("shape", 3, "integers"),
            TypeError,
            "shape: expected integers, got 3",
        ),
        (
            lambda: checks.check_labels("y", np.array([0, 2, 3]), 2, "; count from 0"),
            ValueError,
            "y: expected labels in 0..1, got 2 at [1]; count from 0",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(check, error, message):
    with pytest.raises(error) as caught:
        check()
    assert str(caught.value) == message


def test_the_first_wrong_element_is_named():
    values = np.array([[0.5, 1.0], [np.nan, -1.0]])
    with pytest.raises(ValueError) as caught:
        checks.check_all("x", values, values >= 0, "numbers of at least 0", "; clip them")
    assert (
        str(caught.value)
        == "x: expected numbers of at least 0, got nan at [1, 0]; clip them"
    )
    checks.check_all("x", values[0], values[0] >= 0, "numbers of at least 0")
