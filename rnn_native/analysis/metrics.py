"""Quality of predicted labels: the confusion matrix, and scores that are computed from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_integer, check_labels

__all__ = [
    "Report",
    "accuracy",
    "classification_report",
    "confusion_matrix",
    "format_confusion_matrix",
    "precision_recall_f1",
    "wilson_interval",
]

Counts: TypeAlias = NDArray[np.int64]
Scores: TypeAlias = NDArray[np.float64]

MAX_CLASSES = 4096
# Of the normal distribution 95 % lies within this many standard deviations.
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Scores of a set of predictions; `str` returns a table.

    Attributes
    ----------
    confusion : ndarray of shape (classes, classes), int64
        Rows are true labels, columns predicted ones.
    precision, recall, f1 : ndarray of shape (classes,), float64
        0 where there is nothing to divide by.
    support : ndarray of shape (classes,), int64
        Rows of each true class.
    accuracy : float
        A fraction in [0, 1].

    Examples
    --------
    >>> import rnn_native as rn
    >>> found = rn.metrics.classification_report([0, 0, 1], [0, 1, 1])
    >>> print(str(found)[:53])
    class            precision    recall        f1      r
    """

    confusion: Counts
    precision: Scores
    recall: Scores
    f1: Scores
    support: Counts
    accuracy: float

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        classes = {
            str(label): {
                "precision": float(self.precision[label]),
                "recall": float(self.recall[label]),
                "f1": float(self.f1[label]),
                "support": int(self.support[label]),
            }
            for label in range(len(self.support))
        }
        return {
            "accuracy": self.accuracy,
            "support": int(self.support.sum()),
            "classes": classes,
            "macro_average": self._average(None),
            "weighted_average": self._average(self.support),
            "confusion_matrix": self.confusion.tolist(),
        }

    def _average(self, weights: Counts | None) -> dict[str, float]:
        return {
            name: float(np.average(getattr(self, name), weights=weights))
            for name in ("precision", "recall", "f1")
        }

    def table(self, names: Sequence[str] | None = None) -> str:
        """Return a line of scores for each class, the averages, and the accuracy.

        Parameters
        ----------
        names : sequence of str, optional
            Of the classes, instead of their numbers.
        """
        total = int(self.support.sum())
        classes = [str(i) for i in range(len(self.support))] if names is None else names
        width = max(16, *(len(name) + 1 for name in classes))
        head = f"{'precision':>10}{'recall':>10}{'f1':>10}{'rows':>10}"
        lines = [f"{'class':<{width}}{head}"]
        for label, name in enumerate(classes):
            scores = [self.precision[label], self.recall[label], self.f1[label]]
            lines.append(_line(name, width, scores, int(self.support[label])))
        for name, weights in (("macro", None), ("weighted", self.support)):
            averages = list(self._average(weights).values())
            lines.append(_line(f"{name} average", width, averages, total))
        lines.append(_line("accuracy", width, [self.accuracy], total))
        return "\n".join(lines)

    def __str__(self) -> str:
        return f"{self.table()}\n\n{format_confusion_matrix(self.confusion)}"


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None
) -> Counts:
    """Count how often each true label was given each predicted one.

    Parameters
    ----------
    y_true, y_pred : array_like of int of shape (n,)
        Labels from 0.
    classes : int, optional
        Number of classes; one more than the greatest label when left out.

    Returns
    -------
    ndarray of shape (classes, classes), int64
        Rows are true labels, columns predicted ones.

    Raises
    ------
    TypeError, ValueError
        If the labels are not integers in 0..classes-1, there are no labels, or the numbers
        of labels differ.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1])
    array([[1, 1],
           [0, 1]])
    """
    true, predicted = _as_integers(y_true, "y_true"), _as_integers(y_pred, "y_pred")
    if len(true) != len(predicted):
        raise ValueError(
            f"y_pred: expected {len(true)} labels, as many as y_true, got {len(predicted)}"
        )
    if classes is None:
        classes = int(max(true.max(), predicted.max())) + 1
    classes = check_integer("classes", classes, 1, MAX_CLASSES)
    for name, labels in (("y_true", true), ("y_pred", predicted)):
        check_labels(name, labels, classes)
    # Small unsigned types would overflow in the product.
    cells = true.astype(np.int64) * classes + predicted.astype(np.int64)
    counts: Counts = np.bincount(cells, minlength=classes * classes).astype(np.int64)
    return counts.reshape(classes, classes)


