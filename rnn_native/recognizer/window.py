"""The window: Tk widgets around a State."""

import os
import tkinter as tk
from collections.abc import Callable
from tkinter import messagebox, ttk
from typing import Any

from rnn_native.base import outcome
from rnn_native.recognizer import dropping, model_choice, saving
from rnn_native.recognizer.canvas import Canvas
from rnn_native.recognizer.drawer import Drawer
from rnn_native.recognizer.files import Files
from rnn_native.recognizer.help_window import HelpWindow
from rnn_native.recognizer.keys import KEYS, SHOWN
from rnn_native.recognizer.menu import Menu
from rnn_native.recognizer.panels import Answer, Bars, NetView
from rnn_native.recognizer.settings import Name, Settings
from rnn_native.recognizer.state import Seen, State
from rnn_native.recognizer.theme import Theme
from rnn_native.recognizer.toolbar import OPEN_MODEL, Tool, Toolbar

TITLE = "MNIST Digit Recognizer"
USUAL = (860, 560)  # pixels, on a screen of 96 dots an inch
LEAST = (600, 400)
PEN_STEP = 2
MARGIN, SIDE_WIDTH = 10, 270


class Window:
    """The recognizer's window.

    Parameters
    ----------
    root : tkinter.Tk
    state : State
    choices : list of Choice
        For the choice of models; None looks for those that lie around when it is opened.
    announce : bool
        Print each result to standard output.
    settings : Settings, optional
        What is remembered; nothing beyond this window when left out.
    """

    def __init__(
        self,
        root: tk.Tk,
        state: State,
        choices: list[model_choice.Choice] | None = None,
        announce: bool = False,
        settings: Settings | None = None,
    ) -> None:
        self.root = root
        self.state = state
        self.settings = settings or Settings()
        self._prints = announce
        self._choices = choices
        self.root.report_callback_exception = self._report
        self._is_stale = self._is_fitting = False
        self.theme = Theme(root, self.settings.theme)
        self.files = Files(self)
        self._set_size()
        self._build()
        self._bind_keys()
        self.update()

    def _set_size(self) -> None:
        """Open as large as is usual on this screen, and never smaller than readable."""
        dots = self.root.winfo_fpixels("1i") / 96
        scale = dots if dots >= 1.25 else 1.0
        screen = (self.root.winfo_screenwidth(), self.root.winfo_screenheight())
        usual = [min(round(u * scale), s) for u, s in zip(USUAL, screen, strict=True)]
        least = [min(round(u * scale), s) for u, s in zip(LEAST, screen, strict=True)]
        self.root.geometry(f"{usual[0]}x{usual[1]}")
        self.root.minsize(*least)
        self.theme.fit(*usual)

    # ---- widgets ----

    def _build(self) -> None:
        self.root.title(TITLE)
        self.root.rowconfigure(0, weight=1)
        self.root.columnconfigure(0, weight=1)
        self._frame = frame = ttk.Frame(self.root)
        frame.grid(row=0, column=0, sticky="nsew")
        frame.rowconfigure(1, weight=1)
        frame.columnconfigure(0, weight=1)
        self.result, self.status = tk.StringVar(self.root), tk.StringVar(self.root)
        self._pointed_at = tk.StringVar(self.root)
        self.canvas = Canvas(frame, self.theme, self.state.drawing, self._changed)
        self.toolbar = Toolbar(
            frame, self.theme, self._tools(), self.canvas, self._pointed_at.set
        )
        self.buttons = self.toolbar.buttons
        self.model_box = self.toolbar.model_box
        self.model_box.bind("<<ComboboxSelected>>", self._choose_model)
        self.model_box.configure(postcommand=self._list_models)
        self._side = ttk.Frame(frame)
        self.answer = Answer(self._side, self.theme)
        self.net_view = NetView(self._side, self.theme)
        self.bars = Bars(self._side, self.theme)
        self.drawer = Drawer(
            self.root, frame, self.theme, self.state, self.say, self.tell, self.update
        )
        self._status_line = ttk.Label(frame, style="Muted.TLabel", anchor="w")
        self.status.trace_add("write", self._show_status)
        self._pointed_at.trace_add("write", self._show_status)
        self.help_window = HelpWindow(self.root, self.theme)
        self.menu = Menu(self)
        self._lay_out()
        dropping.accept_files(self.root, frame, self.files.drop)
        self.model_changed()
        self.root.bind("<Configure>", self._resized, add=True)
        self.canvas.frame.bind("<Configure>", self._canvas_resized, add=True)

    def _tools(self) -> list[list[Tool]]:
        files = self.files
        return [
            [
                Tool("open", f"Open a picture or a drawing ({SHOWN}+O)", files.open),
                Tool("paste", f"Paste a picture ({SHOWN}+V)", files.paste),
                Tool("save", f"Save the drawing ({SHOWN}+S)", files.save),
            ],
            [
                Tool("undo", f"Undo ({SHOWN}+Z)", self.undo),
                Tool("redo", f"Redo ({SHOWN}+Y)", self.redo),
                Tool("clear", "Clear (Delete)", self.clear),
            ],
            [
                Tool(
                    "overlay",
                    "What the answer depends on: next overlay (O)",
                    self.next_overlay,
                ),
                Tool("correct", "Correct and learn (C)", self.toggle_drawer),
                Tool("help", "Keys (F1)", self.help),
                Tool("menu", "All there is to do", self.show_menu),
            ],
        ]

    def _lay_out(self) -> None:
        """Put everything into one grid, with even margins in the theme's size."""
        m = self.theme.px(MARGIN)
        self.toolbar.frame.grid(
            row=0, column=0, columnspan=2, sticky="ew", padx=m, pady=(m // 2, m // 2)
        )
        self.canvas.frame.grid(row=1, column=0, sticky="nsew", padx=(m, 0))
        # Its width does not follow its words: the canvas would move under the pen.
        self._side.grid_propagate(False)
        self._share_room(self.canvas.frame.winfo_height())
        self._side.grid(row=1, column=1, sticky="nsew", padx=m)
        self._side.rowconfigure(1, weight=1)
        self._side.columnconfigure(0, weight=1)
        self.answer.frame.grid(row=0, column=0, sticky="nsew")
        self.net_view.frame.grid(row=0, column=1, sticky="ne")
        self.bars.canvas.grid(
            row=1, column=0, columnspan=2, sticky="nsew", pady=(m // 2, 0)
        )
        self._status_line.grid(
            row=3, column=0, columnspan=2, sticky="ew", padx=m, pady=m // 2
        )
        if self.drawer.frame.winfo_manager():
            self._show_drawer()

    def _share_room(self, height: int) -> None:
        """Make the canvas a square as high as fits; the right side has the rest."""
        rest = self.root.winfo_width() - 3 * self.theme.px(MARGIN) - height
        least = self.theme.px(SIDE_WIDTH)
        self._side.configure(width=max(least, rest) if height > 1 else least)

    def _show_drawer(self) -> None:
        m = self.theme.px(MARGIN)
        self.drawer.frame.grid(
            row=2, column=0, columnspan=2, sticky="ew", padx=m, pady=(m // 2, 0)
        )

    def _resized(self, event: Any) -> None:
        """Let everything follow the window's size, once Tk has no more events."""
        if event.widget is self.root and not self._is_fitting:
            self._is_fitting = True
            self.root.after_idle(self._fit)

    def _canvas_resized(self, event: Any) -> None:
        self._share_room(event.height)

    def _fit(self) -> None:
        self._is_fitting = False
        if self.theme.fit(self.root.winfo_width(), self.root.winfo_height()):
            self._restyle()

    def _restyle(self) -> None:
        self._lay_out()
        for part in (self.toolbar, self.answer, self.bars, self.drawer, self.menu):
            part.restyle()
        self.canvas.redraw()
        self.update()

    def _bind_keys(self) -> None:
        for sequence, name in KEYS:
            self.root.bind(sequence, self._key_handler(self.commands[name]))
        for digit in range(10):
            self.root.bind(f"<Key-{digit}>", self._corrector(digit))
        self.root.protocol("WM_DELETE_WINDOW", self.quit)

    @property
    def commands(self) -> dict[str, Callable[[], Any]]:
        """What keys can call, by name."""
        parts: tuple[object, ...] = (self, self.files, self.drawer)
        names = {name for _, name in KEYS}
        return {n: getattr(p, n) for p in reversed(parts) for n in names if hasattr(p, n)}

    def _corrector(self, digit: int) -> Callable[..., None]:
        return lambda *_: self.drawer.correct(digit)

    def _key_handler(self, command: Callable[[], Any]) -> Callable[[Any], str | None]:
        def handle(event: Any) -> str | None:
            # Space and Return belong to the widget that has the focus, if it is a button;
            # keys pressed in the window of help are that window's.
            presses = event.keysym in ("space", "Return")
            if presses and isinstance(event.widget, ttk.Button | ttk.Checkbutton):
                return None
            if isinstance(event.widget, tk.Toplevel):
                return None
            command()
            return "break"

        return handle

    # ---- reading ----

    def _changed(self, finished: bool) -> None:
        """Read again as soon as Tk has no more events: they come faster than they matter."""
        self.state.picture = None
        if finished:
            self.update()
            self.announce()
        elif not self._is_stale:
            self._is_stale = True
            self.root.after_idle(self._update_if_stale)

    def _update_if_stale(self) -> None:
        if self._is_stale:
            self.update()

    def update(self) -> None:
        """Read the canvas and show the result."""
        self._is_stale = False
        self._show(self.state.seen())

    def _show(self, seen: Seen) -> None:
        reading = seen.reading
        self.answer.show(seen)
        self.bars.show(reading)
        self.net_view.show(reading.image, seen.overlay, self.state.overlay)
        self.result.set(saving.result_text(reading))
        self.buttons["undo"].state(_enabled(self.state.drawing.can_undo))
        self.buttons["redo"].state(_enabled(self.state.drawing.can_redo))
        self.drawer.refresh()

    def announce(self) -> None:
        """Print the result, if that is asked for."""
        if self._prints:
            print(self.result.get(), flush=True)

    # ---- what buttons and keys do ----

    def predict(self) -> None:
        """Read the canvas now."""
        self.update()
        self.announce()

    def clear(self) -> None:
        """Wipe the canvas."""
        self.state.drawing.clear()
        self.redraw()

    def undo(self) -> None:
        """Undo the last gesture."""
        self.state.drawing.undo()
        self.redraw()

    def redo(self) -> None:
        """Do it again."""
        self.state.drawing.redo()
        self.redraw()

    def redraw(self) -> None:
        """Show the strokes, and read them."""
        self.state.picture = None
        self.canvas.show_strokes()
        self.update()

    def toggle_erase(self) -> None:
        """Draw, or rub out, with the left button."""
        self.toolbar.toggle_erase()

    def wider_pen(self) -> None:
        """Widen the pen."""
        self.toolbar.change_pen(PEN_STEP)

    def thinner_pen(self) -> None:
        """Narrow the pen."""
        self.toolbar.change_pen(-PEN_STEP)

    def next_overlay(self) -> None:
        """Show the next overlay over what the net sees."""
        self.state.next_overlay()
        self.update()

    def use_overlay(self, kind: str) -> None:
        """Show an overlay; attention becomes none for a net without any."""
        for _ in range(3):
            if self.state.overlay != kind:
                self.state.next_overlay()
        self.update()

    def use_theme(self, name: Name) -> None:
        """Change the colors, and remember that."""
        self.theme.use(name)
        self._restyle()
        self.settings.theme = name
        try:
            self.settings.save()
        except OSError as error:
            self.tell(error)

    def toggle_drawer(self) -> None:
        """Show the corrections, or put them away."""
        if self.drawer.frame.winfo_manager():
            self.drawer.frame.grid_forget()
        else:
            self._show_drawer()

    def show_menu(self) -> None:
        """Open the menu."""
        self.menu.show(self.buttons["menu"])

    def help(self) -> None:
        """List the keys."""
        self.help_window.show()

    def quit(self) -> None:
        """Close the window."""
        self.root.destroy()

    # ---- models ----

    def model_changed(self) -> None:
        """Show which model reads."""
        self.model_box.set(self.state.choice.name)

    def _list_models(self) -> None:
        """Offer what reads digits: the model in use, the recent ones, what lies around."""
        found = model_choice.around() if self._choices is None else self._choices
        recent = model_choice.opened_before(self.settings.recent)
        choices = model_choice.that_read_digits([self.state.choice, *recent, *found])
        self._offered = {choice.name: choice for choice in choices}
        self.model_box.configure(values=[*self._offered, OPEN_MODEL])

    def _choose_model(self, _event: object) -> None:
        name = self.model_box.get()
        if name == OPEN_MODEL:
            self.files.open_model()
        else:
            self.files.use_model(self._offered[name], is_remembered=False)
        self.model_changed()
        self.model_box.selection_clear()
        self.canvas.widget.focus_set()

    # ---- messages ----

    def say(self, text: str) -> None:
        """Show a line below everything."""
        self.status.set(text)

    def _show_status(self, *_: object) -> None:
        self._status_line.configure(text=self._pointed_at.get() or self.status.get())

    def _report(self, _kind: object, error: BaseException, _trace: object) -> None:
        """Show an error in a callback, which Tk would print with a traceback."""
        if os.environ.get("RNN_NATIVE_DEBUG") == "1":
            raise error
        self.tell(error)

    def tell(self, error: BaseException) -> None:
        """Show an error, and print it."""
        text = outcome.one_line(error)
        outcome.complain(text)
        messagebox.showerror(TITLE, text, parent=self.root)


def _enabled(yes: bool) -> list[str]:
    return ["!disabled" if yes else "disabled"]
