"""`recognizer [MODEL]`."""

from typing import Any

from rnn_native.cli import arguments
from rnn_native.recognizer import program


def add_commands(commands: Any) -> None:
    """Add `recognizer` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "recognizer",
        program.open_window,
        "Open a window to draw digits that a net reads.",
        """recognizer
        recognizer runs/cnn --corrections my-digits""",
        json=False,
    )
    program.add_options(parser)
