"""Which sensor speaks through which signal: the cell monitor, the shunt, the I/O unit and the vehicle as one table."""

from __future__ import annotations

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.layout import Layout
from hil.errors import ScenarioError
from hil.names import LINES, PACK_SENSORS, REQUESTS, cell_signal, ntc_signal
from hil.plant import sensor


def index(layout: Layout, n_cells: int, n_ntc: int) -> I64:
    """Index vector of hil.plant.sensor for a layout. Raises ScenarioError when a cell or sensor has no signal."""
    rows = {name: n for n, name in enumerate(layout.signal_names)}
    needed = [cell_signal(i) for i in range(n_cells)] + [ntc_signal(j) for j in range(n_ntc)]
    missing = [name for name in needed if name not in rows]
    if missing:
        raise ScenarioError(*(f'the network lacks signal "{name}", which the pack needs' for name in missing))
    lines = [rows.get(LINES[n], -1) for n in range(sensor.FIRST_SENSOR)]
    pack = [rows.get(PACK_SENSORS[n], -1) for n in range(sensor.N_PACK_SENSORS)]
    return np.array(lines + [rows[name] for name in needed] + pack, np.int64)


def request_roles(layout: Layout) -> I64:
    """Signals of mode, reset and charger requests; -1 where the network has none."""
    rows = {name: n for n, name in enumerate(layout.signal_names)}
    return np.array([rows.get(name, -1) for name in REQUESTS], np.int64)
