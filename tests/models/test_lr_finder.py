"""The search for a learning rate: curve, suggestion, and that the net stays as it was."""

import json
import math

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.base.xorshift import Xorshift
from rnn_native.cli import main
from rnn_native.datasets import idx
from rnn_native.models.lr_finder import (
    _longest_fall,
    _lowest_of_the_best,
    _shares,
    _upward,
    _valley,
)
from rnn_native.training.schedules import OneCycle, Plateau, StepDecay, Warmup, as_dict

LAYERS = [rn.Dense(32, "relu"), rn.Dense(10)]


def new_net(optimizer="sgd", layers=LAYERS, shape=(784,)):
    return rn.Network(layers, shape, optimizer=optimizer)


def by_hand(net, x, y, rates, batch_size, seed=1):
    """Smoothed losses, with the weights put back by nobody."""
    x, y = net.as_rows(x), net.as_targets(y, len(y))
    order, rng = np.arange(len(y), dtype=np.int32), Xorshift(seed)
    average, smoothed, begin = 0.0, [], len(y)
    for step, rate in enumerate(rates):
        if begin >= len(y):
            rng.shuffle(order)
            begin = 0
        rows = order[begin : begin + batch_size]
        begin += batch_size
        loss, _ = net.native.train(x, y, rows, batch_size, rate, seed=seed, step=step)
        average += (float(loss[0]) / len(rows) - average) * 0.02
        smoothed.append(average / (1 - 0.98 ** (step + 1)))
    return smoothed


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_losses_are_those_of_training_with_rising_rates(digits, optimizer):
    (x, y), _ = digits
    found = rn.lr_find(
        new_net(optimizer), x, y, start_lr=1e-4, end_lr=1.0, num_it=25, batch_size=150
    )
    assert found.rates == pytest.approx([1e-4 * 10 ** (4 * k / 25) for k in range(25)])
    expected = by_hand(new_net(optimizer), x, y, found.rates, 150)
    np.testing.assert_allclose(found.losses, expected[: len(found.losses)], rtol=1e-12)
    assert len(found.losses) == 25


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (LAYERS, (784,)),
        ([rn.Dense(32), rn.BatchNorm(), rn.Dropout(0.2), rn.Dense(10)], (784,)),
        (rn.models.CNN_LAYERS, (1, 28, 28)),
    ],
)
@pytest.mark.parametrize("optimizer", ["sgd", {"type": "sgd", "momentum": 0.9}, "adam"])
def test_the_net_is_left_as_it_was(digits, layers, shape, optimizer):
    """Weights, running statistics and moments, also after the loss has become NaN."""
    (x, y), _ = digits
    net, other = (new_net(optimizer, layers, shape) for _ in range(2))
    for one in (net, other):
        one.fit(x, y, lr=0.01, verbose=0)
    weights, moments = net.weights.tobytes(), net.moments.tobytes()
    for end, stop in [(10, True), (1e5, False)]:
        rn.lr_find(net, x, y, end_lr=end, stop_div=stop, num_it=40, trial_it=9)
        assert net.weights.tobytes() == weights
        assert net.moments.tobytes() == moments
    for one in (net, other):
        one.fit(x, y, epochs=2, lr=0.01, verbose=0)
    assert net.weights.tobytes() == other.weights.tobytes()


def test_same_bits_for_any_threads_and_another_curve_for_another_seed(digits):
    (x, y), _ = digits
    a, b, c = (
        rn.lr_find(new_net(), x, y, threads=t, seed=s, trial_it=20)
        for t, s in [(1, 1), (3, 1), (1, 2)]
    )
    assert a.losses.tobytes() == b.losses.tobytes()
    assert a.suggestion == b.suggestion
    assert a.losses.tobytes() != c.losses.tobytes()


def test_it_stops_when_the_loss_blows_up(digits):
    (x, y), _ = digits
    stopped = rn.lr_find(new_net(), x, y, end_lr=1e4)
    assert len(stopped.rates) == len(stopped.losses) < 100
    assert stopped.losses[-1] > 4 * stopped.losses.min()
    assert (stopped.losses[:-1] <= 4 * np.minimum.accumulate(stopped.losses)[:-1]).all()
    on = rn.lr_find(new_net(), x, y, end_lr=1e4, stop_div=False)
    assert len(on.losses) > len(stopped.losses)
    assert on.losses[: len(stopped.losses)].tobytes() == stopped.losses.tobytes()
    assert np.isfinite(on.losses).all()


