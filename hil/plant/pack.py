"""One pack in one tick: strings of groups of cells, contactors, DC link, load.

Cells in parallel form a group, groups in series a string, strings in parallel the pack. Seen from its terminals a string is
a source with EMF and resistance; so is a group, and so is a cell, with its RC pairs as they will be at the end of the tick.
Sources in parallel combine to one without a time-step limit. Behind the contactors stands the link capacitor with its bleed
resistor. Its voltage is solved exactly between the instants at which a contact moves, so the charge that leaves the cells is
the charge that the load and the capacitor receive. Positive current discharges.
"""

from __future__ import annotations

import math

from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64
from hil.plant import abuse, cell, contactor, drift, load, thermal
from hil.plant.cell import TERMINAL_V

# Rows of the pack state block, (row, pack).
CURRENT_A, MEAN_A, PACK_V, LINK_V, CHARGE_AH, LOAD_A, LOAD_ROW, CHARGE_LIMIT_A, REPLAY_ROW, REPLAY_A, PULSE_LIMIT_A = range(11)
N_PACK_ROWS = 11
# Rows of the pack parameter block, (row, pack). All are faults' targets too.
# CLAMP_V: highest voltage to which a source behind the contactors can raise the link.  PARALLEL: cells of a group.
(
    CONTACT_OHM, PRECHARGE_OHM, LINK_F, BLEED_S, BUSBAR_OHM, COOLANT_DEGC, INSULATION_KOHM, HVIL, SUPPLY_V, EMERGENCY, OBEYS,
    CLAMP_V, PARALLEL,
) = range(13)  # fmt: skip
N_PACK_PARAMETERS = 13
# Rows of the string state block, (row, pack, string).
STRING_EMF_V, STRING_OHM, STRING_A, STRING_MEAN_A = range(4)
N_STRING_ROWS = 4

_OPEN_OHM = 1e12


@kernel
def collect(cells: F64, par: F64, strings: F64, pack_par: F64, p: int) -> None:
    """Sum each string's groups of cells to one source for the coming tick, with the parameters as they are now."""
    parallel = int(pack_par[PARALLEL, p])
    for s in range(cells.shape[2]):
        string_V, source_ohm = 0.0, pack_par[BUSBAR_OHM, p]
        for i in range(0, cells.shape[3], parallel):
            emf_V, ohm = cell.group_source(cells, par, p, s, i, parallel)
            string_V += emf_V
            source_ohm += ohm
        strings[STRING_EMF_V, p, s] = string_V
        strings[STRING_OHM, p, s] = source_ohm


@kernel
def add_up(cells: F64, pack: F64, pack_par: F64, p: int) -> None:
    """The voltage of the pack: that of the cells of string 0."""
    pack_V = 0.0
    for i in range(0, cells.shape[3], int(pack_par[PARALLEL, p])):
        pack_V += cells[TERMINAL_V, p, 0, i]
    pack[PACK_V, p] = pack_V


@kernel
def foresee(
    t_ns: int, demand: F64, cells: F64, par: F64, strings: F64, pack: F64, pack_par: F64, block: I64, curves: F64, p: int
) -> None:
    """Before a step of the load, take the resistance that kinetics have at the current to come.

    The resistance of the last tick's current would make the link dip, or leap, for the one tick of a step.
    """
    if block[contactor.CLOSED, p, contactor.MAIN_PLUS] == 0 or block[contactor.CLOSED, p, contactor.MAIN_MINUS] == 0:
        return
    row, now_A = load.seek(demand, int(pack[LOAD_ROW, p]), t_ns), pack[MEAN_A, p]
    then_A = load.foreseen_current(demand, row, pack[PACK_V, p], pack[REPLAY_A, p], now_A)
    if math.fabs(then_A - now_A) < 0.05 * max(math.fabs(then_A), math.fabs(now_A)):
        return
    for s in range(cells.shape[2]):
        string_A = strings[STRING_MEAN_A, p, s] + (then_A - now_A) / cells.shape[2]
        cell.foresee(cells, par, curves, p, s, int(pack_par[PARALLEL, p]), string_A)


