"""The right side of the window: the answer, ten bars, and what the net sees."""

import tkinter as tk
from tkinter import ttk

import numpy as np
from numpy.typing import NDArray

from rnn_native.analysis.saliency import over_image
from rnn_native.recognizer import pictures, wording
from rnn_native.recognizer.reading import Reading
from rnn_native.recognizer.state import Seen
from rnn_native.recognizer.theme import Theme

DIGITS = 10
NET_SIDE, NET_VIEW = 28, 84
LABEL, SHARE, WORDS = 16, 58, 76


class Answer:
    """A large digit, and how sure the net is, in words and per cent."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        self._theme = theme
        self.frame = ttk.Frame(parent)
        self.digit = tk.StringVar(self.frame)
        self.words = tk.StringVar(self.frame)
        self.share = tk.StringVar(self.frame)
        self._large = ttk.Label(self.frame, textvariable=self.digit, style="Digit.TLabel")
        self._large.grid(row=0, column=0, rowspan=2, sticky="w")
        self._words = ttk.Label(
            self.frame, textvariable=self.words, style="Words.TLabel", anchor="w"
        )
        self._words.grid(row=0, column=1, sticky="sw")
        self._share = ttk.Label(self.frame, textvariable=self.share, style="Muted.TLabel")
        self._share.grid(row=1, column=1, sticky="nw")
        self.frame.rowconfigure((0, 1), weight=1)
        self.frame.columnconfigure(1, weight=1)
        self.restyle()

    def restyle(self) -> None:
        """Apply the theme's colors and sizes."""
        px = self._theme.px
        self._large.grid_configure(padx=(0, px(8)))
        for label in (self._words, self._share):
            label.configure(wraplength=px(WORDS))

    def show(self, seen: Seen) -> None:
        """Show the reading, or why nothing was read."""
        answer = wording.answer(seen.reading, seen.page)
        self._theme.fit_digits(len(answer.digits))
        self.digit.set(answer.digits)
        self.words.set(answer.words)
        self.share.set(answer.share)


class Bars:
    """A bar and a percentage for each digit; the greatest in another color, and bold."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        self._theme = theme
        self._reading: Reading | None = None
        # Of each bar top and bottom, and the part that is shown: only changes are drawn.
        self._rows = [(0.0, 0.0)] * DIGITS
        self._drawn: list[tuple[float, str, bool] | None] = [None] * DIGITS
        self.canvas = tk.Canvas(parent, highlightthickness=0, borderwidth=0)
        for digit in range(DIGITS):
            self.canvas.create_rectangle(0, 0, 0, 0, width=0, tags=f"track{digit}")
            self.canvas.create_rectangle(0, 0, 0, 0, width=0, tags=f"bar{digit}")
            self.canvas.create_text(0, 0, text=digit, anchor="w", tags=f"label{digit}")
            self.canvas.create_text(0, 0, anchor="e", tags=f"share{digit}")
        self.canvas.bind("<Configure>", lambda _: self.restyle())
        self.restyle()

    def restyle(self) -> None:
        """Lay the bars out in the room there is."""
        px, c, canvas = self._theme.px, self._theme.colors, self.canvas
        canvas.configure(background=c.ground, width=1, height=1)
        self._left, self._right = px(LABEL), max(canvas.winfo_width(), px(120)) - px(SHARE)
        height = max(canvas.winfo_height(), px(100)) / DIGITS
        for digit in range(DIGITS):
            top, bottom = height * (digit + 0.12), height * (digit + 0.88)
            middle = height * (digit + 0.5)
            self._rows[digit] = (top, bottom)
            canvas.coords(f"track{digit}", self._left, top, self._right, bottom)
            canvas.coords(f"bar{digit}", self._left, top, self._left, bottom)
            canvas.coords(f"label{digit}", 0, middle)
            canvas.coords(f"share{digit}", self._right + px(SHARE), middle)
            canvas.itemconfigure(f"track{digit}", fill=c.track)
            canvas.itemconfigure(f"label{digit}", fill=c.text)
            canvas.itemconfigure(f"share{digit}", fill=c.text)
        self._drawn = [None] * DIGITS
        if self._reading is not None:
            self.show(self._reading)

    def show(self, reading: Reading) -> None:
        """Show a reading's probabilities; tracks alone where there is nothing to read."""
        self._reading = reading
        texts = wording.shares(reading)
        for digit in range(DIGITS):
            room = self._right - self._left
            right = self._left + float(reading.probabilities[digit]) * room
            if right - self._left < 0.5:
                right = self._left  # a bar without width would still be a line
            state = (round(right, 1), texts[digit], digit == reading.label)
            if state != self._drawn[digit]:
                self._drawn[digit] = state
                self._draw(digit, right, texts[digit], digit == reading.label)

    def _draw(self, digit: int, right: float, text: str, is_best: bool) -> None:
        theme, canvas = self._theme, self.canvas
        top, bottom = self._rows[digit]
        canvas.coords(f"bar{digit}", self._left, top, right, bottom)
        color = theme.colors.best if is_best else theme.colors.bar
        hidden = "hidden" if right == self._left else "normal"
        canvas.itemconfigure(f"bar{digit}", fill=color, state=hidden)
        font = theme.bold if is_best else theme.text
        canvas.itemconfigure(f"label{digit}", font=font)
        canvas.itemconfigure(f"share{digit}", text=text, font=font)

    def shares(self) -> list[str]:
        """Return the percentages as they are shown."""
        items = (f"share{digit}" for digit in range(DIGITS))
        return [self._option(item, "text") for item in items]

    def lengths(self) -> list[float]:
        """Return how much of its track each bar fills."""
        room = self._right - self._left
        spans = (self.canvas.coords(f"bar{digit}") for digit in range(DIGITS))
        return [(right - left) / room for left, _, right, _ in spans]

    def colors(self) -> list[str]:
        """Return the bars' colors."""
        items = (f"bar{digit}" for digit in range(DIGITS))
        return [self._option(item, "fill") for item in items]

    def _option(self, item: str, name: str) -> str:
        return str(self.canvas.tk.call(str(self.canvas), "itemcget", item, f"-{name}"))


class NetView:
    """The 28 x 28 pixels that the net gets, with an overlay."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        self._theme = theme
        self._shown: bytes = b""
        self.frame = ttk.Frame(parent)
        self.image = tk.PhotoImage(master=parent)
        ttk.Label(self.frame, image=self.image).pack()
        self.caption = tk.StringVar(self.frame)
        ttk.Label(self.frame, textvariable=self.caption, style="Muted.TLabel").pack()

    def show(
        self,
        image: NDArray[np.float32],
        overlay: NDArray[np.float32] | None,
        kind: str,
    ) -> None:
        """Show an image of shape (28, 28) and what lies over it."""
        zoom = max(1, round(self._theme.px(NET_VIEW) / NET_SIDE))
        data = pictures.ppm(over_image(image, overlay), zoom)
        if data != self._shown:
            self.image.configure(data=data, format="ppm")
            self._shown = data
        self.caption.set("what it sees" if kind == "none" else kind)
