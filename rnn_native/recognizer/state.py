"""What the window shows and its buttons do, without the window."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.files import AnyPath
from rnn_native.models.network import Network
from rnn_native.recognizer import learning, model_choice, overlay
from rnn_native.recognizer.drawing import SIDE, Drawing
from rnn_native.recognizer.preprocessing import from_strokes
from rnn_native.recognizer.reading import PageReading, Reading, read_digits, recognise
from rnn_native.recognizer.strokes import Stroke, rasterise

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

OVERLAYS: tuple[overlay.Overlay, ...] = ("none", "saliency", "attention")


class Seen(NamedTuple):
    """What the net sees and says, what lies over its picture, several digits if there are."""

    reading: Reading
    overlay: Floats | None
    page: PageReading | None = None


class Lesson(NamedTuple):
    """A net and corrections, as they were when it was asked to learn."""

    net: Network
    images: tuple[Bytes, ...]
    labels: tuple[int, ...]

    def learned(self) -> Network:
        """Return a net that has learned: a second of work, safe in its own thread."""
        return learning.learned(self.net, self.images, self.labels, learning.load_replay())


class State:
    """A drawing or an opened picture, the net that reads it, and the corrections.

    Parameters
    ----------
    choice : Choice
        The model's name and file.
    net : Network
    corrections : path, optional
        Folder where corrections are kept.
    """

    def __init__(
        self,
        choice: model_choice.Choice,
        net: Network,
        corrections: AnyPath | None = None,
    ) -> None:
        self.choice = choice
        self.net = net
        self.drawing = Drawing()
        self.picture: Bytes | None = None  # (rows, columns), instead of a drawing
        self.overlay: overlay.Overlay = "none"
        self.corrections = learning.Corrections(corrections)
        self._unlearned: list[Network] = []

    # ---- reading ----

    def seen(self) -> Seen:
        """Read the canvas."""
        page = self._page()
        if page is not None:
            reading = page.as_one()
        else:
            reading = recognise(self.net, from_strokes(self.drawing.strokes))
        is_several = page is not None and len(page.readings) > 1
        return Seen(reading, self._overlay_of(reading), page if is_several else None)

    def _page(self) -> PageReading | None:
        """Look for several digits: on a picture, and on a drawing once the pen is lifted."""
        if self.picture is not None:
            return read_digits(self.net, self.picture)
        strokes = self.drawing.strokes
        if self.drawing.is_drawing or not _are_apart(strokes):
            return None
        ink = rasterise(strokes, (SIDE, SIDE))
        page = read_digits(self.net, np.rint(255 * ink).astype(np.uint8))
        return page if len(page.readings) > 1 else None

    def _overlay_of(self, reading: Reading) -> Floats | None:
        if self.overlay == "none" or reading.label is None:
            return None
        if self.overlay == "attention" and overlay.has_attention(self.net):
            return overlay.attention(self.net, reading.image)
        return overlay.saliency(self.net, reading.image, reading.label)

    def next_overlay(self) -> None:
        """Show the next kind; attention only of a net that has any."""
        kinds = OVERLAYS if overlay.has_attention(self.net) else OVERLAYS[:2]
        self.overlay = kinds[(kinds.index(self.overlay) + 1) % len(kinds)]

    def use(self, choice: model_choice.Choice) -> None:
        """Read with another model; corrections that were learned stay with the old one.

        Raises
        ------
        ValueError, OSError
            If it cannot be used; the old one stays then.
        """
        self.net = model_choice.open_model(choice)
        self.choice = choice
        self._unlearned.clear()
        if self.overlay == "attention" and not overlay.has_attention(self.net):
            self.overlay = "none"

    # ---- learning ----

    def correct(self, label: int) -> bool:
        """Keep the canvas as a correction; False when it is empty."""
        reading = self.seen().reading
        if not reading.image.any():
            return False
        self.corrections.add(reading.image, label)
        return True

    def lesson(self) -> Lesson:
        """Return the lesson of the present corrections."""
        kept = self.corrections
        return Lesson(self.net, tuple(kept.images), tuple(kept.labels))

    def take(self, lesson: Lesson, net: Network) -> bool:
        """Read with what a lesson gave; False if another net came in between."""
        if self.net is not lesson.net:
            return False
        self._unlearned.append(self.net)
        self.net = net
        return True

    @property
    def can_unlearn(self) -> bool:
        """Whether there is a net of before learning."""
        return bool(self._unlearned)

    def unlearn(self) -> None:
        """Read with the net of before the last learning."""
        if self._unlearned:
            self.net = self._unlearned.pop()


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _are_apart(strokes: Sequence[Stroke]) -> bool:
    """Whether the boxes around the strokes fall into groups that do not touch.

    Looking for several digits is much slower than reading one.
    """
    left = [_box_of(stroke) for stroke in strokes]
    reached = left[:1]
    for box in reached:  # grows meanwhile
        touching = [other for other in left if _touch(box, other)]
        left = [other for other in left if not _touch(box, other)]
        reached += touching
    return bool(left)


def _box_of(stroke: Stroke) -> Box:
    half = stroke.width / 2
    (x0, y0), (x1, y1) = stroke.points.min(axis=0), stroke.points.max(axis=0)
    return float(x0) - half, float(y0) - half, float(x1) + half, float(y1) + half


def _touch(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
