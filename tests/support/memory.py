"""The greatest memory of a test's child process, which imports this module too."""

from pathlib import Path

import pytest

from environment import SANITIZED

# Not ru_maxrss, into which Linux counts the memory of the process that forked.
STATUS = Path("/proc/self/status")

measured = pytest.mark.skipif(
    SANITIZED or not STATUS.exists(),
    reason="needs Linux's /proc; a sanitizer has its own memory and keeps what is freed",
)


def megabytes(field):
    """Return a field of the kernel's status of this process, which is in kB there."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def resident():
    """Return the memory that is resident now, in MB."""
    return megabytes("VmRSS")


def peak():
    """Return the greatest resident memory since the last `reset_peak`, in MB."""
    return megabytes("VmHWM")


def reset_peak():
    """Let `peak` begin at what is resident now, which is returned, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()
