"""Layers as Python sees them: frozen records that become the core's layer dicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rnn_native.base.checks import check_mapping
from rnn_native.base.text import brief
from rnn_native.net.block_layers import BLOCKS, Concat
from rnn_native.net.layer import AnyLayer as AnyLayer
from rnn_native.net.layer import Layer as Layer
from rnn_native.net.layer import as_spec as as_spec
from rnn_native.net.layer import as_specs as as_specs
from rnn_native.net.recurrent_layers import GRU as GRU
from rnn_native.net.recurrent_layers import LSTM as LSTM
from rnn_native.net.recurrent_layers import Bidirectional as Bidirectional
from rnn_native.net.recurrent_layers import SimpleRNN as SimpleRNN
from rnn_native.net.token_layers import Columns as Columns
from rnn_native.net.token_layers import Embedding as Embedding
from rnn_native.net.token_layers import Masking as Masking
from rnn_native.net.token_layers import MeanPool as MeanPool
from rnn_native.net.token_layers import PatchEmbed as PatchEmbed
from rnn_native.net.token_layers import Position as Position
from rnn_native.net.token_layers import SelfAttention as SelfAttention
from rnn_native.net.window_layers import AvgPool1D as AvgPool1D
from rnn_native.net.window_layers import AvgPool2D as AvgPool2D
from rnn_native.net.window_layers import Conv1D as Conv1D
from rnn_native.net.window_layers import Conv2D as Conv2D
from rnn_native.net.window_layers import GlobalAvgPool1D as GlobalAvgPool1D
from rnn_native.net.window_layers import GlobalAvgPool2D as GlobalAvgPool2D
from rnn_native.net.window_layers import GlobalMaxPool1D as GlobalMaxPool1D
from rnn_native.net.window_layers import GlobalMaxPool2D as GlobalMaxPool2D
from rnn_native.net.window_layers import MaxPool1D as MaxPool1D
from rnn_native.net.window_layers import MaxPool2D as MaxPool2D
from rnn_native.net.window_layers import PatchEmbed1D as PatchEmbed1D


@dataclass(frozen=True, slots=True)
class Dense(Layer):
    """Fully connected layer: out = f(x W + b); tokens are taken one by one.

    Parameters
    ----------
    units : int
        Outputs.
    activation : str
        Name of f, one of those in docs/reference/layers.md, such as relu, tanh or gelu. The
        last layer may also have softmax, and under the loss poisson exponential.
    alpha : float, optional
        Slope of leaky_relu (default 0.01) or scale of elu (default 1.0).

    Notes
    -----
    W is (inputs, units), Glorot uniform; b starts at zero.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(32, "relu"), rn.Dense(10)], input_shape=(784,))
    >>> net.parameters["layers.0.weight"].shape
    (784, 32)
    """

    type: ClassVar[str] = "dense"
    units: int
    activation: str = "linear"
    alpha: float | None = None


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """The same numbers in the same order, as one row.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.Network([rn.Flatten()], input_shape=(1, 28, 28), loss="squared_error").output_shape
    (784,)
    """

    type: ClassVar[str] = "flatten"


@dataclass(frozen=True, slots=True)
class Reshape(Layer):
    """The same numbers in the same order, under another shape.

    Parameters
    ----------
    target_shape : sequence of int
        Of one sample, with as many numbers; -1 once at most, for the remaining size.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.Reshape((1, 28, -1)), rn.Conv2D(8, 3), rn.GlobalAvgPool2D(), rn.Dense(10)]
    >>> rn.Network(layers, input_shape=(784,))
    <Network 784 -> 1x28x28 -> 8x26x26 -> 8 -> 10, 170 parameters>
    """

    type: ClassVar[str] = "reshape"
    target_shape: int | Sequence[int]


@dataclass(frozen=True, slots=True)
class Activation(Layer):
    """An activation function by itself.

    Parameters
    ----------
    function : str
        One of `Dense`'s.
    alpha : float, optional
        As for `Dense`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Activation("relu")], input_shape=(3,), loss="squared_error")
    >>> net.predict([[-1.0, 0.0, 2.0]])
    array([[0., 0., 2.]], dtype=float32)
    """

    type: ClassVar[str] = "activation"
    function: str
    alpha: float | None = None


@dataclass(frozen=True, slots=True)
class PReLU(Layer):
    """Parametric ReLU: x where it is positive, else w x, where w is trained.

    Parameters
    ----------
    per_channel : bool
        A weight for each channel of an image or signal, or for each number of a row: for each
        index of the first axis, as in PyTorch. False: one weight.
    initial : float
        Initial value of the weights.

    References
    ----------
    He et al. 2015, arXiv:1502.01852.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.PReLU()], input_shape=(2,), loss="squared_error")
    >>> net.predict([[2.0, -2.0]])
    array([[ 2. , -0.5]], dtype=float32)
    """

    type: ClassVar[str] = "prelu"
    per_channel: bool = False
    initial: float = 0.25


@dataclass(frozen=True, slots=True)
class Softmax(Layer):
    """Softmax over the last axis. As a net's last layer it is softmax_cross_entropy's own.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(3), rn.Softmax()], input_shape=(4,))
    >>> float(net.predict_proba(np.ones((1, 4))).sum().round(6))
    1.0
    """

    type: ClassVar[str] = "softmax"


@dataclass(frozen=True, slots=True)
class BatchNorm(Layer):
    """Batch normalization for each feature, or each channel of an image or signal.

    Parameters
    ----------
    epsilon : float
        Added to the variance.
    momentum : float in [0, 1]
        Running statistics are momentum * running + (1 - momentum) * batch.

    Notes
    -----
    Over the rows of a batch, and the pixels of an image or the places of a signal; an input of
    rank 2 is taken as channels x length, not as tokens. Where that is one value, its
    variance is 0 and nothing is learned: `fit` refuses batches of one row, and warns when
    the last one of an epoch is.

    References
    ----------
    Ioffe and Szegedy 2015, arXiv:1502.03167.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.Conv2D(8, 3), rn.BatchNorm(), rn.Activation("relu"), rn.Flatten()]
    >>> net = rn.Network([*layers, rn.Dense(10)], input_shape=(1, 28, 28))
    >>> {name: values.shape for name, values in net.state.items()}
    {'layers.1.running_mean': (8,), 'layers.1.running_var': (8,)}
    """

    type: ClassVar[str] = "batchnorm"
    epsilon: float = 1e-5
    momentum: float = 0.9


@dataclass(frozen=True, slots=True)
class LayerNorm(Layer):
    """Layer normalization over the last axis (Ba et al. 2016, arXiv:1607.06450).

    Parameters
    ----------
    epsilon : float
        Added to the variance.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.LayerNorm()], input_shape=(2,), loss="squared_error")
    >>> net.predict([[1.0, 3.0]]).round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    type: ClassVar[str] = "layernorm"
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class RMSNorm(Layer):
    """Root mean square normalization over the last axis: w x / sqrt(mean(x^2) + epsilon).

    Parameters
    ----------
    epsilon : float
        Added to the mean of squares.

    References
    ----------
    Zhang and Sennrich 2019, arXiv:1910.07467.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.RMSNorm()], input_shape=(2,), loss="squared_error")
    >>> net.predict([[1.0, 7.0]]).round(3)
    array([[0.2, 1.4]], dtype=float32)
    """

    type: ClassVar[str] = "rmsnorm"
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class Normalization(Layer):
    """(x - mean) / sqrt(variance) for each feature, with statistics of the data.

    Parameters
    ----------
    axis : {0, -1}, optional
        Along which axis the features are: the first or the last one. Left out: the channels
        of (channels, height, width), else the last axis. Signals (channels, length) want 0.

    Notes
    -----
    `Network.adapt` finds mean and variance; they are saved with the net and not trained. A
    feature that is constant in the data becomes 0.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Normalization()], input_shape=(2,), loss="squared_error")
    >>> net.adapt([[1, 10], [3, 50]])
    >>> net.predict([[1, 50]])
    array([[-1.,  1.]], dtype=float32)
    """

    type: ClassVar[str] = "normalization"
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Dropout(Layer):
    """Inverted dropout: in training an element is zero with probability `rate`.

    Parameters
    ----------
    rate : float in [0, 1)
        Elements that stay are divided by 1 - `rate`.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dropout(0.5)], input_shape=(1000,), loss="squared_error")
    >>> x = np.ones((1, 1000))
    >>> float(net.predict(x).mean()), bool(0.4 < (net.forward(x) == 0).mean() < 0.6)
    (1.0, True)
    """

    type: ClassVar[str] = "dropout"
    rate: float


