"""`doctor` and `bench [MODEL...]`."""

import argparse
import json
from typing import Any

from rnn_native.base import outcome
from rnn_native.cli import arguments


def add_commands(commands: Any) -> None:
    """Add `doctor` and `bench` to the parser's commands."""
    _add_doctor(commands)
    _add_bench(commands)


def _add_doctor(commands: Any) -> None:
    parser = arguments.add_command(
        commands, "doctor", doctor, "Check this installation: build, data, a self-test."
    )
    parser.add_argument(
        "--data",
        metavar="DIR|NAME",
        help="folder with MNIST's files, or a data set's name such as fashion",
    )


def _add_bench(commands: Any) -> None:
    parser = arguments.add_command(
        commands,
        "bench",
        bench,
        "Measure training and prediction of the reference models, and the machine's peaks.",
        "bench mlp --seconds 10",
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        type=arguments.reference_model,
        help="mlp, cnn, attention, xor (default: all)",
    )
    arguments.add_threads(parser)
    parser.add_argument(
        "--seconds",
        type=arguments.SECONDS,
        default=3.0,
        metavar="S",
        help="time epochs of each model for this many seconds, at least three epochs (3)",
    )
    parser.add_argument(
        "--data",
        type=_measured_data,
        metavar="NAME",
        help="mnist, another data set of ten classes, synthetic, or noise: random bytes "
        "without zeros (default: mnist if it is in the usual places, otherwise synthetic; "
        "nothing is downloaded)",
    )
    parser.add_argument(
        "--rows",
        type=arguments.COUNT,
        metavar="N",
        help="rows per epoch, at most all (54000)",
    )
    parser.add_argument(
        "--profile", action="store_true", help="show the time of each stage of an epoch"
    )


def _measured_data(name: str) -> str:
    """Argument type: rows that the reference models can learn."""
    from rnn_native.datasets import opening

    known = [name for name, n in opening.classes_by_name().items() if n == 10] + ["noise"]
    if name not in known:
        raise argparse.ArgumentTypeError(
            f"invalid choice: {name!r} (choose from {', '.join(known)})"
        )
    return name


def doctor(args: argparse.Namespace) -> int:
    """`doctor`."""
    from rnn_native.programs import doctor as examination

    findings = examination.examine(args.data)
    if args.json:
        outcome.say(json.dumps({f.name: {"ok": f.ok, "text": f.text} for f in findings}))
    else:
        for finding in findings:
            outcome.say(
                f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.text}"
            )
    return outcome.OK if all(finding.ok for finding in findings) else outcome.FAILED


def bench(args: argparse.Namespace) -> int:
    """`bench [MODEL ...]`."""
    from rnn_native.programs import bench as measuring

    report = measuring.run(
        args.models,
        measuring.open_data(args.data, args.rows),
        threads=args.threads,
        seconds=args.seconds,
        profile=args.profile,
    )
    outcome.say_text(
        json.dumps(report.as_dict()) if args.json else measuring.as_text(report)
    )
    return outcome.OK
