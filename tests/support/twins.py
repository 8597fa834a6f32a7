"""Float64 twins of the core, in plain NumPy: slow, readable, and checked by themselves
against central differences (test_twins.py). They are oracles, never the subject.

A net is a list of layer dicts; its parameters are a list with a `Params` for each layer.
"""

import math
from typing import Any, NamedTuple

import numpy as np

import activations
from branch_twins import JOINS, MARKS, Branches, join_forward, join_shape, mask_after
from loss_twins import LOSSES, softmax

# ---- numbers for masks: the same key and index give the same number ----

GOLDEN = 0x9E3779B97F4A7C15
MASK64 = 2**64 - 1


def mix64(x):
    """SplitMix64's mixing, on an array of uint64, which wraps as the definition wants."""
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def mix_one(x):
    return int(mix64(np.array([x & MASK64], dtype=np.uint64))[0])


def mask_key(key, part):
    return mix_one(key ^ mix_one(part + GOLDEN))


def uniform_numbers(key, shape):
    """A number in [0, 1) for each element of a batch, by its index."""
    index = np.arange(math.prod(shape), dtype=np.uint64)
    bits = mix64(np.uint64(key) + index * np.uint64(GOLDEN)) >> np.uint64(32)
    return ((bits >> np.uint64(8)) / 2.0**24).reshape(shape)


def dropout_mask(key, rate, shape):
    """What inputs are multiplied by: 0, or 1 / (1 - rate)."""
    # The core holds the rate as a float; a number that lies between would differ.
    rate = float(np.float32(rate))
    return (uniform_numbers(key, shape) >= rate) / (1 - rate)


# ---- activations: value and slope at z, with alpha ----


ACTIVATIONS = {
    name: (row.value, row.slope) for name, row in activations.ACTIVATIONS.items()
}
DEFAULT_ALPHA = {
    name: row.alpha[1]
    for name, row in activations.ACTIVATIONS.items()
    if row.alpha is not None
}


def _activate(name, spec, z):
    return ACTIVATIONS[name][0](z, _alpha(name, spec))


def _activate_backward(name, spec, z, dout):
    return dout * ACTIVATIONS[name][1](z, _alpha(name, spec))


def _alpha(name, spec):
    alpha = spec.get("alpha")
    return DEFAULT_ALPHA.get(name, 0.0) if alpha is None else alpha


# ---- layers ----
# forward(spec, params, x, mode) -> out, cache    backward(spec, params, cache, dout) -> dx,
# dparams    arrays(spec, shape) -> shapes of out, params and state. A cache is a dict; what
# forward finds for the running state is its "state".


class Params(dict):
    """A layer's trained arrays by name, in storage order; `state`: saved, not trained."""

    def __init__(self, arrays=(), state=()):
        super().__init__(arrays)
        self.state = dict(state)


class Mode(NamedTuple):
    """Training or inference, the key of the step's masks, and a layer's `real_tokens`."""

    training: bool = False
    key: int = 0
    real: Any = None


INFERENCE = Mode()


def training_mode(seed=0, step=0):
    return Mode(True, mask_key(seed, step))


def dense_arrays(spec, shape):
    units = spec["units"]
    return (*shape[:-1], units), {"weight": (shape[-1], units), "bias": (units,)}, {}


def dense_forward(spec, params, x, mode=INFERENCE):
    z = x @ params["weight"] + params["bias"]
    return _activate(_activation(spec), spec, z), {"x": x, "z": z}


def dense_backward(spec, params, cache, dout):
    x, dz = cache["x"], _activate_backward(_activation(spec), spec, cache["z"], dout)
    # Tokens are rows of a taller matrix.
    tall_x, tall_dz = x.reshape(-1, x.shape[-1]), dz.reshape(-1, dz.shape[-1])
    grads = {"weight": tall_x.T @ tall_dz, "bias": tall_dz.sum(axis=0)}
    return dz @ params["weight"].T, grads


def _activation(spec):
    return spec.get("activation", "linear")


class Window(NamedTuple):
    """Of rows and columns, in this order; `edges`: padding before and after."""

    kernel: tuple
    stride: tuple
    dilation: tuple
    edges: tuple

    def reach(self, axis):
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def outputs(self, axis, extent):
        return (extent + sum(self.edges[axis]) - self.reach(axis)) // self.stride[axis] + 1


