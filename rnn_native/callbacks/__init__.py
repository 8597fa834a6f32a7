"""What happens at the borders of epochs and batches: stopping, saving, logging, rates.

The names, hooks and defaults are those of Keras; docs/reference/callbacks.md
lists the differences.
"""

from rnn_native.callbacks.csv_logger import CSVLogger
from rnn_native.callbacks.early_stopping import EarlyStopping
from rnn_native.callbacks.lambda_callback import LambdaCallback
from rnn_native.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from rnn_native.callbacks.model_checkpoint import ModelCheckpoint
from rnn_native.callbacks.pruning import PruningCallback
from rnn_native.callbacks.run_files import CSV_HEADER, RunCheckpoint, RunLog
from rnn_native.callbacks.tensorboard import TensorBoard
from rnn_native.callbacks.terminate_on_nan import TerminateOnNaN
from rnn_native.training.callback import Callback, Logs
from rnn_native.training.progress import ProgressLogger

__all__ = [
    "CSV_HEADER",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "LambdaCallback",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ProgressLogger",
    "PruningCallback",
    "ReduceLROnPlateau",
    "RunCheckpoint",
    "RunLog",
    "TensorBoard",
    "TerminateOnNaN",
]
