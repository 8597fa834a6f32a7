"""What a trained model gets right and wrong: one look at its answers to rows with known labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.analysis import calibration, metrics
from rnn_native.analysis.logits import Floats, class_logits, log_softmax, losses
from rnn_native.base.checks import check_count
from rnn_native.models.network import Network
from rnn_native.net.losses import labels_of
from rnn_native.report import parts
from rnn_native.report.parts import Confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Labels = NDArray[np.int64]


class TopLosses(NamedTuple):
    """Greatest losses, and the numbers of their rows.

    Parameters
    ----------
    losses : ndarray of shape (k,), float64
        The greatest first.
    rows : ndarray of shape (k,), int64
        Row numbers.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=3)
    >>> losses, rows = rn.interpret(rn.pretrained.load(), x, y).top_losses(2)
    >>> bool(losses[0] >= losses[1])
    True
    """

    losses: Floats
    rows: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Interpretation:
    """A model's answers to rows with known labels; `interpret` makes it.

    Attributes
    ----------
    model : Network
    x : ndarray of shape (n, ...)
        The rows, as they were given.
    y : ndarray of shape (n,), int64
        True labels.
    class_names : tuple of str
        One per class.
    probabilities : ndarray of shape (n, classes), float64
        What `predict_proba` said; of a net with one output for classes 0 and 1.
    predicted : ndarray of shape (n,), int64
        What `predict` said.
    logits : ndarray of shape (n, classes), float64
        What the probabilities are the softmax of.
    losses : ndarray of shape (n,), float64
        Negative log-likelihood of each row's true label, whatever loss the net was trained
        with; from the logits, so it is finite where a probability has been rounded to 0.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=3)
    >>> seen = rn.interpret(rn.pretrained.load(), x, y)
    >>> seen.probabilities.shape, seen.losses.shape
    ((100, 10), (100,))
    """

    model: Network
    x: NDArray[Any]
    y: Labels
    class_names: tuple[str, ...]
    probabilities: Floats
    predicted: Labels
    logits: Floats
    losses: Floats

    @property
    def accuracy(self) -> float:
        """Share of the rows that are right, in [0, 1]."""
        return float(np.mean(self.predicted == self.y))

    @property
    def loss(self) -> float:
        """Mean of the losses."""
        return float(self.losses.mean())

    # ---- numbers ----

    def confusion_matrix(self) -> NDArray[np.int64]:
        """Count how often each true label (rows) was given each predicted one (columns)."""
        return metrics.confusion_matrix(self.y, self.predicted, len(self.class_names))

    def report(self) -> metrics.Report:
        """Return precision, recall and F1 of each class."""
        return metrics.classification_report(self.y, self.predicted, len(self.class_names))

    def print_classification_report(self) -> None:
        """Print the report as a table, with the classes' names."""
        print(self.report().table(self.class_names))

    def most_confused(self, min_val: int = 1) -> list[Confusion]:
        """Return which classes are taken for which others, most frequent first.

        Parameters
        ----------
        min_val : int
            Leave out what happened less often.

        Returns
        -------
        list of Confusion
            (true, predicted, times); equal ones by true, then predicted label.
        """
        counts = self.confusion_matrix()
        np.fill_diagonal(counts, 0)
        found = [
            Confusion(int(true), int(predicted), int(counts[true, predicted]))
            for true, predicted in np.argwhere(counts >= max(1, min_val))
        ]
        return sorted(found, key=lambda c: (-c.times, c.true, c.predicted))

    def top_losses(self, k: int = 9) -> TopLosses:
        """Return the k greatest losses and their rows, greatest first; of equals the first.

        Rows that are right may be among them; `mistakes` leaves them out.
        """
        rows = np.argsort(-self.losses, kind="stable")[: check_count("k", k, 1)]
        return TopLosses(self.losses[rows], rows)

    def mistakes(self) -> Labels:
        """Return the numbers of the rows that are wrong, greatest loss first."""
        wrong = np.flatnonzero(self.predicted != self.y)
        worst: Labels = wrong[np.argsort(-self.losses[wrong], kind="stable")]
        return worst

    def calibration(self, bins: int = 15) -> calibration.Reliability:
        """Return how often rows were right by how sure the model was; see `calibration`."""
        return calibration.reliability(self.y, self.probabilities, bins)

    def temperature(self) -> float:
        """Return the temperature that fits these rows; see `calibration.fit_temperature`."""
        return calibration.fit_temperature(self.logits, self.y)

    # ---- pictures ----

    def plot_confusion_matrix(
        self, normalize: bool = False, ax: Axes | None = None
    ) -> Axes:
        """Draw the confusion matrix; see `plots.confusion_matrix`."""
        import rnn_native.plots as plots

        return plots.confusion_matrix(
            self.y, self.predicted, len(self.class_names), self.class_names,
            normalize=normalize, ax=ax,
        )  # fmt: skip

    def plot_top_losses(self, k: int = 9, ax: Axes | None = None) -> Axes:
        """Draw the k rows with the greatest losses.

        Images with true label, predicted label, loss, and the probability of the predicted
        one; rows that are not images as bars of their losses. See `plots.top_losses`.
        """
        import rnn_native.plots as plots

        rows = self.top_losses(k).rows
        return plots.top_losses(
            self.pictures(rows), self.y[rows], self.probabilities[rows], self.losses[rows],
            numbers=rows, names=self.class_names, ax=ax,
        )  # fmt: skip

    def plot_calibration(self, bins: int = 15, ax: Axes | None = None) -> Axes:
        """Draw the reliability diagram; see `plots.reliability_diagram`."""
        import rnn_native.plots as plots

        return plots.reliability_diagram(self.y, self.probabilities, bins, ax)

    def pictures(self, rows: ArrayLike) -> NDArray[Any] | None:
        """Return rows as gray images, (n, height, width); None if they are not images.

        Parameters
        ----------
        rows : array_like of int of shape (n,)
            Their numbers.
        """
        chosen: NDArray[Any] = self.x[np.asarray(rows)]
        for shape in (self.x.shape[1:], self.model.input_shape):
            extents = [extent for extent in shape if extent != 1]
            if len(extents) == 2:
                return chosen.reshape(-1, *extents)
        return chosen.reshape(-1, 28, 28) if self.x[0].size == 784 else None

    def __repr__(self) -> str:
        return (
            f"<Interpretation of {len(self.y):,} rows: accuracy {100 * self.accuracy:.2f} %, "
            f"loss {self.loss:.4f}>"
        )

    def _repr_html_(self) -> str:
        return parts.overview(self)


