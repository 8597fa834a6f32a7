"""The toolbar: icons, the pen's width, and the choice of the model."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Any, NamedTuple

from rnn_native.recognizer import drawing, icons
from rnn_native.recognizer.canvas import Canvas
from rnn_native.recognizer.theme import Theme

ICON, GAP, SLIDER = 17, 5, 64
OPEN_MODEL = "Open..."


class Tool(NamedTuple):
    """A button: its icon's name, what it does in words, and the call."""

    icon: str
    text: str
    command: Callable[[], Any]


class Toolbar:
    """Buttons with icons, an eraser that stays pressed, a slider, a choice of models.

    Parameters
    ----------
    parent : tkinter.Misc
    theme : Theme
    groups : sequence of sequence of Tool
        Buttons that stand together.
    canvas : Canvas
        Whose pen is set here.
    say : callable
        Shows what the button under the pointer does; an empty text when there is no button.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        groups: Sequence[Sequence[Tool]],
        canvas: Canvas,
        say: Callable[[str], None],
    ) -> None:
        self._theme, self._canvas, self._say = theme, canvas, say
        self.frame = ttk.Frame(parent)
        self.buttons: dict[str, ttk.Button | ttk.Checkbutton] = {}
        self._images: dict[str, tk.PhotoImage] = {}
        self._gaps: list[ttk.Frame] = []
        for group in groups:
            for tool in group:
                self._add(tool)
            self._add_gap()
        self._add_pen()
        self._add_models()
        self.restyle()

    def _add(self, tool: Tool) -> None:
        button = ttk.Button(
            self.frame,
            text=tool.text,
            command=tool.command,
            image=self._image_of(tool.icon),
            style="Tool.TButton",
            takefocus=False,
        )
        self._place(tool.icon, button, tool.text)

    def _place(self, icon: str, button: Any, text: str) -> None:
        button.pack(side="left")
        button.bind("<Enter>", lambda _: self._say(text))
        button.bind("<Leave>", lambda _: self._say(""))
        self.buttons[icon] = button

    def _add_gap(self) -> None:
        gap = ttk.Frame(self.frame)
        gap.pack(side="left", fill="y")
        self._gaps.append(gap)

    def _image_of(self, icon: str) -> tk.PhotoImage:
        self._images[icon] = tk.PhotoImage(master=self.frame)
        return self._images[icon]

    def _add_pen(self) -> None:
        self._erases = tk.BooleanVar(self.frame, value=False)
        eraser = ttk.Checkbutton(
            self.frame,
            text="Erase",
            image=self._image_of("erase"),
            variable=self._erases,
            command=self._hand_over,
            style="Tool.Toolbutton",
            takefocus=False,
        )
        self._place("erase", eraser, "Rub out with the left button (E)")
        self._pen = tk.DoubleVar(self.frame, value=self._canvas.pen)
        low, high = drawing.PEN_WIDTHS
        self._slider = ttk.Scale(
            self.frame,
            from_=low,
            to=high,
            variable=self._pen,
            command=lambda _: self._hand_over(),
            takefocus=False,
        )
        self._slider.pack(side="left")
        self._slider.bind("<Enter>", lambda _: self._say("Width of the pen ([ and ])"))
        self._slider.bind("<Leave>", lambda _: self._say(""))

    def _add_models(self) -> None:
        self.model_box = ttk.Combobox(
            self.frame, state="readonly", width=14, font=self._theme.text, takefocus=False
        )
        self.model_box.pack(side="right")
        ttk.Label(self.frame, text="Model", style="Muted.TLabel").pack(side="right")
        self.model_box.bind("<Enter>", lambda _: self._say("The model that reads"))
        self.model_box.bind("<Leave>", lambda _: self._say(""))

    def restyle(self) -> None:
        """Apply the theme's colors and sizes."""
        px, color = self._theme.px, self._theme.colors.text
        for icon, image in self._images.items():
            image.configure(data=icons.png(icon, px(ICON), color), format="png")
        for gap in self._gaps:
            gap.configure(width=px(GAP))
        self._slider.configure(length=px(SLIDER))
        self._slider.pack_configure(padx=px(GAP))
        self.model_box.pack_configure(padx=(px(GAP), 0))
        popdown = self.frame.tk.call("ttk::combobox::PopdownWindow", self.model_box)
        c = self._theme.colors
        self.frame.tk.call(
            f"{popdown}.f.l", "configure", "-font", self._theme.text, "-background",
            c.raised, "-foreground", c.text, "-selectbackground", c.bar,
        )  # fmt: skip

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
