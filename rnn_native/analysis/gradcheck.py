"""Gradients against differences of the loss: for nets, and for losses of the caller's."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.net.losses import LOSSES
from rnn_native.net.predictor import Predictor

OwnLoss: TypeAlias = Callable[[NDArray[np.float32]], tuple[float, ArrayLike]]
"""From outputs (n, outputs) to the loss, and its gradient with respect to them."""

STEPS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
"""Of the differences, beside a parameter's own size."""

ROUNDING = 2.0**-22
"""Relative error of a loss whose terms are float32 and whose sum is float64."""

MOST_NOISE = 1e-2
"""Share of a difference that rounding may have: shorter steps say nothing."""

SEED, STEP = 1, 0  # of the masks: every look must have the same


def gradcheck(
    net: Predictor, x: ArrayLike, y: ArrayLike | None = None, *, loss: OwnLoss | None = None
) -> float:
    """Compare gradients with central differences of the loss, one parameter array at a time.

    Parameters
    ----------
    net : Network
        Is left as it is. In training mode: dropout drops the same units in every look.
    x : array_like
        A few samples, as for `Network.fit`.
    y : array_like, optional
        Their targets: the net's own loss is looked at, its mean over the rows.
    loss : callable, optional
        Instead of `y`, a loss of yours: from outputs (n, outputs), as `Network.forward`
        returns them, to a number and the gradient that you would give `Network.backward`.

    Returns
    -------
    float
        Greatest relative error of the slope in some direction, over all parameter arrays.
        Right gradients have less than 0.05, as numbers are float32; wrong ones about 1. On a
        kink, as a ReLU of blank inputs is, there is no slope: move the weights a little first.
        Infinity if a loss or gradient is not finite; NaN if rounding hides all slopes, as with
        a loss of 1e6 that changes by 1.

    Raises
    ------
    ValueError, TypeError
        If neither or both of `y` and `loss` are given, or the data do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(8, "tanh"), rn.Dense(3)], (5,))
    >>> x = np.random.default_rng(0).normal(size=(16, 5))
    >>> rn.gradcheck(net, x, np.arange(16) % 3) < 0.05
    True
    >>> rn.gradcheck(net, x, loss=lambda z: (0.5 * float((z**2).sum()), z)) < 0.05
    True
    >>> rn.gradcheck(net, x, loss=lambda z: (0.5 * float((z**2).sum()), -z)) > 0.05
    True
    """
    if not isinstance(net, Predictor):
        raise TypeError(f"gradcheck: expected a Network, got {type(net).__name__}")
    twin = net.with_layers(net.specs)
    rows = twin.as_dense_rows(x, learns=True)
    if loss is not None and y is None:
        look = _of_own_loss(twin, rows, loss)
    elif y is not None and loss is None:
        look = _of_net(twin, rows, twin.as_targets(y, len(rows)))
    else:
        found = "neither" if y is None else "both"
        raise ValueError(f"gradcheck: expected one of y and loss, got {found}")
    _, flat = look()
    gradients = {
        name: gradient.astype(np.float64)
        for name, gradient in twin.parts_of(np.array(flat)).items()
    }
    rng = np.random.default_rng(0)
    errors = [
        _error(look, twin.parameters[name], gradient, rng)
        for name, gradient in gradients.items()
    ]
    measured = [error for error in errors if error is not None]
    return max(measured, default=math.nan if errors else 0.0)


Look: TypeAlias = Callable[[], tuple[float, NDArray[np.float32]]]


def _of_net(net: Predictor, rows: Any, targets: Any) -> Look:
    share = LOSSES[net.loss].followed / len(rows)

    def look() -> tuple[float, NDArray[np.float32]]:
        total, gradient = net.native.gradients(rows, targets, seed=SEED, step=STEP)
        return share * total, gradient

    return look


def _of_own_loss(net: Predictor, rows: Any, loss: OwnLoss) -> Look:
    def look() -> tuple[float, NDArray[np.float32]]:
        outputs = net.native.forward(rows, seed=SEED, step=STEP)
        value, by_output = _value_and_gradient(loss(outputs), outputs.shape)
        net.native.backward(by_output, to_input=False)
        gradient = net.native.grads
        assert gradient is not None
        return value, gradient

    return look


def _value_and_gradient(
    found: Any, shape: tuple[int, ...]
) -> tuple[float, NDArray[np.float32]]:
    """Return what a loss gave, checked."""
    try:
        value, by_output = found
        gradient = np.ascontiguousarray(by_output, np.float32).reshape(shape)
        return float(value), gradient
    except (TypeError, ValueError):
        raise TypeError(
            f"loss: expected a number and a gradient of shape {shape}, got "
            f"{type(found).__name__}"
        ) from None


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with a norm of 1; zeros stay."""
    norm = np.linalg.norm(values)
    return values / norm if norm > 0 else values


def _error(
    look: Look,
    parameter: NDArray[np.float32],
    gradient: NDArray[np.float64],
    rng: np.random.Generator,
) -> float | None:
    """Return the relative error of a slope, the least over several steps.

    None where rounding hides it; infinity where a loss or gradient is not finite. Long
    steps bend, and may pass a kink; short ones drown in rounding.
    """
    if not np.isfinite(gradient).all():
        return math.inf
    before = parameter.copy()
    size = max(float(np.abs(before).mean()), 0.1)
    # At random, and uphill: a slope near 0 would be rounding only.
    random, uphill = _unit(rng.normal(size=parameter.shape)), _unit(gradient)
    direction = (random if np.sum(random * uphill) > 0 else -random) + uphill
    direction *= np.sqrt(direction.size)
    errors = []
    for step in STEPS:
        values = []
        for sign in (1, -1):
            parameter[:] = before + sign * step * size * direction
            moved = parameter.astype(np.float64) - before
            values.append((look()[0], float(np.sum(gradient * moved))))
        parameter[:] = before
        (up, slope_up), (down, slope_down) = values
        if not np.isfinite([up, down, slope_up, slope_down]).all():
            return math.inf
        found, expected = up - down, slope_up - slope_down
        noise = ROUNDING * (abs(up) + abs(down))
        scale = max(abs(found), abs(expected))
        if noise < MOST_NOISE * scale:
            errors.append(abs(found - expected) / scale)
        elif scale == 0:
            errors.append(0.0)
    return min(errors, default=None)
