"""A screen of one's own for tests of windows, where Xvfb is installed."""

import contextlib
import os
import subprocess

import needs
from environment import program_environment


def require(*programs):
    """Skip where a program is missing, or Tk; CI has them all, and fails instead."""
    needs.require(
        *programs,
        module="tkinter",
        packages="xvfb, xdotool, python3-tk",
        promise="RNN_NATIVE_DISPLAY",
    )


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
