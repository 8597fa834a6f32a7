import errno
import fcntl
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from rnn_native.base import files
from rnn_native.base.files import append_text, atomic_write, open_regular, shown, size_of

OLD, NEW = b"old and good", b"new"
PIECES = [b"a" * 100, b"", memoryview(b"b" * 100), bytearray(b"c")]


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "folder" / "model.bin"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def fail(monkeypatch, function, number, at_call=1):
    """Let the `at_call`-th call of os.`function` raise OSError(`number`)."""
    real, calls = getattr(os, function), []

    def faulty(*args, **kwargs):
        calls.append(args)
        if len(calls) == at_call:
            if function == "close":
                real(*args)
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, function, faulty)


def assert_untouched(target):
    assert target.read_bytes() == OLD
    assert names(target.parent) == [target.name]


def assert_names(error, target):
    assert error.filename == str(target)
    assert repr(str(target)) in str(error)
    assert "\n" not in str(error)
    assert ".part" not in str(error)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (NEW, NEW),
        (b"", b""),
        (bytearray(NEW), NEW),
        (memoryview(bytes(8)).cast("i"), bytes(8)),
        (PIECES, b"a" * 100 + b"b" * 100 + b"c"),
        (iter(PIECES), b"a" * 100 + b"b" * 100 + b"c"),
        ([], b""),
    ],
)
@pytest.mark.parametrize("existing", [True, False])
def test_writes_everything(target, data, expected, existing):
    if isinstance(data, type(iter([]))):
        data = iter(PIECES)
    if not existing:
        target.unlink()
    atomic_write(target, data)
    assert target.read_bytes() == expected
    assert names(target.parent) == [target.name]


def test_path_may_be_relative_a_string_odd_and_long(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("plain", "a b\nc é", "\udcff", "n" * 255):
        atomic_write(name, NEW)
        assert Path(name).read_bytes() == NEW
    assert len(names(".")) == 4


def test_short_writes_are_continued(target, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    atomic_write(target, PIECES)
    assert target.read_bytes() == b"".join(PIECES)


class Taking:
    """A file whose write takes at most some bytes, and returns what the test asks for."""

    def __init__(self, most, answer=None):
        self.most, self.answer, self.content = most, answer, b""

    def write(self, data):
        taken = bytes(data[: self.most])
        self.content += taken
        return self.answer(len(taken)) if self.answer else len(taken)


def test_an_open_file_that_takes_a_part_gets_the_rest():
    for file in (Taking(7), Taking(1000, lambda taken: None)):
        files.write_target(file, bytes(range(100)))
        assert file.content == bytes(range(100))


@pytest.mark.parametrize("answer", [0, -1, 101])
def test_an_open_file_that_counts_wrongly_is_an_error(answer):
    with pytest.raises(
        OSError, match=f"expected write.* to take 1 to 100 .*, got {answer}"
    ):
        files.write_target(Taking(7, lambda taken: answer), bytes(100))


def test_a_full_pipe_that_does_not_wait_is_an_error():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with open(reader, "rb", 0) as out, open(writer, "wb", 0) as file:
        with pytest.raises(BlockingIOError, match="expected to write 9000000 bytes"):
            files.write_target(file, bytes(9_000_000))
        assert 0 < len(out.read(1 << 24)) < 9_000_000


@pytest.mark.parametrize(
    ("function", "number", "at_call"),
    [
        ("open", errno.EACCES, 1),
        ("write", errno.ENOSPC, 1),
        ("write", errno.ENOSPC, 2),
        ("write", errno.EIO, 3),
        ("fsync", errno.EIO, 1),
        ("fsync", errno.ENOSPC, 1),
        ("close", errno.EDQUOT, 1),
        ("replace", errno.EPERM, 1),
    ],
)
def test_a_failure_at_any_stage_keeps_the_old_file(
    target, monkeypatch, function, number, at_call
):
    fail(monkeypatch, function, number, at_call)
    with pytest.raises(OSError) as caught:
        atomic_write(target, PIECES)
    monkeypatch.undo()
    assert caught.value.errno == number
    assert_names(caught.value, target)
    assert_untouched(target)


def test_a_real_limit_on_the_size_of_files(target):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            atomic_write(target, bytes(1 << 21))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert_names(caught.value, target)
    assert_untouched(target)


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError("y")])
def test_what_the_iterable_raises_passes_unchanged(target, error):
    def pieces():
        yield b"first"
        raise error

    with pytest.raises(type(error)) as caught:
        atomic_write(target, pieces())
    assert caught.value is error
    assert_untouched(target)


