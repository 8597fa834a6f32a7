"""Figures without pyplot: made, and written to files."""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base.files import AnyPath, atomic_write, shown
from rnn_native.base.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 300
SUFFIXES = (".png", ".svg", ".pdf")

# Okabe and Ito's palette, which people with any kind of color vision can distinguish. Without
# its yellow, which is too light for a line on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")

GRID: dict[str, Any] = {"alpha": 0.3, "linestyle": "--"}


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches, which a notebook shows.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from rnn_native.plots.shown import ShownFigure
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError(
            "plots: matplotlib is not installed; try `pip install matplotlib`. Numbers and "
            "curves of a run are available without it: print(history.history), or a history as "
            "the value of a notebook's cell",
            name="matplotlib",
        ) from None
    return ShownFigure(figsize=(width, height))


def axes_or_new(ax: "Axes | None", width: float = 6.4, height: float = 4.8) -> "Axes":
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    figure = new_figure(width, height)
    figure.set_layout_engine("constrained")
    from rnn_native.plots.shown import ShownAxes

    return figure.add_subplot(axes_class=ShownAxes)


def check_suffix(path: AnyPath) -> str:
    """Return the format that a file's name asks for: "png", "svg" or "pdf".

    Raises
    ------
    ValueError
        If it asks for none of them.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{shown(path)[1:-1]}: expected a name that ends in {', '.join(SUFFIXES)}, got "
            f"{suffix or 'no ending'!r}"
        )
    return suffix[1:]


def save_figure(figure: "Figure", path: AnyPath, dpi: int | None = None) -> None:
    """Write a figure atomically; equal figures make equal files.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        `ax.figure` of what the functions here return.
    path : str or path-like
        The ending decides the format: .png, .svg or .pdf.
    dpi : int, optional
        Dots per inch of what has pixels; 300 when left out.

    Raises
    ------
    ValueError
        If the ending is another one.
    OSError
        If the file cannot be written; an existing file is left unchanged.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> ax = rn.plots.lr_curve([0.01, 0.1, 1], [2.0, 1.5, 3.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rn.plots.save_figure(ax.figure, f"{folder}/rates.png", dpi=50)
    """
    from rnn_native.plots.shown import rendered

    atomic_write(path, rendered(figure, check_suffix(path), dpi or DPI))


def as_drawn(text: object) -> str:
    """Return a user's text with what fonts or XML cannot have escaped: bytes, controls.

    Unlike in `printable`, lines, spaces of any width and joiners stay.
    """
    return "".join(
        c if c == "\n" or unicodedata.category(c) in ("Zs", "Cf") else printable(c)
        for c in str(text)
    )


def label(text: str, limit: int = 40) -> str:
    """Return a run's name for a legend: printable, and its end if it is long."""
    plain = printable(text)
    return plain if len(plain) <= limit else "..." + plain[3 - limit :]
