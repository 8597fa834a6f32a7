"""Completion of words in a shell, where argcomplete is installed.

argcomplete runs the program with variables that have the typed text. It completes commands,
options, choices and paths by itself; the functions here return names that may be used in
place of paths.
"""

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Completer: TypeAlias = Callable[..., Iterable[str]]
VARIABLE = "_ARGCOMPLETE"


def complete(parser: argparse.ArgumentParser) -> None:
    """Print what the word under the cursor may become and end the process, if a shell asks."""
    if VARIABLE not in os.environ:
        return
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)


def names_and_paths(names: Iterable[str], suffix: str = "") -> Completer:
    """Return a completer for names, folders, and files that end in a suffix."""

    def completer(prefix: str, **_: Any) -> list[str]:
        return [*names, *_paths(prefix, suffix)]

    return completer


def _paths(prefix: str, suffix: str) -> list[str]:
    folder, begun = os.path.split(prefix)
    try:
        with os.scandir(folder or ".") as entries:
            found = [entry for entry in entries if entry.name.startswith(begun)]
    except OSError:
        return []
    above = folder and f"{folder.rstrip('/')}/"
    paths = [f"{above}{entry.name}{'/' if entry.is_dir() else ''}" for entry in found]
    return [path for path in paths if path.endswith(("/", suffix))]


def set_completer(action: argparse.Action, completer: Completer) -> None:
    """Let an argument be completed by a function."""
    action.completer = completer  # type: ignore[attr-defined]
