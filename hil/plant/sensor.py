"""What the sensors make of the plant: gain, offset, noise, quantisation; written in the order of the wire's signals.

A sensor without a signal in this network is not read. Noise comes as indices into a table of Gaussian quantiles, drawn
outside (hil.noise), so that a kernel holds no random state.
"""

from __future__ import annotations

import math

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64, U16
from hil.plant import contactor
from hil.plant import pack as pk
from hil.plant.cell import TEMP_DEGC, TERMINAL_V

# Rows of the sensor parameter block, (row, pack, sensor): reading = quantised(physical * GAIN + OFFSET + SIGMA * noise).
GAIN, OFFSET, SIGMA, STEP = range(4)
N_SENSOR_PARAMETERS = 4
# Sensors in order: one a cell, one an NTC, then these.
SHUNT_A, PACK_V, LINK_V, SHUNT_AH, SHUNT_DEGC = range(5)
N_PACK_SENSORS = 5
# Index vector: signal of each digital input, then of each sensor in the order above; -1 where the network has none.
MAIN_PLUS, MAIN_MINUS, PRECHARGE, HVIL, EMERGENCY, SUPPLY, INSULATION, COOLANT, FIRST_SENSOR = range(9)

_HALF_EVEN = 6755399441055744.0


@inlined
def _store(values: F64, sensor: F64, gauss: F64, noise: U16, index: I64, p: int, j: int, physical: float) -> None:
    at = index[FIRST_SENSOR + j]
    if at >= 0:
        x = physical * sensor[GAIN, p, j] + sensor[OFFSET, p, j] + sensor[SIGMA, p, j] * gauss[noise[p, j]]
        step = sensor[STEP, p, j]
        if step > 0.0 and math.fabs(x) < 1e9 * step:
            x = ((x / step + _HALF_EVEN) - _HALF_EVEN) * step
        values[p, at] = x


@inlined
def _store_digital(values: F64, index: I64, p: int, line: int, value: float) -> None:
    at = index[line]
    if at >= 0:
        values[p, at] = value


@kernel
def read(
    cells: F64,
    pack: F64,
    pack_par: F64,
    block: I64,
    sensor: F64,
    ntc: I64,
    gauss: F64,
    noise: U16,
    index: I64,
    values: F64,
) -> None:
    """Take one sample of every sensor.

    cells, pack, pack_par, block: plant.  sensor: parameters.  ntc: (n_ntc,) cell on which each NTC sits, counted through
    the strings.  gauss: (65536,) quantiles; noise: (pack, sensor) indices into it.  index: see above.
    values: (pack, signal) physical values in the order of the layout, written.
    """
    n_cells = cells.shape[3]
    n_sensed = cells.shape[2] * n_cells
    for p in range(cells.shape[1]):
        for s in range(cells.shape[2]):
            for i in range(n_cells):
                _store(values, sensor, gauss, noise, index, p, s * n_cells + i, cells[TERMINAL_V, p, s, i])
        for j in range(ntc.shape[0]):
            at = ntc[j]
            _store(values, sensor, gauss, noise, index, p, n_sensed + j, cells[TEMP_DEGC, p, at // n_cells, at % n_cells])
        j = n_sensed + ntc.shape[0]
        _store(values, sensor, gauss, noise, index, p, j + SHUNT_A, pack[pk.MEAN_A, p])
        _store(values, sensor, gauss, noise, index, p, j + PACK_V, pack[pk.PACK_V, p])
        _store(values, sensor, gauss, noise, index, p, j + LINK_V, pack[pk.LINK_V, p])
        _store(values, sensor, gauss, noise, index, p, j + SHUNT_AH, pack[pk.CHARGE_AH, p])
        _store(values, sensor, gauss, noise, index, p, j + SHUNT_DEGC, pack_par[pk.COOLANT_DEGC, p])
        _store_digital(values, index, p, MAIN_PLUS, block[contactor.CLOSED, p, contactor.MAIN_PLUS])
        _store_digital(values, index, p, MAIN_MINUS, block[contactor.CLOSED, p, contactor.MAIN_MINUS])
        _store_digital(values, index, p, PRECHARGE, block[contactor.CLOSED, p, contactor.PRECHARGE])
        _store_digital(values, index, p, HVIL, pack_par[pk.HVIL, p])
        _store_digital(values, index, p, EMERGENCY, pack_par[pk.EMERGENCY, p])
        _store_digital(values, index, p, SUPPLY, pack_par[pk.SUPPLY_V, p])
        _store_digital(values, index, p, INSULATION, pack_par[pk.INSULATION_KOHM, p])
        _store_digital(values, index, p, COOLANT, pack_par[pk.COOLANT_DEGC, p])
