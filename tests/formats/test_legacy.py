"""The reference's model files: to the byte where they should be, and nothing else."""

import os
import struct

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from rnn_native.base.errors import FormatError
from rnn_native.formats import legacy_layouts
from rnn_native.formats.legacy import load_legacy, read_legacy, recognise, write_legacy
from rnn_native.formats.parameters import network_of

CNN_LAYERS = [
    {"type": "conv2d", "filters": 8, "kernel_size": 3, "padding": 1, "activation": "relu"},
    {"type": "maxpool2d", "kernel_size": 2},
    {"type": "flatten"},
    {"type": "dense", "units": 10},
]
SOFTMAX = "softmax_cross_entropy"

# Name, offset in the file, shape: as sections 4.1 to 4.3 of the reference's description
# have them, not as the package computes them.
MLP_F32 = [("W1", 12, (784, 512)), ("b1", 1_605_644, (512,)),
           ("W2", 1_607_692, (512, 10)), ("b2", 1_628_172, (10,))]  # fmt: skip
MLP_F64 = [("W1", 12, (784, 512)), ("b1", 3_211_276, (512,)),
           ("W2", 3_215_372, (512, 10)), ("b2", 3_256_332, (10,))]  # fmt: skip
CNN = [("conv_w", 20, (8, 1, 3, 3)), ("conv_b", 308, (8,)),
       ("fc_w", 348, (1568, 10)), ("fc_b", 63_068, (10,))]  # fmt: skip
ATTENTION = [
    ("w_patch", 0, (16, 64)), ("b_patch", 4096, (64,)), ("pos", 4352, (49, 64)),
    ("w_q", 16_896, (64, 64)), ("b_q", 33_280, (64,)), ("w_k", 33_536, (64, 64)),
    ("b_k", 49_920, (64,)), ("w_v", 50_176, (64, 64)), ("b_v", 66_560, (64,)),
    ("w_ff1", 66_816, (64, 128)), ("b_ff1", 99_584, (128,)), ("w_ff2", 100_096, (128, 64)),
    ("b_ff2", 132_864, (64,)), ("w_cls", 133_120, (64, 10)), ("b_cls", 135_680, (10,)),
]  # fmt: skip
GOLDEN = {
    "mlp_f32": (MLP_F32, "<f4", 1_628_212, {0: (784, 512, 10)}),
    "mlp_f64": (MLP_F64, "<f8", 3_256_412, {0: (784, 512, 10)}),
    "cnn": (CNN, "<f4", 63_108, {0: (8, 1, 3, 28, 28), 340: (1568, 10)}),
    "attention": (ATTENTION, "<f4", 135_720, {}),
}


def values(index, shape):
    """Distinct numbers for each tensor and element, exact in float32."""
    return (np.arange(np.prod(shape)) / 1024 + 1000 * (index + 1)).reshape(shape)


def golden(name):
    """The bytes of a file, put together from documented offsets."""
    tensors, kind, size, headers = GOLDEN[name]
    content = bytearray(b"\xff" * size)
    for offset, sizes in headers.items():
        content[offset : offset + 4 * len(sizes)] = struct.pack(f"<{len(sizes)}i", *sizes)
    for index, (_, offset, shape) in enumerate(tensors):
        data = values(index, shape).astype(kind).tobytes()
        content[offset : offset + len(data)] = data
    return bytes(content)


def mlp_file(sizes=(2, 3, 2), kind="<f4", value=0.5):
    count = sizes[0] * sizes[1] + sizes[1] + sizes[1] * sizes[2] + sizes[2]
    return struct.pack("<3i", *sizes) + np.full(count, value, kind).tobytes()


def makes(layers, shape=(1, 28, 28)):
    """Whether the core can make such a net yet."""
    try:
        _core.Net(layers, shape, SOFTMAX)
    except ValueError:
        return False
    return True


def attention_layers(model=64, feed_forward=128, **changes):
    return [
        {"type": "patch_embed", "patch_size": 4, "units": model},
        {"type": "position"},
        {"type": "activation", "function": "relu"},
        {"type": "self_attention", **changes},
        {"type": "dense", "units": feed_forward, "activation": "relu"},
        {"type": "dense", "units": model},
        {"type": "mean_pool"},
        {"type": "dense", "units": 10},
    ]


@pytest.fixture
def put(tmp_path):
    def write(content):
        path = tmp_path / "model.bin"
        path.write_bytes(content)
        return path

    return write


