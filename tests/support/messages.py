"""Collect the messages that the suite provokes, and list them on one page.

    RNN_NATIVE_MESSAGES=build/messages pytest
    python tests/support/messages.py build/messages >build/messages.md

With the variable tests/conftest.py calls `collect`: each process appends to a file in that
folder the exceptions that `pytest.raises` caught, the warnings that `pytest.warns` caught, and
the errors that the command line printed in that process. The page has each kind of message
once: those that differ in numbers, quoted words and paths only are one.
"""

import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

VARIABLE = "RNN_NATIVE_MESSAGES"


def collect(folder):
    """Wrap what catches exceptions and warnings, and what prints errors."""
    import pytest

    from rnn_native.base import outcome, parser

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{os.getpid()}.jsonl"

    def note(kind, text):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" (")[0]
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(json.dumps([kind, text, test]) + "\n")

    def caught(self, kind, value, trace):
        found = type(self).plain_exit(self, kind, value, trace)
        if found and kind is not SystemExit:
            note(kind.__name__, str(value))
        return found

    def warned(self, kind, value, trace):
        for warning in list(self):
            note(warning.category.__name__, str(warning.message))
        return type(self).plain_exit(self, kind, value, trace)

    def printed(self, message):
        note("command line", message)
        return type(self).plain_error(self, message)

    def reported(message, *arguments):
        note("command line", message)
        return plain_report(message, *arguments)

    for made, wrapper in ((pytest.raises(ValueError), caught), (pytest.warns(), warned)):
        type(made).plain_exit = type(made).__exit__
        type(made).__exit__ = wrapper
    parser.Parser.plain_error, parser.Parser.error = parser.Parser.error, printed
    plain_report, outcome.report = outcome.report, reported


def kind_of(text):
    """Return a message without what differs from case to case."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|<[^>]*>", "'...'", text)
    text = re.sub(r"[\w./~-]*/[\w./~-]+", "/...", text)
    return re.sub(r"-?\d[\d.,e+-]*|\b(nan|inf)\b", "0", text)


def page(folder):
    """Return the page: below each type its messages, one of each kind."""
    kinds = defaultdict(dict)
    for path in sorted(Path(folder).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, text, test = json.loads(line)
            kinds[name].setdefault(kind_of(text), (text, test))
    parts = ["# Messages that the suite provokes\n"]
    for name in sorted(kinds):
        parts.append(f"## {name}\n")
        parts += [
            f"- {text}\n  ({test})" for _, (text, test) in sorted(kinds[name].items())
        ]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(sys.argv[1]))
