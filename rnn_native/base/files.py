"""Files as a whole: written so that a good one is never lost, opened with care."""

import csv
import errno
import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

from rnn_native.base.errors import FormatError
from rnn_native.base.temporary import Beside, Descriptors, remove_forgotten
from rnn_native.base.text import brief

AnyPath: TypeAlias = str | os.PathLike[str]
Buffer: TypeAlias = bytes | bytearray | memoryview
Source: TypeAlias = AnyPath | Buffer | IO[bytes]

# What a file system says that cannot sync folders, or a folder that may be written
# but not read. Nothing is wrong with the file then.
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES})


_POSSIBLE = "a path without null bytes and lone surrogates"


def shown(path: AnyPath) -> str:
    """Return `path` in quotes, on one line and printable, for a message."""
    return repr(os.fspath(path))


def as_path(name: str, given: object) -> Path:
    """Return an argument as a path that a file can have.

    Raises
    ------
    TypeError, ValueError
        If it is not a path, or has characters that no path can have.
    """
    if not (isinstance(given, (str, os.PathLike)) and isinstance(os.fspath(given), str)):
        raise TypeError(f"{name}: expected a path, str or path-like, got {brief(given)}")
    if not _is_possible(given):
        raise ValueError(f"{name}: expected {_POSSIBLE}, got {brief(given)}")
    return Path(given)


def _is_possible(path: AnyPath) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _check_possible(path: AnyPath) -> None:
    """Raise OSError for a path that Python would refuse without its name."""
    if not _is_possible(path):
        raise OSError(errno.EINVAL, f"expected {_POSSIBLE}", os.fspath(path))


def name_of(source: Source) -> AnyPath:
    """Return what messages call a source: its path, or "<bytes>", "<file>"."""
    if isinstance(source, (str, os.PathLike)):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<file>"


def read_source(source: Source) -> bytes | None:
    """Return the content of a binary file that is open, or of bytes; None for a path.

    Raises
    ------
    TypeError
        If it is not one of these, or a file in text mode.
    """
    if isinstance(source, (str, os.PathLike)):
        return None
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    content: Any = source.read() if hasattr(source, "read") else None
    if not isinstance(content, bytes):
        raise TypeError(
            f"expected a path, bytes, or a file in binary mode, got {brief(source)}"
        )
    return content


def write_target(target: AnyPath | IO[bytes], data: bytes) -> None:
    """Write to a path, atomically, or to a binary file that is open.

    Raises
    ------
    OSError
        As `atomic_write`, or if an open file does not take everything.
    TypeError
        If it is neither, or a file in text mode.
    """
    if isinstance(target, (str, os.PathLike)):
        atomic_write(target, data)
        return
    if isinstance(target, io.TextIOBase) or not hasattr(target, "write"):
        raise TypeError(f"expected a path or a file in binary mode, got {brief(target)}")
    _write_to_file(target, data)


def _write_to_file(file: IO[bytes], data: bytes) -> None:
    """Write everything: a file without a buffer takes as much as it can and says how much."""
    rest = memoryview(data)
    while rest:
        # The first time as bytes: not everything that has write() accepts a view.
        taken: Any = file.write(data if len(rest) == len(data) else rest)
        if not isinstance(taken, int):
            if isinstance(file, io.RawIOBase):
                done = len(data) - len(rest)
                what = f"expected to write {len(data)} bytes, the file took {done}"
                raise BlockingIOError(errno.EAGAIN, what, name_of(file))
            return  # a writer that does not count takes everything
        if not 0 < taken <= len(rest):
            what = f"expected write() to take 1 to {len(rest)} bytes, got {taken}"
            raise OSError(errno.EIO, what, name_of(file))
        rest = rest[taken:]


