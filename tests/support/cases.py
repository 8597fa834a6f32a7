"""One row for each kind of net that every general test walks through."""

import math
from dataclasses import dataclass

import numpy as np

import rnn_native._core as _core
import twins
from branch_twins import MARKS, concat, flat, nested, residual
from loss_twins import LOSSES


@dataclass(frozen=True)
class Case:
    name: str
    layers: list[dict]
    input_shape: tuple[int, ...]  # n stands for (n,)
    loss: str
    rows: int
    blank: bool = False  # most of an input is zero, all of the first row's

    def __post_init__(self):
        if isinstance(self.input_shape, int):
            object.__setattr__(self, "input_shape", (self.input_shape,))
        object.__setattr__(self, "layers", flat(self.layers))

    def __str__(self) -> str:
        return self.name

    @property
    def specs(self) -> list[dict]:
        """The layers as `Network` expects them."""
        return nested(self.layers)

    @property
    def inputs(self) -> int:
        return math.prod(self.input_shape)


def _maker(layer_type, *positional, **defaults):
    """A function that writes a layer's dict, with some keys by position."""

    def make(*values, **more):
        given = dict(zip(positional, values, strict=False))
        return {"type": layer_type, **defaults, **given, **more}

    return make


dense = _maker("dense", "units", "activation", activation="linear")
conv1d = _maker("conv1d", "filters", "kernel_size", "activation")
conv2d = _maker("conv2d", "filters", "kernel_size", "activation")
maxpool1d = _maker("maxpool1d", "kernel_size")
avgpool1d = _maker("avgpool1d", "kernel_size")
maxpool2d = _maker("maxpool2d", "kernel_size")
avgpool2d = _maker("avgpool2d", "kernel_size")
global_avgpool1d = _maker("global_avgpool1d")
global_avgpool2d = _maker("global_avgpool2d")
global_maxpool1d = _maker("global_maxpool1d")
global_maxpool2d = _maker("global_maxpool2d")
flatten = _maker("flatten")
reshape = _maker("reshape", "target_shape")
activation = _maker("activation", "function")
softmax = _maker("softmax")
batchnorm = _maker("batchnorm")
layernorm = _maker("layernorm")
rmsnorm = _maker("rmsnorm")
normalization = _maker("normalization")
dropout = _maker("dropout", "rate")
prelu = _maker("prelu")
gaussian_noise = _maker("gaussian_noise", "stddev")
patch_embed = _maker("patch_embed", "patch_size", "units")
patch_embed1d = _maker("patch_embed1d", "patch_size", "units")
columns = _maker("columns", "first", "count")
embedding = _maker("embedding", "num_embeddings", "embedding_dim")
position = _maker("position", "init")
self_attention = _maker("self_attention", "heads")
masking = _maker("masking", "value")
mean_pool = _maker("mean_pool")
simple_rnn = _maker("simple_rnn", "units")
gru = _maker("gru", "units")
lstm = _maker("lstm", "units")

SOFTMAX, SQUARES = "softmax_cross_entropy", "squared_error"
SIGMOID, POISSON = "sigmoid_cross_entropy", "poisson"

# Layers without parameters or keys, as one module of PyTorch.
IN_TORCH = {
    "flatten": lambda nn: nn.Flatten(),
    "global_avgpool1d": lambda nn: nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()),
    "global_avgpool2d": lambda nn: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "global_maxpool1d": lambda nn: nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten()),
    "global_maxpool2d": lambda nn: nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    "softmax": lambda nn: nn.Softmax(-1),
}

DENSE = [
    Case("one linear layer", [dense(3)], (4,), SOFTMAX, 5),
    Case("one row, one input, one output", [dense(1)], (1,), SQUARES, 1),
    Case("xor", [dense(4, "sigmoid"), dense(1, "sigmoid")], (2,), SQUARES, 4),
    Case("relu, odd sizes", [dense(37, "relu"), dense(11)], (29,), SOFTMAX, 7),
    Case("leaky_relu", [dense(17, "leaky_relu"), dense(5)], (9,), SOFTMAX, 6),
    Case(
        "leaky_relu alpha", [dense(17, "leaky_relu", alpha=0.3), dense(5)], (9,), SOFTMAX, 6
    ),
    Case("elu", [dense(19, "elu", alpha=0.7), dense(4)], (8,), SOFTMAX, 6),
    Case("tanh", [dense(16, "tanh"), dense(3, "tanh")], (16,), SQUARES, 8),
    Case("silu", [dense(33, "silu"), dense(2)], (5,), SOFTMAX, 9),
    Case("gelu", [dense(21, "gelu"), dense(6)], (12,), SOFTMAX, 4),
    Case("gelu_exact", [dense(21, "gelu_exact"), dense(6)], (12,), SOFTMAX, 4),
    Case("gelu of many rows", [dense(520, "gelu"), dense(2)], (65,), SQUARES, 300),
    Case(
        "three layers",
        [dense(70, "relu"), dense(130, "tanh"), dense(10)],
        (65,),
        SOFTMAX,
        33,
    ),
    Case("blocks of 64 and a rest", [dense(200, "relu"), dense(64)], (128,), SOFTMAX, 70),
    Case("tokens", [dense(4, "relu"), dense(3), mean_pool()], (5, 3), SOFTMAX, 4),
    Case("49 tokens", [dense(17, "tanh"), dense(6), flatten()], (49, 3), SQUARES, 3),
    Case("one token", [dense(5, "silu"), flatten()], (1, 1), SQUARES, 1),
    Case("yes or no", [dense(20, "relu"), dense(1)], (7,), SIGMOID, 9),
    Case("several yes or no", [dense(70, "tanh"), dense(21)], (7,), SIGMOID, 40),
    Case("tiny yes or no", [dense(3, "relu"), dense(2)], (4,), SIGMOID, 9),
]
DENSE += [
    case
    for loss in sorted(LOSSES.keys() - {SOFTMAX, SQUARES, SIGMOID})
    for case in (
        Case(f"dense under {loss}", [dense(70, "tanh"), dense(3)], (7,), loss, 9),
        Case(f"tiny dense under {loss}", [dense(3, "tanh"), dense(2)], (4,), loss, 9),
    )
]