def _both(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def _edges(padding, kernel, stride, dilation, extents):
    if padding == "valid":
        padding = 0
    if padding == "same":
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        lacking = [
            max(0, (math.ceil(n / s) - 1) * s + r - n)
            for n, s, r in zip(extents, stride, reach, strict=True)
        ]
        return tuple((n // 2, n - n // 2) for n in lacking)
    if not isinstance(padding, int) and len(padding) == 4:
        return tuple(padding[:2]), tuple(padding[2:])
    return tuple((n, n) for n in _both(padding))


def window_of(spec, extents):
    """The window of a layer over an image of (H, W)."""
    kernel = _both(spec.get("kernel_size", 2))
    default = 1 if spec["type"].startswith("conv") else kernel
    stride = spec.get("stride")
    stride = _both(default if stride is None else stride)
    dilation = _both(spec.get("dilation", 1))
    edges = _edges(spec.get("padding", 0), kernel, stride, dilation, extents)
    return Window(kernel, stride, dilation, edges)


def _window_extents(spec, extents):
    window = window_of(spec, extents)
    return tuple(window.outputs(axis, extent) for axis, extent in enumerate(extents))


def _pad(window, x, value):
    return np.pad(x, ((0, 0), (0, 0), *window.edges), constant_values=value)


def _unpad(window, padded):
    (top, bottom), (left, right) = window.edges
    H, W = padded.shape[2:]
    return padded[:, :, top : H - bottom, left : W - right]


def _taps(window, padded):
    """For each place (y, x) in the window: its index, and the part of `padded` under it."""
    reach = [window.reach(axis) for axis in range(2)]
    sizes = zip(padded.shape[2:], reach, window.stride, strict=True)
    P, Q = ((extent - r) // stride + 1 for extent, r, stride in sizes)
    (down, right), (dy, dx) = window.stride, window.dilation
    for y in range(window.kernel[0]):
        for x in range(window.kernel[1]):
            rows = slice(y * dy, y * dy + down * (P - 1) + 1, down)
            columns = slice(x * dx, x * dx + right * (Q - 1) + 1, right)
            yield (y, x), (slice(None), slice(None), rows, columns)


def conv2d_arrays(spec, shape):
    C, *extents = shape
    filters = spec["filters"]
    weight = (filters, C // spec.get("groups", 1), *_both(spec["kernel_size"]))
    params = {"weight": weight, "bias": (filters,)}
    return (filters, *_window_extents(spec, extents)), params, {}


def _by_group(spec, x, axis):
    """Channels or filters along an axis as (groups, those of a group)."""
    groups, shape = spec.get("groups", 1), x.shape
    return x.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def _joined(x, axis):
    shape = x.shape
    return x.reshape(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])


def conv2d_forward(spec, params, x, mode=INFERENCE):
    window = window_of(spec, x.shape[2:])
    padded = _pad(window, x, 0)
    weight = _by_group(spec, params["weight"], 0)
    z = params["bias"][:, None, None]
    for (ky, kx), part in _taps(window, padded):
        below = _by_group(spec, padded[part], 1)
        products = np.einsum("bgcpq,gfc->bgfpq", below, weight[:, :, :, ky, kx])
        z = z + _joined(products, 1)
    cache = {"padded": padded, "z": z, "window": window}
    return _activate(_activation(spec), spec, z), cache


def conv2d_backward(spec, params, cache, dout):
    padded, window = cache["padded"], cache["window"]
    dz = _activate_backward(_activation(spec), spec, cache["z"], dout)
    above, weight = _by_group(spec, dz, 1), _by_group(spec, params["weight"], 0)
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(params["weight"])
    for (ky, kx), part in _taps(window, padded):
        below = _by_group(spec, padded[part], 1)
        dbelow = np.einsum("bgfpq,gfc->bgcpq", above, weight[:, :, :, ky, kx])
        dpadded[part] += _joined(dbelow, 1)
        dweight[:, :, ky, kx] = _joined(np.einsum("bgfpq,bgcpq->gfc", above, below), 0)
    return _unpad(window, dpadded), {"weight": dweight, "bias": dz.sum(axis=(0, 2, 3))}


def pool2d_arrays(spec, shape):
    C, *extents = shape
    return (C, *_window_extents(spec, extents)), {}, {}


def maxpool2d_forward(spec, params, x, mode=INFERENCE):
    window = window_of(spec, x.shape[2:])
    padded = _pad(window, x, -np.inf)
    values = np.stack([padded[part] for _, part in _taps(window, padded)])
    winner = values.argmax(axis=0)  # the first one, or the first NaN
    return values.max(axis=0), {"padded": padded, "winner": winner, "window": window}


def maxpool2d_backward(spec, params, cache, dout):
    dpadded = np.zeros_like(cache["padded"])
    for i, (_, part) in enumerate(_taps(cache["window"], dpadded)):
        dpadded[part] += dout * (cache["winner"] == i)
    return _unpad(cache["window"], dpadded), {}


def _averaged(spec, window, shape):
    """How many numbers each mean is of: "same" does not count the padding."""
    if spec.get("padding", 0) != "same":
        return math.prod(window.kernel)
    inside = _pad(window, np.ones((1, 1, *shape)), 0)
    return sum(inside[part] for _, part in _taps(window, inside))


def avgpool2d_forward(spec, params, x, mode=INFERENCE):
    window = window_of(spec, x.shape[2:])
    padded, count = _pad(window, x, 0), _averaged(spec, window, x.shape[2:])
    total = sum(padded[part] for _, part in _taps(window, padded))
    return total / count, {"padded": padded, "count": count, "window": window}


def avgpool2d_backward(spec, params, cache, dout):
    dpadded = np.zeros_like(cache["padded"])
    for _, part in _taps(cache["window"], dpadded):
        dpadded[part] += dout / cache["count"]
    return _unpad(cache["window"], dpadded), {}


# Along a signal (channels, length): the same over an image of one row.


def _over_a_row(spec):
    kind = spec["type"].replace("1d", "2d")
    row = {**spec, "type": kind}
    for key, one in (("kernel_size", 1), ("stride", 1), ("dilation", 1)):
        if spec.get(key) is not None:
            row[key] = (one, spec[key])
    if kind != "conv2d":
        row.setdefault("kernel_size", (1, 2))
    padding = spec.get("padding", 0)
    if not isinstance(padding, str):
        row["padding"] = (0, 0, *_both(padding))
    return row


def _in_one_row(function):
    """A function of a layer over images as one over signals."""

    def forward(spec, params, x, mode=INFERENCE):
        with_row = {name: _with_row(name, value) for name, value in params.items()}
        out, cache = function(_over_a_row(spec), with_row, x[:, :, None], mode)
        return out[:, :, 0], cache

    def backward(spec, params, cache, dout):
        with_row = {name: _with_row(name, value) for name, value in params.items()}
        dx, grads = function(_over_a_row(spec), with_row, cache, dout[:, :, None])
        without = {"weight": lambda g: g[:, :, 0], "bias": lambda g: g}
        return dx[:, :, 0], {name: without[name](g) for name, g in grads.items()}

    return forward if function.__name__.endswith("_forward") else backward


def _with_row(name, value):
    return value[:, :, None] if name == "weight" else value


def _arrays_in_one_row(function):
    def arrays(spec, shape):
        out, params, state = function(_over_a_row(spec), (shape[0], 1, shape[1]))
        if "weight" in params:
            filters, channels, _, kernel = params["weight"]
            params = {**params, "weight": (filters, channels, kernel)}
        return (out[0], out[2]), params, state

    return arrays


def global_pool_arrays(spec, shape):
    return shape[:1], {}, {}


def _planes(x):
    return x.reshape(*x.shape[:2], -1)


def global_avgpool_forward(spec, params, x, mode=INFERENCE):
    return _planes(x).mean(axis=2), {"shape": x.shape}


def global_avgpool_backward(spec, params, cache, dout):
    shape = cache["shape"]
    each = dout.reshape(*shape[:2], *[1] * len(shape[2:])) / math.prod(shape[2:])
    return np.broadcast_to(each, shape), {}


def global_maxpool_forward(spec, params, x, mode=INFERENCE):
    planes = _planes(x)
    return planes.max(axis=2), {"shape": x.shape, "winner": planes.argmax(axis=2)}


def global_maxpool_backward(spec, params, cache, dout):
    shape = cache["shape"]
    parts = [dout * (cache["winner"] == i) for i in range(math.prod(shape[2:]))]
    return np.stack(parts, axis=-1).reshape(*shape), {}


GLOBAL_AVGPOOL = (global_avgpool_forward, global_avgpool_backward, global_pool_arrays)
GLOBAL_MAXPOOL = (global_maxpool_forward, global_maxpool_backward, global_pool_arrays)


def flatten_arrays(spec, shape):
    return (math.prod(shape),), {}, {}


def flatten_forward(spec, params, x, mode=INFERENCE):
    return x.reshape(len(x), -1), {"shape": x.shape}


def flatten_backward(spec, params, cache, dout):
    return dout.reshape(cache["shape"]), {}


def reshape_arrays(spec, shape):
    target = np.atleast_1d(spec["target_shape"])
    return np.empty(shape, bool).reshape(target).shape, {}, {}


def reshape_forward(spec, params, x, mode=INFERENCE):
    shape = reshape_arrays(spec, x.shape[1:])[0]
    return x.reshape(len(x), *shape), {"shape": x.shape}


def reshape_backward(spec, params, cache, dout):
    return dout.reshape(*cache["shape"]), {}


def same_arrays(spec, shape):
    return shape, {}, {}


def activation_forward(spec, params, x, mode=INFERENCE):
    return _activate(spec["function"], spec, x), {"z": x}


def activation_backward(spec, params, cache, dout):
    return _activate_backward(spec["function"], spec, cache["z"], dout), {}


def softmax_forward(spec, params, x, mode=INFERENCE):
    p = softmax(x)
    return p, {"p": p}


def softmax_backward(spec, params, cache, dout):
    return _softmax_slope(cache["p"], dout), {}


def _softmax_slope(p, dp):
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def _normalise(x, mean, var, epsilon):
    return (x - mean) / np.sqrt(var + epsilon)


def _normalise_backward(normal, var, epsilon, dnormal, axes):
    """The gradient by x where mean and variance were taken of x over axes."""
    mean = dnormal.mean(axis=axes, keepdims=True)
    along = (dnormal * normal).mean(axis=axes, keepdims=True)
    return (dnormal - mean - normal * along) / np.sqrt(var + epsilon)


def batchnorm_arrays(spec, shape):
    n = shape[:1]
    params = {"weight": n, "bias": n}
    return shape, params, {"running_mean": n, "running_var": n}


def _per_channel(values, x):
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def batchnorm_forward(spec, params, x, mode=INFERENCE):
    epsilon, momentum = spec.get("epsilon", 1e-5), spec.get("momentum", 0.9)
    axes = (0, *range(2, x.ndim))
    state = params.state
    if mode.training:
        mean, var = x.mean(axis=axes), x.var(axis=axes)
        state = {
            "running_mean": momentum * state["running_mean"] + (1 - momentum) * mean,
            "running_var": momentum * state["running_var"] + (1 - momentum) * var,
        }
    else:
        mean, var = state["running_mean"], state["running_var"]
    mean, var = _per_channel(mean, x), _per_channel(var, x)
    normal = _normalise(x, mean, var, epsilon)
    out = normal * _per_channel(params["weight"], x) + _per_channel(params["bias"], x)
    cache = {"normal": normal, "var": var, "training": mode.training, "state": state}
    return out, cache


def batchnorm_backward(spec, params, cache, dout):
    normal, epsilon = cache["normal"], spec.get("epsilon", 1e-5)
    axes = (0, *range(2, dout.ndim))
    grads = {"weight": (dout * normal).sum(axis=axes), "bias": dout.sum(axis=axes)}
    dnormal = dout * _per_channel(params["weight"], dout)
    if not cache["training"]:
        return dnormal / np.sqrt(cache["var"] + epsilon), grads
    return _normalise_backward(normal, cache["var"], epsilon, dnormal, axes), grads


def layernorm_arrays(spec, shape):
    return shape, {"weight": shape[-1:], "bias": shape[-1:]}, {}


def layernorm_forward(spec, params, x, mode=INFERENCE):
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    normal = _normalise(x, mean, var, spec.get("epsilon", 1e-5))
    out = normal * params["weight"] + params["bias"]
    return out, {"normal": normal, "var": var}


def layernorm_backward(spec, params, cache, dout):
    normal, rows = cache["normal"], tuple(range(dout.ndim - 1))
    grads = {"weight": (dout * normal).sum(axis=rows), "bias": dout.sum(axis=rows)}
    dnormal = dout * params["weight"]
    epsilon = spec.get("epsilon", 1e-5)
    return _normalise_backward(normal, cache["var"], epsilon, dnormal, -1), grads


def rmsnorm_arrays(spec, shape):
    return shape, {"weight": shape[-1:]}, {}


def rmsnorm_forward(spec, params, x, mode=INFERENCE):
    square = (x**2).mean(axis=-1, keepdims=True)
    rrms = 1 / np.sqrt(square + spec.get("epsilon", 1e-5))
    return params["weight"] * x * rrms, {"normal": x * rrms, "rrms": rrms}


def rmsnorm_backward(spec, params, cache, dout):
    normal, rows = cache["normal"], tuple(range(dout.ndim - 1))
    dnormal = dout * params["weight"]
    mean = (dnormal * normal).mean(axis=-1, keepdims=True)
    return cache["rrms"] * (dnormal - normal * mean), {
        "weight": (dout * normal).sum(axis=rows)
    }


def _features_first(spec, rank):
    axis = spec.get("axis")
    return rank == 3 if axis is None else axis == 0


def normalization_arrays(spec, shape):
    n = shape[0] if _features_first(spec, len(shape)) else shape[-1]
    return shape, {}, {"mean": (n,), "variance": (n,), "count": (1,)}


def _statistics(spec, state, x):
    """Means and factors, as x broadcasts them."""
    mean, variance = state["mean"], state["variance"]
    is_varied = variance > 0
    root = np.maximum(np.sqrt(np.where(is_varied, variance, 1.0)), 1e-7)
    scale = is_varied * 1.0 / root
    if _features_first(spec, x.ndim - 1):
        return _per_channel(mean, x), _per_channel(scale, x)
    return mean, scale


def normalization_forward(spec, params, x, mode=INFERENCE):
    mean, scale = _statistics(spec, params.state, x)
    return (x - mean) * scale, {"scale": scale, "state": params.state}


def normalization_backward(spec, params, cache, dout):
    return dout * cache["scale"], {}


def prelu_arrays(spec, shape):
    return shape, {"weight": (shape[0] if spec.get("per_channel") else 1,)}, {}


def prelu_forward(spec, params, x, mode=INFERENCE):
    weight = _per_channel(params["weight"], x)
    return np.where(x > 0, x, weight * x), {"z": x, "weight": weight}


def prelu_backward(spec, params, cache, dout):
    x, weight = cache["z"], cache["weight"]
    share = np.where(x > 0, 0 * x, x * dout)
    axes = (0, *range(2, x.ndim)) if spec.get("per_channel") else None
    dweight = share.sum(axis=axes).reshape(params["weight"].shape)
    return np.where(x > 0, dout, weight * dout), {"weight": dweight}


def gaussian_noise(key, stddev, shape):
    """Box and Muller's normal numbers, of two uniform ones for each element."""
    index = np.arange(2 * math.prod(shape), dtype=np.uint64)
    bits = mix64(np.uint64(key) + index * np.uint64(GOLDEN)) >> np.uint64(41)
    u, v = ((2 * bits + 1) / 2.0**24).reshape(-1, 2).T
    normal = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * (v - 0.5))
    return float(np.float32(stddev)) * normal.reshape(shape)


def gaussian_noise_forward(spec, params, x, mode=INFERENCE):
    noise = 0 * x
    if mode.training:
        noise = gaussian_noise(mode.key, spec["stddev"], x.shape)
    return x + noise, {"mask": noise}


def gaussian_noise_backward(spec, params, cache, dout):
    return dout, {}


def dropout_forward(spec, params, x, mode=INFERENCE):
    mask = np.ones_like(x)
    if mode.training:
        mask = dropout_mask(mode.key, spec["rate"], x.shape)
    return x * mask, {"mask": mask}


def dropout_backward(spec, params, cache, dout):
    return dout * cache["mask"], {}


def _image(x):
    """An image of (H, W) has one channel."""
    return x[:, None] if x.ndim == 3 else x


def _patches(spec, image):
    """For each token: the part of (rows, C, H, W) that it sees."""
    p = spec["patch_size"]
    for y in range(0, image.shape[2], p):
        for x in range(0, image.shape[3], p):
            yield slice(None), slice(None), slice(y, y + p), slice(x, x + p)


def patch_embed_arrays(spec, shape):
    C, H, W = shape if len(shape) == 3 else (1, *shape)
    p, units = spec["patch_size"], spec["units"]
    params = {"weight": (C * p * p, units), "bias": (units,)}
    return (H // p * (W // p), units), params, {}


def patch_embed_forward(spec, params, x, mode=INFERENCE):
    image = _image(x)
    patches = [image[part].reshape(len(x), -1) for part in _patches(spec, image)]
    tokens = np.stack(patches, axis=1)
    return tokens @ params["weight"] + params["bias"], {"x": x, "tokens": tokens}


def patch_embed_backward(spec, params, cache, dout):
    grads = {
        "weight": np.einsum("bti,btu->iu", cache["tokens"], dout),
        "bias": dout.sum(axis=(0, 1)),
    }
    dx = np.zeros_like(cache["x"])
    dimage = _image(dx)  # a view: what is written here is written to dx
    for t, part in enumerate(_patches(spec, dimage)):
        dimage[part] = (dout[:, t] @ params["weight"].T).reshape(dimage[part].shape)
    return dx, grads


def patch_embed1d_arrays(spec, shape):
    C, length = shape
    p, units = spec["patch_size"], spec["units"]
    return (length // p, units), {"weight": (C * p, units), "bias": (units,)}, {}


def patch_embed1d_forward(spec, params, x, mode=INFERENCE):
    p = spec["patch_size"]
    patches = [x[:, :, t : t + p].reshape(len(x), -1) for t in range(0, x.shape[2], p)]
    tokens = np.stack(patches, axis=1)
    return tokens @ params["weight"] + params["bias"], {"x": x, "tokens": tokens}


def patch_embed1d_backward(spec, params, cache, dout):
    p, dx = spec["patch_size"], np.zeros_like(cache["x"])
    grads = {
        "weight": np.einsum("bti,btu->iu", cache["tokens"], dout),
        "bias": dout.sum(axis=(0, 1)),
    }
    for t in range(dout.shape[1]):
        dpatch = dout[:, t] @ params["weight"].T
        dx[:, :, t * p : (t + 1) * p] = dpatch.reshape(len(dx), dx.shape[1], p)
    return dx, grads


def embedding_arrays(spec, shape):
    width = spec["embedding_dim"]
    return (*shape, width), {"weight": (spec["num_embeddings"], width)}, {}


def embedding_forward(spec, params, x, mode=INFERENCE):
    bounds = np.array([-np.inf, *np.arange(1, spec["num_embeddings"]) - 0.5, np.inf])
    above = (x[..., None] >= bounds) * 1.0
    one_hot = above[..., :-1] - above[..., 1:]
    return one_hot @ params["weight"], {"x": x, "one_hot": one_hot}


def embedding_backward(spec, params, cache, dout):
    tall = cache["one_hot"].reshape(-1, spec["num_embeddings"])
    return 0 * cache["x"], {"weight": tall.T @ dout.reshape(-1, spec["embedding_dim"])}


def columns_arrays(spec, shape):
    return (*shape[:-1], spec["count"]), {}, {}


def _columns(spec):
    return (..., slice(spec["first"], spec["first"] + spec["count"]))


def columns_forward(spec, params, x, mode=INFERENCE):
    return np.concatenate([x[_columns(spec)]]), {"x": x}


def columns_backward(spec, params, cache, dout):
    dx = np.zeros_like(cache["x"])
    dx[_columns(spec)] = dout
    return dx, {}


def position_arrays(spec, shape):
    table = {"table": shape}
    return (shape, table, {}) if spec.get("trainable", True) else (shape, {}, table)


def position_forward(spec, params, x, mode=INFERENCE):
    trainable = spec.get("trainable", True)
    return x + (params["table"] if trainable else params.state["table"]), {}


def position_backward(spec, params, cache, dout):
    trainable = spec.get("trainable", True)
    return dout, {"table": dout.sum(axis=0)} if trainable else {}


def sinusoidal_positions(tokens, width):
    table = np.empty((tokens, width))
    for t in range(tokens):
        for d in range(width):
            angle = t / 10000 ** (2 * (d // 2) / width)
            table[t, d] = math.sin(angle) if d % 2 == 0 else math.cos(angle)
    return table


def self_attention_arrays(spec, shape):
    width = shape[1]
    names = ["q", "k", "v"] + ["out"] * spec.get("out_proj", False)
    params = {}
    for name in names:
        params |= {f"{name}_weight": (width, width), f"{name}_bias": (width,)}
    return shape, params, {}


def _split_heads(spec, x):
    rows, tokens, width = x.shape
    heads = spec.get("heads", 1)
    return x.reshape(rows, tokens, heads, width // heads).swapaxes(1, 2)


def _join_heads(x):
    rows, heads, tokens, width = x.shape
    return x.swapaxes(1, 2).reshape(rows, tokens, heads * width)


def seen_tokens(spec, real, tokens):
    """1 where a token (row) sees another (column), else 0; None where each sees all."""
    seen = np.tri(tokens) if spec.get("causal", False) else None
    if real is None:
        return seen
    columns = real[:, None, None, :]
    return columns + np.zeros((tokens, 1)) if seen is None else columns * seen


def softmax_of_seen(scores, seen):
    """Zeros where nothing is seen, and for a token that sees none."""
    if seen is None:
        return softmax(scores)
    kept = np.where(seen > 0, scores, -1e30)
    e = np.exp(kept - kept.max(axis=-1, keepdims=True)) * seen
    sees_none = seen.sum(axis=-1, keepdims=True) == 0
    return e / (e.sum(axis=-1, keepdims=True) + sees_none)


def self_attention_forward(spec, params, x, mode=INFERENCE):
    q, k, v = (
        _split_heads(spec, x @ params[f"{name}_weight"] + params[f"{name}_bias"])
        for name in "qkv"
    )
    scores = q @ k.swapaxes(2, 3) / math.sqrt(q.shape[-1])
    alpha = softmax_of_seen(scores, seen_tokens(spec, mode.real, x.shape[1]))
    context = out = _join_heads(alpha @ v)
    if spec.get("out_proj", False):
        out = context @ params["out_weight"] + params["out_bias"]
    if spec.get("residual", False):
        out = out + x
    cache = {"x": x, "q": q, "k": k, "v": v, "alpha": alpha, "context": context}
    return out, cache


def self_attention_backward(spec, params, cache, dout):
    x, q, k, v, alpha, context = cache.values()
    dx = dout if spec.get("residual", False) else np.zeros_like(dout)
    grads, dcontext = {}, dout
    if spec.get("out_proj", False):
        grads["out_weight"] = np.einsum("bti,bto->io", context, dout)
        grads["out_bias"] = dout.sum(axis=(0, 1))
        dcontext = dout @ params["out_weight"].T
    dcontext = _split_heads(spec, dcontext)
    dv = alpha.swapaxes(2, 3) @ dcontext
    dscores = _softmax_slope(alpha, dcontext @ v.swapaxes(2, 3)) / math.sqrt(q.shape[-1])
    dq, dk = dscores @ k, dscores.swapaxes(2, 3) @ q
    for name, dhead in (("q", dq), ("k", dk), ("v", dv)):
        d = _join_heads(dhead)
        grads[f"{name}_weight"] = np.einsum("bti,bto->io", x, d)
        grads[f"{name}_bias"] = d.sum(axis=(0, 1))
        dx = dx + d @ params[f"{name}_weight"].T
    return dx, grads


KEEPS_TOKENS = {
    *("dense", "activation", "softmax", "layernorm", "rmsnorm", "dropout"),
    *("prelu", "gaussian_noise", "normalization", "position", "self_attention", "columns"),
    *("simple_rnn", "gru", "lstm"),
}


def real_tokens(spec, x, real):
    """1 for each token that is not padding for the layers above one that is given x, else 0;
    None where all are real. `real` is this layer's own."""
    if spec["type"] == "masking":
        return (getattr(x, "value", x) != spec.get("value", 0.0)).any(-1) * 1.0
    return real if spec["type"] in KEEPS_TOKENS and x.ndim == 3 else None


def masking_forward(spec, params, x, mode=INFERENCE):
    real = real_tokens(spec, x, None)
    return x * real[..., None], {"real": real}


def masking_backward(spec, params, cache, dout):
    return dout * cache["real"][..., None], {}


def mean_pool_arrays(spec, shape):
    return shape[1:], {}, {}


def mean_pool_forward(spec, params, x, mode=INFERENCE):
    if mode.real is None:
        return x.mean(axis=1), {"shape": x.shape, "share": None}
    share = mode.real / np.maximum(mode.real.sum(axis=1, keepdims=True), 1)
    return (x * share[..., None]).sum(axis=1), {"shape": x.shape, "share": share}


def mean_pool_backward(spec, params, cache, dout):
    shape, share = cache["shape"], cache["share"]
    if share is None:
        return np.broadcast_to(dout[:, None] / shape[1], shape), {}
    return dout[:, None] * share[..., None], {}


# ---- recurrent layers: the gates of PyTorch's RNN, GRU and LSTM ----


def _sigmoid(z):
    return ACTIVATIONS["sigmoid"][0](z, 0.0)


def _tanh(z):
    return ACTIVATIONS["tanh"][0](z, 0.0)


def _side_by_side(parts):
    return np.concatenate(parts, axis=1)


def simple_rnn_step(x, product, h, c):
    after = _tanh(x + product)
    return after, c, (after,)


def simple_rnn_step_back(kept, product, h, c, dh, dc):
    (after,) = kept
    d = dh * (1 - after * after)
    return d, d, 0 * dh, dc


def gru_step(x, product, h, c):
    H = h.shape[1]
    r, z = (_sigmoid(x[:, g] + product[:, g]) for g in (slice(H), slice(H, 2 * H)))
    n = _tanh(x[:, 2 * H :] + r * product[:, 2 * H :])
    return n + z * (h - n), c, (r, z, n)


def gru_step_back(kept, product, h, c, dh, dc):
    r, z, n = kept
    dn = dh * (1 - z) * (1 - n * n)
    dr = dn * product[:, 2 * h.shape[1] :] * r * (1 - r)
    dz = dh * (h - n) * z * (1 - z)
    return _side_by_side([dr, dz, dn]), _side_by_side([dr, dz, dn * r]), dh * z, dc


def lstm_step(x, product, h, c):
    H = h.shape[1]
    i, f, g, o = (
        (_tanh if k == 2 else _sigmoid)((x + product)[:, k * H : (k + 1) * H])
        for k in range(4)
    )
    after = f * c + i * g
    size = _tanh(after)
    return o * size, after, (i, f, g, o, size)


def lstm_step_back(kept, product, h, c, dh, dc):
    i, f, g, o, size = kept
    dc = dc + dh * o * (1 - size * size)
    parts = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)]
    d = _side_by_side([*parts, dh * size * o * (1 - o)])
    return d, d, 0 * dh, dc * f


RECURRENT = {
    "simple_rnn": (1, simple_rnn_step, simple_rnn_step_back),
    "gru": (3, gru_step, gru_step_back),
    "lstm": (4, lstm_step, lstm_step_back),
}


def recurrent_arrays(spec, shape):
    H, columns = spec["units"], RECURRENT[spec["type"]][0] * spec["units"]
    params = {
        **{"input_weight": (shape[1], columns), "hidden_weight": (H, columns)},
        **{"input_bias": (columns,), "hidden_bias": (columns,)},
    }
    return ((shape[0], H) if spec.get("return_sequences") else (H,)), params, {}


def recurrent_forward(spec, params, x, mode=INFERENCE):
    steps = [*range(x.shape[1])][:: -1 if spec.get("reverse") else 1]
    real = np.ones(x.shape[:2]) if mode.real is None else mode.real
    h = c = x[:, 0, :1] * np.zeros((1, spec["units"]))
    taken, outs = [], {}
    for t in steps:
        z = x[:, t] @ params["input_weight"] + params["input_bias"]
        product = h @ params["hidden_weight"] + params["hidden_bias"]
        keep = real[:, t, None]
        h_after, c_after, kept = RECURRENT[spec["type"]][1](z, product, h, c)
        taken.append((t, keep, kept, product, h, c))
        h, c = h_after * keep + h * (1 - keep), c_after * keep + c * (1 - keep)
        outs[t] = h
    cache = {"x": x, "taken": taken}
    if not spec.get("return_sequences"):
        return h, cache
    return np.stack([outs[t] for t in sorted(outs)], axis=1), cache


def recurrent_backward(spec, params, cache, dout):
    x, taken = cache["x"], cache["taken"]
    every, sequences = spec.get("truncate", 0), spec.get("return_sequences")
    grads = {name: 0 * np.zeros(p.shape) for name, p in params.items()}
    dx, dh, dc = {}, 0 * taken[0][4], 0 * taken[0][4]
    for i, (t, keep, kept, product, h, c) in reversed([*enumerate(taken)]):
        if sequences or i == len(taken) - 1:
            dh = dh + (dout[:, t] if sequences else dout)
        back = RECURRENT[spec["type"]][2]
        dz, dproduct, dh_direct, dc_before = back(kept, product, h, c, dh, dc)
        dz, dproduct = dz * keep, dproduct * keep
        grads["input_weight"] = grads["input_weight"] + x[:, t].T @ dz
        grads["hidden_weight"] = grads["hidden_weight"] + h.T @ dproduct
        grads["input_bias"] = grads["input_bias"] + dz.sum(axis=0)
        grads["hidden_bias"] = grads["hidden_bias"] + dproduct.sum(axis=0)
        dx[t] = dz @ params["input_weight"].T
        dh = dh_direct * keep + dh * (1 - keep) + dproduct @ params["hidden_weight"].T
        dc = dc_before * keep + dc * (1 - keep)
        if every and i % every == 0:
            dh, dc = 0 * dh, 0 * dc
    return np.stack([dx[t] for t in sorted(dx)], axis=1), grads


WINDOWS = {
    "conv": (conv2d_forward, conv2d_backward, conv2d_arrays),
    "maxpool": (maxpool2d_forward, maxpool2d_backward, pool2d_arrays),
    "avgpool": (avgpool2d_forward, avgpool2d_backward, pool2d_arrays),
}

WINDOWS_IN_ONE_ROW = {
    name: (*map(_in_one_row, functions[:2]), _arrays_in_one_row(functions[2]))
    for name, functions in WINDOWS.items()
}

LAYERS = {
    "dense": (dense_forward, dense_backward, dense_arrays),
    **{f"{name}2d": functions for name, functions in WINDOWS.items()},
    **{f"{name}1d": functions for name, functions in WINDOWS_IN_ONE_ROW.items()},
    "global_avgpool1d": GLOBAL_AVGPOOL,
    "global_avgpool2d": GLOBAL_AVGPOOL,
    "global_maxpool1d": GLOBAL_MAXPOOL,
    "global_maxpool2d": GLOBAL_MAXPOOL,
    "reshape": (reshape_forward, reshape_backward, reshape_arrays),
    "flatten": (flatten_forward, flatten_backward, flatten_arrays),
    "activation": (activation_forward, activation_backward, same_arrays),
    "softmax": (softmax_forward, softmax_backward, same_arrays),
    "batchnorm": (batchnorm_forward, batchnorm_backward, batchnorm_arrays),
    "layernorm": (layernorm_forward, layernorm_backward, layernorm_arrays),
    "rmsnorm": (rmsnorm_forward, rmsnorm_backward, rmsnorm_arrays),
    "normalization": (normalization_forward, normalization_backward, normalization_arrays),
    "dropout": (dropout_forward, dropout_backward, same_arrays),
    "prelu": (prelu_forward, prelu_backward, prelu_arrays),
    "gaussian_noise": (gaussian_noise_forward, gaussian_noise_backward, same_arrays),
    "patch_embed": (patch_embed_forward, patch_embed_backward, patch_embed_arrays),
    "patch_embed1d": (patch_embed1d_forward, patch_embed1d_backward, patch_embed1d_arrays),
    "columns": (columns_forward, columns_backward, columns_arrays),
    "embedding": (embedding_forward, embedding_backward, embedding_arrays),
    "position": (position_forward, position_backward, position_arrays),
    "self_attention": (
        self_attention_forward,
        self_attention_backward,
        self_attention_arrays,
    ),
    "masking": (masking_forward, masking_backward, same_arrays),
    "mean_pool": (mean_pool_forward, mean_pool_backward, mean_pool_arrays),
    **dict.fromkeys(RECURRENT, (recurrent_forward, recurrent_backward, recurrent_arrays)),
}


# ---- nets ----


def layer_arrays(layers, shape):
    """For each layer: the shapes of its output, parameters and state."""
    result, branches = [], Branches()
    for spec in layers:
        if spec["type"] in MARKS:
            out = branches.forward(spec, shape)
            result.append((join_shape(spec, out) if spec["type"] in JOINS else out, {}, {}))
        else:
            result.append(LAYERS[spec["type"]][2](spec, shape))
        shape = result[-1][0]
    return result


def forward(layers, params, x, mode=INFERENCE):
    caches, real, branches, masks = [], None, Branches(), Branches()
    for i, (spec, layer_params) in enumerate(zip(layers, params, strict=True)):
        if spec["type"] in MARKS:
            real = mask_after(spec, masks.forward(spec, real), x.ndim - 1)
            x, cache = branches.forward(spec, x), {}
            if spec["type"] in JOINS:
                x, cache = join_forward(spec, x)
            caches.append(cache)
            continue
        layer_mode = mode._replace(key=mask_key(mode.key, i), real=real)
        real = real_tokens(spec, x, real)
        x, cache = LAYERS[spec["type"]][0](spec, layer_params, x, layer_mode)
        caches.append(cache)
    return x, caches


def backward(layers, params, caches, dout):
    """The gradients by the net's input and by its parameters."""
    grads, branches = [], Branches()
    for spec, layer_params, cache in reversed(
        list(zip(layers, params, caches, strict=True))
    ):
        if spec["type"] in MARKS:
            dout = branches.backward(spec, cache, dout)
            grads.append({})
            continue
        dout, layer_grads = LAYERS[spec["type"]][1](spec, layer_params, cache, dout)
        grads.append({name: layer_grads[name] for name in layer_params})
    return dout, grads[::-1]


def batch(layers, params, x, y, loss, mode, weights=None, smoothing=0.0, share=1.0):
    """Per-row losses, the gradient of their mean, and the caches of forward."""
    out, caches = forward(layers, params, x, mode)
    row_loss, dout = 0.0, 0.0
    # With a share below 1 the next row's target, and weight, have the rest.
    for part, first in ((share, 0), (1 - share, -1)):
        if part == 0:
            continue
        loss_of, dout_of = LOSSES[loss].rows(out, np.roll(y, first, axis=0), smoothing)
        weight = (
            part * np.ones(len(x)) if weights is None else part * np.roll(weights, first)
        )
        row_loss, dout = row_loss + weight * loss_of, dout + weight[:, None] * dout_of
    # The mean is over rows, whatever they weigh.
    _, grads = backward(layers, params, caches, dout / len(x))
    return row_loss, grads, caches


def gradients(layers, params, x, y, loss, *, seed=0, step=0, weights=None, smoothing=0.0):
    """Per-row losses, and the gradient of their mean as a list of dicts."""
    mode = training_mode(seed, step)
    return batch(layers, params, x, y, loss, mode, weights, smoothing)[:2]


# ---- optimizers: one tensor p, changed in place, and its own moments ----


def sgd(spec, p, g, moments, lr, step):
    momentum = spec.get("momentum", 0.0)
    g = g + spec.get("weight_decay", 0.0) * p
    if momentum > 0:
        velocity = moments.setdefault("velocity", np.zeros_like(p))
        velocity[...] = momentum * velocity + g
        g = g + momentum * velocity if spec.get("nesterov", False) else velocity
    p -= lr * g


def adam(spec, p, g, moments, lr, step):
    g = g + spec.get("weight_decay", 0.0) * p
    _adam_step(spec, p, g, moments, lr, step)


def adamw(spec, p, g, moments, lr, step):
    p -= lr * spec.get("weight_decay", 0.01) * p
    _adam_step(spec, p, g, moments, lr, step)


def _adam_step(spec, p, g, moments, lr, step):
    beta_1, beta_2 = spec.get("beta_1", 0.9), spec.get("beta_2", 0.999)
    m = moments.setdefault("m", np.zeros_like(p))
    v = moments.setdefault("v", np.zeros_like(p))
    m[...] = beta_1 * m + (1 - beta_1) * g
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    # step is 1 for the first.
    m_hat, v_hat = m / (1 - beta_1**step), v / (1 - beta_2**step)
    epsilon = spec.get("epsilon", 1e-8)
    if spec.get("epsilon_hat", False):
        epsilon = epsilon / np.sqrt(1 - beta_2**step)
    p -= lr * m_hat / (np.sqrt(v_hat) + epsilon)


def rmsprop(spec, p, g, moments, lr, step):
    alpha, momentum = spec.get("alpha", 0.99), spec.get("momentum", 0.0)
    g = g + spec.get("weight_decay", 0.0) * p
    v = moments.setdefault("v", np.zeros_like(p))
    v[...] = alpha * v + (1 - alpha) * g**2
    below = v
    if momentum > 0:
        moments.setdefault("velocity", np.zeros_like(p))
    if spec.get("centered", False):
        mean = moments.setdefault("mean", np.zeros_like(p))
        mean[...] = alpha * mean + (1 - alpha) * g
        below = np.maximum(v - mean**2, 0)
    change = g / (np.sqrt(below) + spec.get("epsilon", 1e-8))
    if momentum > 0:
        moments["velocity"][...] = momentum * moments["velocity"] + change
        change = moments["velocity"]
    p -= lr * change


OPTIMIZERS = {"sgd": sgd, "adam": adam, "adamw": adamw, "rmsprop": rmsprop}


def weigh(grads, factor):
    return [{name: g * factor for name, g in layer.items()} for layer in grads]


def add_up(grads, others):
    return [
        {name: g + other[name] for name, g in layer.items()}
        for layer, other in zip(grads, others, strict=True)
    ]


def penalise(params, grads, l2, rows):
    """Gradients with that of l2 / 2 * sum w^2 of a batch, and the penalty; no vectors."""
    penalty, changed = 0.0, []
    for layer, layer_grads in zip(params, grads, strict=True):
        matrices = {name: w for name, w in layer.items() if w.ndim > 1}
        penalty += l2 / 2 * sum((w**2).sum() for w in matrices.values())
        more = {name: layer_grads[name] + l2 / rows * w for name, w in matrices.items()}
        changed.append({**layer_grads, **more})
    return changed, penalty


def move_average(average, params, decay, step):
    """Towards the parameters; more at first. `step` is 1 for the first."""
    rest = 1 - min(decay, (1 + step) / (10 + step))
    for layer, layer_params in zip(average, params, strict=True):
        for name, value in layer.items():
            value += rest * (layer_params[name] - value)


class Optimizer:
    """A spec and the moments of every tensor, in dicts like the parameters'."""

    def __init__(self, spec, params):
        self.spec = {"type": spec} if isinstance(spec, str) else spec
        self.moments = [{name: {} for name in layer} for layer in params]

    def update(self, params, grads, lr, step):
        for layer, layer_grads, layer_moments in zip(
            params, grads, self.moments, strict=True
        ):
            for name, p in layer.items():
                one = OPTIMIZERS[self.spec["type"]]
                one(self.spec, p, layer_grads[name], layer_moments[name], lr, step)

    def flat(self):
        """Moments as the core keeps them: all first ones, then all second ones."""
        tensors = [moments for layer in self.moments for moments in layer.values()]
        kinds = list(tensors[0])
        return np.concatenate([t[kind].ravel() for kind in kinds for t in tensors])


def clip_by_norm(grads, limit):
    """Gradients scaled so that the norm over all of them is at most limit."""
    norm = np.sqrt(sum((g**2).sum() for layer in grads for g in layer.values()))
    if norm <= limit:
        return grads
    return [{name: g * (limit / norm) for name, g in layer.items()} for layer in grads]


def update(
    params, grads, optimizer, lr, step, rows, *, share_of_row=1.0, clip_norm=0.0, l2=0.0
):
    """One step from the gradients of a batch, in place; return the penalty in its loss."""
    grads = weigh(grads, share_of_row)
    grads, penalty = penalise(params, grads, l2, rows / share_of_row)
    if clip_norm > 0:
        grads = clip_by_norm(grads, clip_norm)
    optimizer.update(params, grads, lr, step)
    return penalty


def train_epoch(
    layers,
    params,
    x,
    y,
    order,
    batch_size,
    lr,
    loss,
    optimizer=None,
    step=0,
    *,
    seed=0,
    weights=None,
    smoothing=0.0,
    clip_norm=0.0,
    l2=0.0,
    distort=None,
    share_of=None,
    average=None,
    average_decay=0.0,
    weighted_mean=False,
    accumulate=1,
):
    """Train in place; return the loss summed over rows, as the core reports it.

    `optimizer` is an Optimizer, plain SGD when left out; `step` the number of batches
    before this epoch. `distort` takes a batch and its step's key, `share_of` the key;
    `average` is moved too. An update has the mean gradient of `accumulate` batches' rows.
    """
    total = 0.0
    optimizer = Optimizer("sgd", params) if optimizer is None else optimizer
    for begin in range(0, len(order), batch_size * accumulate):
        rows = order[begin : begin + batch_size * accumulate]
        row_weights = None if weights is None else weights[rows]
        grads = weigh(params, 0)
        losses = 0.0
        for part in range(0, len(rows), batch_size):
            mode = training_mode(seed, step * accumulate + part // batch_size)
            these = rows[part : part + batch_size]
            inputs = x[these] if distort is None else distort(x[these], mode.key)
            share = 1.0 if share_of is None else share_of(mode.key)
            inputs = share * inputs + (1 - share) * np.roll(inputs, -1, axis=0)
            its_weights = None if weights is None else weights[these]
            row_loss, more, caches = batch(
                layers, params, inputs, y[these], loss, mode, its_weights, smoothing, share
            )
            losses += row_loss.sum()
            grads = add_up(grads, weigh(more, len(these) / len(rows)))
            for layer_params, cache in zip(params, caches, strict=True):
                if "state" in cache:
                    layer_params.state = cache["state"]
        # What a row counts in the mean, which `batch` takes over rows.
        share_of_row = len(rows) / row_weights.sum() if weighted_mean else 1.0
        step += 1
        penalty = update(
            params,
            grads,
            optimizer,
            lr,
            step,
            len(rows),
            share_of_row=share_of_row,
            clip_norm=clip_norm,
            l2=l2,
        )
        total += (losses + penalty) * share_of_row
        if average is not None:
            move_average(average, params, average_decay, step)
    return total


def sgd_epoch(layers, params, x, y, order, batch_size, lr, loss, step=0):
    return train_epoch(layers, params, x, y, order, batch_size, lr, loss, step=step)


def flatten(params):
    """All arrays in storage order; works for gradients too."""
    arrays = [value.ravel() for layer in params for value in layer.values()]
    return np.concatenate([np.zeros(0), *arrays])


def flatten_all(params):
    """As the core keeps its weights: parameters, then state."""
    states = [value.ravel() for layer in params for value in layer.state.values()]
    return np.concatenate([flatten(params), *states])


def unflatten(flat, like):
    params, begin = [], 0
    for layer_params in like:
        views = Params(state=getattr(layer_params, "state", {}))
        for name, value in layer_params.items():
            views[name] = flat[begin : begin + value.size].reshape(value.shape).copy()
            begin += value.size
        params.append(views)
    return params


# ---- the generator ----


class Xorshift:
    """Straight from the definition, on Python's integers."""

    def __init__(self, seed):
        self.state = seed or GOLDEN

    def next(self):
        x = self.state
        x ^= (x << 13) & MASK64
        x ^= x >> 7
        x ^= (x << 17) & MASK64
        self.state = x
        return x >> 32

    def uniform(self, low, high, n):
        low, high = np.float32(low), np.float32(high)
        draws = np.array([self.next() for _ in range(n)], dtype=np.float32)
        return low + (high - low) * (draws / np.float32(2**32))

    def shuffle(self, order):
        for i in range(len(order) - 1, 0, -1):
            j = self.next() % (i + 1)
            order[i], order[j] = order[j], order[i]
