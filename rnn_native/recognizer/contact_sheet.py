"""A sheet of pictures beside what the net saw and said."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer.reading import Reading

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 112  # of each of the two pictures in an entry
MARGIN, TEXT = 8, 32
COLUMNS = 4
MOST_ENTRIES = 400


class Entry(NamedTuple):
    """A picture's name, its grey bytes (or those of its thumbnail), and what was read."""

    name: str
    picture: NDArray[np.uint8]
    reading: Reading


def contact_sheet(entries: Sequence[Entry]) -> bytes:
    """Return a PNG: of each entry the picture, the 28 x 28 pixels, name and digit.

    Raises
    ------
    ValueError
        If there are none, or more than 400.
    """
    from PIL import Image

    if not 0 < len(entries) <= MOST_ENTRIES:
        raise ValueError(
            f"contact sheet: expected 1 to {MOST_ENTRIES} pictures, got {len(entries)}"
        )
    columns = min(COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    width, height = 2 * CELL + 3 * MARGIN, CELL + TEXT + 2 * MARGIN
    sheet = Image.new("L", (columns * width, rows * height), 255)
    for number, entry in enumerate(entries):
        row, column = divmod(number, columns)
        _draw(sheet, entry, column * width + MARGIN, row * height + MARGIN)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture as large as the sheet has it: what is kept of many should be small."""
    from PIL import Image

    small = Image.fromarray(picture)
    small.thumbnail((CELL, CELL))
    return np.asarray(small)


def _draw(sheet: "Image", entry: Entry, left: int, top: int) -> None:
    from PIL import Image, ImageDraw

    sheet.paste(Image.fromarray(thumbnail(entry.picture)), (left, top))
    pixels = np.rint(entry.reading.image * 255).astype(np.uint8)
    seen = Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST)
    sheet.paste(seen, (left + CELL + MARGIN, top))
    draw = ImageDraw.Draw(sheet)
    name = entry.name if len(entry.name) <= 36 else f"...{entry.name[-33:]}"
    draw.text((left, top + CELL + 4), name.encode("ascii", "replace").decode(), fill=0)
    draw.text((left, top + CELL + 17), said(entry.reading), fill=0)


def said(reading: Reading) -> str:
    """Return digit, per cent and doubt in a few words."""
    if reading.label is None:
        return reading.doubt or ""
    share = 100 * float(reading.probabilities[reading.label])
    text = f"{reading.label}  {share:.1f} %"
    return f"{text}  ({reading.doubt})" if reading.doubt else text
