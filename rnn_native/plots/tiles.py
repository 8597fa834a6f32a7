"""Many small pictures in one axes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.plots.figures import as_drawn, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_TILES = 1024


def draw_tiles(
    ax: "Axes | None",
    pictures: Sequence[NDArray[Any]],
    titles: Sequence[str] | None = None,
    **style: Any,
) -> "Axes":
    """Draw pictures of one shape, (height, width) or with colors, in rows of a near square.

    Each is a separate image in `ax.images`, with `style` as keywords; a title is above
    its picture, all of them with as many lines. Returns the axes, new ones when `ax` is None.
    """
    height, width = pictures[0].shape[:2]
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    lines = titles[0].count("\n") + 1 if titles else 0
    # In pixels of the pictures: room between them, and for lines of text above.
    gap = 0.12 * max(height, width)
    head = (0.12 + 0.16 * lines) * max(height, width)
    step_x, step_y = width + gap, height + head
    if ax is None:
        scale = 1.5 if titles else 1.0
        ax = axes_or_new(None, max(4.0, scale * columns), max(3.0, scale * rows + 0.4))
    for number, picture in enumerate(pictures):
        left, top = number % columns * step_x, number // columns * step_y
        ax.imshow(picture, extent=(left, left + width, top + height, top), **style)
        if titles:
            ax.text(
                left + width / 2, top - 0.06 * height, as_drawn(titles[number]),
                ha="center", va="bottom", fontsize=9, parse_math=False,
            )  # fmt: skip
    ax.set_xlim(-gap, columns * step_x)
    ax.set_ylim(rows * step_y - head + gap, -head - gap)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def as_pictures(images: ArrayLike, name: str) -> NDArray[Any]:
    """Return images as (n, height, width), checked; (n, 784) are 28 x 28.

    Raises
    ------
    ValueError
        If they are not.
    """
    array = np.asarray(images)
    if array.ndim == 2 and array.shape[1] == 784:
        array = array.reshape(-1, 28, 28)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3 or not array.size or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: expected gray images, (n, height, width) or (n, 784), got "
            f"{array.dtype} of shape {array.shape}"
        )
    return array
