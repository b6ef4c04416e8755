"""The SOC filter as one would write it first: one extended Kalman filter over all cells at once, in NumPy.

State (z, u1, u2, h, rho) and covariance stand as (5, cell) and (5, 5, cell). Equations:
firmware_sim.estimate.ekf_r, which says where they come from.
"""

from __future__ import annotations

import math

import numpy as np

from firmware_sim import settings as cfg
from firmware_sim.types import F64, I64

_ZERO_DEGC_K = 273.15
_LEAST_VARIANCE = np.array([1e-10, 1e-12, 1e-12, 1e-8, 1e-8])[:, None]
_RHO_LOW, _RHO_HIGH = 0.3, 3.0


def _diagonal(p: F64) -> F64:
    """(5, cell) view of the variances."""
    return p.reshape(25, -1)[::6]


class Filter:
    """Filters of n cells."""

    def __init__(self, settings: cfg.Settings) -> None:
        n = settings.n_cells
        if settings.n_kinds != 1:
            raise ValueError(f"the obvious design knows one kind of cells, found {settings.n_kinds}")
        self.real, self.kind = settings.real.tolist(), settings.kinds[0].tolist()
        self.curves, self.ln_r, nodes = settings.curves[0, : cfg.DUDT + 1], settings.ln_r[0], settings.nodes[0]
        n_temperatures, n_reach, _ = settings.n_nodes[0].tolist()
        self.inverse_K = nodes[cfg.INVERSE_K, :n_temperatures].tolist()
        self.reach_degC = nodes[cfg.REACH_DEGC, :n_reach]
        self.reach_share = nodes[cfg.REACH_SHARE, :n_reach]
        self.x, self.p = np.zeros((5, n)), np.zeros((5, 5, n))
        self.r0, self.r1, self.r2, self.reach = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n)
        self.temp_degC, self.band = np.full(n, 25.0), np.ones(n)
        self.is_seeded = False

    @property
    def z(self) -> F64:
        """SOC of every cell."""
        return self.x[0]

    def refresh(self, i: int, since_s: float) -> None:
        """Take resistances and the reachable share of cell i from the belief tables. since_s: since the last time."""
        temp_degC, table = float(self.temp_degC[i]), self.inverse_K
        reach = float(np.interp(temp_degC, self.reach_degC, self.reach_share))
        inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
        j = 0
        while j < len(table) - 2 and inverse_K < table[j + 1]:
            j += 1
        warm = (table[j] - inverse_K) / (table[j] - table[j + 1])
        at = min(max(1.0 - (1.0 - float(self.x[0, i])) / reach, 0.0), 1.0) * (cfg.N_RX - 1)
        g = min(int(at), cfg.N_RX - 2)
        f = at - g
        low, high = self.ln_r[3 * j : 3 * j + 6, g : g + 2].T
        ln_r = low * (1.0 - f) + high * f
        self.r0[i], self.r1[i], self.r2[i] = np.exp(ln_r[:3] + warm * (ln_r[3:] - ln_r[:3]))
        self.reach[i] += (reach - self.reach[i]) * (1.0 - math.exp(-since_s / self.kind[cfg.REACH_TAU_S]))
        self.band[i] = min(1.96 * math.sqrt(float(self.p[0, 0, i]) + self.real[cfg.BAND_FLOOR] ** 2), 1.0)

    def seed(self, volt: F64) -> None:
        """Start every filter from its first voltage."""
        for i in range(len(volt)):
            self.refresh(i, math.inf)
        grid = cfg.X_LOW + cfg.X_STEP * np.arange(cfg.N_X)
        x = np.interp(volt, self.curves[cfg.MEAN_V], grid)
        self.x[:] = 0.0
        self.x[0] = 1.0 - (1.0 - np.clip(x, 0.0, 1.0)) * self.reach
        self.x[4] = 1.0
        self.p[:] = 0.0
        start, hysteresis, resistance = (self.real[n] for n in (cfg.START_SIGMA, cfg.HYST_SIGMA, cfg.RHO_SIGMA))
        _diagonal(self.p)[:] = np.array([start**2, 1e-6, 1e-6, hysteresis**2, resistance**2])[:, None]
        for i in range(len(volt)):
            self.refresh(i, math.inf)
        self.is_seeded = True

    def predict(self, current_A: float, dt_s: float) -> None:
        """Count charge and let pairs, hysteresis and covariance move by dt."""
        r, kind = self.real, self.kind
        capacity_As = 3600.0 * kind[cfg.CAPACITY_AH]
        d1, d2 = math.exp(-dt_s / kind[cfg.TAU1_S]), math.exp(-dt_s / kind[cfg.TAU2_S])
        dz = current_A * dt_s / capacity_As
        swing = 0.5 * kind[cfg.HYST_DECAY] * abs(dz)
        dh = max((1.0 - swing) / (1.0 + swing), 0.0)
        target = -1.0 if current_A > 0.0 else 1.0
        rate = (r[cfg.CURRENT_ERROR_SHARE] * abs(current_A) + r[cfg.CURRENT_ERROR_A]) / capacity_As
        q_z = 2.0 * rate * rate * r[cfg.CURRENT_CORRELATION_S] * dt_s
        q_u = r[cfg.RC_NOISE_V2_PER_S] * dt_s
        q_h = (1.0 - dh * dh) * r[cfg.HYST_SIGMA] ** 2
        self.x[0] -= dz
        self.x[1] = self.x[1] * d1 + (1.0 - d1) * current_A * self.r1
        self.x[2] = self.x[2] * d2 + (1.0 - d2) * current_A * self.r2
        self.x[3] = target + (self.x[3] - target) * dh
        decay = np.array([1.0, d1, d2, dh, 1.0])
        self.p *= (decay[:, None] * decay)[:, :, None]
        variance = _diagonal(self.p)
        variance += np.array([q_z, q_u, q_u, q_h, r[cfg.RHO_WALK_PER_S] * dt_s])[:, None]
        self.p[4, 4] = np.minimum(self.p[4, 4], r[cfg.RHO_SIGMA] ** 2)

    def correct(self, which: slice | I64, volt: F64, current_A: float, sample_s: F64) -> None:
        """Correct the cells `which` with their new samples. sample_s: time since the last one of each."""
        r, x, p, reach = self.real, self.x[:, which], self.p[:, :, which], self.reach[which]
        z, u1, u2, h, rho = x
        soc = np.maximum(1.0 - (1.0 - z) / reach, np.minimum(z, 0.0))
        at = np.minimum(np.maximum((soc - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
        g = at.astype(np.intp)
        low = self.curves[:, g]
        rise = self.curves[:, g + 1] - low
        mean_V, half_V, dudt = low + (at - g) * rise
        drop_V = current_A * self.r0[which] + u1 + u2
        expected_V = mean_V + dudt * (self.temp_degC[which] - 25.0) + half_V * h - rho * drop_V
        slope = (rise[0] + rise[1] * h) / (cfg.X_STEP * reach)

        a = p[0] * slope - (p[1] + p[2]) * rho + p[3] * half_V - p[4] * drop_V
        wrong_V = r[cfg.R_ERROR_SHARE] * drop_V
        noise = r[cfg.CELL_SIGMA_V] ** 2 + (r[cfg.MODEL_V2S] + wrong_V * wrong_V) / sample_s
        s = slope * a[0] - rho * (a[1] + a[2]) + half_V * a[3] - drop_V * a[4] + noise
        x = x + a / s * (volt - expected_V)
        x[0] = np.minimum(np.maximum(x[0], -0.05), 1.05)
        x[3] = np.minimum(np.maximum(x[3], -1.0), 1.0)
        x[4] = np.minimum(np.maximum(x[4], _RHO_LOW), _RHO_HIGH)
        p = p - a[:, None] * a[None] / s
        variance = _diagonal(p)
        np.maximum(variance, _LEAST_VARIANCE, out=variance)
        self.x[:, which], self.p[:, :, which] = x, p

    def summary(self) -> dict[str, float]:
        """Pack values from the cells' estimates, in the units of the wire."""
        z = np.minimum(np.maximum(self.x[0], 0.0), 1.0)
        low, high = float(z.min()), float(z.max())
        left = np.maximum(z - 1.0 + self.reach, 0.0)
        return {
            "BMS_Soc": 100.0 * low / (1.0 - high + low),
            "BMS_SocMin": 100.0 * low,
            "BMS_SocMax": 100.0 * high,
            "BMS_SocBand": 100.0 * float(self.band.max()),
            "BMS_AvailableSoc": 100.0 * float((left / self.reach).min()),
            "BMS_RemainingCharge": float(left.min()) * self.kind[cfg.CAPACITY_AH],
        }
