"""Sweeps: which runs there are, what is trained, what is kept, and what is refused."""

import csv
import json
import os
import re
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.base.markup import Curve, curves_svg
from rnn_native.callbacks import Callback
from rnn_native.sweeps import LogUniform, RandInt, Uniform
from rnn_native.sweeps.candidates import candidates_of
from rnn_native.sweeps.folder import claim
from rnn_native.sweeps.plans import changed_layers
from rnn_native.sweeps.rungs import promoted, rungs_of
from rnn_native.sweeps.shared_data import read_data
from rnn_native.sweeps.worker import _alone_in, read_record

RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int32)
DATA = ((X[:200], Y[:200]), (X[200:], Y[200:]))
GRID = {"units": [3, 5], "lr": [0.03, 0.3]}
OPTIONS = {"epochs": 3, "verbose": 0, "patience": None}


def net(units, rate=0.0):
    return [rn.Dense(units, "relu"), rn.Dropout(rate), rn.Dense(2)]


def weights_of(result):
    return {
        row.id: rn.load(row.run_dir / "best.safetensors").weights.tobytes()
        for row in result.rows
    }


# ---- which runs ----


def test_a_grid_is_all_combinations_in_order():
    found = candidates_of({"a": [1, 2], "b": ["x", "y"]}, None, 0)
    assert found == [{"a": a, "b": b} for a in (1, 2) for b in ("x", "y")]
    assert candidates_of({}, None, 0) == [{}]
    assert candidates_of([{"a": 1}, {"b": 2}], None, 0) == [{"a": 1}, {"b": 2}]


def test_samples_come_from_distributions_and_repeat():
    grid = {
        "a": LogUniform(1e-4, 1),
        "b": Uniform(2, 3),
        "c": RandInt(1, 4),
        "d": ["x", "y"],
    }
    found = candidates_of(grid, 400, 3)
    assert found == candidates_of(grid, 400, 3) != candidates_of(grid, 400, 4)
    assert all(1e-4 <= p["a"] <= 1 and 2 <= p["b"] <= 3 for p in found)
    assert {p["c"] for p in found} == {1, 2, 3} and {p["d"] for p in found} == {"x", "y"}
    # A quarter of a loguniform's draws lies in each quarter of its powers of ten.
    powers = np.log10([p["a"] for p in found])
    assert np.histogram(powers, bins=4, range=(-4, 0))[0].min() > 60
    scipy_stats = pytest.importorskip("scipy.stats")
    assert len(candidates_of({"a": scipy_stats.uniform(0, 1)}, 5, 0)) == 5


def test_samples_of_lists_are_different_ones():
    found = candidates_of({"a": [1, 2, 3], "b": [4, 5]}, 5, 1)
    assert len({tuple(p.values()) for p in found}) == 5
    assert len(candidates_of({"a": [1, 2, 3]}, 99, 1)) == 3


def test_keys_of_layers_go_where_they_are_said_to():
    block = {"type": "residual", "layers": [{"type": "dense", "units": 8}]}
    specs = [{"type": "dense", "units": 8}, block, {"type": "dense", "units": 2}]
    found = changed_layers(specs, {"units": 16, "layers[1].layers[0].units": 4})
    assert [found[0]["units"], found[1]["layers"][0]["units"], found[2]["units"]] == [
        16,
        4,
        2,
    ]
    assert changed_layers(specs, {"layers[2].units": 3})[2]["units"] == 3
    assert specs[0]["units"] == 8


def test_rungs_and_who_reaches_the_next():
    assert rungs_of(9, 3, 1) == [1, 3, 9] and rungs_of(10, 2, 4) == [4, 8, 10]
    values = {"a": 0.3, "b": None, "c": 0.1, "d": 0.2}
    assert promoted(values, "val_loss", 2) == ["c", "d"]
    assert promoted(values, "val_accuracy", 4) == ["a"]


# ---- what is trained ----


def test_a_run_is_what_train_does_with_its_parameters(tmp_path):
    grid = {"units": [8], "learning_rate": [0.2], "scheduler_type": ["cosine_annealing"]}
    data, options = small_digits(), {**OPTIONS, "seeds": [7]}
    result = rn.sweep("mlp", grid, data, out=tmp_path / "s", **options)
    layers = [rn.Dense(8, "relu"), rn.Dense(10)]
    config = {"scheduler_type": "cosine_annealing"}
    alone = rn.train(
        layers, small_digits(), config, input_shape=(784,), lr=0.2, seed=7, **OPTIONS
    )
    assert result.best_model().weights.tobytes() == alone.model.weights.tobytes()
    (row,) = result.table()
    assert row["test_accuracy"] == alone.test_accuracy
    assert row["val_loss"] == min(alone.history.history["val_loss"])


