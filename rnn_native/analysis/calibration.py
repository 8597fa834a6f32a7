"""Whether probabilities mean what they say: of what a net calls 90 %, nine in ten should be right.

Nets that are trained long are surer than they should be, nets that are trained little less
sure. One number mends most of it: the temperature, which the logits are divided by. It is
fitted on rows that the net has not learned from; what the net answers does not change, only
how sure it says it is.

References
----------
Guo, Pleiss, Sun and Weinberger 2017, On Calibration of Modern Neural Networks,
arXiv:1706.04599.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnn_native.analysis.logits import (
    Floats,
    as_logits,
    as_probabilities,
    check_is_classifier,
    log_softmax,
    logit_network,
)
from rnn_native.analysis.metrics import as_labels, wilson_interval
from rnn_native.base.checks import check_integer, check_positive
from rnn_native.net.block_specs import Spec, sequence
from rnn_native.net.losses import FLOAT32_MAX
from rnn_native.net.predictor import Predictor
from rnn_native.net.tables import LAYERS

MAX_BINS = 1000
MOST_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """How often rows were right, by how sure the net was of them.

    Attributes
    ----------
    edges : ndarray of shape (bins + 1,), float64
        Bin i holds confidences above edges[i], up to edges[i + 1] and with it.
    count : ndarray of shape (bins,), int64
        Rows in each bin.
    confidence : ndarray of shape (bins,), float64
        Mean of the rows' greatest probabilities; NaN in an empty bin.
    accuracy : ndarray of shape (bins,), float64
        Share of the rows that were right; NaN in an empty bin.

    Examples
    --------
    >>> import rnn_native as rn
    >>> found = rn.calibration.reliability([0, 1], [[0.9, 0.1], [0.2, 0.8]], bins=2)
    >>> found.count, found.accuracy
    (array([0, 2]), array([nan,  1.]))
    """

    edges: Floats
    count: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """The mean distance of accuracy and confidence over the bins, by rows."""
        full = self.count > 0
        gaps = np.abs(self.accuracy[full] - self.confidence[full])
        return float(np.average(gaps, weights=self.count[full]))

    def interval(self) -> tuple[Floats, Floats]:
        """Return the accuracies' 95 % limits, (bins,) each; NaN in an empty bin."""
        full = self.count > 0
        limits = np.full((2, len(self.count)), np.nan)
        hits = np.rint(self.accuracy[full] * self.count[full])
        limits[:, full] = wilson_interval(hits, self.count[full])
        return limits[0], limits[1]


