"""Arrays of numbers from what users have: lists, frames, objects, masked arrays."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import as_float, check_unmasked
from rnn_native.base.text import brief
from rnn_native.net.compressed import is_sparse

CATEGORY_HINT = "; encode categories as numbers first, or use rn.TabularNet"


def as_array(values: ArrayLike, name: str, hint: str = CATEGORY_HINT) -> NDArray[Any]:
    """Return an array; objects that are numbers, as of mixed frames, become numbers.

    pandas' missing values become NaN, its sparse columns dense ones. A frame is uint8 if all
    of its columns are. `hint` is what to do with values that are not numbers.

    Raises
    ------
    ValueError
        If rows have different lengths, or a masked array has masked elements.
    TypeError
        If an object is not a number, and the message says where it is; or for a sparse matrix.
    """
    if type(values) is np.ndarray and values.dtype.kind != "O":
        return values
    if is_sparse(values):
        raise sparse_refusal(name)
    check_unmasked(name, values)
    dtype = common_dtype(values)
    if dtype is not None:
        pandas: Any = values
        has_gaps = bool(np.any(pandas.isna()))
        more = {"dtype": float, "na_value": np.nan} if has_gaps else {"dtype": dtype}
        array: NDArray[Any] = pandas.to_numpy(**more)
        return array
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of numbers: {error}") from None
    return (
        _numbers(array, name, hint) if array.dtype == object and array.ndim > 0 else array
    )


def sparse_refusal(name: str, under: str = "") -> TypeError:
    """Return the error for a sparse matrix where only an array will do."""
    return TypeError(
        f"{under}{name}: expected an array, got a sparse matrix; use {name}.toarray()"
    )


def common_dtype(values: object) -> "np.dtype[Any] | None":
    """Return the dtype for a pandas frame or series of numbers that NumPy makes objects of.

    None for all else, such as columns of strings, or of one plain NumPy dtype.
    """
    if not (hasattr(values, "to_numpy") and hasattr(values, "isna")):
        return None
    found: Any = getattr(values, "dtypes", None)
    dtypes = list(found) if getattr(values, "ndim", 0) == 2 else [found]
    if not dtypes or not all(getattr(d, "kind", "O") in "biuf" for d in dtypes):
        return None
    dtypes = [getattr(d, "subtype", d) for d in dtypes]  # of sparse columns
    plain = {np.dtype(f"{d.kind}{d.itemsize}") for d in dtypes}
    if len(plain) > 1:
        # Booleans beside bytes are numbers: neither is divided by 255.
        plain = {np.dtype(np.int16) if d.kind == "b" else d for d in plain}
    return np.result_type(*plain)


def _numbers(array: NDArray[Any], name: str, hint: str) -> NDArray[Any]:
    """Return objects as numbers, those that mean "missing" as NaN."""
    values = []
    for index, value in enumerate(array.ravel().tolist()):
        if value is None or type(value).__name__ in ("NAType", "NaTType"):
            value = math.nan
        elif not isinstance(value, (int, float, np.number, np.bool_)):
            where = _place(index, array)
            raise TypeError(
                f"{name}: expected numbers, got {brief(value)} at {where}{hint}"
            )
        values.append(value)
    numbers = np.array(values)
    if numbers.dtype == object:  # integers beyond 64 bits
        floats = (
            as_float(f"{name}{_place(i, array)}", value) for i, value in enumerate(values)
        )
        numbers = np.fromiter(floats, np.float64, len(values))
    return numbers.reshape(array.shape)


def _place(index: int, array: NDArray[Any]) -> str:
    """Return the indices of an element, of which a flat array has one: "[3, 0]"."""
    return f"[{', '.join(map(str, np.unravel_index(index, array.shape)))}]"