def small_digits():
    x, y = rn.datasets.synthetic_digits(300, seed=4)
    return (x[:200], y[:200]), (x[200:], y[200:])


def test_any_executor_gives_the_same_bits(tmp_path):
    results = [rn.sweep(net, GRID, DATA, jobs=1, out=tmp_path / "a", **OPTIONS)]
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2) as processes:
        results += [
            rn.sweep(net, GRID, DATA, executor=executor, **OPTIONS)
            for executor in (threads, processes)
        ]
        kept = [weights_of(result) for result in results]
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) == 4
    assert not (results[0].out / ".signs").exists()


def test_seeds_are_runs_and_their_mean_decides(tmp_path):
    result = rn.sweep(net, GRID, DATA, seeds=3, out=tmp_path / "s", **OPTIONS)
    assert [row.seed for row in result.rows] == [1, 2, 3] * 4
    means = {}
    for row in result.table():
        means.setdefault((row["units"], row["lr"]), []).append(row["val_loss"])
    best = min(means, key=lambda key: np.mean(means[key]))
    assert tuple(result.best_params.values()) == best
    assert result.best_score == pytest.approx(np.mean(means[best]))
    assert result.best_run.value("val_loss") == min(means[best])
    rows = list(csv.DictReader((tmp_path / "s/results.csv").read_text().splitlines()))
    assert [float(row["val_loss"]) for row in rows] == [
        r["val_loss"] for r in result.table()
    ]
    page = (tmp_path / "s" / "results.html").read_text()
    assert "<svg" in page and page.count("<tr>") > 12


class Count(Callback):
    epochs = 0

    def on_epoch_end(self, epoch, logs):
        Count.epochs += 1


def test_what_is_there_is_not_trained_again_and_a_wider_grid_is_added(tmp_path):
    Count.epochs = 0
    options = {**OPTIONS, "out": tmp_path / "s", "callbacks": lambda: [Count()]}
    first = rn.sweep(net, GRID, DATA, **options)
    assert Count.epochs == 12
    times = {row.id: (row.run_dir / "result.json").stat().st_mtime_ns for row in first.rows}
    wider = rn.sweep(net, {**GRID, "units": [3, 5, 6]}, DATA, **options)
    assert Count.epochs == 18 and len(wider.rows) == 6
    for name, when in times.items():
        assert (tmp_path / "s/runs" / name / "result.json").stat().st_mtime_ns == when


class Interrupt(Callback):
    """Ctrl-C in the second epoch of the third run."""

    runs = 0

    def on_train_begin(self, logs=None):
        Interrupt.runs += 1
        self.number = Interrupt.runs

    def on_epoch_end(self, epoch, logs):
        if self.number == 3 and epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore:training interrupted")
