"""The calibration file: what the BMS believes and how it decides, decoded into the firmware's arrays.

The firmware reads no file. Rows and tables are checked here: names against what the firmware knows, limits against each
other, times against the control cycle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim.types import MS_NS, S_NS
from firmware_sim.wire import layout as w
from hil import files
from hil.database import Database
from hil.errors import ScenarioError, nearest
from hil.tables import (
    MAX_NODES,
    Entropy,
    Hysteresis,
    Ocv,
    Positive,
    Reach,
    Resistance,
    Sourced,
    grid,
    log_resistance,
    voltage_curves,
)

Count = Annotated[int, Field(ge=0, le=1000)]
Millis = Annotated[int, Field(ge=0, le=86_400_000)]

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
_FLOAT_ROOM = 1e-9
_LATCHES = {"no": cfg.NO_LATCH, "until_reset": cfg.UNTIL_RESET, "survives_power_loss": cfg.SURVIVES}


class Limit(files.FileModel):
    """One protection: a quantity, a threshold, how long, and what follows."""

    code: str
    quantity: str
    above: float | None = None
    below: float | None = None
    hysteresis: Annotated[float, Field(ge=0)] = 0.0
    tier: Literal["mol", "rsl", "msl"]
    when: Literal["always", "charging", "not_charging", "closed", "opened"] = "always"
    debounce_ms: Millis
    clear_ms: Millis | None = None
    delay_ms: Millis = 0
    reaction: Literal["none", "stop_charge", "stop_discharge", "stop", "open"]
    latch: Literal["no", "until_reset", "survives_power_loss"] = "no"
    source: Annotated[str, Field(min_length=4)]

    @model_validator(mode="after")
    def _one_side(self) -> Limit:
        if (self.above is None) == (self.below is None):
            raise ValueError(f'limit "{self.code}" needs exactly one of "above" and "below"')
        if self.quantity not in soa.QUANTITIES:
            raise ValueError(f'quantity "{self.quantity}" does not exist{nearest(self.quantity, soa.QUANTITIES)}')
        return self

    @property
    def threshold(self) -> float:
        """The value beyond which the condition is bad."""
        return self.above if self.above is not None else self.below if self.below is not None else 0.0


class E2e(files.FileModel):
    """E2E receiver: tolerated counter step, window, and how many good and bad frames it needs."""

    max_delta: Annotated[int, Field(ge=1, le=14)]
    window: Annotated[int, Field(ge=1, le=32)]
    min_ok: Annotated[int, Field(ge=1, le=32)]
    max_errors: Count


class AgeMs(files.FileModel):
    """How long a value counts after its frame."""

    cell: Millis
    temperature: Millis
    current: Millis
    pack_io: Millis
    request: Millis


class Start(files.FileModel):
    """Boot time, how long data must be good before standby, how long to wait for it, how often NVM is written."""

    boot_ms: Millis
    ready_ms: Millis
    timeout_ms: Millis
    save_s: Annotated[int, Field(ge=1, le=3600)]


class Precharge(files.FileModel):
    """When a precharge has succeeded, when it has failed, how often it is tried."""

    timeout_ms: Millis
    min_ms: Millis
    retry_ms: Millis
    tries: Annotated[int, Field(ge=1, le=7)]
    link_share: Annotated[float, Field(gt=0, le=1)]
    end_A: Positive
    fast_share: Annotated[float, Field(ge=0, le=1)]


class ContactorTimes(files.FileModel):
    """How long a contact may take to close or to follow a command, and when opening under load is allowed."""

    close_ms: Millis
    settle_ms: Millis
    open_grace_ms: Millis
    open_max_A: Positive


class Plausibility(files.FileModel):
    """Steps and times of the plausibility checks."""

    rest_A: Positive
    stuck_step_A: Positive
    direction_step_A: Positive
    rate_tau_s: Positive


class Power(Sourced):
    """Allowed currents over temperature (magnitudes for one pack), and the taper towards the voltage limits."""

    temp_degC: list[float]
    charge_A: list[Annotated[float, Field(ge=0)]]
    discharge_A: list[Annotated[float, Field(ge=0)]]
    charge_max_V: float
    charge_taper_V: Positive
    discharge_min_V: float
    discharge_taper_V: Positive

    @model_validator(mode="after")
    def _shape(self) -> Power:
        if not len(self.temp_degC) == len(self.charge_A) == len(self.discharge_A) >= 2:
            raise ValueError(
                f"columns differ in length or are shorter than 2: temp_degC {len(self.temp_degC)}, "
                f"charge_A {len(self.charge_A)}, discharge_A {len(self.discharge_A)}"
            )
        for a, b in zip(self.temp_degC, self.temp_degC[1:], strict=False):
            if not b > a:
                raise ValueError(f"temp_degC must rise from entry to entry; {b:g} follows {a:g}")
        return self


class Model(Sourced):
    """What the BMS believes its cells are; the source is that of the capacity."""

    capacity_Ah: Positive
    ocv: Ocv
    hysteresis: Hysteresis
    resistance: Resistance
    reach: Reach
    entropy: Entropy

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name."""
        tables = {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Sourced)}
        return {"capacity": self, **tables}


