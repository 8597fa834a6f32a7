"""Small neural networks on a CPU: native training kernels behind a small Python API.

Examples
--------
>>> import rnn_native as rn
>>> result = rn.train_xor(epochs=200_000, verbose=0)
>>> result.model.predict([[0, 1], [1, 1]]).round()
array([1., 0.], dtype=float32)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnn_native import datasets, export, schedules
    from rnn_native._runtime import get_num_threads, set_num_threads, show_config
    from rnn_native.augmentation import Augment
    from rnn_native.callbacks import (
        Callback,
        CSVLogger,
        EarlyStopping,
        LambdaCallback,
        LearningRateScheduler,
        ModelCheckpoint,
        ProgressLogger,
        ReduceLROnPlateau,
        TensorBoard,
        TerminateOnNaN,
    )
    from rnn_native.config import load_config
    from rnn_native.datasets import DataNotFoundError
    from rnn_native.errors import FormatError, TrainingDiverged
    from rnn_native.history import History
    from rnn_native.interpretation import Interpretation, interpret
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
        RMSNorm,
        SelfAttention,
        Softmax,
    )
    from rnn_native.loading import load
    from rnn_native.logs import read_log
    from rnn_native.lr_finder import lr_find
    from rnn_native.models import (
        TrainingResult,
        train,
        train_attention,
        train_cnn,
        train_mlp,
        train_xor,
    )
    from rnn_native.network import Network

__version__ = "0.2.0"

# Where each public name lives. They are imported when they are first used: importing the
# package costs next to nothing, and the command line can report a core that does not load.
_HOME = {
    "Activation": "layers",
    "Augment": "augmentation",
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
    "Interpretation": "interpretation",
    "LambdaCallback": "callbacks",
    "LayerNorm": "layers",
    "LearningRateScheduler": "callbacks",
    "MaxPool2D": "layers",
    "MeanPool": "layers",
    "ModelCheckpoint": "callbacks",
    "Network": "network",
    "PatchEmbed": "layers",
    "Position": "layers",
    "ProgressLogger": "callbacks",
    "RMSNorm": "layers",
    "ReduceLROnPlateau": "callbacks",
    "SelfAttention": "layers",
    "Softmax": "layers",
    "TensorBoard": "callbacks",
    "TerminateOnNaN": "callbacks",
    "TrainingDiverged": "errors",
    "TrainingResult": "models",
    "interpret": "interpretation",
    "load_config": "config",
    "lr_find": "lr_finder",
    "read_log": "logs",
    "train": "models",
    "get_num_threads": "_runtime",
    "load": "loading",
    "set_num_threads": "_runtime",
    "show_config": "_runtime",
    "train_attention": "models",
    "train_cnn": "models",
    "train_mlp": "models",
    "train_xor": "models",
}

# Modules that are reached as attributes, `rn.datasets.load_mnist()`.
_MODULES = frozenset(
    (
        *("architecture", "attention_text", "calibration", "callbacks", "checkpoint"),
        *("config", "csv_digits", "datasets", "export", "history", "interpretation"),
        *("kaggle", "kernels", "layers", "legacy", "logits", "logs", "lr_finder"),
        *("metrics", "models", "npy_folder", "plots", "pretrained", "report"),
        *("run_folder", "saliency", "schedules", "sklearn", "training"),
    )
)

__all__ = [
    "Activation",
    "Augment",
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
    "Interpretation",
    "LambdaCallback",
    "LayerNorm",
    "LearningRateScheduler",
    "MaxPool2D",
    "MeanPool",
    "ModelCheckpoint",
    "Network",
    "PatchEmbed",
    "Position",
    "ProgressLogger",
    "RMSNorm",
    "ReduceLROnPlateau",
    "SelfAttention",
    "Softmax",
    "TensorBoard",
    "TerminateOnNaN",
    "TrainingDiverged",
    "TrainingResult",
    "datasets",
    "export",
    "get_num_threads",
    "interpret",
    "load",
    "load_config",
    "lr_find",
    "read_log",
    "schedules",
    "set_num_threads",
    "show_config",
    "train",
    "train_attention",
    "train_cnn",
    "train_mlp",
    "train_xor",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value = importlib.import_module(f"rnn_native.{name}")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"rnn_native.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'rnn_native' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *__all__, *_MODULES})
