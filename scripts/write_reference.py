"""Write the generated parts of docs/reference: options of commands, keys of configurations.

    python scripts/write_reference.py

docs/reference/commands.md comes from the parser of the command line, the table of keys in
docs/reference/configuration.md from the schema. A test compares both pages with what this
script would write.
"""

import argparse
import json
import re
from pathlib import Path

from rnn_native.cli import build_parser

ROOT = Path(__file__).parents[1]
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
KEYS = ROOT / "docs" / "reference" / "configuration.md"
SCHEMA = ROOT / "rnn_native" / "schema" / "config.schema.json"

HEAD = """\
# Commands and options

`rnn-native COMMAND --help` prints the same. All options of all commands, written by
`python scripts/write_reference.py` from the parser. [The command line](command-line.md) explains
exit codes, output, and completion.
"""
BEGIN, END = "<!-- written by write_reference.py -->", "<!-- end of write_reference.py -->"


def cell(text: str) -> str:
    """Return text for a cell of a table: one line, without what ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def option_row(action: argparse.Action) -> str:
    """Return the row of one argument: how it is written, and its help."""
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if action.choices is not None and action.metavar is None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    if isinstance(value, tuple):
        value = " ".join(value)
    names = ", ".join(action.option_strings)
    written = f"{names} {value}".strip() if names else value
    text = (action.help or "") % {"choices": ", ".join(map(str, action.choices or ()))}
    return f"| `{cell(written)}` | {cell(text)} |"


def command_section(name: str, parser: argparse.ArgumentParser) -> str:
    """Return the section of one command: what it does, and a row for each option."""
    rows = [
        option_row(action)
        for group in parser._action_groups
        for action in group._group_actions
        if action.help != argparse.SUPPRESS and action.dest != "help"
    ]
    table = "\n".join(["| argument | meaning |", "|---|---|", *rows])
    return f"## `{name}`\n\n{cell(parser.description or '')}\n\n{table}\n"


def commands_page() -> str:
    """Return docs/reference/commands.md."""
    actions = build_parser()._actions
    (commands,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    parts = (command_section(*item) for item in sorted(commands.choices.items()))
    return "\n".join([HEAD, *parts])


def shown_range(rule: dict) -> str:
    """Return the allowed numbers of a rule in words."""
    low, high = rule.get("minimum"), rule.get("maximum")
    above, below = rule.get("exclusiveMinimum"), rule.get("exclusiveMaximum")
    words = [f"at least {low:g}"] if low is not None else []
    words += [f"above {above:g}"] if above is not None else []
    words += [f"at most {high:g}"] if high is not None and high < 2**31 - 1 else []
    words += [f"below {below:g}"] if below is not None else []
    return ", ".join(words)


def shown_value(rule: dict) -> str:
    """Return which values a key accepts."""
    if "enum" in rule:
        return ", ".join(f"`{name}`" for name in rule["enum"] if name is not None)
    if "anyOf" in rule:
        return " or ".join(shown_value(one) for one in rule["anyOf"])
    if "const" in rule:
        return f"`{rule['const']}`"
    types = rule.get("type", "object")
    names = [t for t in ([types] if isinstance(types, str) else types) if t != "null"]
    words = {"boolean": "true or false", "array": "list"}
    kind = " or ".join(words.get(name, name) for name in names)
    return f"{kind}, {numbers}" if (numbers := shown_range(rule)) else kind


def keys_table() -> str:
    """Return the table of the keys of a training configuration."""
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, rule in json.loads(SCHEMA.read_text())["properties"].items():
        if key == "$schema":
            continue
        value = " or ".join(dict.fromkeys(shown_value(rule).split(" or ")))
        default = json.dumps(rule["default"]) if "default" in rule else ""
        row = [f"`{key}`", value, default, rule.get("description", "")]
        rows.append("| " + " | ".join(map(cell, row)) + " |")
    return "\n".join(rows)


def keys_page() -> str:
    """Return docs/reference/configuration.md with the table of today."""
    part = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.S)
    written = f"{BEGIN}\n{keys_table()}\n{END}"
    return part.sub(lambda _: written, KEYS.read_text())


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    COMMANDS.write_text(commands_page())
    KEYS.write_text(keys_page())