CONV = [
    Case("conv 1x1 image", [conv2d(2, 1), flatten()], (1, 1, 1), SQUARES, 1),
    Case("conv as large as the image", [conv2d(3, 5), flatten()], (2, 5, 5), SQUARES, 4),
    Case(
        "conv padding 1",
        [conv2d(4, 3, "relu", padding=1), flatten(), dense(5)],
        (1, 7, 6),
        SOFTMAX,
        5,
    ),
    Case(
        "conv kernel 5, stride 2, padding 2",
        [conv2d(5, 5, stride=2, padding=2), flatten(), dense(4)],
        (3, 9, 8),
        SOFTMAX,
        3,
    ),
    Case(
        "conv stride 2 with a remainder",
        [conv2d(3, 3, "leaky_relu", stride=2), flatten(), dense(2)],
        (2, 8, 7),
        SOFTMAX,
        4,
    ),
    Case(
        "conv 1x1 kernel over five channels",
        [conv2d(9, 1, "tanh"), flatten(), dense(3)],
        (5, 4, 3),
        SOFTMAX,
        6,
    ),
    Case(
        "conv stride beyond the kernel",
        [conv2d(3, 1, stride=2, padding=2), conv2d(2, 2, stride=3), flatten()],
        (2, 7, 8),
        SQUARES,
        3,
    ),
    Case(
        "two convs",
        [
            conv2d(4, 3, "gelu", padding=1, stride=2),
            conv2d(3, 3, "elu", alpha=0.5),
            flatten(),
            dense(4),
        ],
        (2, 9, 9),
        SOFTMAX,
        3,
    ),
    Case(
        "conv under a strided conv with padding",
        [conv2d(2, 3, "tanh"), conv2d(3, 5, stride=2, padding=2), flatten()],
        (1, 9, 8),
        SQUARES,
        2,
    ),
    Case(
        "conv one column",
        [conv2d(3, 3, padding=1), conv2d(2, 1), flatten()],
        (1, 9, 1),
        SQUARES,
        2,
    ),
    Case(
        "conv seventeen filters",
        [conv2d(17, 3, "relu", padding=1), conv2d(3, 3), flatten(), dense(10)],
        (3, 9, 19),
        SOFTMAX,
        1,
    ),
]
CONV += [
    Case(name, layers, shape, loss, rows)
    for name, layers, shape, loss, rows in [
        (
            "conv of 3 x 2, padding 1 x 0",
            [conv2d(4, (3, 2), "relu", padding=(1, 0)), flatten(), dense(5)],
            *((2, 6, 7), SOFTMAX, 5),
        ),
        (
            "conv of 1 x 4 over five channels, four paddings",
            [conv2d(3, (1, 4), "tanh", padding=(0, 0, 1, 3)), conv2d(2, (3, 1)), flatten()],
            *((5, 4, 6), SQUARES, 3),
        ),
        (
            "conv padded at one side only",
            [conv2d(3, 3, "relu", padding=(2, 0, 0, 1)), conv2d(4, 3), flatten(), dense(3)],
            *((1, 5, 6), SOFTMAX, 4),
        ),
        (
            "conv stride 1 x 2",
            [conv2d(3, (2, 3), stride=(1, 2), padding=(1, 0)), flatten(), dense(4)],
            *((2, 6, 9), SOFTMAX, 3),
        ),
        (
            "conv same, even kernel",
            [
                conv2d(3, (2, 4), "relu", padding="same"),
                conv2d(2, 2, padding="same"),
                flatten(),
            ],
            *((2, 5, 6), SQUARES, 3),
        ),
        (
            "conv same, stride 2 x 3",
            [conv2d(3, (3, 2), stride=(2, 3), padding="same"), conv2d(2, 1), flatten()],
            *((3, 7, 8), SQUARES, 2),
        ),
        (
            "conv valid, with gaps",
            [conv2d(4, 3, "relu", dilation=2, padding="valid"), flatten(), dense(3)],
            *((1, 8, 7), SOFTMAX, 4),
        ),
        (
            "conv with gaps along rows over five channels",
            [
                conv2d(5, 1),
                conv2d(6, (2, 3), "tanh", dilation=(1, 3), padding="same"),
                flatten(),
                dense(3),
            ],
            *((2, 5, 8), SOFTMAX, 4),
        ),
        (
            "conv with gaps along columns over five channels",
            [conv2d(5, 1), conv2d(3, (3, 2), dilation=(2, 1)), flatten(), dense(3)],
            *((2, 8, 5), SOFTMAX, 4),
        ),
        (
            "conv with gaps, stride 2",
            [conv2d(3, (2, 3), stride=2, dilation=(3, 2), padding=1), flatten(), dense(3)],
            *((2, 9, 8), SOFTMAX, 3),
        ),
        (
            "conv of two groups",
            [conv2d(4, 2, "tanh"), conv2d(6, 3, "relu", groups=2, padding=1), flatten()],
            *((2, 5, 6), SQUARES, 3),
        ),
        (
            "conv of two groups of five channels",
            [conv2d(10, 1), conv2d(4, 3, groups=2, dilation=(1, 2)), flatten(), dense(3)],
            *((2, 5, 7), SOFTMAX, 9),
        ),
        (
            "conv depthwise, then pointwise",
            [
                conv2d(5, 3, "relu", groups=5, padding="same"),
                conv2d(3, 1),
                flatten(),
                dense(3),
            ],
            *((5, 6, 7), SOFTMAX, 5),
        ),
        (
            "conv depthwise, two filters a channel, stride 2",
            [conv2d(4, 1), conv2d(8, (3, 1), "silu", groups=4, stride=2), flatten()],
            *((2, 7, 5), SQUARES, 3),
        ),
    ]
]