class Filter(Sourced):
    """Noise figures of the SOC filter."""

    cell_sigma_V: Positive
    model_V2s: Positive
    resistance_error_share: Annotated[float, Field(ge=0)]
    current_error_share: Annotated[float, Field(ge=0)]
    current_error_A: Annotated[float, Field(ge=0)]
    current_correlation_s: Positive
    start_sigma: Positive
    stored_sigma: Annotated[float, Field(ge=0)]
    hysteresis_sigma: Positive
    rc_noise_V2_per_s: Annotated[float, Field(ge=0)]
    resistance_sigma: Annotated[float, Field(ge=0, le=1)]
    resistance_walk_per_s: Annotated[float, Field(ge=0)]
    band_floor: Annotated[float, Field(ge=0, le=0.2)]


class Calibration(files.Document):
    """A calibration file."""

    name: str
    title: str
    e2e: E2e
    age_ms: AgeMs
    start: Start
    precharge: Precharge
    contactors: ContactorTimes
    plausibility: Plausibility
    power: Power
    filter: Filter
    model: Model
    limit: Annotated[list[Limit], Field(min_length=1)]

    @model_validator(mode="after")
    def _tiers_in_order(self) -> Calibration:
        found = []
        codes: set[str] = set()
        for n, row in enumerate(self.limit):
            if row.code in codes:
                found.append(f'limit[{n}].code "{row.code}" is used twice')
            codes.add(row.code)
            for m, other in enumerate(self.limit[:n]):
                if (row.quantity, row.when) != (other.quantity, other.when) or (row.above is None) != (other.above is None):
                    continue
                sign = 1.0 if row.above is not None else -1.0
                if (_TIERS[row.tier] - _TIERS[other.tier]) * sign * (row.threshold - other.threshold) < 0:
                    found.append(
                        f'limit[{n}] "{row.code}" ({row.tier}, {row.threshold:g}) and limit[{m}] "{other.code}" '
                        f"({other.tier}, {other.threshold:g}): tiers must widen from mol to rsl to msl"
                    )
        if found:
            raise ValueError("; ".join(found))
        return self

    def assumptions(self) -> list[str]:
        """Rows and tables that rest on an assumption."""
        tables = {"power": self.power, "filter": self.filter, **{f"model.{n}": t for n, t in self.model.tables().items()}}
        out = [f"{name}: {table.source}" for name, table in tables.items() if table.confidence == "assumption"]
        return out + [f"limit {row.code}: {row.source}" for row in self.limit if row.source.startswith("assumption")]


