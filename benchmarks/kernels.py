"""Figures that need no peers: products against the bundled OpenBLAS, XOR, import, epochs.

    python benchmarks/kernels.py

Products run on one thread, interleaved round by round, and the least time counts: `net` is a pass
of a dense layer in a step of training, by the net's own profile, in slices and with bias, `sgemm`
the bare call for the whole matrices.
"""

import argparse
import ctypes
import statistics
import subprocess
import sys
import time

import numpy as np

import rnn_native as rn
import rnn_native._core as _core

ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112


def blas(name, types):
    """Return a function of the bundled library that gives nothing back."""
    library = ctypes.CDLL(rn.show_config("dicts")["blas_path"])
    function = library[f"scipy_cblas_{name}"]
    function.argtypes, function.restype = types, None
    return function


def sgemm():
    """Return the bundled library's cblas_sgemm."""
    i, f, p = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    return blas("sgemm", [i, i, i, i, i, i, f, p, i, p, i, f, p, i])


def seconds(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def median_of_rounds(calls, rounds=15, repeats=20):
    """Return the median seconds of each call, taking turns."""
    times = [[] for _ in calls]
    for _ in range(rounds):
        for call, list_ in zip(calls, times, strict=True):
            list_.append(seconds(call, repeats))
    return [statistics.median(list_) for list_ in times]


def passes(net, step):
    """Return the seconds of each pass of the net's last layer in a step."""
    net.profile = False
    net.profile = True
    step()
    return {kind: seconds for layer, kind, seconds in net.profile if layer == "dense"}


def least(times):
    return min(time for time in times if time > 0)


def product(rows, inputs, outputs, gemm, rounds=15):
    """Print GF/s of a dense layer's three products, ours and OpenBLAS."""
    rng = np.random.default_rng(0)
    x, given = (rng.random((rows, n), dtype=np.float32) for n in (8, inputs))
    dy, dx = rng.random((rows, outputs), dtype=np.float32), given.copy()
    w = rng.random((inputs, outputs), dtype=np.float32) / inputs
    layers = [{"type": "dense", "units": inputs}, {"type": "dense", "units": outputs}]
    net = _core.Net(layers, (8,), "squared_error")
    order, out, dw = np.arange(rows, dtype=np.int32), dy.copy(), w.copy()

    def call(sizes, trans, left, right, result):
        gemm(
            *(ROW_MAJOR, *trans, *sizes, 1.0, left.ctypes.data, left.shape[1]),
            *(right.ctypes.data, right.shape[1], 0.0, result.ctypes.data, result.shape[1]),
        )

    blas = {
        "forward": ((rows, outputs, inputs), (NO_TRANS, NO_TRANS), given, w, out),
        "input": ((rows, inputs, outputs), (NO_TRANS, TRANS), dy, w, dx),
        "params": ((inputs, outputs, rows), (TRANS, NO_TRANS), given, dy, dw),
    }
    times = {kind: ([], []) for kind in blas}
    for _ in range(rounds):
        step = passes(net, lambda: net.train(x, dy, order, rows, 0.0))
        for kind, arguments in blas.items():
            times[kind][0].append(step[kind])
            times[kind][1].append(seconds(lambda a=arguments: call(*a), 1))
    gigaflops = 2e-9 * rows * inputs * outputs
    print(f"{rows:5} x {inputs:4} x {outputs:4}", end="")
    for kind, (net_times, blas_times) in times.items():
        ours, theirs = gigaflops / least(net_times), gigaflops / least(blas_times)
        print(f"   {kind}: net {ours:6.1f} GF/s, sgemm {theirs:6.1f}", end="")
    print()


def xor(rounds=7):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        rn.train_xor(verbose=0)
        times.append(time.perf_counter() - start)
    print(f"XOR, 1,000,000 epochs: {statistics.median(times):.3f} s (median of {rounds})")


IMPORT = """
import time, {first}
start = time.perf_counter()
import rnn_native as rn
alone = time.perf_counter() - start
rn.train_mlp
print(1000 * alone, 1000 * (time.perf_counter() - start))
"""


def import_time(rounds=7):
    """Print what importing costs, in milliseconds.

    The package imports its parts, NumPy among them, when they are first used;
    `rn.train_mlp` makes it do so.
    """
    alone, beyond = [], []
    for _ in range(rounds):
        for first, times in (("sys", alone), ("numpy", beyond)):
            command = [sys.executable, "-c", IMPORT.format(first=first)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            times.append([float(number) for number in out.split()])
    plain = statistics.median(times[0] for times in alone)
    used = statistics.median(times[1] for times in beyond)
    print(
        f"import rnn_native: {plain:.1f} ms; with all that train_mlp needs, beyond NumPy: "
        f"{used:.1f} ms (medians of {rounds})"
    )


def epochs(rounds=5):
    """Print seconds of an epoch of the MNIST MLP with one thread and with two, in turns."""
    x, y = rn.datasets.synthetic_digits(20_000, seed=1)
    x, y = x.reshape(-1, 784), y.astype(np.int32)
    net = rn.Network([rn.Dense(512, "relu"), rn.Dense(10)], (784,)).native
    order = np.arange(len(y), dtype=np.int32)
    one, two = median_of_rounds(
        [
            lambda: net.train(x, y, order, 64, 0.01, threads=1),
            lambda: net.train(x, y, order, 64, 0.01, threads=2),
        ],
        rounds,
        repeats=1,
    )
    print(f"MLP epoch, 1 thread to 2: {one / two:.2f} times as fast")


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rn.show_config()
    gemm = sgemm()
    for rows, inputs, outputs in [
        (64, 784, 512),
        (256, 784, 512),
        (64, 512, 64),
        (64, 2048, 2048),
        (512, 512, 128),
        (128, 2048, 2048),
        (4096, 512, 512),
        (2048, 2048, 2048),
    ]:
        product(rows, inputs, outputs, gemm)
    xor()
    epochs()
    import_time()


if __name__ == "__main__":
    main()
