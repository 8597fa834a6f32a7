"""The window: Tk widgets around a State."""

import os
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, messagebox, ttk
from tkinter.font import Font
from typing import Any

from rnn_native.base import outcome
from rnn_native.models.network import Network
from rnn_native.recognizer import drawing, model_choice, saving
from rnn_native.recognizer.aside import Aside
from rnn_native.recognizer.keys import HELP, KEYS
from rnn_native.recognizer.opening import read_picture
from rnn_native.recognizer.panels import Bars, Canvas, NetView
from rnn_native.recognizer.state import Lesson, Seen, State
from rnn_native.recognizer.tools import Tools

TITLE = "MNIST Digit Recognizer"
HINT = "Draw with the mouse, rub out with the right button; F1 lists all keys"
PEN_STEP = 2


class Window:
    """The recognizer's window.

    Parameters
    ----------
    root : tkinter.Tk
    state : State
    choices : list of Choice
        For the model menu.
    announce : bool
        Print each result to standard output.
    """

    def __init__(
        self,
        root: tk.Tk,
        state: State,
        choices: list[model_choice.Choice],
        announce: bool = False,
    ) -> None:
        self.root = root
        self.state = state
        self.announce = announce
        self.root.report_callback_exception = self._report
        self._is_stale = False
        self._aside = Aside(root)
        self._build(choices)
        self._bind_keys()
        self.update()

    # ---- widgets ----

    def _build(self, choices: list[model_choice.Choice]) -> None:
        self.root.title(TITLE)
        if self.root.tk.call("tk", "windowingsystem") == "x11":
            ttk.Style(self.root).theme_use("clam")  # the default one dates from 1990
        self.root.rowconfigure(0, weight=1)
        self.root.columnconfigure(0, weight=1)
        frame = ttk.Frame(self.root, padding=10)
        frame.grid(row=0, column=0, sticky="nsew")
        frame.rowconfigure(1, weight=1)
        frame.columnconfigure(0, weight=1)
        self._build_head(frame, choices)
        self.canvas = Canvas(frame, self.state.drawing, self._changed)
        self.canvas.frame.grid(row=1, column=0, padx=10, pady=10, sticky="nsew")
        self.bars = Bars(frame)
        self.bars.frame.grid(row=1, column=1, padx=10, pady=10, sticky="ns")
        self.net_view = NetView(frame)
        self.net_view.frame.grid(row=1, column=2, padx=10, pady=10, sticky="ns")
        self._build_result(frame)
        self._build_buttons(frame)
        self._build_corrections(frame)
        ttk.Label(frame, textvariable=self.status, foreground="gray").grid(
            row=5, column=0, columnspan=3
        )
        self.status.set(HINT)

    def _build_head(self, frame: ttk.Frame, choices: list[model_choice.Choice]) -> None:
        head = ttk.Frame(frame)
        head.grid(row=0, column=0, columnspan=3, pady=10, sticky="ew")
        head.columnconfigure(0, weight=1)
        font = Font(family="Arial", size=16, weight="bold")
        ttk.Label(head, text="Draw a digit (0-9)", font=font).grid(row=0, column=0)
        self.choices = {choice.name: choice for choice in choices}
        self.choices.setdefault(self.state.choice.name, self.state.choice)
        ttk.Label(head, text="Model:").grid(row=0, column=1, padx=5)
        self.model_box = ttk.Combobox(
            head, values=[*self.choices, "Open..."], state="readonly", width=18
        )
        self.model_box.set(self.state.choice.name)
        self.model_box.bind("<<ComboboxSelected>>", self._choose_model)
        self.model_box.grid(row=0, column=2)

    def _build_result(self, frame: ttk.Frame) -> None:
        self.result = tk.StringVar()
        self.status = tk.StringVar()
        font = Font(family="Arial", size=16, weight="bold")
        ttk.Label(frame, textvariable=self.result, font=font).grid(
            row=2, column=0, columnspan=3
        )

    def _build_buttons(self, frame: ttk.Frame) -> None:
        row = ttk.Frame(frame)
        row.grid(row=3, column=0, columnspan=3, pady=10)
        self.buttons: dict[str, ttk.Button] = {}
        for text, command in (
            ("Clear", self.clear),
            ("Predict", self.predict),
            ("Undo", self.undo),
            ("Redo", self.redo),
            ("Open...", self.open),
            ("Save...", self.save),
            ("Overlay", self.next_overlay),
        ):
            self._add_button(row, text, command)
        self.tools = Tools(row, self.canvas)

    def _add_button(self, row: ttk.Frame, text: str, command: Callable[[], Any]) -> None:
        button = ttk.Button(row, text=text, command=command, width=len(text) + 1)
        button.pack(side="left", padx=5)
        self.buttons[text] = button

    def _build_corrections(self, frame: ttk.Frame) -> None:
        row = ttk.Frame(frame)
        row.grid(row=4, column=0, columnspan=3, pady=5)
        ttk.Label(row, text="The right digit is").pack(side="left")
        for digit in range(10):
            ttk.Button(row, text=str(digit), width=2, command=self._corrector(digit)).pack(
                side="left", padx=1
            )
        self._add_button(row, "Learn", self.learn)
        self._add_button(row, "Unlearn", self.unlearn)
        if self.state.corrections.folder is None:
            self._add_button(row, "Keep corrections...", self.keep_corrections)

    def _bind_keys(self) -> None:
        for sequence, name in KEYS:
            self.root.bind(sequence, self._key_handler(name))
        for digit in range(10):
            self.root.bind(f"<Key-{digit}>", self._corrector(digit))
        self.root.protocol("WM_DELETE_WINDOW", self.quit)

    def _corrector(self, digit: int) -> Callable[..., None]:
        return lambda *_: self.correct(digit)

    def _key_handler(self, name: str) -> Callable[[Any], str | None]:
        def handle(event: Any) -> str | None:
            # Space and Return belong to the widget that has the focus, if it is a button.
            presses = event.keysym in ("space", "Return")
            if presses and isinstance(event.widget, ttk.Button | ttk.Checkbutton):
                return None
            getattr(self, name)()
            return "break"

        return handle

    # ---- reading ----

    def _changed(self, finished: bool) -> None:
        """Read again as soon as Tk has no more events: they come faster than they matter."""
        self.state.picture = None
        if finished:
            self.update()
            self._announce()
        elif not self._is_stale:
            self._is_stale = True
            self.root.after_idle(self._update_if_stale)

    def _update_if_stale(self) -> None:
        if self._is_stale:
            self.update()

    def update(self) -> None:
        """Read what is on the canvas and show it."""
        self._is_stale = False
        self._show(self.state.seen())

    def _show(self, seen: Seen) -> None:
        reading = seen.reading
        self.bars.show(reading)
        self.net_view.show(reading.image, seen.overlay, self.state.overlay)
        self.result.set(saving.result_text(reading))
        self.buttons["Undo"].state(_enabled(self.state.drawing.can_undo))
        self.buttons["Redo"].state(_enabled(self.state.drawing.can_redo))
        self.buttons["Unlearn"].state(_enabled(self.state.can_unlearn))
        can_learn = len(self.state.corrections) > 0 and not self._aside.is_busy
        self.buttons["Learn"].state(_enabled(can_learn))

    def _announce(self) -> None:
        if self.announce:
            print(self.result.get(), flush=True)

    # ---- what buttons and keys do ----

    def predict(self) -> None:
        """Read the canvas now."""
        self.update()
        self._announce()

    def clear(self) -> None:
        """Wipe the canvas."""
        self.state.drawing.clear()
        self._redraw()

    def undo(self) -> None:
        """Take back the last gesture."""
        self.state.drawing.undo()
        self._redraw()

    def redo(self) -> None:
        """Do it again."""
        self.state.drawing.redo()
        self._redraw()

    def _redraw(self) -> None:
        self.state.picture = None
        self.canvas.show_strokes()
        self.update()

    def toggle_erase(self) -> None:
        """Draw, or rub out, with the left button."""
        self.tools.toggle_erase()

    def wider_pen(self) -> None:
        """Widen the pen."""
        self.tools.change_pen(PEN_STEP)

    def thinner_pen(self) -> None:
        """Narrow the pen."""
        self.tools.change_pen(-PEN_STEP)

    def next_overlay(self) -> None:
        """Show the next overlay over what the net sees."""
        self.state.next_overlay()
        self.update()

    def help(self) -> None:
        """List the keys."""
        messagebox.showinfo(TITLE, HELP, parent=self.root)

    def quit(self) -> None:
        """Close the window."""
        self.root.destroy()

    # ---- files ----

    def open(self) -> None:
        """Ask for an image or a saved drawing, and read it."""
        path = filedialog.askopenfilename(parent=self.root, title="Open an image")
        if path:
            self.open_file(path)

    def open_file(self, path: str) -> None:
        """Read an image or a saved drawing; a message tells why it cannot be."""
        try:
            if Path(path).suffix.lower() == ".json":
                self.state.drawing.replace(drawing.from_json(path))
                self._redraw()
            else:
                picture = read_picture(path)
                self.state.drawing.clear()
                self._redraw()
                self.state.picture = picture
                self.canvas.show_picture(picture)
                self.update()
            self._announce()
        except (ValueError, OSError) as error:
            self._tell(error)

    def save(self) -> None:
        """Ask for a file, and save the drawing: .png its picture, .json its strokes."""
        path = filedialog.asksaveasfilename(
            parent=self.root, title="Save the drawing", defaultextension=".png"
        )
        if path:
            self.save_file(path)

    def save_file(self, path: str) -> None:
        """Save the drawing; a message tells why it cannot be."""
        try:
            saving.save_drawing(path, self.state.drawing.strokes)
            self.status.set(f"saved {Path(path).name}")
        except (ValueError, OSError) as error:
            self._tell(error)

    def _choose_model(self, _event: object) -> None:
        name = self.model_box.get()
        if name == "Open...":
            path = filedialog.askopenfilename(parent=self.root, title="Open a model")
            choice = model_choice.Choice(Path(path).name, Path(path)) if path else None
        else:
            choice = self.choices[name]
        if choice is not None:
            self.use_model(choice)
        self.model_box.set(self.state.choice.name)

    def use_model(self, choice: model_choice.Choice) -> None:
        """Read with another model; a message tells why it cannot be."""
        try:
            self.state.use(choice)
        except (ValueError, OSError) as error:
            self._tell(error)
            return
        self.choices[choice.name] = choice
        self.model_box.configure(values=[*self.choices, "Open..."])
        self.update()

    def _report(self, _kind: object, error: BaseException, _trace: object) -> None:
        """Tell of an error in a callback, which Tk would print with a traceback."""
        if os.environ.get("RNN_NATIVE_DEBUG") == "1":
            raise error
        self._tell(error)

    def _tell(self, error: BaseException) -> None:
        text = outcome.one_line(error)
        outcome.complain(text)
        messagebox.showerror(TITLE, text, parent=self.root)

    # ---- learning ----

    def correct(self, label: int) -> None:
        """Keep what is on the canvas as a correction."""
        try:
            kept = self.state.correct(label)
        except OSError as error:
            self._tell(error)
            kept = True
        count = len(self.state.corrections)
        self.status.set(f"kept as {label} ({count} in all)" if kept else "nothing drawn")
        self.update()

    def keep_corrections(self) -> None:
        """Ask for a folder, and write the corrections there from now on."""
        folder = filedialog.askdirectory(parent=self.root, title="Keep corrections in")
        if not folder:
            return
        self.state.corrections.folder = Path(folder)
        if not self.state.corrections.labels:
            return
        try:
            self.state.corrections.save(folder)
            self.status.set(f"corrections in {Path(folder).name}")
        except OSError as error:
            self._tell(error)

    def learn(self) -> None:
        """Learn from the corrections, beside the window's own work."""
        if self._aside.is_busy or not len(self.state.corrections):
            return
        lesson = self.state.lesson()
        self.status.set("learning...")
        self._aside.start(
            lesson.learned, lambda learned: self._finish_learning(lesson, learned)
        )
        self.update()

    def _finish_learning(self, lesson: Lesson, learned: Network | Exception) -> None:
        if isinstance(learned, Exception):
            self.status.set("could not learn")
            self._tell(learned)
        elif self.state.take(lesson, learned):
            self.status.set(f"learned from {len(lesson.labels)}")
        else:
            self.status.set("not learned: the model was changed meanwhile")
        self.update()

    def unlearn(self) -> None:
        """Read with the net of before the last learning."""
        if self.state.can_unlearn:
            self.state.unlearn()
            self.status.set("what was learned is undone")
            self.update()


def _enabled(yes: bool) -> list[str]:
    return ["!disabled" if yes else "disabled"]
