"""`rnn-native sweep`."""

import json

import pytest

from rnn_native.cli import main

CALL = ("sweep", "mlp", "--data", "synthetic", "--epochs", "1", "--threads", "1")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Generated digits, but fewer."""
    monkeypatch.setattr("rnn_native.datasets.opening.SYNTHETIC_TRAIN", 300)
    monkeypatch.setattr("rnn_native.datasets.opening.SYNTHETIC_TEST", 50)


def test_a_sweep_by_command(tmp_path, capsys):
    grid = ["--grid", "lr=0.1,0.03", "--grid", "units=8,16", "--jobs", "2"]
    out = ["--out", str(tmp_path / "s")]
    assert main([*CALL, *grid, *out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[0].startswith("[1/4] lr=0.")
    assert lines[4].startswith("SweepResult of 4 runs: 4 done; best val_loss")
    assert main([*CALL, *grid, *out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best_params"].keys() == {"lr", "units"}
    assert [run["status"] for run in found["runs"]] == ["done"] * 4


def test_samples_and_names_as_values(tmp_path, capsys):
    grid = [
        "--grid",
        "lr=loguniform(1e-3,1)",
        "--grid",
        "optimizer=adam,sgd",
        "--n-iter",
        "3",
    ]
    assert main([*CALL, *grid, "--out", str(tmp_path / "s"), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert len({run["lr"] for run in runs}) == 3
    assert {run["optimizer"] for run in runs} <= {"adam", "sgd"}


@pytest.mark.parametrize(
    "words, code, text",
    [
        (["--grid", "lr"], 2, "expected NAME=VALUE,VALUE, got 'lr'"),
        (
            ["--grid", "lr=normal(0,1)"],
            2,
            "expected loguniform, uniform, randint, got 'normal'",
        ),
        (["--grid", "lr=uniform(1)"], 2, "uniform: expected two numbers"),
        (["--grid", "lr=loguniform(0,1)"], 2, "loguniform: expected 0 < low < high"),
        (["--grid", "lr="], 1, "grid.lr: expected at least one value, got none"),
        (["--grid", "lrr=1"], 1, "grid: unknown parameter 'lrr'"),
        (["--grid", "lr=1", "--grid", "lr=2"], 2, "--grid: expected each name once"),
        (["--grid", "lr=null"], 1, "rnn-native: lr=null: lr: expected a number, got None"),
        (["--grid", "stratify=1"], 1, "rnn-native: stratify=1: stratify: expected True"),
        (["--grid", "lr=" + "9" * 400], 1, "lr=an integer of many digits: lr: expected"),
        (["--grid", "optimizer=" + "a" * 400], 1, "optimizer='aaaaaa"),
        (["--grid", "lr=1", "--executor", "dask"], 2, "needs --scheduler ADDRESS"),
        (
            ["--grid", "lr=1", "--scheduler", "a"],
            2,
            "--scheduler: only with --executor dask",
        ),
    ],
)
def test_wrong_calls(words, code, text, tmp_path, capsys):
    try:
        found = main([*CALL, *words, "--out", str(tmp_path / "s")])
    except SystemExit as error:
        found = error.code
    assert found == code
    error = capsys.readouterr().err
    assert text in error
    assert len(error.splitlines()[-1]) < 250


def test_a_folder_of_another_sweep_is_a_wrong_call(tmp_path, capsys):
    words = ["--grid", "lr=0.1", "--out", str(tmp_path / "s"), "--quiet"]
    assert main([*CALL, *words]) == 0
    assert main([*CALL, *words, "--batch-size", "7"]) == 2
    assert (
        "holds a sweep of another base; use another out, or overwrite"
        in capsys.readouterr().err
    )
    assert main([*CALL, *words, "--batch-size", "7", "--overwrite"]) == 0


def test_a_sweep_is_kept_if_the_one_that_replaces_it_does_not_fit(tmp_path, capsys):
    out, base = ["--out", str(tmp_path / "s")], tmp_path / "base.json"
    layers = [{"type": "flatten"}, {"type": "dense", "units": 10}]
    base.write_text(json.dumps({"input_shape": [1, 12, 12], "layers": layers}))
    assert main([*CALL, "--grid", "lr=0.1", *out]) == 0
    before = {p: p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file()}
    capsys.readouterr()
    call = ["sweep", str(base), *CALL[2:], "--grid", "lr=0.1", *out, "--overwrite"]
    assert main(call) == 1
    error = capsys.readouterr().err
    assert error.startswith("rnn-native: x_train: expected shape (n, 1, 12, 12), got")
    assert {p: p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file()} == before


def test_why_all_runs_failed_is_said(tmp_path, capsys):
    call = [*CALL, "--grid", "validation_split=0.001,0.002", "--out", str(tmp_path / "s")]
    assert main([*call, "--quiet"]) == 1
    caught = capsys.readouterr()
    assert caught.out.startswith("SweepResult of 2 runs: 2 failed")
    assert caught.err.startswith("rnn-native: sweep: all runs failed: ")
    assert caught.err.count("\n") == 1
