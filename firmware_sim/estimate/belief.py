"""Belief tables at a cell's temperature and SOC: resistances, reachable share, and the OCV that a voltage stands for."""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64

_ZERO_DEGC_K = 273.15
COLDEST_DEGC, HOTTEST_DEGC = -60.0, 150.0


@kernel
def refresh(cell: F64, p: int, i: int, k: int, ln_r: F64, nodes: F64, n_nodes: I64) -> None:
    """Take R0, R1, R2 and the reachable share from the belief tables of kind k at the cell's temperature and SOC."""
    temp_degC = min(max(cell[st.TEMP, p, i], COLDEST_DEGC), HOTTEST_DEGC)
    reach = nodes[k, cfg.REACH_SHARE, 0]
    for j in range(1, n_nodes[k, 1]):
        low, high = nodes[k, cfg.REACH_DEGC, j - 1], nodes[k, cfg.REACH_DEGC, j]
        if temp_degC > low:
            part = min((temp_degC - low) / (high - low), 1.0)
            reach = nodes[k, cfg.REACH_SHARE, j - 1] * (1.0 - part) + nodes[k, cfg.REACH_SHARE, j] * part
    cell[st.REACH, p, i] = reach
    inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
    j = 0
    while j < n_nodes[k, 0] - 2 and inverse_K < nodes[k, cfg.INVERSE_K, j + 1]:
        j += 1
    step = nodes[k, cfg.INVERSE_K, j] - nodes[k, cfg.INVERSE_K, j + 1]
    warm = (nodes[k, cfg.INVERSE_K, j] - inverse_K) / step
    at = min(max(1.0 - (1.0 - cell[st.Z, p, i]) / reach, 0.0), 1.0) * (cfg.N_RX - 1)
    g = min(int(at), cfg.N_RX - 2)
    f = at - g
    for pair in range(3):
        a, b = 3 * j + pair, 3 * j + 3 + pair
        low = ln_r[k, a, g] * (1.0 - f) + ln_r[k, a, g + 1] * f
        high = ln_r[k, b, g] * (1.0 - f) + ln_r[k, b, g + 1] * f
        cell[st.R0 + pair, p, i] = exp(low + warm * (high - low))


@kernel
def soc_of(volt: float, k: int, reach: float, curves: F64) -> float:
    """SOC at which cells of kind k rest at a voltage, in the middle between the branches of the loop."""
    low, high = 0, cfg.N_X - 1
    while high - low > 1:
        middle = (low + high) // 2
        if curves[k, cfg.MEAN_V, middle] <= volt:
            low = middle
        else:
            high = middle
    step_V = curves[k, cfg.MEAN_V, low + 1] - curves[k, cfg.MEAN_V, low]
    x = cfg.X_LOW + cfg.X_STEP * (low + min(max((volt - curves[k, cfg.MEAN_V, low]) / step_V, 0.0), 1.0))
    return 1.0 - (1.0 - min(max(x, 0.0), 1.0)) * reach
