"""Many nets at once: one thread trains each, which is faster than many threads one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

from numpy.typing import ArrayLike

from rnn_native.base.runtime import resolve_threads
from rnn_native.callbacks import TerminateOnNaN
from rnn_native.models.ensemble import check_nets
from rnn_native.models.network import Network
from rnn_native.training.callback import Callback, Logs, as_list
from rnn_native.training.history import History

NOT_TOGETHER = ("callbacks", "threads", "verbose")
"""Options of `Network.fit` that are not for all nets: an instance of a callback serves one."""


class _Checked(BaseException):
    """Ends a call of fit that is asked only what it thinks of its arguments."""


class _OnlyCheck(Callback):
    """Ends a run before its first epoch, and before callbacks that come later begin."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        raise _Checked


class _Until(Callback):
    """Ends a run after the epoch in which the call as a whole was ended."""

    def __init__(self, is_over: Event) -> None:
        self._is_over = is_over

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._is_over.is_set():
            self.run.stop("interrupted")


def fit_many(
    nets: Sequence[Network],
    x: ArrayLike,
    y: ArrayLike,
    *,
    each: Sequence[Mapping[str, Any]] | None = None,
    threads: int | None = None,
    **options: Any,
) -> list[History]:
    """Train several nets at the same time, one thread each, with the bits of one after another.

    Parameters
    ----------
    nets : sequence of Network
        Of any layers, each once.
    x, y : array_like
        As for `Network.fit`.
    each : sequence of dict, optional
        For each net what differs: options of `Network.fit`, callbacks among them, or other
        `x` and `y`, such as those of a fold.
    threads : int in [1, 64], optional
        How many nets are under way at a time; by default the number of cores.
    **options
        Of `Network.fit`, for all nets.

    Returns
    -------
    list of History
        One for each net. That of a net whose loss was not finite ends before that epoch, and
        its `stop_reason` says where; the others are trained as ever.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong; no net is trained then. What a callback refuses when its
        training begins ends the others after their epoch.
    KeyboardInterrupt
        After Ctrl-C; each net under way ends after its epoch, with its best weights.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = (x[:, 0] > 0).astype(int)
    >>> nets = [rn.Network([rn.Dense(8, "relu"), rn.Dense(2)], (4,), seed=s) for s in (1, 2, 3)]
    >>> histories = rn.fit_many(nets, x, y, epochs=3, each=[{"lr": lr} for lr in (1, 0.1, 0.01)])
    >>> [len(history) for history in histories]
    [3, 3, 3]
    """
    is_over = Event()
    nets = check_nets(nets)
    calls = _calls(nets, x, y, each, options, is_over)
    count = resolve_threads(threads)
    for i, (net, call) in enumerate(zip(nets, calls, strict=True)):
        _check(net, call, f"nets[{i}]")
    with ThreadPoolExecutor(count) as pool:
        futures: list[Future[History]] = []
        try:
            for net, call in zip(nets, calls, strict=True):
                futures.append(pool.submit(net.fit, **call))
            _wait(futures)
        except BaseException:
            is_over.set()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]


def _check(net: Network, call: Mapping[str, Any], name: str) -> None:
    """Raise what a net's fit would raise of its arguments; the net stays as it is."""
    try:
        net.fit(**{**call, "callbacks": [_OnlyCheck(), *call["callbacks"]]})
    except _Checked:
        return
    except (ValueError, TypeError) as error:
        if type(error) not in (ValueError, TypeError):
            raise
        raise type(error)(f"{name}: {error}") from None
    # Only Ctrl-C makes it return.
    raise KeyboardInterrupt


def _wait(futures: Sequence[Future[History]]) -> None:
    """Wait for all of them, or raise what the first that failed raised."""
    left = set(futures)
    while left:
        # Signals reach the main thread between waits.
        done, left = wait(left, timeout=0.1)
        for future in done:
            future.result()


def _calls(
    nets: Sequence[Network],
    x: ArrayLike,
    y: ArrayLike,
    each: Sequence[Mapping[str, Any]] | None,
    options: Mapping[str, Any],
    is_over: Event,
) -> list[dict[str, Any]]:
    """Return the arguments of each net's fit."""
    for name in NOT_TOGETHER:
        is_silent = name == "verbose" and options.get(name) == 0
        if name in options and not is_silent:
            raise ValueError(f"{name}: expected in `each`, one for each net")
    if isinstance(each, Mapping) or not isinstance(each, Iterable | None):
        kind = type(each).__name__
        raise TypeError(f"each: expected a list of dicts, one for each net, got {kind}")
    own: list[Mapping[str, Any]] = [{} for _ in nets] if each is None else list(each)
    if len(own) != len(nets):
        raise ValueError(
            f"each: expected {len(nets)} dicts, one for each net, got {len(own)}"
        )
    for i, more in enumerate(own):
        if not isinstance(more, Mapping):
            raise TypeError(f"each[{i}]: expected a dict, got {type(more).__name__}")
    return [
        {
            "x": x,
            "y": y,
            "verbose": 0,
            **options,
            **more,
            "threads": 1,
            "callbacks": [
                *as_list(more.get("callbacks")),
                TerminateOnNaN(),
                _Until(is_over),
            ],
        }
        for more in own
    ]
