"""Parts of the window: the canvas, the bars, and what the net sees."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from tkinter.font import Font
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.analysis.saliency import over_image
from rnn_native.recognizer import pictures
from rnn_native.recognizer.drawing import SIDE, Drawing
from rnn_native.recognizer.reading import Reading

PEN_WIDTH = 20
NOTICEABLE = 1.1  # a canvas that grows by less stays as it is
SHIFT = 0x0001  # in an event's state
BAR_WIDTH, BAR_HEIGHT = 150, 20
FULL_BAR = 140
DIGITS = 10
NET_SIDE = 28
NET_VIEW = 168


def scale_of(widget: tk.Misc) -> float:
    """Return how many pixels stand for one of a usual screen, of about 96 dots an inch."""
    scale = widget.winfo_fpixels("1i") / 96
    return scale if scale >= 1.25 else 1.0


class Canvas:
    """Where one draws: SIDE x SIDE units, shown as large as there is room.

    Parameters
    ----------
    parent : tkinter.Misc
    drawing : Drawing
        What is changed by the pointer.
    changed : callable
        Called with whether the gesture is finished, after each change.
    """

    def __init__(
        self, parent: tk.Misc, drawing: Drawing, changed: Callable[[bool], None]
    ) -> None:
        self._drawing = drawing
        self._changed = changed
        self._picture: NDArray[np.uint8] | None = None  # shown instead of strokes
        self._image: tk.PhotoImage | None = None  # what Tk shows of it
        self._gesture = ""  # "draws" or "erases" while a button is down
        self.pen: float = PEN_WIDTH
        self.erases = False
        side = round(SIDE * scale_of(parent))
        self.frame = ttk.Frame(parent, width=side, height=side)
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
        """Make the canvas as large a square as there is room for."""
        side, usual = min(event.width, event.height), round(SIDE * scale_of(self.frame))
        if usual <= side < NOTICEABLE * usual:
            side = usual
        x, y = (event.width - side) // 2, (event.height - side) // 2
        self.widget.place(x=x, y=y, width=side, height=side)

    @property
    def _scale(self) -> float:
        """Pixels a unit."""
        return self._side / SIDE

    @property
    def _side(self) -> int:
        """Pixels; before the window is shown, as many as it asks for."""
        width = self.widget.winfo_width()
        return width if width > 1 else round(SIDE * scale_of(self.widget))

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
        """Draw all strokes, or the opened picture, anew."""
        if self._picture is not None:
            self.show_picture(self._picture)
            return
        self.widget.delete("all")
        for stroke in self._drawing.strokes:
            points = stroke.points.ravel().tolist()
            self._polyline(points if len(points) > 2 else points * 2, stroke.width)

    def show_picture(self, grey: NDArray[np.uint8]) -> None:
        """Show an opened picture instead of strokes, as large as fits."""
        room, (rows, columns) = self._side, grey.shape
        size = max(rows, columns)
        # Nearest pixels: the picture is only looked at here.
        at = (np.arange(room) * size / room).astype(int)
        shown = grey[at[at < rows]][:, at[at < columns]]
        data = pictures.ppm(shown[:, :, None].repeat(3, axis=2))
        self._picture = grey
        self._image = tk.PhotoImage(data=data, format="ppm", master=self.widget)
        self.widget.delete("all")
        self.widget.create_image(0, 0, image=self._image, anchor="nw")


class Bars:
    """A bar and a percentage for each digit; the greatest in another colour, and bold."""

    def __init__(self, parent: tk.Misc) -> None:
        scale = scale_of(parent)
        self._full, self._height = round(FULL_BAR * scale), round(BAR_HEIGHT * scale)
        self._plain = Font(family="Arial", size=10)
        self._bold = Font(family="Arial", size=10, weight="bold")
        self.frame = ttk.Frame(parent)
        head = Font(family="Arial", size=12, weight="bold")
        ttk.Label(self.frame, text="Predictions:", font=head).pack(pady=5)
        self.canvases: list[tk.Canvas] = []
        self.labels: list[ttk.Label] = []
        for digit in range(DIGITS):
            row = ttk.Frame(self.frame)
            row.pack(fill="x", pady=2)
            ttk.Label(row, text=f"{digit}:", width=2).pack(side="left")
            canvas = tk.Canvas(
                row,
                width=round(BAR_WIDTH * scale),
                height=self._height,
                background="white",
                highlightthickness=0,
            )
            canvas.pack(side="left", padx=5)
            canvas.create_rectangle(0, 0, 0, self._height, width=0, tags="bar")
            label = ttk.Label(row, text="0.0%", width=7)
            label.pack(side="left")
            self.canvases.append(canvas)
            self.labels.append(label)

    def show(self, reading: Reading) -> None:
        """Show a reading's probabilities; zeros where there is nothing to read."""
        for digit, (canvas, label) in enumerate(
            zip(self.canvases, self.labels, strict=True)
        ):
            p = float(reading.probabilities[digit])
            is_best = digit == reading.label
            canvas.coords("bar", 0, 0, round(p * self._full), self._height)
            colour = pictures.ORANGE if is_best else pictures.BLUE
            canvas.itemconfigure("bar", fill=colour)
            label.configure(
                text=f"{100 * p:.1f}%", font=self._bold if is_best else self._plain
            )


class NetView:
    """The 28 x 28 pixels that the net gets, with an overlay."""

    def __init__(self, parent: tk.Misc) -> None:
        self._zoom = max(1, round(NET_VIEW * scale_of(parent) / NET_SIDE))
        self.frame = ttk.Frame(parent)
        head = Font(family="Arial", size=12, weight="bold")
        ttk.Label(self.frame, text="What the net sees:", font=head).pack(pady=5)
        self._image = tk.PhotoImage(
            width=NET_SIDE * self._zoom, height=NET_SIDE * self._zoom, master=parent
        )
        ttk.Label(self.frame, image=self._image).pack()
        self.caption = tk.StringVar()
        ttk.Label(self.frame, textvariable=self.caption).pack(pady=5)

    def show(
        self,
        image: NDArray[np.float32],
        overlay: NDArray[np.float32] | None,
        kind: str,
    ) -> None:
        """Show an image of shape (28, 28) and what lies over it."""
        data = pictures.ppm(over_image(image, overlay), self._zoom)
        self._image.configure(data=data, format="ppm")
        self.caption.set(f"overlay: {kind}")
