"""What is compared: each workload's model, training, data and goal, in one place."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

import rnn_native as rn
from rnn_native import models

TRAINING_ROWS = 54_000
SIGNALS = 7_000
DISTANCE = 4.0  # of two classes' points, in standard deviations
XOR_EPOCHS = 1_000_000


class Goal(NamedTuple):
    """How many times our time the best peer's should be."""

    must: float
    aim: float | None = None
    against: str = ""  # only peers whose names begin so


@dataclass(frozen=True)
class Workload:
    """A model and what is done with it.

    `task` is `train` (a round is an epoch), `xor` (a round is a training from the start) or
    `predict` (a round is many calls with one image).
    """

    title: str
    layers: list[rn.layers.AnyLayer]
    input_shape: tuple[int, ...]
    goal: Goal
    task: str = "train"
    data: str = "mnist"
    loss: str = "softmax_cross_entropy"
    batch_size: int = 64
    lr: float = 0.01
    optimizer: dict[str, Any] = field(default_factory=lambda: {"type": "sgd"})
    threads: int | None = None  # whatever the command line says
    kind: str = ""  # of net: a table of shapes.py
    rows: int = TRAINING_ROWS  # of an epoch
    sizes: tuple[int, ...] = ()  # rows of the calls whose time shapes.py takes
    # Losses of a first round further apart are another computation's. Later rounds drift: with
    # With Adam, rounding alone makes some per cent at the end.
    agree: float = 0.02

    @property
    def unit(self) -> str:
        """What the times are in."""
        return {
            "train": "seconds per epoch",
            "xor": f"seconds for {XOR_EPOCHS:,} epochs",
            "predict": "microseconds a call",
        }[self.task]

    @property
    def loss_factor(self) -> float:
        """What we report as the loss, beside that whose gradient is followed."""
        return 2.0 if self.loss == "squared_error" else 1.0

    def network(self) -> rn.Network:
        """Return our network with the initial weights that every peer begins with."""
        return rn.Network(
            self.layers, self.input_shape, self.loss, optimizer=self.optimizer
        )

    def load(self, rows: int) -> "Data":
        """Return rows to train on or to predict."""
        if self.data == "normal":
            return normal(self, rows)
        return load(self.data, rows)


class Data(NamedTuple):
    """Rows and their labels or values."""

    x: np.ndarray  # (n, inputs) uint8, or float32
    y: np.ndarray  # (n,) int32, or (n, outputs) float32

    @property
    def floats(self) -> np.ndarray:
        """Rows as float32 in [0, 1], what peers are given before the clock starts."""
        if self.x.dtype == np.uint8:
            return self.x.astype(np.float32) / np.float32(255)
        return self.x


def normal(workload: Workload, rows: int) -> Data:
    """Return normal numbers about a point for each class, or with a function of each row.

    There is something to learn, so that a peer that learns less has another loss.
    """
    rng = np.random.default_rng(0)
    inputs = math.prod(workload.input_shape)
    (outputs,) = workload.network().output_shape
    x = rng.standard_normal((rows, inputs), dtype=np.float32)
    if workload.loss == "softmax_cross_entropy":
        y = rng.integers(0, outputs, rows).astype(np.int32)
        points = rng.standard_normal((outputs, inputs), dtype=np.float32)
        x += points[y] * np.float32(DISTANCE / math.sqrt(2 * inputs))
        return Data(x, y)
    slopes = rng.standard_normal((inputs, outputs), dtype=np.float32)
    return Data(x, np.tanh(x @ slopes / np.float32(math.sqrt(inputs))))


def load(kind: str, rows: int = TRAINING_ROWS) -> Data:
    """Return the first `rows` rows.

    `mnist`: of its 54,000 first images; `noise`: of as many without a zero in them;
    `signals`: normal numbers, 9 x 128 in a row; `xor`: its four rows, whatever `rows` says.
    """
    if kind == "xor":
        return Data(models.XOR_X, models.XOR_Y)
    if kind == "signals":
        rng = np.random.default_rng(0)
        x = rng.normal(size=(min(rows, SIGNALS), 9 * 128)).astype(np.float32)
        return Data(x, rng.integers(0, 6, len(x)).astype(np.int32))
    if kind == "mnist":
        x, y = rn.datasets.load_mnist()[0]
        x = x.reshape(len(x), -1)[:TRAINING_ROWS]
    else:
        rng = np.random.default_rng(0)
        x = rng.integers(1, 256, (TRAINING_ROWS, 784)).astype(np.uint8)
        y = rng.integers(0, 10, TRAINING_ROWS)
    return Data(x[:rows], y[:rows].astype(np.int32))


