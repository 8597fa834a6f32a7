"""`export MODEL TARGET`."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_native.base import outcome
from rnn_native.cli import arguments

if TYPE_CHECKING:
    from rnn_native.models.network import Network

FORMATS = ("safetensors", "torch", "onnx", "c", "reference", "reference64", "npy")
BY_SUFFIX = {
    ".safetensors": "safetensors",
    ".onnx": "onnx",
    ".c": "c",
    ".bin": "reference",
    "": "npy",
}


def add_commands(commands: Any) -> None:
    """Add `export` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "export",
        export,
        "Convert a model file to another format: ONNX, C, PyTorch's tensors, ...",
    )
    parser.add_argument("model", type=Path, help="any model that evaluate takes")
    parser.add_argument(
        "target", type=Path, help="file, or folder for npy, to write: .onnx, .c, ..."
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the target's name; .bin is reference, no ending is npy; torch is "
        "safetensors with PyTorch's names and layouts",
    )
    parser.add_argument(
        "--int8", action="store_true", help="c: round weight matrices to int8"
    )
    parser.add_argument(
        "--data",
        metavar="DIR|NAME",
        help="with --int8: compare the accuracy before and after on these test images",
    )
    parser.add_argument(
        "--uint8-input",
        action="store_true",
        help="onnx: take bytes, which the graph divides by 255",
    )
    parser.add_argument(
        "--architecture",
        type=Path,
        metavar="FILE",
        help="MODEL is a PyTorch state dict (safetensors) for this architecture: JSON, or a "
        "model that has it",
    )
    parser.add_argument(
        "--names",
        type=_names,
        metavar="NAME,...",
        help="the PyTorch module's own names of layers with parameters, such as fc1,fc2 "
        "(default: indices in an nn.Sequential)",
    )


def _names(text: str) -> list[str]:
    return text.split(",")


def export(args: argparse.Namespace) -> int:
    """`export MODEL TARGET`."""
    chosen = args.format or BY_SUFFIX.get(args.target.suffix.lower())
    if chosen is None:
        raise outcome.UsageError(f"export: {args.target}: name a format with --format")
    _check_flags(args, chosen)
    model = _read(args)
    report: dict[str, Any] = {"file": str(args.target), "format": chosen}
    if args.data is not None:
        report |= _accuracies(model, args.data)
    _write(model, args, chosen)
    if args.json:
        print(json.dumps(report))
        return outcome.OK
    print(f"Model saved to {args.target}")
    if args.data is not None:
        print(_compared(report))
    elif args.int8:
        print("int8: accuracy not measured; --data names test images for it")
    return outcome.OK


def _check_flags(args: argparse.Namespace, chosen: str) -> None:
    is_torch = chosen == "torch" or args.architecture is not None
    useless = [
        ("--int8", args.int8 and chosen != "c", "a target in C"),
        ("--data", args.data is not None and not args.int8, "--int8"),
        ("--uint8-input", args.uint8_input and chosen != "onnx", "an ONNX target"),
        ("--names", args.names and not is_torch, "--format torch or --architecture"),
    ]
    for flag, is_useless, needed in useless:
        if is_useless:
            raise outcome.UsageError(f"export: {flag} needs {needed}")


def _read(args: argparse.Namespace) -> "Network":
    import rnn_native.export as formats
    from rnn_native.formats.loading import load

    if args.architecture is None:
        return load(args.model)
    is_json = args.architecture.suffix.lower() == ".json"
    known = args.architecture if is_json else load(args.architecture)
    return formats.load_torch(args.model, known, args.names)


def _write(model: "Network", args: argparse.Namespace, chosen: str) -> None:
    import rnn_native.export as formats
    from rnn_native.formats import legacy, npy_folder

    target: Path = args.target
    if chosen == "safetensors":
        model.save(target)
    elif chosen == "torch":
        formats.save_torch(model, target, args.names)
    elif chosen == "onnx":
        formats.to_onnx(model, target, uint8_input=args.uint8_input)
    elif chosen == "c":
        formats.to_c(model, target, int8=args.int8)
    elif chosen == "npy":
        if obstacle := npy_folder.npy_obstacle(model):
            raise ValueError(f"export: a folder of arrays cannot hold it: {obstacle}")
        target.mkdir(parents=True, exist_ok=True)
        npy_folder.write_npy_folder(model, target)
    else:
        legacy.write_legacy(model, target, width=8 if chosen == "reference64" else 4)


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
