"""How many multiply-adds the reference models are, as layers say and as the core does.

Arithmetic is counted in multiply-adds of matrix products, two operations each; biases,
activations, softmax, loss and the update are not counted. Dense-equivalent is what a
plain implementation multiplies (`multiply_adds`), so that its rate may lie above the
machine's peak; executed is what the core multiplies, zeros left out (`executed_mlp`,
`executed_cnn`, `executed_attention`), so that its rate cannot.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.models.network import Network
from rnn_native.net.rows import Rows


@dataclass(frozen=True, slots=True)
class Products:
    """Multiply-adds of one layer for one image.

    Attributes
    ----------
    forward : int
    weights : int
        For the gradient of the weights.
    inputs : int
        For the gradient of the inputs; 0 where nothing below is trained. Attention's
        scores are below its own weights, so that theirs always count.
    """

    forward: int = 0
    weights: int = 0
    inputs: int = 0

    @property
    def total(self) -> int:
        """All three."""
        return self.forward + self.weights + self.inputs


def layer_products(net: Network) -> list[Products]:
    """Return the products of each layer, from the layers' shapes.

    A layer with a weight has one product for every output and every weight that the
    output sees; attention adds Q K^T and A V, T*T*D each, and in backward two for each.
    """
    layers = net.native.layers
    is_trained = [any(not p["is_state"] for p in layer["params"]) for layer in layers]
    counted = []
    for i, (one, layer) in enumerate(zip(net.placed, layers, strict=True)):
        spec = one.spec
        size = sum(int(np.prod(p["shape"])) for p in layer["params"] if len(p["shape"]) > 1)
        has_below = any(is_trained[:i])
        if layer["type"].startswith(("dense", "conv", "patch_embed")):
            units = spec["filters"] if "filters" in spec else spec["units"]
            products = int(np.prod(layer["shape"])) * size // units
            counted.append(Products(products, products, products if has_below else 0))
        elif layer["type"] == "self_attention":
            tokens, width = layer["shape"]
            products, scores = tokens * size, 2 * tokens * tokens * width
            # The projection after attention is above what is trained in any case.
            above = tokens * width * width if spec.get("out_proj") else 0
            inputs = 2 * scores + (products if has_below else above)
            counted.append(Products(products + scores, products, inputs))
        elif layer["type"] in ("simple_rnn", "gru", "lstm"):
            shape = net.native.layers[i - 1]["shape"] if i else net.input_shape
            columns = int(np.prod(layer["params"][-1]["shape"]))
            products = shape[0] * size
            hidden = shape[0] * columns * spec["units"]
            inputs = products if has_below else hidden
            counted.append(Products(products, products, inputs))
        else:
            counted.append(Products())
    return counted


def multiply_adds(net: Network) -> int:
    """Return the dense multiply-adds of a training step for one image.

    Forward, weight gradients, and input gradients, of which the first trained layer
    needs none.
    """
    return sum(products.total for products in layer_products(net))


def executed_mlp(net: Network, x: Rows, batch_size: int) -> float:
    """Return the MLP's multiply-adds for one image, zeros left out.

    Both products of the first layer are taken over the images' nonzeros: times the
    density of `x`, measured over all of it, if that is below the net's `sparse_below`.
    """
    first, *rest = layer_products(net)
    density = np.count_nonzero(x) / x.size
    share = density if density < net.native.sparse_below else 1.0
    return first.total * share + sum(products.total for products in rest)


def executed_cnn(net: Network, x: Rows, batch_size: int) -> float:
    """Return the CNN's multiply-adds for one image, blank windows left out.

    Convolution and dense layer are computed for live windows of the pool, those whose
    (K+1)x(K+1) pixels of the padded image are not all zero: times the share of such
    windows. For the convolution's weight gradient one of a window's four outputs counts.
    """
    convolution, *rest = layer_products(net)
    spec = net.specs[0]
    share = live_windows(x.reshape(-1, *net.input_shape[-2:]), spec["kernel_size"])
    dense = sum(products.total for products in rest)
    return share * (convolution.forward + convolution.weights / 4 + dense)


def live_windows(images: NDArray[Any], kernel: int) -> float:
    """Return the share of 2x2 pool windows that see a pixel other than zero.

    Parameters
    ----------
    images : ndarray of shape (n, height, width)
        Padded here with kernel // 2 zeros on each side.
    kernel : int
        Height and width of the convolution's window.
    """
    edge = kernel // 2
    pixels = np.pad(images != 0, ((0, 0), (edge, edge), (edge, edge)))
    high, wide = images.shape[1] // 2, images.shape[2] // 2
    seen = np.zeros((len(images), high, wide), np.bool_)
    for k in range(kernel + 1):
        for m in range(kernel + 1):
            seen |= pixels[:, k : k + 2 * high : 2, m : m + 2 * wide : 2]
    return float(np.mean(seen))


def executed_attention(net: Network, x: Rows, batch_size: int) -> float:
    """Return the attention model's multiply-adds for one image, blank patches left out.

    Keys and values are the tokens themselves: Wq Wk^T and Wv W, W the dense layer's above,
    are made once a batch, and gradients taken back to their factors once a batch. Patch
    embedding, queries and their gradients are computed for patches that are not blank:
    times the share of those. The tokens of blank patches are the same in every image:
    once a batch. Scores are computed for all tokens. The dense layer under the mean comes
    after it, once an image instead of once a token.
    """
    embed, _, _, attention, first, second, _, last = layer_products(net)
    tokens, width = net.native.layers[0]["shape"]
    units = first.weights // (tokens * width)
    share = live_patches(x.reshape(-1, *net.input_shape[-2:]), net.specs[0]["patch_size"])
    scores = attention.total - 3 * attention.weights
    live = share * (embed.total + 3 * tokens * width * width)
    blank = 3 * tokens * width * width
    factors = 3 * width * width * (width + units)
    once = (blank + factors) / batch_size
    return live + once + scores + first.total + second.total / tokens + last.total


def live_patches(images: NDArray[Any], size: int) -> float:
    """Return the share of size x size patches that are not all zero."""
    n, height, width = images.shape
    patches = images.reshape(n, height // size, size, width // size, size)
    return float(np.mean(patches.any(axis=(2, 4))))


def executed_densely(net: Network, x: Rows, batch_size: int) -> float:
    """Return `multiply_adds`: nothing is left out."""
    return float(multiply_adds(net))
