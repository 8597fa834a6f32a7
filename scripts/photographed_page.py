"""Draw a photo of a page of numbers, read it, and draw what was read: docs/read-page.png.

python scripts/photographed_page.py [FILE.png]

The digits are generated; the light falls unevenly, a shadow has an edge, the sheet is a little
turned and lies on a table, and the camera adds noise (tests/support/pictures.py).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import pictures
import rnn_native as rn
from rnn_native.recognizer.opening import gray_of
from rnn_native.recognizer.reading import read_digits

PATH = Path(__file__).resolve().parent.parent / "docs" / "read-page.png"
NUMBERS = ("2026", "31415", "90210", "8657")
SIDE, COLORS = 560, 48
MARK = "#d55e00"


def main():
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default=PATH)
    path = parser.parse_args().file
    net = rn.pretrained.load()
    digits = pictures.sure_digits()
    photo = pictures.page_of_numbers(digits, NUMBERS, np.random.default_rng(2))
    found = read_digits(net, gray_of(photo))
    print("\n".join(found.lines))
    shown = photo.convert("RGB")
    draw, font = ImageDraw.Draw(shown), ImageFont.load_default(30)
    for digit, reading in zip(found.page.digits, found.readings, strict=True):
        left, top, right, bottom = digit.box
        draw.rectangle((left - 5, top - 5, right + 5, bottom + 5), outline=MARK, width=3)
        draw.text(
            (left - 5, top - 10), reading.text, MARK, font=font, anchor="ls", stroke_width=1
        )
    shown.thumbnail((SIDE, SIDE))
    shown.quantize(COLORS).save(path, optimize=True)


if __name__ == "__main__":
    main()
