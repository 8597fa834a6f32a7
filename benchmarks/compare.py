"""The peers side by side: each in its own process, interleaved round by round.

Every peer begins with the same weights, sees the same rows in the same order, and reports
the loss of each epoch, so that nobody skips work. The ratio to rnn_native is taken within a
round; the tables show its median and spread.

    python benchmarks/compare.py --threads 2 --write benchmarks/results.md

For a try, `--rows 2048 --epochs 10000 --rounds 1` makes each round short.
"""

import argparse
import sys
from pathlib import Path

from field import Field, rows_of
from peers.roster import OURS, OURS_ALONE, PEERS, VARIANTS
from report import Moment, Section, load_between, report
from workloads import TRAINING_ROWS, WORKLOADS, XOR_EPOCHS


def names_of(workload: str, threads: int, chosen: list[str] | None) -> list[str]:
    """Return who takes part, ourselves first; `chosen` precedes the roster."""
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
    rows = rows_of(field)
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
