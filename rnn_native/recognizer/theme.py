"""How the window looks: colors, fonts and sizes, which all follow the window's size."""

import tkinter as tk
from tkinter import ttk
from tkinter.font import Font
from typing import NamedTuple

from rnn_native.recognizer import pictures
from rnn_native.recognizer.settings import Name

# The window's size in which lengths are given; at another one they are scaled.
WIDTH, HEIGHT = 620, 400
SMALLEST, LARGEST = 0.9, 6.0
LARGE_DIGIT, LEAST_DIGIT, WIDE = 64, 14, 2  # so large are up to two digits side by side
NOTICEABLE = 0.03  # a change of size by less changes no font


class Colors(NamedTuple):
    """Colors of a theme."""

    ground: str
    raised: str
    text: str
    muted: str
    line: str
    track: str
    bar: str
    best: str


COLORS: dict[Name, Colors] = {
    "light": Colors(
        ground="#f3f4f6",
        raised="#ffffff",
        text="#1b212c",
        muted="#5f6877",
        line="#c9ced6",
        track="#dde1e7",
        bar=pictures.BLUE,
        best=pictures.ORANGE,
    ),
    "dark": Colors(
        ground="#1d2026",
        raised="#2a2e37",
        text="#e8eaee",
        muted="#a3abb8",
        line="#454b57",
        track="#3a404b",
        bar="#56B4E9",
        best=pictures.ORANGE,
    ),
}
ON_BAR = "#ffffff"  # text on the color of bars


class Theme:
    """Colors, fonts and sizes of a window.

    Parameters
    ----------
    root : tkinter.Tk
    name : {"light", "dark"}
    """

    def __init__(self, root: tk.Tk, name: Name = "light") -> None:
        self._root = root
        self.name = name
        self.scale = 1.0
        self._digits = WIDE
        family = Font(root, font="TkDefaultFont").actual("family")
        self.text = Font(root, family=family)
        self.bold = Font(root, family=family, weight="bold")
        self.words = Font(root, family=family, weight="bold")
        self.digit = Font(root, family=family, weight="bold")
        self._style = ttk.Style(root)
        self._style.theme_use("clam")
        self._apply()

    @property
    def colors(self) -> Colors:
        """Of the theme that is on."""
        return COLORS[self.name]

    def px(self, length: float) -> int:
        """Return a length in pixels; it is given for a window of WIDTH x HEIGHT."""
        return max(1, round(length * self.scale))

    def fit(self, width: int, height: int) -> bool:
        """Use the size of the window; return whether that changes how things look."""
        scale = min(width / WIDTH, height / HEIGHT)
        scale = min(max(scale, SMALLEST), LARGEST)
        if abs(scale - self.scale) < NOTICEABLE * self.scale:
            return False
        self.scale = scale
        self._apply()
        return True

    def fit_digits(self, count: int) -> None:
        """Make the large digits small enough for this many side by side."""
        if max(count, WIDE) != self._digits:
            self._digits = max(count, WIDE)
            self._set_digit_size()

    def _set_digit_size(self) -> None:
        size = max(LEAST_DIGIT, LARGE_DIGIT * WIDE / self._digits)
        self.digit.configure(size=-self.px(size))

    def use(self, name: Name) -> None:
        """Use the colors of a theme."""
        self.name = name
        self._apply()

    def _apply(self) -> None:
        """Set fonts and styles of all widgets."""
        for font, size in ((self.text, 11), (self.bold, 11), (self.words, 13)):
            font.configure(size=-self.px(size))
        self._set_digit_size()
        self._set_common_colors()
        self._set_colors_of_kinds()
        self._set_list_colors()
        self._set_sizes()

    def _set_common_colors(self) -> None:
        c, style = self.colors, self._style
        self._root.configure(background=c.ground)
        style.configure(
            ".",
            background=c.ground,
            foreground=c.text,
            fieldbackground=c.raised,
            troughcolor=c.track,
            bordercolor=c.line,
            lightcolor=c.ground,
            darkcolor=c.ground,
            selectbackground=c.bar,
            selectforeground=ON_BAR,
            insertcolor=c.text,
            arrowcolor=c.text,
            focuscolor=c.bar,
            font=self.text,
        )
        style.map(".", background=[("active", c.track)], foreground=[("disabled", c.muted)])
        style.configure("Muted.TLabel", foreground=c.muted)
        style.configure("Words.TLabel", font=self.words)
        style.configure("Digit.TLabel", font=self.digit)
        style.configure("Head.TLabel", font=self.bold)
        style.map("TLabel", background=[])

    def _set_colors_of_kinds(self) -> None:
        c, style = self.colors, self._style
        style.configure("TButton", background=c.raised, relief="flat", anchor="center")
        pressed = [("disabled", c.ground), ("pressed", c.line), ("active", c.track)]
        style.map("TButton", background=pressed)
        for name in ("Tool.TButton", "Tool.Toolbutton"):
            style.configure(name, bordercolor=c.ground, background=c.ground, relief="flat")
            chosen = [("selected", c.line), ("pressed", c.line), ("active", c.track)]
            style.map(name, background=chosen, bordercolor=[("focus", c.bar)])
        style.map(
            "TCombobox",
            fieldbackground=[("readonly", c.raised)],
            foreground=[("readonly", c.text)],
            selectbackground=[("readonly", c.raised)],
            selectforeground=[("readonly", c.text)],
            background=[("active", c.track), ("!active", c.raised)],
        )
        style.map(
            "TCheckbutton",
            indicatorbackground=[("selected", c.bar), ("!selected", c.raised)],
            indicatorforeground=[("selected", ON_BAR)],
        )
        slider = {"background": c.bar, "lightcolor": c.bar, "darkcolor": c.bar}
        style.configure("Horizontal.TScale", **slider)
        style.map("Horizontal.TScale", background=[("active", c.best)])

    def _set_list_colors(self) -> None:
        """Color the list of a combobox, which is not a ttk widget."""
        c, add = self.colors, self._root.option_add
        add("*TCombobox*Listbox.background", c.raised)
        add("*TCombobox*Listbox.foreground", c.text)
        add("*TCombobox*Listbox.selectBackground", c.bar)
        add("*TCombobox*Listbox.selectForeground", ON_BAR)
        add("*TCombobox*Listbox.font", self.text)

    def _set_sizes(self) -> None:
        style, px = self._style, self.px
        style.configure("TButton", padding=(px(5), px(2)))
        style.configure("Tool.TButton", padding=px(3))
        style.configure("Tool.Toolbutton", padding=px(3))
        style.configure("TCombobox", padding=(px(4), px(2)), arrowsize=px(11))
        style.configure(
            "TCheckbutton", indicatorsize=px(11), indicatormargin=px(3), padding=px(1)
        )
        # clam's slider is as thick as the arrows of a scroll bar.
        style.configure(
            "Horizontal.TScale", sliderlength=px(12), arrowsize=px(12), gripcount=0
        )

    def color_menu(self, menu: tk.Menu) -> None:
        """Give a menu, which is not a ttk widget, the theme's colors and font."""
        c = self.colors
        menu.configure(
            background=c.raised,
            foreground=c.text,
            activebackground=c.bar,
            activeforeground=ON_BAR,
            disabledforeground=c.muted,
            selectcolor=c.text,
            font=self.text,
            relief="flat",
            borderwidth=1,
            activeborderwidth=self.px(2),
        )
