"""The drawer of corrections: which digit is right, and learning from that."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING

from rnn_native.models.network import Network
from rnn_native.recognizer.aside import Aside
from rnn_native.recognizer.state import Lesson, State

if TYPE_CHECKING:
    from rnn_native.recognizer.theme import Theme

DIGITS = 10
LEARNING = "learning..."


class Drawer:
    """A row of buttons that is hidden until it is asked for.

    Parameters
    ----------
    root : tkinter.Tk
    parent : tkinter.Misc
    theme : Theme
    state : State
    say : callable
        Show a line in the window.
    tell : callable
        Show an error.
    changed : callable
        Called when the reading may have changed.
    """

    def __init__(
        self,
        root: tk.Tk,
        parent: tk.Misc,
        theme: "Theme",
        state: State,
        say: Callable[[str], None],
        tell: Callable[[BaseException], None],
        changed: Callable[[], None],
    ) -> None:
        self._root, self._theme, self._state = root, theme, state
        self._say, self._tell, self._changed = say, tell, changed
        self._aside = Aside(root)
        self.frame = ttk.Frame(parent)
        self.buttons: dict[str, ttk.Button] = {}
        self._label = ttk.Label(self.frame, text="The right digit is")
        self._label.pack(side="left")
        for digit in range(DIGITS):
            self._add(str(digit), self._corrector(digit), width=1)
        self._add("Learn", self.learn)
        self._add("Unlearn", self.unlearn)
        self._keeps = tk.BooleanVar(self.frame, value=state.corrections.folder is not None)
        self._keep_box = ttk.Checkbutton(
            self.frame, text="Keep them", variable=self._keeps, command=self._choose_folder
        )
        self._keep_box.pack(side="left")
        self.restyle()

    def _add(self, text: str, command: Callable[[], None], width: int = 0) -> None:
        button = ttk.Button(
            self.frame, text=text, command=command, width=width or len(text)
        )
        button.pack(side="left")
        self.buttons[text] = button

    def _corrector(self, digit: int) -> Callable[[], None]:
        return lambda: self.correct(digit)

    def restyle(self) -> None:
        """Apply the theme's sizes."""
        px = self._theme.px
        self._label.pack_configure(padx=(0, px(4)))
        for button in self.buttons.values():
            button.pack_configure(padx=px(1))
        self.buttons["Learn"].pack_configure(padx=(px(8), px(1)))
        self._keep_box.pack_configure(padx=px(6))

    def refresh(self) -> None:
        """Show what can be done."""
        can_learn = len(self._state.corrections) > 0 and not self._aside.is_busy
        self.buttons["Learn"].state(_enabled(can_learn))
        self.buttons["Unlearn"].state(_enabled(self._state.can_unlearn))

    def correct(self, label: int) -> None:
        """Keep the canvas as a correction."""
        try:
            kept = self._state.correct(label)
        except OSError as error:
            self._tell(error)
            kept = True
        count = len(self._state.corrections)
        self._say(f"kept as {label} ({count} in all)" if kept else "nothing drawn")
        self._changed()

    def _choose_folder(self) -> None:
        """Ask for a folder, or keep corrections only until the window closes."""
        if self._keeps.get():
            self.keep_corrections()
        else:
            self._state.corrections.folder = None
        self._keeps.set(self._state.corrections.folder is not None)

    def keep_corrections(self) -> None:
        """Ask for a folder, and write the corrections there from now on."""
        folder = filedialog.askdirectory(parent=self._root, title="Keep corrections in")
        if not folder:
            return
        self._state.corrections.folder = Path(folder)
        self._say(f"corrections go to {Path(folder).name}")
        if not self._state.corrections.labels:
            return
        try:
            self._state.corrections.save(folder)
        except OSError as error:
            self._tell(error)

    def learn(self) -> None:
        """Learn from the corrections, in the background."""
        if self._aside.is_busy or not len(self._state.corrections):
            return
        lesson = self._state.lesson()
        self._say(LEARNING)
        self._aside.start(
            lesson.learned, lambda learned: self._finish_learning(lesson, learned)
        )
        self._changed()

    def _finish_learning(self, lesson: Lesson, learned: Network | Exception) -> None:
        if isinstance(learned, Exception):
            self._say("could not learn")
            self._tell(learned)
        elif self._state.take(lesson, learned):
            self._say(f"learned from {len(lesson.labels)}")
        else:
            self._say("not learned: the model was changed meanwhile")
        self._changed()

    def unlearn(self) -> None:
        """Read with the net of before the last learning."""
        if self._state.can_unlearn:
            self._state.unlearn()
            self._say("what was learned is undone")
            self._changed()


def _enabled(yes: bool) -> list[str]:
    return ["!disabled" if yes else "disabled"]