def test_weights_that_are_not_finite_are_an_error(digits):
    (x, y), _ = digits
    net = new_net()
    net.params[3] = np.nan
    with pytest.raises(rn.TrainingDiverged, match="a weight is not finite"):
        rn.lr_find(net, x, y)


def test_training_at_the_suggestion_works(digits):
    (x, y), test = digits
    for optimizer in ("sgd", "adam"):
        net = new_net(optimizer)
        found = net.lr_find(x, y, batch_size=32)
        net.fit_one_cycle(x, y, 8, found.suggestion, batch_size=32, verbose=0)
        assert net.evaluate(*test)[1] > 0.6, (optimizer, found)


# ---- trials ----


@pytest.mark.parametrize("schedule", [None, OneCycle(5.0, 2), as_dict(OneCycle(1.0, 2))])
def test_a_trial_is_training_as_one_will(digits, schedule):
    """With one rate, or a schedule whose greatest rate is the one that is tried."""
    (x, y), _ = digits
    found = new_net().lr_find(
        x, y, batch_size=64, trial_it=1000, schedule=schedule, epochs=2
    )
    rates = list(found.trials)
    assert found.suggestion in rates
    for rate in rates[:2]:
        net, order, rng = new_net(), np.arange(len(y), dtype=np.int32), Xorshift(1)
        rows, targets = net.as_rows(x), net.as_targets(y, len(y))
        losses = []
        for epoch in range(2):
            rng.shuffle(order)
            used = np.full(10, rate)
            if schedule is not None:
                used = OneCycle(rate, 2).rates(epoch, 10)
            for step in range(10):
                batch = order[step * 64 : step * 64 + 64]
                loss, _ = net.native.train(
                    rows, targets, batch, 64, used[step], seed=1, step=10 * epoch + step
                )
                losses.append(float(loss[0]) / len(batch))
        assert found.trials[rate] == pytest.approx(np.mean(losses[13:]), rel=1e-12)


def test_a_short_trial_goes_through_the_whole_schedule():
    """It is looked at in the middle of each of the trial's parts."""
    assert _shares(StepDecay(3.0), 6, 10, 12).tolist() == [1] * 6 + [0.5] * 6
    warm = _shares(Warmup(Plateau(0.5), epochs=2), 8, 10, 16)
    np.testing.assert_allclose(warm, [0.3 / 2, 0.8 / 2, 1.3 / 2, 1.8 / 2, *[1] * 12])
    cycle = _shares(OneCycle(7.0, 20), 20, 50, 40)
    every = np.concatenate([OneCycle(1.0, 20).rates(epoch, 50) for epoch in range(20)])
    np.testing.assert_allclose(cycle, every[12::25] / every[12::25].max())
    assert _shares(None, 3, 4, 40).tolist() == [1] * 12


@pytest.mark.parametrize(
    ("losses", "count"),
    [
        ([5, 4, 3, 4, 5, 1], 5),  # two in a row are worse
        ([5, 4, 6, 3, 2, 9, math.inf, 1], 7),
        ([math.inf, math.inf, 1], 2),
        ([5, 4, 3, 2, 1, 0.5, 0.4], 7),  # the last rate is 64 times the first
    ],
)
def test_rates_go_up_until_two_are_worse(losses, count):
    trials = {}
    for rate, loss in zip(_upward(0.5, 32.0, trials), losses, strict=False):
        trials.update({rate: loss})  # which the generator looks at before it continues
    assert list(trials) == [0.5 * 2**k for k in range(count)]


def test_the_lowest_of_nearly_equal_rates_is_suggested():
    assert _lowest_of_the_best({0.1: 3.0, 0.2: 2.05, 0.4: 2.0, 0.8: 2.3}, 4.0) == 0.2
    assert _lowest_of_the_best({0.1: -1.5, 0.2: -2.0}, 4.0) == 0.2
    assert _lowest_of_the_best({0.1: 4.0, 0.2: math.inf}, 4.0) is None
    assert _lowest_of_the_best({0.1: math.inf}, 4.0) is None


def test_without_trials_the_valley_is_suggested(digits):
    (x, y), _ = digits
    found = new_net().lr_find(x, y, trial_it=0)
    assert found.trials == {}
    assert found.suggestion == _valley(found.rates, found.losses, 100)


# ---- the valley ----


