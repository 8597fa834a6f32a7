"""The table of keys, in its own window."""

import tkinter as tk
from tkinter import ttk

from rnn_native.recognizer.keys import TABLE
from rnn_native.recognizer.theme import Theme

TITLE = "Keys"


class HelpWindow:
    """Two columns: the key, and what it does.

    Parameters
    ----------
    root : tkinter.Tk
    theme : Theme
    """

    def __init__(self, root: tk.Tk, theme: Theme) -> None:
        self._root, self._theme = root, theme
        self.window: tk.Toplevel | None = None

    def show(self) -> None:
        """Open the window, or bring it to the front."""
        if self.window is not None and self.window.winfo_exists():
            self.window.lift()
            return
        self.window = window = tk.Toplevel(self._root)
        window.title(TITLE)
        window.transient(self._root)
        window.resizable(False, False)
        c = self._theme.colors
        window.configure(
            background=c.ground, highlightthickness=1, highlightbackground=c.line
        )
        frame = ttk.Frame(window, padding=self._theme.px(12))
        frame.pack(fill="both", expand=True)
        self._fill(frame)
        for key in ("<Escape>", "<F1>"):
            window.bind(key, lambda _: window.destroy())
        window.focus_set()

    def _fill(self, frame: ttk.Frame) -> None:
        px, row = self._theme.px, 0
        for title, keys in TABLE:
            head = ttk.Label(frame, text=title, style="Head.TLabel")
            head.grid(row=row, column=0, columnspan=2, sticky="w", pady=(px(6), px(2)))
            for key, text in keys:
                row += 1
                ttk.Label(frame, text=key).grid(
                    row=row, column=0, sticky="w", padx=(px(8), px(16)), pady=px(1)
                )
                ttk.Label(frame, text=text, style="Muted.TLabel").grid(
                    row=row, column=1, sticky="w", pady=px(1)
                )
            row += 1