def as_labels(values: ArrayLike, rows: int, classes: int, name: str = "y") -> Counts:
    """Return labels as int64, checked.

    Parameters
    ----------
    values : array_like of int of shape (rows,)
    rows, classes : int
        There must be one label per row, and in 0..classes-1.
    name : str
        What messages call them.

    Raises
    ------
    TypeError, ValueError
        If they are not.
    """
    labels = _as_integers(values, name)
    if len(labels) != rows:
        raise ValueError(f"{name}: expected {rows} labels, one per row, got {len(labels)}")
    check_labels(name, labels, classes)
    return labels.astype(np.int64)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the fraction of predictions that are right.

    Parameters and errors are those of `confusion_matrix`.

    Parameters
    ----------
    y_true : array_like of int of shape (n,)
        Labels from 0.
    y_pred : array_like of int of shape (n,)
        Predicted labels.

    Returns
    -------
    float
        A fraction in [0, 1].

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.metrics.accuracy([0, 0, 1, 1], [0, 1, 1, 1])
    0.75
    """
    matrix = confusion_matrix(y_true, y_pred)
    return float(np.trace(matrix) / matrix.sum())


def precision_recall_f1(confusion: ArrayLike) -> tuple[Scores, Scores, Scores]:
    """Return precision, recall and F1 of each class of a confusion matrix.

    Parameters
    ----------
    confusion : array_like of int of shape (classes, classes)
        Rows are true labels, columns predicted ones.

    Returns
    -------
    precision : ndarray of shape (classes,), float64
        Right ones among those predicted as the class.
    recall : ndarray of shape (classes,), float64
        Right ones among those that are of the class.
    f1 : ndarray of shape (classes,), float64
        Harmonic mean of both. All are 0 where there is nothing to divide by.

    Raises
    ------
    TypeError, ValueError
        If it is not a square matrix of counts.

    Examples
    --------
    >>> import rnn_native as rn
    >>> precision, recall, f1 = rn.metrics.precision_recall_f1([[1, 1], [0, 2]])
    >>> precision.round(3), recall
    (array([1.   , 0.667]), array([0.5, 1. ]))
    """
    matrix = _as_confusion(confusion)
    right = np.diagonal(matrix)
    predicted, support = matrix.sum(axis=0), matrix.sum(axis=1)
    return (
        _ratio(right, predicted),
        _ratio(right, support),
        _ratio(2 * right, predicted + support),
    )


def classification_report(
    y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None
) -> Report:
    """Return all scores of a set of predictions.

    Parameters and errors are those of `confusion_matrix`.

    Parameters
    ----------
    y_true : array_like of int of shape (n,)
        Labels from 0.
    y_pred : array_like of int of shape (n,)
        Predicted labels.
    classes : int, optional
        As for `confusion_matrix`.

    Returns
    -------
    Report
        `str` of it is a table, `as_dict` is plain data.

    Examples
    --------
    >>> import rnn_native as rn
    >>> found = rn.metrics.classification_report([0, 0, 1], [0, 1, 1])
    >>> found.recall, found.support
    (array([0.5, 1. ]), array([2, 1]))
    """
    matrix = confusion_matrix(y_true, y_pred, classes)
    precision, recall, f1 = precision_recall_f1(matrix)
    hits = float(np.trace(matrix) / matrix.sum())
    return Report(matrix, precision, recall, f1, matrix.sum(axis=1), hits)


def wilson_interval(hits: ArrayLike, rows: ArrayLike) -> tuple[Scores, Scores]:
    """Return the limits between which the true share lies, with 95 % confidence.

    Parameters
    ----------
    hits : array_like of int
        How many of the rows were right.
    rows : array_like of int
        At least 1; of the same shape.

    Returns
    -------
    low : ndarray of float64
        Fractions in [0, 1], of the same shape.
    high : ndarray of float64
        The same.

    Raises
    ------
    ValueError
        If there are no rows, or not 0..rows hits.

    References
    ----------
    Wilson 1927; Newcombe 1998, Statistics in Medicine 17, method 3. Unlike the normal
    approximation it stays in [0, 1] and has a width when all rows are right.

    Examples
    --------
    >>> low, high = wilson_interval(9, 10)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.596 to 0.982
    """
    k, n = np.asarray(hits, np.float64), np.asarray(rows, np.float64)
    if not ((n >= 1).all() and (k >= 0).all() and (k <= n).all()):
        raise ValueError(
            "wilson_interval: expected at least 1 row, and 0..rows hits, got rows "
            f"{n.min():g}..{n.max():g} and hits {k.min():g}..{k.max():g}"
        )
    square = Z_95**2
    center = (k + square / 2) / (n + square)
    half = Z_95 / (n + square) * np.sqrt(k * (n - k) / n + square / 4)
    # With no hits, or only hits, one limit is 0 or 1 except for rounding.
    return np.where(k == 0, 0.0, center - half), np.where(k == n, 1.0, center + half)


def format_confusion_matrix(confusion: ArrayLike) -> str:
    """Return a confusion matrix as text: a row for each true label.

    Parameters
    ----------
    confusion : array_like of int of shape (classes, classes)
        Rows are true labels.

    Returns
    -------
    str
        A heading, and a line for each true label.

    Raises
    ------
    TypeError, ValueError
        If it is not a square matrix of counts.

    Examples
    --------
    >>> import rnn_native as rn
    >>> print(rn.metrics.format_confusion_matrix([[1, 1], [0, 2]])[-22:])
       0  1  1
        1  0  2
    """
    matrix = _as_confusion(confusion)
    labels = range(len(matrix))
    width = 2 + max(len(str(matrix.max())), len(str(len(matrix) - 1)))
    head = "".join(f"{label:>{width}}" for label in labels)
    lines = ["true \\ predicted", " " * 5 + head]
    lines += [
        f"{label:>5}" + "".join(f"{count:>{width}}" for count in row)
        for label, row in zip(labels, matrix.tolist(), strict=True)
    ]
    return "\n".join(lines)


def _line(name: str, width: int, scores: list[float], rows: int) -> str:
    numbers = "".join(f"{score:>10.4f}" for score in scores)
    return f"{name:<{width}}{numbers:>30}{rows:>10}"


def _ratio(part: Counts, whole: Counts) -> Scores:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)


def _as_integers(values: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name}: expected labels of shape (n,), got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integer labels, got {array.dtype}")
    return array


def _as_confusion(values: ArrayLike) -> Counts:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ValueError(f"confusion: expected a square matrix, got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"confusion: expected integers, got {array.dtype}")
    if array.min() < 0:
        raise ValueError(f"confusion: expected counts, got {array.min()}")
    return array.astype(np.int64)
