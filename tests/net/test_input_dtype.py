"""One rule for uint8: it is always divided by 255, and a net keeps to what it was fitted on."""

import copy
import pickle

import numpy as np
import pytest

import rnn_native as rn
import rnn_native._core as _core
from rnn_native import checkpoint, export
from rnn_native.analysis.calibration import scale_outputs
from rnn_native.analysis.logits import class_logits
from rnn_native.analysis.saliency import saliency
from rnn_native.net import model_file, rows

# Numbers up to 255 make the first losses great.
pytestmark = pytest.mark.filterwarnings("ignore:training diverges")

BYTES = np.random.default_rng(1).integers(0, 256, (40, 6)).astype(np.uint8)
BYTES[0, :2] = 0, 255
FLOATS = BYTES / np.float32(255)
LABELS = np.arange(40) % 3


def new_net():
    return rn.Network([rn.Dense(5, "relu"), rn.Dense(3)], (6,))


def fitted(x, **options):
    net = new_net()
    net.fit(x, LABELS, epochs=1, verbose=0, **options)
    return net


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (BYTES, "uint8"),
        (FLOATS, "float"),
        (BYTES.astype(float), "float"),
        (BYTES.astype(np.int64), "float"),
        (BYTES.tolist(), "float"),
        (BYTES > 99, "float"),
    ],
)
def test_the_first_fit_decides(x, expected):
    assert new_net().input_dtype is None
    assert fitted(x).input_dtype == expected


def test_integers_are_numbers_for_a_net_that_is_fitted_on_them():
    """The same bits as floats of the same values; 200 is 200, not 200 / 255."""
    net = fitted(BYTES.astype(np.int64))
    assert net.weights.tobytes() == fitted(BYTES.astype(float)).weights.tobytes()
    expected = net.predict_proba(BYTES.astype(float))
    assert net.predict_proba(BYTES.tolist()).tobytes() == expected.tobytes()


@pytest.mark.parametrize("x", [FLOATS, FLOATS.astype(float), FLOATS.tolist()])
def test_a_net_fitted_on_bytes_accepts_floats_in_0_to_1(x):
    net = fitted(BYTES)
    assert net.predict_proba(x).tobytes() == net.predict_proba(BYTES).tobytes()


def test_a_division_that_rounds_up_is_in_0_to_1():
    net, x = fitted(BYTES), np.full((1, 6), np.nextafter(np.float32(1), np.float32(2)))
    net.predict(x)


REFUSED_BY_BYTES = [
    (BYTES.astype(np.int64), "got int64 in 0..255; use x.astype\\('uint8'\\)"),
    (np.ones((2, 6), np.int32), r"got int32 in 1..1; use x.astype\(float\)"),
    (BYTES.astype(np.uint16), "got uint16 in 0..255"),
    (BYTES.astype(float), "got float64 in 0..255"),
    (BYTES.astype(np.float32), "got float32 in 0..255"),
    (FLOATS * 2 - 1, "got float32 in -1..1$"),
    (BYTES.tolist(), "got int64 in 0..255"),
]

CALLS = [
    lambda net, x: net.predict(x),
    lambda net, x: net.predict_proba(x),
    lambda net, x: net.evaluate(x, np.zeros(len(x), int)),
    lambda net, x: net.fit(x, np.zeros(len(x), int), verbose=0),
    lambda net, x: net.fit_one_cycle(x, np.zeros(len(x), int), 3, 0.1, verbose=0),
    lambda net, x: net.lr_find(x, np.zeros(len(x), int)),
    lambda net, x: saliency(net, x, np.zeros(len(x), int)),
    lambda net, x: class_logits(net, x),
    lambda net, x: scale_outputs(net, 2.0).predict(x),
    lambda net, x: export.rounded_to_int8(net).predict(x),
    lambda net, x: copy.deepcopy(net).predict(x),
    lambda net, x: pickle.loads(pickle.dumps(net)).predict(x),
]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_keeps_to_the_rule(call):
    on_bytes, on_floats = fitted(BYTES), fitted(FLOATS)
    for x, found in REFUSED_BY_BYTES:
        with pytest.raises(
            ValueError,
            match=r"x: this net was fitted on uint8 \(0..255, divided by 255\); expected "
            f"uint8 or floats in 0..1, {found}",
        ):
            call(on_bytes, x)
    with pytest.raises(
        ValueError, match=r"x: got uint8, but .* floats.*x / 255 .*x\.astype\(float\)"
    ):
        call(on_floats, BYTES)
    call(on_bytes, BYTES)
    call(on_floats, BYTES.astype(np.int64))


