"""Names of the signals in our own databases, by what they mean."""

from __future__ import annotations

from hil.plant import sensor

LINES = {
    sensor.MAIN_PLUS: "PackIO_MainPlusFeedback",
    sensor.MAIN_MINUS: "PackIO_MainMinusFeedback",
    sensor.PRECHARGE: "PackIO_PrechargeFeedback",
    sensor.HVIL: "PackIO_Hvil",
    sensor.EMERGENCY: "PackIO_EmergencyLine",
    sensor.SUPPLY: "PackIO_SupplyVoltage",
    sensor.INSULATION: "PackIO_Insulation",
    sensor.COOLANT: "PackIO_CoolantTemperature",
}
PACK_SENSORS = {
    sensor.SHUNT_A: "Shunt_Current",
    sensor.PACK_V: "Shunt_PackVoltage",
    sensor.LINK_V: "Shunt_LinkVoltage",
    sensor.SHUNT_AH: "Shunt_ChargeCounter",
    sensor.SHUNT_DEGC: "Shunt_Temperature",
}
REQUESTS = ("Vehicle_ModeRequest", "Vehicle_FaultReset", "Vehicle_ChargerConnected")


def cell_signal(i: int) -> str:
    """Signal of cell i's voltage."""
    return f"CellVoltage_{i:03d}"


def ntc_signal(j: int) -> str:
    """Signal of NTC sensor j."""
    return f"CellTemperature_{j:02d}"
