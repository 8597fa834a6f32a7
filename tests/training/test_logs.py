"""Logs: every layout there was gives the same history, and doubt is settled by rules."""

import math

import pytest

import rnn_native as rn
from rnn_native.base.errors import FormatError
from rnn_native.callbacks import RunLog
from rnn_native.training.history import EpochRow, History
from rnn_native.training.logs import read_log

HEADER = "epoch,train_loss,train_time,val_loss,val_accuracy,learning_rate\n"


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "log.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path)

    return read


def rows(history):
    """Rows without NaN, which equals nothing."""
    return [
        {k: v for k, v in row.items() if v is not None and not math.isnan(v)}
        for row in history.as_list()
    ]


def test_three_columns_of_mlp_c_and_v1(read):
    history = read("1,0.323739,6.790000\n2,0.149170,7.01\n")
    assert rows(history) == [
        {"loss": 0.323739, "time": 6.79},
        {"loss": 0.14917, "time": 7.01},
    ]
    assert history.epoch == [0, 1]
    assert history.rows[0].accuracy is None
    assert math.isnan(history.rows[0].learning_rate)
    assert "val_loss" not in history.history


def test_four_columns_of_the_attention_model(read):
    history = read("1,2.208794,30.18,120.53\n2,1.622909,53.18,119.00\n")
    assert rows(history)[0] == {"loss": 2.208794, "val_accuracy": pytest.approx(0.3018),
                                "time": 120.53}  # fmt: skip


def test_five_columns_of_the_v2_documents(read):
    assert rows(read("1,0.5,3.5,0.4,88\n")) == [
        {"loss": 0.5, "time": 3.5, "val_loss": 0.4, "val_accuracy": 0.88}
    ]


def test_six_columns_of_v2_have_the_seconds_twice(read):
    history = read("1,0.5,3.25,0.4,88,3.25\n2,0.4,3.5,0.3,90,3.5\n")
    assert rows(history)[1] == {
        "loss": 0.4,
        "time": 3.5,
        "val_loss": 0.3,
        "val_accuracy": 0.9,
    }


def test_six_columns_of_v3_have_the_rate(read):
    history = read("1,0.5,3.25,0.4,88,0.01\n2,0.4,0.01,0.3,90,0.01\n")
    assert [row.learning_rate for row in history] == [0.01, 0.01]
    assert [row.time for row in history] == [3.25, 0.01]


def test_header_of_v3(read):
    history = read(HEADER + "1,0.5,3.25,0.4,88,3.25\n")
    assert rows(history) == [{"loss": 0.5, "time": 3.25, "val_loss": 0.4,
                              "val_accuracy": 0.88, "learning_rate": 3.25}]  # fmt: skip


def test_keras_table_has_fractions(read):
    history = read("epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,2,0.75,1\n1,1,1,1,0\n")
    assert history.epoch == [0, 1]
    assert rows(history)[0] == {
        "accuracy": 0.5, "loss": 2, "val_accuracy": 0.75, "val_loss": 1,
    }  # fmt: skip


def test_appended_fits_count_on(read):
    """CSVLogger(append=True) of 0.1.0 counted each fit from 0; Keras' does."""
    head = "epoch,accuracy,loss\n"
    history = read(f"{head}0,0.5,3\n1,0.6,2\n0,0.7,1.5\n0,0.8,1\n1,0.9,0.5\n")
    assert history.epoch == [0, 1, 2, 3, 4]
    assert history.history["loss"] == [3, 2, 1.5, 1, 0.5]
    assert read(f"{head}1,0.5,3\n2,0.6,2\n1,0.7,1.5\n").epoch == [0, 1, 2]
    # Only every tenth epoch has a row.
    assert read(f"{head}10,0.5,3\n20,0.6,2\n10,0.7,1.5\n").epoch == [9, 19, 29]


