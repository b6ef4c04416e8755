"""Energy and time left: to empty, where the first cell meets its lower voltage, and to full.

Under a steady current I a cell stands, all pairs settled, on

    V(z) = U(x) -+ M(x) + dU/dT(x) (T - 25) -+ rho I R(x),   R = R0 + R1 + R2 + R3 at this temperature

It is empty at the z where V is its lower limit; full where a twentieth of I, which a charger at its upper limit ends with,
brings V to the upper one, or at the end of the SOC window. A string ends with its first cell: the one with the least charge
until then. Energy is the integral of V of every cell over that charge (Simpson); time at a current is charge over current, and
of a charge the march of the fullest cell with the current that its upper voltage leaves (CC, then CV). Times end at MOST_MIN.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import kernel
from firmware_sim.power.tables import kinetics, ocv, resistances
from firmware_sim.types import F64, I64

END_SHARE = 0.05
MOST_MIN = 4094.0
_HALVINGS = 12
_MARCH = 24
_SIMPSON = 4


@kernel
def steady(
    cell: F64, p: int, i: int, k: int, z: float, current_A: float, kinds: F64, curves: F64, ln_r: F64, nodes: F64, n_nodes: I64
) -> tuple[float, float]:
    """Voltage without its drop [V] and settled resistance [ohm] of cell i at SOC z under a current."""
    x = belief.in_reach(z, cell[st.REACH, p, i])
    core_degC = belief.core_degC(cell, p, i)
    rested_V, _, _ = ocv(x, -1.0 if current_A > 0.0 else 1.0, core_degC, k, curves)
    r0, r1, r2, _, _ = resistances(x, core_degC, k, ln_r, nodes, n_nodes)
    factor, kinetic = kinetics(cell, p, i, k, current_A, curves), kinds[k, cfg.R0_KINETIC]
    ohm = r0 * (1.0 - kinetic + kinetic * factor) + r1 * factor + r2 * (1.0 + kinds[k, cfg.R3_SHARE])
    return rested_V, cell[st.RHO, p, i] * ohm


@kernel
def _is_beyond(
    cell: F64, p: int, i: int, k: int, way: int, z: float, amps: float, reals: F64, kinds: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64,
) -> bool:  # fmt: skip
    """Cell i is past its end at SOC z: empty under amps (way +1), full under END_SHARE of them (way -1)."""
    if way > 0:
        rested_V, ohm = steady(cell, p, i, k, z, amps, kinds, curves, ln_r, nodes, n_nodes)
        return z < reals[cfg.SOC_LOW] or rested_V - ohm * amps < kinds[k, cfg.DISCHARGE_STOP_V]
    rested_V, ohm = steady(cell, p, i, k, z, -END_SHARE * amps, kinds, curves, ln_r, nodes, n_nodes)
    return z > reals[cfg.SOC_HIGH] or rested_V + ohm * END_SHARE * amps > kinds[k, cfg.CHARGE_STOP_V]


@kernel
def least_Ah(
    cell: F64, p: int, s: int, way: int, amps: float, stretches: I64, reals: F64, kinds: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64,
) -> tuple[float, int, int]:  # fmt: skip
    """Charge [Ah] until the first cell of string s is at its end under a current of this magnitude; that cell, its kind."""
    least, first_i, first_k = 1e9, -1, 0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            capacity_Ah = kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i]
            z = cell[st.Z, p, i]
            most = min(least, (z if way > 0 else max(1.0 - z, 0.0)) * capacity_Ah + 1e-9)
            end_z = z - way * most / capacity_Ah
            if first_i >= 0 and not _is_beyond(cell, p, i, k, way, end_z, amps, reals, kinds, curves, ln_r, nodes, n_nodes):
                if most < least:
                    least, first_i, first_k = most, i, k
                continue
            low, high = 0.0, max(most, 0.0)
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                if _is_beyond(
                    cell, p, i, k, way, z - way * middle / capacity_Ah, amps, reals, kinds, curves, ln_r, nodes, n_nodes
                ):  # fmt: skip
                    high = middle
                else:
                    low = middle
            least, first_i, first_k = low, i, k
    return least, first_i, first_k


@kernel
def string_Wh(
    cell: F64, p: int, s: int, way: int, charge_Ah: float, amps: float, stretches: I64, kinds: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64,
) -> float:  # fmt: skip
    """Energy [Wh] of string s over a charge under a steady current of this magnitude, never above a cell's upper limit."""
    total = 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            share = charge_Ah / (kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i])
            mean_V = 0.0
            for j in range(_SIMPSON + 1):
                z = cell[st.Z, p, i] - way * share * j / _SIMPSON
                rested_V, ohm = steady(cell, p, i, k, z, way * amps, kinds, curves, ln_r, nodes, n_nodes)
                weight = 1.0 if j == 0 or j == _SIMPSON else (4.0 if j % 2 == 1 else 2.0)
                mean_V += weight * min(rested_V - way * ohm * amps, kinds[k, cfg.CHARGE_STOP_V])
            total += charge_Ah * mean_V / (3.0 * _SIMPSON)
    return total