# Filters that fill vectors: the core lays the channels of a pixel side by side.
PIXELS = [
    Case(name, layers, shape, loss, rows)
    for name, layers, shape, loss, rows in [
        (
            "pixels, stride 2 x 1, after six channels",
            [
                conv2d(6, 3, "tanh", padding=1),
                avgpool2d(2),
                conv2d(18, 3, "relu", stride=(2, 1), padding=1),
                flatten(),
                dense(5),
            ],
            *((1, 10, 12), SOFTMAX, 9),
        ),
        (
            "pixels with gaps, gelu",
            [conv2d(17, (3, 2), "gelu", dilation=(1, 2)), conv2d(33, 2), flatten()],
            *((3, 6, 7), SQUARES, 3),
        ),
        (
            "pixels of two groups, stride 2",
            [conv2d(24, 1), conv2d(32, 3, "elu", groups=2, stride=2), flatten(), dense(4)],
            *((2, 7, 8), SOFTMAX, 5),
        ),
        (
            "pixels of two groups under a max pool",
            [
                conv2d(16, 1),
                conv2d(32, 3, "relu", groups=2),
                maxpool2d(2),
                flatten(),
                dense(4),
            ],
            *((2, 7, 8), SOFTMAX, 5),
        ),
        (
            "pixels under max pools of 2 and of 3 x 2",
            [
                conv2d(16, 3, "relu", padding=1),
                maxpool2d(2),
                conv2d(32, 3, padding=1),
                maxpool2d((3, 2)),
                flatten(),
                dense(5),
            ],
            *((1, 13, 12), SOFTMAX, 9),
        ),
        (
            "pixels under a max pool that overlaps and is padded",
            [
                conv2d(16, 2, "relu"),
                conv2d(20, 3, "relu"),
                maxpool2d(3, stride=2, padding=1),
                conv2d(5, 1),
                flatten(),
            ],
            *((2, 10, 9), SQUARES, 3),
        ),
        (
            "pixels, normalized, activated and pooled",
            [
                conv2d(16, 3, padding=1),
                batchnorm(),
                activation("relu"),
                maxpool2d(3, stride=2),
                conv2d(18, 3),
                batchnorm(),
                activation("silu"),
                global_avgpool2d(),
                dense(3),
            ],
            *((3, 9, 8), SOFTMAX, 7),
        ),
        (
            "pixels in a block and beside it",
            [
                conv2d(16, 3, padding=1),
                residual(conv2d(24, 3, "relu", padding=1), conv2d(16, 1)),
                concat([conv2d(2, 1)], [conv2d(20, 3, padding=1)], axis=0),
                global_maxpool2d(),
                dense(4),
            ],
            *((2, 6, 5), SOFTMAX, 5),
        ),
        (
            "pixels given another shape in a branch",
            [
                conv2d(16, 3, padding=1),
                concat(
                    [conv2d(16, 1), reshape([8, 10, 6])],
                    [activation("relu"), reshape([8, 10, 6])],
                    axis=0,
                ),
                conv2d(17, 2, "relu"),
                flatten(),
            ],
            *((2, 6, 5), SQUARES, 3),
        ),
        (
            "pixels joined along their rows",
            [
                conv2d(16, 3),
                concat([activation("relu")], [conv2d(16, 1)], axis=1),
                flatten(),
                dense(4),
            ],
            *((2, 6, 5), SOFTMAX, 5),
        ),
        (
            "pixels, dropped out and given another shape",
            [
                conv2d(16, 3, "relu"),
                dropout(0.5),
                conv2d(16, 2),
                reshape([4, 4, -1]),
                conv2d(16, 1),
                flatten(),
                dense(4),
            ],
            *((1, 6, 7), SOFTMAX, 4),
        ),
        (
            "pixels at the end of a net",
            [dense(36), reshape([4, 3, 3]), conv2d(16, 2, "relu"), flatten()],
            *((7,), SQUARES, 4),
        ),
        (
            "signals in pixels, pooled",
            [
                conv1d(16, 5, "relu", padding=2),
                maxpool1d(2),
                conv1d(32, 3, stride=2),
                batchnorm(),
                global_avgpool1d(),
                dense(3),
            ],
            *((3, 22), SOFTMAX, 9),
        ),
    ]
]

SIGNALS = [
    Case(name, layers, shape, loss, rows)
    for name, layers, shape, loss, rows in [
        (
            "conv1d",
            [conv1d(4, 3, "relu"), flatten(), dense(5)],
            *((2, 9), SOFTMAX, 5),
        ),
        (
            "conv1d same, nine channels",
            [
                conv1d(7, 5, "relu", padding="same"),
                conv1d(17, 4, padding="same"),
                flatten(),
            ],
            *((9, 21), SQUARES, 9),
        ),
        (
            "conv1d left alone is padded",
            [conv1d(3, 3, "gelu", padding=(2, 0)), conv1d(2, 2, padding=1), flatten()],
            *((1, 7), SQUARES, 3),
        ),
        (
            "conv1d with gaps, causal",
            [
                conv1d(5, 2, "tanh", dilation=4, padding=(4, 0)),
                conv1d(4, 2, dilation=2),
                flatten(),
                dense(3),
            ],
            *((5, 11), SOFTMAX, 4),
        ),
        (
            "conv1d stride 2 with a remainder",
            [
                conv1d(3, 3, stride=2, padding=1),
                conv1d(2, 1, stride=3),
                flatten(),
                dense(2),
            ],
            *((2, 10), SOFTMAX, 4),
        ),
        (
            "conv1d of groups, then pointwise",
            [conv1d(6, 3, groups=3, padding="same"), conv1d(4, 1, "silu"), flatten()],
            *((3, 8), SQUARES, 3),
        ),
        (
            "conv1d of one place",
            [conv1d(2, 1), flatten()],
            *((1, 1), SQUARES, 1),
        ),
        (
            "signals through pools and norms",
            [
                conv1d(8, 5, "relu"),
                batchnorm(),
                maxpool1d(),
                conv1d(4, 3),
                avgpool1d(3),
                flatten(),
                dense(6),
            ],
            *((3, 40), SOFTMAX, 9),
        ),
        ("batchnorm of a signal", [batchnorm(), flatten(), dense(2)], (3, 4), SOFTMAX, 5),
        (
            "batchnorm of a signal, one row",
            [conv1d(3, 2), batchnorm(momentum=0.5), flatten(), dense(2)],
            *((2, 6), SOFTMAX, 1),
        ),
        (
            "patch_embed1d",
            [conv1d(2, 1), patch_embed1d(3, 5), self_attention(), mean_pool()],
            *((3, 12), SQUARES, 3),
        ),
        ("patch_embed1d places", [patch_embed1d(1, 4), mean_pool()], (2, 5), SQUARES, 2),
        ("patch_embed1d whole", [patch_embed1d(17, 4), flatten()], (2, 17), SQUARES, 2),
    ]
]


def _pooled_signal(name, pool, length=9, rows=3):
    layers = [conv1d(3, 3, "relu", padding=1), pool, flatten(), dense(4)]
    return Case(name, layers, (2, length), SOFTMAX, rows)


SIGNALS += [
    _pooled_signal("maxpool1d with a remainder", maxpool1d()),
    _pooled_signal("maxpool1d same", maxpool1d(3, stride=2, padding="same"), 10),
    _pooled_signal("maxpool1d padded", maxpool1d(4, stride=1, padding=(2, 1))),
    _pooled_signal("avgpool1d padded", avgpool1d(3, stride=2, padding=1)),
    _pooled_signal("avgpool1d same", avgpool1d(4, stride=3, padding="same")),
    _pooled_signal("avgpool1d left alone", avgpool1d(2, padding=(1, 0)), 7),
]


