"""A workload's layers as a function of JAX parameters.

Batch normalization leaves its running statistics alone, which no loss of training shows.
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.01),
    "elu": jax.nn.elu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "hardswish": jax.nn.hard_swish,
    "gelu": partial(jax.nn.gelu, approximate=True),
    "gelu_exact": partial(jax.nn.gelu, approximate=False),
    "linear": lambda x: x,
}


def dense(spec, params, x):
    return x @ params["weight"] + params["bias"]


def window_of(spec, x):
    """Return a window's size, stride, dilation and padding, for each axis behind channels."""
    axes = x.ndim - 2
    window = spec["window"]
    top, bottom, left, right = window["padding"]
    padding = [(top, bottom), (left, right)][-axes:]
    size, stride, dilation = (
        tuple(window[key][-axes:]) for key in ("kernel", "stride", "dilation")
    )
    return size, stride, dilation, padding


def conv(spec, params, x):
    _, stride, dilation, padding = window_of(spec, x)
    out = jax.lax.conv_general_dilated(
        *(x, params["weight"], stride, padding),
        rhs_dilation=dilation,
        feature_group_count=spec["window"]["groups"],
    )
    return out + params["bias"].reshape(-1, *[1] * (x.ndim - 2))


def shifted(spec, x, first):
    """Return padded x as the window's places see it, one array for each.

    `first` is the first of the axes that the window slides along.
    """
    size, stride, dilation, padding = window_of(spec, x)
    axes = len(size)
    behind = x.ndim - first - axes
    x = jnp.pad(x, [(0, 0)] * first + padding + [(0, 0)] * behind)
    spans = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
    extents = x.shape[first : first + axes]
    parts = []
    for place in itertools.product(*map(range, size)):
        at = [slice(None)] * first
        for i, d, span, s, e in zip(place, dilation, spans, stride, extents, strict=True):
            at.append(slice(i * d, i * d + e - span, s))
        parts.append(x[tuple(at)])
    return parts


def refuse_groups(spec):
    if spec["window"]["groups"] > 1:
        raise NotImplementedError("a convolution in groups as a product")


def conv_as_product(spec, params, x):
    """As `conv`: one product with the windows laid out as columns."""
    refuse_groups(spec)
    columns = jnp.concatenate(shifted(spec, x, 2), 1)
    weight = jnp.moveaxis(params["weight"], 1, -1).reshape(spec["filters"], -1)
    bias = params["bias"].reshape(-1, *[1] * (x.ndim - 2))
    return jnp.einsum("bk...,ok->bo...", columns, weight) + bias


def conv_as_product_last(spec, params, x):
    """As `conv_as_product` of images, with the channels as the last axis."""
    refuse_groups(spec)
    columns = jnp.concatenate(shifted(spec, x, 1), 3)
    weight = params["weight"].transpose(2, 3, 1, 0).reshape(-1, spec["filters"])
    return columns @ weight + params["bias"]


def first_greatest(parts):
    """Return the maximum; its gradient goes to the first of equals."""
    best, *others = parts
    for part in others:
        best = jnp.where(best >= part, best, part)
    return best


