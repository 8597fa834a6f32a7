"""JSON files of settings: reading without surprises, and what any of them may have."""

import json
from typing import Any

from rnn_native.base.files import AnyPath, errors_named, open_regular, shown, size_of
from rnn_native.base.rules import JsonObject, Place, Rule, described, text
from rnn_native.base.version import __version__

MAX_FILE_SIZE = 1 << 20
_MAX_DIGITS = 400  # more than any float has, and cheap to convert
FORMAT_VERSION = 1


def _format_version(place: Place, value: Any) -> int:
    """Check the version of a file's format."""
    if value != FORMAT_VERSION or isinstance(value, (bool, float)):
        raise place.error(
            f"expected {FORMAT_VERSION}, which rnn_native {__version__} reads, got "
            f"{described(value)}"
        )
    return FORMAT_VERSION


HEAD_KEYS: dict[str, Rule] = {"$schema": text, "format_version": _format_version}
"""What any file of settings may have in addition."""


def read_json(path: AnyPath) -> Any:
    """Read a small JSON file; `take` and its rules then check the content.

    Parameters
    ----------
    path : str or path-like
        UTF-8, with or without a byte order mark, at most 1 MiB.

    Raises
    ------
    OSError
        If there is no such file, it is not a regular one, or reading fails.
    ConfigError
        If it is empty, too large, not UTF-8, not JSON, or nested too deeply.
    """
    place = Place(shown(path))
    content = _read_text(path, place)
    try:
        return json.loads(
            content,
            object_pairs_hook=JsonObject.of,
            parse_int=lambda digits: int(digits[:_MAX_DIGITS]),
        )
    except RecursionError:
        fault = "arrays or objects nested too deeply"
    except json.JSONDecodeError as error:
        fault = f"an error at line {error.lineno}, column {error.colno}: {error.msg}"
        if content[error.pos : error.pos + 1] in ("/", "#"):
            fault += "; JSON has no comments"
    raise place.error(f"expected JSON, got {fault}")


def _read_text(path: AnyPath, place: Place) -> str:
    with errors_named(path), open_regular(path) as file:
        size = size_of(file)
        data = file.read(MAX_FILE_SIZE + 1)
    if len(data) > MAX_FILE_SIZE:
        raise place.error(f"expected at most {MAX_FILE_SIZE} bytes, got {size}")
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise place.error(
            f"expected UTF-8, got byte 0x{byte:02x} at offset {error.start}"
        ) from None
    if not content.strip():
        raise place.error("expected a JSON object, got an empty file")
    return content
