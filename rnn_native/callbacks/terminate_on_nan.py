"""Ending quietly where training would fail."""

from rnn_native.base.checks import check_flag
from rnn_native.training.callback import Callback


class TerminateOnNaN(Callback):
    """Let a loss that is not finite end the run instead of raising `TrainingDiverged`.

    `history.stop_reason` then says where it was. The epoch is not in the history, and with
    validation the model is left with its best weights.

    Parameters
    ----------
    raise_error : bool
        True raises an error anyway, as without this callback.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(1)], input_shape=(1,), loss="squared_error")
    >>> x = np.full((10, 1), 1e25)
    >>> stop = rn.TerminateOnNaN()
    >>> history = net.fit(x, x, epochs=9, callbacks=stop, verbose=0)
    >>> len(history), history.stop_reason[:22]
    (0, 'a weight is not finite')
    """

    on_every_rank = True

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = check_flag("raise_error", raise_error)

    @property
    def handles_divergence(self) -> bool:  # type: ignore[override]
        """Whether a loss that is not finite ends the run instead of raising."""
        return not self.raise_error
