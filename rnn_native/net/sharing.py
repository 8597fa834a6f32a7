"""Who may change a net at a time, where several threads have it."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Sharing:
    """A net's lock: changes wait for each other for a moment, and are refused in training.

    Readers need none: the core keeps their weights whole, see docs/threads.md.
    """

    def __init__(self) -> None:
        self._forget_other_threads()

    def _forget_other_threads(self) -> None:
        self._changing = threading.RLock()
        self._is_trained = False
        self._process = os.getpid()

    @contextmanager
    def unchanged(self, function: str) -> Iterator[None]:
        """Keep other threads from changing the net meanwhile; refuse while one trains it."""
        if self._process != os.getpid():
            self._forget_other_threads()  # a fork has none of them
        lock = self._changing  # a child of a fork may get another one meanwhile
        while not lock.acquire(blocking=False):
            if self._is_trained:
                raise RuntimeError(
                    f"{function}: this net is being trained by another thread; wait for it "
                    "or use a copy"
                )
            time.sleep(0)  # whatever else holds it does so for a moment
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def being_trained(self, function: str) -> Iterator[None]:
        """Keep other threads from changing the net during a call that trains it."""
        with self.unchanged(function):
            before, self._is_trained = self._is_trained, True
            try:
                yield
            finally:
                self._is_trained = before
