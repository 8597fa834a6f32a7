"""`info [MODEL]`."""

import argparse
import json
from pathlib import Path
from typing import Any

from rnn_native.base import outcome
from rnn_native.cli import arguments


def add_commands(commands: Any) -> None:
    """Add `info` to the parser's commands."""
    parser = arguments.add_command(
        commands, "info", info, "Describe a model file, or this installation."
    )
    parser.add_argument("model", type=Path, nargs="?", help="model file")


def info(args: argparse.Namespace) -> int:
    """`info [MODEL]`."""
    from rnn_native.base.runtime import show_config
    from rnn_native.formats.loading import load
    from rnn_native.net import model_file, tensor_file

    if args.model is None:
        if args.json:
            print(json.dumps(show_config("dicts")))
        else:
            show_config()
        return outcome.OK
    if not args.model.is_file() or not tensor_file.is_safetensors(args.model):
        return _info_of_other(args)
    described = model_file.describe(args.model)
    if args.json:
        print(json.dumps(described))
        return outcome.OK
    print(load(args.model).summary())
    print(f"{'loss':<14}{described['architecture']['loss']}")
    print(f"{'version':<14}{described.get('version', model_file.FIRST_VERSION)}")
    print(f"{'sha256':<14}{described['sha256']}")
    for name, value in described["facts"].items():
        print(f"{name:<14}{value}")
    if "run" in described:
        epochs = len(described["run"]["history"])
        print(f"{'run':<14}after epoch {epochs}, can be resumed")
    return outcome.OK


def _info_of_other(args: argparse.Namespace) -> int:
    """Describe a model that is not one of our own files."""
    from rnn_native.formats.loading import load

    model = load(args.model)
    if args.json:
        described = {"architecture": model.architecture(), "parameters": model.params.size}
        print(json.dumps(described))
    else:
        print(model.summary())
    return outcome.OK
