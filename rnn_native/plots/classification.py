"""How good predictions are: confusion matrix, and the most confident mistakes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rnn_native.analysis import metrics
from rnn_native.base.checks import check_all, check_integer
from rnn_native.plots.figures import as_drawn, axes_or_new
from rnn_native.plots.tiles import MAX_TILES, as_pictures, draw_tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Beyond this many classes numbers would not fit into their cells.
MAX_NUMBERED = 20


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: int | None = None,
    names: Sequence[str] | None = None,
    ax: "Axes | None" = None,
    *,
    normalize: bool = False,
) -> "Axes":
    """Draw how often each true label was given each predicted one.

    A cell has its count; its color is the count's share of its row, so that rare classes are
    seen as well.

    Parameters
    ----------
    y_true, y_pred : array_like of int of shape (n,)
        Labels from 0.
    classes : int, optional
        Number of classes; one more than the greatest label when left out.
    names : sequence of str, optional
        Of the classes, instead of their numbers.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.
    normalize : bool
        Write that share into the cells, instead of the count.

    Returns
    -------
    matplotlib.axes.Axes
        With a cell for each pair of classes.

    Raises
    ------
    TypeError, ValueError
        As for `metrics.confusion_matrix`; if there are not as many names as classes.

    Examples
    --------
    >>> import rnn_native as rn
    >>> ax = rn.plots.confusion_matrix([0, 0, 1], [0, 1, 1], names=["cat", "dog"])
    """
    counts = metrics.confusion_matrix(y_true, y_pred, classes)
    size = len(counts)
    labels = [as_drawn(name) for name in (range(size) if names is None else names)]
    if len(labels) != size:
        raise ValueError(f"names: expected {size}, one per class, got {len(labels)}")
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support != 0)
    ax = axes_or_new(ax, 6.4, 5.6)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="share of the true class")
    if size <= MAX_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                text = f"{shares[row, column]:.2f}" if normalize else f"{count}"
                ax.text(column, row, text, ha="center", va="center", color=color,
                        fontsize=8)  # fmt: skip
        ax.set_xticks(range(size), labels, parse_math=False)
        ax.set_yticks(range(size), labels, parse_math=False)
    accuracy = np.trace(counts) / counts.sum()
    ax.set_title(
        f"Confusion matrix, accuracy {100 * accuracy:.2f} % of {counts.sum():,}",
        fontsize=12, fontweight="bold",
    )  # fmt: skip
    ax.set_xlabel("Predicted label", fontsize=11)
    ax.set_ylabel("True label", fontsize=11)
    return ax


def worst_mistakes(
    images: ArrayLike,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    n: int = 16,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the wrongly labeled images that the model was surest of, surest first.

    Parameters
    ----------
    images : array_like of shape (rows, height, width), or (rows, 784)
        Gray, uint8 or numbers in [0, 1].
    y_true : array_like of int of shape (rows,)
        Labels from 0.
    probabilities : array_like of shape (rows, classes)
        What `Network.predict_proba` returned.
    n : int in [1, 1024]
        At most this many.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        An image in `ax.images` for each mistake; its title is "true -> predicted, share".

    Raises
    ------
    ValueError
        If shapes or labels do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(20, seed=1)
    >>> ax = rn.plots.worst_mistakes(x, y, np.full((20, 10), 0.1), n=4)
    >>> len(ax.images)
    4
    """
    check_integer("n", n, 1, MAX_TILES)
    pictures = as_pictures(images, "images")
    shares, labels = np.asarray(probabilities), np.asarray(y_true)
    if shares.ndim != 2 or len(shares) != len(pictures):
        raise ValueError(
            f"probabilities: expected shape ({len(pictures)}, classes), got {shares.shape}"
        )
    if shares.dtype.kind not in "fiu":
        raise ValueError(f"probabilities: expected numbers, got {shares.dtype}")
    check_all("probabilities", shares, np.isfinite(shares), "finite numbers")
    # Checks the labels too: this is the one place that knows what labels are.
    predicted = shares.argmax(axis=1)
    metrics.confusion_matrix(labels, predicted, shares.shape[1])
    surest = np.argsort(-shares.max(axis=1), kind="stable")
    worst = surest[labels[surest] != predicted[surest]][:n]
    if not len(worst):
        ax = axes_or_new(ax)
        ax.axis("off")
        ax.text(0.5, 0.5, "no mistakes", ha="center", transform=ax.transAxes)
    else:
        titles = [
            f"{labels[i]} \u2192 {predicted[i]}, {100 * shares[i].max():.1f} %"
            for i in worst
        ]
        ax = draw_tiles(ax, [pictures[i] for i in worst], titles, cmap="gray")
    ax.set_title("Most confident mistakes: true \u2192 predicted", fontweight="bold")
    return ax
