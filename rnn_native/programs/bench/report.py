"""What `bench` measured, and how it is printed."""

from dataclasses import asdict, dataclass
from typing import Any

from rnn_native.programs.bench.work import EPOCH_IMAGES, XOR_EPOCHS


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of a measurement."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Peaks:
    """GF/s of multiply-adds in registers, and of OpenBLAS on 768 x 768 x 768."""

    fma: float
    sgemm: float


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Time in one kind of work of one stage of the plan, summed over threads.

    Attributes
    ----------
    stage, work : str
        As `Net.profile` names them.
    seconds : float
        For 54,000 images.
    percent : float
        Of all stages.
    """

    stage: str
    work: str
    seconds: float
    percent: float


@dataclass(frozen=True, slots=True)
class Speed:
    """The measurements of one model.

    Attributes
    ----------
    name : str
    batch_size : int
    images : int
        In a timed call: the rows, for xor four times a million.
    calls : int
        How many were timed: epochs, for xor a million epochs each.
    seconds : Spread
        Of a call.
    images_per_second : float
    epoch_seconds : float
        For 54,000 images.
    prediction_microseconds : Spread
        Of `predict_proba` for one row.
    dense_multiply_adds, executed_multiply_adds : float
        Of a training step for one image.
    dense_gflops, executed_gflops : float
        The rates of these in training, two operations a multiply-add.
    profile : list of ProfileRow
        Empty unless asked for, and for xor, which is one kernel.
    """

    name: str
    batch_size: int
    images: int
    calls: int
    seconds: Spread
    images_per_second: float
    epoch_seconds: float
    prediction_microseconds: Spread
    dense_multiply_adds: float
    executed_multiply_adds: float
    dense_gflops: float
    executed_gflops: float
    profile: list[ProfileRow]


@dataclass(frozen=True, slots=True)
class Report:
    """What `run` measured, and on what: `machine` is `show_config("dicts")`."""

    machine: dict[str, object]
    data: str
    rows: int
    threads: int
    peaks: Peaks
    models: list[Speed]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data, for JSON."""
        return asdict(self)


def as_text(report: Report) -> str:
    """Return the report as a table, with a profile for each model that has one."""
    machine, peaks = report.machine, report.peaks
    lines = [
        f"rnn_native {machine['version']}, CPU level {machine['cpu_level']}, threads "
        f"{report.threads}, {machine['compiler']}, {machine['blas_config']}",
        f"Data: {report.data}, {report.rows:,} rows",
        f"Peak: FMA {peaks.fma:.1f} GF/s, SGEMM {peaks.sgemm:.1f} GF/s",
        "",
        f"{'':<10}{'images/s':>12}{'s/epoch':>10}{'quartiles':>16}{'calls':>7}"
        f"{'predict us':>12}{'GF/s':>9}{'of FMA':>8}{'of SGEMM':>10}{'dense GF/s':>12}",
    ]
    lines += [_line(speed, peaks) for speed in report.models]
    lines += [
        "",
        f"s/epoch: for {EPOCH_IMAGES:,} images. GF/s: multiply-adds executed in training, "
        "zeros left out;",
        "dense GF/s: as if nothing were left out. predict us: one row, median.",
    ]
    for speed in report.models:
        if speed.name == "xor":
            call = speed.seconds
            lines.append(
                f"xor: {XOR_EPOCHS:,} epochs in {call.median:.3f} s "
                f"({call.low:.3f}..{call.high:.3f})"
            )
    for speed in report.models:
        if speed.profile:
            lines += ["", *_profile_lines(speed)]
    return "\n".join(lines)


def _line(speed: Speed, peaks: Peaks) -> str:
    scale = speed.epoch_seconds / speed.seconds.median
    quartiles = f"{speed.seconds.low * scale:.4f}..{speed.seconds.high * scale:.4f}"
    return (
        f"{speed.name:<10}{speed.images_per_second:>12,.0f}{speed.epoch_seconds:>10.4f}"
        f"{quartiles:>16}{speed.calls:>7}{speed.prediction_microseconds.median:>12.1f}"
        f"{speed.executed_gflops:>9.1f}{speed.executed_gflops / peaks.fma:>8.0%}"
        f"{speed.executed_gflops / peaks.sgemm:>10.0%}{speed.dense_gflops:>12.1f}"
    )


def _profile_lines(speed: Speed) -> list[str]:
    wide = max(len(row.stage) for row in speed.profile) + 2
    return [
        f"{speed.name}: seconds per epoch, summed over threads",
        *(
            f"  {row.stage:<{wide}}{row.work:<10}{row.seconds:>9.4f}{row.percent:>7.1f} %"
            for row in speed.profile
        ),
    ]
