"""Exit codes, and how a command says that it failed."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rnn_native.base import nearby, process
from rnn_native.base.color import painted
from rnn_native.base.notebook import in_notebook
from rnn_native.base.text import printable, printable_lines

OK, FAILED, WRONG_CALL = 0, 1, 2


class UsageError(Exception):
    """Arguments that argparse cannot see are wrong."""


def say(*lines: str) -> None:
    """Print lines to standard output, fit for a terminal.

    All output of commands goes through here and through `say_text`: names and contents of
    files may hold control characters, which would move the cursor, hide a line or add one.
    """
    for line in lines:
        print(printable(line))


def say_text(text: str) -> None:
    """Print text of several lines to standard output, fit for a terminal."""
    print(printable_lines(text))


def end_output() -> None:
    """Write what is left, or drop what cannot be: Python would complain again at exit."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError:
            setattr(sys, name, None)


def complain(text: str) -> None:
    """Print one line to standard error, fit for a terminal.

    In a notebook to standard output: it shows all of standard error as an alarm. A line that
    cannot be written is lost; the exit code still says that the command failed.
    """
    stream = sys.stdout if in_notebook() else sys.stderr
    name = painted("rnn-native:", "bad", stream)
    with suppress(OSError):
        print(f"{name} {printable(text)}", file=stream)


def report(message: str, code: int) -> int:
    """Print one line to standard error; return the exit code."""
    complain(message)
    return code


def interrupted(advice: str = "", *, signal: int | None = None) -> int:
    """Say that a signal ended the command, the last one by default; return the exit code."""
    word, code = process.ended_by(signal)
    return report(word + advice, code)


@contextmanager
def warnings_on_one_line() -> Iterator[None]:
    """Let every warning of the block be one line on standard error, without its source.

    Filtered warnings stay filtered. RNN_NATIVE_DEBUG=1 leaves Python's own lines, which name
    file and line of the code.
    """
    with warnings.catch_warnings():
        if os.environ.get("RNN_NATIVE_DEBUG") != "1":
            warnings.showwarning = _show
        yield


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as `warnings.showwarning` would, but on one line."""
    text = printable(" ".join(str(message).split()))
    stream = file or sys.stderr
    head = painted("rnn-native: warning:", "doubt", stream)
    with suppress(OSError):  # as Python does
        print(f"{head} {text}", file=stream)


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename}" if error.filename else "")
        if isinstance(error, FileNotFoundError) and isinstance(error.filename, str):
            text += nearby.hint(error.filename)
    elif isinstance(error, MemoryError):
        text = str(error) or "not enough memory"
    elif isinstance(error, (ValueError, ArithmeticError, ImportError, OSError)):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return printable(" ".join(text.split()))
