"""What strangers wrote, fit for a terminal: control characters escaped, on one line, short."""

_MOST_SHOWN = 60
_MOST_ITEMS = 1000  # of which a repr is made at all
_SIZED = (list, tuple, set, frozenset, dict)


def printable(text: str) -> str:
    """Return text on one line that terminals, fonts and XML can show: a path may hold anything."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return text of several lines, each of them printable."""
    return "\n".join(map(printable, text.split("\n")))


def brief(value: object) -> str:
    """Return a value for a message: one line, printable, short whatever it holds."""
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {shape}"
    if isinstance(value, _SIZED) and len(value) > _MOST_ITEMS:
        return f"{type(value).__name__} of {len(value)} items"
    if isinstance(value, int) and abs(value) >= 10**_MOST_SHOWN:
        return "an integer of many digits"
    if isinstance(value, (str, bytes, bytearray)):
        value = value[: _MOST_SHOWN + 1]
    try:
        text = repr(value)
    except Exception:  # another package's class
        text = type(value).__name__
    text = printable(" ".join(text.split()))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
