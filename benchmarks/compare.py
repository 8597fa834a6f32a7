"""The peers side by side: each in its own process, interleaved round by round.

Every peer begins with the same weights, sees the same rows in the same order, and reports
the loss of each epoch, so that nobody skips work. The ratio to rnn_native is taken within a
round; the table shows its median and spread.

    python benchmarks/compare.py --rounds 7 --threads 2 --write benchmarks/results.md
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
OURS = "rnn_native_peer"
PEERS = [OURS, "torch_peer", "jax_peer", "sklearn_peer"]
PAUSE = 0.5  # seconds between turns: pools of the last peer go to sleep


class Peer(NamedTuple):
    name: str
    version: str
    process: subprocess.Popen

    def epoch(self, number: int) -> dict[str, float]:
        print(number, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def start(name: str, model: str, data: str, threads: int) -> Peer | None:
    """Start a peer and wait until it has compiled; None when it is not installed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "peers.protocol", name, model, data, str(threads)],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    if not line:
        print(f"{name}: left out, it did not start", file=sys.stderr)
        return None
    return Peer(name, json.loads(line)["ready"], process)


def spread(values: list[float]) -> str:
    """Median, and the range from the first to the third quartile."""
    if len(values) < 3:
        return f"{statistics.median(values):.3f}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def compare(
    model: str, data: str, threads: int, rounds: int, names: list[str]
) -> list[str]:
    """Return the rows of a Markdown table."""
    peers = [p for name in names if (p := start(name, model, data, threads)) is not None]
    answers: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        for peer in peers:
            time.sleep(PAUSE)
            answers[peer.name].append(peer.epoch(number))
        line = ", ".join(f"{p.name} {answers[p.name][-1]['seconds']:.3f}" for p in peers)
        print(f"round {number + 1}: {line}", file=sys.stderr)
    for peer in peers:
        peer.process.stdin.close()
        peer.process.wait()

    ours = answers[OURS]
    rows = []
    for peer in peers:
        theirs = answers[peer.name]
        ratios = [t["seconds"] / o["seconds"] for t, o in zip(theirs, ours, strict=True)]
        apart = max(
            abs(t["loss"] - o["loss"]) / o["loss"]
            for t, o in zip(theirs, ours, strict=True)
        )
        seconds = spread([t["seconds"] for t in theirs])
        last = theirs[-1]["loss"]
        rows.append(
            f"| {peer.version} | {seconds} | {spread(ratios)} | {last:.6f} | {apart:.1e} |"
        )
    return rows


def machine() -> str:
    """One line about the processor."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [li for li in info.read_text().splitlines() if li.startswith("model name")]
        cpu = f"{len(lines)} x {lines[0].split(':')[1].strip()}" if lines else cpu
    system = f"{platform.system()} {platform.release()}"
    return f"{cpu}; {system}; Python {platform.python_version()}"


def main() -> None:
    """Parse, run, print, and write when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["mnist"], choices=["mnist", "noise"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables here")
    args = parser.parse_args()
    sections = [
        "# Benchmarks\n",
        f"Machine: {machine()}.\n",
        f"Command: `python benchmarks/compare.py {' '.join(sys.argv[1:])}`\n",
        "Seconds an epoch (54,000 images, batch 64, SGD), median and quartiles over the "
        "rounds; the ratio is taken round by round; `apart` is the largest relative "
        "difference of an epoch's loss from ours.\n",
    ]
    for data in args.data:
        for threads in args.threads:
            rows = compare("mlp", data, threads, args.rounds, args.peers)
            sections.append(
                f"## MLP 784-512-10, {data}, {threads} threads, {args.rounds} rounds\n"
            )
            sections.append("| peer | seconds | times ours | last loss | apart |")
            sections.append("|---|---|---|---|---|")
            sections.append("\n".join(rows) + "\n")
    text = "\n".join(sections)
    print(text)
    if args.write is not None:
        args.write.write_text(text)


if __name__ == "__main__":
    main()
