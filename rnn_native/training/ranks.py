"""The processes that train one net together, through a communicator of MPI."""

import json
import math
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_count, check_flag
from rnn_native.base.errors import RankError
from rnn_native.base.runtime import available_cpus
from rnn_native.base.text import brief

MOST_RANKS = 64
SECONDS = 60.0
"""How long a rank waits for another one, unless RNN_NATIVE_MPI_SECONDS says otherwise."""

LOCAL_SIZES = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE")
"""Where MPICH and Open MPI show how many ranks this machine has."""


class Ranks:
    """Where a process stands among those that train one net together.

    Parameters
    ----------
    comm : communicator
        As mpi4py's: `rank` or `Get_rank()`, `size` or `Get_size()`, and `Isend` and `Irecv`,
        which can be given up after a while, or else `Sendrecv`.
    every : int of at least 1
        Updates between two exchanges; above 1 each rank trains by itself in between, and
        then the weights are averaged.
    shards : bool
        Whether each rank has its own rows, instead of all rows.

    Attributes
    ----------
    rank, size : int
    stop : ndarray of shape (1,), uint8
        Not 0: this process wants all of them to end after the batch under way.
    seconds : float
        Spent in exchanges, waiting included.
    bytes : int
        Given to other ranks.

    Raises
    ------
    TypeError, ValueError
        If `comm` is not a communicator, its size is not a power of two, or RNN_NATIVE_MPI_SECONDS
        is not a number of seconds.
    """

    def __init__(self, comm: Any, every: int = 1, shards: bool = False) -> None:
        self._comm, self.every, self.shards = comm, every, shards
        self.rank, self.size = _number(comm, "rank"), _number(comm, "size")
        if not hasattr(comm, "Sendrecv"):
            raise TypeError(
                f"comm: expected a communicator such as mpi4py's MPI.COMM_WORLD, got "
                f"{type(comm).__name__} without Sendrecv"
            )
        if self.size > MOST_RANKS or self.size & (self.size - 1):
            raise ValueError(
                f"comm: expected 1, 2, 4, ... {MOST_RANKS} ranks, got {self.size}: sums go "
                "pair by pair; start another number of processes"
            )
        self.stop = np.zeros(1, np.uint8)
        self.limit = _seconds()
        self.seconds, self.bytes = 0.0, 0

    @property
    def trains_locally(self) -> bool:
        """Whether ranks make updates by themselves, and average weights."""
        return self.every > 1 or self.shards

    @property
    def how(self) -> str:
        """How ranks train by themselves, in messages."""
        return "shards" if self.shards else f"every={self.every}"

    def share_of_batch(self, size: int) -> int:
        """Return the rows of a batch that each rank trains on; ValueError if they differ."""
        if size % self.size:
            raise ValueError(
                f"batch_size: expected a multiple of {self.size}, the ranks, with {self.how}, "
                f"got {size}"
            )
        return size // self.size

    def threads(self) -> int:
        """Return how many threads this rank has when its machine's ranks share the cores."""
        told = [os.environ[name] for name in LOCAL_SIZES if name in os.environ]
        here = int(told[0]) if told and told[0].isdigit() else self.size
        return max(1, available_cpus() // max(here, 1))

    def swap(self, partner: int, give: memoryview, take: memoryview) -> None:
        """Send bytes to a partner, and receive as many as fit.

        Raises
        ------
        RankError
            If the partner does not answer in time.
        """
        begun = time.perf_counter()
        if hasattr(self._comm, "Isend") and hasattr(self._comm, "Irecv"):
            requests = []
            if take.nbytes:
                requests.append(self._comm.Irecv(take, source=partner))
            if give.nbytes:
                requests.append(self._comm.Isend(give, dest=partner))
            self._wait(requests, partner)
        else:
            self._comm.Sendrecv(give, partner, recvbuf=take, source=partner)
        self.seconds += time.perf_counter() - begun
        self.bytes += give.nbytes

    def _wait(self, requests: list[Any], partner: int) -> None:
        """Ask until all is done: a call that only waits could not be ended."""
        end, turn = time.monotonic() + self.limit, 0
        while not all(request.Test() for request in requests):
            turn += 1
            if turn % 64 == 0:
                # Others may need this core to finish what this rank waits for.
                time.sleep(0 if turn < 512 else 1e-4)
                if time.monotonic() > end:
                    raise RankError(
                        f"ranks: rank {self.rank} has waited {self.limit:g} s for rank "
                        f"{partner}, which may have ended; see its messages, and resume "
                        "from the last checkpoint"
                    )

    def gather(self, own: bytes) -> list[bytes]:
        """Return the bytes of each rank, all of the same length, in the order of ranks."""
        each = len(own)
        room = bytearray(each * self.size)
        room[self.rank * each : (self.rank + 1) * each] = own
        view, step = memoryview(room), 1
        while step < self.size:
            partner = self.rank ^ step
            mine, theirs = self.rank & ~(step - 1), partner & ~(step - 1)
            take = bytearray(step * each)
            self.swap(partner, view[mine * each : (mine + step) * each], memoryview(take))
            view[theirs * each : (theirs + step) * each] = take
            step *= 2
        return [bytes(room[k * each : (k + 1) * each]) for k in range(self.size)]

    def notes(self, note: Any) -> list[Any]:
        """Return what each rank notes, as JSON; it may be of any length."""
        text = json.dumps(note).encode()
        lengths = [int.from_bytes(one) for one in self.gather(len(text).to_bytes(8))]
        return [json.loads(one) for one in self.gather(text.ljust(max(lengths)))]

    def average(self, values: NDArray[np.float32]) -> None:
        """Replace values by their mean over ranks, added pair by pair, in place."""
        other, step = np.empty_like(values), 1
        while step < self.size:
            partner = self.rank ^ step
            self.swap(partner, _bytes_of(values), _bytes_of(other))
            values += other
            step *= 2
        values *= np.float32(1 / self.size)

    def require_alike(self, facts: Mapping[str, Any]) -> None:
        """Refuse ranks that would not compute the same.

        Raises
        ------
        RankError
            With the first fact that differs, and the ranks.
        """
        digests = {name: zlib.crc32(repr(fact).encode()) for name, fact in facts.items()}
        for k, other in enumerate(found := self.notes(list(digests.values()))):
            for name, a, b in zip(digests, found[0], other, strict=True):
                if a != b:
                    raise RankError(
                        f"ranks: rank {k} differs from rank 0 in its {name}; give all ranks the "
                        "same arguments, data, package and kind of processor "
                        "(RNN_NATIVE_CPU)"
                    )

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let the first Ctrl-C or SIGTERM ask all ranks to end after the same batch."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:
            before = earlier[signal.Signals(number)]
            if self.stop[0] and callable(before):
                before(number, frame)
            self.stop[0] = 1

        kinds = [signal.SIGINT, signal.SIGTERM]
        earlier = {kind: signal.getsignal(kind) for kind in kinds}
        taken = [kind for kind in kinds if callable(earlier[kind])]
        try:
            for kind in taken:
                signal.signal(kind, ask)
            yield
        finally:
            for kind in taken:
                signal.signal(kind, earlier[kind])


def _number(comm: Any, name: str) -> int:
    method = getattr(comm, f"Get_{name}", None)
    value = method() if method is not None else getattr(comm, name, None)
    if not isinstance(value, int):
        raise TypeError(
            "comm: expected a communicator such as mpi4py's MPI.COMM_WORLD, got "
            f"{type(comm).__name__} without {name}"
        )
    return value


def _seconds() -> float:
    """Return how long to wait for another rank."""
    told = os.environ.get("RNN_NATIVE_MPI_SECONDS")
    if told is None:
        return SECONDS
    with suppress(ValueError):
        if 0 < float(told) < math.inf:
            return float(told)
    raise ValueError(
        f"RNN_NATIVE_MPI_SECONDS: expected a number of seconds above 0, got {brief(told)}; "
        f"correct it or leave it out ({SECONDS:g})"
    )


def _bytes_of(values: NDArray[np.float32]) -> memoryview:
    return values.data.cast("B")


def ranks_of(comm: Any, every: object = 1, shards: object = False) -> Ranks | None:
    """Return the ranks of a communicator; None without one."""
    count = check_count("every", every, least=1)
    is_sharded = check_flag("shards", shards)
    if comm is not None:
        return Ranks(comm, count, is_sharded)
    if count > 1:
        raise ValueError(f"every: expected 1 without comm, got {count}")
    if is_sharded:
        raise ValueError("shards: expected False without comm, got True")
    return None


def threads_of(threads: int | None, ranks: Ranks | None) -> int | None:
    """Return the number of threads that was asked for, or a share of the machine's."""
    return ranks.threads() if threads is None and ranks is not None else threads