def test_a_piece_that_is_no_buffer(target):
    with pytest.raises(TypeError):
        atomic_write(target, [b"a", "text"])
    assert_untouched(target)


def test_no_descriptor_is_left_open(target, monkeypatch):
    before = len(names("/dev/fd"))
    atomic_write(target, OLD)
    fail(monkeypatch, "fsync", errno.EIO)
    with pytest.raises(OSError):
        atomic_write(target, NEW)
    assert len(names("/dev/fd")) == before


def test_an_interrupt_at_any_line_leaves_nothing(target):
    count = 0

    class Interrupt(BaseException):
        pass

    def write(stop_at):
        """Write; return whether it was interrupted, at one of the lines that it runs."""
        nonlocal count
        count = 0

        def trace(frame, event, _):
            nonlocal count
            code = frame.f_code
            if "rnn_native" not in code.co_filename or code.co_name == "__del__":
                return None
            count += event == "line"
            if event == "line" and count == stop_at:
                sys.settrace(None)
                raise Interrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            atomic_write(target, [OLD])
        except Interrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    opened = names("/dev/fd")
    assert not write(-1)
    for at in range(1, count):
        assert write(at)
        assert_untouched(target)
        assert names("/dev/fd") == opened


def test_the_folder_is_synced_last(target, monkeypatch):
    log = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)

        def logged(*args, real=real, name=name, **kwargs):
            is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            log.append("fsync folder" if is_folder else name)
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, logged)
    atomic_write(target, NEW)
    assert log == ["write", "fsync", "replace", "fsync folder"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_folder_that_cannot_be_synced(target, monkeypatch, number):
    fail(monkeypatch, "fsync", number, at_call=2)
    if number == errno.EINVAL:
        atomic_write(target, NEW)
    else:
        with pytest.raises(OSError) as caught:
            atomic_write(target, NEW)
        assert_names(caught.value, target)
    assert target.read_bytes() == NEW
    assert names(target.parent) == [target.name]


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        atomic_write(tmp_path / "x", NEW)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o400])
def test_a_file_that_is_replaced_passes_its_permissions_on(target, mode):
    target.chmod(mode)
    atomic_write(target, NEW)
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_what_replaces_a_private_file_is_never_readable_by_others(target):
    target.chmod(0o600)

    def pieces():
        (temporary,) = (path for path in target.parent.iterdir() if path != target)
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        yield NEW

    atomic_write(target, pieces())


def access_list(*entries):
    """Pack (tag, rights, id) as the kernel has it, for `system.posix_acl_access`."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NO_ID = 0xFFFFFFFF
LIST = access_list(
    (1, 6, NO_ID), (2, 6, 1234), (4, 0, NO_ID), (16, 6, NO_ID), (32, 0, NO_ID)
)
"""The user 1234 may read and write, the group may not, though its bits of the mode are rw."""


def set_attribute(path, name, value):
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"the file system has no {name}: {error}")


def test_a_file_that_is_replaced_passes_its_attributes_on(target):
    set_attribute(target, "user.note", b"mine")
    set_attribute(target, "system.posix_acl_access", LIST)
    atomic_write(target, NEW)
    assert os.getxattr(target, "user.note") == b"mine"
    assert os.getxattr(target, "system.posix_acl_access") == LIST
    assert stat.S_IMODE(target.stat().st_mode) == 0o660


def test_a_list_of_rights_that_cannot_be_set_leaves_none_to_the_group(target, monkeypatch):
    set_attribute(target, "system.posix_acl_access", LIST)
    fail(monkeypatch, "setxattr", errno.ENOTSUP)
    atomic_write(target, NEW)
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_list_of_the_folder_gives_no_rights_to_what_replaces_a_file(target):
    target.chmod(0o640)
    set_attribute(target.parent, "system.posix_acl_default", LIST)
    atomic_write(target, NEW)
    assert os.listxattr(target) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_is_replaced_keeps_its_owner(target):
    os.chown(target, 65534, 65534)
    atomic_write(target, NEW)
    assert (target.stat().st_uid, target.stat().st_gid) == (65534, 65534)


def test_a_link_is_followed_and_stays(target, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(target)
    atomic_write(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert names(target.parent) == [target.name]


def test_a_loop_of_links_is_kept(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(OSError) as caught:
        atomic_write(one, NEW)
    assert caught.value.errno == errno.ELOOP
    assert_names(caught.value, one)
    assert one.is_symlink() and two.is_symlink()


def test_a_link_to_nothing_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("new")
    atomic_write(tmp_path / "link", NEW)
    assert (tmp_path / "new").read_bytes() == NEW
    assert (tmp_path / "link").is_symlink()


def test_missing_folder_and_file_as_folder(target):
    with pytest.raises(FileNotFoundError) as caught:
        atomic_write(target.parent / "none" / "x", NEW)
    assert_names(caught.value, target.parent / "none" / "x")
    with pytest.raises(NotADirectoryError):
        atomic_write(target / "x", NEW)
    assert_untouched(target)


def test_folders_pipes_and_devices_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "null", Path(os.devnull)):
        with pytest.raises(OSError) as caught:
            atomic_write(path, NEW)
        assert_names(caught.value, path)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["null", "pipe"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(target):
    target.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            atomic_write(target, NEW)
    finally:
        target.parent.chmod(0o700)
    assert_names(caught.value, target)
    assert_untouched(target)


def test_a_killed_process_leaves_a_whole_file(target):
    program = (
        "import sys; from rnn_native.base.files import atomic_write\n"
        "while True:\n"
        "    for byte in (b'x', b'y'):\n"
        "        atomic_write(sys.argv[1], [byte * 1000] * 100)\n"
        "        print(flush=True)\n"
    )
    for delay in (0.0, 0.003, 0.01, 0.03):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(target)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[2])},
        ) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        content = target.read_bytes()
        assert content in (b"x" * 100_000, b"y" * 100_000)


WRITER = """
import sys
from rnn_native.base.files import atomic_write
def pieces():
    yield b"half"
    print(flush=True)
    sys.stdin.readline()
    yield b" and half"
