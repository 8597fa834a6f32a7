import gzip
import hashlib
import os
import struct
import subprocess
import sys
import threading
import time
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mirror import Mirror
from rnn_native import datasets
from rnn_native.base.errors import FormatError
from rnn_native.datasets import download, published
from rnn_native.datasets.idx import write_idx
from rnn_native.datasets.mnist import find_mnist, load_mnist
from rnn_native.datasets.opening import load_mnist_or_synthetic, open_dataset
from rnn_native.datasets.places import DataNotFoundError
from rnn_native.datasets.published import mnist_hashes_match

NAMES = [file.name for file in published.DATASETS["mnist"].files]
KEYS = ["x_train", "y_train", "x_test", "y_test"]
REAL_MNIST = os.environ.get("RNN_NATIVE_DATA")
REAL_RECORD = published.DATASETS["mnist"]


def make(seed=0):
    """Return four arrays with the layout of MNIST."""
    rng = np.random.default_rng(seed)
    arrays = []
    for n in (20, 10):
        arrays.append(rng.integers(0, 256, (n, 28, 28), np.uint8))
        arrays.append(rng.integers(0, 10, n, np.uint8))
    return arrays


def put(folder, arrays, names=NAMES):
    for name, array in zip(names, arrays, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_idx(folder / name, array)
    return folder


def flat(pairs):
    return [array for pair in pairs for array in pair]


def same(pairs, arrays):
    mine = flat(pairs)
    return len(mine) == len(arrays) and all(map(np.array_equal, mine, arrays))


def content(array):
    """Return the unpacked file of `array`, independently of the package."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


ARRAYS = make()
CONTENT = dict(zip(NAMES, map(content, ARRAYS), strict=True))


def change_record(monkeypatch, **fields):
    record = published.DATASETS["mnist"]._replace(**fields)
    monkeypatch.setitem(published.DATASETS, "mnist", record)


@pytest.fixture(autouse=True)
def places(no_places, monkeypatch):
    """Let every usual place be an empty one, and MNIST be small and without mirrors."""
    files = tuple(
        published.File(name, len(CONTENT[name]), hashlib.sha256(CONTENT[name]).hexdigest())
        for name in NAMES
    )
    change_record(monkeypatch, files=files, mirrors=())
    return types.SimpleNamespace(
        data=no_places.data,
        torchvision=no_places.data / "MNIST" / "raw",
        keras=no_places.keras,
        cache=no_places.cache / "mnist",
    )


@pytest.fixture
def generator(monkeypatch):
    """Put a quick generator in the place of the real one; return its calls."""
    calls = []

    def synthetic_digits(n, seed=0):
        calls.append((n, seed))
        return np.zeros((n, 28, 28), np.uint8), np.zeros(n, np.uint8)

    module = types.ModuleType("rnn_native.datasets.synthetic")
    module.synthetic_digits = synthetic_digits
    monkeypatch.setitem(sys.modules, "rnn_native.datasets.synthetic", module)
    return calls


def assert_one_line(caught, *words):
    message = str(caught.value)
    assert message.isprintable()
    for word in words:
        assert str(word) in message


# Where it lies


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        [f"{name}.gz" for name in NAMES],
        [name.replace("-idx", ".idx") for name in NAMES],
        [name.replace("-idx", ".idx") + ".gz" for name in NAMES],
        [f"{name}/{name}" for name in NAMES],
        [NAMES[0], NAMES[1] + ".gz", NAMES[2].replace("-idx", ".idx"), NAMES[3]],
    ],
)
@pytest.mark.parametrize("below", ["", "MNIST/raw", "mnist"])
def test_every_layout_of_a_folder(tmp_path, names, below):
    put(tmp_path / "here" / below, ARRAYS, names)
    assert find_mnist(tmp_path / "here") == tmp_path / "here" / below
    for path in (tmp_path / "here", str(tmp_path / "here")):
        loaded = load_mnist(path)
        assert same(loaded, ARRAYS)
    assert all(array.dtype == np.uint8 for array in flat(loaded))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_keras(tmp_path, save):
    path = tmp_path / "mnist.npz"
    save(path, **dict(zip(KEYS, ARRAYS, strict=True)))
    assert find_mnist(tmp_path) == find_mnist(path) == path
    assert same(load_mnist(path), ARRAYS)
    assert same(load_mnist(tmp_path), ARRAYS)


def test_npz_in_fortran_order(tmp_path):
    arrays = dict(zip(KEYS, map(np.asfortranarray, ARRAYS), strict=True))
    np.savez(tmp_path / "mnist.npz", **arrays)
    loaded = load_mnist(tmp_path)
    assert same(loaded, ARRAYS)
    assert all(array.flags.c_contiguous for array in flat(loaded))


def test_order_of_places(places, tmp_path, monkeypatch):
    """Each place wins over all those filled before it, from the last to the first."""
    assert find_mnist() is None
    put(places.cache, make(1))
    assert find_mnist() == places.cache
    places.keras.mkdir(parents=True)
    np.savez(places.keras / "mnist.npz", **dict(zip(KEYS, make(2), strict=True)))
    assert find_mnist() == places.keras / "mnist.npz"
    put(places.torchvision, make(3))
    assert Path.cwd() / find_mnist() == places.torchvision
    put(places.data, make(4))
    assert Path.cwd() / find_mnist() == places.data
    monkeypatch.setenv("RNN_NATIVE_DATA", str(put(tmp_path / "named", make(5))))
    assert find_mnist() == tmp_path / "named"
    assert find_mnist(put(tmp_path / "given", make(6))) == tmp_path / "given"
    assert same(load_mnist(tmp_path / "given"), make(6))
    assert same(load_mnist(), make(5))
    monkeypatch.setenv("RNN_NATIVE_DATA", "")
    assert same(load_mnist(), make(4))


def test_what_was_asked_for_is_not_replaced(places, tmp_path, monkeypatch, generator):
    """Not by other places, not by a download, and not by generated digits."""
    put(places.data, ARRAYS)
    empty, three = tmp_path / "empty", put(tmp_path / "three", ARRAYS)
    empty.mkdir()
    (three / NAMES[1]).unlink()
    (three / "file").touch()
    for load in (find_mnist, load_mnist, load_mnist_or_synthetic, open_dataset):
        for path in (empty, three, tmp_path / "none", three / "file"):
            for named in (False, True):
                if named:
                    monkeypatch.setenv("RNN_NATIVE_DATA", str(path))
                else:
                    monkeypatch.delenv("RNN_NATIVE_DATA", raising=False)
                with pytest.raises(OSError) as caught:
                    load(None if named else path)
                assert not isinstance(caught.value, DataNotFoundError)
                assert_one_line(caught, path, "RNN_NATIVE_DATA" if named else "")
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(three)
    assert_one_line(caught, NAMES[1])
    assert NAMES[0] not in str(caught.value)
    assert generator == []


def test_incomplete_usual_places_are_passed_over(places):
    put(places.data, ARRAYS)
    (places.data / NAMES[3]).unlink()
    put(places.cache, ARRAYS)
    assert find_mnist() == places.cache


def test_no_home_folder(places, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "~nobody-of-this-name/.keras")
    monkeypatch.setattr("pooch.os_cache", lambda project: Path("~/.cache/rnn_native"))
    with pytest.raises(DataNotFoundError, match="no home folder"):
        load_mnist()
    assert list(Path.cwd().iterdir()) == []


def test_broken_file_in_a_usual_place_is_an_error(places):
    put(places.data, ARRAYS)
    put(places.cache, ARRAYS)
    with (places.data / NAMES[2]).open("r+b") as file:
        file.truncate(100)
    with pytest.raises(FormatError, match="truncated") as caught:
        load_mnist()
    assert_one_line(caught, NAMES[2])


@pytest.mark.parametrize(
    ("index", "array", "word"),
    [
        (0, np.zeros((20, 32, 32), np.uint8), "28, 28"),
        (2, np.zeros((10, 28, 27), np.uint8), "28, 28"),
        (0, np.zeros((19, 28, 28), np.uint8), "19"),
        (3, np.zeros(11, np.uint8), "11"),
        (1, np.full(20, 10, np.uint8), "label 0: expected 0 to 9, got 10"),
    ],
)
@pytest.mark.parametrize("kind", ["idx", "npz"])
def test_content_that_does_not_fit(tmp_path, kind, index, array, word):
    arrays = list(ARRAYS)
    arrays[index] = array
    if kind == "idx":
        put(tmp_path, arrays)
    else:
        np.savez(tmp_path / "mnist.npz", **dict(zip(KEYS, arrays, strict=True)))
    with pytest.raises(FormatError) as caught:
        load_mnist(tmp_path)
    assert_one_line(caught, tmp_path, word)


def test_no_images_at_all(tmp_path):
    put(tmp_path, [ARRAYS[0][:0], ARRAYS[1][:0], *ARRAYS[2:]])
    with pytest.raises(FormatError, match="images have shape"):
        load_mnist(tmp_path)


# npz files that are not to be trusted


class Canary:
    def __reduce__(self):
        return (pytest.fail, ("pickled data were executed",))


def npz(path, **changes):
    np.savez_compressed(path, **(dict(zip(KEYS, ARRAYS, strict=True)) | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"x_train": np.array([Canary()], object)}, "got Python objects"),
        ({"x_train": ARRAYS[0].astype(np.float32)}, "float32"),
        ({"x_train": ARRAYS[0] / -255.0}, "float64 from -1 to"),
        ({"x_train": ARRAYS[0] / np.nan}, "float64 from nan to nan"),
        ({"y_test": ARRAYS[3].astype(float)}, "expected integers"),
        ({"y_test": ARRAYS[3].astype(np.int64) + 256}, "expected 0 to 9"),
        ({"y_test": np.full(10, -1)}, "expected 0 to 9, got -1"),
        ({"x_train": ARRAYS[0].reshape(20, 4, 196)}, "shape (20, 4, 196)"),
        ({"y_test": np.zeros(10, [("a", "u1")])}, "'a'"),
        ({"x_train": ARRAYS[0].reshape(20 * 784)}, "rank 3"),
        ({"y_train": np.uint8(3)}, "rank 1"),
    ],
)
def test_npz_with_other_arrays(tmp_path, changes, word):
    with pytest.raises(FormatError) as caught:
        load_mnist(npz(tmp_path / "mnist.npz", **changes))
    assert_one_line(caught, tmp_path, word)


@pytest.mark.parametrize(
    "changes",
    [
        {"y_train": ARRAYS[1].astype(np.int64), "y_test": ARRAYS[3].reshape(-1, 1)},
        {"x_train": ARRAYS[0].reshape(20, 784), "x_test": ARRAYS[2][..., None]},
        {"x_train": ARRAYS[0][:, None], "x_test": (ARRAYS[2] / 255).astype(np.float32)},
    ],
)
def test_npz_as_people_write_them(tmp_path, changes):
    (x, y), (x_test, y_test) = load_mnist(npz(tmp_path / "mnist.npz", **changes))
    for found, expected in zip((x, y, x_test, y_test), ARRAYS, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint8


def test_npz_of_medmnist(tmp_path):
    names = ("train_images", "train_labels", "test_images", "test_labels")
    arrays = dict(zip(names, ARRAYS, strict=True))
    arrays |= {name: arrays[name].reshape(-1, 1) for name in names if "labels" in name}
    np.savez(tmp_path / "own.npz", **arrays, val_images=ARRAYS[2], val_labels=ARRAYS[3])
    (x, y), _ = load_mnist(tmp_path / "own.npz")
    np.testing.assert_array_equal(x, ARRAYS[0])
    np.testing.assert_array_equal(y, ARRAYS[1])


def test_npz_that_is_none(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=ARRAYS[0])
    with pytest.raises(FormatError, match="y_train"):
        load_mnist(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY")
    with pytest.raises(FormatError, match="expected .* stored or deflated"):
        load_mnist(path)
    for junk in (b"", b"PK\3\4", content(ARRAYS[1])):
        path.write_bytes(junk)
        with pytest.raises(FormatError, match="npz") as caught:
            load_mnist(path)
        assert_one_line(caught, path)


@pytest.mark.parametrize("shape", [(2**62, 28, 28), (10**6, 28, 28), (-1, 28, 28)])
def test_npz_whose_header_lies(tmp_path, shape):
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", member(shape, bytes(100)))
    with pytest.raises(FormatError) as caught:
        load_mnist(path)
    assert_one_line(caught, "x_train")


def test_npz_with_a_huge_header(tmp_path):
    """NumPy's own message about it has several lines."""
    content = b"\x93NUMPY\2\0" + struct.pack("<I", 20_000) + b" " * 20_000
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", content)
    with pytest.raises(FormatError) as caught:
        load_mnist(path)
    assert_one_line(caught, "header")


def member(shape, data=b""):
    """Return an npy file whose header says `shape`, whatever the data are."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + data


def encrypted(raw, entry):
    raw[entry + 8] |= 1


def placed_at_the_end(raw, entry):
    struct.pack_into("<I", raw, entry + 42, len(raw) - 10)


def not_deflated(raw, entry):
    start = 30 + sum(struct.unpack_from("<2H", raw, 26))
    raw[start : start + 4] = b"\xff" * 4


def placed_before_the_beginning(raw, entry):
    end = raw.index(b"PK\5\6")
    struct.pack_into("<I", raw, end + 16, 2**32 - 2)
    struct.pack_into("<I", raw, entry + 42, 5)


def longer_than_the_file(raw, entry):
    size = len(member((2000, 28, 28))) + 2000 * 784
    struct.pack_into("<HHHIII", raw, entry + 10, 0, 0, 0, 0, size, size)


@pytest.mark.parametrize(
    "damage",
    [
        encrypted,
        placed_at_the_end,
        placed_before_the_beginning,
        not_deflated,
        longer_than_the_file,
    ],
)
def test_npz_whose_zip_part_is_wrong(tmp_path, damage):
    path = tmp_path / "mnist.npz"
    deflate = zipfile.ZIP_STORED if "longer" in damage.__name__ else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", deflate) as archive:
        archive.writestr("x_train.npy", member((2000, 28, 28), bytes(100)))
    raw = bytearray(path.read_bytes())
    damage(raw, raw.index(b"PK\1\2"))
    path.write_bytes(raw)
    with pytest.raises(FormatError, match="not an npz file, or damaged") as caught:
        load_mnist(path)
    assert_one_line(caught, path)


def test_damaged_npz_never_gives_other_data(tmp_path):
    good = npz(tmp_path / "mnist.npz").read_bytes()
    path, rng = tmp_path / "bad.npz", np.random.default_rng(1)
    for _ in range(150):
        bad = np.frombuffer(good, np.uint8).copy()
        # The heads and the directory are where a reader can be led astray.
        where = rng.choice([rng.integers(len(bad)), -rng.integers(1, 300)])
        bad[where] ^= 1 << rng.integers(8)
        path.write_bytes(bad.tobytes()[: rng.choice([len(bad), rng.integers(len(bad))])])
        try:
            loaded = load_mnist(path)
        except FormatError as error:
            assert str(error).isprintable()
        else:
            assert same(loaded, ARRAYS)


# Hashes


def test_hashes_tell_mnist_from_others(places):
    pairs = (ARRAYS[0], ARRAYS[1]), (ARRAYS[2], ARRAYS[3])
    assert mnist_hashes_match(pairs)
    assert mnist_hashes_match(
        ((np.asfortranarray(ARRAYS[0]), ARRAYS[1]), (ARRAYS[2], ARRAYS[3]))
    )
    for index in range(4):
        others = [array.copy() for array in ARRAYS]
        others[index].flat[-1] ^= 1
        assert not mnist_hashes_match(((others[0], others[1]), (others[2], others[3])))
    assert not mnist_hashes_match((pairs[1], pairs[0]))


@pytest.mark.skipif(not REAL_MNIST, reason="RNN_NATIVE_DATA does not name MNIST")
def test_real_mnist(monkeypatch):
    monkeypatch.setitem(published.DATASETS, "mnist", REAL_RECORD)
    monkeypatch.setenv("RNN_NATIVE_DATA", str(Path(REAL_MNIST).absolute()))
    (x_train, y_train), (x_test, y_test) = pairs = load_mnist(download=False)
    assert x_train.shape == (60_000, 28, 28)
    assert x_test.shape == (10_000, 28, 28)
    assert np.bincount(y_train).tolist()[:3] == [5923, 6742, 5958]
    assert y_test[:16].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5]
    if not mnist_hashes_match(pairs):
        pytest.fail("the files of RNN_NATIVE_DATA are not MNIST itself")


# Downloading, from mirrors on this machine


class MirrorOfMnist(Mirror):
    """A mirror that serves small files in the place of MNIST's."""

    def serve(self, **changes):
        for name in NAMES:
            self.answers[f"/mnist/{name}.gz"] = gzip.compress(CONTENT[name])
        self.answers |= {f"/mnist/{NAMES[int(k[1:])]}.gz": changes[k] for k in changes}


@pytest.fixture
def mirrors(monkeypatch):
    pair = MirrorOfMnist(), MirrorOfMnist()
    change_record(monkeypatch, mirrors=tuple(mirror.url for mirror in pair))
    monkeypatch.setattr(download, "TIMEOUT", 1.0)
    yield pair
    for mirror in pair:
        mirror.close()


def assert_only_good_files(folder):
    """Nothing but whole, right files under final names; no temporary files."""
    for path in folder.glob("**/*"):
        assert path.read_bytes() == CONTENT[path.name]


def test_download(mirrors, places, capsys):
    mirrors[0].serve()
    assert same(load_mnist(), ARRAYS)
    assert sorted(path.name for path in places.cache.iterdir()) == sorted(NAMES)
    assert_only_good_files(places.cache)
    assert mirrors[1].asked == []
    assert capsys.readouterr().err == ""
    assert find_mnist() == places.cache
    assert same(load_mnist(), ARRAYS)
    assert len(mirrors[0].asked) == 4


def test_download_of_files_that_are_not_packed(mirrors):
    mirrors[0].serve(_0=CONTENT[NAMES[0]])
    assert same(load_mnist(), ARRAYS)


def test_progress_bar(mirrors, places, capsys):
    mirrors[0].serve()
    load_mnist(progress=True)
    captured = capsys.readouterr()
    assert all(name in captured.err for name in NAMES)
    assert "100%" in captured.err
    assert captured.out == ""


def test_no_download_unless_wanted(mirrors):
    mirrors[0].serve()
    with pytest.raises(DataNotFoundError, match="downloads are off"):
        load_mnist(download=False)
    assert find_mnist() is None
    assert mirrors[0].asked == []


def short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(gzip.compress(CONTENT[NAMES[0]])[:3000])
    handler.close_connection = True


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def trickle(handler):
    handler.send_response(200)
    handler.end_headers()
    for byte in gzip.compress(CONTENT[NAMES[0]]):
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def silent(handler):
    time.sleep(5)


def stalled(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    time.sleep(5)


def no_http(handler):
    handler.wfile.write(b"HTTP/1.1 \x1b[2Jnonsense\r\n\r\n")
    handler.close_connection = True


def redirected_for_ever(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def server_error(handler):
    handler.send_error(503)


def hung_up(handler):
    handler.connection.shutdown(2)
    handler.close_connection = True


FLIPPED = bytearray(CONTENT[NAMES[0]])
FLIPPED[5000] ^= 1

LIES = {
    "not found": (None, "404"),
    "server error": (server_error, "503"),
    "other content": (gzip.compress(bytes(FLIPPED)), "SHA-256"),
    "other file": (gzip.compress(CONTENT[NAMES[2]]), "SHA-256"),
    "a page in its place": (b"<html>log in to the network</html>", "SHA-256"),
    "empty": (b"", "SHA-256"),
    "short body": (short, "gzip"),
    "damaged gzip": (gzip.compress(CONTENT[NAMES[0]])[:-6] + bytes(6), "gzip"),
    "surplus": (gzip.compress(CONTENT[NAMES[0]]) + b"x", "SHA-256|gzip"),
    "bomb": (gzip.compress(bytes(1 << 23)), "SHA-256"),
    "endless": (endless, "too long"),
    "trickle": (trickle, "not complete"),
    "silent": (silent, "no answer|timed out"),
    "stalled": (stalled, "timed out"),
    "no http": (no_http, "127.0.0.1"),
    "redirected forever": (redirected_for_ever, "redirect"),
    "hung up": (hung_up, "127.0.0.1"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_mirror_that_lies_is_replaced_by_the_next(mirrors, places, monkeypatch, lie):
    monkeypatch.setattr(download, "DEADLINE", 1.0)
    mirrors[0].serve(_0=LIES[lie][0])
    mirrors[1].serve()
    assert same(load_mnist(), ARRAYS)
    assert_only_good_files(places.cache)
    assert set(mirrors[0].asked) == {f"/mnist/{NAMES[0]}.gz"}
    assert len(mirrors[1].asked) == 4


@pytest.mark.parametrize("lie", LIES)
def test_only_lies(mirrors, places, monkeypatch, lie):
    answer, word = LIES[lie]
    monkeypatch.setattr(download, "DEADLINE", 1.0)
    for mirror in mirrors:
        mirror.serve(_0=answer)
    with pytest.raises(DataNotFoundError, match=word) as caught:
        load_mnist()
    assert_one_line(caught, NAMES[0], "RNN_NATIVE_DATA", "./data", places.cache)
    assert list(places.cache.iterdir()) == []


def test_memory_of_a_download_is_bounded(mirrors):
    """A bomb and a body without end; the package may hold a few small copies."""
    import tracemalloc

    bomb = gzip.compress(bytes(15 << 20))
    for answer in (bomb, endless):
        mirrors[0].serve(_0=answer)
        # Ready before, as loading modules takes memory too.
        part = published.DATASETS["mnist"].files[0]
        tracemalloc.start()
        with pytest.raises(OSError):
            download._fetch_from_any([mirrors[0].url], part, False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 << 20


def test_an_interrupted_download_is_continued(mirrors, places):
    for mirror in mirrors:
        mirror.serve(_2=None)
    with pytest.raises(DataNotFoundError, match=NAMES[2]):
        load_mnist()
    assert sorted(path.name for path in places.cache.iterdir()) == sorted(NAMES[:2])
    assert_only_good_files(places.cache)
    # One of the files is now damaged from outside: it is not taken as it is.
    (places.cache / NAMES[1]).write_bytes(bytes(len(CONTENT[NAMES[1]])))
    for mirror in mirrors:
        mirror.serve()
        mirror.asked.clear()
    assert same(load_mnist(), ARRAYS)
    asked = mirrors[0].asked + mirrors[1].asked
    assert asked == [f"/mnist/{NAMES[index]}.gz" for index in (1, 2, 3)]


def test_a_name_that_takes_for_ever_to_look_up(mirrors, monkeypatch):
    """The time-out of a socket does not cover it."""
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: over.wait(10))
    try:
        with pytest.raises(DataNotFoundError, match="no answer within"):
            load_mnist()
    finally:
        over.set()


def test_no_network(monkeypatch):
    url = "http://127.0.0.1:9/mnist/"
    change_record(monkeypatch, mirrors=(url, "http://host.invalid/"))
    with pytest.raises(DataNotFoundError, match="refused") as caught:
        load_mnist()
    assert_one_line(caught, "host.invalid", "RNN_NATIVE_DATA")


@pytest.mark.parametrize("stage", ["mkdir", "open", "write", "fsync", "replace"])
def test_a_cache_that_cannot_be_written(mirrors, places, monkeypatch, stage):
    mirrors[0].serve()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", args[0])

    with monkeypatch.context() as patch:
        patch.setattr(os, stage, full)
        with pytest.raises(DataNotFoundError, match="No space left") as caught:
            load_mnist()
    assert_one_line(caught, places.cache)
    assert_only_good_files(places.cache)
    assert find_mnist() is None


# Generated digits in its place


def test_fallback_says_so_in_one_line(generator, capsys):
    data = load_mnist_or_synthetic(download=False)
    assert generator == [(20_000, 1), (4_000, 2)]
    assert data.x_train.shape == (20_000, 28, 28)
    assert data.x_test.shape == (4_000, 28, 28)
    assert data.y_train.shape == (20_000,)
    assert data.y_test.shape == (4_000,)
    assert "generated" in data.source
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "MNIST not found" in captured.err
    assert "generated digits" in captured.err
    assert len(captured.err) < 150


def test_a_notebook_shows_no_alarm_for_it(generator, capsys, monkeypatch):
    """Notebooks show standard error on red."""
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(
        sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell)
    )
    load_mnist_or_synthetic(download=False)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("rnn-native: MNIST not found")


def test_no_fallback_for_a_broken_file(places, generator):
    put(places.data, ARRAYS)
    (places.data / NAMES[0]).write_bytes(b"")
    with pytest.raises(FormatError):
        open_dataset(None)
    assert generator == []


def test_what_is_measured_on_is_never_replaced(places, generator, capsys):
    with pytest.raises(DataNotFoundError, match="MNIST not found"):
        open_dataset(None, replace=False)
    assert (generator, capsys.readouterr().err) == ([], "")
    assert "generated" in open_dataset("synthetic", replace=False).source
    put(places.data, make(2))
    assert same([open_dataset(None, replace=False)[:2]], make(2)[:2])


def test_open_dataset(places, tmp_path, generator, capsys):
    assert "generated" in open_dataset("synthetic").source
    assert len(generator) == 2
    for path in (put(tmp_path / "a", ARRAYS), str(tmp_path / "a")):
        data = open_dataset(path)
        assert same([data[:2], data[2:4]], ARRAYS)
        assert str(tmp_path / "a") in data.source
    with pytest.raises(FileNotFoundError):
        open_dataset(Path("synthetic"))
    put(Path("synthetic"), make(1))
    assert same([open_dataset("./synthetic")[:2]], make(1)[:2])
    put(places.data, make(2))
    assert same([open_dataset(None)[:2]], make(2)[:2])
    assert capsys.readouterr().err == ""
    assert len(generator) == 2


def test_the_generator_is_a_name_of_the_module(generator):
    x, y = datasets.synthetic_digits(3, seed=1)
    assert x.shape == (3, 28, 28)
    assert y.shape == (3,)
    with pytest.raises(AttributeError, match="no_such_name"):
        datasets.no_such_name  # noqa: B018
    assert all(hasattr(datasets, name) for name in datasets.__all__)


def test_the_import_is_light():
    """Of the module itself: the package around it is an empty one here."""
    program = (
        "import sys, types, numpy\n"
        "before = set(sys.modules)\n"
        "package = sys.modules['rnn_native'] = types.ModuleType('rnn_native')\n"
        "package.__path__ = sys.argv[1:]\n"
        "import rnn_native.datasets\n"
        "heavy = {'pooch', 'tqdm', 'urllib.request', 'gzip', 'http', 'ssl', 'zipfile',"
        " 'hashlib', 'threading', 'requests', 'rnn_native.datasets.synthetic'}\n"
        "assert not heavy & (set(sys.modules) - before)"
    )
    package = str(Path(datasets.__file__).parent.parent)
    subprocess.run([sys.executable, "-c", program, package], check=True)
