"""Losses: their names, what their targets are, and the function that each applies itself.

A loss that has its own function (softmax, sigmoid, exponential) applies it to the last
layer's outputs, in training and in predictions. So a last activation that is this function is
the loss's, and is applied once; any other that bounds the outputs would keep the loss from
reaching part of what it describes, and is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_native.base.rules import did_you_mean, quoted
from rnn_native.base.text import brief
from rnn_native.net import tables
from rnn_native.net.block_specs import Spec, is_block, leaves, mapped, sequence

FLOAT32_MAX = float(np.finfo(np.float32).max)

_PREDICTIONS = {
    "softmax": "probabilities, which sum to 1",
    "sigmoid": "probabilities, each of a yes",
    "linear": "values",
    "exp": "expected counts",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """The facts about a loss; the formulas are in the core.

    Attributes
    ----------
    function : {"softmax", "sigmoid", "exp", "linear"}
        What predictions apply to the last layer's outputs.
    targets : tuple of two floats, or None
        Range of the values that it accepts; None for class labels.
    aliases : tuple of str
        Names that Keras, PyTorch and scikit-learn have for it.
    outputs : str
        What the last layer's outputs are.
    followed : float
        The share of the loss whose gradient is followed: half of the sum of squares.
    best_constant : {"mean", "median"}
        Of values, what the same answer for every row is when it has the least loss, or what
        it is near to.
    """

    function: str
    targets: tuple[float, float] | None
    aliases: tuple[str, ...]
    outputs: str = "values"
    followed: float = 1.0
    best_constant: str = "mean"

    @property
    def predictions(self) -> str:
        """What predictions are, in words."""
        return _PREDICTIONS[self.function]

    def tells_several(self, outputs: int) -> bool:
        """Whether predictions of this many outputs are a yes or no for each."""
        return self.function == "sigmoid" and outputs > 1

    @property
    def tells_classes(self) -> bool:
        """Whether its targets are classes, and predictions are labels."""
        return self.function in ("softmax", "sigmoid")


_ANY = (-FLOAT32_MAX, FLOAT32_MAX)


def _loss(
    name: str,
    *aliases: str,
    targets: tuple[float, float] = _ANY,
    outputs: str = "values",
    followed: float = 1.0,
    best_constant: str = "mean",
) -> Loss:
    row = tables.LOSSES[name]
    has_labels = row["targets"] == "labels"
    accepted = None if has_labels else targets
    return Loss(row["function"], accepted, aliases, outputs, followed, best_constant)


LOSSES = {
    "softmax_cross_entropy": _loss(
        "softmax_cross_entropy",
        "sparse_categorical_crossentropy",
        "categorical_crossentropy",
        outputs="logits",
    ),
    "sigmoid_cross_entropy": _loss(
        "sigmoid_cross_entropy",
        "binary_crossentropy",
        "bce",
        "bce_with_logits",
        targets=(0.0, 1.0),
        outputs="logits",
    ),
    "squared_error": _loss("squared_error", "mse", "mean_squared_error", followed=0.5),
    "absolute_error": _loss(
        "absolute_error", "mae", "mean_absolute_error", "l1", best_constant="median"
    ),
    "huber": _loss("huber", "huber_loss", "smooth_l1", best_constant="median"),
    "poisson": _loss(
        "poisson",
        "poisson_nll",
        targets=(0.0, FLOAT32_MAX),
        outputs="the logarithms of rates",
    ),
}
"""All losses by their names in the core."""

# Names that mean one loss for a single output, and another for several classes.
BY_OUTPUTS = ("log_loss", "cross_entropy", "crossentropy")

_ALIASES = {alias: name for name, loss in LOSSES.items() for alias in loss.aliases}
NAMES = (*LOSSES, *_ALIASES, *BY_OUTPUTS)
"""Every name of a loss that is accepted, those of the core first."""


def _squeezed(name: str) -> str:
    """Return a name without what spellings differ in: case, "_" and a last "loss"."""
    return name.lower().replace("_", "").replace("-", "").removesuffix("loss")


_BY_SQUEEZED = {_squeezed(name): name for name in NAMES}


def resolve(name: object, layers: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the core's name of a loss.

    Parameters
    ----------
    name : str
        One of `NAMES`; upper case, "_" and a last "loss" make no difference, so the names
        of Keras' and PyTorch's classes are accepted ("BCEWithLogitsLoss").
    layers : sequence of mapping
        Specs of the net. "log_loss" and "cross_entropy" are the loss of one yes or no when
        it ends in a sigmoid or in one output, else of classes.

    Raises
    ------
    TypeError, ValueError
        If it is not a string; if there is no such loss: lists the choices.

    Examples
    --------
    >>> resolve("mse"), resolve("BinaryCrossentropy")
    ('squared_error', 'sigmoid_cross_entropy')
    """
    if not isinstance(name, str):
        raise TypeError(f"loss: expected a name, got {brief(name)}")
    known = _BY_SQUEEZED.get(_squeezed(name))
    if known is None:
        raise ValueError(
            f"loss: expected one of {', '.join(LOSSES)}, or Keras' or scikit-learn's name "
            f"of one, got {quoted(name)}{did_you_mean(name, NAMES)}"
        )
    if known in BY_OUTPUTS:
        return "sigmoid_cross_entropy" if _is_yes_or_no(layers) else "softmax_cross_entropy"
    return _ALIASES.get(known, known)