def _pooled(name, pool, shape=(2, 7, 5), rows=3):
    """A pool over ReLU, so that windows of zeros tie, with trained layers below it."""
    layers = [conv2d(3, 3, "relu", padding=1), pool, flatten(), dense(4)]
    return Case(name, layers, shape, SOFTMAX, rows)


def _pooled_rows(name, pool, shape):
    """A pool of the inputs, plane by plane, whose rows are longer than vectors."""
    return Case(name, [pool, flatten(), dense(4)], shape, SOFTMAX, 3)


POOLS = [
    *(
        _pooled_rows(f"{kind} of rows, {name}", make(*args, **more), shape)
        for kind, make in (("maxpool", maxpool2d), ("avgpool", avgpool2d))
        for name, args, more, shape in (
            ("stride 1", (3,), {"stride": 1, "padding": 1}, (2, 4, 37)),
            ("stride 2", ((2, 5),), {"stride": 2, "padding": "same"}, (1, 5, 75)),
            ("stride 3", (3,), {"padding": 1}, (1, 4, 60)),
            ("a window that reaches beyond", (4,), {"stride": 1, "padding": 2}, (2, 3, 3)),
        )
    ),
    _pooled("maxpool with a remainder", maxpool2d()),
    _pooled("maxpool 3, stride 2, padding 1", maxpool2d(3, stride=2, padding=1)),
    _pooled("maxpool stride beyond the kernel", maxpool2d(2, stride=3)),
    _pooled("maxpool overlapping", maxpool2d(3, stride=1)),
    _pooled("maxpool as large as the image", maxpool2d(5), (2, 5, 5)),
    _pooled("maxpool 1", maxpool2d(1), (1, 2, 2), 1),
    _pooled("maxpool even image", maxpool2d(), (1, 12, 12), 2),
    _pooled("avgpool with a remainder", avgpool2d()),
    _pooled("avgpool 3, stride 2, padding 1", avgpool2d(3, stride=2, padding=1)),
    _pooled("avgpool stride beyond the kernel", avgpool2d(2, stride=3)),
    _pooled("avgpool overlapping", avgpool2d(2, stride=1, padding=1)),
    _pooled("avgpool as large as the image", avgpool2d(5), (2, 5, 5), 1),
    _pooled("maxpool of 2 x 3", maxpool2d((2, 3))),
    _pooled("maxpool, four paddings", maxpool2d(3, stride=(2, 1), padding=(1, 0, 0, 1))),
    _pooled("maxpool same", maxpool2d(2, padding="same")),
    _pooled("maxpool same, overlapping", maxpool2d((3, 4), stride=2, padding="same")),
    _pooled("maxpool valid", maxpool2d(2, padding="valid")),
    _pooled("avgpool of 1 x 4", avgpool2d((1, 4), stride=(2, 3), padding=(0, 2))),
    _pooled("avgpool, four paddings", avgpool2d(2, stride=1, padding=(0, 1, 1, 0))),
    _pooled("avgpool same", avgpool2d(3, stride=2, padding="same")),
    _pooled("avgpool same, overlapping", avgpool2d((2, 3), stride=1, padding="same")),
    Case(
        "global avgpool",
        [conv2d(5, 3, "tanh"), global_avgpool2d(), dense(3)],
        (2, 6, 9),
        SOFTMAX,
        4,
    ),
    Case("global avgpool of pixels", [global_avgpool2d(), dense(2)], (3, 1, 1), SQUARES, 2),
    Case("global avgpool 1d", [global_avgpool1d(), dense(3)], (4, 37), SOFTMAX, 5),
    Case(
        "global avgpool 1d over tokens",
        [dense(6, "tanh"), global_avgpool1d(), dense(3)],
        (5, 4),
        SQUARES,
        3,
    ),
    Case(
        "global maxpool",
        [conv2d(5, 3, "relu"), global_maxpool2d(), dense(3)],
        (2, 6, 9),
        SOFTMAX,
        11,
    ),
    Case("global maxpool of pixels", [global_maxpool2d(), dense(2)], (3, 1, 1), SQUARES, 2),
    Case("global maxpool 1d", [global_maxpool1d(), dense(3)], (4, 37), SOFTMAX, 5),
    Case(
        "global maxpool 1d over negative values",
        [dense(6, "relu"), dense(5), global_maxpool1d()],
        (3, 4),
        SQUARES,
        9,
    ),
    Case(
        "pools over negative values",
        [maxpool2d(3, stride=2, padding=1), conv2d(2, 1), maxpool2d(), flatten()],
        (2, 9, 9),
        SQUARES,
        2,
    ),
]

SHAPES_AND_FUNCTIONS = [
    Case("flatten a row", [flatten(), dense(3)], (4,), SOFTMAX, 3),
    Case("flatten rank 4", [flatten(), dense(3)], (2, 2, 3, 2), SOFTMAX, 3),
    Case(
        "a row to an image",
        [dense(24, "tanh"), reshape((2, 3, 4)), conv2d(3, 2), reshape([-1]), dense(3)],
        (5,),
        SOFTMAX,
        3,
    ),
    Case(
        "an image to tokens",
        [reshape((6, -1)), self_attention(2), reshape((2, -1, 2, 3)), flatten(), dense(2)],
        (1, 6, 4),
        SQUARES,
        3,
    ),
    Case("a shape at the end", [dense(6), reshape(6)], (4,), SOFTMAX, 3),
    Case("softmax", [dense(5), softmax(), dense(3)], (4,), SOFTMAX, 6),
    Case("softmax at the end", [dense(5), softmax()], (4,), SQUARES, 6),
    Case("softmax over tokens", [dense(7), softmax(), flatten()], (3, 4), SQUARES, 2),
    Case("softmax of one", [dense(1), softmax(), dense(2)], (3,), SOFTMAX, 2),
]
SHAPES_AND_FUNCTIONS += [
    Case(
        f"activation {name}",
        [conv2d(2, 2), activation(name), flatten(), dense(3)],
        (1, 4, 5),
        SOFTMAX,
        3,
    )
    for name in sorted(twins.ACTIVATIONS)
]

