"""A recording in place of cell 0: its measured voltage, current and temperature, sample by sample.

The other cells, contactors and link are simulated at the recorded current. Between samples the last one holds. Where the
recording has no temperature, cell 0 warms as the plant's cell does at that current in the stated surroundings.
"""

from __future__ import annotations

import math

from firmware_sim.jit import kernel
from firmware_sim.types import F64
from hil.plant import pack as pk
from hil.plant.cell import CAPACITY_AH, Q_AH, TEMP_DEGC, TERMINAL_V

# Columns of a recording, (sample, column). TIME_S: since the run began, rising.  DEGC: NaN where it was not logged.  SOC: the
# reference, NaN where there is none.
TIME_S, VOLT, AMPS, DEGC, SOC = range(5)
N_REPLAY_COLUMNS = 5


@kernel
def seek(replay: F64, pack: F64, t_s: float) -> None:
    """Move the cursor to the sample that holds at t_s and give its current to the load."""
    n = replay.shape[0]
    if n == 0:
        return
    row = int(pack[pk.REPLAY_ROW, 0])
    while row + 1 < n and replay[row + 1, TIME_S] <= t_s:
        row += 1
    started = replay[0, TIME_S] <= t_s
    for p in range(pack.shape[1]):
        pack[pk.REPLAY_ROW, p] = row
        pack[pk.REPLAY_A, p] = replay[row, AMPS] if started else 0.0


@kernel
def impose(replay: F64, cells: F64, par: F64, pack: F64) -> None:
    """Put the recorded voltage, temperature and reference SOC over those of cell 0."""
    if replay.shape[0] == 0:
        return
    for p in range(cells.shape[1]):
        row = int(pack[pk.REPLAY_ROW, p])
        pack[pk.PACK_V, p] += replay[row, VOLT] - cells[TERMINAL_V, p, 0, 0]
        cells[TERMINAL_V, p, 0, 0] = replay[row, VOLT]
        if not math.isnan(replay[row, DEGC]):
            cells[TEMP_DEGC, p, 0, 0] = replay[row, DEGC]
        if not math.isnan(replay[row, SOC]):
            cells[Q_AH, p, 0, 0] = replay[row, SOC] * par[CAPACITY_AH, p, 0, 0]
