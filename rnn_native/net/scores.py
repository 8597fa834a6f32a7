"""Metrics of a net's outputs: those that fit its loss, and those that users name.

A metric is a function of (y_true, y_pred), as in scikit-learn and Keras. y_pred is what
`Network.predict_proba` gives, of shape (n, outputs), or for one output its only column, of
shape (n,); or what `Network.predict` returns, when asked for. y_true are labels of shape (n,)
under softmax_cross_entropy, else float32 values of y_pred's shape. All metrics here are
calculated in float64, weighted where validation rows have weights; rows that are trained on
count equally.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.rules import did_you_mean
from rnn_native.base.text import brief
from rnn_native.net.losses import LOSSES, labels_of

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., float]
MetricLike: TypeAlias = str | Function | tuple[str, Function] | tuple[str, Function, str]


class ClassScores(NamedTuple):
    """What `Network.evaluate` returns of a classifier.

    Attributes
    ----------
    loss : float
        Mean over the rows.
    accuracy : float
        A fraction in [0, 1].
    """

    loss: float
    accuracy: float


class ValueScores(NamedTuple):
    """What `Network.evaluate` returns of a net that predicts values.

    Attributes
    ----------
    loss : float
        Mean over the rows.
    mae : float
        Mean absolute error over rows and outputs.
    r2 : float
        R^2, the mean of that of each output; at most 1.
    """

    loss: float
    mae: float
    r2: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A named function of (y_true, y_pred), and of the rows' weights if it accepts them.

    Attributes
    ----------
    name : str
        Its column in the history; on validation rows with "val_" before it.
    function : callable
        Gets ``sample_weight=`` where rows have weights and it has a parameter of that name,
        as scikit-learn's metrics do.
    response : {"predict_proba", "predict"}
        What y_pred is.
    copies : bool
        Whether it gets copies of the arrays, as a user's function does: it may sort them.
    """

    name: str
    function: Function
    response: str = "predict_proba"
    copies: bool = field(default=False, kw_only=True)

    def of(
        self, targets: Array, outputs: Array, loss: str, weights: Array | None = None
    ) -> float:
        """Return the metric's value.

        Parameters
        ----------
        targets : ndarray of shape (n,) or (n, outputs)
            As the core expects them.
        outputs : ndarray of shape (n, outputs)
        loss : str
        weights : ndarray of shape (n,), optional

        Raises
        ------
        TypeError
            If the function does not return a number.
        ValueError
            If it raises an error, which is the cause of this one, or returns an integer
            beyond float64.
        """
        y_pred = labels_of(outputs, loss) if self.response == "predict" else outputs
        own = np.array if self.copies else np.asarray
        weighing = {}
        if weights is not None and _accepts_weights(self.function):
            weighing["sample_weight"] = own(weights)
        try:
            value = self.function(own(_flat(targets)), own(_flat(y_pred)), **weighing)
        except Exception as error:
            raise ValueError(self._failure(error, loss)) from error
        try:
            return float(value)
        except OverflowError:
            raise ValueError(
                f"metrics: expected a number below 1.8e308 from {self.name}, got "
                f"{brief(value)}"
            ) from None
        except (TypeError, ValueError):
            kind = type(value).__name__
            raise TypeError(
                f"metrics: expected a number from {self.name}, got {kind}"
            ) from None

    def _failure(self, error: Exception, loss: str) -> str:
        first = (str(error).splitlines() or [""])[0]
        text = f"metrics: {self.name} raised {type(error).__name__}: {first}"
        if self.response == "predict" or not LOSSES[loss].tells_classes:
            return text
        function = getattr(self.function, "__name__", "function")
        return f"{text}; if it expects labels, use ('{self.name}', {function}, 'predict')"


def _accepts_weights(function: Function) -> bool:
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except ValueError:  # of a function without a signature, such as a built-in one
        return False


def _flat(array: Array) -> Array:
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


# ---- of values ----


def mean_absolute_error(
    y_true: Array, y_pred: Array, sample_weight: Array | None = None
) -> float:
    """Return the mean of abs(y_pred - y_true)."""
    errors = _differences(y_true, y_pred)
    return _mean(np.abs(errors, out=errors), sample_weight)


def mean_squared_error(
    y_true: Array, y_pred: Array, sample_weight: Array | None = None
) -> float:
    """Return the mean of (y_pred - y_true)^2."""
    errors = _differences(y_true, y_pred)
    return _mean(np.square(errors, out=errors), sample_weight)


