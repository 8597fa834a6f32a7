"""Attention: whole maps, what one token attends to, and that over its image.

The two figures, `attention_figure` and `token_figure`, are those of the reference system:
limits, color maps and labels are its own. Panels are smaller, so that text can be read where
a figure is embedded in a page.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.analysis.attention_text import as_map
from rnn_native.base.checks import check_mapping
from rnn_native.plots.figures import COLORS, as_drawn, axes_or_new, new_figure
from rnn_native.plots.tiles import as_pictures
from rnn_native.plots.tokens import grid_of, mark, row_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

# What the reference system's colors reach to: 49 tokens attended to equally have 0.02.
LIMIT = 0.15
MAX_SAMPLES = 6
MAX_TOKEN_SAMPLES = 4


def attention_map(
    weights: ArrayLike,
    title: str = "Attention Weights",
    limit: float | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw an attention map: a row for each query token, a column for each key token.

    Parameters
    ----------
    weights : array_like of shape (queries, keys)
        Each row sums to 1.
    title : str
        The number of tokens is added to it.
    limit : float, optional
        Weight at the colors' upper end, those above being vermilion; the greatest weight when
        left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        With the map.

    Raises
    ------
    ValueError
        If it is not a matrix of finite weights of at least 0.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.plots.attention_map([[0.5, 0.5], [1, 0]]).get_title()
    'Attention Weights (2 tokens)'
    """
    values = as_map(weights)
    queries, keys = values.shape
    ax = axes_or_new(ax, 5.2, 4.6)
    image = ax.imshow(
        values, cmap=_viridis(), interpolation="nearest", aspect="auto",
        vmin=0, vmax=limit or float(values.max()) or 1.0,
    )  # fmt: skip
    ax.set_xlabel("Key Token (attended to)", fontsize=11)
    ax.set_ylabel("Query Token (attending from)", fontsize=11)
    ax.set_title(f"{as_drawn(title)} ({keys} tokens)", fontsize=12, fontweight="bold")
    ax.set_xticks(range(0, keys, 7))
    ax.set_yticks(range(0, queries, 7))
    ax.grid(alpha=0.3, linestyle="--", linewidth=0.5)
    above = int(np.sum(values > limit)) if limit else 0
    bar = ax.figure.colorbar(image, ax=ax, extend="max" if above else "neither")
    text = "Attention Weight"
    if above:
        text += f" ({above} above {limit:g}, up to {values.max():.2f})"
    bar.set_label(text, rotation=270, labelpad=15)
    return ax


def _viridis() -> "Colormap":
    """Return viridis with another color for values beyond its upper end."""
    from matplotlib import colormaps

    return colormaps["viridis"].with_extremes(over=COLORS[1])


