"""Types of arguments, and options that several commands have."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rnn_native.base import outcome
from rnn_native.base.color import painted
from rnn_native.base.rules import did_you_mean
from rnn_native.base.text import brief
from rnn_native.cli import completion

if TYPE_CHECKING:
    from rnn_native.datasets.opening import Dataset

Options: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"
"""What options are added to: a parser, or a group of its help."""

INT_MAX = 2**31 - 1
REFERENCE_MODELS = ("mlp", "cnn", "attention", "xor")


def number(
    kind: type[int] | type[float], low: float, high: float, *, below: bool = False
) -> Callable[[str], Any]:
    """Return an argument type: numbers from low to high, or `below` it."""
    noun = "an integer" if kind is int else "a number"
    limit = f"in {low:g}..{high:g}" if high < INT_MAX else f"of at least {low:g}"
    if below:
        limit = f"in [{low:g}, {high:g})"

    def limit_for(value: float | None) -> str:
        """Return `limit`; for a value above a large one, the bound that it exceeds."""
        is_beyond = value is not None and value > high >= INT_MAX
        return f"below 2**{int(high).bit_length()}" if is_beyond else limit

    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high or (below and value == high):
            raise argparse.ArgumentTypeError(
                f"expected {noun} {limit_for(value)}, got {brief(text)}"
            )
        return value

    return parse


COUNT = number(int, 1, INT_MAX)
COUNT_OR_ZERO = number(int, 0, INT_MAX)
THREADS = number(int, 1, 64)
SEED = number(int, 0, 2**64 - 1)
# As `Recipe` has them.
RATE = number(float, 1e-30, 1e6, below=True)
FRACTION = number(float, 0, 1, below=True)
PER_CENT = number(float, 0, 100)
SECONDS = number(float, 0, 3600)


def model_name(text: str) -> str:
    """Argument type: a reference model, or an architecture file."""
    if text in REFERENCE_MODELS or text.endswith(".json"):
        return text
    raise argparse.ArgumentTypeError(
        f"expected mlp, cnn, attention, xor or a FILE.json, got {brief(text)}"
        f"{did_you_mean(text, REFERENCE_MODELS)}"
    )


def add_model(parser: argparse.ArgumentParser, help: str) -> None:
    """Add MODEL, for a command that trains one."""
    action = parser.add_argument("model", metavar="MODEL", type=model_name, help=help)
    known = completion.names_and_paths(REFERENCE_MODELS, ".json")
    completion.set_completer(action, known)


def reference_model(text: str) -> str:
    """Argument type: a reference model."""
    if text in REFERENCE_MODELS:
        return text
    raise argparse.ArgumentTypeError(
        f"expected mlp, cnn, attention or xor, got {brief(text)}"
        f"{did_you_mean(text, REFERENCE_MODELS)}"
    )


def add_command(
    commands: Any, name: str, run: Any, text: str, examples: str = "", *, json: bool = True
) -> argparse.ArgumentParser:
    """Add a command that `run(args)` carries out; it has --json by default.

    `examples` are lines of calls without "rnn-native " before them.
    """
    shown = "".join(f"\n  rnn-native {line.strip()}" for line in examples.splitlines())
    head = painted("examples", "bold", sys.stdout)
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=shown and f"{head}:{shown}"
    )
    parser.set_defaults(command=run)
    if json:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object to standard output"
        )
    return parser


def add_data(parser: Options, *, to_train: bool = True, loads: bool = False) -> None:
    """Add --data, for a command that may be given a folder to read batch by batch, or not.

    `to_train` says whether generated digits may take MNIST's place.
    """
    folders = "MNIST's files, pictures by class or shards" if loads else "MNIST's files"
    otherwise = "download, or generate" if to_train else "or download"
    action = parser.add_argument(
        "--data",
        metavar="DIR|NAME",
        help=f"folder with {folders}, 'synthetic' for generated digits, or a data set's "
        "name: mnist, fashion, emnist-letters, ... (default: look in the usual places, "
        f"{otherwise})",
    )
    completion.set_completer(action, completion.names_and_paths(_DataNames()))


def open_test_data(name: str | None, input_shape: Sequence[int] | None = None) -> "Dataset":
    """Return the data that a model is measured on: never others than those asked for.

    With the model's input shape, a folder with pictures by class or shards is read, too.
    """
    from rnn_native.datasets import folders, opening, places

    if input_shape is not None and (found := folders.loaders_of(name, input_shape)):
        x, y = folders.rows_of(found.test)
        return opening.Dataset(x[:0], y[:0], x, y, found.source, found.classes)
    try:
        return opening.open_dataset(name, replace=False)
    except FileNotFoundError as error:
        if name is not None:
            raise
        raise places.DataNotFoundError(
            f"{outcome.one_line(error)}; --data DIR names another folder, --data synthetic "
            "measures on generated digits"
        ) from None


def add_threads(parser: Options) -> None:
    """Add --threads."""
    parser.add_argument(
        "--threads",
        type=THREADS,
        metavar="N",
        help="threads, 1 to 64 (never changes a result)",
    )


class _DataNames:
    """The names of data sets, looked up when they are asked for."""

    def __iter__(self) -> Iterator[str]:
        from rnn_native.datasets import opening

        return iter(opening.classes_by_name())


class _Optimizers:
    """The optimizers' names; a parser that does not need them leaves the core unloaded."""

    def __iter__(self) -> Iterator[str]:
        from rnn_native.net.optimizers import RULES

        return iter(RULES)

    def __contains__(self, name: object) -> bool:
        return name in list(self)


def add_configuration(parser: Options) -> None:
    """Add --config and --optimizer."""
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="training configuration (JSON)"
    )
    parser.add_argument(
        "--optimizer",
        metavar="NAME",
        choices=_Optimizers(),
        help="%(choices)s (default: sgd, or that of --config)",
    )


def add_batch_size(parser: Options) -> None:
    """Add --batch-size."""
    parser.add_argument(
        "--batch-size",
        type=COUNT,
        metavar="N",
        help="rows per batch (mlp: 64, cnn and attention: 32)",
    )


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return those of the options that were given."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}
