"""The nets of shapes.py: members of each kind of net that people train on a CPU.

Row counts are chosen for an epoch of ours to take a few tenths of a second on two cores.
"""

from collections.abc import Sequence
from typing import Any

import rnn_native as rn
from rnn_native import models
from workloads import ADAM, Goal, Workload, residual

Layers = Sequence[Any]

SGD = {"type": "sgd"}
MOMENTUM = {"type": "sgd", "momentum": 0.9}
ADAMW = {**ADAM, "type": "adamw", "weight_decay": 0.01}

MANY = (1, 64, 10_000)  # rows of the calls that predict

GOALS = {
    "narrow": Goal(1.3, 25),
    "dense": Goal(1.3, 2),
    "dense with norms": Goal(2.5, 4),
    "convolutions": Goal(1.3, 2),
    "LeNet-like": Goal(2.5, 4),
    "convolutions with batchnorm": Goal(2, 3),
    "blocks": Goal(1.3, 2),
    "signals": Goal(2.5, 4),
    "attention": Goal(2.2, 3.5),
    "reference": Goal(3.5, 4.5),
    "one row": Goal(2.5, 4),
}
PREDICTING = Goal(1.5, 2.5)  # with the nets that are trained
WIDE_ROW = Goal(1.1)  # a row through weights that fill the caches
"""Each kind's goal: times the best peer's time must and should be ours."""


def mlp(sizes: Sequence[int], activation: str = "relu", *between: Any) -> Layers:
    """Return dense layers of these sizes, with what comes after each but the last."""
    *hidden, last = sizes
    if between:  # the function comes after a norm
        function = rn.Activation(activation)
        return [*([[rn.Dense(n), *between, function] for n in hidden]), rn.Dense(last)]
    return [*(rn.Dense(n, activation) for n in hidden), rn.Dense(last)]


