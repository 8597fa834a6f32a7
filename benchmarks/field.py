"""The peers of a workload, each in its own process, and their rounds."""

import contextlib
import json
import math
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers.roster import OURS, OURS_ALONE, VARIANTS
from report import Row

HERE = Path(__file__).resolve().parent
PAUSE = 0.3  # seconds between turns: pools of the last peer go to sleep
PREPARING = 200.0  # seconds that a peer has to import, to compile and for a first epoch
ANSWERING = 120.0  # and for a round


class LeftOut(Exception):
    """A peer cannot take part; the message says why."""


class Peer:
    """A peer's process, which makes itself ready beside the others'."""

    def __init__(self, name: str, order: dict[str, Any]) -> None:
        self.name = name
        self.variant = VARIANTS[name]
        self.answers: list[dict[str, Any]] = []
        self.label = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peers.protocol", json.dumps({"peer": name, **order})],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def become_ready(self, seconds: float) -> None:
        """Wait until it has compiled, and learn what it is."""
        ready = self._read(seconds)
        parts = [ready["version"], self.variant.what, ready["remark"]]
        self.label = ", ".join(part for part in parts if part)

    def _read(self, seconds: float) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            is_late = not selector.select(seconds)
        if is_late:
            self.process.kill()
            self.process.wait()
            raise LeftOut(f"{self.name} (no answer in {seconds:.0f} s)")
        line = self.process.stdout.readline()
        if not line:
            raise LeftOut(f"{self.name} (exit status {self.process.wait()})")
        answer = json.loads(line)
        if "error" in answer:
            self.stop()
            raise LeftOut(f"{self.name} ({answer['error']})")
        return answer

    def round(self, number: int) -> float:
        """Do a round, keep the answer, and return its first time."""
        with contextlib.suppress(BrokenPipeError):  # _read finds out
            print(number, file=self.process.stdin, flush=True)
        self.answers.append(self._read(ANSWERING))
        return self.answers[-1]["times"][0]

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


class Field:
    """The peers that take part in a workload, and why others do not."""

    def __init__(self, names: list[str], order: dict[str, Any]) -> None:
        self.peers: list[Peer] = []
        self.left_out: list[str] = []
        begin = time.monotonic()
        for peer in [Peer(name, order) for name in names]:
            try:
                peer.become_ready(max(begin + PREPARING - time.monotonic(), 1.0))
                self.peers.append(peer)
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

    def leave_out_slower(self, times: float) -> None:
        """After a first round: drop those that needed this many times the best time."""
        ours = self.peers[0]
        others = [peer for peer in self.peers if peer.name not in (OURS, OURS_ALONE)]
        firsts = [peer.answers[0]["times"] for peer in others]
        best = [min(column) for column in zip(*firsts, strict=True)]
        for peer, first in zip(others, firsts, strict=True):
            if all(t > times * b for t, b in zip(first, best, strict=True)):
                ratio = first[0] / ours.answers[0]["times"][0]
                peer.stop()
                self.peers.remove(peer)
                self.leave_out(LeftOut(f"{peer.name} ({ratio:.1f} times ours, one round)"))

    def stop(self) -> None:
        for peer in self.peers:
            peer.stop()


def largest_difference(theirs: list[float], ours: list[float]) -> float:
    """Return the largest relative one; a peer with fewer epochs has fewer losses."""
    pairs = zip(theirs, ours, strict=False)
    differences = [abs(t - o) / abs(o) for t, o in pairs]
    return max((math.inf if math.isnan(d) else d for d in differences), default=math.inf)


def row_of(peer: Peer, ours: Peer, part: int = 0) -> Row:
    """Return the rounds of a peer and ours, of one of the things that a round measures."""
    rounds = list(zip(peer.answers, ours.answers, strict=True))
    losses = peer.answers[-1]["losses"][part]
    apart = [largest_difference(t["losses"][part], o["losses"][part]) for t, o in rounds]
    return Row(
        peer.name,
        peer.label,
        peer.variant.rewritten,
        times=[theirs["times"][part] for theirs, _ in rounds],
        ratios=[t["times"][part] / o["times"][part] for t, o in rounds],
        loss=losses[-1] if losses else math.nan,
        apart=max(apart),
        apart_first=apart[0],
    )


def rows_of(field: Field, part: int = 0) -> list[Row]:
    """Return the rows of all peers, the first one ours."""
    return [row_of(peer, field.peers[0], part) for peer in field.peers]
