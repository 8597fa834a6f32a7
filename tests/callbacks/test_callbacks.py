"""How callbacks are called, what is printed, and what a run's folder holds."""

import io
import re

import numpy as np
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


def test_the_bar_stands_below_a_line_for_each_epoch(digits, capsys):
    rn.train_mlp(digits, epochs=3, verbose=1)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Epoch {i}/3" for i in (1, 2, 3)]
    assert all("Val Acc: " in line and "Time: " in line for line in lines)
    assert "2/3" in captured.err
    assert "Loss" not in captured.err
    # Before each line the bar is wiped, and at the end it is gone.
    assert captured.err.endswith("\r")
    assert captured.err.rstrip("\r").endswith(" ")


def test_early_stop_is_told(digits, capsys):
    rn.train_mlp(digits, epochs=9, lr=1e-9, verbose=2)
    said = "after epoch 4: no improvement of at least 0.001 since epoch 1; best validation loss"
    assert f"Early stopping {said}" in capsys.readouterr().out


def test_an_interrupted_run_is_told_of_by_its_warning_alone(digits, capsys):
    def interrupt(epoch, logs):
        raise KeyboardInterrupt

    callbacks = [rn.LambdaCallback(on_epoch_begin=interrupt)]
    with pytest.warns(UserWarning, match="training interrupted"):
        rn.train_mlp(digits, callbacks=callbacks, verbose=2)
    assert capsys.readouterr().out == ""


def test_unknown_verbosity():
    with pytest.raises(ValueError, match="^verbose: expected 'auto', 0, 1 or 2, got 3"):
        ProgressLogger(3)


@pytest.mark.parametrize("given", [np.array([0, 1]), np.zeros(3), [1], None])
@pytest.mark.parametrize("name", ["verbose", "stratify"])
def test_switches_are_no_arrays(digits, name, given):
    (x, y), _ = digits
    with pytest.raises((TypeError, ValueError), match=f"^{name}: expected .*, got "):
        rn.train_mlp(((x, y), (x, y)), **{"epochs": 1, "verbose": 0, name: given})
    with pytest.raises((TypeError, ValueError), match=f"^{name}: expected .*, got "):
        net = rn.Network([rn.Flatten(), rn.Dense(10)], x.shape[1:])
        net.fit(x, y, **{"verbose": 0, name: given})
    with pytest.raises((TypeError, ValueError), match="^verbose: expected .*, got "):
        rn.train_xor(verbose=given)


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


