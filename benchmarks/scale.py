"""How training scales: ranks, networks, local steps, cores; tables of benchmarks/scale.md.

    python benchmarks/scale.py [--write]             # all parts, about five minutes
    python benchmarks/scale.py steps speed [--write] # these now, the others as last measured
    python benchmarks/scale.py tables --write        # all as last measured

Parts are steps (time and exchange by number of ranks, and what follows for networks), speed (two
ranks beside two threads), local (accuracy with local steps) and cores (what slices, barriers
and bytes allow). Needs mpi4py and MPICH. Each part leaves build/scale/PART.json.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import Moment, counted, load_between, machine, spread, write_into
from roof import training_work
from scale_nets import BATCHES, NETS, Training, workload_of
from slices import bound

ROOT = Path(__file__).resolve().parent.parent
PAGE, KEPT = ROOT / "benchmarks" / "scale.md", ROOT / "build" / "scale"
RANKS = (1, 2, 4)
CORES = (4, 16, 64)
LATENCY = 1e-4  # seconds of a swap between two machines, beside its bytes
NETWORKS = {"1 Gb/s": 1e9 / 8, "10 Gb/s": 1e10 / 8}
BARRIER = 2e-6  # seconds of a barrier between two cores; of n cores log2(n) times as many
SIZES, LOCAL = [2**i for i in range(4, 21)], [2**i for i in range(13)]
WORTH = 1.5  # how much faster a second machine should make it

Found = dict[str, Any]


def on_ranks(count: int, *words: object) -> Found:
    """Return what scale_ranks.py prints on this many ranks."""
    mpiexec = shutil.which("mpiexec") or str(Path(sys.executable).parent / "mpiexec")
    program = Path(__file__).with_name("scale_ranks.py")
    command = [mpiexec, "-n", count, sys.executable, "-m", "mpi4py", program, *words]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True)
    found: Found = json.loads(done.stdout)
    return found


def line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def heads(*cells: str) -> list[str]:
    return [line(*cells), "|---" * len(cells) + "|"]


# ---- steps ----


def measure_steps(rounds: int) -> Found:
    return {str(ranks): on_ranks(ranks, "steps", "--rounds", rounds) for ranks in RANKS}


def steps_text(found: Found) -> list[str]:
    lines = heads(
        "net", "batch", *(counted(r, "rank") for r in RANKS),
        *(f"exchange, {r} ranks" for r in RANKS[1:]), "swaps", "kB",
    )  # fmt: skip
    for net in NETS:
        for batch in BATCHES:
            rows = [found[str(r)][f"{net} {batch}"] for r in RANKS]
            lines.append(
                line(
                    net,
                    batch,
                    *(f"{1e3 * row['step']:.2f}" for row in rows),
                    *(f"{100 * row['exchange'] / row['step']:.0f} %" for row in rows[1:]),
                    f"{rows[1]['swaps']:.0f}",
                    f"{rows[1]['bytes'] / 1000:,.0f}",
                )
            )
    return lines


# ---- networks, from the same ----


class Model:
    """Seconds of a step by rows of the batch, for one machine and for two.

    Between the batches that were measured values are on a line, beyond them on the last one.
    """

    def __init__(self, net: str, found: Found) -> None:
        alone, two = ([found[r][f"{net} {batch}"] for batch in BATCHES] for r in ("1", "2"))
        self._alone = [row["step"] for row in alone]
        self._half = [row["step"] - row["exchange"] for row in two]
        self._bytes, self._swaps = [row["bytes"] for row in two], two[0]["swaps"]
        self._kept = 4.0 * int(
            workload_of(net).network().params.size
        )  # SGD keeps no moments

    def alone(self, batch: float) -> float:
        return between(batch, self._alone)

    def gain(self, batch: float, rate: float) -> float:
        """Return how many times as fast two machines are as one."""
        moved: float = between(batch, self._bytes) / rate + self._swaps * LATENCY
        return self.alone(batch) / (between(batch, self._half) + moved)

    def local_gain(self, batch: float, rate: float, every: int) -> float:
        """Return the same with this many local steps: weights and a note are swapped."""
        moved = (self._kept / rate + 3 * LATENCY) / every
        return self.alone(batch) / (self.alone(batch / 2) + moved)


def between(batch: float, values: list[float]) -> float:
    """Return the value at a batch size."""
    i = 0 if batch < BATCHES[1] else len(BATCHES) - 2
    slope = (values[i + 1] - values[i]) / (BATCHES[i + 1] - BATCHES[i])
    return max(values[i] + slope * (batch - BATCHES[i]), 1e-9)


def first_of(sizes: list[int], holds: list[bool]) -> str:
    """Return the least size from which on it holds."""
    failing = [i for i, one in enumerate(holds) if not one]
    at = failing[-1] + 1 if failing else 0
    return f"{sizes[at]:,}" if at < len(sizes) else "never"


def networks_text(found: Found) -> list[str]:
    """Return when a second machine pays."""
    lines = heads(
        "net", "network", *(f"batch {b}" for b in BATCHES), "pays from batch",
        f"`every` for {WORTH} times at batch 64",
    )  # fmt: skip
    for net in NETS:
        model = Model(net, found)
        for name, rate in NETWORKS.items():
            gains = [model.gain(batch, rate) for batch in BATCHES]
            pays = first_of(SIZES, [model.gain(size, rate) > 1 for size in SIZES])
            enough = [model.local_gain(64, rate, k) >= WORTH for k in LOCAL]
            every = first_of(LOCAL, enough)
            lines.append(line(net, name, *(f"{g:.2f}" for g in gains), pays, every))
    return lines


# ---- speed ----


def measure_speed(rounds: int) -> Found:
    return on_ranks(2, "speed", "--rounds", 2 * rounds)


def speed_text(found: Found) -> list[str]:
    lines = heads(
        "net", "one rank, two threads", "two ranks, one thread", "of it exchange", "ratio"
    )
    for net, rounds in found.items():
        alone, both, waits = (list(column) for column in zip(*rounds, strict=True))
        ratio = spread([a / b for a, b in zip(alone, both, strict=True)])
        times = [
            f"{1e3 * statistics.median(column):.2f}" for column in (alone, both, waits)
        ]
        lines.append(line(net, *times, ratio))
    return lines


# ---- local steps ----


def measure_local(rounds: int) -> Found:
    return on_ranks(4, "local", "--rounds", min(3, rounds))


def local_text(found: Found) -> list[str]:
    counts = sorted({int(key.split()[1]) for key in found})
    lines = heads("net", *(f"every={k}" for k in counts))
    for net in NETS:
        cells = []
        for k in counts:
            values = [100 * value for value in found[f"{net} {k}"]]
            each = ", ".join(f"{value:.2f}" for value in values)
            cells.append(f"{statistics.mean(values):.2f} ({each})")
        lines.append(line(net, *cells))
    return lines


# ---- cores ----


def measure_cores(rounds: int) -> Found:
    """Return a batch's time on one thread, its jobs, and the bytes that it moves."""
    return {f"{net} {b}": cores_of(net, b, rounds) for net in NETS for b in BATCHES}


