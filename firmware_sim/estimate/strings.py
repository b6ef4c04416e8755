"""Currents of parallel strings that are not alike.

Parallel strings share the pack current equally as long as they are alike. Unlike ones do not, and there is one shunt: then
each string is what its own filters say, a source of voltage E behind a resistance R at the end of this tick, and the
voltage V of all strings is that at which the currents (E - V) / R add up to the measured one. The tick's end, not its
start: so the pairs take part in the division and no tick is too long for it.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64


@kernel
def source(cell: F64, p: int, s: int, stretches: I64, kinds: F64, curves: F64, dt_s: float) -> tuple[float, float]:
    """Voltage without current [V] and resistance [ohm] of string s at the end of a tick, as its filters stand at its start."""
    rest_V, ohm = 0.0, 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        d1, d2 = exp(-dt_s / kinds[k, cfg.TAU1_S]), exp(-dt_s / kinds[k, cfg.TAU2_S])
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            z, rho = cell[st.Z, p, i], cell[st.RHO, p, i]
            x = max(1.0 - (1.0 - z) / cell[st.REACH, p, i], min(z, 0.0))
            at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
            g = int(at)
            f = at - g
            mean_V = curves[k, cfg.MEAN_V, g] * (1.0 - f) + curves[k, cfg.MEAN_V, g + 1] * f
            half_V = curves[k, cfg.HALF_V, g] * (1.0 - f) + curves[k, cfg.HALF_V, g + 1] * f
            dudt = curves[k, cfg.DUDT, g] * (1.0 - f) + curves[k, cfg.DUDT, g + 1] * f
            pairs_V = cell[st.U1, p, i] * d1 + cell[st.U2, p, i] * d2
            rest_V += mean_V + half_V * cell[st.H, p, i] + dudt * (cell[st.TEMP, p, i] - 25.0) - rho * pairs_V
            ohm += rho * (cell[st.R0, p, i] + (1.0 - d1) * cell[st.R1, p, i] + (1.0 - d2) * cell[st.R2, p, i])
    return rest_V, ohm


@kernel
def common_V(cell: F64, p: int, current_A: float, stretches: I64, kinds: F64, curves: F64, dt_s: float) -> float:
    """Voltage [V] at which the currents of all strings add up to current_A."""
    siemens, amps = 0.0, -current_A
    for s in range(stretches[stretches.shape[0] - 1, cfg.STRING] + 1):
        rest_V, ohm = source(cell, p, s, stretches, kinds, curves, dt_s)
        siemens += 1.0 / ohm
        amps += rest_V / ohm
    return amps / siemens
