"""What an epoch of a net needs at least, from its layers: operations of products, and bytes.

The roof is the time of the products at the machine's SGEMM rate, and of the bytes at the
bandwidth that a stream of as many bytes as a batch touches has here. Nothing overlaps in it,
and nothing is left out of the products but zeros, windows and patches of the reference models
that are left out exactly (`rnn_native.programs.bench.arithmetic`); so a net whose core fuses
or leaves out more may lie above its roof.
"""

import ctypes
import itertools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import rnn_native as rn
from kernels import NO_TRANS, ROW_MAJOR, blas, sgemm
from rnn_native.programs.bench import arithmetic
from workloads import Data, Workload

FLOAT = 4  # bytes

MOMENTS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}

# These give what they are given, and cost nothing themselves.
FREE = ("flatten", "reshape", "fork", "branch")
NORMS = ("batchnorm", "layernorm", "rmsnorm")

EXECUTED = {
    "reference-cnn": arithmetic.executed_cnn,
    "reference-attention": arithmetic.executed_attention,
}


class Work(NamedTuple):
    """What is done: operations of products, bytes that go through, bytes of a batch."""

    operations: float
    moved: float
    touched: float

    @property
    def gigas(self) -> float:
        return self.operations / 1e9


def moments_of(optimizer: dict[str, Any]) -> int:
    """Return how many moments an optimizer keeps of each parameter."""
    has_momentum = optimizer["type"] == "sgd" and optimizer.get("momentum", 0.0) > 0
    return MOMENTS["momentum" if has_momentum else optimizer["type"]]


def update_floats(net: rn.Network, optimizer: dict[str, Any]) -> int:
    """Return the floats that an update reads and writes.

    Of each parameter the gradient is read; the number itself and its moments are read and
    written.
    """
    return net.params.size * (1 + 2 * (1 + moments_of(optimizer)))


def value_floats(net: rn.Network, *, trains: bool) -> int:
    """Return the floats of values for a row.

    A layer's values are written once and read once by the next layer, and so are their
    gradients; a norm reads its inputs again for the statistics, and as its gradient needs
    them. The net's inputs are read.
    """
    total = math.prod(net.input_shape)
    for layer in net.native.layers:
        if layer["type"] not in FREE:
            size = math.prod(layer["shape"])
            is_norm = layer["type"] in NORMS
            total += size * ((6 if is_norm else 4) if trains else 2)
    return total


def multiply_adds_of(
    name: str, workload: Workload, net: rn.Network, data: Data | None
) -> float:
    """Return those of a row of training; zeros that the core leaves out are left out."""
    if data is None or workload.data != "mnist":
        return float(arithmetic.multiply_adds(net))
    if name in EXECUTED:
        return EXECUTED[name](net, data.x, workload.batch_size)
    if len(net.input_shape) == 1:
        return arithmetic.executed_mlp(net, data.x, workload.batch_size)
    return float(arithmetic.multiply_adds(net))