def test_an_interrupted_sweep_continues_to_the_same_bits(tmp_path):
    Interrupt.runs = 0
    options = {**OPTIONS, "jobs": 1}
    whole = rn.sweep(net, GRID, DATA, out=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        rn.sweep(
            net, GRID, DATA, out=tmp_path / "s", callbacks=lambda: [Interrupt()], **options
        )
    assert len(list((tmp_path / "s").glob("runs/*/result.json"))) == 2
    rows = list(csv.DictReader((tmp_path / "s/results.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["done", "done", "missing", "missing"]
    result = rn.sweep(net, GRID, DATA, out=tmp_path / "s", **options)
    assert weights_of(result) == weights_of(whole)
    log = (result.rows[2].run_dir / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "1", "2", "3"]


RECORD = {
    "format_version": 1,
    "id": "a",
    "seconds": 0.5,
    "status": "done",
    "stop_reason": None,
    "epochs": 2,
    "test": {"loss": 0.5, "accuracy": None},
    "history": {"loss": [0.5, None], "val_loss": [1, 2.5]},
    "warning": None,
}
FAILED = {"format_version": 1, "status": "failed", "error": "why", "history": {}}


@pytest.mark.parametrize("record", [RECORD, {**RECORD, "status": "stopped"}, FAILED])
def test_records_are_read(tmp_path, record):
    (tmp_path / "result.json").write_text(json.dumps(record))
    assert read_record(tmp_path) == record


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        *(
            json.dumps(record)
            for record in [
                [],
                {},
                *({k: v for k, v in RECORD.items() if k != name} for name in
                  ("format_version", "status", "epochs", "history")),
                {**RECORD, "format_version": 2},
                {**RECORD, "status": []},
                {**RECORD, "status": "failed"},
                {**FAILED, "error": None},
                {**RECORD, "epochs": "2"},
                {**RECORD, "seconds": []},
                {**RECORD, "test": []},
                {**RECORD, "test": {"loss": "low"}},
                {**RECORD, "history": []},
                {**RECORD, "history": {"loss": 1}},
                {**RECORD, "history": {"loss": [0.5]}},
                {**RECORD, "history": {"loss": [0.5, "x"]}},
            ]
        ),
    ],
)  # fmt: skip
def test_what_is_no_record_is_trained_again(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    assert read_record(tmp_path) is None


def test_files_that_are_none_or_too_large_are_not_read(tmp_path):
    for name in ("result.json", "x_train.npy", ".lock"):
        os.mkfifo(tmp_path / name)
    assert read_record(tmp_path) is None
    with pytest.raises(OSError, match="Not a regular file"):
        read_data(str(tmp_path), "", None)
    with pytest.raises(OSError, match="No such device or address"), _alone_in(tmp_path):
        pass
    huge = tmp_path / "huge"
    huge.mkdir()
    for name in ("result.json", "sweep.json"):
        with (huge / name).open("wb") as file:
            file.truncate(1 << 40)
    assert read_record(huge) is None
    with pytest.raises(ValueError, match="expected a sweep's JSON; set overwrite"):
        claim(huge, {}, overwrite=False)


def test_data_that_do_not_fit_a_net_are_refused_at_once(tmp_path):
    (x, y), _ = DATA
    for data, text in (
        (((x, y), (x[:0], y[:0])), "^x_test: expected shape"),
        (((x, y), (x[:, 1:], y)), "^x_test: expected shape"),
        (((x, y + 7), (x, y)), "^y_train: expected labels in"),
    ):
        with pytest.raises(ValueError, match=text):
            rn.sweep(net, {"lr": [0.1, 0.2], "units": [3]}, data, out=tmp_path, **OPTIONS)
    with pytest.raises(ValueError, match=r"outputs=1: y_train: expected labels in"):
        grid = {"outputs": [2, 1]}
        rn.sweep(lambda outputs: [rn.Dense(outputs)], grid, DATA, out=tmp_path, **OPTIONS)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_is_a_row_with_its_error(tmp_path):
    options = {**OPTIONS, "out": tmp_path / "s"}
    for _ in range(2):
        result = rn.sweep(net, {"units": [3], "lr": [0.1, 9e5]}, DATA, **options)
        assert [row.status for row in result.rows] == ["done", "failed"]
        assert "not finite" in result.table()[1]["error"]
        assert result.best_params["lr"] == 0.1 and len(result.failed) == 1
    all_fail = rn.sweep(net, {"units": [3], "lr": [9e5]}, DATA, **OPTIONS)
    with pytest.raises(
        ValueError, match="no run has a val_loss; the first error is: the loss"
    ):
        _ = all_fail.best_params


def test_a_run_that_learns_nothing_has_a_warning_in_its_row():
    """No warning is raised, as each would be an error here."""
    rows = [{"units": 3, "lr": 1e-6, "seed": 9}, {"units": 3, "lr": 0.3}]
    result = rn.sweep(net, rows, DATA, **{**OPTIONS, "epochs": 40})
    nothing, learned = result.table()
    assert nothing["warning"].startswith("training has learned nothing")
    assert learned["warning"] is None


def test_halving_trains_the_best_as_if_alone(tmp_path):
    grid = {"units": [3, 4, 5, 6], "lr": [0.001, 0.3]}
    options = {**OPTIONS, "epochs": 9}
    result = rn.sweep(net, grid, DATA, factor=3, out=tmp_path / "s", **options)
    epochs = sorted(row.record["epochs"] for row in result.rows)
    assert epochs == [1, 1, 1, 1, 1, 3, 3, 9]
    assert [row.status for row in result.rows].count("done") == 1
    assert result.best_run.status == "done"
    alone = rn.sweep(net, [result.best_params], DATA, out=tmp_path / "a", **options)
    assert weights_of(alone).items() <= weights_of_finished(result).items()
    # Again: nothing is left to do, and the decisions are the same.
    again = rn.sweep(
        net, grid, DATA, factor=3, out=tmp_path / "s", callbacks=never, **options
    )
    assert [row.record for row in again.rows] == [row.record for row in result.rows]


def never():
    raise AssertionError("nothing is to be trained")


def weights_of_finished(result):
    rows = [row for row in result.rows if row.status == "done"]
    return {
        row.id: rn.load(row.run_dir / "best.safetensors").weights.tobytes() for row in rows
    }


# ---- workers ----


class Die(Callback):
    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            os._exit(3)


def dying():
    return [Die()]


def test_a_dead_worker_is_one_line_and_the_sweep_continues(tmp_path):
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.raises(ChildProcessError, match="a worker died"),
    ):
        rn.sweep(
            net, GRID, DATA, executor=pool, out=tmp_path / "s", callbacks=dying, **OPTIONS
        )
    result = rn.sweep(net, GRID, DATA, out=tmp_path / "s", **OPTIONS)
    assert {row.status for row in result.rows} == {"done"}
    assert weights_of(result) == weights_of(
        rn.sweep(net, GRID, DATA, out=tmp_path / "w", **OPTIONS)
    )


def test_what_cannot_be_sent_is_refused_before_training(tmp_path):
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.raises(TypeError, match="cannot send what the runs need"),
    ):
        rn.sweep(
            net,
            GRID,
            DATA,
            executor=pool,
            out=tmp_path / "s",
            callbacks=lambda: [],
            **OPTIONS,
        )
    assert not list((tmp_path / "s").glob("runs/*"))


class Silent(Executor):
    """Answers this many calls, then never again."""

    def __init__(self, answers):
        self.left = answers

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        self.left -= 1
        if self.left >= 0:
            future.set_result(function(*args, **kwargs))
        return future


@pytest.mark.parametrize(
    "answers, text",
    [(0, "no worker answered within"), (2, "no sign of life .* 3 runs are missing")],
)
def test_a_silent_executor_is_not_waited_for(answers, text, tmp_path):
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=text):
        rn.sweep(net, GRID, DATA, executor=Silent(answers), timeout=0.3, **OPTIONS)
    assert time.monotonic() - start < 30  # and not forever


