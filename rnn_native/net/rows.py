"""Rows, targets and weights at the edge: users' arrays become what the core expects."""

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.base.checks import check_all, check_labels
from rnn_native.net.arrays import as_array
from rnn_native.net.compressed import INT32_MAX, CompressedRows, compress, is_sparse, sound
from rnn_native.net.indices import TableRows, as_indices
from rnn_native.net.losses import FLOAT32_MAX, LOSSES

Rows = NDArray[np.float32] | NDArray[np.uint8]
AnyRows = Rows | CompressedRows
Targets = NDArray[np.int32] | NDArray[np.float32]
Weights = NDArray[np.float32] | None

LABEL_HINT = (
    "; use classes, y = np.unique(y, return_inverse=True), or the classifiers of "
    "rnn_native.sklearn, which accept any labels"
)

_FLOAT32 = np.dtype(np.float32)

UNIT_RANGE = (-1e-6, 1 + 1e-6)  # of uint8 / 255; another library's division may round up
NO_FLOAT = (math.inf, -math.inf)  # the range in which no float lies


def as_rows(
    x: ArrayLike,
    input_shape: Sequence[int],
    input_dtype: str | None = None,
    *,
    name: str = "x",
    learns: bool = False,
    table_rows: TableRows = (),
) -> AnyRows:
    """Return samples as the core expects them.

    Parameters
    ----------
    x : array_like of shape (n, ...) as `input_shape`, or (n, inputs)
        uint8 stays uint8, and the core divides it by 255. Other numbers become float32. A
        sparse matrix of SciPy stays without its zeros.
    input_shape : sequence of int
        Shape of one sample.
    input_dtype : {"uint8", "float", None}
        What the net was fitted on; see `input_dtype_of`. None: not known.
    name : str
        What messages call `x`.
    learns : bool
        Whether the net is about to be fitted on these samples. Integers other than uint8 are
        numbers then; a net of which nothing is known refuses them otherwise, because they may
        be pixels that lack the division.
    table_rows : tuple of int
        Which numbers of a sample are indices, of any dtype; see `indices.TableRows`.

    Returns
    -------
    ndarray of shape (n, inputs), uint8 or float32, or CompressedRows
        C-contiguous and finite; the given memory where that fits.

    Raises
    ------
    ValueError
        If the shape does not fit, a value is not finite in float32, or the samples are not
        of the kind that the net was fitted on.
    TypeError
        If they are not numbers, or integers that are ambiguous.
    """
    size = math.prod(input_shape)
    low, high = float_range_of(input_dtype)
    if not table_rows and _is_plain_within(x, size, (low, high)):
        return x
    array: Any = x
    if type(x) is not np.ndarray or x.dtype == object:
        array = x if is_sparse(x) else as_array(x, name)
    count = math.prod(array.shape)
    if count == 0 or not takes_shape(array.shape, input_shape):
        expected = ", ".join(["n" if count else "n > 0", *map(str, input_shape)])
        hint = "; add an axis for a single sample: x[None]" if count == size else ""
        raise ValueError(f"{name}: expected shape ({expected}), got {array.shape}{hint}")
    if array.shape[0] > INT32_MAX:
        raise ValueError(
            f"{name}: expected at most {INT32_MAX} rows, got {array.shape[0]}; take parts of it"
        )
    if table_rows:
        dense = array if isinstance(array, np.ndarray) else sound(array, name).toarray()
        return as_indices(dense, table_rows, name).reshape(-1, size)
    if not isinstance(array, np.ndarray):
        compressed = compress(array, name)
        check_kind(compressed, input_dtype, name, learns=learns)
        return compressed
    rows = array.reshape(array.shape[0], size)
    is_float32 = array.dtype == np.float32 and rows.flags.c_contiguous
    if is_float32 and _core.all_within(rows, low, high):
        return rows
    check_kind(array, input_dtype, name, learns=learns)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(rows)
    return np.ascontiguousarray(as_finite_float32(array, name)).reshape(rows.shape)


