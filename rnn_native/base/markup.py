"""What notebooks show of histories, models and results: HTML with inline SVG.

Plain strings, so nothing needs to be installed or imported for it. Text and axes have the
color of the page's text and curves are of middling lightness, so that both light and dark
pages can be read; curves are distinguished by dashes and by names at their ends.
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeGuard

from rnn_native.base.text import printable

WIDTH, HEIGHT = 380, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 84, 26, 34
NAME_LINE = 13
"""From a curve's name to the next."""
MAX_POINTS = 400

# Okabe and Ito's blue and vermilion.
TRAINING, VALIDATION = "#0072B2", "#D55E00"

_TEXT = 'font-family="sans-serif" font-size="11" fill="currentColor"'
_CELL = "text-align:right;padding:2px 8px"


class Curve(NamedTuple):
    """A named series of values over epochs."""

    name: str
    values: Sequence[float | None]
    color: str
    dashed: bool = False


Columns: TypeAlias = Mapping[str, Sequence[float | None]]

# ---- what objects show ----


def history_html(epochs: Sequence[int], columns: Columns, best: int | None) -> str:
    """Return curves of loss and accuracy, and a table of the best and the last epoch.

    Parameters
    ----------
    epochs : sequence of int
        Numbers of the epochs, counted from 1.
    columns : mapping of str to sequence of float or None
        Values of the epochs: loss, val_loss, accuracy, val_accuracy and time, where these
        exist.
    best : int or None
        Index of the best epoch.
    """
    if not epochs:
        return "<div><p>History of 0 epochs</p></div>"
    marked = None if best is None else epochs[best]
    pictures = [
        _loss_and_validation(columns, epochs, "Loss", "loss", marked),
        _loss_and_validation(columns, epochs, "Accuracy", "accuracy", marked),
    ]
    return f"<div>{''.join(pictures)}{_epochs_table(columns, epochs, best)}</div>"


def network_html(title: str, rows: Sequence[tuple[str, str, int]]) -> str:
    """Return a table of layers.

    Parameters
    ----------
    title : str
    rows : sequence of (str, str, int)
        Name, output shape and number of parameters of each layer.
    """
    head = ["layer", "output shape", "parameters"]
    most = max([count for _, _, count in rows], default=0) or 1
    body = [
        [escape(name), escape(shape), f"{count:,}{_bar_svg(count / most)}"]
        for name, shape, count in rows
    ]
    total = ["total", "", f"{sum(count for _, _, count in rows):,}{_bar_svg(0)}"]
    return f"<div><p><b>{escape(title)}</b></p>{_table(head, [*body, total])}</div>"


def _bar_svg(share: float) -> str:
    """Return a bar of a table's row, beside its number."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="104" height="10" aria-hidden="true">'
        f'<rect x="4" width="{100 * share:.1f}" height="10" fill="{TRAINING}"/></svg>'
    )


def result_html(title: str, history: str, model: str) -> str:
    """Return a result's title, its history's HTML and, folded, its model's."""
    return f"<div><p><b>{escape(title)}</b></p>{history}{folded_html('model', model)}</div>"


def folded_html(title: str, body: str) -> str:
    """Return a line that a click unfolds; `body` is HTML."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def progress_html(share: float, text: str) -> str:
    """Return a bar that is filled to `share`, in [0, 1], and text after it."""
    per_cent = f"{100 * min(share, 1):.1f}"
    return (
        '<div style="display:flex;align-items:center;gap:10px;flex-wrap:wrap">'
        f'<div role="progressbar" aria-label="training" aria-valuenow="{per_cent}" style="'
        "width:220px;height:10px;border:1px solid currentColor;border-radius:3px;"
        f'overflow:hidden"><div style="width:{per_cent}%;height:100%;background:{TRAINING}">'
        f"</div></div><span>{escape(text)}</span></div>"
    )


# ---- pictures ----


def curves_svg(
    title: str, epochs: Sequence[int], curves: Sequence[Curve], best: int | None = None
) -> str:
    """Return an SVG picture of curves over epochs.

    Parameters
    ----------
    title : str
    epochs : sequence of int
        Ascending.
    curves : sequence of Curve
        With a value, or None, for each epoch. A value that is not finite is a gap.
    best : int, optional
        An epoch to mark.
    """
    finite = [v for curve in curves for v in curve.values if _is_drawable(v)]
    if not finite:
        return ""
    low, high = _widened(min(finite), max(finite))
    first, last = _widened(epochs[0], epochs[-1])
    parts = [_frame(title, (low, high), (epochs[0], epochs[-1]))]
    if best is not None:
        parts.append(_mark(_scale(best, first, last, LEFT, WIDTH - RIGHT)))
    ends = []
    for curve in curves:
        points = [
            (_scale(e, first, last, LEFT, WIDTH - RIGHT),
             _scale(v, low, high, HEIGHT - BOTTOM, TOP)) if _is_drawable(v) else None
            for e, v in _thinned(epochs, curve.values)
        ]  # fmt: skip
        parts += _strokes(points, curve)
        known = [point for point in points if point is not None]
        if known:
            ends.append((known[-1][1], curve))
    parts += _names(ends)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _mark(x: float) -> str:
    """Return the line of the best epoch, with its name."""
    return (
        f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="currentColor" '
        f'stroke-dasharray="2 3" stroke-opacity="0.7"/>{svg_text(x, TOP - 2, "best", "middle")}'
    )


def _loss_and_validation(
    columns: Columns, epochs: Sequence[int], title: str, name: str, best: int | None
) -> str:
    nothing = [None] * len(epochs)
    training, validation = (columns.get(n, nothing) for n in (name, f"val_{name}"))
    curves = [
        Curve("training", training, TRAINING),
        Curve("validation", validation, VALIDATION, dashed=True),
    ]
    return curves_svg(title, epochs, curves, best)


def _frame(title: str, values: tuple[float, float], epochs: tuple[int, int]) -> str:
    """Return axes with their least and greatest values, and the title."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    low, high = values
    lines = [
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.5"/>',
        svg_text(LEFT, 16, title, weight="bold"),
        svg_text(LEFT - 6, TOP + 8, f"{high:.4g}", anchor="end"),
        svg_text(LEFT - 6, bottom, f"{low:.4g}", anchor="end"),
        svg_text((LEFT + right) / 2, HEIGHT - 6, "epoch", anchor="middle"),
    ]
    if epochs[0] == epochs[1]:
        return "".join(
            [*lines, svg_text((LEFT + right) / 2, bottom + 14, f"{epochs[0]}", "middle")]
        )
    lines.append(svg_text(LEFT, bottom + 14, f"{epochs[0]}", "middle"))
    lines.append(svg_text(right, bottom + 14, f"{epochs[1]}", "middle"))
    return "".join(lines)


