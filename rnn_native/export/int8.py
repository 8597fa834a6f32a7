"""Weights as int8: a scale for each output, symmetric around zero."""

from copy import copy

import numpy as np
from numpy.typing import NDArray

from rnn_native.export.steps import by_output, is_matrix, steps_of
from rnn_native.models.network import Network

GREATEST = 127


def quantised(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a matrix to int8.

    Parameters
    ----------
    rows : ndarray of float32 of shape (outputs, ...)

    Returns
    -------
    values : ndarray of int8 of the same shape
        In [-127, 127].
    scales : ndarray of float32 of shape (outputs,)
        values[i] * scales[i] is nearest to rows[i]; the greatest of a row is met.
    """
    flat = rows.reshape(len(rows), -1)
    scales = (np.abs(flat).max(axis=1) / np.float32(GREATEST)).astype(np.float32)
    # A row of zeros, or of numbers too small for a scale, becomes zeros.
    divisors = np.where(scales > 0, scales, np.inf)[:, None]
    values = np.clip(np.rint(flat / divisors), -GREATEST, GREATEST)
    return values.astype(np.int8).reshape(rows.shape), scales


def rounded_to_int8(model: Network) -> Network:
    """Return a network that computes what the int8 C file of `to_c` computes.

    Parameters
    ----------
    model : Network
        Is left as it is.

    Returns
    -------
    Network
        The same layers; every weight matrix went to int8 and back. Tables of embedding
        layers, which multiply nothing, are as they were.

    Raises
    ------
    TypeError
        If `model` is not a Network.
    ValueError
        If a weight is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3)], input_shape=(4,))
    >>> x = np.ones((1, 4))
    >>> near = rn.export.rounded_to_int8(net).predict_proba(x)
    >>> bool(np.allclose(near, net.predict_proba(x), atol=0.01))
    True
    """
    result = copy(model)
    for step in steps_of(result):
        for name, array in step.arrays.items():
            if is_matrix(name, array) and step.type != "embedding":
                rows = by_output(array)
                values, scales = quantised(rows)
                rows[:] = values * scales.reshape(-1, *[1] * (rows.ndim - 1))
    return result
