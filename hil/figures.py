"""Figures that a requirement limits: length, count and distance of precharge tries, error of the state of charge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_sim.types import F64, I64
from hil import silence, truth
from hil.observe import Effect, View
from hil.requirement import Requirement
from hil.scenario import PrechargeExpect, SocExpect
from hil.setup import Setup
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
    lengths = (off - on) * dt_ms
    longest = float(lengths.max())
    end = _bounded(req, "precharge end", f"at most {end_ms:g} ms", longest, dt_ms, (-1.0, end_ms), evidence)
    if end.verdict is Verdict.PASS and (before or under_way):
        end = replace(end, seen=f"{end.seen}, but not every try was seen whole", verdict=Verdict.INCONC, next_step=hint)
    found.append(end)
    if len(on) > 1:
        shortest = float((on[1:] - off[:-1]).min()) * dt_ms
        found.append(_bounded(req, "precharge pause", f"at least {gap_ms:g} ms", shortest, dt_ms, (gap_ms, np.inf), evidence))
    return found


def _bounded(
    req: Requirement,
    what: str,
    expected: str,
    value: float,
    dt_ms: float,
    window: tuple[float, float],
    evidence: tuple[Evidence, ...],
) -> Finding:
    verdict = inside(value - dt_ms, value + dt_ms, window)
    hint = "" if verdict is Verdict.PASS else "look at the precharge times of the calibration"
    return Finding(
        req.id, what, expected, f"{value:.0f} ms", verdict, value, value - dt_ms, value + dt_ms, "ms", evidence, hint
    )


def soc_pair(view: View, cell: int | None) -> tuple[I64, F64, F64]:
    """Times, estimated and true SOC, as shares; only where both are known."""
    series = view.log.said(_soc_name(cell))
    t_ns, believed = series.t_ns[series.valid], series.value[series.valid] / 100.0
    k = np.minimum(t_ns // view.trace.dt_ns, view.trace.n_ticks - 1)
    if cell is None:
        return t_ns, believed, view.trace.column("soc")[k]
    samples = np.minimum(k // view.trace.cells_every, view.trace.cells.shape[0] - 1)
    true = view.trace.cells[samples, truth.CELL_SOC, cell]
    if cell == 0 and view.setup.legs:
        true = recorded_soc(view.setup, t_ns)
    known = np.isfinite(true)
    return t_ns[known], believed[known], true[known]


def recorded_soc(setup: Setup, t_ns: I64) -> F64:
    """Reference SOC of a recording at given times; NaN outside its legs."""
    samples = setup.rig.inputs.recording
    k = np.searchsorted(samples[:, 0], t_ns * 1e-9, side="right") - 1
    return np.where(k >= 0, samples[np.maximum(k, 0), 4], np.nan)


def judge_soc(view: View, row: SocExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    """Largest error, and its root mean square where the requirement limits that."""
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    t_ns, believed, true = soc_pair(view, row.cell)
    span = (t_ns >= first_ns) & (t_ns <= last_ns)
    who = "pack" if row.cell is None else f"cell {row.cell}"
    limit = req.limits["max_error"]
    expected = f"SOC of {who} within {100 * limit:g} % of the truth"
    gap = _soc_gap(view, row.cell, first_ns, last_ns)
    if gap is not None or not span.any():
        return [silence.nothing_seen(view, req, f"SOC of {who}", expected, gap or (first_ns, last_ns), "valid SOC")]
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
    if recording is None or row.cell != 0:
        return 0.0
    return max(recording.discharge_uncertainty, recording.charge_uncertainty)
