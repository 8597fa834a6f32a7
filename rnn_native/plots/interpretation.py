"""What a model gets wrong, and how far it can be believed: losses, sureness, saliency."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.analysis import calibration, metrics
from rnn_native.analysis.saliency import over_image
from rnn_native.base.checks import check_all, check_integer
from rnn_native.plots.curves import decorate
from rnn_native.plots.figures import COLORS, axes_or_new, label
from rnn_native.plots.tiles import MAX_TILES, as_pictures, draw_tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_NAME = 12


def reliability_diagram(
    y_true: ArrayLike,
    probabilities: ArrayLike,
    bins: int = 15,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how often rows were right over how sure the model was of them.

    Points below the diagonal are bins where the model is surer than it should be. Whiskers
    are 95 % intervals: few rows leave much to chance.

    Parameters
    ----------
    y_true : array_like of int of shape (n,)
        Labels from 0.
    probabilities : array_like of shape (n, classes)
        What `Network.predict_proba` returned.
    bins : int in [1, 1000]
        Of equal width.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        A bar in `ax.patches` for each bin that has rows, as wide as the bin and as high as
        its accuracy; a point at its mean confidence.

    Raises
    ------
    TypeError, ValueError
        As for `calibration.reliability`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> ax = rn.plots.reliability_diagram([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    """
    seen = calibration.reliability(y_true, probabilities, bins)
    full = seen.count > 0
    accuracy, confidence = seen.accuracy[full], seen.confidence[full]
    low, high = (limit[full] for limit in seen.interval())
    # By rounding a limit may lie on the other side of the accuracy.
    whiskers = [np.maximum(accuracy - low, 0), np.maximum(high - accuracy, 0)]
    ax = axes_or_new(ax, 5.6, 5.2)
    ax.bar(
        seen.edges[:-1][full], accuracy, width=1 / bins, align="edge", color=COLORS[5],
        edgecolor="white", label="accuracy of a bin",
    )  # fmt: skip
    ax.errorbar(
        confidence, accuracy, yerr=whiskers, fmt="o", color=COLORS[0], capsize=2,
        label="at its mean confidence, 95 %",
    )  # fmt: skip
    ax.plot([0, 1], [0, 1], color="black", linestyle="--", label="as sure as right")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.05)
    title = f"Reliability, expected calibration error {100 * seen.error:.2f} %"
    decorate(ax, title, "Accuracy", x_label="Confidence")
    # Below the axes: bars and whiskers may be anywhere in them.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), fontsize=9)
    return ax


def top_losses(
    images: ArrayLike | None,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    losses: ArrayLike,
    numbers: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw rows with their predictions: as pictures, or as bars of their losses.

    Parameters
    ----------
    images : array_like of shape (n, height, width), or (n, 784), or None
        None for rows that are not images.
    y_true : array_like of int of shape (n,)
        Labels from 0.
    probabilities : array_like of shape (n, classes)
        What `Network.predict_proba` returned.
    losses : array_like of shape (n,)
        Of each row.
    numbers : array_like of int of shape (n,), optional
        Of the rows, for the bars; 0, 1, ... when left out.
    names : sequence of str, optional
        Of the classes, instead of their numbers.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        An image in `ax.images`, or a bar in `ax.patches`, for each row; its title has true
        and predicted class, the predicted one's probability, and the loss.

    Raises
    ------
    TypeError, ValueError
        If shapes or labels do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(4, seed=1)
    >>> ax = rn.plots.top_losses(x, y, np.full((4, 10), 0.1), np.full(4, 2.3))
    """
    shares = np.asarray(probabilities)
    if shares.ndim != 2:
        raise ValueError(f"probabilities: expected shape (n, classes), got {shares.shape}")
    check_integer("rows", len(shares), 1, MAX_TILES)
    labels = metrics.as_labels(y_true, len(shares), shares.shape[1], "y_true")
    values = np.asarray(losses, np.float64)
    if values.shape != labels.shape:
        raise ValueError(f"losses: expected {len(labels)}, one per row, got {values.shape}")
    called = [str(i) for i in range(shares.shape[1])] if names is None else list(names)
    if len(called) != shares.shape[1]:
        raise ValueError(
            f"names: expected {shares.shape[1]}, one per class, got {len(called)}"
        )
    titles = [
        f"{label(called[true], LONGEST_NAME)} \u2192 "
        f"{label(called[share.argmax()], LONGEST_NAME)}, {100 * share.max():.1f} %"
        for true, share in zip(labels, shares, strict=True)
    ]
    rows = np.arange(len(labels)) if numbers is None else np.asarray(numbers)
    if rows.shape != labels.shape:
        raise ValueError(f"numbers: expected {len(labels)}, one per row, got {rows.shape}")
    head = "Top losses: true \u2192 predicted, its probability"
    if images is None:
        ax = _loss_bars(
            ax, values, [f"row {n}: {t}" for n, t in zip(rows, titles, strict=True)]
        )
    else:
        pictures = as_pictures(images, "images")
        if len(pictures) != len(labels):
            raise ValueError(f"images: expected {len(labels)}, got {len(pictures)}")
        lines = [f"{t}\nloss {v:.2f}" for t, v in zip(titles, values, strict=True)]
        ax = draw_tiles(ax, list(pictures), lines, cmap="gray")
    ax.set_title(head, fontsize=12, fontweight="bold")
    return ax


def _loss_bars(
    ax: "Axes | None", losses: NDArray[np.float64], titles: Sequence[str]
) -> "Axes":
    ax = axes_or_new(ax, 6.4, max(2.0, 0.3 * len(losses) + 1))
    places = range(len(losses))
    ax.barh(places, losses, color=COLORS[0])
    ax.set_yticks(places, titles, parse_math=False)
    ax.invert_yaxis()
    ax.set_xlabel("Loss", fontsize=11)
    return ax


def saliency_over_images(
    images: ArrayLike,
    maps: ArrayLike,
    titles: Sequence[str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw images, and over them what counts for the class (orange) and against it (blue).

    Parameters
    ----------
    images : array_like of shape (n, height, width), or (n, 784)
        Values are uint8, or numbers in [0, 1].
    maps : array_like of the same shape
        As `saliency.saliency` returns them, in [-1, 1].
    titles : sequence of str of length n, optional
        Above the pictures.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        A colored image in `ax.images` for each.

    Raises
    ------
    ValueError
        If shapes do not fit, or values are beyond their limits.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(2, seed=1)
    >>> maps = rn.saliency.saliency(rn.pretrained.load(), x, y, "gradient_input")
    >>> ax = rn.plots.saliency_over_images(x, maps.reshape(x.shape), titles=["one", "two"])
    """
    pictures = as_pictures(images, "images")
    overlays = as_pictures(maps, "maps").astype(np.float32)
    check_integer("images", len(pictures), 1, MAX_TILES)
    if overlays.shape != pictures.shape:
        raise ValueError(f"maps: expected shape {pictures.shape}, got {overlays.shape}")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"titles: expected {len(pictures)}, got {len(titles)}")
    gray = pictures.astype(np.float32) / np.float32(
        255 if pictures.dtype == np.uint8 else 1
    )
    check_all("images", gray, (gray >= 0) & (gray <= 1), "uint8, or numbers in [0, 1]")
    check_all("maps", overlays, np.abs(overlays) <= 1, "numbers in [-1, 1]")
    colored = [over_image(*pair) for pair in zip(gray, overlays, strict=True)]
    return draw_tiles(ax, colored, titles)