def float_range_of(input_dtype: str | None) -> tuple[float, float]:
    """Return the range of floats that a net accepts which was fitted on this kind of input."""
    return UNIT_RANGE if input_dtype == "uint8" else (-FLOAT32_MAX, FLOAT32_MAX)


def _is_plain_within(
    values: object, columns: int, bounds: tuple[float, float]
) -> TypeGuard[NDArray[np.float32]]:
    """Whether the core accepts values unchanged, as it does most in a training loop."""
    return (
        type(values) is np.ndarray
        and values.dtype == _FLOAT32
        and values.ndim == 2
        and values.shape[1] == columns
        and values.size > 0
        and values.flags.c_contiguous
        and _core.all_within(values, *bounds)
    )


def check_kind(
    rows: NDArray[Any] | CompressedRows,
    input_dtype: str | None,
    name: str = "x",
    *,
    learns: bool = False,
    dtype: "np.dtype[Any] | None" = None,
) -> None:
    """Refuse samples that are not of the kind that a net was fitted on; see `as_rows`.

    `dtype` is that of the samples as they were given, if it is not that of `rows`: integers
    may be pixels.
    """
    if rows.dtype == np.uint8:
        if input_dtype == "float":
            raise ValueError(
                f"{name}: got uint8, but this net was fitted on floats or other integers; "
                "use x / 255 if those were divided by 255, otherwise x.astype(float)"
            )
        return
    values = rows.value if isinstance(rows, CompressedRows) else rows
    given = rows.dtype if dtype is None else dtype
    if input_dtype == "uint8":
        _check_unit_range(values, given, name)
    elif input_dtype is None and not learns:
        _refuse_ambiguous(values, given, name)


def input_dtype_of(rows: AnyRows) -> str:
    """Return what a net is fitted on that learns from these rows.

    Parameters
    ----------
    rows : ndarray
        As `as_rows` returns them.

    Returns
    -------
    {"uint8", "float"}
        "uint8" means values divided by 255; "float" means numbers as they are.
    """
    return "uint8" if rows.dtype == np.uint8 else "float"


def _check_unit_range(array: NDArray[Any], given: "np.dtype[Any]", name: str) -> None:
    """Refuse values outside 0..1, as a net sees uint8. NaN passes: it has its own message."""
    if given.kind not in "iuf":
        return
    low, high = array.min(), array.max()
    if given.kind == "f" and not (low < UNIT_RANGE[0] or high > UNIT_RANGE[1]):
        return
    hint = ""
    if low >= 0 and high <= 255:
        # Of integers 0 and 1 uint8 would make 0 and 1 / 255.
        hint = f"; use x.astype({'float' if high <= 1 else repr('uint8')})"
    raise ValueError(
        f"{name}: this net was fitted on uint8 (0..255, divided by 255); expected uint8 or "
        f"floats in 0..1, got {given} in {low:.8g}..{high:.8g}{hint}"
    )


def _refuse_ambiguous(array: NDArray[Any], given: "np.dtype[Any]", name: str) -> None:
    """Refuse integers that may be pixels. 0 and 1 are flags."""
    if given.kind in "iu" and not 0 <= array.min() <= array.max() <= 1:
        raise TypeError(
            f"{name}: {given} values beyond 0 and 1 are ambiguous; convert "
            "images with .astype('uint8'), other numbers with .astype('float32')"
        )


def takes_shape(shape: Sequence[int], input_shape: Sequence[int]) -> bool:
    """Whether samples may come so: flat, or as input_shape, axes of 1 aside."""
    size = math.prod(input_shape)
    if len(shape) == 2:
        return shape[1] == size
    flat = len(input_shape) == 1 and math.prod(shape[1:]) == size
    return len(shape) > 2 and (
        flat or [d for d in shape[1:] if d != 1] == [d for d in input_shape if d != 1]
    )


