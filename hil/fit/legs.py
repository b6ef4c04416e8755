"""What happens in a run: rests, pulses, discharges and charges, where the cell is full, and what is missing to full.

A row stands for the time since the row before, with its own current. Loggers that write seldom at rest and often in a pulse
put the first row of a pulse right behind the edge: where a current step follows a long interval, that interval counts
with the current before it, but for as long as the next interval lasts.

Charge is counted from the places where the cell is known to be full. Sensors drift: between two ends of charges all that
was charged is stretched alike, such that it returns what was taken. A file that merely begins at a high voltage may be a
little more or less full than its charges end; there the count stands as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_sim.types import F64, I64
from hil.errors import ScenarioError
from hil.fit.data import Run

FULL_NEAR_V = 0.03
START_FULL_NEAR_V = 0.15
EMPTY_NEAR_V = 0.03
PULSE_S = 90.0
_CV_S = 20.0
_CHARGED = 0.02  # of the capacity: a shorter charge is a pulse or a top-up
_DRAWN = 0.01  # of the capacity: less is no discharge between two charges
_MOST_DRIFT = 0.25


@dataclass(frozen=True)
class Leg:
    """Rows first..last of one kind: "rest", "discharge", "charge", "discharge pulse" or "charge pulse"."""

    kind: str
    first: int
    last: int
    duration_s: float
    charge_Ah: float

    @property
    def mean_A(self) -> float:
        """Mean current, positive on discharge."""
        return 3600.0 * self.charge_Ah / self.duration_s if self.duration_s > 0.0 else 0.0


@dataclass(frozen=True)
class Track:
    """A run laid out for the model; rows with `seen` false were put in where the current changed between two rows.

    missing_Ah: charge missing to full.  span: number of the stretch between two full places, over all tracks.
    since_step_s: since the last current step.  drift: by span, charge returned over charge taken.  open_span: the span
    before the first full place, which nobody knows the start of; -1 when there is none.
    """

    run: Run
    dt_s: F64
    amps: F64
    volt: F64
    ambient_degC: F64
    surface_degC: F64
    missing_Ah: F64
    since_step_s: F64
    span: I64
    seen: np.ndarray[tuple[int], np.dtype[np.bool_]]
    legs: tuple[Leg, ...]
    drift: dict[int, float]
    open_span: int

    @property
    def t_s(self) -> F64:
        """Seconds since the first row."""
        return np.cumsum(self.dt_s)


def find_legs(run: Run, capacity_Ah: float) -> tuple[Leg, ...]:
    """All legs of a run in order. capacity_Ah: about what the cell holds."""
    way = np.where(np.abs(run.amps) > run.rest_A, np.sign(run.amps), 0.0)
    starts = np.flatnonzero(np.diff(way, prepend=way[0] + 1.0))
    ends = np.append(starts[1:], len(way)) - 1
    dt_s = run.dt_s
    legs = []
    for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
        took_s = float(dt_s[first : last + 1].sum())
        moved_Ah = float((run.amps * dt_s)[first : last + 1].sum()) / 3600.0
        kind = {0.0: "rest", 1.0: "discharge", -1.0: "charge"}[float(way[first])]
        if kind != "rest" and took_s <= PULSE_S and abs(moved_Ah) < 0.03 * capacity_Ah:
            kind += " pulse"
        legs.append(Leg(kind, first, last, took_s, moved_Ah))
    return tuple(legs)


def largest_swing_Ah(run: Run) -> float:
    """Most charge that a run takes net from one place to a later one; a first idea of the capacity."""
    taken = np.cumsum(run.amps * run.dt_s) / 3600.0
    return float(max((taken - np.minimum.accumulate(taken)).max(), (np.maximum.accumulate(taken) - taken).max()))


def upper_V(run: Run) -> float:
    """Voltage at which charges end, or the highest when there is none; pulses do not count."""
    charges = [leg for leg in find_legs(run, largest_swing_Ah(run)) if leg.kind == "charge"]
    return max((float(run.volt[leg.last]) for leg in charges), default=float(run.volt.max()))


def start_row(run: Run, legs: tuple[Leg, ...] | None = None) -> int:
    """The row before the first discharge; the first one where a run begins with a discharge, or has none."""
    found = find_legs(run, largest_swing_Ah(run)) if legs is None else legs
    return max(next((leg.first for leg in found if leg.kind == "discharge"), 0) - 1, 0)


def full_rows(run: Run, legs: tuple[Leg, ...], charge_max_V: float, capacity_Ah: float) -> list[int]:
    """Rows at which the cell is full: ends of charges to the upper voltage; the start, when it begins so."""
    rows = []
    first_down = next((leg.first for leg in legs if leg.kind == "discharge"), None)
    charged_before = any(leg.kind == "charge" and first_down is not None and leg.first < first_down for leg in legs)
    before_V = float(run.volt[start_row(run, legs)])
    if run.starts_full or (not charged_before and first_down is not None and before_V >= charge_max_V - START_FULL_NEAR_V):
        rows.append(0)
    for leg in legs:
        if not leg.kind.startswith("charge") or run.volt[leg.last] < charge_max_V - FULL_NEAR_V:
            continue
        held = run.t_s[leg.last] - run.t_s[leg.first : leg.last + 1] <= _CV_S
        holds = leg.duration_s >= _CV_S and run.volt[leg.first : leg.last + 1][held].min() >= charge_max_V - FULL_NEAR_V
        if holds or -leg.charge_Ah >= _CHARGED * capacity_Ah:
            rows.append(leg.last)
    taken_Ah = np.cumsum(np.maximum(run.amps, 0.0) * run.dt_s) / 3600.0
    # of several ends with no discharge between them, the last is the full one
    return [
        k
        for k, after in zip(rows, [*rows[1:], None], strict=False)
        if after is None or taken_Ah[after] - taken_Ah[k] > _DRAWN * capacity_Ah
    ]


def lay_out(run: Run, charge_max_V: float, capacity_Ah: float, first_span: int) -> Track:
    """A run with its charge counted from full. Raises ScenarioError when it is full nowhere."""
    legs = find_legs(run, capacity_Ah)
    full = full_rows(run, legs, charge_max_V, capacity_Ah)
    if not full:
        raise ScenarioError(
            f"{run.name}: the cell is full nowhere: no charge ends within {1e3 * FULL_NEAR_V:g} mV of charge_max_V "
            f"{charge_max_V:.4g} V and the first discharge does not begin within {1e3 * START_FULL_NEAR_V:g} mV of it (highest "
            f"voltage {run.volt.max():.4g} V); check cell.charge_max_V, or say starts_full = true in a [[run]] of the map"
        )
    missing_Ah, span, drift = _missing(run, full, capacity_Ah, first_span)
    since_s = _since_step_s(run)
    k, before_s = late_steps(run)
    dt_s = run.dt_s.copy()
    dt_s[k] -= before_s
    held_A = run.amps[k - 1]
    before_Ah = missing_Ah[k - 1] + held_A * before_s / 3600.0
    track = Track(
        run=run,
        dt_s=np.insert(dt_s, k, before_s),
        amps=np.insert(run.amps, k, held_A),
        volt=np.insert(run.volt, k, np.nan),
        ambient_degC=np.insert(run.ambient_degC, k, run.ambient_degC[k]),
        surface_degC=np.insert(run.surface_degC, k, run.surface_degC[k]),
        missing_Ah=np.insert(missing_Ah, k, before_Ah),
        since_step_s=np.insert(since_s, k, before_s),
        span=np.insert(span, k, span[k - 1]),
        seen=np.insert(np.ones(len(run.t_s), bool), k, False),
        legs=legs,
        drift=drift,
        open_span=first_span if full[0] > 0 else -1,
    )
    first = legs[0]
    # Nothing is known of what the pairs hold when a file begins in the middle of a charge: not judged until they forget.
    unknown = track.t_s <= min(120.0, first.duration_s) if first.kind.startswith("charge") else np.zeros(len(track.t_s), bool)
    return replace(track, seen=track.seen & ~unknown)


def late_steps(run: Run) -> tuple[I64, F64]:
    """Rows before which the current before was held for most of the interval, and for how long [s]."""
    dt_s, step_A = run.dt_s, np.abs(np.diff(run.amps, prepend=run.amps[0]))
    next_s = np.append(dt_s[1:], dt_s[-1])
    late = (step_A > 0.05 * np.abs(run.amps).max()) & (dt_s > 3.0 * next_s) & (next_s > 0.0)
    late[0] = False
    rows: I64 = np.flatnonzero(late)
    return rows, (dt_s - next_s)[rows]


def _since_step_s(run: Run) -> F64:
    """Seconds since the last current step, at each row."""
    step = np.abs(np.diff(run.amps, prepend=run.amps[0])) > 0.05 * np.abs(run.amps).max()
    dt_s = run.dt_s
    next_s = np.append(dt_s[1:], dt_s[-1])
    at_s = np.where(step, run.t_s - np.minimum(dt_s, next_s), -np.inf)
    at_s[0] = run.t_s[0]
    return np.asarray(run.t_s - np.maximum.accumulate(at_s), np.float64)


def _missing(run: Run, full: list[int], capacity_Ah: float, first_span: int) -> tuple[F64, I64, dict[int, float]]:
    """Charge missing to full at each row [Ah], its span, and what each closed span gave back of what it had taken."""
    moved_Ah = run.amps * run.dt_s / 3600.0
    k, before_s = late_steps(run)
    moved_Ah[k] += (run.amps[k - 1] - run.amps[k]) * before_s / 3600.0
    span = np.full(len(moved_Ah), first_span, np.int64)
    drift: dict[int, float] = {}
    missing_Ah = np.zeros(len(moved_Ah))
    if full[0] > 0:
        missing_Ah[: full[0] + 1] = (np.cumsum(moved_Ah[: full[0] + 1][::-1])[::-1] * -1.0) + moved_Ah[: full[0] + 1]
        missing_Ah[full[0]] = 0.0
    number, base_Ah = first_span, 0.0
    for n, row in enumerate(full):
        end = full[n + 1] if n + 1 < len(full) else len(moved_Ah) - 1
        if row > 0:
            number += 1
        rows = slice(row + 1, end + 1)
        span[rows] = number
        part = moved_Ah[rows].copy()
        taken_Ah, given_Ah = float(part[part > 0].sum()), -float(part[part < 0].sum())
        if n + 1 < len(full) and taken_Ah > 0.05 * capacity_Ah:
            drift[number] = given_Ah / taken_Ah
            if abs(drift[number] - 1.0) > _MOST_DRIFT:
                raise ScenarioError(
                    f"{run.name}: from full at {run.t_s[row]:.6g} s to full at {run.t_s[end]:.6g} s the charge returned is "
                    f"{100 * drift[number]:.0f} % of the {taken_Ah:.3g} Ah taken; expected about 100 %; is a part missing, or "
                    "does the current have an offset?"
                )
            if row > 0:
                part[part < 0] /= drift[number]
        missing_Ah[rows] = base_Ah + np.cumsum(part)
        base_Ah = float(missing_Ah[end]) if row == 0 else base_Ah
    return missing_Ah, span, drift
