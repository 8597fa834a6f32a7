"""The command line: parsing, exit codes, one line for each error.

Exit codes: 0 done; 1 the run failed; 2 wrong call; 130 Ctrl-C.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OK, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.command(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _report("interrupted", INTERRUPTED)
    except UsageError as error:
        return _report(str(error), WRONG_CALL)
    except BrokenPipeError:
        # The reader is gone (`| head`): Python would complain again at exit.
        sys.stdout = None
        return OK
    except Exception as error:
        # Whatever it is, a shell gets one line; RNN_NATIVE_DEBUG=1 shows where it arose.
        if os.environ.get("RNN_NATIVE_DEBUG") == "1":
            raise
        return _report(_one_line(error), FAILED)


class UsageError(Exception):
    """Arguments that argparse cannot see are wrong."""


def _report(message: str, code: int) -> int:
    print(f"rnn-native: {message}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename}" if error.filename else "")
    elif isinstance(error, MemoryError):
        text = str(error) or "not enough memory"
    elif isinstance(error, (ValueError, ArithmeticError, ImportError, OSError)):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())


# ---- arguments ----


def _number(text: str, kind: type[int] | type[float], low: float, high: float) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        noun = "an integer" if kind is int else "a number"
        limit = f"in {low:g}..{high:g}" if high < 2**31 - 1 else f"of at least {low:g}"
        raise argparse.ArgumentTypeError(f"expected {noun} {limit}, got {text!r}")
    return value


def _count(text: str) -> Any:
    return _number(text, int, 1, 2**31 - 1)


def _count_or_zero(text: str) -> Any:
    return _number(text, int, 0, 2**31 - 1)


def _thread_count(text: str) -> Any:
    return _number(text, int, 1, 64)


def _per_cent(text: str) -> Any:
    return _number(text, float, 0, 100)


REFERENCE_MODELS = ("mlp", "cnn", "attention", "xor")


def _model_name(text: str) -> str:
    if text in REFERENCE_MODELS or text.endswith(".json"):
        return text
    raise argparse.ArgumentTypeError(
        f"expected mlp, cnn, attention, xor or a FILE.json, got {text!r}"
    )


def _reference_model(text: str) -> str:
    if text in REFERENCE_MODELS:
        return text
    raise argparse.ArgumentTypeError(f"expected mlp, cnn, attention or xor, got {text!r}")


def _seconds(text: str) -> Any:
    return _number(text, float, 0, 3600)


def _rate(text: str) -> Any:
    return _number(text, float, 1e-30, 1e5)


def _fraction(text: str) -> Any:
    return _number(text, float, 0, 0.99)


def _seed(text: str) -> Any:
    return _number(text, int, 0, 2**64 - 1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from rnn_native import __version__

    parser = argparse.ArgumentParser(
        prog="rnn-native", description="Train and use small neural networks on a CPU."
    )
    parser.add_argument("--version", action="version", version=f"rnn-native {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_evaluate(commands)
    _add_kaggle(commands)
    _add_export(commands)
    _add_info(commands)
    _add_doctor(commands)
    _add_bench(commands)
    return parser


def _add_command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=run)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object to standard output"
    )
    return parser


def _add_data_and_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR|synthetic",
        help="folder with MNIST's files, or 'synthetic' for generated digits (default: "
        "look in the usual places, download, or generate)",
    )
    parser.add_argument(
        "--threads",
        type=_thread_count,
        metavar="N",
        help="threads, 1 to 64 (never changes a result)",
    )


def _add_train(commands: Any) -> None:
    parser = _add_command(commands, "train", train, "Train a model.")
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=_model_name,
        help="mlp, cnn, attention, xor, or an architecture file (JSON)",
    )
    _add_data_and_threads(parser)
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="training configuration (JSON)"
    )
    parser.add_argument(
        "--optimizer",
        choices=["sgd", "adam", "adamw"],
        help="default: sgd, or the config's",
    )
    # Values that are not given stay None: the recipe, or the run to resume, has them.
    parser.add_argument(
        "--epochs",
        type=_count,
        metavar="N",
        help="mlp: 10, cnn: 3, attention: 8, xor: 1000000",
    )
    parser.add_argument(
        "--batch-size", type=_count, metavar="N", help="mlp: 64, cnn and attention: 32"
    )
    parser.add_argument("--lr", type=_rate, metavar="RATE", help="learning rate (0.01)")
    parser.add_argument(
        "--seed", type=_seed, metavar="N", help="mlp and cnn: 1, attention and xor: 42"
    )
    parser.add_argument(
        "--validation-split",
        type=_fraction,
        metavar="F",
        help="fraction held out (0.1)",
    )
    parser.add_argument(
        "--stratify",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="hold out the same share of every class",
    )
    parser.add_argument(
        "--patience",
        type=_count_or_zero,
        metavar="N",
        help="stop after N epochs without improvement (3; 0: never)",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for the files (default: runs/MODEL)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from last.safetensors in --out; --epochs may be raised",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _add_evaluate(commands: Any) -> None:
    parser = _add_command(commands, "evaluate", evaluate, "Evaluate a model on test data.")
    parser.add_argument("model", type=Path, help="model file")
    _add_data_and_threads(parser)


def _add_kaggle(commands: Any) -> None:
    parser = _add_command(
        commands,
        "kaggle",
        kaggle,
        "Train on Kaggle's digit-recognizer CSVs, evaluate, and write a submission.",
    )
    parser.add_argument(
        "input", nargs="?", type=Path, default=Path("input"), metavar="DIR",
        help="folder with train.csv and test.csv (default: input)",
    )  # fmt: skip
    parser.add_argument(
        "--hidden", type=_count, nargs="+", metavar="N", help="hidden layers' units (128)"
    )
    parser.add_argument(
        "--iterations", type=_count, default=10, metavar="N", help="epochs (10)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="output folder (output)",
    )
    parser.add_argument(
        "--skip-training", action="store_true", help="use the model as it is"
    )
    parser.add_argument(
        "--test-rate", type=_per_cent, default=20.0, metavar="N",
        help="per cent of the rows to evaluate, 0 to 100 (20)",
    )  # fmt: skip
    parser.add_argument(
        "--input-model", "--input_model", type=Path, metavar="DIR",
        help="a model to begin with: folder of npy arrays, of a run, or a model file",
    )  # fmt: skip
    parser.add_argument("--seed", type=_seed, default=1, metavar="N")
    parser.add_argument("--lr", type=_rate, default=0.1, metavar="RATE")
    parser.add_argument("--batch-size", type=_count, default=64, metavar="N")
    parser.add_argument("--threads", type=_thread_count, metavar="N")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _add_export(commands: Any) -> None:
    parser = _add_command(
        commands, "export", export, "Convert a model file to another format."
    )
    parser.add_argument("model", type=Path, help="any model that evaluate takes")
    parser.add_argument("target", type=Path, help="file, or folder for npy, to write")
    parser.add_argument(
        "--format",
        choices=["safetensors", "reference", "reference64", "npy"],
        help="default: by the target's name; .bin is reference, no ending is npy",
    )


def _add_info(commands: Any) -> None:
    parser = _add_command(
        commands, "info", info, "Describe a model file, or this installation."
    )
    parser.add_argument("model", type=Path, nargs="?", help="model file")


def _add_doctor(commands: Any) -> None:
    parser = _add_command(
        commands, "doctor", doctor, "Check this installation: build, data, a self-test."
    )
    parser.add_argument("--data", metavar="DIR", help="folder with MNIST's files")


def _add_bench(commands: Any) -> None:
    parser = _add_command(
        commands,
        "bench",
        bench,
        "Measure training and prediction of the reference models, and the machine's peaks.",
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        type=_reference_model,
        help="mlp, cnn, attention, xor (default: all)",
    )
    parser.add_argument("--threads", type=_thread_count, metavar="N", help="1 to 64")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=3.0,
        metavar="S",
        help="time epochs of each model for so long, three epochs at least (3)",
    )
    parser.add_argument(
        "--data",
        choices=["mnist", "synthetic", "noise"],
        help="noise: random bytes without zeros (default: mnist where it lies in the usual "
        "places, else synthetic; nothing is downloaded)",
    )
    parser.add_argument(
        "--rows", type=_count, metavar="N", help="rows of an epoch, at most all (54000)"
    )
    parser.add_argument(
        "--profile", action="store_true", help="tell where the time of an epoch goes"
    )


# ---- commands ----


def train(args: argparse.Namespace) -> int:
    """`train mlp|xor`."""
    import warnings

    from rnn_native import run_folder

    # fit's warning about Ctrl-C is for notebooks; here the exit code and a line say it.
    warnings.filterwarnings("ignore", "training interrupted")
    name = Path(args.model).stem
    out = args.out or Path("runs", name)
    options = _given(args, "epochs", "lr", "seed")
    options["verbose"] = 0 if args.quiet or args.json else "auto"
    start = _train_xor if args.model == "xor" else _train_model
    result = start(args, out, options)
    interrupted = result.history.stop_reason == "interrupted"
    report = {
        "model": args.model,
        "data": result.data,
        "epochs": len(result.history),
        "stop_reason": result.history.stop_reason,
        "test_loss": result.test_loss,
        "test_accuracy": result.test_accuracy,
        "history": result.history.history,
        "files": str(result.run_dir),
    }
    if args.json:
        print(json.dumps(report))
    else:
        print(f"Test Accuracy: {100 * result.test_accuracy:.2f}%")
        print(f"Files: {result.run_dir}")
    if interrupted:
        can_resume = (out / run_folder.LAST).is_file()
        advice = f"; go on with --resume --out {out}" if can_resume else ""
        return _report(f"interrupted{advice}", INTERRUPTED)
    return OK


def _given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _train_model(args: argparse.Namespace, out: Path, options: dict[str, Any]) -> Any:
    import rnn_native as rn

    options.update(
        _given(args, "batch_size", "validation_split", "stratify", "patience", "threads")
    )
    options.update(_given(args, "config", "optimizer"))
    if options.get("patience") == 0:
        options["patience"] = None
    if args.resume:
        saved = rn.checkpoint.read_recipe(out / rn.run_folder.LAST)
        options = {**saved, **options}
    options.update(out=out, resume=args.resume)
    functions = {"mlp": rn.train_mlp, "cnn": rn.train_cnn, "attention": rn.train_attention}
    if args.model in functions:
        return functions[args.model](args.data, **options)
    return rn.train(args.model, args.data, **options)


def _train_xor(args: argparse.Namespace, out: Path, options: dict[str, Any]) -> Any:
    from rnn_native import train_xor

    useless = [
        "data",
        "threads",
        "batch_size",
        "validation_split",
        "stratify",
        "patience",
    ]
    for name in useless:
        if getattr(args, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"train xor: takes no {flag}")
    if args.resume:
        raise UsageError("train xor: takes no --resume; it is one native call")
    return train_xor(out=out, **options)


def evaluate(args: argparse.Namespace) -> int:
    """`evaluate MODEL`."""
    from rnn_native import datasets, load

    model = load(args.model)
    data = datasets.open_dataset(args.data)
    loss, accuracy = model.evaluate(data.x_test, data.y_test, threads=args.threads)
    if args.json:
        report = {
            "model": str(args.model),
            "data": data.source,
            "images": len(data.y_test),
            "test_loss": loss,
            "test_accuracy": accuracy,
        }
        print(json.dumps(report))
    else:
        print(f"Data: {data.source}")
        print(f"Test Loss: {loss:.6f}")
        print(f"Test Accuracy: {100 * accuracy:.2f}%")
    return OK


def kaggle(args: argparse.Namespace) -> int:
    """`kaggle [DIR]`."""
    from rnn_native.kaggle import run

    result = run(
        args.input,
        hidden=args.hidden,
        iterations=args.iterations,
        output=args.out,
        skip_training=args.skip_training,
        test_rate=args.test_rate,
        input_model=args.input_model,
        seed=args.seed,
        lr=args.lr,
        batch_size=args.batch_size,
        threads=args.threads,
        verbose=0 if args.quiet or args.json else "auto",
    )
    if args.json:
        report = {
            "train_rows": result.train_rows,
            "test_rows": result.test_rows,
            "report": None if result.report is None else result.report.as_dict(),
            "submission": None if result.submission is None else str(result.submission),
            "model_files": [str(path) for path in result.model_files],
        }
        print(json.dumps(report))
    else:
        print(result.summary())
    if result.history is not None and result.history.stop_reason == "interrupted":
        return _report("interrupted; best weights saved", INTERRUPTED)
    return OK


def export(args: argparse.Namespace) -> int:
    """`export MODEL TARGET`."""
    from rnn_native import legacy, load, npy_folder

    model = load(args.model)
    by_name = {".safetensors": "safetensors", ".bin": "reference", "": "npy"}
    chosen = args.format or by_name.get(args.target.suffix)
    if chosen is None:
        raise UsageError(f"export: {args.target}: name a format with --format")
    if chosen == "safetensors":
        model.save(args.target)
    elif chosen == "npy":
        if obstacle := npy_folder.npy_obstacle(model):
            raise ValueError(f"export: a folder of arrays cannot hold it: {obstacle}")
        args.target.mkdir(parents=True, exist_ok=True)
        npy_folder.write_npy_folder(model, args.target)
    else:
        legacy.write_legacy(model, args.target, width=8 if chosen == "reference64" else 4)
    if args.json:
        print(json.dumps({"file": str(args.target), "format": chosen}))
    else:
        print(f"Model saved to {args.target}")
    return OK


def info(args: argparse.Namespace) -> int:
    """`info [MODEL]`."""
    from rnn_native import checkpoint, load, show_config

    if args.model is None:
        if args.json:
            print(json.dumps(show_config("dicts")))
        else:
            show_config()
        return OK
    if not args.model.is_file() or not checkpoint.is_safetensors(args.model):
        return _info_of_other(args)
    described = checkpoint.describe(args.model)
    if args.json:
        print(json.dumps(described))
        return OK
    print(load(args.model).summary())
    print(f"{'loss':<14}{described['architecture']['loss']}")
    print(f"{'sha256':<14}{described['sha256']}")
    for name, value in described["facts"].items():
        print(f"{name:<14}{value}")
    if "run" in described:
        epochs = len(described["run"]["history"])
        print(f"{'run':<14}after epoch {epochs}, can be resumed")
    return OK


def _info_of_other(args: argparse.Namespace) -> int:
    """Describe a model that is not one of our own files."""
    from rnn_native import load

    model = load(args.model)
    if args.json:
        described = {"architecture": model.architecture(), "parameters": model.params.size}
        print(json.dumps(described))
    else:
        print(model.summary())
    return OK


def doctor(args: argparse.Namespace) -> int:
    """`doctor`."""
    from rnn_native import doctor as examination

    findings = examination.examine(args.data)
    if args.json:
        print(json.dumps({f.name: {"ok": f.ok, "text": f.text} for f in findings}))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.text}")
    return OK if all(finding.ok for finding in findings) else FAILED


def bench(args: argparse.Namespace) -> int:
    """`bench [MODEL ...]`."""
    from rnn_native import bench as measuring

    report = measuring.run(
        args.models,
        measuring.open_data(args.data, args.rows),
        threads=args.threads,
        seconds=args.seconds,
        profile=args.profile,
    )
    print(json.dumps(report.as_dict()) if args.json else measuring.as_text(report))
    return OK
