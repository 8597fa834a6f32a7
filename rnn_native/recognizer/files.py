"""What the window opens, saves, pastes and reads with, and the dialogs for that."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog
from typing import Any, Protocol

from rnn_native.export import to_html
from rnn_native.recognizer import clipboard, drawing, model_choice, saving
from rnn_native.recognizer.canvas import Canvas
from rnn_native.recognizer.opening import SUFFIXES, read_picture
from rnn_native.recognizer.settings import Settings
from rnn_native.recognizer.state import State

PICTURES = ("Pictures", tuple(sorted(SUFFIXES)))
DRAWINGS = ("Saved drawings", ".json")
MODELS = ("Models", (".safetensors", ".bin"))
ALL = ("All files", "*")
DEFAULT_NAME, PAGE_NAME = "digit.png", "digit.html"


class Shown(Protocol):
    """What files need of the window."""

    root: tk.Tk
    canvas: Canvas
    state: State
    settings: Settings

    def update(self) -> None:
        """Read the canvas and show the result."""

    def redraw(self) -> None:
        """Show the strokes, and read them."""

    def announce(self) -> None:
        """Print the result, if that is asked for."""

    def say(self, text: str) -> None:
        """Show a line."""

    def tell(self, error: BaseException) -> None:
        """Show an error."""

    def model_changed(self) -> None:
        """Show which model reads."""


class Files:
    """Opening, saving, pasting, and changing the model; errors are shown in the window."""

    def __init__(self, window: Shown) -> None:
        self._window = window

    def open(self) -> None:
        """Ask for an image or a saved drawing, and read it."""
        types: list[tuple[str, str | tuple[str, ...]]] = [
            ("Pictures and drawings", (*PICTURES[1], ".json")),
            PICTURES,
            DRAWINGS,
            ALL,
        ]
        path = filedialog.askopenfilename(
            parent=self._window.root, title="Open a picture or a drawing", filetypes=types
        )
        if path:
            self.open_file(path)

    def open_file(self, path: str) -> None:
        """Read an image or a saved drawing."""
        self._tried(lambda: self._open(path))

    def _open(self, path: str) -> None:
        if Path(path).suffix.lower() == ".json":
            self._window.state.drawing.replace(drawing.from_json(path))
            self._window.redraw()
        else:
            self._show(read_picture(path))
        self._window.say(f"opened {Path(path).name}")
        self._window.announce()

    def _show(self, picture: Any) -> None:
        window = self._window
        window.state.drawing.clear()
        window.redraw()
        window.state.picture = picture
        window.canvas.show_picture(picture)
        window.update()

    def drop(self, path: str) -> None:
        """Open a dropped file: a picture, a drawing, or a model."""
        self._tried(lambda: self._drop(path))

    def _drop(self, path: str) -> None:
        if Path(path).is_dir() or Path(path).suffix.lower() in MODELS[1]:
            self.use_model(model_choice.Choice(Path(path).name, Path(path)))
        else:
            self.open_file(path)

    def paste(self) -> None:
        """Read the picture that was copied."""
        self._tried(self._paste)

    def _paste(self) -> None:
        copied = clipboard.copied()
        if isinstance(copied, str):
            self._open(copied)
            return
        self._show(copied)
        self._window.say("pasted")
        self._window.announce()

    def save(self) -> None:
        """Ask for a file, and save the drawing: .png its picture, .json its strokes."""
        path = filedialog.asksaveasfilename(
            parent=self._window.root,
            title="Save the drawing",
            initialfile=DEFAULT_NAME,
            defaultextension=".png",
            filetypes=[("Picture", ".png"), ("Drawing that opens again", ".json")],
        )
        if path:
            self.save_file(path)

    def save_file(self, path: str) -> None:
        """Save the drawing."""
        strokes = self._window.state.drawing.strokes
        if self._tried(lambda: saving.save_drawing(path, strokes)):
            self._window.say(f"saved {Path(path).name}")

    # ---- models ----

    def open_model(self) -> None:
        """Ask for a model's file, and read with it."""
        path = filedialog.askopenfilename(
            parent=self._window.root, title="Open a model", filetypes=[MODELS, ALL]
        )
        if path:
            self.use_model(model_choice.Choice(Path(path).name, Path(path)))

    def use_model(self, choice: model_choice.Choice, *, is_remembered: bool = True) -> None:
        """Read with another model, and remember it."""
        window = self._window
        if self._tried(lambda: window.state.use(choice)):
            window.model_changed()
            window.update()
            if is_remembered:
                self._tried(lambda: window.settings.remember_model(choice.path))

    def export_page(self) -> None:
        """Ask for a file, and write a page that reads digits with this model."""
        path = filedialog.asksaveasfilename(
            parent=self._window.root,
            title="Export the model as a page",
            initialfile=PAGE_NAME,
            defaultextension=".html",
            filetypes=[("Page", ".html")],
        )
        if path and self._tried(lambda: to_html(self._window.state.net, path)):
            self._window.say(f"exported {Path(path).name}: it opens in any browser")

    def _tried(self, call: Callable[[], object]) -> bool:
        """Call, and return whether that went well; an error is shown in the window."""
        try:
            call()
        except (ValueError, OSError) as error:
            self._window.tell(error)
            return False
        return True
