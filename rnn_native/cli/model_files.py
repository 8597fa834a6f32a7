"""`info [MODEL]`."""

import argparse
import json
from pathlib import Path
from typing import Any

from rnn_native.base import outcome
from rnn_native.base.text import printable
from rnn_native.cli import arguments


def add_commands(commands: Any) -> None:
    """Add `info` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "info",
        info,
        "Describe a model file, or this installation.",
        "info runs/mlp/best.safetensors",
    )
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL", help="model file")


def info(args: argparse.Namespace) -> int:
    """`info [MODEL]`."""
    from rnn_native.base.runtime import show_config
    from rnn_native.formats.loading import load
    from rnn_native.net import model_facts, model_file, tensor_file

    if args.model is None:
        if args.json:
            outcome.say(json.dumps(show_config("dicts")))
        else:
            show_config()
        return outcome.OK
    if not args.model.is_file() or not tensor_file.is_safetensors(args.model):
        return _info_of_other(args)
    described = model_facts.describe(args.model)
    if args.json:
        outcome.say(json.dumps(described))
        return outcome.OK
    outcome.say_text(load(args.model).summary())
    outcome.say(f"{'loss':<14}{described['architecture']['loss']}")
    outcome.say(f"{'version':<14}{described.get('version', model_file.FIRST_VERSION)}")
    outcome.say(f"{'sha256':<14}{described['sha256']}")
    for name, value in described["facts"].items():
        outcome.say(f"{printable(name):<13} {value}")
    if "run" in described:
        epochs = len(described["run"]["history"])
        outcome.say(f"{'run':<14}after epoch {epochs}, can be resumed")
    return outcome.OK


def _info_of_other(args: argparse.Namespace) -> int:
    """Describe a model that is not one of our own files."""
    from rnn_native.formats.loading import load

    model = load(args.model)
    if args.json:
        described = {"architecture": model.architecture(), "parameters": model.params.size}
        outcome.say(json.dumps(described))
    else:
        outcome.say_text(model.summary())
    return outcome.OK
