"""Model and run files: what `rn.checkpoint` offers."""

from rnn_native.models.network import load
from rnn_native.net.model_file import describe, save
from rnn_native.training.run_file import read_recipe, restore_run, save_run

__all__ = ["describe", "load", "read_recipe", "restore_run", "save", "save_run"]
