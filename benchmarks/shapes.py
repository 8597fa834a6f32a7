"""Nets of all kinds and their peers: epochs, and predictions of 1, 64 and 10,000 rows.

    python benchmarks/shapes.py --write benchmarks/shapes.md         # all, two threads
    python benchmarks/shapes.py --nets lenet vgg --peers torch       # some nets, one peer
    python benchmarks/shapes.py --kinds narrow --tasks train --rounds 5
    python benchmarks/shapes.py --resume build/shapes --write benchmarks/shapes.md   # in pieces
    python benchmarks/shapes.py --readme        # the summary that benchmarks/shapes.md has

The nets are in shape_nets.py. As in compare.py, each peer has its own process, begins with the
same weights and sees the same rows in the same order; peers alternate, and the losses are
compared. The tables have the ratio, and how much of the roof of the net is reached (roof.py).
"""

import argparse
import pickle
import sys
from dataclasses import replace
from pathlib import Path

from field import Field, rows_of
from peers.roster import (
    OURS,
    OURS_ALONE,
    SHAPE_PEERS,
    SHAPE_PREDICTORS,
    VARIANTS,
    takes_part,
)
from report import Moment, Section, load_between
from roof import Machine, prediction_work, training_work
from shape_nets import GOALS, PREDICTING, SHAPES
from shape_report import Measured, report, summary_of
from workloads import TRAINING_ROWS, Workload

WRITTEN = Path(__file__).with_name("shapes.md")
HOPELESS = 5.0  # times the best peer's first round: no further rounds
TASKS = ("train", "predict")


def names_of(workload: Workload, task: str, chosen: list[str] | None) -> list[str]:
    """Return who takes part, ourselves first."""
    trains = task == "train"
    others = (SHAPE_PEERS if trains else SHAPE_PREDICTORS) if chosen is None else chosen
    others = [name for name in others if name not in (OURS, OURS_ALONE)]
    kinds = [layer["type"] for layer in workload.network().native.layers]
    ours = [OURS, OURS_ALONE] if trains else [OURS]
    sizes = () if trains else workload.sizes
    return [*ours, *(name for name in others if takes_part(name, kinds, sizes))]


def run(name: str, task: str, order: dict, args: argparse.Namespace) -> tuple[Field, str]:
    """Run all rounds of a net; return the field, and what the machine did meanwhile."""
    print(f"{name}, {task}, threads: {order['threads']}", file=sys.stderr)
    before = Moment.now()
    order = {"workload": name, "task": task, "epochs": 0, **order}
    field = Field(names_of(SHAPES[name], task, args.peers), order)
    if not field.peers or field.peers[0].name != OURS:
        sys.exit(f"{name}: nothing to compare with: {field.left_out[0]}")
    for number in range(args.rounds):
        field.round(number)
        if number == 0:
            field.leave_out_slower(HOPELESS)
    field.stop()
    return field, load_between(before, Moment.now())


def train(name: str, machine: Machine, args: argparse.Namespace) -> list[Measured]:
    workload, threads = SHAPES[name], args.threads
    rows = max(round(args.rows_scale * workload.rows), workload.batch_size)
    rows = min(rows, TRAINING_ROWS) if workload.data == "mnist" else rows
    field, load = run(name, "train", {"threads": threads, "rows": rows}, args)
    section = Section(
        name, workload, threads, args.rounds, rows_of(field), field.left_out, load
    )
    return [Measured(section, training_work(name, workload, rows), machine)]


def predict(
    name: str, machines: dict[int, Machine], args: argparse.Namespace
) -> list[Measured]:
    workload = SHAPES[name]
    threads = workload.threads or args.threads
    sizes = [n for n in workload.sizes if args.rows_scale >= 1 or n < 1_000]
    order = {"threads": threads, "rows": max(1_000, *sizes), "sizes": sizes}
    field, load = run(name, "predict", order, args)
    found = []
    for part, size in enumerate(sizes):
        goal = workload.goal if workload.task == "predict" else PREDICTING
        one = replace(workload, task="predict", goal=goal)
        rows = rows_of(field, part)
        section = Section(name, one, threads, args.rounds, rows, field.left_out, load)
        work = prediction_work(workload, size)
        found.append(Measured(section, work, machines[threads], size))
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--nets", nargs="+", choices=SHAPES, metavar="NET", help=", ".join(SHAPES))
    add("--kinds", nargs="+", choices=GOALS, metavar="KIND", help=", ".join(GOALS))
    add("--tasks", nargs="+", choices=TASKS, default=TASKS)
    add("--peers", nargs="+", choices=VARIANTS, metavar="PEER", help="instead of all")
    add("--threads", type=int, default=2)
    add("--rounds", type=int, default=3)
    add("--rows-scale", type=float, default=1.0, help="of the rows of an epoch")
    add("--write", type=Path, metavar="FILE", help="write the tables here")
    add(
        "--resume",
        type=Path,
        metavar="FOLDER",
        help="keep what is measured here, and do not measure it again",
    )
    add("--readme", action="store_true", help="print the summary of shapes.md, and end")
    return parser.parse_args()


def chosen_nets(args: argparse.Namespace) -> list[str]:
    names = SHAPES if args.nets is None else args.nets
    return [name for name in names if args.kinds is None or SHAPES[name].kind in args.kinds]


def measured(
    name: str, task: str, machines: dict[int, Machine], args: argparse.Namespace
) -> list[Measured]:
    """Return a net's rounds of a task: those of an earlier run, if they were kept.

    Those have the roofs of the machine as this run finds it, and the net's kind of today.
    """
    kept = args.resume / f"{name}-{task}.pickle" if args.resume else None
    if kept is not None and kept.exists():
        found = []
        for one in pickle.loads(kept.read_bytes()):
            workload = replace(one.section.workload, kind=SHAPES[name].kind)
            section = one.section._replace(workload=workload)
            found.append(one._replace(section=section, machine=machines[section.threads]))
        return found
    if task == "train":
        found = train(name, machines[args.threads], args)
    else:
        found = predict(name, machines, args)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(found))
    return found


def tasks_of(name: str, wanted: list[str]) -> list[str]:
    workload = SHAPES[name]
    has = {"train": workload.task == "train", "predict": bool(workload.sizes)}
    return [task for task in TASKS if task in wanted and has[task]]


def main() -> None:
    """Parse, run, print, and write when asked."""
    args = parse()
    if args.readme:
        print(summary_of(WRITTEN.read_text()))
        return
    names = chosen_nets(args)
    machines = {threads: Machine.measured(threads) for threads in {1, args.threads}}
    found: list[Measured] = []
    for name in names:
        for task in tasks_of(name, args.tasks):
            found += measured(name, task, machines, args)
        if args.write is not None:  # each time: a run is long, and may be cut short
            args.write.write_text(report(sys.argv[1:], list(machines.values()), found))
    print(report(sys.argv[1:], list(machines.values()), found))


if __name__ == "__main__":
    main()
