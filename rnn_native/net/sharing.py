"""Who may change a net at a time, where several threads have it."""

import os
import threading
import time


class Sharing:
    """A net's lock: changes wait for each other for a moment, and are refused in training.

    Readers need none: the core keeps their weights whole, see docs/explanation/threads.md.
    """

    def __init__(self) -> None:
        self.is_trained = False
        self._forget_other_threads()

    def _forget_other_threads(self) -> None:
        self._changing = threading.RLock()
        self.is_trained = False
        self._process = os.getpid()

    def unchanged(self, function: str) -> "_Turn":
        """Keep other threads from changing the net meanwhile; refuse while one trains it."""
        return _Turn(self, function, trains=False)

    def being_trained(self, function: str) -> "_Turn":
        """Keep other threads from changing the net during a call that trains it."""
        return _Turn(self, function, trains=True)

    def acquire(self, function: str) -> "threading.RLock":
        """Return the lock, which this thread has from now on."""
        if self._process != os.getpid():
            self._forget_other_threads()  # a fork has none of them
        lock = self._changing  # a child of a fork may get another one meanwhile
        while not lock.acquire(blocking=False):
            if self.is_trained:
                raise RuntimeError(
                    f"{function}: this net is being trained by another thread; wait for it "
                    "or use a copy"
                )
            time.sleep(0)  # whatever else holds it does so for a moment
        return lock


class _Turn:
    """A thread's turn to change a net."""

    # A generator of contextlib would take longer than some steps of small nets.
    __slots__ = ("_before", "_function", "_lock", "_sharing", "_trains")

    def __init__(self, sharing: Sharing, function: str, *, trains: bool) -> None:
        self._sharing, self._function, self._trains = sharing, function, trains

    def __enter__(self) -> None:
        sharing = self._sharing
        self._lock = sharing.acquire(self._function)
        self._before = sharing.is_trained
        sharing.is_trained |= self._trains

    def __exit__(self, *_: object) -> None:
        self._sharing.is_trained = self._before
        self._lock.release()
