"""The command line: parsing, exit codes, one line for each error.

Exit codes: 0 done; 1 the run failed; 2 wrong call; 130 Ctrl-C, 143 SIGTERM.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from rnn_native.base import outcome
from rnn_native.base.parser import Parser
from rnn_native.cli import (
    attention,
    export,
    kaggle,
    lr_find,
    machine,
    model_files,
    plot,
    predict,
    training,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = build_parser().parse_args(argv)
    with outcome.warnings_on_one_line():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        # fit's warning about Ctrl-C is for notebooks; here the exit code and a line say it.
        warnings.filterwarnings("ignore", "training interrupted")
        code: int = args.command(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return outcome.interrupted()
    except outcome.UsageError as error:
        return outcome.report(str(error), outcome.WRONG_CALL)
    except BrokenPipeError:
        # The reader is gone (`| head`): Python would complain again at exit.
        sys.stdout = None
        return outcome.OK
    except Exception as error:
        # Whatever it is, a shell gets one line; RNN_NATIVE_DEBUG=1 shows where it arose.
        if os.environ.get("RNN_NATIVE_DEBUG") == "1":
            raise
        return outcome.report(outcome.one_line(error), outcome.FAILED)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from rnn_native.base.version import __version__

    parser = Parser(
        prog="rnn-native", description="Train and use small neural networks on a CPU."
    )
    parser.add_argument("--version", action="version", version=f"rnn-native {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        training, lr_find, predict, kaggle, export, model_files, plot, attention, machine,
    ):  # fmt: skip
        module.add_commands(commands)
    return parser
