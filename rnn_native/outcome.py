"""Exit codes, and how a command says that it failed."""

import sys

OK, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """Arguments that argparse cannot see are wrong."""


def report(message: str, code: int) -> int:
    """Print one line to standard error; return the exit code."""
    print(f"rnn-native: {message}", file=sys.stderr)
    return code


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename}" if error.filename else "")
    elif isinstance(error, MemoryError):
        text = str(error) or "not enough memory"
    elif isinstance(error, (ValueError, ArithmeticError, ImportError, OSError)):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())