def interpret(
    model: Network,
    x: ArrayLike,
    y: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    threads: int | None = None,
) -> Interpretation:
    """Let a model answer rows with known labels, and keep what it said.

    Parameters
    ----------
    model : Network
        A classifier: softmax_cross_entropy, or one output with a sigmoid.
    x : array_like
        As for `Network.predict_proba`.
    y : array_like of shape (n,)
        True labels from 0; of a net with one output also (n, 1), and numbers 0 and 1 of any
        type.
    class_names : sequence of str, optional
        One per class, instead of the numbers.
    threads : int in [1, 64], optional
        As for `Network.predict`.

    Returns
    -------
    Interpretation
        What the model said of each row.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the model is not a classifier.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(500, seed=3)
    >>> seen = rn.interpret(rn.pretrained.load(), x, y)
    >>> seen.accuracy > 0.9
    True
    >>> losses, rows = seen.top_losses(3)
    >>> losses.shape, rows.shape
    ((3,), (3,))
    """
    logits = class_logits(model, x, threads=threads)
    classes = logits.shape[1]
    names = tuple(map(str, range(classes) if class_names is None else class_names))
    if len(names) != classes:
        raise ValueError(
            f"class_names: expected {classes}, one per class, got {len(names)}"
        )
    labels = metrics.as_labels(_without_fractions(y, classes), *logits.shape)
    said = model.predict_proba(x, threads=threads).astype(np.float64)
    predicted = labels_of(said, model.loss)
    if said.shape[1] == 1:
        # 1 - p of a rounded p would be 0 where the other class has 1e-8.
        said = np.exp(log_softmax(logits))
    return Interpretation(
        model=model,
        x=np.asarray(x),
        y=labels,
        class_names=names,
        probabilities=said,
        predicted=predicted,
        logits=logits,
        losses=losses(logits, labels),
    )


def _without_fractions(y: ArrayLike, classes: int) -> NDArray[Any]:
    """Return the labels of a net with one output, which may be any numbers, as integers."""
    labels = np.asarray(y)
    if classes != 2:
        return labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    is_whole = labels.dtype.kind == "f" and bool(np.isin(labels, (0, 1)).all())
    return labels.astype(np.int64) if is_whole or labels.dtype.kind == "b" else labels
