"""The process around the core: environment, threads, fork, import, floating point."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from cases import SOFTMAX, dense
from environment import SANITIZED, python_environment
from rnn_native.base import runtime

CONFIG = "import rnn_native as rn, json; print(json.dumps(rn.show_config('dicts')))"


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=python_environment(**environment),
    )


def config(**environment):
    result = python(CONFIG, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_show_config(capsys):
    rn.show_config()
    printed = capsys.readouterr().out
    for name in (
        "blas_path",
        "blas_config",
        "blas_core",
        "cpu_level",
        "threads",
        "compiler",
    ):
        assert name in printed
    found = rn.show_config("dicts")
    assert found["blas_config"].startswith("OpenBLAS 0.3.")
    assert found["cpu_level"] in found["cpu_levels"]
    with pytest.raises(ValueError, match="^mode: expected"):
        rn.show_config("xml")


@pytest.mark.parametrize("level", _core.build_config()["cpu_levels"])
def test_cpu_level_can_be_forced(level):
    assert config(RNN_NATIVE_CPU=level)["cpu_level"] == level


def test_unknown_cpu_level_is_one_line():
    result = python("import rnn_native as rn; rn.Network", RNN_NATIVE_CPU="v9")
    assert (
        "ImportError: rnn_native: RNN_NATIVE_CPU: unknown CPU level 'v9'" in result.stderr
    )


def test_another_blas_can_be_named(tmp_path):
    (tmp_path / "libother.so").symlink_to(rn.show_config("dicts")["blas_path"])
    found = config(RNN_NATIVE_BLAS=str(tmp_path / "libother.so"))
    assert "OpenBLAS" in found["blas_config"]


def test_a_blas_that_is_none_is_one_line(tmp_path):
    (tmp_path / "libx.so").write_text("no library")
    for path in (tmp_path / "libx.so", tmp_path / "missing.so"):
        result = python("import rnn_native as rn; rn.Network", RNN_NATIVE_BLAS=str(path))
        assert "ImportError: rnn_native: cannot open the BLAS: " in result.stderr
        assert str(path) in result.stderr


def test_a_net_without_a_blas_is_an_error_and_no_crash():
    net = "_core.Net([{'type': 'dense', 'units': 1}], (1,), 'squared_error')"
    result = python(f"from rnn_native import _core; {net}")
    assert "RuntimeError: Net: no BLAS is loaded" in result.stderr


# ---- number of threads ----


def test_where_the_number_of_threads_comes_from():
    code = "import rnn_native as rn; print(rn.get_num_threads())"

    def threads(**environment):
        clean = {"RNN_NATIVE_NUM_THREADS": "", "OMP_NUM_THREADS": "", **environment}
        return python(code, **clean).stdout.strip()

    assert threads() == str(min(runtime.available_cpus(), 64))
    assert threads(OMP_NUM_THREADS="3") == "3"
    assert threads(OMP_NUM_THREADS="3,2") == "3"
    assert threads(OMP_NUM_THREADS="128") == "64"
    assert threads(OMP_NUM_THREADS="auto") == threads()
    assert threads(OMP_NUM_THREADS="3", RNN_NATIVE_NUM_THREADS="5") == "5"


def test_set_num_threads(monkeypatch):
    monkeypatch.setattr(runtime, "_num_threads", None)
    monkeypatch.setenv("RNN_NATIVE_NUM_THREADS", "5")
    rn.set_num_threads(np.int64(3))
    assert rn.get_num_threads() == 3
    assert runtime.resolve_threads(np.int32(1)) == 1
    rn.set_num_threads(2)
    assert rn.get_num_threads() == 2
    for bad in (0, 65, 10_000, "many", None, 1.5):
        with pytest.raises(ValueError, match="^set_num_threads: expected 1 to 64 threads"):
            rn.set_num_threads(bad)
    assert rn.get_num_threads() == 2


@pytest.mark.parametrize("value", ["0", "10000", "two"])
def test_bad_environment_names_the_variable(monkeypatch, value):
    monkeypatch.setattr(runtime, "_num_threads", None)
    monkeypatch.setenv("RNN_NATIVE_NUM_THREADS", value)
    with pytest.raises(
        ValueError, match="^RNN_NATIVE_NUM_THREADS: expected 1 to 64 threads"
    ):
        rn.Network([rn.Dense(2)], (2,)).predict(np.zeros((1, 2)))


# ---- the team ----


def train_something(seed=0, threads=2, epochs=3):
    rng = np.random.default_rng(seed)
    x = rng.random((256, 300), dtype=np.float32)
    y = rng.integers(0, 10, 256).astype(np.int32)
    net = _core.Net([dense(256, "relu"), dense(10)], (300,), SOFTMAX)
    net.params[:] = rng.uniform(-0.05, 0.05, net.params.size)
    net.train(x, y, np.arange(256, dtype=np.int32), 64, 0.1, epochs=epochs, threads=threads)
    return net.params.tobytes()


def test_trainings_side_by_side_do_not_touch_each_other():
    """Two callers want the team at once: one gets it, all get the bits of being alone."""
    expected = [train_something(seed) for seed in range(6)]
    got = [None] * 6

    def work(seed):
        for _ in range(5):
            got[seed] = train_something(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == expected


def test_number_of_threads_may_change_from_call_to_call():
    expected = train_something(threads=1)
    for threads in (2, 7, 3, 16, 1, 2):
        assert train_something(threads=threads) == expected


FORK = """
import os, signal, sys, threading
sys.path.insert(0, {tests!r})
from test_runtime import train_something
expected = train_something()
stop = threading.Event()
def background():
    while not stop.is_set():
        train_something(1)