@dataclass(frozen=True, slots=True)
class GaussianNoise(Layer):
    """In training, normal numbers of mean 0 are added to the inputs; nothing in predictions.

    Parameters
    ----------
    stddev : float
        Standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.GaussianNoise(0.1)], input_shape=(1000,), loss="squared_error")
    >>> x = np.ones((1, 1000))
    >>> float(net.predict(x).std()), bool(0.09 < net.forward(x).std() < 0.11)
    (0.0, True)
    """

    type: ClassVar[str] = "gaussian_noise"
    stddev: float


BY_TYPE: dict[str, type[Layer]] = {
    layer.type: layer
    for layer in (
        *(
            Dense,
            *(Conv1D, Conv2D),
            *(MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D),
            GlobalAvgPool1D,
            GlobalAvgPool2D,
            GlobalMaxPool1D,
            GlobalMaxPool2D,
            Flatten,
            Reshape,
            *(Activation, PReLU),
            Softmax,
            BatchNorm,
        ),
        *(LayerNorm, RMSNorm, Normalization, Dropout, GaussianNoise),
        *(PatchEmbed, PatchEmbed1D),
        *(Columns, Embedding, Position, SelfAttention, Masking, MeanPool),
        *(SimpleRNN, GRU, LSTM),
    )
}
"""The classes of all types but blocks."""

RANDOM = frozenset({Dropout.type, GaussianNoise.type})
"""Layers that draw numbers in training, and change nothing in predictions."""


def from_spec(spec: Mapping[str, Any]) -> Layer:
    """Return the layer that a spec describes, with defaults for what it does not say.

    Parameters
    ----------
    spec : mapping
        With the layer's "type" and its options.

    Returns
    -------
    Layer
        One of the classes of this module.

    Examples
    --------
    >>> from_spec({"type": "maxpool2d", "kernel_size": 3})
    MaxPool2D(kernel_size=3, stride=None, padding=0)
    """
    spec = check_mapping("layer", spec)
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in BY_TYPE | BLOCKS:
        raise ValueError(f"layer: expected a known type, got {brief(kind)}")
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in spec.items()
        if key != "type"
    }
    if "layers" in options:
        options["layers"] = [from_spec(layer) for layer in options["layers"]]
    if kind == Concat.type:
        branches = [[from_spec(la) for la in branch] for branch in options.pop("branches")]
        return Concat(*branches, **options)
    return (BY_TYPE | BLOCKS)[kind](**options)
