"""What a training call returns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rnn_native.net.predictor import Predictor
from rnn_native.training.history import History


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training returns.

    Attributes
    ----------
    model : Predictor
        With the best weights of the run.
    history : History
    test_loss, test_accuracy : float
        Of `model` on the test rows; the accuracy is a fraction in [0, 1], NaN for nets that
        give values.
    run_dir : Path or None
        Where the files are; None when nothing was written.
    data : str
        Which data the model was trained on.
    test_scores : mapping of str to float
        What `Network.evaluate` returns on the test rows, by name.

    Examples
    --------
    >>> import rnn_native as rn
    >>> result = rn.train_xor(epochs=1000, verbose=0)
    >>> result.model, result.run_dir
    (<Network 2 -> 4 -> 1, 17 parameters>, None)
    """

    model: Predictor
    history: History
    test_loss: float
    test_accuracy: float
    run_dir: Path | None
    data: str
    test_scores: Mapping[str, float] = field(default_factory=dict)

    def __setstate__(self, state: list[Any]) -> None:
        """Set the values of a copied result; those of 0.1.0 have no `test_scores`."""
        for name, value in zip((f.name for f in fields(self)), state, strict=False):
            object.__setattr__(self, name, value)
        if len(state) < len(fields(self)):
            scores = {"loss": self.test_loss, "accuracy": self.test_accuracy}
            object.__setattr__(self, "test_scores", scores)

    def _score_text(self) -> str:
        """Return the test rows' accuracy, or the metric that replaces it."""
        if not math.isnan(self.test_accuracy):
            return f"test accuracy {100 * self.test_accuracy:.2f}%"
        scores = [f"{k} {v:.6g}" for k, v in self.test_scores.items() if k != "loss"]
        return f"test {', '.join(scores)}"

    def __repr__(self) -> str:
        where = f", files in {self.run_dir}" if self.run_dir is not None else ""
        return (
            f"<TrainingResult on {self.data}: {self.history.epochs} epochs, "
            f"{self._score_text()}{where}>"
        )

    def _repr_html_(self) -> str:
        from rnn_native.base import markup

        history, model = self.history._repr_html_(), self.model._repr_html_()
        return markup.result_html(repr(self)[1:-1], history, model)
