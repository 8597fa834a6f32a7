"""`train MODEL` and `evaluate MODEL`."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnn_native.base import outcome, process
from rnn_native.cli import arguments, evaluation_report, mpi


def add_commands(commands: Any) -> None:
    """Add `train` and `evaluate` to the parser's commands."""
    _add_train(commands)
    _add_evaluate(commands)


def _add_train(commands: Any) -> None:
    parser = arguments.add_command(
        commands,
        "train",
        train,
        "Train a model.",
        """train mlp --epochs 20 --out runs/long
        train cnn --optimizer adam --lr 0.001
        train mlp --data fashion --resume
        train my-net.json --config cosine.json""",
    )
    arguments.add_model(
        parser, "mlp, cnn, attention, xor, or an architecture or recipe file (JSON)"
    )
    add_run_options(parser, loads=True)
    files = parser.add_argument_group("files")
    files.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for the files (default: runs/MODEL; runs/MODEL-2, ... if it exists)",
    )
    files.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in --out (default: the last of runs/MODEL, runs/MODEL-2, ...) "
        "from its last.safetensors; --epochs may be larger",
    )
    files.add_argument(
        "--overwrite",
        action="store_true",
        help="replace the run in --out (default: the one in runs/MODEL)",
    )
    files.add_argument(
        "--reference-files",
        action="store_true",
        help="also write the reference system's mnist_model.bin, mnist_model_best.bin (cnn: "
        "mnist_cnn_model..., attention: mnist_attention_model...) and logs/training_loss_*.txt "
        "to this folder, and print its lines",
    )
    parser.add_argument("--quiet", action="store_true", help="do not print progress")
    parser.add_argument(
        "--mpi",
        action="store_true",
        help="train one model on all processes of mpiexec, such as mpiexec -n 4 rnn-native "
        "train cnn --mpi (needs the extra mpi)",
    )


def add_run_options(parser: argparse.ArgumentParser, *, loads: bool = False) -> None:
    """Add what says how a model is trained, and on what; `loads` is that of `add_data`.

    Values that are not given stay None: the recipe, or the run to resume, has them.
    """
    how = parser.add_argument_group("how to train")
    how.add_argument(
        "--epochs",
        type=arguments.COUNT,
        metavar="N",
        help="number of epochs (mlp: 10, cnn: 3, attention: 8, xor: 1000000)",
    )
    arguments.add_batch_size(how)
    how.add_argument(
        "--lr", type=arguments.RATE, metavar="RATE", help="learning rate (0.01)"
    )
    arguments.add_configuration(how)
    how.add_argument(
        "--patience",
        type=arguments.COUNT_OR_ZERO,
        metavar="N",
        help="stop after N epochs without improvement (3; 0: never)",
    )
    how.add_argument(
        "--seed",
        type=arguments.SEED,
        metavar="N",
        help="seed of weights and shuffles (mlp and cnn: 1, attention and xor: 42)",
    )
    arguments.add_threads(how)
    data = parser.add_argument_group("data")
    arguments.add_data(data, loads=loads)
    data.add_argument(
        "--validation-split",
        type=arguments.FRACTION,
        metavar="F",
        help="fraction held out (0.1)",
    )
    data.add_argument(
        "--stratify",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="hold out the same share of every class",
    )


def _add_evaluate(commands: Any) -> None:
    parser = arguments.add_command(
        commands,
        "evaluate",
        evaluate,
        "Evaluate a model on test data.",
        """evaluate runs/mlp
        evaluate runs/mlp --data fashion --report report.html""",
    )
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="model file, or a run's folder"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="write an HTML report: curves, confusion matrix, calibration, worst mistakes",
    )
    arguments.add_data(parser, to_train=False, loads=True)
    arguments.add_threads(parser)


def train(args: argparse.Namespace) -> int:
    """`train mlp|xor`."""
    process.wait_for_imports()
    if args.mpi:
        return mpi.run(args, _train)
    mpi.refuse_without_flag()
    return _train(args)


def _train(args: argparse.Namespace, comm: Any = None) -> int:
    from rnn_native.training import run_folder

    options = arguments.given(args, "epochs", "lr", "seed")
    options["verbose"] = 0 if args.quiet or args.json else "auto"
    options["comm"] = comm
    start = _train_xor if args.model == "xor" else _train_model
    default = Path("runs", Path(args.model).stem)
    with mpi.out_folder(comm, args.out, default, args.resume, args.overwrite) as out:
        result = start(args, out, {**options, "overwrite": args.overwrite})
    interrupted = result.history.stop_reason == "interrupted"
    report = {
        "model": args.model,
        "data": result.data,
        "epochs": result.history.epochs,
        "stop_reason": result.history.stop_reason,
        **{f"test_{name}": value for name, value in result.test_scores.items()},
        "history": result.history.history,
        "files": str(result.run_dir),
    }
    if args.json:
        outcome.say(json.dumps(report))
    else:
        if args.model == "xor" or not args.reference_files or args.quiet:
            outcome.say(*_score_lines(result.test_scores))
        outcome.say(f"Files: {result.run_dir}")
    if interrupted:
        can_resume = (out / run_folder.LAST).is_file()
        advice = f"; continue with --resume --out {out}" if can_resume else ""
        return outcome.interrupted(advice)
    return outcome.OK


