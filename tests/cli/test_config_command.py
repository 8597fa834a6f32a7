"""`config` shows what `train` would do; shells complete words; Kaggle's demo opens the window."""

import json
import os
import subprocess
import sys

import pytest

from rnn_native import pretrained
from rnn_native.cli import main
from rnn_native.recognizer import program


def config(capsys, *args):
    assert main(["config", *map(str, args), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_value_has_an_origin(tmp_path, capsys):
    file = tmp_path / "c.json"
    file.write_text('{"scheduler_type": "constant", "epochs": 4, "batch_size": 16}')
    args = ("mlp", "--data", "synthetic", "--config", file, "--epochs", 7, "--patience", 0)
    found = config(capsys, *args)
    recipe, origins = found["recipe"], found["origins"]
    assert (recipe["epochs"], origins["epochs"]) == (7, "command line")
    assert (recipe["batch_size"], origins["batch_size"]) == (16, "file")
    assert (recipe["lr"], origins["lr"]) == (0.01, "default")
    assert (recipe["patience"], origins["patience"]) == (None, "command line")
    assert found["data"] == "generated digits"
    assert found["architecture"]["layers"][0]["units"] == 512
    assert main(["config", *map(str, args)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "epochs            7  (command line)" in lines
    assert "batch_size        16  (file)" in lines
    assert "lr                0.01" in lines


def test_it_is_what_train_does(data, tmp_path, capsys):
    args = ("mlp", "--data", data, "--lr", 0.1, "--epochs", 1, "--stratify")
    planned = config(capsys, *args)
    assert main(["train", *map(str, args), "--out", str(tmp_path), "--quiet"]) == 0
    done = json.loads((tmp_path / "config.json").read_text())
    assert planned["recipe"] == done["recipe"]
    assert planned["architecture"] == done["architecture"]


def test_xor_has_three_values(capsys):
    found = config(capsys, "xor", "--epochs", 9)
    assert found["recipe"] == {"epochs": 9, "lr": 0.01, "seed": 42}
    assert main(["config", "xor", "--batch-size", "3"]) == 2
    assert "does not support --batch-size" in capsys.readouterr().err


# ---- completion ----


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("rnn-native tra", {"train"}),
        ("rnn-native train ml", {"mlp"}),
        ("rnn-native train my", {"my-net.json"}),
        ("rnn-native train mlp --opt", {"--optimizer"}),
        ("rnn-native train mlp --optimizer ad", {"adam", "adamw"}),
        ("rnn-native train mlp --data fas", {"fashion"}),
    ],
)
def test_a_shell_completes_words(tmp_path, line, wanted):
    pytest.importorskip("argcomplete")
    (tmp_path / "my-net.json").touch()
    (tmp_path / "my-net.txt").touch()
    answer = tmp_path / "answer"
    variables = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "rnn_native"]
    environment = {**os.environ, **variables}
    subprocess.run(command, check=False, timeout=60, env=environment, cwd=tmp_path)
    assert {word.strip() for word in answer.read_text().splitlines()} == wanted


# ---- Kaggle's demo ----


@pytest.fixture
def opened(monkeypatch):
    models = []
    monkeypatch.setattr(program, "open_window", lambda args: models.append(args.model) or 0)
    return models


def test_nothing_to_train_and_to_evaluate_opens_the_demo(tmp_path, monkeypatch, opened):
    monkeypatch.chdir(tmp_path)
    assert main(["kaggle", "--skip-training", "--test-rate", "0"]) == 0
    demo = ("kaggle", "--skip-training", "--test-rate", "0", "--input_model", "my-model")
    assert main(list(demo)) == 0
    assert opened == [str(pretrained.PATH), "my-model"]
    assert not list(tmp_path.iterdir())


def test_with_rows_to_predict_the_demo_comes_after_the_submission(tmp_path, opened, capsys):
    header = ",".join(f"pixel{i}" for i in range(784))
    (tmp_path / "test.csv").write_text(f"{header}\n{','.join(['0'] * 784)}\n")
    call = ["kaggle", str(tmp_path), "--skip-training", "--out", str(tmp_path / "out")]
    assert main([*call, "--test-rate", "0"]) == 0
    assert (tmp_path / "out" / "submission.csv").is_file()
    assert len(opened) == 1
    assert "Model: the one that comes with the package" in capsys.readouterr().out
    assert main([*call, "--test-rate", "0", "--json"]) == 0
    assert len(opened) == 1


def test_the_recognizer_is_a_command(monkeypatch):
    opened = []
    monkeypatch.setattr(program, "make_state", lambda args: opened.append(args.model))

    def fail():
        raise program.outcome.UsageError("no window")

    monkeypatch.setattr(program, "make_root", fail)
    assert main(["recognizer", "runs/mlp"]) == 2
    assert opened == ["runs/mlp"]
