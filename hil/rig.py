"""The rig: plant, wire and fault blocks of a run, and the bench's stages over them.

A rig has no device. It offers the frames of a tick and takes the answer; who answers, and in what time, is not its
business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import Events, Image
from firmware_sim.wire.send import send_due, sender_state
from hil import journal, monitor, noise, pack_io, stages, truth
from hil.bus import table as bus_table
from hil.bus.virtual import EVENT_ROOM, RECORD_ROOM, VirtualBus
from hil.fault.table import FaultTable
from hil.network import Network
from hil.plant import replay
from hil.plant.plant import Plant, empty_demand
from hil.vehicle import N_REQUEST_COLUMNS

CHUNK = 200
_NOISE_BLOCK = 1000
_MOST_EVENTS = 2_048  # of a tick, both directions
_EVENT_ROOM = 64


@dataclass(frozen=True)
class Inputs:
    """What a run is fed.

    demand: load table.  requests: request table.  recording: samples of a recording, or none (see hil.plant.replay).
    touched: signals that sensor faults touch.  offered_to_dut, offered_from_dut: 1 for slots that network faults touch.
    """

    demand: F64 = field(default_factory=empty_demand)
    requests: I64 = field(default_factory=lambda: np.zeros((1, N_REQUEST_COLUMNS), np.int64))
    recording: F64 = field(default_factory=lambda: np.zeros((0, replay.N_REPLAY_COLUMNS)))


@dataclass
class Chunk:
    """Records of up to CHUNK ticks.

    truth: (n, n_columns).  cells: (m, 3, n_cells), every so many ticks.  sides: (n, 2, n_touched).
    parameters: (n, n_addresses).  log: journal rows.  bus: (m, 7) records of arbitrated buses, columns of hil.bus.table.
    """

    truth: F64
    cells: F64
    sides: F64
    parameters: F64
    log: I64
    log_count: I64
    bus: I64
    bus_count: I64
    n_ticks: int = 0
    n_cells: int = 0

    def clear(self) -> None:
        """Be as new. Its memory stays: to ask the system for some takes milliseconds of a loop in wall time."""
        for block in (self.truth, self.cells, self.sides, self.parameters, self.log, self.log_count, self.bus, self.bus_count):
            block.fill(0)
        self.n_ticks = self.n_cells = 0


class Rig:
    """All blocks of a run. dt_ns: tick.  cells_every: ticks between two samples of every cell in the trace."""

    def __init__(self, plant: Plant, network: Network, faults: FaultTable, inputs: Inputs, seed: int, cells_every: int) -> None:
        self.plant, self.network, self.faults, self.inputs = plant, network, faults, inputs
        self.dt_ns, self.cells_every = plant.dt_ns, cells_every
        n, to_dut = plant.n_packs, network.to_dut
        self.index = monitor.index(to_dut, plant.n_cells, len(plant.ntc))
        self.request_roles = monitor.request_roles(to_dut)
        self.request_row = np.zeros(1, np.int64)
        self.values = np.full((n, to_dut.n_signals), np.nan)
        self.sender = sender_state(to_dut, n)
        self.image = Image.empty(to_dut, n)
        plan = network.plan
        self.bus = None if plan is None else VirtualBus(plan, to_dut, network.from_dut, n)
        self.events = Events.empty((_EVENT_ROOM if self.bus is None else EVENT_ROOM) * n)
        self.bus_free_ns = np.zeros((n, network.n_buses), np.int64)
        self.io = pack_io.build(network.from_dut, n)
        self.gauss = noise.gauss_table()
        self._noise = noise.NoiseStream(seed, n, plant.n_sensors)
        self.noise = self._noise.block(_NOISE_BLOCK)
        self.touched = np.zeros(0, np.int64)
        self.addresses = np.zeros((0, 3), np.int64)
        self.offered = np.zeros(to_dut.n_slots, np.int64), np.zeros(network.from_dut.n_slots, np.int64)
        self.every = np.ones(to_dut.n_slots, np.int64), np.ones(network.from_dut.n_slots, np.int64)
        # what a tick can bring: every slot twice, and events; a device may send far more than its schedule
        self._most_rows = 2 * (to_dut.n_slots + network.from_dut.n_slots) + _MOST_EVENTS
        self.k = 0
        self.chunks: list[Chunk] = []
        self.chunk = self._new_chunk()

    def watch(self, touched: list[int], addresses: list[tuple[int, int, int]], to_dut: list[int], from_dut: list[int]) -> None:
        """Keep both sides of these signals and slots, and these plant parameters, in the trace. Before the first tick."""
        self.touched = np.array(touched, np.int64)
        self.addresses = np.array(addresses, np.int64).reshape(-1, 3)
        self.offered[0][to_dut] = 1
        self.offered[1][from_dut] = 1
        self.chunk = self._new_chunk()

    def widen(self, touched: list[int], addresses: list[tuple[int, int, int]], to_dut: list[int], from_dut: list[int]) -> None:
        """Keep more in the trace, from this tick on; new columns read NaN in the ticks recorded before."""
        more = [signal for signal in touched if signal not in self.touched]
        known = {tuple(address) for address in self.addresses.tolist()}
        rows = [address for address in addresses if address not in known]
        self.touched = np.concatenate([self.touched, np.array(more, np.int64)])
        self.addresses = np.concatenate([self.addresses, np.array(rows, np.int64).reshape(-1, 3)])
        self.offered[0][to_dut] = 1
        self.offered[1][from_dut] = 1
        c = self.chunk
        c.sides = np.pad(c.sides, ((0, 0), (0, 0), (0, len(more))), constant_values=np.nan)
        c.parameters = np.pad(c.parameters, ((0, 0), (0, len(rows))), constant_values=np.nan)

    def _new_chunk(self) -> Chunk:
        net = self.network
        words = max(int(layout.slots[:, 4].max()) for layout in (net.to_dut, net.from_dut))
        room = CHUNK * (2 * net.to_dut.n_slots + 2 * net.from_dut.n_slots) // 2 + 4 * _EVENT_ROOM
        if self.bus is not None:
            room *= 4  # each frame of the device stands there twice, and a babbling node's may
        return Chunk(
            truth=np.zeros((CHUNK, truth.N_COLUMNS)),
            # room for the samples of any alignment, and for the one that stands ready and may not be taken
            cells=np.zeros((CHUNK // self.cells_every + 2, 3, self.plant.n_cells)),
            sides=np.zeros((CHUNK, 2, len(self.touched))),
            parameters=np.zeros((CHUNK, len(self.addresses))),
            log=np.zeros((room, journal.n_columns(words)), np.int64),
            log_count=np.zeros(2, np.int64),
            bus=np.zeros((0 if self.bus is None else RECORD_ROOM, bus_table.N_RECORD_COLUMNS), np.int64),
            bus_count=np.zeros(2, np.int64),
        )

    @property
    def t_ns(self) -> int:
        """Time of the tick under way."""
        return self.k * self.dt_ns

    def advance(self) -> None:
        """Hop 1: move the plant to this tick."""
        if self.k == 0:
            return
        pl, f = self.plant, self.faults
        stages.advance(
            self.t_ns - self.dt_ns, self.dt_ns, self.inputs.demand, self.inputs.recording, f.rows, f.numbers, f.memory,
            pl.cells, pl.par, pl.strings, pl.pack, pl.pack_par, pl.block, pl.sensor, pl.curves, pl.ln_r, pl.nodes, pl.decay,
        )  # fmt: skip

    def sense(self) -> None:
        """Hop 2: sample the sensors."""
        pl, f, n = self.plant, self.faults, self.chunk.n_ticks
        noise_row = self.noise[self.k % len(self.noise)]
        stages.sense(
            self.t_ns, pl.cells, pl.pack, pl.pack_par, pl.block, pl.sensor, pl.ntc, self.gauss, noise_row, self.index,
            self.inputs.requests, self.request_row, self.request_roles, f.rows, f.numbers, f.memory, self.values,
            self.touched, self.chunk.sides[n],
        )  # fmt: skip

    def send(self) -> tuple[Image, Events]:
        """Hop 3: the frames that arrive in this tick."""
        if self.bus is not None:
            return self._send_over(self.bus)
        f, net, c = self.faults, self.network.to_dut, self.chunk
        stages.send(
            self.t_ns, self.dt_ns, self.values, self.bus_free_ns, self.sender, net.signals, net.scales, net.slots, net.blank,
            self.image.words, self.image.meta, self.events.rows, self.events.count, f.rows, f.numbers, f.memory, f.pending,
            f.n_pending, self.offered[0], self.every[0], c.log, c.log_count,
        )  # fmt: skip
        return self.image, self.events

    def _send_over(self, bus: VirtualBus) -> tuple[Image, Events]:
        """Both sides' frames contend for the bus; the pack obeys those of the device that came."""
        f, net, c, io, pl = self.faults, self.network.to_dut, self.chunk, self.io, self.plant
        send_due(
            self.t_ns, self.values, self.bus_free_ns, self.sender, net.signals, net.scales, net.slots, net.blank,
            self.image.words, self.image.meta,
        )  # fmt: skip
        bus.move(self.t_ns, self.dt_ns, self.image, self.events, f, c.bus, c.bus_count)
        stages.arrive(
            self.t_ns, self.dt_ns, self.image.words, self.image.meta, self.events.rows, self.events.count, net.slots, f.rows,
            f.numbers, f.memory, f.pending, f.n_pending, self.offered[0], self.every[0], c.log, c.log_count,
        )  # fmt: skip
        net, heard = self.network.from_dut, bus.heard
        stages.heard(
            self.t_ns, self.dt_ns, heard.words, heard.meta, bus.deaf, bus.heard_events.rows, bus.heard_events.count,
            net.signals, net.scales, net.slots, f.rows, f.numbers, f.memory, f.pending, f.n_pending, self.offered[1],
            self.every[1], c.log, c.log_count, net.blank, io.roles, io.value, io.valid, io.last, io.spare, pl.block, pl.pack,
        )  # fmt: skip
        return self.image, self.events

    def answer(self, image: Image, events: Events) -> None:
        """Hop 6: take the device's frames and let the pack obey. Over an arbitrated bus they come in the next tick."""
        if self.bus is not None:
            net, c = self.network.from_dut, self.chunk
            stages.queue(image.words, image.meta, net.slots, events.rows, self.every[1], c.log, c.log_count)
            self.bus.hand_over(self.t_ns + self.dt_ns, image, events, c.bus, c.bus_count)
            return
        f, net, c, io, pl = self.faults, self.network.from_dut, self.chunk, self.io, self.plant
        stages.answer(
            self.t_ns + self.dt_ns, self.dt_ns, image.words, image.meta, events.rows, events.count, net.signals, net.scales,
            net.slots, f.rows, f.numbers, f.memory, f.pending, f.n_pending, self.offered[1], self.every[1], c.log,
            c.log_count, net.blank, io.roles, io.value, io.valid, io.last, io.spare, pl.block, pl.pack,
        )  # fmt: skip

    def record(self) -> None:
        """Hop 7: write the truth of this tick and go to the next."""
        pl, c = self.plant, self.chunk
        with_cells = self.k % self.cells_every == 0
        stages.record(
            pl.cells, pl.par, pl.strings, pl.pack, pl.pack_par, pl.sensor, pl.block, self.addresses, c.truth[c.n_ticks],
            c.cells[c.n_cells], c.parameters[c.n_ticks], with_cells,
        )  # fmt: skip
        if len(c.log) - int(c.log_count[0]) < self._most_rows:
            c.log = np.concatenate([c.log, np.zeros_like(c.log)])
        self.count(1, int(with_cells))

    def count(self, n_ticks: int, n_cells: int) -> None:
        """Enter ticks that were run; start the chunk anew, with new noise, when it is full."""
        self.chunk.n_ticks += n_ticks
        self.chunk.n_cells += n_cells
        self.k += n_ticks
        if self.chunk.n_ticks == CHUNK:
            self.chunks.append(_trimmed(self.chunk))
            self.chunk.clear()
            if self.k % _NOISE_BLOCK == 0:
                self.noise = self._noise.block(_NOISE_BLOCK)

    def release(self, t_ns: int) -> None:
        """The device lost its supply: all coils drop."""
        for p in range(self.plant.n_packs):
            pack_io.release(self.plant.block, p, t_ns)
        if self.bus is not None:
            self.bus.power_off()

    def take_records(self) -> list[Chunk]:
        """All records so far."""
        return [*self.chunks, _trimmed(self.chunk)]


def _trimmed(chunk: Chunk) -> Chunk:
    n, m, rows = chunk.n_ticks, chunk.n_cells, int(chunk.log_count[0])
    return Chunk(
        chunk.truth[:n].copy(),
        chunk.cells[:m].copy(),
        chunk.sides[:n].copy(),
        chunk.parameters[:n].copy(),
        chunk.log[:rows].copy(),
        chunk.log_count.copy(),
        chunk.bus[: int(chunk.bus_count[0])].copy(),
        chunk.bus_count.copy(),
        n,
        m,
    )
