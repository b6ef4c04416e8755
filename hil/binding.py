"""A calibration bound to a network and a pack: everything that it says, as the arrays that the firmware's kernels take.

The firmware reads no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim.jit import exp
from firmware_sim.types import MS_NS, S_NS
from firmware_sim.wire import layout as w
from hil.calibration import Calibration, strangers
from hil.calibration_tables import Model
from hil.database import Database
from hil.errors import ScenarioError, nearest
from hil.kinetics import rate_curve
from hil.tables import MAX_NODES, ZERO_DEGC_K, grid, interp, log, log_resistance, voltage_curves

_TIERS = {"mol": cfg.MOL, "rsl": cfg.RSL, "msl": cfg.MSL}
_WHEN = {
    "always": cfg.ALWAYS,
    "charging": cfg.CHARGING,
    "not_charging": cfg.NOT_CHARGING,
    "closed": cfg.CLOSED,
    "opened": cfg.OPENED,
}
_REACTIONS = {
    "none": cfg.NOTHING,
    "stop_charge": cfg.STOP_CHARGE,
    "stop_discharge": cfg.STOP_DISCHARGE,
    "stop": cfg.STOP_BOTH,
    "open": cfg.OPEN,
}
_LATCHES = {"no": cfg.NO_LATCH, "until_reset": cfg.UNTIL_RESET, "survives_power_loss": cfg.SURVIVES}
# Figures of [filter] and of the method's own table, by key.
_FIGURES = {
    "cell_sigma_V": cfg.CELL_SIGMA_V,
    "model_V2s": cfg.MODEL_V2S,
    "resistance_error_share": cfg.R_ERROR_SHARE,
    "current_error_share": cfg.CURRENT_ERROR_SHARE,
    "current_error_A": cfg.CURRENT_ERROR_A,
    "current_correlation_s": cfg.CURRENT_CORRELATION_S,
    "start_sigma": cfg.START_SIGMA,
    "hysteresis_sigma": cfg.HYST_SIGMA,
    "rc_noise_V2_per_s": cfg.RC_NOISE_V2_PER_S,
    "stored_sigma": cfg.STORED_SIGMA,
    "resistance_sigma": cfg.RHO_SIGMA,
    "resistance_walk_per_s": cfg.RHO_WALK_PER_S,
    "band_floor": cfg.BAND_FLOOR,
    "ocv_sigma_V": cfg.OCV_SIGMA_V,
    "curve_sigma_V": cfg.CURVE_SIGMA_V,
    "age_sigma": cfg.AGE_SIGMA,
    "ocv_span_soc": cfg.OCV_SPAN,
    "capacity_sigma": cfg.CAPACITY_SIGMA,
    "capacity_walk_per_s": cfg.CAPACITY_WALK_PER_S,
    "bias_sigma_A": cfg.BIAS_SIGMA_A,
    "bias_walk_A2_per_s": cfg.BIAS_WALK_A2_PER_S,
    "resistance_walk_per_soc": cfg.RHO_WALK_PER_SOC,
    "heat_K_per_W": cfg.HEAT_K_PER_W,
    "heat_tau_s": cfg.HEAT_TAU_S,
    "settle_s": cfg.SETTLE_S,
    "step_share": cfg.STEP_SHARE,
    "cold_degC": cfg.COLD_DEGC,
    "cold_V_per_K": cfg.COLD_V_PER_K,
    "correct_s": cfg.CORRECT_S,
    "band_V": cfg.BAND_V,
    "band_share": cfg.BAND_SHARE,
    "band_per_K": cfg.BAND_PER_K,
    "flat_V": cfg.FLAT_V,
    "curve_span_soc": cfg.CURVE_SPAN,
    "slope_span_soc": cfg.SLOPE_SPAN,
    "temperature_sigma_K": cfg.TEMP_SIGMA_K,
    "temperature_walk_K2_per_s": cfg.TEMP_WALK_K2_PER_S,
    "reach_sigma": cfg.REACH_SIGMA,
    "swing_V2s": cfg.SWING_V2S,
    "reference_V_per_soc": cfg.REFERENCE_V,
}
_FLOAT_ROOM = 1e-9
PULSES_S = (2.0, 10.0, 30.0)
_DISCHARGE_STEPS = 200
_NEAR_V = 1e-6
_RX_ROLES = (
    "Shunt_Current", "Shunt_PackVoltage", "Shunt_LinkVoltage", "PackIO_MainPlusFeedback", "PackIO_MainMinusFeedback",
    "PackIO_PrechargeFeedback", "PackIO_Hvil", "PackIO_EmergencyLine", "PackIO_SupplyVoltage", "PackIO_Insulation",
    "Vehicle_ModeRequest", "Vehicle_FaultReset", "Vehicle_ChargerConnected",
    "Vehicle_ParkedTime",
)  # fmt: skip
# Without these the firmware cannot work at all.
NEEDED_RX = ("Shunt_Current", "Shunt_PackVoltage", "Shunt_LinkVoltage", "PackIO_MainPlusFeedback", "PackIO_MainMinusFeedback",
              "PackIO_PrechargeFeedback", "Vehicle_ModeRequest")  # fmt: skip
NEEDED_TX = ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand", "BMS_State", "BMS_FaultCode")


def bind(
    calibration: Calibration,
    path: Path,
    database: Database,
    rx: w.Layout,
    tx: w.Layout,
    cells: Sequence[str],
    n_strings: int,
    ntc_cells: list[int],
) -> cfg.Settings:
    """Decode a calibration for a network and a pack.

    rx, tx: layouts as the device sees them.  cells: name of the cell at each number, strings one after the other.
    ntc_cells: cell on which each sensor sits.
    Raises ScenarioError with everything that does not fit.
    """
    problems = strangers(calibration, path, cells)
    label, n_cells = database.label, len(cells)
    rows = {name: n for n, name in enumerate(rx.signal_names)}
    sent = {name: n for n, name in enumerate(tx.signal_names)}
    cell_names = [f"CellVoltage_{i:03d}" for i in range(n_cells)]
    ntc_names = [f"CellTemperature_{j:02d}" for j in range(len(ntc_cells))]
    for name in (*NEEDED_RX, *cell_names, *ntc_names):
        if name not in rows:
            problems.append(f'{label}: there is no signal "{name}", which the device must receive{nearest(name, rows)}')
    for name in NEEDED_TX:
        if name not in sent:
            problems.append(f'{label}: there is no signal "{name}", which the device must send{nearest(name, sent)}')
    codes = _codes(database) if "BMS_FaultCode" in sent else {}
    if "BMS_FaultCode" in sent and not codes:
        problems.append(f'{label}: signal "BMS_FaultCode" has no table of values; expected a number for each code')
    for n, row in enumerate(calibration.limit if codes else ()):
        if row.code not in codes:
            problems.append(
                f'{path}: limit[{n}].code "{row.code}" has no number in the values of BMS_FaultCode{nearest(row.code, codes)}'
            )
    if problems:
        raise ScenarioError(*problems)

    cell_map = np.zeros((4, n_cells), np.int64)
    cell_map[cfg.MAP_SIGNAL] = [rows[name] for name in cell_names]
    cell_map[cfg.MAP_SLOT] = rx.signals[cell_map[cfg.MAP_SIGNAL], w.SLOT]
    cell_map[cfg.MAP_NTC] = [min(range(len(ntc_cells)), key=lambda j: (abs(ntc_cells[j] - i), j)) for i in range(n_cells)]
    cell_map[cfg.MAP_KIND] = calibration.kind_of(n_cells)
    ntc_map = np.zeros((2, len(ntc_cells)), np.int64)
    ntc_map[cfg.MAP_SIGNAL] = [rows[name] for name in ntc_names]
    ntc_map[cfg.MAP_SLOT] = rx.signals[ntc_map[cfg.MAP_SIGNAL], w.SLOT]
    limits, thresholds = _limits(calibration, codes, sent)
    outputs = _outputs(sent)
    return cfg.Settings(
        limits=limits,
        thresholds=thresholds,
        **beliefs(calibration, n_cells, n_strings),
        rx=np.array([rows.get(name, -1) for name in _RX_ROLES], np.int64),
        tx=outputs[0],
        tx_scale=outputs[1],
        cell_map=cell_map,
        ntc_map=ntc_map,
        rx_layout=rx,
        tx_layout=tx,
        codes=tuple(row.label for row in calibration.limit),
    )


def beliefs(calibration: Calibration, n_cells: int, n_strings: int) -> dict[str, Any]:
    """What a calibration says without a network: settings, and tables of the cells, by their names in Settings."""
    tables = zip(*(_belief(kind.model) for kind in calibration.kinds), strict=True)
    return {
        "whole": _whole(calibration, n_strings),
        "real": _real(calibration, n_cells, n_strings),
        "kinds": _kinds(calibration, n_cells, n_strings),
        "stretches": _stretches(calibration.kind_of(n_cells), n_strings),
        "power": _power(calibration),
        **dict(zip(("curves", "ln_r", "nodes", "n_nodes"), map(np.array, tables), strict=True)),
    }


def _codes(database: Database) -> dict[str, int]:
    """Fault code numbers by name, from the value table of BMS_FaultCode."""
    signal = database.signal("BMS_FaultCode")
    return {str(name): int(number) for number, name in (signal.choices or {}).items() if 0 < int(number) < 255}


def _outputs(sent: dict[str, int]) -> tuple[Any, Any]:
    """Lines of `tx` and `tx_scale` for the outputs that the network has."""
    rows = [output for output in cfg.OUTPUTS if output[0] in sent]
    lines = [[block, row, sent[name], int(needs)] for name, block, row, _, _, needs in rows]
    scales = [[factor, offset] for _, _, _, factor, offset, _ in rows]
    return np.array(lines, np.int64).reshape(-1, 4), np.array(scales, np.float64).reshape(-1, 2)


def _limits(calibration: Calibration, codes: dict[str, int], sent: dict[str, int]) -> tuple[Any, Any]:
    limits, thresholds = [], []
    names = [kind.name for kind in calibration.kinds]
    for n, row in enumerate(calibration.limit):
        side = 1 if row.above is not None else -1
        clear_ms = row.debounce_ms if row.clear_ms is None else row.clear_ms
        limits.append(
            [
                soa.row_of(row.quantity, names.index(row.group)),
                side,
                _TIERS[row.tier],
                _WHEN[row.when],
                row.debounce_ms * MS_NS,
                clear_ms * MS_NS,
                row.delay_ms * MS_NS,
                _REACTIONS[row.reaction],
                _LATCHES[row.latch],
                codes[row.code],
                sent.get(f"Diag_{row.code}", -1),
                int(row.code in {other.code for other in calibration.limit[:n]}),
            ]
        )
        # a threshold is a decimal number; what the wire carries of that number may differ by the rounding of a float
        clear = row.threshold - side * row.hysteresis
        thresholds.append([value + side * _FLOAT_ROOM * max(abs(value), 1.0) for value in (row.threshold, clear)])
    return np.array(limits, np.int64), np.array(thresholds, np.float64)


def _whole(c: Calibration, n_strings: int) -> Any:
    out = np.zeros(cfg.N_WHOLE_SETTINGS, np.int64)
    out[cfg.MAX_DELTA], out[cfg.E2E_WINDOW] = c.e2e.max_delta, c.e2e.window
    out[cfg.E2E_MIN_OK], out[cfg.E2E_MAX_ERRORS] = c.e2e.min_ok, c.e2e.max_errors
    millis = {
        cfg.CELL_AGE_NS: c.age_ms.cell,
        cfg.TEMP_AGE_NS: c.age_ms.temperature,
        cfg.CURRENT_AGE_NS: c.age_ms.current,
        cfg.IO_AGE_NS: c.age_ms.pack_io,
        cfg.REQUEST_AGE_NS: c.age_ms.request,
        cfg.BOOT_NS: c.start.boot_ms,
        cfg.INIT_READY_NS: c.start.ready_ms,
        cfg.INIT_TIMEOUT_NS: c.start.timeout_ms,
        cfg.PRE_TIMEOUT_NS: c.precharge.timeout_ms,
        cfg.PRE_MIN_NS: c.precharge.min_ms,
        cfg.PRE_RETRY_NS: c.precharge.retry_ms,
        cfg.CLOSE_NS: c.contactors.close_ms,
        cfg.OPEN_GRACE_NS: c.contactors.open_grace_ms,
        cfg.OPEN_SETTLE_NS: c.contactors.settle_ms,
    }
    for row, value in millis.items():
        out[row] = value * MS_NS
    out[cfg.PRE_TRIES] = c.precharge.tries
    out[cfg.SAVE_NS] = c.start.save_s * S_NS
    out[cfg.N_STRINGS] = n_strings
    out[cfg.METHOD] = cfg.METHODS.index(c.filter.method)
    return out


def _strings(c: Calibration, n_cells: int, n_strings: int) -> list[Counter[int]]:
    """Cells of each kind in each string."""
    kind_of, series = c.kind_of(n_cells), n_cells // n_strings
    return [Counter(kind_of[s * series : (s + 1) * series]) for s in range(n_strings)]


def _window_V(c: Calibration, strings: list[Counter[int]]) -> tuple[float, float]:
    """Voltages of the pack between which no kind of cells leaves its own."""
    powers = [kind.power for kind in c.kinds]
    low_V = max(sum(n * powers[k].discharge_min_V for k, n in string.items()) for string in strings)
    return low_V, min(sum(n * powers[k].charge_max_V for k, n in string.items()) for string in strings)


def _real(c: Calibration, n_cells: int, n_strings: int) -> Any:
    figures, (low_V, high_V) = c.filter.figures(), _window_V(c, _strings(c, n_cells, n_strings))
    values = {
        **{row: figures[key] for key, row in _FIGURES.items()},
        cfg.REST_A: c.plausibility.rest_A,
        cfg.PRE_LINK_SHARE: c.precharge.link_share,
        cfg.PRE_END_A: c.precharge.end_A,
        cfg.PRE_FAST_SHARE: c.precharge.fast_share,
        cfg.OPEN_MAX_A: c.contactors.open_max_A,
        cfg.STUCK_STEP_A: c.plausibility.stuck_step_A,
        cfg.DIRECTION_STEP_A: c.plausibility.direction_step_A,
        cfg.RATE_TAU_S: c.plausibility.rate_tau_s,
        cfg.CHARGE_MAX_V: high_V,
        cfg.DISCHARGE_MIN_V: low_V,
        cfg.PULSE_SIGMAS: c.pulse.sigmas,
        cfg.PULSE_ERROR_V: c.pulse.voltage_error_V,
        cfg.PULSE_R_SHARE: c.pulse.resistance_error_share,
        cfg.SOC_LOW: c.pulse.soc_min,
        cfg.SOC_HIGH: c.pulse.soc_max,
        cfg.AVERAGE_S: c.pulse.average_s,
        cfg.REFERENCE_PER_H: c.pulse.reference_rate_per_h,
        **{cfg.HORIZON_S + h: t_s for h, t_s in enumerate((*PULSES_S, c.pulse.continuous_s))},
        **{cfg.PULSE_SHARE + h: share for h, share in enumerate(c.pulse.share)},
    }
    out = np.zeros(cfg.N_REAL_SETTINGS)
    for row, value in values.items():
        out[row] = value
    return out


def _kinds(c: Calibration, n_cells: int, n_strings: int) -> Any:
    out = np.zeros((len(c.kinds), cfg.N_KIND_SETTINGS))
    strings = _strings(c, n_cells, n_strings)
    ends_V = [x / (n_cells // n_strings) for x in _window_V(c, strings)]
    for k, (line, (_, power, model)) in enumerate(zip(out, c.kinds, strict=True)):
        line[cfg.CAPACITY_AH], line[cfg.CAPACITY_SHARE] = model.capacity_Ah, model.capacity_Ah / c.model.capacity_Ah
        line[cfg.HYST_DECAY] = model.hysteresis.decay_per_soc
        line[cfg.TAU1_S], line[cfg.TAU2_S] = model.resistance.tau1_s, model.resistance.tau2_s
        line[cfg.TAU3_S], line[cfg.REACH_TAU_S] = 1.0, c.filter.reach_tau_s
        if model.slow is not None:
            line[cfg.R3_SHARE], line[cfg.TAU3_S] = model.slow.r3_share, model.slow.tau3_s
        if model.rate is not None:
            line[cfg.R0_KINETIC], line[cfg.RATE_REFERENCE_A] = model.rate.r0_share, model.rate.reference_A
        line[cfg.HEAT_J_PER_K] = 0.0 if model.heat is None else model.heat.capacity_J_per_K
        line[cfg.USABLE_25], line[cfg.MEAN_25_V] = _reference_discharge(
            model, power.discharge_min_V, c.pulse.reference_rate_per_h
        )
        line[cfg.CHARGE_STOP_V], line[cfg.CHARGE_TAPER_V] = power.charge_max_V, power.charge_taper_V
        line[cfg.DISCHARGE_STOP_V], line[cfg.DISCHARGE_TAPER_V] = power.discharge_min_V, power.discharge_taper_V
        line[cfg.EMPTY_SOC], line[cfg.FULL_SOC] = -1.0, 1.0
        if all(set(string) == {k} or k not in string for string in strings):  # else a cell's share of the voltage is not known
            mean_V = [0.5 * (low + high) for low, high in zip(model.ocv.discharge_V, model.ocv.charge_V, strict=True)]
            empty, full = interp(np.array(ends_V), mean_V, model.ocv.soc)
            line[cfg.EMPTY_SOC] = empty if ends_V[0] > power.discharge_min_V + _NEAR_V else -1.0
            line[cfg.FULL_SOC] = full if ends_V[1] < power.charge_max_V - _NEAR_V else 1.0
    return out


def _reference_discharge(model: Model, stop_V: float, rate_per_h: float) -> tuple[float, float]:
    """Share of the capacity that a full cell yields at 25 degC and this rate until stop_V, and its mean voltage [V]."""
    r = model.resistance
    z = grid(1.0 - 0.5 / _DISCHARGE_STEPS, -1.0 / _DISCHARGE_STEPS, _DISCHARGE_STEPS)
    amps, at = rate_per_h * model.capacity_Ah, np.minimum(np.maximum(z, 0.0), 1.0) * 100.0
    ln_r, inverse_K = log_resistance(r, grid(0.0, 0.01, 101))
    n = len(r.temp_degC)
    j = max(i for i in range(n - 1) if i == 0 or inverse_K[i] >= 1.0 / (25.0 + ZERO_DEGC_K))
    warm = (inverse_K[j] - 1.0 / (25.0 + ZERO_DEGC_K)) / (inverse_K[j] - inverse_K[j + 1])
    slow = 0.0 if model.slow is None else model.slow.r3_share
    ohm = np.zeros(len(z))
    for pair, weight in enumerate((1.0, 1.0, 1.0 + slow)):
        ln = ln_r[3 * j + pair] + warm * (ln_r[3 * j + 3 + pair] - ln_r[3 * j + pair])
        ohm += weight * np.array([exp(value) for value in interp(at, [float(i) for i in range(101)], list(ln))])
    volts = interp(z, model.ocv.soc, model.ocv.discharge_V) - amps * ohm
    above = volts >= stop_V
    used = int(above.argmin()) if not above.all() else len(z)
    used = max(used, 1)
    return used / len(z), float(sum(volts[:used].tolist()) / used)


def _stretches(kind_of: list[int], n_strings: int) -> Any:
    """Lines of `stretches`: one for all cells when they are of one kind, else cut where the kind or the string changes."""
    series = len(kind_of) // n_strings
    unlike = any(Counter(kind_of[s * series : (s + 1) * series]) != Counter(kind_of[:series]) for s in range(1, n_strings))
    cuts = [i for i in range(1, len(kind_of)) if kind_of[i] != kind_of[i - 1] or (unlike and i % series == 0)]
    firsts = [0, *cuts]
    lines = [
        [first, end, kind_of[first], first // series if unlike else 0]
        for first, end in zip(firsts, [*cuts, len(kind_of)], strict=True)
    ]
    return np.array(lines, np.int64)


def _power(c: Calibration) -> Any:
    """Tables over temperature of all kinds; the last column of a shorter one is repeated, which changes no value."""
    tables = [np.array([power.temp_degC, power.charge_A, power.discharge_A]) for _, power, _ in c.kinds]
    width = max(table.shape[1] for table in tables)
    return np.array([np.pad(table, ((0, 0), (0, width - table.shape[1])), mode="edge") for table in tables])


def _belief(model: Model) -> tuple[Any, Any, Any, Any]:
    """Tables of the SOC filter."""
    curves = np.zeros((4, cfg.N_X))
    curves[: cfg.RATE] = voltage_curves(model.ocv, model.entropy, grid(cfg.X_LOW, cfg.X_STEP, cfg.N_X))
    curves[cfg.RATE] = rate_curve(cfg.Y_STEP, cfg.N_X)
    nodes = np.zeros((5, MAX_NODES))
    ln_r, nodes[cfg.INVERSE_K] = log_resistance(model.resistance, grid(0.0, 1.0 / (cfg.N_RX - 1), cfg.N_RX))
    nodes[cfg.REACH_DEGC, : len(model.reach.share)] = model.reach.temp_degC
    nodes[cfg.REACH_SHARE, : len(model.reach.share)] = model.reach.share
    n_rate = 0
    if model.rate is not None:
        n_rate = len(model.rate.i0_A)
        nodes[cfg.RATE_PER_K, :n_rate] = [1.0 / (t + ZERO_DEGC_K) for t in model.rate.temp_degC]
        nodes[cfg.RATE_LN_I0, :n_rate] = [log(i0) for i0 in model.rate.i0_A]
    return curves, ln_r, nodes, np.array([len(model.resistance.temp_degC), len(model.reach.share), n_rate], np.int64)
