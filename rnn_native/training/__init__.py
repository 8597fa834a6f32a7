"""The one loop that trains, and what it keeps and writes; imports `net` and below."""

from rnn_native.training.callback import Callback as Callback
from rnn_native.training.history import History as History
from rnn_native.training.loop import fit
from rnn_native.training.recipe import Recipe
from rnn_native.training.run import Run
from rnn_native.training.split import Split, split

__all__ = ["Recipe", "Run", "Split", "fit", "split"]