def as_targets(y: ArrayLike, n: int, loss: str, outputs: int, name: str = "y") -> Targets:
    """Return what the loss wants: int32 labels (n,) or float32 values (n, outputs)."""
    allowed = LOSSES[loss].targets
    if allowed is not None and _is_plain_within(y, outputs, allowed) and len(y) == n:
        return y
    array = as_array(y, name, LABEL_HINT)
    if array.dtype.kind in "SUT":
        raise TypeError(f"{name}: expected numbers, got strings{LABEL_HINT}")
    if allowed is not None:
        if array.ndim == 1 and outputs == 1:
            array = array[:, None]
        if array.shape != (n, outputs):
            raise ValueError(f"{name}: expected shape ({n}, {outputs}), got {array.shape}")
        if array.dtype.kind in "iu":
            array = array.astype(np.float64)
        values = np.ascontiguousarray(as_finite_float32(array, name))
        _check_range(values, name, *allowed)
        return values
    if outputs > 1 and array.shape == (n, outputs):
        array = _one_hot_labels(array, name)
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.shape != (n,):
        raise ValueError(f"{name}: expected {n} labels, shape ({n},), got {array.shape}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        first = int(np.argmax(np.isnan(array)))
        raise ValueError(
            f"{name}: expected integer labels, got a missing value (NaN) at [{first}]; leave "
            "such rows out"
        )
    if array.dtype.kind not in "biu":
        whole = array.dtype.kind == "f" and bool((array == np.floor(array)).all())
        hint = "; use y.astype(int)" if whole else ""
        raise TypeError(f"{name}: expected integer labels, got {array.dtype}{hint}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= outputs:
        check_labels(name, array, outputs, _range_hint(low, high, outputs))
    return np.ascontiguousarray(array, dtype=np.int32)


def _range_hint(low: int, high: int, outputs: int) -> str:
    """Say what to do about labels that go beyond a net's outputs."""
    if outputs == 1:
        two = "loss='sigmoid_cross_entropy', or " if (low, high) == (0, 1) else ""
        return f"; one output is one class: use {two}{high + 1} units in the last layer"
    if low >= 1 and high == outputs:
        return "; labels count from 0: use y - 1"
    return ""


def _one_hot_labels(array: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Return the class of each row of zeros and one 1, as Keras' to_categorical makes them."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected integer labels, got {array.dtype}")
    is_hot = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
    if not is_hot.all():
        row = int(np.argmin(is_hot))
        raise ValueError(
            f"{name}: expected labels, or rows of zeros and one 1 (one-hot), got another row at "
            f"[{row}]"
        )
    labels: NDArray[np.int64] = array.argmax(axis=1)
    return labels


def validation_parts(
    given: object,
) -> tuple[ArrayLike, ArrayLike, ArrayLike | None] | None:
    """Return x, y and weights of the rows to validate on; None without validation.

    Raises
    ------
    TypeError, ValueError
        If `given` is not (x, y) or (x, y, weights).
    """
    if given is None:
        return None
    expected = "validation_data: expected (x, y) or (x, y, weights)"
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"{expected}, got {type(given).__name__}")
    if len(given) not in (2, 3):
        raise ValueError(f"{expected}, got a {type(given).__name__} of length {len(given)}")
    x, y, weights = (*given, None)[:3]
    return x, y, weights


def _check_range(values: NDArray[np.float32], name: str, low: float, high: float) -> None:
    if _core.all_within(values, low, high):
        return
    row, column = np.unravel_index(
        int(np.argmax((values < low) | (values > high))), values.shape
    )
    above = f"in [{low:g}, {high:g}]" if high <= 1 else f"of at least {low:g}"
    raise ValueError(
        f"{name}: expected values {above}, got {values[row, column]:g} at [{row}, {column}]"
    )


def as_finite_float32(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return numbers as float32; TypeError or ValueError if that is impossible, or not finite."""
    bounds = (-FLOAT32_MAX, FLOAT32_MAX)
    if array.ndim == 2 and _is_plain_within(array, array.shape[1], bounds):
        return array
    if array.dtype.kind in "biu":
        return array.astype(np.float32)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: expected uint8 or a float type, got {array.dtype}")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    # Written so that NaN fails too; no temporary array in the usual case.
    if array.size and not (array.min() >= -FLOAT32_MAX and array.max() <= FLOAT32_MAX):
        check_all(name, array, np.abs(array) <= FLOAT32_MAX, "finite float32 values")
    return array.astype(np.float32, copy=False)
