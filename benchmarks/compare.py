"""The peers side by side: each in its own process, interleaved round by round.

Every peer begins with the same weights, sees the same rows in the same order, and reports
the loss of each epoch, so that nobody skips work. The ratio to rnn_native is taken within a
round; the tables show its median and spread.

    python benchmarks/compare.py --threads 2 --write benchmarks/results.md

For a try, `--rows 2048 --epochs 10000 --rounds 1` makes each round short.
"""

import argparse
import contextlib
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers.roster import OURS, OURS_ALONE, PEERS, VARIANTS
from report import Moment, Row, Section, load_between, report
from workloads import TRAINING_ROWS, WORKLOADS, XOR_EPOCHS

HERE = Path(__file__).resolve().parent
PAUSE = 0.5  # seconds between turns: pools of the last peer go to sleep


class LeftOut(Exception):
    """A peer cannot take part; the message says why."""


class Peer:
    """A peer's process, ready for rounds."""

    def __init__(self, name: str, order: dict[str, Any]) -> None:
        self.name = name
        self.variant = VARIANTS[name]
        self.answers: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peers.protocol", json.dumps({"peer": name, **order})],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._read()  # once it has compiled
        parts = [ready["version"], self.variant.what, ready["remark"]]
        self.label = ", ".join(part for part in parts if part)

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise LeftOut(f"{self.name} (exit status {self.process.wait()})")
        answer = json.loads(line)
        if "error" in answer:
            self.stop()
            raise LeftOut(f"{self.name} ({answer['error']})")
        return answer

    def round(self, number: int) -> float:
        """Do a round, keep the answer, and return its time."""
        with contextlib.suppress(BrokenPipeError):  # _read finds out
            print(number, file=self.process.stdin, flush=True)
        self.answers.append(self._read())
        return self.answers[-1]["time"]

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Field:
    """The peers that take part in a workload, and why others do not."""

    def __init__(self, names: list[str], order: dict[str, Any]) -> None:
        self.peers: list[Peer] = []
        self.left_out: list[str] = []
        for name in names:
            try:
                self.peers.append(Peer(name, order))
            except LeftOut as reason:
                self.leave_out(reason)

    def leave_out(self, reason: LeftOut) -> None:
        print(f"left out: {reason}", file=sys.stderr)
        self.left_out.append(str(reason))

    def round(self, number: int) -> None:
        """Have each peer do a round; one that fails is out."""
        times = []
        for peer in list(self.peers):
            time.sleep(PAUSE)
            try:
                times.append(f"{peer.name} {peer.round(number):.3f}")
            except LeftOut as reason:
                self.peers.remove(peer)
                self.leave_out(reason)
        print(f"round {number + 1}: {', '.join(times)}", file=sys.stderr)

    def stop(self) -> None:
        for peer in self.peers:
            peer.stop()


def largest_difference(theirs: list[float], ours: list[float]) -> float:
    """Return the largest relative one; a peer with fewer epochs has fewer losses."""
    pairs = zip(theirs, ours, strict=False)
    differences = [abs(t - o) / abs(o) for t, o in pairs]
    return max((math.inf if math.isnan(d) else d for d in differences), default=math.inf)


def row_of(peer: Peer, ours: Peer) -> Row:
    rounds = list(zip(peer.answers, ours.answers, strict=True))
    losses = peer.answers[-1]["losses"]
    apart = [largest_difference(t["losses"], o["losses"]) for t, o in rounds]
    return Row(
        peer.name,
        peer.label,
        peer.variant.rewritten,
        times=[theirs["time"] for theirs, _ in rounds],
        ratios=[theirs["time"] / our["time"] for theirs, our in rounds],
        loss=losses[-1] if losses else math.nan,
        apart=max(apart),
        apart_first=apart[0],
    )


def names_of(workload: str, threads: int, chosen: list[str] | None) -> list[str]:
    """Return who takes part, ourselves first; `chosen` goes before the roster."""
    alone = [OURS_ALONE] if threads > 1 else []
    others = PEERS[workload] if chosen is None else chosen
    return [OURS, *alone, *(name for name in others if name not in (OURS, OURS_ALONE))]


def compare(name: str, threads: int, args: argparse.Namespace) -> Section:
    """Run all rounds of a workload."""
    print(f"{name}, threads: {threads}", file=sys.stderr)
    before = Moment.now()
    order = {
        "workload": name,
        "threads": threads,
        "rows": args.rows,
        "epochs": args.epochs,
    }
    field = Field(names_of(name, threads, args.peers), order)
    for number in range(args.rounds):
        field.round(number)
    field.stop()
    if not field.peers or field.peers[0].name != OURS:
        sys.exit(f"{name}: nothing to compare with: {field.left_out[0]}")
    rows = [row_of(peer, field.peers[0]) for peer in field.peers]
    load = load_between(before, Moment.now())
    return Section(name, WORKLOADS[name], threads, args.rounds, rows, field.left_out, load)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    add("--threads", nargs="+", type=int, default=[2])
    add("--rounds", type=int, default=7)
    add("--peers", nargs="+", choices=VARIANTS, help="instead of each workload's own")
    add("--rows", type=int, default=TRAINING_ROWS, help="of the training data")
    add("--epochs", type=int, default=XOR_EPOCHS, help="of XOR in a round")
    add("--write", type=Path, metavar="FILE", help="write the tables here")
    return parser.parse_args()


def turns(args: argparse.Namespace) -> list[tuple[str, int]]:
    """Return each workload with each number of threads that it is run on."""
    pairs = []
    for name in args.workloads:
        fixed = WORKLOADS[name].threads
        pairs += [(name, n) for n in (args.threads if fixed is None else [fixed])]
    return pairs


def main() -> None:
    """Parse, run, print, and write when asked."""
    args = parse()
    sections: list[Section] = []
    for name, threads in turns(args):
        sections.append(compare(name, threads, args))
        if args.write is not None:  # each time: a run is long, and may be cut short
            args.write.write_text(report(sys.argv[1:], sections))
    print(report(sys.argv[1:], sections))


if __name__ == "__main__":
    main()
