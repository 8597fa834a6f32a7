"""Temporary files beside the files that they become, and the removal of forgotten ones.

The writer of a temporary file holds a lock on it. The system takes locks from a process
that ends, however it ends: a temporary file without a lock is abandoned.
"""

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"\.rnn_native-[0-9a-f]{16}\.part")


def create_beside(target: Path, mode: int) -> tuple[Path, int]:
    """Make a temporary file in the folder of `target`.

    Returns
    -------
    path : Path
    descriptor : int
        Open for writing, and locked until it and its copies are closed.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    while True:
        path = target.with_name(f".rnn_native-{os.urandom(8).hex()}.part")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        # Where there are no locks, none is found either, and nothing is removed.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink > 0:
            return path, descriptor
        # Between the two steps another process removed it as a forgotten one.
        os.close(descriptor)


def remove_forgotten(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _NAME.fullmatch(path.name):
                with suppress(OSError):
                    _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    if not stat.S_ISREG(path.lstat().st_mode):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
