"""The command line as a user meets it: output, exit codes, one line for each error."""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli
from rnn_native.cli import arguments, main
from rnn_native.datasets import idx
from rnn_native.training import run_folder
from rnn_native.training.recipe import Recipe


def run(*args, **more):
    """A separate process: what a shell would see."""
    return subprocess.run(
        [sys.executable, "-m", "rnn_native", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )


def assert_one_line(result, code, *parts):
    assert result.returncode == code, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


def test_train_evaluate_info(data, tmp_path):
    out = tmp_path / "run"
    trained = run("train", "mlp", "--data", data, "--out", out, "--epochs", 2, "--lr", 0.1)
    assert trained.returncode == 0, trained.stderr
    lines = trained.stdout.splitlines()
    assert lines[0].startswith("Epoch 1/2, Loss: ")
    assert lines[-2].startswith("Test Accuracy: ")
    assert lines[-1] == f"Files: {out}"

    evaluated = run("evaluate", out / "best.safetensors", "--data", data)
    assert evaluated.stdout.splitlines()[-1] == lines[-2]

    described = run("info", out / "last.safetensors")
    assert "407,050" in described.stdout
    assert "after epoch 2, can be resumed" in described.stdout


def test_runs_folder_is_the_default_place(data, tmp_path):
    result = run("train", "mlp", "--data", data, "--epochs", 1, "--quiet", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs/mlp/best.safetensors").is_file()


def fingerprint(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_is_not_overwritten_unasked(data, tmp_path):
    out = tmp_path / "run"
    train = ("train", "mlp", "--data", data, "--quiet", "--out", out, "--epochs")
    assert run(*train, 1).returncode == 0
    before = fingerprint(out)
    refused = run(*train, 2, "--lr", 0.5)
    choices = ("--resume to continue it", "--overwrite to replace it", "another --out")
    assert_one_line(refused, 2, str(out), "best.safetensors", *choices)
    xor = run("train", "xor", "--epochs", 10, "--out", out)
    assert_one_line(xor, 2, str(out), "--overwrite")
    assert fingerprint(out) == before
    both = run(*train, 2, "--resume", "--overwrite")
    assert_one_line(both, 2, "--resume and --overwrite exclude each other")

    assert run("train", "xor", "--epochs", 10, "--out", out, "--overwrite").returncode == 0
    assert sorted(fingerprint(out)) == ["best.safetensors", "config.json", "log.csv"]
    assert json.loads((out / "config.json").read_text())["model"] == "xor"


def test_the_default_folder_numbers_itself(data, tmp_path):
    def train(*more):
        args = ("train", "mlp", "--data", data, "--json", "--epochs", *more)
        result = run(*args, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        report = json.loads(result.stdout)
        return report["files"], report["epochs"]

    assert train(1) == ("runs/mlp", 1)
    assert train(2) == ("runs/mlp-2", 2)
    (tmp_path / "runs" / "mlp-3").write_text("in the way")
    (tmp_path / "runs" / "mlp-x").mkdir()
    assert train(1) == ("runs/mlp-4", 1)
    # Without --out, the run that was written last is resumed.
    assert train(2, "--resume") == ("runs/mlp-4", 2)
    assert train(3, "--resume", "--out", "runs/mlp-2") == ("runs/mlp-2", 3)
    assert train(4, "--resume") == ("runs/mlp-2", 4)
    assert train(1, "--overwrite") == ("runs/mlp", 1)
    # What fails before it writes leaves no folder behind.
    failed = run("train", "mlp", "--data", tmp_path / "none", cwd=tmp_path)
    assert_one_line(failed, 1, "none")
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["mlp", "mlp-2", "mlp-3", "mlp-4", "mlp-x"]
    (tmp_path / "file").write_text("")
    (tmp_path / "runs").rename(tmp_path / "old")
    (tmp_path / "runs").write_text("in the way")
    failed = run("train", "mlp", "--data", data, cwd=tmp_path)
    assert_one_line(failed, 1, "cannot write to the run folder")


@pytest.mark.parametrize("variable", ["", "none"])
def test_a_model_is_never_measured_on_data_nobody_named(tmp_path, variable):
    """Neither evaluate, nor its page, nor attention: no generated digits in MNIST's place."""
    model = tmp_path / "model.safetensors"
    rn.Network(rn.models.attention_layers(16, 32), (1, 28, 28)).save(model)
    # No folder of data, and a home where nothing can be downloaded to.
    places = {"RNN_NATIVE_DATA": variable, "HOME": "/dev/null", "KERAS_HOME": "/dev/null"}
    places |= {"XDG_CACHE_HOME": "/dev/null"}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **places}
    where = {"cwd": tmp_path, "env": environment}
    for call in (("evaluate",), ("evaluate", "--report", "page.html"), ("attention",)):
        result = run(call[0], model, *call[1:], **where)
        assert_one_line(result, 1, variable or "MNIST not found", "--data synthetic")
        assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == [model.name]
    digits = run("evaluate", model, "--data", "synthetic", "--json", **where)
    assert json.loads(digits.stdout)["data"].startswith("generated digits")


def test_json_is_all_there_is_on_standard_output(data, tmp_path):
    out = tmp_path / "run"
    trained = run("train", "mlp", "--data", data, "--out", out, "--epochs", 2, "--json")
    report = json.loads(trained.stdout)
    assert report["epochs"] == 2
    assert len(report["history"]["val_loss"]) == 2
    best = out / "best.safetensors"
    evaluated = json.loads(run("evaluate", best, "--data", data, "--json").stdout)
    assert evaluated["test_accuracy"] == report["test_accuracy"]
    assert evaluated["images"] == 200
    assert json.loads(run("info", best, "--json").stdout)["parameters"] == 407050
    assert json.loads(run("info", "--json").stdout)["cpu_level"]


def test_resume_takes_the_recipe_from_the_run(data, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = ("--data", data, "--quiet", "--lr", 0.05, "--batch-size", 32)
    assert run("train", "mlp", *common, "--epochs", 3, "--out", whole).returncode == 0
    assert run("train", "mlp", *common, "--epochs", 1, "--out", parts).returncode == 0
    resume = ("train", "mlp", "--data", data, "--quiet", "--resume", "--out", parts)
    result = run(*resume, "--epochs", 3)
    assert result.returncode == 0, result.stderr
    assert (
        rn.load(whole / "last.safetensors").params.tobytes()
        == rn.load(parts / "last.safetensors").params.tobytes()
    )
    assert_one_line(run(*resume, "--lr", 0.3), 1, "another recipe: lr=0.3 (was 0.05)")


def test_xor(tmp_path):
    out = tmp_path / "xor"
    result = run("train", "xor", "--out", out, "--epochs", 200_000)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-2:] == ["Test Accuracy: 100.00%", f"Files: {out}"]
    assert rn.load(out / "best.safetensors").predict([[1, 0]]).round() == [1]
    assert len((out / "log.csv").read_text().splitlines()) == 201
    report = json.loads(
        run("train", "xor", "--json", "--epochs", 3000, cwd=tmp_path).stdout
    )
    assert (report["epochs"], len(report["history"]["loss"])) == (3000, 3)


@pytest.mark.parametrize("model", ["cnn", "attention"])
def test_other_models(data, tmp_path, model):
    args = (
        "--data",
        data,
        "--out",
        tmp_path,
        "--epochs",
        1,
        "--quiet",
        "--optimizer",
        "adam",
    )
    assert run("train", model, *args).returncode == 0
    recipe = json.loads((tmp_path / "config.json").read_text())["recipe"]
    assert (recipe["batch_size"], recipe["optimizer"]["type"]) == (32, "adam")


def test_architecture_and_configuration_files(data, tmp_path):
    architecture, config = tmp_path / "net.json", tmp_path / "config.json"
    architecture.write_text(
        '{"layers": [{"layer_type": "dense", "input_size": 784, "output_size": 20},'
        ' {"layer_type": "dense", "input_size": 20, "output_size": 10}]}'
    )
    config.write_text(
        '{"scheduler_type": "step_decay", "step_size": 1, "gamma": 0.5,'
        ' "activation_function": "tanh", "learning_rate": 0.2}'
    )
    out = tmp_path / "run"
    files = ("train", architecture, "--config", config, "--data", data, "--out", out)
    report = json.loads(run(*files, "--epochs", 2, "--json").stdout)
    assert report["history"]["learning_rate"] == [0.2, 0.1]
    layers = json.loads((out / "config.json").read_text())["architecture"]["layers"]
    assert [layer.get("activation") for layer in layers] == ["tanh", None]
    resumed = run(*files, "--epochs", 3, "--resume", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    config.write_text('{"gama": 0.5, "scheduler_type": "step_decay"}')
    assert_one_line(run(*files), 1, "gama", "gamma")


def test_export_converts_there_and_back(data, tmp_path):
    out = tmp_path / "run"
    run("train", "mlp", "--data", data, "--out", out, "--epochs", 1, "--quiet")
    chain = [out, tmp_path / "a.bin", tmp_path / "npy", tmp_path / "b.safetensors"]
    for source, target in itertools.pairwise(chain):
        assert run("export", source, target).returncode == 0
    first, last = rn.load(chain[0]), rn.load(chain[-1])
    assert first.params.tobytes() == last.params.tobytes()
    assert (tmp_path / "a.bin").stat().st_size == 1_628_212
    run("export", out, tmp_path / "c.bin", "--format", "reference64")
    assert (tmp_path / "c.bin").stat().st_size == 3_256_412
    assert "407,050" in run("info", tmp_path / "c.bin").stdout
    assert_one_line(run("export", out, tmp_path / "x.h5"), 2, "name a format")


def test_kaggle(digits, tmp_path):
    (x, y), (xt, _) = digits
    folder = tmp_path / "input"
    folder.mkdir()
    header = "label," + ",".join(f"pixel{i}" for i in range(784))
    rows = [
        ",".join(map(str, [label, *image.ravel()]))
        for image, label in zip(x, y, strict=True)
    ]
    (folder / "train.csv").write_text("\n".join([header, *rows]) + "\n")
    rows = [",".join(map(str, image.ravel())) for image in xt]
    (folder / "test.csv").write_text("\n".join([header[6:], *rows]) + "\n")
    out = tmp_path / "out"
    result = run(
        "kaggle", folder, "--out", out, "--iterations", 2, "--hidden", 16, "--quiet"
    )
    assert result.returncode == 0, result.stderr
    assert (out / "submission.csv").read_text().startswith("ImageId,Label\n1,")
    train = (
        "kaggle",
        folder,
        "--iterations",
        1,
        "--hidden",
        8,
        "--quiet",
        "--test-rate",
        0,
    )
    choices = ("(best.safetensors)", "--overwrite to replace it", "another --out")
    assert_one_line(run(*train, "--out", out), 2, str(out), *choices)
    assert run(*train, "--out", out, "--overwrite").returncode == 0
    for _ in range(2):
        assert run(*train, cwd=tmp_path).returncode == 0
    numbered = tmp_path / "output-2" / "submission.csv"
    assert numbered.read_bytes() == (out / "submission.csv").read_bytes()
    again = run(
        *("kaggle", folder, "--out", tmp_path / "again", "--skip-training", "--json"),
        *("--test-rate", 100, "--input_model", out / "model"),
    )
    assert json.loads(again.stdout)["test_rows"] == 640
    shipped = run(
        "kaggle", folder, "--out", tmp_path / "shipped", "--skip-training", "--json"
    )
    assert json.loads(shipped.stdout)["report"]["accuracy"] > 0.8
    assert_one_line(run("kaggle", tmp_path / "none"), 1, "none")
    assert run("kaggle", folder, "--test-rate", 101).returncode == 2


def test_doctor(data):
    result = run("doctor", "--data", data)
    assert result.returncode == 0, result.stdout
    assert "not MNIST's own contents" in result.stdout
    assert "same bits with 1, 2 and 3 threads" in result.stdout
    failed = run("doctor", "--data", "/nowhere")
    assert failed.returncode == 1
    assert "FAIL data: " in failed.stdout


def test_help_and_version():
    assert "train" in run("--help").stdout
    assert "--resume" in run("train", "--help").stdout
    assert run("--version").stdout == f"rnn-native {rn.__version__}\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "mlp", "--epochs", "0"], "expected an integer of at least 1, got '0'"),
        (["train", "mlp", "--epochs", "two"], "expected an integer of at least 1"),
        (
            ["train", "mlp", "--threads", "10000"],
            "expected an integer in 1..64, got '10000'",
        ),
        (["train", "mlp", "--lr", "nan"], "expected a number"),
        (["train", "mlp", "--seed", "-1"], "an integer of at least 0, got '-1'"),
        (["train", "mlp", "--seed", f"{2**64}"], f"an integer below 2**64, got '{2**64}'"),
        (
            ["train", "mlp", "--epochs", f"{2**31}"],
            f"an integer below 2**31, got '{2**31}'",
        ),
        (["train", "mlp", "--validation-split", "1"], r"expected a number in [0, 1)"),
        (["train", "rnn"], "expected mlp, cnn, attention, xor or a FILE.json, got 'rnn'"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "required: COMMAND"),
        (["train", "xor", "--patience", "3"], "train xor: does not support --patience"),
        (["train", "xor", "--resume"], "train xor: does not support --resume"),
        (["train", "xor", "--config", "no.json"], "train xor: does not support --config"),
        (
            ["train", "xor", "--optimizer", "adam"],
            "train xor: does not support --optimizer",
        ),
    ],
)
def test_wrong_calls_exit_with_2(args, message, capsys):
    try:
        code = main(args)
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_bad_files_exit_with_1_and_one_line(data, tmp_path):
    out = ("--out", tmp_path / "run", "--quiet")
    assert_one_line(run("train", "mlp", "--data", "/nowhere", *out), 1, "/nowhere")
    assert_one_line(run("evaluate", tmp_path / "no.safetensors"), 1, "no such model file")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a model")
    assert_one_line(run("info", broken), 1, "nor is it a safetensors file")
    resume = ("train", "mlp", "--data", data, "--resume", *out)
    assert_one_line(run(*resume), 1, "last.safetensors: no such model file")

    images = data / "train-images-idx3-ubyte"
    good = images.read_bytes()
    for content, message in [
        (good[:5000], "train-images"),
        (good + b"more", "train-images"),
        (b"\0\0\x0d" + good[3:], "train-images"),
        (good[:7] + b"\xff" + good[8:], "train-images"),
        (b"", "train-images"),
    ]:
        images.write_bytes(content)
        assert_one_line(run("train", "mlp", "--data", data, *out), 1, message)
    images.write_bytes(good)
    labels = data / "train-labels-idx1-ubyte.gz"
    idx.write_idx(labels, np.full(640, 10, np.uint8))
    assert_one_line(run("train", "mlp", "--data", data, *out), 1, "train-labels", "10")
    idx.write_idx(labels, np.zeros(639, np.uint8))
    assert_one_line(run("train", "mlp", "--data", data, *out), 1, "639")
    labels.write_bytes(b"\x1f\x8b" + bytes(50))
    assert_one_line(run("train", "mlp", "--data", data, *out), 1, "train-labels")


def test_a_core_that_does_not_load_is_one_line():
    for name, value in [("RNN_NATIVE_CPU", "v9"), ("RNN_NATIVE_BLAS", "/nowhere.so")]:
        result = run("info", env={**os.environ, name: value})
        assert_one_line(result, 1, value)


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_its_source(monkeypatch, capsys):
    def command(args):
        warnings.warn("the loss grew\nfrom 2.3 to 753", stacklevel=1)
        return 0

    parser = argparse.ArgumentParser()
    parser.set_defaults(command=command)
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    monkeypatch.delenv("RNN_NATIVE_DEBUG", raising=False)
    shown = warnings.showwarning
    assert main([]) == 0
    assert warnings.showwarning is shown
    said = "rnn-native: warning: the loss grew from 2.3 to 753\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", run_folder.FILES)
def test_a_folder_where_a_file_should_be(name, data, tmp_path):
    (tmp_path / "run" / name).mkdir(parents=True)
    result = run("train", "mlp", "--data", data, "--out", tmp_path / "run")
    assert_one_line(result, 1, name, "expected a file")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [name]


def test_out_that_cannot_be_written(data, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    result = run("train", "mlp", "--data", data, "--out", file)
    assert_one_line(result, 1, "cannot write to the run folder", str(file))
    assert file.read_text() == "in the way"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["doctor", "--help", "train --help", "--version"])
def test_full_standard_output_is_one_line(words, unbuffered):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "rnn_native", *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert_one_line(result, 1, "No space left on device")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(("words", "code"), [("info nothing", 1), ("train --nothing", 2)])
def test_full_standard_error_keeps_the_exit_code(words, code):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "rnn_native", *words.split()]
        assert subprocess.run(command, stderr=full, timeout=60).returncode == code


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_signals_end_training_with_its_files_written(data, tmp_path, number, code, word):
    out = tmp_path / "run"
    args = ["train", "mlp", "--data", str(data), "--out", str(out), "--epochs", "100000"]
    child = subprocess.Popen(
        [sys.executable, "-m", "rnn_native", *args, "--patience", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert child.stdout.readline().startswith("Epoch 1/")
    os.kill(child.pid, number)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == code
    assert stderr.splitlines() == [
        f"rnn-native: {word}; continue with --resume --out {out}",
    ]
    assert "Test Accuracy" in stdout
    done = len((out / "log.csv").read_text().splitlines()) - 1
    resumed = run(
        "train", "mlp", "--data", data, "--out", out, "--resume", "--epochs", done + 1
    )
    assert resumed.returncode == 0, resumed.stderr


def test_seed_stratify_and_patience_reach_the_recipe(data, tmp_path):
    flags = ("--seed", 7, "--stratify", "--patience", 0, "--epochs", 1, "--quiet")
    assert run("train", "mlp", "--data", data, "--out", tmp_path, *flags).returncode == 0
    recipe = json.loads((tmp_path / "config.json").read_text())["recipe"]
    assert (recipe["seed"], recipe["stratify"], recipe["patience"]) == (7, True, None)


def test_reader_that_goes_away_is_no_error(tmp_path):
    train = f"{sys.executable} -m rnn_native train xor --out {tmp_path}"
    command = f"{train} | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert result.stdout.startswith("Epoch ")
    assert (tmp_path / "best.safetensors").is_file(), "the work was not done"
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


@pytest.mark.parametrize(
    ("kind", "name"), [(arguments.RATE, "lr"), (arguments.FRACTION, "validation_split")]
)
@pytest.mark.parametrize(
    "value",
    ["0", "1e-31", "1e-30", "0.99", "0.999999", "1", "99999", "999999", "1e6", "2e6"],
)
def test_numbers_have_the_ranges_of_the_recipe(kind, name, value):
    def is_refused(call):
        try:
            call()
        except (ValueError, argparse.ArgumentTypeError):
            return True
        return False

    by_recipe = is_refused(lambda: Recipe(**{name: float(value)}))
    assert is_refused(lambda: kind(value)) == by_recipe
