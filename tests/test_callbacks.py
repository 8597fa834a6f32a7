"""Progress and logs: what is printed, and what the CSV file holds."""

import io
import re

import pytest

import rnn_native as rn
from rnn_native.callbacks import CSV_HEADER, ProgressLogger


def test_lines_have_the_facts_of_the_reference(digits, capsys):
    rn.train_mlp(digits, epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    six = r"\d+\.\d{6}"
    pattern = rf"Epoch 2/2, Loss: {six}, Val Loss: {six}, "
    pattern += r"Val Acc: \d+\.\d\d%, Time: \d+\.\d\d\ds"
    assert re.fullmatch(pattern, lines[1])


def test_lines_are_the_default_where_there_is_no_terminal(digits, capsys):
    rn.train_mlp(digits, epochs=1)
    captured = capsys.readouterr()
    assert captured.out.startswith("Epoch 1/1, ")
    assert captured.err == ""


def test_silence(digits, capsys):
    rn.train_mlp(digits, epochs=1, verbose=0)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_bar_goes_to_standard_error(digits, capsys):
    rn.train_mlp(digits, epochs=3, verbose=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err
    assert "Val Acc: " in captured.err


def test_early_stop_is_told(digits, capsys):
    rn.train_mlp(digits, epochs=9, lr=1e-9, verbose=2)
    assert "Early stopping after epoch 4: best validation loss" in capsys.readouterr().out


def test_unknown_verbosity():
    with pytest.raises(ValueError, match="^verbose: expected 'auto', 0, 1 or 2, got 3"):
        ProgressLogger(3)


def test_stream(digits):
    (x, y), _ = digits
    stream = io.StringIO()
    net = rn.Network([rn.Dense(10)], (784,))
    net.fit(x, y, verbose=0, callbacks=[ProgressLogger(2, stream)])
    assert stream.getvalue().startswith("Epoch 1/1, Loss: ")
    assert "Val" not in stream.getvalue()


def test_csv_log(digits, tmp_path):
    result = rn.train_mlp(digits, epochs=2, out=tmp_path, verbose=0)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == CSV_HEADER
    assert CSV_HEADER == "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate"
    epoch, loss, seconds, val_loss, val_accuracy, rate = map(float, lines[2].split(","))
    row = result.history.rows[1]
    assert (epoch, loss, seconds, val_loss, rate) == (
        2,
        row.loss,
        row.time,
        row.val_loss,
        0.01,
    )
    assert val_accuracy == 100 * row.val_accuracy


def test_csv_log_without_validation_leaves_columns_empty(digits, tmp_path):
    rn.train_mlp(digits, epochs=1, validation_split=0.0, out=tmp_path, verbose=0)
    row = (tmp_path / "log.csv").read_text().splitlines()[1].split(",")
    assert row[3:5] == ["", ""]


def test_run_folder_has_its_four_files(digits, tmp_path):
    out = tmp_path / "a" / "b"
    result = rn.train_mlp(digits, epochs=1, out=out, verbose=0)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["best.safetensors", "config.json", "last.safetensors", "log.csv"]
    best = rn.load(out / "best.safetensors")
    assert best.params.tobytes() == result.model.params.tobytes()
    assert result.run_dir == out


def test_best_file_is_the_best_epoch_and_last_the_last(digits, tmp_path):
    class Spoil(rn.Callback):
        def on_epoch_begin(self, epoch):
            if epoch == 1:
                self.run.model.params[:] += 0.5

    result = rn.train_mlp(
        digits, epochs=2, lr=0.1, out=tmp_path, callbacks=[Spoil()], verbose=0
    )
    best, last = (
        rn.load(tmp_path / "best.safetensors"),
        rn.load(tmp_path / "last.safetensors"),
    )
    assert best.params.tobytes() == result.model.params.tobytes()
    assert last.params.tobytes() != best.params.tobytes()
