"""The tokens of an attention map, and where they lie in a picture."""

import math
import operator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.analysis.attention_text import as_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def row_of(weights: ArrayLike, token: int) -> NDArray[np.float64]:
    """Return what a token of a map attends to."""
    values = as_map(weights)
    if not 0 <= operator.index(token) < len(values):
        raise IndexError(f"token: expected one in 0..{len(values) - 1}, got {token}")
    row: NDArray[np.float64] = values[token]
    return row


def grid_of(keys: int) -> tuple[int, int]:
    """Return rows and columns of a picture with a place for each token."""
    side = math.isqrt(keys)
    return (side, side) if side * side == keys else (1, keys)


def mark(ax: "Axes", token: int, grid: tuple[int, ...]) -> None:
    """Put a star where the token lies; nowhere if the keys are other tokens."""
    if token < math.prod(grid):
        row, column = divmod(token, grid[1])
        ax.plot(
            column, row, marker="*", color="blue", markersize=15,
            markeredgecolor="white", markeredgewidth=1.5,
        )  # fmt: skip
