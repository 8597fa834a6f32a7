"""Ctrl-C: the first ends the `fit` under way, a second one soon after it raises."""

import time

SECONDS = 3.0
"""How soon after an interrupt the next one is a repeated one."""

_last: float | None = None


def is_repeated() -> bool:
    """Note an interrupt; return whether the one before was less than `SECONDS` ago.

    A user who presses Ctrl-C in a loop of short calls of `fit` wants the loop to end. It need not
    be the same net, as when a loop makes one in each turn.
    """
    global _last
    before, _last = _last, time.monotonic()
    return before is not None and _last - before < SECONDS
