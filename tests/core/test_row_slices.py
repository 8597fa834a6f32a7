"""Slices of rows: how many a batch has, and the order in which their gradients are added.

Bits show it. Where each slice of rows has one row whose gradient is not zero, its partial sum is
that row's gradient, and NumPy can add the partial sums in float32 by the tree.
"""

import numpy as np
import pytest

import rnn_native._core as _core
from cases import (
    SOFTMAX,
    Case,
    arrays,
    batchnorm,
    conv2d,
    dense,
    flatten,
    layernorm,
    maxpool2d,
    native,
)

MOST_SLICES, MOST_BYTES = 128, 64 << 20


def slices_of(rows, partial, params):
    """Return how many slices a batch has, by the rule in ARCHITECTURE.md."""
    most = MOST_SLICES
    while most > 2 and most * partial > max(MOST_BYTES // 4, 4 * params):
        most //= 2
    slices = 2
    while slices < most and rows // 8 >= 2 * slices:
        slices *= 2
    return 1 if rows < 2 else slices


def tree_sum(partials):
    if len(partials) == 1:
        return partials[0]
    half = len(partials) // 2
    return tree_sum(partials[:half]) + tree_sum(partials[half:])


def one_row_a_slice(rows, slices, outputs, rng):
    """Return gradients of which each slice has one row that is not zero."""
    dout = np.zeros((rows, outputs), np.float32)
    begin = rows * np.arange(slices + 1) // slices
    at = rng.integers(begin[:-1], begin[1:])
    dout[at] = rng.standard_normal((slices, outputs)) * 10 ** rng.uniform(
        -3, 3, (slices, 1)
    )
    return dout, at


def dense_of_tokens(inputs, units):
    """Return a net whose gradients are added up by slices of rows."""
    return _core.Net([dense(units)], (1, inputs), "none")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "rows", [1, 2, 7, 15, 16, 31, 32, 50, 64, 100, 257, 1023, 1024, 4096]
)
def test_partial_sums_are_added_by_the_tree(rows, threads, level):
    rng = np.random.default_rng(rows)
    inputs, units = 19, 31
    net = dense_of_tokens(inputs, units)
    x = rng.standard_normal((rows, inputs), np.float32)
    slices = slices_of(rows, net.params.size, net.params.size)
    dout, at = one_row_a_slice(rows, slices, units, rng)
    grads = net.backprop(x, dout, threads=threads)[2]
    weight = tree_sum(x[at, :, None] * dout[at, None, :])
    assert grads[: inputs * units].tobytes() == weight.tobytes()
    assert grads[inputs * units :].tobytes() == tree_sum(dout[at]).tobytes()


def test_columns_beyond_a_block_of_the_sum(level):
    """A gradient that is longer than what the tree adds up at a time."""
    rng = np.random.default_rng(0)
    net = dense_of_tokens(123, 57)
    x = rng.standard_normal((300, 123), np.float32)
    dout, at = one_row_a_slice(300, slices_of(300, 0, 0), 57, rng)
    grads = net.backprop(x, dout, threads=2)[2]
    assert (
        grads[: 123 * 57].tobytes()
        == tree_sum(x[at, :, None] * dout[at, None, :]).tobytes()
    )


@pytest.mark.parametrize("filters, slices", [(900, 64), (1500, 32)])
def test_memory_of_partial_sums_is_bounded(filters, slices):
    """Gradients of 262,144 parameters are 1 MB: 64 slices may have them."""
    rng = np.random.default_rng(1)
    rows, channels = 1024, 290
    net = _core.Net([conv2d(filters, 1)], (channels, 1, 1), "none")
    assert slices_of(rows, net.params.size, net.params.size) == slices
    x = rng.standard_normal((rows, channels), np.float32)
    dout, at = one_row_a_slice(rows, slices, filters, rng)
    grads = net.backprop(x, dout, threads=2)[2]
    assert grads[filters * channels :].tobytes() == tree_sum(dout[at]).tobytes()


