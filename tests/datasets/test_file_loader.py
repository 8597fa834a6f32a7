"""Rows from files: what is read, in which order, and what is refused."""

import os
import struct
import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import save_file

import rnn_native as rn
from rnn_native.datasets.idx import write_idx
from rnn_native.net.losses import LOSSES

RNG = np.random.default_rng(5)
X = RNG.integers(0, 256, (1000, 12), dtype=np.uint8)
Y = RNG.integers(0, 3, 1000).astype(np.uint8)
SMALL = {"block_bytes": 4096, "batch_size": 32}  # 10 batches a block


def net():
    layers = [rn.Dense(16, "relu"), rn.Dropout(0.3), rn.Dense(3)]
    return rn.Network(layers, input_shape=(12,), optimizer="adam")


def save(kind, folder, x=X, y=Y, cuts=(0, 301, 302, 1000)):
    """Write shards of several lengths; return what `from_files` is given."""
    for i, (a, b) in enumerate(pairwise(cuts)):
        if kind == "npy":
            np.save(folder / f"x{i}.npy", x[a:b])
            np.save(folder / f"y{i}.npy", y[a:b])
        elif kind == "idx":
            write_idx(folder / f"x{i}.idx", x[a:b])
            write_idx(folder / f"y{i}.idx", y[a:b])
        else:
            save_file({"x": x[a:b].copy(), "y": y[a:b].copy()}, folder / f"{i}.safetensors")
    if kind == "safetensors":
        return (str(folder / "*.safetensors"),)
    return str(folder / f"x*.{kind}"), str(folder / f"y*.{kind}")


@pytest.mark.parametrize("kind", ["npy", "idx", "safetensors"])
def test_all_rows_come_once_and_in_order_without_a_seed(tmp_path, kind):
    loader = rn.datasets.from_files(*save(kind, tmp_path), **SMALL)
    assert loader.shape == X.shape
    assert len(loader) == 32
    parts = list(loader.batches(None))
    assert np.array_equal(np.concatenate([x for x, _ in parts]), X)
    assert np.array_equal(np.concatenate([y for _, y in parts]), Y)
    assert np.array_equal(loader.labels, Y)
    # Shuffled: the same pairs, in batches of the same size.
    parts = list(loader.batches(3))
    assert [len(x) for x, _ in parts] == [32] * 31 + [8]
    x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert not np.array_equal(x, X)
    assert sorted(map(bytes, np.c_[x, y])) == sorted(map(bytes, np.c_[X, Y]))
    again = np.concatenate([x for x, _ in loader.batches(3)])
    assert np.array_equal(x, again)
    assert not np.array_equal(x, np.concatenate([x for x, _ in loader.batches(4)]))


@pytest.mark.parametrize("threads", [1, 2])
def test_files_have_the_bits_of_arrays(tmp_path, threads):
    loader = rn.datasets.from_files(*save("npy", tmp_path), **SMALL)
    options = {"epochs": 2, "verbose": 0, "class_weight": "balanced"}
    whole, parts = net(), net()
    a = whole.fit(X, Y, shuffle=False, batch_size=32, **options)
    b = parts.fit(loader, shuffle=False, threads=threads, **options)
    assert np.array_equal(whole.weights, parts.weights)
    assert a.history["loss"] == b.history["loss"]
    # Shuffled, by the batches of the same seed, and cut elsewhere.
    listed, cut, called = net(), net(), net()
    listed.fit(loader, epochs=2, verbose=0, threads=threads)
    cut.fit(loader, epochs=4, steps_per_epoch=16, verbose=0)
    called.fit(loader, epochs=2, verbose=0, callbacks=Batches())
    assert np.array_equal(listed.weights, cut.weights)
    assert np.array_equal(listed.weights, called.weights)
    assert "rnn_native loader" not in [thread.name for thread in threading.enumerate()]


class Batches(rn.Callback):
    def on_train_batch_end(self, batch, logs):
        """Go batch by batch."""


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "none"])
def test_losses_do_not_depend_on_where_rows_are_cut(tmp_path, loss):
    """Trained, evaluated and held out: the sums over rows are those of one call."""
    rng, layers = np.random.default_rng(8), [rn.Dense(8, "tanh"), rn.Dense(3)]
    x = rng.normal(size=(1500, 6)).astype(np.float32)
    y = (x[:, :3] > 0).astype(np.float32)
    if loss == "softmax_cross_entropy":
        y = y.argmax(axis=1)
    cuts = (0, *sorted(rng.choice(np.arange(1, 1500), 4, replace=False)), 1500)
    loader = rn.datasets.from_files(
        *save("npy", tmp_path, x, y, cuts), batch_size=24, block_bytes=4096
    )

    def ends(x, y=None, **options):
        net = rn.Network(layers, input_shape=(6,), loss=loss, seed=3)
        options = {"epochs": 3, "verbose": 0, "shuffle": False, "l2": 1e-4, **options}
        history = net.fit(x, y, **options).history
        return history["loss"], history.get("val_loss"), net.weights.tobytes()

    whole = ends(x, y, batch_size=24, validation_data=(x, y))
    assert ends(loader, validation_data=loader) == whole
    assert ends(loader, validation_data=loader, callbacks=Batches()) == whole
    # Epochs that begin and end within passes.
    parts = ends(loader, steps_per_epoch=100)
    assert ends(x, y, batch_size=24, steps_per_epoch=100) == parts
    assert ends(x, y, batch_size=24, steps_per_epoch=100, callbacks=Batches()) == parts


