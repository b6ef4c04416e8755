"""What the data can tell apart, found before the fit: pulses or not, how fast they were logged, both branches or one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64, I64
from hil.fit.legs import EMPTY_NEAR_V, Track

_PLACES = 5  # steps from rest, at different SOC, that make a resistance over SOC
_REST_S = 120.0
_SAME_K = 3.0
_APART = 1.4  # of two currents that tell resistance from open-circuit voltage


@dataclass(frozen=True)
class Known:
    """What the data hold.

    pulses: current steps at so many SOC that resistance shows of itself.  period_s: of rows right after a step.
    rates, charge_rates: mean currents of long discharges and charges [A].  both_rested: rests after discharge and charge.
    data_degC: temperatures of the surroundings.  groups: by track, which of them.
    """

    pulses: bool
    period_s: float
    rates: tuple[float, ...]
    charge_rates: tuple[float, ...]
    both_rested: bool
    data_degC: F64
    groups: tuple[int, ...]

    @property
    def loop_apart(self) -> bool:
        """Whether loop width and charge resistance can be told apart."""
        return self.both_rested or _spread(self.charge_rates)

    @property
    def rates_apart(self) -> bool:
        """Whether discharges at different currents tell resistance from open-circuit voltage."""
        return _spread(self.rates)


def _spread(rates: Sequence[float]) -> bool:
    return len(rates) > 1 and max(rates) >= _APART * min(rates)


def look(tracks: Sequence[Track], capacity_Ah: float) -> Known:
    """What tracks tell."""
    places: set[int] = set()
    periods: list[F64] = []
    rests: dict[str, set[int]] = {"discharge": set(), "charge": set()}
    rates: dict[str, list[float]] = {"discharge": [], "charge": []}
    for track in tracks:
        at_Ah = track.missing_Ah[track.seen] if track.seen.all() else _on_run(track)
        for before, leg in zip(track.legs, track.legs[1:], strict=False):
            place = int(20.0 * at_Ah[leg.first] / capacity_Ah)
            if (before.kind == "rest") != (leg.kind == "rest"):
                places.add(place)
                dt_s = track.run.dt_s[leg.first : leg.first + 6]
                periods.append(dt_s[1:])
            if leg.kind == "rest" and leg.duration_s >= _REST_S:
                # a pulse in between does not change the branch
                rests[_way_before(track, leg.first)].add(place)
        for leg in track.legs:
            if leg.kind in rates and abs(leg.charge_Ah) > 0.04 * capacity_Ah:
                rates[leg.kind].append(_typical_A(track, leg.first, leg.last))
    data_degC, groups = _groups([float(np.mean(track.ambient_degC)) for track in tracks])
    period_s = float(np.median(np.concatenate(periods))) if periods else float(np.median(tracks[0].run.dt_s[1:]))
    return Known(
        pulses=len(places) >= _PLACES,
        period_s=period_s,
        rates=tuple(sorted(rates["discharge"])),
        charge_rates=tuple(sorted(rates["charge"])),
        both_rested=min(len(rests["discharge"]), len(rests["charge"])) >= _PLACES,
        data_degC=data_degC,
        groups=groups,
    )


def _on_run(track: Track) -> F64:
    """Missing charge at the rows of the run."""
    keep = np.searchsorted(track.t_s, track.run.t_s - track.run.t_s[0] - 1e-9)
    return np.asarray(track.missing_Ah[np.minimum(keep, len(track.missing_Ah) - 1)])


def _way_before(track: Track, row: int) -> str:
    """Direction of the last leg before a row that was no rest and no pulse; a charge when there was none."""
    past = [leg.kind for leg in track.legs if leg.last < row and leg.kind in ("discharge", "charge")]
    return past[-1] if past else "charge"


def _typical_A(track: Track, first: int, last: int) -> float:
    """Current of a leg for most of its charge."""
    return float(np.median(np.abs(track.run.amps[first : last + 1])))


def _groups(degC: Sequence[float]) -> tuple[F64, tuple[int, ...]]:
    """Temperatures that differ by more than a few K, and to which each run belongs."""
    order = np.argsort(degC)
    groups = [0] * len(degC)
    members: list[list[float]] = []
    for k in order:
        if not members or degC[k] - members[-1][0] > _SAME_K:
            members.append([])
        members[-1].append(degC[k])
        groups[k] = len(members) - 1
    return np.array([np.mean(group) for group in members]), tuple(groups)


@dataclass(frozen=True)
class Reference:
    """The stretch that says what the cell holds. track, span: which.  charge_Ah: full to empty.  degC: of the cell at its end.

    told: in words.
    """

    track: int
    span: int
    charge_Ah: float
    degC: float
    told: str


def reference(tracks: Sequence[Track], known: Known, empty_V: float) -> Reference | None:
    """From full to the lower voltage at the lowest rate, of the runs nearest 25 degC; the middle one of several.

    None when no run goes so far.
    """
    nearest = int(np.argmin(np.abs(known.data_degC - 25.0)))
    ends = []
    for n, (track, group) in enumerate(zip(tracks, known.groups, strict=True)):
        low: I64 = np.flatnonzero(track.seen & (track.volt <= empty_V + EMPTY_NEAR_V))
        if group != nearest or not len(low):
            continue
        at = int(low[np.argmax(track.missing_Ah[low])])
        whole = np.flatnonzero(track.missing_Ah[: at + 1] <= 0.0)
        start = int(whole[-1]) if len(whole) else 0
        charge_Ah, hours = float(track.missing_Ah[at]), float(track.dt_s[start + 1 : at + 1].sum()) / 3600.0
        ends.append((charge_Ah / max(hours, 1e-9), charge_Ah, n, int(track.span[at]), at))
    if not ends:
        return None
    slowest_A = min(rate_A for rate_A, *_ in ends)
    same = sorted((charge_Ah, n, span, at) for rate_A, charge_Ah, n, span, at in ends if rate_A <= 1.1 * slowest_A)
    charge_Ah, n, span, at = same[(len(same) - 1) // 2]
    warm_degC = tracks[n].surface_degC[at]
    degC = float(warm_degC if np.isfinite(warm_degC) else tracks[n].ambient_degC[at])
    return Reference(
        n, span, charge_Ah, degC, f"{tracks[n].run.name}, full to empty at {slowest_A:.3g} A on average, rests included"
    )