if {busy}:
    threading.Thread(target=background).start()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        os._exit(0 if train_something() == expected else 1)
    if os.waitpid(pid, 0)[1] != 0:
        stop.set()
        sys.exit("a child failed or hung")
stop.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("busy", [False, True])
def test_children_of_fork_train_to_the_same_bits(busy):
    """Also when another thread of the parent is training at that moment."""
    tests = os.path.dirname(__file__)
    result = subprocess.run(
        [sys.executable, "-c", FORK.format(tests=tests, busy=busy)],
        capture_output=True,
        text=True,
        timeout=300,
        env=python_environment(),
    )
    assert result.returncode == 0, result.stderr


FORK_IN_BLAS = """
import os, signal, sys, threading
sys.path.insert(0, {tests!r})
from test_runtime import train_something
train_something(threads=1)
stop = threading.Event()
def background():
    while not stop.is_set():
        train_something(1, threads=1)
threading.Thread(target=background).start()
for _ in range(1500):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        train_something(threads=1, epochs=1)
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        stop.set()
        sys.exit("a child hung or failed")
stop.set()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_never_happens_inside_a_blas_call():
    """OpenBLAS holds its own lock there, which the child could not open again."""
    tests = os.path.dirname(__file__)
    result = subprocess.run(
        [sys.executable, "-c", FORK_IN_BLAS.format(tests=tests)],
        capture_output=True,
        text=True,
        timeout=500,
        env=python_environment(),
    )
    assert result.returncode == 0, result.stderr


# ---- manners ----


def test_import_is_light():
    """Nothing heavier than NumPy, whatever is installed."""
    code = "import sys, rnn_native as rn; rn.train_mlp, rn.load, rn.datasets; print(*sys.modules)"
    loaded = set(python(code).stdout.split())
    heavy = {"safetensors", "tqdm", "pooch", "matplotlib", "PIL", "argparse", "gzip"}
    heavy |= {"tkinter", "torch", "sklearn", "urllib.request", "http.client", "ssl"}
    assert "rnn_native._core" in loaded
    assert not heavy & loaded


def test_import_changes_nothing_in_the_process():
    code = """
import os, locale, threading
import numpy as np
before = dict(os.environ), os.getcwd(), np.random.get_state()[1].tobytes()
import rnn_native as rn
assert before == (dict(os.environ), os.getcwd(), np.random.get_state()[1].tobytes())
def subnormals():
    assert np.float32(1e-45) * np.float32(1) > 0
subnormals()
rn.train_xor(epochs=10, verbose=0)
subnormals()
tasks = len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 1
assert tasks == 1, f'{tasks} threads after import and a tiny training'
thread = threading.Thread(target=subnormals); thread.start(); thread.join()
"""
    # NumPy's own BLAS would start threads too.
    result = python(code, OPENBLAS_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr


def test_workers_leave_signals_to_the_interpreter():
    """A handler must not run on a thread that knows no Python."""
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("no /proc here")
    train_something(threads=3, epochs=20)
    blocked = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as status:
            lines = dict(line.split(":", 1) for line in status if ":" in line)
        blocked.append(int(lines["SigBlk"], 16) & 2 != 0)  # bit 1: SIGINT
    assert sum(blocked) >= 2, "the workers"
    assert not all(blocked), "the main thread"


def test_second_interpreter_gets_an_import_error():
    code = """
