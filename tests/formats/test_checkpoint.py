"""Model files: what is saved comes back, and damage is never taken for a model."""

import struct

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import checkpoint
from rnn_native.net import model_file
from rnn_native.training import run_file as runs


@pytest.fixture
def model():
    return rn.Network([rn.Dense(3, "relu"), rn.Dense(2)], (4,), seed=3)


def test_save_and_load_give_the_same_predictions(model, tmp_path, rng):
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = rn.load(path)
    x = rng.random((5, 4))
    assert again.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()
    assert again.architecture() == model.architecture()
    first = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == first


def test_any_tool_can_open_it(model, tmp_path):
    from safetensors.numpy import load_file

    model.save(tmp_path / "m.safetensors")
    tensors = load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        tensors["layers.0.weight"], model.parameters["layers.0.weight"]
    )


def test_metadata_tell_what_the_model_is(model, tmp_path):
    checkpoint.save(model, tmp_path / "m.safetensors", {"val_loss": 0.5})
    described = checkpoint.describe(tmp_path / "m.safetensors")
    assert described["facts"] == {"val_loss": 0.5}
    assert described["parameters"] == 23
    assert described["normalisation"]["uint8"] == "x / 255"


def test_every_truncation_is_refused(model, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(rn.FormatError):
            rn.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(rn.FormatError):
        rn.load(path)


def test_no_flipped_bit_makes_another_model(model, tmp_path):
    """Every single bit of a small file: refused, or the very same model."""
    path = tmp_path / "m.safetensors"
    model.save(path)
    whole = path.read_bytes()
    for i in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[i] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                loaded = rn.load(path)
            except rn.FormatError as error:
                assert "\n" not in str(error)
                continue
            assert loaded.params.tobytes() == model.params.tobytes()
            assert loaded.architecture() == model.architecture()


def rewrite(path, tensors=None, **metadata):
    """Rewrite the file with changes and a digest that fits them."""
    old_tensors, old_metadata = model_file.read(path)
    del old_metadata["sha256"]
    model_file.write(path, {**old_tensors, **(tensors or {})}, {**old_metadata, **metadata})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format version 99, expected 1"),
        ({"architecture": []}, "the metadata cannot be read"),
        ({"facts": 3}, "the metadata cannot be read"),
        (
            {"architecture": {"layers": [3], "input_shape": [4], "loss": "x"}},
            "cannot be used",
        ),
        (
            {
                "architecture": {
                    "layers": [],
                    "input_shape": [2**70],
                    "loss": "squared_error",
                }
            },
            "architecture cannot be used",
        ),
        ({"architecture": {}}, "architecture cannot be used"),
        (
            {
                "architecture": {
                    "layers": [{"type": "dense", "units": 2**30}],
                    "input_shape": [4],
                    "loss": "squared_error",
                }
            },
            "architecture cannot be used: layers.0.: expected a weight of",
        ),
        (
            {"tensors": {"layers.0.weight": np.zeros((3, 4), np.float32)}},
            r"layers.0.weight: expected float32 \(4, 3\), got float32 \(3, 4\)",
        ),
        (
            {"tensors": {"layers.0.weight": np.full((4, 3), np.nan, np.float32)}},
            "layers.0.weight: expected finite values",
        ),
        (
            {"tensors": {"layers.0.weight": np.zeros((4, 3), np.float64)}},
            r"layers.0.weight: expected float32 \(4, 3\), got float64 \(4, 3\)",
        ),
    ],
)
def test_files_that_lie_are_refused_by_the_loader_itself(model, tmp_path, change, message):
    path = tmp_path / "m.safetensors"
    model.save(path)
    rewrite(path, **change)
    with pytest.raises(rn.FormatError, match=message):
        rn.load(path)


