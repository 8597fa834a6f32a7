"""Ranks of one process: a thread each, and queues in place of MPI."""

import queue
import threading

import numpy as np

SECONDS = 60


class FakeComm:
    """A communicator that has what the package asks of mpi4py's."""

    def __init__(self, rank, size, boxes):
        self.rank, self.size, self._boxes = rank, size, boxes

    def Sendrecv(self, sendbuf, dest, recvbuf=None, source=None):  # noqa: N802, as in mpi4py
        self._boxes[self.rank, dest].put(bytes(sendbuf))
        got = self._boxes[source, self.rank].get(timeout=SECONDS)
        memoryview(recvbuf).cast("B")[:] = got


def run(size, function):
    """Return ``[function(comm), ...]`` of `size` ranks at the same time; raise their errors."""
    boxes = {(a, b): queue.Queue() for a in range(size) for b in range(size)}
    results, errors = [None] * size, []

    def call(rank):
        try:
            results[rank] = function(FakeComm(rank, size, boxes))
        except Exception as error:
            errors.append((rank, error))

    threads = [threading.Thread(target=call, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise min(errors, key=lambda found: found[0])[1]
    return results


class CoreRanks:
    """What `Net.train` asks of ranks, over a communicator."""

    def __init__(self, comm):
        self.rank, self.size, self._comm = comm.rank, comm.size, comm
        self.stop = np.zeros(1, np.uint8)

    def swap(self, partner, give, take):
        self._comm.Sendrecv(give, partner, recvbuf=take, source=partner)