BY_ROWS = Case(
    "by rows",
    [
        conv2d(5, 3, padding=1, activation="tanh"),
        maxpool2d(2),
        batchnorm(),
        flatten(),
        layernorm(),
        dense(40, "relu"),
        dense(4),
    ],
    (1, 8, 8),
    SOFTMAX,
    1,
)


@pytest.mark.parametrize("batch", [1, 3, 8, 17, 33, 64, 130, 300, 1025, 4096])
def test_bits_of_any_batch_do_not_depend_on_threads(batch):
    """The last batch is a short one."""
    rng = np.random.default_rng(batch)
    n = 2 * batch + batch // 3 if batch < 4096 else batch + 700
    x = rng.standard_normal((n, 64), np.float32)
    y, order = rng.integers(0, 4, n).astype(np.int32), np.arange(n, dtype=np.int32)
    _, _, params = arrays(BY_ROWS)
    left = set()
    for threads in (1, 2, 5):
        net = native(BY_ROWS, params, {"type": "adam"})
        epochs = max(1, 600 // n)
        losses, _ = net.train(x, y, order, batch, 0.01, epochs=epochs, threads=threads)
        grads = net.gradients(x, y, threads=threads)[1]
        left.add((losses.tobytes(), net.weights.tobytes(), grads.tobytes()))
    assert len(left) == 1


@pytest.mark.parametrize("batch", [31, 200, 511])
@pytest.mark.parametrize(
    "sizes", [(65, 577, 321), (512, 130, 300), (90, 1025, 33)], ids=str
)
def test_bits_of_wide_layers_do_not_depend_on_threads(sizes, batch, level):
    """Each number of threads cuts their passes into other tiles."""
    inputs, *units = sizes
    layers = [dense(n, f) for n, f in zip(units, ("gelu", "relu"), strict=True)]
    rng = np.random.default_rng(batch)
    x = rng.standard_normal((batch + batch // 3, inputs), np.float32)
    y = rng.integers(0, 9, len(x)).astype(np.int32)
    order = np.arange(len(x), dtype=np.int32)
    weights = rng.normal(
        0, 0.1, _core.Net([*layers, dense(9)], (inputs,), SOFTMAX).weights.size
    )
    left = set()
    for threads in (1, 2, 3, 7):
        net = _core.Net([*layers, dense(9)], (inputs,), SOFTMAX, {"type": "adam"})
        net.weights[:] = weights
        net.train(x, y, order, batch, 0.01, threads=threads)
        left.add((net.weights.tobytes(), net.predict(x, threads=threads).tobytes()))
    assert len(left) == 1


def test_jobs_are_counted_by_their_slices():
    """Forward and backward of a small net of 64 rows are one job, and its last one sums."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((128, 784), np.float32)
    y, order = rng.integers(0, 4, 128).astype(np.int32), np.arange(128, dtype=np.int32)
    layers = [conv2d(16, 3, padding=1), flatten(), dense(4)]
    net = _core.Net(layers, (1, 28, 28), SOFTMAX)
    assert net.jobs == []
    net.profile = True
    net.train(x, y, order, 64, 0.01)
    jobs = {slices: count for slices, count, _ in net.jobs}
    assert jobs[8] >= 2
    assert all(seconds > 0 for _, _, seconds in net.jobs)
    net.profile = False
    assert net.jobs == []


def test_columns_have_at_most_32_slices():
    """Statistics of 64,000 columns are merged in 32 slices, not in 1,000 blocks of 64."""
    columns = 64_000
    x = np.random.default_rng(0).standard_normal((64, columns), np.float32)
    net = _core.Net([batchnorm()], (columns,), "squared_error")
    net.profile = True
    net.train(x, x, np.arange(64, dtype=np.int32), 64, 0.1, threads=2)
    assert {slices for slices, _, _ in net.jobs} == {8, 32}
