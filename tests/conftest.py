import os
import signal
from pathlib import Path

import numpy as np
import pytest

import counting
import messages
import rnn_native._core as _core
from rnn_native.base import runtime
from rnn_native.training import interrupts

# Tests use the core directly; this is what opens its BLAS.
assert runtime.config()["blas_path"]

# A shell's background jobs ignore Ctrl-C, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if folder := os.environ.get(messages.VARIABLE):
    messages.collect(folder)


@pytest.fixture(autouse=True)
def no_interrupt_before():
    """Let no test's Ctrl-C be a repeated one because of another test's."""
    interrupts._last = None


def pytest_configure():
    """Give workers time to write what gcov counted: xdist kills them after 10 seconds."""
    if os.environ.get("RNN_NATIVE_COVERAGE") == "1":
        from xdist.workermanage import NodeManager

        NodeManager.EXIT_TIMEOUT = 600
        counting.count_forks()


def pytest_collection_modifyitems(items):
    """Mark what runs on every level by itself, which a forced level need not run again."""
    for item in items:
        if "level" in getattr(item, "fixturenames", ()):
            item.add_marker("every_level")


@pytest.fixture(params=_core.build_config()["cpu_levels"])
def level(request):
    """Run the test once with the kernels of each CPU level that this machine has."""
    before = _core.build_config()["cpu_level"]
    _core.choose_cpu_level(request.param)
    yield request.param
    _core.choose_cpu_level(before)


@pytest.fixture(scope="session")
def mnist():
    """Real MNIST as load_mnist gives it; skipped where RNN_NATIVE_DATA does not name it."""
    folder = os.environ.get("RNN_NATIVE_DATA")
    if folder is None or not Path(folder).is_dir():
        pytest.skip("RNN_NATIVE_DATA names no folder with MNIST")
    from rnn_native import datasets

    return datasets.load_mnist()


@pytest.fixture(scope="session")
def digits():
    """A few hundred generated digits: (x, y), (x_test, y_test)."""
    from rnn_native import datasets

    return datasets.synthetic_digits(640, seed=1), datasets.synthetic_digits(200, seed=2)


@pytest.fixture
def data(digits, tmp_path):
    """A folder with the generated digits as MNIST's files, some of them packed."""
    from rnn_native.datasets import idx

    folder = tmp_path / "data"
    folder.mkdir()
    for part, (x, y) in zip(["train", "t10k"], digits, strict=True):
        idx.write_idx(folder / f"{part}-images-idx3-ubyte", x)
        idx.write_idx(folder / f"{part}-labels-idx1-ubyte.gz", y)
    return folder


@pytest.fixture(scope="session")
def poor(digits):
    """Predictions of a net that has hardly learned, for the test digits: many mistakes."""
    import rnn_native as rn

    net = rn.Network([rn.Dense(16, "relu"), rn.Dense(10)], (784,))
    net.fit(*digits[0], epochs=2, verbose=0)
    return rn.interpret(net, *digits[1])


@pytest.fixture
def rng():
    return np.random.default_rng(7)
