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
        outputs, an odd one at the bottom or right; "valid" is none.
    activation, alpha
        As for `Dense`.
    dilation : int or (int, int)
        Rows and columns from one weight of the window to the next.
    groups : int
        Parts of the channels, each seen by its part of the filters. Divides both; as many as
        there are channels make it depthwise.

    Notes
    -----
    W is (filters, channels / groups, height, width of the kernel), Glorot uniform with the
    fans of one group; b starts at zero.
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
    """

    type: ClassVar[str] = "maxpool2d"
    kernel_size: OneOrTwo = 2
    stride: OneOrTwo | None = None
    padding: Padding = 0


@dataclass(frozen=True, slots=True)
class AvgPool2D(Layer):
    """Mean over windows; parameters as for `MaxPool2D`.

    Notes
    -----
    Padding in numbers counts as zeros, as in PyTorch; that of "same" is left out of the mean,
    as in Keras.
    """

    type: ClassVar[str] = "avgpool2d"
    kernel_size: OneOrTwo = 2
    stride: OneOrTwo | None = None
    padding: Padding = 0
