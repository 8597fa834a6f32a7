import os
from pathlib import Path

import numpy as np
import pytest

from rnn_native import _core, _runtime

# Tests use the core directly; this is what opens its BLAS.
assert _runtime.config()["blas_path"]


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
def rng():
    return np.random.default_rng(7)
