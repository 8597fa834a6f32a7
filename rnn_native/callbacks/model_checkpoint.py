"""Model files written during training."""

import string
from pathlib import Path

from rnn_native.base.checks import check_flag, check_number, check_verbose
from rnn_native.base.files import AnyPath, as_path, shown
from rnn_native.base.text import brief
from rnn_native.callbacks.monitor import Monitor
from rnn_native.net import model_file
from rnn_native.training import run_folder
from rnn_native.training.callback import Callback, Logs, say, values_of


class ModelCheckpoint(Callback):
    """Write the model after every epoch, or after each that is the best so far.

    Parameters
    ----------
    filepath : str or path-like
        May have places for the epoch, from 1, and the columns of the history:
        "checkpoints/{epoch:02d}-{val_loss:.2f}.safetensors". The folder is made when missing.
        `rnn_native.load` reads the file, whatever its ending.
    monitor : str
        The value that decides the best epoch; as for `EarlyStopping`.
    verbose : int
        Above 0 prints a line for each file.
    save_best_only : bool
        Write only when the monitored value is better than in all epochs before of this call
        of `fit`.
    mode : str
        As for `EarlyStopping`.
    initial_value_threshold : float, optional
        The first file, too, must be better than this: a best value of an earlier call.
    save_weights_only : bool
        Write what `Network.save_weights` writes, which `Network.load_weights` reads.

    Raises
    ------
    ValueError
        From `fit`, before the first epoch, if validation is missing that `filepath` or
        `monitor` needs.
    OSError
        From `fit` if a file cannot be written; an existing file is left unchanged.

    Notes
    -----
    Files are replaced atomically. The best value is recomputed from the history when a run is
    resumed. To resume a run, use the files of `train_mlp(out=...)` and the other
    training functions, not these.

    Examples
    --------
    >>> import tempfile
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     best = rn.ModelCheckpoint(f"{folder}/best", "loss", save_best_only=True)
    ...     history = net.fit(x, y, epochs=2, callbacks=best, verbose=0)
    ...     print(rn.load(f"{folder}/best"))
    <Network 784 -> 10, 7,850 parameters>
    """

    def __init__(
        self,
        filepath: AnyPath,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        initial_value_threshold: float | None = None,
        *,
        save_weights_only: bool = False,
    ) -> None:
        self.filepath = str(as_path("filepath", filepath))
        self.monitor = monitor
        self.verbose = check_verbose(verbose)
        self.save_best_only = check_flag("save_best_only", save_best_only)
        self.save_weights_only = check_flag("save_weights_only", save_weights_only)
        start = initial_value_threshold
        self.initial_value_threshold = (
            None if start is None else check_number("initial_value_threshold", start)
        )
        self._monitor = Monitor(monitor, mode)
        self._places = _places(self.filepath)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """See that files can be written; look at the epochs behind a resumed run."""
        name = type(self).__name__
        for place in self._places - {"epoch"}:
            Monitor(place).require(self.run, f"{name}: {shown(self.filepath)}")
        path = Path(self.filepath)
        if not _places(str(path.parent)):
            names = [] if self._places else [path.name.format()]
            run_folder.prepare(str(path.parent).format(), names)
        start = self.initial_value_threshold
        self.best = self._monitor.worst if start is None else start
        if self.save_best_only:
            self._monitor.require(self.run, name)
            for row in self.run.history.call_rows:
                self._is_best(row.value(self.monitor))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write the file of this epoch."""
        if self.save_best_only and not self._is_best(
            self._monitor.of(logs, type(self).__name__)
        ):
            return
        for place in self._places - {"epoch"}:
            Monitor(place).of(logs, f"{type(self).__name__}: {shown(self.filepath)}")
        values = values_of(self.run, logs)
        path = Path(self.filepath.format_map({**values, "epoch": epoch + 1}))
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            model_file.save_weights(self.model, path, values)
        else:
            model_file.save(self.model, path, values)
        what = "weights" if self.save_weights_only else "model"
        say(self.verbose, epoch, f"saved the {what} to {path}")

    def _is_best(self, value: float | None) -> bool:
        if value is None or not self._monitor.is_better(value, self.best):
            return False
        self.best = value
        return True


def _places(template: str) -> set[str]:
    """Return the names between braces; raise ValueError for what cannot be a column."""
    try:
        names = {
            name for _, name, _, _ in string.Formatter().parse(template) if name is not None
        }
        for name in sorted(names):
            if not name.isidentifier():
                raise ValueError(f"expected names of columns in braces, got {brief(name)}")
        values = dict.fromkeys(names, 1.0) | {"epoch": 1}
        as_path("filepath", template.format(**values))
    except (ValueError, LookupError) as error:
        raise ValueError(
            f"filepath: expected a path in which braces have names of columns, got "
            f"{shown(template)}: {error}"
        ) from None
    return names