atomic_write(sys.argv[1], pieces())
"""


@contextmanager
def half_written(target):
    """A process that has written half a file, and waits for a line."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[2])},
    ) as process:
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_what_a_killed_process_left_is_removed_by_the_next_write(target):
    with half_written(target) as process:
        process.kill()
        process.wait()
        assert len(names(target.parent)) == 2
    atomic_write(target.parent / "other", NEW)
    assert names(target.parent) == [target.name, "other"]
    assert target.read_bytes() == OLD


def test_a_live_process_keeps_its_temporary_file(target):
    with half_written(target) as process:
        atomic_write(target, NEW)
        assert len(names(target.parent)) == 2
        process.communicate(b"go on\n")
        assert process.returncode == 0
    assert target.read_bytes() == b"half and half"
    assert names(target.parent) == [target.name]


def test_files_of_others_are_not_removed(target):
    others = [".rnn_native-0123456789abcdef.part.txt", "rnn_native-0123456789abcdef.part"]
    others += [".rnn_native-notes.part", ".rnn_native-0123456789ABCDEF.part"]
    for name in others:
        (target.parent / name).write_bytes(OLD)
    os.mkfifo(target.parent / ".rnn_native-0000000000000000.part")
    (target.parent / ".rnn_native-0000000000000001.part").symlink_to(target)
    before = names(target.parent)
    atomic_write(target, NEW)
    assert names(target.parent) == before


def test_a_file_that_is_taken_for_forgotten_is_made_again(target, monkeypatch):
    """Between making and locking it another process may look at it."""
    real, calls = fcntl.flock, []

    def late(descriptor, operation):
        calls.append(operation)
        if len(calls) == 1:
            files.remove_forgotten(target.parent)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    atomic_write(target, NEW)
    assert len(calls) == 3
    assert target.read_bytes() == NEW
    assert names(target.parent) == [target.name]


def test_a_file_system_without_locks(target, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    stray = target.parent / ".rnn_native-0123456789abcdef.part"
    stray.write_bytes(OLD)
    atomic_write(target, NEW)
    assert names(target.parent) == [stray.name, target.name]


def test_only_regular_files_are_opened(target, tmp_path):
    for path in target, str(target):
        with open_regular(path) as file:
            assert size_of(file) == len(OLD)
            assert file.read() == OLD
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="Not a regular file") as caught:
            open_regular(path)
        assert_names(caught.value, path)


@pytest.mark.parametrize("has_reader", [True, False])
def test_appending_to_regular_files_only(tmp_path, has_reader):
    for text in ("a", "é\n"):
        append_text(tmp_path / "file", text)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "aé\n"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK) if has_reader else -1
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError) as caught:
            append_text(path, "a")
        assert_names(caught.value, path)
    if has_reader:
        os.close(reader)


def test_a_socket_is_no_regular_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(OSError, match="Not a regular file"):
            open_regular("socket")


def test_shown_is_printable_and_one_line():
    assert shown(Path("a\nb\udcff")) == r"'a\nb\udcff'"
