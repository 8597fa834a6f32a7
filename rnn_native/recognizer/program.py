"""What `rnn-native recognizer` does: arguments, model, window."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnn_native.base import outcome
from rnn_native.base.parser import CommandParser

if TYPE_CHECKING:
    import tkinter as tk

    from rnn_native.recognizer.state import State

AWAKE_MS = 200
INSTEAD = "; `rnn-native predict IMAGE` needs none"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the window is opened with."""
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="model file or run folder, or serial, cpu, gpu, cuda for the reference "
        "system's files (default: the newest run's best model, one of those files, or "
        "the model that comes with the package)",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="DIR",
        help="keep corrections there, as IDX files (default: until the window closes)",
    )
    parser.add_argument(
        "--announce", action="store_true", help="print each result as a line of text"
    )


def make_state(args: argparse.Namespace) -> "State":
    """Find and open the model, print which one it is, and read the corrections."""
    from rnn_native.recognizer import model_choice
    from rnn_native.recognizer.state import State

    if args.model is None:
        choice, net = model_choice.first_that_opens(model_choice.around())
    else:
        choice = model_choice.named(args.model)
        net = model_choice.open_model(choice)
    outcome.say(f"Found {choice.name} model: {choice.path}")
    sys.stdout.flush()
    return State(choice, net, args.corrections)


def make_root() -> "tk.Tk":
    """Return Tk's main window.

    Raises
    ------
    UsageError
        If there is no Tk, or no display.
    """
    try:
        import tkinter as tk

        from rnn_native.recognizer import dropping
    except ImportError as error:
        raise outcome.UsageError(
            f"this Python has no Tk ({error}); on Debian: apt install python3-tk{INSTEAD}"
        ) from None
    try:
        return dropping.new_root("Rnn_native")
    except tk.TclError as error:
        raise outcome.UsageError(f"no window can be opened: {error}{INSTEAD}") from None


def run(root: "tk.Tk", show: Callable[[], object]) -> int:
    """Show the window until it is closed, or a signal comes; return the exit code."""
    interrupts: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interrupts.append(number)
        root.quit()

    def stay_awake() -> None:
        # Python looks for signals only when Tk calls it; one may have come before the loop.
        root.after(AWAKE_MS, stay_awake)
        if interrupts:
            root.quit()

    handled = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in handled]
    show()
    stay_awake()
    root.mainloop()
    for number, handler in zip(handled, before, strict=True):
        signal.signal(number, handler)
    if interrupts:
        return outcome.interrupted(signal=interrupts[0])
    return outcome.OK


def open_window(args: argparse.Namespace) -> int:
    """Open the window, and return the exit code when it is closed.

    Exit codes: 0 closed; 2 cannot start; 130 Ctrl-C, 143 SIGTERM.
    """
    try:
        state = make_state(args)
        root = make_root()
    except outcome.UsageError as error:
        return outcome.report(str(error), outcome.WRONG_CALL)
    except (OSError, ValueError) as error:
        return outcome.report(outcome.one_line(error), outcome.WRONG_CALL)
    from rnn_native.recognizer import settings
    from rnn_native.recognizer.window import Window

    def show() -> None:
        remembered = settings.load(settings.usual_place())
        Window(root, state, announce=args.announce, settings=remembered)

    return run(root, show)


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m rnn_native.recognizer`: as `open_window`."""
    parser = CommandParser(
        prog="python -m rnn_native.recognizer",
        description="Draw a digit and see which one the net reads.",
    )
    add_options(parser)
    return open_window(parser.parse_args(argv))
