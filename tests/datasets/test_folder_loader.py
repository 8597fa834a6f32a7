"""Folders of pictures: rows and labels, the cache, and what is refused."""

import errno
import itertools
import os
import threading

import numpy as np
import pytest
from PIL import Image

import rnn_native as rn
from memory import measured, peak, reset_peak
from rnn_native.base import picture_file
from rnn_native.datasets import decoding, folder_loader, sealed

RNG = np.random.default_rng(5)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for i in range(9):
            pixels = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    (root / "cat" / "notes.txt").write_text("no picture")
    return root


def loaded(folder, **options):
    given = {"size": (6, 5), "batch_size": 4, "cache": folder.parent / "cache", **options}
    return rn.datasets.from_folder(folder, **given)


def rows_of(loader):
    x, y = zip(*loader.batches(None), strict=True)
    return np.concatenate(x), np.concatenate(y)


def expected(folder, mode):
    found = {}
    for path in folder.glob("*/*.png"):
        pixels = np.asarray(Image.open(path).convert(mode))
        pixels = pixels if mode == "L" else pixels.transpose(2, 0, 1)
        found[pixels.tobytes()] = ["cat", "dog"].index(path.parent.name)
    return found


@pytest.mark.parametrize("color", [False, True])
def test_pictures_and_labels_are_those_of_the_folder(folder, color):
    loader = loaded(folder, color=color, workers=0)
    assert loader.classes == ["cat", "dog"]
    x, y = rows_of(loader)
    assert x.shape == ((18, 3, 6, 5) if color else (18, 6, 5))
    of_row = expected(folder, "RGB" if color else "L")
    assert [of_row[row.tobytes()] for row in x] == y.tolist()
    _, held = loader.split(0.5)
    assert set(held.labels) == {0, 1}


def test_workers_give_the_bytes_of_one_process_and_the_cache_is_used(folder):
    alone, _ = rows_of(loaded(folder, workers=0, cache=folder.parent / "other"))
    assert np.array_equal(rows_of(loaded(folder, workers=2))[0], alone)
    cached = list((folder.parent / "cache").iterdir())
    assert len(cached) == 1
    written = cached[0].stat().st_mtime_ns
    net = rn.Network([rn.Dense(2)], input_shape=(30,))
    net.fit(loaded(folder), epochs=2, class_weight="balanced", verbose=0)
    assert cached[0].stat().st_mtime_ns == written
    (folder / "cat" / "0.png").unlink()
    assert loaded(folder, workers=0).shape == (17, 6, 5)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_named_and_leaves_no_cache(folder, workers):
    path = folder / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(rn.FormatError, match=r"3\.png: not a picture, or broken") as caught:
        loaded(folder, workers=workers)
    assert "\n" not in str(caught.value)
    assert not list((folder.parent / "cache").iterdir())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": 8}, TypeError, r"size: expected \(height, width\), got 8"),
        (
            {"size": (8, 8, 3)},
            TypeError,
            r"size: expected \(height, width\), got \(8, 8, 3",
        ),
        ({"size": (0, 8)}, ValueError, "size: expected an integer of at least 1, got 0"),
        ({"color": "RGB"}, TypeError, "color: expected True or False, got 'RGB'"),
    ],
)
def test_what_is_refused(folder, options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        loaded(folder, **options)


def test_empty_folders_are_refused(folder, tmp_path):
    (folder / "bird").mkdir()
    with pytest.raises(ValueError, match=r"bird: expected pictures, got none"):
        loaded(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: expected a folder for each class"):
        loaded(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="none"):
        loaded(tmp_path / "none")


# ---- the cache ----


def test_two_calls_at_once_write_a_file_each(folder, monkeypatch):
    """The second one begins when the first has decoded, and continues when that has ended."""
    calls, both, ended = itertools.count(), threading.Barrier(2), threading.Event()
    found = []

    def decode_in_turn(job):
        if next(calls):
            both.wait(60)
            assert ended.wait(60)
            return decoding.decode(job)
        faults = decoding.decode(job)
        both.wait(60)
        return faults

    def load():
        try:
            found.append(rows_of(loaded(folder, workers=0))[0])
        finally:
            ended.set()

    monkeypatch.setattr(folder_loader, "decode", decode_in_turn)
    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    of_row = expected(folder, "L")
    assert len(found) == 2
    assert all(row.tobytes() in of_row for rows in found for row in rows)
    assert len(list((folder.parent / "cache").iterdir())) == 1


def test_what_a_killed_call_left_is_removed(folder):
    cache = folder.parent / "cache"
    cache.mkdir()
    (cache / ".rnn_native-0123456789abcdef.part").write_bytes(b"half")
    loaded(folder, workers=0)
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_a_damaged_cache_is_written_again(folder, damage):
    first, _ = rows_of(loaded(folder, workers=0))
    (path,) = (folder.parent / "cache").iterdir()
    if damage == "other":
        np.save(path, np.zeros((18, 6, 6), np.uint8))
    else:
        os.truncate(path, 0 if damage == "empty" else path.stat().st_size - 1)
    assert np.array_equal(rows_of(loaded(folder, workers=0))[0], first)


def test_any_flipped_bit_of_the_cache_is_noticed(folder):
    first, _ = rows_of(loaded(folder, workers=0))
    (path,) = (folder.parent / "cache").iterdir()
    whole = path.read_bytes()
    assert sealed.is_whole(path)
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert not sealed.is_whole(path)
    assert np.array_equal(rows_of(loaded(folder, workers=0))[0], first)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["a" * 250, "\u4e2d" * 80])
def test_a_folder_may_have_a_long_name(folder, name):
    assert loaded(folder.rename(folder.with_name(name)), workers=0).shape == (18, 6, 5)


# ---- what is not decoded ----


def test_formats_that_run_programs_are_not_opened(folder, monkeypatch):
    from PIL import EpsImagePlugin

    ran = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: ran.append(1))
    text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    (folder / "dog" / "3.png").write_text(text)
    with pytest.raises(
        rn.FormatError, match=r"3\.png: not a picture, or broken: not an im"
    ):
        loaded(folder, workers=0)
    assert not ran


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pipe_is_refused(folder, workers):
    path = folder / "dog" / "3.png"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"Not a regular file: .*3\.png") as caught:
        loaded(folder, workers=workers)
    assert caught.value.errno == errno.EINVAL


