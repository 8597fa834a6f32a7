"""Ending quietly where training would fail."""

from rnn_native.training.callback import Callback


class TerminateOnNaN(Callback):
    """Let a loss that is not finite end the run instead of raising `TrainingDiverged`.

    `history.stop_reason` then says where it was. The epoch is not in the history, and with
    validation the model is left with its best weights.

    Parameters
    ----------
    raise_error : bool
        True raises an error anyway, as without this callback.
    """

    on_every_rank = True

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    @property
    def handles_divergence(self) -> bool:  # type: ignore[override]
        """Whether a loss that is not finite ends the run instead of raising."""
        return not self.raise_error
