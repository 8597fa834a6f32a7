"""Work in the background of a window: in a thread, with a result that returns to Tk's thread."""

import threading
import tkinter as tk
from collections.abc import Callable
from typing import TypeVar

POLL_MS = 50

T = TypeVar("T")


class Aside:
    """One piece of work at a time, in its own thread.

    Parameters
    ----------
    root : tkinter.Tk
        Whose loop looks for the result: Tk's widgets are for its own thread only.
    """

    def __init__(self, root: tk.Tk) -> None:
        self._root = root
        self.is_busy = False

    def start(self, work: Callable[[], T], finish: Callable[[T | Exception], None]) -> None:
        """Do the work; `finish` gets its result, or what it raised."""
        found: list[T | Exception] = []

        def run() -> None:
            try:
                found.append(work())
            except Exception as error:  # whatever it is, the window reports it
                found.append(error)

        self.is_busy = True
        threading.Thread(target=run, daemon=True).start()
        self._root.after(POLL_MS, self._look, found, finish)

    def _look(
        self, found: list[T | Exception], finish: Callable[[T | Exception], None]
    ) -> None:
        if not found:
            self._root.after(POLL_MS, self._look, found, finish)
            return
        self.is_busy = False
        finish(found[0])
