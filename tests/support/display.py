"""A screen of one's own for tests of windows, where Xvfb is installed."""

import contextlib
import os
import shutil
import subprocess

import pytest

from environment import program_environment


def require(*programs):
    """Skip where a program is missing, or Tk; CI has them all, and fails instead."""
    missing = [program for program in programs if shutil.which(program) is None]
    try:
        import tkinter  # noqa: F401
    except ImportError:
        missing.append("tkinter")
    if missing:
        reason = f"needs {', '.join(missing)} (Debian: xvfb, xdotool, python3-tk)"
        if os.environ.get("RNN_NATIVE_DISPLAY") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@contextlib.contextmanager
def screen():
    """Start Xvfb on a free number, and yield the value of DISPLAY for it."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-dpi", "96"],
        pass_fds=[write],
        env=program_environment(),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
