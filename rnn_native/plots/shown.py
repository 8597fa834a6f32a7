"""Figures and axes that a notebook shows; the one module that imports matplotlib at its top.

IPython asks the value of a cell for a picture by `_repr_png_`. So no backend has to be
chosen, and pyplot is not needed. Where IPython has its own function for figures (after
`%matplotlib inline`), it takes that.
"""

import io
import warnings

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Dots per inch: sharp enough for text, and a figure of 6.4 inches fits a notebook's column.
SCREEN_DPI = 110


class ShownFigure(Figure):
    """A figure that a notebook shows as the value of a cell."""

    def _repr_png_(self) -> bytes:
        return rendered(self, "png", SCREEN_DPI)


class ShownAxes(Axes):
    """Axes that a notebook shows, with the whole figure around them."""

    def _repr_png_(self) -> bytes | None:
        figure = self.figure
        return figure._repr_png_() if isinstance(figure, ShownFigure) else None


def rendered(figure: Figure, kind: str, dpi: int) -> bytes:
    """Return a figure as a file's content, "png", "svg" or "pdf"."""
    # Dates and random ids would make each file differ.
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": None}
    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "rnn_native"}), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; that is all there is to it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(
            content, format=kind, dpi=dpi, bbox_inches="tight", metadata=dates[kind]
        )
    return content.getvalue()