def test_attention_maps_keep_to_the_rule():
    net = rn.Network(rn.models.attention_layers(8, 8), (1, 28, 28))
    x = np.ones((2, 28, 28), np.uint8)
    net.fit(x, [0, 1], verbose=0)
    with pytest.raises(ValueError, match="x: this net was fitted on uint8"):
        net.attention_maps(x.astype(float) * 200)
    net.attention_maps(x / 255)


@pytest.mark.parametrize(
    ("x", "held", "message"),
    [
        (BYTES, BYTES.astype(int), r"fitted on uint8 .*got int64 in 0\.\.255"),
        (FLOATS, BYTES, "got uint8, but this net was fitted on floats"),
        (BYTES.astype(int), BYTES, "got uint8, but this net was fitted on floats"),
    ],
)
def test_rows_to_validate_on_are_of_the_same_kind(x, held, message):
    net = new_net()
    before = net.weights.tobytes()
    with pytest.raises(ValueError, match=rf"validation_data\[0\]: .*{message}"):
        net.fit(x, LABELS, validation_data=(held, LABELS), verbose=0)
    assert net.input_dtype is None, "a refused call decides nothing"
    assert net.weights.tobytes() == before
    net.fit(BYTES, LABELS, validation_data=(FLOATS, LABELS), verbose=0)


def test_test_rows_are_of_the_same_kind_as_those_trained_on():
    x = np.zeros((20, 28, 28), np.uint8)
    y = np.arange(20) % 10
    with pytest.raises(ValueError, match=r"x_test: .*got int64"):
        rn.train_mlp(((x, y), (x.astype(int), y)), epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"x_test: got uint8"):
        rn.train_mlp(((x / 255, y), (x, y)), epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"y_test: expected labels in 0..9, got 10"):
        rn.train_mlp(((x, y), (x, y + 1)), epochs=1, verbose=0)
    assert rn.train_mlp(((x, y), (x, y)), epochs=1, verbose=0).model.input_dtype == "uint8"


def test_the_rule_can_be_set():
    net = fitted(FLOATS)
    net.input_dtype = "uint8"
    assert net.predict_proba(BYTES).tobytes() == net.predict_proba(FLOATS).tobytes()
    net.input_dtype = None
    net.fit(BYTES, LABELS, verbose=0)
    assert net.input_dtype == "uint8"
    with pytest.raises(ValueError, match="input_dtype: expected 'uint8', 'float' or None"):
        net.input_dtype = "int64"


def test_a_net_of_which_nothing_is_known_refuses_what_is_ambiguous():
    with pytest.raises(TypeError, match="int64 values beyond 0 and 1 are ambiguous"):
        new_net().predict(BYTES.astype(int))
    new_net().predict((BYTES > 99).astype(int))


def test_the_search_for_a_rate_decides_nothing():
    net = new_net()
    net.lr_find(BYTES, LABELS)
    assert net.input_dtype is None


# ---- files ----


@pytest.mark.parametrize(("x", "kind"), [(BYTES, "uint8"), (FLOATS, "float")])
def test_model_files_keep_the_rule(x, kind, tmp_path):
    fitted(x).save(tmp_path / "m.safetensors")
    assert checkpoint.describe(tmp_path / "m.safetensors")["input_dtype"] == kind
    assert rn.load(tmp_path / "m.safetensors").input_dtype == kind


def test_a_net_that_was_never_fitted_is_saved_as_such(tmp_path, recwarn):
    new_net().save(tmp_path / "m.safetensors")
    net = rn.load(tmp_path / "m.safetensors")
    assert net.input_dtype is None
    net.predict(BYTES)
    assert not recwarn.list


def without_the_key(path):
    tensors, metadata = model_file.read(path)
    del metadata["input_dtype"], metadata["sha256"]
    model_file.write(path, tensors, metadata)


def test_a_file_without_the_rule_behaves_as_before_and_warns_once(tmp_path):
    path = tmp_path / "m.safetensors"
    net = fitted(BYTES)
    net.save(path)
    without_the_key(path)
    old = rn.load(path)
    assert old.input_dtype is None
    with pytest.warns(
        UserWarning, match=r"m\.safetensors: does not have the dtype .*input_dtype"
    ):
        outputs = old.predict_proba(BYTES)
    assert outputs.tobytes() == net.predict_proba(BYTES).tobytes()
    old.predict(BYTES.astype(float))
    with pytest.raises(TypeError, match="ambiguous"):
        old.predict(BYTES.astype(int))
    told = rn.load(path)
    told.input_dtype = "uint8"
    told.predict(BYTES)


