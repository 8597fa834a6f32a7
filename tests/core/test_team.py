"""The thread team by itself: every slice runs exactly once, whoever wakes up when."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import rnn_native._core as _core
from cases import dense
from environment import program_environment

HERE = Path(__file__).parent
BASE = HERE.parents[1] / "csrc" / "base"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


def build(folder, *flags):
    program = folder / "team"
    sources = [HERE / "team_driver.c", BASE / "team.c"]
    command = ["cc", "-O2", "-std=gnu11", "-pthread", f"-I{BASE}", *flags, *sources]
    # A preloaded sanitizer is for the interpreter, not for the compiler or the driver.
    clean = program_environment()
    subprocess.run([*command, "-o", program], check=True, timeout=120, env=clean)

    def run(*arguments):
        call = [program, *map(str, arguments)]
        return subprocess.run(
            call, check=True, capture_output=True, text=True, timeout=300, env=clean
        ).stdout

    return run


def test_every_slice_runs_exactly_once(tmp_path):
    """A worker that is late by a job must find nothing to claim.

    It would run a slice twice, or its count would end the job too early.
    """
    run = build(tmp_path)
    for threads in (2, 3, 5):
        assert run(2000, threads) == "0\n"


def test_no_data_race(tmp_path):
    run = build(tmp_path, "-fsanitize=thread", "-g")
    assert run(100, 4) == "0\n"


def test_the_peak_of_the_machine_is_measured():
    """Beside the tests of `bench`, for the sanitizers."""
    assert _core.measure_peak("fma", 2) > 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed here")
def test_a_net_gets_the_threads_that_it_asks_for():
    net = _core.Net([dense(64)], (64,), "none")
    net.predict(np.zeros((4096, 64), np.float32), threads=9)
    assert len(list(Path("/proc/self/task").iterdir())) >= 9