ADAM = {"type": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}

GENERAL_CNN_LAYERS = [
    rn.Conv2D(16, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Conv2D(32, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Flatten(),
    rn.Dense(128, "relu"),
    rn.Dense(10),
]

SIGNAL_LAYERS = [
    rn.Conv1D(32, 5, padding=2, activation="relu"),
    rn.MaxPool1D(2),
    rn.Conv1D(64, 5, padding=2, activation="relu"),
    rn.Flatten(),
    rn.Dense(6),
]


def residual(filters: int) -> list[rn.layers.AnyLayer]:
    """Return a block of two convolutions with batch normalization, and the ReLU after it."""
    relu = rn.Activation("relu")
    conv = rn.Conv2D(filters, 3, padding=1)
    return [rn.Residual([conv, rn.BatchNorm(), relu, conv, rn.BatchNorm()]), relu]


RESNET_LAYERS = [
    rn.Conv2D(16, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    rn.Conv2D(32, 3, padding=1, activation="relu"),
    rn.MaxPool2D(2),
    residual(64),
    rn.Flatten(),
    rn.Dense(10),
]
TRANSFORMER_LAYERS = [
    rn.PatchEmbed(4, 64),
    rn.Position(),
    rn.TransformerBlock(4, 128),
    rn.TransformerBlock(4, 128),
    rn.LayerNorm(),
    rn.MeanPool(),
    rn.Dense(10),
]

MLP = Workload(
    title="MLP 784-512-10, batch 64, SGD",
    layers=models.MLP_LAYERS,
    input_shape=(784,),
    goal=Goal(3.5, 5),
)
CNN = Workload(
    title="CNN, 8 filters, batch 32, SGD",
    layers=models.CNN_LAYERS,
    input_shape=models.IMAGE,
    goal=Goal(15, 25),
    batch_size=32,
)

GENERAL_CNN = Workload(
    title="CNN, 16 and 32 filters, dense 128, batch 64, Adam",
    layers=GENERAL_CNN_LAYERS,
    input_shape=models.IMAGE,
    goal=Goal(2.5, 4),
    lr=0.001,
    optimizer=ADAM,
)

WORKLOADS = {
    "mlp": MLP,
    "mlp-noise": replace(
        MLP,
        title=f"{MLP.title}, pixels at random without zeros",
        data="noise",
        goal=Goal(1.5, 2),
    ),
    "cnn": CNN,
    "attention": Workload(
        title="Attention, 49 tokens of 64, batch 32, SGD",
        layers=models.attention_layers(),
        input_shape=models.IMAGE,
        goal=Goal(3, 5),
        batch_size=32,
    ),
    "general-cnn": GENERAL_CNN,
    "signals": replace(
        GENERAL_CNN,
        title="Signals 9 x 128, convolutions of 32 and 64 filters, batch 64, Adam",
        layers=SIGNAL_LAYERS,
        input_shape=(9, 128),
        goal=Goal(1.5, 2.5),
        data="signals",
    ),
    "resnet": replace(
        GENERAL_CNN,
        title="ResNet, a block of 64 filters at 7 x 7, batch 64, Adam",
        layers=RESNET_LAYERS,
        goal=Goal(1.3, 2),
    ),
    "transformer": replace(
        GENERAL_CNN,
        title="Two transformer blocks, 49 tokens of 64, 4 heads, batch 64, Adam",
        layers=TRANSFORMER_LAYERS,
        goal=Goal(1.3, 2),
    ),
    "xor": Workload(
        title="XOR 2-4-1, an update a row, SGD",
        layers=models.XOR_LAYERS,
        input_shape=(2,),
        goal=Goal(500),
        task="xor",
        data="xor",
        loss="squared_error",
        batch_size=1,
        threads=1,
    ),
    "predict-mlp": replace(
        MLP,
        title="One image through the MLP",
        task="predict",
        goal=Goal(8, 15, against="torch"),
        threads=1,
    ),
    "predict-cnn": replace(
        CNN,
        title="One image through the CNN",
        task="predict",
        goal=Goal(8, 15, against="torch"),
        threads=1,
    ),
}
