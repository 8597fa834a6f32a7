"""Progress: output during training."""

import sys
from contextlib import nullcontext
from typing import Any, TextIO

from rnn_native.base.checks import check_verbose
from rnn_native.base.notebook import in_notebook
from rnn_native.base.text import printable
from rnn_native.training import live
from rnn_native.training.callback import Callback, Logs, values_of


class ProgressLogger(Callback):
    """Report how training goes, with the reference system's facts.

    Parameters
    ----------
    verbose : {"auto", 0, 1, 2}
        0 says nothing; 2 prints one line per epoch; 1 shows a bar (tqdm, on standard error) below
        these lines, in a notebook one with curves that is redrawn in place; "auto" is 1
        on a terminal or in a notebook, else 2.
    stream : text file, optional
        Where lines go; standard output when left out.

    Examples
    --------
    >>> import io
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> said = io.StringIO()
    >>> history = net.fit(x, y, callbacks=rn.ProgressLogger(2, said), verbose=0)
    >>> said.getvalue()[:15]
    'Epoch 1/1, Loss'
    """

    def __init__(self, verbose: int | str = "auto", stream: TextIO | None = None) -> None:
        check_verbose(verbose)
        self.verbose = verbose
        self.stream = stream
        self._bar: Any = None
        self._live: live.LiveTraining | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the bar."""
        if self.verbose not in (1, "auto"):
            return
        done, total = self.run.history.next_epoch, self.run.recipe.epochs
        if in_notebook():
            self._live = live.LiveTraining(done, total)
        elif self.verbose == 1 or sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit="epoch", leave=False)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Move the bar or print the line."""
        values = values_of(self.run, logs)
        facts = [f"Loss: {values['loss']:.6f}"]
        if "val_loss" in values:
            facts.append(f"Val Loss: {values['val_loss']:.6f}")
        facts += [
            _fact(name, value) for name, value in values.items() if self._is_shown(name)
        ]
        if self._live is not None:
            self._live.show(self.run.history, facts)
        elif self.verbose != 0:
            head = f"Epoch {epoch + 1}/{self.run.recipe.epochs}"
            self._print(", ".join([head, *facts, f"Time: {values['time']:.3f}s"]))
        if self._bar is not None:
            self._bar.update()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the bar; say why training ended when it ended early."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._live is not None:
            self._live.close(self.run.history)
        reason = self.run.stop_reason
        if self.verbose == 0 or reason in (None, "interrupted"):
            return
        history = self.run.history
        best = history.best_epoch()
        if reason != "early stopping" or best is None:
            self._print(f"Stopped after epoch {history.next_epoch}: {reason}")
            return
        value = history.rows[best].value(history.best_by)
        why = self.run.stop_detail and f"{self.run.stop_detail}; "
        self._print(
            f"Early stopping after epoch {history.next_epoch}: {why}best "
            f"{history.best_by.replace('val_', 'validation ')} {value:.6f} in epoch "
            f"{history.epoch[best] + 1}"
        )

    def _is_shown(self, column: str) -> bool:
        """Whether a column is printed with the losses: of validation's, or without it all."""
        validated = self.run.data.val_x is not None
        return column not in _NOT_SHOWN and (column.startswith("val_") or not validated)

    def _print(self, line: str) -> None:
        """Print a line; if the reader has closed the pipe, train without output."""
        try:
            # The line takes the bar's place, and the bar is drawn again below it.
            bar = self._bar
            with nullcontext() if bar is None else bar.external_write_mode(self.stream):
                print(printable(line), file=self.stream, flush=True)
        except BrokenPipeError:
            self.verbose = 0


_NOT_SHOWN = frozenset({"loss", "val_loss", "time", "learning_rate", "accuracy"})


def _fact(column: str, value: float) -> str:
    if column == "val_accuracy":
        return f"Val Acc: {100 * value:.2f}%"
    name = column.removeprefix("val_")
    shown = name.upper() if name in ("mae", "mse", "r2", "auc", "f1") else name
    return f"{'Val ' if name != column else ''}{shown}: {value:.6g}"
