"""Which inputs a net's answer depends on: the gradient of a class's logit."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

import rnn_native._core as _core
from rnn_native.analysis.logits import logit_network
from rnn_native.analysis.metrics import as_labels
from rnn_native.base.runtime import resolve_threads
from rnn_native.base.text import brief
from rnn_native.net.layers import RANDOM
from rnn_native.net.native import native_net
from rnn_native.net.predictor import Predictor, check_net

__all__ = ["input_gradient", "saliency"]

Floats = NDArray[np.float32]
Kind = Literal["gradient", "gradient_input"]

# Orange and sky blue of Okabe and Ito (2008), which can be distinguished with any color
# vision, and both light enough for a black page.
FOR, AGAINST = np.array([[230, 159, 0], [86, 180, 233]], np.float32)
OPACITY = np.float32(0.85)

# A call keeps all activations of its rows, so it gets some at a time.
BATCH = 256

KINDS = ("gradient", "gradient_input")


def input_gradient(
    model: Predictor, x: ArrayLike, labels: ArrayLike, *, threads: int | None = None
) -> Floats:
    """Return how each class's logit changes with each number of its input.

    Parameters
    ----------
    model : Predictor
        It is left as it is.
    x : array_like of shape (n, ...) as input_shape, or (n, inputs)
        As for `Network.predict_proba`. The gradient is with respect to what the net sees:
        of uint8, x / 255.
    labels : array_like of int of shape (n,)
        The class of each row whose logit is meant. A net with one output has the classes 0
        and 1, with logits -z and z. Of a net without softmax or sigmoid it is the output.
    threads : int in [1, 64], optional
        As for `Network.predict`.

    Returns
    -------
    ndarray of shape (n, ...) as input_shape, float32
        As the net predicts: without dropout, and with batchnorm's running statistics.

    Raises
    ------
    TypeError, ValueError
        If x or labels do not fit.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(2)], input_shape=(3,))
    >>> net.parameters["layers.0.weight"][:] = [[1, 0], [-4, 0], [2, 0]]
    >>> rn.saliency.input_gradient(net, [[1, 1, 1]], [0])
    array([[ 1., -4.,  2.]], dtype=float32)
    """
    check_net("model", model)
    return _gradient(model, model.as_dense_rows(x), labels, threads)


def saliency(
    model: Predictor,
    x: ArrayLike,
    labels: ArrayLike,
    kind: Kind = "gradient",
    *,
    threads: int | None = None,
) -> Floats:
    """Return how much each number of an input matters for a class, as maps to draw.

    Parameters
    ----------
    model, x, labels
        As for `input_gradient`.
    kind : {"gradient", "gradient_input"}
        The size of the gradient, which shows what changes the logit most; or gradient times
        input, which shows which ink supports the class (above 0) or opposes it (below), to
        first order.
    threads
        As for `input_gradient`.

    Returns
    -------
    ndarray of shape (n, ...) as input_shape, float32
        Each row divided by its greatest size: in [0, 1], or in [-1, 1]. Zeros where the
        gradient is zero.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    References
    ----------
    Simonyan, Vedaldi and Zisserman 2014, arXiv:1312.6034; Shrikumar et al. 2017,
    arXiv:1605.01713.

    Examples
    --------
    A linear net depends on its weights:

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(2)], input_shape=(3,))
    >>> net.parameters["layers.0.weight"][:] = [[1, 0], [-4, 0], [2, 0]]
    >>> saliency(net, np.ones((1, 3), np.float32), [0])
    array([[0.25, 1.  , 0.5 ]], dtype=float32)
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {brief(kind)}")
    check_net("model", model)
    rows = model.as_dense_rows(x)
    maps = _gradient(model, rows, labels, threads)
    maps = np.abs(maps) if kind == "gradient" else maps * _as_seen(rows).reshape(maps.shape)
    tops = np.abs(maps).reshape(len(maps), -1).max(axis=1)
    tops[tops == 0] = 1
    scaled: Floats = maps / tops.reshape(-1, *[1] * (maps.ndim - 1))
    return scaled


def over_image(image: Floats, overlay: Floats | None = None) -> NDArray[np.uint8]:
    """Return a gray image in color, with a map above it: orange above 0, blue below.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), float32, in [0, 1]
    overlay : ndarray of shape (rows, columns), float32, in [-1, 1], optional
        As `saliency` returns it.

    Returns
    -------
    ndarray of shape (rows, columns, 3), uint8
    """
    gray = np.repeat(image[:, :, None] * np.float32(255), 3, axis=2)
    if overlay is not None:
        share = OPACITY * np.abs(overlay)[:, :, None]
        color = np.where(overlay[:, :, None] < 0, AGAINST, FOR)
        gray = gray * (1 - share) + color * share
    colored: NDArray[np.uint8] = np.rint(gray).astype(np.uint8)
    return colored


def _as_seen(rows: NDArray[Any]) -> Floats:
    """Return what the net sees of rows: bytes divided by 255."""
    numbers = rows.astype(np.float32)
    return numbers / np.float32(255) if rows.dtype == np.uint8 else numbers


def _gradient(
    model: Predictor, rows: NDArray[Any], labels: ArrayLike, threads: int | None
) -> Floats:
    net = _as_predicting(logit_network(model))
    outputs = model.output_shape[-1]
    chosen = as_labels(labels, len(rows), max(2, outputs), "labels")
    direction = np.zeros((len(rows), outputs), np.float32)
    if outputs == 1:
        direction[:, 0] = 2 * chosen - 1
    else:
        direction[np.arange(len(rows)), chosen] = 1
    count = resolve_threads(threads)
    gradients = [
        net.backprop(rows[i : i + BATCH], direction[i : i + BATCH], threads=count)[1]
        for i in range(0, len(rows), BATCH)
    ]
    return np.concatenate(gradients).reshape(len(rows), *model.input_shape)


def _as_predicting(net: Predictor) -> "_core.Net":
    """Return a native net whose training mode computes the predictions of `net`.

    Gradients exist in training mode only, where dropout drops, noise is added and batchnorm
    uses the batch. So dropout and noise are left out, and batchnorm becomes the product that
    it is in prediction.
    """
    layers = net.native.layers
    if not {*RANDOM, "batchnorm"} & {layer["type"] for layer in layers}:
        return net.native
    every = net.copied_tensors()
    specs, tensors = [], []
    for one, layer in zip(net.placed, layers, strict=True):
        spec, own = one.spec, one.arrays(every, layer)
        if spec["type"] == "batchnorm":
            spec, own = _as_product(spec, own, len(layer["shape"]))
        elif spec["type"] in RANDOM:
            spec = {"type": "activation", "function": "linear"}
        specs.append(spec)
        tensors.append(own)
    return native_net(specs, tensors, net.input_shape, net.loss)


def _as_product(
    spec: dict[str, Any], own: dict[str, NDArray[np.float32]], rank: int
) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Return a layer that does what batchnorm does in prediction: a diagonal matrix."""
    variance = own["running_var"].astype(np.float64)
    scale = own["weight"] / np.sqrt(variance + spec.get("epsilon", 1e-5))
    bias = own["bias"] - scale * own["running_mean"]
    size, weight = len(scale), np.diag(scale)
    if rank == 1:
        layer: dict[str, Any] = {"type": "dense", "units": size}
    else:
        layer = {"type": f"conv{rank - 1}d", "filters": size, "kernel_size": 1}
        weight = weight.reshape(size, size, *[1] * (rank - 1))
    return layer, {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
