"""Files that are dropped on the window, where tkinterdnd2 is installed."""

import tkinter as tk
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def new_root(name: str) -> tk.Tk:
    """Return Tk's main window, which accepts dropped files where tkinterdnd2 is installed.

    Raises
    ------
    tkinter.TclError
        If there is no display.
    """
    try:
        import tkinterdnd2
    except ImportError:
        return tk.Tk(className=name)

    class Root(tkinterdnd2.Tk):  # type: ignore[misc]
        def __init__(self) -> None:
            # Without a library for this machine it is a plain window.
            with suppress(RuntimeError):
                super().__init__(className=name)

    return Root()


def accept_files(root: tk.Tk, widget: tk.Misc, opened: Callable[[str], None]) -> bool:
    """Call `opened` with the first file that is dropped; False where dropping cannot work."""
    if not hasattr(root, "TkdndVersion"):
        return False
    import tkinterdnd2

    def drop(event: Any) -> None:
        if paths := root.tk.splitlist(event.data):
            opened(paths[0])

    target: Any = widget
    target.drop_target_register(tkinterdnd2.DND_FILES)
    target.dnd_bind("<<Drop>>", drop)
    return True
