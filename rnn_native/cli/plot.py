"""`plot RUN...`."""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rnn_native.base import outcome
from rnn_native.base.text import printable
from rnn_native.cli import arguments


def add_commands(commands: Any) -> None:
    """Add `plot` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "plot",
        plot,
        "Draw the training curves of a run, or compare several.",
        """plot runs/mlp
        plot runs/mlp runs/cnn --out curves.svg""",
    )
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="a run's folder, a training log (CSV), or last.safetensors "
        "(default: logs/training_loss_*.txt, or else runs/*)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("training_comparison.png"),
        metavar="FILE",
        help="write this picture: .png, .svg or .pdf (default: training_comparison.png)",
    )
    parser.add_argument("--title", metavar="TEXT", help="title of the picture")


def plot(args: argparse.Namespace) -> int:
    """`plot RUN...`."""
    import rnn_native.plots as plots
    from rnn_native.plots.summary import console_text, summarise

    check_target(args.out)
    runs = plots.open_runs(args.runs or _found_here())
    summaries = {printable(n): summarise(run) for n, run in runs.items()}
    if not args.json:
        outcome.say_text(console_text(summaries))
    plots.save_figure(plots.training_report(runs, args.title), args.out)
    if args.json:
        numbers = {name: without_nan(asdict(s)) for name, s in summaries.items()}
        outcome.say(json.dumps({"file": str(args.out), "runs": numbers}))
    else:
        outcome.say(f"Graph saved to: {args.out}")
    return outcome.OK


def _found_here() -> list[Path]:
    """Return the reference's logs in this folder, or else the runs."""
    found = sorted(Path("logs").glob("training_loss_*.txt"))
    found = found or sorted(log.parent for log in Path("runs").glob("*/log.csv"))
    if not found:
        raise outcome.UsageError(
            "plot: expected a RUN: this folder has neither logs/training_loss_*.txt nor runs/*"
        )
    return found


def check_target(path: Path) -> None:
    """Check that the picture can be written, before any work."""
    from rnn_native.plots.figures import check_suffix

    try:
        check_suffix(path)
    except ValueError as error:
        raise outcome.UsageError(str(error)) from None
    if not path.parent.is_dir():
        raise outcome.UsageError(f"{path}: there is no folder {path.parent}; make it first")


def without_nan(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as JSON knows them: null for values that are not finite."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in numbers.items()
    }
