"""The calibration file: what the BMS believes and how it decides, decoded into the firmware's arrays.

The firmware reads no file. Rows and tables are checked here: names against what the firmware knows, limits against each
other, times against the control cycle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim.types import MS_NS, S_NS
from firmware_sim.wire import layout as w
from hil import files
from hil.database import Database
from hil.errors import ScenarioError, nearest
from hil.shape import Misfits, settle
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
    lengths,
    log_resistance,
    rising,
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
        found = []
        if (self.above is None) == (self.below is None):
            found.append(f': limit "{self.code}" needs exactly one of "above" and "below"')
        if self.quantity not in soa.QUANTITIES:
            found.append(f'quantity "{self.quantity}" does not exist{nearest(self.quantity, soa.QUANTITIES)}')
        settle(found)
        return self

    @property
    def side(self) -> str:
        """Key of its threshold."""
        return "above" if self.above is not None else "below"

    @property
    def threshold(self) -> float:
        """The value beyond which the condition is bad."""
        return self.above if self.above is not None else self.below if self.below is not None else 0.0


class E2e(Sourced):
    """E2E receiver: tolerated counter step, window, and how many good and bad frames it needs."""

    max_delta: Annotated[int, Field(ge=1, le=14)]
    window: Annotated[int, Field(ge=1, le=32)]
    min_ok: Annotated[int, Field(ge=1, le=32)]
    max_errors: Count


class AgeMs(Sourced):
    """How long a value counts after its frame."""

    cell: Millis
    temperature: Millis
    current: Millis
    pack_io: Millis
    request: Millis


class Start(Sourced):
    """Boot time, how long data must be good before standby, how long to wait for it, how often NVM is written."""

    boot_ms: Millis
    ready_ms: Millis
    timeout_ms: Millis
    save_s: Annotated[int, Field(ge=1, le=3600)]


class Precharge(Sourced):
    """When a precharge has succeeded, when it has failed, how often it is tried."""

    timeout_ms: Millis
    min_ms: Millis
    retry_ms: Millis
    tries: Annotated[int, Field(ge=1, le=7)]
    link_share: Annotated[float, Field(gt=0, le=1)]
    end_A: Positive
    fast_share: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _order(self) -> Precharge:
        if self.min_ms > self.timeout_ms:
            raise Misfits(f"min_ms {self.min_ms} must not lie above timeout_ms {self.timeout_ms}")
        return self


class ContactorTimes(Sourced):
    """How long a contact may take to close or to follow a command, and when opening under load is allowed."""

    close_ms: Millis
    settle_ms: Millis
    open_grace_ms: Millis
    open_max_A: Positive


class Plausibility(Sourced):
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
        found = lengths(temp_degC=self.temp_degC, charge_A=self.charge_A, discharge_A=self.discharge_A)
        found += rising("temp_degC", self.temp_degC)
        if len(self.temp_degC) < 2:
            found.append(f"temp_degC needs 2 entries or more, found {len(self.temp_degC)}")
        if not self.discharge_min_V < self.charge_max_V:
            found.append(f"discharge_min_V {self.discharge_min_V:g} must lie below charge_max_V {self.charge_max_V:g}")
        settle(found)
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

    KIND: ClassVar[str] = "calibration"
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
    def _limits(self) -> Calibration:
        first: dict[str, int] = {}
        found = [
            f'limit[{n}].code "{row.code}" is that of limit[{first[row.code]}] too'
            for n, row in enumerate(self.limit)
            if first.setdefault(row.code, n) != n
        ]
        settle([*found, *_narrow_tiers(self.limit), *_crossed(self.limit)])
        return self

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name, those of the model as "model.NAME"."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "model"}
        tables = {name: table for name, table in fields.items() if isinstance(table, Sourced)}
        return tables | {f"model.{name}": table for name, table in self.model.tables().items()}

    def assumptions(self) -> list[str]:
        """Rows and tables that rest on an assumption."""
        out = [f"{name}: {table.source}" for name, table in self.tables().items() if table.confidence == "assumption"]
        return out + [f"limit {row.code}: {row.source}" for row in self.limit if row.source.startswith("assumption")]


def _narrow_tiers(limits: list[Limit]) -> list[str]:
    """Limits that lie inside one of a lower tier, of the same quantity and side."""
    found = []
    for n, row in enumerate(limits):
        side = 1.0 if row.above is not None else -1.0
        for m, other in enumerate(limits):
            if (row.quantity, row.when, row.above is None) != (other.quantity, other.when, other.above is None):
                continue
            if _TIERS[row.tier] > _TIERS[other.tier] and side * (row.threshold - other.threshold) < 0:
                found.append(
                    f'limit[{n}].{row.side} {row.threshold:g} of "{row.code}" ({row.tier}) lies inside that of '
                    f'limit[{m}] "{other.code}" ({other.tier}), {other.threshold:g}; tiers must widen from mol to rsl to msl'
                )
                break
    return found


def _crossed(limits: list[Limit]) -> list[str]:
    """Upper limits that lie below the lower limit of the same quantity, in one tier: nothing would be allowed."""
    found = []
    for n, high in enumerate(limits):
        for m, low in enumerate(limits):
            if high.above is None or low.below is None or (high.tier, high.when) != (low.tier, low.when):
                continue
            if high.quantity.replace("_max", "") == low.quantity.replace("_min", "") and not low.below < high.above:
                found.append(
                    f'limit[{n}].above {high.above:g} of "{high.code}" must lie above limit[{m}].below {low.below:g} '
                    f'of "{low.code}"'
                )
    return found


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
    label = database.label
    rows = {name: n for n, name in enumerate(rx.signal_names)}
    sent = {name: n for n, name in enumerate(tx.signal_names)}
    cell_names = [f"CellVoltage_{i:03d}" for i in range(n_cells)]
    ntc_names = [f"CellTemperature_{j:02d}" for j in range(len(ntc_cells))]
    for name in (*_NEEDED_RX, *cell_names, *ntc_names):
        if name not in rows:
            problems.append(f'{label}: there is no signal "{name}", which the device must receive{nearest(name, rows)}')
    for name in _NEEDED_TX:
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
