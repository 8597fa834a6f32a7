"""PyTorch's names and layouts, against real modules (marked parity) and by hand."""

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import rnn_native as rn
import twins
from activations import torch_module
from cases import CASES, IN_TORCH, Case, arrays
from rnn_native.export import torch_tensors
from rnn_native.export.steps import steps_of
from rnn_native.settings.architecture import parse_architecture

MIXED = [
    rn.Conv2D(4, 3, activation="relu"),
    rn.MaxPool2D(2),
    rn.BatchNorm(),
    rn.Activation("tanh"),
    rn.Flatten(),
    rn.Dropout(0.1),
    rn.Dense(6, "gelu"),
    rn.LayerNorm(),
    rn.Dense(3),
]
NAMES = ["conv", "norm", "fc1", "norm2", "fc2"]


def drawn(case):
    _, _, params = arrays(case)
    net = rn.Network(case.specs, case.input_shape, case.loss)
    net.weights[:] = twins.flatten_all(params)
    return net


def mixed():
    return drawn(
        Case("mixed", [la.spec() for la in MIXED], (2, 8, 8), "softmax_cross_entropy", 5)
    )


def test_layouts_are_pytorchs():
    net = rn.Network([rn.Dense(2)], (3,))
    net.parameters["layers.0.weight"][:] = [[1, 2], [3, 4], [5, 6]]
    net.parameters["layers.0.bias"][:] = [7, 8]
    tensors = rn.export.to_torch(net)
    np.testing.assert_array_equal(tensors["0.weight"], [[1, 3, 5], [2, 4, 6]])
    np.testing.assert_array_equal(tensors["0.bias"], [7, 8])
    tensors["0.bias"][0] = 99  # a copy: the net does not change
    assert net.parameters["layers.0.bias"][0] == 7


def test_names_are_those_of_a_sequential_with_activations_of_their_own():
    shapes = {name: t.shape for name, t in rn.export.to_torch(mixed()).items()}
    assert shapes == {
        "0.weight": (4, 2, 3, 3),
        "0.bias": (4,),
        "3.weight": (4,),
        "3.bias": (4,),
        "3.running_mean": (4,),
        "3.running_var": (4,),
        "3.num_batches_tracked": (),
        "7.weight": (6, 36),
        "7.bias": (6,),
        "9.weight": (6,),
        "9.bias": (6,),
        "10.weight": (3, 6),
        "10.bias": (3,),
    }


def test_names_may_be_the_modules_own():
    net = mixed()
    tensors = rn.export.to_torch(net, NAMES)
    assert [name for name in tensors if name.endswith("weight")] == [
        f"{name}.weight" for name in NAMES
    ]
    back = rn.export.from_torch(tensors, net, NAMES)
    assert back.weights.tobytes() == net.weights.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_there_and_back_is_the_same_net(case):
    net = drawn(case)
    back = rn.export.from_torch(rn.export.to_torch(net), net.architecture())
    assert back is not net
    assert back.weights.tobytes() == net.weights.tobytes()


def test_optimizer_and_input_dtype_of_a_net_that_is_given_are_kept():
    spec = {"type": "adam", "beta_1": 0.8}
    net = rn.Network([rn.Dense(3)], (4,), optimizer=spec)
    net.input_dtype = "uint8"
    again = rn.export.from_torch(rn.export.to_torch(net), net)
    assert again.optimizer == spec
    assert again.input_dtype == "uint8"


def test_files_there_and_back(tmp_path):
    net = mixed()
    rn.export.save_torch(net, tmp_path / "t.safetensors")
    parsed = parse_architecture(net.architecture())
    back = rn.export.load_torch(tmp_path / "t.safetensors", parsed)
    assert back.weights.tobytes() == net.weights.tobytes()
    with pytest.raises(rn.FormatError, match="--architecture` converts PyTorch's"):
        rn.load(tmp_path / "t.safetensors")


def test_other_numbers_are_taken_and_counters_may_be_missing():
    net = mixed()
    tensors = {
        name: t.astype(np.float64)
        for name, t in rn.export.to_torch(net).items()
        if "num_batches" not in name
    }
    tensors["0.bias"] = np.arange(4)
    back = rn.export.from_torch(tensors, net)
    assert back.parameters["layers.0.bias"].tolist() == [0, 1, 2, 3]