NORMS = [
    Case(
        "batchnorm dense",
        [dense(7), batchnorm(), activation("relu"), dense(3)],
        (5,),
        SOFTMAX,
        9,
    ),
    Case("batchnorm first", [batchnorm(), dense(3)], (5,), SOFTMAX, 6),
    Case(
        "batchnorm of one feature",
        [dense(1), batchnorm(epsilon=1e-3, momentum=0.5), dense(2)],
        (3,),
        SOFTMAX,
        5,
    ),
    Case("batchnorm one row", [dense(6), batchnorm(), dense(3)], (4,), SOFTMAX, 1),
    Case(
        "batchnorm channels",
        [conv2d(5, 3), batchnorm(momentum=0.7), activation("tanh"), flatten(), dense(3)],
        (2, 6, 7),
        SOFTMAX,
        4,
    ),
    Case(
        "batchnorm channels, one row",
        [conv2d(3, 2), batchnorm(), flatten(), dense(3)],
        (1, 4, 5),
        SOFTMAX,
        1,
    ),
    Case("layernorm", [dense(19), layernorm(), dense(3)], (4,), SOFTMAX, 5),
    Case("rmsnorm", [dense(19), rmsnorm(), dense(3)], (4,), SOFTMAX, 5),
    Case("rmsnorm first", [rmsnorm(epsilon=1e-2), dense(3)], (6,), SOFTMAX, 5),
    Case("rmsnorm tokens", [dense(9), rmsnorm(), dense(3), flatten()], (5, 4), SQUARES, 3),
    Case("rmsnorm of one", [dense(1), rmsnorm(epsilon=0.1), dense(2)], (3,), SOFTMAX, 2),
    Case("layernorm first", [layernorm(epsilon=1e-2), dense(3)], (6,), SOFTMAX, 5),
    Case(
        "layernorm tokens", [dense(9), layernorm(), dense(3), flatten()], (5, 4), SQUARES, 3
    ),
    Case(
        "layernorm of one", [dense(1), layernorm(epsilon=0.1), dense(2)], (3,), SOFTMAX, 2
    ),
]

NORMS += [
    Case("prelu", [dense(19), prelu(), dense(3)], (4,), SOFTMAX, 5),
    Case("prelu of each number", [prelu(per_channel=True), dense(3)], (37,), SOFTMAX, 5),
    Case(
        "prelu of channels",
        [
            conv2d(5, 3),
            prelu(per_channel=True),
            conv2d(17, 2),
            prelu(),
            flatten(),
            dense(3),
        ],
        (2, 6, 7),
        SOFTMAX,
        4,
    ),
    Case(
        "prelu of pixels",
        [conv2d(32, 3), prelu(per_channel=True), maxpool2d(), flatten(), dense(3)],
        (1, 8, 9),
        SOFTMAX,
        9,
    ),
    Case(
        "prelu of a signal's channels",
        [conv1d(5, 3), prelu(per_channel=True), global_maxpool1d(), dense(3)],
        (3, 150),
        SQUARES,
        9,
    ),
    Case("prelu tokens", [dense(9), prelu(), dense(3), flatten()], (5, 4), SQUARES, 3),
    Case(
        "gaussian noise",
        [gaussian_noise(0.3), dense(19, "tanh"), gaussian_noise(0.1), dense(3)],
        (5,),
        SOFTMAX,
        40,
    ),
    Case(
        "gaussian noise of an image",
        [gaussian_noise(0.1), conv2d(3, 3, "tanh"), flatten(), dense(3)],
        (2, 5, 7),
        SOFTMAX,
        4,
    ),
]

NORMS += [
    Case("normalization", [normalization(), dense(3)], (5,), SOFTMAX, 6),
    Case("normalization of one", [normalization(), dense(2)], (1,), SOFTMAX, 2),
    Case(
        "normalization tokens",
        [dense(19, "tanh"), normalization(), dense(3), flatten()],
        (5, 4),
        SQUARES,
        3,
    ),
    Case(
        "normalization channels",
        [conv2d(5, 3, "tanh"), normalization(), flatten(), dense(3)],
        (2, 6, 7),
        SOFTMAX,
        4,
    ),
    Case(
        "normalization of a signal's channels",
        [normalization(axis=0), global_maxpool1d(), dense(3)],
        (3, 21),
        SQUARES,
        9,
    ),
    Case(
        "normalization of an image's columns",
        [normalization(axis=-1), conv2d(2, 2), flatten(), dense(3)],
        (2, 4, 5),
        SOFTMAX,
        3,
    ),
    Case(
        "normalization rank 4",
        [normalization(), flatten(), dense(3)],
        (2, 2, 3, 2),
        SOFTMAX,
        3,
    ),
]

DROPOUT = [
    Case(
        "dropout",
        [dense(33, "tanh"), dropout(0.5), dense(17), dropout(0.2), dense(3)],
        (6,),
        SOFTMAX,
        7,
    ),
    Case("dropout 0", [dense(8), dropout(0.0), dense(3)], (6,), SOFTMAX, 4),
    Case("dropout first", [dropout(0.3), dense(3)], (9,), SOFTMAX, 5),
    Case(
        "dropout image",
        [conv2d(3, 3), dropout(0.4), flatten(), dense(3)],
        (1, 6, 6),
        SOFTMAX,
        4,
    ),
]


def _attended(name, shape, heads=1, rows=3, **more):
    layers = [position("zero"), self_attention(heads, **more), mean_pool(), dense(3)]
    return Case(name, layers, shape, SOFTMAX, rows)


TOKENS = [
    Case("patch_embed", [patch_embed(4, 6), mean_pool(), dense(3)], (1, 8, 12), SOFTMAX, 3),
    Case(
        "patch_embed channels",
        [conv2d(2, 1), patch_embed(3, 5), flatten()],
        (3, 6, 9),
        SQUARES,
        2,
    ),
    Case("patch_embed rank 2", [patch_embed(2, 3), flatten()], (4, 6), SQUARES, 3),
    Case("patch_embed pixels", [patch_embed(1, 2), mean_pool()], (2, 2, 3), SQUARES, 2),
    Case("patch_embed whole image", [patch_embed(5, 7), flatten()], (1, 5, 5), SQUARES, 1),
    Case(
        "position",
        [dense(5), position(), activation("tanh"), flatten()],
        (4, 3),
        SQUARES,
        3,
    ),
    Case("position first", [position("xavier"), mean_pool(), dense(2)], (4, 3), SOFTMAX, 3),
    Case(
        "position not trained",
        [dense(5), position(trainable=False), activation("tanh"), mean_pool()],
        (4, 3),
        SQUARES,
        3,
    ),
    _attended("attention", (5, 7)),
    _attended("attention one token", (1, 4)),
    _attended("attention one wide", (6, 1), rows=2),
    _attended("attention 49 tokens", (49, 6), rows=2),
    _attended("attention two heads", (7, 10), 2),
    _attended("attention four heads", (9, 20), 4, rows=1),
    _attended("attention as many heads as columns", (3, 5), 5),
    _attended("attention out_proj", (4, 6), out_proj=True),
    _attended("attention residual", (4, 6), residual=True),
    _attended("attention all options", (17, 24), 3, out_proj=True, residual=True),
    Case(
        "attention over attention",
        [
            self_attention(2, residual=True),
            self_attention(out_proj=True),
            self_attention(),
            flatten(),
        ],
        (3, 4),
        SQUARES,
        2,
    ),
]

