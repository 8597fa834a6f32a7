"""Sweeps and searches on loky and on a real cluster of Dask; run with -m dask."""

import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

import rnn_native as rn

pytestmark = [
    pytest.mark.dask,
    # What loky, Dask and its event loop warn of is theirs.
    pytest.mark.filterwarnings("default"),
]
distributed = pytest.importorskip("distributed", reason="needs dask[distributed]")
loky = pytest.importorskip("loky")
joblib = pytest.importorskip("joblib")

RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int32)
DATA = ((X[:200], Y[:200]), (X[200:], Y[200:]))
GRID = {"units": [3, 5], "lr": [0.03, 0.3]}
OPTIONS = {"epochs": 3, "verbose": 0, "patience": None}


def net(units):
    return [rn.Dense(units, "relu"), rn.Dense(2)]


def weights_of(result):
    paths = {row.id: row.run_dir / "best.safetensors" for row in result.rows}
    return {name: rn.load(path).weights.tobytes() for name, path in paths.items()}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("dask"))
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=folder,
        ) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def pool():
    found = loky.ProcessPoolExecutor(2)
    yield found
    found.shutdown(kill_workers=True)


@pytest.fixture(params=["dask", "loky"])
def executor(request, client, pool):
    return client.get_executor() if request.param == "dask" else pool


def test_the_bits_are_those_of_threads(executor, tmp_path):
    result = rn.sweep(net, GRID, DATA, executor=executor, out=tmp_path / "s", **OPTIONS)
    threads = rn.sweep(net, GRID, DATA, out=tmp_path / "t", **OPTIONS)
    assert weights_of(result) == weights_of(threads)
    assert not list((tmp_path / "s").glob(".[ds]*"))


def test_halving_and_functions_of_a_notebook(executor, tmp_path):
    result = rn.sweep(
        net, GRID, DATA, executor=executor, factor=2, callbacks=lambda: [], **OPTIONS
    )
    assert sorted(row.record["epochs"] for row in result.rows) == [1, 1, 2, 3]


class Exit(rn.Callback):
    """Ends the worker in the second epoch of the first attempts."""

    def __init__(self, folder):
        self.folder = folder

    def on_epoch_end(self, epoch, logs):
        mark = os.path.join(self.folder, "died")
        if epoch == 1 and not os.path.exists(mark):
            with open(mark, "w"):
                pass
            os._exit(1)


def test_dask_starts_the_run_of_a_dead_worker_again(client, tmp_path):
    folder = str(tmp_path)
    result = rn.sweep(
        net,
        GRID,
        DATA,
        executor=client.get_executor(),
        out=tmp_path / "s",
        callbacks=lambda: [Exit(folder)],
        **OPTIONS,
    )
    assert (tmp_path / "died").exists()
    assert [row.status for row in result.rows] == ["done"] * 4
    assert weights_of(result) == weights_of(
        rn.sweep(net, GRID, DATA, out=tmp_path / "t", **OPTIONS)
    )


def test_a_dead_worker_of_loky_is_one_line(tmp_path):
    folder = str(tmp_path)
    options = {**OPTIONS, "out": tmp_path / "s"}
    pool = loky.ProcessPoolExecutor(1)
    with pytest.raises(ChildProcessError, match="a worker died") as caught:
        rn.sweep(
            net, GRID, DATA, executor=pool, callbacks=lambda: [Exit(folder)], **options
        )
    assert "\n" not in str(caught.value)
    pool.shutdown(kill_workers=True)
    result = rn.sweep(net, GRID, DATA, **options)
    assert [row.status for row in result.rows] == ["done"] * 4


PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from loky import ProcessPoolExecutor as loky
import numpy as np
import rnn_native as rn

class Tells(rn.Callback):
    def on_epoch_begin(self, epoch, logs):
        open(os.path.join(sys.argv[2], str(os.getpid())), "w").close()
        time.sleep(0.1)

def callbacks():
    return [Tells()]

if __name__ == "__main__":
    x = np.zeros((8, 4), np.float32)
    data = (x, np.arange(8) % 2), (x, np.arange(8) % 2)
    pool = loky(2) if sys.argv[1] == "loky" else ProcessPoolExecutor(2)
    rn.sweep([rn.Dense(2)], {"lr": [0.1, 0.2]}, data, epochs=10**6, executor=pool,
             patience=None, validation_split=0, callbacks=callbacks, verbose=0)
"""


@pytest.mark.parametrize("kind", ["loky", "processes"])
def test_no_worker_outlives_a_killed_sweep(kind, tmp_path):
    marks, program = tmp_path / "marks", tmp_path / "parent.py"
    marks.mkdir()
    program.write_text(PARENT)
    command = [sys.executable, program, kind, marks]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert wait_until(lambda: len(list(marks.iterdir())) == 2)
        workers = [int(mark.name) for mark in marks.iterdir()]
        process.kill()
        assert wait_until(lambda: not any(is_alive(worker) for worker in workers))
        assert "Traceback" not in process.communicate()[1]


def wait_until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def is_alive(process):
    """Whether a process is there, and no zombie."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_cluster_without_workers_is_not_waited_for(tmp_path):
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(TimeoutError, match="no worker answered within 0.5 s"),
    ):
        rn.sweep(net, GRID, DATA, executor=client.get_executor(), timeout=0.5, **OPTIONS)


# ---- scikit-learn's searches ----


def search_of(kind, estimator):
    grid = {"learning_rate_init": [0.003, 0.03], "alpha": [0.0, 0.01]}
    if kind is GridSearchCV:
        return GridSearchCV(estimator, grid, cv=2, n_jobs=2)
    return HalvingGridSearchCV(
        estimator, grid, cv=2, n_jobs=2, random_state=0, resource="max_iter",
        max_resources=6, min_resources=2, factor=2,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [GridSearchCV, HalvingGridSearchCV])
@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
def test_searches_find_the_same_on_every_backend(kind, backend, client):
    from rnn_native.sklearn import MLPClassifier

    estimator = MLPClassifier(hidden_layer_sizes=(6,), max_iter=6, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = search_of(kind, estimator).set_params(n_jobs=1).fit(X, Y)
        with joblib.parallel_backend(backend):
            found = search_of(kind, estimator).fit(X, Y)
    assert found.best_params_ == alone.best_params_
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert (found.predict(X) == alone.predict(X)).all()
