"""Rows, weights and validation rows, checked by scikit-learn and made what the core expects."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_array, validate_data

from rnn_native.base.checks import check_unmasked
from rnn_native.net.arrays import common_dtype
from rnn_native.net.compressed import compress, sound
from rnn_native.net.rows import AnyRows, Targets

Indices = NDArray[np.intp]
Weights = NDArray[np.float32] | None

LEAST_NORMAL = float(np.finfo(np.float32).tiny)


class Part(NamedTuple):
    """Rows to train on, or to validate on."""

    rows: AnyRows
    targets: Targets
    weights: Weights = None

    def at(self, indices: Indices) -> "Part":
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[indices]
        return Part(self.rows[indices], self.targets[indices], weights)


def as_plain_frame(x: Any) -> Any:
    """Return a pandas frame with the one dtype that `arrays.as_array` chooses, all else as is.

    scikit-learn would make floats of nullable uint8, and bytes of booleans beside bytes. Missing
    values are NaN, which it refuses; a frame of sparse columns of one type other than uint8
    stays sparse.
    """
    dtype = common_dtype(x)
    if dtype is None or x.ndim != 2:
        return x
    first, *others = set(x.dtypes)
    if not others and (first == dtype or (hasattr(first, "subtype") and dtype != np.uint8)):
        return x
    return x.astype(float if x.isna().any(axis=None) else dtype)


def dtype_of(x: Any) -> "np.dtype[Any] | None":
    """Return the dtype of rows as they were given, None if it is not one of numbers."""
    dtype = common_dtype(x)
    found = getattr(x, "dtype", None) if dtype is None else dtype
    return found if isinstance(found, np.dtype) and found.kind in "biuf" else None


def check_all_unmasked(**given: Any) -> None:
    """Refuse masked arrays, of which scikit-learn's checks take the values under the mask."""
    for name, values in given.items():
        check_unmasked(name, values)


def same_as(name: str) -> str:
    """Say what targets that are not learned from must agree with."""
    return "as in the first fit" if name == "y" else "as y"


def _unwarned() -> np.errstate:
    """Let what does not fit float32 become infinite, which scikit-learn's checks refuse."""
    return np.errstate(over="ignore", invalid="ignore")


def read_rows(
    estimator: Any, x: Any, *, dtype: Any = np.float32, reset: bool, **more: Any
) -> Any:
    """Check rows, with targets `y` in `more` if there are any, and return them.

    Parameters
    ----------
    estimator : estimator
        Learns the number and names of features when `reset` is true, else knows them.
    x : array_like or sparse matrix of shape (n, features)
    dtype : dtype or list of dtype
        What rows are returned as: the first one unless they are of another one.
    reset : bool
    **more
        See scikit-learn's `validate_data`.

    Returns
    -------
    ndarray or CompressedRows of shape (n, features), or with `y` a tuple of it and the targets
        C-contiguous; the user's own memory where that fits. A sparse matrix stays without
        its zeros.

    Raises
    ------
    ValueError, TypeError
        scikit-learn's; also for values that are infinite in float32.
    """
    if issparse(x):
        x = sound(x, "X")
    with _unwarned():
        found = validate_data(
            estimator, as_plain_frame(x), accept_sparse=("csr", "csc"), dtype=dtype, order="C",
            reset=reset, **more,
        )  # fmt: skip
    rows, *targets = found if isinstance(found, tuple) else (found,)
    if issparse(rows):
        rows = compress(rows, "X")
    return (rows, *targets) if targets else rows


def as_float32(values: Any, name: str) -> NDArray[np.float32]:
    """Return finite numbers as float32, with scikit-learn's message where one is too large."""
    with _unwarned():
        result: NDArray[np.float32] = check_array(
            values, dtype=np.float32, order="C", ensure_2d=False, input_name=name
        )
    return result


def read_weights(sample_weight: Any, rows: AnyRows) -> NDArray[np.float32]:
    """Return row weights as float32 of shape (n,), finite and at least 0."""
    with _unwarned():
        weights = _check_sample_weight(
            sample_weight, rows, dtype=np.float32, ensure_non_negative=True
        )
    return np.ascontiguousarray(weights, dtype=np.float32)


def check_not_tiny(weights: Weights, name: str) -> None:
    """Refuse weights none of which is a normal float32: a batch is divided by their sum."""
    greatest = 0.0 if weights is None else float(weights.max(initial=0.0))
    if 0 < greatest < LEAST_NORMAL:
        raise ValueError(
            f"{name}: expected a weight of at least {LEAST_NORMAL:.2g}, the smallest normal "
            f"number of float32, got at most {greatest:.2g}; multiply all by the same number"
        )


def hold_out(
    n: int,
    fraction: float,
    labels: NDArray[Any] | None,
    random_state: np.random.RandomState,
) -> tuple[Indices, Indices]:
    """Return the rows to train on and the rows to validate on.

    Parameters
    ----------
    n : int
        Number of rows.
    fraction : float
        Of the rows to validate on.
    labels : ndarray of shape (n,) or None
        Classes whose proportions both parts keep. With three classes or more, where they
        cannot, there is a warning; scikit-learn does not try. With two it is an error, as
        there.
    random_state : RandomState

    Raises
    ------
    ValueError
        Such as for fewer than two rows to validate on; has scikit-learn's reason.
    """
    try:
        return _divide(n, fraction, labels, random_state)
    except ValueError as error:
        raise ValueError(
            f"validation_fraction: {fraction:g} of {n} rows cannot be held out; choose "
            f"another fraction, or give fit X_val and y_val ({error})"
        ) from None


def _divide(
    n: int,
    fraction: float,
    labels: NDArray[Any] | None,
    random_state: np.random.RandomState,
) -> tuple[Indices, Indices]:
    options = {"test_size": fraction, "random_state": random_state}
    fault = None
    try:
        train, held = train_test_split(np.arange(n), stratify=labels, **options)
    except ValueError as error:
        if labels is None or len(np.unique(labels)) <= 2:
            raise
        fault = error
        train, held = train_test_split(np.arange(n), **options)
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size "
            "of your dataset."
        )
    if fault is not None:
        warnings.warn(
            f"validation_fraction: {len(held)} of {n} rows are held out, not stratified: "
            f"{fault}",
            stacklevel=6,
        )
    return train, held
