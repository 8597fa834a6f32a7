"""Exceptions that the package raises for faults of the outside world."""

from rnn_native.base.text import printable

__all__ = ["FormatError", "RankError", "TrainingDiverged"]


class FormatError(ValueError):
    """A file or array does not have the format that it should have.

    The message is one line: what is wrong, in which file, what was expected,
    what was found, and where it helps what to do. Control characters, which files and
    their names may hold, are escaped.

    Parameters
    ----------
    message : str
        What is wrong, in one line.

    Examples
    --------
    >>> import rnn_native as rn
    >>> try:
    ...     rn.load(b"no model")
    ... except rn.FormatError as error:
    ...     print(str(error)[:30])
    <bytes>: not a safetensors fil
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class TrainingDiverged(FloatingPointError):
    """The loss became NaN or infinite. The message names epoch and batch.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(1)], input_shape=(1,), loss="squared_error")
    >>> x = np.full((10, 1), 1e25)
    >>> try:
    ...     history = net.fit(x, x, epochs=9, lr=1.0, verbose=0)
    ... except rn.TrainingDiverged as error:
    ...     print(str(error)[:42])
    a weight is not finite at epoch 1, batch 1
    """


class RankError(RuntimeError):
    """Processes that train one net together differ, or one does not answer.

    Examples
    --------
    >>> import rnn_native as rn
    >>> issubclass(rn.errors.RankError, RuntimeError)
    True
    """


def reason_of(error: Exception) -> str:
    """Return the message of `error` fit for a line, as a file or server had its say."""
    words = " ".join(str(error).split()) or type(error).__name__
    return printable(words[:200])
