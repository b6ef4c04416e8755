"""The vehicle or charger control: which mode it asks the BMS for, and when it asks for a fault reset."""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

# Columns of the request table: one row from its START_NS on until the next row's.
START_NS, MODE, RESET, CHARGER = range(4)
N_REQUEST_COLUMNS = 4
# Values of MODE.
STANDBY, DRIVE, CHARGE = range(3)


@kernel
def ask(t_ns: int, requests: I64, row: I64, roles: I64, values: F64) -> None:
    """Write the request that holds at t_ns into the sensed values.

    row: (1,) cursor, moved.  roles: (3,) signals of mode, reset, charger; -1 where the network has none.
    values: (pack, signal).
    """
    while row[0] + 1 < requests.shape[0] and requests[row[0] + 1, START_NS] <= t_ns:
        row[0] += 1
    for c in range(3):
        if roles[c] >= 0:
            for p in range(values.shape[0]):
                values[p, roles[c]] = requests[row[0], MODE + c]