def _train_model(args: argparse.Namespace, out: Path, options: dict[str, Any]) -> Any:
    from rnn_native.models import train, train_attention, train_cnn, train_mlp
    from rnn_native.training import run_folder
    from rnn_native.training.run_file import read_recipe

    options = {**options, **options_of(args)}
    if args.resume:
        saved = read_recipe(out / run_folder.LAST)
        options = {**saved, **options}
    options.update(out=out, resume=args.resume)
    functions = {"mlp": train_mlp, "cnn": train_cnn, "attention": train_attention}
    if args.reference_files:
        return _train_with_reference_files(args, options)
    if args.model in functions:
        return functions[args.model](args.data, **options)
    return train(args.model, args.data, **options)


def _train_with_reference_files(args: argparse.Namespace, options: dict[str, Any]) -> Any:
    from rnn_native.programs import reference_files
    from rnn_native.training import run_folder

    if args.model not in arguments.REFERENCE_MODELS:
        raise outcome.UsageError(
            "train: --reference-files: expected mlp, cnn, attention or xor, got "
            f"{args.model}; export writes other nets"
        )
    is_quiet = args.quiet or args.json
    try:
        return reference_files.train(args.model, args.data, options, is_quiet=is_quiet)
    except run_folder.RunExistsError as error:
        if error.filename != ".":
            raise
        text = error.told("folder to work in", "--resume", "--overwrite")
        raise outcome.UsageError(f"--reference-files: {text}") from None


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return those of the options of `add_run_options` that were given, for a training call."""
    names = ("epochs", "lr", "seed", "batch_size", "validation_split", "stratify")
    options = arguments.given(args, *names, "patience", "threads", "config", "optimizer")
    if options.get("patience") == 0:
        options["patience"] = None
    return options


def _train_xor(args: argparse.Namespace, out: Path, options: dict[str, Any]) -> Any:
    from rnn_native.models.xor import train_xor

    refuse_for_xor(args)
    del options["comm"]
    if args.resume:
        raise outcome.UsageError(
            "train xor: does not support --resume; it is one native call"
        )
    if not args.reference_files or options["verbose"] == 0:
        return train_xor(out=out, **options)
    from rnn_native.models.xor import predictions_table
    from rnn_native.programs.reference_files import xor_lines

    result = train_xor(out=out, **{**options, "verbose": 0})
    outcome.say(*xor_lines(result.history), "")
    outcome.say_text(predictions_table(result.model))
    return result


def refuse_for_xor(args: argparse.Namespace) -> None:
    """Refuse options that the net of four rows makes no use of."""
    useless = [
        "data",
        "threads",
        "batch_size",
        "validation_split",
        "stratify",
        "patience",
        "config",
        "optimizer",
    ]
    if getattr(args, "mpi", False):
        raise outcome.UsageError(
            "train xor: does not support --mpi: each of its updates uses one row only, which "
            "cannot be divided"
        )
    for name in useless:
        if getattr(args, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise outcome.UsageError(f"train xor: does not support {flag}")


def _score_lines(found: Mapping[str, float]) -> list[str]:
    """Return the lines of what fits a net beside its loss."""
    if "accuracy" in found:
        return [f"Test Accuracy: {100 * found['accuracy']:.2f}%"]
    return [f"Test {k.upper()}: {v:.6f}" for k, v in found.items() if k != "loss"]


def evaluate(args: argparse.Namespace) -> int:
    """`evaluate MODEL`."""
    from rnn_native.formats.loading import load

    if args.report is not None:
        evaluation_report.check_target(args.report)
    model = load(args.model)
    data = arguments.open_test_data(args.data, model.input_shape)
    found = model.evaluate(data.x_test, data.y_test, threads=args.threads)._asdict()
    if args.report is not None:
        evaluation_report.write_report(args, model, data)
    if args.json:
        report = {
            "model": str(args.model),
            "data": data.source,
            "images": len(data.y_test),
            **{f"test_{name}": value for name, value in found.items()},
        }
        if args.report is not None:
            report["report"] = str(args.report)
        outcome.say(json.dumps(report))
    else:
        outcome.say(f"Data: {data.source}")
        outcome.say(f"Test Loss: {found['loss']:.6f}")
        for line in _score_lines(found):
            outcome.say(line)
        if args.report is not None:
            outcome.say(f"Report: {args.report}")
    return outcome.OK