def r2(y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
    """Return R^2, 1 - sum((y_pred - y_true)^2) / sum((y_true - its mean)^2).

    Of several outputs the mean; as in scikit-learn 1 for a constant target that is met, 0 for
    one that is not, and NaN for a single row. Weights multiply the squares, and the mean is
    weighted.
    """
    if len(y_true) < 2:
        return np.nan
    room = _differences(y_true, y_pred)
    wrong = _sum_of_squares(room, sample_weight)
    np.subtract(y_true, _mean_of_rows(y_true, sample_weight), out=room, dtype=np.float64)
    spread = _sum_of_squares(room, sample_weight)
    by_output = np.where(
        spread > 0,
        1 - wrong / np.where(spread > 0, spread, 1),
        np.where(wrong > 0, 0.0, 1.0),
    )
    return float(np.mean(by_output))


def weighted_sum(values: Array, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over rows, each multiplied by its weight.

    Not by BLAS, whose threads would take the cores from training for milliseconds after
    each call, and whose last bits depend on their number.
    """
    return np.asarray(np.einsum("n,n...->...", weights, values))


def _sum_of_squares(values: NDArray[np.float64], weights: Array | None) -> Any:
    """Return the sum over rows of weighted squares, without BLAS as `weighted_sum`."""
    if weights is None:
        return np.einsum("n...,n...->...", values, values)
    return np.einsum("n,n...,n...->...", np.asarray(weights, np.float64), values, values)


def _differences(y_true: Array, y_pred: Array) -> NDArray[np.float64]:
    return np.asarray(np.subtract(y_pred, y_true, dtype=np.float64))


def _by_row(sample_weight: Array | None, n: int) -> NDArray[np.float64]:
    return np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)


def _mean_of_rows(values: Array, sample_weight: Array | None) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.asarray(np.mean(values, axis=0, dtype=np.float64))
    weights = np.asarray(sample_weight, np.float64)
    return np.asarray(np.average(values, axis=0, weights=weights))


def _mean(errors: NDArray[np.float64], sample_weight: Array | None) -> float:
    """Return the mean over rows, and over outputs where a row has several."""
    return float(np.mean(_mean_of_rows(errors, sample_weight)))


# ---- of classes ----


def auc(y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
    """Return the area under the ROC curve; ties count half.

    Of several classes it is the mean of each against the rest, of several yes or no the mean
    over them. NaN where a class has all rows or none. A pair's weight is that of its rows.
    """
    weights = _by_row(sample_weight, len(y_true))
    if y_pred.ndim == 1:
        return _area(y_true >= 0.5, y_pred, weights)
    if y_true.ndim == 2:
        columns = zip(y_true.T, y_pred.T, strict=True)
        return float(np.mean([_area(t >= 0.5, p, weights) for t, p in columns]))
    if y_pred.shape[1] == 2:
        return _area(y_true == 1, y_pred[:, 1], weights)
    areas = [_area(y_true == c, y_pred[:, c], weights) for c in range(y_pred.shape[1])]
    return float(np.mean(areas))


def _area(
    is_positive: NDArray[np.bool_], scores: Array, weights: NDArray[np.float64]
) -> float:
    """Return the share of (positive, negative) pairs, by weight, that the scores order."""
    order = np.argsort(scores[~is_positive], kind="stable")
    negative = scores[~is_positive][order]
    below = np.concatenate([[0.0], np.cumsum(weights[~is_positive][order])])
    own = weights[is_positive]
    pairs = own.sum() * below[-1]
    if not pairs:
        return np.nan
    left = np.searchsorted(negative, scores[is_positive], "left")
    right = np.searchsorted(negative, scores[is_positive], "right")
    return float(weighted_sum(below[left] + below[right], own) / 2 / pairs)


def f1(y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
    """Return the F1 score of the predicted labels: of class 1.

    Of a net with three classes or more it is the mean over those that occur, in labels or
    predictions; of several yes or no the mean over them. 0 where nothing is to be divided by.
    """
    weights = _by_row(sample_weight, len(y_true))
    if y_pred.ndim == 1:
        return _f1_of(y_true >= 0.5, y_pred >= 0.5, 1, weights)
    if y_true.ndim == 2:
        columns = zip(y_true.T, y_pred.T, strict=True)
        return float(np.mean([f1(t, p, weights) for t, p in columns]))
    labels = np.argmax(y_pred, axis=1)
    # By the net's outputs, not by what occurs: rows may happen to have two classes only.
    classes = [1] if y_pred.shape[1] == 2 else np.union1d(y_true, labels)
    return float(np.mean([_f1_of(y_true, labels, c, weights) for c in classes]))


def _f1_of(truth: Array, labels: Array, chosen: int, weights: NDArray[np.float64]) -> float:
    is_of, is_named = truth == chosen, labels == chosen
    hits = weighted_sum(is_of & is_named, weights)
    named = weighted_sum(is_of, weights) + weighted_sum(is_named, weights)
    return float(2 * hits / named) if named else 0.0


# ---- by name ----

_OF_VALUES = {
    metric.name: metric
    for metric in (
        Metric("mae", mean_absolute_error),
        Metric("mse", mean_squared_error),
        Metric("r2", r2),
    )
}
_OF_CLASSES = {metric.name: metric for metric in (Metric("auc", auc), Metric("f1", f1))}
_ALIASES = {
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "r2_score": "r2",
    "roc_auc": "auc",
    "roc_auc_score": "auc",
    "f1_score": "f1",
}
_RESERVED = frozenset({"loss", "time", "learning_rate", "epoch", "accuracy", "metrics"})
_GREATER_IS_BETTER = ("accuracy", "acc", "auc", "r2", "f1", "score", "precision", "recall")


def is_greater_better(column: str) -> bool:
    """Return whether greater values are better, by a column's name."""
    return column.removeprefix("val_").endswith(_GREATER_IS_BETTER)


def fitting(loss: str) -> list[Metric]:
    """Return the metrics that replace accuracy for a loss of values; none for one of classes."""
    if LOSSES[loss].tells_classes:
        return []
    return [_OF_VALUES["mae"], _OF_VALUES["r2"]]


def as_metrics(given: MetricLike | Iterable[MetricLike] | None, loss: str) -> list[Metric]:
    """Return the metrics of `fit(metrics=...)`, checked, without those that a loss has anyway.

    Parameters
    ----------
    given : sequence of str, callable or tuple, or one of them, or None
        Names: "mae", "mse", "r2" for losses of values, "accuracy", "auc", "f1" for those of
        classes; functions of (y_true, y_pred), which have a ``__name__``; (name, function);
        (name, function, "predict") for functions of labels.
    loss : str

    Raises
    ------
    TypeError, ValueError
        If one is something else, does not fit the loss, or a name is given twice.
    """
    if given is None:
        return []
    one = isinstance(given, str) or callable(given) or _is_pair(given)
    if not one and not isinstance(given, Iterable):
        raise TypeError(f"metrics: expected names or functions, got {brief(given)}")
    entries: Sequence[Any] = [given] if one else list(given)  # type: ignore[arg-type]
    own = {metric.name for metric in fitting(loss)}
    metrics = [metric for entry in entries if (metric := _as_metric(entry, loss, own))]
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"metrics: {name!r} is listed twice; rename one by (name, function)"
            )
    return [metric for metric in metrics if metric.name not in own]


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) in (2, 3) and callable(given[1])


