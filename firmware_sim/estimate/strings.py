"""Currents of parallel strings that are not alike.

Parallel strings share the pack current equally as long as they are alike. Unlike ones do not, and there is one shunt: then
each string is what its own filters say, a source of voltage E behind a resistance R at the end of this tick, and the
voltage V of all strings is that at which the currents (E - V) / R add up to the measured one, less what the filters hold to
be the sensor's error. The tick's end, not its start: so the pairs take part in the division and no tick is too long for it.

E and R are those of the method: with a third pair, an error of the curve, a warm core and a resistance that falls with
current where it believes in them. The last is that of the tick before, which moves it by less than the current does.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64


@kernel
def source(
    method: int, cell: F64, p: int, s: int, stretches: I64, kinds: F64, curves: F64, dt_s: float
) -> tuple[float, float, float]:  # fmt: skip
    """Voltage without current [V] and resistance [ohm] of string s at the end of a tick, as its filters stand at its start.

    Then the error of its current [A] in which they believe.
    """
    rest_V, ohm, bias_A, n_cells = 0.0, 0.0, 0.0, 0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        d1, d2, d3 = exp(-dt_s / kinds[k, cfg.TAU1_S]), exp(-dt_s / kinds[k, cfg.TAU2_S]), exp(-dt_s / kinds[k, cfg.TAU3_S])
        r3_share, kinetic = kinds[k, cfg.R3_SHARE] if method == cfg.SODIUM else 0.0, kinds[k, cfg.R0_KINETIC]
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            rho, factor, r2 = cell[st.RHO, p, i], cell[st.RATE_NOW, p, i], cell[st.R2, p, i]
            ocv_V, _ = belief.ocv(
                cell[st.Z, p, i], cell[st.H, p, i], cell[st.REACH, p, i], belief.core_degC(cell, p, i), k, curves
            )
            pairs_V = cell[st.U1, p, i] * d1 + cell[st.U2, p, i] * d2 + cell[st.U3, p, i] * d3
            rest_V += ocv_V + cell[st.OFF_V, p, i] - rho * pairs_V
            pairs_ohm = (1.0 - d1) * cell[st.R1, p, i] * factor + (1.0 - d2) * r2 + (1.0 - d3) * r2 * r3_share
            ohm += rho * (cell[st.R0, p, i] * (1.0 - kinetic + kinetic * factor) + pairs_ohm)
            bias_A += cell[st.BIAS_A, p, i]
            n_cells += 1
    return rest_V, ohm, bias_A / n_cells


@kernel
def common_V(method: int, cell: F64, p: int, current_A: float, stretches: I64, kinds: F64, curves: F64, dt_s: float) -> float:
    """Voltage [V] at which the currents of all strings add up to current_A and the errors that their filters believe in."""
    siemens, amps = 0.0, -current_A
    for s in range(stretches[stretches.shape[0] - 1, cfg.STRING] + 1):
        rest_V, ohm, bias_A = source(method, cell, p, s, stretches, kinds, curves, dt_s)
        siemens += 1.0 / ohm
        amps += rest_V / ohm + bias_A
    return amps / siemens
