"""Paths that no file can have are named, by all that takes a path."""

import numpy as np
import pytest

import rnn_native as rn

X, Y = np.ones((40, 3), np.float32), [0, 1] * 20
DATA = (X, Y), (X, Y)


def net():
    return rn.Network([rn.Dense(2)], (3,))


def calls_back(callback):
    net().fit(X, Y, callbacks=[callback], verbose=0)


TAKERS = {
    "CSVLogger": lambda path: calls_back(rn.CSVLogger(path)),
    "ModelCheckpoint": lambda path: calls_back(rn.ModelCheckpoint(path)),
    "TensorBoard": lambda path: calls_back(rn.TensorBoard(path)),
    "from_files": lambda path: rn.datasets.from_files(path, path, batch_size=2),
    "from_folder": lambda path: rn.datasets.from_folder(path, size=(3, 3)),
    "load": rn.load,
    "load_config": rn.load_config,
    "load_csv": rn.csv_digits.load_csv,
    "load_recipe": rn.recipes.load_recipe,
    "load_weights": lambda path: net().load_weights(path),
    "read_idx": rn.idx.read_idx,
    "read_legacy": rn.legacy.read_legacy,
    "read_log": rn.read_log,
    "read_npy_folder": rn.npy_folder.read_npy_folder,
    "save": lambda path: net().save(path),
    "sweep": lambda path: rn.sweep([rn.Dense(2)], {"lr": [1]}, DATA, out=path, verbose=0),
    "to_c": lambda path: rn.export.to_c(net(), path),
    "train": lambda path: rn.train([rn.Dense(2)], DATA, input_shape=(3,), out=path),
    "write_npy_folder": lambda path: rn.npy_folder.write_npy_folder(net(), path),
    "write_submission": lambda path: rn.csv_digits.write_submission(path, [1]),
}


@pytest.mark.parametrize(("path", "shown"), [("a\0b", "a.x00b"), ("a\ud800", "a.ud800")])
@pytest.mark.parametrize("taker", TAKERS)
def test_a_path_that_no_file_has_is_named(taker, path, shown):
    if taker == "TensorBoard":
        pytest.importorskip("tensorboardX")
    text = f"expected a path without null bytes and lone surrogates.*'{shown}'"
    with pytest.raises((OSError, ValueError), match=text) as caught:
        TAKERS[taker](path)
    assert str(caught.value).isprintable()


class OfBytes:
    def __fspath__(self):
        return b"name"


@pytest.mark.parametrize("given", [3, b"name", OfBytes()])
def test_what_is_not_a_path_is_refused_by_name(given):
    for callback in rn.CSVLogger, rn.ModelCheckpoint, rn.TensorBoard:
        with pytest.raises(
            TypeError, match=r"^(filename|filepath|log_dir): expected a path,"
        ):
            callback(given)


def test_a_loop_of_links_is_an_error_of_the_system(tmp_path):
    pytest.importorskip("tensorboardX")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for callback in (rn.CSVLogger(loop), rn.ModelCheckpoint(loop), rn.TensorBoard(loop)):
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            calls_back(callback)


def test_templates_and_separators_that_cannot_be_written():
    with pytest.raises(ValueError, match="filepath: expected a path without null bytes"):
        rn.ModelCheckpoint("{epoch:\0>3}")
    with pytest.raises(ValueError, match="separator: expected one character, got"):
        rn.CSVLogger("log", separator="\ud800")