@kernel
def path_ohm(block: I64, pack_par: F64, p: int) -> float:
    """Resistance between cells and link as the contacts stand."""
    if block[contactor.CLOSED, p, contactor.MAIN_MINUS] == 0:
        return _OPEN_OHM
    plus_S = 0.0
    if block[contactor.CLOSED, p, contactor.MAIN_PLUS] == 1:
        plus_S += 1.0 / pack_par[CONTACT_OHM, p]
    if block[contactor.CLOSED, p, contactor.PRECHARGE] == 1:
        plus_S += 1.0 / pack_par[PRECHARGE_OHM, p]
    return 1.0 / plus_S + pack_par[CONTACT_OHM, p] if plus_S > 0.0 else _OPEN_OHM


@kernel
def circuit(t_ns: int, dt_ns: int, demand: F64, strings: F64, pack: F64, pack_par: F64, block: I64, p: int) -> None:
    """Solve currents and link voltage over [t, t + dt), contact by contact.

    C dV/dt = (emf - V) / R - G V - I_load, exact for constant emf and I_load between two contact movements.
    """
    total_S, total_A = 0.0, 0.0
    for s in range(strings.shape[2]):
        total_S += 1.0 / strings[STRING_OHM, p, s]
        total_A += strings[STRING_EMF_V, p, s] / strings[STRING_OHM, p, s]
    emf_V, source_ohm = total_A / total_S, 1.0 / total_S

    row = load.seek(demand, int(pack[LOAD_ROW, p]), t_ns)
    pack[LOAD_ROW, p] = row
    limit_A = pack[CHARGE_LIMIT_A, p] if pack_par[OBEYS, p] > 0.5 else 1e9
    capacity_F = pack_par[LINK_F, p]
    charge_As, load_As = 0.0, 0.0
    end_A = 0.0
    at_ns = t_ns
    while at_ns < t_ns + dt_ns:
        contactor.settle(block, p, at_ns)
        until_ns = min(contactor.next_move(block, p), t_ns + dt_ns)
        span_s = (until_ns - at_ns) * 1e-9
        wire_ohm = path_ohm(block, pack_par, p)
        ohm = source_ohm + wire_ohm
        is_on = wire_ohm < _OPEN_OHM and block[contactor.CLOSED, p, contactor.MAIN_PLUS] == 1
        load_A, load_S = 0.0, pack_par[BLEED_S, p]
        if is_on or demand[row, load.ALWAYS] > 0.5:
            load_A = load.link_current(demand, row, emf_V, ohm, limit_A, pack[REPLAY_A, p], pack[PULSE_LIMIT_A, p])
            load_S += load.conductance(demand, row)
        total = 1.0 / ohm + load_S
        steady_V = (emf_V / ohm - load_A) / total
        start_V = pack[LINK_V, p]
        left = exp(-span_s * total / capacity_F)
        link_V = steady_V + (start_V - steady_V) * left
        if link_V < 0.0 and load_A > 0.0:
            # diodes keep the link from going below zero: the load draws what brings it there, and no more
            steady_V = -start_V * left / (1.0 - left)
            load_A = emf_V / ohm - steady_V * total
            link_V = 0.0
        elif link_V > pack_par[CLAMP_V, p] and load_A < 0.0:
            # a clamp keeps a source that has lost its battery from raising the link further (load dump)
            steady_V = (pack_par[CLAMP_V, p] - start_V * left) / (1.0 - left)
            load_A = emf_V / ohm - steady_V * total
            link_V = pack_par[CLAMP_V, p]
        mean_V = steady_V + (start_V - link_V) * capacity_F / (total * span_s)
        charge_As += (emf_V - mean_V) / ohm * span_s
        load_As += load_A * span_s
        end_A = (emf_V - link_V) / ohm
        pack[LINK_V, p] = link_V
        at_ns = until_ns
    contactor.settle(block, p, at_ns)

    dt_s = dt_ns * 1e-9
    mean_A = charge_As / dt_s
    terminal_mean_V = emf_V - source_ohm * mean_A
    terminal_end_V = emf_V - source_ohm * end_A
    for s in range(strings.shape[2]):
        strings[STRING_MEAN_A, p, s] = (strings[STRING_EMF_V, p, s] - terminal_mean_V) / strings[STRING_OHM, p, s]
        strings[STRING_A, p, s] = (strings[STRING_EMF_V, p, s] - terminal_end_V) / strings[STRING_OHM, p, s]
    pack[MEAN_A, p] = mean_A
    pack[CURRENT_A, p] = end_A
    pack[LOAD_A, p] = load_As / dt_s
    pack[CHARGE_AH, p] += charge_As / 3600.0


