"""Pack values from the cells' estimates."""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64


@kernel
def summarise(cell: F64, p: int, r: F64, stretches: I64, real: F64, kinds: F64, strings: int) -> None:
    """Pack values from the cells' estimates.

    A string is empty when its first cell is and full when its first cell is: with the least charge that a cell holds, and
    the least room that a cell has, SOC = held / (room + held). Both are charges, because cells of another kind have another
    capacity. Charge and room of unlike strings add up; alike ones count as the worst of them. SOC_MIN and SOC_MAX are
    those of single cells. Available is what can be reached of the charge: in the cold, and beside strings whose voltage
    limits come first. The band is that of the least certain cell.
    """
    low, high, widest, available = 2.0, -1.0, 0.0, 2.0
    held, room, left, reachable_room = 0.0, 0.0, 0.0, 0.0  # in capacities of kind 0
    sources = stretches[stretches.shape[0] - 1, cfg.STRING] + 1
    for s in range(sources):
        least_held, least_room, least_left, least_reachable_room = 1e9, 1e9, 1e9, 1e9
        for n in range(stretches.shape[0]):
            if stretches[n, cfg.STRING] != s:
                continue
            k = stretches[n, cfg.KIND]
            empty, full = kinds[k, cfg.EMPTY_SOC], kinds[k, cfg.FULL_SOC]
            for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                z = min(max(cell[st.Z, p, i], 0.0), 1.0)
                cell[st.Z_OUT, p, i] = z
                low, high = min(low, z), max(high, z)
                widest = max(widest, cell[st.BAND, p, i])
                reach = cell[st.REACH, p, i]
                reachable = max(min(z - 1.0 + reach, z - empty), 0.0)
                cell[st.AVAILABLE, p, i] = reachable / reach
                available = min(available, reachable / reach)
                capacity = kinds[k, cfg.CAPACITY_SHARE] * cell[st.CAPACITY, p, i]
                least_held = min(least_held, z * capacity)
                least_room = min(least_room, (1.0 - z) * capacity)
                least_left = min(least_left, reachable * capacity)
                least_reachable_room = min(least_reachable_room, max(full - z, 0.0) * capacity)
        held += least_held
        room += least_room
        left += least_left
        reachable_room += least_reachable_room
    if kinds.shape[0] > 1:
        available = left / (reachable_room + left) if left > 0.0 else 0.0
    r[st.SOC_MIN, p] = low
    r[st.SOC_MAX, p] = high
    r[st.SOC, p] = held / (room + held) if held > 0.0 else 0.0
    r[st.SOC_BAND, p] = widest
    r[st.SOC_AVAILABLE, p] = available
    r[st.REMAINING_AH, p] = left * kinds[0, cfg.CAPACITY_AH] * (strings // sources)


@kernel
def band(cell: F64, p: int, i: int, real: F64) -> None:
    """Half width of the 95 % band of cell i: 1.96 standard deviations, with what the filter cannot know of its own error.

    BAND_SHARE of the filter's own deviation counts, because its noises are those that make the estimate best and not its
    variance true; until a voltage has corrected it, all of what it was told.  BAND_FLOOR is a share of SOC; BAND_V an error
    of the curve that comes back whenever SOC does, worth more where it is flat; BAND_PER_K what each kelvin below COLD_DEGC
    adds, where reach and resistance are known least.
    """
    share = real[cfg.BAND_SHARE] if cell[st.SINCE_S, p, i] < belief.NEVER_S else 1.0
    cold = real[cfg.BAND_PER_K] * max(real[cfg.COLD_DEGC] - belief.core_degC(cell, p, i), 0.0)
    var = share * share * cell[st.P, p, i] + real[cfg.BAND_FLOOR] * real[cfg.BAND_FLOOR] + cold * cold
    if cell[st.SLOPE_V, p, i] > 0.0:
        curve = real[cfg.BAND_V] / cell[st.SLOPE_V, p, i]
        var += curve * curve
    var = max(var, cell[st.TOLD, p, i] * cell[st.TOLD, p, i])
    cell[st.BAND, p, i] = min(1.96 * math.sqrt(var), 1.0)
