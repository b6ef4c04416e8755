"""How each quantity that a limit may watch is made bad through the wire, one entry a quantity.

A new quantity without an entry here fails a test. Times that follow from the wire alone are exact; where a quantity takes
time to build up, the entry says by when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from limit_rows import Row
from rigs import Device

from firmware_sim import mode

Action = Callable[[Device], None]


@dataclass(frozen=True)
class Stimulus:
    """How to make a quantity bad.

    place: bring the device into the state in which it counts.  bad: disturb it.  frame: start of the names of signals
    whose next frame is the first bad sample, with the seventh cell of the kind under test in place of braces; "" where
    the quantity builds up, then after_ms says when it is bad: (earliest, latest).
    each: called in every tick while it is bad.
    """

    place: Callable[[Device, Row], None]
    bad: Action
    frame: str = ""
    after_ms: tuple[int, int] = (0, 0)
    each: Action = lambda device: None


def _driving(device: Device, row: Row) -> None:
    device.alive = row.table["quantity"] not in ("cell_V_max", "cell_V_min", "cell_stuck_s")
    device.driving(mode.ASK_CHARGE if row.when == "charging" else mode.ASK_DRIVE)
    device.tick(20)


def _standby(device: Device, row: Row) -> None:
    device.standby()
    device.tick(120)


def _sets(name: str, value: float) -> Action:
    return lambda device: device.set(name, value)


def _loses(name: str) -> Action:
    return lambda device: device.lost.add(device.slot(name))


def _adds(name: str, value: float) -> Action:
    return lambda device: device.set(name, device.values[0, device.rows[name]] + value)


def _holds(name: str, value: float) -> Action:
    def act(device: Device) -> None:
        device.echoes = False
        device.set(name, value)

    return act


def _still_cells_under_load(device: Device) -> None:
    device.set("Shunt_Current", 2.0 * device.calibration.plausibility.stuck_step_A)


def _wrong_way(device: Device) -> None:
    """Every 50 ms the current steps, and the pack voltage with it."""
    up = device.k // 5 % 2
    device.set("Shunt_Current", 2.0 * device.calibration.plausibility.direction_step_A * up)
    device.set("Shunt_PackVoltage", device.rest_V * device.series + 0.2 * up)


def _warming(device: Device) -> None:
    """2 K/s on every sensor."""
    device.temperatures(device.values[0, device.rows["CellTemperature_00"]] + 2e-9 * device.dt_ns)


def _no_link(device: Device) -> None:
    device.link_rise = 0.0
    device.ask(mode.ASK_DRIVE)


def _link_at_once(device: Device) -> None:
    device.link_rise = 1.0
    device.ask(mode.ASK_DRIVE)


def _link_falls(device: Device) -> None:
    device.link_rise = 0.0
    device.set("Shunt_LinkVoltage", 0.94 * device.rest_V * device.series)


def _pack_reads_low(device: Device) -> None:
    """By a thirtieth."""
    device.set("Shunt_PackVoltage", 29.0 / 30.0 * device.rest_V * device.series)


def _one_cell_is_low(device: Device) -> None:
    """By so much that its distance from the mean of few cells is beyond the limit too."""
    spread_V = next(row.threshold for row in device.calibration.limit if row.quantity == "cell_spread_V")
    _adds(f"CellVoltage_{device.of_kind[device.kind][3]:03d}", -1.6 * spread_V)(device)


def _no_precharge_contact(device: Device) -> None:
    device.ask(mode.ASK_DRIVE)


def _echo_mains(device: Device) -> None:
    """The mains follow, the precharge contact does not."""
    device.echoes = False
    device.set("PackIO_MainMinusFeedback", float(device.read("BMS_MainMinusCommand") == 1.0))


def _flickering_cell(device: Device) -> None:
    """A cell that is there in every other frame only: never ready, never invalid for long."""
    device.set("CellVoltage_000", device.rest_V if device.k // 10 % 2 else float("nan"))


_AT_ONCE = (0, 500)
STIMULI: dict[str, Stimulus] = {
    "cell_V_max": Stimulus(_driving, lambda device: None, "CellVoltage_"),  # graded, see graded()
    "cell_V_min": Stimulus(_driving, lambda device: None, "CellVoltage_"),
    "temp_max_degC": Stimulus(_driving, lambda device: None, "CellTemperature_"),
    "temp_min_degC": Stimulus(_driving, lambda device: None, "CellTemperature_"),
    "discharge_A": Stimulus(_driving, lambda device: None, "Shunt_Current"),
    "charge_A": Stimulus(_driving, lambda device: None, "Shunt_Current"),
    "open_current_A": Stimulus(_standby, lambda device: None, "Shunt_Current"),
    "insulation_kohm": Stimulus(_driving, lambda device: None, "PackIO_Insulation"),
    "supply_V": Stimulus(_driving, lambda device: None, "PackIO_SupplyVoltage"),
    "cell_age_ms": Stimulus(_driving, _loses("CellVoltage_000"), after_ms=(150, 260)),
    "temp_age_ms": Stimulus(_driving, _loses("CellTemperature_00"), after_ms=(400, 510)),
    "current_age_ms": Stimulus(_driving, _loses("Shunt_Current"), after_ms=(90, 110)),
    "pack_io_age_ms": Stimulus(_driving, _loses("PackIO_Hvil"), after_ms=(90, 110)),
    "request_age_ms": Stimulus(_driving, _loses("Vehicle_ModeRequest"), after_ms=(400, 510)),
    "cell_invalid_count": Stimulus(_driving, _sets("CellVoltage_003", float("nan")), "CellVoltage_003"),
    "temp_invalid_count": Stimulus(_driving, _sets("CellTemperature_03", float("nan")), "CellTemperature_03"),
    "current_invalid": Stimulus(_driving, _sets("Shunt_Current", float("nan")), "Shunt_Current"),
    "cell_spread_V": Stimulus(_driving, _one_cell_is_low, "CellVoltage_{:03d}"),
    "temp_spread_K": Stimulus(_driving, _adds("CellTemperature_02", 11.0), "CellTemperature_02"),
    "temp_rate_K_per_s": Stimulus(_driving, lambda device: None, after_ms=(0, 8000), each=_warming),
    "cell_stuck_s": Stimulus(_driving, _still_cells_under_load, after_ms=(5000, 5300)),
    "pack_mismatch_share": Stimulus(_driving, _pack_reads_low, "Shunt_PackVoltage"),
    "link_mismatch_share": Stimulus(_driving, _link_falls, "Shunt_LinkVoltage"),
    "current_direction": Stimulus(_driving, lambda device: None, after_ms=(150, 300), each=_wrong_way),
    "main_plus_mismatch": Stimulus(_driving, _holds("PackIO_MainPlusFeedback", 0.0), "PackIO_MainPlusFeedback"),
    "main_minus_mismatch": Stimulus(_driving, _holds("PackIO_MainMinusFeedback", 0.0), "PackIO_MainMinusFeedback"),
    "precharge_mismatch": Stimulus(_standby, _no_precharge_contact, after_ms=_AT_ONCE, each=_echo_mains),
    "main_plus_welded": Stimulus(_standby, _holds("PackIO_MainPlusFeedback", 1.0), "PackIO_MainPlusFeedback"),
    "main_minus_welded": Stimulus(_standby, _holds("PackIO_MainMinusFeedback", 1.0), "PackIO_MainMinusFeedback"),
    "precharge_failed": Stimulus(_standby, _no_link, after_ms=(12_000, 12_600)),
    "precharge_too_fast": Stimulus(_standby, _link_at_once, after_ms=_AT_ONCE),
    "init_timeout": Stimulus(lambda device, row: None, lambda device: None, after_ms=(2000, 2100), each=_flickering_cell),
    "hvil_open": Stimulus(_driving, _sets("PackIO_Hvil", 0.0), "PackIO_Hvil"),
    "emergency_line_lost": Stimulus(_driving, _sets("PackIO_EmergencyLine", 0.0), "PackIO_EmergencyLine"),
}  # fmt: skip


@dataclass(frozen=True)
class Graded:
    """A quantity that one kind of signal carries as it is. step, zero: of the wire; sign: of the signal; room: from base."""

    step: str
    zero: str
    apply: Callable[[Device, float], None]
    room: float
    sign: int = 1


GRADED: dict[str, Graded] = {
    "cell_V_max": Graded("0.0002", "-0.5", Device.cells, 0.01),
    "cell_V_min": Graded("0.0002", "-0.5", Device.cells, 0.01),
    "temp_max_degC": Graded("0.1", "-60", Device.temperatures, 0.5),
    "temp_min_degC": Graded("0.1", "-60", Device.temperatures, 0.5),
    "discharge_A": Graded("0.005", "0", lambda device, x: device.set("Shunt_Current", x), 0.5),
    "charge_A": Graded("0.005", "0", lambda device, x: device.set("Shunt_Current", -x), 0.5),
    "open_current_A": Graded("0.005", "0", lambda device, x: device.set("Shunt_Current", x), 0.05),
    "insulation_kohm": Graded("1", "0", lambda device, x: device.set("PackIO_Insulation", x), 5.0),
    "supply_V": Graded("0.05", "0", lambda device, x: device.set("PackIO_SupplyVoltage", x), 0.5),
}


def level(row: Row, n: int) -> float:
    """The n-th value of the wire beyond a row's threshold, in its bad direction; 0 and less: not beyond."""
    graded = GRADED[row.table["quantity"]]
    step, zero = Fraction(graded.step), Fraction(graded.zero)
    steps = (Fraction(repr(row.threshold)) - zero) / step
    last_good = steps.__floor__() if row.side == 1 else steps.__ceil__()
    return float(zero + (last_good + row.side * n) * step)


def base(row: Row, rows: list[Row]) -> float:
    """A value near a row's threshold, at which no row of its quantity asks for open contactors."""
    quantity = row.table["quantity"]
    opening = [
        other.threshold
        for other in rows
        if (other.calibration, other.table["quantity"], other.kind, other.when)
        == (row.calibration, quantity, row.kind, row.when)
        and other.table["reaction"] == "open"
    ]
    nearest_good = min([row.threshold, *opening], key=lambda x: row.side * x)
    return nearest_good - row.side * GRADED[quantity].room
