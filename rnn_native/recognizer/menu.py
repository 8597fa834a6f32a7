"""The menu: all there is to do, by name."""

import tkinter as tk
from collections.abc import Callable
from typing import Protocol

from rnn_native.recognizer import model_choice
from rnn_native.recognizer.files import Files
from rnn_native.recognizer.keys import SHOWN
from rnn_native.recognizer.settings import NAMES, Name, Settings
from rnn_native.recognizer.state import State
from rnn_native.recognizer.theme import Theme

KINDS = ("none", "saliency", "attention")


class Commanded(Protocol):
    """What the menu wants of the window: its parts, and methods for its entries."""

    root: tk.Tk
    state: State
    settings: Settings
    theme: Theme
    files: Files

    def toggle_drawer(self) -> None:
        """Show or hide the corrections."""

    def use_overlay(self, kind: str) -> None:
        """Lay saliency, attention or nothing over the drawing."""

    def use_theme(self, name: Name) -> None:
        """Show the window in another theme."""

    def help(self) -> None:
        """Show the keys."""

    def quit(self) -> None:
        """Close the window."""


class Menu:
    """A menu that opens below its button.

    Parameters
    ----------
    window : Commanded
        Whose methods its entries call.
    """

    def __init__(self, window: Commanded) -> None:
        self._window = window
        self._theme_name = tk.StringVar(window.root, window.theme.name)
        self._overlay = tk.StringVar(window.root, "none")
        self.menu = tk.Menu(window.root, tearoff=False)
        self.recent = tk.Menu(self.menu, tearoff=False, postcommand=self._list_recent)
        self._submenus = [self.recent]
        self._fill()
        self.restyle()

    def _fill(self) -> None:
        window, files, menu = self._window, self._window.files, self.menu
        for text, command, key in (
            ("Open a picture...", files.open, f"{SHOWN}+O"),
            ("Paste a picture", files.paste, f"{SHOWN}+V"),
            ("Save the drawing...", files.save, f"{SHOWN}+S"),
        ):
            menu.add_command(label=text, command=command, accelerator=key)
        menu.add_separator()
        menu.add_command(label="Open a model...", command=files.open_model)
        menu.add_cascade(label="Recent models", menu=self.recent)
        menu.add_command(label="Export as a page...", command=files.export_page)
        menu.add_separator()
        self._add_choice("Overlay", KINDS, self._overlay, self._use_overlay)
        menu.add_command(label="Corrections", command=window.toggle_drawer, accelerator="C")
        self._add_choice("Theme", NAMES, self._theme_name, self._use_theme)
        menu.add_separator()
        menu.add_command(label="Keys", command=window.help, accelerator="F1")
        menu.add_command(label="Quit", command=window.quit, accelerator=f"{SHOWN}+Q")

    def _add_choice(
        self,
        label: str,
        values: tuple[str, ...],
        variable: tk.StringVar,
        command: Callable[[], None],
    ) -> None:
        choices = tk.Menu(self.menu, tearoff=False)
        for value in values:
            choices.add_radiobutton(
                label=value.capitalize(), value=value, variable=variable, command=command
            )
        self.menu.add_cascade(label=label, menu=choices)
        self._submenus.append(choices)

    def restyle(self) -> None:
        """Apply the theme's colors and sizes."""
        for menu in (self.menu, *self._submenus):
            self._window.theme.color_menu(menu)

    def show(self, below: tk.Misc) -> None:
        """Open the menu below a button."""
        self._overlay.set(self._window.state.overlay)
        self._theme_name.set(self._window.theme.name)
        x = below.winfo_rootx() + below.winfo_width() - self.menu.winfo_reqwidth()
        y = below.winfo_rooty() + below.winfo_height()
        self.menu.tk_popup(max(0, x), y)

    def _list_recent(self) -> None:
        """List the models that were opened, if they still exist."""
        self.recent.delete(0, "end")
        choices = model_choice.opened_before(self._window.settings.recent)
        for choice in choices:
            self.recent.add_command(label=choice.name, command=self._opener(choice))
        if not choices:
            self.recent.add_command(label="none yet", state="disabled")

    def _opener(self, choice: model_choice.Choice) -> Callable[[], None]:
        return lambda: self._window.files.use_model(choice)

    def _use_theme(self) -> None:
        for name in NAMES:
            if name == self._theme_name.get():
                self._window.use_theme(name)

    def _use_overlay(self) -> None:
        self._window.use_overlay(self._overlay.get())
