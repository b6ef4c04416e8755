"""What a perfect instrument would read, one row a tick: the plant's side of the trace."""

from __future__ import annotations

import math

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64
from hil.plant import cell as c
from hil.plant import contactor as k
from hil.plant import pack as pk

# Extremes of each kind of cell are told apart, because their limits differ.
_EXTREMES = (("cell_voltage", "V"), ("temperature", "degC"))
COLUMNS = (
    ("current", "A"),
    ("mean_current", "A"),
    ("load_current", "A"),
    ("charge", "Ah"),
    ("pack_voltage", "V"),
    ("link_voltage", "V"),
    ("cell_voltage_max", "V"),
    ("cell_voltage_min", "V"),
    ("temperature_max", "degC"),
    ("temperature_min", "degC"),
    ("soc", "1"),
    ("soc_min", "1"),
    ("soc_max", "1"),
    ("available_soc", "1"),
    ("main_plus", "1"),
    ("main_minus", "1"),
    ("precharge", "1"),
    ("main_plus_coil", "1"),
    ("main_minus_coil", "1"),
    ("precharge_coil", "1"),
    ("main_plus_changed", "ns"),
    ("main_minus_changed", "ns"),
    ("precharge_changed", "ns"),
    ("gas", "mol"),
    ("string_current_max", "A"),
    ("string_current_min", "A"),
    ("plated", "Ah"),
    ("capacity_lost", "1"),
    *((f"{kind}_{quantity}_{side}", unit) for kind in c.KIND_NAMES for quantity, unit in _EXTREMES for side in ("max", "min")),
)
(
    CURRENT, MEAN_CURRENT, LOAD_CURRENT, CHARGE, PACK_V, LINK_V, CELL_MAX, CELL_MIN, TEMP_MAX, TEMP_MIN, SOC, SOC_MIN, SOC_MAX,
    AVAILABLE, PLUS, MINUS, PRE, PLUS_COIL, MINUS_COIL, PRE_COIL, PLUS_NS, MINUS_NS, PRE_NS, GAS, STRING_MAX,
    STRING_MIN, PLATED, LOST, FIRST_KIND,
) = range(29)  # fmt: skip
# After FIRST_KIND: highest and lowest voltage, highest and lowest temperature of each kind.
N_COLUMNS = FIRST_KIND + 4 * len(c.KIND_NAMES)
_N_KINDS = len(c.KIND_NAMES)
# Rows of a cell sample, (row, cell).
CELL_V, CELL_DEGC, CELL_SOC = range(3)
# Blocks of plant parameters.
CELL_BLOCK, PACK_BLOCK, SENSOR_BLOCK, CONTACTOR_BLOCK = range(4)
CELL_COLUMNS = (("cell_voltage", "V"), ("cell_temperature", "degC"), ("cell_soc", "1"))


