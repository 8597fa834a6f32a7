"""How fast this machine trains and predicts the reference models, and its peaks."""

from rnn_native.programs.bench.measuring import run
from rnn_native.programs.bench.report import as_text
from rnn_native.programs.bench.work import MODELS, open_data

__all__ = ["MODELS", "as_text", "open_data", "run"]