TOKENS += [
    _attended("causal attention", (5, 7), causal=True),
    _attended("causal attention one token", (1, 4), causal=True),
    _attended("causal attention all options", (17, 24), 3, 2, causal=True, out_proj=True),
    _attended("attention of many tokens", (100, 4), 2, 2),
    _attended("attention whose weights are computed again", (100, 5), 5, 2),
    Case(
        "wide dense layers over tokens, by rows and by columns",
        [dense(190, "gelu"), dense(530, "tanh"), mean_pool(), dense(3)],
        (3, 190),
        SOFTMAX,
        3,
    ),
    _attended("causal attention of many tokens", (100, 5), 5, 2, causal=True),
    Case(
        "masked causal attention of many tokens",
        [
            *(masking(), self_attention(5, causal=True, out_proj=True, residual=True)),
            *(mean_pool(), dense(3)),
        ],
        (100, 5),
        SOFTMAX,
        3,
    ),
    Case(
        "causal attention over patches",
        [
            *(patch_embed(2, 8), position(), activation("relu")),
            *(self_attention(causal=True), dense(9, "relu"), flatten()),
        ],
        (1, 6, 8),
        SQUARES,
        3,
    ),
    Case("masked mean", [masking(), mean_pool(), dense(2)], (5, 3), SQUARES, 4),
    Case(
        "masked mean of a value", [masking(-1.5), dense(4), mean_pool()], (6, 3), SQUARES, 5
    ),
    Case(
        "masked attention",
        [
            *(masking(), dense(6, "tanh"), position(), layernorm(), self_attention(2)),
            *(dense(5, "gelu"), self_attention(residual=True, out_proj=True), mean_pool()),
        ],
        (7, 4),
        SQUARES,
        6,
    ),
    Case(
        "masked causal attention",
        [masking(), self_attention(3, causal=True), mean_pool(), dense(3)],
        (17, 6),
        SOFTMAX,
        9,
    ),
    Case(
        "a mask ends where tokens do",
        [masking(), dense(4), patch_embed(2, 5), self_attention(), mean_pool()],
        (6, 3),
        SQUARES,
        4,
    ),
    Case("a mask ends in a row", [masking(), flatten(), dense(3)], (4, 3), SOFTMAX, 4),
]

ALL, BACK = {"return_sequences": True}, {"reverse": True}

RECURRENT = [
    *(
        case
        for one in (simple_rnn, gru, lstm)
        for case in (
            Case(f"{one(1)['type']} last step", [one(7), dense(3)], (5, 4), SOFTMAX, 11),
            Case(
                f"{one(1)['type']} all steps, both ways",
                [concat([one(19, **ALL)], [one(3, **ALL, **BACK)], axis=1), mean_pool()],
                (6, 3),
                SQUARES,
                4,
            ),
            Case(
                f"masked {one(1)['type']}",
                [masking(), one(5, **ALL), one(4, **BACK), dense(2)],
                (7, 3),
                SQUARES,
                9,
            ),
        )
    ),
    Case("one step of one unit", [lstm(1)], (1, 1), SQUARES, 1),
    Case("truncated", [gru(6, truncate=2, **ALL), lstm(5, truncate=3)], (8, 3), SQUARES, 5),
    Case("many steps", [dense(4, "tanh"), gru(33, **ALL), lstm(20)], (40, 2), SQUARES, 17),
]

EMBEDDINGS = [
    Case("embedding", [embedding(7, 5), flatten(), dense(3)], (4,), SOFTMAX, 9),
    Case("embedding first and last", [embedding(3, 2), mean_pool()], (6,), SQUARES, 5),
    Case("embedding of one row", [embedding(1, 1), flatten()], (1,), SQUARES, 2),
    Case("wide embedding", [embedding(20, 150), mean_pool()], (3,), SQUARES, 30),
    Case("embedding under a gru", [embedding(40, 6), gru(5), dense(3)], (7,), SOFTMAX, 12),
    Case(
        "embeddings in branches",
        [concat([embedding(5, 3), mean_pool()], [embedding(9, 4), mean_pool()], [])],
        (3,),
        SQUARES,
        8,
    ),
    Case("columns", [dense(9, "tanh"), columns(2, 5), dense(3)], (4,), SOFTMAX, 9),
    Case(
        "columns first and last", [columns(1, 3), dense(4), columns(1, 2)], (5,), SQUARES, 7
    ),
    Case(
        "all columns of tokens", [dense(4), columns(0, 4), mean_pool()], (5, 3), SQUARES, 4
    ),
    Case(
        "columns of an image",
        [conv2d(3, 3), columns(1, 2), conv2d(2, 1), columns(0, 1), flatten()],
        (2, 6, 7),
        SQUARES,
        6,
    ),
    Case(
        "columns of padded tokens",
        [masking(), columns(1, 2), self_attention(), mean_pool()],
        (6, 3),
        SQUARES,
        5,
    ),
    Case(
        "a table of categories and numbers",
        [
            concat(
                [columns(0, 2), embedding(7, 3), flatten()],
                [columns(2, 1), columns(0, 1), embedding(5, 4), flatten()],
                [columns(3, 4), normalization()],
            ),
            dense(9, "relu"),
            dense(2),
        ],
        (7,),
        SOFTMAX,
        19,
    ),
    Case(
        "embedding of reshaped indices",
        [reshape((6,)), embedding(5, 3), mean_pool(), dense(2)],
        (2, 3),
        SQUARES,
        8,
    ),
]

MODELS = [
    Case(
        "cnn",
        [conv2d(8, 3, "relu", padding=1), maxpool2d(), flatten(), dense(10)],
        (1, 12, 12),
        SOFTMAX,
        6,
    ),
    Case(
        "deep cnn",
        [
            conv2d(4, 3, padding=1),
            batchnorm(),
            activation("relu"),
            maxpool2d(),
            dropout(0.2),
            conv2d(6, 3, "leaky_relu"),
            avgpool2d(),
            flatten(),
            dense(12, "gelu_exact"),
            dropout(0.5),
            dense(5),
        ],
        (2, 12, 12),
        SOFTMAX,
        6,
    ),
    Case(
        "attention model",
        [
            patch_embed(4, 12),
            position(),
            activation("relu"),
            self_attention(),
            dense(20, "relu"),
            dense(12),
            mean_pool(),
            dense(10),
        ],
        (1, 12, 12),
        SOFTMAX,
        5,
    ),
    Case(
        "transformer",
        [
            patch_embed(2, 8),
            position(),
            layernorm(),
            self_attention(2, out_proj=True, residual=True),
            layernorm(),
            dense(16, "gelu"),
            dropout(0.1),
            dense(8),
            mean_pool(),
            dense(4),
        ],
        (6, 6),
        SOFTMAX,
        5,
    ),
]