def test_safetensors_of_somebody_else(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save_file({"layers.0.weight": np.zeros(3)}, path)
    with pytest.raises(rn.FormatError, match="not a model of rnn_native"):
        rn.load(path)
    for text in ("[", "[]", "{}", "3"):
        save_file({"layers.0.weight": np.zeros(3)}, path, {"rnn_native": text})
        with pytest.raises(rn.FormatError, match="the metadata cannot be read"):
            rn.load(path)


def test_a_file_that_is_something_else(tmp_path):
    path = tmp_path / "m.safetensors"
    for content in [b"", b"hello world, this is text", struct.pack("<Q", 2**63) + b"{}"]:
        path.write_bytes(content)
        with pytest.raises(
            rn.FormatError, match="not a safetensors file|nor is it a safetensors file"
        ):
            rn.load(path)
    with pytest.raises(FileNotFoundError, match="no such model file"):
        rn.load(tmp_path / "missing")
    path.unlink()
    with pytest.raises(rn.FormatError, match=r"got no \.npy file"):
        rn.load(tmp_path)


def test_failed_save_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    model.save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    model.params[:] = 0
    with pytest.raises(OSError, match=r"No space left on device.*m\.safetensors"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def run_file(digits, tmp_path):
    rn.train_mlp(digits, epochs=1, out=tmp_path, verbose=0)
    return tmp_path / "last.safetensors"


def changed_run(path, **changes):
    _, metadata = model_file.read(path)
    return {"run": {**metadata["run"], **changes}}


ORDER = np.arange(576, dtype=np.int32)


@pytest.mark.parametrize(
    ("run", "tensors"),
    [
        ({"rng": 0}, {}),
        ({"rng": -1}, {}),
        ({"rng": "1"}, {}),
        ({"history": 3}, {}),
        ({"history": [{}]}, {}),
        ({"history": [3]}, {}),
        ({"recipe": {"lr": "x"}}, {}),
        ({"recipe": {"color": 3}}, {}),
        ({"recipe": None}, {}),
        ({}, {"run.order": ORDER * 0}),
        ({}, {"run.order": ORDER - 1}),
        ({}, {"run.order": ORDER.astype(np.int64)}),
        ({}, {"run.order": np.array(3, np.int32)}),
        ({}, {"run.best": np.zeros(1, np.float32)}),
        ({}, {"run.best": np.full(407050, np.inf, np.float32)}),
        ({"history": []}, {}),
    ],
)
def test_a_run_that_is_not_whole_is_refused_and_changes_nothing(
    digits, run_file, run, tensors
):
    rewrite(run_file, tensors, **changed_run(run_file, **run))
    before = run_file.read_bytes()
    with pytest.raises(rn.FormatError) as error:
        rn.train_mlp(digits, epochs=2, out=run_file.parent, resume=True, verbose=0)
    assert "\n" not in str(error.value)
    assert run_file.read_bytes() == before


@pytest.mark.parametrize("column", ["loss", "time", "accuracy", "val_loss", "other"])
@pytest.mark.parametrize("value", [[], {}, "x", True, 10**400], ids=type)
def test_a_history_of_other_than_numbers_is_refused(digits, run_file, column, value):
    (row,) = changed_run(run_file)["run"]["history"]
    rewrite(run_file, {}, **changed_run(run_file, history=[{**row, column: value}]))
    with pytest.raises(rn.FormatError, match=rf"history\[0\]\.{column}: expected a number"):
        rn.train_mlp(digits, epochs=2, out=run_file.parent, resume=True, verbose=0)


@pytest.mark.parametrize("column", ["loss", "time", "learning_rate"])
def test_a_history_without_a_column_is_refused(digits, run_file, column):
    (row,) = changed_run(run_file)["run"]["history"]
    del row[column]
    rewrite(run_file, {}, **changed_run(run_file, history=[row]))
    with pytest.raises(rn.FormatError, match=rf"history\[0\]\.{column}: expected a number"):
        rn.train_mlp(digits, epochs=2, out=run_file.parent, resume=True, verbose=0)


def test_names_of_a_checkpoint_are_printable_in_messages(digits, run_file):
    """A version that is not UTF-8, and a folder with control characters."""
    _, metadata = model_file.read(run_file)
    layers = [{"type": "dense", "units": 3}, *metadata["architecture"]["layers"][1:]]
    architecture = {**metadata["architecture"], "layers": layers}
    rewrite(run_file, {}, architecture=architecture, version="\ud800\x1b")
    folder = run_file.parent.parent / "a\x1b[31m\nb"
    run_file.parent.rename(folder)
    with pytest.raises(ValueError, match="another architecture") as error:
        rn.train_mlp(digits, epochs=2, out=folder, resume=True, verbose=0)
    assert str(error.value).isprintable()


def test_metadata_that_nest_without_end(model, tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save_file({"a": np.zeros(1)}, path, {"rnn_native": "[" * 100_000})
    with pytest.raises(rn.FormatError, match="the metadata cannot be read"):
        rn.load(path)


def test_a_runs_file_has_copies_of_what_training_changes(monkeypatch, tmp_path):
    """What changes between checksum and content would make a file that nobody can read."""
    x, y = np.zeros((64, 4), np.float32), np.arange(64) % 2
    net = rn.Network([rn.Dense(2)], (4,), optimizer="adam")
    written = []
    monkeypatch.setattr(runs, "write", lambda path, *content: written.append(content))

    class Saves(rn.Callback):
        def on_epoch_end(self, epoch, logs):
            runs.save_run(self.run, tmp_path / "last")
            live = [self.model.moments, self.model.weights, self.run.order]
            live += [self.run.best_weights, self.run.live_params]
            tensors, _ = written[-1]
            assert {"run.moments", "run.order", "run.best", "run.live"} <= tensors.keys()
            for tensor in tensors.values():
                assert not any(np.shares_memory(tensor, array) for array in live)

    options = {"validation_data": (x, y), "ema_decay": 0.5, "verbose": 0}
    net.fit(x, y, epochs=2, callbacks=[Saves()], **options)
    assert len(written) == 2
