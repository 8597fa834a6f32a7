"""A workload's layers as a function of JAX parameters."""

import jax
import jax.numpy as jnp
import numpy as np

ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "linear": lambda x: x}


def dense(spec, params, x):
    return x @ params["weight"] + params["bias"]


def conv(spec, params, x):
    pad = spec["padding"]
    out = jax.lax.conv_general_dilated(
        x, params["weight"], (spec["stride"],) * 2, [(pad, pad)] * 2
    )
    return out + params["bias"][:, None, None]


def shifted(x, spec, axes):
    """Return padded x as the window's offsets see it, one array for each."""
    size, pad = spec["kernel_size"], spec["padding"]
    widths = [(pad, pad) if axis in axes else (0, 0) for axis in range(4)]
    x = jnp.pad(x, widths)
    h, w = (x.shape[axis] - size + 1 for axis in axes)
    corners = [(i, j) for i in range(size) for j in range(size)]
    return [
        x[:, i : i + h, j : j + w] if axes == (1, 2) else x[:, :, i : i + h, j : j + w]
        for i, j in corners
    ]


def conv_as_product(spec, params, x):
    """As `conv`, for stride 1: one product with the windows laid out as columns."""
    columns = jnp.concatenate(shifted(x, spec, (2, 3)), 1)
    weight = params["weight"].transpose(0, 2, 3, 1).reshape(spec["filters"], -1)
    return jnp.einsum("bkhw,ok->bohw", columns, weight) + params["bias"][:, None, None]


def conv_as_product_last(spec, params, x):
    """As `conv_as_product`, with the channels as the last axis."""
    columns = jnp.concatenate(shifted(x, spec, (1, 2)), 3)
    weight = params["weight"].transpose(2, 3, 1, 0).reshape(-1, spec["filters"])
    return columns @ weight + params["bias"]


def first_greatest(parts):
    """Return the maximum; its gradient goes to the first of equals."""
    best, *others = parts
    for part in others:
        best = jnp.where(best >= part, best, part)
    return best


def max_pool(spec, params, x):
    """By strided slices: several times as fast as reduce_window and its gradient."""
    n = spec["kernel_size"]
    return first_greatest([x[:, :, i::n, j::n] for i in range(n) for j in range(n)])


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
    q, k, v = jnp.split(x @ params["weight"] + params["bias"], 3, axis=-1)
    scores = jnp.einsum("bqd,bkd->bqk", q, k) * q.shape[-1] ** -0.5
    return jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(scores), v)


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


LAYERS = {
    "dense": dense,
    "conv2d": conv,
    "maxpool2d": max_pool,
    "flatten": flatten,
    "patch_embed": patch_embed,
    "position": position,
    "self_attention": self_attention,
    "tied_attention": tied_attention,
    "mean_pool": mean_pool,
    "activation": activation,
}
AS_PRODUCT = {**LAYERS, "conv2d": conv_as_product}
AS_PRODUCT_LAST = {
    **LAYERS,
    "conv2d": conv_as_product_last,
    "maxpool2d": max_pool_last,
    "flatten": flatten_last,
}


def as_jax(spec, params):
    """Return a layer's parameters; attention's three projections as one product."""
    if spec["type"] == "self_attention":
        params = {
            kind: np.concatenate([params[f"{which}_{kind}"] for which in "qkv"], -1)
            for kind in ("weight", "bias")
        }
    return {key: jnp.asarray(value) for key, value in params.items()}


def build(layers, functions):
    """Return `forward(params, x)` of (spec, params) layers, and the parameters."""
    specs = [spec for spec, _ in layers]

    def forward(params, x):
        for spec, p in zip(specs, params, strict=True):
            x = functions[spec["type"]](spec, p, x)
            name = spec.get("activation", spec.get("function", "linear"))
            x = ACTIVATIONS[name](x)
        return x

    return forward, [as_jax(spec, params) for spec, params in layers]
