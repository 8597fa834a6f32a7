"""Where epochs of `fit` begin and end: initial_epoch and steps_per_epoch."""

import csv
import io
import re

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import schedules

# 50 rows in batches of 16: four batches, the last of 2 rows.
RNG = np.random.default_rng(5)
X = RNG.random((50, 1, 8, 8), np.float32)
Y = RNG.integers(0, 3, 50)
LAYERS = [rn.Flatten(), rn.Dense(12, "tanh"), rn.Dropout(0.3), rn.Dense(3)]
OPTIONS = {
    "plain": {},
    "in order": {"shuffle": False},
    "all": {"augment": rn.Augment(shift=1), "mixup": 0.2, "ema_decay": 0.9, "l2": 0.01},
}


def network():
    return rn.Network(LAYERS, (1, 8, 8), optimizer="adam")


def fit(net, epochs, **options):
    return net.fit(X, Y, **{"batch_size": 16, "epochs": epochs, "verbose": 0, **options})


def bits(net):
    return net.weights.tobytes(), net.moments.tobytes()


class Batches(rn.Callback):
    """Sees the numbers of batches."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, batch, logs):
        self.seen.append((batch, logs["loss"], logs.get("accuracy")))


# ---- steps_per_epoch ----


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("epochs", "steps"), [(12, 1), (4, 3), (3, 4), (2, 6), (1, 12)])
@pytest.mark.parametrize("options", OPTIONS)
def test_its_batches_are_those_of_whole_epochs(options, epochs, steps, threads):
    whole, parts = network(), network()
    fit(whole, 3, **OPTIONS[options])
    history = fit(parts, epochs, steps_per_epoch=steps, threads=threads, **OPTIONS[options])
    assert bits(parts) == bits(whole)
    assert len(history) == epochs
    assert parts.steps_done == 12
    one_more = [fit(net, 1).history["loss"] for net in (whole, parts)]
    assert one_more[0] == one_more[1]
    assert bits(parts) == bits(whole)


@pytest.mark.parametrize("steps", [3, 6])
def test_hooks_of_batches_change_no_bit(steps):
    quiet, asked, hooks = network(), network(), Batches()
    first = fit(quiet, 4, steps_per_epoch=steps)
    second = fit(asked, 4, steps_per_epoch=steps, callbacks=hooks)
    assert bits(asked) == bits(quiet)
    assert [batch for batch, _, _ in hooks.seen] == list(range(steps)) * 4
    assert hooks.params["steps"] == steps
    ends = hooks.seen[steps - 1 :: steps]
    for column, values in zip(
        ("loss", "accuracy"), list(zip(*ends, strict=True))[1:], strict=True
    ):
        np.testing.assert_allclose(second.history[column], values, rtol=1e-12)
        np.testing.assert_allclose(first.history[column], values, rtol=1e-12)


def test_an_epoch_reports_the_mean_of_its_own_rows():
    """With a rate that changes nothing: the loss of the rows that it trained on."""
    net = rn.Network([rn.Flatten(), rn.Dense(3)], (1, 8, 8))
    history = fit(net, 3, steps_per_epoch=3, shuffle=False, lr=1e-30)
    order = [np.r_[0:48], np.r_[48:50, 0:32], np.r_[32:50, 0:16]]
    expected = [net.evaluate(X[part], Y[part]) for part in order]
    np.testing.assert_allclose(
        history.history["loss"], [e.loss for e in expected], rtol=1e-6
    )
    np.testing.assert_allclose(history.history["accuracy"], [e.accuracy for e in expected])


def test_schedules_count_these_batches():
    whole, parts = network(), network()
    cycle = [schedules.OneCycle(0.05, epochs) for epochs in (3, 4)]
    fit(whole, 3, schedule=cycle[0])
    fit(parts, 4, schedule=cycle[1], steps_per_epoch=3)
    assert bits(parts) == bits(whole)


def test_a_pass_goes_on_in_saved_and_copied_nets():
    net, file = network(), io.BytesIO()
    fit(net, 1, steps_per_epoch=3)
    net.save(file, optimizer_state=True)
    others = [rn.load(file.getvalue()), net.clone()]
    for each in (net, *others):
        fit(each, 2, steps_per_epoch=3)
    assert {bits(each) for each in others} == {bits(net)}
    whole = network()
    fit(whole, 9, steps_per_epoch=1)
    assert bits(net) == bits(whole)


def test_a_pass_ends_with_other_rows_another_order_and_a_whole_epoch():
    def state_after(*calls):
        net = network()
        for rows, options in calls:
            net.fit(X[:rows], Y[:rows], batch_size=16, verbose=0, **options)
        return net.training_state

    part = {"steps_per_epoch": 1}
    assert state_after((50, part), (50, part)).taken == 32
    assert state_after((50, part), (40, part)).taken == 16
    assert state_after((50, part), (50, {**part, "shuffle": False})).taken == 16
    assert state_after((50, part), (50, {**part, "seed": 3})).taken == 16
    assert state_after((50, part), (50, {})).taken == 0
    assert state_after((50, part), (50, {"shuffle": False})).taken == 0


def test_a_resumed_run_goes_on_with_the_pass(digits, tmp_path):
    options = {"data": digits, "steps_per_epoch": 5, "verbose": 0, "patience": None}
    whole = rn.train_mlp(epochs=4, **options)
    rn.train_mlp(epochs=2, out=tmp_path, **options)
    resumed = rn.train_mlp(epochs=4, out=tmp_path, resume=True, **options)
    assert resumed.model.params.tobytes() == whole.model.params.tobytes()
    assert resumed.history.history["loss"] == whole.history.history["loss"]
    with pytest.raises(ValueError, match=r"another recipe: steps_per_epoch=6 \(was 5\)"):
        rn.train_mlp(
            epochs=5, out=tmp_path, resume=True, **{**options, "steps_per_epoch": 6}
        )


@pytest.mark.parametrize("lr", [1e3, 1e6 - 1])
def test_where_it_diverged_is_a_batch_of_the_epoch(lr):
    """An epoch of many passes reports the batch that whole epochs find."""
    places = []
    for options in ({"epochs": 10}, {"epochs": 1, "steps_per_epoch": 40}):
        net = rn.Network([rn.Flatten(), rn.Dense(3)], (1, 8, 8), "mse")
        with pytest.raises(rn.TrainingDiverged) as caught:
            net.fit(X, np.eye(3)[Y], batch_size=16, lr=lr, verbose=0, **options)
        found = re.search(r"epoch (\d+), batch (\d+) ", str(caught.value))
        places.append((int(found[1]) - 1) * 4 + int(found[2]))
    assert places[0] == places[1] > 4


# ---- initial_epoch ----

SCHEDULES = {
    "exponential": schedules.Exponential(0.05, 0.7),
    "cosine": schedules.CosineAnnealing(0.05, 6, 0.0),
    "one cycle": schedules.OneCycle(0.05, 6),
    "warm-up": schedules.Warmup(schedules.StepDecay(0.05, 2, 0.5), epochs=4),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_two_calls_are_one_even_with_schedules(schedule):
    chosen = SCHEDULES[schedule]
    one, two = network(), network()
    whole = fit(one, 6, schedule=chosen)
    first = fit(two, 2, schedule=chosen)
    second = fit(two, 6, schedule=chosen, initial_epoch=2)
    assert bits(two) == bits(one)
    assert (first.epoch, second.epoch) == ([0, 1], [2, 3, 4, 5])
    for column in ("loss", "learning_rate"):
        parts = first.history[column] + second.history[column]
        assert parts == whole.history[column]


def test_callbacks_are_told_the_numbers(tmp_path, capsys):
    net, numbers, table = network(), [], tmp_path / "log.csv"
    told = rn.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: numbers.append(epoch),
        on_epoch_end=lambda epoch, logs: numbers.append(epoch),
    )
    rates = rn.LearningRateScheduler(lambda epoch: 0.01 * (epoch + 1))
    files = rn.ModelCheckpoint(tmp_path / "{epoch}.safetensors")
    for begin, end in ((0, 2), (2, 4)):
        log = rn.CSVLogger(table, append=True)
        history = fit(net, end, initial_epoch=begin, callbacks=[told, rates, files, log],
                      verbose=2)  # fmt: skip
    assert numbers == [0, 0, 1, 1, 2, 2, 3, 3]
    assert history.history["learning_rate"] == pytest.approx([0.03, 0.04])
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
        f"{number}.safetensors" for number in (1, 2, 3, 4)
    ]
    with table.open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2", "3"]
    assert len(rn.read_log(table)) == 4
    lines = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["Epoch 1/2", "Epoch 2/2", "Epoch 3/4", "Epoch 4/4"]
    rn.CSVLogger(table)
    fit(net, 7, initial_epoch=5, callbacks=rn.CSVLogger(table))
    with table.open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["5", "6"]


def test_early_stopping_and_the_best_epoch_know_the_numbers(capsys):
    net, stop = network(), rn.EarlyStopping("val_loss", patience=2)
    history = fit(net, 20, initial_epoch=10, lr=0.5, validation_data=(X[::-1], Y),
                  callbacks=stop, verbose=2)  # fmt: skip
    best = history.best_epoch()
    losses = history.history["val_loss"]
    assert losses[best] == min(losses)
    assert net.evaluate(X[::-1], Y).loss == pytest.approx(min(losses), rel=1e-12)
    assert stop.best_epoch == history.epoch[best] == 10 + best
    assert stop.stopped_epoch == history.epoch[-1] == 9 + len(history)
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"after epoch {10 + len(history)}:" in last
    assert last.endswith(f"in epoch {11 + best}")


def test_a_history_shows_the_numbers():
    history = fit(network(), 7, initial_epoch=4)
    assert (history.epochs, len(history), history.first_epoch) == (3, 3, 4)
    assert repr(history).startswith("<History of 3 epochs: loss")
    pandas = pytest.importorskip("pandas")
    assert isinstance(history.to_pandas(), pandas.DataFrame)
    assert list(history.to_pandas().index) == [5, 6, 7]
    assert "<td>7</td>" in history._repr_html_() or ">7<" in history._repr_html_()


def test_all_epochs_done_are_none_to_train():
    net = network()
    fit(net, 3)
    before = bits(net)
    history = fit(net, 3, initial_epoch=3)
    assert (len(history), history.epoch, history.stop_reason) == (0, [], "epochs")
    assert bits(net) == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"initial_epoch": -1}, "initial_epoch: expected an integer of at least 0"),
        ({"initial_epoch": 1.5}, "initial_epoch: expected an integer of at least 0"),
        ({"initial_epoch": True}, "initial_epoch: expected an integer of at least 0"),
        (
            {"initial_epoch": 10, "epochs": 5},
            "initial_epoch: expected at most epochs, 5, got 10; .* epochs=15$",
        ),
        (
            {
                "initial_epoch": 1,
                "schedule": schedules.Plateau(0.1),
                "validation_split": 0.5,
            },
            "initial_epoch: expected 0 with a schedule that uses the validation losses",
        ),
        ({"steps_per_epoch": 0}, "steps_per_epoch: expected an integer of at least 1"),
        ({"steps_per_epoch": 2.0}, "steps_per_epoch: expected an integer of at least 1"),
    ],
)
def test_wrong_numbers_are_refused_and_train_nothing(options, text):
    net = network()
    before = bits(net)
    with pytest.raises(ValueError, match=text) as caught:
        fit(net, options.pop("epochs", 2), **options)
    assert "\n" not in str(caught.value)
    assert (bits(net), net.steps_done, net.input_dtype) == (before, 0, None)
