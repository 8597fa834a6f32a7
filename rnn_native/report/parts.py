"""Tables and pictures of an `Interpretation`, as HTML with inline SVG and PNG.

Colors are Okabe and Ito's, and cells are tinted rather than filled, so that pages can be
read in light and dark and with any color vision; numbers say all that colors say.
"""

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_native.analysis.calibration import Reliability
from rnn_native.analysis.metrics import Report, wilson_interval
from rnn_native.base.markup import escape, svg_text, table

# Beyond this many classes a matrix is a wall of zeros; the pairs that are confused are listed.
MAX_MATRIX = 30
MAX_PAIRS = 10

WIDTH, HEIGHT = 380, 330
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 28, 44
BLUE, ORANGE = "0,114,178", "230,159,0"
_CELL = "text-align:right;padding:3px 7px"


class Confusion(NamedTuple):
    """How often rows of one class were taken for another."""

    true: int
    predicted: int
    times: int


class Judged(Protocol):
    """What tables need of an `Interpretation`; see there."""

    @property
    def y(self) -> NDArray[np.int64]:
        """Labels."""

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted labels."""

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes."""

    @property
    def accuracy(self) -> float:
        """Fraction of rows whose label was predicted."""

    def confusion_matrix(self) -> NDArray[np.int64]:
        """Return counts by label (rows) and predicted label (columns)."""

    def most_confused(self) -> Sequence[Confusion]:
        """Return the pairs of classes confused most, beginning with the most frequent."""

    def report(self) -> Report:
        """Return precision, recall and F1 of the classes."""

    def calibration(self) -> Reliability:
        """Return how often rows were right by how sure the model was."""


def overview(seen: Judged) -> str:
    """Return the view of a notebook: accuracy, matrix, most confused classes, reliability."""
    title, reliability = repr(seen)[1:-1], reliability_svg(seen.calibration())
    return (
        f"<div><p><b>{escape(title)}</b></p>{confusion(seen)}{confused_pairs(seen)}"
        f"{reliability}</div>"
    )


def accuracy_text(seen: Judged) -> str:
    """Return accuracy with its 95 % interval, and how many are wrong."""
    wrong, rows = int(np.sum(seen.predicted != seen.y)), len(seen.y)
    low, high = wilson_interval(rows - wrong, rows)
    return (
        f"{per_cent(seen.accuracy)} (95 % interval {100 * low:.2f} to {per_cent(float(high))}); "
        f"{wrong:,} of {rows:,} wrong"
    )


def per_cent(share: float) -> str:
    """Return a fraction as text; "-" for NaN."""
    return "-" if np.isnan(share) else f"{100 * share:.2f} %"


# ---- tables ----