@kernel
def step(
    t_ns: int,
    dt_ns: int,
    demand: F64,
    cells: F64,
    par: F64,
    strings: F64,
    pack: F64,
    pack_par: F64,
    block: I64,
    curves: F64,
    ln_r: F64,
    nodes: F64,
    decay: F64,
) -> None:
    """Move all packs from t to t + dt.

    demand: see load.  cells, par: cell blocks.  strings, pack, pack_par: see above.  block: contactors.
    curves, ln_r, nodes: tables of the cell kinds.  decay: (kind, 3), exp(-dt / tau) of the RC pairs.
    """
    dt_s = dt_ns * 1e-9
    every = max(1_000_000_000 // dt_ns, 1)
    for p in range(cells.shape[1]):
        foresee(t_ns, demand, cells, par, strings, pack, pack_par, block, curves, p)
        collect(cells, par, strings, pack_par, p)
        circuit(t_ns, dt_ns, demand, strings, pack, pack_par, block, p)
        row = int(pack[LOAD_ROW, p])
        coolant_degC = pack_par[COOLANT_DEGC, p] + demand[row, load.COOLANT_SHIFT_K]
        heater_W = demand[row, load.HEATER_W] / (cells.shape[2] * cells.shape[3])
        parallel = int(pack_par[PARALLEL, p])
        for s in range(cells.shape[2]):
            for i in range(int((t_ns // dt_ns) % every), cells.shape[3], every):
                drift.refresh(cells, par, curves, ln_r, nodes, p, s, i, every * dt_s)
            mean_A, end_A = strings[STRING_MEAN_A, p, s], strings[STRING_A, p, s]
            cell.advance(cells, par, curves, nodes, p, s, parallel, mean_A, end_A, dt_s, decay)
            abuse.step(cells, par, nodes, p, s, dt_s)
            thermal.step(cells, par, nodes, p, s, coolant_degC, demand[row, load.FLOW], heater_W, dt_s)
        add_up(cells, pack, pack_par, p)


@kernel
def settle(
    cells: F64, par: F64, strings: F64, pack: F64, pack_par: F64, curves: F64, ln_r: F64, nodes: F64, decay: F64
) -> None:
    """Fill all derived rows of a fresh state: tables, voltages, sources."""
    for p in range(cells.shape[1]):
        parallel = int(pack_par[PARALLEL, p])
        for s in range(cells.shape[2]):
            for i in range(cells.shape[3]):
                drift.refresh(cells, par, curves, ln_r, nodes, p, s, i, 0.0)
            # twice: the groups' common voltage follows from the EMF and resistance of each cell
            cell.advance(cells, par, curves, nodes, p, s, 1, 0.0, 0.0, 0.0, decay)
            if parallel > 1:
                cell.advance(cells, par, curves, nodes, p, s, parallel, 0.0, 0.0, 0.0, decay)
        collect(cells, par, strings, pack_par, p)
        add_up(cells, pack, pack_par, p)
