"""A sheet of pictures beside what the net saw and said."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer.morphology import grown
from rnn_native.recognizer.page import LAST_STEP
from rnn_native.recognizer.reading import PageReading, Reading

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

CELL = 112  # of each of the two pictures in an entry
MARGIN, TEXT = 8, 32
COLUMNS = 4
MOST_ENTRIES = 400
OUTLINE = 90  # gray of boxes


class Entry(NamedTuple):
    """A picture and its reading.

    Attributes
    ----------
    name : str
    picture : ndarray of shape (rows, columns), uint8
        Or its thumbnail.
    reading : Reading
        What it reads as one digit.
    ink : ndarray of shape (rows, columns), uint8, optional
        The ink that `found_ink` returned.
    """

    name: str
    picture: NDArray[np.uint8]
    reading: Reading
    ink: NDArray[np.uint8] | None = None


def contact_sheet(entries: Sequence[Entry]) -> bytes:
    """Return a PNG: of each entry picture, 28 x 28 pixels, ink, name and digit.

    Raises
    ------
    ValueError
        If there are no pictures, or more than 400.
    """
    from PIL import Image

    if not 0 < len(entries) <= MOST_ENTRIES:
        raise ValueError(
            f"contact sheet: expected 1 to {MOST_ENTRIES} pictures, got {len(entries)}"
        )
    columns = min(COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    cells = 2 + any(entry.ink is not None for entry in entries)
    width, height = cells * (CELL + MARGIN) + MARGIN, CELL + TEXT + 2 * MARGIN
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


def found_ink(found: PageReading) -> NDArray[np.uint8] | None:
    """Return the ink that was found, with a box around each digit, broken where in doubt."""
    from PIL import Image, ImageDraw

    steps = found.page.steps
    if "ink" not in steps:  # an image of MNIST's
        return None
    kept = np.where(grown(steps[LAST_STEP].astype(np.bool_)), steps["ink"], 0)
    ink = Image.fromarray(np.rint(255 * (1 - kept)).astype(np.uint8))
    zoom = CELL / max(ink.size)
    size = max(1, round(zoom * ink.width)), max(1, round(zoom * ink.height))
    ink = ink.resize(size, Image.Resampling.BOX)
    draw = ImageDraw.Draw(ink)
    left, top, right, _ = found.page.area
    zoom = ink.width / (right - left)
    for digit, reading in zip(found.page.digits, found.readings, strict=True):
        corners = zip(digit.box, (left, top, left, top), strict=True)
        box = [zoom * (at - low) for at, low in corners]
        _outline(draw, box, broken=reading.doubt is not None)
    return np.asarray(ink)


def _outline(draw: "ImageDraw", box: list[float], *, broken: bool) -> None:
    """Draw a rectangle some pixels around a box."""
    left, top, right, bottom = box[0] - 3, box[1] - 3, box[2] + 2, box[3] + 2
    step, length = (6, 3) if broken else (6, 6)
    for x in np.arange(left, right, step):
        for y in (top, bottom):
            draw.line((x, y, min(x + length, right), y), OUTLINE)
    for y in np.arange(top, bottom, step):
        for x in (left, right):
            draw.line((x, y, x, min(y + length, bottom)), OUTLINE)


def _draw(sheet: "Image", entry: Entry, left: int, top: int) -> None:
    from PIL import Image, ImageDraw

    sheet.paste(Image.fromarray(thumbnail(entry.picture)), (left, top))
    pixels = np.rint(entry.reading.image * 255).astype(np.uint8)
    seen = Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST)
    sheet.paste(seen, (left + CELL + MARGIN, top))
    if entry.ink is not None:
        sheet.paste(Image.fromarray(entry.ink), (left + 2 * (CELL + MARGIN), top))
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
