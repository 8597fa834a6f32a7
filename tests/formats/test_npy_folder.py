"""Folders of arrays: any spelling, dtype and order of the same model; nothing unpickled."""

import io
import struct

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.base.errors import FormatError
from rnn_native.formats.npy_folder import (
    load_npy_folder,
    npy_obstacle,
    read_npy,
    read_npy_folder,
    write_npy_folder,
)

W1 = np.arange(6.0).reshape(2, 3)  # 3 inputs, 2 outputs
W2 = np.arange(8.0).reshape(4, 2)


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def raw(header, data=b"", version=1):
    """An npy file with any header."""
    text = header.encode("latin-1")
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


@pytest.fixture
def fill(tmp_path):
    """Write a model's arrays under given names."""

    def fill(names=("w1", "b1", "w2", "b2"), arrays=None):
        arrays = arrays or [W1, np.ones((2, 1)), W2, np.ones((4, 1))]
        for name, array in zip(names, arrays, strict=True):
            (tmp_path / f"{name}.npy").write_bytes(npy(array))
        return tmp_path

    return fill


@pytest.fixture
def one(tmp_path):
    """Write one file."""

    def one(content):
        path = tmp_path / "a.npy"
        path.write_bytes(content)
        return path

    return one


def test_matrices_are_outputs_by_inputs(fill):
    architecture, arrays = read_npy_folder(fill())
    assert architecture == {
        "layers": [
            {"type": "dense", "units": 2, "activation": "relu"},
            {"type": "dense", "units": 4, "activation": "linear"},
        ],
        "input_shape": [3],
        "loss": "softmax_cross_entropy",
    }
    np.testing.assert_array_equal(arrays[0], W1.T)
    np.testing.assert_array_equal(arrays[2], W2.T)
    assert [a.shape for a in arrays] == [(3, 2), (2,), (2, 4), (4,)]
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)


def test_the_network_is_the_perceptron_that_the_files_describe(fill, rng):
    model = load_npy_folder(fill())
    x = rng.random((5, 3)).astype(np.float32)
    hidden = np.maximum(x @ W1.T + 1, 0)
    scores = np.exp(hidden @ W2.T + 1)
    expected = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(x), expected, rtol=2e-5)


@pytest.mark.parametrize(
    "names",
    [
        ("W1", "B1", "W2", "B2"),
        ("w_0", "b_0", "w_1", "b_1"),
        ("weights1", "biases1", "weights2", "biases2"),
        ("layer_1_weight", "layer_1_bias", "layer_2_weight", "layer_2_bias"),
        ("layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"),
        ("weights_layer9", "bias_layer9", "weights_layer10", "bias_layer10"),
        ("1-kernel", "1-bias", "02-kernel", "2-bias"),
    ],
)
def test_spellings(fill, names):
    _, arrays = read_npy_folder(fill(names))
    np.testing.assert_array_equal(arrays[0], W1.T)
    np.testing.assert_array_equal(arrays[2], W2.T)


@pytest.mark.parametrize(
    "dtype",
    ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "u1", ">i2", "<u4", ">i8", "u8"],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_any_dtype_and_order(one, dtype, order, version):
    array = np.array(W1, dtype=dtype, order=order)
    back = read_npy(one(npy(array, version=version)))
    np.testing.assert_array_equal(back, W1)
    assert back.dtype == np.float32
    assert back.flags.c_contiguous
    assert back.flags.writeable


def test_biases_may_be_vectors_rows_or_columns(fill):
    for shape in ((2,), (2, 1), (1, 2)):
        arrays = [W1, np.ones(shape), W2, np.ones((4, 1))]
        assert read_npy_folder(fill(arrays=arrays))[1][1].tolist() == [1, 1]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_models_come_back_bit_for_bit(tmp_path, depth):
    layers = [rn.Dense(n + 2, "relu") for n in range(depth - 1)]
    model = rn.Network([*layers, rn.Dense(3)], (4,), seed=2)
    write_npy_folder(model, tmp_path / "new" / "model")
    again = load_npy_folder(tmp_path / "new" / "model")
    assert again.params.tobytes() == model.params.tobytes()
    assert again.architecture() == model.architecture()


