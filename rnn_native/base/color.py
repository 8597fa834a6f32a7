"""Color on terminals that want it; text that is piped or saved stays plain."""

import os
from typing import Literal, TextIO

Style = Literal["bold", "good", "doubt", "bad"]
_CODES: dict[Style, str] = {"bold": "1", "good": "32", "doubt": "33", "bad": "1;31"}


def is_wanted(stream: TextIO | None) -> bool:
    """Return whether what goes to a stream may have colors.

    NO_COLOR (no-color.org) and FORCE_COLOR decide when they are set to anything, NO_COLOR first;
    without them a terminal gets colors unless TERM is dumb.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if stream is None or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def painted(text: str, style: Style, stream: TextIO | None) -> str:
    """Return text in a style, or as it is where the stream wants no color."""
    if not text or not is_wanted(stream):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