@pytest.mark.parametrize(
    ("values", "end", "length"),
    [
        ([], 0, 0),
        ([1.0], 0, 1),
        ([1, 2, 3], 0, 1),
        ([3, 2, 1], 2, 3),
        ([3, 3, 3], 0, 1),
        ([5, 9, 4, 8, 3, 1, 2], 5, 4),  # 5 4 3 1
        ([2, 1, 9, 8, 7], 4, 3),
    ],
)
def test_longest_fall_by_hand(values, end, length):
    assert _longest_fall(values) == (end, length)


def test_longest_fall_is_that_of_its_definition(rng):
    """The length for each end, by looking at all that come before it."""
    for _ in range(300):
        values = rng.integers(0, 9, rng.integers(1, 20)).tolist()
        lengths = []
        for i, value in enumerate(values):
            before = [n for v, n in zip(values[:i], lengths, strict=True) if v > value]
            lengths.append(1 + max(before, default=0))
        longest = max(lengths)
        assert _longest_fall(values) == (lengths.index(longest), longest)


def test_suggestion_by_hand():
    """Sixty rates, without 6 before and 5 after: a fall of 30 that ends at 40 of those."""
    rates = np.arange(60.0)
    losses = np.concatenate([np.full(6 + 11, 5.0), np.linspace(5, 1, 30), np.full(13, 9.0)])
    assert _longest_fall(losses[6:-5].tolist()) == (40, 30)
    assert _valley(rates, losses, 60) == 6 + (40 - 30 + 10 + 5)


def test_no_valley_no_valley():
    rates = np.arange(30.0)
    assert _valley(rates, np.arange(30.0), 30) is None
    assert _valley(rates[:4], np.arange(4.0)[::-1], 30) is None
    found = rn.lr_finder.RateSearch(rates[:0], rates[:0], None)
    assert repr(found) == "<RateSearch of 0 rates, none: no suggestion>"


def test_a_fall_at_the_very_beginning():
    """The rule would point before the first rate."""
    rates = np.arange(1.0, 9.0)
    assert _valley(rates, np.array([3, 2, 2, 2.0, 2, 2, 2, 2]), 9) == 1


# ---- edges ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_it": 0}, "^num_it: expected an integer"),
        ({"num_it": 2.5}, "^num_it: expected an integer"),
        ({"trial_it": -1}, "^trial_it: expected an integer"),
        ({"start_lr": 0}, "^start_lr: expected a value in"),
        ({"end_lr": math.inf}, "^end_lr: expected a value in"),
        ({"start_lr": 1, "end_lr": 0.1}, "^end_lr: expected a rate above start_lr, 1, got"),
        ({"batch_size": 0}, "^batch_size: expected"),
        ({"epochs": 0}, "^epochs: expected an integer"),
        ({"schedule": OneCycle(1.0, 2)}, "^epochs: expected the number that the schedule"),
        ({"schedule": {"type": "Cycle"}, "epochs": 2}, "^schedule: expected one of"),
        ({"schedule": "cosine", "epochs": 2}, "^schedule: expected a Schedule"),
    ],
)
def test_refused(digits, options, message):
    (x, y), _ = digits
    with pytest.raises((ValueError, TypeError), match=message):
        rn.lr_find(new_net(), x, y, **options)


def test_one_cycle_is_the_schedule(digits):
    (x, y), _ = digits
    nets = [new_net() for _ in range(2)]
    cycle = rn.schedules.OneCycle(0.3, 3, div=10)
    one = nets[0].fit(x, y, epochs=3, schedule=cycle, batch_size=50, verbose=0)
    two = nets[1].fit_one_cycle(x, y, 3, 0.3, div=10, batch_size=50, verbose=0)
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
    assert one.history["learning_rate"] == two.history["learning_rate"]
    assert two.history["learning_rate"][0] == pytest.approx(0.03)


def test_plot_and_repr(digits):
    (x, y), _ = digits
    found = rn.lr_find(new_net(), x, y)
    ax = found.plot()
    assert ax.get_xscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), found.rates)
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), list(found.trials))
    assert ax.lines[2].get_xdata()[0] == found.suggestion
    assert found.plot(ax) is ax
    assert repr(found).endswith(f"suggestion {found.suggestion:.3g}>")


# ---- the command ----


@pytest.fixture
def here(digits, tmp_path, monkeypatch):
    """The current folder, with a little MNIST of generated digits in `data`."""
    (tmp_path / "data").mkdir()
    for part, (x, y) in zip(["train", "t10k"], digits, strict=True):
        idx.write_idx(tmp_path / f"data/{part}-images-idx3-ubyte", x)
        idx.write_idx(tmp_path / f"data/{part}-labels-idx1-ubyte", y)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(model, num_it=8, trial_it=4):
    """The arguments of a short search on the data of `here`."""
    counts = ["--num-it", f"{num_it}", "--trial-it", f"{trial_it}"]
    return ["lr-find", model, "--data", "data", *counts]


