"""Training as a notebook shows it: a bar, the numbers and the curves, redrawn in place.

Plain HTML by IPython's display, so that no widgets need to be installed, and nothing goes to
standard error, which notebooks show in red.
"""

import time
from collections.abc import Sequence
from typing import Any

from rnn_native.base import markup
from rnn_native.training.history import History

# Seconds between two drawings: a net of one millisecond an epoch draws no faster.
PAUSE = 0.2


class LiveTraining:
    """The display of one call of `fit`, in the output of the cell that made the call.

    Parameters
    ----------
    done, epochs : int
        Epochs that were trained before, and those there are to be.
    """

    def __init__(self, done: int, epochs: int) -> None:
        from IPython.display import display

        self._first, self._epochs = done, epochs
        self._begin = self._drawn = time.monotonic()
        self._facts = ""
        text = f"{done} of {epochs} epochs"
        bundle = _bundle(text, markup.progress_html(done / epochs, text))
        self._handle: Any = display(bundle, raw=True, display_id=True)

    def show(self, history: History, facts: Sequence[str]) -> None:
        """Draw how far training is, unless that was done a moment ago."""
        self._facts = ", ".join(facts)
        now, done = time.monotonic(), history.next_epoch
        if now - self._drawn < PAUSE and done > self._first + 1:
            return
        self._drawn = now
        seconds = now - self._begin
        left = seconds / (done - self._first) * (self._epochs - done)
        text = f"{done} of {self._epochs} epochs, {seconds:.1f} s, {left:.1f} s left"
        text = f"{text}: {self._facts}"
        bar = markup.progress_html(done / self._epochs, text)
        self._update(text, f"<div>{bar}{history.html()}</div>")

    def close(self, history: History) -> None:
        """Leave a line with the last numbers, and the curves folded into it."""
        seconds, epochs = time.monotonic() - self._begin, history.next_epoch - self._first
        text = f"{epochs} epochs in {seconds:.1f} s{self._facts and ': '}{self._facts}"
        self._update(text, markup.folded_html(text, history.html()))

    def _update(self, text: str, html: str) -> None:
        self._handle.update(_bundle(text, html), raw=True)


def _bundle(text: str, html: str) -> dict[str, str]:
    return {"text/plain": text, "text/html": html}
