"""The canvas: drawing with the pointer, and what is shown there."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.recognizer import pictures
from rnn_native.recognizer.drawing import SIDE, Drawing
from rnn_native.recognizer.theme import Theme

PEN_WIDTH = 20
NOTICEABLE = 1.1  # a canvas that grows by less stays as it is
SHIFT = 0x0001  # in an event's state
HINT = "Draw a digit here,\nor open or paste a picture"
HINT_COLOR = "#9aa1ab"


class Canvas:
    """Where one draws: SIDE x SIDE units, shown as large as fits.

    Parameters
    ----------
    parent : tkinter.Misc
    theme : Theme
    drawing : Drawing
        The drawing that the pointer changes.
    changed : callable
        Called with whether the gesture is finished, after each change.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        drawing: Drawing,
        changed: Callable[[bool], None],
    ) -> None:
        self._theme = theme
        self._drawing = drawing
        self._changed = changed
        self._picture: NDArray[np.uint8] | None = None  # shown instead of strokes
        self._image: tk.PhotoImage | None = None  # what Tk shows of it
        self._gesture = ""  # "draws" or "erases" while a button is down
        self.pen: float = PEN_WIDTH
        self.erases = False
        # It requests little space, and gets all that is left.
        self.frame = ttk.Frame(parent, width=SIDE // 2, height=SIDE // 2)
        self.frame.bind("<Configure>", self._fit)
        self.widget = tk.Canvas(
            self.frame,
            background="black",
            cursor="cross",
            highlightthickness=0,
        )
        self.widget.bind("<ButtonPress-1>", self._press)
        self.widget.bind("<B1-Motion>", self._move)
        self.widget.bind("<ButtonRelease-1>", self._release)
        for button in (2, 3):  # the right one is 2 on a Mac
            self.widget.bind(f"<ButtonPress-{button}>", self._press_right)
            self.widget.bind(f"<B{button}-Motion>", self._move)
            self.widget.bind(f"<ButtonRelease-{button}>", self._release)
        self.widget.bind("<Configure>", lambda _: self.redraw())

    def _fit(self, event: Any) -> None:
        """Make the canvas as large a square as fits."""
        side = min(event.width, event.height)
        if SIDE <= side < NOTICEABLE * SIDE:
            side = SIDE  # a unit is a pixel then
        self.widget.place(x=(event.width - side) // 2, y=0, width=side, height=side)

    @property
    def _scale(self) -> float:
        """Pixels a unit."""
        return self._side / SIDE

    @property
    def _side(self) -> int:
        """Pixels; before the window is shown, as many as units."""
        width = self.widget.winfo_width()
        return width if width > 1 else SIDE

    def _press(self, event: Any) -> None:
        if self.erases or event.state & SHIFT:
            self._press_right(event)
            return
        self.widget.focus_set()
        self.show_strokes()
        self._gesture = "draws"
        x, y = event.x / self._scale, event.y / self._scale
        self._drawing.begin(x, y, self.pen)
        self._line(x, y, x, y)
        self._changed(False)

    def _press_right(self, event: Any) -> None:
        self.widget.focus_set()
        self.show_strokes()
        self._gesture = "erases"
        self._drawing.begin_erasing()
        self._move(event)

    def _move(self, event: Any) -> None:
        x, y = event.x / self._scale, event.y / self._scale
        if self._gesture == "draws" and self._drawing.is_drawing:
            x0, y0 = self._last
            self._drawing.extend(x, y)
            self._line(x0, y0, x, y)
        elif self._gesture == "erases":
            self._drawing.erase(x, y, self.pen)
            self.redraw()
        else:
            return
        self._changed(False)

    def _release(self, _event: Any) -> None:
        if self._gesture == "draws":
            self._drawing.end()
        elif self._gesture == "erases":
            self._drawing.end_erasing()
        else:
            return
        self._gesture = ""
        self._changed(True)

    def _line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw with the round pen, in units."""
        self._last = x1, y1
        self.widget.delete("hint")
        self._polyline([x0, y0, x1, y1], self.pen)

    def _polyline(self, points: list[float], width: float) -> None:
        scale = self._scale
        self.widget.create_line(
            [p * scale for p in points],
            width=width * scale,
            fill="white",
            capstyle="round",
            joinstyle="round",
        )

    def show_strokes(self) -> None:
        """Show the strokes, whatever is shown now."""
        self._picture = None
        self.redraw()

    def redraw(self) -> None:
        """Redraw all strokes, or the opened picture."""
        if self._picture is not None:
            self.show_picture(self._picture)
            return
        self.widget.delete("all")
        if not self._drawing.strokes:
            self._show_hint()
        for stroke in self._drawing.strokes:
            points = stroke.points.ravel().tolist()
            self._polyline(points if len(points) > 2 else points * 2, stroke.width)

    def show_picture(self, gray: NDArray[np.uint8]) -> None:
        """Show an opened picture instead of strokes, as large as fits."""
        room, (rows, columns) = self._side, gray.shape
        size = max(rows, columns)
        # Nearest pixels: the picture is only looked at here.
        at = (np.arange(room) * size / room).astype(int)
        shown = gray[at[at < rows]][:, at[at < columns]]
        data = pictures.ppm(shown[:, :, None].repeat(3, axis=2))
        self._picture = gray
        self._image = tk.PhotoImage(data=data, format="ppm", master=self.widget)
        self.widget.delete("all")
        self.widget.create_image(0, 0, image=self._image, anchor="nw")

    def _show_hint(self) -> None:
        middle = self._side / 2
        self.widget.create_text(
            middle, middle, text=HINT, fill=HINT_COLOR, font=self._theme.text,
            justify="center", tags="hint",
        )  # fmt: skip