def test_command_prints_a_suggestion_and_draws(here, capsys, monkeypatch):
    monkeypatch.setattr("rnn_native.plots.figures.DPI", 40)
    args = [*search("mlp", 60, 20), "--plot", "lr.png"]
    assert main(args) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "Graph saved to: lr.png"
    assert (here / "lr.png").read_bytes().startswith(b"\x89PNG")
    assert main([*args[:-2], "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert said.out.startswith(f"Suggested learning rate: {report['suggestion']:.3g}\n")
    assert len(report["rates"]) == len(report["losses"]) <= 60
    assert report["file"] is None


def test_command_searches_for_the_model_that_train_trains(here, digits, capsys):
    """Seed, batch size and layers are those of `train`; so is a file's architecture."""
    plan = {"layers": [{"type": "dense", "units": 10}], "input_shape": [784]}
    (here / "small.json").write_text(json.dumps(plan))
    cases = {
        "cnn": (rn.models.CNN_LAYERS, (1, 28, 28), 1, 32),
        "attention": (rn.models.attention_layers(), (1, 28, 28), 42, 32),
        "small.json": ([rn.Dense(10)], (784,), 1, 64),
    }
    for name, (layers, shape, seed, batch_size) in cases.items():
        assert main([*search(name), "--json", "--optimizer", "adam"]) == 0
        report = json.loads(capsys.readouterr().out)
        net = rn.Network(layers, shape, seed=seed, optimizer="adam")
        found = net.lr_find(
            *digits[0], num_it=8, trial_it=4, seed=seed, batch_size=batch_size
        )
        assert report["losses"] == found.losses.tolist()


def test_command_takes_what_training_would(here, digits, capsys):
    """A recipe's own configuration, one beside a model, and flags before both."""
    training = {
        "optimizer": {"type": "sgd", "momentum": 0.5}, "batch_size": 16, "seed": 5,
        "label_smoothing": 0.1, "clip_norm": 0.3, "l2": 0.1, "mixup": 0.2,
        "augment": {"shift": 1}, "class_weight": [0.5] * 5 + [2.0] * 5,
    }  # fmt: skip
    plan = {"layers": [{"type": "dense", "units": 10}], "input_shape": [1, 28, 28]}
    plan["layers"].insert(0, {"type": "flatten"})
    (here / "both.json").write_text(
        json.dumps({"architecture": plan, "training": training})
    )
    (here / "plan.json").write_text(json.dumps(plan))
    (here / "config.json").write_text(json.dumps(training))
    net = rn.Network(
        [rn.Flatten(), rn.Dense(10)],
        (1, 28, 28),
        seed=5,
        optimizer=training.pop("optimizer"),
    )
    found = net.lr_find(*digits[0], num_it=8, trial_it=4, **training)
    for name in training:
        less = {key: value for key, value in training.items() if key != name}
        assert (
            net.lr_find(*digits[0], num_it=8, trial_it=4, **less).losses.tolist()
            != found.losses.tolist()
        )
    calls = {
        ("both.json",): found,
        ("plan.json", "--config", "config.json"): found,
        ("both.json", "--batch-size", "50"): net.lr_find(
            *digits[0], num_it=8, trial_it=4, **{**training, "batch_size": 50}
        ),
    }
    for (model, *options), expected in calls.items():
        assert main([*search(model), *options, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["losses"] == expected.losses.tolist(), (model, options)


def test_command_refuses_in_one_line(here, capsys):
    calls = {
        ("lr-find", "xor"): (2, "xor has four rows"),
        ("lr-find", "mlp", "--start-lr", "1", "--end-lr", "1"): (
            2,
            "--end-lr: expected a rate",
        ),
        ("lr-find", "mlp", "--plot", "a.gif"): (2, ".png"),
        ("lr-find", "none.json"): (1, "none.json"),
        ("lr-find", "mlp", "--config", "none.json"): (1, "none.json"),
        ("lr-find", "mlp", "--data", "nowhere"): (1, "nowhere"),
        ("lr-find", "mlp", "--data", "data", "--num-it", "3", "--trial-it", "0"): (
            1,
            "never fell",
        ),
    }
    for args, (code, words) in calls.items():
        assert main(list(args)) == code, args
        said = capsys.readouterr()
        assert words in said.err
        assert said.err.count("\n") == 1
