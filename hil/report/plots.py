"""Panels as plots on one shared time axis.

Models are kept few, because each costs time in the browser: all curves of a panel are one MultiLine, all bars of the lanes
one Quad, all limits one HSpan with their names as ticks of a second axis.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.report import bokehjs
from hil.report.bokehjs import Field, Model, Value, drawn, table
from hil.report.panels import INK, PALE, Band, Limit, Panel

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
TEXT = {"text_font": FONT, "text_font_size": "11px", "text_color": "#52606d"}
AXIS: dict[str, Any] = {
    "axis_line_color": None,
    "major_tick_line_color": PALE,
    "minor_tick_line_color": None,
    "major_tick_in": 0,
    "major_tick_out": 4,
    **{f"major_label_{key}": value for key, value in TEXT.items()},
    **{f"axis_label_{key}": value for key, value in TEXT.items()},
    "axis_label_text_font_style": "normal",
    "axis_label_standoff": 4,
}
_LEFT = 62
_LETTER = 6.6  # width of a letter in a wide font [px]
_MOST_LETTERS = 34
_NAME_PX = 13  # from one name of a limit to the next
_TOP, _BOTTOM, _TIME_AXIS = 6, 4, 42  # borders, and the height of the time axis with its title [px]
GRID = "#eef1f4"
_FAULT_FILL, _FAULT_LINE = "#f2b866", "#b36b00"
_TEX = re.compile(r"\$(?=\$)|\\(?=[\[(])")
_NEAR = 0.35


def document(panels: list[Panel], faults: list[tuple[float, float, str]], end_s: float) -> tuple[str, dict[str, str]]:
    """The plots as JSON for BokehJS, and the id of the root of each panel by its key.

    faults: (start, stop, label) [s], shaded in every plot.  Names for scripts: "time" the shared range, "cursor" a line.
    """
    shared = _Shared(faults, end_s, right_border(panels))
    text, ids = bokehjs.document([_plot(panel, shared) for panel in panels])
    return text, dict(zip((panel.key for panel in panels), ids, strict=True))


class _Shared:
    """What all plots have in common: time, crosshair, cursor, faults."""

    def __init__(self, faults: list[tuple[float, float, str]], end_s: float, right: int) -> None:
        self.right = right
        margin = 0.01 * end_s
        ends = -margin, end_s + margin
        self.x = Model("Range1d", name="time", start=ends[0], end=ends[1], bounds=ends, min_interval=1e-3)
        self.cursor = Model(
            "Span",
            name="cursor",
            location=0.0,
            dimension="height",
            level="overlay",
            line_color=INK,
            line_dash="dashed",
            visible=False,
        )
        self.hair = Model("Span", dimension="height", level="overlay", line_color=PALE)
        self.labels = [(start_s, plain(label)) for start_s, _, label in faults]
        glyph = Model(
            "VStrip", x0=Field("x0"), x1=Field("x1"), fill_color=Value(_FAULT_FILL), fill_alpha=Value(0.16),
            line_color=Value(_FAULT_LINE), line_alpha=Value(0.55),
        )  # fmt: skip
        source = table(x0=[a for a, _, _ in faults], x1=[b for _, b, _ in faults])
        self.shades = (source, glyph) if faults else None


def right_border(panels: list[Panel]) -> int:
    """Room for the longest name that shows beside a plot [px]; the same in all plots, so that their time axes agree."""
    names = [lane.label for panel in panels for lane in panel.lanes]
    names += [_limit_name(limit) for panel in panels for limit in _in_sight(panel)]
    letters = max([len(plain(name)) for name in names], default=0)
    return max(int(letters * _LETTER) + 20, 130)


def plain(text: str) -> str:
    """A name of bearable length that BokehJS will not take for a formula, for which it would want the network."""
    short = text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
    return _TEX.sub(lambda match: f"{match[0]}\u200b", short)


def _limit_name(limit: Limit) -> str:
    """Label and unit; a long one is cut before its number."""
    text, number = f"{limit.label} {limit.unit}", f"… {limit.value:g} {limit.unit}"
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - len(number)]}{number}"


def _plot(panel: Panel, shared: _Shared) -> Model:
    lanes = bool(panel.lanes)
    low, high = (len(panel.lanes) - 0.4, -0.6) if lanes else span(panel)
    marks = [_band(band) for band in panel.bands]
    if shared.shades is not None:
        marks.append(drawn(*shared.shades, level="underlay"))
    if panel.limits:
        marks.append(_limit_lines(panel))
    curves, tips = _bars(panel) if lanes else _lines(panel)
    x, y = _axes(panel)
    grids = [Model("Grid", axis=x, grid_line_color=GRID), Model("Grid", axis=y, dimension=1, grid_line_color=GRID)]
    return Model(
        "Plot",
        name=panel.key,
        x_range=shared.x,
        y_range=Model("Range1d", start=low, end=high),
        height=panel.height,
        sizing_mode="stretch_width",
        min_border_left=_LEFT,
        min_border_right=shared.right,
        min_border_top=_TOP,
        min_border_bottom=_BOTTOM,
        border_fill_color=None,
        background_fill_color=None,
        outline_line_color="#d8dee4",
        lod_threshold=None,
        below=[x],
        left=[] if lanes else [y],
        right=[y] if lanes else [_limit_names(panel)] if _in_sight(panel) else [],
        center=[*grids, *([] if lanes else _fault_labels(shared)), shared.cursor],
        renderers=[*marks, *curves],
        toolbar=_toolbar(curves[0], tips, shared, "width" if lanes else "both"),
    )


def span(panel: Panel) -> tuple[float, float]:
    """Ends of the y axis: all that is drawn, at least `least` wide, and the limits that lie near."""
    drawn_: list[F64] = [line.y for line in panel.lines]
    for band in panel.bands:
        drawn_ += [band.low, band.high]
    values = np.concatenate([np.zeros(0), *drawn_])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, panel.least)
    missing = max(panel.least - (high - low), 0.0)
    low, high = low - 0.5 * missing, high + 0.5 * missing
    near = _NEAR * (high - low)
    for limit in panel.limits:
        if low - near <= limit.value <= high + near:
            low, high = min(low, limit.value), max(high, limit.value)
    margin = 0.07 * (high - low)
    return low - margin, high + margin


def _axes(panel: Panel) -> tuple[Model, Model]:
    x = Model("LinearAxis", axis_label="time [s]", **AXIS)
    if panel.lanes:
        names = {n: plain(lane.label) for n, lane in enumerate(panel.lanes)}
        return x, Model("LinearAxis", **{**AXIS, "major_tick_line_color": None}, **_named_ticks(names))
    ticker = Model("BasicTicker", desired_num_ticks=max(panel.height // 45, 3))
    return x, Model("LinearAxis", axis_label=f"[{panel.unit}]", ticker=ticker, **AXIS)


def _named_ticks(names: dict[Any, str]) -> dict[str, Any]:
    return {"ticker": Model("FixedTicker", ticks=list(names)), "major_label_overrides": names}


def _fault_labels(shared: _Shared) -> list[Model]:
    look = {**TEXT, "text_font_size": "10px", "text_color": _FAULT_LINE, "text_baseline": "bottom"}
    return [
        Model("Label", x=start_s, y=3 + 12 * (n % 3), y_units="screen", x_offset=4, text=label, **look)
        for n, (start_s, label) in enumerate(shared.labels)
    ]


def _band(band: Band) -> Model:
    glyph = Model("VArea", x=Field("x"), y1=Field("low"), y2=Field("high"), fill_color=band.colour, fill_alpha=band.alpha)
    return drawn(table(x=band.t_s, low=band.low, high=band.high), glyph, level="underlay")


def _limit_lines(panel: Panel) -> Model:
    limits = panel.limits
    source = table(y=[x.value for x in limits], colour=[x.colour for x in limits], dash=[x.dash for x in limits])
    look = {"line_color": Field("colour"), "line_dash": Field("dash"), "line_width": Value(1.2), "line_alpha": Value(0.9)}
    return drawn(source, Model("HSpan", y=Field("y"), **look))


def _limit_names(panel: Panel) -> Model:
    """Names of the limits beside the plot, each at its line or as near as the names around it let it."""
    shown = _in_sight(panel)
    names = {at: plain(_limit_name(limit)) for at, limit in zip(name_places(panel), shown, strict=True)}
    return Model("LinearAxis", **{**AXIS, "major_tick_line_color": None}, **_named_ticks(names))


def _in_sight(panel: Panel) -> list[Limit]:
    """Limits on the y axis as the page opens, the lowest first."""
    low, high = span(panel)
    return sorted((limit for limit in panel.limits if low <= limit.value <= high), key=lambda limit: limit.value)


def roomy(panel: Panel) -> Panel:
    """The panel, as tall as the names of its limits need."""
    return replace(panel, height=max(panel.height, _NAME_PX * len(_in_sight(panel)) + _TOP + _BOTTOM + _TIME_AXIS))


def name_places(panel: Panel) -> list[float]:
    """Where the name of each limit in sight stands on the y axis: nowhere nearer to the next than a line of text.

    Names that would overlap become a stack around the middle of their lines, inside the ends of the axis.
    """
    low, high = span(panel)
    gap = _NAME_PX * (high - low) / (panel.height - _TOP - _BOTTOM - _TIME_AXIS)
    stacks: list[list[float]] = []  # wanted places, lowest stack first

    def bottom(stack: list[float]) -> float:
        """Place of the lowest name of a stack that is centred on what it names, inside the panel."""
        tall = gap * (len(stack) - 1)
        middle = sum(stack) / len(stack)
        return min(max(middle - 0.5 * tall, low + 0.5 * gap), high - 0.5 * gap - tall)

    for limit in _in_sight(panel):
        stacks.append([limit.value])
        while len(stacks) > 1 and bottom(stacks[-2]) + gap * len(stacks[-2]) > bottom(stacks[-1]):
            top = stacks.pop()
            stacks[-1] += top
    return [bottom(stack) + n * gap for stack in stacks for n in range(len(stack))]


def _lines(panel: Panel) -> tuple[list[Model], list[tuple[str, str]]]:
    lines = panel.lines
    source = table(
        xs=[line.t_s for line in lines],
        ys=[line.y for line in lines],
        label=[line.label for line in lines],
        colour=[line.colour for line in lines],
        width=[line.width for line in lines],
        dash=[line.dash for line in lines],
        alpha=[line.alpha for line in lines],
    )
    look = {
        "line_color": Field("colour"),
        "line_width": Field("width"),
        "line_dash": Field("dash"),
        "line_alpha": Field("alpha"),
    }
    curves = drawn(source, Model("MultiLine", xs=Field("xs"), ys=Field("ys"), line_join=Value("round"), **look))
    shown = f"$snap_y{{0.{'0' * panel.digits}}} {panel.unit}"
    return [curves], [("", "@label"), ("time", "$snap_x{0.000} s"), ("value", shown)]


def _bars(panel: Panel) -> tuple[list[Model], list[tuple[str, str]]]:
    rows = [(n, lane.label, bar) for n, lane in enumerate(panel.lanes) for bar in lane.bars]
    source = table(
        left=[bar.start_s for _, _, bar in rows],
        right=[bar.stop_s for _, _, bar in rows],
        top=[n - bar.at - 0.5 * bar.tall for n, _, bar in rows],
        bottom=[n - bar.at + 0.5 * bar.tall for n, _, bar in rows],
        colour=[bar.colour for _, _, bar in rows],
        lane=[label for _, label, _ in rows],
        text=[bar.text for _, _, bar in rows],
    )
    sides = {side: Field(side) for side in ("left", "right", "top", "bottom")}
    curves = [drawn(source, Model("Quad", fill_color=Field("colour"), line_color=Field("colour"), **sides))]
    written = [(n - bar.at, bar) for n, _, bar in rows if bar.written]
    if written:
        names = table(
            x=[bar.start_s for _, bar in written], y=[y for y, _ in written], text=[plain(bar.text) for _, bar in written]
        )
        look = {"text_font": Value(FONT), "text_font_size": Value("11px"), "text_color": Value(INK)}
        place = {"x_offset": Value(5), "text_baseline": Value("middle")}
        curves.append(drawn(names, Model("Text", x=Field("x"), y=Field("y"), text=Field("text"), **look, **place)))
    return curves, [("", "@lane"), ("", "@text"), ("from", "@left{0.000} s"), ("to", "@right{0.000} s")]


def _toolbar(curves: Model, tips: list[tuple[str, str]], shared: _Shared, pan: str) -> Model:
    box = Model("BoxZoomTool", dimensions="width")
    wheel = Model("WheelZoomTool", dimensions="width", modifiers={"shift": True})
    hover = Model("HoverTool", renderers=[curves], tooltips=tips, line_policy="nearest", limit=4)
    hair = Model("CrosshairTool", overlay=shared.hair, dimensions="height")
    tools = [box, Model("PanTool", dimensions=pan), wheel, Model("ResetTool"), hover, hair]
    return Model("Toolbar", tools=tools, active_drag=box, active_scroll=wheel, logo=None, autohide=True)
