"""Signals that come while modules load: one line and the right exit code, always."""

import os
import signal
import subprocess
import sys

import pytest

from environment import python_environment

# Sends the process a signal when it looks for a module: in the middle of an import.
HOOK = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["SIGNAL_AT"]:
            for _ in range(int(os.environ["TIMES"])):
                os.kill(os.getpid(), int(os.environ["SIGNAL"]))
sys.meta_path.insert(0, Finder())
"""

PREDICT = ["-m", "rnn_native", "info", "mlp.json"]
WINDOW = ["-m", "rnn_native.recognizer"]
SCRIPT = [
    "-c",
    "import sys; from rnn_native.__main__ import main; sys.exit(main())",
    "info",
]
ENDS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}


def run(tmp_path, command, module, number, times=1, **options):
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    environment = python_environment()
    path = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    return subprocess.run(
        [sys.executable, *command],
        env={
            **environment,
            "PYTHONPATH": path,
            "SIGNAL_AT": module,
            "SIGNAL": str(int(number)),
            "TIMES": str(times),
        },
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


@pytest.mark.parametrize("number", ENDS, ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("command", "module"),
    [
        (PREDICT, "rnn_native.cli"),
        (PREDICT, "rnn_native.cli.plot"),
        (PREDICT, "rnn_native.formats.loading"),
        (PREDICT, "numpy._core._multiarray_umath"),
        (SCRIPT, "rnn_native._core"),
        (WINDOW, "rnn_native.recognizer.program"),
        (WINDOW, "numpy"),
    ],
)
def test_a_signal_in_the_middle_of_an_import(tmp_path, command, module, number):
    done = run(tmp_path, command, module, number)
    code, word = ENDS[number]
    assert (done.returncode, done.stderr) == (code, f"rnn-native: {word}\n")


TRAIN = ["-m", "rnn_native", "train", "xor", "--epochs", "1"]


@pytest.mark.parametrize("times", [1, 30], ids=["once", "many times"])
def test_what_trains_waits_for_the_end_of_an_import(tmp_path, times):
    """It has files to write; whoever is in a hurry sends another signal."""
    done = run(
        tmp_path, TRAIN, "rnn_native.models.xor", signal.SIGTERM, times, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (143, "rnn-native: terminated\n")


STORM = """
import os, signal, sys, time
from rnn_native.base import process

def program():
    try:
        for _ in range(30):
            os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        for _ in range(30):
            os.kill(os.getpid(), signal.SIGINT)
        print("handled", flush=True)
        return process.ended_by()[1]

code = process.run(program)
for _ in range(30):
    os.kill(os.getpid(), signal.SIGINT)
sys.exit(code)
"""


def test_a_storm_of_signals_is_one(tmp_path):
    done = run(tmp_path, ["-c", STORM], "", signal.SIGINT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "handled\n", "")


@pytest.mark.parametrize("package", ["rnn_native", "rnn_native.recognizer"])
def test_a_second_signal_before_there_is_a_handler(tmp_path, package):
    """The first comes in an import, the second while the interpreter ends."""
    code = (
        "import atexit, os, signal, sys\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        f"from {package}.__main__ import main\n"
        "sys.exit(main())"
    )
    done = run(tmp_path, ["-c", code], "rnn_native.base.process", signal.SIGINT)
    assert (done.returncode, done.stderr) == (130, "rnn-native: interrupted\n")


# A program that gets a signal in a finalizer, up to the lines that follow it.
IN_A_FINALIZER = (
    "import os, signal, time\n"
    "from rnn_native.base import process\n"
    "class Thing:\n"
    "    def __del__(self): os.kill(os.getpid(), signal.SIGINT); self.done = True\n"
    "def program():\n"
    "    process.wait_for_imports()\n"
    "    thing = Thing(); del thing\n"
)


def test_finalizers_are_not_interrupted(tmp_path):
    code = IN_A_FINALIZER + ("    time.sleep(10)\nraise SystemExit(process.run(program))")
    done = run(tmp_path, ["-c", code], "", signal.SIGINT)
    assert (done.returncode, done.stderr) == (130, "rnn-native: interrupted\n")


def test_no_alarm_is_left_when_a_second_signal_ends_the_wait(tmp_path):
    code = IN_A_FINALIZER + (
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "process._AGAIN_SECONDS = 60\n"
        "code = process.run(program)\n"
        "raise SystemExit(code if signal.getitimer(signal.ITIMER_REAL) == (0, 0) else 9)"
    )
    done = run(tmp_path, ["-c", code], "", signal.SIGINT)
    assert (done.returncode, done.stderr) == (130, "rnn-native: interrupted\n")


def test_signals_that_somebody_handles_are_left_alone(tmp_path):
    code = (
        "import signal\n"
        "from rnn_native.base import process\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "program = lambda: int(signal.getsignal(signal.SIGINT) != signal.SIG_IGN)\n"
        "raise SystemExit(process.run(program))"
    )
    assert run(tmp_path, ["-c", code], "", signal.SIGINT).returncode == 0


def test_the_package_installs_no_handlers(tmp_path):
    code = (
        "import signal, rnn_native as rn, rnn_native.cli, rnn_native.base.process\n"
        "rn.train_xor(epochs=1, verbose=0)\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL"
    )
    done = run(tmp_path, ["-c", code], "", signal.SIGINT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_nothing_else(tmp_path, closed):
    """Neither the exit code nor the other stream."""
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'"$@" {closed}',
            "sh",
            sys.executable,
            "-m",
            "rnn_native",
            "info",
            "x",
        ],
        cwd=tmp_path,
        env=python_environment(),
        capture_output=True,
        text=True,
    )
    said = "" if "2>&-" in closed else "rnn-native: x: no such model file\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_training_without_a_stream_for_errors(tmp_path):
    command = [sys.executable, "-m", "rnn_native", "train", "mlp", "--data", "synthetic"]
    command += ["--epochs", "1", "--out", "run"]
    done = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *command],
        cwd=tmp_path,
        env=python_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "Test Accuracy" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
