"""What the report says of arbitrated buses: load and error counters over time, states of nodes, delays of messages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.bus import table as tb
from hil.bus.summary import STATES
from hil.report.panels import AMBER, BLUE, GREEN, INK, PURPLE, RED, SKY, Bar, Lane, Limit, Line, Panel, Scene, seconds

_COLOURS = (BLUE, RED, GREEN, PURPLE, AMBER, SKY, INK)
_STATE_COLOURS = {tb.PASSIVE: "#f3d9a4", tb.BUS_OFF: "#eeb0a0"}
_CUT_COLOUR = "#c9ced6"
_PER_S = 10


@dataclass(frozen=True)
class NodeRow:
    """A node at the end of the run."""

    name: str
    state: str
    tec: int
    rec: int
    most_tec: int
    most_rec: int
    n_off: int


@dataclass(frozen=True)
class FrameRow:
    """A frame: how often it was sent and overwritten, its longest delay, and how long it waits at the end [ms]."""

    name: str
    sent: int
    overwritten: int
    longest_ms: float
    waits_ms: float


def nodes(scene: Scene) -> list[NodeRow]:
    """All nodes; none when no bus was arbitrated."""
    found = scene.view.trace.info.get("bus", {}).get("nodes", {})
    return [
        NodeRow(
            name, row["state"], row["TEC"], row["REC"], row["largest TEC"], row["largest REC"], row["times bus-off"]
        )  # fmt: skip
        for name, row in found.items()
    ]


def frames(scene: Scene) -> list[FrameRow]:
    """All frames, in order of arbitration."""
    found = scene.view.trace.info.get("bus", {}).get("frames", {})
    return [FrameRow(name, row["sent"], row["overwritten"], row["longest_ms"], row["waits_ms"]) for name, row in found.items()]


def panels(scene: Scene) -> list[Panel]:
    """Load, error counters and states; none when no bus was arbitrated."""
    plan, rows = scene.view.setup.network.plan, scene.view.trace.bus
    if plan is None or not len(rows):
        return []
    loads = [_load(scene, b, name) for b, name in enumerate(plan.bus_names) if plan.buses[b, tb.ON] == 1]
    out = [Panel("busload", "Bus load", "%", "of each 100 ms", loads, least=10.0, digits=1, height=150)]
    counters = [line for n in range(len(plan.nodes)) for line in _counters(scene, n, plan.node_name(n))]
    if counters:
        edges = [Limit(128.0, "", "error-passive 128", AMBER, "dashed"), Limit(256.0, "", "bus-off 256", RED, "dashed")]
        out.append(
            Panel("buserrors", "Error counters of the nodes", "1", "solid TEC, dashed REC", counters, [], edges, least=20.0,
                  digits=0, height=180)
        )  # fmt: skip
    lanes = [lane for n in range(len(plan.nodes)) if (lane := _lane(scene, n, plan.node_name(n))).bars]
    if lanes:
        keys = [(STATES[state], colour) for state, colour in _STATE_COLOURS.items()] + [("cut off", _CUT_COLOUR)]
        out.append(Panel("busstates", "States of the nodes", "", "", lanes=lanes, keys=keys, height=60 + 26 * len(lanes)))
    return out


def _load(scene: Scene, b: int, name: str) -> Line:
    rows = scene.view.trace.bus
    rows = rows[(rows[:, tb.RECORD_KIND] == tb.LOAD_IS) & (rows[:, tb.RECORD_BUS] == b)]
    stretch = max(1_000_000_000 // _PER_S // scene.view.trace.dt_ns, 1)
    n = len(rows) // stretch
    busy = rows[: n * stretch, tb.RECORD_A].reshape(n, stretch).sum(axis=1) / (stretch * scene.view.trace.dt_ns)
    t_s = seconds(rows[stretch - 1 : n * stretch : stretch, tb.RECORD_NS])
    return scene.line(f"load of bus {name}", name, t_s, 100.0 * busy, _COLOURS[b % len(_COLOURS)])


def _counters(scene: Scene, n: int, name: str) -> list[Line]:
    """TEC and REC of a node, as steps; none where they stayed 0."""
    rows = scene.view.trace.bus
    rows = rows[np.isin(rows[:, tb.RECORD_KIND], (tb.STATE_IS, tb.COUNT_IS)) & (rows[:, tb.RECORD_NODE] == n)]
    rows = rows[np.argsort(rows[:, tb.RECORD_NS], kind="stable")]
    out = []
    for column, word, dash in ((tb.RECORD_B, "TEC", "solid"), (tb.RECORD_C, "REC", "dashed")):
        if not rows[:, column].any():
            continue
        t_s = np.concatenate([[0.0], seconds(rows[:, tb.RECORD_NS]), [scene.end_s]])
        y = np.concatenate([[0.0], rows[:, column].astype(np.float64)])
        colour = _COLOURS[n % len(_COLOURS)]
        t_s, y = np.repeat(t_s, 2)[1:-1], np.repeat(y, 2)
        out.append(scene.line(f"{word} of {name}", f"{name} {word}", t_s, y, colour, dash=dash))
    return out


def _lane(scene: Scene, n: int, name: str) -> Lane:
    """Where a node was error-passive, bus-off or cut off."""
    rows, bars = scene.view.trace.bus, []
    own = rows[rows[:, tb.RECORD_NODE] == n]
    for kind, meaning in ((tb.STATE_IS, _STATE_COLOURS), (tb.LINK_IS, {0: _CUT_COLOUR})):
        of = own[own[:, tb.RECORD_KIND] == kind]
        ends = np.append(seconds(of[1:, tb.RECORD_NS]), scene.end_s)
        for row, stop_s in zip(of, ends, strict=False):
            state = int(row[tb.RECORD_A])
            if state in meaning:
                text = STATES[state] if kind == tb.STATE_IS else "cut off"
                bars.append(Bar(float(row[tb.RECORD_NS]) * 1e-9, float(stop_s), f"{name}: {text}", meaning[state]))
    return Lane(name, bars[:1000])
