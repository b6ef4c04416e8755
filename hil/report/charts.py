"""Which plots a report has and what stands in each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from firmware_sim.wire.layout import SLOT
from hil import truth
from hil.names import cell_signal, ntc_signal
from hil.observe import View, expected_on
from hil.report import accuracy, bus, plots
from hil.report.panels import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    MOST_SINGLE,
    PURPLE,
    RED,
    SKY,
    Band,
    Bar,
    Lane,
    Limit,
    Line,
    Panel,
    Scene,
    intervals,
    seconds,
)
from hil.verdict import Finding
from hil.wirelog import choices

MOST_MARKED = 6
_MARKS = (RED, PURPLE, AMBER, GREEN, SKY, BLUE)
_TIER = {"mol": (GREY, "dotted"), "rsl": (AMBER, "dashed"), "msl": (RED, "dashed")}
_CELL_LIMIT = (INK, "dotdash")
_WHEN = {"always": "", "charging": " chg", "not_charging": " dis", "closed": " closed", "opened": " opened"}
_STATES = {"run": "#9fd3bf", "charge": "#a9d3ee", "error": "#eeb0a0", "precharge": "#f3d9a4", "opening": "#f3d9a4"}
_FAULT = "#e3a45c"

# Which plot shows what a piece of evidence names; the first prefix that fits.
_PLACES = (
    ("CellVoltage", "cells"),
    ("cell_voltage", "cells"),
    ("CellSoc_000", "cell0"),
    ("soc", "soc"),
    ("BMS_Soc", "soc"),
    ("CellSoc", "soc"),
    ("CellTemperature", "temperature"),
    ("temperature", "temperature"),
    ("current", "current"),
    ("mean_current", "current"),
    ("Shunt_Current", "current"),
    ("Shunt_PackVoltage", "voltage"),
    ("Shunt_LinkVoltage", "voltage"),
)


def events(view: View, findings: Iterable[Finding]) -> tuple[float, ...]:
    """Times that deserve a close look [s]: starts and ends of faults, and evidence."""
    end_ns = view.trace.n_ticks * view.trace.dt_ns
    times = {e.t_ns for finding in findings for e in finding.evidence}
    for fault in view.setup.faults:
        times |= {fault.start_ns, fault.stop_ns(view.trace.dt_ns)}
    return tuple(sorted(t_ns * 1e-9 for t_ns in times if 0 <= t_ns <= end_ns))


def place(column: str, panels: Iterable[Panel]) -> str:
    """Key of the plot that shows a column of evidence."""
    keys = {panel.key for panel in panels}
    for prefix, key in _PLACES:
        if column.startswith(prefix):
            return key if key in keys else "soc" if key == "cell0" else "cells"
    return "states" if column else "cells"


def panels(scene: Scene) -> list[Panel]:
    """All plots of a run, in the order of the page."""
    out = [_cells(scene), _soc(scene), *accuracy.panels(scene)]
    out += [_current(scene), _temperature(scene), *_abuse(scene), _voltage(scene), _states(scene), *bus.panels(scene)]
    if len(scene.view.trace.late_ns):
        out.append(_late(scene))
    return [plots.roomy(panel) for panel in out]


# ---- limits


def _limits(view: View, unit: str, quantities: dict[str, float], cell: list[tuple[str, float]]) -> list[Limit]:
    """Thresholds of the calibration for some quantities (name to sign) and limits of the cell; equal ones share a line."""
    at: dict[float, dict[str, tuple[str, str]]] = {}
    for row in view.setup.inputs.calibration.limit:
        if row.quantity in quantities:
            names = at.setdefault(quantities[row.quantity] * row.threshold, {})
            whose = "" if row.group is None else f" {row.group}"
            names.setdefault(f"{row.tier.upper()}{_WHEN[row.when]}{whose}", _TIER[row.tier])
    for label, value in cell:
        at.setdefault(value, {}).setdefault(label, _CELL_LIMIT)
    return [Limit(x, unit, f"{', '.join(names)} {x:g}", *next(iter(names.values()))) for x, names in sorted(at.items())]


def _of_kinds(view: View, names: dict[str, str]) -> list[tuple[str, float]]:
    """Limits of every kind of cell in the pack: label and value. names: label to name in the cell file."""
    kinds = view.setup.kinds
    who = ["cell"] if len(kinds) == 1 else [cell.name for cell in kinds]
    return [
        (f"{w} {label}", getattr(cell.limits, name))
        for w, cell in zip(who, kinds, strict=True)
        for label, name in names.items()
    ]


# ---- cells


def _read_wrong(view: View, names: list[str]) -> list[int]:
    """Numbers of the readings that a sensor or network fault touched and changed, worst first; at most MOST_MARKED."""
    worst: dict[int, float] = {}
    for n, name in enumerate(names):
        if name in view.trace.touched:
            before, after = (view.trace.sides[:, side, view.trace.touched.index(name)] for side in (0, 1))
            off = np.where(np.isnan(after) & ~np.isnan(before), np.inf, np.abs(after - before))
            if np.nanmax(off, initial=0.0) > 1e-9:
                worst[n] = float(np.nanmax(off))
    layout = view.setup.network.to_dut
    slots = {slot for fault in view.setup.faults for slot in fault.to_dut}
    carried = [n for n, name in enumerate(names) if int(layout.signals[layout.index(name), SLOT]) in slots]
    if len(carried) <= MOST_MARKED:
        worst.update({n: worst.get(n, 0.0) for n in carried})
    return sorted(worst, key=lambda n: (-worst[n], n))[:MOST_MARKED]


def _altered(view: View) -> list[int]:
    """Cells whose own parameters a fault changes; none when they are too many to stand out."""
    mine = [f for f in view.setup.faults if f.kind.target == "cell" and f.kind.seam == "plant"]
    hit = {at // view.setup.place.parallel for f in mine for _, _, at in f.addresses}
    return sorted(hit) if len(hit) <= MOST_MARKED else []


def _per_cell(scene: Scene, row: int, extremes: tuple[str, str], marked: list[int]) -> tuple[list[Line], list[Band]]:
    """Truth of every cell, or of the lowest and the highest when there are many; marked cells stand out."""
    trace = scene.view.trace
    lines: list[Line] = []
    bands: list[Band] = []
    n_cells = trace.cells.shape[2]
    if n_cells <= MOST_SINGLE:
        for i in range(n_cells):
            if i not in marked:
                lines.append(scene.line(f"cell {i}", "cells", trace.t_cells_s, trace.cells[:, row, i], BLUE, 1.0, alpha=0.45))
    else:
        low, high = (trace.column(name) for name in extremes)
        bands.append(scene.band(f"lowest to highest of {n_cells} cells", trace.t_s, low, high, BLUE, 0.25))
        lines.append(scene.line("lowest cell", "lowest, highest", trace.t_s, low, BLUE, 1.0, alpha=0.8))
        lines.append(scene.line("highest cell", "lowest, highest", trace.t_s, high, BLUE, 1.0, alpha=0.8))
    for n, i in enumerate(marked):
        colour = _MARKS[n % len(_MARKS)]
        lines.append(scene.line(f"cell {i}", f"cell {i}", trace.t_cells_s, trace.cells[:, row, i], colour, 3.2, alpha=0.55))
    return lines, bands


def _cells(scene: Scene) -> Panel:
    view = scene.view
    wrong = _read_wrong(view, [cell_signal(i) for i in range(view.setup.place.n_cells)])
    played = [0] if view.setup.inputs.scenario.recording is not None else []
    marked = list(dict.fromkeys([*wrong, *_altered(view), *played]))[:MOST_MARKED]
    lines, bands = _per_cell(scene, truth.CELL_V, ("cell_voltage_min", "cell_voltage_max"), marked)
    for i in wrong:
        lines += scene.wire(cell_signal(i), f"cell {i} as read", INK, 1.2)
    own = _of_kinds(view, {"max": "absolute_max_V", "min": "absolute_min_V"})
    limits = _limits(view, "V", {"cell_V_max": 1.0, "cell_V_min": 1.0}, own)
    note = f"true voltage of each of the {view.setup.place.n_cells} cells"
    note += "; thin: what the device read over the wire" if wrong else ""
    return Panel("cells", "Cell voltages", "V", note, lines, bands, limits, least=0.1, digits=4, height=270)


def _temperature(scene: Scene) -> Panel:
    view, pack = scene.view, scene.view.setup.inputs.pack
    wrong = _read_wrong(view, [ntc_signal(j) for j in range(view.setup.place.n_ntc)])
    lines, bands = _per_cell(scene, truth.CELL_DEGC, ("temperature_min", "temperature_max"), _altered(view))
    for n, j in enumerate(wrong):
        lines += scene.wire(ntc_signal(j), f"sensor {j} (on cell {pack.ntc_cells[j]}) as read", _MARKS[n], 1.2)
    names = {
        "max chg": "charge_max_degC",
        "min chg": "charge_min_degC",
        "max dis": "discharge_max_degC",
        "min dis": "discharge_min_degC",
    }
    own = _of_kinds(view, names)
    limits = _limits(view, "°C", {"temp_max_degC": 1.0, "temp_min_degC": 1.0}, own)
    note = "true temperature of each cell" + ("; thin: what the device read over the wire" if wrong else "")
    return Panel("temperature", "Temperatures", "°C", note, lines, bands, limits, least=3.0, digits=2, height=180)


# ---- pack


def _soc(scene: Scene) -> Panel:
    believed, band = scene.series("BMS_Soc"), scene.series("BMS_SocBand")
    bands = []
    if len(believed.t_ns) and len(believed.t_ns) == len(band.t_ns):  # one frame carries both
        value = np.where(believed.valid & band.valid, believed.value, np.nan)
        low, high = np.maximum(value - band.value, 0.0), np.minimum(value + band.value, 100.0)
        bands.append(scene.band("its 95 % confidence", seconds(believed.t_ns), low, high, AMBER))
    lines = [*scene.wire("BMS_Soc", "estimated by the device", AMBER, 1.8), scene.truth("soc", "true", INK, scale=100.0)]
    return Panel("soc", "State of charge", "%", "of the pack", lines, bands, least=2.0, digits=2, height=200)


def _current(scene: Scene) -> Panel:
    setup = scene.view.setup
    lines = [
        *scene.wire("Shunt_Current", "as read by the device", AMBER, 3.0, alpha=0.55),
        scene.truth("load_current", "drawn by the load", GREY, 1.4, "4 3"),
        scene.truth("current", "true, through the cells", BLUE),
    ]
    if setup.inputs.pack.strings > 1:
        lines += [
            scene.truth("string_current_max", "string that gives most", PURPLE, 1.2),
            scene.truth("string_current_min", "string that gives least", GREEN, 1.2),
        ]
    beside = setup.inputs.pack.strings * setup.inputs.pack.parallel
    cells = [cell.limits for cell in setup.kinds]
    own = [
        ("cell max", min(cell.discharge_max_A for cell in cells) * beside),
        ("cell max charge", -min(cell.charge_max_A for cell in cells) * beside),
    ]
    limits = _limits(scene.view, "A", {"discharge_A": 1.0, "charge_A": -1.0}, own)
    note = "positive discharges"
    return Panel("current", "Current", "A", note, lines, [], limits, least=0.5, digits=3, height=180)


def _voltage(scene: Scene) -> Panel:
    lines = [
        *scene.wire("Shunt_PackVoltage", "pack, as read", AMBER, 3.0, alpha=0.55),
        scene.truth("pack_voltage", "pack", BLUE),
        *scene.wire("Shunt_LinkVoltage", "link, as read", GREEN, 3.0, alpha=0.35),
        scene.truth("link_voltage", "link", GREEN),
    ]
    note = "before and behind the contactors"
    return Panel("voltage", "Pack and link voltage", "V", note, lines, least=1.0, digits=2, height=160)


def _abuse(scene: Scene) -> list[Panel]:
    """Gas and plated metal, where there are any."""
    out = []
    if scene.view.trace.column("gas").max() > 0.0:
        is_hcn = any(cell.runaway is not None and cell.runaway.hcn for cell in scene.view.setup.kinds)
        note = "made by all cells" + ("; a cyanide cathode: the gas holds HCN" if is_hcn else "")
        out.append(Panel("gas", "Gas", "mol", note, [scene.truth("gas", "gas", PURPLE)], least=0.001, digits=3, height=150))
    if scene.view.trace.column("plated").max() > 0.0:
        line = scene.truth("plated", "most on one cell", PURPLE)
        note = "an indicator: charge that flowed in while the anode had no margin"
        out.append(Panel("plated", "Metal plated", "Ah", note, [line], least=0.001, digits=4, height=150))
    return out


def _late(scene: Scene) -> Panel:
    trace = scene.view.trace
    late = scene.line("lateness", "lateness of each tick", trace.t_s[: len(trace.late_ns)], trace.late_ns / 1e6, PURPLE, 1.0)
    tick_ms = trace.dt_ns / 1e6
    note = f"how late the bench itself was; judgements that rest on a missed deadline are INCONC{_kept(trace.info.get('link'))}"
    limits = [Limit(tick_ms, "ms", f"deadline {tick_ms:g}", RED, "dashed")]
    return Panel("late", "Lateness of the bench", "ms", note, [late], [], limits, least=1.5 * tick_ms, digits=3, height=150)


def _kept(link: dict[str, Any] | None) -> str:
    """How the frames of the bench kept their times, under what scheduling, and who made the stamps."""
    if not link or "pacing" not in link:
        return ""
    pacing = link["pacing"]
    worst = "".join(
        f"; {row['frame']}: {row['late']} late, worst {row['worst_ms']:g} ms" for row in pacing["late_by_message"][:3]
    )
    return (
        f"; {pacing['late']} of {pacing['frames']} frames left more than 1.5 ms off their times{worst}; "
        f"in {len(link.get('late_frames', ()))} ticks one left more than 5 ms late; "
        f"{link['scheduling']}; times of arrival from: {', '.join(link['stamps'])}"
    )


# ---- lanes


def _states(scene: Scene) -> Panel:
    lanes = [*_fault_lanes(scene), _state_lane(scene)]
    lanes += [_contactor_lane(scene, *row) for row in _CONTACTORS]
    lanes += _flag_lanes(scene)
    keys = [("commanded", BLUE), ("contact closed", INK), ("feedback closed", SKY), ("flag raised", RED), ("fault on", _FAULT)]
    height = 26 * len(lanes) + 52
    return Panel("states", "States, contactors and diagnosis flags", "", "", lanes=lanes, keys=keys, height=height)


_CONTACTORS = (
    ("main +", "BMS_MainPlusCommand", "main_plus", "PackIO_MainPlusFeedback"),
    ("main −", "BMS_MainMinusCommand", "main_minus", "PackIO_MainMinusFeedback"),
    ("precharge", "BMS_PrechargeCommand", "precharge", "PackIO_PrechargeFeedback"),
)


def _wire_bars(scene: Scene, signal: str, text: str, colour: str, at: float, tall: float) -> list[Bar]:
    series = scene.series(signal)
    on = np.where(series.valid, series.value, 0.0) > 0.5
    return [Bar(a, b, _times(text, n), colour, at, tall) for a, b, n in intervals(seconds(series.t_ns), on, scene.end_s)]


def _times(text: str, count: int) -> str:
    return text if count == 1 else f"{text} ({count} times)"


def _contactor_lane(scene: Scene, label: str, command: str, contact: str, feedback: str) -> Lane:
    """Three thin bars: what the device commanded, where the contact is, what its feedback told the device."""
    trace = scene.view.trace
    closed = intervals(trace.t_s, trace.column(contact), scene.end_s)
    bars = _wire_bars(scene, command, "commanded to close", BLUE, 0.25, 0.2)
    bars += [Bar(a, b, _times("contact closed", n), INK, 0.0, 0.2) for a, b, n in closed]
    return Lane(label, bars + _wire_bars(scene, feedback, "feedback says closed", SKY, -0.25, 0.2))


def _state_lane(scene: Scene) -> Lane:
    """The state of the BMS as it says itself."""
    series = scene.series("BMS_State")
    t_s, value = seconds(series.t_ns[series.valid]), series.value[series.valid]
    names = choices(scene.view.setup.network, "BMS_State") if len(t_s) else {}
    bars = []
    for raw in sorted(set(value.tolist())):
        text = names.get(int(raw), f"{raw:g}")
        for a, b, n in intervals(t_s, value == raw, scene.end_s):
            written = b - a > 0.05 * scene.end_s
            bars.append(Bar(a, b, _times(text, n), _STATES.get(text, "#dde3e9"), 0.0, 0.8, written))
    return Lane("BMS state", sorted(bars, key=lambda bar: bar.start_s))


def _flag_lanes(scene: Scene) -> list[Lane]:
    """Flags that were ever raised, the first one first."""
    lanes = []
    for name in scene.view.setup.network.from_dut.signal_names:
        if name.startswith("Diag_"):
            flag = name.removeprefix("Diag_")
            bars = _wire_bars(scene, name, f"{flag} raised", RED, 0.0, 0.5)
            if bars:
                lanes.append(Lane(flag, bars))
    return sorted(lanes, key=lambda lane: (lane.bars[0].start_s, lane.label))


def _fault_lanes(scene: Scene) -> list[Lane]:
    """When each fault is on, by the scenario."""
    view = scene.view
    lanes = []
    for fault in view.setup.faults:
        on = expected_on(view.t_ns, fault, view.trace.dt_ns)
        found = intervals(view.trace.t_s, on, scene.end_s)
        bars = [Bar(a, b, _times(f"{fault.spec.label} on", n), _FAULT, 0.0, 0.5) for a, b, n in found]
        lanes.append(Lane(f"fault {fault.spec.label}", bars))
    return lanes


def fault_spans(scene: Scene) -> list[tuple[float, float, str]]:
    """(start, stop, label) of each fault [s], inside the run."""
    dt_ns, end_ns = scene.view.trace.dt_ns, scene.view.trace.n_ticks * scene.view.trace.dt_ns
    spans = [(f.start_ns, min(f.stop_ns(dt_ns), end_ns), f.spec.label) for f in scene.view.setup.faults]
    return [(a * 1e-9, b * 1e-9, label) for a, b, label in spans if a < end_ns]
