"""Real processes of mpiexec: `make test-mpi`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import needs
import rnn_native as rn
from rnn_native.base.runtime import config

pytestmark = pytest.mark.mpi
SECONDS = 60


@pytest.fixture(autouse=True)
def _mpi():
    needs.require("mpiexec", module="mpi4py", packages="mpich", promise="RNN_NATIVE_MPI")


@contextmanager
def _started(ranks, *words, **more):
    """Start `rnn-native train` under mpiexec; no process remains at the end."""
    command = [
        shutil.which("mpiexec"),
        "-n",
        str(ranks),
        sys.executable,
        "-m",
        "rnn_native",
    ]
    env = {**os.environ, "RNN_NATIVE_NUM_THREADS": "1", "RNN_NATIVE_MPI_SECONDS": "30"}
    with subprocess.Popen(
        [*command, "train", *words],
        env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _train(ranks, *words, **more):
    """Return exit code, output and errors."""
    with _started(ranks, *words, **more) as process:
        told = process.communicate(timeout=SECONDS)
        return process.returncode, *told


def _weights(out):
    return rn.load(Path(out) / "last.safetensors").get_weights().tobytes()


@pytest.mark.parametrize("model", ["cnn", "mlp"])
@pytest.mark.usefixtures("data")
def test_ranks_leave_the_same_bits(model, tmp_path):
    found = set()
    for ranks in (1, 2, 4):
        words = (model, "--data", "data", "--mpi", "--epochs", "2", "--out", str(ranks))
        code, text, errors = _train(ranks, *words, "--quiet", cwd=tmp_path)
        assert (code, errors) == (0, ""), errors
        assert text.count("Test Accuracy") == 1
        found.add(_weights(tmp_path / str(ranks)))
    assert len(found) == 1


@contextmanager
def _under_way(data, out):
    """Give four ranks that train for long, once an epoch is done."""
    words = ("cnn", "--data", str(data), "--epochs", "100000", "--patience", "0")
    with _started(4, *words, "--mpi", "--quiet", "--out", str(out)) as process:
        end = time.monotonic() + SECONDS
        while not (out / "last.safetensors").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        try:
            yield process
        finally:
            for rank in _ranks_of(out):
                os.kill(rank, signal.SIGKILL)


def _ranks_of(out):
    """Return the ids of the processes that train into a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(out).encode() in words and b"-n" not in words:
            found.append(int(folder.name))
    return found


def _wait_for_no_ranks(out):
    end = time.monotonic() + SECONDS
    while _ranks_of(out) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _ranks_of(out)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_rank_ends_all(data, tmp_path):
    out = tmp_path / "run"
    with _under_way(data, out) as process:
        victims = _ranks_of(out)
        assert len(victims) == 4
        os.kill(max(victims), signal.SIGKILL)
        process.communicate(timeout=SECONDS)
        assert process.returncode != 0
        _wait_for_no_ranks(out)
    assert _weights(out)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_saves_and_another_number_of_ranks_resumes(data, tmp_path):
    out, alone = tmp_path / "run", tmp_path / "alone"
    with _under_way(data, out) as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)
        assert process.returncode != 0
        _wait_for_no_ranks(out)
    done = len((out / "log.csv").read_text().splitlines()) - 1
    options = ("--epochs", str(done + 1), "--patience", "0", "--mpi", "--quiet")
    words = ("cnn", "--data", str(data), *options, "--out")
    code, _, errors = _train(2, *words, str(out), "--resume")
    assert code == 0, errors
    code, _, errors = _train(1, *words, str(alone))
    assert code == 0, errors
    assert _weights(out) == _weights(alone)


@pytest.mark.parametrize(
    ("ranks", "words", "code", "message"),
    [
        (2, ("xor", "--mpi"), 2, "train xor: does not support --mpi"),
        (2, ("mlp",), 2, "add --mpi to train one model"),
        (3, ("mlp", "--data", "data", "--mpi"), 1, "expected 1, 2, 4, ... 64 ranks"),
        (4, ("mlp", "--data", "data", "--mpi", "--batch-size", "2"), 1, "a row for each"),
    ],
)
@pytest.mark.usefixtures("data")
def test_wrong_calls(ranks, words, code, message, tmp_path):
    found, _, errors = _train(ranks, *words, cwd=tmp_path)
    assert found == code
    assert message in errors


@pytest.mark.usefixtures("data")
def test_divergence_is_one_line(tmp_path):
    words = ("attention", "--data", "data", "--mpi", "--lr", "999999")
    code, _, errors = _train(2, *words, cwd=tmp_path)
    lines = [line for line in errors.splitlines() if line.startswith("rnn-native:")]
    assert code == 1
    assert len(lines) == 1
    assert "not finite" in lines[0]


@pytest.mark.usefixtures("data")
def test_ranks_of_other_cpu_levels_are_refused(tmp_path):
    if len(config()["cpu_levels"]) < 2:
        pytest.skip("this processor has one CPU level")
    one = [sys.executable, "-m", "rnn_native", "train", "mlp", "--mpi", "--data", "data"]
    command = [shutil.which("mpiexec"), "-n", "1", *one, ":"]
    command += ["-n", "1", "-env", "RNN_NATIVE_CPU", "v2", *one]
    done = subprocess.run(command, cwd=tmp_path, text=True, stderr=-1, timeout=SECONDS)
    lines = [line for line in done.stderr.splitlines() if line.startswith("rnn-native:")]
    assert done.returncode == 1
    assert len(lines) == 1
    assert "rank 1 differs from rank 0 in its CPU level" in lines[0]


@pytest.mark.usefixtures("data")
def test_a_sweep_on_workers_of_mpi(tmp_path):
    words = ["sweep", "mlp", "--data", "data", "--grid", "lr=0.1,0.01", "--epochs", "1"]
    mpi = [shutil.which("mpiexec"), "-n", "3", sys.executable, "-m", "mpi4py.futures", "-m"]
    there = ["--executor", "mpi", "--quiet", "--out", "there"]
    subprocess.run(
        [*mpi, "rnn_native", *words, *there], cwd=tmp_path, timeout=SECONDS, check=True
    )
    here = [sys.executable, "-m", "rnn_native", *words, "--quiet", "--out", "here"]
    subprocess.run(here, cwd=tmp_path, timeout=SECONDS, check=True)
    found = {
        out: {run.name: _weights(run) for run in (tmp_path / out / "runs").iterdir()}
        for out in ("here", "there")
    }
    assert len(found["here"]) == 2
    assert found["there"] == found["here"]
