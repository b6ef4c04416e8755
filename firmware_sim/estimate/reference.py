"""Sloping cells as the reference of flat ones in the same string: one current, so one error of the charge that was counted.

A flat cell (LFP on its plateau) only counts, and counts wrongly whatever the shunt does. A sloping cell beside it (sodium) is
told by its voltage how far it really is; the difference to its own count is, but for errors of its own, charge that was
counted wrongly, and that is the flat cell's error too. Per string, once in EVERY_NS, in Ah and positive when more was
counted as drawn than was drawn:

    D = C (z - z_anchor) + counted          what a cell says about the count since the anchor
    O = C^2 P_anchor + (sigma_C counted)^2 + leak^2         its own share in D: start, capacity, self-discharge
    V = unseen + random + (sigma_bias t)^2 + (share counted)^2      how wrong the count can be
    W = C^2 P_anchor + V,  R = C^2 P,  D' = D W / (W - R),  S = R W / (W - R) + O     D as a measurement, see below
    c = V / (V + S) mean(D'),     V_left = V S / (V + S)

Flat cells move by (c - what they were given) / C, and are as sure as at the anchor plus V_left. They take over the referees'
error of the current sensor (BIAS_A) with its variance, which counts as given while they use it.

- A **referee** is a cell whose curve, over the stretch where its SOC may lie, rises by REFERENCE_V per SOC and more, and
  whose voltage has told it something since the anchor (P C^2 below MOST_LEFT of W). Kind and name do not matter: LFP at its
  knees counts for itself, sodium on a plateau is led.
- z has already been drawn towards its own prediction by its filter. D' and S undo that (the tracklet of track fusion).
- The referees' mean is weighted by 1 / (S + (D' - mean)^2), in two passes, so that one who is far from the others says
  little. Cells of one kind share the errors of one curve: n of them are as unsure as one.
- **A wrong start is not a wrong count.** At the anchor nothing is common: a referee that starts with a large variance has a
  large O and hands over next to nothing, however far it is corrected. Only memory makes a correction common: after a start
  from memory the anchor is what memory says, UNSEEN_SHARE of the capacity may have moved unseen, and what the referees
  agree on beyond that is believed too (V at least mean^2 - S). Flat cells start that much less sure.
- The **anchor** is set again, with V = 0, when a cell has come to know itself much better than it did then (half its
  variance): what was handed over until then stays.

The values of a string (COUNTED_*, UNSEEN_VAR) stand in the column of its first cell. Only method "sodium" has all that is
needed. Sources: Drummond, Proc. SPIE 3163 (1997) 468 (tracklets); figures: docs/estimation.md.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, sodium
from firmware_sim.estimate.start import LEAK_PER_H
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

EVERY_NS = 10_000_000_000
UNSEEN_SHARE = 0.05
MOST_LEFT = 0.95
_REACH_Z = 0.02  # the slope is asked at least so far to both sides
_NOBODY = 1e12
_BIAS_VAR, _CAPACITY_VAR = sodium.at(sodium.B, sodium.B), sodium.at(sodium.C, sodium.C)


@kernel
def first_of(s: int, stretches: I64) -> int:
    """First cell of string s."""
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] == s:
            return stretches[n, cfg.FIRST]
    return 0


@kernel
def is_sloping(cell: F64, p: int, i: int, k: int, real: F64, curves: F64) -> bool:
    """Whether the curve of cell i, of kind k, rises by REFERENCE_V per SOC where SOC may lie."""
    z, h, reach = cell[st.Z, p, i], cell[st.H, p, i], cell[st.REACH, p, i]
    apart = min(max(math.sqrt(cell[st.P, p, i]), _REACH_Z), 0.2)
    low, high = max(z - apart, 0.0), min(z + apart, 1.0)
    low_V, _ = belief.ocv(low, h, reach, 25.0, k, curves)
    high_V, _ = belief.ocv(high, h, reach, 25.0, k, curves)
    return high_V - low_V >= real[cfg.REFERENCE_V] * (high - low)


@kernel
def _anchor(cell: F64, p: int, s: int, stretches: I64) -> None:
    """From here on charge is counted, and nothing of it was wrong yet."""
    f = first_of(s, stretches)
    cell[st.COUNTED_AH, p, f] = 0.0
    cell[st.COUNTED_S, p, f] = 0.0
    cell[st.COUNTED_VAR, p, f] = 0.0
    cell[st.UNSEEN_VAR, p, f] = 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] == s:
            for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                cell[st.ANCHOR_Z, p, i] = cell[st.Z, p, i]
                cell[st.ANCHOR_VAR, p, i] = cell[st.P, p, i]
                cell[st.GIVEN_AH, p, i] = 0.0


@kernel
def begin(cell: F64, p: int, stretches: I64, real: F64, kinds: F64, curves: F64, stored: bool, parked_h: float) -> None:
    """Anchor all strings of cells that have just been seeded: at what memory says, if it says anything.

    parked_h: hours since then, below 0 when nobody knows.
    """
    lost = LEAK_PER_H * max(parked_h, 0.0)
    for s in range(stretches[stretches.shape[0] - 1, cfg.STRING] + 1):
        _anchor(cell, p, s, stretches)
        if not stored:
            continue
        f, unseen_Ah, sloping = first_of(s, stretches), 0.0, 0
        for n in range(stretches.shape[0]):
            if stretches[n, cfg.STRING] == s:
                k = stretches[n, cfg.KIND]
                unseen_Ah = max(unseen_Ah, UNSEEN_SHARE * kinds[k, cfg.CAPACITY_AH])
                for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                    sloping += 1 if is_sloping(cell, p, i, k, real, curves) else 0
        if sloping == 0:
            continue
        cell[st.UNSEEN_VAR, p, f] = unseen_Ah * unseen_Ah
        for n in range(stretches.shape[0]):
            if stretches[n, cfg.STRING] == s:
                k = stretches[n, cfg.KIND]
                for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                    cell[st.ANCHOR_Z, p, i] = cell[st.KEPT_Z, p, i] - lost
                    cell[st.ANCHOR_VAR, p, i] = cell[st.KEPT_SIGMA, p, i] * cell[st.KEPT_SIGMA, p, i]
                    if not is_sloping(cell, p, i, k, real, curves):
                        share = unseen_Ah / kinds[k, cfg.CAPACITY_AH]
                        cell[st.P, p, i] += share * share


@kernel
def _told(
    cell: F64, p: int, i: int, k: int, f: int, wrong_var: float, real: F64, kinds: F64, curves: F64
) -> tuple[float, float]:  # fmt: skip
    """What cell i says about the count since the anchor [Ah], and its variance; _NOBODY when it is no referee."""
    if not is_sloping(cell, p, i, k, real, curves):
        return 0.0, _NOBODY
    capacity_Ah = kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i]
    square = capacity_Ah * capacity_Ah
    counted_Ah = cell[st.COUNTED_AH, p, f]
    before, now = square * cell[st.ANCHOR_VAR, p, i] + wrong_var, square * cell[st.P, p, i]
    if now >= MOST_LEFT * before:
        return 0.0, _NOBODY
    leak_Ah = LEAK_PER_H * cell[st.COUNTED_S, p, f] / 3600.0 * capacity_Ah
    own = square * cell[st.ANCHOR_VAR, p, i] + cell[_CAPACITY_VAR, p, i] * counted_Ah * counted_Ah + leak_Ah * leak_Ah
    blown = before / (before - now)
    said_Ah = capacity_Ah * (cell[st.Z, p, i] - cell[st.ANCHOR_Z, p, i]) + counted_Ah
    return said_Ah * blown, now * blown + own


@kernel
def _lead(cell: F64, p: int, i: int, capacity_Ah: float, wrong_Ah: float, left_var: float, counted_Ah: float) -> None:
    """Move a flat cell by what it was not given yet, and leave it as unsure as the referees leave the count."""
    cell[st.Z, p, i] = min(max(cell[st.Z, p, i] + (wrong_Ah - cell[st.GIVEN_AH, p, i]) / capacity_Ah, -0.05), 1.05)
    moved = counted_Ah / capacity_Ah
    var = cell[st.ANCHOR_VAR, p, i] + left_var / (capacity_Ah * capacity_Ah) + cell[_CAPACITY_VAR, p, i] * moved * moved
    if var < cell[st.P, p, i]:
        scale = math.sqrt(var / cell[st.P, p, i])
        cell[st.P, p, i] = var
        for a in range(1, sodium.N):
            cell[sodium.at(sodium.Z, a), p, i] *= scale


@kernel
def _lend_bias(cell: F64, p: int, i: int, bias_A: float, bias_var: float) -> None:
    """Let a flat cell count with the referees' error of the current sensor, where it does not know it better."""
    if bias_var > cell[_BIAS_VAR, p, i]:
        return
    scale = math.sqrt(bias_var / cell[_BIAS_VAR, p, i])
    cell[st.BIAS_A, p, i] = bias_A
    for a in range(sodium.N):
        cell[sodium.of(sodium.B, a), p, i] *= scale
    cell[_BIAS_VAR, p, i] = bias_var