def _as_metric(entry: Any, loss: str, own: Collection[str]) -> Metric | None:
    if isinstance(entry, str):
        return _named(entry, loss)
    if _is_pair(entry):
        name, function, *response = entry
    else:
        name, function, response = getattr(entry, "__name__", None), entry, []
    if not callable(function) or not isinstance(name, str) or not name.isidentifier():
        raise TypeError(
            "metrics: expected names, functions with a __name__, or (name, function), got "
            f"{brief(entry)}"
        )
    if response not in ([], ["predict"], ["predict_proba"]):
        raise ValueError(
            f"metrics: expected 'predict' or 'predict_proba' for {name}, got {brief(response[0])}"
        )
    if name in _RESERVED or name in own or name.startswith("val_"):
        raise ValueError(
            f"metrics: {name!r} is a column of the history; choose another name by "
            "(name, function)"
        )
    return Metric(name, function, *response, copies=True)


def _named(name: str, loss: str) -> Metric | None:
    of_classes = LOSSES[loss].tells_classes
    known = {**_OF_CLASSES, "accuracy": None} if of_classes else {**_OF_VALUES}
    wanted = _ALIASES.get(name, "accuracy" if name == "acc" else name)
    if wanted not in known:
        raise ValueError(
            f"metrics: expected a function, or under {loss} one of {', '.join(known)}, got "
            f"{name!r}{did_you_mean(name, known)}"
        )
    return known[wanted]