def _pool_model(
    name, filters, kernel, shape, rows, padding=1, first="relu", units=10, **more
):
    """A convolution under a 2 x 2 max pool, which are one stage of the plan.

    With eight filters and few units the dense layer is in it.
    """
    conv = conv2d(filters, kernel, first, padding=padding, **more)
    layers = [conv, maxpool2d(), flatten()]
    return Case(name, [*layers, dense(units)], shape, SOFTMAX, rows, blank=True)


def _patch_model(name, shape, rows, patch=2, heads=1, above=None):
    """Patches up to attention, which are one step, with some layers above."""
    layers = [patch_embed(patch, 12), position("xavier"), activation("relu")]
    layers += [self_attention(heads), above or dense(20, "relu")]
    if above is None:
        layers += [dense(12), mean_pool()]
    elif above["type"] == "dense":
        layers += [flatten()]
    return Case(name, [*layers, dense(10)], shape, SOFTMAX, rows, blank=True)


BLANKS = [
    Case("blank dense", [dense(150, "relu"), dense(10)], (90,), SOFTMAX, 20, blank=True),
    Case("blank wide dense", [dense(600, "relu")], (70,), SQUARES, 70, blank=True),
    Case("blank dense, few units", [dense(10)], (300,), SOFTMAX, 20, blank=True),
    Case("blank dense, tanh", [dense(130, "tanh"), dense(4)], (301,), SOFTMAX, 9, True),
    Case("blank dense, 300 rows", [dense(35, "relu"), dense(3)], (40,), SOFTMAX, 300, True),
    _pool_model("blank windows", 8, 3, (1, 28, 28), 9),
    _pool_model("window blocks, many rows", 8, 3, (1, 12, 10), 70),
    _pool_model("window blocks, one row", 8, 3, (1, 10, 10), 1, padding=2),
    _pool_model("window blocks, linear", 8, 3, (1, 9, 11), 20, 0, "linear", units=3),
    _pool_model("window blocks, kernel 2", 8, 2, (1, 13, 12), 5, units=16),
    _pool_model("window blocks, kernel 5", 8, 5, (1, 12, 16), 17, padding=2, units=7),
    Case(
        "window blocks over a layer with weights",
        [
            conv2d(1, 3, padding=1),
            conv2d(8, 3, "relu", padding=1),
            maxpool2d(),
            flatten(),
            dense(10),
        ],
        (1, 12, 10),
        SOFTMAX,
        9,
        blank=True,
    ),
    _pool_model("eight filters, many units", 8, 3, (1, 10, 12), 5, units=17),
    _pool_model("blank windows, odd", 5, 3, (1, 11, 9), 20, padding=0),
    _pool_model("blank windows, kernel 5", 3, 5, (1, 12, 16), 4, padding=2),
    _pool_model("blank windows, linear", 2, 2, (1, 8, 10), 4, 1, "linear"),
    _pool_model("blank windows, as wide as can be", 1, 3, (1, 6, 62), 3),
    _pool_model("wide image", 3, 3, (1, 6, 66), 3),
    _pool_model("three channels", 7, 3, (3, 10, 12), 17),
    _pool_model("blank windows, same", 8, 3, (1, 12, 10), 9, padding="same"),
    _pool_model("blank windows of 3 x 1", 8, (3, 1), (1, 12, 10), 9, padding=(1, 0)),
    _pool_model("blank windows of 2 x 3", 4, (2, 3), (1, 12, 10), 5, padding=(1, 1)),
    _pool_model("blank windows, one side", 8, 3, (1, 12, 10), 5, padding=(0, 2, 2, 0)),
    _pool_model("blank windows, two sides", 8, 3, (1, 12, 11), 5, padding=(1, 2)),
    _pool_model("blank windows with gaps", 8, 3, (1, 12, 10), 5, dilation=2),
    _pool_model("blank windows, rows with gaps", 5, 3, (1, 12, 10), 5, dilation=(1, 2)),
    _pool_model("three groups under a pool", 6, 3, (3, 10, 12), 5, groups=3),
    _pool_model("pooled rectangle, four channels", 6, (3, 2), (4, 9, 10), 5, padding=1),
    _pool_model("sixteen channels", 33, 3, (16, 9, 14), 3),
    _pool_model("five channels, kernel 5", 4, 5, (5, 13, 8), 3, padding=2),
    Case(
        "blank rows, no pool",
        [conv2d(9, 3, "relu", padding=1), conv2d(6, 3, "silu"), flatten(), dense(3)],
        (1, 14, 18),
        SOFTMAX,
        5,
        blank=True,
    ),
    Case(
        "two pooled convolutions",
        [
            conv2d(6, 3, "relu", padding=1),
            maxpool2d(),
            conv2d(18, 3, "relu", padding=1),
            maxpool2d(),
            flatten(),
            dense(40, "relu"),
            dense(10),
        ],
        (1, 16, 20),
        SOFTMAX,
        11,
        blank=True,
    ),
    _patch_model("many patches", (1, 20, 20), 2),
    _patch_model("many patches, heads", (1, 20, 20), 2, heads=3, above=flatten()),
    _patch_model("blank patches, 1 heads", (1, 12, 10), 19),
    _patch_model("blank patches, 3 heads", (2, 12, 10), 3, heads=3),
    _patch_model("blank patches, sigmoid", (1, 12, 10), 5, above=dense(20, "sigmoid")),
    _patch_model("blank patches, gelu", (1, 12, 10), 5, above=dense(20, "gelu")),
    _patch_model("blank patches under a linear layer", (1, 12, 10), 3, above=dense(7)),
    _patch_model("blank patches, no layer above", (1, 12, 10), 3, above=flatten()),
    _patch_model("blank patches, few tokens", (1, 4, 4), 3, above=dense(60, "relu")),
    _patch_model("large patches", (2, 30, 18), 3, patch=6),
    _patch_model("large patches, 3 heads", (2, 30, 18), 3, patch=6, heads=3),
]

_BRANCHES = [conv2d(3, 3, "relu", padding=1), conv2d(4, 1)]

