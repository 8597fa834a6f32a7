"""What the left button does on the canvas: the pen and the eraser, and their widgets."""

import tkinter as tk
from tkinter import ttk

from rnn_native.recognizer import drawing
from rnn_native.recognizer.panels import Canvas


class Tools:
    """The eraser's check button and the pen's scale.

    Parameters
    ----------
    row : ttk.Frame
        The row of buttons that they are the end of.
    canvas : Canvas
        What is drawn on.
    """

    def __init__(self, row: ttk.Frame, canvas: Canvas) -> None:
        self._canvas = canvas
        self._erases = tk.BooleanVar(value=False)
        ttk.Checkbutton(
            row, text="Erase", variable=self._erases, command=self._hand_over
        ).pack(side="left", padx=5)
        ttk.Label(row, text="Pen").pack(side="left")
        self._pen = tk.DoubleVar(value=canvas.pen)
        low, high = drawing.PEN_WIDTHS
        ttk.Scale(
            row, from_=low, to=high, variable=self._pen, command=lambda _: self._hand_over()
        ).pack(side="left", padx=5)

    def toggle_erase(self) -> None:
        """Draw, or rub out, with the left button."""
        self._erases.set(not self._erases.get())
        self._hand_over()

    def change_pen(self, by: float) -> None:
        """Widen the pen, or narrow it, within its bounds."""
        low, high = drawing.PEN_WIDTHS
        self._pen.set(min(max(self._pen.get() + by, low), high))
        self._hand_over()

    def _hand_over(self) -> None:
        self._canvas.pen = self._pen.get()
        self._canvas.erases = self._erases.get()
