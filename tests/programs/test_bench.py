"""`bench`: arithmetic counted by hand, and a report that holds together. No times here."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

import rnn_native._core as _core
from rnn_native.cli import main
from rnn_native.models.network import Network
from rnn_native.programs import bench
from rnn_native.programs.bench import arithmetic

QUICK = ("--rows", "256", "--seconds", "0.05", "--data", "synthetic", "--threads", "2")


def net_of(name):
    model = bench.MODELS[name]
    return Network(model.layers, model.input_shape, model.loss)


def test_mlp_by_hand():
    # 784 x 512 = 401,408 and 512 x 10 = 5,120. Forward and weight gradients have both,
    # the input gradient only the second: the first layer's inputs are data.
    assert (
        arithmetic.multiply_adds(net_of("mlp")) == 2 * (401_408 + 5_120) + 5_120 == 818_176
    )


def test_cnn_by_hand():
    # 8 filters of 3 x 3 over 28 x 28 places: 8 * 9 * 784 = 56,448. After the pool
    # 8 * 14 * 14 = 1,568 numbers meet 10 units: 15,680. The pool has no products.
    assert arithmetic.multiply_adds(net_of("cnn")) == 2 * 56_448 + 3 * 15_680 == 159_936


def test_attention_by_hand():
    # 49 patches of 16 pixels to width 64: 50,176; no input gradient.
    # q, k, v: 3 * 49 * 64 * 64 = 602,112. Q K^T and A V: 2 * 49 * 49 * 64 = 307,328, and
    # twice that backward (dV, dA, dQ, dK). Dense 64 -> 128 and 128 -> 64 of 49 tokens:
    # 401,408 each. 64 x 10 = 640.
    expected = 2 * 50_176 + 3 * 602_112 + 3 * 307_328 + 3 * 2 * 401_408 + 3 * 640
    assert arithmetic.multiply_adds(net_of("attention")) == expected == 5_239_040


def test_xor_by_hand():
    # 2 x 4 = 8 without input gradient, 4 x 1 = 4 with it.
    assert arithmetic.multiply_adds(net_of("xor")) == 2 * 8 + 3 * 4


def test_projection_after_attention_always_passes_a_gradient_on():
    layers = [
        {"type": "self_attention", "out_proj": True},
        {"type": "flatten"},
        {"type": "dense", "units": 2},
    ]
    # 3 tokens of width 4: q, k, v and out 48 each; scores 2 * 3 * 3 * 4 = 72, twice
    # backward; of the four only the projection, above q, k, v, has an input gradient.
    net = Network(layers, (3, 4))
    assert arithmetic.multiply_adds(net) == (192 + 72) + 192 + (144 + 48) + 3 * 12 * 2


def test_executed_mlp_by_hand():
    net, x = net_of("mlp"), np.zeros((4, 784), np.uint8)
    x[0] = 1  # a quarter of all pixels
    assert arithmetic.executed_mlp(net, x, 64) == 2 * 401_408 / 4 + 3 * 5_120
    assert arithmetic.executed_mlp(net, x + np.uint8(1), 64) == 818_176


def test_executed_cnn_by_hand():
    net, x = net_of("cnn"), np.zeros((1, 784), np.uint8)
    assert arithmetic.executed_cnn(net, x, 32) == 0
    # The pixel at (0, 0) is seen by the window at (0, 0) only; one at (1, 1) by those at
    # rows 0, 1 and columns 0, 1. A window has 8 filters: four outputs of 9 products each,
    # one output in the weight gradient, and ten units in each product of the dense layer.
    x[0, 0] = 1
    assert arithmetic.executed_cnn(net, x, 32) == 8 * (36 + 9 + 3 * 10)
    x[0, 28 + 1] = 1
    assert arithmetic.executed_cnn(net, x, 32) == 4 * 8 * (36 + 9 + 3 * 10)
    assert arithmetic.executed_cnn(net, x + np.uint8(1), 32) == 196 * 8 * (36 + 9 + 3 * 10)


def test_executed_attention_by_hand():
    net, x = net_of("attention"), np.zeros((2, 784), np.uint8)
    # For 32 images once: blank tokens' queries and two products backward, 49 x 64 x 64
    # each; 64 x 64 x 64 and 64 x 64 x 128 for the products of weights, and two each backward.
    # Scores; the dense layers, the second once an image: 401,408 / 49.
    once = (3 * 200_704 + 3 * 262_144 + 3 * 524_288) / 32
    always = 3 * 307_328 + 3 * 401_408 + 3 * 8_192 + 3 * 640
    assert arithmetic.executed_attention(net, x, 32) == once + always
    x[0, 14 * 28 + 14] = 1  # one patch of 98
    one = (2 * 50_176 + 3 * 200_704) / 98
    assert arithmetic.executed_attention(net, x, 32) == pytest.approx(once + always + one)


def test_live_shares_agree_with_a_look_at_each_place(digits):
    images = digits[0][0][:20]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = [
        image[p : p + 4, q : q + 4].any()
        for image in padded
        for p in range(0, 28, 2)
        for q in range(0, 28, 2)
    ]
    patches = [
        image[p : p + 4, q : q + 4].any()
        for image in images
        for p in range(0, 28, 4)
        for q in range(0, 28, 4)
    ]
    assert arithmetic.live_windows(images, 3) == np.mean(windows)
    assert arithmetic.live_patches(images, 4) == np.mean(patches)


def numbers_of(value):
    """All numbers in plain data."""
    if isinstance(value, dict):
        return [n for inner in value.values() for n in numbers_of(inner)]
    if isinstance(value, list):
        return [n for inner in value for n in numbers_of(inner)]
    return [value] if isinstance(value, (int, float)) else []


@pytest.fixture(scope="module")
def quick():
    """The report of one quick run over all models, as another program reads it."""
    result = subprocess.run(
        [sys.executable, "-m", "rnn_native", "bench", *QUICK, "--profile", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_json_has_it_all(quick):
    assert list(quick) == ["machine", "data", "rows", "threads", "peaks", "models"]
    assert (quick["data"], quick["rows"], quick["threads"]) == ("generated digits", 256, 2)
    assert quick["machine"]["cpu_level"] in _core.build_config()["cpu_levels"]
    assert [model["name"] for model in quick["models"]] == list(bench.MODELS)
    numbers = numbers_of(quick["peaks"]) + numbers_of(quick["models"])
    assert all(math.isfinite(n) and n > 0 for n in numbers), quick


def test_rates_follow_from_what_was_measured(quick):
    for model in quick["models"]:
        rate = model["images"] / model["seconds"]["median"]
        assert model["images_per_second"] == pytest.approx(rate)
        assert model["epoch_seconds"] == pytest.approx(54_000 / rate)
        flops = 2 * model["dense_multiply_adds"] * rate
        assert model["dense_gflops"] == pytest.approx(flops * 1e-9)
        assert model["executed_multiply_adds"] <= model["dense_multiply_adds"]
        assert model["seconds"]["low"] <= model["seconds"]["median"]
        assert model["seconds"]["median"] <= model["seconds"]["high"]
    assert quick["models"][-1]["images"] == 4_000_000


def test_profile_is_the_whole(quick):
    for model in quick["models"]:
        if model["name"] == "xor":
            assert model["profile"] == []
        else:
            total = sum(row["percent"] for row in model["profile"])
            assert total == pytest.approx(100)
            works = {row["work"] for row in model["profile"]}
            assert {"forward", "params", "loss"} <= works
            assert "net" in {row["stage"] for row in model["profile"]}


def test_table(capsys):
    assert main(["bench", "cnn", "mlp", *QUICK, "--profile"]) == 0
    out = capsys.readouterr().out
    assert "Data: generated digits, 256 rows" in out
    rows = [line.split()[0] for line in out.splitlines() if line[:3] in ("cnn", "mlp")]
    assert rows == ["cnn", "mlp", "cnn:", "mlp:"]
    assert "conv2d+maxpool2d" in out


def test_data(mnist):
    (x, y), _ = mnist
    found = bench.open_data(rows=100)
    assert found.source == "MNIST"
    assert found.x.tobytes() == x[:100].tobytes()
    assert found.y.tolist() == y[:100].tolist()
    assert len(bench.open_data("mnist").x) == 54_000
    noise = bench.open_data("noise", 100)
    assert noise.x.shape == (100, 784)
    assert noise.x.all()


def test_generated_digits_where_there_is_no_mnist(monkeypatch):
    monkeypatch.setattr("rnn_native.datasets.mnist.find_mnist", lambda: None)
    assert bench.open_data(rows=10).source == "generated digits"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rnn"], "argument MODEL: expected mlp, cnn, attention or xor, got 'rnn'"),
        (["--threads", "65"], "expected an integer in 1..64, got '65'"),
        (["--seconds", "-1"], "expected a number in 0..3600, got '-1'"),
        (["--seconds", "nan"], "expected a number in 0..3600, got 'nan'"),
        (["--rows", "0"], "expected an integer of at least 1, got '0'"),
        (["--data", "cifar"], "invalid choice: 'cifar'"),
    ],
)
def test_wrong_calls_exit_with_2(args, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(["bench", *args])
    assert end.value.code == 2
    usage, _, error = capsys.readouterr().err.rpartition("rnn-native bench: error: ")
    assert usage.startswith("usage: ")
    assert message in error
    assert error.count("\n") == 1


def test_mnist_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("RNN_NATIVE_DATA", "/nowhere")
    assert main(["bench", "mlp", "--data", "mnist"]) == 1
    error = capsys.readouterr().err
    assert "/nowhere" in error
    assert error.count("\n") == 1


def test_unknown_model():
    with pytest.raises(ValueError, match="expected a model of mlp, cnn, attention, xor"):
        bench.run(["rnn"])


@pytest.mark.parametrize("kind", ["fma", "sgemm"])
def test_peak_at_every_level(level, kind):
    for threads in (1, 3):
        peak = _core.measure_peak(kind, threads)
        assert math.isfinite(peak)
        assert peak > 0


def test_peak_with_more_threads_than_slices():
    assert _core.measure_peak("fma", 64) > 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("dgemm", 1), "measure_peak: kind: expected fma or sgemm, got 'dgemm'"),
        (("fma", 0), "measure_peak: threads: expected 1 to 64, got 0"),
        (("sgemm", 65), "measure_peak: threads: expected 1 to 64, got 65"),
    ],
)
def test_peak_refuses(args, message):
    with pytest.raises(ValueError) as caught:
        _core.measure_peak(*args)
    assert str(caught.value) == message


def test_peak_of_a_blas_that_is_not_open():
    code = "from rnn_native import _core; _core.measure_peak('sgemm', 1)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ValueError: measure_peak: sgemm needs a BLAS" in result.stderr
