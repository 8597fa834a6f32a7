"""Checks of arguments: what was expected, and what was found, in one line."""

import math
from numbers import Real
from typing import TypeGuard

import numpy as np


def plain_number(value: object) -> object:
    """Return a number or boolean of NumPy as Python's, anything else as it is."""
    return value.item() if isinstance(value, (np.number, np.bool_)) else value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a real number, Python's or NumPy's; booleans are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_count(name: str, value: object, least: int = 0) -> int:
    """Return an integer in [least, 2**31), or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
    if value >= 2**31:
        raise ValueError(f"{name}: expected an integer in [{least}, 2**31), got {value}")
    return int(value)


def check_number(name: str, value: object) -> float:
    """Return a number, or raise TypeError."""
    if not is_number(value):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    return float(value)


def check_range(name: str, value: object, low: float, high: float) -> float:
    """Return a number in [low, high), or raise TypeError or ValueError."""
    number = check_number(name, value)
    if not low <= number < high:
        raise ValueError(f"{name}: expected a value in [{low:g}, {high:g}), got {number:g}")
    return number


def check_not_negative(name: str, value: object) -> float:
    """Return a finite number of at least 0, or raise TypeError or ValueError."""
    number = check_number(name, value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{name}: expected a number of at least 0, got {value!r}")
    return number
