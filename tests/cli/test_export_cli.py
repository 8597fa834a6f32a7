"""`rnn-native export` to and from the formats of others."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import pytest

import rnn_native as rn
from rnn_native.cli import main
from rnn_native.datasets import idx
from rnn_native.export.target import Flag, Target


@pytest.fixture
def model(tmp_path):
    """A saved net on images of 28 x 28, and its path."""
    layers = [rn.Conv2D(3, 5, stride=3, activation="relu"), rn.Flatten(), rn.Dense(10)]
    net = rn.Network(layers, (1, 28, 28), seed=5)
    net.save(tmp_path / "model.safetensors")
    return net, tmp_path / "model.safetensors"


def export(*arguments):
    return main(["export", *map(str, arguments)])


def test_onnx_and_c(model, tmp_path, capsys):
    _, path = model
    assert export(path, tmp_path / "net.onnx") == 0
    onnx.checker.check_model(onnx.load(tmp_path / "net.onnx"))
    assert export(path, tmp_path / "net.c", "--json") == 0
    assert "net_predict(" in (tmp_path / "net.c").read_text()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Model saved to {tmp_path / 'net.onnx'}"
    assert json.loads(said[1]) == {"file": str(tmp_path / "net.c"), "format": "c"}


def test_onnx_of_bytes(model, tmp_path):
    assert export(model[1], tmp_path / "net.onnx", "--uint8-input") == 0
    (x,) = onnx.load(tmp_path / "net.onnx").graph.input
    assert x.type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_int8_tells_both_accuracies(model, tmp_path, digits, capsys):
    net, path = model
    for part, (x, y) in zip(["train", "t10k"], digits, strict=True):
        idx.write_idx(tmp_path / f"{part}-images-idx3-ubyte", x)
        idx.write_idx(tmp_path / f"{part}-labels-idx1-ubyte", y)
    call = (path, tmp_path / "net.c", "--int8", "--data", tmp_path)
    before = net.evaluate(*digits[1])[1]
    after = rn.export.rounded_to_int8(net).evaluate(*digits[1])[1]
    assert export(*call) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(
        f"Test Accuracy: float32 {100 * before:.2f}%, int8 {100 * after:.2f}% "
        f"({100 * (after - before):+.2f}), 200 images, "
    )
    assert export(*call, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["test_accuracy"], report["int8_test_accuracy"]) == (before, after)
    assert "static const signed char layer0_weight[75]" in (tmp_path / "net.c").read_text()


def test_int8_without_data_says_that_nothing_was_measured(model, tmp_path, capsys):
    assert export(model[1], tmp_path / "net.c", "--int8") == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "int8: accuracy not measured; --data names test images for it"
    )


@pytest.mark.parametrize("names", [(), ("--names", "conv,fc")])
@pytest.mark.parametrize("as_json", [True, False])
def test_pytorch_there_and_back(model, tmp_path, names, as_json):
    net, path = model
    architecture = path
    if as_json:
        architecture = tmp_path / "net.json"
        architecture.write_text(json.dumps(net.architecture()))
    theirs, ours = tmp_path / "torch.safetensors", tmp_path / "ours.safetensors"
    assert export(path, theirs, "--format", "torch", *names) == 0
    assert export(theirs, ours, "--architecture", architecture, *names) == 0
    back = rn.load(ours)
    assert back.weights.tobytes() == net.weights.tobytes()
    assert back.architecture() == net.architecture()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("net.h5",), 2, "name a format with --format"),
        (("net.onnx", "--int8"), 2, "--int8 needs a target in C or HTML"),
        (("net.c", "--data", "synthetic"), 2, "--data needs --int8"),
        (("net.c", "--uint8-input"), 2, "--uint8-input needs an ONNX target"),
        (("net.c", "--opset", "13"), 2, "--opset needs an ONNX target"),
        (("net.onnx", "--opset", "12"), 1, "opset: expected an integer in 13..22, got 12"),
        (("net.c", "--names", "a,b"), 2, "--names needs --format torch or --architecture"),
        (("net.st", "--format", "torch", "--names", "a"), 1, "expected 2 different names"),
        (("net.c", "--architecture", "none.json"), 1, "none.json"),
        (("no/folder/net.onnx",), 1, "No such file or directory: no/folder/net.onnx"),
    ],
)
def test_wrong_calls_end_with_one_line(
    model, tmp_path, monkeypatch, capsys, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    assert export(model[1], *arguments) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_target_is_one_row(model, tmp_path, monkeypatch, capsys):
    """Format, suffix, flag and help come from it; no function names it."""
    written = []
    module = types.ModuleType("writer_of_text")
    module.write = lambda *arguments, **named: written.append((*arguments, named))
    monkeypatch.setitem(sys.modules, "writer_of_text", module)
    flag = Flag("--all-upper", "a text", {"action": "store_true", "help": "in capitals"})
    row = Target("text", "writer_of_text:write", ".txt", (flag,), {"width": 3})
    monkeypatch.setitem(rn.export.TARGETS, "text", row)
    net, path = model
    assert export(path, tmp_path / "net.txt", "--all-upper") == 0
    assert export(path, tmp_path / "net.other", "--format", "text") == 0
    (saved, target, named), (*_, unset) = written
    assert saved.weights.tobytes() == net.weights.tobytes()
    assert target == tmp_path / "net.txt"
    assert (named, unset) == (
        {"width": 3, "all_upper": True},
        {"width": 3, "all_upper": False},
    )
    assert export(path, tmp_path / "net.c", "--all-upper") == 2
    assert "--all-upper needs a text" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        export("--help")
    assert "in capitals" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(rn.export.TARGETS))
def test_every_target_is_written_and_documented(tmp_path, name):
    net = rn.Network([rn.Dense(5, "relu"), rn.Dense(10)], (784,))
    net.save(tmp_path / "model.safetensors")
    target = tmp_path / "written"
    assert export(tmp_path / "model.safetensors", target, "--format", name) == 0
    assert target.is_dir() == (name == "npy")
    if name not in ("c", "html", "onnx", "torch"):
        x = np.random.default_rng(1).random((20, 784), np.float32)
        assert rn.load(target).predict(x).tolist() == net.predict(x).tolist()
    docs = Path(__file__).parents[2] / "docs"
    pages = "".join(page.read_text() for page in docs.glob("**/*.md"))
    suffix = rn.export.TARGETS[name].suffix
    assert f"--format {name}" in pages or (suffix and f"MODEL net{suffix}" in pages)


def test_tensors_of_another_module_are_named(model, tmp_path, capsys):
    _, path = model
    other = rn.Network([rn.Dense(10)], (784,))
    rn.export.save_torch(other, tmp_path / "torch.safetensors")
    call = (
        tmp_path / "torch.safetensors",
        tmp_path / "b.safetensors",
        "--architecture",
        path,
    )
    assert export(*call) == 1
    said = capsys.readouterr().err
    assert (
        "torch.safetensors': missing 3.weight of shape (10, 192), 3.bias of shape (10,)"
        in said
    )
    assert not (tmp_path / "b.safetensors").exists()


def test_a_failed_export_leaves_the_older_file(model, tmp_path):
    net, _ = model
    (tmp_path / "net.c").write_text("older")
    net.params[0] = np.nan
    with pytest.raises(ValueError, match=r"layers\.0\.weight"):
        rn.export.to_c(net, tmp_path / "net.c")
    assert (tmp_path / "net.c").read_text() == "older"