@kernel
def observe(
    cells: F64, par: F64, strings: F64, pack: F64, pack_par: F64, block: I64, row: F64, sample: F64, with_cells: bool
) -> None:
    """Write one row of truth of pack 0. row: (n_columns,).  sample: (3, n_cells), written when with_cells.

    A group of cells in parallel counts as one cell: its common voltage, the charge of all over the capacity of all, the
    temperature of its hottest. SOC of the pack is that of an ideal observer: a / (1 - b + a) with the emptiest cell a and
    the fullest b. Where kinds are mixed it is held / (held + room), with the least charge and the least room that a cell of a
    string has [Ah], summed over strings of unlike cells; of alike ones the
    worst counts. A reversed cell counts as empty, an overcharged one as full.
    """
    high_V, low_V, hot, cold, low, high, available, gas_mol = -1e9, 1e9, -1e9, 1e9, 2.0, -1.0, 2.0, 0.0
    parallel = int(pack_par[pk.PARALLEL, 0])
    n = cells.shape[3] // parallel
    held_Ah, room_Ah, worst_Ah, worst_room_Ah, is_mixed, is_unlike = 0.0, 0.0, 1e9, 1e9, False, False
    plated_Ah, lost = 0.0, 0.0
    for kind in range(_N_KINDS):
        at = FIRST_KIND + 4 * kind
        row[at], row[at + 1], row[at + 2], row[at + 3] = -1e9, 1e9, -1e9, 1e9
    for s in range(cells.shape[2]):
        least_Ah, least_room_Ah = 1e9, 1e9
        for i in range(n):
            first = i * parallel
            q_Ah, capacity_Ah, warmest, coldest, reach = 0.0, 0.0, -1e9, 1e9, 1.0
            for j in range(first, first + parallel):
                temp_degC = cells[c.TEMP_DEGC, 0, s, j]
                q_Ah += cells[c.Q_AH, 0, s, j]
                capacity_Ah += c.capacity_Ah(cells, par, 0, s, j)
                warmest, coldest = max(warmest, temp_degC), min(coldest, temp_degC)
                reach = min(reach, cells[c.REACH, 0, s, j])
                gas_mol += cells[c.GAS_MOL, 0, s, j]
                plated_Ah = max(plated_Ah, cells[c.PLATED_AH, 0, s, j])
                lost = max(lost, cells[c.AGE_CALENDAR, 0, s, j] + cells[c.AGE_CYCLE, 0, s, j])
            volt = cells[c.TERMINAL_V, 0, s, first]
            soc = q_Ah / capacity_Ah
            bounded = min(max(soc, 0.0), 1.0)  # a reversed or overcharged cell is empty or full
            high_V, low_V = max(high_V, volt), min(low_V, volt)
            hot, cold = max(hot, warmest), min(cold, coldest)
            own = FIRST_KIND + 4 * int(par[c.KIND, 0, s, first])
            row[own], row[own + 1] = max(row[own], volt), min(row[own + 1], volt)
            row[own + 2], row[own + 3] = max(row[own + 2], warmest), min(row[own + 3], coldest)
            low, high = min(low, bounded), max(high, bounded)
            least_Ah = min(least_Ah, bounded * capacity_Ah)
            least_room_Ah = min(least_room_Ah, (1.0 - bounded) * capacity_Ah)
            is_mixed = is_mixed or par[c.KIND, 0, s, first] > 0.5
            is_unlike = is_unlike or par[c.KIND, 0, s, first] != par[c.KIND, 0, 0, first]
            available = min(available, max(1.0 - (1.0 - bounded) / reach, 0.0))
            if with_cells:
                at = s * n + i
                sample[CELL_V, at], sample[CELL_DEGC, at], sample[CELL_SOC, at] = volt, warmest, soc
        held_Ah, room_Ah = held_Ah + least_Ah, room_Ah + least_room_Ah
        worst_Ah, worst_room_Ah = min(worst_Ah, least_Ah), min(worst_room_Ah, least_room_Ah)
    if not is_unlike:
        held_Ah, room_Ah = worst_Ah, worst_room_Ah
    for kind in range(_N_KINDS):
        at = FIRST_KIND + 4 * kind
        if row[at] < row[at + 1]:  # there is no such kind in this pack
            row[at], row[at + 1], row[at + 2], row[at + 3] = math.nan, math.nan, math.nan, math.nan
    row[GAS], row[PLATED], row[LOST] = gas_mol, plated_Ah, lost
    row[STRING_MAX] = row[STRING_MIN] = strings[pk.STRING_MEAN_A, 0, 0]
    for s in range(1, cells.shape[2]):
        row[STRING_MAX] = max(row[STRING_MAX], strings[pk.STRING_MEAN_A, 0, s])
        row[STRING_MIN] = min(row[STRING_MIN], strings[pk.STRING_MEAN_A, 0, s])
    row[CURRENT], row[MEAN_CURRENT], row[LOAD_CURRENT] = pack[pk.CURRENT_A, 0], pack[pk.MEAN_A, 0], pack[pk.LOAD_A, 0]
    row[CHARGE], row[PACK_V], row[LINK_V] = pack[pk.CHARGE_AH, 0], pack[pk.PACK_V, 0], pack[pk.LINK_V, 0]
    row[CELL_MAX], row[CELL_MIN], row[TEMP_MAX], row[TEMP_MIN] = high_V, low_V, hot, cold
    row[SOC_MIN], row[SOC_MAX], row[AVAILABLE] = low, high, available
    if is_mixed:
        low, high = held_Ah, held_Ah + room_Ah
    else:
        high = 1.0 - high + low
    row[SOC] = low / high if low > 0.0 else 0.0
    for n_contactor in range(k.N_CONTACTORS):
        row[PLUS + n_contactor] = block[k.CLOSED, 0, n_contactor]
        row[PLUS_COIL + n_contactor] = block[k.COIL, 0, n_contactor]
        row[PLUS_NS + n_contactor] = block[k.CHANGED_NS, 0, n_contactor]


@kernel
def read_back(addresses: I64, par: F64, pack_par: F64, sensors: F64, block: I64, row: F64) -> None:
    """Copy plant parameters of pack 0 as they stand. addresses: (n, 3), block number, row, index; row: (n,), written."""
    for n in range(addresses.shape[0]):
        which, r, at = addresses[n, 0], addresses[n, 1], addresses[n, 2]
        if which == CELL_BLOCK:
            row[n] = par[r, 0, at // par.shape[3], at % par.shape[3]]
        elif which == PACK_BLOCK:
            row[n] = pack_par[r, 0]
        elif which == SENSOR_BLOCK:
            row[n] = sensors[r, 0, at]
        else:
            row[n] = block[r, 0, at]
