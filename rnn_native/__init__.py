"""Small neural networks on a CPU: native training kernels behind a small Python API.

Train by one call: `train_mlp`, `train_cnn`, `train_attention` and `train_xor` make the reference
system's nets, `train` any layers; each returns a `TrainingResult`. `load_config` reads their
settings, `read_log` the table of their epochs, and `sweep` trains many configurations.

Build a net: `Network` has fit, evaluate, predict and save; `load` reads saved nets.
`TabularNet` learns tables of numbers and words, `Ensemble` averages nets, `fit_many` trains
several at a time, and `lr_find` suggests a learning rate. `History` is what fit returns.

Layers: `Dense`, `Activation`, `PReLU`, `Softmax`, `Dropout`, `GaussianNoise`, `Flatten`,
`Reshape`;
images `Conv2D`, `MaxPool2D`, `AvgPool2D`, `GlobalAvgPool2D`, `GlobalMaxPool2D`;
signals `Conv1D`, `MaxPool1D`, `AvgPool1D`, `GlobalAvgPool1D`, `GlobalMaxPool1D`;
norms `BatchNorm`, `LayerNorm`, `RMSNorm`, `Normalization`;
sequences `SimpleRNN`, `GRU`, `LSTM`, `Bidirectional`;
tokens `Embedding`, `PatchEmbed`, `PatchEmbed1D`, `Position`, `SelfAttention`, `Masking`,
`MeanPool`, `Columns`; blocks `Block`, `Residual`, `Concat`, `TransformerBlock`.

Callbacks, from `Callback`: `EarlyStopping`, `ModelCheckpoint`, `ReduceLROnPlateau`,
`LearningRateScheduler`, `CSVLogger`, `TensorBoard`, `ProgressLogger`, `TerminateOnNaN`,
`LambdaCallback`, `PruningCallback`. `schedules` has learning rates over epochs,
`losses` has functions for fit, and `Augment` distorts images.

Data: `datasets` has MNIST and similar sets, generated digits, files and folders of pictures.

Look at a net: `interpret` returns an `Interpretation`, with mistakes, losses and calibration;
`gradcheck` compares gradients. Modules: ``plots``, ``metrics``, ``calibration``, ``saliency``.

Use a net elsewhere: `export` writes C, ONNX, HTML and PyTorch's tensors; the module
``rnn_native.sklearn`` has estimators for scikit-learn.

Machine: `set_num_threads`, `get_num_threads`, `register_threadpoolctl`, `show_config`.

Errors: `FormatError` (a file), `DataNotFoundError` (a data set), `TrainingDiverged` (the loss).

Documentation: the folder docs of the source, or ``make docs``; begin with
docs/tutorials/first-net.md. Commands: ``rnn-native --help``.

Examples
--------
>>> import rnn_native as rn
>>> result = rn.train_xor(epochs=200_000, verbose=0)
>>> result.model.predict([[0, 1], [1, 1]]).round()
array([1., 0.], dtype=float32)
"""

import importlib
import sys