def load(name: str, near: Path | None = None) -> tuple[Path, Calibration]:
    """A calibration by shipped name or path. Raises ScenarioError."""
    path = files.resolve("calibration", name, near)
    return path, files.load(path, Calibration)


_RX_ROLES = (
    "Shunt_Current", "Shunt_PackVoltage", "Shunt_LinkVoltage", "PackIO_MainPlusFeedback", "PackIO_MainMinusFeedback",
    "PackIO_PrechargeFeedback", "PackIO_Hvil", "PackIO_EmergencyLine", "PackIO_SupplyVoltage", "PackIO_Insulation",
    "Vehicle_ModeRequest", "Vehicle_FaultReset", "Vehicle_ChargerConnected",
)  # fmt: skip
# Without these the firmware cannot work at all.
_NEEDED_RX = ("Shunt_Current", "Shunt_PackVoltage", "Shunt_LinkVoltage", "PackIO_MainPlusFeedback", "PackIO_MainMinusFeedback",
              "PackIO_PrechargeFeedback", "Vehicle_ModeRequest")  # fmt: skip
_NEEDED_TX = ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand", "BMS_State", "BMS_FaultCode")


def bind(
    calibration: Calibration,
    path: Path,
    database: Database,
    rx: w.Layout,
    tx: w.Layout,
    n_cells: int,
    n_strings: int,
    ntc_cells: list[int],
) -> cfg.Settings:
    """Decode a calibration for a network and a pack.

    rx, tx: layouts as the device sees them.  ntc_cells: cell on which each sensor sits.
    Raises ScenarioError with everything that does not fit.
    """
    problems: list[str] = []
    rows = {name: n for n, name in enumerate(rx.signal_names)}
    sent = {name: n for n, name in enumerate(tx.signal_names)}
    cell_names = [f"CellVoltage_{i:03d}" for i in range(n_cells)]
    ntc_names = [f"CellTemperature_{j:02d}" for j in range(len(ntc_cells))]
    for name in (*_NEEDED_RX, *cell_names, *ntc_names):
        if name not in rows:
            problems.append(f'the network lacks signal "{name}", which the device must receive{nearest(name, rows)}')
    for name in _NEEDED_TX:
        if name not in sent:
            problems.append(f'the network lacks signal "{name}", which the device must send{nearest(name, sent)}')
    codes = _codes(database)
    for n, row in enumerate(calibration.limit):
        if row.code not in codes:
            problems.append(
                f'{path}: limit[{n}].code "{row.code}" has no number in the values of BMS_FaultCode{nearest(row.code, codes)}'
            )
    if problems:
        raise ScenarioError(*problems)

    cell_map = np.zeros((3, n_cells), np.int64)
    cell_map[cfg.MAP_SIGNAL] = [rows[name] for name in cell_names]
    cell_map[cfg.MAP_SLOT] = rx.signals[cell_map[cfg.MAP_SIGNAL], w.SLOT]
    cell_map[cfg.MAP_NTC] = [min(range(len(ntc_cells)), key=lambda j: (abs(ntc_cells[j] - i), j)) for i in range(n_cells)]
    ntc_map = np.zeros((2, len(ntc_cells)), np.int64)
    ntc_map[cfg.MAP_SIGNAL] = [rows[name] for name in ntc_names]
    ntc_map[cfg.MAP_SLOT] = rx.signals[ntc_map[cfg.MAP_SIGNAL], w.SLOT]
    curves, ln_r, nodes, n_nodes = _belief(calibration.model)
    limits, thresholds = _limits(calibration, codes, sent)
    outputs = _outputs(sent)
    return cfg.Settings(
        limits=limits,
        thresholds=thresholds,
        whole=_whole(calibration, n_strings),
        real=_real(calibration),
        power=np.array([calibration.power.temp_degC, calibration.power.charge_A, calibration.power.discharge_A]),
        curves=curves,
        ln_r=ln_r,
        nodes=nodes,
        n_nodes=n_nodes,
        rx=np.array([rows.get(name, -1) for name in _RX_ROLES], np.int64),
        tx=outputs[0],
        tx_scale=outputs[1],
        cell_map=cell_map,
        ntc_map=ntc_map,
        rx_layout=rx,
        tx_layout=tx,
        codes=tuple(row.code for row in calibration.limit),
    )


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
    for row in calibration.limit:
        side = 1 if row.above is not None else -1
        clear_ms = row.debounce_ms if row.clear_ms is None else row.clear_ms
        limits.append(
            [
                soa.QUANTITIES.index(row.quantity),
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
    return out


def _real(c: Calibration) -> Any:
    f, power = c.filter, c.power
    values = {
        cfg.CAPACITY_AH: c.model.capacity_Ah,
        cfg.HYST_DECAY: c.model.hysteresis.decay_per_soc,
        cfg.TAU1_S: c.model.resistance.tau1_s,
        cfg.TAU2_S: c.model.resistance.tau2_s,
        cfg.CELL_SIGMA_V: f.cell_sigma_V,
        cfg.MODEL_V2S: f.model_V2s,
        cfg.R_ERROR_SHARE: f.resistance_error_share,
        cfg.CURRENT_ERROR_SHARE: f.current_error_share,
        cfg.CURRENT_ERROR_A: f.current_error_A,
        cfg.CURRENT_CORRELATION_S: f.current_correlation_s,
        cfg.START_SIGMA: f.start_sigma,
        cfg.HYST_SIGMA: f.hysteresis_sigma,
        cfg.RC_NOISE_V2_PER_S: f.rc_noise_V2_per_s,
        cfg.STORED_SIGMA: f.stored_sigma,
        cfg.RHO_SIGMA: f.resistance_sigma,
        cfg.RHO_WALK_PER_S: f.resistance_walk_per_s,
        cfg.BAND_FLOOR: f.band_floor,
        cfg.REST_A: c.plausibility.rest_A,
        cfg.PRE_LINK_SHARE: c.precharge.link_share,
        cfg.PRE_END_A: c.precharge.end_A,
        cfg.PRE_FAST_SHARE: c.precharge.fast_share,
        cfg.OPEN_MAX_A: c.contactors.open_max_A,
        cfg.STUCK_STEP_A: c.plausibility.stuck_step_A,
        cfg.DIRECTION_STEP_A: c.plausibility.direction_step_A,
        cfg.RATE_TAU_S: c.plausibility.rate_tau_s,
        cfg.CHARGE_STOP_V: power.charge_max_V,
        cfg.CHARGE_TAPER_V: power.charge_taper_V,
        cfg.DISCHARGE_STOP_V: power.discharge_min_V,
        cfg.DISCHARGE_TAPER_V: power.discharge_taper_V,
        cfg.CHARGE_MAX_V: power.charge_max_V,
        cfg.DISCHARGE_MIN_V: power.discharge_min_V,
    }
    out = np.zeros(cfg.N_REAL_SETTINGS)
    for row, value in values.items():
        out[row] = value
    return out


def _belief(model: Model) -> tuple[Any, Any, Any, Any]:
    """Tables of the SOC filter."""
    curves = voltage_curves(model.ocv, model.entropy, grid(cfg.X_LOW, cfg.X_STEP, cfg.N_X))
    nodes = np.zeros((3, MAX_NODES))
    ln_r, nodes[cfg.INVERSE_K] = log_resistance(model.resistance, grid(0.0, 1.0 / (cfg.N_RX - 1), cfg.N_RX))
    nodes[cfg.REACH_DEGC, : len(model.reach.share)] = model.reach.temp_degC
    nodes[cfg.REACH_SHARE, : len(model.reach.share)] = model.reach.share
    return curves, ln_r, nodes, np.array([len(model.resistance.temp_degC), len(model.reach.share)], np.int64)