@kernel
def charge_min(
    cell: F64, p: int, i: int, k: int, charge_Ah: float, amps: float, kinds: F64, curves: F64, ln_r: F64, nodes: F64,
    n_nodes: I64,
) -> float:  # fmt: skip
    """Minutes that cell i takes in a charge with amps, and less where its upper voltage allows no more."""
    capacity_Ah = kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i]
    total_h = 0.0
    for j in range(_MARCH):
        z = cell[st.Z, p, i] + charge_Ah * (j + 0.5) / _MARCH / capacity_Ah
        rested_V, ohm = steady(cell, p, i, k, z, -amps, kinds, curves, ln_r, nodes, n_nodes)
        taken_A = min(max((kinds[k, cfg.CHARGE_STOP_V] - rested_V) / ohm, END_SHARE * amps), amps)
        total_h += charge_Ah / _MARCH / taken_A
    return 60.0 * total_h


@kernel
def _string_Ah(stretches: I64, s: int, kinds: F64) -> float:
    """Capacity [Ah] that string s is believed to have: that of its smallest kind."""
    least = 1e9
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] == s:
            least = min(least, kinds[stretches[n, cfg.KIND], cfg.CAPACITY_AH])
    return least


@kernel
def _reference_Wh(cell: F64, p: int, s: int, stretches: I64, kinds: F64) -> float:
    """Energy [Wh] of string s from full to empty at 25 degC and the reference rate, at this age."""
    charge_Ah, volt = 1e9, 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] == s:
            k = stretches[n, cfg.KIND]
            for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                charge_Ah = min(charge_Ah, kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i] * kinds[k, cfg.USABLE_25])
                volt += kinds[k, cfg.MEAN_25_V]
    return charge_Ah * volt


@kernel
def left(
    cell: F64, real: F64, p: int, way: int, stretches: I64, n_strings: int, reals: F64, kinds: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64,
) -> None:  # fmt: skip
    """Write energy and times to empty (way +1) or to full (way -1) of pack p. A time that has no meaning is NaN."""
    sources = stretches[stretches.shape[0] - 1, cfg.STRING] + 1
    alike = n_strings if sources == 1 else 1  # strings that are alike are one stretch of cells
    whole_Ah = 0.0
    for s in range(sources):
        whole_Ah += _string_Ah(stretches, s, kinds)
    pack_Ah = whole_Ah * alike
    average_A = way * real[st.AVERAGE_A, p]
    energy_Wh, reference_Wh, charge_Ah, average_Ah, reference_min, average_min = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for s in range(sources):
        share = _string_Ah(stretches, s, kinds) / pack_Ah
        amps = reals[cfg.REFERENCE_PER_H] * share * pack_Ah
        own_Ah, i, k = least_Ah(cell, p, s, way, amps, stretches, reals, kinds, curves, ln_r, nodes, n_nodes)
        energy_Wh += string_Wh(cell, p, s, way, own_Ah, amps, stretches, kinds, curves, ln_r, nodes, n_nodes)
        charge_Ah += own_Ah
        if way > 0:
            reference_Wh += _reference_Wh(cell, p, s, stretches, kinds)
        else:
            took_min = charge_min(cell, p, i, k, own_Ah, amps, kinds, curves, ln_r, nodes, n_nodes)
            reference_min = max(reference_min, took_min)
        if average_A > reals[cfg.REST_A]:
            amps = average_A * share
            own_Ah, i, k = least_Ah(cell, p, s, way, amps, stretches, reals, kinds, curves, ln_r, nodes, n_nodes)
            average_Ah += own_Ah
            if way < 0:
                took_min = charge_min(cell, p, i, k, own_Ah, amps, kinds, curves, ln_r, nodes, n_nodes)
                average_min = max(average_min, took_min)
    charge_Ah *= alike
    average_Ah *= alike
    now_min = math.nan
    if way > 0:
        if average_A > reals[cfg.REST_A]:
            now_min = min(60.0 * average_Ah / average_A, MOST_MIN)
        reference_min = 60.0 * charge_Ah / (reals[cfg.REFERENCE_PER_H] * pack_Ah)
        real[st.EMPTY_MIN, p], real[st.EMPTY_REFERENCE_MIN, p] = now_min, min(reference_min, MOST_MIN)
        real[st.ENERGY_WH, p] = energy_Wh
        real[st.ENERGY_SHARE, p] = min(energy_Wh / reference_Wh, 1.0)
    else:
        if average_A > reals[cfg.REST_A]:
            now_min = min(average_min, MOST_MIN)
        real[st.FULL_MIN, p], real[st.FULL_REFERENCE_MIN, p] = now_min, min(reference_min, MOST_MIN)
        real[st.ROOM_WH, p] = energy_Wh
