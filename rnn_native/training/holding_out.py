"""Rows to train on, and rows held out."""

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_flag, check_range
from rnn_native.net.compressed import CompressedRows
from rnn_native.net.rows import Weights

if TYPE_CHECKING:
    from rnn_native.net.rows import AnyRows, Targets


UNLIKELY = 0.05
"""Probability below which it is not chance that all rows held out are of one class."""


class Split(NamedTuple):
    """Rows to train on and rows held out (None without validation).

    Parameters
    ----------
    x : ndarray of shape (n, inputs)
        Rows to train on.
    y : ndarray of shape (n,) or (n, outputs)
        Their targets.
    val_x : ndarray of shape (k, inputs), or None
        Rows held out.
    val_y : ndarray of shape (k,) or (k, outputs), or None
        Their targets.
    weights : ndarray of shape (n,), float32, or None
        What multiplies the rows' losses.
    val_weights : ndarray of shape (k,), float32, or None
        The same of the rows held out.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = np.zeros((10, 3), np.float32), np.arange(10, dtype=np.int32) % 2
    >>> rn.training.split(x, y, 0.2).val_y
    array([0, 1], dtype=int32)
    """

    x: "AnyRows"
    y: "Targets"
    val_x: "AnyRows | None" = None
    val_y: "Targets | None" = None
    weights: Weights = None  # of the rows to train on
    val_weights: Weights = None  # of the rows held out


def split(
    x: "AnyRows",
    y: "Targets",
    fraction: float,
    stratify: bool = False,
    weights: Weights = None,
) -> Split:
    """Hold out the last floor(n * fraction) rows, or the last rows of each class.

    Parameters
    ----------
    x : ndarray of shape (n, inputs)
        All rows.
    y : ndarray of shape (n,) or (n, outputs)
        Labels are needed for `stratify`.
    fraction : float in [0, 1)
        As in the reference system the product is rounded to float32 first.
    stratify : bool
        Take the last floor(n_c * fraction) rows of each class c; order is kept.
    weights : ndarray of shape (n,), float32, optional
        What multiplies the rows' losses, in training and in validation.

    Returns
    -------
    Split
        Views of `x` and `y`, or copies with `stratify`.

    Raises
    ------
    ValueError
        If nothing would be left to train on or held out, the rows held out all have the
        weight 0, or `stratify` has no labels.

    Warns
    -----
    UserWarning
        If a class is among the rows that are held out and not among those to train on, or
        those held out are all of one class where that is not chance.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = np.zeros((10, 3), np.float32), np.arange(10, dtype=np.int32) % 2
    >>> parts = rn.training.split(x, y, 0.2, stratify=True)
    >>> parts.x.shape, parts.val_x.shape
    ((8, 3), (2, 3))
    """
    check_range("validation_split", fraction, 0, 1)
    labels = classes_of(y)
    strata = [np.arange(len(x))]
    if check_flag("stratify", stratify):
        if labels is None:
            raise ValueError("stratify: expected class labels, got values")
        strata = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    is_held = np.zeros(len(x), dtype=bool)
    for rows in strata:
        is_held[rows[len(rows) - _held_out_count(len(rows), fraction) :]] = True
    if fraction == 0:
        return Split(x, y, weights=weights)
    if not is_held.any():
        of_each = " of each class" if stratify else ""
        raise ValueError(
            f"validation_split: {fraction} of {len(x)} rows{of_each} is less than one row; use a "
            "larger fraction, or 0 for no validation"
        )
    if is_held.all():
        raise ValueError(
            f"validation_split: {fraction} of {len(x)} rows leaves no rows to train on; use a "
            "smaller fraction"
        )
    if labels is not None:
        _warn_of_classes_held_out(labels, is_held, stratify)
    n = len(x) - np.count_nonzero(is_held)
    # Slices when the held-out rows are the last: no copy of the images.
    train, held = (~is_held, is_held) if stratify else (slice(0, n), slice(n, None))
    parts = Split(x[train], y[train], x[held], y[held])
    if weights is None:
        return parts
    if not weights[held].any():
        raise ValueError(
            f"sample_weight: the {len(x) - n} rows that validation_split holds out all have "
            "the weight 0; shuffle the rows, use stratify=True, or give validation_data"
        )
    return parts._replace(weights=weights[train], val_weights=weights[held])


def digest_of(data: Split) -> str:
    """Return a digest of the rows and targets to train on."""
    import hashlib

    x, digest = data.x, hashlib.sha256()
    for part in (*(x.parts() if isinstance(x, CompressedRows) else [x]), data.y):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def classes_of(y: "Targets") -> NDArray[Any] | None:
    """Return the class of each row: labels, or the zeros and ones of a single output."""
    if y.ndim == 1:
        return y
    is_flag = y.shape[1] == 1 and bool(((y == 0) | (y == 1)).all())
    return y[:, 0].astype(np.int32) if is_flag else None


def _warn_of_classes_held_out(
    labels: NDArray[Any], is_held: NDArray[np.bool_], stratify: bool
) -> None:
    """Warn of classes that the net is judged by and never sees, or by which alone it is.

    So it is when rows are sorted. A few rows may be of one class by chance.
    """
    held, trained = np.unique(labels[is_held]), np.unique(labels[~is_held])
    only, n = np.setdiff1d(held, trained), np.count_nonzero(is_held)
    if only.size:
        several = "classes" if only.size > 1 else "class"
        fact = (
            f"all rows of {several} {', '.join(map(str, only))} are held out and none is left "
            "to train on"
        )
    elif (
        not stratify
        and held.size == 1 < trained.size
        and np.mean(labels == held[0]) ** n < UNLIKELY
    ):
        fact = f"the {n} rows held out are all of class {held[0]}"
    else:
        return
    warnings.warn(
        f"validation_split: {fact}; are the rows sorted? Shuffle them, or use stratify=True",
        stacklevel=4,
    )


def _held_out_count(n: int, fraction: float) -> int:
    return int(np.float32(n) * np.float32(fraction))
