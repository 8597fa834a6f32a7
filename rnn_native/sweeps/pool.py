"""Executors: whether they can do the work, and waiting for it with a limit."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from pathlib import Path
from typing import Any

from rnn_native.base.errors import reason_of
from rnn_native.base.version import __version__
from rnn_native.sweeps.worker import Record, Task, probe, train_one

POLL = 0.1


def shares_memory(executor: Any) -> bool:
    """Whether an executor's work sees this process' arrays."""
    return isinstance(executor, ThreadPoolExecutor)


def check_executor(executor: Any) -> None:
    """Refuse what has not the interface of `concurrent.futures.Executor`."""
    if isinstance(executor, Executor) or callable(getattr(executor, "submit", None)):
        if not hasattr(executor, "scheduler_info"):
            return
        raise TypeError(
            "executor: expected an Executor, got a Dask client; use get_executor()"
        )
    raise TypeError(
        "executor: expected the interface of concurrent.futures.Executor, got "
        f"{type(executor).__name__}"
    )


def jobs_of(executor: Any) -> int | None:
    """Return how many runs an executor does at a time, None when it does not say."""
    for name in ("num_workers", "_max_workers"):
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return count
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "nthreads"):
        with suppress(Exception):
            return sum(client.nthreads().values()) or None
    return None


def check_workers(executor: Any, folder: Path, more: Any, timeout: float) -> None:
    """Let a worker say that it is there and fit for the work.

    Raises
    ------
    TypeError
        If what the runs need cannot be sent.
    TimeoutError
        If no worker answers.
    ChildProcessError
        If it died.
    ValueError
        If it has another version, or does not see the sweep's folder.
    """
    try:
        future = executor.submit(probe, str(folder), more)
    except Exception as error:
        raise _as_refusal(error) from None
    try:
        version, sees = future.result(timeout)
    except TimeoutError:
        future.cancel()
        raise TimeoutError(
            f"executor: no worker answered within {timeout:g} s; is one running?"
        ) from None
    except Exception as error:
        raise _as_refusal(error) from None
    if version != __version__:
        raise ValueError(
            f"executor: workers have rnn_native {version}, this process has {__version__}"
        )
    if not sees:
        raise ValueError(
            f"executor: workers do not see {str(folder)!r}; set out to a folder that all "
            "machines share"
        )


def _as_refusal(error: Exception) -> Exception:
    """Return the error of one line that a failed probe is."""
    if isinstance(error, BrokenExecutor):
        return died(error)
    reason = reason_of(error)
    if (
        "pickl" in f"{type(error).__name__} {reason}".lower()
        or "serializ" in reason.lower()
    ):
        return TypeError(
            f"executor: cannot send what the runs need to its workers: {reason}; define "
            "metrics and callbacks at the top of a module, or use threads"
        )
    return ChildProcessError(f"executor: a worker cannot work: {reason}")


def died(error: BaseException) -> ChildProcessError:
    """Return the error for workers that are gone."""
    return ChildProcessError(
        f"executor: a worker died ({reason_of(Exception(str(error) or 'no reason given'))}); "
        "runs that are over are kept: call sweep again with the same out"
    )


class Waiting:
    """Submits tasks, and yields their records as they arrive.

    Parameters
    ----------
    executor : Executor
    signs : Path
        Where the workers' signs of life are.
    timeout : float
        Seconds without any such sign, or any result, after which waiting ends.
    """

    def __init__(self, executor: Any, signs: Path, timeout: float) -> None:
        self._executor, self._signs, self._timeout = executor, signs, timeout

    def records(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Record]]:
        """Yield each task with its record, in the order in which they end.

        Raises
        ------
        ChildProcessError, TimeoutError
            If a worker died, or nothing moves.
        """
        futures: dict[Future[Record], Task] = {}
        try:
            for task in tasks:
                futures[self._executor.submit(train_one, task)] = task
            yield from self._as_they_end(futures)
        except BrokenExecutor as error:
            self._end(futures)
            raise died(error) from None
        except BaseException:
            self._end(futures)
            raise

    def _as_they_end(
        self, futures: dict[Future[Record], Task]
    ) -> Iterator[tuple[Task, Record]]:
        left, seen, since = set(futures), "", time.monotonic()
        while left:
            # Signals reach the main thread between waits.
            done, left = wait(left, timeout=POLL, return_when=FIRST_COMPLETED)
            signs = self._alive()
            if done or signs != seen:
                seen, since = signs, time.monotonic()
            elif time.monotonic() - since > self._timeout:
                raise TimeoutError(
                    f"executor: no sign of life of a worker for {self._timeout:g} s, "
                    f"{len(left)} runs are missing; call sweep again with the same out"
                )
            for future in done:
                yield futures[future], self._record(future, futures[future])

    def _record(self, future: Future[Record], task: Task) -> Record:
        try:
            return future.result()
        except BrokenExecutor:
            raise
        except Exception as error:
            # Of the executor: what a run raises is in its record.
            words = f"{type(error).__name__}: {reason_of(error)}"
            return {"id": task.id, "status": "failed", "error": f"executor: {words}"}

    def _alive(self) -> str:
        """Return what changes while a worker is at work."""
        found = []
        with suppress(OSError), os.scandir(self._signs) as entries:
            for entry in entries:
                with suppress(OSError):
                    found.append(f"{entry.name} {entry.stat().st_mtime_ns}")
        return " ".join(sorted(found))

    def _end(self, futures: dict[Future[Record], Task]) -> None:
        """Let runs under way end after their epoch, and wait for them, but not forever."""
        with suppress(OSError):
            (self._signs / "stop").touch()
        for future in futures:
            future.cancel()
        wait(futures, timeout=self._timeout)
