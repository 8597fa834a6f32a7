"""A process that is one command: Ctrl-C and SIGTERM end it with one line and an exit code."""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_AGAIN_SECONDS = 0.001
# Signals that follow one that has just been raised would only disturb how it is handled.
_APART_SECONDS = 0.3

_installed: list[int] = []  # the signals that this process has its handler for
_received: int = signal.SIGINT  # the last one
_waits_for_imports = False
_raised_at = -_APART_SECONDS
_is_waiting = False  # a signal came while code ran that must not be interrupted


def run(program: Callable[[], int]) -> int:
    """Run a program, whose own imports are best made in it; return its exit code.

    While it runs, SIGINT and SIGTERM raise KeyboardInterrupt, but not in the middle of an
    import or of a finalizer, which would lose it or call it something else: there they end
    the process at once. When the program is over they do nothing any more.
    """
    _install()
    _fill_streams()
    try:
        code = program()
        if _is_waiting:
            raise KeyboardInterrupt
        _ignore()
    except SystemExit:
        _ignore()
        raise
    except KeyboardInterrupt:
        word, code = ended_by()
        print(f"rnn-native: {word}", file=sys.stderr)
    return code


def _fill_streams() -> None:
    """Open the null device for streams that this process was started without.

    Files would get their numbers otherwise, and what is printed would go elsewhere.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, this one
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def wait_for_imports() -> None:
    """From now on end nothing at once: the program has something to save.

    In an import KeyboardInterrupt then waits for its end, unless a second signal comes.
    """
    global _waits_for_imports
    _waits_for_imports = True


def ended_by(number: int | None = None) -> tuple[str, int]:
    """Return the word and the exit code for the signal that came; no further one counts."""
    _ignore()
    number = _received if number is None else number
    return _WORDS[signal.Signals(number)], 128 + number


def _install() -> None:
    """Handle other signals: a shell lets background jobs ignore Ctrl-C."""
    plain = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    for number, handler in plain.items():
        if signal.getsignal(number) is handler:
            signal.signal(number, _interrupt)
            _installed.append(number)


def _ignore() -> None:
    while _installed:
        signal.signal(_installed.pop(), signal.SIG_IGN)
    if _is_waiting:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _received, _raised_at, _is_waiting
    if time.monotonic() - _raised_at < _APART_SECONDS:
        return
    is_again, was_waiting = number == signal.SIGALRM, _is_waiting
    if not is_again:
        _received = number
    _is_waiting = _must_not_be_interrupted(frame)
    if not _is_waiting:
        if was_waiting:
            # An alarm that comes when the interpreter has ended its handlers would kill.
            signal.setitimer(signal.ITIMER_REAL, 0)
        _raised_at = time.monotonic()
        raise KeyboardInterrupt
    if not is_again and (was_waiting or not _waits_for_imports):
        _raised_at = time.monotonic()  # a signal in between must not say it again
        os.write(2, f"rnn-native: {_WORDS[signal.Signals(number)]}\n".encode())
        os._exit(128 + number)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)


def _must_not_be_interrupted(frame: FrameType | None) -> bool:
    """Return whether an import or a finalizer is among the calls under way."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib") or code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
