"""Safetensors that strangers wrote: what is claimed is compared before memory is taken."""

import io
import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import rnn_native as rn
from environment import python_environment
from memory import measured
from rnn_native.net import model_file, tensor_file

GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BILLION = [
    {"type": "dense", "units": 200_000_000, "activation": "relu"},
    {"type": "dense", "units": 2},
]


def packed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_all_types_that_numpy_has_come_back(tmp_path):
    kinds = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
    tensors = {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in kinds}
    tensors |= {"none": np.zeros((0, 3), np.float32), "one": np.array(7, np.float32)}
    save_file(tensors, tmp_path / "t", {"key": "value"})
    theirs = load_file(tmp_path / "t")
    content = (tmp_path / "t").read_bytes()
    for source in (tmp_path / "t", content, io.BytesIO(content)):
        ours, metadata = tensor_file.read_tensors(source)
        assert metadata == {"key": "value"}
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            assert array.dtype == theirs[name].dtype
            assert array.flags.writeable
            np.testing.assert_array_equal(array, theirs[name])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "8 bytes announce a header of"),
        (struct.pack("<Q", 2**63) + b"{}", "8 bytes announce a header of"),
        (packed(b"[]"), "not a JSON object"),
        (packed(b"{" * 100_000), "cannot be read"),
        (packed(b"\xff{}"), "cannot be read"),
        (packed(b'{"a":' + b"9" * 5000 + b"}"), "cannot be read"),
        (packed(b'{"a":{},"a":{}}'), "a name is there twice"),
        (packed({"__metadata__": {"a": 3}}), "__metadata__: expected texts"),
        (packed({"__metadata__": []}), "__metadata__: expected texts"),
        (packed({"a": 3}), "a: expected dtype, shape and data_offsets"),
        (packed({"a": {**GOOD, "dtype": "BF16"}}, bytes(8)), "a: type 'BF16'; NumPy has"),
        (packed({"a": {**GOOD, "dtype": []}}, bytes(8)), "a: type"),
        (packed({"a": {**GOOD, "shape": [-2]}}, bytes(8)), "a: a shape"),
        (packed({"a": {**GOOD, "shape": [2.0]}}, bytes(8)), "a: a shape"),
        (packed({"a": {**GOOD, "shape": [True, 2]}}, bytes(8)), "a: a shape"),
        (packed({"a": {**GOOD, "shape": [1] * 40}}, bytes(8)), "a: a shape"),
        (packed({"a": {**GOOD, "shape": [0, 2**62]}}, bytes(8)), "a: a shape"),
        (
            packed({"a": {**GOOD, "shape": [2**40]}}, bytes(8)),
            "in 8 bytes, which do not fit",
        ),
        (packed({"a": {**GOOD, "data_offsets": [8]}}, bytes(8)), "two data_offsets"),
        (packed({"a": {**GOOD, "data_offsets": [8, 0]}}, bytes(8)), "do not fit"),
        (packed({"a": {**GOOD, "data_offsets": [8, 16]}}, bytes(16)), "from byte 0, got 8"),
        (packed({"a": GOOD, "b": GOOD}, bytes(8)), "b: expected its data from byte 8"),
        (packed({"a": GOOD}, bytes(9)), "expected 8 bytes of data, got 9"),
        (packed({"a": GOOD}, bytes(7)), "expected 8 bytes of data, got 7"),
        (packed({}, bytes(1)), "expected 0 bytes of data, got 1"),
    ],
)
def test_headers_that_lie(tmp_path, content, message):
    path = tmp_path / "t"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(rn.FormatError, match=message) as caught:
            tensor_file.read_tensors(source)
        assert "\n" not in str(caught.value)


def test_a_file_that_shrinks_while_it_is_read():
    content = packed({"a": GOOD}, bytes(8))
    file = tensor_file.TensorFile(io.BytesIO(content), len(content))
    short = tensor_file.TensorFile(io.BytesIO(content[:-1]), len(content))
    assert file.tensors()["a"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="a: the file ends within it"):
        short.tensors()


