"""Weights of classes: what multiplies the losses of each class' rows in training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import is_number
from rnn_native.base.text import brief
from rnn_native.net.arrays import as_array
from rnn_native.net.losses import FLOAT32_MAX
from rnn_native.net.rows import Targets, Weights

ClassWeights = str | Mapping[int, float] | Sequence[float] | NDArray[Any]
"""The types that users may pass; see `plain_class_weight`. A pandas Series is a mapping."""

BALANCED = "balanced"


def plain_class_weight(given: object) -> str | dict[int, float] | list[float] | None:
    """Return weights of classes as plain data, which equal data of JSON compare with.

    Parameters
    ----------
    given : "balanced", mapping of int to float, sequence of float, ndarray, or None
        Keys of a mapping, and the index of a pandas Series, are classes; a class that it
        does not name has the weight 1. A sequence has a weight for each class.

    Raises
    ------
    ValueError, TypeError
        If it is not one of these, a class is named twice, or a weight is not a number of at
        least 0 that is finite in float32.
    """
    if given is None or (isinstance(given, str) and given == BALANCED):
        return given
    pairs = named_weights(given)
    if pairs is not None:
        return _by_class([(_class(key), _weight(value)) for key, value in pairs])
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise ValueError(
            f"class_weight: expected 'balanced', a dict, or a list or array of weights, got "
            f"{given!r}"
        )
    values = as_array(given, "class_weight")  # type: ignore[arg-type]
    if values.ndim != 1:
        raise ValueError(
            f"class_weight: expected one weight for each class, got shape {values.shape}"
        )
    return [_weight(value) for value in values.tolist()]


def named_weights(given: Any) -> list[tuple[Any, Any]] | None:
    """Return the pairs of a mapping or a pandas Series; None for all else."""
    is_named = hasattr(given, "items") and getattr(given, "ndim", 1) == 1
    return list(given.items()) if is_named else None


def times(one: Weights, other: NDArray[Any] | None) -> Weights:
    """Return the product of row weights, either of which may be None for ones.

    Raises
    ------
    ValueError
        If a product is not finite in float32.
    """
    if one is None or other is None:
        return one if other is None else np.ascontiguousarray(other, dtype=np.float32)
    with np.errstate(over="ignore"):
        product: NDArray[np.float32] = (one * other).astype(np.float32)
    if not np.isfinite(product).all():
        row = int(np.argmin(np.isfinite(product)))
        raise ValueError(
            "class_weight times sample_weight: expected a finite float32, got "
            f"{other[row]:g} * {one[row]:g} at [{row}]; use smaller weights"
        )
    return product


def row_weights_of_classes(given: object, y: Targets, outputs: int) -> NDArray[np.float64]:
    """Return the weight of each row, by its class.

    Parameters
    ----------
    given : as for `plain_class_weight`
        "balanced" is n / (classes present * rows of the class).
    y : ndarray
        Labels of shape (n,), int32; or of a net with one sigmoid output, zeros and ones of
        shape (n, 1).
    outputs : int
        Of the net.

    Returns
    -------
    ndarray of shape (n,), float64

    Raises
    ------
    ValueError
        If rows have no class, or the number of weights is not that of classes.
    """
    labels, classes = _labels(y, outputs)
    plain = plain_class_weight(given)
    if plain == BALANCED:
        counts = np.bincount(labels, minlength=classes)
        by_class = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    elif isinstance(plain, dict):
        by_class = np.ones(classes)
        for label, weight in plain.items():
            if label >= classes:
                raise ValueError(
                    f"class_weight: expected classes in 0..{classes - 1}, got {brief(label)}"
                )
            by_class[label] = weight
    else:
        by_class = np.asarray(plain, np.float64)
        if len(by_class) != classes:
            raise ValueError(
                f"class_weight: expected {classes} weights, one for each class, got "
                f"{len(by_class)}"
            )
    weights: NDArray[np.float64] = by_class[labels]
    return weights


def _labels(y: Targets, outputs: int) -> tuple[NDArray[Any], int]:
    """Return the class of each row, and how many classes there are."""
    if y.ndim == 1:
        return y, outputs
    if outputs > 1:
        raise ValueError(
            f"class_weight: expected class labels, or one output with targets 0 and 1, got "
            f"values of {outputs} outputs; use sample_weight"
        )
    labels = y[:, 0].astype(np.int32)
    if not ((y[:, 0] == labels) & (labels >= 0) & (labels <= 1)).all():
        raise ValueError(
            "class_weight: expected class labels, or targets 0 and 1, got other values; use "
            "sample_weight"
        )
    return labels, 2


def _by_class(pairs: list[tuple[int, float]]) -> dict[int, float]:
    """Return weights by class; refuse a class that is named twice, as by 1 and True."""
    weights: dict[int, float] = {}
    for label, weight in pairs:
        if label in weights:
            raise ValueError(
                f"class_weight: expected each class once, got {label} {weights[label]:g} and "
                f"{weight:g}"
            )
        weights[label] = weight
    return weights


def _class(key: Any) -> int:
    if isinstance(key, str) and key.isdecimal():  # keys of JSON
        return int(key)
    # Labels of other types name the same classes: flags, and floats of a frame with gaps.
    is_label = isinstance(key, (int, float, np.integer, np.floating, np.bool_))
    if is_label and 0 <= key < math.inf and key == int(key):
        return int(key)
    raise ValueError(
        f"class_weight: expected classes, integers from 0, as keys, got {brief(key)}"
    )


def _weight(value: Any) -> float:
    if is_number(value) and 0 <= value <= FLOAT32_MAX:
        return float(value)
    raise ValueError(
        f"class_weight: expected finite weights of at least 0, got {brief(value)}"
    )
