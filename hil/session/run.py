"""The run behind a session: a rig and a device, what is done to them, and the record.

What is done is kept twice: as rows of the rig's tables, so that it acts, and as parts of a scenario (story), so that it
can be done again. What acts on frames from the device starts and ends one tick later than the rest, because the device's
frames of the tick before have passed already.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.types import F64
from firmware_sim.wire.layout import T_NS
from hil import arming, benchfile, devices, files, lacks, network, setup, truth
from hil.bench import Bench, quiet_memory
from hil.clock import Clock, VirtualClock, WallClock
from hil.dut import Paced
from hil.errors import BenchError, SafeStopError, ScenarioError, nearest
from hil.fault import catalogue
from hil.fault.catalogue import Bound, FaultSpec
from hil.fault.table import GROUP, STOP_NS
from hil.names import REQUESTS
from hil.network import Network
from hil.plant import cell as plant_cell
from hil.rig import CHUNK
from hil.scenario import Inputs, Load, Request
from hil.session import story
from hil.session.live import Value
from hil.session.stimulus import Fault, Stimulus
from hil.session.tape import Piece, Tape, cell_quantity

_CELLS_EVERY_MS = 100
_ROWS_OF_CELL = (plant_cell.TERMINAL_V, plant_cell.TEMP_DEGC)


@lru_cache(maxsize=4)
def _loaded(name: str, n_cells: int, n_ntc: int, dt_ns: int, near: Path) -> tuple[Network, list[int]]:
    """A network, and when its files were written; reading databases is most of what building a bench takes."""
    found = network.load(name, n_cells, n_ntc, dt_ns, near)
    return found, [path.stat().st_mtime_ns for path in found.paths]


def _network(inputs: Inputs) -> Network:
    """The network of a scenario, read again when one of its files has changed. Raises ScenarioError."""
    s, pack = inputs.scenario, inputs.pack
    key = s.network, pack.n_cells, len(pack.ntc_cells), s.tick_ns, inputs.path
    found, written = _loaded(*key)
    if [path.stat().st_mtime_ns if path.is_file() else 0 for path in found.paths] != written:
        _loaded.cache_clear()
        found, _ = _loaded(*key)
    return found


class Run:
    """A running bench. keys: of a scenario.  near: relative names of files count from its folder.

    armed: a real device may be driven.  bench: a bench file, which says what the device is.
    Raises NotArmedError for a real device when not.
    """

    def __init__(
        self,
        dut: str,
        realtime: bool,
        near: Path,
        memory_MB: float,
        armed: bool = False,
        bench: Path | None = None,
        **keys: Any,
    ) -> None:
        tick_ms = int(keys.get("tick_ms") or 10)
        every = max(n for n in range(1, CHUNK + 1) if CHUNK % n == 0 and (n == 1 or n * tick_ms <= _CELLS_EVERY_MS))
        inputs = story.start(near, record={"cells_every_ms": every * tick_ms}, **keys)
        self.story = story.Story(inputs)
        self.setup = setup.build(inputs, net=_network(inputs))
        self.rig = self.setup.rig
        self.dut_name = dut
        self._file = None if bench is None else benchfile.load(bench)
        if self._file is None or bench is None:
            self.dut = devices.create(dut, self.setup)
        else:
            self.dut_name, self.dut = f"bench:{bench.name}", devices.of_bench(self.setup, self._file, bench)
        arming.demand(self.setup, self.dut, armed)
        clock: Clock = WallClock() if realtime or not self.dut.lockstep else VirtualClock()
        self.bench = Bench(self.setup, self.dut, clock)
        self.tape = Tape(self.rig, round(memory_MB * (1 << 20)))
        self.faults: dict[str, Fault] = {}
        self.last = Stimulus("start", "the start", 0)
        self.mode, self.charger = "standby", False
        self.cpu_s = self.wall_s = 0.0
        self.restarted_ns = 0
        self._is_on = self._is_closed = False

    # ---- time

    @property
    def t_ns(self) -> int:
        """Now: the beginning of the next tick."""
        return self.rig.t_ns

    @property
    def dt_ns(self) -> int:
        """Tick."""
        return self.rig.dt_ns

    def ticks(self, seconds: float) -> int:
        """Ticks that last at least this long. Raises ScenarioError for a time that is not one."""
        if not 0.0 <= seconds < 1e9:
            raise ScenarioError(f"{seconds!r} s is not a time that a bench can run; expected 0 or more")
        return math.ceil(round(seconds * 1e9) / self.dt_ns)

    def advance(self, n_ticks: int) -> None:
        """Run n ticks. Raises DutError when the device fails."""
        if self._is_closed:
            raise ScenarioError("this session is closed; nothing runs any more")
        if not self._is_on:
            self._is_on = True
            self.bench.start()
        cpu, wall = time.process_time(), time.perf_counter()
        with quiet_memory():
            for _ in range(n_ticks):
                self.bench.tick()
                if self.rig.chunks:
                    self.tape.harvest()
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.perf_counter() - wall

    def close(self) -> None:
        """Leave the device: faults off, no load, standby; a device that keeps running hears it. Safe to call twice."""
        if self._is_closed:
            return
        try:
            if self._is_on and not self.dut.lockstep:
                for fault in self.active():
                    self.end(fault)
                self.load({"kind": "none"})
                self.request("standby", charger=False, fault_reset=False)
                with suppress(SafeStopError):  # a test that was broken off leaves the loop still: the device is safe already
                    self.advance(self.ticks(0.3))
        finally:
            self._is_closed = True
            self.dut.close()

    # ---- what is done

    def _at_s(self, t_ns: int) -> float:
        return t_ns / 1e9

    def _done(self, stimulus: Stimulus) -> Stimulus:
        self.last = stimulus
        return stimulus

    def request(self, mode: str, charger: bool, fault_reset: bool) -> Stimulus:
        """The vehicle asks. Raises ScenarioError for an unknown mode."""
        data = {
            "at_s": self._at_s(self.t_ns), "mode": mode, "fault_reset": fault_reset, "charger_connected": charger
        }  # fmt: skip
        self.story.requests[self.t_ns] = files.decode(Path("bench.request"), data, Request)
        self.mode, self.charger = mode, charger
        self.rig.inputs = replace(self.rig.inputs, requests=self.story.request_table())
        what = f'request of "{mode}"' + (" with fault reset" if fault_reset else "")
        signals = [name for name in REQUESTS if name in self.setup.network.to_dut.signal_names]
        return self._done(Stimulus("request", what, self.t_ns, tuple(signals)))

    def load(self, row: dict[str, Any]) -> Stimulus:
        """Hang a load on the link. Raises ScenarioError."""
        found: Load = story.load_row("bench.load", {"at_s": self._at_s(self.t_ns), **row})
        before = self.story.loads.get(self.t_ns)
        self.story.loads[self.t_ns] = found
        try:
            demand = self.story.load_table()
        except ScenarioError:
            del self.story.loads[self.t_ns]
            if before is not None:
                self.story.loads[self.t_ns] = before
            raise
        self.rig.inputs = replace(self.rig.inputs, demand=demand)
        rest = ", ".join(f"{key}={value}" for key, value in row.items() if key not in ("kind", "always"))
        return self._done(Stimulus("load", f"load {row['kind']}" + (f" ({rest})" if rest else ""), self.t_ns))

    def inject(self, where: str, keys: dict[str, Any], for_s: float | None = None) -> Fault:
        """Start a fault. keys: of FaultSpec, without its times.  Raises ScenarioError."""
        n = len(self.faults)
        start_ns = self.t_ns
        label = keys.pop("name", None) or f"{keys['fault']}-{n + 1}"
        if label in self.faults:
            raise ScenarioError(f'{where}: there is a fault "{label}" already; give this one another name')

        def bound_at(at_ns: int) -> Bound:
            """The fault as if it began at a time. Raises ScenarioError."""
            stop = {} if for_s is None else {"stop_s": self._at_s(at_ns + self.ticks(for_s) * self.dt_ns)}
            data = {**keys, "name": label, "start_s": self._at_s(at_ns), **stop}
            spec = files.decode(Path(where), data, FaultSpec)
            return catalogue.bind(spec, self.setup.place, n, where)

        bound = bound_at(start_ns)
        if self._file is not None and (why := lacks.of_fault(self.setup, self._file, bound, interactive=False)[0]):
            raise BenchError(f"{where}: this bench cannot make this fault: {why}")
        if self._reaches_ns(bound) > start_ns:
            start_ns = self._reaches_ns(bound)
            bound = bound_at(start_ns)
        target = bound.spec.target
        what = bound.kind.name + (f" on {target}" if target is not None else "")
        told = [self.setup.network.to_dut.signal_names[signal] for signal in bound.signals]
        fault = Fault("fault", what, start_ns, tuple(told), bound=bound, end=self.end)
        if bound.kind.seam == "supply":
            self._restart(fault)
        else:
            self.rig.widen(list(bound.signals), setup.addresses(bound), list(bound.to_dut), list(bound.from_dut))
            self.rig.faults = self.rig.faults.extended(bound.rows, bound.numbers)
            if for_s is not None or bound.spec.single:
                fault.stop_ns = bound.stop_ns(self.dt_ns)
        self.faults[label] = fault
        self.story.faults[label] = bound.spec
        self._done(fault)
        return fault

    def _reaches_ns(self, bound: Bound) -> int:
        """First tick in which a change of a fault meets no frame that has passed already, though it is still on the bus."""
        now = passed_ns = self.t_ns
        if bound.to_dut:
            passed_ns = int(self.rig.image.meta[0, T_NS, list(bound.to_dut)].max()) + 1
        if bound.from_dut:
            now, passed_ns = now + self.dt_ns, max(passed_ns, int(self.rig.bus_free_ns.max()) + 1)
        return max(now, -(-passed_ns // self.dt_ns) * self.dt_ns)

    def replace(self, where: str, keys: dict[str, Any], old: Fault | None) -> Fault:
        """Start a fault in the place of an old one, which stays when the new one is refused."""
        fault = self.inject(where, keys)
        if old is not None:
            self.end(old)
        self.last = fault
        return fault

    def _restart(self, fault: Fault) -> None:
        self.advance(0)
        self.bench.reset(fault.bound.start_ns if fault.bound.kind.primitive == "reset_torn" else None)
        fault.stop_ns = self.restarted_ns = self.t_ns

    def end(self, fault: Fault) -> Stimulus:
        """Take a fault away, as a stimulus of its own."""
        stop_ns = self._reaches_ns(fault.bound)
        what = f"end of {fault.what}"
        if not fault.is_active(stop_ns):
            return Stimulus("clear", what, fault.stop_ns if fault.stop_ns is not None else stop_ns, fault.signals)
        fault.stop_ns = stop_ns
        group = list(self.faults).index(fault.label)
        rows = self.rig.faults.rows
        rows[rows[:, GROUP] == group, STOP_NS] = stop_ns
        if stop_ns > fault.at_ns:
            spec = fault.bound.spec.model_copy(update={"stop_s": self._at_s(stop_ns)})
            fault.bound = replace(fault.bound, spec=spec)
            self.story.faults[fault.label] = spec
        else:  # it was never on
            del self.story.faults[fault.label]
        return self._done(Stimulus("clear", what, stop_ns, fault.signals))

    def active(self) -> list[Fault]:
        """Faults that can still act."""
        return [fault for fault in self.faults.values() if fault.is_active(self.t_ns + self.dt_ns)]

    def bounds(self) -> list[Bound]:
        """All faults so far, as they stand in the story."""
        return [fault.bound for label, fault in self.faults.items() if label in self.story.faults]

    # ---- what is seen

    def signal(self, name: str) -> Value:
        """The latest value of a signal. Raises ScenarioError."""
        return self.tape.refresh().read(name)

    def truth(self, name: str) -> float:
        """What a perfect instrument would read now. Raises ScenarioError."""
        pl = self.rig.plant
        of_cell = cell_quantity(name, pl.n_cells)
        if of_cell is not None:
            row, i = of_cell
            s, at = i // pl.cells.shape[3], i % pl.cells.shape[3]
            if row < len(_ROWS_OF_CELL):
                return float(pl.cells[_ROWS_OF_CELL[row], 0, s, at])
            return float(pl.cells[plant_cell.Q_AH, 0, s, at] / pl.par[plant_cell.CAPACITY_AH, 0, s, at])
        columns = [column for column, _ in truth.COLUMNS]
        if name not in columns:
            raise ScenarioError(f'there is no truth "{name}"{nearest(name, [*columns, *CELL_EXAMPLES])}')
        row_now: F64 = np.zeros(truth.N_COLUMNS)
        truth.observe(pl.cells, pl.par, pl.strings, pl.pack, pl.pack_par, pl.block, row_now, np.zeros((3, pl.n_cells)), False)
        return float(row_now[columns.index(name)])

    def late_ns(self) -> list[int]:
        """How late each tick was, the later of bench and link; empty in virtual time."""
        here = self.bench.late_ns[: self.rig.k]
        if not isinstance(self.dut, Paced):
            return here
        there = self.dut.late_ns[: len(here)]
        return [max(pair) for pair in zip(here, there, strict=False)] + here[len(there) :]

    def piece(self, k_0: int, k_1: int) -> Piece:
        """Part of the record."""
        return self.tape.piece(k_0, k_1, self.late_ns(), self.setup.touched)


CELL_EXAMPLES = ("cell_voltage[0]", "cell_temperature[0]", "cell_soc[0]")