def test_a_file_that_a_save_replaces_once_it_is_open(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    rn.Network([rn.Dense(2)], (3,)).save(path)
    larger = rn.Network([rn.Dense(5)], (4,))
    real = tensor_file.open_regular

    def replaced(name):
        file = real(name)
        larger.save(path)
        return file

    monkeypatch.setattr(tensor_file, "open_regular", replaced)
    found, _ = tensor_file.read_tensors(path)
    assert found["layers.0.weight"].shape == (3, 2)
    assert rn.load(path).input_shape == (4,)


def test_folders_and_pipes_are_not_called_missing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        tensor_file.read_tensors(tmp_path)
    with pytest.raises(OSError, match="Not a regular file"):
        rn.load(tmp_path / "pipe")


def as_another_user(program, *arguments):
    return subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        * (os.geteuid() == 0)
        + [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_a_file_that_may_not_be_read_is_not_called_missing(tmp_path):
    path = tmp_path / "m.safetensors"
    rn.Network([rn.Dense(2)], (3,)).save(path)
    path.chmod(0)
    program = """
import os, sys
from pathlib import Path
import rnn_native as rn
try:
    rn.load(sys.argv[1])
except PermissionError as error:
    print(error.filename)
"""
    done = as_another_user(program, path)
    assert done.stdout == f"{path}\n", done.stderr


CLAIMS = """
import resource, sys
import rnn_native as rn
from memory import peak, reset_peak
folder = sys.argv[1]
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
before = reset_peak()
for call in (
    lambda: rn.load(f"{folder}/model"),
    lambda: rn.Ensemble.load(f"{folder}/ensemble"),
    lambda: rn.export.load_torch(f"{folder}/torch", f"{folder}/architecture.json"),
    lambda: rn.load(f"{folder}/sparse"),
    lambda: rn.Network([rn.Dense(3)], (4,)).load_weights(f"{folder}/sparse"),
):
    try:
        call()
    except rn.FormatError as error:
        print(error)
try:
    rn.checkpoint.read_tensors(f"{folder}/sparse")
except MemoryError as error:
    print(error)
used = peak() - before
assert used < 50, used
"""


@measured
def test_files_that_claim_more_than_they_have_take_no_memory(tmp_path):
    net = rn.Network([rn.Dense(3, "relu"), rn.Dense(2)], (4,), optimizer="adam")
    tensors, metadata = model_file.content_of(net, None, optimizer_state=False)
    metadata["architecture"] = {**net.architecture(), "layers": BILLION}
    model_file.write(tmp_path / "model", tensors, metadata)
    own = {f"nets.0.{name}": tensor for name, tensor in tensors.items()}
    ensemble = {key: metadata[key] for key in ("format_version", "version")}
    ensemble |= {"holds": "ensemble", "nets": [metadata]}
    model_file.write(tmp_path / "ensemble", own, ensemble)
    rn.export.save_torch(net, tmp_path / "torch")
    text = json.dumps({**net.architecture(), "layers": BILLION})
    (tmp_path / "architecture.json").write_text(text)
    size = 4 * 750_000_000
    header = {"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    (tmp_path / "sparse").write_bytes(packed(header))
    os.truncate(tmp_path / "sparse", len(packed(header)) + size)

    done = subprocess.run(
        [sys.executable, "-c", CLAIMS, str(tmp_path)],
        env=python_environment(),
        capture_output=True,
        text=True,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    lines = done.stdout.splitlines()
    wrong = "layers.0.weight: expected float32 (4, 200000000), got float32 (4, 3)"
    assert lines[0].endswith(f"model: {wrong}")
    assert lines[1].endswith(f"ensemble: nets[0]: {wrong}")
    assert lines[2].endswith("has 23 numbers, expected 1400000002 for this architecture")
    assert "not a model of rnn_native" in lines[3]
    assert "not a model of rnn_native" in lines[4]
    assert lines[5].endswith("sparse: not enough memory for its tensors")
    assert len(lines) == 6


@measured
def test_saving_asks_for_memory_before_safetensors_does(tmp_path):
    """Without memory, its allocator ends the process."""
    program = """
import resource, sys
import rnn_native as rn
net = rn.Network([rn.Dense(3000)], (3000,))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for more in range(0, 160 << 20, 8 << 20):
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))
    try:
        net.save(sys.argv[1])
        print("saved")
    except MemoryError:
        print("no memory")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m")],
        capture_output=True,
        text=True,
        env=python_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split("\n")) <= {"saved", "no memory", ""}
    assert {"saved", "no memory"} <= set(done.stdout.split("\n"))
