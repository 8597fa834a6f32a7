"""Which pixels of a picture a net's answer depends on: gradients, or where its attention rests."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rnn_native.analysis import saliency as gradients
from rnn_native.models.network import Network

Floats = NDArray[np.float32]
Overlay = Literal["none", "saliency", "attention"]


def saliency(net: Network, image: Floats, label: int) -> Floats:
    """Return how much each pixel matters for a label.

    Parameters
    ----------
    net : Network
        Accepts one image of 28 x 28.
    image : ndarray of shape (28, 28), float32
    label : int

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]
        The gradient's size, of the label's logit with respect to the pixels, the greatest
        being 1.
    """
    maps = gradients.saliency(net, image.reshape(1, *net.input_shape), [label])
    return maps.reshape(image.shape)


def attention(net: Network, image: Floats) -> Floats:
    """Return how much attention each patch gets, on average over all tokens and heads.

    Parameters and result are those of `saliency`.

    Raises
    ------
    ValueError
        If the net has no attention layer, or its tokens are not square patches.
    """
    maps = net.attention_maps(image[None])[0]
    received = maps.reshape(-1, maps.shape[-1]).mean(axis=0)
    side = round(len(received) ** 0.5)
    if side * side != len(received) or image.shape[0] % side:
        raise ValueError(f"attention: {len(received)} tokens do not tile {image.shape}")
    zoom = image.shape[0] // side
    return _to_one(received.reshape(side, side).repeat(zoom, axis=0).repeat(zoom, axis=1))


def has_attention(net: Network) -> bool:
    """Whether `attention` can be shown."""
    return any(layer["has_maps"] for layer in net.native.layers)


def _to_one(values: Floats) -> Floats:
    top = float(values.max())
    return (values / top if top > 0 else values).astype(np.float32)
