"""Model and run files: what `rn.checkpoint` offers."""

from rnn_native.base.errors import FormatError as FormatError
from rnn_native.models.network import load
from rnn_native.net.model_facts import describe
from rnn_native.net.model_file import save
from rnn_native.net.tensor_file import (
    begins_as_safetensors,
    is_safetensors,
    read_tensors,
)
from rnn_native.training.run_file import read_recipe, restore_run, save_run

__all__ = [
    "begins_as_safetensors",
    "describe",
    "is_safetensors",
    "load",
    "read_recipe",
    "read_tensors",
    "restore_run",
    "save",
    "save_run",
]
