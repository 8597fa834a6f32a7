"""Exceptions that the package raises for faults of the outside world."""


class FormatError(ValueError):
    """A file or array does not have the format that it should have.

    The message is one line: what is wrong, in which file, what was expected,
    what was found, and where it helps what to do.
    """


class TrainingDiverged(FloatingPointError):
    """The loss became NaN or infinite. The message names epoch and batch."""