class Alarm(Exception):
    """What a handler of signals may raise."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.EMFILE, "?"),
        OSError(errno.EIO, "?"),
        TimeoutError(),
        Alarm(),
    ],
    ids=repr,
)
def test_what_is_no_fault_of_a_picture_passes(folder, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(type(error)):
        loaded(folder, workers=0)
    assert not list((folder.parent / "cache").iterdir())


def test_processes_pass_lack_of_memory_on(folder, monkeypatch):
    def fail(*_):
        raise OSError("out of memory error when reading image file")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    (folder / "out").touch()
    job = {"root": str(folder), "shape": [6, 5], "out": str(folder / "out"), "name": "out"}
    found = decoding.answer({**job, "begin": 0, "pictures": [[0, "cat/0.png"]]})
    with pytest.raises(MemoryError, match=r"0\.png': needs more memory"):
        decoding.faults_of(found)


# ---- memory ----


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(9, 7), (37, 7), (9, 23), (60, 50)])
@pytest.mark.parametrize("extents", [(37, 23), (301, 3)])
def test_pieces_give_the_bytes_of_the_whole(tmp_path, monkeypatch, mode, size, extents):
    gray = Image.fromarray(RNG.integers(0, 256, extents, np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(gray).astype(np.uint16))
    elif mode in ("L", "1", "LA"):
        picture = gray.convert(mode)
    else:
        picture = Image.merge("RGB", [gray, gray.rotate(180), gray]).convert(mode)
    path = tmp_path / "a.tif"
    picture.save(path)
    monkeypatch.setattr(picture_file, "PIECE", 100)
    monkeypatch.setattr(decoding, "PIECE", 100)
    for wanted, shape in (("L", size), ("RGB", (3, *size))):
        with Image.open(path) as saved:
            whole = saved.convert(wanted).resize(size[::-1], Image.Resampling.BILINEAR)
        bands = b"".join(band.tobytes() for band in whole.split())
        assert decoding._pixels(path, shape) == bands


@measured
@pytest.mark.parametrize(
    "side, size",
    [((4000, 4000), (8, 8)), ((1, 300_000), (8, 512)), ((100, 9000), (8, 8192))],
)
def test_large_pictures_take_little_more_than_their_own_memory(tmp_path, side, size):
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    path = tmp_path / "pictures" / "a" / "0.png"
    Image.new("1", side).save(path)
    os.truncate(path, 30_000)  # each byte stands for 500 pixels at most
    before = reset_peak()
    loaded(tmp_path / "pictures", size=size, color=True, workers=0)
    assert peak() - before < 40