def training_work(name: str, workload: Workload, rows: int) -> Work:
    """Return the work of an epoch of this many rows."""
    net = workload.network()
    data = workload.load(rows) if workload.data == "mnist" else None
    batches = -(-rows // workload.batch_size)
    updated = FLOAT * update_floats(net, workload.optimizer)
    values = FLOAT * value_floats(net, trains=True)
    kept = FLOAT * net.params.size * (2 + moments_of(workload.optimizer))
    return Work(
        operations=2 * rows * multiply_adds_of(name, workload, net, data),
        moved=batches * updated + rows * values,
        touched=kept + workload.batch_size * values / 2,
    )


def prediction_work(workload: Workload, rows: int) -> Work:
    """Return the work of predicting this many rows in one call: the weights are read once."""
    net = workload.network()
    forward = sum(products.forward for products in arithmetic.layer_products(net))
    weights = FLOAT * net.params.size
    values = FLOAT * value_floats(net, trains=False)
    return Work(2 * rows * forward, weights + rows * values, weights + rows * values)


# ---- what the machine can do ----


def together(works: list[Callable[[], None]]) -> float:
    """Return the seconds that functions take at once, each in a thread."""
    barrier = threading.Barrier(len(works) + 1)

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    barrier.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


def sgemm_rate(threads: int, size: int = 2048, repeats: int = 5) -> float:
    """Return operations per second of the bundled OpenBLAS, size cubed, rows split in threads."""
    gemm = sgemm()
    rng = np.random.default_rng(0)
    a, b = (rng.random((size, size), dtype=np.float32) for _ in range(2))
    c = np.zeros((size, size), np.float32)
    ends = [size * i // threads for i in range(threads + 1)]

    def part(first: int, last: int) -> Callable[[], None]:
        x, out = (ctypes.c_void_p(m[first:].ctypes.data) for m in (a, c))
        y = ctypes.c_void_p(b.ctypes.data)
        return lambda: gemm(
            *(ROW_MAJOR, NO_TRANS, NO_TRANS, last - first, size, size, 1.0),
            *(x, size, y, size, 0.0, out, size),
        )

    works = [part(*pair) for pair in itertools.pairwise(ends)]
    return 2 * size**3 / min(together(works) for _ in range(repeats))


STREAM = 2**27  # bytes that a measurement moves
OWN_CACHE = (
    2**20
)  # bytes that a core has for itself, so that cores do not share a bandwidth
PER_FLOAT = 3 * FLOAT  # of y += a x: two are read, one is written


def stream_seconds(floats: int, threads: int, repeats: int = 5) -> float:
    """Return the seconds of y += a x over this many floats on each thread, less the calls' own."""
    axpy = blas(
        "saxpy", [ctypes.c_int, ctypes.c_float, *[ctypes.c_void_p, ctypes.c_int] * 2]
    )
    times = max(STREAM // (PER_FLOAT * floats * threads), 2)

    def stream(count: int) -> Callable[[], None]:
        arrays = [np.ones(floats, np.float32) for _ in range(2)]
        x, y = (ctypes.c_void_p(array.ctypes.data) for array in arrays)

        def run(arrays: Any = arrays) -> None:
            for _ in range(times):
                axpy(count, 0.5, x, 1, y, 1)

        return run

    full, empty = (
        min(together([stream(n) for _ in range(threads)]) for _ in range(repeats))
        for n in (floats, 0)
    )
    return (full - empty) / times


def stream_rate(threads: int, touched: int) -> float:
    """Return bytes per second of reads and writes over this many bytes, a part for each thread."""
    floats = touched // (2 * FLOAT * threads)
    at_once = threads if touched > OWN_CACHE * threads else 1
    return PER_FLOAT * floats * threads / stream_seconds(floats, at_once)


@dataclass(frozen=True)
class Machine:
    """What was measured, on this many threads."""

    threads: int
    operations: float  # a second
    streams: dict[int, float]  # bytes per second, by bytes touched

    @classmethod
    def measured(cls, threads: int) -> "Machine":
        sizes = [2**power for power in (16, 18, 20, 22, 24, 26, 28)]
        streams = {size: stream_rate(threads, size) for size in sizes}
        return cls(threads, sgemm_rate(threads), streams)

    def bandwidth(self, touched: float) -> float:
        """Return bytes per second for this many bytes: of the measured size that is next."""
        size = min(self.streams, key=lambda size: abs(math.log(max(touched, 1) / size)))
        return self.streams[size]

    def seconds(self, work: Work) -> float:
        """Return the roof: products, then bytes."""
        return work.operations / self.operations + work.moved / self.bandwidth(work.touched)

    def text(self) -> str:
        streams = ", ".join(
            f"{size / 2**20:g} MB {rate / 1e9:.0f}" for size, rate in self.streams.items()
        )
        return (
            f"On {self.threads} thread{'s' if self.threads > 1 else ''}: SGEMM "
            f"{self.operations / 1e9:.0f} GF/s (OpenBLAS, 2048 cubed); GB/s of a stream of two "
            f"reads and a write, by bytes touched: {streams}."
        )