def tiles(spec, x):
    """Return the windows' parts, one array for each place, where windows are side by side.

    By strided slices: several times as fast as reduce_window and its gradient.
    """
    size, stride, _, padding = window_of(spec, x)
    if size != stride or any(map(any, padding)):
        return None
    if x.ndim == 3:
        (n,), length = size, x.shape[2] // size[0] * size[0]
        return [x[:, :, i:length:n] for i in range(n)]
    (n, m), (h, w) = size, (e // k * k for e, k in zip(x.shape[2:], size, strict=True))
    return [x[:, :, i:h:n, j:w:m] for i in range(n) for j in range(m)]


def reduced(spec, x, first, function):
    size, stride, _, padding = window_of(spec, x)
    whole = [(0, 0), (0, 0), *padding]
    return jax.lax.reduce_window(x, first, function, (1, 1, *size), (1, 1, *stride), whole)


def max_pool(spec, params, x):
    parts = tiles(spec, x)
    if parts is None:
        return reduced(spec, x, -jnp.inf, jax.lax.max)
    return first_greatest(parts)


def avg_pool(spec, params, x):
    parts = tiles(spec, x)
    if parts is None:
        count = np.prod(window_of(spec, x)[0])
        return reduced(spec, x, 0.0, jax.lax.add) / np.float32(count)
    return sum(parts[1:], parts[0]) / len(parts)


def global_avg_pool(spec, params, x):
    return x.mean(tuple(range(2, x.ndim)))


def global_max_pool(spec, params, x):
    return x.max(tuple(range(2, x.ndim)))


def standardized(x, axes, epsilon):
    mean = x.mean(axes, keepdims=True)
    variance = jnp.square(x - mean).mean(axes, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + epsilon)


def batchnorm(spec, params, x):
    axes = (0, *range(2, x.ndim))
    shape = (-1, *[1] * (x.ndim - 2))
    x = standardized(x, axes, spec.get("epsilon", 1e-5))
    return x * params["weight"].reshape(shape) + params["bias"].reshape(shape)


def layernorm(spec, params, x):
    return (
        standardized(x, -1, spec.get("epsilon", 1e-5)) * params["weight"] + params["bias"]
    )


def rmsnorm(spec, params, x):
    square = jnp.square(x).mean(-1, keepdims=True)
    return x * jax.lax.rsqrt(square + spec.get("epsilon", 1e-5)) * params["weight"]


def max_pool_last(spec, params, x):
    n = spec["kernel_size"]
    return first_greatest([x[:, i::n, j::n] for i in range(n) for j in range(n)])


def flatten(spec, params, x):
    return x.reshape(len(x), -1)


def flatten_last(spec, params, x):
    return flatten(spec, params, x.transpose(0, 3, 1, 2))


def patch_embed(spec, params, x):
    b, c, h, w = x.shape
    n = spec["patch_size"]
    grid = x.reshape(b, c, h // n, n, w // n, n).transpose(0, 2, 4, 1, 3, 5)
    return dense(spec, params, grid.reshape(b, -1, c * n * n))


def position(spec, params, x):
    return x + params["table"]


def self_attention(spec, params, x):
    rows, tokens, _ = x.shape
    heads = spec.get("heads", 1)
    split = (x @ params["weight"] + params["bias"]).reshape(rows, tokens, 3, heads, -1)
    q, k, v = split.transpose(2, 0, 3, 1, 4)
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * q.shape[-1] ** -0.5
    if spec.get("causal"):
        scores = jnp.where(jnp.tri(tokens, dtype=bool), scores, -jnp.inf)
    context = jnp.einsum("bhqk,bhkd->bqhd", jax.nn.softmax(scores), v)
    context = context.reshape(x.shape)
    if not spec.get("out_proj"):
        return context
    return context @ params["out_weight"] + params["out_bias"]


def tied_attention(spec, params, x):
    """Return what attention and the dense layer above give, keys and values being x.

    Softmax does not see what is added to all scores of a query, and weights add up to 1.
    """
    p = params
    queries = x @ (p["q_weight"] @ p["k_weight"].T) + p["q_bias"] @ p["k_weight"].T
    scores = jnp.einsum("bqd,bkd->bqk", queries, x) * x.shape[-1] ** -0.5
    mixed = jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(scores), x)
    bias = p["v_bias"] @ p["weight"] + p["bias"]
    return mixed @ (p["v_weight"] @ p["weight"]) + bias


def mean_pool(spec, params, x):
    return x.mean(1)


def activation(spec, params, x):
    return x


def dropout(spec, key, x):
    kept = jax.random.bernoulli(key, 1 - spec["rate"], x.shape)
    return jnp.where(kept, x / (1 - spec["rate"]), 0)


LAYERS = {
    "dense": dense,
    "conv1d": conv,
    "conv2d": conv,
    "maxpool1d": max_pool,
    "maxpool2d": max_pool,
    "avgpool1d": avg_pool,
    "avgpool2d": avg_pool,
    "global_avgpool1d": global_avg_pool,
    "global_avgpool2d": global_avg_pool,
    "global_maxpool2d": global_max_pool,
    "batchnorm": batchnorm,
    "layernorm": layernorm,
    "rmsnorm": rmsnorm,
    "flatten": flatten,
    "patch_embed": patch_embed,
    "position": position,
    "self_attention": self_attention,
    "tied_attention": tied_attention,
    "mean_pool": mean_pool,
    "activation": activation,
}
AS_PRODUCT = {**LAYERS, "conv1d": conv_as_product, "conv2d": conv_as_product}
AS_PRODUCT_LAST = {
    **LAYERS,
    "conv2d": conv_as_product_last,
    "maxpool2d": max_pool_last,
    "flatten": flatten_last,
}


def as_jax(spec, params):
    """Return a layer's parameters; attention's three projections as one product."""
    if spec["type"] == "self_attention":
        joined = {
            kind: np.concatenate([params[f"{which}_{kind}"] for which in "qkv"], -1)
            for kind in ("weight", "bias")
        }
        out = {key: value for key, value in params.items() if key.startswith("out")}
        params = joined | out
    return {key: jnp.asarray(value) for key, value in params.items()}


def build(layers, functions):
    """Return `forward(params, x, key)` of (spec, params) layers, and the parameters.

    Blocks lie between their marks. Without a key nothing is dropped.
    """
    specs = [spec for spec, _ in layers]

    def forward(params, x, key=None):
        forks = []  # of each open one what it was given, and what its branches gave
        for i, (spec, p) in enumerate(zip(specs, params, strict=True)):
            kind = spec["type"]
            if kind == "fork":
                forks.append((x, []))
            elif kind == "branch":
                forks[-1][1].append(x)
                x = forks[-1][0]
            elif kind in ("add", "concat"):
                given = [*forks.pop()[1], x]
                x = sum(given[1:], given[0]) if kind == "add" else jnp.concatenate(given, 1)
            elif kind == "dropout":
                x = x if key is None else dropout(spec, jax.random.fold_in(key, i), x)
            else:
                x = functions[kind](spec, p, x)
            name = spec.get("activation", spec.get("function", "linear"))
            x = ACTIVATIONS[name](x)
        return x

    return forward, [as_jax(spec, params) for spec, params in layers]
