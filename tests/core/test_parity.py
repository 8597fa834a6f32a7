"""The core against PyTorch: same weights, same batches, gradients and a hundred steps."""

import os

import numpy as np
import pytest

import fuzz_nets
import random_nets
import twins
from activations import torch_module
from branch_twins import JOINS, MARKS, Branches, concat_axis, mask_after
from cases import (
    CASES,
    IN_TORCH,
    SOFTMAX,
    SQUARES,
    Case,
    activation,
    arrays,
    conv2d,
    dense,
    flatten,
    maxpool2d,
    mean_pool,
    native,
    native_arrays,
    patch_embed,
    position,
    relative,
    self_attention,
)
from loss_twins import LOSSES

pytestmark = pytest.mark.parity

if os.environ.get("RNN_NATIVE_PARITY") == "1":
    import torch
else:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make parity")

F = torch.nn.functional

# ---- layers as PyTorch users would write them: (spec, tensors, x, mask) -> out ----


def activate(spec, z):
    name = spec.get("function") or spec.get("activation", "linear")
    return torch_module(name, spec.get("alpha"))(z)


def dense_layer(spec, p, x, mask):
    return activate(spec, F.linear(x, p["weight"].T, p["bias"]))


def padded(spec, x, value):
    """As users of PyTorch write padding that the function below does not know.

    "same" is worked out as TensorFlow's documentation has it.
    """
    extents = x.shape[2:]
    n = len(extents)
    each = lambda v: list(v) if isinstance(v, (list, tuple)) else [v] * n  # noqa: E731
    padding = spec.get("padding", 0)
    if padding == "same":
        kernel = each(spec.get("kernel_size", 2))
        default = 1 if "filters" in spec else kernel
        stride, gaps = each(spec.get("stride") or default), each(spec.get("dilation", 1))
        sides = []
        for extent, k, s, d in zip(extents, kernel, stride, gaps, strict=True):
            rest = extent % s or s
            total = max(0, (k - 1) * d + 1 - rest)
            sides.append([total // 2, total - total // 2])
    elif padding == "valid":
        sides = [[0, 0]] * n
    elif isinstance(padding, int):
        sides = [[padding] * 2] * n
    elif len(padding) == n:
        sides = [[p] * 2 for p in padding] if n == 2 else [list(padding)]
    else:
        sides = [padding[:2], padding[2:]]
    return F.pad(x, [side for axis in reversed(sides) for side in axis], value=value)


def window_options(spec, *names):
    default = {"stride": 1, "dilation": 1, "groups": 1, "kernel_size": 2}
    if "filters" not in spec:
        default["stride"] = spec.get("kernel_size", 2)
    found = {name: spec.get(name) or default[name] for name in names}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def conv_layer(convolve):
    def layer(spec, p, x, mask):
        options = window_options(spec, "stride", "dilation", "groups")
        x = padded(spec, x, 0.0)
        return activate(spec, convolve(x, p["weight"], p["bias"], **options))

    return layer


def plain_layer(module):
    return lambda spec, p, x, mask: module(torch.nn)(x)


def max_pool_layer(pool):
    def layer(spec, p, x, mask):
        return pool(
            padded(spec, x, -torch.inf), **window_options(spec, "kernel_size", "stride")
        )

    return layer


def avg_pool_layer(pool):
    def layer(spec, p, x, mask):
        options = window_options(spec, "kernel_size", "stride")
        means = pool(padded(spec, x, 0.0), **options)
        if spec.get("padding") != "same":
            return means
        return means / pool(padded(spec, torch.ones_like(x), 0.0), **options)

    return layer


def batchnorm_layer(spec, p, x, mask):
    # PyTorch's momentum is that of the new value; its running variance is unbiased, so
    # only what training gives out is compared here.
    momentum = 1 - spec.get("momentum", 0.9)
    epsilon = spec.get("epsilon", 1e-5)
    return F.batch_norm(x, None, None, p["weight"], p["bias"], True, momentum, epsilon)


def rmsnorm_layer(spec, p, x, mask):
    return torch.nn.functional.rms_norm(
        x, x.shape[-1:], p["weight"], spec.get("epsilon", 1e-5)
    )


def layernorm_layer(spec, p, x, mask):
    return F.layer_norm(x, x.shape[-1:], p["weight"], p["bias"], spec.get("epsilon", 1e-5))


def normalization_layer(spec, p, x, mask):
    """As Keras': (x - mean) / max(sqrt(variance), epsilon); 0 where nothing varies."""
    axis = spec.get("axis", 0 if x.ndim == 4 else -1)
    shape = [-1, *[1] * (x.ndim - 2)] if axis == 0 else [-1]
    mean, variance = p["mean"].reshape(shape), p["variance"].reshape(shape)
    normal = (x - mean) / variance.sqrt().clamp(min=1e-7)
    return torch.where(variance > 0, normal, torch.zeros((), dtype=x.dtype))


def patch_layer(spec, p, x, mask):
    image, size = (x if x.ndim == 4 else x[:, None]), spec["patch_size"]
    patches = F.unfold(image, size, stride=size).transpose(1, 2)
    return F.linear(patches, p["weight"].T, p["bias"])


def patch1d_layer(spec, p, x, mask):
    size = spec["patch_size"]
    kernels = p["weight"].T.reshape(spec["units"], -1, size)
    return F.conv1d(x, kernels, p["bias"], stride=size).transpose(1, 2)


def attention_layer(spec, p, x, real):
    rows, tokens, width = x.shape
    heads = spec.get("heads", 1)
    q, k, v = (
        F.linear(x, p[f"{name}_weight"].T, p[f"{name}_bias"])
        .view(rows, tokens, heads, width // heads)
        .transpose(1, 2)
        for name in "qkv"
    )
    seen = twins.seen_tokens(spec, None if real is None else real.numpy(), tokens)
    sees = torch.as_tensor(np.ones((tokens, tokens)) if seen is None else seen) > 0
    context = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
    # Where a token sees none PyTorch gives NaN, or the mean of all, depending on the version.
    context = context.where(sees.any(-1, keepdim=True), torch.zeros((), dtype=x.dtype))
    out = context.transpose(1, 2).reshape(rows, tokens, width)
    if spec.get("out_proj"):
        out = F.linear(out, p["out_weight"].T, p["out_bias"])
    return out + x if spec.get("residual") else out


CELLS = {
    "simple_rnn": torch.rnn_tanh_cell,
    "gru": torch.gru_cell,
    "lstm": torch.lstm_cell,
}


def recurrent_layer(spec, p, x, real):
    names = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")
    weights = [p[name].T if name.endswith("weight") else p[name] for name in names]
    h = c = x.new_zeros(len(x), spec["units"])
    outs = [h] * x.shape[1]
    steps = [*range(x.shape[1])][:: -1 if spec.get("reverse") else 1]
    for i, t in enumerate(steps):
        if spec.get("truncate") and i % spec["truncate"] == 0:
            h, c = h.detach(), c.detach()
        keep = 1.0 if real is None else real[:, t, None]
        is_lstm = spec["type"] == "lstm"
        made = CELLS[spec["type"]](x[:, t], (h, c) if is_lstm else h, *weights)
        after = made if is_lstm else (made, c)
        h, c = (a * keep + b * (1 - keep) for a, b in zip(after, (h, c), strict=True))
        outs[t] = h
    return torch.stack(outs, 1) if spec.get("return_sequences") else h


def embedding_layer(spec, p, x, mask):
    nearest = torch.floor(x.detach() + 0.5).clamp(0, spec["num_embeddings"] - 1)
    return F.embedding(nearest.long(), p["weight"])


def mean_pool_layer(spec, p, x, real):
    if real is None:
        return x.mean(1)
    sums = (x * real[..., None]).sum(1)
    return sums / real.sum(1, keepdim=True).clamp(min=1)


LAYERS = {
    **{kind: plain_layer(module) for kind, module in IN_TORCH.items()},
    "dense": dense_layer,
    "conv1d": conv_layer(F.conv1d),
    "maxpool1d": max_pool_layer(F.max_pool1d),
    "avgpool1d": avg_pool_layer(F.avg_pool1d),
    "patch_embed1d": patch1d_layer,
    "conv2d": conv_layer(F.conv2d),
    "maxpool2d": max_pool_layer(F.max_pool2d),
    "avgpool2d": avg_pool_layer(F.avg_pool2d),
    "activation": lambda spec, p, x, mask: activate(spec, x),
    "batchnorm": batchnorm_layer,
    "layernorm": layernorm_layer,
    "rmsnorm": rmsnorm_layer,
    "normalization": normalization_layer,
    "reshape": lambda spec, p, x, mask: x.reshape(
        len(x), *twins.reshape_arrays(spec, x.shape[1:])[0]
    ),
    "dropout": lambda spec, p, x, mask: x * mask,
    "prelu": lambda spec, p, x, mask: F.prelu(x, p["weight"]),
    "gaussian_noise": lambda spec, p, x, mask: x + mask,
    "patch_embed": patch_layer,
    "embedding": embedding_layer,
    "columns": lambda spec, p, x, mask: x.narrow(-1, spec["first"], spec["count"]),
    "position": lambda spec, p, x, mask: x + p["table"],
    "self_attention": attention_layer,
    "masking": lambda spec, p, x, mask: x * twins.real_tokens(spec, x, None)[..., None],
    "mean_pool": mean_pool_layer,
    **dict.fromkeys(CELLS, recurrent_layer),
}


def joined(spec, parts):
    if spec["type"] == "add":
        return parts[0] + parts[1]
    return torch.cat(parts, dim=1 + concat_axis(spec, parts[0].ndim - 1))


class TorchNet:
    """The case's net in PyTorch, with the twin's parameters."""

    def __init__(self, case, params, dtype=torch.float32):
        self.case, self.dtype = case, dtype
        self.layers = [
            {
                name: torch.tensor(value, dtype=dtype, requires_grad=trained)
                for arrays_of, trained in ((p, True), (p.state, False))
                for name, value in arrays_of.items()
            }
            for p in params
        ]
        self.tensors = [
            tensor for p in self.layers for tensor in p.values() if tensor.requires_grad
        ]

    def forward(self, x, caches):
        """`caches` are the twin's; masks and noise are taken from there."""
        x = x.reshape(len(x), *self.case.input_shape)
        real, branches, masks = None, Branches(), Branches()
        for spec, p, cache in zip(self.case.layers, self.layers, caches, strict=True):
            if spec["type"] in MARKS:
                real = mask_after(spec, masks.forward(spec, real), x.ndim - 1)
                x = branches.forward(spec, x)
                x = joined(spec, x) if spec["type"] in JOINS else x
                continue
            takes_tokens = spec["type"] in ("self_attention", "mean_pool", *CELLS)
            mask = torch.as_tensor(cache.get("mask", 1.0), dtype=self.dtype)
            below = x
            x = LAYERS[spec["type"]](spec, p, below, real if takes_tokens else mask)
            real = twins.real_tokens(spec, below, real)
        return x

    def loss(self, x, y, caches=None):
        out = self.forward(x, [{}] * len(self.layers) if caches is None else caches)
        return LOSSES[self.case.loss].torch(F, out, y).mean()

    def flat(self, tensors):
        return np.concatenate([t.detach().numpy().ravel() for t in tensors])


def skip_what_pytorch_refuses(case):
    if case.name == "batchnorm one row":
        pytest.skip("PyTorch wants more than one value for a channel's statistics")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_one_step(case):
    skip_what_pytorch_refuses(case)
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    mode = twins.training_mode(seed=4, step=2)
    _, caches = twins.forward(case.layers, params, x, mode)
    net = TorchNet(case, params)
    loss = net.loss(torch.from_numpy(x32), torch.from_numpy(y32), caches)
    native_loss, grads = native(case, params).gradients(x32, y32, seed=4, step=2)
    assert native_loss / case.rows == pytest.approx(loss.item(), rel=1e-5, abs=1e-6)
    if net.tensors:
        loss.backward()
        expected = net.flat([t.grad for t in net.tensors])
        if case.loss == SQUARES:
            expected = expected / 2  # squared_error is differentiated as one half of it
        assert relative(grads, expected) < 1e-5


def has_unlike_kinks(net):
    """Whether PyTorch refuses the net, or normalizes a constant to rounding noise, of which
    a ReLU above makes what it likes."""
    types = {layer["type"] for layer in net.layers}
    is_flat = net.inputs in ("constant", "zeros") or net.rows == 1
    return is_flat and bool(types & {"batchnorm", "layernorm", "rmsnorm"})


def has_float_constants(net):
    """Whether PyTorch computes a layer with 1/6 in float32, or draws its own noise."""
    return any(name in repr(net.layers) for name in ("'hardsig", "'hardsw", "'gaussian_"))


@pytest.mark.parametrize("seed", range(30))
def test_random_nets_have_the_twins_gradients_in_float64(seed):
    """The twin is what random nets of the core are held to (test_random_nets.py)."""
    for net in fuzz_nets.nets_of(seed):
        # Of zeros, windows of a pool tie except for rounding.
        if net.inputs == "zeros" or has_unlike_kinks(net) or has_float_constants(net):
            continue
        x, y, _, params = random_nets.arrays(net)
        x = np.float64(x.reshape(net.rows, *net.input_shape))
        y = y if net.loss == SOFTMAX else np.float64(y)
        with np.errstate(all="ignore"):
            row_loss, grads, caches = twins.batch(
                net.layers, params, x, y, net.loss, twins.training_mode(4, 2)
            )
        if not row_loss.max() < 1e10:
            continue
        peer = TorchNet(net, params, torch.float64)
        loss = peer.loss(torch.from_numpy(x), torch.from_numpy(y), caches)
        assert row_loss.mean() == pytest.approx(loss.item(), rel=1e-9, abs=1e-9), net
        if not peer.tensors:
            continue
        loss.backward()
        expected = peer.flat([t.grad for t in peer.tensors])
        if net.loss == SQUARES:
            expected = expected / 2
        error = np.linalg.norm(twins.flatten(grads) - expected)
        assert error < 1e-9 * np.linalg.norm(expected) + 1e-9, net


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_in_inference(case):
    # PyTorch's layers above are those of training; these differ in inference.
    if any(spec["type"] in ("batchnorm", "gaussian_noise") for spec in case.layers):
        pytest.skip("test_batchnorm_in_inference; noise: the twin, test_net.py")
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    with torch.no_grad():
        out = TorchNet(case, params).forward(torch.from_numpy(x32), [{}] * len(case.layers))
    expected = LOSSES[case.loss].predictions(out.numpy().astype(np.float64))
    assert relative(native(case, params).predict(x32), expected) < 1e-5


def test_batchnorm_in_inference():
    case = next(case for case in CASES if case.name == "batchnorm first")
    x, y, params = arrays(case)
    x32, _ = native_arrays(case, x, y)
    norm, top = TorchNet(case, params).layers
    with torch.no_grad():
        normal = F.batch_norm(
            torch.from_numpy(x32),
            norm["running_mean"],
            norm["running_var"],
            norm["weight"],
            norm["bias"],
        )
        expected = dense_layer(case.layers[1], top, normal, None).softmax(1)
    assert relative(native(case, params).predict(x32), expected.numpy()) < 1e-5


def test_batchnorm_statistics_after_a_batch():
    """PyTorch's running variance is the unbiased one: n / (n - 1) times the core's."""
    case = next(case for case in CASES if case.name == "batchnorm channels")
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    conv, norm = TorchNet(case, params).layers[:2]
    mean, var = norm["running_mean"].clone(), torch.zeros_like(norm["running_var"])
    with torch.no_grad():
        shaped = torch.from_numpy(x32).reshape(len(x), *case.input_shape)
        z = LAYERS["conv2d"](case.layers[0], conv, shaped, None)
        F.batch_norm(z, mean, var, training=True, momentum=1 - 0.7)
    values = z.numel() / z.shape[1]
    var = 0.7 * norm["running_var"] + var * (values - 1) / values
    net = native(case, params)
    net.train(x32, y32, np.arange(case.rows, dtype=np.int32), case.rows, 0.0)
    expected = torch.cat([mean, var]).numpy()
    np.testing.assert_allclose(net.weights[net.params.size :], expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothed_and_weighted_loss(smoothing):
    case = Case("smoothed", [dense(9, "tanh"), dense(5)], (6,), SOFTMAX, 12)
    x, y, params = arrays(case)
    x32, y32 = native_arrays(case, x, y)
    weights = np.random.default_rng(0).uniform(0, 2, 12).astype(np.float32)
    net = TorchNet(case, params)
    out = net.forward(torch.from_numpy(x32), [{}, {}])
    target = torch.from_numpy(y32).long()
    row_loss = F.cross_entropy(out, target, reduction="none", label_smoothing=smoothing)
    loss = (row_loss * torch.from_numpy(weights)).mean()
    loss.backward()
    native_loss, grads = native(case, params).gradients(
        x32, y32, weights=weights, smoothing=smoothing
    )
    assert native_loss / 12 == pytest.approx(loss.item(), rel=1e-5)
    assert relative(grads, net.flat([t.grad for t in net.tensors])) < 1e-5


# ---- a hundred steps ----

MLP = Case("mlp", [dense(512, "relu"), dense(10)], (784,), SOFTMAX, 6400)


def test_mlp_loss_after_a_hundred_steps():
    _, _, params = arrays(MLP)
    from rnn_native.datasets.synthetic import synthetic_digits

    images, labels = synthetic_digits(6400, seed=5)
    pixels, y = images.reshape(-1, 784), labels.astype(np.int32)
    net, peer = native(MLP, params), TorchNet(MLP, params)
    optimizer = torch.optim.SGD(peer.tensors, lr=0.1)
    x = torch.from_numpy(pixels.astype(np.float32) / 255)
    order = np.arange(6400, dtype=np.int32)
    for begin in range(0, 6400, 64):
        rows = order[begin : begin + 64]
        loss, _ = net.train(pixels, y, rows, 64, 0.1)
        optimizer.zero_grad()
        peer_loss = peer.loss(
            x[begin : begin + 64], torch.from_numpy(y[begin : begin + 64])
        )
        peer_loss.backward()
        optimizer.step()
    assert loss[0] / 64 == pytest.approx(peer_loss.item(), rel=1e-5)
    # Usually below 1e-7; a ReLU whose input is within rounding of zero costs some 1e-5.
    assert relative(net.params, peer.flat(peer.tensors)) < 1e-4


SMALL_MODELS = [
    Case("mlp", [dense(32, "relu"), dense(10)], (196,), SOFTMAX, 320),
    Case(
        "cnn",
        [conv2d(4, 3, "relu", padding=1), maxpool2d(), flatten(), dense(10)],
        (1, 14, 14),
        SOFTMAX,
        320,
    ),
    Case(
        "attention",
        [
            patch_embed(2, 16),
            position(),
            activation("relu"),
            self_attention(),
            dense(32, "relu"),
            dense(16),
            mean_pool(),
            dense(10),
        ],
        (1, 14, 14),
        SOFTMAX,
        320,
    ),
]


def sgd(tensors, lr, spec):
    momentum, nesterov = spec.get("momentum", 0), spec.get("nesterov", False)
    decay = spec.get("weight_decay", 0)
    return torch.optim.SGD(
        tensors, lr, momentum=momentum, nesterov=nesterov, weight_decay=decay
    )


def adam(kind, decay):
    def make(tensors, lr, spec):
        return kind(
            tensors,
            lr,
            betas=(spec.get("beta_1", 0.9), spec.get("beta_2", 0.999)),
            eps=spec.get("epsilon", 1e-8),
            weight_decay=spec.get("weight_decay", decay),
        )

    return make


def rmsprop(tensors, lr, spec):
    options = {key: value for key, value in spec.items() if key not in ("type", "epsilon")}
    return torch.optim.RMSprop(tensors, lr, eps=spec.get("epsilon", 1e-8), **options)


TORCH_OPTIMIZERS = {
    "sgd": sgd,
    "adam": adam(torch.optim.Adam, 0.0),
    "adamw": adam(torch.optim.AdamW, 0.01),
    "rmsprop": rmsprop,
}

# Low rates: a ReLU whose input is within rounding of zero separates the two, at higher rates by
# more than 1e-5 (then now PyTorch, now the core is the one farther from the float64 twin).
RECIPES = [
    ({"type": "sgd"}, 0.05),
    ({"type": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}, 0.02),
    ({"type": "adam"}, 1e-3),
    ({"type": "adam", "weight_decay": 0.01, "beta_1": 0.8, "epsilon": 1e-6}, 1e-3),
    ({"type": "adamw"}, 1e-3),
    ({"type": "adamw", "weight_decay": 0.1}, 1e-3),
    ({"type": "rmsprop"}, 1e-3),
    (
        {"type": "rmsprop", "momentum": 0.5, "centered": True, "weight_decay": 0.01}
        | {"epsilon": 1e-4, "alpha": 0.9},
        1e-4,
    ),
]


def small_digits(n):
    """Generated digits, every second row and column of them."""
    from rnn_native.datasets.synthetic import synthetic_digits

    images, labels = synthetic_digits(n, seed=6)
    pixels = np.ascontiguousarray(images[:, ::2, ::2]).reshape(n, -1)
    return pixels.astype(np.float32) / 255, labels.astype(np.int32)


@pytest.mark.parametrize(
    ("spec", "lr"), RECIPES, ids=[" ".join(map(str, s.values())) for s, _ in RECIPES]
)
@pytest.mark.parametrize("case", SMALL_MODELS, ids=str)
def test_a_hundred_steps_of_each_optimizer(case, spec, lr):
    _, _, params = arrays(case)
    x, y = small_digits(case.rows)
    net, peer = native(case, params, spec), TorchNet(case, params)
    optimizer = TORCH_OPTIMIZERS[spec["type"]](peer.tensors, lr, spec)
    order = np.arange(case.rows, dtype=np.int32)
    losses = []
    for step in range(100):
        rows = order[step * 32 % 320 :][:32]
        loss, _ = net.train(x, y, rows, 32, lr, step=step)
        optimizer.zero_grad()
        peer_loss = peer.loss(torch.from_numpy(x[rows]), torch.from_numpy(y[rows]))
        peer_loss.backward()
        optimizer.step()
        losses.append((loss[0] / 32, peer_loss.item()))
    ours, theirs = np.array(losses).T
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_accumulated_gradients():
    """PyTorch's adds the gradients of four batches' mean losses, a fourth of each."""
    case, spec = SMALL_MODELS[0], {"type": "adam"}
    _, _, params = arrays(case)
    x, y = small_digits(case.rows)
    net, peer = native(case, params, spec), TorchNet(case, params)
    optimizer = TORCH_OPTIMIZERS["adam"](peer.tensors, 1e-3, spec)
    order = np.arange(case.rows, dtype=np.int32)
    ours, _ = net.train(x, y, order, 16, 1e-3, accumulate=4, epochs=3)
    theirs = []
    for _ in range(3):
        losses = []
        for k, rows in enumerate(order.reshape(-1, 16)):
            loss = peer.loss(torch.from_numpy(x[rows]), torch.from_numpy(y[rows]))
            (loss / 4).backward()
            losses.append(16 * loss.item())
            if k % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
        theirs.append(sum(losses))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
