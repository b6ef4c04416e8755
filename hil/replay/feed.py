"""The frames of a log to a device, at their times, and what it answers.

The trace that comes of it has no truth: its columns are NaN, so nothing but the wire can be judged from it. In lockstep the
device moves as fast as it can; in wall time frames leave at the times of the log. Frames of the recorded device are not fed:
they are kept aside, in the same form, to compare with. Where the log holds the bench's supply frames, the device loses and
regains its supply as the recorded one did.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import EXTENDED, FD, N_WORDS, NOTED, Events, Image
from hil import journal as j
from hil import truth
from hil.bench import quiet_memory
from hil.clock import Clock, VirtualClock, WallClock
from hil.dut import Compiled, Dut, Paced, Standing
from hil.errors import LinkLostError
from hil.link.can_bus import Frame
from hil.link.match import Catcher, Finder, Reader
from hil.record import logs
from hil.record.frame import LogFrame
from hil.replay.survey import Fit, Survey, taken
from hil.setup import Setup
from hil.trace import Trace
from hil.wirelog import WireLog

_BEGIN_NS = 2_000_000_000


class Rows:
    """Journal rows, appended one by one. n_words: of the widest frame."""

    def __init__(self, n_words: int) -> None:
        self._n_words = n_words
        self._heads, self._data = array("q"), bytearray()

    def add(self, kind: int, slot: int, t_ns: int, bus: int, can_id: int, flags: int, data: bytes) -> None:
        """A frame."""
        self._heads.extend((t_ns, kind, bus, can_id, flags, len(data), slot))
        self._data += data.ljust(8 * self._n_words, b"\0")

    def all(self) -> I64:
        """(n, columns) all rows."""
        heads = np.frombuffer(self._heads, np.int64).reshape(-1, j.WORD)
        words = np.frombuffer(bytes(self._data), "<i8").reshape(-1, self._n_words)
        return np.concatenate([heads, words], axis=1)


@dataclass
class Played:
    """A log that was played. trace: what the device was told and what it said.  recorded: journal rows of the recorded
    device.  on_ns: stretches of the trace in which the device had its supply.  wall_s: how long it took.
    """

    trace: Trace
    recorded: I64
    on_ns: list[tuple[int, int]] = field(default_factory=list)
    wall_s: float = 0.0


def play(found: Survey, fitted: Fit, setup: Setup, dut: Dut, use_supply: bool, progress: Callable[[int, int], None]) -> Played:
    """Play a log to its end, or until the link to the device breaks. Raises NabenchError.

    Time 0 of the trace is the tick of the log in which its first frame lies, or in which the device got its supply.
    """
    player = _Player(found, fitted, setup, dut, use_supply)
    if isinstance(dut, Standing):
        dut.stand(player.first_readings())
    clock: Clock = VirtualClock() if dut.lockstep else WallClock()
    if isinstance(dut, Paced):
        dut.pace(clock)
    try:
        dut.start(0)
        clock.start()
        begun = time.perf_counter()
        with quiet_memory():
            lost = player.run(clock, progress)
        wall_s = time.perf_counter() - begun
        noted = dut.notes() if isinstance(dut, Paced) else None
        built_of = dut.account() if isinstance(dut, Compiled) else None
    finally:
        dut.close()
    trace = player.trace()
    if built_of is not None:
        trace.info["firmware"] = built_of
    if isinstance(dut, Paced):
        trace.info["link"] = noted
        late_ns = np.array(dut.late_ns[: trace.n_ticks], np.int64)
        trace.late_ns = np.maximum(
            np.array(player.late_ns[: trace.n_ticks], np.int64), np.pad(late_ns, (0, trace.n_ticks - len(late_ns)))
        )
    trace.info["broken off"] = lost
    return Played(trace, player.recorded.all(), player.on_ns, wall_s)


class _Player:
    """The loop and what it keeps."""

    def __init__(self, found: Survey, fitted: Fit, setup: Setup, dut: Dut, use_supply: bool) -> None:
        self.dt_ns, self.setup, self.dut, self._path = setup.rig.dt_ns, setup, dut, found.path
        net = setup.network
        self._orders = list(found.supply) if use_supply else []
        resets = [order for at in setup.resets_ns for order in ((at, False, False), (at, True, False))]
        begin_ns = found.first_ns
        end_ns = fitted.end_ns
        if self._orders:
            on = [t_ns for t_ns, on, _ in self._orders if on]
            begin_ns = on[0] if on else begin_ns
            if on and not self._orders[-1][1]:
                end_ns = self._orders[-1][0]
            self._orders = [order for order in self._orders if begin_ns < order[0] < end_ns]
        if logs.is_run(found.path) and not self._orders:
            self._orders = resets  # of a run that is known: its log does not show them
        self.base_ns = begin_ns // self.dt_ns * self.dt_ns
        self.n_ticks = max((end_ns - self.base_ns) // self.dt_ns + 1, 1)
        self._frames = taken(logs.open_log(found.path)[1])
        self._next: LogFrame | None = next(self._frames, None)
        self._buses = fitted.buses
        self._feeding = Catcher(net.to_dut, net.from_dut)
        self._reading = Reader(net.from_dut)
        self._n_words = max(int(layout.slots[:, N_WORDS].max()) for layout in (net.to_dut, net.from_dut))
        self.rows, self.recorded = Rows(self._n_words), Rows(self._n_words)
        self._from_dut = Finder(net.from_dut)
        self._bus_free_ns = setup.rig.bus_free_ns
        self.late_ns: list[int] = []
        self.on_ns: list[tuple[int, int]] = []
        self.k = 0

    def first_readings(self) -> F64:
        """(n_signals,) first valid value of each signal to the device in the begin of the log; NaN where none comes."""
        net, rows = self.setup.network, Rows(self._n_words)
        for frame in taken(logs.open_log(self._path)[1]):
            if frame.t_ns - self.base_ns > _BEGIN_NS:
                break
            if frame.t_ns >= self.base_ns and frame.channel in self._buses:
                bus, flags = self._buses[frame.channel], frame.flags & (EXTENDED | FD)
                rows.add(j.TO_DUT, -1, frame.t_ns - self.base_ns, bus, frame.can_id, flags, frame.data)
        log, found = WireLog(rows.all(), net), np.full(net.to_dut.n_signals, np.nan)
        for n, name in enumerate(net.to_dut.signal_names):
            series = log.series(name)
            if series.valid.any():
                found[n] = series.value[series.valid][0]
        return found

    def run(self, clock: Clock, progress: Callable[[int, int], None]) -> bool:
        """All ticks; True when the link broke before the last."""
        every = max(self.n_ticks // 100, 1)
        on, since_ns = True, 0
        try:
            for k in range(self.n_ticks):
                t_ns = k * self.dt_ns
                if clock.real:
                    self.late_ns.append(clock.wait(t_ns))
                while self._orders and self._orders[0][0] - self.base_ns <= t_ns:
                    _, now_on, erase = self._orders.pop(0)
                    if on and not now_on:
                        self.on_ns.append((since_ns, t_ns))
                    elif now_on and not on:
                        since_ns = t_ns
                        self._power(t_ns, erase)
                    on = now_on
                image, events = self._due(t_ns)
                if on or not self.dut.lockstep:
                    self._note(*self.dut.exchange(t_ns, image, events))
                self.k = k + 1
                if k % every == 0:
                    progress(k, self.n_ticks)
        except LinkLostError:
            if self.k == 0:
                raise
            return True
        finally:
            if on:
                self.on_ns.append((since_ns, self.k * self.dt_ns))
        progress(self.n_ticks, self.n_ticks)
        return False

    def _power(self, t_ns: int, erase: bool) -> None:
        if erase and self.dut.lockstep:
            self.dut.start(t_ns)
        else:
            self.dut.reset(t_ns)

    def _due(self, t_ns: int) -> tuple[Image, Events]:
        """The frames of the log that arrive in this tick."""
        before_ns = self.base_ns + t_ns + self.dt_ns
        while self._next is not None and self._next.t_ns < before_ns:
            (stamp_ns, channel, can_id, bits, _, data), self._next = self._next, next(self._frames, None)
            bus, at_ns, flags = self._buses.get(channel), stamp_ns - self.base_ns, bits & (EXTENDED | FD)
            if bus is None or at_ns < 0:
                continue
            heard = Frame(at_ns, can_id, flags, data, 0)
            if self._from_dut.knows(bus, heard):
                self.recorded.add(j.FROM_DUT, -1, at_ns, bus, can_id, flags, data)
            elif self._feeding.put(bus, heard, at_ns):
                self.rows.add(j.TO_DUT, -1, at_ns, bus, can_id, flags, data)
                self._bus_free_ns[0, bus] = max(int(self._bus_free_ns[0, bus]), at_ns)
        return self._feeding.take(t_ns + self.dt_ns)

    def _note(self, image: Image, events: Events) -> None:
        """Write down what the device said."""
        for frame in self._reading.frames(image, events):
            if not frame.flags & NOTED:
                self.rows.add(j.FROM_DUT, -1, frame.t_ns, frame.bus, frame.can_id, frame.flags, frame.data)

    def trace(self) -> Trace:
        """What was recorded: no truth, all frames."""
        n = self.k
        every = self.setup.rig.cells_every
        n_cells = self.setup.rig.plant.n_cells
        return Trace(
            dt_ns=self.dt_ns,
            truth=np.broadcast_to(np.float64(np.nan), (n, truth.N_COLUMNS)),
            cells=np.broadcast_to(np.float64(np.nan), (-(-n // every), len(truth.CELL_COLUMNS), n_cells)),
            cells_every=every,
            touched=(),
            sides=np.zeros((n, 2, 0)),
            parameters=(),
            parameter=np.zeros((n, 0)),
            journal=self.rows.all(),
            lost_frames=int(self._feeding.events.count[1]),
        )
