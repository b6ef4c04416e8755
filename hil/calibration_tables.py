"""Tables of a calibration file that need no word of the firmware: times, noise figures, currents, and beliefs.

hil.calibration holds them together with the limits and decodes them into the firmware's arrays.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationInfo, model_validator

from hil import files
from hil.kinetics import Rate, Slow
from hil.shape import Misfits, is_any_mended, settle
from hil.tables import Entropy, Hysteresis, Ocv, Positive, Reach, Resistance, Sourced, TempDegC, lengths, rising, unlikely

NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=1000)]
Millis = Annotated[int, Field(ge=0, le=86_400_000)]

# Over how long the firmware's filter takes the mean beside which a voltage swings (SWING_S of its settings; a test compares).
SWING_S = 5.0

# Ends of the filters' figures, far beyond what any cell, sensor or controller needs: outside lies a slip of unit or digit, with
# which squares overflow and an estimate stands still without a word.
_FILTER_ENDS = {
    "cell_sigma_V": (1e-6, 1.0), "ocv_sigma_V": (1e-6, 1.0), "curve_sigma_V": (0.0, 1.0), "band_V": (0.0, 1.0),
    "model_V2s": (1e-9, 1e3), "rc_noise_V2_per_s": (0.0, 1.0), "cold_V_per_K": (0.0, 1.0), "reference_V_per_soc": (1e-3, 100.0),
    "current_error_A": (0.0, 2000.0), "bias_sigma_A": (1e-9, 2000.0), "bias_walk_A2_per_s": (0.0, 2000.0),
    "current_error_share": (0.0, 1.0), "resistance_error_share": (0.0, 10.0), "step_share": (0.0, 10.0),
    "resistance_walk_per_s": (0.0, 1.0), "resistance_walk_per_soc": (0.0, 10.0), "age_sigma": (0.0, 5.0),
    "start_sigma": (1e-6, 1.0), "stored_sigma": (0.0, 1.0), "hysteresis_sigma": (1e-6, 10.0),
    "capacity_sigma": (1e-6, 1.0), "capacity_walk_per_s": (0.0, 1.0),
    "ocv_span_soc": (1e-3, 100.0), "curve_span_soc": (1e-3, 2.0), "flat_V": (0.0, 1.0),
    "slope_span_soc": (1e-3, 0.5),
    "temperature_sigma_K": (1e-6, 50.0), "temperature_walk_K2_per_s": (0.0, 100.0), "reach_sigma": (0.0, 2.0),
    "swing_V2s": (0.0, 1e3),
    "heat_K_per_W": (0.0, 1e4),
    "current_correlation_s": (0.01, 1e6), "reach_tau_s": (0.01, 1e7), "heat_tau_s": (0.01, 1e6), "settle_s": (0.01, 1e4),
    "correct_s": (1e-3, 60.0),
}  # fmt: skip


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


class Pulse(Sourced):
    """What the limits for 2, 10, 30 s and continuously are made of beside [power]; energy and times use the last two keys.

    share: currents of the first three relative to [power].  continuous_s: how long "continuously" is foreseen.  sigmas,
    voltage_error_V, resistance_error_share: the margin, see docs/power.md.  soc_min, soc_max: window that no limit leaves.
    """

    share: Annotated[list[Positive], Field(min_length=3, max_length=3)] = [1.0, 1.0, 1.0]
    continuous_s: Annotated[float, Field(ge=30, le=7200)] = 120.0
    sigmas: Annotated[float, Field(ge=0, le=6)] = 2.7
    voltage_error_V: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    resistance_error_share: Annotated[float, Field(ge=0, le=1)] = 0.08
    soc_min: Annotated[float, Field(ge=0, lt=1)] = 0.0
    soc_max: Annotated[float, Field(gt=0, le=1)] = 1.0
    average_s: Positive = 60.0
    reference_rate_per_h: Positive = 0.5

    @model_validator(mode="after")
    def _shape(self) -> Pulse:
        found = []
        if not self.soc_min < self.soc_max:
            found.append(f"soc_min {self.soc_min:g} must lie below soc_max {self.soc_max:g}")
        found += [
            f"share must not rise with time; {b:g} follows {a:g}"
            for a, b in zip(self.share, self.share[1:], strict=False)
            if b > a
        ][:1]
        if self.share[-1] < 1.0:
            found.append(f"share must end at 1 or above, found {self.share[-1]:g}: what [power] allows for ever holds for 30 s")
        settle(found)
        return self


class Heat(Sourced):
    """Heat that warms one cell by a kelvin; with it a limit counts on the warmth of its own loss."""

    capacity_J_per_K: Positive


class Model(Sourced):
    """What the BMS believes its cells are; the source is that of the capacity."""

    capacity_Ah: Positive
    ocv: Ocv
    hysteresis: Hysteresis
    resistance: Resistance
    reach: Reach
    entropy: Entropy
    rate: Rate | None = None
    slow: Slow | None = None
    heat: Heat | None = None

    @model_validator(mode="after")
    def _likely(self, info: ValidationInfo) -> Model:
        heat = None if self.heat is None else ("heat.capacity_J_per_K", self.heat.capacity_J_per_K)
        settle([] if is_any_mended(info) else unlikely(self.capacity_Ah, self.resistance, self.hysteresis, heat))
        return self

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name."""
        tables = {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Sourced)}
        return {"capacity": self, **tables}


