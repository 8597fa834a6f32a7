"""Callbacks that write: models, tables, event files."""

import csv
import os
import struct
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import training
from rnn_native.base.errors import FormatError
from rnn_native.callbacks import CSVLogger, ModelCheckpoint, TensorBoard
from rnn_native.cli import main
from scripted import ScriptedRun, fit_scripted, rows_of


@pytest.fixture
def net():
    return rn.Network([rn.Dense(10)], (784,))


def files_of(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def value_of(path):
    """The weight that a scripted run's file has in all places: its epoch, from 1."""
    weights = rn.load(path).weights
    assert (weights == weights[0]).all()
    return weights[0]


# ---- ModelCheckpoint ----


def test_a_file_for_each_epoch_by_template(tmp_path):
    template = tmp_path / "new" / "epoch {epoch:02d}" / "{val_loss:.2f} {{x}}.safetensors"
    fit_scripted("val_loss", [0.75, 2, 0.125], lambda: ModelCheckpoint(template))
    names = [
        "epoch 01/0.75 {x}.safetensors",
        "epoch 02/2.00 {x}.safetensors",
        "epoch 03/0.12 {x}.safetensors",
    ]
    assert files_of(tmp_path / "new") == names
    assert [value_of(tmp_path / "new" / name) for name in names] == [1, 2, 3]


def test_one_file_is_replaced_after_every_epoch_and_loads_under_any_name(
    tmp_path, net, digits
):
    (x, y), test = digits
    path = tmp_path / "model.keras"
    keep = ModelCheckpoint(path)
    history = net.fit(x, y, epochs=2, validation_data=test, callbacks=[keep], verbose=0)
    assert rn.load(path).weights.tobytes() == net.weights.tobytes()
    facts = rn.checkpoint.describe(path)["facts"]
    assert facts["val_accuracy"] == history.rows[1].val_accuracy


@pytest.mark.parametrize("resumed_after", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("monitor", "values", "options", "saved"),
    [
        ("val_loss", [3, 2, 2, 1, 4], {}, [1, 2, 4]),
        ("val_accuracy", [0.5, 0.25, 0.75, 0.75, 1], {}, [1, 3, 5]),
        ("val_accuracy", [0.5, 0.25, 0.75], {"mode": "min"}, [1, 2]),
        ("val_loss", [3, 2, 2, 1, 4], {"initial_value_threshold": 2.5}, [2, 4]),
        ("loss", [float("nan"), 2, 1], {}, [2, 3]),
    ],
)
def test_best_only(tmp_path, monitor, values, options, saved, resumed_after):
    if resumed_after >= len(values):
        return
    path = str(tmp_path / "{epoch}.safetensors")
    fit_scripted(
        monitor,
        values,
        lambda: ModelCheckpoint(path, monitor, save_best_only=True, **options),
        resumed_after=resumed_after,
    )
    assert files_of(tmp_path) == [f"{epoch}.safetensors" for epoch in saved]
    assert [value_of(tmp_path / f"{epoch}.safetensors") for epoch in saved] == saved


def test_a_file_that_cannot_be_replaced_is_kept(tmp_path, net, digits, monkeypatch):
    (x, y), _ = digits
    path = tmp_path / "model.safetensors"
    net.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(
        "rnn_native.base.files.os.fsync",
        lambda fd: (_ for _ in ()).throw(OSError(28, "full")),
    )
    with pytest.raises(OSError, match="full.*model.safetensors"):
        net.fit(x, y, callbacks=[ModelCheckpoint(path)], verbose=0)
    assert files_of(tmp_path) == ["model.safetensors"]
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told_before_the_first_epoch(
    tmp_path, net, digits
):
    (x, y), _ = digits
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    before = net.params.copy()
    with pytest.raises(OSError, match="cannot write"):
        net.fit(x, y, callbacks=[ModelCheckpoint(tmp_path / "file" / "m.st")], verbose=0)
    with pytest.raises(IsADirectoryError, match="expected a file.*got a folder"):
        net.fit(x, y, callbacks=[ModelCheckpoint(tmp_path / "folder")], verbose=0)
    assert net.params.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    "template",
    [
        "{epoch.real}",
        "{}",
        "{0}",
        "{epoch",
        "{val_loss:d}",
        "{epoch:{width}}",
        "}",
    ],
)
def test_templates_are_checked_at_once(template):
    with pytest.raises(ValueError, match="^filepath: expected .*, got '.*': "):
        ModelCheckpoint(template)


def test_a_template_needs_the_values_that_it_names(tmp_path, net, digits):
    (x, y), _ = digits
    for options in ({"filepath": "{val_loss}"}, {"filepath": "m", "save_best_only": True}):
        with pytest.raises(ValueError, match="^ModelCheckpoint.* needs validation data"):
            net.fit(x, y, callbacks=[ModelCheckpoint(**options)], verbose=0)


