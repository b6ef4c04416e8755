"""Current and power that a pack bears for a time: that of its weakest cell, and of the tables over temperature.

A cell bears a current if its voltage, margin included, will be inside its limits after the time (see foresee), and its SOC
inside the window. Cells are asked one after the other at the least current so far; only a cell that does not bear it is solved
for its own, so a pack of equal cells costs one look a cell. What cells bear that is less than LEAST_PER_H of their capacity is
told as nothing, and UNSEEN_LEAST_PER_H more where no load has shown their resistance of late. The voltage of now counts as
well: pairs that are still charged by a higher current relax within the time. What holds for a longer time holds for a shorter
one, so limits never rise with it. A limit is up to RENEWED_S old when a load takes it, so it is foreseen for so much longer.

Parallel strings that are alike share the current equally. Unlike ones share one voltage: each is a source E - R I by then, the
string whose limit comes first sets the voltage, and all give what they give at it.

Power: of a discharge at the voltage of its end, of a charge at that of its start, the lowest of each, at which a constant power
takes the most current.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import sop
from firmware_sim import state as st
from firmware_sim.jit import exp, kernel
from firmware_sim.power.foresee import foresee
from firmware_sim.power.learn import unseen_share
from firmware_sim.types import F64, I64

LEAST_PER_H, UNSEEN_LEAST_PER_H = 0.09, 0.03
RENEWED_S = 1.5
_STEPS = 12
_CLOSE_V = 5e-4


@kernel
def table_A(real: F64, power: F64, reals: F64, p: int, way: int, h: int) -> float:
    """Current [A] that the tables over temperature allow to the pack in horizon h; way +1 discharges, -1 charges."""
    row = cfg.POWER_DISCHARGE_A if way > 0 else cfg.POWER_CHARGE_A
    allowed_A = 1e9
    for k in range(power.shape[0]):
        hot, cold = real[st.TEMP_MAX_DEGC, p], real[st.TEMP_MIN_DEGC, p]
        allowed_A = min(allowed_A, sop.table(power, k, row, hot), sop.table(power, k, row, cold))
    return allowed_A * reals[cfg.PULSE_SHARE + h] if h < cfg.CONTINUOUS else allowed_A


@kernel
def _room(
    cell: F64, p: int, i: int, k: int, way: int, amps: float, t_s: float, d1: float, d2: float, d3: float, reals: F64, kinds:
    F64, curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> tuple[float, float, float]:  # fmt: skip
    """Room to the limit [V] of cell i after t_s of a current of this magnitude; the cell as a source by then: E [V], R [ohm].

    E less the margin: a power limit is safe when the voltage is lower than foreseen.
    """
    volt, ohm, margin_V = foresee(
        cell, p, i, k, way * amps, t_s, d1, d2, d3, reals, kinds, curves, ln_r, nodes, n_nodes
    )  # fmt: skip
    room_V = volt - kinds[k, cfg.DISCHARGE_STOP_V] if way > 0 else kinds[k, cfg.CHARGE_STOP_V] - volt
    return room_V - margin_V, volt - margin_V + ohm * way * amps, ohm


@kernel
def _solve(
    cell: F64, p: int, i: int, k: int, way: int, amps: float, room_V: float, t_s: float, d1: float, d2: float, d3: float,
    reals: F64, kinds: F64, curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> float:  # fmt: skip
    """Current [A] below amps at which cell i just keeps its limit: regula falsi, ends on the side that keeps it."""
    low_A, high_A, high_V = 0.0, amps, room_V
    low_V, _, _ = _room(cell, p, i, k, way, 0.0, t_s, d1, d2, d3, reals, kinds, curves, ln_r, nodes, n_nodes)
    if not low_V > 0.0:
        return 0.0
    side, left_V, right_V = 0, low_V, high_V
    for _ in range(_STEPS):
        at_A = low_A + (high_A - low_A) * min(max(left_V / (left_V - right_V), 0.02), 0.98)
        at_V, _, _ = _room(cell, p, i, k, way, at_A, t_s, d1, d2, d3, reals, kinds, curves, ln_r, nodes, n_nodes)
        if at_V >= 0.0:
            low_A, left_V = at_A, at_V
            if at_V < _CLOSE_V:
                break
            right_V = 0.5 * right_V if side > 0 else right_V
            side = 1
        else:
            high_A, right_V = at_A, at_V
            left_V = 0.5 * left_V if side < 0 else left_V
            side = -1
    return low_A


@kernel
def _window_A(cell: F64, p: int, i: int, k: int, way: int, t_s: float, reals: F64, kinds: F64) -> float:
    """Current [A] at which cell i just stays in the SOC window for t_s."""
    z = cell[st.Z, p, i]
    room = z - reals[cfg.SOC_LOW] if way > 0 else reals[cfg.SOC_HIGH] - z
    return max(room, 0.0) * 3600.0 * kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i] / t_s


@kernel
def string_A(
    cell: F64, p: int, s: int, way: int, most_A: float, t_s: float, stretches: I64, reals: F64, kinds: F64,
    curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> tuple[float, float, float]:  # fmt: skip
    """Current [A] up to most_A that every cell of string s bears for t_s; the string as a source by then: E [V], R [ohm].

    t_s 0: the voltage of now, without window.
    """
    amps, emf_V, total_ohm, least_A = most_A, 0.0, 0.0, 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        d1, d2, d3 = exp(-t_s / kinds[k, cfg.TAU1_S]), exp(-t_s / kinds[k, cfg.TAU2_S]), exp(-t_s / kinds[k, cfg.TAU3_S])
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            if t_s > 0.0:
                amps = min(amps, _window_A(cell, p, i, k, way, t_s, reals, kinds))
            room_V, source_V, ohm = _room(
                cell, p, i, k, way, amps, t_s, d1, d2, d3, reals, kinds, curves, ln_r, nodes, n_nodes
            )  # fmt: skip
            if room_V < 0.0:
                amps = _solve(
                    cell, p, i, k, way, amps, room_V, t_s, d1, d2, d3, reals, kinds, curves, ln_r, nodes, n_nodes
                )  # fmt: skip
            if amps < most_A:
                least_per_h = LEAST_PER_H + UNSEEN_LEAST_PER_H * unseen_share(cell, p, i)
                least_A = max(least_A, least_per_h * kinds[k, cfg.CAPACITY_AH])
            emf_V += source_V
            total_ohm += ohm
    return (amps if amps >= least_A else 0.0), emf_V, total_ohm


@kernel
def _pack(
    cell: F64, p: int, way: int, most_A: float, t_s: float, stretches: I64, n_strings: int, reals: F64, kinds: F64,
    curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> tuple[float, float, float]:  # fmt: skip
    """Current [A] up to most_A that all strings bear for t_s; the pack as a source by then: E [V], R [ohm]."""
    sources = stretches[stretches.shape[0] - 1, cfg.STRING] + 1
    if sources == 1:
        amps, emf_V, ohm = string_A(
            cell, p, 0, way, most_A / n_strings, t_s, stretches, reals, kinds, curves, ln_r, nodes, n_nodes
        )  # fmt: skip
        return amps * n_strings, emf_V / n_strings, ohm / (n_strings * n_strings)
    end_V, siemens, total_A = -1e9 * way, 0.0, 0.0
    for s in range(sources):
        amps, emf_V, ohm = string_A(
            cell, p, s, way, most_A, t_s, stretches, reals, kinds, curves, ln_r, nodes, n_nodes
        )  # fmt: skip
        if not ohm > 0.0:  # no cell of it has been held against its tables yet: a limit that is not known is none
            return 0.0, 0.0, 0.0
        own_V = emf_V - ohm * way * amps
        end_V = max(end_V, own_V) if way > 0 else min(end_V, own_V)
        siemens += 1.0 / ohm
        total_A += emf_V / ohm
    pack_A = min(max(way * (total_A - end_V * siemens), 0.0), most_A)
    return pack_A, total_A / siemens, 1.0 / siemens


@kernel
def limit(
    cell: F64, real: F64, p: int, way: int, h: int, power: F64, stretches: I64, n_strings: int, reals: F64,
    kinds: F64, curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> None:  # fmt: skip
    """Write current and power limit of horizon h in one direction (way +1 discharges, -1 charges). Shorter ones come first."""
    at = h if way > 0 else cfg.N_HORIZONS + h
    most_A = table_A(real, power, reals, p, way, h)
    if h > 0:
        most_A = min(most_A, real[st.PULSE_A + at - 1, p])
    else:
        most_A, emf_V, ohm = _pack(
            cell, p, way, most_A, 0.0, stretches, n_strings, reals, kinds, curves, ln_r, nodes, n_nodes
        )  # fmt: skip
        real[st.START_EMF_V, p], real[st.START_OHM, p] = emf_V, ohm
    amps, emf_V, ohm = _pack(
        cell, p, way, most_A, reals[cfg.HORIZON_S + h] + RENEWED_S, stretches, n_strings, reals, kinds, curves, ln_r, nodes,
        n_nodes
    )  # fmt: skip
    end_V = emf_V - ohm * way * amps
    if way < 0:
        end_V = min(end_V, real[st.START_EMF_V, p] + real[st.START_OHM, p] * amps)
    real[st.PULSE_A + at, p] = amps
    real[st.PULSE_W + at, p] = amps * max(end_V, 0.0)
