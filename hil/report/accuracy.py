"""Estimated SOC against the reference that a recording gives: error figures for each leg, and their plots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64, I64
from hil.calibration_tables import Model
from hil.figures import leg_at, scored_legs, soc_pair
from hil.observe import View
from hil.plant import replay
from hil.plant.cellfile import Cell
from hil.report.panels import AMBER, GREEN, GREY, INK, RED, Band, Limit, Panel, Scene, seconds, with_gaps
from hil.wirelog import Bools

OCV_WINDOW_V = (2.7, 3.2)


@dataclass(frozen=True)
class Row:
    """Errors of a stretch, as shares: estimate minus reference.

    leg: 0 for all, else from 1.  name: what the stretch is.  window: only where the reference lies in the OCV window.
    uncertainty: of the reference.  count: samples.  bias: mean error.  None where there is no sample.
    """

    leg: int
    name: str
    window: bool
    uncertainty: float
    count: int
    rmse: float | None
    mae: float | None
    largest: float | None
    bias: float | None


def soc_window(cell: Cell | Model) -> tuple[float, float]:
    """The SOC between which the mean OCV, of a cell or of what is believed of one, lies in the OCV window.

    The nearest ends when it never does.
    """
    soc = np.asarray(cell.ocv.soc)
    mean_V = 0.5 * (np.asarray(cell.ocv.discharge_V) + np.asarray(cell.ocv.charge_V))
    low, high = (float(np.interp(volt, mean_V, soc)) for volt in OCV_WINDOW_V)
    return low, high


def table(view: View) -> list[Row]:
    """Error figures over all legs and for each, over the whole range and inside the window."""
    recording = view.setup.inputs.scenario.recording
    if recording is None or not scored_legs(view):
        return []
    t_ns, believed, reference = soc_pair(view, 0)
    low, high = soc_window(view.setup.inputs.cell)
    inside = (reference >= low) & (reference <= high)
    both = max(recording.discharge_uncertainty, recording.charge_uncertainty)
    rows: list[Row] = []
    for n, name, uncertainty, of in [(0, "all legs", both, np.ones(len(t_ns), bool)), *_legs(view, t_ns)]:
        error = believed[of] - reference[of]
        rows.append(figures(n, name, False, uncertainty, error))
        rows.append(figures(n, name, True, uncertainty, error[inside[of]]))
    return rows


def _legs(view: View, t_ns: I64) -> Iterator[tuple[int, str, float, Bools]]:
    """Number, name, uncertainty of the reference, and which samples belong to it."""
    recording = view.setup.inputs.scenario.recording
    assert recording is not None
    samples = view.setup.rig.inputs.recording
    at = leg_at(view, t_ns)
    for n, leg in scored_legs(view):
        first_s, last_s = samples[leg.first, replay.TIME_S], samples[leg.last, replay.TIME_S]
        way = "discharge" if leg.discharges else "charge"
        uncertainty = recording.discharge_uncertainty if leg.discharges else recording.charge_uncertainty
        yield n, f"{way} of {leg.charge_Ah:.3f} Ah, {first_s:.0f} to {last_s:.0f} s", uncertainty, at == n


def figures(leg: int, name: str, window: bool, uncertainty: float, error: F64) -> Row:
    """Figures of the errors of a stretch, estimate minus reference as shares."""
    if not len(error):
        return Row(leg, name, window, uncertainty, 0, None, None, None, None)
    size = np.abs(error)
    return Row(
        leg, name, window, uncertainty, len(error), float(np.sqrt(np.mean(error**2))), float(size.mean()), float(size.max()),
        float(error.mean()),
    )  # fmt: skip


def panels(scene: Scene) -> list[Panel]:
    """Estimate of cell 0 against its reference, and the error."""
    recording = scene.view.setup.inputs.scenario.recording
    if recording is None or not scored_legs(scene.view):
        return []
    t_ns, believed, reference = soc_pair(scene.view, 0)
    (t_s, believed), (_, reference) = (with_gaps(seconds(t_ns), y) for y in (believed, reference))
    slack = 100.0 * max(recording.discharge_uncertainty, recording.charge_uncertainty)
    low, high = soc_window(scene.view.setup.inputs.cell)
    ends = np.array([0.0, scene.end_s])
    window = Band(
        f"{OCV_WINDOW_V[0]:g} to {OCV_WINDOW_V[1]:g} V window", ends, np.full(2, 100 * low), np.full(2, 100 * high), GREY, 0.14
    )
    compared = Panel(
        "cell0",
        "SOC of cell 0, which plays the recording",
        "%",
        f"reference: share of each leg's own throughput, known to ± {slack:g} %",
        [
            scene.line("reference", "reference", t_s, 100 * reference, INK),
            scene.line("estimated by the device", "estimated by the device", t_s, 100 * believed, AMBER, 1.8),
        ],
        [window],
        least=2.0,
        digits=2,
        height=220,
    )
    error = 100 * (believed - reference)
    ends_of = sorted(sign * 100 * x for x in _allowed(scene) for sign in (1, -1))
    limits = [Limit(x, "%", f"allowed {x:+g}", RED, "dashed") for x in ends_of]
    off = Panel(
        "error",
        "Error of that estimate",
        "%",
        "estimate minus reference; band: the uncertainty of the reference",
        [scene.line("error", "error", t_s, error, AMBER)],
        [Band("uncertainty of the reference", ends, np.full(2, -slack), np.full(2, slack), GREEN, 0.14)],
        limits,
        least=2.0,
        digits=2,
        height=170,
    )
    return [compared, off]


def _allowed(scene: Scene) -> list[float]:
    """Largest errors that the requirements of the SOC of cell 0 allow, as shares."""
    required = scene.view.setup.inputs.requirements.by_id()
    rows = [row for row in scene.view.setup.inputs.scenario.expect if row.kind == "soc" and row.cell == 0]
    return sorted({required[row.requirement].limits["max_error"] for row in rows})
