"""The plots of the score's page: figures of all methods, worst runs over time, distribution of errors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.report import thin
from hil.report.bokehjs import Field, Model, Value, drawn, table
from hil.report.panels import GREEN, INK
from hil.report.plots import AXIS, GRID, plain
from hil.score import floors
from hil.score.figures import Row, Track, singles
from hil.score.peers import PEERS

# Searched for distance: people who lack a cone tell any two apart, and each from the light tint of any band. A method keeps
# its own on all pages.
_PEER_COLOURS = ("#9900ff", "#49005c", "#5c0000", "#4500ad", "#ff29ff", "#0b5035")
COLOURS = {
    "sodium": "#0072b2",
    "counting": "#9aa5b1",
    "ocv": "#8c510a",
    "ekf": "#e69f00",
    "ekf-r": "#00a878",
    "ukf": "#b0307a",
    **dict(zip(PEERS, _PEER_COLOURS, strict=False)),
}
# On many cells it says what ekf says, which is seen through its gaps and inside its rings.
DASHED = ("ukf",)
_DASHES = "5 7"
BAND_ALPHA = 0.18
_MOST_POINTS = 1200
_BINS = 61
MOST_BEYOND = 0.005  # share of a method's errors that the histogram's outermost bins take from beyond its ends
_LEAST = 0.01
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
Curve = tuple[str, F64, F64, str, str, float]  # label, x, y, colour, dash, width


def colours(methods: Sequence[str]) -> dict[str, str]:
    """The colour of each method; those of other names take the peers', in turn, that are free on this page."""
    known = {method: COLOURS[method] for method in methods if method in COLOURS}
    free = cycle([colour for colour in _PEER_COLOURS if colour not in known.values()] or _PEER_COLOURS)
    return {method: known.get(method) or next(free) for method in methods}


def figures(rows: Sequence[Row], tracks: Sequence[Track], inks: dict[str, str]) -> Model:
    """RMSE of each method in each condition, logarithmic: dot; the floor: a line across.

    A bar goes from the least RMSE of a single run under one combination of sensor errors to the largest, Row.worst.
    """
    own = [row for row in rows if row.region == "all"]
    keys = list(dict.fromkeys((row.data, row.condition) for row in own))
    marks: dict[str, list[Any]] = {key: [] for key in ("x", "y", "low", "high", "colour", "name", "said")}
    asked: dict[str, list[float]] = {"left": [], "right": [], "at": []}
    for row in own:
        place = keys.index((row.data, row.condition))
        x = place + (list(inks).index(row.method) + 0.5) / len(inks) * 0.8 - 0.4
        least = min(
            rmse
            for track in tracks
            if (track.data, track.case.condition, track.method) == (row.data, row.condition, row.method)
            for rmse in singles(track, "all")
        )
        rmse, low, high = (100.0 * share for share in (row.sums.rmse, least, row.worst))
        said = f"{rmse:.2f} %, single runs {low:.2f} to {high:.2f} %"
        for key, value in zip(marks, (x, rmse, low, high, inks[row.method], row.method, said), strict=True):
            marks[key].append(value)
    for place, (data, condition) in enumerate(keys):
        row = next(row for row in own if (row.data, row.condition) == (data, condition))
        limit = next((one.high for one in floors.asked(row) if one.what == "rmse"), None)
        if limit is not None:
            for side, value in zip(asked, (place - 0.45, place + 0.45, 100.0 * limit), strict=True):
                asked[side].append(value)
    seen = [value for value in (*marks["low"], *marks["high"], *asked["at"]) if value > _LEAST]
    low, high = 0.8 * min(seen, default=_LEAST), 1.2 * max(seen, default=1.0)
    span = (max((at for at in _TICKS if at <= low), default=low), min((at for at in _TICKS if at >= high), default=high))
    plot = _plot("", "RMSE [% of SOC]", (-0.5, len(keys) - 0.5), span, 380)
    plot.attributes["y_scale"] = Model("LogScale")
    plot.attributes["left"][0].attributes["ticker"] = Model("FixedTicker", ticks=list(_TICKS))
    source = table(**marks)
    bars = Model(
        "Segment",
        x0=Field("x"),
        x1=Field("x"),
        y0=Field("low"),
        y1=Field("high"),
        line_color=Field("colour"),
        line_width=Value(2),
    )
    dots = Model("Scatter", x=Field("x"), y=Field("y"), size=Value(8), fill_color=Field("colour"), line_color=Value("#ffffff"))
    line = Model(
        "Segment",
        x0=Field("left"),
        x1=Field("right"),
        y0=Field("at"),
        y1=Field("at"),
        line_color=Value(INK),
        line_dash=Value("dashed"),
    )
    shown = drawn(source, dots)
    hover = Model("HoverTool", renderers=[shown], tooltips=[("", "@name"), ("RMSE", "@said")])
    _add(plot, drawn(table(**asked), line), drawn(source, bars), shown, hover)
    (axis,) = plot.attributes["below"]
    names = {n: plain(condition) for n, (_, condition) in enumerate(keys)}
    axis.attributes |= {"ticker": Model("FixedTicker", ticks=list(names)), "major_label_overrides": names}
    return plot