import rnn_native
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    raise SystemExit(0)
second = interpreters.create()
source = '''
try:
    import rnn_native._core
except ImportError as error:
    pass
else:
    raise SystemError("no ImportError")
'''
interpreters.run_string(second, source)
"""
    result = python(code)
    assert result.returncode == 0, result.stderr


WHERE_ADDRESSES_ARE_FEW = pytest.mark.skipif(
    sys.platform != "linux" or SANITIZED,
    reason="reads /proc, and a sanitizer takes terabytes of addresses",
)
LITTLE_ROOM = """
import resource
import numpy as np
import rnn_native._core as core

def limit(more):
    with open("/proc/self/status") as lines:
        used = next(int(line.split()[1]) for line in lines if line.startswith("VmSize"))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, ((used << 10) + (more << 20), hard))
"""
TRAIN_WITH_BLAS = """
from rnn_native.base import runtime
dense = {"type": "dense", "units": 512, "activation": "relu"}
net = core.Net([dense, dense, {**dense, "units": 10}], (784,), "softmax_cross_entropy")
start = np.random.default_rng(0).normal(0, 0.05, len(net.params))
x, y = np.ones((256, 784), np.float32), np.zeros(256, np.int32)
net.predict(x, threads=4)  # which starts the threads

def trained():
    net.params[:] = start
    for _ in range(5):
        net.train(x, y, np.arange(256, dtype=np.int32), 64, 0.01, threads=4)
    return net.params.tobytes()

limit(16)  # less than half a buffer of OpenBLAS
limited = trained()
limit(10_000)
assert trained() == limited
"""
LOAD_BLAS = """
limit(80)  # for the library, but not for its buffer
from rnn_native.base import runtime
"""


@WHERE_ADDRESSES_ARE_FEW
def test_a_small_address_space_does_not_end_the_process():
    """OpenBLAS exits where it cannot have a buffer for each thread that calls it."""
    done = python(LITTLE_ROOM + TRAIN_WITH_BLAS)
    assert done.returncode == 0, done.stderr


@WHERE_ADDRESSES_ARE_FEW
def test_an_address_space_without_room_for_the_blas_is_one_line():
    done = python(LITTLE_ROOM + LOAD_BLAS)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: rnn_native: cannot open the BLAS: ")
    assert "no 36 MB of address space for its buffer" in last


def test_threadpoolctl_sees_and_limits_the_team():
    code = (
        "import threadpoolctl, rnn_native as rn\n"
        "rn.set_num_threads(3)\n"
        "team = [p for p in threadpoolctl.threadpool_info() if p['user_api'] == 'rnn_native']\n"
        "assert [p['num_threads'] for p in team] == [3], team\n"
        "with threadpoolctl.threadpool_limits(1):\n"
        "    assert rn.get_num_threads() == 1\n"
        "with threadpoolctl.threadpool_limits({'rnn_native': 100}):\n"
        "    assert rn.get_num_threads() == 64\n"
        "assert rn.get_num_threads() == 3\n"
    )
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_threadpoolctl_imported_later_is_told():
    code = (
        "import rnn_native as rn\n"
        "rn.set_num_threads(3)\n"
        "import threadpoolctl\n"
        "rn.register_threadpoolctl()\n"
        "rn.register_threadpoolctl()\n"
        "found = [p['user_api'] for p in threadpoolctl.threadpool_info()]\n"
        "assert found.count('rnn_native') == 1, found\n"
    )
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_limits_of_others_give_openblas_no_threads():
    """They would take the cores of ours, and might add up in another order."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    ours = rn.show_config("dicts")["blas_path"]

    def threads():
        found = threadpoolctl.threadpool_info()
        return [library["num_threads"] for library in found if library["filepath"] == ours]

    with threadpoolctl.threadpool_limits(limits=3, user_api="blas"):
        assert threads() == [3]
        _core.measure_peak("sgemm", 1)
        assert threads() == [1]