# ---- what is refused ----


@pytest.mark.parametrize(
    "grid, options, text",
    [
        ({}, {"n_iter": 0}, "n_iter: expected an integer of at least 1, got 0"),
        ([], {}, "grid: expected at least one run, got none"),
        ({"lr": []}, {}, "grid.lr: expected at least one value, got none"),
        ({"lr": 0.1}, {}, "grid.lr: expected a list of values or a distribution, got 0.1"),
        ({"lr": LogUniform(0.1, 1)}, {}, "n_iter: expected a number of samples"),
        ("lr", {}, "grid: expected a dict of lists or distributions, or a list of dicts, got str"),
        ([3], {}, r"grid\[0\]: expected a dict, got 3"),
        ([{"lr": 0.1}], {"n_iter": 3}, "n_iter: only for a grid or distributions"),
        ({"lrate": [1]}, {}, "grid: unknown parameter 'lrate'; did you mean 'rate'"),
        ({"lr": [-1]}, {}, "units=3, lr=-1: lr: expected"),
        ({"optimizer": ["adamm"]}, {}, "units=3, optimizer=adamm: optimizer"),
        ({"filters": [3]}, {}, "units=3, filters=3: no hidden layer has filters"),
        ({"layers[7].units": [3]}, {}, r"layers\[7\]: no such layer; expected a number below 3"),
        ({"seed": [1]}, {"seeds": 2}, "seeds: the grid has seed too"),
        ({"lr": [1]}, {"seeds": 0}, "seeds: expected an integer of at least 1"),
        ({"lr": [1]}, {"seeds": [1, 1]}, "seeds: expected each seed once"),
        ({"epochs": [1, 2]}, {"factor": 2}, "factor: expected the same epochs in all runs"),
        ({"lr": [1]}, {"factor": 1}, "factor: expected an integer of at least 2, got 1"),
        ({"lr": [1]}, {"monitor": "val_los"}, "did you mean 'val_loss'"),
        ({"lr": [1]}, {"jobs": 0}, "jobs: expected an integer of at least 1, got 0"),
        ({"lr": [1]}, {"timeout": 0}, "timeout: expected"),
        ({"lr": [1]}, {"callbacks": [Count()]}, "callbacks: expected a function that"),
        ({"lr": [1]}, {"executor": 3}, "executor: expected the interface of concurrent.futures"),
        ({"lr": [1]}, {"resume": True}, "resume: not an option of a sweep's runs"),
        ({"lr": [1]}, {"batchsize": 3}, "unknown argument 'batchsize'; did you mean 'batch_size'"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_one_line(grid, options, text, tmp_path):
    if isinstance(grid, dict) and grid:
        grid = {"units": [3], **grid}
    with pytest.raises((ValueError, TypeError), match=text) as caught:
        rn.sweep(net, grid, DATA, out=tmp_path / "s", **{**OPTIONS, **options})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("s/runs/*"))


def test_messages_escape_the_name_of_a_sweeps_folder(tmp_path):
    place = tmp_path / "a\x1b[31m\nb"
    place.mkdir()
    for content in ("[]", "{}"):
        (place / "sweep.json").write_text(content)
        with pytest.raises((ValueError, FileExistsError), match="overwrite") as caught:
            rn.sweep(net, {"units": [3]}, DATA, out=place, **OPTIONS)
        assert str(caught.value).isprintable()


def test_a_folder_of_something_else_is_refused(tmp_path):
    base = [rn.Dense(3, "relu"), rn.Dense(2)]
    rn.sweep(base, {"lr": [0.1]}, DATA, out=tmp_path / "s", **OPTIONS)
    other = [rn.Dense(4, "relu"), rn.Dense(2)]
    with pytest.raises(FileExistsError, match="holds a sweep of another base"):
        rn.sweep(other, {"lr": [0.1]}, DATA, out=tmp_path / "s", **OPTIONS)
    flipped = tuple((x[::-1], y[::-1]) for x, y in DATA)
    with pytest.raises(FileExistsError, match="holds a sweep of other data"):
        rn.sweep(base, {"lr": [0.1]}, flipped, out=tmp_path / "s", **OPTIONS)
    run = next((tmp_path / "s" / "runs").iterdir())
    with pytest.raises(FileExistsError, match="a run is there already"):
        rn.sweep(base, {"lr": [0.1]}, DATA, out=run, **OPTIONS)
    beside = tmp_path / "s" / "config.json"
    beside.write_text("{}")
    with pytest.raises(FileExistsError, match="a run is there already"):
        rn.sweep(other, {"lr": [0.1]}, DATA, out=tmp_path / "s", overwrite=True, **OPTIONS)
    assert run.exists()
    beside.unlink()
    rn.sweep(other, {"lr": [0.1]}, DATA, out=tmp_path / "s", overwrite=True, **OPTIONS)
    assert not run.exists()


@pytest.mark.parametrize("form", ["recipe", "architecture", "training", "file", "network"])
def test_bases_of_all_forms(form, tmp_path):
    layers = [
        {"type": "dense", "units": 5, "activation": "relu"},
        {"type": "dense", "units": 2},
    ]
    architecture = {"input_shape": [4], "layers": layers}
    recipe = {"architecture": architecture, "training": {"epochs": 2, "optimizer": "adam"}}
    data = DATA
    if form == "training":
        base, data = {"epochs": 2, "batch_size": 50}, small_digits()
    elif form == "network":
        base = rn.Network(layers, (4,), optimizer="adam")
    else:
        base = architecture if form == "architecture" else recipe
    if form == "file":
        base = tmp_path / "base.json"
        base.write_text(json.dumps(recipe))
    grid = {"units": [3], "lr": [0.1]}
    result = rn.sweep(
        base, grid, data, verbose=0, **({"epochs": 2} if form[0] in "an" else {})
    )
    (row,) = result.rows
    assert row.record["epochs"] == 2
    config = json.loads((row.run_dir / "config.json").read_text())
    assert config["architecture"]["layers"][0]["units"] == 3
    wanted = "sgd" if form in ("architecture", "training") else "adam"
    assert config["recipe"]["optimizer"]["type"] == wanted


def test_names_of_curves_stay_within_the_picture():
    """Some ends lie at the top and many together at the bottom."""
    curves = [Curve(f"run {i}", [1.0, 1.0 if i < 3 else 0.0], "#000") for i in range(8)]
    picture = curves_svg("val_loss", [1, 2], curves)
    places = [float(y) for y in re.findall(r'y="([\d.-]+)"[^>]*>run', picture)]
    gaps = np.diff(places)
    assert len(places) == 8 and min(gaps) >= 12.9
    assert min(places) > 16 and max(places) <= 190
    assert places[2] < 60 and places[3] > 100