def conv(filters: int, kernel: Any = 3, activation: str = "relu", **options: Any) -> Any:
    options = {"padding": kernel // 2 if isinstance(kernel, int) else 0, **options}
    return rn.Conv2D(filters, kernel, activation=activation, **options)


def conv_bn(filters: int, kernel: int = 3, function: str = "relu", **options: Any) -> Any:
    return [
        conv(filters, kernel, "linear", **options),
        rn.BatchNorm(),
        rn.Activation(function),
    ]


def conv1d(filters: int, kernel: int, **options: Any) -> Any:
    options = {"padding": kernel // 2, "activation": "relu", **options}
    return rn.Conv1D(filters, kernel, **options)


def separable(channels: int, filters: int, stride: int = 1) -> Any:
    """Return a depthwise convolution and one of 1 x 1, as MobileNet has them."""
    return [
        conv_bn(channels, 3, "silu", stride=stride, groups=channels),
        conv_bn(filters, 1, "silu"),
    ]


def wide_residual(units: int, function: str) -> Any:
    return rn.Residual([rn.LayerNorm(), rn.Dense(units, function), rn.Dense(units)])


def attention_of(heads: int, *norm: Any, causal: bool = False) -> Any:
    return rn.Residual([*norm, rn.SelfAttention(heads, out_proj=True, causal=causal)])


def branched(filters: int) -> Any:
    """Return convolutions of 1, 3 and 5 and a pool side by side, as Inception has them."""
    return rn.Concat(
        [conv(filters, 1)],
        [conv(filters, 1), conv(filters, 3)],
        [conv(filters // 2, 1), conv(filters, 5)],
        [rn.MaxPool2D(3, 1, padding=1), conv(filters, 1)],
    )


def net(
    kind: str,
    title: str,
    layers: Layers,
    input_shape: tuple[int, ...],
    rows: int,
    batch_size: int,
    optimizer: dict[str, Any] = ADAM,
    **options: Any,
) -> Workload:
    return Workload(
        **{
            "title": title,
            "layers": list(layers),
            "input_shape": input_shape,
            "goal": GOALS[kind],
            "data": "normal",
            "batch_size": batch_size,
            "lr": 0.01 if optimizer in (SGD, MOMENTUM) else 0.001,
            "optimizer": optimizer,
            "kind": kind,
            "rows": rows,
            **options,
        }
    )


def one_row(sizes: Sequence[int]) -> Workload:
    """Return a net that answers one row after another, as a policy or a filter does."""
    inputs, *units = sizes
    title = "-".join(map(str, sizes))
    goal = GOALS["one row"] if max(units) <= 512 else WIDE_ROW
    options = {"loss": "squared_error", "task": "predict", "threads": 1, "sizes": (1,)}
    return net("one row", title, mlp(units), (inputs,), 1_000, 1, SGD, goal=goal, **options)


VALUES = {"loss": "squared_error"}
MASKED = {"agree": 0.05}  # each draws other dropout masks: the means are compared
RGB = (3, 32, 32)

DENSE = {
    "regression-8": net(
        "narrow",
        "8-64-64-1, values, batch 32, Adam",
        mlp([64, 64, 1]),
        (8,),
        128_000,
        32,
        **VALUES,
        sizes=MANY,
    ),
    "row-by-row": net(
        "narrow", "784-128-10, batch 1, SGD", mlp([128, 10]), (784,), 10_000, 1, SGD
    ),
    "row-by-row-narrow": net(
        "narrow",
        "16-48-48-4, tanh, values, batch 1, SGD",
        mlp([48, 48, 4], "tanh"),
        (16,),
        40_000,
        1,
        SGD,
        **VALUES,
    ),
    "batch-8": net(
        "narrow",
        "20-32-3, sigmoid, batch 8, momentum",
        mlp([32, 3], "sigmoid"),
        (20,),
        200_000,
        8,
        MOMENTUM,
    ),
    "deep": net(
        "narrow",
        "32, eight layers of 64, tanh, batch 64, Adam",
        mlp([64] * 8 + [5], "tanh"),
        (32,),
        40_000,
        64,
        sizes=MANY,
    ),
    "wide-2048": net(
        "dense",
        "784-2048-2048-10, batch 128, momentum",
        mlp([2048, 2048, 10]),
        (784,),
        2_560,
        128,
        MOMENTUM,
        sizes=MANY,
    ),
    "gelu-4096": net(
        "dense",
        "100-512-512-2, gelu, batch 4096, Adam",
        mlp([512, 512, 2], "gelu"),
        (100,),
        32_768,
        4096,
        sizes=MANY,
    ),
    "autoencoder": net(
        "dense",
        "256-1024-256-64-256-256, elu, values, batch 512, AdamW",
        mlp([1024, 256, 64, 256, 256], "elu"),
        (256,),
        16_384,
        512,
        ADAMW,
        **VALUES,
    ),
    "dropout": net(
        "dense with norms",
        "784-256-128-10, dropout, batch 128, Adam",
        [
            rn.Dense(256, "relu"),
            rn.Dropout(0.3),
            rn.Dense(128, "relu"),
            rn.Dropout(0.3),
            rn.Dense(10),
        ],
        (784,),
        25_600,
        128,
        **MASKED,
        sizes=MANY,
    ),
    "batchnorm-dropout": net(
        "dense with norms",
        "50-256-256-128-10, batchnorm, dropout, batch 256, Adam",
        mlp([256, 256, 128, 10], "relu", rn.BatchNorm(), rn.Dropout(0.2)),
        (50,),
        51_200,
        256,
        **MASKED,
        sizes=MANY,
    ),
    "layernorm-silu": net(
        "dense with norms",
        "120-192-192-192-1, layernorm, silu, values, batch 100, AdamW",
        mlp([192, 192, 192, 1], "silu", rn.LayerNorm()),
        (120,),
        30_000,
        100,
        ADAMW,
        **VALUES,
        sizes=MANY,
    ),
    "rmsnorm-gelu": net(
        "dense with norms",
        "64-128-128-8, rmsnorm, exact gelu, batch 1024, momentum",
        mlp([128, 128, 8], "gelu_exact", rn.RMSNorm()),
        (64,),
        102_400,
        1024,
        MOMENTUM,
    ),
    "sparse-dropout": net(
        "dense with norms",
        "MNIST: 784-300-100-10, leaky ReLU, dropout, batch 128, Adam",
        [
            rn.Dense(300, "leaky_relu"),
            rn.Dropout(0.2),
            rn.Dense(100, "leaky_relu"),
            rn.Dense(10),
        ],
        (784,),
        38_400,
        128,
        data="mnist",
        **MASKED,
    ),
    "residual-mlp": net(
        "blocks",
        "48, four residual blocks of 128, softplus, batch 256, Adam",
        [rn.Dense(128), *([wide_residual(128, "softplus")] * 4), rn.Dense(6)],
        (48,),
        25_600,
        256,
    ),
}

IMAGES = {
    "vgg": net(
        "convolutions",
        "3 x 32 x 32: 3 x 3, 32-32-pool-64-64-pool-512, batch 64, Adam",
        [
            *(conv(32), conv(32), rn.MaxPool2D(2)),
            *(conv(64), conv(64), rn.MaxPool2D(2)),
            *(rn.Flatten(), rn.Dense(512, "relu"), rn.Dense(10)),
        ],
        RGB,
        1_280,
        64,
        sizes=(1, 64),
    ),
    "5x5": net(
        "convolutions",
        "1 x 28 x 28: 5 x 5, 32-pool-64-pool-1024, batch 50, Adam",
        [
            *(conv(32, 5), rn.MaxPool2D(2), conv(64, 5), rn.MaxPool2D(2)),
            *(rn.Flatten(), rn.Dense(1024, "relu"), rn.Dense(10)),
        ],
        (1, 28, 28),
        2_000,
        50,
        sizes=MANY,
    ),
    "keras-mnist": net(
        "convolutions",
        "MNIST: 3 x 3 unpadded, 32-64-pool-128, dropout, batch 128, Adam",
        [
            *(conv(32, padding=0), conv(64, padding=0), rn.MaxPool2D(2), rn.Dropout(0.25)),
            *(rn.Flatten(), rn.Dense(128, "relu"), rn.Dropout(0.5), rn.Dense(10)),
        ],
        models.IMAGE,
        1_920,
        128,
        data="mnist",
        **MASKED,
    ),
    "1x1": net(
        "convolutions",
        "64 x 14 x 14: 1 x 1, 64-96-96, global average, batch 32, AdamW",
        [conv(64, 1), conv(96, 1), conv(96, 1), rn.GlobalAvgPool2D(), rn.Dense(10)],
        (64, 14, 14),
        3_200,
        32,
        ADAMW,
    ),
    "grouped": net(
        "convolutions",
        "16 x 16 x 16: 3 x 3 in 4 groups, 32-64, leaky ReLU, batch 32, AdamW",
        [
            conv(32, 3, "leaky_relu", groups=4),
            conv(32, 3, "leaky_relu", groups=4),
            *(rn.AvgPool2D(2), conv(64, 3, "leaky_relu", groups=4)),
            *(rn.GlobalMaxPool2D(), rn.Dense(20)),
        ],
        (16, 16, 16),
        3_200,
        32,
        ADAMW,
    ),
    "atari": net(
        "convolutions",
        "4 x 42 x 42: 6 x 6 stride 3, 4 x 4 stride 2, 16-32-256, values, batch 32, Adam",
        [
            *(conv(16, 6, stride=3, padding=0), conv(32, 4, stride=2, padding=0)),
            *(rn.Flatten(), rn.Dense(256, "relu"), rn.Dense(6)),
        ],
        (4, 42, 42),
        6_400,
        32,
        **VALUES,
        sizes=MANY,
    ),
    "7x7": net(
        "LeNet-like",
        "1 x 64 x 64: 7 x 7, 8, pool 4, batch 16, SGD",
        [conv(8, 7), rn.MaxPool2D(4), rn.Flatten(), rn.Dense(10)],
        (1, 64, 64),
        3_200,
        16,
        SGD,
        sizes=(1, 64),
    ),
    "lenet": net(
        "LeNet-like",
        "LeNet-5: 5 x 5, 6-16-120-84, tanh, average pools, batch 64, SGD",
        [
            *(conv(6, 5, "tanh"), rn.AvgPool2D(2)),
            *(conv(16, 5, "tanh", padding=0), rn.AvgPool2D(2)),
            *(rn.Flatten(), *mlp([120, 84, 10], "tanh")),
        ],
        (1, 28, 28),
        12_800,
        64,
        SGD,
        sizes=MANY,
    ),
    "pool-3": net(
        "LeNet-like",
        "3 x 48 x 48: 7 x 7 stride 2, pool 3 stride 2, 24-48, batch 16, momentum",
        [
            *(conv(24, 7, stride=2), rn.MaxPool2D(3, 2, padding=1)),
            *(conv(48, 3), rn.MaxPool2D(3), rn.Flatten(), rn.Dense(10)),
        ],
        (3, 48, 48),
        3_200,
        16,
        MOMENTUM,
    ),
    "strided": net(
        "convolutions with batchnorm",
        "1 x 28 x 28: 3 x 3 stride 2, 16-32, batch 64, Adam",
        [*(conv_bn(16, stride=2), conv_bn(32, stride=2)), rn.Flatten(), rn.Dense(10)],
        (1, 28, 28),
        12_800,
        64,
        sizes=MANY,
    ),
    "batchnorm-3x3": net(
        "convolutions with batchnorm",
        "1 x 28 x 28: 3 x 3, 16-pool-32-pool-64, batch 64, momentum",
        [
            *(conv_bn(16), rn.MaxPool2D(2), conv_bn(32), rn.MaxPool2D(2)),
            *(conv_bn(64), rn.GlobalAvgPool2D(), rn.Dense(10)),
        ],
        (1, 28, 28),
        3_840,
        64,
        MOMENTUM,
        sizes=MANY,
    ),
    "batchnorm-5x5": net(
        "convolutions with batchnorm",
        "3 x 24 x 24: 5 x 5, 32-pool-64, elu, batch 32, AdamW",
        [
            *(conv_bn(32, 5, "elu"), rn.MaxPool2D(2), conv_bn(64, 5, "elu")),
            *(rn.AvgPool2D(3), rn.Flatten(), rn.Dense(10)),
        ],
        (3, 24, 24),
        1_600,
        32,
        ADAMW,
    ),
    "separable": net(
        "convolutions with batchnorm",
        "3 x 32 x 32: depthwise and 1 x 1, 16-32-64, silu, batch 32, Adam",
        [
            *(conv_bn(16, 3, "silu", stride=2), separable(16, 32), separable(32, 64, 2)),
            *(rn.GlobalAvgPool2D(), rn.Dense(10)),
        ],
        RGB,
        3_200,
        32,
    ),
    "residual-cnn": net(
        "blocks",
        "3 x 32 x 32: residual blocks of 16 and 32, batchnorm, batch 64, momentum",
        [
            *(conv_bn(16), residual(16), conv_bn(32, stride=2), residual(32)),
            *(rn.GlobalAvgPool2D(), rn.Dense(10)),
        ],
        RGB,
        1_280,
        64,
        MOMENTUM,
    ),
    "inception": net(
        "blocks",
        "8 x 16 x 16: branches of 1, 3, 5 and a pool, 16 each, batch 32, Adam",
        [branched(16), rn.MaxPool2D(2), branched(16), rn.GlobalAvgPool2D(), rn.Dense(10)],
        (8, 16, 16),
        1_920,
        32,
    ),
}

SIGNALS = {
    "signals-9": net(
        "signals",
        "9 x 128: 5, 32-pool-64, batch 64, Adam",
        [
            *(conv1d(32, 5), rn.MaxPool1D(2), conv1d(64, 5)),
            *(rn.Flatten(), rn.Dense(6)),
        ],
        (9, 128),
        3_840,
        64,
        sizes=MANY,
    ),
    "ecg": net(
        "signals",
        "1 x 256: 7 stride 2, 16-32-64, batchnorm, global average, batch 16, Adam",
        [
            [
                conv1d(n, 7, stride=2, activation="linear"),
                rn.BatchNorm(),
                rn.Activation("relu"),
            ]
            for n in (16, 32, 64)
        ]
        + [rn.GlobalAvgPool1D(), rn.Dense(5)],
        (1, 256),
        4_800,
        16,
    ),
    "dilated": net(
        "signals",
        "16 x 200: 3 with gaps of 1, 2, 4, 24 channels, average pool 4, batch 32, SGD",
        [
            *(conv1d(24, 3, padding=gap, dilation=gap) for gap in (1, 2, 4)),
            *(rn.AvgPool1D(4), rn.Flatten(), rn.Dense(4)),
        ],
        (16, 200),
        3_200,
        32,
        SGD,
    ),
}

TOKENS = {
    "vit": net(
        "attention",
        "1 x 28 x 28: 49 tokens of 64, 4 heads, layernorm, gelu, batch 64, Adam",
        [
            *(rn.PatchEmbed(4, 64), rn.Position(), rn.TransformerBlock(4, 128)),
            *(rn.LayerNorm(), rn.MeanPool(), rn.Dense(10)),
        ],
        (1, 28, 28),
        2_560,
        64,
        sizes=(1, 64),
    ),
    "tokens-16": net(
        "attention",
        "16 tokens of 32, one head, residual, relu, batch 256, SGD",
        [
            *(attention_of(1), rn.Dense(64, "relu"), rn.Dense(32)),
            *(rn.MeanPool(), rn.Dense(8)),
        ],
        (16, 32),
        15_360,
        256,
        SGD,
    ),
    "tokens-100": net(
        "attention",
        "100 tokens of 48, 2 heads, rmsnorm, silu, batch 32, AdamW",
        [
            *(rn.Position(), attention_of(2, rn.RMSNorm())),
            rn.Residual([rn.RMSNorm(), rn.Dense(96, "silu"), rn.Dense(48)]),
            *(rn.MeanPool(), rn.Dense(4)),
        ],
        (100, 48),
        1_600,
        32,
        ADAMW,
        sizes=(1, 64),
    ),
    "tokens-256": net(
        "attention",
        "256 tokens of 64, 8 heads, two blocks, batch 8, AdamW",
        [
            *(rn.Position(), rn.TransformerBlock(8, 128), rn.TransformerBlock(8, 128)),
            *(rn.LayerNorm(), rn.MeanPool(), rn.Dense(10)),
        ],
        (256, 64),
        192,
        8,
        ADAMW,
    ),
    "causal": net(
        "attention",
        "64 tokens of 128, 4 heads, causal, norms after sums, dropout, batch 16, Adam",
        [
            *(rn.TransformerBlock(4, 256, norm="post", causal=True, dropout=0.1),),
            *(rn.MeanPool(), rn.Dense(12)),
        ],
        (64, 128),
        640,
        16,
        **MASKED,
    ),
}

REFERENCE = {
    "reference-mlp": net(
        "reference",
        "MNIST: 784-512-10, batch 64, SGD",
        models.MLP_LAYERS,
        (784,),
        54_000,
        64,
        SGD,
        data="mnist",
        sizes=MANY,
    ),
    "reference-cnn": net(
        "reference",
        "MNIST: CNN of 8 filters, batch 32, SGD",
        models.CNN_LAYERS,
        models.IMAGE,
        27_000,
        32,
        SGD,
        data="mnist",
        goal=Goal(17, 20),
        sizes=MANY,
    ),
    "reference-attention": net(
        "reference",
        "MNIST: attention, 49 tokens of 64, batch 32, SGD",
        models.attention_layers(),
        models.IMAGE,
        6_400,
        32,
        SGD,
        data="mnist",
        goal=Goal(4, 5),
        sizes=(1, 64),
    ),
}

ONE_ROW = {
    f"one-{'-'.join(map(str, sizes))}": one_row(sizes)
    for sizes in [
        (4, 64, 64, 2),
        (40, 100, 100, 10),
        (17, 256, 256, 6),
        (784, 512, 10),
        (784, 2048, 2048, 10),
        (784, 4096, 4096, 10),
    ]
}

SHAPES = DENSE | IMAGES | SIGNALS | TOKENS | REFERENCE | ONE_ROW
