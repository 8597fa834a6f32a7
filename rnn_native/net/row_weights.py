"""Factors of the losses of rows, as users pass them."""

import numpy as np
from numpy.typing import ArrayLike

from rnn_native.base.checks import check_all
from rnn_native.net.arrays import as_array
from rnn_native.net.losses import FLOAT32_MAX
from rnn_native.net.rows import Weights


def as_weights(
    weights: ArrayLike | None, n: int, name: str = "sample_weight", *, signed: bool = False
) -> Weights:
    """Return row weights as float32 (n,), finite, and not all of them 0.

    They may come as (n,) or (n, 1), of any type of numbers, bool included. Unless `signed`
    they must be at least 0.
    """
    if weights is None:
        return None
    array = as_array(weights, name)
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.shape != (n,) or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name}: expected {n} numbers, got {array.dtype} of shape {array.shape}"
        )
    least, bound = (-FLOAT32_MAX, "") if signed else (0, " of at least 0")
    is_good = (array >= least) & (array <= FLOAT32_MAX)
    check_all(name, array, is_good, f"finite weights{bound}")
    rows = np.ascontiguousarray(array, np.float32)
    if not rows.any():
        wanted = "other than" if signed else "above"
        raise ValueError(
            f"{name}: expected a weight {wanted} 0, got {n} that are 0 in float32"
        )
    return rows
