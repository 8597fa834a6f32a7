"""`kaggle [DIR]`."""

import argparse
import json
from pathlib import Path
from typing import Any

from rnn_native.base import outcome, process
from rnn_native.cli import arguments
from rnn_native.cli.out_folder import out_folder


def add_commands(commands: Any) -> None:
    """Add `kaggle` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "kaggle",
        kaggle,
        "Train on Kaggle's digit-recognizer CSVs, evaluate, and write a submission.",
        """kaggle input --hidden 256 --iterations 20
        kaggle input --skip-training --test-rate 100 --input-model output
        kaggle --skip-training --test-rate 0 --input-model output""",
    )
    parser.add_argument(
        "input", nargs="?", type=Path, default=Path("input"), metavar="DIR",
        help="folder with train.csv and test.csv, or their zip archives (default: input)",
    )  # fmt: skip
    parser.add_argument(
        "--hidden",
        type=arguments.COUNT,
        nargs="+",
        metavar="N",
        help="units of each hidden layer (128)",
    )
    parser.add_argument(
        "--iterations", type=arguments.COUNT, default=10, metavar="N", help="epochs (10)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="output folder (default: output; output-2, ... if it exists and a model is "
        "trained)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace the model in --out (default: the one in output)",
    )
    parser.add_argument(
        "--skip-training",
        action="store_true",
        help="do not train the model; with --test-rate 0 a window opens to draw digits in",
    )
    parser.add_argument(
        "--test-rate", type=arguments.PER_CENT, default=20.0, metavar="N",
        help="percentage of the rows to evaluate, 0 to 100 (20)",
    )  # fmt: skip
    parser.add_argument(
        "--input-model", "--input_model", type=Path, metavar="DIR",
        help="model to start from: folder of npy arrays, folder of a run, or model file",
    )  # fmt: skip
    parser.add_argument(
        "--label", choices=("first", "last"),
        help="where the label is in CSV files without a header (first)",
    )  # fmt: skip
    parser.add_argument("--seed", type=arguments.SEED, default=1, metavar="N", help="(1)")
    parser.add_argument(
        "--lr", type=arguments.RATE, default=0.1, metavar="RATE", help="learning rate (0.1)"
    )
    parser.add_argument("--batch-size", type=arguments.COUNT, default=64, metavar="N")
    arguments.add_threads(parser)
    parser.add_argument("--quiet", action="store_true", help="do not print progress")


def kaggle(args: argparse.Namespace) -> int:
    """`kaggle [DIR]`."""
    process.wait_for_imports()
    shows_demo = args.skip_training and args.test_rate == 0 and not args.json
    names = ("test.csv", "test.zip", "test.csv.zip")
    if shows_demo and not any((args.input / name).is_file() for name in names):
        return _demo(args)
    code = _run(args)
    if shows_demo and code == outcome.OK:
        # The submission is written: a machine without a display has done its work.
        _demo(args)
    return code


def _demo(args: argparse.Namespace) -> int:
    """Open the recognizer's window with the model."""
    from rnn_native.models import pretrained
    from rnn_native.recognizer import program

    model = str(args.input_model or pretrained.PATH)
    return program.open_window(
        argparse.Namespace(model=model, corrections=None, announce=False)
    )


def _run(args: argparse.Namespace) -> int:
    """Train, evaluate and predict, as the options ask."""
    from rnn_native.programs.kaggle import run

    default = Path("output")
    out = default if args.out is None and args.skip_training else args.out
    with out_folder(out, default, overwrite=args.overwrite) as output:
        result = run(
            args.input,
            hidden=args.hidden,
            iterations=args.iterations,
            output=output,
            overwrite=args.overwrite,
            skip_training=args.skip_training,
            test_rate=args.test_rate,
            input_model=args.input_model,
            label=args.label,
            seed=args.seed,
            lr=args.lr,
            batch_size=args.batch_size,
            threads=args.threads,
            verbose=0 if args.quiet or args.json else "auto",
        )
    if args.json:
        report = {
            "model": _model_used(args),
            "train_rows": result.train_rows,
            "test_rows": result.test_rows,
            "report": None if result.report is None else result.report.as_dict(),
            "submission": None if result.submission is None else str(result.submission),
            "model_files": [str(path) for path in result.model_files],
        }
        outcome.say(json.dumps(report))
    else:
        if args.skip_training:
            outcome.say(f"Model: {_model_used(args)}")
        outcome.say_text(result.summary())
    if result.history is not None and result.history.stop_reason == "interrupted":
        return outcome.interrupted("; best weights saved")
    return outcome.OK


def _model_used(args: argparse.Namespace) -> str:
    """Name the model that is begun with, and say if it has seen the rows that it is scored on."""
    if args.input_model is not None:
        return str(args.input_model)
    if not args.skip_training:
        return "a new one"
    return (
        "the one that comes with the package, trained on MNIST's 60,000 training images; most "
        "of Kaggle's rows are among these, so its accuracy here says little"
    )
