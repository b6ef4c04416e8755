"""The figures of a cell as plots: open-circuit voltage, slope and loop, resistance, charge in the cold, dU/dT.

What is drawn comes as plain arrays; how it looks is said here, in the models that hil.report.bokehjs writes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.gallery.curves import Curves
from hil.gallery.simulate import Discharges, Pulses
from hil.plant.cellfile import Limits
from hil.report.accuracy import OCV_WINDOW_V
from hil.report.bokehjs import Field, Model, Value, drawn, table
from hil.report.panels import BLUE, GREEN, GREY, INK, PURPLE, RED
from hil.report.plots import AXIS, FONT, GRID, plain

WINDOW_FILL = "#f2b866"
SERIES = (BLUE, "#d55e00", GREEN, PURPLE, "#8c6d1f", "#1f2933", "#56b4e9", "#c8401b", "#5f9e6e", "#7b61a8")
# Light to dark, readable in print and for the colour-blind (ColorBrewer YlGnBu, shortened at the dark end).
_HEAT = ("#f7fcd0", "#d3eeb3", "#97d6b9", "#4fbcc2", "#2498c1", "#2470b1", "#253f97")
_RATES = (BLUE, GREEN)
_HEIGHT = 300
_NAMES_END = 122.0  # of the SOC axis, where names stand behind the curves [%]

Line = tuple[str, F64, F64, str, str, float]  # label, x, y, colour, dash, width


def overview(cells: list[tuple[str, Curves]]) -> Model:
    """All mean open-circuit voltages together, each with its name at its end."""
    lines: list[Line] = [
        (name, curves.soc, curves.mean_V, SERIES[n % len(SERIES)], "solid" if n < len(SERIES) else "dashed", 2.2)
        for n, (name, curves) in enumerate(cells)
    ]
    low = min(float(curves.mean_V.min()) for _, curves in cells)
    high = max(float(curves.mean_V.max()) for _, curves in cells)
    span = (math.floor(4 * low - 0.2) / 4, math.ceil(4 * high + 0.2) / 4)
    plot = _plot("SOC [%]", "mean open-circuit voltage [V]", (0.0, _NAMES_END), span, 380)
    plot.attributes["below"][0].attributes["ticker"] = Model("FixedTicker", ticks=list(range(0, 101, 10)))
    _add(plot, _window_box(), *_lines(lines, "V", "SOC", "0.000"))
    _name_ends(plot, lines, span, 380)
    return plot


def ocv(curves: Curves, limits: Limits) -> Model:
    """Both branches, the window and the SOC that it spans, and the limits between which the cell works."""
    low, high = min(limits.discharge_min_V, curves.discharge_V[0]), max(limits.charge_max_V, curves.charge_V[-1])
    margin = 0.06 * (high - low)
    plot = _plot("SOC [%]", "open-circuit voltage [V]", (0.0, 100.0), (low - margin, high + margin), 2 * _HEIGHT + 14)
    marks = [_window_box()]
    if curves.window is not None:
        left, right = (100.0 * soc for soc in curves.window)
        look = {"fill_color": WINDOW_FILL, "fill_alpha": 0.28, "line_color": WINDOW_FILL, "line_alpha": 0.9}
        marks.append(Model("BoxAnnotation", left=left, right=right, level="underlay", **look))
        marks += [_note(soc, low - margin, f"{soc:.0f} %", "#8a5a00", dy=4, dx=4) for soc in (left, right)]
    for volt, text in ((limits.charge_max_V, "charge limit"), (limits.discharge_min_V, "discharge limit")):
        marks.append(Model("Span", location=volt, dimension="width", line_color=RED, line_dash="dashed", line_width=1.2))
        marks.append(_note(1.5, volt, f"{text} {volt:g} V", RED, dy=-15 if volt == limits.charge_max_V else 3))
    area = Model("VArea", x=Field("x"), y1=Field("low"), y2=Field("high"), fill_color=BLUE, fill_alpha=0.16)
    loop = drawn(table(x=curves.soc, low=curves.discharge_V, high=curves.charge_V), area)
    lines: list[Line] = [
        ("after charge", curves.soc, curves.charge_V, GREEN, "solid", 2.0),
        ("after discharge", curves.soc, curves.discharge_V, BLUE, "solid", 2.0),
    ]
    _add(plot, *marks, loop, *_lines(lines, "V", "SOC", "0.000"))
    return plot


def slope(curves: Curves) -> Model:
    """Slope of the mean curve; where it is flat, voltage says little about SOC."""
    top = 1.08 * float(np.percentile(curves.slope_mV, 98))
    plot = _plot("SOC [%]", "slope [mV per % SOC]", (0.0, 100.0), (0.0, top), _HEIGHT)
    _add(
        plot, *_window_span(curves), *_lines([("slope", curves.soc, curves.slope_mV, INK, "solid", 1.8)], "mV/%", "SOC", "0.0")
    )
    return plot


def loop(curves: Curves) -> Model:
    """Distance of the branches."""
    width = 1e3 * (curves.charge_V - curves.discharge_V)
    plot = _plot("SOC [%]", "hysteresis, branch to branch [mV]", (0.0, 100.0), (0.0, 1.1 * float(width.max()) + 1.0), _HEIGHT)
    area = Model("VArea", x=Field("x"), y1=Field("low"), y2=Field("high"), fill_color=BLUE, fill_alpha=0.16)
    filled = drawn(table(x=curves.soc, low=np.zeros_like(width), high=width), area)
    _add(plot, *_window_span(curves), filled, *_lines([("width", curves.soc, width, BLUE, "solid", 1.8)], "mV", "SOC", "0.0"))
    return plot


def heat(pulses: Pulses) -> Model:
    """Resistance over SOC and temperature, every field with its number; the colour follows its logarithm."""
    n_temp, n_soc = pulses.ohm.shape
    known = np.isfinite(pulses.ohm)
    logs = np.log(np.where(known, pulses.ohm, np.nan))
    low, high = float(np.nanmin(logs)), float(np.nanmax(logs))
    shade = (logs - low) / max(high - low, 1e-9)
    at = [(j, i) for j in range(n_temp) for i in range(n_soc)]
    source = table(
        left=[i - 0.5 for _, i in at],
        right=[i + 0.5 for _, i in at],
        bottom=[j - 0.5 for j, _ in at],
        top=[j + 0.5 for j, _ in at],
        x=[i for _, i in at],
        y=[j for j, _ in at],
        colour=[colour(float(shade[spot])) if known[spot] else "#eceff2" for spot in at],
        ink=["#ffffff" if known[spot] and shade[spot] > 0.62 else INK for spot in at],
        text=[milliohm(float(pulses.ohm[spot])) + ("*" if known[spot] and pulses.leaves[spot] else "") for spot in at],
        where=[f"{pulses.temp_degC[j]:g} degC, {100 * pulses.soc[i]:g} % SOC" for j, i in at],
        said=[milliohm(float(pulses.ohm[spot])) + (" mOhm" if known[spot] else "the cell cannot give it") for spot in at],
    )
    plot = _plot("SOC [%]", "temperature [degC]", (-0.5, n_soc - 0.5), (-0.5, n_temp - 0.5), _HEIGHT + 60, grid=False)
    sides = {side: Field(side) for side in ("left", "right", "top", "bottom")}
    fields = drawn(source, Model("Quad", fill_color=Field("colour"), line_color=Value("#ffffff"), **sides))
    words = Model(
        "Text", x=Field("x"), y=Field("y"), text=Field("text"), text_color=Field("ink"), text_align=Value("center"),
        text_baseline=Value("middle"), text_font=Value(FONT), text_font_size=Value("12px"),
    )  # fmt: skip
    hover = Model("HoverTool", renderers=[fields], tooltips=[("", "@where"), ("10 s", "@said")])
    _add(plot, fields, drawn(source, words), hover)
    _ticks(plot, "below", {i: f"{100 * soc:g}" for i, soc in enumerate(pulses.soc)})
    _ticks(plot, "left", {j: f"{temp_degC:g}" for j, temp_degC in enumerate(pulses.temp_degC)})
    return plot


def charge(discharges: list[Discharges], limits: Limits) -> Model:
    """What comes out of a full cell over temperature, and what would with all charge in reach."""
    ends = (min(-20.0, limits.discharge_min_degC), max(45.0, limits.discharge_max_degC))
    top = max([105.0, *(100 * float(d.circuit.max()) + 5 for d in discharges if len(d.circuit))])
    plot = _plot("temperature [degC]", "charge from full [% of capacity]", (ends[0] - 3, ends[1] + 3), (0.0, top), _HEIGHT + 60)
    lines: list[Line] = []
    marks = []
    for n, d in enumerate(discharges):
        at, colour_ = np.array(d.temp_degC), _RATES[n % len(_RATES)]
        area = Model("VArea", x=Field("x"), y1=Field("low"), y2=Field("high"), fill_color=colour_, fill_alpha=0.16)
        marks.append(drawn(table(x=at, low=100 * d.share, high=100 * d.circuit), area))
        lines.append((f"{rate(d.rate_per_h)}, circuit alone", at, 100 * d.circuit, colour_, "dashed", 1.2))
        lines.append((rate(d.rate_per_h), at, 100 * d.share, colour_, "solid", 2.2))
        dots = Model(
            "Scatter", x=Field("x"), y=Field("y"), size=Value(6), fill_color=Value(colour_), line_color=Value("#ffffff")
        )
        marks.append(drawn(table(x=at, y=100 * d.share), dots))
    for temp_degC in (limits.discharge_min_degC, limits.discharge_max_degC):
        marks.append(Model("Span", location=temp_degC, dimension="height", line_color=RED, line_dash="dashed", line_width=1.2))
    marks.append(_note(limits.discharge_min_degC, 0.0, f"discharge from {limits.discharge_min_degC:g} degC", RED, dy=4, dx=5))
    curves, hover = _lines(lines, "%", "at", "0.0", "degC")
    _add(plot, *marks, curves, hover)
    return plot


def entropy(curves: Curves) -> Model:
    """DU/dT: below zero the cell warms on discharge."""
    y = curves.dudt_mV_per_K
    reach = max(0.15, 1.15 * float(np.abs(y).max()))
    plot = _plot("SOC [%]", "dU/dT [mV/K]", (0.0, 100.0), (-reach, reach), _HEIGHT)
    zero = Model("Span", location=0.0, dimension="width", line_color=GREY, line_width=1.0)
    words = [
        _note(1.5, 0.0, "cools on discharge", GREY, dy=4),
        _note(1.5, 0.0, "warms on discharge", GREY, dy=-16),
    ]
    _add(plot, zero, *words, *_lines([("dU/dT", curves.soc, y, PURPLE, "solid", 1.8)], "mV/K", "SOC", "0.00"))
    return plot


def rate(per_h: float) -> str:
    """1C, C/5, 0.85C."""
    if per_h < 1.0 and abs(1.0 / per_h - round(1.0 / per_h)) < 1e-6:
        return f"C/{1.0 / per_h:.0f}"
    return f"{per_h:.3g}C"


def colour(share: float) -> str:
    """A colour of the scale, 0 the lightest."""
    at = min(max(share, 0.0), 1.0) * (len(_HEAT) - 1)
    n = min(int(at), len(_HEAT) - 2)
    a, b = (tuple(int(_HEAT[k][i : i + 2], 16) for i in (1, 3, 5)) for k in (n, n + 1))
    return "#" + "".join(f"{round(x + (at - n) * (y - x)):02x}" for x, y in zip(a, b, strict=True))


def milliohm(ohm: float) -> str:
    """A resistance in three digits; a dash where there is none."""
    if not math.isfinite(ohm):
        return "–"
    value = 1e3 * ohm
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _plot(x: str, y: str, xs: tuple[float, float], ys: tuple[float, float], height: int, grid: bool = True) -> Model:
    below, left = Model("LinearAxis", axis_label=x, **AXIS), Model("LinearAxis", axis_label=y, **AXIS)
    lines = [Model("Grid", axis=below, grid_line_color=GRID), Model("Grid", axis=left, dimension=1, grid_line_color=GRID)]
    zoom = Model("BoxZoomTool")
    return Model(
        "Plot",
        x_range=Model("Range1d", start=xs[0], end=xs[1]),
        y_range=Model("Range1d", start=ys[0], end=ys[1]),
        height=height,
        sizing_mode="stretch_width",
        min_border_left=54,
        min_border_right=12,
        min_border_top=6,
        min_border_bottom=4,
        border_fill_color=None,
        background_fill_color=None,
        outline_line_color="#d8dee4",
        below=[below],
        left=[left],
        center=lines if grid else [],
        right=[],
        renderers=[],
        toolbar=Model("Toolbar", tools=[zoom, Model("ResetTool")], active_drag=zoom, logo=None, autohide=True),
    )


def _add(plot: Model, *parts: Model) -> None:
    """Put parts where Bokeh wants them: glyphs and areas among the renderers, labels in the centre, tools in the toolbar."""
    for part in parts:
        if part.kind.endswith("Tool"):
            plot.attributes["toolbar"].attributes["tools"].append(part)
        else:
            plot.attributes["renderers" if part.kind == "GlyphRenderer" else "center"].append(part)


def _lines(lines: list[Line], unit: str, across: str, digits: str, across_unit: str = "%") -> tuple[Model, Model]:
    """All curves of a plot as one glyph, and what is said when the pointer stands on one."""
    names = ("label", "xs", "ys", "colour", "dash", "width")
    source = table(**{name: [line[n] for line in lines] for n, name in enumerate(names)})
    look = {"line_color": Field("colour"), "line_dash": Field("dash"), "line_width": Field("width")}
    glyph = Model("MultiLine", xs=Field("xs"), ys=Field("ys"), line_join=Value("round"), **look)
    curves = drawn(source, glyph)
    tips = [("", "@label"), (across, f"$snap_x{{0.0}} {across_unit}"), ("", f"$snap_y{{{digits}}} {unit}")]
    return curves, Model("HoverTool", renderers=[curves], tooltips=tips, line_policy="nearest", limit=4)


def _window_box() -> Model:
    look = {"fill_color": WINDOW_FILL, "fill_alpha": 0.16, "line_color": WINDOW_FILL, "line_alpha": 0.5}
    return Model("BoxAnnotation", bottom=OCV_WINDOW_V[0], top=OCV_WINDOW_V[1], level="underlay", **look)


def _window_span(curves: Curves) -> list[Model]:
    """The SOC that the window spans, in plots whose other axis is no voltage."""
    if curves.window is None:
        return []
    left, right = (100.0 * soc for soc in curves.window)
    look: dict[str, Any] = {"fill_color": WINDOW_FILL, "fill_alpha": 0.22, "line_color": None}
    return [Model("BoxAnnotation", left=left, right=right, level="underlay", **look)]


def _note(x: float, y: float, text: str, ink: str, dy: float = 0.0, dx: float = 0.0) -> Model:
    look = {"text_font": FONT, "text_font_size": "11px", "text_color": ink, "text_baseline": "bottom"}
    return Model("Label", x=x, y=y, x_offset=dx, y_offset=dy, text=plain(text), **look)


def _name_ends(plot: Model, lines: list[Line], span: tuple[float, float], height: int) -> None:
    """The name of each curve beside its end, in its colour, no nearer to the next than a line of text."""
    gap = 15.0 * (span[1] - span[0]) / (height - 60)
    ends = sorted((float(y[-1]), label, ink) for label, _, y, ink, _, _ in lines)
    places: list[float] = []
    for volt, _, _ in ends:
        places.append(max(volt, places[-1] + gap) if places else volt)
    over = max(places[-1] - (span[1] - 0.5 * gap), 0.0)
    for n in range(len(places) - 1, -1, -1):
        above = places[n + 1] - gap if n + 1 < len(places) else places[n] - over
        places[n] = min(places[n], above)
    for at, (_, label, ink) in zip(places, ends, strict=True):
        name = _note(100.0, at, label, ink, dx=8)
        name.attributes |= {"text_baseline": "middle", "text_font_style": "bold", "text_font_size": "12px"}
        _add(plot, name)


def _ticks(plot: Model, side: str, names: dict[int, str]) -> None:
    (axis,) = plot.attributes[side]
    axis.attributes |= {"ticker": Model("FixedTicker", ticks=list(names)), "major_label_overrides": names}
