"""A parser of command lines: errors and help fit for a terminal, and suggestions."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from rnn_native.base.color import painted
from rnn_native.base.rules import did_you_mean, nearest
from rnn_native.base.text import brief, printable


class Help(argparse.RawDescriptionHelpFormatter):
    """Help with a short line of usage: the options are listed below it anyway."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        """Add the line: the required arguments in their order, and a hint at the options."""
        shown = [action for action in actions if not action.option_strings]
        options = argparse.Action([], dest="options", metavar="[options]")
        super().add_usage(usage, [*shown, options], [], prefix)

    def start_section(self, heading: str | None) -> None:
        """Begin a group of options, whose name is bold on a terminal."""
        bold = heading and painted(heading, "bold", sys.stdout)
        super().start_section(bold)


class Parser(argparse.ArgumentParser):
    """Suggests the nearest name; escapes control characters, which names of files may hold."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=Help, **settings)
        self.color = False  # Python 3.14 adds colors itself

    def error(self, message: str) -> NoReturn:
        """Print usage, the message and where there is help, and exit with 2."""
        usage = self.format_usage()
        head = painted(f"{self.prog}: error:", "bad", sys.stderr)
        text = f"{usage}{head} {printable(message)} (see `{self.prog} --help`)\n"
        self.exit(2, text)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print; raise OSError for standard output, which argparse would keep to itself."""
        if file is not sys.stdout:
            super()._print_message(message, file)
            return
        file.write(message)
        file.flush()

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        raise argparse.ArgumentError(
            action, f"invalid choice: {brief(value)}{nearest(str(value), known)}"
        )


class CommandParser(Parser):
    """The parser of one command: an error shows the command's own usage."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse all arguments: none are left over."""
        given = sys.argv[1:] if args is None else [*args]
        for word in given[: given.index("--")] if "--" in given else given:
            self._require_known(word)
        found, rest = super().parse_known_args(given, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def _require_known(self, word: str) -> None:
        """Refuse an unknown long option, before its value is taken for another."""
        name = word.partition("=")[0]
        known = [option for a in self._actions for option in a.option_strings]
        if not name.startswith("--") or any(option.startswith(name) for option in known):
            return
        long = [option for option in known if option.startswith("--")]
        self.error(f"unrecognized arguments: {name}{did_you_mean(name, long)}")
