"""Real processes of mpiexec: `make test-mpi`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import needs
import rnn_native as rn

pytestmark = pytest.mark.mpi
SECONDS = 60


@pytest.fixture(autouse=True)
def _mpi():
    needs.require("mpiexec", module="mpi4py", packages="mpich", promise="RNN_NATIVE_MPI")


def _start(ranks, *words, **more):
    command = [
        shutil.which("mpiexec"),
        "-n",
        str(ranks),
        sys.executable,
        "-m",
        "rnn_native",
    ]
    env = {**os.environ, "RNN_NATIVE_NUM_THREADS": "1", "RNN_NATIVE_MPI_SECONDS": "30"}
    return subprocess.Popen(
        [*command, "train", *words],
        env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def _train(ranks, out, *words):
    options = ("--data", "synthetic", "--mpi", "--out", str(out), *words)
    process = _start(ranks, *options)
    told = process.communicate(timeout=SECONDS)
    return process.returncode, *told


def _weights(out):
    return rn.load(Path(out) / "last.safetensors").get_weights().tobytes()


@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_ranks_leave_the_same_bits(model, tmp_path):
    found = set()
    for ranks in (1, 2, 4):
        out = tmp_path / str(ranks)
        code, text, errors = _train(ranks, out, model, "--epochs", "1", "--quiet")
        assert (code, errors) == (0, ""), errors
        assert text.count("Test Accuracy") == 1
        found.add(_weights(out))
    assert len(found) == 1


def _wait_for(path, process):
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def _begun(tmp_path, model="cnn"):
    out = tmp_path / "run"
    words = (model, "--data", "synthetic", "--epochs", "500", "--patience", "0")
    process = _start(4, *words, "--mpi", "--out", str(out), start_new_session=True)
    _wait_for(out / "best.safetensors", process)
    return process, out


def _ranks_of(process):
    """Return the ids of the processes that train."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(status[3]) == process.pid and b"rnn_native" in words and b"-n" not in words:
            found.append(int(folder.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_rank_ends_all(tmp_path):
    process, out = _begun(tmp_path)
    try:
        victims = _ranks_of(process)
        assert victims
        os.kill(max(victims), signal.SIGKILL)
        process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode != 0
    assert not _ranks_of(process)
    assert _weights(out)


def test_ctrl_c_saves_and_another_number_of_ranks_resumes(tmp_path):
    process, out = _begun(tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode != 0
    rows = len((out / "log.csv").read_text().splitlines()) - 1
    code, _, errors = _train(2, out, "cnn", "--resume", "--epochs", str(rows + 1))
    assert (code, errors) == (0, ""), errors
    alone = _train(
        1, tmp_path / "alone", "cnn", "--epochs", str(rows + 1), "--patience", "0"
    )
    assert alone[0] == 0
    assert _weights(out) == _weights(tmp_path / "alone")


@pytest.mark.parametrize(
    ("ranks", "words", "code", "message"),
    [
        (2, ("xor", "--mpi"), 2, "train xor: takes no --mpi"),
        (2, ("mlp", "--data", "synthetic"), 2, "add --mpi to train one model"),
        (3, ("mlp", "--data", "synthetic", "--mpi"), 1, "expected 1, 2, 4, ... 64 ranks"),
        (
            4,
            ("mlp", "--data", "synthetic", "--mpi", "--batch-size", "2"),
            1,
            "a row for each",
        ),
    ],
)
def test_wrong_calls(ranks, words, code, message, tmp_path):
    process = _start(ranks, *words, cwd=tmp_path)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert message in errors


def test_divergence_is_one_line(tmp_path):
    process = _start(
        2, "mlp", "--data", "synthetic", "--mpi", "--lr", "999999", cwd=tmp_path
    )
    _, errors = process.communicate(timeout=SECONDS)
    lines = [line for line in errors.splitlines() if line.startswith("rnn-native:")]
    assert process.returncode == 1
    assert len(lines) == 1
    assert "not finite" in lines[0]