def reliability(y: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> Reliability:
    """Sort rows into bins by their greatest probability, and see how many were right.

    Parameters
    ----------
    y : array_like of int of shape (n,)
        True labels, from 0.
    probabilities : array_like of shape (n, classes)
        As `Network.predict_proba` returns them; (n,) or (n, 1) are those of class 1.
    bins : int in [1, 1000]
        Of equal width in [0, 1].

    Returns
    -------
    Reliability
        Counts, mean confidence and accuracy of each bin.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import rnn_native as rn
    >>> p = [[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [1, 0]]
    >>> rn.calibration.reliability([0, 1, 1, 0], p, bins=2).accuracy
    array([ nan, 0.75])
    """
    check_integer("bins", bins, 1, MAX_BINS)
    p = as_probabilities(probabilities)
    labels = as_labels(y, *p.shape)
    sureness, right = p.max(axis=1), p.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    # Beyond 1 by rounding is in the last bin.
    bin_of = np.clip(np.searchsorted(edges, sureness, side="left") - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    means = [
        np.divide(
            np.bincount(bin_of, weights, bins), count,
            out=np.full(bins, np.nan), where=count > 0,
        )
        for weights in (sureness, right)
    ]  # fmt: skip
    return Reliability(edges, count, *means)


def expected_calibration_error(
    y: ArrayLike, probabilities: ArrayLike, bins: int = 15
) -> float:
    """Return how far the net's sureness is from its accuracy, on average: 0 is best.

    Parameters and errors are those of `reliability`.

    Parameters
    ----------
    y : array_like of int of shape (n,)
        As for `reliability`.
    probabilities : array_like of shape (n, classes)
        As for `reliability`.
    bins : int in [1, 1000]
        As for `reliability`.

    Returns
    -------
    float in [0, 1]
        Mean over all rows of abs(accuracy - confidence) of the row's bin. With few rows in a bin
        it is above 0 by chance alone.

    Examples
    --------
    Three rows at 80 %, two of them right, and one at 100 %:

    >>> p = [[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [1, 0]]
    >>> f"{expected_calibration_error([0, 1, 1, 0], p, bins=10):.2f}"
    '0.10'
    """
    return reliability(y, probabilities, bins).error


def fit_temperature(logits: ArrayLike, y: ArrayLike) -> float:
    """Return the temperature that makes labels likeliest.

    Parameters
    ----------
    logits : array_like of shape (n, classes)
        As `logits.class_logits` returns them, of rows that the net has not learned from;
        (n,) or (n, 1) are those of class 1. Logarithms of probabilities will do as well.
    y : array_like of int of shape (n,)
        True labels, from 0.

    Returns
    -------
    float
        T > 0 with the least mean negative log-likelihood of softmax(logits / T), to about 12
        digits. Above 1 the net is surer than it should be.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or no T is best: every row's label is its likeliest
        class (less is always better), or the logits are unrelated to the labels (more is).

    Notes
    -----
    The likelihood is convex in b = 1 / T. Its slope, the mean of (expected logit - logit of
    the label), is brought to 0 by Newton's method within a bracket.

    Examples
    --------
    >>> import rnn_native as rn
    >>> round(rn.calibration.fit_temperature([[4, 0], [4, 0], [4, 0]], [0, 0, 1]), 3)
    5.771
    """
    z = as_logits(logits)
    labels = as_labels(y, *z.shape)
    z = z - z.max(axis=1, keepdims=True)
    of_label = z[np.arange(len(z)), labels]
    worst = -of_label.min()
    if not worst > 0:
        raise ValueError(
            "fit_temperature: expected rows whose label is not the likeliest class, got none, so "
            "the best temperature is 0; use more rows, or rows that were not trained on"
        )
    if np.mean(z.mean(axis=1) - of_label) >= 0:
        raise ValueError(
            "fit_temperature: expected logits that predict the labels better than chance, got "
            "others, so the best temperature is infinite; train the net longer"
        )
    # In units of the worst row's, so that nothing overflows.
    return float(worst / _steepness(z / worst, of_label / worst))


def _steepness(z: Floats, of_label: Floats) -> float:
    """Return the b at which the slope of the mean of logsumexp(b z) - b of_label is 0."""
    low, high, b = 0.0, math.inf, 1.0
    for _ in range(MOST_STEPS):
        share = np.exp(log_softmax(b * z))
        mean = (share * z).sum(axis=1)
        slope = float((mean - of_label).mean())
        curvature = float((share * (z - mean[:, None]) ** 2).sum(axis=1).mean())
        low, high = (b, high) if slope < 0 else (low, b)
        step = b - slope / curvature if curvature > 0 else math.nan
        if not (low <= step <= high and step < math.inf):
            step = (low + high) / 2 if high < math.inf else 2 * b
        if abs(step - b) <= 1e-13 * b:
            break
        b = step
    return b


def apply_temperature(logits: ArrayLike, temperature: float) -> Floats:
    """Return the probabilities of logits at a temperature.

    Parameters
    ----------
    logits : array_like of shape (n, classes)
        Or (n,) or (n, 1), those of class 1.
    temperature : float
        Above 0; at 1 these are the net's own.

    Returns
    -------
    ndarray of shape (n, classes), float64
        Rows sum to 1.

    Raises
    ------
    ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import rnn_native as rn
    >>> rn.calibration.apply_temperature([[4, 0]], temperature=2).round(3)
    array([[0.881, 0.119]])
    """
    check_positive("temperature", temperature)
    probabilities: Floats = np.exp(log_softmax(as_logits(logits) / temperature))
    return probabilities


def scale_outputs(model: Predictor, temperature: float) -> Predictor:
    """Return a net whose probabilities are those of `model` at a temperature.

    Parameters
    ----------
    model : Predictor
        A classifier; it is left as it is.
    temperature : float
        Above 0, as `fit_temperature` found it.

    Returns
    -------
    Network
        The same layers; weights and bias of the last one with parameters are divided by the
        temperature. So it is an ordinary model, to save, load and export. It returns the same
        labels, except for rows that are between two classes to the last bit.

    Raises
    ------
    ValueError
        If the temperature does not fit, or the last layer with parameters is not a dense or
        convolution layer that the logits are linear in.

    Examples
    --------
    >>> import numpy as np
    >>> import rnn_native as rn
    >>> net = rn.Network([rn.Dense(2)], input_shape=(3,))
    >>> cooler = rn.calibration.scale_outputs(net, temperature=2)
    >>> x = np.ones((1, 3))
    >>> bool(cooler.predict_proba(x).max() < net.predict_proba(x).max())
    True
    """
    check_positive("temperature", temperature)
    last = _last_linear_layer(model)
    twin = model.with_layers(model.specs)
    for name in ("weight", "bias"):
        parameter = twin.parameters[f"{last}.{name}"]
        scaled = parameter.astype(np.float64) / temperature
        if np.abs(scaled).max() > FLOAT32_MAX:
            raise ValueError(f"temperature: too low for float32 weights, got {temperature}")
        parameter[:] = scaled
    return twin


def _last_linear_layer(model: Predictor) -> str:
    """Return the name of the layer whose weights and bias the logits are proportional to."""
    check_is_classifier(model)
    layers = sequence(logit_network(model).specs)
    while len(layers) > 1 and _keeps_factors(layers[-1][1]):
        layers.pop()
    path, spec = layers[-1]
    kind, function = spec["type"], spec.get("activation", "linear")
    if kind not in ("dense", "conv1d", "conv2d") or function != "linear":
        raise ValueError(
            "scale_outputs: expected a linear dense, conv1d or conv2d layer before the "
            f"probabilities, got {kind} {function}; use apply_temperature on the logits"
        )
    return path.replace("[", ".").replace("]", "")


def _keeps_factors(spec: Spec) -> bool:
    return spec["type"] in LAYERS and LAYERS[spec["type"]]["keeps_factors"]
