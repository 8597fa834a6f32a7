"""`export MODEL TARGET`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base import outcome
from rnn_native.cli import arguments
from rnn_native.export import TARGETS
from rnn_native.export.target import Flag, Target

if TYPE_CHECKING:
    from rnn_native.models.network import Network


def add_commands(commands: Any) -> None:
    """Add `export` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "export",
        export,
        "Convert a model file to another format: ONNX, C, a page, PyTorch's tensors, ...",
        """export runs/cnn digit.onnx
        export runs/cnn digit.c --int8
        export runs/cnn digit.html
        export runs/mlp mnist_model_best.bin""",
    )
    parser.add_argument("model", type=Path, help="model file, or a run's folder")
    parser.add_argument(
        "target", type=Path, help="file to write: .onnx, .c, .html, ...; or folder for npy"
    )
    parser.add_argument(
        "--format",
        choices=list(TARGETS),
        help="default: by the ending of TARGET (.bin: reference, no ending: npy); torch is "
        "safetensors with PyTorch's names and layouts",
    )
    for flag in _flags():
        parser.add_argument(flag.option, **flag.settings)
    parser.add_argument(
        "--data",
        metavar="DIR|NAME",
        help="with --int8: compare the accuracy before and after on these test images",
    )
    parser.add_argument(
        "--architecture",
        type=Path,
        metavar="FILE",
        help="MODEL is a PyTorch state dict (safetensors) for this architecture: JSON, or a "
        "model that has it",
    )


def _flags() -> list[Flag]:
    """Return the flags of all targets, each once."""
    return list(dict.fromkeys(flag for t in TARGETS.values() for flag in t.flags))


def export(args: argparse.Namespace) -> int:
    """`export MODEL TARGET`."""
    target = _target_of(args)
    _check_flags(args, target)
    model = _read(args)
    report: dict[str, Any] = {"file": str(args.target), "format": target.name}
    if args.data is not None:
        report |= _accuracies(model, args.data)
    target.write(model, args.target, **_arguments(args, target))
    if args.json:
        outcome.say(json.dumps(report))
        return outcome.OK
    outcome.say(f"Model saved to {args.target}")
    if args.data is not None:
        outcome.say(_compared(report))
    elif args.int8:
        outcome.say("int8: accuracy not measured; --data names test images for it")
    return outcome.OK


def _target_of(args: argparse.Namespace) -> Target:
    if args.format is not None:
        return TARGETS[args.format]
    suffix = args.target.suffix.lower()
    for target in TARGETS.values():
        if target.suffix == suffix:
            return target
    raise outcome.UsageError(f"export: {args.target}: name a format with --format")


def _arguments(args: argparse.Namespace, target: Target) -> dict[str, Any]:
    """Return what the target's writer gets from the command line."""
    return {flag.argument: getattr(args, flag.argument) for flag in target.flags}


def _check_flags(args: argparse.Namespace, target: Target) -> None:
    """Refuse options that the call makes no use of."""
    for flag in _flags():
        is_used = flag in target.flags or (flag.beside and getattr(args, flag.beside))
        if getattr(args, flag.argument) and not is_used:
            raise outcome.UsageError(f"export: {flag.option} needs {flag.needs}")
    if args.data is not None and not args.int8:
        raise outcome.UsageError("export: --data needs --int8")


def _read(args: argparse.Namespace) -> "Network":
    from rnn_native.export import load_torch
    from rnn_native.formats.loading import load

    if args.architecture is None:
        return load(args.model)
    is_json = args.architecture.suffix.lower() == ".json"
    known = args.architecture if is_json else load(args.architecture)
    return load_torch(args.model, known, args.names)


def _accuracies(model: "Network", name: str) -> dict[str, Any]:
    """Measure a net before and after rounding, on test images."""
    from rnn_native.export import rounded_to_int8

    data = arguments.open_test_data(name)
    return {
        "data": data.source,
        "images": len(data.y_test),
        "test_accuracy": model.evaluate(data.x_test, data.y_test)[1],
        "int8_test_accuracy": rounded_to_int8(model).evaluate(data.x_test, data.y_test)[1],
    }


def _compared(report: dict[str, Any]) -> str:
    before, after = 100 * report["test_accuracy"], 100 * report["int8_test_accuracy"]
    return (
        f"Test Accuracy: float32 {before:.2f}%, int8 {after:.2f}% "
        f"({after - before:+.2f}), {report['images']} images, {report['data']}"
    )
