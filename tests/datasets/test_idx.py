import gzip
import io
import math
import os
import random
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from rnn_native.base.errors import FormatError
from rnn_native.datasets.idx import load_idx, read_idx, read_images, read_labels, write_idx
from rnn_native.datasets.packed import gzip_faults

MIB = 1 << 20


def idx(shape, data=None, code=8):
    """Return the bytes of an IDX file, written independently of the package."""
    if data is None:
        data = bytes(i % 251 for i in range(math.prod(shape)))
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + data


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def assert_refused(path, *words, reader=read_idx, limit=4 * MIB):
    """Assert a FormatError of one line with the path and `words`, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as caught:
            reader(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    for word in (repr(str(path)), *words):
        assert word in message
    assert peak < limit


@pytest.fixture(params=["plain", "gzip"])
def put(request, tmp_path):
    """Return a function that writes bytes to a file, plain or packed."""
    count = iter(range(1000))

    def write(content):
        path = tmp_path / f"file {next(count)}"
        packed = request.param == "gzip"
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    return write


@pytest.mark.parametrize("shape", [(5,), (1, 1), (3, 2, 4), (2, 3, 1, 5), (0,), (0, 7)])
def test_reads_every_rank(put, shape):
    array = read_idx(put(idx(shape)))
    assert array.shape == shape
    assert array.dtype == np.uint8
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.tobytes() == idx(shape)[4 + 4 * len(shape) :]


def test_reads_more_than_one_piece(put):
    data = np.random.default_rng(1).integers(0, 256, 3 * MIB + 5, np.uint8)
    assert (read_idx(put(idx(data.shape, data.tobytes()))) == data).all()


def test_images_and_labels(put):
    images, labels = put(idx((10, 2, 3))), put(idx((10,), bytes(range(10))))
    assert read_images(images).shape == (10, 2, 3)
    assert read_labels(labels).tolist() == list(range(10))
    x, y = load_idx(images, str(labels))
    assert len(x) == len(y) == 10


def test_images_and_labels_exchanged(put):
    images, labels = put(idx((10, 2, 3))), put(idx((10,), bytes(10)))
    assert_refused(labels, "0x00000801", "expected images", reader=read_images)
    assert_refused(images, "0x00000803", "expected labels", reader=read_labels)
    assert_refused(put(idx((2, 2))), "0x00000802", "expected images", reader=read_images)


TYPES = {9: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@pytest.mark.parametrize("code", TYPES)
def test_reads_every_type(put, code):
    values = np.arange(-12, 12).astype(TYPES[code]).reshape(2, 3, 4)
    array = read_idx(put(idx((2, 3, 4), values.tobytes(), code)))
    np.testing.assert_array_equal(array, values)
    assert array.dtype == values.dtype.newbyteorder("=")
    assert_refused(put(idx((2, 3, 4), values.tobytes()[:-1], code)), "truncated")


@pytest.mark.parametrize("code", TYPES)
def test_bytes_of_another_type_are_images_and_labels(put, code):
    images, labels = np.arange(12).astype(TYPES[code]), np.array([7, 2], TYPES[code])
    x, y = load_idx(
        put(idx((2, 3, 2), images.tobytes(), code)), put(idx((2,), labels.tobytes(), code))
    )
    assert (x.dtype, y.dtype) == (np.uint8, np.uint8)
    assert (x.ravel().tolist(), y.tolist()) == (list(range(12)), [7, 2])


@pytest.mark.parametrize("value", [-1, 256, 0.5, np.nan])
def test_what_is_no_byte_is_named(put, value):
    values = np.array([[[1, 2], [value, 3]]], ">f8").tobytes()
    told = f"got {float(value)} at (0, 1, 0); read others with read_idx"
    assert_refused(put(idx((1, 2, 2), values, 0x0E)), told, reader=read_images)


def test_label_out_of_range(put):
    path = put(idx((5,), bytes([0, 9, 10, 255, 3])))
    assert_refused(path, "label 2: expected 0 to 9, got 10", reader=read_labels)
    assert read_labels(path, classes=256).max() == 255


def test_counts_differ(put):
    images, labels = put(idx((9, 2, 3))), put(idx((10,), bytes(10)))
    assert_refused(
        images, "9", "10", repr(str(labels)), reader=lambda path: load_idx(path, labels)
    )


@pytest.mark.parametrize("length", range(16))
def test_shorter_than_its_header(put, length):
    assert_refused(put(idx((2, 3, 4))[:length]), f"after {length} bytes")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\1" + idx((4,))[2:], ["not an IDX", "0x00010801"]),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), ["not an IDX", "0x89504e47"]),
        (b"label,pixel0\n", ["not an IDX"]),
        (b"PK\3\4" + bytes(9), ["not an IDX"]),
        (b"BZh9" + bytes(9), ["not an IDX"]),
        (idx((4,), code=0), ["not an IDX", "0x00000001"]),
        (idx((4,), code=0x0A), ["not an IDX", "0x00000a01"]),
        (struct.pack("<4I", 0x803, 1, 2, 2) + bytes(4), ["not an IDX", "0x03080000"]),
        (idx(()), ["rank 0"]),
        (idx((1,) * 5), ["rank 5"]),
        (b"\0\0\x08\xff" + bytes(2000), ["rank 255"]),
    ],
)
def test_wrong_magic(put, content, words):
    assert_refused(put(content), *words)


@pytest.mark.parametrize(
    "shape",
    [
        (2**32 - 1,),
        (2**16, 2**16),
        (2**32 - 1,) * 2,
        (2**31, 2**31, 4),  # 2**64: 0 if it wrapped
        (2**32 - 1,) * 4,
        (60_000, 28, 28),
    ],
)
def test_header_announces_much_more_than_there_is(put, shape):
    assert_refused(put(idx(shape, bytes(5))), "announces", str(math.prod(shape)))


def test_empty_axis_beside_huge_ones(put):
    assert_refused(put(idx((0,) + (2**32 - 1,) * 3, b"")), "announces")


def test_truncated_and_too_long(put):
    content = idx((2, 3, 4))
    for length in range(16, len(content)):
        path = put(content[:length])
        assert_refused(path, "truncated", "2 x 3 x 4 = 24", f"found {length - 16}")
    assert_refused(put(content + b"x"), "too long", "24")
    assert_refused(put(content + content), "too long", "24")


def test_surplus_of_a_plain_file_is_seen_before_reading_it(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(idx((8 * MIB,), bytes(8 * MIB + 5)))
    assert_refused(path, "too long", "5 bytes", limit=MIB)


@pytest.mark.parametrize("announced", [10, 10 * MIB])
def test_gzip_bomb(tmp_path, announced):
    packer = zlib.compressobj(1, wbits=31)
    pieces = [packer.compress(idx((announced,), b""))]
    pieces += [packer.compress(bytes(MIB)) for _ in range(128)]
    path = tmp_path / "bomb.gz"
    path.write_bytes(b"".join(pieces) + packer.flush())
    assert path.stat().st_size < MIB
    assert_refused(path, "too long", limit=announced + 4 * MIB)


def test_gzip_file_that_is_honest_but_too_large(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(gzip.compress(idx((1001,))))
    assert read_idx(path, max_bytes=1001).shape == (1001,)
    assert_refused(path, "1001", "1000", reader=lambda p: read_idx(p, max_bytes=1000))


def test_damaged_gzip(tmp_path):
    good = gzip.compress(idx((2, 3, 4)), mtime=0)
    path = tmp_path / "damaged"
    wrong_crc = good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]
    wrong_length = good[:-1] + b"\1"
    for content in (wrong_crc, wrong_length, good + b"garbage", good[:2] + b"\1" * 50):
        path.write_bytes(content)
        assert_refused(path, "damaged gzip", "again")
    for length in range(2, len(good)):
        path.write_bytes(good[:length])
        assert_refused(path)


def test_a_file_that_cannot_be_sought_is_not_called_damaged():
    """Python's error for an lseek that fails has no number, as a damaged file's error."""
    with pytest.raises(OSError, match="^a: cannot be read: no seek$"), gzip_faults("a"):
        raise io.UnsupportedOperation("no seek")


def test_random_damage_never_gives_other_data(tmp_path):
    """A changed plain file may be read as it is; a changed gzip file never."""
    rng = random.Random(1)
    good = idx((5, 3, 4), rng.randbytes(60))
    packed = gzip.compress(good, mtime=0)
    path = tmp_path / "x"
    for base in (good, packed):
        for _ in range(1500):
            content = bytearray(base)
            for _ in range(rng.choice([1, 1, 2, 8])):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
            try:
                array = read_idx(path)
            except FormatError as error:
                assert "\n" not in str(error)
                continue
            code = {np.dtype(np.uint8): 8, np.dtype(np.int8): 9}[array.dtype]
            whole = idx(array.shape, array.tobytes(), code)
            assert whole == (content if base is good else good)


def test_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="none"):
        read_idx(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        read_idx(tmp_path)
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="Not a regular file"):
            read_idx(path)


def test_an_error_of_the_disk_is_no_format_error(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(idx((4,))))

    def broken(self, size=-1):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(gzip.GzipFile, "read", broken)
    with pytest.raises(OSError, match="Input/output") as caught:
        read_idx(path)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("name", ["x", "x.gz"])
@pytest.mark.parametrize("shape", [(7,), (2, 5), (3, 2, 4), (2, 1, 2, 2), (0, 3)])
def test_write_then_read(tmp_path, name, shape):
    path = tmp_path / name
    array = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    write_idx(path, array)
    content = path.read_bytes()
    unpacked = gzip.decompress(content) if name == "x.gz" else content
    assert unpacked == idx(shape, array.tobytes())
    assert (read_idx(path) == array).all()
    assert names(tmp_path) == [name]


def test_write_any_layout(tmp_path):
    base = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    for array in (
        base[::2, ::-1],
        base.T,
        base[0, 0, ::2],
        np.broadcast_to(base[0, 0], (3, 6)),
    ):
        write_idx(tmp_path / "x", array)
        assert (read_idx(tmp_path / "x") == array).all()


def test_same_bytes_at_another_time_under_another_name(tmp_path, monkeypatch):
    array = np.arange(100, dtype=np.uint8)
    write_idx(tmp_path / "one.gz", array)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    write_idx(tmp_path / "two.gz", array)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


@pytest.mark.parametrize(
    ("array", "error", "word"),
    [
        (np.zeros(3), TypeError, "float64"),
        (np.zeros(3, np.int8), TypeError, "int8"),
        (np.zeros(3, bool), TypeError, "bool"),
        (np.uint8(3), ValueError, "1 to 4 axes .*got 0"),
        (np.zeros((1,) * 5, np.uint8), ValueError, "got 5"),
        (np.broadcast_to(np.uint8(0), (2**32,)), ValueError, "2\\*\\*32"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(tmp_path, array, error, word):
    with pytest.raises(error, match=word):
        write_idx(tmp_path / "x", array)
    assert names(tmp_path) == []


def test_disk_full_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.gz"
    write_idx(path, np.zeros(3, np.uint8))

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_idx(path, np.ones(9, np.uint8))
    monkeypatch.undo()
    assert caught.value.filename == str(path)
    assert read_idx(path).tolist() == [0, 0, 0]
    assert names(tmp_path) == ["x.gz"]


def test_gzip_made_elsewhere(tmp_path):
    """With a name and a time in its header, and in several members."""
    content, buffer = idx((50,)), io.BytesIO()
    with gzip.GzipFile("a name", "wb", fileobj=buffer) as file:
        file.write(content[:20])
    path = tmp_path / "x"
    path.write_bytes(buffer.getvalue() + gzip.compress(content[20:]))
    assert read_idx(path).tolist() == list(range(50))


def test_a_plain_file_with_holes_is_not_read(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 1 << 11, 1 << 10, 1 << 10))
    os.truncate(path, 16 + (1 << 31))
    with pytest.raises(
        FormatError, match="at most 1073741824 bytes of data, got 2147483648"
    ):
        read_images(path)
    with pytest.raises(FormatError, match="at most 5 bytes of data, got 6"):
        write_idx(path, np.zeros((2, 3), np.uint8))
        read_idx(path, max_bytes=5)
