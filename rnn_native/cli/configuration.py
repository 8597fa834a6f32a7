"""`config MODEL`: what `train` would do, without doing it."""

import argparse
import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rnn_native.base import outcome
from rnn_native.cli import arguments, training

if TYPE_CHECKING:
    from rnn_native.training.recipe import Recipe

DEFAULT, FILE, GIVEN = "default", "file", "command line"


class _Plan(NamedTuple):
    """A net, how it would be trained, and where each number of that comes from."""

    architecture: dict[str, Any]
    recipe: dict[str, Any]
    origins: dict[str, str]


def add_commands(commands: Any) -> None:
    """Add `config` to the parser's commands."""
    parser = arguments.add_command(
        commands,
        "config",
        config,
        "Print what train would do with the same options, and where each value comes from.",
        """config mlp
        config mlp --config cosine.json --lr 0.1
        config recipe.json --json""",
    )
    arguments.add_model(
        parser, "mlp, cnn, attention, xor, or an architecture or recipe file (JSON)"
    )
    training.add_run_options(parser)


def config(args: argparse.Namespace) -> int:
    """`config MODEL`."""
    from rnn_native.base import runtime

    plan = _plan_of_xor(args) if args.model == "xor" else _plan_of(args)
    threads = runtime.resolve_threads(args.threads)
    data = "the four rows of XOR" if args.model == "xor" else _place_of(args.data)
    if args.json:
        report = {
            "model": args.model,
            "data": data,
            "threads": threads,
            "recipe": plan.recipe,
            "origins": plan.origins,
            "architecture": plan.architecture,
        }
        outcome.say(json.dumps(report))
        return outcome.OK
    rows = [
        ("model", args.model, ""),
        ("layers", _layers(plan.architecture), ""),
        ("data", data, ""),
        ("threads", str(threads), DEFAULT if args.threads is None else GIVEN),
        *((k, _shown(v), plan.origins[k]) for k, v in plan.recipe.items()),
    ]
    width = max(len(name) for name, _, _ in rows)
    for name, value, origin in rows:
        told = "" if origin in ("", DEFAULT) else f"  ({origin})"
        outcome.say(f"{name:<{width}}  {value}{told}")
    return outcome.OK


def _plan_of(args: argparse.Namespace) -> _Plan:
    """Plan with and without the options: this shows the origin of each value."""
    from rnn_native.models import reference

    given = training.options_of(args)
    net, recipe = reference.untrained(args.model, args.data, **given)
    files = {"config": args.config} if args.config is not None else {}
    _, of_files = reference.untrained(args.model, args.data, **files)
    plain = _defaults(args.model)
    origins = {}
    for field in fields(recipe):
        name = field.name
        changed = plain is None or getattr(of_files, name) != getattr(plain, name)
        origins[name] = GIVEN if name in given else FILE if changed else DEFAULT
    return _Plan(net.architecture(), recipe.as_dict(), origins)


def _defaults(model: str) -> "Recipe | None":
    """Return the recipe of a model without any file."""
    from rnn_native.models import reference
    from rnn_native.training.recipe import Recipe

    known = model in arguments.REFERENCE_MODELS
    return reference.untrained(model)[1] if known else Recipe()


def _plan_of_xor(args: argparse.Namespace) -> _Plan:
    from rnn_native.models import xor
    from rnn_native.models.network import Network

    training.refuse_for_xor(args)
    known = inspect.signature(xor.train_xor).parameters
    given = arguments.given(args, "epochs", "lr", "seed")
    names = ("epochs", "lr", "seed")
    recipe = {name: given.get(name, known[name].default) for name in names}
    net = Network(xor.XOR_LAYERS, (2,), "squared_error")
    origins = {name: GIVEN if name in given else DEFAULT for name in names}
    return _Plan(net.architecture(), recipe, origins)


def _place_of(name: str | None) -> str:
    """Say where data would be read, without reading or downloading them."""
    from rnn_native.datasets import opening, places, published

    if name == opening.SYNTHETIC:
        return "generated digits"
    is_name = name in published.DATASETS
    record = published.DATASETS[str(name) if is_name else "mnist"]
    place = places.find(record, None if is_name or name is None else Path(name))
    if place is None:
        return f"{record.title}, which is not here: train would download it"
    return f"{record.title} files in {place}"


def _layers(architecture: dict[str, Any]) -> str:
    kinds = (
        " ".join(
            str(layer[key])
            for key in ("type", "units", "filters", "activation", "function")
            if layer.get(key) is not None
        )
        for layer in architecture["layers"]
    )
    return ", ".join(kinds)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return "none" if value is None else json.dumps(value).strip('"')