def test_header_in_another_order(read):
    history = read("Val_Acc, lr, epoch, loss\n50, 0.1, 1, 2\n")
    assert rows(history) == [{"loss": 2, "val_accuracy": 0.5, "learning_rate": 0.1}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("tail", ["", "1"])
def test_line_ends_and_byte_order_marks(read, end, start, tail):
    history = read(start + "1,0.5,1" + end + "2,0.25,1" + (end if tail else ""))
    assert history.history["loss"] == [0.5, 0.25]


@pytest.mark.parametrize("validated", [True, False])
def test_our_own_log_comes_back(tmp_path, validated):
    values = {"val_loss": 0.7, "val_accuracy": 0.9715} if validated else {}
    written = History()
    for epoch in (999, 1999):
        written.append(EpochRow(0.1 + epoch, 0.5, 1.5, 0.01, **values), epoch)
    RunLog(tmp_path / "log.csv").write(written)
    again = read_log(tmp_path / "log.csv")
    assert again.epoch == written.epoch
    for row, wanted in zip(again, written, strict=True):
        assert (row.loss, row.time, row.learning_rate) == (
            wanted.loss, wanted.time, wanted.learning_rate,
        )  # fmt: skip
        assert row.val_loss == wanted.val_loss
        assert row.val_accuracy == pytest.approx(wanted.val_accuracy)


@pytest.mark.parametrize("separator", [*",;\t|: ./-5e", "\u00a6"])
@pytest.mark.parametrize("loss", ["mse", "softmax_cross_entropy"])
def test_tables_come_back_whatever_the_net_and_the_separator(
    tmp_path, rng, loss, separator
):
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    net = rn.Network([rn.Dense(2 if loss != "mse" else 1)], (3,), loss)
    path, names = tmp_path / "log.csv", ["lr", "seconds", "a b", "a/b"]
    mine = rn.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(dict.fromkeys(names, 0.5))
    )
    table = rn.CSVLogger(path, separator)
    callbacks = [mine, table, RunLog(tmp_path / "run.csv")]
    history = net.fit(x, y, epochs=2, validation_split=0.5, callbacks=callbacks, verbose=0)
    if separator.isalnum():
        with pytest.raises(FormatError):
            read_log(path)
        return
    again = read_log(path)
    assert again.history == history.history
    assert again.epoch == history.epoch
    again = read_log(tmp_path / "run.csv").history
    known = history.history.keys() - {"accuracy", "val_accuracy"}
    assert {name: again[name] for name in known} == {
        name: history.history[name] for name in known
    }
    assert "accuracy" not in again


def test_accuracies_of_a_table_are_fractions_whatever_it_lacks(read):
    head = "epoch,learning_rate,loss,time,val_accuracy\n"
    assert read(f"{head}0,0.1,3,1,0.5\n").rows[0].val_accuracy == 0.5
    with pytest.raises(FormatError, match="expected a fraction, got '50'"):
        read(f"{head}0,0.1,3,1,50\n")


def test_lines_with_quotes(read):
    head = 'epoch,loss,time,learning_rate,"a,b"\n'
    assert read(f'{head}0,1,1,1,"2"\n').history["a,b"] == [2]
    with pytest.raises(FormatError, match=":2: not a line of a training log"):
        read(head + '0,1,1,1,"' + "1" * 200_000 + '"\n')


def test_epochs_that_count_from_zero(read):
    assert read("0,1,1\n1,1,1\n").epoch == [0, 1]


