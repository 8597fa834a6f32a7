"""What a random net is: layers, data, and how it is trained, as a hypothesis strategy.

Half of the nets are patterns that the core fuses, and their neighbors that it must not.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import twins
from branch_twins import concat, flat, residual
from cases import (
    POISSON,
    SIGMOID,
    SOFTMAX,
    SQUARES,
    activation,
    avgpool1d,
    avgpool2d,
    batchnorm,
    columns,
    conv1d,
    conv2d,
    dense,
    dropout,
    embedding,
    flatten,
    gaussian_noise,
    global_avgpool1d,
    global_avgpool2d,
    global_maxpool1d,
    global_maxpool2d,
    gru,
    index_rows,
    layer_arrays,
    layernorm,
    lstm,
    masking,
    maxpool1d,
    maxpool2d,
    mean_pool,
    normalization,
    pad_tokens,
    patch_embed,
    patch_embed1d,
    position,
    prelu,
    reshape,
    rmsnorm,
    self_attention,
    simple_rnn,
    softmax,
)
from loss_twins import LOSSES

# Numbers in all of a row's layers, times rows: what keeps a check in milliseconds.
MOST_WORK = 60_000

ACTIVATIONS = sorted(twins.ACTIVATIONS)


@dataclass(frozen=True)
class RandomNet:
    """Everything that the outcome depends on; `arrays` makes the numbers from `seed`."""

    layers: list[dict[str, Any]]
    input_shape: tuple[int, ...]
    loss: str
    rows: int = 1
    batch_size: int = 1
    last_batch: int = 1
    inputs: str = "uniform"
    is_positive: bool = False
    as_bytes: bool = False
    params: str = "uniform"
    seed: int = 0
    optimizer: dict[str, Any] = field(default_factory=lambda: {"type": "sgd"})
    lr: float = 0.5
    rate_of_each_step: bool = False
    row_weights: str = "none"
    smoothing: float = 0.0
    clip_norm: float = 0.0
    l2: float = 0.0
    average_decay: float = 0.0
    weighted_mean: bool = False
    accumulate: int = 1


# ---- layers ----


class _Draw:
    """Shorthand for draws; the first of some options is what shrinking ends at."""

    def __init__(self, draw):
        self._draw = draw

    def whole(self, low, high):
        return self._draw(st.integers(low, high))

    def one(self, *options):
        return self._draw(st.sampled_from(options))

    def often(self):
        return self._draw(st.sampled_from([False, True, True, True]))

    def seldom(self):
        return self._draw(st.sampled_from([False, False, False, True]))


def _activated(d, layer, *first):
    """With an activation; `first` are those to prefer."""
    name = d.one(*first, *ACTIVATIONS)
    layer = {**layer, "activation": name}
    if name in twins.DEFAULT_ALPHA and d.seldom():
        layer["alpha"] = d.one(0.3, 0.0, 1.7)
    return layer


def _activation_layer(d):
    layer = _activated(d, {}, "relu")
    function = layer.pop("activation")
    return activation(function, **layer)


def _extent(shape, layers):
    """What one layer, or a list of them, makes of a shape."""
    layers = layers if isinstance(layers, list) else [layers]
    return twins.layer_arrays(layers, shape)[-1][0]


def _said(values):
    """A number for each axis, or one that stands for all."""
    return values[0] if len({*values}) == 1 else tuple(values)


def _each(d, axes, *options):
    """A number for each axis, mostly the same."""
    one = d.one(*options)
    return [d.one(*options) for _ in range(axes)] if d.seldom() else [one] * axes


def _padding(d, lacking):
    """Padding in some form; `lacking` is how much each axis needs at least."""
    kind = d.one("number", "number", "number", "same", "sides", "pair")
    if kind == "same":
        return "same"
    if kind == "number":
        return d.whole(0, 2) + max(math.ceil(n / 2) for n in lacking)
    if kind == "pair":
        each = [d.whole(0, 2) + math.ceil(n / 2) for n in lacking]
        return tuple(each) if len(each) == 2 else _said(each)
    sides = [(d.whole(0, 2), d.whole(0, 2) + n) for n in lacking]
    return tuple(side for axis in sides for side in axis)


def _convolution(d, shape):
    channels, *extents = shape
    axes = len(extents)
    kernel = _each(d, axes, 3, 1, 2, 3, 5)
    more = {}
    dilation = _each(d, axes, 2, 1, 3) if d.seldom() else [1] * axes
    if dilation != [1] * axes:
        more["dilation"] = _said(dilation)
    reach = [(k - 1) * gap + 1 for k, gap in zip(kernel, dilation, strict=True)]
    lacking = [max(0, r - n) for r, n in zip(reach, extents, strict=True)]
    groups = d.one(*_divisors(channels)) if d.seldom() else 1
    most = 40 if d.seldom() else 9  # many fill vectors
    filters = d.whole(1, most)
    if groups > 1:
        more["groups"] = groups
        filters = groups * d.whole(1, max(1, most // groups))
    stride = _each(d, axes, 1, 1, 1, 2, 3)
    layer = (conv1d if axes == 1 else conv2d)(
        filters, _said(kernel), stride=_said(stride), padding=_padding(d, lacking), **more
    )
    return _activated(d, layer, "linear", "relu", "relu")


def _pool(d, shape):
    extents = shape[1:]
    axes = len(extents)
    kernel = [
        min(k, n) for k, n in zip(_each(d, axes, 2, 2, 3, 1, 4), extents, strict=True)
    ]
    of_signals, of_images = (maxpool1d, avgpool1d), (maxpool2d, avgpool2d)
    greatest, mean = of_signals if axes == 1 else of_images
    layer = d.one(greatest, greatest, mean)(_said(kernel))
    if d.seldom():
        layer["stride"] = _said(_each(d, axes, 1, 2, 3))
    if d.seldom():
        layer["padding"] = d.whole(0, min(kernel) // 2)
    elif d.seldom():
        sides = [(d.whole(0, k // 2), d.whole(0, k // 2)) for k in kernel]
        layer["padding"] = d.one("same", tuple(side for axis in sides for side in axis))
    return layer


def _any_shape(d, shape):
    norms = ("layernorm", "rmsnorm", "batchnorm", "normalization")
    kind = d.one("activation", "dropout", "softmax", *norms, "prelu", "noise")
    if kind == "activation":
        return _activation_layer(d)
    if kind == "dropout":
        return dropout(d.one(0.5, 0.1, 0.0, 0.9))
    if kind == "softmax":
        return softmax()
    if kind == "prelu":
        return prelu(per_channel=d.one(False, True))
    if kind == "noise":
        return gaussian_noise(d.one(0.1, 0.0, 1.0))
    if kind == "normalization":
        return normalization(**({"axis": d.one(0, -1)} if d.seldom() else {}))
    options = {"epsilon": d.one(1e-5, 1e-2)} if d.seldom() else {}
    if kind == "batchnorm":
        if d.seldom():
            options["momentum"] = d.one(0.5, 0.0, 1.0)
        return batchnorm(**options)
    return (layernorm if kind == "layernorm" else rmsnorm)(**options)


def _divisors(n):
    return [i for i in range(1, n + 1) if n % i == 0]


def _attention(d, width):
    return self_attention(
        d.one(*_divisors(width)),
        out_proj=d.seldom(),
        residual=d.seldom(),
        causal=d.seldom(),
    )


def _recurrent(d):
    options = {name: True for name in ("return_sequences", "reverse") if d.one(True, False)}
    if d.seldom():
        options["truncate"] = d.whole(1, 4)
    return d.one(gru, lstm, simple_rnn)(d.one(3, 1, 2, 5, 17), **options)


def _reshape(d, shape):
    """Two of the extents put together, or one cut into two."""
    shape = list(shape)
    at = d.whole(0, len(shape) - 1)
    if len(shape) > 1 and d.often():
        at = min(at, len(shape) - 2)
        shape[at : at + 2] = [shape[at] * shape[at + 1]]
    elif len(shape) < 4:
        part = d.one(*_divisors(shape[at]))
        shape[at : at + 1] = [part, shape[at] // part]
    if d.seldom():
        shape[at] = -1
    return reshape(shape)


def _position(d):
    init = d.one("sinusoidal", "small_random", "larger_random", "zero", "xavier")
    return position(init, trainable=d.often())


def _patches(d, shape):
    both = math.gcd(shape[-1], shape[-2])
    return patch_embed(d.one(*_divisors(both)[:3]), d.whole(1, 12))


def _along_a_signal(d, shape):
    kind = d.one("conv", "pool", "conv", "pool", "patches")
    if kind == "patches":
        return patch_embed1d(d.one(*_divisors(shape[1])[:3]), d.whole(1, 12))
    return (_convolution if kind == "conv" else _pool)(d, shape)


def _columns(d, shape):
    count = d.whole(1, shape[-1])
    return columns(d.whole(0, shape[-1] - count), count)


def _next_layer(d, shape):
    if d.one(False, True, False):
        if d.one(*[False] * 6, True):
            return _columns(d, shape)
        if d.one(*[False] * 6, True):
            return _reshape(d, shape)
        return _any_shape(d, shape)
    if len(shape) == 1:
        return _activated(d, dense(d.one(3, 1, 2, 7, 16, 17, 33)), "linear", "relu")
    if len(shape) == 2:
        if d.seldom():
            return _along_a_signal(d, shape)
        kind = d.one("dense", "attention", "position", "recurrent", "patches")
        if kind == "recurrent":
            return _recurrent(d)
        if kind == "dense":
            return _activated(d, dense(d.whole(1, 12)), "linear", "relu")
        if kind == "position":
            return _position(d)
        return _attention(d, shape[1]) if kind == "attention" else _patches(d, shape)
    if len(shape) == 3:
        kind = d.one("conv", "pool", "conv", "pool", "patches")
        if kind == "conv":
            return _convolution(d, shape)
        return _pool(d, shape) if kind == "pool" else _patches(d, shape)
    return flatten()


def _input_shape(d):
    rank = d.one(1, 3, 2, 3, 4)
    if rank == 1:
        return (d.one(4, 1, 2, 7, 17, 33, 65, 130),)
    if rank == 2:
        return (d.whole(1, 9), d.whole(1, 12))
    if rank == 3:
        return (d.one(1, 1, 2, 3, 4, 5), d.whole(1, 14), d.whole(1, 14))
    return tuple(d.whole(1, 3) for _ in range(4))


def _free(d):
    """Any layers, one on the other."""
    shape = _input_shape(d)
    layers, at = [], shape
    for _ in range(d.whole(0, 5)):
        more = _block(d, at) if d.one(False, False, True) else [_next_layer(d, at)]
        layers += more
        at = _extent(at, more)
    return layers, shape


# ---- blocks ----


def _of_width(d, shape, width):
    """A layer that changes channels, values of tokens or numbers of a row, nothing else."""
    if len(shape) == 3:
        kernel = d.one(3, 1, 5)
        return _activated(d, conv2d(width, kernel, padding=kernel // 2), "linear", "relu")
    return _activated(d, dense(width), "linear", "relu")


def _width(shape):
    return shape[0] if len(shape) == 3 else shape[-1]


def _branch(d, shape, width, depth):
    """Layers that give this width, of which there may be 0; rarely a block among them."""
    layers, at = [], shape
    for _ in range(d.whole(0, 2)):
        if depth < 2 and d.seldom():
            more = _block(d, at, depth + 1)
        elif len(at) == 2 and d.seldom():
            more = [_attention(d, at[1])]
        elif d.one(True, False):
            more = [_any_shape(d, at)]
        else:
            more = [_of_width(d, at, d.whole(1, 8))]
        layers += more
        at = _extent(at, more)
    if width is not None and _width(at) != width:
        layers += [_of_width(d, at, width)]
    return layers


def _block(d, shape, depth=0):
    """Branches whose outputs are added, or one behind the other."""
    if len(shape) > 3:
        return residual(_any_shape(d, shape), _any_shape(d, shape))
    if d.one(True, True, False):
        width = d.one(_width(shape), _width(shape), d.whole(1, 8))
        skip = [] if width == _width(shape) else [_of_width(d, shape, width)]
        return residual(_branch(d, shape, width, depth), skip=skip)
    return concat(*(_branch(d, shape, None, depth) for _ in range(d.whole(2, 3))))


def _blocks(d):
    """Blocks, one on the other, over the inputs or over a layer."""
    shape = _input_shape(d)
    layers = [] if d.seldom() or len(shape) > 3 else [_of_width(d, shape, d.whole(1, 6))]
    for _ in range(d.whole(1, 2)):
        layers += _block(d, _extent(shape, layers) if layers else shape)
    return layers, shape


def _added_attention(d):
    """Attention alone in a block, which is attention with residual."""
    patch, width = d.one(2, 1), d.one(4, 6)
    shape = (d.one(1, 2), patch * d.whole(1, 4), patch * d.whole(1, 4))
    layers = [patch_embed(patch, width), _position(d)]
    layers += [residual(_attention(d, width), *([dropout(0.5)] if d.seldom() else []))]
    return flat(layers), shape


# ---- patterns that are fused; each option but the first few parts from the pattern ----


def _window_blocks(d):
    """One channel, eight filters, a 2 x 2 max pool and a small dense layer above."""
    kernel = d.one(3, 3, 2, 5, 1)
    shape = (1, d.whole(kernel + 1, 14), d.whole(kernel + 1, 16))
    conv = conv2d(8, kernel, padding=d.whole(0, kernel // 2))
    conv["activation"] = d.one("relu", "relu", "relu", "linear")
    layers = [conv, maxpool2d(), flatten(), dense(d.one(3, 1, 8, 10, 15, 16))]
    if d.seldom():
        layers += [_next_layer(d, (layers[-1]["units"],))]
    return layers, shape


def _change_window(d, conv, channels):
    """An option that the kernels of convolutions under a pool lack."""
    kernel = conv["kernel_size"]
    change = d.one("sides", "rectangle", "same", "gaps", "groups")
    if change == "sides":
        conv["padding"] = tuple(d.whole(0, kernel) for _ in range(4))
    elif change == "rectangle":
        conv["kernel_size"] = (kernel, d.whole(1, kernel))
    elif change == "same":
        conv["padding"] = "same"
    elif change == "gaps":
        conv["dilation"] = d.one(2, (2, 1), (1, 2))
        conv["padding"] = kernel
    elif conv["filters"] % channels == 0:
        conv["groups"] = channels


def _conv_pool(d):
    """A convolution under a 2 x 2 max pool, which may have a dense layer above."""
    kernel = d.one(3, 2, 5, 1)
    shape = (d.one(1, 1, 1, 2, 4), d.whole(kernel + 1, 14), d.whole(kernel + 1, 16))
    conv = conv2d(d.one(8, 8, 1, 3, 5, 9), kernel, padding=d.whole(0, kernel // 2))
    conv["activation"] = d.one("relu", "relu", "linear", "tanh")
    pool = maxpool2d()
    if d.seldom():
        change = d.one("stride", "average", "pool", "between", "overlap", "window")
        if change == "window":
            _change_window(d, conv, shape[0])
        elif change == "stride":
            conv["stride"] = 2
            conv["padding"] = kernel
        elif change == "average":
            pool = avgpool2d()
        elif change == "overlap":
            pool = maxpool2d(2, stride=1)
        elif change == "pool":
            pool = maxpool2d(d.one(3, 1))
        else:
            between = [_any_shape(d, _extent(shape, conv)), pool]
            return [conv, *between, flatten(), dense(d.whole(1, 17))], shape
        if min(_extent(shape, conv)[1:]) < pool.get("kernel_size", 2):
            pool = maxpool2d(1)
    layers = [conv, pool]
    if d.often():
        layers += [flatten(), dense(d.one(10, 1, 3, 8, 15, 16, 17))]
    elif d.often():
        layers += [_next_layer(d, _extent(_extent(shape, conv), pool))]
    if d.seldom():  # a layer with weights below asks for the gradient of its outputs
        layers = [conv2d(shape[0], 3, "tanh", padding=1), *layers]
    return layers, shape


def _convolutions(d):
    """One or two convolutions without a pool."""
    shape = (d.one(1, 1, 1, 2, 3, 4, 5), d.whole(1, 12), d.whole(1, 12))
    layers = [_convolution(d, shape)]
    if d.seldom():
        layers += [_convolution(d, _extent(shape, layers[0]))]
    return [*layers, flatten(), dense(d.whole(1, 5))], shape


def _signals(d):
    """Convolutions and pools along a signal."""
    shape = (d.one(3, 1, 2, 4, 5, 9), d.whole(1, 40))
    layers, at = [], shape
    for _ in range(d.whole(1, 4)):
        layers.append(_along_a_signal(d, at))
        at = _extent(at, layers[-1])
        if d.seldom():
            layers.append(_any_shape(d, at))
    return layers, shape


def _pooled(d):
    """Several channels under a 2 x 2 max pool."""
    kernel = d.one(3, 2, 5, 1)
    shape = (d.one(2, 3, 4, 5), d.whole(kernel + 1, 10), d.whole(kernel + 1, 11))
    conv = conv2d(d.one(3, 1, 5, 8, 9), kernel, padding=d.whole(0, kernel // 2))
    conv["activation"] = d.one("relu", "linear")
    return [conv, maxpool2d(), flatten(), dense(d.whole(1, 5))], shape


def _one_channel(d):
    """A convolution that leaves rows of background out."""
    kernel = d.one(3, 2, 5, 4)
    shape = (1, d.whole(kernel + 1, 12), d.whole(kernel + 1, 12))
    conv = conv2d(d.whole(2, 9), kernel, padding=d.whole(0, kernel // 2))
    layers = [_activated(d, conv, "linear", "relu")]
    if d.seldom():
        layers += [batchnorm()]
    return [*layers, flatten(), dense(d.whole(1, 5))], shape


def _patch_attention(d):
    """Patches up to attention, and the dense layer above it."""
    patch = d.one(2, 1, 3)
    shape = (d.one(1, 1, 2), patch * d.whole(1, 5), patch * d.whole(1, 4))
    width = d.one(4, 6, 12)
    layers = [patch_embed(patch, width), _position(d)]
    layers += [activation("relu") if d.often() else _activation_layer(d)]
    heads = d.one(1, 1, 2)
    if d.often():
        layers += [self_attention(heads)]
    else:
        layers += [_attention(d, width)]
    if d.often():
        layers += [_activated(d, dense(d.one(6, 1, 9, 20)), "relu", "tanh", "sigmoid")]
    if d.seldom():
        layers += [dense(d.whole(1, 8)), mean_pool()]
    return layers, shape


def _pooled_dense(d):
    """A linear dense layer under mean_pool."""
    shape = (d.whole(1, 12), d.whole(1, 10))
    below = [_activated(d, dense(d.whole(1, 9)), "tanh")] if d.often() else []
    top = dense(d.whole(1, 9)) if d.often() else _activated(d, dense(3), "relu")
    return [*below, top, mean_pool()], shape


def _masked(d):
    """Sequences of tokens, some of which are padding."""
    shape = (d.whole(1, 12), d.whole(1, 8))
    layers, at = [masking(d.one(0.0, 0.25))], shape
    for _ in range(d.whole(0, 4)):
        if len(at) == 2:
            kind = d.one("attention", "dense", "recurrent", "any")
            if kind == "attention":
                layers.append(_attention(d, at[1]))
            elif kind == "recurrent":
                layers.append(_recurrent(d))
            elif kind == "dense":
                layers.append(_activated(d, dense(d.whole(1, 8)), "linear", "tanh"))
            else:
                layers.append(_next_layer(d, at))
            at = _extent(at, layers[-1])
    return layers + ([mean_pool()] if len(at) == 2 and d.often() else []), shape


def _embedded(d):
    """Indices, the vectors for them, and what is made of these; perhaps a branch."""
    shape = (d.whole(1, 9),)
    layers = [_columns(d, shape)] if d.seldom() else []
    layers += [embedding(d.one(5, 1, 2, 30), d.one(4, 1, 7, 16, 130))]
    at = _extent(shape, layers)
    for _ in range(d.whole(0, 3)):
        layers.append(_next_layer(d, at))
        at = _extent(at, layers[-1:])
    if d.seldom():
        other = [embedding(d.whole(1, 12), d.whole(1, 5)), flatten()]
        layers = concat([*layers, flatten()], other)
    return flat(layers), shape


def _both_ways(d):
    """A recurrent layer beside its like in reverse, over values, indices or padded tokens."""
    kind, steps, width = d.one("values", "indices", "padded"), d.whole(1, 9), d.whole(1, 8)
    below = {
        "values": [],
        "indices": [embedding(d.one(5, 1, 30), width)],
        "padded": [masking(d.one(0.0, 0.25))],
    }[kind]
    shape = (steps,) if kind == "indices" else (steps, width)
    layer = {**_recurrent(d), "reverse": False}
    layers = [*below, *concat([layer], [{**layer, "reverse": True}])]
    if len(_extent(shape, layers)) == 2 and d.often():
        layers.append(_recurrent(d))
    return layers, shape


def _table(d):
    """Columns of indices, each in a table or several in one, and numbers beside them."""
    shape = (d.whole(2, 9),)
    branches, at = [], 0
    for _ in range(d.whole(1, 3)):
        count = d.whole(1, max(shape[0] - at - 1, 1))
        vectors = embedding(d.one(5, 1, 30), d.one(4, 1, 16))
        branches.append([columns(at, count), vectors, flatten()])
        at = min(at + count, shape[0] - 1)
    numbers = [columns(at, shape[0] - at), *([normalization()] if d.often() else [])]
    return flat([concat(*branches, numbers)]), shape


def _tiny(d):
    """Dense layers that fit a vector, and some that just do not."""
    widths = d.one(4, 1, 2, 7, 8, 9, 16, 17)
    layers = [
        _activated(d, dense(d.one(3, 1, 4, 8, 16, 17)), "tanh", "relu")
        for _ in range(d.whole(1, 3))
    ]
    return layers, (widths,)


def _xor(d):
    return [dense(4, "sigmoid"), dense(1, "sigmoid")], (2,)


def _wide(d):
    """A first dense layer that is cut by columns, or just not."""
    units = d.one(130, 260, 270)
    return [_activated(d, dense(units), "relu"), dense(d.whole(1, 5))], (126,)


SHAPES = (
    *(_free, _window_blocks, _one_channel, _patch_attention, _free),
    *(_signals, _free, _conv_pool, _convolutions, _tiny, _one_channel, _pooled, _masked),
    *(_embedded, _both_ways, _table),
    *(_blocks, _added_attention, _blocks),
)
RARE_SHAPES = (_pooled_dense, _xor, _wide, _pooled_dense)


def _row_of(d, shape):
    """A layer that makes one row of numbers of tokens, or of an image."""
    if len(shape) == 2:
        pools = (mean_pool, mean_pool, global_maxpool1d, global_avgpool1d)
        return d.one(*pools)() if d.often() else flatten()
    if len(shape) == 3 and d.seldom():
        return d.one(global_avgpool2d, global_maxpool2d)()
    return flatten()


def _to_a_row(d, layers, shape):
    """With what makes one row of numbers on top."""
    at = _extent(shape, layers) if layers else shape
    if len(at) > 1:
        layers = [*layers, _row_of(d, at)]
        at = _extent(at, layers[-1])
    if not layers or at[0] > 40 or d.seldom():
        layers = [*layers, dense(d.one(3, 1, 10))]
    return layers


# ---- how it is trained ----


def _optimizer(d):
    kind = d.one("sgd", "sgd", "adam", "adamw", "rmsprop")
    spec = {"type": kind}
    if not d.one(False, True):
        return spec
    if d.often():
        spec["weight_decay"] = d.one(0.01, 0.1, 0.0)
    if kind == "sgd":
        spec["momentum"] = d.one(0.9, 0.5)
        spec["nesterov"] = d.one(False, True)
    elif kind == "rmsprop":
        spec["momentum"] = d.one(0.0, 0.5)
        spec["centered"] = d.one(False, True)
        spec["epsilon"] = d.one(1e-8, 1e-3)
        spec["alpha"] = d.one(0.99, 0.9)
    else:
        spec["epsilon"] = d.one(1e-8, 1e-3)
        spec["epsilon_hat"] = d.one(False, True)
        spec["beta_1"] = d.one(0.9, 0.5, 0.0)
        spec["beta_2"] = d.one(0.999, 0.9)
    return spec


INPUTS = (
    *("uniform", "spots", "edge", "blank rows", "blank images", "half blank"),
    *("ties", "constant", "zeros", "few"),
)
IMAGE_INPUTS = (*INPUTS, *("edge",) * 5, "spots", "spots")
PARAMS = ("uniform", "dead", "uniform", "dead", "no bias")
# Products of these and sums are exact, so that ties are ties in every order of summation.
EXACT_INPUTS = ("ties", "constant", "zeros")


def _numbers_a_row(layers, shape):
    """Elements of all layers, and products of the convolutions by a tenth."""
    total = math.prod(shape)
    for layer, (at, params, _) in zip(
        layers, twins.layer_arrays(layers, shape), strict=True
    ):
        total += math.prod(at)
        if layer["type"].startswith("conv"):
            total += math.prod(at[1:]) * math.prod(params["weight"]) // 10
    return total


@st.composite
def nets(draw):
    """Nets that the core accepts, with data for them."""
    d = _Draw(draw)
    kinds = RARE_SHAPES if d.seldom() else SHAPES
    layers, shape = d.one(*kinds)(d)
    layers = _to_a_row(d, layers, shape)
    most = max(1, min(70, MOST_WORK // _numbers_a_row(layers, shape)))
    rows = d.whole(1, most)
    batch_size = min(rows, d.one(1, 2, 4, 8, 9, 16, 33, 70))
    loss = d.one(SOFTMAX, SQUARES, *sorted(LOSSES))
    some_zero = () if loss == POISSON else ("some zero",)
    inputs = d.one(*IMAGE_INPUTS if len(shape) == 3 else INPUTS)
    as_bytes = d.seldom()
    is_exact = inputs in EXACT_INPUTS and not as_bytes and d.often()
    return RandomNet(
        layers=layers,
        input_shape=shape,
        loss=loss,
        rows=rows,
        batch_size=batch_size,
        last_batch=d.whole(1, batch_size),
        inputs=inputs,
        is_positive=d.one(False, True),
        as_bytes=as_bytes,
        params="eighths" if is_exact else d.one(*PARAMS),
        seed=draw(st.integers(0, 2**32 - 1)),
        optimizer=_optimizer(d),
        lr=d.one(0.5, 0.05, 0.003),
        rate_of_each_step=d.seldom(),
        # Of zero times a rate beyond float32 nothing is left but NaN.
        row_weights=d.one("none", "none", "none", "random", *some_zero),
        smoothing=d.one(0.0, 0.0, 0.0, 0.1) if loss in SMOOTHED else 0.0,
        clip_norm=d.one(0.0, 0.0, 0.0, 0.1, 100.0),
        l2=d.one(0.0, 0.0, 0.0, 0.1),
        average_decay=d.one(0.0, 0.0, 0.9, 1.0),
        weighted_mean=d.seldom(),
        accumulate=d.one(1, 1, 1, 2, 3),
    )


SMOOTHED = (SOFTMAX, SIGMOID)

# ---- numbers ----


def _middle(shape):
    kept = np.zeros(shape, bool)
    middle = [slice(n // 4, n - n // 4) for n in shape[1:][-2:]]
    kept[(..., *middle)] = True
    return kept


def _edges(shape, rng):
    """The last part of each row along some axis, or the first: often of an image's height."""
    axis = rng.integers(1, len(shape))
    if len(shape) == 4 and rng.random() < 0.5:
        axis = 2
    along = [1] * len(shape)
    along[axis] = -1
    place = np.arange(shape[axis]).reshape(along)
    border = rng.integers(0, shape[axis], shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return place >= border if rng.random() < 0.7 else place <= border


def _inputs(net, rng):
    shape = (net.rows, *net.input_shape)
    x = rng.uniform(0.1, 1, shape)
    if not net.is_positive:
        x *= rng.choice([-1, 1], shape)
    if net.inputs == "spots":
        x *= _middle(shape) & (rng.random(shape) < 0.6)
    elif net.inputs == "half blank":
        half = x.reshape(net.rows, -1)
        middle = half.shape[1] // 2
        half[:, :middle] *= rng.integers(0, 2)
        half[:, middle:] *= rng.integers(0, 2)
    elif net.inputs == "edge":
        x *= _edges(shape, rng)
    elif net.inputs == "blank rows":
        x[rng.random(net.rows) < 0.4] = 0
    elif net.inputs == "blank images":
        x.reshape(net.rows, -1)[rng.random(net.rows) < 0.4] = 0
        x *= _middle(shape)
    elif net.inputs == "ties":
        x = rng.integers(-2, 3, shape) / 4
    elif net.inputs == "constant":
        x[:] = rng.integers(1, 5) / 4
    elif net.inputs == "zeros":
        x[:] = 0
    elif net.inputs == "few":
        x *= rng.random(shape) < 0.05
    pad_tokens(x, net.layers, rng)
    # Elsewhere numbers that are not indices: the core is safe with any.
    if index_rows(net.layers) and not net.as_bytes and rng.random() < 0.8:
        return rng.integers(0, index_rows(net.layers), shape).astype(np.float32)
    if net.as_bytes:
        return np.abs(255 * x).astype(np.uint8)
    return x.astype(np.float32)


def _targets(net, rng, outputs):
    kind = np.int32 if net.loss == SOFTMAX else np.float32
    return LOSSES[net.loss].targets(rng, net.rows, outputs).astype(kind)


def _parameter(net, rng, layer, name, shape):
    if name == "variance":
        return rng.uniform(0.5, 1.5, shape) * (rng.random(shape) < 0.8)
    if name == "count":
        return np.ones(shape)
    if name == "running_var" or (name == "weight" and layer["type"].endswith("norm")):
        return rng.uniform(0.5, 1.5, shape)
    if not name.endswith("weight"):
        if net.params == "eighths":
            return rng.integers(-2, 3, shape) / 8
        return rng.uniform(-0.5, 0.5, shape) * (net.params != "no bias")
    is_conv = layer["type"].startswith("conv")
    fan_in = math.prod(shape[1:]) if is_conv else shape[0]
    if net.params == "eighths":
        return rng.integers(-2, 3, shape) / 8
    return rng.uniform(-1, 1, shape) * np.sqrt(3 / fan_in)


def _kill_some(params, layers, rng):
    """Some units without an output that is positive anywhere, some only over background."""
    for layer, of in zip(layers, params, strict=True):
        if not layer["type"].startswith(("dense", "conv")):
            continue
        units = len(of["bias"])
        dead = rng.random(units) < 0.4
        negative = -np.abs(of["weight"])
        if layer["type"] != "dense":
            of["weight"][dead] = 20 * negative[dead]
        else:
            of["weight"][:, dead] = 20 * negative[:, dead]
        of["bias"][dead] = rng.choice([-30, 0.1, 0.5], dead.sum())


def arrays(net):
    """Inputs, targets, row weights or None, and parameters: as the core expects them, the
    parameters also as the twin's, all of float32's precision."""
    rng = np.random.default_rng(net.seed)
    shapes = layer_arrays(net)
    x = _inputs(net, rng)
    y = _targets(net, rng, shapes[-1][0][0])
    weights = None
    if net.row_weights != "none":
        weights = rng.uniform(0.1, 2, net.rows).astype(np.float32)
        if net.row_weights == "some zero":
            weights *= rng.random(net.rows) < 0.5
    params = []
    for layer, (_, trained, state) in zip(net.layers, shapes, strict=True):
        drawn = twins.Params()
        for of, into in ((trained, drawn), (state, drawn.state)):
            for name, shape in of.items():
                value = _parameter(net, rng, layer, name, shape) + 0.0  # no -0
                into[name] = value.astype(np.float32).astype(np.float64)
        params.append(drawn)
    if net.params == "dead":
        _kill_some(params, net.layers, rng)
        params = reference_float32(params)
    return x.reshape(net.rows, -1), y, weights, params


def reference_float32(params):
    rounded = []
    for layer in params:
        exact = {name: np.float64(np.float32(value)) for name, value in layer.items()}
        rounded.append(twins.Params(exact, layer.state))
    return rounded


def order_of_rows(net):
    """Rows of five updates, the last one by a part of a batch."""
    rng = np.random.default_rng(net.seed + 1)
    count = 4 * net.batch_size * net.accumulate + net.last_batch
    return rng.integers(0, net.rows, count).astype(np.int32)