def worst(tracks: Sequence[Track], subject: str, inks: dict[str, str]) -> tuple[Model, Model, Track, int]:
    """The worst run of the subject over time, with its band and the other methods under the same sensor errors; and errors.

    tracks: of one condition. Returns too which track that is, and which combination of sensor errors.
    """
    own = [track for track in tracks if track.method == subject]
    track = max(own, key=lambda t: float(np.max(np.sqrt(np.nanmean(t.error**2, axis=0)))))
    pack = int(np.argmax(np.nanmean(track.error**2, axis=0)))
    first, last = scored_s(track)
    rows = np.flatnonzero((track.t_s >= first) & (track.t_s <= last))
    kept = rows[thin.keep(track.error[rows, pack], thin.buckets(track.t_s[rows], (), _MOST_POINTS))]
    t_h, reference = track.t_s[kept] / 3600.0, track.reference[kept]
    beside = {t.method: t.error[kept, pack] for t in tracks if t.case is track.case and t.method in inks}
    band = track.band[kept, pack]
    curves = [_curve(name, t_h, 100.0 * (error + reference), inks, subject) for name, error in beside.items()]
    curves.append(("reference", t_h, 100.0 * reference, INK, "dashed", 1.6))
    said = beside[subject] + reference
    low, high = (100.0 * np.clip(said + half, 0.0, 1.0) for half in (-band, band))
    span = (float(t_h[0]), float(t_h[-1]))
    above = _plot("time [h]", "SOC [%]", span, _ends([low, high, *(c[2] for c in curves)]), 300)
    _add(above, _area(t_h, low, high, inks[subject]), *_lines(curves, "0.0"))
    errors = [_curve(name, t_h, 100.0 * error, inks, subject) for name, error in beside.items()]
    half = 100.0 * np.where(np.isfinite(reference), band, np.nan)
    below = _plot("time [h]", "error [% of SOC]", span, _ends([half, -half, *(c[2] for c in errors)]), 200)
    _add(below, _area(t_h, -half, half, inks[subject]), *_lines(errors, "0.00"))
    below.attributes["x_range"] = above.attributes["x_range"]
    return above, below, track, pack


def scored_s(track: Track) -> tuple[float, float]:
    """First and last time of a run at which there is a reference."""
    scored = track.t_s[np.isfinite(track.reference)]
    return float(scored[0]), float(scored[-1])


def _curve(method: str, x: F64, y: F64, inks: dict[str, str], subject: str) -> Curve:
    return method, x, y, inks[method], _dash(method), 2.0 if method == subject else 1.2


def _dash(method: str) -> str:
    return _DASHES if method in DASHED else "solid"


