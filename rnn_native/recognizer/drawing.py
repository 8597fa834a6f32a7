"""The drawing on the canvas: strokes, with undo and redo. Nothing here needs a display."""

import json
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from rnn_native.base.errors import FormatError
from rnn_native.base.files import AnyPath, read_within, shown
from rnn_native.recognizer.strokes import Stroke, erase

# The canvas' side. Points are in its unit, however large it is shown.
SIDE = 280
PEN_WIDTHS = (4, 80)
MOST_JSON_BYTES = 10_000_000


class Drawing:
    """Strokes on a canvas of SIDE x SIDE, y downwards.

    A gesture (a stroke, a stretch of rubbing out, clearing) is undone as a whole.
    """

    def __init__(self) -> None:
        self._done: tuple[Stroke, ...] = ()
        self._points: list[tuple[float, float]] = []  # of the stroke under way
        self._width = 0.0
        self._before: list[tuple[Stroke, ...]] = []
        self._undone: list[tuple[Stroke, ...]] = []

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """All strokes, the one under way last."""
        if not self._points:
            return self._done
        return (*self._done, Stroke(self._points, self._width))

    @property
    def is_drawing(self) -> bool:
        """Whether a pen is on the canvas."""
        return bool(self._points)

    @property
    def can_undo(self) -> bool:
        """Whether there is a gesture to undo."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone gesture."""
        return bool(self._undone)

    def begin(self, x: float, y: float, width: float) -> None:
        """Put a pen of that width on the canvas."""
        self.end()
        self._points, self._width = [(x, y)], width

    def extend(self, x: float, y: float) -> None:
        """Move the pen that is on the canvas."""
        if self._points and self._points[-1] != (x, y):
            self._points.append((x, y))

    def end(self) -> None:
        """Lift the pen; nothing happens when it is not on the canvas."""
        if self._points:
            strokes = self.strokes
            self._points = []
            self._change(strokes)

    def begin_erasing(self) -> None:
        """Begin a gesture of `erase` calls."""
        self.end()
        self._change(self._done)

    def erase(self, x: float, y: float, radius: float) -> None:
        """Rub out what lies within `radius` of (x, y)."""
        self._done = tuple(erase(self._done, (x, y), radius))

    def end_erasing(self) -> None:
        """End the gesture; one that rubbed nothing out is forgotten."""
        if self._before and _same(self._before[-1], self._done):
            self._before.pop()

    def clear(self) -> None:
        """Wipe the canvas."""
        self.end()
        if self._done:
            self._change(())

    def replace(self, strokes: Sequence[Stroke]) -> None:
        """Put other strokes on the canvas."""
        self.end()
        self._change(tuple(strokes))

    def undo(self) -> None:
        """Undo the last gesture."""
        self.end()
        if self._before:
            self._undone.append(self._done)
            self._done = self._before.pop()

    def redo(self) -> None:
        """Do again what `undo` took back, as long as nothing else was done."""
        self.end()
        if self._undone:
            self._before.append(self._done)
            self._done = self._undone.pop()

    def _change(self, strokes: tuple[Stroke, ...]) -> None:
        self._before.append(self._done)
        self._undone.clear()
        self._done = strokes


def _same(a: Sequence[Stroke], b: Sequence[Stroke]) -> bool:
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


def to_json(strokes: Sequence[Stroke]) -> str:
    """Return strokes as JSON text, which `from_json` reads back."""
    listed = [{"width": s.width, "points": s.points.tolist()} for s in strokes]
    return json.dumps({"side": SIDE, "strokes": listed}) + "\n"


def from_json(path: AnyPath) -> list[Stroke]:
    """Read strokes that `to_json` wrote.

    Raises
    ------
    FormatError
        If the file holds something else.
    OSError
        If it cannot be read.
    """
    content = read_within(path, MOST_JSON_BYTES, shown(path))
    try:
        document = json.loads(content)
        return [_stroke(item) for item in document["strokes"]]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise FormatError(
            f"{shown(path)}: expected a drawing that this window saved"
        ) from None


def _stroke(item: dict[str, Any]) -> Stroke:
    points: ArrayLike = item["points"]
    return Stroke(points, float(item["width"]))
