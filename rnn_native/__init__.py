"""Small neural networks on a CPU: native training kernels behind a small Python API.

Examples
--------
>>> import rnn_native as rn
>>> result = rn.train_xor(epochs=200_000, verbose=0)
>>> result.model.predict([[0, 1], [1, 1]])
array([1, 0])
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_native import datasets, schedules
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
    from rnn_native.layers import (
        Activation,
        AvgPool2D,
        BatchNorm,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        LayerNorm,
        MaxPool2D,
        MeanPool,
        PatchEmbed,
        Position,
        SelfAttention,
        Softmax,
    )
    from rnn_native.models import (
        TrainingResult,
        train_attention,
        train_cnn,
        train_mlp,
        train_xor,
    )
    from rnn_native.network import Network

__version__ = "0.1.0"

# Where each public name lives. They are imported when they are first used: importing the
# package costs next to nothing, and the command line can report a core that does not load.
_HOME = {
    "Activation": "layers",
    "AvgPool2D": "layers",
    "BatchNorm": "layers",
    "CSVLogger": "callbacks",
    "Callback": "callbacks",
    "Conv2D": "layers",
    "DataNotFoundError": "datasets",
    "Dense": "layers",
    "Dropout": "layers",
    "EarlyStopping": "callbacks",
    "Flatten": "layers",
    "FormatError": "errors",
    "History": "history",
    "LayerNorm": "layers",
    "MaxPool2D": "layers",
    "MeanPool": "layers",
    "ModelCheckpoint": "callbacks",
    "Network": "network",
    "PatchEmbed": "layers",
    "Position": "layers",
    "ProgressLogger": "callbacks",
    "SelfAttention": "layers",
    "Softmax": "layers",
    "TrainingDiverged": "errors",
    "TrainingResult": "models",
    "datasets": "datasets",
    "get_num_threads": "_runtime",
    "load": "checkpoint",
    "schedules": "schedules",
    "set_num_threads": "_runtime",
    "show_config": "_runtime",
    "train_attention": "models",
    "train_cnn": "models",
    "train_mlp": "models",
    "train_xor": "models",
}

__all__ = [
    "Activation",
    "AvgPool2D",
    "BatchNorm",
    "CSVLogger",
    "Callback",
    "Conv2D",
    "DataNotFoundError",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "FormatError",
    "History",
    "LayerNorm",
    "MaxPool2D",
    "MeanPool",
    "ModelCheckpoint",
    "Network",
    "PatchEmbed",
    "Position",
    "ProgressLogger",
    "SelfAttention",
    "Softmax",
    "TrainingDiverged",
    "TrainingResult",
    "datasets",
    "get_num_threads",
    "load",
    "schedules",
    "set_num_threads",
    "show_config",
    "train_attention",
    "train_cnn",
    "train_mlp",
    "train_xor",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rnn_native' has no attribute {name!r}")
    module = importlib.import_module(f"rnn_native.{_HOME[name]}")
    value = module if _HOME[name] == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