def test_checkpoints_say_what_they_do(tmp_path, capsys):
    path = str(tmp_path / "{epoch}.st")
    fit_scripted("val_loss", [2, 3], lambda: ModelCheckpoint(path, verbose=1))
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch {epoch}: saved the model to {tmp_path / str(epoch)}.st" for epoch in (1, 2)
    ]


# ---- CSVLogger ----

KERAS_HEADER = "epoch,accuracy,learning_rate,loss,time,val_accuracy,val_loss"


def test_table_has_keras_columns(tmp_path):
    path = tmp_path / "training.csv"
    run = fit_scripted("val_loss", [3, 2.5], lambda: CSVLogger(path))
    assert path.read_text().splitlines()[0] == KERAS_HEADER
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for name, column in run.history.history.items():
        assert [float(row[name]) for row in rows] == column


def test_table_without_validation_and_with_another_separator(tmp_path, net, digits):
    (x, y), _ = digits
    path = tmp_path / "training.tsv"
    net.fit(x, y, callbacks=[CSVLogger(path, separator="\t")], verbose=0)
    lines = path.read_text().splitlines()
    assert lines[0].split("\t") == ["epoch", "accuracy", "learning_rate", "loss", "time"]
    assert len(lines) == 2


@pytest.mark.parametrize("append", [False, True])
def test_a_resumed_run_has_the_table_of_an_uninterrupted_one(tmp_path, append):
    values = [3, 2, 1, 4]
    for name, after in (("whole", 0), ("parts", 2)):
        log = partial(CSVLogger, tmp_path / name, append=append)
        fit_scripted("val_loss", values, log, resumed_after=after)
    assert (tmp_path / "whole").read_text() == (tmp_path / "parts").read_text()


def test_appending_keeps_what_is_there(tmp_path):
    path = tmp_path / "training.csv"
    for _ in range(2):
        fit_scripted("val_loss", [3, 2], lambda: CSVLogger(path, append=True))
    with path.open("a") as file:
        file.write("4,0.5")  # a writer was killed
    fit_scripted("val_loss", [1], lambda: CSVLogger(path, append=True))
    lines = path.read_text().splitlines()
    assert lines[0] == KERAS_HEADER
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "3", "4"]
    assert rn.read_log(path).history["val_loss"] == [3, 2, 3, 2, 1]
    before = path.read_text()
    with pytest.raises(
        ValueError, match=r"training.csv': has the columns '.*, this run has"
    ):
        fit_scripted("val_loss", [1], lambda: CSVLogger(path, separator=";", append=True))
    assert path.read_text() == before
    fit_scripted("val_loss", [1], lambda: CSVLogger(path))
    assert len(path.read_text().splitlines()) == 2


def test_an_appended_table_of_two_fits_is_read_and_drawn(tmp_path, digits):
    (x, y), _ = digits
    path = tmp_path / "training.csv"
    net = rn.Network([rn.Dense(10)], (784,))
    losses = []
    for epochs in (2, 1, 3):
        log = CSVLogger(path, append=True)
        losses += net.fit(x, y, epochs=epochs, callbacks=log, verbose=0).history["loss"]
    history = rn.read_log(path)
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    assert history.history["loss"] == losses
    assert main(["plot", str(path), "--out", str(tmp_path / "a.png")]) == 0


def test_a_resumed_run_continues_after_its_own_last_row(tmp_path):
    """Not after rows of epochs that were not saved; other runs before it stay."""
    path = tmp_path / "training.csv"
    fit_scripted("val_loss", [9, 8], lambda: CSVLogger(path, append=True))
    fit_scripted("val_loss", [3, 2, 1], lambda: CSVLogger(path, append=True))
    done = rows_of("val_loss", [3, 2])
    done = [replace(row, learning_rate=1.0) for row in done]
    run = ScriptedRun(rows_of("val_loss", [3, 2, 1.5]), 1.0, done)
    training.fit(run, CSVLogger(path, append=True), verbose=0)
    assert rn.read_log(path).history["val_loss"] == [9, 8, 3, 2, 1.5]
    assert rn.read_log(path).epoch == [0, 1, 2, 3, 4]


def fit_logging(net, digits, path, logs=None, **options):
    """Two epochs appended to a file, with what a callback puts into the logs."""
    (x, y), _ = digits
    mine = rn.LambdaCallback(on_epoch_end=lambda epoch, found: found.update(logs(epoch)))
    callbacks = [*([mine] if logs else []), CSVLogger(path, append=True)]
    net.fit(x, y, epochs=2, callbacks=callbacks, verbose=0, **options)