def test_what_is_written(tmp_path):
    model = rn.Network([rn.Dense(2, "relu"), rn.Dense(4)], (3,), seed=2)
    write_npy_folder(model, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "b1.npy", "b2.npy", "w1.npy", "w2.npy",
    ]  # fmt: skip
    w1, b2 = np.load(tmp_path / "w1.npy"), np.load(tmp_path / "b2.npy")
    assert (w1.shape, w1.dtype) == ((2, 3), np.float64)
    assert (b2.shape, b2.dtype) == ((4, 1), np.float64)
    np.testing.assert_array_equal(w1, model.parameters["layers.0.weight"].T)


@pytest.mark.parametrize(
    ("layers", "shape", "loss", "words"),
    [
        ([rn.Dense(2, "tanh"), rn.Dense(2)], (3,), "softmax_cross_entropy",
         r"layers\[0\].activation is tanh, expected relu"),
        ([rn.Dense(2, "leaky_relu")], (3,), "softmax_cross_entropy",
         r"layers\[0\].activation"),
        ([rn.Dense(2)], (3,), "squared_error", "loss is squared_error"),
    ],
)  # fmt: skip
def test_other_networks_are_refused(tmp_path, layers, shape, loss, words):
    model = rn.Network(layers, shape, loss)
    assert npy_obstacle(model) is not None
    with pytest.raises(ValueError, match=words):
        write_npy_folder(model, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_another_model_are_not_mixed_in(fill):
    """A folder that holds w3.npy would be read as a deeper model."""
    shallow = rn.Network([rn.Dense(2)], (3,))
    folder = fill()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(ValueError, match=r"holds 'b2\.npy', which is not part"):
        write_npy_folder(shallow, folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_parameters_that_are_not_finite_are_not_written(tmp_path):
    model = rn.Network([rn.Dense(2)], (3,))
    model.params[1] = np.inf
    with pytest.raises(
        ValueError, match="expected finite values, got NaN or infinity in layer 1"
    ):
        write_npy_folder(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- folders that are refused ----


def refusal(function, *arguments):
    with pytest.raises(FormatError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("w1", "b1", "w2", "x"),
            "expected a name such as w1.npy, b1.npy, w2.npy, with weight or bias",
        ),
        (("w1", "b1", "w2", "b2_copy"), "weight or bias"),
        (("w1", "b1", "w2", "b2_3"), "weight or bias"),
        (("w", "b1", "w2", "b2"), "weight or bias"),
        (("w1", "b1", "w2", "b3"), "got no bias of layer 2"),
        (("w1", "b1", "w3", "b2"), "got no weight of layer 2"),
        (("w1", "b1", "w2", "weight_1"), "are both the weight of layer 1"),
    ],
)
def test_names_that_do_not_make_a_model(fill, names, words):
    assert words in refusal(read_npy_folder, fill(names))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ([W1.T, np.ones(2), W2, np.ones(4)], "b1.npy': expected 3 values"),
        ([W1, np.ones(2), W2.T, np.ones(2)], "w2.npy': expected 2 columns"),
        ([W1, np.ones(2), np.ones((4, 3)), np.ones(4)], "w2.npy': expected 2 columns"),
        ([W1, np.ones((2, 2)), W2, np.ones(4)], "b1.npy': expected a vector"),
        ([W1, np.array(1.0), W2, np.ones(4)], "b1.npy': expected a vector"),
        ([W1, np.ones(2), np.ones(4), np.ones(4)], "w2.npy': expected a matrix"),
        ([np.ones((2, 0)), np.ones(2), W2, np.ones(4)], "w1.npy': expected a matrix"),
    ],
)
def test_shapes_that_do_not_fit(fill, arrays, words):
    assert words in refusal(read_npy_folder, fill(arrays=arrays))


def test_folders_without_arrays(tmp_path):
    (tmp_path / "._w1.npy").write_bytes(b"what macOS leaves")
    (tmp_path / "notes.txt").write_text("")
    assert "got no .npy file" in refusal(read_npy_folder, tmp_path)
    with pytest.raises(FileNotFoundError):
        read_npy_folder(tmp_path / "none")
    with pytest.raises(NotADirectoryError):
        read_npy_folder(tmp_path / "notes.txt")


# ---- files that are refused ----


class Canary:
    """Unpickling it would be seen."""

    def __reduce__(self):
        return (print, ("unpickled",))


