"""What earlier versions wrote: it loads, predicts and resumes as it did with them."""

import copy
import ctypes
import dataclasses
import importlib
import importlib.util
import json
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import rnn_native as rn
from environment import program_environment
from rnn_native import attention_text, checkpoint
from rnn_native.sklearn.fitting import ScoredRow
from rnn_native.training.logs import read_log
from rnn_native.training.result import TrainingResult

DATA = Path(__file__).parents[1] / "data"
SCRIPT = DATA.parent.parent / "scripts" / "write_version_files.py"

OLD = DATA / "0.1.0"
FACTS = json.loads((OLD / "expected.json").read_text())
RUNS, SETTINGS = sorted(FACTS["runs"]), sorted(FACTS["settings"])
CC = shutil.which("cc")

# Files of 0.1.0 do not store which inputs their model was fitted on; each use warns.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def _writer():
    """The script that wrote the files: inputs and options are its own."""
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = _writer()


@pytest.fixture(scope="module")
def expected():
    with np.load(OLD / "expected.npz") as arrays:
        return dict(arrays)


def inputs_of(name, net):
    return WRITER.inputs(net.input_shape, net.loss, net.output_shape[0])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def assert_as_before(found, expected):
    """Equal to float32 rounding: CPU levels differ by it."""
    assert found.shape == expected.shape
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, atol=2e-6 * scale, rtol=0)


def test_the_files_are_those_of_the_version_and_small():
    assert FACTS["version"] == "0.1.0"
    files = [path for path in OLD.rglob("*") if path.is_file()]
    assert len(files) >= 40
    assert max(path.stat().st_size for path in files) <= 20_000


@pytest.mark.parametrize("name", sorted(FACTS["nets"]))
def test_a_model_predicts_as_before(name, expected, level):
    net = rn.load(OLD / "models" / f"{name}.safetensors")
    assert (list(net.input_shape), net.loss) == tuple(FACTS["nets"][name].values())
    x, _ = inputs_of(name, net)
    assert_as_before(net.predict_proba(x), expected[name])


def test_an_activation_that_was_applied_twice_is_applied_once(expected):
    for name, again in (("sigmoid", sigmoid), ("softmax", softmax)):
        path = OLD / "models" / f"{name}_twice.safetensors"
        with pytest.warns(UserWarning, match=f"last {name} was applied twice"):
            net = rn.load(path)
        x, _ = WRITER.inputs((12,), net.loss, net.output_shape[0])
        assert_as_before(again(net.predict_proba(x)), expected[f"{name}_twice"])


@pytest.mark.parametrize("name", ["dense.bin", "dense64.bin", "dense_npy"])
def test_other_formats_predict_as_before(name, expected):
    net = rn.load(OLD / "models" / name)
    assert_as_before(net.predict_proba(inputs_of("dense", net)[0]), expected["dense"])


def test_a_pickled_network_predicts_as_before(expected):
    net = pickle.loads((OLD / "models" / "dense.pickle").read_bytes())
    assert net.optimizer == {"type": "adam"} and net.moments.any()
    assert_as_before(net.predict_proba(inputs_of("dense", net)[0]), expected["dense"])


def test_a_pickled_estimator_predicts_as_before(expected):
    estimator = pickle.loads((OLD / "models" / "classifier.pickle").read_bytes())
    x, _ = WRITER.inputs((12,), "softmax_cross_entropy", 3)
    assert_as_before(estimator.predict_proba(x), expected["classifier"])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_pickled_estimator_goes_on(again):
    estimator = again(pickle.loads((OLD / "models" / "classifier.pickle").read_bytes()))
    epochs, classes = len(estimator.history_), estimator.classes_
    assert f"{epochs} epochs: loss " in repr(estimator.history_)
    assert "val_score=" in repr(estimator.history_.rows)
    x, _ = WRITER.inputs((12,), "softmax_cross_entropy", 3)
    estimator.partial_fit(x, np.resize(classes, len(x)))
    estimator.partial_fit(x, np.resize(classes, len(x)))
    assert len(estimator.history_) == epochs + 2
    assert len(estimator.history_.call_rows) == 2


