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
from typing import Self

_NAME = re.compile(r"\.rnn_native-[0-9a-f]{16}\.part")


class Descriptors:
    """Open files of the system, closed together at the end of a block.

    An interrupt comes between two steps of Python, and an open file that only a step's result
    names would be lost. So each is opened and kept in one step of C: `extend` of a `map`.
    """

    _open: list[int]

    def __init__(self) -> None:
        self._open = []

    def __getitem__(self, at: int) -> int:
        return self._open[at]

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        """Open a file, as `os.open`."""
        self._open.extend(map(os.open, [path], [flags], [mode]))
        return self._open[-1]

    def copy_first(self) -> None:
        """Append another descriptor of the first one's open file, as `os.dup`."""
        self._open.extend(map(os.dup, self._open[:1]))

    def close_first(self) -> None:
        """Close the first one.

        Raises
        ------
        OSError
            If the system could not keep what was written. It is closed anyway.
        """
        any(map(os.close, map(self._open.pop, [0])))

    def close(self) -> None:
        """Close all."""
        while self._open:
            with suppress(OSError):
                self.close_first()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # An interrupt may also come where the block's end begins.
        if getattr(self, "_open", None):
            self.close()


class Beside(Descriptors):
    """A temporary file beside another, open for writing; removed at the end of a block.

    Its lock is held until all descriptors are closed.
    """

    path: Path | None = None

    def create(self, target: Path, mode: int) -> None:
        """Make the file, in the folder of `target`.

        Raises
        ------
        OSError
            If it cannot be made.
        """
        while True:
            self.path = target.with_name(f".rnn_native-{os.urandom(8).hex()}.part")
            descriptor = self.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            # Where there are no locks, none is found either, and nothing is removed.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink > 0:
                return
            # Between the two steps another process removed it as a forgotten one.
            self.close()

    def become(self, target: Path) -> None:
        """Take the name of `target`, in one step."""
        assert self.path is not None
        self.path.replace(target)
        self.path = None

    def close(self) -> None:
        """Remove the file unless it has become the other, then close it."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()
        super().close()


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
    with Descriptors() as opened:
        found = opened.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