def cores_of(net: str, batch: int, rounds: int) -> Found:
    training = Training(net, batch, 8)
    training.seconds(1)
    training.net.profile = True
    total = sum(training.seconds(1) for _ in range(rounds)) / rounds
    jobs, count = training.net.jobs, rounds * training.steps
    training.net.profile = False
    work = training_work(net, workload_of(net), len(training.order))
    return {
        "step": total,
        "jobs": [(slices, n / count, seconds / count) for slices, n, seconds in jobs],
        "bytes": work.moved / training.steps,
    }


def cores_text(found: Found) -> list[str]:
    lines = heads(
        "net", "batch", "a batch, ms", "most slices", "barriers", "MB",
        *(f"{cores} cores" for cores in CORES), f"GB/s at {CORES[-1]}",
    )  # fmt: skip
    for key, row in found.items():
        net, batch = key.split()
        step, jobs = row["step"], [tuple(job) for job in row["jobs"]]
        barriers = sum(n for _, n, _ in jobs)
        cells = []
        for cores in CORES:
            seconds = step / bound(step, jobs, cores)
            whole = seconds + barriers * BARRIER * math.log2(cores)
            cells.append(f"{step / seconds:.1f}, {step / whole:.1f}")
        lines.append(
            line(
                net,
                batch,
                f"{1e3 * step:.2f}",
                max((slices for slices, _, _ in jobs), default=1),
                f"{barriers:.0f}",
                f"{row['bytes'] / 1e6:.1f}",
                *cells,
                f"{row['bytes'] / whole / 1e9:.0f}",
            )
        )
    return lines


# ---- all ----

PARTS = {
    "steps": measure_steps,
    "speed": measure_speed,
    "local": measure_local,
    "cores": measure_cores,
}
TABLES: dict[str, tuple[str, Callable[[Found], list[str]]]] = {
    "steps": ("steps", steps_text),
    "networks": ("steps", networks_text),
    "speed": ("speed", speed_text),
    "local": ("local", local_text),
    "cores": ("cores", cores_text),
}


def measure(part: str, rounds: int) -> None:
    """Measure a part, and keep what was found."""
    before, start = Moment.now(), time.perf_counter()
    found = PARTS[part](rounds)
    load = load_between(before, Moment.now())
    print(f"{part}: {time.perf_counter() - start:.0f} s", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{part}.json").write_text(json.dumps({"load": load, "found": found}))


def text_of(table: str) -> str:
    """Return a table under a line on the machine, from what was kept of its part."""
    part, text = TABLES[table]
    kept = json.loads((KEPT / f"{part}.json").read_bytes())
    return "\n".join([f"{machine()}. {kept['load']}", "", *text(kept["found"]), ""])


def main() -> None:
    """Measure, print and perhaps write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "tables", []], help="(all)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="into benchmarks/scale.md")
    args = parser.parse_args()
    for part in args.parts or PARTS:
        if part != "tables":
            measure(part, args.rounds)
    for table, (part, _) in TABLES.items():
        if (KEPT / f"{part}.json").exists():
            print(f"\n{table}: {text_of(table)}")
            if args.write:
                write_into(PAGE, f"scale.py {table}", text_of(table))


if __name__ == "__main__":
    main()
