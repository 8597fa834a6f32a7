"""`Network`, and calls that train the reference system's models; imports `plots` and below."""

from typing import TYPE_CHECKING, Any

from rnn_native.base import lazy

if TYPE_CHECKING:
    from rnn_native.models.network import Network as Network
    from rnn_native.models.one_call import IMAGE, train, train_layers
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
    from rnn_native.models.xor import XOR_LAYERS, XOR_X, XOR_Y, train_xor
    from rnn_native.training.result import TrainingResult

_HOMES = {
    "ATTENTION_OPTIONS": "rnn_native.models.reference",
    "CNN_LAYERS": "rnn_native.models.reference",
    "CNN_OPTIONS": "rnn_native.models.reference",
    "IMAGE": "rnn_native.models.one_call",
    "MLP_LAYERS": "rnn_native.models.reference",
    "MLP_OPTIONS": "rnn_native.models.reference",
    "Network": "rnn_native.models.network",
    "ModelOptions": "rnn_native.models.options",
    "TrainingOptions": "rnn_native.models.options",
    "TrainingResult": "rnn_native.training.result",
    "XOR_LAYERS": "rnn_native.models.xor",
    "XOR_X": "rnn_native.models.xor",
    "XOR_Y": "rnn_native.models.xor",
    "attention_layers": "rnn_native.models.reference",
    "train": "rnn_native.models.one_call",
    "train_attention": "rnn_native.models.reference",
    "train_cnn": "rnn_native.models.reference",
    "train_layers": "rnn_native.models.one_call",
    "train_mlp": "rnn_native.models.reference",
    "train_xor": "rnn_native.models.xor",
    "untrained": "rnn_native.models.reference",
}

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


def __getattr__(name: str) -> Any:
    # What only predicts needs none of them.
    return lazy.named(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
