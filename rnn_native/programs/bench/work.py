"""The work that is measured: the reference models, with data, and one timed call of training."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_native.datasets import mnist, named, opening, published
from rnn_native.datasets.synthetic import synthetic_digits
from rnn_native.models.network import Network
from rnn_native.models.one_call import IMAGE
from rnn_native.models.reference import CNN_LAYERS, MLP_LAYERS, attention_layers
from rnn_native.models.xor import XOR_LAYERS, XOR_X, XOR_Y
from rnn_native.net.layers import Layer
from rnn_native.net.rows import Rows, Targets
from rnn_native.programs.bench.arithmetic import (
    executed_attention,
    executed_cnn,
    executed_densely,
    executed_mlp,
)

EPOCH_IMAGES = 54_000
"""Images of the epoch that seconds are given for: MNIST less the tenth held out."""

XOR_EPOCHS = 1_000_000
LEARNING_RATE = 0.01


@dataclass(frozen=True, slots=True)
class Model:
    """A reference model and its recipe: plain SGD, rate 0.01."""

    layers: Sequence[Layer]
    input_shape: tuple[int, ...]
    batch_size: int
    executed: Callable[[Network, Rows, int], float]
    loss: str = "softmax_cross_entropy"


MODELS = {
    "mlp": Model(MLP_LAYERS, (784,), 64, executed_mlp),
    "cnn": Model(CNN_LAYERS, IMAGE, 32, executed_cnn),
    "attention": Model(attention_layers(), IMAGE, 32, executed_attention),
    "xor": Model(XOR_LAYERS, (2,), 1, executed_densely, "squared_error"),
}


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to train on, (n, 784) uint8, their labels, and where they come from."""

    x: NDArray[np.uint8]
    y: NDArray[np.int32]
    source: str


def open_data(name: str | None = None, rows: int | None = None) -> Data:
    """Return training rows; nothing is downloaded.

    Parameters
    ----------
    name : str, optional
        "synthetic", or a name that `rnn_native.datasets.load_dataset` accepts, of ten
        classes; "noise" is random bytes without zeros, of which nothing can be left out. None is
        MNIST where `rnn_native.datasets` finds it, else "synthetic".
    rows : int, optional
        How many; 54,000, or all if there are fewer.

    Raises
    ------
    FileNotFoundError, FormatError
        If a data set is asked for and not there, or broken.
    """
    wanted = EPOCH_IMAGES if rows is None else rows
    if name == "noise":
        rng = np.random.default_rng(1)
        x = rng.integers(1, 256, (wanted, 784), np.uint8)
        return Data(x, rng.integers(0, 10, wanted, np.int32), "random bytes without zeros")
    if name is None:
        name = opening.SYNTHETIC if mnist.find_mnist() is None else "mnist"
    if name in published.DATASETS:
        (images, labels), _ = named.load_dataset(name, download=False)
        source = published.DATASETS[name].title
    else:
        wanted = min(wanted, opening.SYNTHETIC_TRAIN)
        images, labels = synthetic_digits(wanted, seed=1)
        source = "generated digits"
    x = images[:wanted].reshape(-1, 784)
    return Data(x, labels[:wanted].astype(np.int32), source)


@dataclass(frozen=True, slots=True)
class Job:
    """A net and the training of one timed call."""

    net: Network
    x: Rows
    y: Targets
    order: NDArray[np.int32]
    batch_size: int
    epochs: int
    threads: int

    def train(self, order: NDArray[np.int32], epochs: int) -> float:
        """Train and return the seconds."""
        begin = time.perf_counter()
        self.net.native.train(
            *(self.x, self.y, order, self.batch_size, LEARNING_RATE),
            epochs=epochs,
            threads=self.threads,
        )
        return time.perf_counter() - begin

    @property
    def images(self) -> int:
        """Images that one call trains on."""
        return len(self.order) * self.epochs


def job_of(name: str, data: Data, threads: int) -> Job:
    """Return what a timed call of a model trains."""
    model = MODELS[name]
    net = Network(model.layers, model.input_shape, model.loss)
    if name == "xor":
        order = np.arange(4, dtype=np.int32)
        return Job(net, XOR_X, XOR_Y, order, 1, XOR_EPOCHS, threads)
    order = np.random.default_rng(1).permutation(len(data.x)).astype(np.int32)
    return Job(net, data.x, data.y, order, model.batch_size, 1, threads)
