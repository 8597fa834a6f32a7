"""Small neural networks on a CPU: native training kernels behind a small Python API.

Examples
--------
>>> import rnn_native as rn
>>> result = rn.train_xor(epochs=200_000, verbose=0)
>>> result.model.predict([[0, 1], [1, 1]])
array([1, 0])
"""

from rnn_native import datasets
from rnn_native._runtime import get_num_threads, set_num_threads, show_config
from rnn_native.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    ModelCheckpoint,
    ProgressLogger,
)
from rnn_native.checkpoint import load
from rnn_native.datasets import DataNotFoundError
from rnn_native.errors import FormatError, TrainingDiverged
from rnn_native.history import History
from rnn_native.layers import Dense
from rnn_native.models import TrainingResult, train_mlp, train_xor
from rnn_native.network import Network

__version__ = "0.1.0"

__all__ = [
    "CSVLogger",
    "Callback",
    "DataNotFoundError",
    "Dense",
    "EarlyStopping",
    "FormatError",
    "History",
    "ModelCheckpoint",
    "Network",
    "ProgressLogger",
    "TrainingDiverged",
    "TrainingResult",
    "datasets",
    "get_num_threads",
    "load",
    "set_num_threads",
    "show_config",
    "train_mlp",
    "train_xor",
]