def changed(**tensors):
    """The tensors of `mixed`, with some replaced, or removed if None."""
    given = rn.export.to_torch(mixed())
    for name, tensor in tensors.items():
        given.pop(name, None)
        if tensor is not None:
            given[name] = tensor
    return given


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"7.bias": None}, r"missing 7\.bias of shape \(6,\)$"),
        ({"12.weight": np.ones(3)}, r"unknown 12\.weight$"),
        ({"7.num_batches_tracked": np.array(0)}, r"unknown 7\.num_batches_tracked$"),
        (
            {"7.weight": np.ones((36, 6))},
            r"7\.weight: expected shape \(6, 36\), got \(36, 6\)",
        ),
        ({"7.bias": np.array(["a"] * 6)}, r"7\.bias: expected numbers, got <U1"),
        ({"7.bias": [[1], [1, 2]]}, r"7\.bias: cannot become a NumPy array"),
        (
            {"7.bias": np.full(6, np.inf)},
            r"7\.bias: expected finite float32 values, got inf",
        ),
        ({"7.bias": None, "a\n": np.ones(6)}, r"missing 7\.bias.*; unknown a\\n; if the"),
    ],
)
def test_what_is_wrong_is_named(tensors, message):
    with pytest.raises(rn.FormatError, match=message) as error:
        rn.export.from_torch(changed(**tensors), mixed())
    assert str(error.value).startswith("state dict: ")
    assert "\n" not in str(error.value)


def test_a_module_instead_of_its_tensors_is_refused():
    with pytest.raises(TypeError, match=r"as module\.state_dict\(\) returns it"):
        rn.export.from_torch(mixed(), mixed())


@pytest.mark.parametrize("names", [["a"], [*NAMES[:-1], "conv"], "abcde"])
def test_names_that_do_not_fit_are_refused(names):
    with pytest.raises(
        ValueError, match=r"names: expected 5 different names, for layers\[0\]"
    ):
        rn.export.to_torch(mixed(), names)


def test_attention_without_out_proj_has_the_identity_there():
    net = rn.Network([rn.SelfAttention(2), rn.MeanPool(), rn.Dense(2)], (3, 4))
    tensors = rn.export.to_torch(net)
    np.testing.assert_array_equal(tensors["0.out_proj.weight"], np.eye(4))
    np.testing.assert_array_equal(tensors["0.out_proj.bias"], np.zeros(4))
    tensors["0.out_proj.weight"] = 2 * tensors["0.out_proj.weight"]
    with pytest.raises(rn.FormatError, match=r"0\.out_proj\.weight: expected the identity"):
        rn.export.from_torch(tensors, net)


def test_a_layer_that_pytorch_lacks_is_named(monkeypatch):
    monkeypatch.delitem(torch_tensors.LAYERS, "layernorm")
    with pytest.raises(ValueError, match=r"layers\[7\] \(layernorm\): PyTorch cannot"):
        rn.export.to_torch(mixed())


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "t.safetensors").write_bytes(b"PK\x03\x04 torch.save makes zip files")
    with pytest.raises(rn.FormatError, match="not a safetensors file"):
        rn.export.load_torch(tmp_path / "t.safetensors", mixed())
    with pytest.raises(FileNotFoundError, match="no such model file"):
        rn.export.load_torch(tmp_path / "none", mixed())
    save_file({"x": np.ones(1)}, tmp_path / "t.safetensors")
    with pytest.raises(rn.FormatError, match=r"t\.safetensors': missing 0\.weight"):
        rn.export.load_torch(tmp_path / "t.safetensors", mixed())


# ---- against PyTorch ----


def has_module(spec):
    """Whether a torch.nn.Sequential can do it: it hands no padding mask on, and windows of
    nn have the same padding on both sides."""
    padding = spec.get("padding", 0)
    axes = 1 if spec["type"].endswith("1d") else 2
    is_even = padding != "same" and np.size(padding) in (1, axes)
    recurrent = spec["type"] in ("simple_rnn", "gru", "lstm") and spec.get("reverse")
    return spec["type"] != "masking" and is_even and not recurrent


SEQUENTIAL = [
    case for case in CASES if not case.blank and all(map(has_module, case.layers))
]