def test_floats_and_values(tmp_path):
    x, y = RNG.normal(size=(100, 3, 4)), RNG.normal(size=(100, 2)).astype(">f4")
    loader = rn.datasets.from_files(*save("npy", tmp_path, x, y, (0, 50, 100)), **SMALL)
    assert loader.labels is None
    values = [
        rn.Network([rn.Flatten(), rn.Dense(2)], input_shape=(3, 4), loss="squared_error")
        for _ in range(2)
    ]
    values[0].fit(loader, verbose=0, shuffle=False)
    values[1].fit(x, y, verbose=0, shuffle=False, batch_size=32)
    assert np.array_equal(values[0].weights, values[1].weights)


def test_rows_are_held_out_from_the_end(tmp_path):
    loader = rn.datasets.from_files(*save("npy", tmp_path), **SMALL)
    train, held = loader.split(0.25)
    assert np.array_equal(np.concatenate([x for x, _ in held.batches(None)]), X[750:])
    assert np.array_equal(np.concatenate([x for x, _ in train.batches(None)]), X[:750])
    history = net().fit(train, validation_data=held, verbose=0)
    assert history.history["val_loss"][0] > 0
    with pytest.raises(ValueError, match=r"^fraction: 0 of 1000 rows is less than one row"):
        loader.split(0)


def test_an_idx_file_of_many_dimensions(tmp_path):
    """Their product would fill a message with digits."""
    path = tmp_path / "x"
    path.write_bytes(bytes([0, 0, 8, 255]) + b"\xff" * 4 * 255)
    with pytest.raises(rn.FormatError, match="at most 8 dimensions, got 255$"):
        rn.datasets.from_files(path, Y)


def test_what_is_refused(tmp_path):
    open_files = rn.datasets.from_files
    x, y = save("npy", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^x: no file matches '.*none\*'"):
        open_files(str(tmp_path / "none*"), y)
    with pytest.raises(ValueError, match=r"^x: expected at least one file, got none"):
        open_files([], y)
    with pytest.raises(ValueError, match=r"^y: expected 1000 rows, as x has, got 7"):
        open_files(x, Y[:7])
    with pytest.raises(
        ValueError, match=r"^y: expected files .*, and .*x0\.npy has one arr"
    ):
        open_files(x)
    np.save(tmp_path / "y1.npy", Y[:5])
    with pytest.raises(
        ValueError, match=r"y1\.npy: expected 1 rows, as .*x1\.npy has, got 5"
    ):
        open_files(x, y)
    np.save(tmp_path / "x1.npy", X[:1, :5])
    with pytest.raises(
        ValueError, match=r"x1\.npy: expected rows of uint8 of shape \(12,\)"
    ):
        open_files(x, y)
    for name, content, message in [
        ("a.txt", b"hello", "expected an IDX, npy or safetensors file"),
        ("a.gz", b"\x1f\x8bxxxx", "file; unpack it first"),
        ("a.npy", b"\x93NUMPY\1\0", "truncated npy file: it ends within its header"),
        ("b.npy", b"\x93NUMPY\1\0\1\0{", "its header is not that of an array"),
        ("c.npy", b"\x93NUMPY\1\0\x60\xea" + b" " * 60_000, "npy header of 60000 bytes"),
        ("a.idx", b"\0\0\x08\3\0\0", "truncated IDX file"),
        ("b.idx", b"\0\0\x08\1\0\0\0\x09abc", "truncated: expected 17 bytes"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(rn.FormatError, match=message) as caught:
            open_files(tmp_path / name, Y)
        assert "\n" not in str(caught.value)
    np.save(tmp_path / "f.npy", np.asfortranarray(X))
    with pytest.raises(rn.FormatError, match="got Fortran order"):
        open_files(tmp_path / "f.npy", Y)
    np.save(tmp_path / "u.npy", np.array(["a", "b"]))
    with pytest.raises(
        rn.FormatError, match="expected integers or floats .* got the data type '<U1'"
    ):
        open_files(tmp_path / "u.npy", Y)
    save_file({"images": X}, tmp_path / "a.safetensors")
    with pytest.raises(rn.FormatError, match="expected a tensor 'x', got images"):
        open_files(tmp_path / "a.safetensors", Y)
    assert open_files(tmp_path / "a.safetensors", Y, names=("images", "")).shape == X.shape


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_header_with_holes_is_not_read(tmp_path, version):
    """A header of a gigabyte, which takes no room on the disk; and none of the memory."""
    with (tmp_path / "x.npy").open("wb") as file:
        file.write(b"\x93NUMPY" + bytes([version, 0]) + b"\xff\xff\xff\x3f")
        file.truncate(1 << 30)
    tracemalloc.start()
    with pytest.raises(rn.FormatError, match=r"x\.npy: npy header of \d+ bytes, expected"):
        rn.datasets.from_files(tmp_path / "x.npy", Y)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_files_of_python_2(tmp_path):
    content = b"{'descr': '|u1', 'fortran_order': False, 'shape': (10L, 4L), }"
    header = b"\x93NUMPY\1\0" + struct.pack("<H", len(content)) + content
    (tmp_path / "x.npy").write_bytes(header + bytes(40))
    assert rn.datasets.from_files(tmp_path / "x.npy", np.arange(10) % 3).shape == (10, 4)


def test_a_file_that_gets_shorter_ends_training_with_a_line(tmp_path):
    np.save(tmp_path / "x.npy", X)
    loader = rn.datasets.from_files(tmp_path / "x.npy", Y)
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(500)
    with pytest.raises(rn.FormatError, match=r"x\.npy: it ends too early"):
        net().fit(loader, verbose=0)


def test_a_pipe_in_place_of_a_file_ends_training_with_a_line(tmp_path):
    np.save(tmp_path / "x.npy", X)
    loader = rn.datasets.from_files(tmp_path / "x.npy", Y)
    (tmp_path / "x.npy").unlink()
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(OSError, match=r"Not a regular file: .*x\.npy"):
        net().fit(loader, verbose=0)