@contextmanager
def errors_named(path: AnyPath) -> Iterator[None]:
    """Let every OSError of the block name `path`, as the caller knows it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def check_size(size: int, most: int, name: str) -> None:
    """Raise FormatError if a file of `size` bytes has more than `most`."""
    if size > most:
        raise FormatError(f"{name}: expected at most {most} bytes, got {size}")


def read_within(path: AnyPath, most: int, name: str) -> bytes:
    """Return the content of a regular file, or raise FormatError if it is above `most` bytes."""
    with errors_named(path), open_regular(path) as file:
        size = size_of(file)
        check_size(size, most, name)
        return file.read(size)


def size_of(file: IO[bytes]) -> int:
    """Return the size in bytes of a file that is open."""
    return os.fstat(file.fileno()).st_size


def open_regular(path: AnyPath) -> io.BufferedReader:
    """Open a regular file for reading, and never wait for the other end of a pipe.

    Raises
    ------
    OSError
        If there is no such file (FileNotFoundError), if it is a folder
        (IsADirectoryError), or a pipe, device or socket, or may not be read.
    """

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)

    _check_possible(path)
    # Opening a device may already do something. A pipe may take the file's place meanwhile.
    # Of Path it would take longer than the rest together.
    _require_regular(os.stat(path).st_mode, path)  # noqa: PTH116
    file = open(path, "rb", opener=at_once)  # noqa: SIM115
    try:
        _require_regular(os.fstat(file.fileno()).st_mode, path)
    except BaseException:
        file.close()
        raise
    return file


def append_text(path: AnyPath, text: str) -> None:
    """Append to a regular file, which is made when missing.

    Raises
    ------
    OSError
        If it cannot be written, or if it is a folder, pipe or device: opening a pipe to
        write may wait forever, too.
    """
    _check_possible(path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
    with (
        errors_named(path),
        open(path, "ab", 0, opener=lambda name, _: os.open(name, flags, 0o666)) as file,
    ):
        _require_regular(os.fstat(file.fileno()).st_mode, path)
        _write_all(file.fileno(), text.encode())


def atomic_write(path: AnyPath, data: Buffer | Iterable[Buffer]) -> None:
    """Write a file so that `path` holds either all of `data` or what it held before.

    The data go to a temporary file in the same folder, onto the disk, and then take
    the name `path` in one step. If anything fails on the way, or the process is
    killed, an older file under `path` stays as it was. The temporary file is removed;
    that of a process that was killed is removed by the next call for the same folder.

    Parameters
    ----------
    path : str or path-like
        The file to write. Its folder must exist. A symbolic link is followed: the
        file that it points to is replaced, the link stays. A file that is replaced
        passes on its permissions and, if allowed, its owner, access control list and
        extended attributes.
    data : bytes-like, or iterable of bytes-like
        The content, whole or in pieces. What the iterable raises passes unchanged.

    Raises
    ------
    OSError
        If the file cannot be written (no space, no permission, no such folder), or
        if `path` is a folder, pipe, device or loop of links. Names `path`.
    """
    _check_possible(path)
    pieces = [data] if isinstance(data, bytes | bytearray | memoryview) else data
    with Beside() as temporary:
        with errors_named(path):
            target = _without_links(path)
            remove_forgotten(target.parent)
            old = target.stat() if target.exists() else None
            if old is not None:
                _require_regular(old.st_mode, path)
            # Not the tempfile module: its files are for the owner only, whatever the
            # umask says. What replaces a file gets its rights when it has its owner.
            temporary.create(target, 0o666 if old is None else old.st_mode & 0o700)
        if old is not None:
            with errors_named(path):
                _take_over(temporary[0], target, old)
        for piece in pieces:
            with errors_named(path):
                _write_all(temporary[0], piece)
        with errors_named(path):
            os.fsync(temporary[0])
            # Closing may fail, too: before the old file is replaced. The copy keeps the lock.
            temporary.copy_first()
            temporary.close_first()
            temporary.become(target)
    with errors_named(path):
        _sync_folder(target.parent)


def _without_links(path: AnyPath) -> Path:
    """Return the file that a path leads to, which need not exist."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def _take_over(descriptor: int, replaced: Path, old: os.stat_result) -> None:
    """Give a new file the owner, rights and attributes of the file that it replaces.

    It was made with no more rights than these for its owner and none for others, so where a
    file system or a missing right forbids the change, no one else can read it.
    """
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    names = {name for name in _attributes(replaced) if not name.startswith("security.")}
    # The folder may have given it a list.
    for name in {_ACCESS_LIST} & {*_attributes(descriptor)} - names:
        os.removexattr(descriptor, name)
    # With an access list, the mode's bits for the group are the list's mask, not its rights.
    if _ACCESS_LIST not in names:
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
    for name in names:
        with suppress(OSError):
            os.setxattr(descriptor, name, os.getxattr(replaced, name))


_ACCESS_LIST = "system.posix_acl_access"


def _attributes(file: Path | int) -> list[str]:
    """Return the names of a file's extended attributes, where the system has them."""
    if sys.platform != "linux":
        return []
    try:
        return os.listxattr(file)
    except OSError:
        return []


def _require_regular(mode: int, path: AnyPath) -> None:
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))


def _write_all(descriptor: int, piece: Buffer) -> None:
    # One write stores 2 GiB at most, and less when the disk is nearly full.
    rest = memoryview(piece).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make the new name durable: without this a power cut may bring back the old."""
    try:
        with Descriptors() as opened:
            os.fsync(opened.open(folder, os.O_RDONLY))
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def csv_line(fields: Iterable[Any], separator: str = ",") -> str:
    """Return a line of a CSV file, quoted where that is needed; None is an empty field."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerow(fields)
    return text.getvalue()
