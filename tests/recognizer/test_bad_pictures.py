"""Pictures that take too much, or that Pillow fails at: one line each, in bounded memory."""

import resource
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from environment import python_environment
from memory import measured
from rnn_native.base import picture_file
from rnn_native.base.errors import FormatError
from rnn_native.cli import main
from rnn_native.recognizer import opening, scaling
from rnn_native.recognizer.opening import read_picture
from rnn_native.recognizer.scaling import scaled


def chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(columns, rows, extra=b"", given=None):
    """White, one bit a pixel: of one byte some thousand pixels are made."""
    header = struct.pack(">IIBBBBB", columns, rows, 1, 0, 0, 0, 0)
    row = b"\0" + b"\xff" * -(-columns // 8)
    body = zlib.compress(row * (rows if given is None else given), 9)
    pieces = chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def tiff(tags, data=b""):
    """One directory of 4-byte tags; an offset of None is that of the data."""
    at = 8 + 2 + 12 * len(tags) + 4
    entries = [
        struct.pack("<HHII", tag, 4, 1, at if value is None else value)
        for tag, value in tags.items()
    ]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return head + b"".join(entries) + struct.pack("<I", 0) + data


def gray_tiff(columns, rows, bits, form, data):
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 273: None, 277: 1}
    return tiff({**tags, 278: 20, 279: len(data), 339: form}, data)


def tiled_tiff(side):
    data = zlib.compress(bytes(100_000))
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side}
    return tiff({**tags, 324: None, 325: len(data)}, data)


def dds(pixel_format):
    header = struct.pack("<7I", 124, 0x1007, 28, 28, 0, 0, 0) + bytes(44)
    return (
        b"DDS "
        + header
        + struct.pack("<II4s5I", 32, 4, pixel_format, 0, 0, 0, 0, 0)
        + bytes(20)
    )


HUNGRY = {
    "thin.png": png(1, 300_000),
    "thin.tif": gray_tiff(24, 65_556, 32, 3, bytes(1920)),
    "tiles.tif": tiled_tiff(44_992),
    "promise.ppm": b"P6 3400 3400 255\n",
    "text.png": png(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7)))),
    "profile.png": png(9, 9, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**7)))),
}
PEAK = """
import sys
from memory import peak
from rnn_native.cli import main
main(["predict", *sys.argv[1:]])
assert peak() < 300, f"{peak()} MB"
"""


@measured
def test_small_files_take_little_memory(tmp_path):
    """Whatever they promise or deliver."""
    for name, content in HUNGRY.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *HUNGRY],
        cwd=tmp_path,
        env=python_environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, 3 * 10**9)),
    )
    assert done.returncode == 0, done.stderr
    read = [line.split()[0] for line in done.stdout.splitlines()]
    assert read == ["thin.png", "thin.tif"]
    refused = [line for line in done.stderr.splitlines() if line.startswith("rnn-native: ")]
    for name, line in zip(list(HUNGRY)[2:], refused, strict=True):
        assert name in line