class Sodium(Sourced):
    """Noise figures of method "sodium", in place of those of [filter] where both have one."""

    cell_sigma_V: Positive
    model_V2s: Positive
    ocv_sigma_V: Positive
    curve_sigma_V: NotNegative
    curve_span_soc: float
    age_sigma: NotNegative
    ocv_span_soc: Positive
    slope_span_soc: Positive
    hysteresis_sigma: Positive
    resistance_error_share: NotNegative
    resistance_sigma: Annotated[float, Field(ge=0, le=1)]
    resistance_walk_per_s: NotNegative
    resistance_walk_per_soc: NotNegative
    capacity_sigma: Positive
    capacity_walk_per_s: NotNegative
    current_error_share: NotNegative
    current_error_A: NotNegative
    bias_sigma_A: Positive
    bias_walk_A2_per_s: NotNegative
    temperature_sigma_K: Positive
    temperature_walk_K2_per_s: NotNegative
    reach_sigma: NotNegative
    swing_V2s: NotNegative
    heat_K_per_W: NotNegative
    heat_tau_s: Positive
    settle_s: Positive
    step_share: NotNegative
    cold_degC: TempDegC
    cold_V_per_K: NotNegative
    correct_s: Positive
    band_floor: Annotated[float, Field(ge=0, le=0.2)]
    band_V: NotNegative
    band_share: Annotated[float, Field(gt=0, le=1)]
    band_per_K: Annotated[float, Field(ge=0, le=0.02)]
    flat_V: NotNegative
    reference_V_per_soc: Positive


# What other methods have in place of keys of [filter.sodium] that are its own.
_WITHOUT = {"band_share": 1.0, "band_per_K": 0.0, "flat_V": 0.0}
# Keys of [filter.sodium] that are figures.
SODIUM_FIGURES = tuple(key for key in Sodium.model_fields if key not in Sourced.model_fields)


class Filter(Sourced):
    """How SOC is estimated, and the noise figures of the methods."""

    method: Literal["sodium", "counting", "ocv", "ekf", "ekf-r", "ukf"]
    cell_sigma_V: Positive
    model_V2s: Positive
    resistance_error_share: NotNegative
    current_error_share: NotNegative
    current_error_A: NotNegative
    current_correlation_s: Positive
    start_sigma: Positive
    stored_sigma: NotNegative
    hysteresis_sigma: Positive
    rc_noise_V2_per_s: NotNegative
    resistance_sigma: Annotated[float, Field(ge=0, le=1)]
    resistance_walk_per_s: NotNegative
    band_floor: Annotated[float, Field(ge=0, le=0.2)]
    reach_tau_s: Positive
    sodium: Sodium

    @model_validator(mode="after")
    def _within_ends(self) -> Filter:
        tables = (("", self.model_dump()), ("sodium.", self.sodium.model_dump()))
        settle(
            [
                f"{prefix}{key} {table[key]:g}; expected {low:g} to {high:g}"
                for prefix, table in tables
                for key, (low, high) in _FILTER_ENDS.items()
                if key in table and not low <= table[key] <= high
            ]
        )
        told = f"sodium.correct_s {self.sodium.correct_s:g} with a swing_V2s"
        if self.sodium.swing_V2s > 0.0 and self.sodium.correct_s >= SWING_S:
            settle([f"{told}: expected less than {SWING_S:g} s, or swing_V2s = 0.0"])
        return self

    def figures(self) -> dict[str, float]:
        """Figures by key, those of the method's own table first."""
        own = self.sodium.model_dump() if self.method == "sodium" else _WITHOUT
        shared = {**self.sodium.model_dump(), **self.model_dump(), **own}
        return {key: value for key, value in shared.items() if isinstance(value, float)}

    def changed(self, method: str | None = None, **figures: float) -> Filter:
        """The same with another method or other figures, each in the table of method "sodium" when that has it."""
        own = {key: float(value) for key, value in figures.items() if key in type(self.sodium).model_fields}
        rest = {key: value for key, value in figures.items() if key not in own}
        if method is not None:
            rest |= {"method": method}  # type: ignore[dict-item]
        return self.model_copy(update={**rest, "sodium": self.sodium.model_copy(update=own)})


class Group(files.FileModel):
    """Cells of another kind, from first to last as numbered on the wire, strings one after the other.

    The first group of a name says what its cells are; further ones of that name are more of the same.
    """

    name: str
    first: Annotated[int, Field(ge=0)]
    last: Annotated[int, Field(ge=0)]
    power: Power | None = None
    model: Model | None = None

    @model_validator(mode="after")
    def _shape(self) -> Group:
        found = []
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            found.append(f'name "{self.name}" must be of letters, digits, "_" and "-"')
        if self.last < self.first:
            found.append(f"last {self.last} must not lie below first {self.first}")
        settle(found)
        return self


class Kind(NamedTuple):
    """What the BMS believes about one kind of cells. name: of its group, None for the cells that no group names."""

    name: str | None
    power: Power
    model: Model