class Note(rn.Callback):
    """Hooks as Keras' guide writes them: logs have a default and are never None."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("train begins", list(logs.keys())))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch begins", epoch, list(logs.keys())))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch ends", epoch, list(logs.keys())))

    def on_train_end(self, logs=None):
        self.calls.append(("train ends", list(logs.keys())))


COLUMNS = ["loss", "accuracy", "time", "learning_rate", "val_loss", "val_accuracy"]


def test_hooks_are_called_as_keras_does(digits):
    (x, y), test = digits
    note = Note()
    net = rn.Network([rn.Dense(10)], (784,))
    net.fit(x, y, epochs=2, batch_size=100, validation_data=test, callbacks=note, verbose=0)
    assert note.calls == [
        ("train begins", []),
        ("epoch begins", 0, []),
        ("epoch ends", 0, COLUMNS),
        ("epoch begins", 1, []),
        ("epoch ends", 1, COLUMNS),
        ("train ends", COLUMNS),
    ]
    assert note.model is net
    assert note.params == {"epochs": 2, "steps": 7, "verbose": 0}
    assert len(note.run.history) == 2


class Keras(rn.Callback):
    """Overrides hooks by the names that Keras has beside its main ones."""

    def __init__(self):
        self.calls = []

    def on_batch_begin(self, batch, logs=None):
        self.calls.append(("batch begins", batch, sorted(logs)))

    def on_batch_end(self, batch, logs=None):
        self.calls.append(("batch ends", batch, sorted(logs)))

    def on_test_begin(self, logs=None):
        self.calls.append(("test begins", logs))

    def on_test_end(self, logs=None):
        self.calls.append(("test ends", logs))


def test_keras_other_hooks_are_called(digits):
    (x, y), test = digits
    keras = Keras()
    net = rn.Network([rn.Dense(10)], (784,))
    options = {"batch_size": 400, "callbacks": keras, "verbose": 0}
    history = net.fit(x, y, validation_data=test, **options)
    (row,) = history.rows
    assert keras.calls == [
        ("batch begins", 0, []),
        ("batch ends", 0, ["accuracy", "loss"]),
        ("batch begins", 1, []),
        ("batch ends", 1, ["accuracy", "loss"]),
        ("test begins", {}),
        ("test ends", {"loss": row.val_loss, "accuracy": row.val_accuracy}),
    ]
    plain = rn.Network([rn.Dense(10)], (784,))
    plain.fit(x, y, batch_size=400, verbose=0)
    assert plain.weights.tobytes() == net.weights.tobytes()
    keras.calls.clear()
    net.fit(x, y, **options)
    assert len(keras.calls) == 4, "no validation, no test"
    seen = []
    functions = rn.LambdaCallback(on_test_begin=seen.append, on_test_end=seen.append)
    (row,) = net.fit(x, y, validation_data=test, callbacks=functions, verbose=0).rows
    assert seen == [{}, {"loss": row.val_loss, "accuracy": row.val_accuracy}]


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("on_test_batch_begin", "validation is one call; use on_test_begin"),
        ("on_test_batch_end", "validation is one call; use on_test_end"),
        ("on_predict_begin", "predict calls no callbacks"),
        ("on_predict_end", "predict calls no callbacks"),
        ("on_predict_batch_begin", "predict calls no callbacks"),
        ("on_predict_batch_end", "predict calls no callbacks"),
    ],
)
def test_hooks_that_are_never_called_are_refused(digits, hook, reason):
    (x, y), _ = digits
    kind = type("Mine", (rn.Callback,), {hook: lambda self, *_: None})
    net = rn.Network([rn.Dense(10)], (784,))
    before = net.weights.copy()
    with pytest.raises(TypeError, match=f"^Mine.{hook} is never called: {reason}; leave"):
        net.fit(x, y, callbacks=kind(), verbose=0)
    assert net.weights.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("on_epochs_end", "on_epoch_end"),
        ("on_epoch_start", "on_epoch_end or on_epoch_begin"),
        ("on_train_epoch_end", "on_"),
    ],
)
def test_misspelt_hooks_are_told(digits, name, meant):
    (x, y), _ = digits
    kind = type("Mine", (rn.Callback,), {name: lambda self, *_: None})
    net = rn.Network([rn.Dense(10)], (784,))
    words = f"^Mine.{name} is not a hook, fit never calls it; did you mean {meant}"
    with pytest.warns(UserWarning, match=words) as caught:
        net.fit(x, y, callbacks=kind(), verbose=0)
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("error")
def test_other_methods_are_ones_own(digits):
    (x, y), _ = digits
    names = ["on_improvement", "epoch_end", "once", "_on_epoch_end"]
    kind = type("Mine", (rn.Callback,), dict.fromkeys(names, print))
    rn.Network([rn.Dense(10)], (784,)).fit(x, y, callbacks=kind(), verbose=0)


def test_hooks_may_leave_logs_out(digits):
    calls = []

    class Short(rn.Callback):
        def on_train_begin(self):
            calls.append("train begins")

        def on_epoch_begin(self, epoch):
            calls.append(epoch)

        def on_train_end(self):
            calls.append("train ends")

    (x, y), _ = digits
    rn.Network([rn.Dense(10)], (784,)).fit(x, y, callbacks=[Short()], verbose=0)
    assert calls == ["train begins", 0, "train ends"]


def test_an_error_in_a_hook_is_told_as_it_is(digits):
    """One of the wrong type is not taken for a hook without logs."""

    class Wrong(rn.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise TypeError("mine")

    (x, y), _ = digits
    with pytest.raises(TypeError, match="^mine$"):
        rn.Network([rn.Dense(10)], (784,)).fit(x, y, callbacks=[Wrong()], verbose=0)


def test_functions_as_callbacks(digits):
    calls = []
    names = ["on_train_begin", "on_epoch_begin", "on_train_batch_begin",
             "on_train_batch_end", "on_epoch_end", "on_train_end"]  # fmt: skip
    hooks = {
        name: lambda *args, name=name: calls.append((name, *args[:-1], sorted(args[-1])))
        for name in names
    }
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    callback = rn.LambdaCallback(**hooks)
    net.fit(x, y, batch_size=640, callbacks=[callback], verbose=0)
    row = ["accuracy", "learning_rate", "loss", "time"]
    assert calls == [
        ("on_train_begin", []),
        ("on_epoch_begin", 0, []),
        ("on_train_batch_begin", 0, []),
        ("on_train_batch_end", 0, ["accuracy", "loss"]),
        ("on_epoch_end", 0, row),
        ("on_train_end", row),
    ]
    with pytest.raises(TypeError, match="^on_epoch_end: expected a function, got 3"):
        rn.LambdaCallback(on_epoch_end=3)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_epoch_end"])
def test_stop_training_stops_after_the_epoch(digits, hook, capsys):
    def stop(*args):
        if hook == "on_train_begin" or args[0] == 1:
            net.stop_training = True

    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    callback = rn.LambdaCallback(**{hook: stop})
    history = net.fit(x, y, epochs=5, callbacks=[callback], verbose=2)
    epochs = 0 if hook == "on_train_begin" else 2
    assert len(history) == epochs
    assert history.stop_reason == "stop_training"
    assert f"Stopped after epoch {epochs}: stop_training" in capsys.readouterr().out
    assert len(net.fit(x, y, epochs=2, verbose=0)) == 2, "a new run begins afresh"


def test_stop_in_a_batch_ends_the_run_with_its_epoch(digits):
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))

    def stop(batch, logs):
        net.stop_training = True

    callbacks = [rn.LambdaCallback(on_train_batch_end=stop)]
    history = net.fit(x, y, epochs=5, callbacks=callbacks, verbose=0)
    whole = rn.Network([rn.Dense(10)], (784,))
    whole.fit(x, y, epochs=1, verbose=0)
    assert len(history) == 1
    assert net.params.tobytes() == whole.params.tobytes()


@pytest.mark.parametrize("wrong", [[rn.EarlyStopping], ["stop"], [None]])
def test_only_callbacks_are_taken(digits, wrong):
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    with pytest.raises(
        TypeError, match=r"^callbacks: expected instances of rnn_native\.Call"
    ):
        net.fit(x, y, callbacks=wrong, verbose=0)
    net.fit(x, y, callbacks=None, verbose=0)


class Explode(rn.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.params[:] = np.inf


def test_terminate_on_nan_ends_the_run_with_the_best_weights(digits, capsys):
    (x, y), test = digits
    nets = [rn.Network([rn.Dense(10)], (784,)) for _ in range(2)]
    nets[0].fit(x, y, epochs=2, validation_data=test, verbose=0)
    callbacks = [Explode(), rn.TerminateOnNaN()]
    history = nets[1].fit(
        x, y, epochs=5, validation_data=test, callbacks=callbacks, verbose=2
    )
    assert len(history) == 2
    assert "not finite at epoch 3, batch 1 (learning rate 0.01)" in history.stop_reason
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
    assert "Stopped after epoch 2: " in capsys.readouterr().out


def test_terminate_on_nan_may_raise(digits):
    (x, y), _ = digits
    net = rn.Network([rn.Dense(10)], (784,))
    for callbacks in ([Explode()], [Explode(), rn.TerminateOnNaN(raise_error=True)]):
        with pytest.raises(rn.TrainingDiverged, match="epoch 3"):
            net.fit(x, y, epochs=5, callbacks=callbacks, verbose=0)
        net.params[:] = 0


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
