"""The obvious design, kept as the denominator of every speed figure.

NumPy over the cells in every step, cantools with its strict checks for every frame, autosar-e2e for the protection,
python-can's virtual bus to carry: what a good engineer would write first. It is fair:

- the same plant equations, tables, spread, sensor errors and noise samples; resistances refreshed once a second, one cell
  after another, on both sides, as in the emulator;
- the same network, schedule, bus timing, quantisation and E2E streams, both ways;
- the same filter, quantities, limit rows, current limits and mode machine, on the same calibration;
- the SOC of every cell equals the emulator's to 1e-9 (nabench bench asserts it before it takes the time).

It leaves out what a fault-free run does not need: faults and their observers, more than one string, kind of cell or pack,
loads other than a current, recordings, resets, and what the BMS foresees: the five frames of it are left out for both
(hil.speed.case.LEFT_OUT), though the emulator goes on computing what would be in them. All of that makes it faster, not slower.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import can
import numpy as np

from firmware_sim.state import Z
from firmware_sim.types import F64
from hil.dut.emulator import Emulator
from hil.names import LINES, PACK_SENSORS, REQUESTS, cell_signal, ntc_signal
from hil.pack_io import SILENCE_NS
from hil.plant import pack as pk
from hil.plant import sensor
from hil.setup import Setup

from . import wire
from .bms import Bms
from .plant import Pack, Sensors

_CHANNEL = itertools.count()

# What the truth says of a kind of cells that the pack has none of: highest and lowest voltage and temperature.
_NO_KIND = (math.nan,) * 4


class Baseline:
    """The closed loop of one pack and one BMS, moved tick by tick; `hops` are the calls of a tick, in order."""

    def __init__(self, setup: Setup, seed: int) -> None:
        """Take pack, network, calibration and inputs from a setup that was not run yet."""
        plant, network, inputs = setup.rig.plant, setup.network, setup.rig.inputs
        self.dt_ns, self.k, self.cells_every = plant.dt_ns, 0, setup.rig.cells_every
        self.requests = inputs.requests.tolist()
        channel, n_buses = f"nabench-baseline-{next(_CHANNEL)}", network.n_buses
        self.buses = wire.open_buses(channel, n_buses), wire.open_buses(channel, n_buses)
        self.free_ns = [0] * n_buses
        self.journal: list[can.Message] = []
        self.truth: list[tuple[float, ...]] = []
        self.samples: list[F64] = []
        incoming, outgoing = wire.frames(network.to_dut, network.database), wire.frames(network.from_dut, network.database)
        self.sender = wire.Sender(incoming, self.buses[0], self.free_ns, self.journal)
        self.receiver = wire.Receiver(outgoing, self.buses[0])
        self.values = wire.blank_values(incoming)
        self.pack, self.sensors = Pack(plant, inputs), Sensors(plant, seed)
        self.sensor_names = [cell_signal(i) for i in range(plant.n_cells)] + [ntc_signal(j) for j in range(len(plant.ntc))]
        self.sensor_names += [PACK_SENSORS[n] for n in range(sensor.N_PACK_SENSORS)]
        signals = [network.database.signal(name) for name in self.sensor_names]
        self.low, self.high = np.array([(s.minimum, s.maximum) for s in signals], float).T
        self.tolerance = 0.5 * np.array([s.scale for s in signals], float)
        self.last_command_ns = 0
        self.bms = Bms(setup.settings, network, self.dt_ns, self.buses[1], self.free_ns, self.journal)
        self.hops = {
            "1 plant": self.advance,
            "2 sense": self.sense,
            "3 encode and send": self.send,
            "4a receive and decode": self.bms.receive,
            "4b estimate and decide": self.bms.decide,
            "5 encode and send back": self.transmit,
            "6 receive, decode, obey": self.answer,
            "7 record": self.record,
        }

    @property
    def soc(self) -> F64:
        """The BMS's SOC of every cell."""
        return self.bms.filter.z.copy()

    @property
    def state(self) -> int:
        """The BMS's mode."""
        return self.bms.mode.state

    def tick(self) -> None:
        """One tick."""
        self.advance()
        self.sense()
        self.send()
        self.bms.receive()
        self.bms.decide()
        self.transmit()
        self.answer()
        self.record()

    def run(self, n_ticks: int) -> None:
        """Run n_ticks."""
        for _ in range(n_ticks):
            self.tick()

    def advance(self) -> None:
        """Move the plant to this tick."""
        if self.k > 0:
            self.pack.step((self.k - 1) * self.dt_ns)

    def sense(self) -> None:
        """Sample sensors, digital lines and the request."""
        values, pack = self.values, self.pack
        reading = self.sensors.read(self.k, pack)
        inside = np.minimum(np.maximum(reading, self.low), self.high)
        values.update(zip(self.sensor_names, inside.tolist(), strict=True))
        for n in np.flatnonzero(np.abs(reading - inside) > self.tolerance):
            values[self.sensor_names[n]] = "error"
        for line, contactor in zip((sensor.MAIN_PLUS, sensor.MAIN_MINUS, sensor.PRECHARGE), pack.contactors, strict=True):
            values[LINES[line]] = contactor.closed
        values[LINES[sensor.HVIL]], values[LINES[sensor.EMERGENCY]] = 1, 1
        values[LINES[sensor.SUPPLY]] = pack.pack_par[pk.SUPPLY_V]
        values[LINES[sensor.INSULATION]] = pack.pack_par[pk.INSULATION_KOHM]
        values[LINES[sensor.COOLANT]] = pack.pack_par[pk.COOLANT_DEGC]
        row = next(row for row in reversed(self.requests) if row[0] <= self.k * self.dt_ns)
        values.update(zip(REQUESTS, row[1:], strict=True))

    def send(self) -> None:
        """Send the frames of monitors, shunt, I/O unit and vehicle that are due."""
        t_ns = self.k * self.dt_ns
        self.sender.send(t_ns, self.sender.due(t_ns), self.values)

    def transmit(self) -> None:
        """The BMS sends when its task, and so the tick, ends."""
        self.bms.transmit((self.k + 1) * self.dt_ns)

    def answer(self) -> None:
        """Take the BMS's frames; the I/O unit drives the coils, the charger takes its limit."""
        t_ns = (self.k + 1) * self.dt_ns
        commanded = False
        for frame, values, right, end_s in self.receiver.take():
            if frame.message.name == "BMS_Contactors" and right:
                commanded, end_ns = True, round(end_s * 1e9)
                self.last_command_ns = end_ns
                for name, contactor in zip(frame.names, self.pack.contactors, strict=True):
                    contactor.drive(int(wire.number(values[name]) == 1), end_ns)
            elif frame.message.name == "BMS_Limits" and right:
                limit: Any = values["BMS_ChargeCurrentLimit"]
                self.pack.charge_limit_A = limit if wire.is_value(limit) else 0.0
        if not commanded and t_ns - self.last_command_ns >= SILENCE_NS:
            for contactor in self.pack.contactors:
                contactor.drive(0, t_ns)

    def record(self) -> None:
        """Write the truth of this tick and go to the next."""
        pack = self.pack
        soc = pack.q_Ah / pack.capacity_Ah
        available = 1.0 - (1.0 - soc) / pack.reach
        low, high = float(soc.min()), float(soc.max())
        extremes = [float(edge) for row in (pack.terminal_V, pack.temp_degC) for edge in (row.max(), row.min())]
        self.truth.append(
            (
                pack.current_A,
                pack.mean_A,
                pack.load_A,
                pack.charge_Ah,
                pack.pack_V,
                pack.link_V,
                *extremes,
                low / (1.0 - high + low),
                low,
                high,
                float(available.min()),
                *(c.closed for c in pack.contactors),
                *(c.coil for c in pack.contactors),
                *(c.changed_ns for c in pack.contactors),
                0.0,  # gas: nothing burns
                pack.mean_A,  # of the only string
                pack.mean_A,
                0.0,  # plated: the bench's cell is not charged
                0.0,  # capacity lost in so short a time
                *extremes,  # of the only kind of cells; there is no second and third
                *_NO_KIND,
                *_NO_KIND,
            )  # fmt: skip
        )
        if self.k % self.cells_every == 0:
            self.samples.append(np.array((pack.terminal_V, pack.temp_degC, soc)))
        self.k += 1

    def forget(self) -> None:
        """Drop what was recorded, so that a long measurement does not fill the memory."""
        self.journal.clear()
        self.truth.clear()
        self.samples.clear()

    def close(self) -> None:
        """Close the buses."""
        for bus in (*self.buses[0], *self.buses[1]):
            bus.shutdown()


def soc_of(emulator: Emulator) -> F64:
    """SOC of every cell as the emulator believes it."""
    return emulator.state.cell[Z, 0].copy()
