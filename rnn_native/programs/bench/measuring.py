"""Measuring: epochs, single predictions, the machine's peaks, and where time goes."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import rnn_native._core as _core
from rnn_native.base import runtime
from rnn_native.base.text import brief
from rnn_native.programs.bench.arithmetic import multiply_adds
from rnn_native.programs.bench.report import (
    Peaks,
    ProfileRow,
    Report,
    Speed,
    Spread,
)
from rnn_native.programs.bench.work import (
    EPOCH_IMAGES,
    MODELS,
    Data,
    Job,
    job_of,
    open_data,
)

WARM_UP_BATCHES = 8
MIN_EPOCHS = 3
PREDICTIONS = 500


def measure_peaks(threads: int) -> Peaks:
    """Measure what `threads` reach together; takes about 0.1 seconds."""
    return Peaks(_core.measure_peak("fma", threads), _core.measure_peak("sgemm", threads))


def measure(
    name: str, data: Data, *, threads: int, seconds: float = 3.0, profile: bool = False
) -> Speed:
    """Measure one model: a warm-up, then calls for `seconds`, three at least.

    Every call begins with the same weights, so that all do the same work.

    Parameters
    ----------
    name : {"mlp", "cnn", "attention", "xor"}
    data : Data
        Not used by xor, which has its four rows and trains a million epochs per call.
    threads : int in [1, 64]
    seconds : float
    profile : bool
        Whether to train again and measure each stage of the plan.
    """
    job = job_of(name, data, threads)
    net = job.net
    initial = net.params.copy()
    job.train(job.order[: WARM_UP_BATCHES * job.batch_size], min(job.epochs, 1000))
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < MIN_EPOCHS or time.perf_counter() < end:
        net.params[:] = initial
        times.append(job.train(job.order, job.epochs))
    spread = _spread(times)
    rate = job.images / spread.median
    dense = multiply_adds(net)
    executed = MODELS[name].executed(net, job.x, job.batch_size)
    return Speed(
        name=name,
        batch_size=job.batch_size,
        images=job.images,
        calls=len(times),
        seconds=spread,
        images_per_second=rate,
        epoch_seconds=EPOCH_IMAGES / rate,
        prediction_microseconds=_prediction_microseconds(job),
        dense_multiply_adds=dense,
        executed_multiply_adds=executed,
        dense_gflops=2e-9 * dense * rate,
        executed_gflops=2e-9 * executed * rate,
        profile=_profile(job, initial) if profile else [],
    )


def _spread(values: Sequence[float]) -> Spread:
    low, median, high = np.percentile(values, [25, 50, 75])
    return Spread(float(median), float(low), float(high))


def _prediction_microseconds(job: Job) -> Spread:
    """Time `predict_proba` of one row after the other, after a tenth to warm up."""
    warm_up, times = PREDICTIONS // 10, []
    for i in range(warm_up + PREDICTIONS):
        at = i % len(job.x)
        row = job.x[at : at + 1]
        begin = time.perf_counter()
        job.net.predict_proba(row, threads=job.threads)
        times.append(1e6 * (time.perf_counter() - begin))
    return _spread(times[warm_up:])


def _profile(job: Job, initial: NDArray[np.float32]) -> list[ProfileRow]:
    net = job.net.native
    net.params[:] = initial
    net.profile = True
    job.train(job.order, job.epochs)
    found = net.profile
    net.profile = False
    total = sum(seconds for _, _, seconds in found)
    scale = EPOCH_IMAGES / job.images
    return [
        ProfileRow(stage, work, seconds * scale, 100 * seconds / total)
        for stage, work, seconds in found
    ]


def run(
    names: Sequence[str] = (),
    data: Data | None = None,
    *,
    threads: int | None = None,
    seconds: float = 3.0,
    profile: bool = False,
) -> Report:
    """Measure models, all without names, and the machine's peaks between them.

    Of each peak the best is kept: other programs can only lower it.

    Parameters
    ----------
    names : sequence of {"mlp", "cnn", "attention", "xor"}
    data : Data, optional
        What `open_data` returns without arguments.
    threads : int in [1, 64], optional
    seconds, profile
        As for `measure`.

    Raises
    ------
    ValueError
        If a name or the number of threads is wrong.
    """
    chosen = list(dict.fromkeys(names)) or list(MODELS)
    for name in chosen:
        if name not in MODELS:
            raise ValueError(f"expected a model of {', '.join(MODELS)}, got {brief(name)}")
    count = runtime.resolve_threads(threads)
    rows = data if data is not None else open_data()
    peaks = [measure_peaks(count)]
    speeds = []
    for name in chosen:
        speeds.append(measure(name, rows, threads=count, seconds=seconds, profile=profile))
        peaks.append(measure_peaks(count))
    best = Peaks(max(p.fma for p in peaks), max(p.sgemm for p in peaks))
    machine = runtime.show_config("dicts")
    return Report(machine, rows.source, len(rows.x), count, best, speeds)