def test_pickled_objects_are_not_read(one, capsys):
    path = one(npy(np.array([Canary()], dtype=object), allow_pickle=True))
    assert "got Python objects, which are pickled and not read" in refusal(read_npy, path)
    assert capsys.readouterr().out == ""


HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an npy file"),
        (b"PK\x03\x04 an npz file", "not an npy file: it begins with 0x504b0304"),
        (b"\x93NUMPY\x01", "not an npy file"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "npy format version 9.0"),
        (b"\x93NUMPY\x01\x00\x76", "truncated"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "truncated"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "npy header of 4294967295 bytes"),
        (raw(HEADER, bytes(47)), "expected 117 bytes for float64 (2, 3), got 116"),
        (raw(HEADER, bytes(49)), "expected 117 bytes"),
        (
            raw(HEADER.replace("2, 3", "1 << 40"), bytes(48)),
            "its header is not that of an array",
        ),
        (raw(HEADER.replace("(2, 3)", f"({1 << 39}, {1 << 39})"), bytes(48)), "expected "),
        (
            raw(HEADER.replace("2, 3", f"{1 << 63},"), bytes(48)),
            "npy header: expected a shape of integers",
        ),
        (
            raw(HEADER.replace("2, 3", "-2, -3"), bytes(48)),
            "npy header: expected a shape of integers",
        ),
        (
            raw(HEADER.replace("2, 3", "True, 6"), bytes(48)),
            "npy header: expected a shape of integers",
        ),
        (
            raw(HEADER.replace("(2, 3)", "6"), bytes(48)),
            "its header is not that of an array",
        ),
        (
            raw(HEADER.replace("False", "0"), bytes(48)),
            "its header is not that of an array",
        ),
        (
            raw(HEADER.replace("}", "'x': 1}"), bytes(48)),
            "its header is not that of an array",
        ),
        (raw("__import__('os')"), "its header is not that of an array"),
        (raw("(" * 9000), "its header is not that of an array"),
        (raw("-" * 9000 + "1"), "its header is not that of an array"),
        (raw("[" * 90 + "]" * 90), "its header is not that of an array"),
        (raw("\0"), "its header is not that of an array"),
        (raw(HEADER.replace("<f8", "<c16"), bytes(48)), "got the data type '<c16'"),
        (raw(HEADER.replace("<f8", "<U2"), bytes(48)), "got the data type '<U2'"),
        (raw(HEADER.replace("<f8", "<M8[s]"), bytes(48)), "data type"),
        (raw(HEADER.replace("<f8", "<f16"), bytes(96)), "got the data type '<f16'"),
        (raw(HEADER.replace("'<f8'", "[('a', '<f8')]"), bytes(48)), "data type"),
        (raw(HEADER.replace("'<f8'", "8"), bytes(48)), "got the data type '8'"),
        (npy(np.array([1, np.nan])), "expected finite float32 values, got nan at [1]"),
        (npy(np.array([[1, 1e39]])), "got 1e+39 at [0, 1]"),
    ],
)
def test_bad_files(one, content, words):
    path = one(content)
    message = refusal(read_npy, path)
    assert words in message
    assert message.startswith(repr(str(path)))


def test_every_truncation_is_refused(one):
    whole = npy(W1)
    for length in range(len(whole)):
        refusal(read_npy, one(whole[:length]))
    refusal(read_npy, one(whole + b"\0"))


def test_damaged_headers_are_format_errors_or_arrays(one):
    rng = np.random.default_rng(2)
    whole = npy(W1)
    for _ in range(3000):
        content = bytearray(whole)
        for at in rng.integers(0, 128, rng.integers(1, 4)):
            content[at] = rng.integers(256)
        try:
            assert read_npy(one(bytes(content))).dtype == np.float32
        except FormatError as error:
            assert "\n" not in str(error)


def test_a_file_with_holes_is_not_read(tmp_path):
    """Its length is what the header says, and it takes no room on the disk."""
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 2), np.float32))
    with (tmp_path / "w1.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (1 << 18, 1 << 11)})
        file.truncate(file.tell() + (1 << 31))
    with pytest.raises(FormatError, match=r"w1\.npy': expected at most 1073741824 bytes"):
        read_npy(tmp_path / "w1.npy")
