"""The page beside a fitted cell: fit against data for each run, residuals, both branches, resistance over SOC, warmth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from firmware_sim.types import F64
from hil.fit import celltext, heat, residual
from hil.fit.cell import Made
from hil.fit.model import OCV_SOC, R_SOC, weights
from hil.fit.residual import KNEE, Report
from hil.report import bokehjs, thin
from hil.report.bokehjs import Field, Model, Value, drawn, table

_MOST_POINTS = 1500
_INK, _GREY, _GRID = "#1f2933", "#7b8794", "#eef1f4"
_BLUE, _RED, _GREEN, _AMBER, _PURPLE = "#0072b2", "#c8401b", "#00805f", "#c77700", "#a0528a"
_PAIR_COLOURS = (_BLUE, _GREEN, _AMBER)
Curve = tuple[str, F64, F64, str, str]  # label, x, y, colour, dash


def text(made: Made) -> str:
    """The page as HTML. Equal fits give equal text."""
    runs = [(report, n) for n, report in enumerate(made.reports)]
    plots = {"ocv": _ocv(made), "r": _resistance(made)}
    for report, n in runs:
        plots[f"run-{n}"], plots[f"off-{n}"] = _run(report)
    warm = [n for n, course in enumerate(made.fit.courses) if made.fit.thermal.n and heat.logged(course.track)]
    plots |= {f"warm-{n}": _warm(made, n) for n in warm}
    document, roots = bokehjs.document(list(plots.values()))
    here = Path(__file__).parent
    folders = [here / "templates", here.parent / "report" / "templates"]
    pages = Environment(
        loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    every = [getattr(report, kind) for report in made.reports for kind in ("discharge", "charge", "rest")]
    cell = celltext.checked(Path("cell.toml"), celltext.text(made))
    return pages.get_template("fit.html.j2").render(
        made=made,
        runs=runs,
        warm=warm,
        knee=KNEE,
        total=residual.pooled(every),
        loop=celltext.loop_words(made),
        tables=list(cell.tables().items()),
        legs=[_legs(made, n) for n in range(len(runs))],
        notes=list(dict.fromkeys(note for course in made.fit.courses for note in course.track.run.told)),
        script=bokehjs.script(),
        document=document.replace("<", "\\u003c"),
        roots=json.dumps({root: f"plot-{key}" for key, root in zip(plots, roots, strict=True)}),
    )


def _legs(made: Made, n: int) -> str:
    """What was found in a run, counted."""
    kinds = [leg.kind for leg in made.fit.courses[n].track.legs]
    return ", ".join(f"{kinds.count(kind)} {kind}{'s' if kinds.count(kind) > 1 else ''}" for kind in dict.fromkeys(kinds))


def _plot(
    name: str, axes: tuple[str, str], curves: Sequence[Curve], height: int, digits: int, x_range: Model | None = None
) -> Model:
    """Curves over an axis, with the legend beside them. x_range: that of another plot, to move with it."""
    look: dict[str, Any] = {"axis_line_color": None, "minor_tick_line_color": None, "axis_label_text_font_style": "normal"}
    x, y = (Model("LinearAxis", axis_label=label, **look) for label in axes)
    items, renderers = [], []
    for label, at, values, colour, dash in curves:
        source = table(x=at, y=values)
        dyes = {"line_color": colour, "line_dash": dash, "line_width": 1.5, "line_join": "round"}
        line = Model("Line", x=Field("x"), y=Field("y"), **dyes)
        renderers.append(drawn(source, line))
        items.append(Model("LegendItem", label=Value(label), renderers=[renderers[-1]]))
    tips = [(axes[0], "$snap_x{0.000}"), (axes[1], f"$snap_y{{0.{'0' * digits}}}")]
    box = Model("BoxZoomTool")
    tools = [box, Model("PanTool"), Model("WheelZoomTool", modifiers={"shift": True}), Model("ResetTool")]
    tools.append(Model("HoverTool", renderers=renderers, tooltips=tips, line_policy="nearest", limit=4))
    return Model(
        "Plot",
        name=name,
        x_range=_range([c[1] for c in curves]) if x_range is None else x_range,
        y_range=_range([c[2] for c in curves]),
        height=height,
        sizing_mode="stretch_width",
        min_border_left=62,
        min_border_right=150,
        outline_line_color="#d8dee4",
        below=[x],
        left=[y],
        right=[Model("Legend", items=items, border_line_color=None, click_policy="hide")],
        center=[Model("Grid", axis=x, grid_line_color=_GRID), Model("Grid", axis=y, dimension=1, grid_line_color=_GRID)],
        renderers=renderers,
        toolbar=Model("Toolbar", tools=tools, active_drag=box, logo=None, autohide=True),
    )


def _range(columns: Sequence[F64]) -> Model:
    values = np.concatenate(list(columns))
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.04 * (high - low) + 1e-9
    return Model("Range1d", start=low - margin, end=high + margin)


def _run(report: Report) -> tuple[Model, Model]:
    """Voltage, and model less measurement, over time."""
    kept = thin.buckets(report.t_h, (), _MOST_POINTS)
    t_h, off_mV = report.t_h[kept], 1e3 * (report.fitted_V - report.volt)[kept]
    shown = [("measured", t_h, report.volt[kept], _INK, "solid"), ("fitted", t_h, report.fitted_V[kept], _RED, "solid")]
    knee = np.where(report.soc[kept] < KNEE, off_mV, np.nan)
    off = [("error", t_h, np.where(report.soc[kept] < KNEE, np.nan, off_mV), _BLUE, "solid")]
    if np.isfinite(knee).any():
        off.append(("in the knee", t_h, np.clip(knee, -150.0, 150.0), _GREY, "dotted"))
    time = _range([t_h])
    above = _plot("run", ("time [h]", "voltage [V]"), shown, 240, 4, time)
    return above, _plot("off", ("time [h]", "error [mV]"), off, 150, 1, time)


def _ocv(made: Made) -> Model:
    lent = made.lender.ocv
    soc = np.array(lent.soc)
    curves: list[Curve] = [
        ("after discharge", OCV_SOC, made.discharge_V, _BLUE, "solid"),
        ("after charge", OCV_SOC, made.charge_V, _RED, "solid"),
        (f"{made.map_.borrow}, after discharge", soc, np.array(lent.discharge_V), _GREY, "dotted"),
        (f"{made.map_.borrow}, after charge", soc, np.array(lent.charge_V), _GREY, "dashed"),
    ]
    return _plot("ocv", ("SOC", "open-circuit voltage [V]"), curves, 360, 4)


def _resistance(made: Made) -> Model:
    """R0, R1 and R2 at the temperature of the data that is nearest 25 degC, and the lender's for this capacity."""
    degC = made.tables.data_degC[[int(np.argmin(np.abs(made.tables.data_degC - 25.0)))]]
    own = 1e3 * np.exp(made.tables.ln_r(degC))[0]
    bare = np.exp(weights(degC, made.tables.base_degC) @ made.tables.base.reshape(len(made.tables.base), -1))
    lent = 1e3 * bare.reshape(3, -1)
    curves: list[Curve] = []
    for pair, colour in enumerate(_PAIR_COLOURS):
        curves.append((f"R{pair}", R_SOC, own[pair], colour, "solid"))
        curves.append((f"R{pair}, {made.map_.borrow}", R_SOC, lent[pair], colour, "dotted"))
    curves.append(("sum", R_SOC, own.sum(axis=0), _INK, "solid"))
    return _plot("r", ("SOC", f"resistance at {degC[0]:.3g} degC [mOhm]"), curves, 320, 1)


def _warm(made: Made, n: int) -> Model:
    """Surface temperature as logged and as the heat makes it."""
    course = made.fit.courses[n]
    track = course.track
    warmth = heat.heat_W(made.tables, course, made.fit.ln_s)
    got = heat.simulated_degC(track, warmth, made.fit.thermal, float(track.surface_degC[0]))
    kept = thin.buckets(track.t_s, (), _MOST_POINTS)
    t_h = track.t_s[kept] / 3600.0
    curves = [("measured", t_h, track.surface_degC[kept], _INK, "solid"), ("simulated", t_h, got[kept], _PURPLE, "solid")]
    return _plot("warm", ("time [h]", "temperature [degC]"), curves, 200, 2)
