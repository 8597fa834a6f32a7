"""Draw the steps from a picture to 28 x 28 pixels: docs/picture-steps.png.

python scripts/picture_steps.py [FILE.png]

The pictures are made of generated digits by tests/support/pictures.py.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import pictures
import rnn_native as rn
from rnn_native.recognizer.opening import gray_of
from rnn_native.recognizer.page import read_page
from rnn_native.recognizer.preprocessing import SIDE

PATH = Path(__file__).resolve().parent.parent / "docs" / "picture-steps.png"
KINDS = (
    "hard_shadow",
    "paper_on_wood",
    "scanner_edge",
    "whole_page",
    "yellow_highlighter",
    "box_of_a_form",
    "box_touched",
    "circle_around",
    "dark_ruled_paper",
    "underlined",
)
STEPS = (
    "picture",
    "paper",
    "ink",
    "marks",
    "surroundings",
    "boxes",
    "lines",
    "frames",
    "underlines",
)
CELL, GAP, HEAD = 112, 6, 20


def main():
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", default=PATH)
    path = parser.parse_args().file
    images, labels = rn.datasets.synthetic_digits(100, seed=4)
    columns = ("file", *STEPS, "28 x 28")
    size = (len(columns) * (CELL + GAP) + GAP, HEAD + len(KINDS) * (CELL + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        draw.text((GAP + column * (CELL + GAP), 4), name, fill="black")
    for row, kind in enumerate(KINDS):
        image = images[np.flatnonzero(labels == (2, 5, 3, 8, 4, 0, 5, 6, 2, 9)[row])[0]]
        file = pictures.KINDS[kind](image, np.random.default_rng(row))
        for column, cell in enumerate(cells(file)):
            cell.thumbnail((CELL, CELL))
            at = GAP + column * (CELL + GAP), HEAD + row * (CELL + GAP)
            sheet.paste(cell, at)
            draw.rectangle(
                (at[0], at[1], at[0] + cell.width, at[1] + cell.height), outline="#888"
            )
    sheet.save(path)


def cells(file):
    """Return the picture and the result of each step, as pictures."""
    page = read_page(gray_of(file))
    steps = [np.asarray(page.steps[name], np.float32) for name in STEPS]
    # Ink is dark here, as on paper.
    shown = [steps[0], steps[1], *(1 - step for step in steps[2:])]
    made = [Image.fromarray(np.rint(255 * step).astype(np.uint8)) for step in shown]
    seen = page.digits[0].image if page.digits else np.zeros((SIDE, SIDE))
    large = np.rint(255 * seen).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    return [file.convert("RGB"), *made, Image.fromarray(large)]


main()
