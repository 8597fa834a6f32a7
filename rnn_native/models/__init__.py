"""`Network`, and calls that train the reference system's models; imports `plots` and below."""

from rnn_native.models.network import Network as Network
from rnn_native.models.options import ModelOptions, TrainingOptions
from rnn_native.models.reference import (
    ATTENTION_OPTIONS,
    CNN_LAYERS,
    CNN_OPTIONS,
    MLP_LAYERS,
    MLP_OPTIONS,
    attention_layers,
    train_attention,
    train_cnn,
    train_mlp,
    untrained,
)
from rnn_native.models.train import IMAGE, train, train_layers
from rnn_native.models.xor import XOR_LAYERS, XOR_X, XOR_Y, train_xor
from rnn_native.training.result import TrainingResult

__all__ = [
    "ATTENTION_OPTIONS",
    "CNN_LAYERS",
    "CNN_OPTIONS",
    "IMAGE",
    "MLP_LAYERS",
    "MLP_OPTIONS",
    "XOR_LAYERS",
    "XOR_X",
    "XOR_Y",
    "ModelOptions",
    "TrainingOptions",
    "TrainingResult",
    "attention_layers",
    "train",
    "train_attention",
    "train_cnn",
    "train_layers",
    "train_mlp",
    "train_xor",
    "untrained",
]