def test_columns_of_callbacks_are_appended_to(tmp_path, net, digits):
    """They are known after the first epoch only."""
    path = tmp_path / "training.csv"
    for _ in range(2):
        fit_logging(net, digits, path, lambda epoch: {"mine": 1.5})
        fit_logging(net, digits, path, lambda epoch: {"late": 2.0} if epoch else {})
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,accuracy,late,learning_rate,loss,mine,time"
    history = rn.read_log(path)
    assert history.epoch == [*range(8)]
    missing = float("nan")
    np.testing.assert_array_equal(history.history["mine"], [1.5, 1.5, missing, missing] * 2)
    np.testing.assert_array_equal(
        history.history["late"], [missing, missing, missing, 2.0] * 2
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        "a,b",
        "accuracy,epoch,learning_rate,loss,time",
        "epoch,accuracy,learning_rate,loss",
        "epoch,accuracy,learning_rate,loss,time,val_accuracy,val_loss",
        "epoch;accuracy;learning_rate;loss;time",
    ],
)
@pytest.mark.parametrize("logs", [None, lambda epoch: {"mine": 1.5}])
def test_other_tables_are_refused_before_training(tmp_path, net, digits, header, logs):
    path = tmp_path / "training.csv"
    path.write_text(f"{header}\n0,1,1,1,1\n")
    before = net.weights.copy(), path.read_bytes()
    with pytest.raises(
        ValueError, match=r"training.csv': has the columns '.*, this run has"
    ):
        fit_logging(net, digits, path, logs)
    assert (net.weights.tobytes(), path.read_bytes()) == (before[0].tobytes(), before[1])


def test_columns_that_nothing_can_fill_are_refused_before_training(tmp_path, net, digits):
    path = tmp_path / "training.csv"
    fit_logging(net, digits, path, lambda epoch: {"mine": 1.5})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="has the columns 'epoch,.*mine"):
        fit_logging(net, digits, path)
    assert path.read_bytes() == before


def test_a_table_whose_epochs_are_none_is_refused(tmp_path):
    path = tmp_path / "training.csv"
    path.write_text(f"{KERAS_HEADER}\nx,1,1,1,1,1,1\n")
    with pytest.raises(ValueError, match="expected the number of an epoch, got 'x'"):
        fit_scripted("val_loss", [1], lambda: CSVLogger(path, append=True))


def test_appending_to_an_empty_file_writes_the_header(tmp_path):
    path = tmp_path / "training.csv"
    path.write_text("")
    fit_scripted("val_loss", [3], lambda: CSVLogger(path, append=True))
    assert path.read_text().startswith(KERAS_HEADER)


ROW = "0,0.5,1.0,3.0,0.0,0.5,3.0"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"my thesis, one line without newline", "has the columns 'my thesis, one"),
        (f"{KERAS_HEADER}\n0,0.5,\n{ROW}\n".encode()[:-30] + b"\xff\n1,0.1", "byte 0xff"),
        (f"{KERAS_HEADER}\n{ROW}\nmy notes".encode(), "as its last line, got 'my notes'"),
        (f"{KERAS_HEADER}\n{ROW}\n{ROW},1".encode(), "as its last line, got '0,0.5"),
        (bytes(10), r"has the columns '\\x00"),
    ],
)
def test_what_is_no_table_is_refused_and_kept(tmp_path, content, words):
    path = tmp_path / "training.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{words}.*choose another file or append=False"):
        fit_scripted("val_loss", [1], lambda: CSVLogger(path, append=True))
    assert path.read_bytes() == content


def test_a_file_beyond_what_can_be_read_as_a_log_is_refused(tmp_path):
    path = tmp_path / "training.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FormatError, match="at most 16777216 bytes.*append=False"):
        fit_scripted("val_loss", [1], lambda: CSVLogger(path, append=True))


