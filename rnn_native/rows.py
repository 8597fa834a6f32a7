"""Rows, targets and weights at the edge: what users give becomes what the core takes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native import _core
from rnn_native.losses import FLOAT32_MAX, LOSSES

Rows = NDArray[np.float32] | NDArray[np.uint8]
Targets = NDArray[np.int32] | NDArray[np.float32]


def as_rows(x: ArrayLike, input_shape: Sequence[int]) -> Rows:
    """Return samples as (n, inputs), uint8 or float32, C-contiguous and finite."""
    array = np.asarray(x)
    size = math.prod(input_shape)
    if array.size == 0 or not takes_shape(array.shape, input_shape):
        expected = ", ".join(map(str, input_shape))
        hint = "; add an axis for a single sample: x[None]" if array.size == size else ""
        raise ValueError(f"x: expected shape (n, {expected}), got {array.shape}{hint}")
    rows = array.reshape(array.shape[0], size)
    if array.dtype == np.float32 and rows.flags.c_contiguous and _core.all_finite(rows):
        return rows
    if array.dtype != np.uint8:
        array = _as_finite_float32(array, "x")
    return np.ascontiguousarray(array).reshape(array.shape[0], size)


def takes_shape(shape: Sequence[int], input_shape: Sequence[int]) -> bool:
    """Whether samples may come so: flat, or as input_shape, axes of 1 aside."""
    size = math.prod(input_shape)
    if len(shape) == 2:
        return shape[1] == size
    flat = len(input_shape) == 1 and math.prod(shape[1:]) == size
    return len(shape) > 2 and (
        flat or [d for d in shape[1:] if d != 1] == [d for d in input_shape if d != 1]
    )


def as_targets(y: ArrayLike, n: int, loss: str, outputs: int) -> Targets:
    """Return what the loss wants: int32 labels (n,) or float32 values (n, outputs)."""
    array = np.asarray(y)
    allowed = LOSSES[loss].targets
    if allowed is not None:
        if array.ndim == 1 and outputs == 1:
            array = array[:, None]
        if array.shape != (n, outputs):
            raise ValueError(f"y: expected shape ({n}, {outputs}), got {array.shape}")
        if array.dtype.kind in "iu":
            array = array.astype(np.float64)
        values = np.ascontiguousarray(_as_finite_float32(array, "y"))
        _check_range(values, *allowed)
        return values
    if outputs > 1 and array.shape == (n, outputs):
        array = _one_hot_labels(array)
    if array.shape != (n,):
        raise ValueError(f"y: expected {n} labels, shape ({n},), got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"y: expected integer labels, got {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= outputs:
        first = int(np.argmax((array < 0) | (array >= outputs)))
        raise ValueError(
            f"y: expected labels in 0..{outputs - 1}, got {array[first]} at [{first}]"
        )
    return np.ascontiguousarray(array, dtype=np.int32)


def _one_hot_labels(array: NDArray[Any]) -> NDArray[np.int64]:
    """Return the class of each row of zeros and one 1, as Keras' to_categorical makes them."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"y: expected integer labels, got {array.dtype}")
    is_hot = ((array == 0) | (array == 1)).all(axis=1) & (array.sum(axis=1) == 1)
    if not is_hot.all():
        row = int(np.argmin(is_hot))
        raise ValueError(
            "y: expected labels, or rows of zeros and one 1 (one-hot), got another row at "
            f"[{row}]"
        )
    labels: NDArray[np.int64] = array.argmax(axis=1)
    return labels


def as_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float32] | None:
    """Return row weights as float32 (n,), checked."""
    if weights is None:
        return None
    array = np.asarray(weights)
    if array.shape != (n,) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"sample_weight: expected {n} numbers, got {array.dtype} of shape {array.shape}"
        )
    if not (array.min() >= 0 and array.max() <= FLOAT32_MAX):
        raise ValueError("sample_weight: expected finite weights of at least 0")
    return np.ascontiguousarray(array, np.float32)


def _check_range(values: NDArray[np.float32], low: float, high: float) -> None:
    if values.min() >= low and values.max() <= high:
        return
    row, column = np.unravel_index(
        int(np.argmax((values < low) | (values > high))), values.shape
    )
    above = f"in [{low:g}, {high:g}]" if high <= 1 else f"of at least {low:g}"
    raise ValueError(
        f"y: expected values {above}, got {values[row, column]:g} at [{row}, {column}]"
    )


def _as_finite_float32(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    if array.dtype.kind in "biu":
        # 0 and 1 are flags. Other integers may be pixels that still need dividing.
        if array.dtype.kind != "b" and not 0 <= array.min() <= array.max() <= 1:
            raise TypeError(
                f"{name}: {array.dtype} values beyond 0 and 1 are ambiguous; convert "
                "images with .astype('uint8'), other numbers with .astype('float32')"
            )
        return array.astype(np.float32)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: expected uint8 or a float type, got {array.dtype}")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    # Written so that NaN fails too; no temporary array in the usual case.
    if not (array.min() >= -FLOAT32_MAX and array.max() <= FLOAT32_MAX):
        where = np.unravel_index(int(np.argmin(np.abs(array) <= FLOAT32_MAX)), array.shape)
        index = ", ".join(map(str, where))
        raise ValueError(
            f"{name}: expected finite float32 values, got {array[where]} at [{index}]"
        )
    return array.astype(np.float32, copy=False)
