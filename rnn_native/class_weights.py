"""Weights of classes: what multiplies the losses of each class' rows in training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.rows import Targets, as_array

ClassWeights = str | Mapping[int, float] | Sequence[float] | NDArray[Any]
"""What users may give; see `plain_class_weight`."""

BALANCED = "balanced"


def plain_class_weight(given: object) -> str | dict[int, float] | list[float] | None:
    """Return weights of classes as plain data, which equal data of JSON compare with.

    Parameters
    ----------
    given : "balanced", mapping of int to float, sequence of float, ndarray, or None
        Keys of a mapping are classes; a class that it does not name has the weight 1. A
        sequence has a weight for each class.

    Raises
    ------
    ValueError, TypeError
        If it is none of these, or a weight is not a finite number of at least 0.
    """
    if given is None or (isinstance(given, str) and given == BALANCED):
        return given
    if isinstance(given, Mapping):
        return {_class(key): _weight(value) for key, value in given.items()}
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


def row_weights_of_classes(given: object, y: Targets, outputs: int) -> NDArray[np.float64]:
    """Return the weight of each row, by its class.

    Parameters
    ----------
    given : as for `plain_class_weight`
        "balanced" is n / (classes that are there * rows of the class).
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
                    f"class_weight: expected classes in 0..{classes - 1}, got {label}"
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


def _class(key: object) -> int:
    if isinstance(key, str) and key.isdecimal():  # keys of JSON
        return int(key)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and key >= 0:
        return int(key)
    raise ValueError(
        f"class_weight: expected classes, integers from 0, as keys, got {key!r}"
    )


def _weight(value: Any) -> float:
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        weight = float(value)
        if 0 <= weight < math.inf:
            return weight
    raise ValueError(f"class_weight: expected finite weights of at least 0, got {value!r}")
