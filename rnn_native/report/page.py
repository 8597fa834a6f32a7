"""The page that `evaluate --report` writes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnn_native.analysis import calibration
from rnn_native.analysis.logits import losses
from rnn_native.analysis.metrics import Z_95
from rnn_native.analysis.saliency import Floats, over_image, saliency
from rnn_native.base.markup import escape, table
from rnn_native.report import parts

if TYPE_CHECKING:
    from rnn_native.report.interpretation import Interpretation
    from rnn_native.training.history import History

WORST = 24
# Half of them must be enough for a temperature.
FEWEST_FOR_TEMPERATURE = 100

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: 0.9rem; padding-bottom: 0.3rem; }
.facts th { text-align: left; padding: 2px 1.2rem 2px 0; vertical-align: top; }
.facts td { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
svg { width: 100%; max-width: 34rem; height: auto; }
.worst { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; font-size: 0.85rem; }
figure img { width: 84px; image-rendering: pixelated; margin-right: 4px; }
"""


def evaluation_page(
    seen: "Interpretation",
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    history: "History | None" = None,
    *,
    threads: int | None = None,
) -> str:
    """Return an evaluation as one HTML page.

    Parameters
    ----------
    seen : Interpretation
        What `interpret` returned.
    title : str
        Heading of the page.
    facts : sequence of (str, str)
        Names and values that come first: which model, which data.
    history : History, optional
        Of the run that the model is from; without it the page says that it is unknown.
    threads : int in [1, 64], optional
        As for `Network.predict`.

    Returns
    -------
    str
        To be written as UTF-8. It loads nothing and runs nothing, follows the reader's choice
        of light or dark, and has no time in it: equal arguments are equal pages.

    Examples
    --------
    >>> import rnn_native as rn
    >>> x, y = rn.datasets.synthetic_digits(200, seed=3)
    >>> seen = rn.interpret(rn.pretrained.load(), x, y)
    >>> page = rn.report.evaluation_page(seen, "The shipped model on generated digits")
    >>> page.startswith("<!DOCTYPE html>"), page.count("<h1>")
    (True, 1)
    """
    sections = [
        ("Model and data", parts.facts_table(facts) if facts else ""),
        ("Result", parts.facts_table(_result(seen))),
        ("Training", _training(history)),
        ("Confusion matrix", f'<div class="wide">{parts.confusion(seen)}</div>'),
        ("Most confused", parts.confused_pairs(seen)),
        ("Classes", parts.classes(seen)),
        ("Calibration", _calibration(seen)),
        ("Worst mistakes", _mistakes(seen, threads)),
    ]
    body = "".join(
        f"<section><h2>{h}</h2>{text}</section>\n" for h, text in sections if text
    )
    # The policy is for readers who open a page they were sent: whatever is in it, it does no more
    # than show itself.
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"/>"
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


def _result(seen: "Interpretation") -> list[tuple[str, str]]:
    error = Z_95 * float(seen.losses.std()) / len(seen.losses) ** 0.5
    return [
        ("accuracy", parts.accuracy_text(seen)),
        (
            "loss",
            f"{seen.loss:.4f} \u00b1 {error:.4f} (95 %), mean negative log-likelihood",
        ),
    ]


def _training(history: "History | None") -> str:
    if history is None:
        return "<p>The folder of the model has no training log, so there are no curves.</p>"
    return history.html()


# ---- calibration ----


def _calibration(seen: "Interpretation") -> str:
    reliability = seen.calibration()
    sure = float(seen.probabilities.max(axis=1).mean())
    verdict = (
        "surer than it should be" if sure > seen.accuracy else "less sure than it could be"
    )
    return (
        f"{parts.reliability_svg(reliability)}"
        f"<p>On average the model is {parts.per_cent(sure)} sure and right in "
        f"{parts.per_cent(seen.accuracy)} of the rows: {verdict}. {_temperature(seen)}</p>"
        f"<details><summary>bins</summary>{parts.bins(reliability)}</details>"
    )


def _temperature(seen: "Interpretation") -> str:
    """Describe what a temperature fitted on every other row does to the rows between them."""
    if len(seen.y) < FEWEST_FOR_TEMPERATURE:
        return "There are too few rows to fit a temperature on half of them."
    try:
        fitted = calibration.fit_temperature(seen.logits[::2], seen.y[::2])
    except ValueError as error:
        return escape(f"No temperature: {error}.")
    y = seen.y[1::2]
    before = calibration.apply_temperature(seen.logits[1::2], 1)
    after = calibration.apply_temperature(seen.logits[1::2], fitted)
    errors = [calibration.expected_calibration_error(y, p) for p in (before, after)]
    means = [float(losses(seen.logits[1::2] / t, y).mean()) for t in (1.0, fitted)]
    return (
        f"A temperature of {fitted:.4g}, fitted on every other row, brings the expected "
        f"calibration error of the rest from {parts.per_cent(errors[0])} to "
        f"{parts.per_cent(errors[1])} and the loss from {means[0]:.4f} to {means[1]:.4f}; "
        f"<code>rn.calibration.scale_outputs(model, {fitted:.4g})</code> is that model. For one "
        "to use, fit on rows that are neither learned from nor tested on."
    )


# ---- mistakes ----


def _mistakes(seen: "Interpretation", threads: int | None) -> str:
    rows = seen.mistakes()[:WORST]
    if not len(rows):
        return "<p>No mistakes.</p>"
    pictures = seen.pictures(rows)
    if pictures is None:
        return table(
            ["row", "true", "predicted", "probability", "loss"],
            [[str(row), *_said(seen, row), f"{seen.losses[row]:.4f}"] for row in rows],
        )
    said = seen.predicted[rows]
    maps = saliency(seen.model, seen.x[rows], said, "gradient_input", threads=threads)
    figures = "".join(
        _figure(seen, int(row), parts.as_gray(picture), overlay)
        for row, picture, overlay in zip(
            rows, pictures, maps.reshape(pictures.shape), strict=True
        )
    )
    return (
        "<p>Mistakes with the largest losses: true class \u2192 predicted class with its "
        "probability. The second picture is gradient times input: ink that supports the "
        "predicted class (orange) or opposes it (blue).</p>"
        f'<div class="worst">{figures}</div>'
    )


def _figure(seen: "Interpretation", row: int, gray: Floats, overlay: Floats) -> str:
    true, predicted, probability = _said(seen, row)
    drawn = parts.image(np.rint(255 * gray).astype(np.uint8), f"row {row}: a {true}")
    support = parts.image(over_image(gray, overlay), f"what supports {predicted}")
    return (
        f"<figure>{drawn}{support}<figcaption>{escape(true)} \u2192 {escape(predicted)}, "
        f"{probability}<br/>row {row}, loss {seen.losses[row]:.2f}</figcaption></figure>"
    )


def _said(seen: "Interpretation", row: int) -> tuple[str, str, str]:
    """Return names of the true and the predicted class, and the probability of the latter."""
    true, predicted = seen.y[row], seen.predicted[row]
    names, share = seen.class_names, seen.probabilities[row, predicted]
    return names[true], names[predicted], f"{100 * share:.1f} %"
