"""The plots of the score's page: figures of all methods, worst runs over time, distribution of errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.report import thin
from hil.report.bokehjs import Field, Model, Value, drawn, table
from hil.report.panels import AMBER, BLUE, GREEN, GREY, INK, PURPLE, RED
from hil.report.plots import AXIS, GRID, plain
from hil.score import floors
from hil.score.figures import Row, Track

COLOURS = (BLUE, AMBER, GREEN, PURPLE, RED, "#56b4e9", "#8c6d1f", GREY)
_MOST_POINTS = 1200
_BINS = 61
_LEAST = 0.01
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
Curve = tuple[str, F64, F64, str, str, float]  # label, x, y, colour, dash, width


def colours(methods: Sequence[str]) -> dict[str, str]:
    """A colour for each method, the same in all plots."""
    return {method: COLOURS[n % len(COLOURS)] for n, method in enumerate(methods)}


def figures(rows: Sequence[Row], inks: dict[str, str]) -> Model:
    """RMSE of each method in each condition, logarithmic: dot; from best to worst run: bar; the floor: a line across."""
    own = [row for row in rows if row.region == "all"]
    keys = list(dict.fromkeys((row.data, row.condition) for row in own))
    marks: dict[str, list[Any]] = {key: [] for key in ("x", "y", "low", "high", "colour", "name", "said")}
    asked: dict[str, list[float]] = {"left": [], "right": [], "at": []}
    for row in own:
        place = keys.index((row.data, row.condition))
        x = place + (list(inks).index(row.method) + 0.5) / len(inks) * 0.8 - 0.4
        of = [100.0 * sums.rmse for _, sums in row.runs]
        values = (x, 100.0 * row.sums.rmse, min(of), max(of), inks[row.method], row.method)
        for key, value in zip(
            marks, (*values, f"{100.0 * row.sums.rmse:.2f} %, runs {min(of):.2f} to {max(of):.2f} %"), strict=True
        ):
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
    beside = [t for t in tracks if t.case is track.case and t.method in inks]
    kept = thin.keep(track.error[:, pack], thin.buckets(track.t_s, (), _MOST_POINTS))
    t_h, reference = track.t_s[kept] / 3600.0, track.reference[kept]
    soc = {t.method: 100.0 * (t.error[kept, pack] + reference) for t in beside}
    curves: list[Curve] = [
        (name, t_h, said, inks[name], "solid", 2.0 if name == subject else 1.0) for name, said in soc.items()
    ]
    curves.append(("reference", t_h, 100.0 * reference, INK, "dashed", 1.6))
    half = 100.0 * track.band[kept, pack]
    low, high = soc[subject] - half, soc[subject] + half
    span = (float(t_h[0]), float(t_h[-1]))
    above = _plot("time [h]", "SOC [%]", span, _ends([c[2] for c in curves]), 300)
    area = drawn(
        table(x=t_h, low=low, high=high),
        Model("VArea", x=Field("x"), y1=Field("low"), y2=Field("high"), fill_color=inks[subject], fill_alpha=0.18),
    )
    _add(above, area, *_lines(curves, "0.0"))
    errors: list[Curve] = [
        (t.method, t_h, 100.0 * t.error[kept, pack], inks[t.method], "solid", 2.0 if t.method == subject else 1.0)
        for t in beside
    ]
    below = _plot("time [h]", "error [% of SOC]", span, _ends([c[2] for c in errors], half), 200)
    around = drawn(
        table(x=t_h, low=-half, high=half),
        Model("VArea", x=Field("x"), y1=Field("low"), y2=Field("high"), fill_color=inks[subject], fill_alpha=0.18),
    )
    _add(below, around, *_lines(errors, "0.00"))
    below.attributes["x_range"] = above.attributes["x_range"]
    return above, below, track, pack


def histogram(tracks: Sequence[Track], inks: dict[str, str]) -> Model:
    """How often each method errs by how much, in one condition; what lies beyond the ends counts into the last bins."""
    errors = {m: np.concatenate([t.error[np.isfinite(t.reference)].ravel() for t in tracks if t.method == m]) for m in inks}
    errors = {method: 100.0 * error for method, error in errors.items() if error.size}
    reach = max(1.0, *(float(np.quantile(np.abs(error), 0.995)) for error in errors.values()))
    edges = np.linspace(-reach, reach, _BINS + 1)
    curves: list[Curve] = []
    for method, error in errors.items():
        share = 100.0 * np.histogram(np.clip(error, -reach, reach), edges)[0] / len(error)
        curves.append((method, np.repeat(edges, 2)[1:-1], np.repeat(share, 2), inks[method], "solid", 1.6))
    top = 1.08 * max(float(c[2].max()) for c in curves)
    plot = _plot("error [% of SOC]", "share of time [%]", (-reach, reach), (0.0, top), 260)
    zero = Model("Span", location=0.0, dimension="height", line_color=GREY, line_width=1.0)
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
        "colour": [inks[row.method] for row in known],
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
        Model("Scatter", x=Field("x"), y=Field("y"), size=Value(9), fill_color=Field("colour"), line_color=Value("#ffffff")),
    )
    _add(
        plot,
        asked,
        dots,
        Model("HoverTool", renderers=[dots], tooltips=[("", "@name"), ("half width", "@x{0.00} %"), ("inside", "@y{0.0} %")]),
    )
    return plot


def _ends(columns: Sequence[F64], half: F64 | None = None) -> tuple[float, float]:
    """Range of an axis; half: half widths of a band around 0 that should be seen."""
    values = np.concatenate([*columns, *([half, -half] if half is not None else [])])
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
