"""Exceptions that the package raises for faults of the outside world."""

from rnn_native.base.text import printable


class FormatError(ValueError):
    """A file or array does not have the format that it should have.

    The message is one line: what is wrong, in which file, what was expected,
    what was found, and where it helps what to do. Control characters, which files and
    their names may hold, are escaped.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class TrainingDiverged(FloatingPointError):
    """The loss became NaN or infinite. The message names epoch and batch."""


class RankError(RuntimeError):
    """Processes that train one net together differ, or one does not answer."""


def reason_of(error: Exception) -> str:
    """Return the message of `error` fit for a line, as a file or server had its say."""
    words = " ".join(str(error).split()) or type(error).__name__
    return printable(words[:200])
