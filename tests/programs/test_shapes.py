"""benchmarks/shapes.py: what it counts, by hand, and that it runs."""

import subprocess
import sys
from pathlib import Path

import pytest

import rnn_native as rn

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def modules():
    """Import what is tested as the scripts do, from their folder."""
    names = ["roof", "shape_nets", "workloads"]
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: __import__(name) for name in names}
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_work_of_a_dense_net(modules):
    net = modules["shape_nets"].net
    adam = modules["workloads"].ADAM
    workload = net("dense", "", [rn.Dense(4, "relu"), rn.Dense(2)], (3,), 10, 5, adam)
    work = modules["roof"].training_work("", workload, 10)
    # Forward 3*4 + 4*2, weights as many, inputs of the second layer 4*2.
    assert work.operations == 2 * 10 * (20 + 20 + 8)
    parameters = 3 * 4 + 4 + 4 * 2 + 2
    # Adam: the gradient is read, a parameter and two moments are read and written.
    updates = 2 * 4 * 7 * parameters
    # The input is read; four and two values are written and read, as are their gradients.
    values = 4 * (3 + 4 * (4 + 2))
    assert work.moved == updates + 10 * values
    assert work.touched == 4 * 4 * parameters + 5 * values / 2


def test_work_of_a_convolution_with_batchnorm(modules):
    net, sgd = modules["shape_nets"].net, modules["shape_nets"].SGD
    layers = [rn.Conv2D(2, 3, padding=1), rn.BatchNorm(), rn.Flatten(), rn.Dense(5)]
    workload = net("dense", "", layers, (1, 4, 4), 6, 6, sgd)
    work = modules["roof"].training_work("", workload, 6)
    convolution, dense = 9 * 2 * 16, 32 * 5
    assert work.operations == 2 * 6 * (2 * convolution + 3 * dense)
    parameters = 2 * 9 + 2 + 4 + 32 * 5 + 5
    # A norm reads again in each direction; flatten costs nothing.
    values = 4 * (16 + 4 * 32 + 6 * 32 + 4 * 5)
    assert work.moved == 4 * 3 * parameters + 6 * values


def test_work_of_attention_and_of_predictions(modules):
    net, momentum = modules["shape_nets"].net, modules["shape_nets"].MOMENTUM
    layers = [rn.SelfAttention(2, out_proj=True), rn.MeanPool(), rn.Dense(3)]
    workload = net("attention", "", layers, (5, 4), 1, 1, momentum)
    projections, scores, dense = 4 * 5 * 4 * 4, 2 * 5 * 5 * 4, 4 * 3
    work = modules["roof"].prediction_work(workload, 7)
    assert work.operations == 2 * 7 * (projections + scores + dense)
    values = 4 * (20 + 2 * (20 + 4 + 3))
    assert work.moved == work.touched == 4 * workload.network().params.size + 7 * values
    # In training the projection of the output hands a gradient down, the scores two each.
    above = 5 * 4 * 4
    trained = 2 * projections + 3 * scores + above + 3 * dense
    assert modules["roof"].training_work("", workload, 1).operations == 2 * trained


def test_zeros_of_sparse_pixels_do_not_count(modules, mnist):
    shapes, roof = modules["shape_nets"].SHAPES, modules["roof"]
    sparse = roof.training_work("sparse-dropout", shapes["sparse-dropout"], 1000)
    dense = shapes["dropout"]
    assert sparse.operations < 2 * 1000 * 3 * 784 * 300 / 2
    assert roof.training_work("dropout", dense, 1000).operations > 2 * 1000 * 2 * 784 * 256


def test_nets_are_of_every_kind_and_have_names_of_their_own(modules):
    shapes, workloads = modules["shape_nets"], modules["workloads"]
    trained = [one for one in shapes.SHAPES.values() if one.task == "train"]
    assert len(trained) >= 28
    assert {one.kind for one in shapes.SHAPES.values()} == set(shapes.GOALS)
    assert not set(shapes.SHAPES) & set(workloads.WORKLOADS)


@pytest.mark.slow
def test_it_runs(tmp_path):
    """Two nets at tiny sizes, one peer: rounds, tables and a page of them."""
    page = tmp_path / "shapes.md"
    command = [sys.executable, BENCHMARKS / "shapes.py", "--nets", "one-4-64-64-2", "lenet"]
    options = ["--rounds", "1", "--rows-scale", "0.01", "--threads", "1", "--peers"]
    options += ["onnx", "--write", page]
    subprocess.run([*command, *options], check=True, capture_output=True)
    text = page.read_text()
    assert "| LeNet-like |" in text
    assert "predictions of 1 row" in text
    assert "ONNX Runtime" in text