def test_scores_of_a_pickled_estimator_are_its_own():
    row = ScoredRow.__new__(ScoredRow)
    row.__setstate__([0.5, 0.75, 0.1, 0.01, 0.25, 0.625, 0.875])
    assert row == ScoredRow(0.5, 0.75, 0.1, 0.01, 0.25, 0.625, {}, 0.875)
    assert copy.copy(row) == row == pickle.loads(pickle.dumps(row))


def test_a_pickled_result_can_be_copied_and_changed():
    net = rn.Network([rn.Dense(2)], (3,))
    result = TrainingResult.__new__(TrainingResult)
    result.__setstate__([net, rn.History(), 0.5, 0.75, None, "rows"])
    assert result.test_scores == {"loss": 0.5, "accuracy": 0.75}
    for same in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert same.test_scores == result.test_scores and repr(same) == repr(result)
    assert dataclasses.replace(result, data="more").data == "more"
    whole = dataclasses.replace(result, test_scores={"loss": 1.0})
    assert copy.deepcopy(whole).test_scores == {"loss": 1.0}


def test_attention_maps_are_read_and_made_as_before(expected):
    net = rn.load(OLD / "models" / "attention.safetensors")
    maps = net.attention_maps(inputs_of("attention", net)[0][:2])
    assert_as_before(maps, expected["attention_maps"])
    read = attention_text.read_attention(OLD / "logs" / "attention_weights.txt")
    np.testing.assert_allclose(np.stack(list(read.values())), maps, atol=1e-6)


# ---- names ----

# Names that 0.1.0 offered in modules other than those that they are in.
NAMES = {
    "architecture": ("MAX_LAYERS", "MAX_RANK", "REFERENCE_KEYS", "REFERENCE_TYPES"),
    "checkpoint": (
        "FormatError",
        "begins_as_safetensors",
        "is_safetensors",
        "read_tensors",
    ),
    "datasets": ("FormatError",),
    "layers": ("as_spec",),
    "models": ("Network",),
    "network": ("sinusoidal_positions",),
    "training": ("Callback", "History"),
}


@pytest.mark.parametrize(
    "place", [f"{module}.{name}" for module, names in NAMES.items() for name in names]
)
def test_names_are_where_they_were(place):
    module, name = place.split(".")
    assert hasattr(importlib.import_module(f"rnn_native.{module}"), name)
    assert hasattr(getattr(rn, module), name)


def test_what_moved_does_what_it_did():
    path = OLD / "models" / "dense.safetensors"
    tensors, metadata = checkpoint.read_tensors(path)
    assert tensors and metadata and checkpoint.is_safetensors(path)
    layer = rn.Dense(3, "relu")
    assert rn.layers.as_spec(layer) == layer.spec() == rn.layers.as_spec(layer.spec())
    with pytest.raises(TypeError, match=r"^layer: expected a layer or its spec, got 3$"):
        rn.layers.as_spec(3)
    assert rn.network.sinusoidal_positions(4, 6).shape == (4, 6)


# ---- runs ----


@pytest.fixture(params=RUNS)
def old_run(request, tmp_path):
    """A copy of a run's folder, and what it takes to resume it."""
    name = request.param
    shutil.copytree(OLD / "runs" / name, tmp_path / name)
    layers, shape, loss = WRITER.NETS[name]
    net = rn.Network(layers, shape, loss)
    x, y = inputs_of(name, net)
    options = {"seed": 5, "validation_split": 0.25, "patience": None, "verbose": 0}
    options.update(WRITER.RUNS[name])
    return name, tmp_path / name, net.architecture(), ((x, y), (x, y)), options


