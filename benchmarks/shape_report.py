"""Tables of what shapes.py measured."""

import statistics
from typing import NamedTuple

from peers.roster import OURS_ALONE
from report import Row, Section, best_of, counted, machine, number, spread
from roof import Machine, Work

BEGIN, END = "<!-- summary of shapes.py -->\n", "<!-- end of summary -->\n"

FOOTNOTE = (
    "Each peer has its own process. The processes alternate round by round, with the same "
    "initial weights and the same rows in the same order. `ratio` is the time of the best "
    "peer divided by ours, in each round: median, and quartiles (here and in all "
    "brackets). The best peer is the one with the lowest median among those whose loss "
    "agrees: within 2 % in the first round, or 5 % if dropout masks differ. Tables are "
    "sorted by the ratio, the worst first. GF/s count the products of the forward pass "
    "and of weight and input gradients, without the zeros that the core skips. `of roof` "
    "compares our time with a lower bound: the products at the rate of SGEMM, plus the "
    "bytes of updates, norms, and values at the bandwidth of a stream of the size of a "
    "batch. A net whose steps are fused can be above its roof. `must` is the goal for the "
    "ratio."
)


class Measured(NamedTuple):
    """A net's rounds, what they are made of, and the machine that did it."""

    section: Section
    work: Work
    machine: Machine
    size: int = 0  # rows of a call that predicts

    @property
    def ours(self) -> Row:
        return self.section.rows[0]

    @property
    def seconds(self) -> float:
        """Return our median."""
        median = statistics.median(self.ours.times)
        return median / 1e6 if self.size else median

    @property
    def best(self) -> Row | None:
        return best_of(self.section)

    @property
    def ratio(self) -> float:
        """Return the median ratio to the best peer."""
        return statistics.median(self.best.ratios) if self.best else float("inf")

    @property
    def of_roof(self) -> float:
        return self.machine.seconds(self.work) / self.seconds

    @property
    def one_to_two(self) -> str:
        """Return how many times as fast all threads are as one."""
        alone = [row for row in self.section.rows if row.name == OURS_ALONE]
        return spread(alone[0].ratios) if alone else ""

    @property
    def must(self) -> float:
        """Return the ratio that is wanted: mlpfile is wanted to be no faster."""
        is_mlpfile = self.best is not None and self.best.name == "mlpfile"
        return 1.0 if is_mlpfile else self.section.workload.goal.must

    @property
    def misses(self) -> bool:
        return self.ratio < self.must


def by_ratio(found: list[Measured]) -> list[Measured]:
    return sorted(found, key=lambda one: one.ratio)


def time_text(one: Measured) -> str:
    return f"{spread(one.ours.times)} {'us' if one.size else 's'}"


def row_text(one: Measured) -> str:
    workload, best = one.section.workload, one.best
    title = f"{one.section.name}: {workload.title}"
    size = [f"{one.size:,}", str(one.section.threads)] if one.size else [workload.kind]
    must = f"{one.must:g}" + (" (missed)" if one.misses else "")
    cells = [
        title,
        *size,
        time_text(one),
        best.label if best else "none",
        spread(best.ratios) if best else "",
        must,
        f"{one.work.gigas / one.seconds:.1f}",
        f"{100 * one.of_roof:.0f} %",
        *([] if one.size else [one.one_to_two]),
    ]
    return f"| {' | '.join(cells)} |"


def table(title: str, columns: list[str], found: list[Measured]) -> str:
    if not found:
        return ""
    lines = [
        f"## {title}\n",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *(row_text(one) for one in by_ratio(found)),
        "",
    ]
    return "\n".join(lines)


def peer_text(row: Row, one: Measured) -> str:
    label = row.label
    if row.apart_first > one.section.workload.agree:
        label += " (another loss)"
    unit = "us" if one.size else "s"
    return (
        f"{label}: {number(statistics.median(row.times))} {unit}, "
        f"{number(statistics.median(row.ratios))}, {row.apart_first:.0e}"
    )


def detail_text(one: Measured) -> str:
    """Return one net's line: all peers, who was left out, the load."""
    section = one.section
    what = f", {counted(one.size, 'row')}" if one.size else ""
    peers = "; ".join(peer_text(row, one) for row in section.rows)
    left_out = "".join(f" Left out: {reason}." for reason in section.left_out)
    return f"- **{section.name}**{what}. {peers}.{left_out} {section.load}"


def summary(found: list[Measured]) -> str:
    """Return the lowest, median, and highest ratio of each kind."""
    lines = [
        "| kind of net | nets | lowest ratio | net (peer) | median | highest | below the goal |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[Measured]] = {}
    for one in found:
        if one.size:
            kind = f"predictions of {counted(one.size, 'row')}"
        else:
            kind = f"epochs: {one.section.workload.kind}"
        groups.setdefault(kind, []).append(one)
    for kind in sorted(groups):
        worst, ratios = by_ratio(groups[kind])[0], [one.ratio for one in groups[kind]]
        peer = worst.best.label if worst.best else "none"
        cells = [
            kind,
            str(len(groups[kind])),
            number(worst.ratio),
            f"{worst.section.name} ({peer})",
            number(statistics.median(ratios)),
            number(max(ratios)),
            f"{sum(one.misses for one in groups[kind])}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def summary_of(text: str) -> str:
    """Return the summary that a report has."""
    return text.split(BEGIN)[1].split(END)[0].strip()


def report(command: list[str], machines: list[Machine], found: list[Measured]) -> str:
    """Return all tables as Markdown."""
    epochs = [one for one in found if not one.size]
    calls = [one for one in found if one.size]
    measured = ["time", "best peer", "ratio", "must", "GF/s", "of roof"]
    return "\n".join(
        [
            "# Shapes\n",
            f"Machine: {machine()}.\n",
            *(f"{one.text()}\n" for one in machines),
            f"Command: `python benchmarks/shapes.py {' '.join(command)}`\n",
            f"{FOOTNOTE}\n",
            f"## Summary\n\n{BEGIN}",
            summary(found),
            END,
            table("Epochs", ["net", "kind", *measured, "threads / one"], epochs),
            table("Predictions", ["net", "rows", "threads", *measured], calls),
            "## All peers\n",
            "Time, ratio, and how far the first loss is from ours.\n",
            *(detail_text(one) for one in found),
            "",
        ]
    )
