"""scikit-learn's `coefs_` and `intercepts_`, written and read; scikit-learn is not needed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.base.errors import FormatError
from rnn_native.base.text import brief
from rnn_native.export.steps import FINAL_FUNCTIONS, Step, whole_steps_of
from rnn_native.formats.parameters import finite_float32
from rnn_native.models.network import Network
from rnn_native.net.layers import RANDOM, Dense

# Our names of scikit-learn's functions.
HIDDEN = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": "linear"}
FINAL = {"softmax": "softmax", "logistic": "sigmoid", "identity": "linear", "exp": "exp"}


class Perceptron(NamedTuple):
    """What makes a fitted MLPClassifier or MLPRegressor, without the underscores.

    Attributes
    ----------
    coefs : list of ndarray of float32 of shape (inputs, outputs)
    intercepts : list of ndarray of float32 of shape (outputs,)
    activation : {"relu", "tanh", "logistic", "identity"}
        Of the hidden layers.
    out_activation : {"softmax", "logistic", "identity", "exp"}
        Of the last layer.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(5, "tanh"), rn.Dense(3)], input_shape=(4,))
    >>> rn.export.to_sklearn(net).activation
    'tanh'
    """

    coefs: list[NDArray[np.float32]]
    intercepts: list[NDArray[np.float32]]
    activation: str
    out_activation: str


def to_sklearn(model: Network) -> Perceptron:
    """Return a network's arrays in scikit-learn's layout.

    Parameters
    ----------
    model : Network
        Dense layers, all but the last with one and the same activation of those that
        scikit-learn has; dropout, and flatten at the beginning, change nothing.

    Returns
    -------
    Perceptron
        New arrays. Softmax of two classes becomes the logistic function of one output, the
        difference of both, as scikit-learn has it.

    Raises
    ------
    TypeError
        If `model` is not a Network.
    ValueError
        If scikit-learn has no such network (the layer is named), or a weight is not
        finite.

    Examples
    --------
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(32, "tanh"), rn.Dense(3)], input_shape=(4,))
    >>> coefs, intercepts, activation, out_activation = to_sklearn(net)
    >>> [coef.shape for coef in coefs], activation, out_activation
    ([(4, 32), (32, 3)], 'tanh', 'softmax')
    """
    layers: list[tuple[Step, str]] = []  # dense layers with their functions
    for step in whole_steps_of(model):
        function, _ = step.activation
        if step.type == "dense" and len(step.input_shape) == 1:
            layers.append((step, function))
        elif step.type == "activation" and layers and layers[-1][1] == "linear":
            layers[-1] = (layers[-1][0], function)
        elif step.type not in RANDOM and not (step.type == "flatten" and not layers):
            raise step.refusal("scikit-learn")
    if not layers:
        raise ValueError(
            "model: scikit-learn's have at least one dense layer, this has none"
        )
    coefs = [step.arrays["weight"].copy() for step, _ in layers]
    intercepts = [step.arrays["bias"].copy() for step, _ in layers]
    final = _final_function(*layers[-1], FINAL_FUNCTIONS[model.loss])
    if final == "softmax" and coefs[-1].shape[1] == 2:
        coefs[-1], intercepts[-1] = np.diff(coefs[-1]), np.diff(intercepts[-1])
        final = "logistic"
    return Perceptron(coefs, intercepts, _hidden_function(layers[:-1]), final)


def from_sklearn(
    coefs: Any,
    intercepts: Sequence[ArrayLike] | None = None,
    activation: str = "relu",
    out_activation: str = "softmax",
) -> Network:
    """Return a network from scikit-learn's arrays.

    Parameters
    ----------
    coefs : estimator, or sequence of array_like of shape (inputs, outputs)
        A fitted MLPClassifier or MLPRegressor, which says all; or its `coefs_`.
    intercepts : sequence of array_like of shape (outputs,), optional
        Its `intercepts_`.
    activation : {"relu", "tanh", "logistic", "identity"}
        Of the hidden layers.
    out_activation : {"softmax", "logistic", "identity", "exp"}
        Its `out_activation_`: softmax of classes, logistic of two classes or several yes or
        no, identity or exp of a regressor.

    Returns
    -------
    Network
        Labels are indices of `classes_`.

    Raises
    ------
    FormatError
        If shapes do not fit, or a value is not a finite float32; names the array.
    ValueError
        If the estimator is not fitted, intercepts are missing, or a function is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> rn.export.from_sklearn([np.ones((4, 3))], [np.zeros(3)])
    <Network 4 -> 3, 15 parameters>
    """
    if hasattr(coefs, "fit"):
        given = _of_estimator(coefs)
    elif intercepts is None:
        raise ValueError("intercepts: missing; coefs needs them")
    else:
        given = (coefs, intercepts, activation, out_activation)
    weights, biases = _arrays(given[0], "coefs"), _arrays(given[1], "intercepts")
    hidden = _known(given[2], HIDDEN, "activation")
    final = _known(given[3], FINAL, "out_activation")
    _check_shapes(weights, biases)
    # The first of several: values are those of squared_error, as scikit-learn's are.
    losses = {function: loss for loss, function in reversed(FINAL_FUNCTIONS.items())}
    *before, last = (weight.shape[1] for weight in weights)
    layers = [*(Dense(units, hidden) for units in before), Dense(last)]
    model = Network(layers, weights[0].shape[:1], losses[final])
    arrays = [array for pair in zip(weights, biases, strict=True) for array in pair]
    for parameter, array in zip(model.parameters.values(), arrays, strict=True):
        parameter[...] = array
    model.input_dtype = "float"  # scikit-learn treats uint8 as numbers
    return model


def _of_estimator(estimator: Any) -> tuple[Any, Any, Any, Any]:
    names = ("coefs_", "intercepts_", "activation", "out_activation_")
    for name in names:
        if not hasattr(estimator, name):
            raise ValueError(
                f"{type(estimator).__name__}: expected a fitted MLPClassifier or "
                f"MLPRegressor, got one without {name}"
            )
    coefs, intercepts, activation, out_activation = (
        getattr(estimator, name) for name in names
    )
    return coefs, intercepts, activation, out_activation


def _arrays(values: Sequence[ArrayLike], name: str) -> list[NDArray[np.float32]]:
    return [
        finite_float32(np.asarray(value), f"{name}[{i}]") for i, value in enumerate(values)
    ]


def _known(function: Any, functions: dict[str, str], name: str) -> str:
    if function not in functions:
        raise ValueError(
            f"{name}: expected one of {', '.join(functions)}, got {brief(function)}"
        )
    return functions[function]


def _check_shapes(
    weights: list[NDArray[np.float32]], biases: list[NDArray[np.float32]]
) -> None:
    if not weights or len(weights) != len(biases):
        raise FormatError(
            "coefs, intercepts: expected at least one layer and as many of both, got "
            f"{len(weights)} and {len(biases)}"
        )
    inputs = weights[0].shape[0] if weights[0].ndim == 2 else 0
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.ndim != 2 or not weight.size or len(weight) != inputs:
            rows = inputs or "inputs"
            raise FormatError(
                f"coefs[{i}]: expected shape ({rows}, outputs), got {weight.shape}"
            )
        inputs = weight.shape[1]
        if bias.shape != (inputs,):
            raise FormatError(
                f"intercepts[{i}]: expected shape ({inputs},), got {bias.shape}"
            )


def _hidden_function(layers: list[tuple[Step, str]]) -> str:
    """Return scikit-learn's name of the one function that all of `layers` have."""
    names = {ours: name for name, ours in HIDDEN.items()}
    chosen = layers[0][1] if layers else "relu"
    for step, function in layers:
        if function not in names:
            raise ValueError(f"{step}: scikit-learn has no {function}")
        if function != chosen:
            raise ValueError(
                f"{step}: scikit-learn has one activation for all hidden layers, "
                f"expected {chosen} as in the first, got {function}"
            )
    return names[chosen]


def _final_function(step: Step, function: str, final: str) -> str:
    """Return scikit-learn's name of the last layer's activation."""
    if "linear" not in (function, final):
        raise ValueError(f"{step}: scikit-learn has no {function} before {final}")
    names = {ours: name for name, ours in FINAL.items()}
    chosen = final if function == "linear" else function
    if chosen not in names:
        raise ValueError(f"{step}: scikit-learn has no {chosen} at the end")
    return names[chosen]