def test_a_diverged_run_is_read_as_it_was(read):
    history = read("1,0.5,3.25,0.4,88,0.01\n2,NaN,3,inf,10,0.01\n")
    assert math.isnan(history.rows[1].loss)
    assert history.rows[1].val_loss == math.inf
    assert history.best_epoch() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "file is empty"),
        (HEADER, "only a header"),
        ("1,2\n", ":1: expected 3 to 6 columns, or a header, got 2"),
        ("1,2,3,4,5,6,7\n", ":1: expected 3 to 6 columns, or a header, got 7"),
        ("1,2,3\n1,2,3\n", ":2: epoch 1 comes after epoch 1"),
        ("epoch,train_loss\n1,2\n1,2\n", ":3: epoch 1 comes after epoch 1"),
        ("epoch,accuracy,loss\n0,1,2\n1,1,2\n1,1,2\n", ":4: epoch 1 comes after epoch 1"),
        ("epoch,accuracy,loss\n1,1,2\n2,1,2\n0,1,2\n", ":4: epoch 0 comes after epoch 2"),
        ("1,2,3\n2,2\n", ":2: expected 3 columns, got 2"),
        ("1,2,3\n\n2,2,3\n", ":2: empty line"),
        ("1,2,3\n2,x,3\n", ":2: column 2: 'x' is not a number (loss)"),
        ("1,2,3\n2,,3\n", ":2: column 2: '' is not a number"),
        ("1,2,3\n2,1_0,3\n", ":2: column 2: '1_0' is not a number"),
        ("1,2,3\n2,2,-3\n", ":2: column 3: expected a time of at least 0"),
        ("1,2,3\n2,2,nan\n", ":2: column 3: expected a finite time"),
        ("1,2,3\n2,2,1e999\n", ":2: column 3: expected a finite time"),
        ("1.5,2,3\n", ":1: expected the number of an epoch, got '1.5'"),
        ("-1,2,3\n", ":1: expected the number of an epoch, got '-1'"),
        ("1,2,50,3\n2,2,101,3\n", ":2: column 3: '101' is not a percentage"),
        ("1,2,3,4,101\n", ":1: column 5: expected a percentage"),
        ("epoch,loss,accuracy\n0,2,50\n", ":2: column 3: expected a fraction, got '50'"),
        ("1,2,3,4,5,6\n2,2,3,4,5\n", ":2: expected 6 columns, got 5"),
        ("epoch,loss,color\n1,2,3\n", ":1: column 3: 'color' is not a column"),
        (
            "epoch,loss,train_loss\n1,2,3\n",
            ":1: column 3: expected each name once, got a second loss",
        ),
        ("epoch,time\n1,2\n", ":1: the header names no column for loss"),
        (b"1,2,3\n2,\xff,3\n", ":2: not UTF-8"),
        (b"\x93NUMPY", ":1: not UTF-8"),
        ("1,\x00,3\n", ":1: column 1: '1' is not a column"),
    ],
)
def test_bad_logs_are_refused_by_line(read, tmp_path, text, words):
    with pytest.raises(FormatError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "log.txt"))
    assert words in message
    assert "\n" not in message


def test_logs_of_too_many_or_too_long_lines(read):
    rows = "".join(f"{epoch},0.5,1\n" for epoch in range(100_001))
    with pytest.raises(
        FormatError, match="log.txt: a training log has at most 100000 lines"
    ):
        read(rows)
    with pytest.raises(
        FormatError, match="log.txt:2: expected a line of at most 262144 ch"
    ):
        read("0,0.5,1\n" + "1," * 140_000)


def test_a_log_of_many_columns(read):
    """Each is looked up at once: 16 MB of them would take hours otherwise."""
    names = [f"m{i}" for i in range(30_000)]
    header = HEADER.strip() + "," + ",".join(names) + "\n"
    history = read(header + "0,0.5,1,0.4,0.9,0.1," + ",".join(["1"] * len(names)) + "\n")
    assert len(history.rows[0].metrics) == len(names)


def test_a_log_of_too_many_values(read):
    with pytest.raises(
        FormatError, match="log.txt: .* at most 1048576 values, got 1050006"
    ):
        read(HEADER + 10 * ("1," * 104_999 + "1\n"))


def test_a_huge_file_is_not_even_opened(tmp_path):
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FormatError, match="at most"):
        read_log(path)
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "none.csv")
