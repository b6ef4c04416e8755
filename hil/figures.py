"""Figures that a requirement limits: length, count and distance of precharge tries, error of the state of charge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_sim.types import F64, I64
from hil import lacks, silence, truth
from hil.observe import Effect, View
from hil.plant import replay
from hil.recording import Leg
from hil.requirement import Requirement
from hil.scenario import PrechargeExpect, SocExpect
from hil.verdict import Evidence, Finding, Verdict, inside


def judge_precharge(view: View, row: PrechargeExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    """Count, length and spacing of the times the precharge coil was energised.

    A try under way at either end of the time that is judged is not known whole, and after the last one another may come
    until the longest pause is over or the main contactor has closed.
    """
    first = int(np.searchsorted(view.t_ns, round(row.from_s * 1e9)))
    coil = view.trace.column("precharge_coil")[first:]
    edge = np.diff(np.concatenate([[0], coil, [0]]))
    on, off = first + np.flatnonzero(edge == 1), first + np.flatnonzero(edge == -1)
    dt_ms = view.trace.dt_ns / 1e6
    tries, end_ms, gap_ms = req.limits["tries"], req.limits["end_ms"], req.limits["gap_ms"]
    if not len(on):
        return [
            Finding(
                req.id, "precharge", req.title, "precharge was never tried", Verdict.INCONC,
                next_step="look at the request and at the state of the BMS",
            )
        ]  # fmt: skip
    t_ns = np.append(view.t_ns, silence.end_ns(view))
    moments = [(int(t_ns[k]), f"try {n + 1}{what}") for what, ks in (("", on), (" ends", off)) for n, k in enumerate(ks)]
    evidence = tuple(Evidence(at_ns, what, "precharge") for at_ns, what in sorted(moments))
    before, under_way = bool(first and view.trace.column("precharge_coil")[first - 1]) and on[0] == first, bool(coil[-1])
    closed = not under_way and bool(view.trace.column("main_plus")[off[-1] :].any())
    over = closed or (not under_way and (view.trace.n_ticks - off[-1]) * dt_ms >= gap_ms)
    count = float(len(on))
    verdict, hint = (Verdict.PASS, "") if count == tries else (Verdict.FAIL, "look at the retry counter")
    seen = f"{len(on)}"
    if before or (not over and count <= tries):
        seen += ", one of which began before" if before else ", and another may follow"
        verdict, hint = (
            Verdict.INCONC,
            "begin to judge before the first try, and make the run longer than the pause after the last",
        )
    found = [
        Finding(
            req.id, "precharge tries", f"exactly {tries:g}", seen, verdict, count, count, count, "1",
            (*evidence, Evidence(silence.end_ns(view), "end of the run")), hint,
        )
    ]  # fmt: skip
    lengths = ((off - on) * dt_ms).tolist()
    slacks_ms = [dt_ms + _blur_ms(view, int(t_ns[a]), int(t_ns[b])) for a, b in zip(on, off, strict=True)]
    n = _worst(lengths, slacks_ms, (-1.0, end_ms), heavier=1)
    end = _bounded(req, "precharge end", f"at most {end_ms:g} ms", lengths[n], slacks_ms[n], (-1.0, end_ms), evidence)
    if end.verdict is Verdict.PASS and (before or under_way):
        end = replace(end, seen=f"{end.seen}, but not every try was seen whole", verdict=Verdict.INCONC, next_step=hint)
    found.append(end)
    if len(on) > 1:
        pauses = ((on[1:] - off[:-1]) * dt_ms).tolist()
        slacks_ms = [dt_ms + _blur_ms(view, int(t_ns[a]), int(t_ns[b])) for a, b in zip(off[:-1], on[1:], strict=True)]
        window, wanted = (gap_ms, np.inf), f"at least {gap_ms:g} ms"
        n = _worst(pauses, slacks_ms, window, heavier=-1)
        found.append(_bounded(req, "precharge pause", wanted, pauses[n], slacks_ms[n], window, evidence))
    return found


def _worst(times_ms: list[float], slacks_ms: list[float], window: tuple[float, float], heavier: int) -> int:
    """Which of several times has the worst verdict, each by its own band; of equal ones the longest (1) or shortest (-1)."""
    verdicts = [inside(t - slack, t + slack, window) for t, slack in zip(times_ms, slacks_ms, strict=True)]
    return max(range(len(verdicts)), key=lambda n: (verdicts[n], heavier * times_ms[n]))


def _blur_ms(view: View, *ends_ns: int) -> float:
    """How far a time of precharge may be off on a real link [ms]; instruments may show late what begins and ends a try."""
    shown_ns = len(ends_ns) * view.trace.instrument_ns((*lacks.OF_CLOSING, "current"))
    return (shown_ns + sum(view.trace.blur_ns(at_ns) for at_ns in ends_ns)) / 1e6


def _bounded(
    req: Requirement,
    what: str,
    expected: str,
    value: float,
    slack_ms: float,
    window: tuple[float, float],
    evidence: tuple[Evidence, ...],
) -> Finding:
    low, high = value - slack_ms, value + slack_ms
    verdict = inside(low, high, window)
    hint = "" if verdict is Verdict.PASS else "look at the precharge times of the calibration"
    return Finding(req.id, what, expected, f"{value:.0f} ms", verdict, value, low, high, "ms", evidence, hint, timed=True)


def soc_pair(view: View, cell: int | None) -> tuple[I64, F64, F64]:
    """Times, estimated and true SOC, as shares; only where both are known.

    Of a recording, and of the pack around it, the truth is known in its legs (see hil.recording) and nowhere else.
    """
    series = view.log.said(_soc_name(cell))
    t_ns, believed = series.t_ns[series.valid], series.value[series.valid] / 100.0
    k = np.minimum(t_ns // view.trace.dt_ns, view.trace.n_ticks - 1)
    known = leg_at(view, t_ns) > 0 if _rests_on_recording(view, cell) else np.ones(len(t_ns), bool)
    if cell is None:
        return t_ns[known], believed[known], view.trace.column("soc")[k[known]]
    samples = np.minimum(k // view.trace.cells_every, view.trace.cells.shape[0] - 1)
    true = view.trace.cells[samples, truth.CELL_SOC, cell]
    if _rests_on_recording(view, cell):
        true = view.setup.rig.inputs.recording[_row_at(view, t_ns), replay.SOC]
    known &= np.isfinite(true)
    return t_ns[known], believed[known], true[known]


def _rests_on_recording(view: View, cell: int | None) -> bool:
    return view.setup.inputs.scenario.recording is not None and cell in (None, 0)


def _row_at(view: View, t_ns: I64) -> I64:
    """Row of the recording that holds at given times; the first one before it begins."""
    start_s = view.setup.rig.inputs.recording[:, replay.TIME_S]
    return np.maximum(np.searchsorted(start_s, t_ns * 1e-9, side="right") - 1, 0)


def scored_legs(view: View) -> list[tuple[int, Leg]]:
    """Legs of the recording that the record holds whole, with their numbers from 1."""
    samples, end_s = view.setup.rig.inputs.recording, silence.end_ns(view) * 1e-9
    return [(n, leg) for n, leg in enumerate(view.setup.legs, start=1) if samples[leg.last, replay.TIME_S] <= end_s]


def leg_at(view: View, t_ns: I64) -> I64:
    """Number of the leg that plays at given times; 0 where there is none."""
    samples, t_s = view.setup.rig.inputs.recording, t_ns * 1e-9
    out = np.zeros(len(t_ns), np.int64)
    for n, leg in scored_legs(view):
        out[(t_s >= samples[leg.first, replay.TIME_S]) & (t_s <= samples[leg.last, replay.TIME_S])] = n
    return out


def why_no_leg(view: View) -> str:
    """Why a recording has no reference in this record; empty when it has one, or when there is no recording."""
    if view.setup.inputs.scenario.recording is None or scored_legs(view):
        return ""
    if view.setup.no_leg:
        return view.setup.no_leg
    last_s = view.setup.rig.inputs.recording[view.setup.legs[0].last, replay.TIME_S]
    return f"no leg between full and empty: the run ended at {silence.end_ns(view) / 1e9:g} s, the first one at {last_s:.0f} s"


def judge_soc(view: View, row: SocExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    """Largest error, and its root mean square where the requirement limits that."""
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    t_ns, believed, true = soc_pair(view, row.cell)
    span = (t_ns >= first_ns) & (t_ns <= last_ns)
    who = "pack" if row.cell is None else f"cell {row.cell}"
    limit = req.limits["max_error"]
    expected = f"SOC of {who} within {100 * limit:g} % of the truth"
    gap, slot = _soc_gap(view, row.cell, first_ns, last_ns), silence.slot_of(view, _soc_name(row.cell))
    if gap is None and not span.any() and _rests_on_recording(view, row.cell):
        return [_no_reference(view, req, f"SOC of {who}", expected, first_ns, last_ns)]
    if gap is not None or not span.any():
        return [silence.nothing_seen(view, req, f"SOC of {who}", expected, gap or (first_ns, last_ns), "valid SOC", slot)]
    error = believed[span] - true[span]
    at = int(np.abs(error).argmax())
    biggest, rmse, mean = float(np.abs(error[at])), float(np.sqrt(np.mean(error**2))), float(error.mean())
    slack = _reference_uncertainty(view, row)
    known = f" (reference known to {100 * slack:g} %)" if slack else ""
    seen = f"largest error {100 * error[at]:+.2f} % at {t_ns[span][at] / 1e9:.1f} s"
    seen += f", RMSE {100 * rmse:.2f} %, mean {100 * mean:+.2f} %"
    evidence = (
        Evidence(first_ns, "from"),
        Evidence(int(t_ns[span][at]), "largest error", "soc"),
        Evidence(int(t_ns[span][-1]), "to"),
    )
    found = []
    judged = [(f"SOC of {who}", expected, seen, biggest, limit)]
    if "rmse" in req.limits:
        what, most = f"SOC of {who}, RMSE", req.limits["rmse"]
        judged.append((what, f"{what} at most {100 * most:g} %", f"{100 * rmse:.2f} %", rmse, most))
    for what, wanted, shown, share, most in judged:
        verdict = inside(share - slack, share + slack, (-1.0, most))
        hint = "" if verdict is Verdict.PASS else "look at the SOC plot; see docs on estimation for what moves the error"
        low, high = 100 * (share - slack), 100 * (share + slack)
        found.append(
            Finding(req.id, what, wanted, shown + known, verdict, 100 * share, low, high, "%", evidence, hint)
        )  # fmt: skip
    return found


def _no_reference(view: View, req: Requirement, what: str, expected: str, first_ns: int, last_ns: int) -> Finding:
    seen = why_no_leg(view) or f"no leg between full and empty from {first_ns / 1e9:g} to {last_ns / 1e9:g} s"
    return Finding(
        req.id, what, expected, seen, Verdict.INCONC, evidence=(Evidence(first_ns, "from"), Evidence(last_ns, "to")),
        next_step="let the run play a leg of the recording to its end",
    )  # fmt: skip


def _soc_gap(view: View, cell: int | None, first_ns: int, last_ns: int) -> tuple[int, int] | None:
    """First stretch without a valid SOC that is too long; a device that is still coming up has none."""
    name = _soc_name(cell)
    series = view.log.said(name)
    ready_ns = min(int(series.t_ns[0]), silence.READY_NS) if len(series.t_ns) else 0
    return silence.gap(
        series.t_ns[series.valid], max(first_ns, ready_ns), last_ns, silence.allowed_ns(view, silence.slot_of(view, name))
    )


def _soc_name(cell: int | None) -> str:
    return "BMS_Soc" if cell is None else f"CellSoc_{cell:03d}"


def _reference_uncertainty(view: View, row: SocExpect) -> float:
    recording = view.setup.inputs.scenario.recording
    if recording is None or row.cell not in (None, 0):
        return 0.0
    return max(recording.discharge_uncertainty, recording.charge_uncertainty)