# ---- reading ----


@pytest.mark.parametrize("name", GOLDEN)
def test_every_value_is_read_from_its_documented_offset(put, name):
    path = put(golden(name))
    architecture, arrays = read_legacy(path)
    tensors = GOLDEN[name][0]
    assert [t.name for t in recognise(path).tensors] == [t[0] for t in tensors]
    for index, (array, (_, _, shape)) in enumerate(zip(arrays, tensors, strict=True)):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, values(index, shape).astype(np.float32))
    assert architecture["loss"] == SOFTMAX


def test_formats_are_told_apart(put):
    for name in GOLDEN:
        found = recognise(put(golden(name)))
        assert (found.kind, found.width) == (name.split("_")[0], 8 if "64" in name else 4)
    assert str(found) == "attention on 1x28x28, float32"


def test_the_small_attention_model(put):
    numbers = np.arange(3114) / 64
    architecture, arrays = read_legacy(put(numbers.astype("<f4").tobytes()))
    assert architecture["layers"][4]["units"] == 32
    assert arrays[0].shape == (16, 16)
    np.testing.assert_array_equal(np.concatenate([a.ravel() for a in arrays]), numbers)


def test_other_sizes_of_mlp_and_cnn(put):
    assert recognise(put(mlp_file((1, 1, 1)))).width == 4
    assert recognise(put(mlp_file((1, 1, 1), "<f8"))).width == 8
    head = struct.pack("<5i", 2, 3, 5, 9, 11)
    conv = np.ones(2 * 3 * 25 + 2, "<f4").tobytes()
    dense = struct.pack("<2i", 2 * 3 * 4, 4) + np.ones(24 * 4 + 4, "<f4").tobytes()
    architecture, arrays = read_legacy(put(head + conv + dense))
    assert architecture["input_shape"] == [3, 9, 11]
    assert [a.shape for a in arrays] == [(2, 3, 5, 5), (2,), (24, 4), (4,)]


