"""Layers that slide a window over images and signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from rnn_native.net.layer import Layer

OneOrTwo: TypeAlias = int | tuple[int, int]
"""One number for height and width, or one for each."""

Padding: TypeAlias = int | str | tuple[int, int] | tuple[int, int, int, int]
"""One number for all sides, (height, width), (top, bottom, left, right), or a name."""


@dataclass(frozen=True, slots=True)
class Conv2D(Layer):
    """2-D cross-correlation over (channels, height, width): out = f(W * x + b).

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int)
        Steps down and to the right.
    padding : int, (int, int), (int, int, int, int), "same" or "valid"
        Rows and columns of zeros: on each side; above and below, left and right; top, bottom,
        left, right. "same" is as many as make ceil(height / stride) x ceil(width / stride)
        outputs, an odd one at the bottom or right; "valid" adds none.
    activation, alpha
        As for `Dense`.
    dilation : int or (int, int)
        Rows and columns from one weight of the window to the next.
    groups : int
        Parts of the channels, each seen by its part of the filters. Divides both; the number of
        channels makes it depthwise.

    Notes
    -----
    W is (filters, channels / groups, height, width of the kernel), Glorot uniform with the
    fans of one group; b starts at zero.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.Conv2D(8, 3, padding="same", activation="relu"), rn.Flatten()]
    >>> rn.Network([*layers, rn.Dense(10)], input_shape=(1, 28, 28))
    <Network 1x28x28 -> 8x28x28 -> 6272 -> 10, 62,810 parameters>
    """

    type: ClassVar[str] = "conv2d"
    unsaid: ClassVar[Mapping[str, object]] = {"dilation": 1, "groups": 1}
    filters: int
    kernel_size: OneOrTwo
    stride: OneOrTwo = 1
    padding: Padding = 0
    activation: str = "linear"
    alpha: float | None = None
    dilation: OneOrTwo = 1
    groups: int = 1


@dataclass(frozen=True, slots=True)
class MaxPool2D(Layer):
    """Maximum over windows; the first of equal maxima gets the gradient.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int), optional
        `kernel_size` when left out.
    padding : int, (int, int), (int, int, int, int), "same" or "valid"
        As for `Conv2D`. On each side at most half of `kernel_size`; padding never is the
        maximum.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.MaxPool2D(2), rn.Flatten()]
    >>> rn.Network(layers, input_shape=(1, 28, 28), loss="squared_error").output_shape
    (196,)
    """

    type: ClassVar[str] = "maxpool2d"
    kernel_size: OneOrTwo = 2
    stride: OneOrTwo | None = None
    padding: Padding = 0


@dataclass(frozen=True, slots=True)
class AvgPool2D(Layer):
    """Mean over windows; parameters as for `MaxPool2D`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Height and width of the window.
    stride : int or (int, int), optional
        As for `MaxPool2D`.
    padding : int, (int, int), (int, int, int, int), "same" or "valid"
        As for `Conv2D`.

    Notes
    -----
    Padding in numbers counts as zeros, as in PyTorch; that of "same" is left out of the mean,
    as in Keras.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.AvgPool2D(2), rn.Flatten()], (1, 2, 2), "squared_error")
    >>> float(net.predict([[[[1.0, 2.0], [3.0, 6.0]]]])[0])
    3.0
    """

    type: ClassVar[str] = "avgpool2d"
    kernel_size: OneOrTwo = 2
    stride: OneOrTwo | None = None
    padding: Padding = 0


OnBothEnds: TypeAlias = int | str | tuple[int, int]
"""One number for both ends, (left, right), or a name."""


@dataclass(frozen=True, slots=True)
class Conv1D(Layer):
    """Cross-correlation over (channels, length): `Conv2D` along a signal.

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size, stride : int
        Length of the window, and its steps.
    padding : int, (int, int), "same" or "valid"
        Zeros at each end, or left and right. "same" is as many as make
        ceil(length / stride) outputs, an odd one on the right; "valid" adds none.
    activation, alpha
        As for `Dense`.
    dilation : int
        From one weight of the window to the next.
    groups : int
        As for `Conv2D`.

    Notes
    -----
    Channels come first. W is (filters, channels / groups, kernel_size), Glorot uniform with
    the fans of one group; b starts at zero.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.Conv1D(16, 5, activation="relu"), rn.GlobalMaxPool1D(), rn.Dense(6)]
    >>> rn.Network(layers, input_shape=(3, 128))
    <Network 3x128 -> 16x124 -> 16 -> 6, 358 parameters>
    """

    type: ClassVar[str] = "conv1d"
    unsaid: ClassVar[Mapping[str, object]] = {"dilation": 1, "groups": 1}
    filters: int
    kernel_size: int
    stride: int = 1
    padding: OnBothEnds = 0
    activation: str = "linear"
    alpha: float | None = None
    dilation: int = 1
    groups: int = 1


@dataclass(frozen=True, slots=True)
class MaxPool1D(Layer):
    """Maximum over windows of a signal, (channels, length); see `MaxPool2D`.

    Parameters
    ----------
    kernel_size : int
        Length of the window.
    stride : int, optional
        `kernel_size` when left out.
    padding : int, (int, int), "same" or "valid"
        As for `Conv1D`. At each end at most half of `kernel_size`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.MaxPool1D(2), rn.Flatten()], (1, 4), "squared_error")
    >>> net.predict([[[1.0, 5.0, 2.0, 3.0]]])
    array([[5., 3.]], dtype=float32)
    """

    type: ClassVar[str] = "maxpool1d"
    kernel_size: int = 2
    stride: int | None = None
    padding: OnBothEnds = 0


@dataclass(frozen=True, slots=True)
class AvgPool1D(Layer):
    """Mean over windows of a signal; parameters as for `MaxPool1D`, padding as in `AvgPool2D`.

    Parameters
    ----------
    kernel_size : int
        Length of the window.
    stride : int, optional
        As for `MaxPool1D`.
    padding : int, (int, int), "same" or "valid"
        As for `Conv1D`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.AvgPool1D(2), rn.Flatten()], (1, 4), "squared_error")
    >>> net.predict([[[1.0, 5.0, 2.0, 3.0]]])
    array([[3. , 2.5]], dtype=float32)
    """

    type: ClassVar[str] = "avgpool1d"
    kernel_size: int = 2
    stride: int | None = None
    padding: OnBothEnds = 0


@dataclass(frozen=True, slots=True)
class PatchEmbed1D(Layer):
    """Tokens from a signal, (channels, length): each patch through one linear layer.

    Parameters
    ----------
    patch_size : int
        Must divide the length.
    units : int
        Width of a token.

    Notes
    -----
    W is (channels * patch_size, units), of the first channel's part of a patch first.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.PatchEmbed1D(16, 32), rn.SelfAttention(), rn.MeanPool(), rn.Dense(6)]
    >>> rn.Network(layers, input_shape=(3, 128))
    <Network 3x128 -> 8x32 -> 8x32 -> 32 -> 6, 4,934 parameters>
    """

    type: ClassVar[str] = "patch_embed1d"
    patch_size: int
    units: int


@dataclass(frozen=True, slots=True)
class GlobalAvgPool1D(Layer):
    """The mean of each channel: (channels, length) to (channels,); see also `MeanPool`.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.Network([rn.GlobalAvgPool1D(), rn.Dense(2)], input_shape=(6, 100))
    <Network 6x100 -> 6 -> 2, 14 parameters>
    """

    type: ClassVar[str] = "global_avgpool1d"


@dataclass(frozen=True, slots=True)
class GlobalAvgPool2D(Layer):
    """The mean of each channel: (channels, height, width) to (channels,).

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.GlobalAvgPool2D()], input_shape=(3, 4, 4), loss="squared_error")
    >>> net.predict(np.ones((1, 3, 4, 4)))
    array([[1., 1., 1.]], dtype=float32)
    """

    type: ClassVar[str] = "global_avgpool2d"


@dataclass(frozen=True, slots=True)
class GlobalMaxPool1D(Layer):
    """The maximum of each channel: (channels, length) to (channels,).

    The first of equal maxima gets the gradient.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.GlobalMaxPool1D()], input_shape=(2, 3), loss="squared_error")
    >>> net.predict([[[1.0, 5.0, 2.0], [4.0, 0.0, 3.0]]])
    array([[5., 4.]], dtype=float32)
    """

    type: ClassVar[str] = "global_maxpool1d"


@dataclass(frozen=True, slots=True)
class GlobalMaxPool2D(Layer):
    """The maximum of each channel: (channels, height, width) to (channels,).

    The first of equal maxima gets the gradient.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.GlobalMaxPool2D()], input_shape=(1, 2, 2), loss="squared_error")
    >>> float(net.predict([[[[1.0, 5.0], [4.0, 0.0]]]])[0])
    5.0
    """

    type: ClassVar[str] = "global_maxpool2d"