BLOCKS = [
    Case("residual", [residual(dense(7, "tanh")), dense(3)], (7,), SOFTMAX, 9),
    Case("residual on the inputs", [residual(dense(130, "relu"))], (130,), SQUARES, 70),
    Case(
        "residual of two",
        [conv2d(4, 3, "relu"), residual(*_BRANCHES), flatten(), dense(3)],
        (2, 7, 6),
        SOFTMAX,
        9,
    ),
    Case(
        "projection",
        [
            residual(conv2d(5, 3, stride=2, padding=1), skip=[conv2d(5, 1, stride=2)]),
            flatten(),
        ],
        (2, 7, 6),
        SOFTMAX,
        20,
    ),
    Case(
        "residual in residual",
        [
            residual(dense(6), residual(layernorm(), dense(6, "relu")), dropout(0.3)),
            mean_pool(),
        ],
        (5, 6),
        SQUARES,
        11,
    ),
    Case(
        "residual over columns",
        [dense(260, "relu"), residual(dense(300, "tanh"), dense(260)), dense(3)],
        (130,),
        SOFTMAX,
        40,
    ),
    Case(
        "concat of images",
        [concat(_BRANCHES, [], [avgpool2d(3, stride=1, padding=1)]), global_avgpool2d()],
        (2, 5, 6),
        SQUARES,
        9,
    ),
    Case(
        "concat of tokens",
        [concat([dense(3)], [dense(5, "relu")]), flatten()],
        (4, 2),
        SQUARES,
        9,
    ),
    Case(
        "concat along tokens",
        [concat([], [dense(2)], axis=0), flatten()],
        (4, 2),
        SQUARES,
        9,
    ),
    Case("concat with the inputs", [concat([], [dense(5, "silu")])], (3,), SQUARES, 17),
    Case(
        "flatten in a branch",
        [conv2d(2, 3), concat([flatten(), dense(3)], [flatten()]), dense(2)],
        (1, 5, 5),
        SQUARES,
        9,
    ),
    Case(
        "fused layers in a branch",
        [
            concat([conv2d(8, 3, "relu"), maxpool2d()], [conv2d(3, 3), maxpool2d()]),
            flatten(),
        ],
        (1, 9, 11),
        SQUARES,
        9,
        blank=True,
    ),
    Case(
        "attention in residual",
        [patch_embed(2, 6), residual(self_attention(2)), mean_pool(), dense(3)],
        (1, 6, 4),
        SOFTMAX,
        9,
    ),
    Case(
        "transformer block",
        [
            residual(layernorm(), self_attention(2, out_proj=True)),
            residual(layernorm(), dense(9, "gelu"), dense(6)),
            mean_pool(),
        ],
        (5, 6),
        SOFTMAX,
        9,
    ),
]
LAYERS = (
    CONV
    + PIXELS
    + SIGNALS
    + POOLS
    + SHAPES_AND_FUNCTIONS
    + NORMS
    + DROPOUT
    + TOKENS
    + MODELS
    + RECURRENT
    + EMBEDDINGS
)
LAYERS += BLANKS
LAYERS += BLOCKS
CASES = DENSE + LAYERS
# Those without blocks.
PLAIN = [case for case in CASES if not {*MARKS} & {la["type"] for la in case.layers}]


def has_padded_states(case):
    """Whether a recurrent layer is above a masking layer."""
    types = {layer["type"] for layer in case.layers}
    return "masking" in types and bool(types & {"simple_rnn", "gru", "lstm"})


def layer_arrays(case):
    """For each layer: the shapes of its output, parameters and state."""
    return twins.layer_arrays(case.layers, case.input_shape)


def _draw(rng, layer_type, name, shape):
    if name == "variance":  # the second feature is constant
        return rng.uniform(0.5, 1.5, shape) * (np.arange(shape[0]) != 1)
    if name == "count":
        return np.ones(shape)
    if name == "running_var" or (name == "weight" and layer_type.endswith("norm")):
        return rng.uniform(0.5, 1.5, shape)
    if name.endswith("weight"):
        fan_in = math.prod(shape[1:]) if layer_type.startswith("conv") else shape[0]
        scale = np.sqrt(3 / fan_in)
        return rng.uniform(-scale, scale, shape)
    return rng.uniform(-0.5, 0.5, shape)


def _spots(rng, shape):
    """1 where an input is kept: not in the first row, spots in the middle of others."""
    kept = np.zeros(shape)
    middle = tuple(slice(extent // 4, extent - extent // 4) for extent in shape[-2:])
    kept[(..., *middle)] = rng.random(kept[(..., *middle)].shape) < 0.6
    kept[0] = 0
    return kept


def pad_tokens(x, layers, rng):
    """In place: padding for a first masking layer, all of the first row's tokens and some
    of the others'."""
    if layers[0]["type"] == "masking":
        is_padding = rng.random(x.shape[:2]) < 0.4
        is_padding[0] = True
        x[is_padding] = layers[0].get("value", 0.0)


def index_rows(layers):
    """How many indices all embedding layers have a row for; 0 where there are no such layers."""
    rows = (la["num_embeddings"] for la in layers if la["type"] == "embedding")
    return min(rows, default=0)


def arrays(case, seed=0):
    """Inputs away from zero, or mostly blank, targets and parameters of a case: float64."""
    rng = np.random.default_rng([seed, len(case.name), case.inputs, case.rows])
    sample = (case.rows, *case.input_shape)
    x = rng.uniform(0.1, 1, sample) * rng.choice([-1, 1], sample)
    if case.blank:
        x *= _spots(rng, sample)
    pad_tokens(x, case.layers, rng)
    if index_rows(case.layers):
        x = rng.integers(0, index_rows(case.layers), sample).astype(float)
    shapes = layer_arrays(case)
    outputs = shapes[-1][0][0]
    y = LOSSES[case.loss].targets(rng, case.rows, outputs)
    params = []
    for layer, (_, trained, state) in zip(case.layers, shapes, strict=True):
        drawn = twins.Params()
        for shape_of, into in ((trained, drawn), (state, drawn.state)):
            for name, shape in shape_of.items():
                into[name] = _draw(rng, layer["type"], name, shape)
        params.append(drawn)
    return x, y, params


def native(case, params, optimizer=None):
    """A native net with the twin's parameters and state."""
    net = _core.Net(case.layers, case.input_shape, case.loss, optimizer)
    net.weights[:] = twins.flatten_all(params)
    return net


def native_arrays(case, x, y):
    """Inputs and targets as the core expects them: one row per sample."""
    x32 = np.ascontiguousarray(x, np.float32).reshape(len(x), -1)
    return x32, np.ascontiguousarray(y, np.int32 if case.loss == SOFTMAX else np.float32)


def relative(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)