def _is_yes_or_no(layers: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether layers end in a sigmoid, or in one output without a softmax."""
    every = [layer for _, layer in leaves(layers)]
    function = function_of(sequence(layers)[-1][1]) if layers else "linear"
    if function in ("sigmoid", "softmax"):
        return function == "sigmoid"
    units = [layer["units"] for layer in every if "units" in layer]
    return units[-1:] == [1]


def labels_of(outputs: NDArray[Any], loss: str) -> NDArray[np.int64]:
    """Return the labels of predictions: the first greatest output, or whether >= 0.5.

    Parameters
    ----------
    outputs : ndarray of shape (n, outputs)
    loss : str

    Returns
    -------
    ndarray of shape (n,), int64
        Under sigmoid_cross_entropy with several outputs (n, outputs): a yes or no for each.
    """
    if outputs.shape[1] == 1:
        return (outputs[:, 0] >= 0.5).astype(np.int64)
    if LOSSES[loss].tells_several(outputs.shape[1]):
        return (outputs >= 0.5).astype(np.int64)
    labels: NDArray[np.int64] = np.argmax(outputs, axis=1)
    return labels


def answers_of(
    outputs: NDArray[np.float32], loss: str
) -> NDArray[np.int64] | NDArray[np.float32]:
    """Return what `Network.predict` does: labels, or values without an axis of one output."""
    if LOSSES[loss].tells_classes:
        return labels_of(outputs, loss)
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


# ---- the last activation ----

LAST_ONLY = {"softmax": "softmax", "exponential": "exp", "exp": "exp"}
"""Activations that only a last layer may have, with the name that losses have for them."""

# They hand on a bound of their inputs.
_KEEPS_BOUNDS = frozenset(k for k, row in tables.LAYERS.items() if row["keeps_bounds"])
_BOUNDED = frozenset(
    {"softmax", *(f for f, row in tables.ACTIVATIONS.items() if row["above"])}
)
_BOUNDED_BELOW = frozenset(
    f for f, row in tables.ACTIVATIONS.items() if row["below"] and not row["above"]
)
_OWNERS = {loss.function: name for name, loss in LOSSES.items()}


def function_of(layer: Mapping[str, Any]) -> str:
    """Return the function that a layer ends in, "linear" for none."""
    if layer.get("type") == "softmax":
        return "softmax"
    given = layer.get("activation", layer.get("function"))
    name = "linear" if given is None else str(given)
    return LAST_ONLY.get(name, tables.ACTIVATION_ALIASES.get(name, name))


def own_activation(layers: Sequence[Mapping[str, Any]], loss: str) -> int | None:
    """Return the index of the last layer if it ends in the loss's own function, else None.

    Flatten layers may follow, except after a softmax, which is along one axis. A list stands
    for its layers.
    """
    own = LOSSES[loss].function
    at = len(layers) - 1
    while at > 0 and own != "softmax" and _only_flattens(layers[at]):
        at -= 1
    if at >= 0 and layers[at].get("type") == "block":
        return None if own_activation(layers[at]["layers"], loss) is None else at
    has_own = at >= 0 and own != "linear" and function_of(layers[at]) == own
    return at if has_own else None


def _only_flattens(layer: Mapping[str, Any]) -> bool:
    return all(one.get("type") == "flatten" for _, one in sequence([layer]))


def without_last_activation(layers: Sequence[Mapping[str, Any]], loss: str) -> list[Spec]:
    """Return specs for the core: a last activation that is the loss's own is left to it.

    Parameters
    ----------
    layers : sequence of mapping
        Specs; they stay as they are.
    loss : str
        The core's name.

    Returns
    -------
    list of dict
        Without a last layer that was only the activation, or with "linear" in its place. A
        softmax that does not belong to the loss becomes a layer.
    """
    specs = mapped(layers, _softmax_as_layer)
    at = own_activation(specs, loss)
    last = len(specs) - 1 if at is None else at
    if specs and specs[last].get("type") == "block":
        inner = without_last_activation(specs[last]["layers"], loss)
        specs[last] = {**specs[last], "layers": inner}
    elif at is not None:
        specs[at : at + 1] = _linear(specs[at], is_only=len(specs) == 1)
    elif specs and specs[-1].get("activation") == "softmax":
        specs[-1:] = [*_linear(specs[-1], is_only=True), {"type": "softmax"}]
    return specs


def with_linear_ends(layers: Sequence[Mapping[str, Any]]) -> list[Spec]:
    """Return specs that the core knows, of the same shapes: without those in `LAST_ONLY`."""
    return mapped(layers, _with_linear_end)


def _with_linear_end(layer: Spec) -> Spec:
    return {key: "linear" if _is_last_only(key, v) else v for key, v in layer.items()}


def _is_last_only(key: str, value: Any) -> bool:
    is_function = key in ("activation", "function") and isinstance(value, str)
    return is_function and value in LAST_ONLY


def _softmax_as_layer(layer: Spec) -> Spec:
    return {"type": "softmax"} if layer.get("function") == "softmax" else layer


def _linear(layer: Spec, *, is_only: bool) -> list[Spec]:
    """Return a layer without its function: no layer if it is only that."""
    if "activation" in layer:
        return [{**layer, "activation": "linear"}]
    return [{"type": "activation", "function": "linear"}] if is_only else []


def last_activation_fault(
    layers: Sequence[Mapping[str, Any]], loss: str
) -> tuple[str, str] | None:
    """Return the path of a layer whose activation a loss cannot have, and why, or None.

    Parameters
    ----------
    layers : sequence of mapping
        What `without_last_activation` returned.
    loss : str
        The core's name.
    """
    for path, layer in leaves(layers):
        given = layer.get("activation", layer.get("function"))
        if isinstance(given, str) and given in LAST_ONLY:
            return path, _misplaced(given, loss)
    if LOSSES[loss].function == "linear":
        return None
    found = _bounded_by(layers)
    if found is None:
        return None
    path, layer = found
    function = function_of(layer)
    return path, (
        f"the net's last activation, {function}, bounds its outputs"
        f"{'' if function in _BOUNDED else ' below'}, but under {loss} they are "
        f"{LOSSES[loss].outputs} and may be any numbers: leave the last layer linear; "
        f"{loss} applies its {LOSSES[loss].function} itself{_advice(function, loss)}"
    )


def as_given(path: str, layers: Sequence[Mapping[str, Any]]) -> str:
    """Return where a layer is among those given: a last softmax has become a separate layer."""
    beyond = path == f"layers[{len(layers)}]"
    return f"layers[{len(layers) - 1}]" if beyond else path


def _misplaced(function: str, loss: str) -> str:
    if function == "softmax":
        return "softmax is an activation of the last layer only; elsewhere use rn.Softmax()"
    if loss == "poisson":
        return f"{function} is an activation of the last layer only; elsewhere leave it out"
    return f"{function} is the last activation of a net with loss poisson only, got {loss}"


def _advice(function: str, loss: str) -> str:
    other = _OWNERS.get(function, loss)
    return "" if other == loss else f", and {other} is the loss for {function}"


def _bounded_by(layers: Sequence[Mapping[str, Any]]) -> tuple[str, Spec] | None:
    """Return path and spec of the layer whose function bounds the net's outputs, if any."""
    for path, layer in reversed(sequence(layers)):
        if is_block(layer):
            return None
        kind, function = layer.get("type"), function_of(layer)
        if function in _BOUNDED or function in _BOUNDED_BELOW:
            return path, layer
        if function == "leaky_relu" and layer.get("alpha") == 0:
            return path, layer
        # An unbounded function of bounded values is bounded as well.
        if kind != "activation" and kind not in _KEEPS_BOUNDS:
            return None
    return None