@pytest.mark.parametrize("name", ["mlp_f32", "cnn", "attention"])
def test_one_byte_short_or_long_is_refused(put, name):
    content = golden(name)
    for damaged in (content[:-1], content + b"\0", content[:-4], content * 2):
        path = put(damaged)
        assert recognise(path) is None
        with pytest.raises(FormatError, match="expected") as caught:
            read_legacy(path)
        assert str(len(damaged)) in str(caught.value)
        assert repr(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_every_truncation_of_a_small_file_is_refused(put):
    whole = mlp_file()
    for length in range(len(whole)):
        with pytest.raises(FormatError):
            read_legacy(put(whole[:length]))


@pytest.mark.parametrize("sizes", [(0, 3, 2), (-1, 3, 2), (2, 1 << 21, 2), (1 << 20,) * 3])
def test_lying_sizes_are_refused(put, sizes):
    content = struct.pack("<3i", *sizes) + bytes(100)
    with pytest.raises(FormatError):
        read_legacy(put(content))


def test_reasons(put):
    def reason(content):
        with pytest.raises(FormatError) as caught:
            read_legacy(put(content))
        return str(caught.value)

    assert "MLP file for 784-512-10: expected 1628212 (float32) or 3256412" in reason(
        golden("mlp_f32")[:-8]
    )
    cnn = golden("cnn")
    assert "CNN file for 8 filters of 3x3 on 1x28x28: expected 63108" in reason(cnn[:-4])
    assert "expected more than 348 bytes, got 100; truncated" in reason(cnn[:100])
    other = cnn[:340] + struct.pack("<2i", 1500, 10) + cnn[348:]
    assert "expected 1568 dense inputs at byte 340, got 1500" in reason(other)
    zero = cnn[:340] + struct.pack("<2i", 1568, 0) + cnn[348:]
    assert "expected two sizes in 1..1048576 at byte 340" in reason(zero)
    assert "12456 (D=16, F=32)" in reason(golden("attention")[4:])
    assert "not a model file" in reason(b"")


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(put, kind, value):
    content = bytearray(mlp_file(kind=kind))
    width = np.dtype(kind).itemsize
    content[12 + 3 * width : 12 + 4 * width] = np.array(value, kind).tobytes()
    with pytest.raises(FormatError, match=r"W1: expected finite float32 .* at \[1, 0\]"):
        read_legacy(put(bytes(content)))


def test_a_float64_beyond_float32_is_refused(put):
    with pytest.raises(FormatError, match="W1: expected finite float32 values, got 1e"):
        read_legacy(put(mlp_file(kind="<f8", value=1e39)))


def test_a_safetensors_file_of_the_right_length_is_none(tmp_path):
    """An attention file is known by its length alone, so other formats must not be it."""
    path = tmp_path / "m.safetensors"
    rn.Network([rn.Dense(1)], (1,)).save(path)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    head = (length + 12_456 - path.stat().st_size).to_bytes(8, "little")
    body = path.read_bytes()[8:]
    path.write_bytes((head + body).ljust(12_456))
    assert recognise(path) is None
    with pytest.raises(FormatError, match="safetensors"):
        read_legacy(path)


def test_no_file_and_no_regular_file(tmp_path):
    for function in (recognise, read_legacy, load_legacy):
        with pytest.raises(FileNotFoundError):
            function(tmp_path / "none.bin")
        with pytest.raises(IsADirectoryError):
            function(tmp_path)


def test_a_huge_sparse_file_costs_no_memory(tmp_path):
    path = tmp_path / "huge.bin"
    with path.open("wb") as file:
        file.write(struct.pack("<5i", *[1 << 20] * 5))
        file.truncate(1 << 42)
    with pytest.raises(FormatError):
        read_legacy(path)


# ---- networks ----


@pytest.mark.parametrize("width", [4, 8])
def test_mlp_comes_back_bit_for_bit(tmp_path, rng, width):
    model = rn.Network([rn.Dense(7, "relu"), rn.Dense(3)], (5,), seed=3)
    path = tmp_path / "m.bin"
    write_legacy(model, path, width)
    assert path.stat().st_size == 12 + width * model.params.size
    again = load_legacy(path)
    assert again.params.tobytes() == model.params.tobytes()
    assert again.architecture() == model.architecture()
    x = rng.random((4, 5))
    assert again.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()
    first = path.read_bytes()
    write_legacy(again, path, width)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_read_is_written_to_the_byte(put, tmp_path, name):
    path = put(golden(name))
    found = recognise(path)
    if not makes(found.architecture["layers"], found.architecture["input_shape"]):
        pytest.skip("the core has not these layers yet")
    write_legacy(load_legacy(path), tmp_path / "again.bin", found.width)
    assert (tmp_path / "again.bin").read_bytes() == path.read_bytes()


def test_cnn_and_attention_models_are_written(tmp_path):
    for layers, size in ((CNN_LAYERS, 63_108), (attention_layers(), 135_720),
                         (attention_layers(16, 32), 12_456)):  # fmt: skip
        if not makes(layers):
            pytest.skip("the core has not these layers yet")
        model = rn.Network(layers, (1, 28, 28), seed=5)
        write_legacy(model, tmp_path / "m.bin")
        assert (tmp_path / "m.bin").stat().st_size == size
        again = load_legacy(tmp_path / "m.bin")
        assert again.params.tobytes() == model.params.tobytes()
        x = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28)
        assert again.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()


class Model:
    """As much of a network as the writer's checks look at."""

    def __init__(self, layers, shape, loss=SOFTMAX):
        self.layers, self.shape, self.loss = layers, shape, loss

    def architecture(self):
        return {"layers": self.layers, "input_shape": list(self.shape), "loss": self.loss}


def changed(index, **changes):
    layers = [dict(layer) for layer in CNN_LAYERS]
    layers[index].update(changes)
    return layers