def test_a_rule_that_is_none_makes_a_file_unusable(tmp_path):
    path = tmp_path / "m.safetensors"
    fitted(BYTES).save(path)
    tensors, metadata = model_file.read(path)
    del metadata["sha256"]
    model_file.write(path, tensors, {**metadata, "input_dtype": "int64"})
    with pytest.raises(rn.FormatError, match=r"input_dtype: expected .*got 'int64'"):
        rn.load(path)


def test_a_pickle_without_the_rule_warns():
    state = fitted(BYTES).__getstate__()
    del state["input_dtype"]
    net = rn.Network.__new__(rn.Network)
    net.__setstate__(state)
    with pytest.warns(
        UserWarning, match="does not have the dtype that the net was fitted on"
    ):
        net.predict(BYTES)


def test_a_resumed_run_has_the_rule(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    data = ((x, np.arange(40) % 10), (x, np.arange(40) % 10))
    options = {"verbose": 0, "out": tmp_path}
    rn.train_mlp(data, epochs=1, **options)
    model = rn.train_mlp(data, epochs=2, resume=True, **options).model
    assert model.input_dtype == "uint8"
    assert rn.load(tmp_path).input_dtype == "uint8"


def test_the_model_of_the_package_and_the_formats_of_the_reference_are_for_bytes(tmp_path):
    from rnn_native import legacy, npy_folder, pretrained

    assert pretrained.load().input_dtype == "uint8"
    net = rn.Network([rn.Dense(512, "relu"), rn.Dense(10)], (784,))
    legacy.write_legacy(net, tmp_path / "m.bin")
    npy_folder.write_npy_folder(net, tmp_path / "folder")
    assert rn.load(tmp_path / "m.bin").input_dtype == "uint8"
    assert rn.load(tmp_path / "folder").input_dtype == "uint8"


def test_what_scikit_learn_fitted_was_fitted_on_numbers():
    coefs, biases = [np.ones((6, 1)), np.ones((1, 1))], [np.ones(1), np.ones(1)]
    net = export.from_sklearn(coefs, biases, "relu", "identity")
    assert net.input_dtype == "float"


# ---- exports ----


def test_exports_say_what_they_take(tmp_path):
    pytest.importorskip("onnx")
    on_bytes, on_floats = fitted(BYTES), fitted(BYTES.astype(int))
    export.to_onnx(on_bytes, tmp_path / "m.onnx", uint8_input=True)
    with pytest.raises(
        ValueError, match="uint8_input: divides by 255, but this net was fit"
    ):
        export.to_onnx(on_floats, tmp_path / "m.onnx", uint8_input=True)
    assert "divide bytes by 255" in export.onnx_model(on_bytes).doc_string
    assert "255" not in export.onnx_model(on_floats).doc_string
    export.to_c(on_bytes, tmp_path / "bytes.c")
    export.to_c(on_floats, tmp_path / "floats.c")
    assert "must be divided by 255" in (tmp_path / "bytes.c").read_text()
    assert "255" not in (tmp_path / "floats.c").read_text().partition("#include")[0]


# ---- drawings ----


@pytest.mark.parametrize("x", [BYTES, FLOATS])
def test_the_recognizer_teaches_nets_of_both_kinds(x):
    from rnn_native.recognizer import learning

    images = np.zeros((30, 28, 28), np.uint8)
    images[:, 3:9] = 255
    net = rn.Network([rn.Dense(10)], (784,))
    net.fit(images if x is BYTES else images / 255, np.arange(30) % 10, verbose=0)
    replay = learning.Replay(images, np.arange(30, dtype=np.uint8) % 10)
    taught = learning.learned(net, list(images[:2]), [1, 2], replay)
    assert taught.input_dtype == net.input_dtype


# ---- the core's part ----


@pytest.mark.parametrize("size", [1, 3, 4, 17, 64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.5, -0.5])
def test_all_within_sees_every_element(size, bad):
    x = np.linspace(0, 1, size, dtype=np.float32)[None]
    assert _core.all_within(x, 0.0, 1.0)
    for i in range(size):
        y = x.copy()
        y[0, i] = bad
        assert not _core.all_within(y, 0.0, 1.0)


def test_a_function_of_its_arguments():
    """What estimators use: nothing is remembered."""
    x = rows.as_rows(BYTES, (2, 3), learns=True)
    assert rows.input_dtype_of(x) == "uint8"
    with pytest.raises(ValueError, match="X: this net was fitted on uint8"):
        rows.as_rows(BYTES.astype(int), (6,), "uint8", name="X")
