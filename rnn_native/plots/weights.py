"""What a net has learnt to look for: weights of its first layer, filters of convolutions."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.checks import check_integer
from rnn_native.base.text import brief
from rnn_native.net.predictor import check_net
from rnn_native.plots.tiles import MAX_TILES, draw_tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rnn_native.net.predictor import Predictor


def first_layer_weights(net: "Predictor", n: int = 64, ax: "Axes | None" = None) -> "Axes":
    """Draw what each unit of the first dense layer adds up: a picture of the input each.

    Parameters
    ----------
    net : Predictor
        Its inputs are images, or 784 numbers (28 x 28).
    n : int in [1, 1024]
        At most this many units; those with the longest weight vectors.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        Red adds, blue takes away; all units have the same limits.

    Raises
    ------
    TypeError
        If it is not a net.
    ValueError
        If the first layer with parameters is not dense, or its inputs are not a picture.

    Examples
    --------
    >>> import rnn_native as rn
    >>> ax = rn.plots.first_layer_weights(rn.Network([rn.Dense(10)], input_shape=(784,)), n=4)
    >>> len(ax.images)
    4
    """
    check_net("net", net)
    check_integer("n", n, 1, MAX_TILES)
    name, kind = _first_with_weights(net)
    if kind != "dense":
        hint = "; use conv_filters" if kind == "conv2d" else ""
        raise ValueError(
            f"first_layer_weights: expected a dense layer first, got {kind or 'no weights'}"
            f"{hint}"
        )
    weight = net.parameters[f"{name}.weight"]
    height, width = _picture_shape(net, weight.shape[0])
    strongest = np.sort(np.argsort(-np.linalg.norm(weight, axis=0), kind="stable")[:n])
    pictures = [weight[:, unit].reshape(height, width) for unit in strongest]
    units = weight.shape[1]
    which = f"{len(pictures)} strongest of {units}" if len(pictures) < units else f"{units}"
    return _draw(ax, pictures, f"Weights of the first layer:\n{which} units")


def conv_filters(
    net: "Predictor", layer: int | str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw the filters of a convolution, a picture for each pair of output and input channel.

    Parameters
    ----------
    net : Predictor
        Its first convolution is drawn.
    layer : int or str, optional
        A conv2d layer: its position in the net, or as in names of parameters
        ("layers.1.residual.0"); the first one when left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new axes when left out.

    Returns
    -------
    matplotlib.axes.Axes
        Output channels one after the other; red is positive, blue negative.

    Raises
    ------
    TypeError
        If it is not a net.
    ValueError
        If there is no such layer, or it has more than 1024 pictures.

    Examples
    --------
    >>> import rnn_native as rn
    >>> layers = [rn.Conv2D(8, 3), rn.Flatten(), rn.Dense(10)]
    >>> ax = rn.plots.conv_filters(rn.Network(layers, input_shape=(1, 28, 28)))
    """
    check_net("net", net)
    found = [one.name for one in net.placed if one.spec["type"] == "conv2d"]
    if not found:
        raise ValueError("conv_filters: this net has no conv2d layer")
    if layer is None:
        layer = found[0]
    name = layer if isinstance(layer, str) else f"layers.{layer}"
    if name not in found:
        raise ValueError(
            f"layer: expected one of the conv2d layers {', '.join(found)}, got {brief(layer)}"
        )
    weight = net.parameters[f"{name}.weight"]
    outputs, inputs, height, width = weight.shape
    if outputs * inputs > MAX_TILES:
        raise ValueError(
            f"layer: expected one of at most {MAX_TILES} filters, got {name} of "
            f"{outputs} x {inputs}"
        )
    title = f"Filters of {name}:\n{outputs} x {inputs} of {height} x {width}"
    return _draw(ax, list(weight.reshape(-1, height, width)), title)


def _draw(ax: "Axes | None", pictures: list[NDArray[Any]], title: str) -> "Axes":
    limit = max(float(np.abs(picture).max()) for picture in pictures) or 1.0
    # The view is of the net's own memory, which training continues to change.
    copies = [picture.copy() for picture in pictures]
    ax = draw_tiles(ax, copies, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.figure.colorbar(ax.images[0], ax=ax, label="weight", shrink=0.8)
    ax.set_title(title, fontsize=12, fontweight="bold")
    return ax


def _first_with_weights(net: "Predictor") -> tuple[str, str]:
    for one in net.placed:
        if f"{one.name}.weight" in net.parameters:
            return one.name, str(one.spec["type"])
    return "", ""


def _picture_shape(net: "Predictor", inputs: int) -> tuple[int, int]:
    extents = [extent for extent in net.input_shape if extent != 1]
    if len(extents) == 2 and math.prod(extents) == inputs:
        return extents[0], extents[1]
    side = math.isqrt(inputs)
    if side * side != inputs:
        raise ValueError(
            f"first_layer_weights: expected inputs that are a picture, got {inputs} numbers "
            f"of shape {net.input_shape}"
        )
    return side, side
