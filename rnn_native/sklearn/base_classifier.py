"""Class labels: learnt, encoded for the core, and given back."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted

from rnn_native.analysis.logits import log_softmax
from rnn_native.base.text import brief
from rnn_native.net.losses import FLOAT32_MAX
from rnn_native.net.rows import Targets
from rnn_native.sklearn.base import BaseNetworkEstimator
from rnn_native.sklearn.data import Part, check_all_unmasked, same_as
from rnn_native.sklearn.full_batch import by_batches
from rnn_native.sklearn.protocol import fitting
from rnn_native.sklearn.rollback import whole_or_not
from rnn_native.sklearn.validation_rows import given_validation
from rnn_native.training.class_weights import named_weights
from rnn_native.training.history import EpochRow


class BaseNetworkClassifier(ClassifierMixin, BaseNetworkEstimator):  # type: ignore[misc]
    """Base of the classifiers.

    Several classes are a softmax over int32 labels; two classes, and each label of
    multilabel targets, are one logistic output, as in scikit-learn.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetworkEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, "array-like", None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    class_weight: Any
    label_smoothing: float

    classes_: NDArray[Any]

    # ---- targets ----

    def _learn_targets(self, y: NDArray[Any], *, incremental: bool, is_new: bool) -> None:
        y = _without_column(y)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_shape(y, "y")
            self._check_classes(unique_labels(y))
        kind = self._label_binarizer.y_type_
        self.n_outputs_ = 1 if kind == "binary" else len(self.classes_)
        self.out_activation_ = "softmax" if kind == "multiclass" else "logistic"

    def _check_classes(self, classes: NDArray[Any]) -> None:
        if self.warm_start and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"previous call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {classes}."
            )

    def _check_shape(self, y: NDArray[Any], name: str) -> None:
        """Refuse several labels per row, or a class, where the first fit had the other."""
        n = y.shape[0]  # a sparse matrix has no length
        expected: tuple[int, ...] = (n,)
        what = "a class for each row"
        if self._is_multilabel():
            expected, what = (n, len(self.classes_)), "a column for each label"
        if y.shape != expected:
            is_first = name == "y" and not hasattr(self, "network_")
            like = "as in classes" if is_first else same_as(name)
            raise ValueError(
                f"{name}: expected shape {expected}, {what}, {like}, got {y.shape}"
            )

    def _encode(self, y: NDArray[Any], name: str = "y") -> Targets:
        y = _without_column(y)
        self._check_shape(y, name)
        if y.ndim == 2:
            matrix: NDArray[Any] = self._label_binarizer.transform(y)
            return np.ascontiguousarray(matrix, dtype=np.float32)
        codes = np.searchsorted(self.classes_, y)
        codes = np.minimum(codes, len(self.classes_) - 1)
        if not (self.classes_[codes] == y).all():
            self._check_classes(unique_labels(y))
        if self.out_activation_ == "softmax":
            return codes.astype(np.int32)
        return codes.astype(np.float32)[:, None]

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return None if self._is_multilabel() else y.reshape(-1)

    def _class_weights(
        self, y: NDArray[Any], targets: Targets, incremental: bool
    ) -> NDArray[Any] | None:
        if self.class_weight is None:
            return None
        check_all_unmasked(class_weight=self.class_weight)
        if isinstance(self.class_weight, str) and incremental:
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not "
                "see all rows; give a dict of weights"
            )
        if self._is_multilabel():
            weights = self._weights_of_label_sets(y)
        else:
            by_class = self._weights_by_class(y)
            weights = by_class[targets.ravel().astype(np.intp)]
        if not (weights.min() >= 0 and weights.max() <= FLOAT32_MAX):
            raise ValueError(
                f"class_weight: expected finite weights of at least 0, got {self.class_weight}"
            )
        return weights

    def _weights_of_label_sets(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weight of each row of multilabel targets, as scikit-learn does."""
        given, labels = self.class_weight, y.shape[1]
        is_list = isinstance(given, list) and all(isinstance(one, Mapping) for one in given)
        if not isinstance(given, str) and not (is_list and len(given) == labels):
            raise ValueError(
                "class_weight: for several labels per row expected 'balanced', or a list of "
                f"{labels} dicts, such as {{0: 1, 1: 2}} for each label, got {brief(given)}"
            )
        weights: NDArray[np.float64] = compute_sample_weight(given, y)
        return weights

    def _weights_by_class(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return a weight for each of `classes_`; sequences have them in that order."""
        given, classes = self.class_weight, self.classes_
        if (pairs := named_weights(given)) is not None:
            given = dict(pairs)
        if given is None or isinstance(given, str | Mapping):
            found: NDArray[np.float64] = compute_class_weight(given, classes=classes, y=y)
            return found
        weights = np.asarray(given)
        if weights.shape != classes.shape or weights.dtype.kind not in "fiu":
            raise ValueError(
                f"class_weight: expected a number for each of {len(classes)} classes, in the "
                f"order {', '.join(map(str, classes))}, got {brief(given)}"
            )
        return weights.astype(np.float64)

    def _is_multilabel(self) -> bool:
        return bool(self._label_binarizer.y_type_.startswith("multilabel"))

    def _recipe_options(self) -> dict[str, Any]:
        return {"label_smoothing": self.label_smoothing}

    # ---- outputs ----

    def _score(self, row: EpochRow, held: Part) -> float:
        """Return the accuracy, that of whole rows where there are several labels."""
        assert row.val_loss is not None and row.val_accuracy is not None
        # Logits that are not finite also have a greatest one, or count as "no".
        return row.val_accuracy if math.isfinite(row.val_loss) else math.nan

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, for multilabel targets that of whole rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), optional
        """
        check_all_unmasked(y=y, sample_weight=sample_weight)
        return float(super().score(X, y, sample_weight))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), or for multilabel targets (n_samples, n_classes)
        """
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self._label_binarizer.inverse_transform(
            probabilities[:, 1] if self._is_one_logit() else probabilities
        )
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the probabilities of classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Columns in the order of `classes_`; for multilabel targets, of each label.
        """
        check_is_fitted(self)
        if self._is_one_logit():
            return np.exp(self._log_probabilities(X)).astype(np.float32)
        return self._outputs(X)

    def predict_log_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the logarithms of probabilities, those that round to 0 or 1 included.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Calculated from the logits, so they are finite.
        """
        check_is_fitted(self)
        return self._log_probabilities(X).astype(np.float32)

    def _is_one_logit(self) -> bool:
        """Whether the network has one output for two classes."""
        return self.n_outputs_ == 1 and self.out_activation_ == "logistic"

    def _log_probabilities(self, x: Any) -> NDArray[np.float64]:
        logits = self._outputs(x, raw=True).astype(np.float64)
        # Of logits that are not finite these are NaN, as the core's probabilities.
        with np.errstate(invalid="ignore"):
            if self.out_activation_ == "softmax":
                return log_softmax(logits)
            # log(sigmoid(z)) and, of the other class, log(sigmoid(-z))
            if self._is_one_logit():
                logits = np.hstack([-logits, logits])
            logs: NDArray[np.float64] = -np.logaddexp(0, -logits)
            return logs

    # ---- fit ----

    @fitting
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        validation_data: Any = None,
        comm: Any = None,
    ) -> "BaseNetworkClassifier":
        """Train on rows and their classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Taken as float32. A pandas frame may have columns of words or categories: see
            docs/how-to/sklearn.md.
        y : array-like of shape (n_samples,), or for multilabel targets (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), optional
            Weights of at least 0.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), optional
            Rows to validate on after each epoch; `early_stopping` then holds out none. In a
            `sklearn.pipeline.Pipeline` with ``transform_input=["X_val"]`` they are transformed
            as `X` is.
        y_val : array-like, optional
            Their targets, as `y`.
        sample_weight_val : array-like of shape (n_val,), optional
            Their weights in the loss and the score.
        validation_data : tuple of (X, y), optional
            Deprecated: `X_val` and `y_val`.
        comm : communicator, optional
            Processes that train together; see `rnn_native.Network.fit`.

        Returns
        -------
        self
        """
        validation = given_validation(X_val, y_val, sample_weight_val, validation_data)
        with whole_or_not(self):
            self._fit(X, y, sample_weight, validation, comm=comm)
        return self

    @by_batches
    @fitting
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> "BaseNetworkClassifier":
        """Train one epoch more; the optimizer continues from where it was.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like of shape (n_classes,), optional
            All classes there will be; needed in the first call.

        Returns
        -------
        self
        """
        check_all_unmasked(y=y, classes=classes)
        with whole_or_not(self, in_place=True):
            if _check_partial_fit_first_call(self, classes):
                is_multilabel = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(
                    y if is_multilabel else classes
                )
            self._fit(X, y, sample_weight, incremental=True)
        return self


def _without_column(y: NDArray[Any]) -> NDArray[Any]:
    """Return a single column as a vector, with scikit-learn's warning."""
    if y.ndim == 2 and y.shape[1] == 1:
        vector: NDArray[Any] = column_or_1d(y, warn=True)
        return vector
    return y