@kernel
def _mean(
    cell: F64, p: int, s: int, stretches: I64, around_Ah: float, robust: float, wrong_var: float, real: F64, kinds: F64,
    curves: F64,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Mean of the referees of string s [Ah] and its variance, then of their BIAS_A; _NOBODY as variance when there are none.

    robust: 1 weights by the distance from around_Ah too, 0 does not.
    """
    f, n_told, weights, said, bias_weights, bias = first_of(s, stretches), 0, 0.0, 0.0, 0.0, 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            said_Ah, var = _told(cell, p, i, k, f, wrong_var, real, kinds, curves)
            if var < _NOBODY:
                apart_Ah = robust * (said_Ah - around_Ah)
                weight = 1.0 / (var + apart_Ah * apart_Ah)
                n_told += 1
                weights += weight
                said += weight * said_Ah
                bias_weights += 1.0 / cell[_BIAS_VAR, p, i]
                bias += cell[st.BIAS_A, p, i] / cell[_BIAS_VAR, p, i]
    if n_told == 0:
        return 0.0, _NOBODY, 0.0, _NOBODY
    return said / weights, n_told / weights, bias / bias_weights, n_told / bias_weights


@kernel
def _share(cell: F64, p: int, s: int, stretches: I64, real: F64, kinds: F64, curves: F64) -> None:
    """Ask the referees of string s and lead its flat cells."""
    f = first_of(s, stretches)
    counted_Ah, since_h = cell[st.COUNTED_AH, p, f], cell[st.COUNTED_S, p, f] / 3600.0
    bias_Ah, gain_Ah = real[cfg.BIAS_SIGMA_A] * since_h, real[cfg.CURRENT_ERROR_SHARE] * counted_Ah
    wrong_var = cell[st.UNSEEN_VAR, p, f] + cell[st.COUNTED_VAR, p, f] + bias_Ah * bias_Ah + gain_Ah * gain_Ah
    rough_Ah, var, _, _ = _mean(cell, p, s, stretches, 0.0, 0.0, wrong_var, real, kinds, curves)
    if var >= _NOBODY:
        return
    said_Ah, var, bias_A, bias_var = _mean(cell, p, s, stretches, rough_Ah, 1.0, wrong_var, real, kinds, curves)
    if cell[st.UNSEEN_VAR, p, f] > 0.0:
        wrong_var = max(wrong_var, said_Ah * said_Ah - var)
    gain = wrong_var / (wrong_var + var)
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            if not is_sloping(cell, p, i, k, real, curves):
                capacity_Ah = kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i]
                _lead(cell, p, i, capacity_Ah, gain * said_Ah, gain * var, counted_Ah)
                _lend_bias(cell, p, i, bias_A, bias_var)
            cell[st.GIVEN_AH, p, i] = gain * said_Ah


@kernel
def step(
    cell: F64, p: int, s: int, stretches: I64, string_A: float, real: F64, kinds: F64, curves: F64, up_ns: int, dt_ns: int
) -> None:  # fmt: skip
    """Count the charge of string s in this tick; once in EVERY_NS ask its referees. After the corrections of the tick."""
    dt_s, f = dt_ns * 1e-9, first_of(s, stretches)
    if cell[st.ANCHOR_VAR, p, f] == 0.0:
        _anchor(cell, p, s, stretches)
    rate_Ah = (real[cfg.CURRENT_ERROR_SHARE] * math.fabs(string_A) + real[cfg.CURRENT_ERROR_A]) / 3600.0
    cell[st.COUNTED_AH, p, f] += string_A * dt_s / 3600.0
    cell[st.COUNTED_S, p, f] += dt_s
    cell[st.COUNTED_VAR, p, f] += 2.0 * rate_Ah * rate_Ah * real[cfg.CURRENT_CORRELATION_S] * dt_s
    if up_ns % EVERY_NS >= dt_ns:
        return
    passed_h, improved = max(EVERY_NS, dt_ns) * 1e-9 / 3600.0, False
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] == s:
            for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                cell[st.GIVEN_AH, p, i] += cell[st.BIAS_A, p, i] * passed_h
                improved = improved or cell[st.P, p, i] < 0.5 * cell[st.ANCHOR_VAR, p, i]
    _share(cell, p, s, stretches, real, kinds, curves)
    if improved:
        _anchor(cell, p, s, stretches)
