"""The training loop: the only place that calls the hooks of callbacks between epochs."""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from rnn_native.base.errors import TrainingDiverged
from rnn_native.training import divergence, interrupts
from rnn_native.training.callback import (
    Callback,
    as_list,
    call,
    check_hooks,
    may_log,
    numbers_of,
    wants_batches,
)
from rnn_native.training.history import History
from rnn_native.training.progress import ProgressLogger
from rnn_native.training.ranks import Ranks
from rnn_native.training.run import Run
from rnn_native.training.together import begin, share_decisions


def fit(
    run: Run,
    callbacks: Sequence[Callback] | Callback | None = (),
    *,
    verbose: int | str = "auto",
    ranks: Ranks | None = None,
) -> History:
    """Train until `run.recipe.epochs` epochs are done or a callback stops the run.

    Whatever ends the run, the model is left with the weights of its best epoch (least
    validation loss), or with the last ones when there is no validation; `EarlyStopping` can
    ask for others.

    Parameters
    ----------
    run : Run
        Fresh, or restored from a checkpoint.
    callbacks : sequence of Callback
        Called in order.
    verbose : {"auto", 0, 1, 2}
        See `ProgressLogger`.
    ranks : Ranks, optional
        The processes that train together; each calls `fit`.

    Returns
    -------
    History
        `stop_reason` is "interrupted" after Ctrl-C, which also gives a warning; the rest of
        the program continues.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite and no callback `handles_divergence`, as `TerminateOnNaN` does.
    OSError
        From callbacks that write files.
    TypeError
        If a callback has a hook of Keras' that is never called here.
    KeyboardInterrupt
        If Ctrl-C ended another call of `fit` less than 3 seconds ago, so that it ends a loop.
        The model still has its best weights.

    Warns
    -----
    UserWarning
        If the loss of the epoch whose weights are kept is far above that of an untrained net,
        or after 100 steps loss and accuracy are those of chance.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(100, seed=1)
    >>> net = rn.Network([rn.Dense(10)], input_shape=(784,))
    >>> rows = rn.training.split(net.as_rows(x), net.as_targets(y, 100), 0.2)
    >>> run = rn.training.Run(net, rows, rn.training.Recipe(epochs=2))
    >>> len(rn.training.fit(run, verbose=0))
    2
    """
    begun, is_ended = ExitStack(), False
    begun.enter_context(run.model.being_trained("fit"))
    begun.callback(run.end)
    run.model.stop_training = False
    run.has_foreign_logs = False
    try:
        # Progress comes last: what it reports has then been saved.
        run.callbacks = [*as_list(callbacks), ProgressLogger(verbose)]
        if ranks is not None:
            begin(run, ranks)
            begun.enter_context(ranks.signals())
            run.callbacks = [
                c for c in run.callbacks if run.is_first_rank or c.on_every_rank
            ]
        for callback in run.callbacks:
            check_hooks(callback)
        params = {"epochs": run.recipe.epochs, "steps": run.steps, "verbose": verbose}
        run.prepare_again()
        run.note_input()
        for callback in run.callbacks:
            callback.run, callback.model, callback.params = run, run.model, params
            begun.callback(_end, callback, run)
            call(callback.on_train_begin, {})
            run.has_foreign_logs |= may_log(callback)
        share_decisions(run)
        while not _is_stopped(run) and run.history.next_epoch < run.recipe.epochs:
            _epoch(run, run.callbacks)
        is_ended = True
    except TrainingDiverged as error:
        if not any(callback.handles_divergence for callback in run.callbacks):
            raise
        run.stop(str(error))
    except KeyboardInterrupt:
        run.stop_reason = "interrupted"
        if interrupts.is_repeated():
            raise
    finally:
        if not is_ended and not run.is_begun:
            run.undo()
        run.history.stop_reason = run.stop_reason or "epochs"
        run.restore_best()
        begun.close()
    if run.is_first_rank:
        divergence.warn_of_failure(run, stacklevel=3)
    if run.stop_reason == "interrupted" and run.is_first_rank:
        warnings.warn(
            "training interrupted by user; best weights kept. Ctrl-C again within "
            f"{interrupts.SECONDS:g} seconds raises KeyboardInterrupt, to end a loop",
            stacklevel=2,
        )
    return run.history


def _is_stopped(run: Run) -> bool:
    """Return whether a callback has asked for an end, by this package's attribute or by Keras'."""
    if run.model.stop_training and run.stop_reason is None:
        run.stop("stop_training")
    return run.stop_reason is not None


def _epoch(run: Run, callbacks: Sequence[Callback]) -> None:
    index, epoch = len(run.history), run.history.next_epoch
    for callback in callbacks:
        call(callback.on_epoch_begin, epoch, {})
    row = run.train_epoch([callback for callback in callbacks if wants_batches(callback)])
    run.history.append(row)
    if run.history.best_epoch() == index:
        run.best_weights = run.model.weights.copy()
    logs = _last_logs(run)
    for callback in callbacks:
        callback.on_epoch_end(epoch, logs)
        _note_foreign_logs(run, logs)
    _is_stopped(run)
    share_decisions(run)


def _note_foreign_logs(run: Run, logs: dict[str, Any]) -> None:
    """Put numbers that a callback added to the logs into the history."""
    known = run.history.rows[-1].values()
    added = {name: value for name, value in numbers_of(logs).items() if name not in known}
    if not added:
        return
    logs.update(added)  # plain floats, for the files of later callbacks
    run.history.note(added)
    if run.history.best_by in added and run.history.best_epoch() == len(run.history) - 1:
        run.best_weights = run.model.weights.copy()


def _end(callback: Callback, run: Run) -> None:
    call(callback.on_train_end, _last_logs(run))


def _last_logs(run: Run) -> dict[str, float]:
    """Return the last epoch's values by name, for callbacks."""
    return run.history.rows[-1].values() if run.history else {}
