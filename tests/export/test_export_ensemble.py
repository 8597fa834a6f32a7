"""Exports of ensembles: onnxruntime, a C compiler and PyTorch give the mean of the nets."""

import re

import numpy as np
import onnx
import onnxruntime
import pytest

import rnn_native as rn
from c_compiler import CC, SANITIZED, STRICT, run
from rnn_native.export import c_layers, onnx_file

SHAPE = (1, 6, 6)
ENDS = [("softmax_cross_entropy", 3), ("sigmoid_cross_entropy", 1), ("mse", 2),
        ("sigmoid_cross_entropy", 2), ("poisson", 1)]  # fmt: skip


def ensemble_of(loss, outputs):
    """Nets of several kinds of layers, which share functions and names of constants."""
    stacks = [
        [rn.Flatten(), rn.Dense(7, "tanh")],
        [rn.Conv2D(2, 3, activation="relu"), rn.MaxPool2D(2), rn.Flatten()],
        [
            rn.PatchEmbed(3, 4),
            rn.Position(),
            rn.SelfAttention(),
            rn.MeanPool(),
            rn.RMSNorm(),
        ],
    ]
    return rn.Ensemble(
        [
            rn.Network([*stack, rn.Dense(outputs)], SHAPE, loss, seed=i + 1)
            for i, stack in enumerate(stacks)
        ]
    )


@pytest.fixture
def x(rng):
    return rng.normal(size=(6, *SHAPE)).astype(np.float32)


def mean_of(ensemble, x):
    return np.mean(
        [net.predict_proba(x).astype(np.float64) for net in ensemble.nets], axis=0
    )


@pytest.mark.parametrize(("loss", "outputs"), ENDS)
def test_onnxruntime_gives_the_mean(x, tmp_path, loss, outputs):
    ensemble = ensemble_of(loss, outputs)
    rn.export.to_onnx(ensemble, tmp_path / "e.onnx")
    model = onnx.load(tmp_path / "e.onnx")
    onnx.checker.check_model(model, full_check=True)
    names = [constant.name for constant in model.graph.initializer]
    assert len(set(names)) == len(names)
    assert {"nets.0.layers.1.weight", "nets.1.layers.0.weight"} <= {*names}
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for rows in (x, x[:1]):
        label, probabilities = session.run(["label", "probabilities"], {"x": rows})
        np.testing.assert_allclose(probabilities, mean_of(ensemble, rows), atol=2e-6)
        if ensemble.nets[0].loss.endswith("entropy"):
            np.testing.assert_array_equal(label, ensemble.predict(rows))


def test_onnx_of_one_net_is_its_mean(x):
    net = ensemble_of("mse", 2).nets[0]
    model = rn.export.onnx_model(rn.Ensemble([net]))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["probabilities"], {"x": x})
    np.testing.assert_allclose(found, net.predict_proba(x), atol=1e-6)


def test_onnx_that_takes_bytes_wants_nets_that_do(rng):
    ensemble = ensemble_of("mse", 2)
    pixels = rng.integers(0, 256, (4, *SHAPE)).astype(np.uint8)
    model = rn.export.onnx_model(ensemble, uint8_input=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["probabilities"], {"x": pixels})
    np.testing.assert_allclose(found, ensemble.predict_proba(pixels), atol=2e-6)
    ensemble.nets[1].input_dtype = "float"
    with pytest.raises(ValueError, match="uint8_input: divides by 255"):
        rn.export.onnx_model(ensemble, uint8_input=True)


def compiled(source, folder, flags):
    (folder / "e.c").write_text(source)
    run([CC, *STRICT, *SANITIZED, *flags, "-DE_MAIN", "e.c", "-lm", "-o", "e"], folder)


@pytest.mark.skipif(CC is None, reason="there is no C compiler called cc")
@pytest.mark.parametrize("flags", [[], ["-DE_STORAGE=static"]], ids=["stack", "static"])
@pytest.mark.parametrize(("loss", "outputs"), ENDS[:3])
def test_the_c_file_gives_the_mean(x, tmp_path, loss, outputs, flags):
    ensemble = ensemble_of(loss, outputs)
    compiled(rn.export.c_source(ensemble, "e"), tmp_path, flags)
    printed = run(["./e"], tmp_path, input=x.tobytes())
    found = np.array([line.split() for line in printed.splitlines()], float)
    np.testing.assert_allclose(found, mean_of(ensemble, x), atol=2e-6)


@pytest.mark.skipif(CC is None, reason="there is no C compiler called cc")
def test_the_c_file_may_have_int8_weights(x, tmp_path):
    ensemble = ensemble_of("softmax_cross_entropy", 3)
    compiled(rn.export.c_source(ensemble, "e", int8=True), tmp_path, [])
    printed = run(["./e"], tmp_path, input=x.tobytes())
    found = np.array([line.split() for line in printed.splitlines()], float)
    rounded = rn.Ensemble([rn.export.rounded_to_int8(net) for net in ensemble.nets])
    np.testing.assert_allclose(found, rounded.predict_proba(x), atol=2e-6)


def test_the_c_file_says_what_it_is(tmp_path):
    ensemble = ensemble_of("mse", 2)
    rn.export.to_c(ensemble, tmp_path / "three.c")
    source = (tmp_path / "three.c").read_text()
    assert source.startswith("/* three: the mean of 3 neural networks, with their weights")
    assert "net1: layer 0, conv2d, relu: 1 x 6 x 6 -> 2 x 4 x 4" in source
    assert len(re.findall(r"^dense\(float", source, flags=re.MULTILINE)) == 1
    assert "$" not in source


def test_a_layer_that_a_format_lacks_is_named(monkeypatch):
    ensemble = ensemble_of("mse", 2)
    monkeypatch.delitem(onnx_file.LAYERS, "rmsnorm")
    monkeypatch.delitem(c_layers.LAYERS, "rmsnorm")
    for write in (rn.export.onnx_model, lambda model: rn.export.c_source(model, "e")):
        with pytest.raises(ValueError, match=r"nets\[2\]\.layers\[4\] \(rmsnorm\)"):
            write(ensemble)


def test_pytorch_loads_a_module_list(x, tmp_path):
    torch = pytest.importorskip("torch")
    members = [
        rn.Network([rn.Flatten(), rn.Dense(n, "relu"), rn.Dense(3)], SHAPE, seed=n)
        for n in (5, 6)
    ]
    nn = torch.nn
    modules = nn.ModuleList(
        nn.Sequential(nn.Flatten(), nn.Linear(36, n), nn.ReLU(), nn.Linear(n, 3))
        for n in (5, 6)
    )
    ensemble = rn.Ensemble(members)
    rn.export.save_torch(ensemble, tmp_path / "e.safetensors")
    from safetensors.torch import load_file

    modules.load_state_dict(load_file(tmp_path / "e.safetensors"))
    with torch.no_grad():
        outputs = [module(torch.from_numpy(x)).softmax(1) for module in modules]
    found = torch.stack(outputs).mean(0).numpy()
    np.testing.assert_allclose(found, ensemble.predict_proba(x), atol=1e-6)
    named = rn.export.to_torch(ensemble, names=["fc1", "fc2"])
    assert list(named)[:2] == ["0.fc1.weight", "0.fc1.bias"]
    assert list(named)[-1] == "1.fc2.bias"
