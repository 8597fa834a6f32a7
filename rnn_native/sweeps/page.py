"""A sweep as HTML: its best configurations, curves, and a row for each run."""

import colorsys
from typing import Any

from rnn_native.base.markup import Curve, curves_svg, escape, folded_html, table
from rnn_native.sweeps.plans import shown, told

# `Any` is a SweepResult or one of its rows: their module imports this one.

MOST_CURVES = 8
"""Curves of one picture: more cannot be distinguished."""

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 sans-serif; max-width: 80rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
svg { width: 100%; max-width: 46rem; height: auto; }
"""


def sweep_page(result: Any) -> str:
    """Return one HTML page that loads nothing and runs nothing."""
    title = f"Sweep of {len(result.rows)} runs"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{sweep_html(result)}</body></html>\n"
    )


def sweep_html(result: Any) -> str:
    """Return what a notebook shows."""
    return (
        f"<div><p>{escape(repr(result)[1:-1])}</p>"
        f"<h2>Best</h2>{_best(result)}<h2>Curves</h2>{_curves(result)}"
        f"<h2>Runs</h2>{_runs(result)}</div>"
    )


def _best(result: Any) -> str:
    ranking = result.ranking[:10]
    if not ranking:
        return "<p>No run has a value yet.</p>"
    rows = [
        [str(place), told(params) or "the base", f"{value:.6g}"]
        for place, (params, value) in enumerate(ranking, 1)
    ]
    return table(["", "parameters", f"{result.monitor}, mean of seeds"], rows)


def _curves(result: Any) -> str:
    """Return the curves of the best runs, each with its number in the table of runs."""
    runs = [(i, row) for i, row in enumerate(result.rows, 1) if row.record]
    known = [
        (i, row) for i, row in runs if row.record and row.value(result.monitor) is not None
    ]
    order = [told(params) for params, _ in result.ranking]
    order += [told(row.params) for _, row in known]
    known.sort(key=lambda pair: order.index(told(pair[1].params)))
    chosen = known[:MOST_CURVES]
    if not chosen:
        return "<p>No curves yet.</p>"
    count = max(len(_values(row, result.monitor)) for _, row in chosen)
    curves = [
        Curve(
            f"run {i}",
            _padded(_values(row, result.monitor), count),
            _color(place),
            place > 3,
        )
        for place, (i, row) in enumerate(chosen)
    ]
    picture = curves_svg(result.monitor, range(1, count + 1), curves)
    legend = table(
        ["", "parameters"], [[f"run {i}", told(row.params, row.seed)] for i, row in chosen]
    )
    return f"{picture}{folded_html('which runs these are', legend)}"


def _values(row: Any, monitor: str) -> list[float | None]:
    column: list[float | None] = (row.record or {}).get("history", {}).get(monitor, [])
    return column


def _padded(values: list[float | None], count: int) -> list[float | None]:
    return [*values, *[None] * (count - len(values))]


def _color(place: int) -> str:
    """Return one of four colors of middling lightness; dashes distinguish the next four."""
    red, green, blue = colorsys.hls_to_rgb((0.56 + 0.27 * (place % 4)) % 1, 0.45, 0.75)
    return f"#{int(255 * red):02x}{int(255 * green):02x}{int(255 * blue):02x}"


def _runs(result: Any) -> str:
    rows = result.table()
    empty = [name for name in rows[0] if all(row[name] is None for row in rows)]
    names = [name for name in rows[0] if name not in empty]
    body = [
        [str(i), *(_cell(name, row[name]) for name in names)]
        for i, row in enumerate(rows, 1)
    ]
    found = table(["", *names], body)
    return f'<div style="overflow-x:auto;white-space:nowrap">{found}</div>'


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and name != "lr":
        return f"{value:.4g}"
    return shown(value)
