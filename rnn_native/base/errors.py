"""Exceptions that the package raises for faults of the outside world."""


class FormatError(ValueError):
    """A file or array does not have the format that it should have.

    The message is one line: what is wrong, in which file, what was expected,
    what was found, and where it helps what to do.
    """


class TrainingDiverged(FloatingPointError):
    """The loss became NaN or infinite. The message names epoch and batch."""


def reason_of(error: Exception) -> str:
    """Return the message of `error` fit for a line, as a file or server had its say."""
    words = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in words[:200])