def _strokes(points: Sequence[tuple[float, float] | None], curve: Curve) -> list[str]:
    """Return a path for each run of points without a gap; a lone point is a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is not None:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    strokes = []
    for run in filter(None, runs):
        if len(run) == 1:
            ((x, y),) = run
            strokes.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{curve.color}"/>'
            )
            continue
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in run)
        strokes.append(
            f'<path d="M{path}" fill="none" stroke="{curve.color}" stroke-width="2"'
            f"{_dash(curve)}/>"
        )
    return strokes


def _names(ends: list[tuple[float, Curve]]) -> list[str]:
    """Return the curves' names at their ends, moved apart where they would overlap."""
    ordered = sorted(ends, key=lambda end: end[0])
    parts = []
    for y, (_, curve) in zip(_apart([y + 4 for y, _ in ordered]), ordered, strict=True):
        parts.append(svg_text(WIDTH - RIGHT + 18, y, curve.name))
        parts.append(
            f'<path d="M{WIDTH - RIGHT + 4} {y - 4:.1f}h11" '
            f'stroke="{curve.color}" stroke-width="2"{_dash(curve)}/>'
        )
    return parts


def _apart(wanted: Sequence[float]) -> list[float]:
    """Return ascending places that are a line apart, near the requested ones."""
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + NAME_LINE if places else TOP))
    # Below the axis are the numbers of the epochs.
    most = float(HEIGHT - BOTTOM)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], most)
        most = places[i] - NAME_LINE
    return places


def _dash(curve: Curve) -> str:
    return ' stroke-dasharray="5 3"' if curve.dashed else ""


def svg_text(x: float, y: float, text: str, anchor: str = "start", weight: str = "") -> str:
    """Return text of an SVG picture, in the page's color."""
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text x="{x:.0f}" y="{y:.1f}" text-anchor="{anchor}"{bold} {_TEXT}>'
        f"{escape(text)}</text>"
    )


def _thinned(
    epochs: Sequence[int], values: Sequence[float | None]
) -> list[tuple[int, float | None]]:
    """Return at most MAX_POINTS of the pairs, the last one always among them."""
    pairs = list(zip(epochs, values, strict=True))
    step = -(-len(pairs) // MAX_POINTS)
    kept = pairs[::step]
    if (len(pairs) - 1) % step:
        kept[-1] = pairs[-1]
    return kept


def _scale(value: float, low: float, high: float, begin: float, end: float) -> float:
    return begin + (value - low) / (high - low) * (end - begin)


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return a range that is not empty, for values that are all the same."""
    if low < high:
        return low, high
    margin = abs(low) / 2 or 0.5
    return low - margin, high + margin


def _is_drawable(value: float | None) -> TypeGuard[float]:
    # Differences of greater values overflow.
    return value is not None and abs(value) < 1e300


# ---- tables ----


def _epochs_table(columns: Columns, epochs: Sequence[int], best: int | None) -> str:
    names = ["loss", "accuracy", "val_loss", "val_accuracy", "time"]
    chosen = [("last", len(epochs) - 1)]
    if best is not None:
        chosen.insert(0, ("best", best))
    body = [
        [f"{label}: epoch {epochs[at]}"]
        + [_number(columns[name][at] if name in columns else None, name) for name in names]
        for label, at in chosen
    ]
    return table(["", "loss", "accuracy", "val loss", "val accuracy", "seconds"], body)


def _number(value: float | None, name: str) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.4g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts."""
    return _table(head, [[escape(cell) for cell in row] for row in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose cells are HTML."""
    cells = "".join(f'<th scope="col" style="{_CELL}">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{c}</td>' for c in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def escape(text: str) -> str:
    """Return text that HTML and XML allow."""
    return html.escape(printable(text))