@pytest.mark.parametrize(
    "name, content",
    [("huge.png", png(9000, 7000, given=0)), ("tiles.tif", tiled_tiff(7000))],
    ids=["pixels", "pixels of a tile"],
)
def test_each_byte_stands_for_so_many_pixels_at_most(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    message = rf"{name}': too large for a file of {len(content)} bytes: .* 7000$"
    with pytest.raises(FormatError, match=message):
        read_picture(tmp_path / name)


def test_large_files_may_have_more_pixels(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png(5000, 5000))
    with pytest.raises(FormatError, match="too large for a file"):
        read_picture(path)
    with path.open("ab") as file:
        file.truncate(30_000)
    assert read_picture(path).shape == (5000, 5000)


def test_bad_pictures_do_not_stop_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = Image.new("L", (40, 60), 255)
    page.save("good.png")
    (tmp_path / "a.dds").write_bytes(dds(b"ABCD"))
    page.save("b.pcx")
    (tmp_path / "b.pcx").write_bytes((tmp_path / "b.pcx").read_bytes()[:130])
    (tmp_path / "c.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    page.save("d.ico")
    Image.fromarray(np.full((5, 5), np.nan, np.float32)).save("e.tif")
    bad = ["a.dds", "b.pcx", "c.eps", "d.ico", "e.tif"]
    assert main(["predict", *bad, "good.png"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("good.png")
    for name, line in zip(bad, err.splitlines(), strict=True):
        assert line.startswith(f"rnn-native: '{name}': ")


@pytest.mark.parametrize(
    "error",
    [
        NotImplementedError("what is this"),
        struct.error("unpack requires 4 bytes"),
        zlib.error("Error -3"),
        RuntimeError(),
        RecursionError("too deep"),
        OverflowError("too large"),
        ZeroDivisionError(),
        AttributeError("'NoneType' object"),
        TypeError("an\ninteger"),
        MemoryError(),
        OSError("broken data stream"),
        OSError(5, "Input/output error"),
        KeyError("JPEG"),
    ],
    ids=repr,
)
def test_whatever_a_decoder_raises_names_the_file(tmp_path, monkeypatch, capsys, error):
    def fail(*_):
        raise error

    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert main(["predict", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.png" in line


def test_interrupts_are_no_damage(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_picture(tmp_path / "a.png")


def test_pictures_that_are_open_at_once_leave_the_filters_of_warnings(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path)
    before = list(warnings.filters)
    first, second = (picture_file.opened_picture(path) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert warnings.filters == before


# ---- what is done in pieces ----


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (70, 55), (3, 500), (641, 40)])
@pytest.mark.parametrize("longer", [20, 64, 300])
def test_scaling_in_blocks_gives_means_over_areas(monkeypatch, rng, shape, longer):
    def shares(to, n):
        edge = np.arange(to + 1)[:, None] * (n / to)
        low, high = (
            np.maximum(edge[:-1], np.arange(n)),
            np.minimum(edge[1:], np.arange(n) + 1),
        )
        return (high - low).clip(0) * (to / n)

    image = rng.integers(0, 256, shape).astype(np.uint8)
    small = [max(1, round(n * longer / max(shape))) for n in shape]
    expected = shares(small[0], shape[0]) @ (image / 255) @ shares(small[1], shape[1]).T
    for block in (1, 1000, scaling.BLOCK):
        monkeypatch.setattr(scaling, "BLOCK", block)
        np.testing.assert_allclose(scaled(image, longer), expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_strips_are_the_whole(tmp_path, monkeypatch, rng, mode):
    gray = rng.integers(0, 256, (37, 23)).astype(np.uint8)
    picture = Image.fromarray(gray)
    if mode == "I;16":
        picture = Image.fromarray(gray.astype(np.uint16) * 200)
    elif mode == "RGBA":
        picture = Image.merge(mode, [picture, picture.rotate(180), picture, picture])
    else:
        picture = picture.convert(mode)
    path = tmp_path / "a.tif"
    picture.save(path)
    whole = read_picture(path)
    assert whole.shape == gray.shape
    for size in (100, 5):
        monkeypatch.setattr(picture_file, "PIECE", size)
        np.testing.assert_array_equal(read_picture(path), whole)


@pytest.mark.parametrize(
    ("orientation", "compression"),
    [*((o, None) for o in range(1, 10)), *((o, "tiff_lzw") for o in range(1, 9))],
)
def test_pictures_are_turned_as_pillow_turns_them(tmp_path, rng, orientation, compression):
    exif = Image.Exif()
    exif[opening.ORIENTATION] = orientation
    picture = Image.fromarray(rng.integers(0, 256, (5, 8)).astype(np.uint8))
    picture.save(tmp_path / "a.png", exif=exif)
    picture.save(tmp_path / "a.tif", exif=exif, compression=compression)
    # Of a TIFF file that is opened by its path, Pillow 13 mixes up the rows and columns.
    with Image.open(tmp_path / "a.png") as saved:
        expected = np.asarray(ImageOps.exif_transpose(saved))
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read_picture(tmp_path / name), expected)