@pytest.mark.parametrize("rest", ["1,0.5", "1,0.5,1.0,3.0,0.0,0.5,", "1,-", "1,1e-", "1,n"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_whole_last_row_without_an_end_is_kept_and_a_part_removed(tmp_path, rest, whole):
    path = tmp_path / "training.csv"
    last = ROW if whole else f"{ROW}\n{rest}"
    path.write_text(f"{KERAS_HEADER}\n{last}")
    fit_scripted("val_loss", [2], lambda: CSVLogger(path, append=True))
    header, first, second = path.read_text().splitlines()
    assert (header, first, second[:2]) == (KERAS_HEADER, ROW, "1,")


def test_pipes_are_not_waited_for(tmp_path):
    path = tmp_path / "training.csv"
    os.mkfifo(path)
    with pytest.raises(OSError, match="Not a regular file"):
        fit_scripted("val_loss", [1], lambda: CSVLogger(path, append=True))


def test_the_table_is_a_log_that_can_be_read_and_drawn(tmp_path):
    path = tmp_path / "training.csv"
    run = fit_scripted("val_loss", [3, 2.5], lambda: CSVLogger(path))
    again = rn.read_log(path)
    assert again.epoch == run.history.epoch
    assert again.history == run.history.history


def test_refused_separators(tmp_path):
    for separator in ("", ",,", "\n", '"', None):
        with pytest.raises(ValueError, match="^separator: expected one character"):
            CSVLogger(tmp_path / "t.csv", separator)


# ---- TensorBoard ----


def events_of(folder):
    """All events of a folder; the framing is read by its definition, and its sums checked."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            size, size_sum = struct.unpack("<QI", data[:12])
            body, body_sum = data[12 : 12 + size], data[12 + size : 16 + size]
            assert masked_crc32c(data[:8]) == size_sum
            assert masked_crc32c(body) == struct.unpack("<I", body_sum)[0]
            found.append(Event.FromString(body))
            data = data[16 + size :]
    return found


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def scalars_of(folder):
    return [
        (event.step, value.tag, value.simple_value)
        for event in events_of(folder)
        for value in event.summary.value
    ]


def test_scalars_have_keras_names_and_folders(tmp_path):
    logs = tmp_path / "new" / "logs"
    rows = rows_of("val_loss", [3, 2.5])
    fit_scripted("val_loss", [3, 2.5], lambda: TensorBoard(logs), lr=0.25)
    assert {path.name for path in logs.iterdir()} == {"train", "validation"}
    assert events_of(logs / "train")[0].file_version == "brain.Event:2"
    assert sorted(scalars_of(logs / "train")) == sorted(
        entry
        for epoch, row in enumerate(rows)
        for entry in [
            (epoch, "epoch_loss", row.loss),
            (epoch, "epoch_accuracy", row.accuracy),
            (epoch, "epoch_learning_rate", 0.25),
        ]
    )
    assert sorted(scalars_of(logs / "validation")) == [
        (0, "epoch_accuracy", 0.5),
        (0, "epoch_loss", 3.0),
        (1, "epoch_accuracy", 0.5),
        (1, "epoch_loss", 2.5),
    ]


def test_values_are_on_the_disk_when_an_epoch_has_ended(tmp_path, net, digits):
    (x, y), _ = digits
    seen = []
    look = rn.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(len(scalars_of(tmp_path / "train")))
    )
    net.fit(x, y, epochs=2, callbacks=[TensorBoard(tmp_path), look], verbose=0)
    assert seen == [3, 6]
    assert files_of(tmp_path / "validation") == []


def test_two_runs_in_one_second_have_files_of_their_own(tmp_path):
    fit_scripted("val_loss", [3, 2, 1], lambda: TensorBoard(tmp_path), resumed_after=1)
    assert len(list((tmp_path / "train").iterdir())) == 2
    steps = {step for step, _, _ in scalars_of(tmp_path / "train")}
    assert steps == {0, 1, 2}


def test_a_full_disk_is_an_error_not_a_wait(tmp_path, net, digits, monkeypatch):
    (x, y), _ = digits

    def full(writer, event):
        raise OSError(28, "No space left on device")

    from tensorboardX.event_file_writer import EventsWriter

    board = TensorBoard(tmp_path)
    breaks = rn.LambdaCallback(
        on_train_begin=lambda logs: monkeypatch.setattr(EventsWriter, "write_event", full)
    )
    with pytest.raises(OSError, match="No space left on device: .*") as caught:
        net.fit(x, y, callbacks=[board, breaks], verbose=0)
    assert caught.value.filename == str(tmp_path)


def test_without_tensorboardx(tmp_path, net, digits, monkeypatch):
    (x, y), _ = digits
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(ImportError, match=r"pip install rnn_native\[tensorboard\]"):
        net.fit(x, y, callbacks=[TensorBoard(tmp_path)], verbose=0)
    assert np.isfinite(net.params).all()
    assert list(tmp_path.iterdir()) == []


def test_names_that_no_table_can_have_are_left_out_of_it(net, digits, tmp_path):
    """They would be read as the number of the epoch, or not at all."""

    class Log(rn.Callback):
        def on_epoch_end(self, epoch, logs):
            logs |= {"": 1.0, "epoch": 7.0, "mine ": 2.0, "two\nlines": 3.0, "mine": 4.0}

    (x, y), _ = digits
    table = tmp_path / "table.csv"
    history = net.fit(x, y, epochs=2, callbacks=[Log(), CSVLogger(table)], verbose=0)
    own = {"loss", "accuracy", "time", "learning_rate", "mine"}
    assert set(history.history) == own
    assert set(rn.read_log(table).history) == own
    rn.train_mlp(digits, epochs=2, out=tmp_path, callbacks=Log(), verbose=0)
    logged = rn.read_log(tmp_path / "log.csv").history
    assert logged["mine"] == [4.0, 4.0]
    assert not {"", "epoch", "mine ", "two\nlines"} & set(logged)