def _area(x: F64, low: F64, high: F64, colour: str) -> Model:
    """A band; where it is not known there is a gap, over which a VArea would be drawn."""
    known = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(known.astype(np.int8), prepend=0, append=0))
    stretches = [slice(first, last) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    outlines = table(
        xs=[np.concatenate([x[s], x[s][::-1]]) for s in stretches],
        ys=[np.concatenate([low[s], high[s][::-1]]) for s in stretches],
    )
    look = {"fill_color": Value(colour), "fill_alpha": Value(BAND_ALPHA), "line_color": Value(None)}
    return drawn(outlines, Model("Patches", xs=Field("xs"), ys=Field("ys"), **look))


def histogram(tracks: Sequence[Track], inks: dict[str, str]) -> Model:
    """How often each method errs by how much, in one condition; what lies beyond the ends counts into the last bins."""
    errors = {m: np.concatenate([t.error[np.isfinite(t.reference)].ravel() for t in tracks if t.method == m]) for m in inks}
    errors = {method: 100.0 * error for method, error in errors.items() if error.size}
    reach = max(1.0, *(float(np.quantile(np.abs(error), 1.0 - MOST_BEYOND)) for error in errors.values()))
    edges = np.linspace(-reach, reach, _BINS + 1)
    curves: list[Curve] = []
    for method, error in errors.items():
        share = 100.0 * np.histogram(np.clip(error, -reach, reach), edges)[0] / len(error)
        curves.append((method, np.repeat(edges, 2)[1:-1], np.repeat(share, 2), inks[method], _dash(method), 1.6))
    top = 1.08 * max(float(c[2].max()) for c in curves)
    plot = _plot("error [% of SOC]", "share of time [%]", (-reach, reach), (0.0, top), 260)
    zero = Model("Span", location=0.0, dimension="height", line_color=INK, line_dash="dotted")
    _add(plot, zero, *_lines(curves, "0.0"))
    return plot


def coverage(rows: Sequence[Row], inks: dict[str, str]) -> Model:
    """Share of time inside the 95 % band, over the median half width of it, a dot a method and region, in one condition."""
    low, high = (100.0 * share for share in floors.load().band_coverage)
    known = [row for row in rows if row.sums.band_coverage is not None and row.sums.band_half_width is not None]
    half = [100.0 * (row.sums.band_half_width or 0.0) for row in known]
    marks = {
        "x": half,
        "y": [100.0 * (row.sums.band_coverage or 0.0) for row in known],
        "fill": ["#ffffff00" if row.method in DASHED else inks[row.method] for row in known],
        "edge": [inks[row.method] if row.method in DASHED else "#ffffff" for row in known],
        "size": [13 if row.method in DASHED else 9 for row in known],
        "name": [f"{row.method}, {row.region}" for row in known],
    }
    plot = _plot(
        "median half width of the band [% of SOC]",
        "time inside the band [%]",
        (0.0, 1.1 * max([*half, 1.0])),
        (0.0, 104.0),
        260,
    )
    asked = Model("BoxAnnotation", bottom=low, top=high, level="underlay", fill_color=GREEN, fill_alpha=0.12, line_color=None)
    dots = drawn(
        table(**marks),
        Model("Scatter", x=Field("x"), y=Field("y"), size=Field("size"), fill_color=Field("fill"), line_color=Field("edge")),
    )
    _add(
        plot,
        asked,
        dots,
        Model("HoverTool", renderers=[dots], tooltips=[("", "@name"), ("half width", "@x{0.00} %"), ("inside", "@y{0.0} %")]),
    )
    return plot


def _ends(columns: Sequence[F64]) -> tuple[float, float]:
    """Range of an axis that holds all of them."""
    values = np.concatenate(columns)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.05 * (high - low) + 0.1
    return low - margin, high + margin


def _plot(x: str, y: str, xs: tuple[float, float], ys: tuple[float, float], height: int) -> Model:
    below, left = Model("LinearAxis", axis_label=x, **AXIS), Model("LinearAxis", axis_label=y, **AXIS)
    zoom = Model("BoxZoomTool")
    return Model(
        "Plot",
        x_range=Model("Range1d", start=xs[0], end=xs[1]),
        y_range=Model("Range1d", start=ys[0], end=ys[1]),
        height=height,
        sizing_mode="stretch_width",
        min_border_left=58,
        min_border_right=12,
        outline_line_color="#d8dee4",
        below=[below],
        left=[left],
        center=[Model("Grid", axis=below, grid_line_color=GRID), Model("Grid", axis=left, dimension=1, grid_line_color=GRID)],
        renderers=[],
        toolbar=Model(
            "Toolbar", tools=[zoom, Model("PanTool"), Model("ResetTool")], active_drag=zoom, logo=None, autohide=True
        ),
    )


def _lines(curves: Sequence[Curve], digits: str) -> tuple[Model, Model]:
    """All curves as one glyph, and what is said when the pointer stands on one."""
    names = ("label", "xs", "ys", "colour", "dash", "width")
    source = table(**{name: [curve[n] for curve in curves] for n, name in enumerate(names)})
    look = {"line_color": Field("colour"), "line_dash": Field("dash"), "line_width": Field("width")}
    shown = drawn(source, Model("MultiLine", xs=Field("xs"), ys=Field("ys"), line_join=Value("round"), **look))
    tips = [("", "@label"), ("at", "$snap_x{0.00}"), ("", f"$snap_y{{{digits}}} %")]
    return shown, Model("HoverTool", renderers=[shown], tooltips=tips, line_policy="nearest", limit=5)


def _add(plot: Model, *parts: Model) -> None:
    for part in parts:
        if part.kind.endswith("Tool"):
            plot.attributes["toolbar"].attributes["tools"].append(part)
        else:
            plot.attributes["renderers" if part.kind == "GlyphRenderer" else "center"].append(part)