def attention_figure(samples: Mapping[int, ArrayLike]) -> "Figure":
    """Draw the maps of up to six samples: the reference's attention_visualization.png.

    Parameters
    ----------
    samples : mapping of int to array_like of shape (queries, keys)
        As `read_attention` returns them; those with the least numbers are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each sample.

    Raises
    ------
    TypeError
        If it is not a mapping.
    ValueError
        If there are no maps, or one is not a map.

    Examples
    --------
    >>> import rnn_native as rn
    >>> maps = rn.attention_text.synthetic_attention()
    >>> figure = rn.plots.attention_figure(maps)
    """
    chosen = _first(samples, MAX_SAMPLES)
    columns = min(3, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    figure = new_figure(5.2 * columns, 4.6 * rows)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (number, weights) in zip(panels, chosen, strict=False):
        attention_map(weights, f"Sample {number}\nAttention Weights", LIMIT, ax)
    for ax in panels[len(chosen) :]:
        ax.axis("off")
    figure.suptitle(
        "MNIST Attention Model - Attention Weight Patterns", fontsize=16, fontweight="bold"
    )
    return figure


def token_attention(
    weights: ArrayLike,
    token: int = 0,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw what one token attends to, its keys laid out as the image's patches lie.

    Parameters
    ----------
    weights : array_like of shape (queries, keys)
        A square number of keys is drawn as a square, any other as one row.
    token : int in [0, queries)
        The token that attends; a star marks its place.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        With the map.

    Raises
    ------
    ValueError
        If it is not a map.
    IndexError
        If there is no such token.

    Examples
    --------
    >>> import rnn_native as rn
    >>> ax = rn.plots.token_attention([[0.5, 0.5], [1, 0]], token=1)
    """
    row = row_of(weights, token)
    grid = row.reshape(grid_of(len(row)))
    ax = axes_or_new(ax, 5, 5)
    image = ax.imshow(grid, cmap="hot", interpolation="nearest")
    mark(ax, token, grid.shape)
    shown = as_drawn(title or f"Attention from Token {token}")
    ax.set_title(shown, fontsize=12, fontweight="bold")
    ax.set_xticks(range(grid.shape[1]))
    ax.set_yticks(range(grid.shape[0]))
    ax.figure.colorbar(image, ax=ax, shrink=0.8)
    return ax


def token_figure(samples: Mapping[int, ArrayLike], token: int = 0) -> "Figure":
    """Draw what a token attends to in up to four samples: token_0_attention.png.

    Parameters
    ----------
    samples : mapping of int to array_like of shape (queries, keys)
        Those with the least numbers are drawn.
    token : int
        The one that attends.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each sample.

    Raises
    ------
    TypeError
        If it is not a mapping.
    ValueError
        If there are no maps, or one is not a map.
    IndexError
        If one has no such token.

    Examples
    --------
    >>> import rnn_native as rn
    >>> figure = rn.plots.token_figure(rn.attention_text.synthetic_attention(), token=3)
    """
    chosen = _first(samples, MAX_TOKEN_SAMPLES)
    figure = new_figure(3.6 * len(chosen), 3.6)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(chosen), squeeze=False).ravel()
    for ax, (number, weights) in zip(panels, chosen, strict=True):
        token_attention(weights, token, f"Sample {number}", ax)
    figure.suptitle(
        f"Attention from Token {token} (spatial view)", fontsize=14, fontweight="bold"
    )
    return figure


def attention_over_image(
    weights: ArrayLike,
    image: ArrayLike,
    token: int | None = None,
    title: str = "",
    ax: "Axes | None" = None,
    limit: float | None = None,
) -> "Axes":
    """Draw which patches of an image are attended to, and over them the image in light ink.

    Parameters
    ----------
    weights : array_like of shape (queries, keys)
        With a square number of keys.
    image : array_like of shape (height, width)
        Also with a channel axis, or 784 numbers.
    token : int in [0, queries), optional
        The token that attends, marked by a star; the mean over all when left out.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    limit : float, optional
        Weight at the colors' upper end; the greatest weight when left out.

    Returns
    -------
    matplotlib.axes.Axes
        `ax.images` are the image and the patches.

    Raises
    ------
    ValueError
        If it is not a map, its number of keys is not a square, or the image has another shape.
    IndexError
        If there is no such token.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> ax = rn.plots.attention_over_image(np.full((4, 4), 0.25), np.zeros((28, 28)))
    """
    ax = axes_or_new(ax, 5, 5)
    over = _draw_over(ax, _attended(weights, token), image, token, title, limit)
    ax.figure.colorbar(over, ax=ax, shrink=0.8, label="Attention Weight")
    return ax


def _attended(weights: ArrayLike, token: int | None) -> NDArray[np.float64]:
    """Return how much each token is attended to, laid out as a square."""
    row = as_map(weights).mean(axis=0) if token is None else row_of(weights, token)
    side = math.isqrt(len(row))
    if side * side != len(row):
        raise ValueError(
            f"attention_over_image: expected a square number of tokens, got {len(row)}"
        )
    grid: NDArray[np.float64] = row.reshape(side, side)
    return grid


def _draw_over(
    ax: "Axes",
    grid: NDArray[np.float64],
    image: ArrayLike,
    token: int | None,
    title: str,
    limit: float | None,
) -> "AxesImage":
    """Draw patches in the colors of the bar, and over them the image in light ink."""
    picture = as_pictures(np.asarray(image)[None], "image")[0].astype(np.float64)
    height, width = picture.shape
    side = len(grid)
    extent = (-0.5, side - 0.5, side - 0.5, -0.5)
    ink = (picture - picture.min()) / (float(np.ptp(picture)) or 1.0)
    ax.imshow(
        picture,
        cmap="gray_r",
        alpha=0.4 * ink,
        extent=extent,
        aspect=height / width,
        zorder=2,
    )
    over = ax.imshow(
        grid, cmap="Oranges", vmin=0, vmax=limit or float(grid.max()) or 1.0, extent=extent,
        interpolation="nearest", aspect=height / width, zorder=1,
    )  # fmt: skip
    if token is not None:
        mark(ax, token, grid.shape)
    default = "Mean attention" if token is None else f"Attention from Token {token}"
    ax.set_title(
        as_drawn(title or default), fontsize=12, fontweight="bold", parse_math=False
    )
    ax.set_xticks([])
    ax.set_yticks([])
    return over


def attention_over_images(
    samples: Sequence[ArrayLike],
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    token: int | None = None,
) -> "Figure":
    """Draw which patches of several images are attended to, all in one scale of colors.

    Parameters
    ----------
    samples : sequence of array_like of shape (queries, keys)
        A map for each image.
    images : array_like of shape (n, height, width), or (n, 784)
        As many as samples.
    titles : sequence of str, optional
        As many as samples.
    token : int, optional
        As for `attention_over_image`.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each image.

    Raises
    ------
    ValueError, IndexError
        As for `attention_over_image`; if there are not as many of each.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> maps = np.full((2, 4, 4), 0.25)
    >>> figure = rn.plots.attention_over_images(maps, np.zeros((2, 28, 28)), ["one", "two"])
    """
    pictures = as_pictures(images, "images")
    names = (
        list(titles) if titles is not None else [f"Sample {i}" for i in range(len(samples))]
    )
    if not len(samples) == len(pictures) == len(names):
        raise ValueError(
            f"attention_over_images: expected as many maps as images and titles, got "
            f"{len(samples)}, {len(pictures)} and {len(names)}"
        )
    grids = [_attended(weights, token) for weights in samples]
    limit = max(float(grid.max()) for grid in grids)
    columns = min(3, len(samples))
    rows = math.ceil(len(samples) / columns)
    figure = new_figure(3.4 * columns + 0.8, 3.6 * rows)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    drawn = [
        _draw_over(ax, grid, picture, token, name, limit)
        for ax, grid, picture, name in zip(panels, grids, pictures, names, strict=False)
    ]
    for ax in panels[len(samples) :]:
        ax.axis("off")
    figure.colorbar(drawn[0], ax=panels.tolist(), shrink=0.8, label="Attention Weight")
    whom = "all tokens, mean" if token is None else f"token {token}"
    figure.suptitle(f"Attention over the image ({whom})", fontsize=14, fontweight="bold")
    return figure


def _first(samples: Mapping[int, ArrayLike], most: int) -> list[tuple[int, ArrayLike]]:
    if not check_mapping("samples", samples):
        raise ValueError("samples: expected at least one attention map, got none")
    return sorted(samples.items())[:most]
