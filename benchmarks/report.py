"""Tables of what compare.py measured, and the state of the machine meanwhile."""

import os
import platform
import statistics
from pathlib import Path
from typing import NamedTuple

from peers.roster import OURS, OURS_ALONE
from workloads import Goal, Workload

FOOTNOTE = (
    "Each peer has its own process; they take turns round by round, from the same initial "
    "weights, over the same rows in the same order. Times are medians with quartiles over "
    "the rounds; `times ours` is taken round by round; `apart` is the largest relative "
    "difference of a loss from ours. Rows *in italics* are rewritten by hand from the "
    "model's algebra, to separate the idea from the kernels. PyTorch predicts from a tensor to a "
    "tensor, all others from a NumPy array to a NumPy array."
)


class Row(NamedTuple):
    """Rounds of a peer, and ours."""

    name: str
    label: str
    rewritten: bool
    times: list[float]
    ratios: list[float]  # to ours, round by round
    loss: float  # the last one
    apart: float  # in all rounds
    apart_first: float  # in the first round


class Section(NamedTuple):
    """A workload on this many threads; the first row is ours."""

    name: str
    workload: Workload
    threads: int
    rounds: int
    rows: list[Row]
    left_out: list[str]
    load: str


def number(value: float) -> str:
    digits = 3 if value < 10 else 2 if value < 100 else 1
    return f"{value:.{digits}f}"


def spread(values: list[float]) -> str:
    """Median, and the range from the first to the third quartile."""
    if len(values) < 3:
        return number(statistics.median(values))
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{number(middle)} ({number(low)} to {number(high)})"


def row_text(row: Row, workload: Workload) -> str:
    label = f"*{row.label}, hand-rewritten*" if row.rewritten else row.label
    if row.apart_first > workload.agree:
        label += " (does another computation)"
    cells = [label, spread(row.times), spread(row.ratios), f"{row.loss:.6f}"]
    return f"| {' | '.join(cells)} | {row.apart:.1e} |"


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def section_text(section: Section) -> str:
    workload = section.workload
    threads = counted(section.threads, "thread")
    rounds = counted(section.rounds, "round")
    lines = [
        f"## {section.name}: {workload.title}, {threads}, {rounds}\n",
        f"| peer | {workload.unit} | times ours | last loss | apart |",
        "|---|---|---|---|---|",
        *(row_text(row, workload) for row in section.rows),
        "",
        *(f"Left out: {reason}.\n" for reason in section.left_out),
        f"{section.load}\n",
    ]
    return "\n".join(lines)


def best_of(section: Section, prefix: str = "") -> Row | None:
    """Return the fastest peer whose name begins so, of those that do the same work."""
    peers = [
        row
        for row in section.rows
        if row.name not in (OURS, OURS_ALONE)
        and not row.rewritten
        and row.apart_first <= section.workload.agree
        and row.name.startswith(prefix)
    ]
    return min(peers, key=lambda row: statistics.median(row.times), default=None)


def goal_cells(goal: Goal | None) -> list[str]:
    if goal is None:
        return ["", ""]
    return [f"{goal.must:g}", "" if goal.aim is None else f"{goal.aim:g}"]


def summary_row(section: Section, best: Row, goal: Goal | None) -> str:
    unit = section.workload.unit.split()[0]
    cells = [
        section.name,
        str(section.threads),
        f"{spread(section.rows[0].times)} {unit}",
        f"{spread(best.times)} {unit}",
        best.label,
        spread(best.ratios),
        *goal_cells(goal),
    ]
    return f"| {' | '.join(cells)} |"


def summary_rows(section: Section) -> list[str]:
    """Return the row against the best peer, and one against those that the goal names."""
    goal = section.workload.goal
    best, named = best_of(section), best_of(section, goal.against)
    if best is None:
        return []
    if best is named:
        return [summary_row(section, best, goal)]
    rows = [summary_row(section, best, None)]
    return rows if named is None else [*rows, summary_row(section, named, goal)]


def summary_text(sections: list[Section]) -> str:
    lines = [
        "## Summary\n",
        "| workload | threads | ours | best peer | which | times ours | must | aim |",
        "|---|---|---|---|---|---|---|---|",
        *(line for section in sections for line in summary_rows(section)),
        "",
    ]
    return "\n".join(lines)


def report(command: list[str], sections: list[Section]) -> str:
    """Return all tables as Markdown."""
    return "\n".join(
        [
            "# Benchmarks\n",
            f"Machine: {machine()}.\n",
            f"Command: `python benchmarks/compare.py {' '.join(command)}`\n",
            f"{FOOTNOTE}\n",
            *(section_text(section) for section in sections),
            summary_text(sections),
        ]
    )


def write_into(page: Path, name: str, text: str) -> None:
    """Put what a command measured into a page, between the comments that have its name."""
    begin, end = f"<!-- measured by {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = page.read_text().split(begin)
    after = rest.split(end)[1]
    page.write_text(before + begin + text + end + after)


def machine() -> str:
    """One line about the processor and the system."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [li for li in info.read_text().splitlines() if li.startswith("model name")]
        cpu = f"{len(lines)} x {lines[0].split(':')[1].strip()}" if lines else cpu
    system = f"{platform.system()} {platform.release()}"
    return f"{cpu}; {system}; Python {platform.python_version()}"


class Moment(NamedTuple):
    """How busy the machine is: load average, and ticks that were stolen, of all."""

    load: float
    stolen: int
    ticks: int

    @classmethod
    def now(cls) -> "Moment":
        stat = Path("/proc/stat")
        ticks = [0] * 8
        if stat.exists():
            ticks = [int(t) for t in stat.read_text().splitlines()[0].split()[1:9]]
        return cls(os.getloadavg()[0], ticks[7], sum(ticks))


def load_between(before: Moment, after: Moment) -> str:
    """Return a sentence on the load, and on what other machines took of the processor."""
    ticks = after.ticks - before.ticks
    stolen = f"{100 * (after.stolen - before.stolen) / ticks:.1f} %" if ticks else "unknown"
    return f"Load average {before.load:.2f} before, {after.load:.2f} after; steal {stolen}."