def confusion(seen: Judged) -> str:
    """Return the confusion matrix as a table, or why it is missing.

    The diagonal is tinted by the share of its row; mistakes, in another color, by their
    count beside the greatest one: they would be too pale by share.
    """
    names = [escape(name) for name in seen.class_names]
    if len(names) > MAX_MATRIX:
        return f"<p>A matrix of {len(names)} classes is too large to read.</p>"
    counts = seen.confusion_matrix()
    mistakes = counts - np.diag(np.diag(counts))
    strength = mistakes / max(1, mistakes.max())
    np.fill_diagonal(strength, np.diag(counts) / np.maximum(1, counts.sum(axis=1)))
    head = "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row" style="{_CELL}">{name}</th>'
        + "".join(
            _cell(int(count), float(share), BLUE if row == column else ORANGE)
            for column, (count, share) in enumerate(
                zip(counts[row], strength[row], strict=True)
            )
        )
        + "</tr>"
        for row, name in enumerate(names)
    )
    return (
        '<table style="border-collapse:collapse"><caption>Rows: true class. Columns: predicted '
        f'class.</caption><thead><tr><th scope="col" style="{_CELL}">true \\ predicted</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(count: int, strength: float, color: str) -> str:
    # At this opacity both black and white text stand out.
    tint = f";background:rgba({color},{0.5 * strength:.2f})" if count else ";opacity:0.5"
    return f'<td style="{_CELL}{tint}">{count}</td>'


def confused_pairs(seen: Judged) -> str:
    """Return the pairs of classes that are confused most often."""
    support = np.bincount(seen.y, minlength=len(seen.class_names))
    pairs = seen.most_confused()
    if not pairs:
        return "<p>No mistakes.</p>"
    rows = [
        [
            seen.class_names[pair.true],
            seen.class_names[pair.predicted],
            f"{pair.times:,}",
            per_cent(pair.times / support[pair.true]),
        ]
        for pair in pairs[:MAX_PAIRS]
    ]
    return table(["true", "predicted", "rows", "of the true class"], rows)


def classes(seen: Judged) -> str:
    """Return precision, recall, F1 and number of rows of each class, and their means."""
    report = seen.report()
    columns = (report.precision, report.recall, report.f1)
    rows = [
        [name, *(per_cent(column[i]) for column in columns), f"{report.support[i]:,}"]
        for i, name in enumerate(seen.class_names)
    ]
    means = [per_cent(float(column.mean())) for column in columns]
    rows.append(["mean of the classes", *means, f"{report.support.sum():,}"])
    return table(["class", "precision", "recall", "F1", "rows"], rows)


def bins(reliability: Reliability) -> str:
    """Return the bins that have rows: count, mean confidence, accuracy with its interval."""
    lows, highs = reliability.interval()
    rows = [
        [
            f"{reliability.edges[i]:.3f} to {reliability.edges[i + 1]:.3f}",
            f"{reliability.count[i]:,}",
            per_cent(reliability.confidence[i]),
            per_cent(reliability.accuracy[i]),
            f"{100 * lows[i]:.2f} to {per_cent(highs[i])}",
        ]
        for i in np.flatnonzero(reliability.count)
    ]
    return table(["confidence", "rows", "its mean", "accuracy", "95 % interval"], rows)


# ---- pictures ----


def reliability_svg(reliability: Reliability) -> str:
    """Return a diagram of accuracy over confidence: a bar a bin, a point at its mean."""
    lows, highs = reliability.interval()
    error = f"expected calibration error {per_cent(reliability.error)}"
    parts = [_axes(f"Reliability, {error}")]
    for i in np.flatnonzero(reliability.count):
        left, right = _x(reliability.edges[i]), _x(reliability.edges[i + 1])
        top, x = _y(reliability.accuracy[i]), _x(reliability.confidence[i])
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left - 1:.1f}" '
            f'height="{_y(0) - top:.1f}" fill="rgb({BLUE})" fill-opacity="0.35"/>'
            f'<path d="M{x:.1f} {_y(lows[i]):.1f}V{_y(highs[i]):.1f}" stroke="currentColor"/>'
            f'<circle cx="{x:.1f}" cy="{top:.1f}" r="3.5" fill="rgb({ORANGE})" '
            'stroke="currentColor"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Reliability diagram: {error}">'
        f"{''.join(parts)}</svg>"
    )


def _axes(title: str) -> str:
    lines = [
        f'<path d="M{LEFT} {TOP}V{_y(0)}H{_x(1)}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.5"/>',
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="currentColor" '
        'stroke-dasharray="5 3"/>',
        svg_text(LEFT, 16, title, weight="bold"),
        svg_text((_x(0) + _x(1)) / 2, HEIGHT - 8, "confidence", anchor="middle"),
        svg_text(LEFT + 6, TOP + 10, "accuracy"),
    ]
    for share in (0.0, 0.5, 1.0):
        lines.append(svg_text(LEFT - 6, _y(share) + 4, f"{share:g}", anchor="end"))
        lines.append(svg_text(_x(share), _y(0) + 15, f"{share:g}", anchor="middle"))
    return "".join(lines)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def image(pixels: NDArray[np.uint8], description: str) -> str:
    """Return a picture, gray (rows, columns) or RGB (rows, columns, 3), as an img element."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    data = b64encode(file.getvalue()).decode()
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{data}"/>'


def as_gray(picture: NDArray[Any]) -> NDArray[np.float32]:
    """Return a picture as float32 in [0, 1]: bytes by 255, other numbers by their range."""
    gray = picture.astype(np.float32)
    low, high = min(0.0, float(gray.min())), max(1.0, float(gray.max()))
    if picture.dtype == np.uint8:
        low, high = 0.0, 255.0
    return (gray - np.float32(low)) / np.float32(high - low)


def facts_table(facts: Iterable[tuple[str, str]]) -> str:
    """Return names and values, a row each."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in facts
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>'
