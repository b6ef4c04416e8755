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

# Where the pack's sensors (but the shunt's temperature) and the lines behind the contactors read.
_PACK_ROWS = (pk.MEAN_A, pk.PACK_V, pk.LINK_V, pk.CHARGE_AH)
_LINE_ROWS = (pk.HVIL, pk.EMERGENCY, pk.SUPPLY_V, pk.INSULATION_KOHM, pk.COOLANT_DEGC)

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

    cells, pack, pack_par, block: plant.  sensor: parameters.  ntc: (n_ntc,) group of cells on whose first each NTC sits,
    counted through the strings.  gauss: (65536,) quantiles; noise: (pack, sensor) indices into it.  index: see above.
    values: (pack, signal) physical values in the order of the layout, written.
    """
    for p in range(cells.shape[1]):
        parallel = int(pack_par[pk.PARALLEL, p])
        series = cells.shape[3] // parallel
        n_sensed = cells.shape[2] * series
        for s in range(cells.shape[2]):
            for i in range(series):
                _store(values, sensor, gauss, noise, index, p, s * series + i, cells[TERMINAL_V, p, s, i * parallel])
        for j in range(ntc.shape[0]):
            at = ntc[j]
            temp_degC = cells[TEMP_DEGC, p, at // series, at % series * parallel]
            _store(values, sensor, gauss, noise, index, p, n_sensed + j, temp_degC)
        first = n_sensed + ntc.shape[0]
        for j in range(N_PACK_SENSORS):
            physical = pack[_PACK_ROWS[j], p] if j < SHUNT_DEGC else pack_par[pk.COOLANT_DEGC, p]
            _store(values, sensor, gauss, noise, index, p, first + j, physical)
        for line in range(FIRST_SENSOR):
            at = index[line]
            if at >= 0 and line < HVIL:
                values[p, at] = block[contactor.CLOSED, p, line]
            elif at >= 0:
                values[p, at] = pack_par[_LINE_ROWS[line - HVIL], p]
