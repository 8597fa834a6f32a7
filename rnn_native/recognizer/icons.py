"""Icons of the toolbar, drawn when they are needed: in any size and color."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

GRID = 24  # units of the drawings below, a side
FINE = 4  # samples per pixel, along each side
LINE = 2.0

Point = tuple[float, float]


class _Pen:
    """Draws with round lines, in units of the grid."""

    def __init__(self, size: int, color: str) -> None:
        from PIL import Image, ImageDraw

        self._zoom = size * FINE / GRID
        side = size * FINE
        self.image: Image.Image = Image.new("RGBA", (side, side))
        self._draw = ImageDraw.Draw(self.image)
        self._color = color

    def line(self, *points: Point) -> None:
        zoomed = [(x * self._zoom, y * self._zoom) for x, y in points]
        self._draw.line(zoomed, self._color, round(LINE * self._zoom), joint="curve")
        for x, y in (points[0], points[-1]):
            self.dot(x, y, LINE / 2)

    def arc(self, box: Sequence[float], start: float, end: float) -> None:
        zoomed = [value * self._zoom for value in box]
        self._draw.arc(zoomed, start, end, self._color, round(LINE * self._zoom))

    def dot(self, x: float, y: float, radius: float) -> None:
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([value * self._zoom for value in box], self._color)


def _open(pen: _Pen) -> None:
    pen.line((3, 19), (3, 5), (9, 5), (11, 8), (20, 8), (20, 11))
    pen.line((3, 19), (6.5, 11), (22.5, 11), (19, 19), (3, 19))


def _save(pen: _Pen) -> None:
    pen.line((12, 3), (12, 15))
    pen.line((7, 10), (12, 15), (17, 10))
    pen.line((4, 16), (4, 20), (20, 20), (20, 16))


def _paste(pen: _Pen) -> None:
    pen.line((9, 5), (5, 5), (5, 21), (19, 21), (19, 5), (15, 5))
    pen.line((9, 3), (15, 3), (15, 7), (9, 7), (9, 3))
    pen.line((9, 12), (15, 12))
    pen.line((9, 16), (15, 16))


def _undo(pen: _Pen) -> None:
    pen.line((6, 9), (14, 9))
    pen.arc((8.5, 8, 20.5, 20), -90, 90)
    pen.line((14, 19), (8, 19))
    pen.line((9.5, 5), (5, 9), (9.5, 13))


def _redo(pen: _Pen) -> None:
    pen.line((18, 9), (10, 9))
    pen.arc((3.5, 8, 15.5, 20), 90, 270)
    pen.line((10, 19), (16, 19))
    pen.line((14.5, 5), (19, 9), (14.5, 13))


def _clear(pen: _Pen) -> None:
    pen.line((4, 7), (20, 7))
    pen.line((9, 7), (9, 4), (15, 4), (15, 7))
    pen.line((6, 7), (7, 21), (17, 21), (18, 7))
    pen.line((10, 11), (10.3, 17))
    pen.line((14, 11), (13.7, 17))


def _erase(pen: _Pen) -> None:
    pen.line((9, 19), (3.5, 13.5), (13, 4), (20, 11), (12, 19), (9, 19))
    pen.line((8.2, 8.8), (15.2, 15.8))
    pen.line((12, 20), (21, 20))


def _overlay(pen: _Pen) -> None:
    pen.line((2, 12), (6, 8), (12, 5.5), (18, 8), (22, 12))
    pen.line((2, 12), (6, 16), (12, 18.5), (18, 16), (22, 12))
    pen.dot(12, 12, 3.2)


def _correct(pen: _Pen) -> None:
    pen.line((4, 20), (5, 15.5), (16, 4.5), (19.5, 8), (8.5, 19), (4, 20))
    pen.line((13.5, 7), (17, 10.5))


def _help(pen: _Pen) -> None:
    pen.arc((2.5, 2.5, 21.5, 21.5), 0, 360)
    pen.arc((8.5, 6, 15.5, 13), 180, 65)
    pen.line((12.9, 12.2), (12, 14.3))
    pen.dot(12, 17.6, 1.4)


def _menu(pen: _Pen) -> None:
    for y in (6, 12, 18):
        pen.line((4, y), (20, y))


DRAWINGS: dict[str, Callable[[_Pen], None]] = {
    "open": _open,
    "save": _save,
    "paste": _paste,
    "undo": _undo,
    "redo": _redo,
    "clear": _clear,
    "erase": _erase,
    "overlay": _overlay,
    "correct": _correct,
    "help": _help,
    "menu": _menu,
}


def png(name: str, size: int, color: str) -> bytes:
    """Return an icon as PNG, `size` pixels wide and high, on nothing."""
    from PIL import Image

    pen = _Pen(size, color)
    DRAWINGS[name](pen)
    file = io.BytesIO()
    pen.image.resize((size, size), Image.Resampling.BOX).save(file, "PNG")
    return file.getvalue()