def test_a_run_is_loaded_as_before(old_run, expected):
    name, folder, _, ((x, _), _), _ = old_run
    assert_as_before(rn.load(folder).predict_proba(x), expected[f"run_{name}"])
    history = read_log(folder / "log.csv")
    known = [row.val_loss for row in history]
    np.testing.assert_allclose(known, FACTS["runs"][name][:2], rtol=1e-12)
    assert checkpoint.describe(folder / "last.safetensors")["run"]["recipe"]["seed"] == 5


def test_a_run_is_resumed_as_before(old_run, expected, level):
    name, folder, architecture, data, options = old_run
    result = rn.train(architecture, data, epochs=4, out=folder, resume=True, **options)
    losses = [row.val_loss for row in result.history]
    np.testing.assert_allclose(losses, FACTS["runs"][name], rtol=1e-5)
    found = result.model.predict_proba(data[0][0])
    # Two epochs of updates amplify what the kernels of two levels differ by.
    np.testing.assert_allclose(found, expected[f"resumed_{name}"], atol=2e-5, rtol=0)


def test_a_run_with_another_recipe_is_refused_in_one_line(old_run):
    _, folder, architecture, data, options = old_run
    options["lr"] = options["lr"] / 2
    with pytest.raises(ValueError, match=r"another recipe: lr=.* \(was ") as caught:
        rn.train(architecture, data, epochs=4, out=folder, resume=True, **options)
    assert "\n" not in str(caught.value)


def test_the_xor_run_is_loaded_as_before(expected):
    net = rn.load(OLD / "runs" / "xor")
    assert_as_before(net.predict_proba(rn.models.XOR_X), expected["xor"])
    assert read_log(OLD / "runs" / "xor" / "log.csv").epoch[-1] == 19_999


# ---- exports, settings, logs ----


@pytest.mark.skipif(CC is None, reason="there is no C compiler called cc")
@pytest.mark.parametrize("name", ["conv", "conv_int8"])
def test_a_c_file_predicts_as_before(name, expected, tmp_path):
    source, target = OLD / "exports" / f"{name}.c", tmp_path / "net.so"
    command = [CC, "-std=c99", "-shared", "-fPIC", "-o", target, source, "-lm"]
    subprocess.run(command, check=True, env=program_environment())
    predict = getattr(ctypes.CDLL(str(target)), f"{name}_predict")
    x, _ = WRITER.inputs((1, 8, 8), "softmax_cross_entropy", 4)
    rows = np.ascontiguousarray(x.reshape(len(x), -1) / np.float32(255), np.float32)
    found = np.zeros((len(rows), 4), np.float32)
    pointer = ctypes.POINTER(ctypes.c_float)
    for row, output in zip(rows, found, strict=True):
        predict(row.ctypes.data_as(pointer), output.ctypes.data_as(pointer))
    assert_as_before(found, expected[name])


def test_an_onnx_file_predicts_as_before(expected):
    model = onnx.load(OLD / "exports" / "conv.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x, _ = WRITER.inputs((1, 8, 8), "softmax_cross_entropy", 4)
    (found,) = session.run(["probabilities"], {"x": x / np.float32(255)})
    assert_as_before(found, expected["conv"])


def test_tensors_for_torch_are_read_as_before(expected):
    net = rn.load(OLD / "models" / "conv.safetensors")
    again = rn.export.load_torch(
        OLD / "exports" / "conv_torch.safetensors", net.architecture()
    )
    np.testing.assert_array_equal(again.weights, net.weights)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_mean_what_they_meant(name):
    path = OLD / "settings" / f"{name}.json"
    if name.endswith("training"):
        net, recipe = rn.models.untrained("mlp", config=path)
    else:
        net, recipe = rn.models.untrained(str(path))
    meant = FACTS["settings"][name]
    assert net.architecture() == meant["architecture"]
    found = json.loads(json.dumps(recipe.as_dict()))
    assert {key: found[key] for key in meant["recipe"]} == meant["recipe"]


def test_keras_columns_are_read_as_before():
    history = read_log(OLD / "logs" / "keras.csv")
    assert history.epoch == [0, 1, 2]
    assert all(0 <= row.accuracy <= 1 for row in history)
