"""Float64 twins of the core, in plain NumPy: slow, readable, and checked by themselves
against central differences (test_reference.py). They are oracles, never the subject.

A net is a list of layer dicts, parameters a list with a dict for each layer.
"""

import math

import numpy as np


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _gelu_inner(z):
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def _gelu_slope(z, _):
    t = np.tanh(_gelu_inner(z))
    inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * inner_slope


ACTIVATIONS = {
    "linear": (lambda z, a: z, lambda z, a: np.ones_like(z)),
    "relu": (lambda z, a: np.maximum(z, 0), lambda z, a: (z > 0) * 1.0),
    "leaky_relu": (
        lambda z, a: np.where(z > 0, z, a * z),
        lambda z, a: np.where(z > 0, 1.0, a),
    ),
    "elu": (
        lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0))),
        lambda z, a: np.where(z > 0, 1.0, a * np.exp(np.minimum(z, 0))),
    ),
    "sigmoid": (lambda z, a: _sigmoid(z), lambda z, a: _sigmoid(z) * (1 - _sigmoid(z))),
    "tanh": (lambda z, a: np.tanh(z), lambda z, a: 1 - np.tanh(z) ** 2),
    "silu": (
        lambda z, a: z * _sigmoid(z),
        lambda z, a: _sigmoid(z) * (1 + z * (1 - _sigmoid(z))),
    ),
    "gelu": (lambda z, a: 0.5 * z * (1 + np.tanh(_gelu_inner(z))), _gelu_slope),
}
DEFAULT_ALPHA = {"leaky_relu": 0.01, "elu": 1.0}


# ---- layers: forward(spec, params, x) -> out, cache; backward(...) -> dx, dparams ----


def dense_forward(spec, params, x):
    z = x @ params["weight"] + params["bias"]
    return ACTIVATIONS[_activation(spec)][0](z, _alpha(spec)), (x, z)


def dense_backward(spec, params, cache, dout):
    x, z = cache
    dz = dout * ACTIVATIONS[_activation(spec)][1](z, _alpha(spec))
    return dz @ params["weight"].T, {"weight": x.T @ dz, "bias": dz.sum(axis=0)}


def _activation(spec):
    return spec.get("activation", "linear")


def _alpha(spec):
    alpha = spec.get("alpha")
    return DEFAULT_ALPHA.get(_activation(spec), 0.0) if alpha is None else alpha


LAYERS = {"dense": (dense_forward, dense_backward)}


# ---- losses: per-row loss, and the gradient of the sum that training follows ----


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_cross_entropy(z, labels):
    rows = np.arange(len(z))
    shifted = z - z.max(axis=1, keepdims=True)
    loss = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]
    gradient = softmax(z)
    gradient[rows, labels] -= 1
    return loss, gradient


def squared_error(y, targets):
    """The loss is reported whole and differentiated as one half of it."""
    return ((y - targets) ** 2).sum(axis=1), y - targets


LOSSES = {"softmax_cross_entropy": softmax_cross_entropy, "squared_error": squared_error}


# ---- nets ----


def forward(layers, params, x):
    caches = []
    for spec, layer_params in zip(layers, params, strict=True):
        x, cache = LAYERS[spec["type"]][0](spec, layer_params, x)
        caches.append(cache)
    return x, caches


def gradients(layers, params, x, y, loss):
    """Per-row losses, and the gradient of their mean as a list of dicts."""
    out, caches = forward(layers, params, x)
    row_loss, dout = LOSSES[loss](out, y)
    dout = dout / len(x)
    grads = []
    for spec, layer_params, cache in reversed(
        list(zip(layers, params, caches, strict=True))
    ):
        dout, layer_grads = LAYERS[spec["type"]][1](spec, layer_params, cache, dout)
        grads.append(layer_grads)
    return row_loss, grads[::-1]


def sgd_epoch(layers, params, x, y, order, batch_size, lr, loss):
    """Train in place; return the loss summed over rows, as the core reports it."""
    total = 0.0
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        row_loss, grads = gradients(layers, params, x[rows], y[rows], loss)
        total += row_loss.sum()
        for layer_params, layer_grads in zip(params, grads, strict=True):
            for name in layer_params:
                layer_params[name] -= lr * layer_grads[name]
    return total


def flatten(params):
    return np.concatenate([p[name].ravel() for p in params for name in p])


def unflatten(flat, like):
    params, begin = [], 0
    for layer_params in like:
        views = {}
        for name, value in layer_params.items():
            views[name] = flat[begin : begin + value.size].reshape(value.shape).copy()
            begin += value.size
        params.append(views)
    return params


# ---- the generator ----


class Xorshift:
    """Straight from the definition, on Python's integers."""

    def __init__(self, seed):
        self.state = seed or 0x9E3779B97F4A7C15

    def next(self):
        mask = 2**64 - 1
        x = self.state
        x ^= (x << 13) & mask
        x ^= x >> 7
        x ^= (x << 17) & mask
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