@pytest.fixture(scope="module")
def torch():
    if os.environ.get("RNN_NATIVE_PARITY") == "1":
        import torch

        return torch
    return pytest.importorskip("torch", reason="PyTorch is not installed: make parity")


@pytest.fixture(scope="module")
def own(torch):
    """The modules of docs/reference/torch-modules.md that PyTorch lacks, by name."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "torch-modules.md"
    (code,) = re.findall(
        r"```python\n(import torch.*?)```", page.read_text(), flags=re.DOTALL
    )
    found = {}
    exec(code, found)
    return found


def activation_module(spec):
    name = spec.get("function", spec.get("activation", "linear"))
    return torch_module(name, spec.get("alpha"))


def attention_module(nn, own, spec, width):
    options = [spec.get(name, False) for name in ("residual", "causal")]
    made = own["SelfAttention"](width, spec.get("heads", 1), *options)
    if not spec.get("out_proj"):
        nn.init.eye_(made.out_proj.weight)
    return made


RECURRENT = {"simple_rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


def recurrent_module(own, spec, width):
    made = own[RECURRENT[spec["type"]]](width, spec["units"])
    made.sequences = spec.get("return_sequences", False)
    return made


def window_modules(nn, spec, shape, window):
    kind, axes = spec["type"], len(shape) - 1
    places = (window.kernel, window.stride, window.before)
    if kind.startswith("conv"):
        made = getattr(nn, f"Conv{axes}d")(
            shape[0], spec["filters"], *places, window.dilation, window.groups
        )
        function = spec.get("activation", "linear")
        return [made] if function == "linear" else [made, activation_module(spec)]
    pool = "MaxPool" if kind.startswith("max") else "AvgPool"
    return [getattr(nn, f"{pool}{axes}d")(*places)]


def layer_modules(nn, own, step):
    """The modules that a PyTorch user would write for a layer."""
    spec, shape = step.layer.spec(), step.input_shape
    kind, width = spec["type"], shape[-1]
    if kind[:4] in ("conv", "maxp", "avgp"):
        return window_modules(nn, spec, shape, step.window)
    epsilon = spec.get("epsilon", 1e-5)
    if kind == "batchnorm":
        norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return [norm(shape[0], eps=epsilon, momentum=1 - spec.get("momentum", 0.9))]
    channels = shape[0] if len(shape) == 3 or kind.endswith("1d") else 1
    plain = {name: partial(module, nn) for name, module in IN_TORCH.items()}
    made = {
        **plain,
        "dense": lambda: nn.Linear(width, spec["units"]),
        "activation": lambda: activation_module(spec),
        "layernorm": lambda: nn.LayerNorm(width, eps=epsilon),
        "rmsnorm": lambda: nn.RMSNorm(width, eps=epsilon),
        "normalization": lambda: own["Normalization"](shape, spec.get("axis")),
        "reshape": lambda: nn.Sequential(
            nn.Flatten(), nn.Unflatten(1, twins.reshape_arrays(spec, shape)[0])
        ),
        "dropout": lambda: nn.Dropout(spec["rate"]),
        "gaussian_noise": nn.Identity,
        "prelu": lambda: nn.PReLU(shape[0] if spec.get("per_channel") else 1),
        "patch_embed": lambda: own["PatchEmbed"](
            channels, spec["patch_size"], spec["units"]
        ),
        "patch_embed1d": lambda: own["PatchEmbed1D"](
            channels, spec["patch_size"], spec["units"]
        ),
        "embedding": lambda: own["Embedding"](
            spec["num_embeddings"], spec["embedding_dim"]
        ),
        "columns": lambda: own["Columns"](spec["first"], spec["count"]),
        "position": lambda: own["Position"](*shape),
        "self_attention": lambda: attention_module(nn, own, spec, width),
        "mean_pool": lambda: own["MeanPool"](),
        **{name: lambda: recurrent_module(own, spec, width) for name in RECURRENT},
    }[kind]()
    function = spec.get("activation", "linear")
    return [made] if function == "linear" else [made, activation_module(spec)]


def sequential(torch, own, net):
    steps = {step.name: step for step in steps_of(net)}

    def module_of(specs, inside):
        """A Sequential, those of plain blocks in it, and those of torch-modules.md."""
        modules = []
        for i, spec in enumerate(specs):
            name = f"{inside}.{i}"
            word = f"{name}.{spec.get('name', spec['type'])}"
            if spec["type"] == "block":
                modules.append(module_of(spec["layers"], word))
            elif spec["type"] == "residual":
                skip = steps.get(f"{name}.projection")
                if skip is not None:
                    (skip,) = layer_modules(torch.nn, own, skip)
                inner = module_of(spec["layers"], word)
                modules.append(own["Residual"](inner, skip))
            elif spec["type"] == "concat":
                branches = [
                    module_of(branch, f"{word}.{k}")
                    for k, branch in enumerate(spec["branches"])
                ]
                modules.append(own["Concat"](branches, steps[name].axis))
            else:
                modules += layer_modules(torch.nn, own, steps[name])
        return torch.nn.Sequential(*modules)

    return module_of(net.specs, "layers").eval()


def torch_outputs(torch, net, module, x):
    with torch.no_grad():
        out = module(torch.from_numpy(x))
    ends = {
        "softmax_cross_entropy": lambda z: z.softmax(-1),
        "sigmoid_cross_entropy": torch.sigmoid,
        "poisson": torch.exp,
    }
    return ends.get(net.loss, lambda z: z)(out).numpy()


def assert_same_outputs(torch, net, module, case):
    x = arrays(case)[0].astype(np.float32)
    expected = torch_outputs(torch, net, module, x)
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(net.predict_proba(x), expected, atol=1e-5 * scale, rtol=0)


@pytest.mark.parity
@pytest.mark.parametrize("case", SEQUENTIAL, ids=str)
def test_a_real_module_takes_our_tensors(torch, own, case):
    net = drawn(case)
    module = sequential(torch, own, net)
    tensors = {name: torch.from_numpy(t) for name, t in rn.export.to_torch(net).items()}
    module.load_state_dict(tensors)  # strict: neither missing nor unexpected keys
    assert_same_outputs(torch, net, module, case)


@pytest.mark.parity
@pytest.mark.parametrize("case", SEQUENTIAL, ids=str)
def test_we_take_a_real_modules_tensors(torch, own, case):
    torch.manual_seed(1)
    like = drawn(case)
    module = sequential(torch, own, like)
    for name, tensor in module.state_dict().items():
        if "running" in name:
            tensor.uniform_(0.5, 1.5)
    assert_same_outputs(
        torch, rn.export.from_torch(module.state_dict(), like), module, case
    )


@pytest.mark.parity
def test_a_module_with_names_of_its_own_through_files(torch, tmp_path):
    from safetensors.torch import load_file as torch_load
    from safetensors.torch import save_file as torch_save

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = torch.nn.Linear(784, 32)
            self.fc2 = torch.nn.Linear(32, 10)

        def forward(self, x):
            return self.fc2(torch.relu(self.fc1(x)))

    reader = Reader()
    torch_save(reader.state_dict(), tmp_path / "theirs.safetensors")
    like = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], (784,))
    names = ["fc1", "fc2"]
    net = rn.export.load_torch(tmp_path / "theirs.safetensors", like, names)
    x = np.random.default_rng(0).random((9, 784)).astype(np.float32)
    expected = torch_outputs(torch, net, reader, x)
    np.testing.assert_allclose(net.predict_proba(x), expected, atol=1e-6)

    rn.export.save_torch(net, tmp_path / "ours.safetensors", names)
    fresh = Reader()
    fresh.load_state_dict(torch_load(tmp_path / "ours.safetensors"))
    assert torch.equal(fresh.fc1.weight, reader.fc1.weight)


@pytest.mark.parity
def test_tensors_that_numpy_cannot_have_are_named(torch):
    net = rn.Network([rn.Dense(2)], (3,))
    linear = torch.nn.Sequential(torch.nn.Linear(3, 2))
    with pytest.raises(rn.FormatError, match=r"0\.weight: cannot become a NumPy array"):
        rn.export.from_torch(dict(linear.named_parameters()), net)
    with pytest.raises(rn.FormatError, match=r"0\.weight: cannot become a NumPy array"):
        rn.export.from_torch(linear.bfloat16().state_dict(), net)
