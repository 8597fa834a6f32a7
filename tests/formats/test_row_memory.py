"""Small model files whose layers want a lot of memory for a row, and blocks of such rows."""

import subprocess
import sys

import numpy as np
import pytest

import memory
import rnn_native as rn
from environment import python_environment
from rnn_native.net import model_file


def pooled(*layers):
    return [*layers, rn.GlobalAvgPool2D(), rn.Dense(2)]


LARGE = {
    "wide padding": (pooled(rn.Conv2D(1, 1, padding=8000)), (1, 8, 8)),
    "many channels": (pooled(rn.Conv2D(300, 1, padding=200)), (1, 100, 100)),
    "many layers": (
        pooled(rn.Conv2D(1, 1, padding=1500), *[rn.Activation("tanh")] * 8),
        (1, 8, 8),
    ),
    "a long signal": (
        [rn.Conv1D(1000, 1, padding=32000), rn.Flatten(), rn.Dropout(0.5)],
        (8, 1),
    ),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_file_whose_rows_take_gigabytes_is_refused(kind, tmp_path):
    layers, shape = LARGE[kind]
    net = rn.Network(layers, shape, loss="squared_error")
    path = tmp_path / "net.safetensors"
    net.save(path)
    with pytest.raises(rn.FormatError, match="a prediction of one row keeps .* numbers"):
        rn.load(path)
    other = rn.Network(layers, shape, loss="squared_error", seed=2)
    other.load_weights(path)
    assert other.get_weights().tobytes() == net.get_weights().tobytes()


def test_an_ensemble_of_such_nets_is_refused(tmp_path):
    layers, shape = LARGE["wide padding"]
    rn.Ensemble([rn.Network(layers, shape)]).save(tmp_path / "nets")
    with pytest.raises(rn.FormatError, match=r"nets\[0\].*: a prediction of one row"):
        rn.Ensemble.load(tmp_path / "nets")


PEAK = """
import numpy as np
import memory
import rnn_native as rn

net = rn.Network([rn.Conv2D(1, 1, padding={}), rn.GlobalAvgPool2D(), rn.Dense(2)], (1, 8, 8))
x = np.zeros(({}, 1, 8, 8), np.float32)
before = memory.reset_peak()
net.predict(x, threads=2)
print(memory.peak() - before)
"""


@memory.measured
@pytest.mark.parametrize(("padding", "rows"), [(2700, 1), (400, 128)])
def test_predictions_of_large_rows_take_bounded_memory(padding, rows):
    code = PEAK.format(padding, rows)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=python_environment(),
    )
    assert float(done.stdout) < 300


def test_rows_in_small_blocks_have_the_bits_of_rows_alone(rng):
    layers = pooled(rn.Conv2D(4, 3, padding=300), rn.BatchNorm(), rn.Activation("relu"))
    net = rn.Network(layers, (1, 8, 8))
    x = rng.random((24, 1, 8, 8), np.float32)
    together = net.predict_proba(x)
    for row in (0, 11, 23):
        assert net.predict_proba(x[row : row + 1]).tobytes() == together[row].tobytes()
    assert net.row_memory_as_saved(net.architecture()) < model_file.MAX_ROW_MEMORY
