"""The source of a net's probabilities: a logit for each class, never rounded to 0 or 1.

A softmax's logits are the numbers it is taken of. A sigmoid's single logit z is that of class
1; beside 0 for class 0 it has the same two probabilities as a softmax. So everything that
is made of logits has one form, (rows, classes), for nets with one output too.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.checks import check_all
from rnn_native.net.block_specs import Spec, sequence
from rnn_native.net.losses import LOSSES
from rnn_native.net.predictor import Predictor, check_net

__all__ = ["class_logits", "logit_network"]

Floats = NDArray[np.float64]

# Losses that make the last layer's outputs logits, and the function that predictions apply.
OF_LOSS = {name: loss.function for name, loss in LOSSES.items() if loss.tells_classes}


def class_logits(model: Predictor, x: ArrayLike, *, threads: int | None = None) -> Floats:
    """Return the logits of each class.

    Parameters
    ----------
    model : Predictor
        A classifier: it ends in a softmax, or in one sigmoid, that of its
        loss or a layer's.
    x : array_like
        As for `Network.predict_proba`.
    threads : int in [1, 64], optional
        As for `Network.predict`.

    Returns
    -------
    ndarray of shape (n, classes), float64
        Their softmax are the probabilities; (0, z) of a net with one output z.

    Raises
    ------
    TypeError, ValueError
        If the model is not one of these, or x does not fit.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(2)], input_shape=(3,))
    >>> net.parameters["layers.0.weight"][:] = [[1, 0], [0, 1], [0, 0]]
    >>> rn.logits.class_logits(net, [[2.0, 3.0, 4.0]])
    array([[2., 3.]])
    """
    check_is_classifier(model)
    return as_logits(logit_network(model).predict_proba(x, threads=threads))


def logit_network(model: Predictor) -> Predictor:
    """Return a net of the same weights, copied, whose outputs are the model's logits.

    Of a net that is not a classifier they are its outputs.

    Parameters
    ----------
    model : Predictor
        It is left as it is.

    Returns
    -------
    Network
        A net without the softmax or sigmoid at the end.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(2), rn.Softmax()], input_shape=(3,))
    >>> outputs = rn.logits.logit_network(net).predict([[1.0, 2.0, 3.0]])
    >>> bool(np.allclose(outputs, rn.logits.class_logits(net, [[1.0, 2.0, 3.0]])))
    True
    """
    specs = model.specs
    if model.loss not in OF_LOSS and _function(model):
        specs = _without_function(specs)
    return model.with_layers(specs, "squared_error")


def check_is_classifier(model: Predictor) -> None:
    """Raise an error unless the model is a net whose outputs are probabilities of classes."""
    check_net("model", model)
    outputs, function = model.output_shape[-1], _function(model)
    if function == "sigmoid" and outputs > 1:
        raise ValueError(
            f"model: expected classes that exclude each other, got {outputs} sigmoid "
            "outputs, which answer one question each; look at them one by one"
        )
    if function == "softmax" and outputs == 1:
        raise ValueError("model: expected two classes or more, got a softmax of one output")
    if not function:
        raise ValueError(
            "model: expected a classifier, with a softmax or sigmoid, got "
            f"one that predicts values, trained on {model.loss}"
        )


def as_logits(values: ArrayLike) -> Floats:
    """Return logits as float64 (n, classes), checked; (n,) and (n, 1) are those of class 1.

    Raises
    ------
    ValueError
        If they are not finite numbers of one of these shapes.
    """
    z = _as_columns(values, "logits")
    check_all("logits", z, np.isfinite(z), "finite numbers")
    return np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z


def as_probabilities(values: ArrayLike) -> Floats:
    """Return probabilities as float64 (n, classes), checked; (n,) and (n, 1) are class 1's.

    Raises
    ------
    ValueError
        If they are not in [0, 1], or a row does not sum to 1 within a thousandth.
    """
    p = _as_columns(values, "probabilities")
    check_all("probabilities", p, (p >= 0) & (p <= 1 + 1e-6), "numbers in [0, 1]")
    if p.shape[1] == 1:
        return np.hstack([1 - p, p])
    bad = np.flatnonzero(np.abs(p.sum(axis=1) - 1) > 1e-3)
    if bad.size:
        raise ValueError(
            f"probabilities: expected rows that sum to 1, got {p[bad[0]].sum():.6g} at "
            f"[{bad[0]}]"
        )
    return p


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithms of the softmax of each row; never log(0)."""
    shifted: Floats = logits - logits.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def losses(logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """Return the negative log-likelihood of each row's label."""
    chosen: Floats = -log_softmax(logits)[np.arange(len(labels)), labels]
    return chosen


def _as_columns(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name}: expected numbers of shape (n, classes), got {array.dtype} of shape "
            f"{np.shape(values)}"
        )
    numbers: Floats = array.astype(np.float64)
    return numbers


def _function(model: Predictor) -> str:
    """Return which function makes probabilities, "softmax" or "sigmoid"; "" if neither does."""
    if model.loss in OF_LOSS:
        return OF_LOSS[model.loss]
    is_free = model.loss == "squared_error"
    last: Spec = sequence(model.specs)[-1][1] if is_free else {"type": ""}
    function = str(last.get("activation", last.get("function", last["type"])))
    return function if function in ("softmax", "sigmoid") else ""


def _without_function(specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return layers without the function they end in, or the layer that is only that."""
    last = specs[-1]
    if last["type"] == "block" and len(last["layers"]) > 1:
        return [*specs[:-1], {**last, "layers": _without_function(last["layers"])}]
    return [
        *specs[:-1],
        *([{**last, "activation": "linear"}] if "activation" in last else []),
    ]