@pytest.mark.parametrize(
    ("model", "width", "words"),
    [
        (Model([rn.Dense(2).spec()], (3,)), 4, "no file format for dense on"),
        (Model([rn.Dense(2).spec()] * 3, (3,)), 4, "no file format for dense, dense, dense"),
        (Model([rn.Dense(2).spec()] * 2, (3, 3)), 4, "no file format"),
        (Model([rn.Dense(2).spec()] * 2, (3,)), 4, r"layers\[0\].activation is 'linear'"),
        (Model([rn.Dense(2, "relu").spec()] * 2, (3,)), 4, r"layers\[1\].activation"),
        (Model([rn.Dense(2, "relu").spec(), rn.Dense(1).spec()], (3,), "squared_error"), 4,
         "loss is 'squared_error'"),
        (Model(changed(0, padding=0), (1, 28, 28)), 4, r"layers\[0\].padding is 0"),
        (Model(changed(0, stride=2), (1, 28, 28)), 4, r"layers\[0\].stride is 2"),
        (Model(changed(1, stride=1), (1, 28, 28)), 4, r"layers\[1\].stride is 1"),
        (Model(changed(1, kernel_size=3), (1, 28, 28)), 4, r"layers\[1\].kernel_size is 3"),
        (Model(CNN_LAYERS, (1, 28, 28)), 8, "a cnn file has float32 only"),
        (Model(attention_layers(32, 64), (1, 28, 28)), 4, "D=64, F=128 and D=16, F=32, got"),
        (Model(attention_layers(heads=2), (1, 28, 28)), 4, r"layers\[3\].heads is 2"),
        (Model(attention_layers(residual=True), (1, 28, 28)), 4, r"layers\[3\].residual"),
        (Model(attention_layers(), (3, 28, 28)), 4, "input_shape"),
        (Model([rn.Dense(2, "relu").spec(), rn.Dense(1).spec()], (1 << 21,)), 4, "1048576"),
        (Model(CNN_LAYERS, (1, 28, 28)), 2, "width: expected 4 or 8, got 2"),
    ],
)  # fmt: skip
def test_what_has_no_format_is_refused_with_a_reason(tmp_path, model, width, words):
    with pytest.raises(ValueError, match=words):
        write_legacy(model, tmp_path / "m.bin", width)
    assert list(tmp_path.iterdir()) == []


def test_parameters_that_are_not_finite_are_not_written(tmp_path):
    model = rn.Network([rn.Dense(2, "relu"), rn.Dense(2)], (2,))
    model.parameters["layers.0.bias"][1] = np.nan
    with pytest.raises(
        ValueError, match="expected finite values, got NaN or infinity in b1"
    ):
        write_legacy(model, tmp_path / "m.bin")
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_do_not_fit_make_no_network():
    architecture = {"layers": [{"type": "dense", "units": 2}], "input_shape": [3],
                    "loss": SOFTMAX}  # fmt: skip
    arrays = [np.zeros((2, 3), np.float32), np.zeros(2, np.float32)]
    with pytest.raises(FormatError, match="'a file': its parameters are not"):
        network_of(architecture, arrays, "'a file'")
    architecture["layers"][0]["type"] = "no such layer"
    with pytest.raises(FormatError, match="'a file': damaged, or of another version: "):
        network_of(architecture, arrays, "'a file'")


def test_no_damage_is_more_than_a_format_error(put):
    """Random bytes over the headers of small files: refused, or a model with those sizes."""
    rng = np.random.default_rng(5)
    for whole in (mlp_file(), mlp_file(kind="<f8")):
        for _ in range(2000):
            content = bytearray(whole)
            for at in rng.integers(0, 24, rng.integers(1, 4)):
                content[at] = rng.integers(256)
            path = put(bytes(content))
            found = recognise(path)
            try:
                read_legacy(path)
            except FormatError:
                continue
            assert found is not None
            assert found.size == len(whole)


def test_sizes_in_the_documents_are_those_of_the_code():
    assert legacy_layouts.attention_format(64, 128).size == 135_720
    assert legacy_layouts.cnn_format(8, 1, 3, 28, 28, 10).size == 63_108
    assert legacy_layouts.mlp_format(784, 512, 10, 8).size == 3_256_412


def test_a_file_with_holes_is_not_read(tmp_path):
    path = tmp_path / "big.bin"
    layout = legacy_layouts.mlp_format(1 << 20, 300, 10, 4)
    path.write_bytes(struct.pack("<3i", 1 << 20, 300, 10))
    os.truncate(path, layout.size)
    with pytest.raises(FormatError, match="expected at most 1073741824 bytes, got 12583"):
        read_legacy(path)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("x.onnx", "not read"),
        ("x.pt", "state dict"),
        ("x.PTH", "load_torch"),
        ("x.h5", "set_weights"),
        ("x.keras", "set_weights"),
        ("x.bin", "nor is it a safetensors file"),
    ],
)
def test_files_of_others_are_told_by_their_names(tmp_path, name, advice):
    path = tmp_path / name
    path.write_bytes(b"PK\3\4 whatever")
    with pytest.raises(FormatError, match=advice) as found:
        rn.load(path)
    assert "\n" not in str(found.value)
