"""Measure how well the shipped model reads drawings, and how much nonsense it rejects.

python scripts/measure_recognizer.py [SHEET.png]

Drawings are generated strokes: every digit, pen and size, at nine places of the canvas. With a
name a sheet of them is written.
"""

import argparse
import itertools
from collections import Counter
from pathlib import Path

import numpy as np

import rnn_native as rn
from rnn_native.datasets.synthetic import digit_strokes
from rnn_native.recognizer.contact_sheet import Entry, contact_sheet
from rnn_native.recognizer.drawing import SIDE
from rnn_native.recognizer.preprocessing import from_image, from_strokes
from rnn_native.recognizer.reading import recognise
from rnn_native.recognizer.strokes import Stroke, rasterise

PENS = (6, 12, 20, 28, 36)
HEIGHTS = (50, 90, 150, 230)
PLACES = tuple(itertools.product((0.0, 0.5, 1.0), repeat=2))
VARIANTS = 3  # of each digit with each pen and height
SHOWN = 48


def drawings():
    """Yield a digit, and its strokes at each of the nine places."""
    sizes = list(itertools.product(PENS, HEIGHTS, range(VARIANTS)))
    labels = np.repeat(np.arange(10, dtype=np.uint8), len(sizes))
    for label, paths, (pen, height, _) in zip(
        labels, digit_strokes(labels, seed=7), itertools.cycle(sizes), strict=False
    ):
        points = np.concatenate(paths)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = height / (high - low).max()
        room = SIDE - scale * (high - low)
        yield (
            int(label),
            [
                [Stroke((path - low) * scale + room * place, pen) for path in paths]
                for place in PLACES
            ],
        )


def nonsense():
    """Yield what kind of nonsense it is, and its 28 x 28 pixels."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        yield "noise", from_image(rng.random((60, 60)).astype(np.float32))
        scribble = rng.uniform(20, 260, (40, 2))
        yield "scribble", from_strokes([Stroke(scribble, 20)])
        dot = rng.uniform(20, 260, (1, 2))
        yield "dot", from_strokes([Stroke(dot, 20)])
        marks = [
            Stroke(p + rng.uniform(-8, 8, (3, 2)), 8) for p in rng.uniform(20, 260, (8, 2))
        ]
        yield "marks", from_strokes(marks)
        box = np.zeros((60, 60), np.float32)
        top, left = rng.integers(5, 20, 2)
        box[top : top + 30, left : left + 30] = 1
        yield "filled box", from_image(box)
    yield "blank", from_strokes([])
    yield "blank", from_image(np.full((90, 40), 200, np.uint8))


def main():
    """Print the shares, and write the sheet if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet", nargs="?", type=Path, help="PNG of drawings (none)")
    sheet = parser.parse_args().sheet
    net = rn.pretrained.load()
    right = same = total = 0
    entries = []
    for label, places in drawings():
        readings = [recognise(net, from_strokes(strokes)) for strokes in places]
        labels = [reading.label for reading in readings]
        right += labels[4] == label
        same += len(set(labels)) == 1
        total += 1
        if labels[4] != label or (len(entries) < SHOWN and total % 13 == 0):
            ink = rasterise(places[4], (SIDE, SIDE), samples=1)
            entries.append(
                Entry(f"{label}", np.rint(ink * 255).astype(np.uint8), readings[4])
            )
    print(f"drawings read right: {right} of {total}, {100 * right / total:.1f} %")
    print(f"the same at all nine places: {same} of {total}, {100 * same / total:.1f} %")
    (_, _), (images, digits) = rn.datasets.load_mnist()
    read = [recognise(net, from_image(image)) for image in images]
    hits = sum(reading.label == digit for reading, digit in zip(read, digits, strict=True))
    unchanged = sum(
        np.array_equal(r.image, i / np.float32(255))
        for r, i in zip(read, images, strict=True)
    )
    doubted = sum(reading.doubt is not None for reading in read)
    n = len(images)
    print(
        f"MNIST's test images: {unchanged} of {n} unchanged, {hits} right, {doubted} doubted"
    )
    refused, count = Counter(), Counter()
    for kind, image in nonsense():
        count[kind] += 1
        refused[kind] += recognise(net, image).doubt is not None
    shares = ", ".join(f"{kind} {refused[kind]} of {count[kind]}" for kind in count)
    print(f"nonsense refused: {shares}")
    if sheet:
        sheet.write_bytes(contact_sheet(entries[:400]))


main()
