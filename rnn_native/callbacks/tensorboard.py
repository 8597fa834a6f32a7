"""Curves for TensorBoard."""

import time
from typing import Any

from rnn_native.base.files import AnyPath, as_path, errors_named
from rnn_native.training.callback import Callback, Logs, values_of


class TensorBoard(Callback):
    """Write event files that `tensorboard --logdir` shows, with Keras' folders and names.

    `log_dir`/train has epoch_loss, epoch_accuracy and epoch_learning_rate, and
    `log_dir`/validation epoch_loss and epoch_accuracy, each epoch as it ends; epochs count
    from 0. Metrics, and numbers that earlier callbacks put into the logs, are beside them:
    those whose names begin with ``val_`` in validation.

    Parameters
    ----------
    log_dir : str or path-like
        Made when missing. A resumed run continues in it with its own files.

    Raises
    ------
    ImportError
        From `fit`, if tensorboardX is not installed.
    OSError
        From `fit`, if the files cannot be written.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = rn.TensorBoard(folder)
    ...     history = net.fit(x, y, validation_split=0.2, callbacks=board, verbose=0)
    ...     print(sorted(os.listdir(folder)))
    ['train', 'validation']
    """

    def __init__(self, log_dir: AnyPath = "logs") -> None:
        self.log_dir = as_path("log_dir", log_dir)
        self._writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the files."""
        for part in ("train", "validation")[: 1 if self.run.data.val_x is None else 2]:
            self._writer(part)

    def _writer(self, part: str) -> Any:
        """Return the writer of a folder, opened when it is first wanted."""
        # Not tensorboardX's SummaryWriter: it writes from a thread, whose errors are lost;
        # with a full disk it would wait forever.
        try:
            from tensorboardX.event_file_writer import EventsWriter
        except ImportError:
            raise ImportError(
                "TensorBoard: tensorboardX is not installed; try "
                "`pip install rnn_native[tensorboard]`"
            ) from None
        if part not in self._writers:
            folder = (self.log_dir / part).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            # To the writer's name, which has the second: two runs in one must not share
            # a file.
            suffix = f".{time.time_ns()}"
            self._writers[part] = EventsWriter(str(folder / "events"), suffix)
        return self._writers[part]

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write the epoch's values, onto the disk."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        for name, value in values_of(self.run, logs).items():
            part = "validation" if name.startswith("val_") else "train"
            if name == "time":
                continue
            summary = scalar(f"epoch_{name.removeprefix('val_')}", value)
            event = Event(wall_time=time.time(), step=epoch, summary=summary)
            with errors_named(self.log_dir):
                self._writer(part).write_event(event)
        for writer in self._writers.values():
            with errors_named(self.log_dir):
                writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        while self._writers:
            with errors_named(self.log_dir):
                self._writers.popitem()[1].close()
