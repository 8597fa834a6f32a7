"""`train --reference-files`: files, logs and console of the reference system's programs."""

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.cli import main
from rnn_native.models.xor import predictions_table
from rnn_native.programs import reference_console
from rnn_native.recognizer import model_choice


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def train(data, model, *more):
    return main(["train", model, "--data", str(data), "--reference-files", *map(str, more)])


NAMES = {
    "mlp": ("mnist_model", "sgd"),
    "cnn": ("mnist_cnn_model", "cnn"),
    "attention": ("mnist_attention_model", "attention"),
}


@pytest.mark.parametrize("model", NAMES)
def test_files_hold_the_best_and_the_last_weights(data, here, capsys, model):
    assert train(data, model, "--epochs", 2, "--batch-size", 64) == 0
    stem, log = NAMES[model]
    best, last = rn.load(f"{stem}_best.bin"), rn.load(f"{stem}.bin")
    run = rn.load(here / "runs" / model)
    np.testing.assert_array_equal(best.weights, run.weights)
    assert last.weights.shape == run.weights.shape
    history = rn.logs.read_log(here / "logs" / f"training_loss_{log}.txt")
    own = rn.logs.read_log(here / "runs" / model / "log.csv")
    assert history.epoch == own.epoch == [0, 1]
    for ours, theirs in zip(own.rows, history.rows, strict=True):
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-6)
        assert theirs.val_accuracy == pytest.approx(ours.val_accuracy, abs=1e-4)
    assert f"Model saved to {stem}_best.bin" in capsys.readouterr().out


def test_the_last_weights_are_not_the_best_ones(data, here):
    """At this rate the third epoch is worse than the second."""
    assert train(data, "mlp", "--epochs", 3, "--lr", 3, "--patience", 0, "--quiet") == 0
    losses = [row.val_loss for row in rn.logs.read_log(here / "runs/mlp/log.csv")]
    assert np.argmin(losses) == 1
    best, last = rn.load("mnist_model_best.bin"), rn.load("mnist_model.bin")
    np.testing.assert_array_equal(best.weights, rn.load("runs/mlp").weights)
    assert (best.weights != last.weights).any()


def test_the_mlps_console(data, here, capsys):
    call = ("--epochs", 9, "--lr", 1e-9, "--optimizer", "adam")
    assert train(data, "mlp", *call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "No config file provided. Using constant learning rate: 0.000000001",
        "Loading training data...",
        "Loading test data...",
    ]
    parts = "576 training samples, 64 validation samples, 200 test samples"
    assert f"Data split: {parts}" in lines
    assert "Using ADAM optimizer with learning rate 0.000000001" in lines
    stop = next(i for i, line in enumerate(lines) if line.startswith("Early stopping"))
    assert lines[stop - 1] == ""
    said = "Early stopping triggered! No improvement for 3 epochs. Best validation loss: "
    assert lines[stop].startswith(said)
    assert lines[-2] == "=" * 24
    header, *rows = (here / "logs/training_loss_adam.txt").read_text().splitlines()
    assert header == "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate"
    assert len(rows) == 4
    assert rows[0].endswith(",0.000000001")


def test_the_consoles_of_cnn_and_attention(data, here, capsys):
    call = ("--epochs", 9, "--lr", 1e-9, "--batch-size", 128, "--patience", 1)
    assert train(data, "cnn", *call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Loading MNIST..."
    assert "Training CNN: epochs=9 batch=128 lr=0.000000001" in lines
    assert any("No improvement for 1 epochs. Best validation" in line for line in lines)
    assert train(data, "attention", *call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  Patches: 7x7 grid (49 tokens)" in lines
    assert "Stopping at epoch 2" in lines
    text = "Early stopping triggered after 1 epochs without improvement (best val_acc: "
    assert any(line.startswith(text) for line in lines)
    row = (here / "logs/training_loss_attention.txt").read_text().splitlines()[0]
    assert [len(field.partition(".")[2]) for field in row.split(",")] == [0, 6, 2, 2]


def test_nothing_is_overwritten_unasked_and_a_run_goes_on(data, here, capsys):
    (here / "mnist_model.bin").write_text("mine")
    assert train(data, "mlp", "--epochs", 1, "--quiet") == 2
    assert "mnist_model.bin" in capsys.readouterr().err
    assert (here / "mnist_model.bin").read_text() == "mine"
    assert not (here / "runs" / "mlp").exists()
    assert train(data, "mlp", "--epochs", 1, "--quiet", "--overwrite") == 0
    assert train(data, "mlp", "--epochs", 2, "--quiet", "--resume") == 0
    assert len(rn.logs.read_log("logs/training_loss_sgd.txt")) == 2


def test_without_validation_the_logs_are_readable(data, here):
    for model in NAMES:
        assert train(data, model, "--epochs", 1, "--validation-split", 0, "--quiet") == 0
        name = f"logs/training_loss_{NAMES[model][1]}.txt"
        assert rn.logs.read_log(name).rows[0].val_loss is None


def test_nets_without_a_format_are_refused(data, here, capsys):
    config = here / "tanh.json"
    config.write_text('{"scheduler_type": "constant", "activation_function": "tanh"}')
    assert train(data, "mlp", "--config", config, "--quiet") == 1
    assert capsys.readouterr().err.count("\n") == 1
    (here / "net.json").write_text('{"layers": [{"type": "dense", "units": 10}]}')
    assert train(data, "net.json") == 2
    assert "expected mlp, cnn, attention or xor" in capsys.readouterr().err


def test_plot_and_recognizer_pick_them_up(data, here, capsys):
    assert main(["plot"]) == 2
    assert "expected a RUN" in capsys.readouterr().err
    for model in ("mlp", "cnn"):
        assert train(data, model, "--epochs", 1, "--quiet") == 0
    assert main(["plot"]) == 0
    assert "logs/training_loss_cnn.txt" in capsys.readouterr().out
    assert (here / "training_comparison.png").is_file()
    found = {choice.name: choice for choice in model_choice.around()}
    wanted = {"serial", "mnist_model_best.bin", "mnist_cnn_model.bin"}
    assert wanted <= set(found)
    for name in wanted:
        assert model_choice.open_model(found[name]).output_shape == (10,)


def test_xor_prints_its_table(here, capsys):
    assert main(["train", "xor", "--epochs", "3000", "--reference-files"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[:3]] == [
        "Epoch 1000",
        "Epoch 2000",
        "Epoch 3000",
    ]
    assert lines[3:5] == ["", "Testing the trained network:"]
    table = predictions_table(rn.load("runs/xor")).splitlines()
    assert lines[4:9] == table
    assert table[2].startswith(
        "Input: 0.0, 1.0, Expected Output: 1.0, Predicted Output: 0."
    )
    assert main(["train", "xor", "--epochs", "3000"]) == 0
    assert "Testing the trained network:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "0.01"), (1e-7, "0.0000001"), (1.0, "1"), (3, "3"), (1 / 3, "0.33333334")],
)
def test_numbers_are_written_as_by_rust(value, text):
    assert reference_console.number(value) == text
