"""What goes out of the window: the result as text, and the drawing as a file."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnn_native.base.files import AnyPath, atomic_write, shown
from rnn_native.recognizer import drawing
from rnn_native.recognizer.reading import Reading
from rnn_native.recognizer.strokes import Stroke, rasterise

SHOWN = 0.0005  # less would read 0.0 %


def result_text(reading: Reading) -> str:
    """Return a reading as one line: the digit, and what else it may be, or the doubt."""
    if reading.label is None:
        return reading.doubt or ""
    order = np.argsort(-reading.probabilities)
    likely = [d for d in order[:3] if reading.probabilities[d] >= SHOWN]
    digit, *others = (f"{d}  {100 * reading.probabilities[d]:.1f} %" for d in likely)
    text = f"{digit}   or {', '.join(others)}" if others else digit
    return f"{text}   ({reading.doubt})" if reading.doubt else text


def save_drawing(path: AnyPath, strokes: Sequence[Stroke]) -> None:
    """Write strokes as a picture (.png) or as strokes that can be opened again (.json).

    Raises
    ------
    ValueError
        If the name ends in something else.
    OSError
        If the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        atomic_write(path, drawing.to_json(strokes).encode())
    elif suffix == ".png":
        atomic_write(path, _png(strokes))
    else:
        raise ValueError(
            f"{shown(path)}: expected a name that ends in .png or .json, "
            f"got {suffix or 'no suffix'}"
        )


def _png(strokes: Sequence[Stroke]) -> bytes:
    from PIL import Image

    ink = rasterise(strokes, (drawing.SIDE, drawing.SIDE))
    file = io.BytesIO()
    Image.fromarray(np.rint(ink * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