# Less is imported than elsewhere: so the command line handles signals earlier.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any

    from rnn_native import datasets, export
    from rnn_native.analysis.gradcheck import gradcheck
    from rnn_native.base.errors import FormatError, TrainingDiverged
    from rnn_native.base.runtime import (
        get_num_threads,
        register_threadpoolctl,
        set_num_threads,
        show_config,
    )
    from rnn_native.base.version import __version__ as __version__
    from rnn_native.callbacks import (
        Callback,
        CSVLogger,
        EarlyStopping,
        LambdaCallback,
        LearningRateScheduler,
        ModelCheckpoint,
        ProgressLogger,
        PruningCallback,
        ReduceLROnPlateau,
        TensorBoard,
        TerminateOnNaN,
    )
    from rnn_native.datasets.places import DataNotFoundError
    from rnn_native.formats.loading import load
    from rnn_native.models.ensemble import Ensemble
    from rnn_native.models.lr_finder import lr_find
    from rnn_native.models.many import fit_many
    from rnn_native.models.network import Network
    from rnn_native.models.one_call import train
    from rnn_native.models.reference import train_attention, train_cnn, train_mlp
    from rnn_native.models.tabular import TabularNet
    from rnn_native.models.xor import train_xor
    from rnn_native.net.block_layers import Block, Concat, Residual, TransformerBlock
    from rnn_native.net.layers import (
        Activation,
        AvgPool1D,
        AvgPool2D,
        BatchNorm,
        Columns,
        Conv1D,
        Conv2D,
        Dense,
        Dropout,
        Embedding,
        Flatten,
        GaussianNoise,
        GlobalAvgPool1D,
        GlobalAvgPool2D,
        GlobalMaxPool1D,
        GlobalMaxPool2D,
        LayerNorm,
        Masking,
        MaxPool1D,
        MaxPool2D,
        MeanPool,
        Normalization,
        PatchEmbed,
        PatchEmbed1D,
        Position,
        PReLU,
        Reshape,
        RMSNorm,
        SelfAttention,
        Softmax,
    )
    from rnn_native.net.recurrent_layers import GRU, LSTM, Bidirectional, SimpleRNN
    from rnn_native.report.interpretation import Interpretation, interpret
    from rnn_native.settings.config import load_config
    from rnn_native.sweeps.sweep import sweep
    from rnn_native.training import loss_functions as losses
    from rnn_native.training import schedules
    from rnn_native.training.augmentation import Augment
    from rnn_native.training.history import History
    from rnn_native.training.logs import read_log
    from rnn_native.training.result import TrainingResult

# Where each public name lives. They are imported when they are first used: importing the
# package costs next to nothing, and the command line can report a core that does not load.
_HOME = {
    "__version__": "base.version",
    "Activation": "net.layers",
    "Augment": "training.augmentation",
    "AvgPool1D": "net.window_layers",
    "AvgPool2D": "net.window_layers",
    "BatchNorm": "net.layers",
    "Bidirectional": "net.recurrent_layers",
    "Block": "net.block_layers",
    "CSVLogger": "callbacks",
    "Callback": "callbacks",
    "Columns": "net.token_layers",
    "Concat": "net.block_layers",
    "Conv1D": "net.window_layers",
    "Conv2D": "net.window_layers",
    "DataNotFoundError": "datasets",
    "Dense": "net.layers",
    "Dropout": "net.layers",
    "EarlyStopping": "callbacks",
    "Embedding": "net.token_layers",
    "Ensemble": "models.ensemble",
    "Flatten": "net.layers",
    "GaussianNoise": "net.layers",
    "GlobalAvgPool1D": "net.window_layers",
    "GlobalAvgPool2D": "net.window_layers",
    "GlobalMaxPool1D": "net.window_layers",
    "GlobalMaxPool2D": "net.window_layers",
    "FormatError": "base.errors",
    "GRU": "net.recurrent_layers",
    "History": "training.history",
    "Interpretation": "report.interpretation",
    "LSTM": "net.recurrent_layers",
    "LambdaCallback": "callbacks",
    "LayerNorm": "net.layers",
    "LearningRateScheduler": "callbacks",
    "Masking": "net.token_layers",
    "MaxPool1D": "net.window_layers",
    "MaxPool2D": "net.window_layers",
    "MeanPool": "net.token_layers",
    "ModelCheckpoint": "callbacks",
    "Network": "models.network",
    "Normalization": "net.layers",
    "PatchEmbed": "net.token_layers",
    "PatchEmbed1D": "net.window_layers",
    "PReLU": "net.layers",
    "Position": "net.token_layers",
    "ProgressLogger": "callbacks",
    "PruningCallback": "callbacks",
    "RMSNorm": "net.layers",
    "ReduceLROnPlateau": "callbacks",
    "Reshape": "net.layers",
    "Residual": "net.block_layers",
    "SelfAttention": "net.token_layers",
    "SimpleRNN": "net.recurrent_layers",
    "Softmax": "net.layers",
    "TabularNet": "models.tabular",
    "TensorBoard": "callbacks",
    "TerminateOnNaN": "callbacks",
    "TrainingDiverged": "base.errors",
    "TransformerBlock": "net.block_layers",
    "TrainingResult": "models",
    "interpret": "report.interpretation",
    "load_config": "settings.config",
    "lr_find": "models.lr_finder",
    "read_log": "training.logs",
    "train": "models",
    "fit_many": "models.many",
    "get_num_threads": "base.runtime",
    "gradcheck": "analysis.gradcheck",
    "load": "formats.loading",
    "register_threadpoolctl": "base.runtime",
    "set_num_threads": "base.runtime",
    "show_config": "base.runtime",
    "sweep": "sweeps.sweep",
    "train_attention": "models",
    "train_cnn": "models",
    "train_mlp": "models",
    "train_xor": "models",
}

