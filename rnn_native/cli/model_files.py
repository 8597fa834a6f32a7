"""`export MODEL TARGET` and `info [MODEL]`."""

import argparse
import json
from pathlib import Path
from typing import Any

from rnn_native import outcome
from rnn_native.cli import arguments


def add_commands(commands: Any) -> None:
    """Add `export` and `info` to the parser's commands."""
    _add_export(commands)
    _add_info(commands)


def _add_export(commands: Any) -> None:
    parser = arguments.add_command(
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
    parser = arguments.add_command(
        commands, "info", info, "Describe a model file, or this installation."
    )
    parser.add_argument("model", type=Path, nargs="?", help="model file")


def export(args: argparse.Namespace) -> int:
    """`export MODEL TARGET`."""
    from rnn_native import legacy, load, npy_folder

    model = load(args.model)
    by_name = {".safetensors": "safetensors", ".bin": "reference", "": "npy"}
    chosen = args.format or by_name.get(args.target.suffix)
    if chosen is None:
        raise outcome.UsageError(f"export: {args.target}: name a format with --format")
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
    return outcome.OK


def info(args: argparse.Namespace) -> int:
    """`info [MODEL]`."""
    from rnn_native import checkpoint, load, show_config

    if args.model is None:
        if args.json:
            print(json.dumps(show_config("dicts")))
        else:
            show_config()
        return outcome.OK
    if not args.model.is_file() or not checkpoint.is_safetensors(args.model):
        return _info_of_other(args)
    described = checkpoint.describe(args.model)
    if args.json:
        print(json.dumps(described))
        return outcome.OK
    print(load(args.model).summary())
    print(f"{'loss':<14}{described['architecture']['loss']}")
    print(f"{'sha256':<14}{described['sha256']}")
    for name, value in described["facts"].items():
        print(f"{name:<14}{value}")
    if "run" in described:
        epochs = len(described["run"]["history"])
        print(f"{'run':<14}after epoch {epochs}, can be resumed")
    return outcome.OK


def _info_of_other(args: argparse.Namespace) -> int:
    """Describe a model that is not one of our own files."""
    from rnn_native import load

    model = load(args.model)
    if args.json:
        described = {"architecture": model.architecture(), "parameters": model.params.size}
        print(json.dumps(described))
    else:
        print(model.summary())
    return outcome.OK
