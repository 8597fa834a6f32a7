"""The command line: parsing, exit codes, one line for each error.

Exit codes: 0 done; 1 the run failed; 2 wrong call; 130 Ctrl-C, 143 SIGTERM.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence

from rnn_native.base import outcome
from rnn_native.base.color import painted
from rnn_native.base.parser import CommandParser, Parser
from rnn_native.cli import (
    attention,
    completion,
    configuration,
    export,
    kaggle,
    lr_find,
    machine,
    model_files,
    plot,
    predict,
    recognizer,
    sweep,
    training,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = sys.argv[1:] if argv is None else [*argv]
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    parser = build_parser()
    completion.complete(parser)
    with outcome.warnings_on_one_line():
        return _run(parser, words)


def _run(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    try:
        args = parser.parse_args(words)
        # fit's warning about Ctrl-C is for notebooks; here the exit code and a line say it.
        warnings.filterwarnings("ignore", "training interrupted")
        code: int = args.command(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return outcome.interrupted()
    except outcome.UsageError as error:
        return outcome.report(str(error), outcome.WRONG_CALL)
    except BrokenPipeError:  # the reader is gone (`| head`)
        return outcome.OK
    except Exception as error:
        # Whatever it is, a shell gets one line; RNN_NATIVE_DEBUG=1 shows where it arose.
        if os.environ.get("RNN_NATIVE_DEBUG") == "1":
            raise
        return outcome.report(outcome.one_line(error), outcome.FAILED)
    finally:
        outcome.end_output()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from rnn_native.base.version import __version__

    parser = _Program(
        prog="rnn-native", description="Train and use small neural networks on a CPU."
    )
    parser.add_argument("--version", action="version", version=f"rnn-native {__version__}")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, prog="rnn-native", parser_class=CommandParser
    )
    for module in (
        training, sweep, configuration, lr_find, predict, recognizer, kaggle, export, model_files,
        plot, attention, machine,
    ):  # fmt: skip
        module.add_commands(commands)
    parser.commands = commands.choices
    return parser


GROUPS = {
    "learn": ("train", "sweep", "config", "lr-find", "plot", "kaggle"),
    "use a model": ("predict", "recognizer", "evaluate", "attention", "export", "info"),
    "this machine": ("doctor", "bench"),
}
EXAMPLES = """\
  rnn-native train mlp                      # files in runs/mlp
  rnn-native evaluate runs/mlp
  rnn-native predict photo.png
  rnn-native train --help                   # options and examples of one command
"""


class _Program(Parser):
    """The whole program: its help lists the commands by what they are for."""

    commands: Mapping[str, argparse.ArgumentParser]

    def format_help(self) -> str:
        """Return usage, commands in groups, examples, options."""
        parts = [self.format_usage(), f"{self.description}\n"]
        for title, names in GROUPS.items():
            rows = [f"  {n:<12}{self.commands[n].description}\n" for n in names]
            parts.append(_section(title, "".join(rows)))
        parts.append(_section("examples", EXAMPLES))
        options = "  -h, --help  show this help\n  --version   show the version\n"
        return "\n".join([*parts, _section("options", options)])


def _section(title: str, text: str) -> str:
    return painted(f"{title}:", "bold", sys.stdout) + f"\n{text}"