# Modules that are reached as attributes, `rn.metrics.accuracy`, and imported by these names.
_MODULES = {
    "architecture": "settings.architecture",
    "attention_text": "analysis.attention_text",
    "augmentation": "training.augmentation",
    "calibration": "analysis.calibration",
    "callbacks": "callbacks",
    "checkpoint": "formats.checkpoint",
    "config": "settings.config",
    "csv_digits": "datasets.csv_digits",
    "datasets": "datasets",
    "errors": "base.errors",
    "export": "export",
    "history": "training.history",
    "idx": "datasets.idx",
    "interpretation": "report.interpretation",
    "kaggle": "programs.kaggle",
    "kernels": "net.kernels",
    "layers": "net.layers",
    "legacy": "formats.legacy",
    "loading": "formats.loading",
    "logits": "analysis.logits",
    "logs": "training.logs",
    "losses": "training.loss_functions",
    "lr_finder": "models.lr_finder",
    "metrics": "analysis.metrics",
    "models": "models",
    "network": "models.network",
    "npy_folder": "formats.npy_folder",
    "plots": "plots",
    "pretrained": "models.pretrained",
    "recipes": "settings.recipes",
    "report": "report",
    "run_folder": "training.run_folder",
    "saliency": "analysis.saliency",
    "schedules": "training.schedules",
    "sklearn": "sklearn",
    "sweeps": "sweeps",
    "synthetic": "datasets.synthetic",
    "training": "training",
}

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Augment",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Bidirectional",
    "Block",
    "CSVLogger",
    "Callback",
    "Columns",
    "Concat",
    "Conv1D",
    "Conv2D",
    "DataNotFoundError",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "Ensemble",
    "Flatten",
    "FormatError",
    "GaussianNoise",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "History",
    "Interpretation",
    "LambdaCallback",
    "LayerNorm",
    "LearningRateScheduler",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MeanPool",
    "ModelCheckpoint",
    "Network",
    "Normalization",
    "PReLU",
    "PatchEmbed",
    "PatchEmbed1D",
    "Position",
    "ProgressLogger",
    "PruningCallback",
    "RMSNorm",
    "ReduceLROnPlateau",
    "Reshape",
    "Residual",
    "SelfAttention",
    "SimpleRNN",
    "Softmax",
    "TabularNet",
    "TensorBoard",
    "TerminateOnNaN",
    "TrainingDiverged",
    "TrainingResult",
    "TransformerBlock",
    "datasets",
    "export",
    "fit_many",
    "get_num_threads",
    "gradcheck",
    "interpret",
    "load",
    "load_config",
    "losses",
    "lr_find",
    "read_log",
    "register_threadpoolctl",
    "schedules",
    "set_num_threads",
    "show_config",
    "sweep",
    "train",
    "train_attention",
    "train_cnn",
    "train_mlp",
    "train_xor",
]


# Pickles of earlier versions name these, too.
_PICKLED = {"training_state": "net.training_state", "xorshift": "base.xorshift"}


class _ShortNames:
    """Finds `rnn_native.metrics` where it is; see `rnn_native.base.aliases`."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> "ModuleSpec | None":
        package, _, short = name.partition(".")
        place = {**_MODULES, **_PICKLED}.get(short) if package == __name__ else None
        if place is None:
            return None
        from rnn_native.base.aliases import spec_of

        return spec_of(name, f"{__name__}.{place}")


sys.meta_path.append(_ShortNames())


def __getattr__(name: str) -> "Any":
    if name in _MODULES:
        value = importlib.import_module(f"rnn_native.{_MODULES[name]}")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"rnn_native.{_HOME[name]}"), name)
    else:
        from rnn_native.base.other_names import hint_of

        raise AttributeError(
            f"module 'rnn_native' has no attribute {name!r}{hint_of(name)}",
            name=name,
            obj=sys.modules[__name__],
        )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    own = (name for name in globals() if name.startswith("__"))
    return sorted({*own, *__all__, *_MODULES})
