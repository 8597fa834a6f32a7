"""Checks of arguments: the expected and the actual value, in one line."""

import math
import operator
from collections.abc import Mapping
from numbers import Real
from typing import Any, SupportsFloat, TypeGuard

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.text import brief

# ---- what a value is ----


def plain_number(value: object) -> object:
    """Return a number or boolean of NumPy as Python's, anything else as it is."""
    return value.item() if isinstance(value, (np.number, np.bool_)) else value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a real number, Python's or NumPy's; booleans are not."""
    # The usual types come first: the abstract one needs more time.
    return isinstance(value, (float, int, Real)) and not isinstance(value, bool)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, Python's or NumPy's; booleans are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Return a dict or the like, or raise TypeError."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a dict, got {brief(value)}")
    return value


def check_flag(name: str, value: object) -> bool:
    """Return True or False, Python's or NumPy's, or raise TypeError."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected True or False, got {brief(value)}")
    return bool(value)


def check_verbose(value: Any) -> Any:
    """Return a value that says how much is printed, or raise ValueError."""
    if np.ndim(value) > 0 or value not in ("auto", 0, 1, 2):
        raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {brief(value)}")
    return value


# ---- integers ----


def check_count(name: str, value: object, least: int = 0) -> int:
    """Return an integer in [least, 2**31), or raise ValueError."""
    if not is_integer(value) or value < least:
        raise ValueError(
            f"{name}: expected an integer of at least {least}, got {brief(value)}"
        )
    if value >= 2**31:
        raise ValueError(
            f"{name}: expected an integer in [{least}, 2**31), got {brief(value)}"
        )
    return int(value)


def check_integer(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return an integer in least..most, or raise TypeError or ValueError."""
    bounds = f"of at least {least}" if most is None else f"in {least}..{most}"
    expected = f"{name}: expected an integer {bounds}, got {brief(value)}"
    if not is_integer(value):
        raise TypeError(expected)
    if value < least or (most is not None and value > most):
        raise ValueError(expected)
    return int(value)


def check_seed(seed: object) -> int:
    """Return a seed as an int in [0, 2**64), or raise TypeError or ValueError."""
    if not is_integer(seed):
        raise TypeError(f"seed: expected an integer, got {brief(seed)}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected a value in [0, 2**64), got {brief(seed)}")
    return int(seed)


def check_extents(name: str, given: Any, expected: str) -> tuple[int, ...]:
    """Return a shape as a tuple of integers, or raise TypeError that says `expected`.

    Or ValueError for one of 2**31 or more.
    """
    try:
        extents = tuple(operator.index(extent) for extent in given)
    except TypeError:
        raise TypeError(f"{name}: expected {expected}, got {brief(given)}") from None
    if large := [extent for extent in extents if extent >= 2**31]:
        raise ValueError(f"{name}: expected integers below 2**31, got {brief(large[0])}")
    return extents


# ---- numbers ----


def check_number(name: str, value: object) -> float:
    """Return a number, or raise TypeError; ValueError for an integer beyond float64."""
    if not is_number(value):
        raise TypeError(f"{name}: expected a number, got {brief(value)}")
    return as_float(name, value)


def as_float(name: str, value: SupportsFloat) -> float:
    """Return a number as a float, or raise ValueError for an integer beyond float64."""
    try:
        return float(value)
    except OverflowError:
        raise ValueError(
            f"{name}: expected a number below 1.8e308, got {brief(value)}"
        ) from None


def check_range(name: str, value: object, low: float, high: float) -> float:
    """Return a number in [low, high), or raise TypeError or ValueError."""
    number = check_number(name, value)
    if not low <= number < high:
        raise ValueError(f"{name}: expected a value in [{low:g}, {high:g}), got {number:g}")
    return number


def check_not_negative(name: str, value: object) -> float:
    """Return a finite number of at least 0, or raise TypeError or ValueError."""
    expected = f"{name}: expected a number of at least 0, got {brief(value)}"
    if not is_number(value):
        raise TypeError(expected)
    if not 0 <= value < math.inf:
        raise ValueError(expected)
    return as_float(name, value)


def check_positive(name: str, value: object) -> float:
    """Return a finite number above 0, or raise TypeError or ValueError."""
    expected = f"{name}: expected a finite number above 0, got {brief(value)}"
    if not is_number(value):
        raise TypeError(expected)
    if not 0 < value < math.inf:
        raise ValueError(expected)
    return as_float(name, value)


# ---- elements of arrays ----


def check_all(
    name: str,
    values: NDArray[Any],
    is_good: NDArray[np.bool_],
    expected: str,
    hint: str = "",
) -> None:
    """Raise ValueError that names the first element that is not good, if there is one."""
    if not is_good.all():
        first = np.unravel_index(int(np.argmin(is_good)), values.shape)
        where = ", ".join(map(str, first))
        raise ValueError(
            f"{name}: expected {expected}, got {values[first]} at [{where}]{hint}"
        )


def check_labels(name: str, labels: NDArray[Any], classes: int, hint: str = "") -> None:
    """Raise ValueError unless integers are all in 0..classes-1."""
    is_class = (labels >= 0) & (labels < classes)
    check_all(name, labels, is_class, f"labels in 0..{classes - 1}", hint)


def check_unmasked(name: str, values: object) -> None:
    """Refuse a masked array with masked elements: what is under the mask means nothing."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        count = int(np.count_nonzero(np.ma.getmaskarray(values)))
        raise ValueError(f"{name}: expected no masked values, got {count}; fill them first")
