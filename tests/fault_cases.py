"""One case for every row of the fault catalogue, and runs in which it acts, or is wrong on purpose.

The drive is the same for all: the contactors close, current flows, they open again while the fault is on. Target and
strength come from the row's own examples; the few that need other surroundings stand in the tables below.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import rigs

from firmware_sim.types import F64, I64
from hil import network, setup
from hil.bench import Bench
from hil.dut.emulator import Emulator
from hil.fault.catalogue import Bound, FaultKind, FaultSpec, bind, catalogue
from hil.fault.sensed import CONSTANT
from hil.fault.table import MASK, PRIMITIVE, START_NS, STOP_NS, FaultTable
from hil.judge import judge
from hil.network import Network
from hil.scenario import Inputs
from hil.setup import Setup
from hil.trace import Trace
from hil.verdict import Finding

KINDS = list(catalogue())
SHIFT_NS = 50_000_000
DURATION_S = 1.7
DRIVE: dict[str, Any] = {
    "request": [{"at_s": 0.1, "mode": "drive"}, {"at_s": 1.29, "mode": "standby"}],
    "load": [{"at_s": 1.0, "kind": "current", "current_A": 2.0}, {"at_s": 1.3, "kind": "none"}],
    "duration_s": DURATION_S,
}
START_S, STOP_S = 1.2, 1.45
# Kinds whose example names no target that exists.
TARGETS = {"signal": "signal:Shunt_PackVoltage"}
ELSEWHERE = {
    "cell": "cell[6]",
    "tap": "tap[4]",
    "ntc": "ntc[1]",
    "signal": "signal:Shunt_LinkVoltage",
    "feedback": "feedback:main_minus",
    "contactor": "contactor:main_minus",
    "message": "message:CellTemperatures",
    "node": "node:PackIO",
}
# Kinds that show only while a contactor closes.
STARTS_S = {"contactor_stuck_open": 0.05, "contactor_closes_late": 0.05, "precharge_open": 0.05, "precharge_short": 0.05}


@lru_cache(maxsize=4)
def wire(name: str, n_cells: int, n_ntc: int, dt_ns: int = rigs.TICK_NS) -> Network:
    """A network for a pack; reading databases is most of what building a bench takes."""
    return network.load(name, n_cells, n_ntc, dt_ns)


@lru_cache(maxsize=8)
def _inputs(name: str) -> Inputs:
    return rigs.scenario(**DRIVE, network=name)


def driven(*faults: FaultSpec, network_name: str = "classic", **keys: Any) -> Inputs:
    """The drive with faults. keys: of the scenario, instead of the drive's."""
    base = _inputs(network_name)
    return replace(base, scenario=base.scenario.model_copy(update={"fault": list(faults), **keys}))


def built(inputs: Inputs, n_packs: int = 1, seed: int | None = None) -> Setup:
    """The rig of a scenario, on a network that was read once."""
    pack, s = inputs.pack, inputs.scenario
    return setup.build(inputs, seed, n_packs, wire(s.network, pack.n_cells, len(pack.ntc_cells), s.tick_ns))


def spec(**keys: Any) -> FaultSpec:
    """A fault from keywords, as a scenario writes it."""
    return FaultSpec.model_validate(keys)


@dataclass
class Run:
    """A finished run. bench: as it stands at its end."""

    setup: Setup
    bench: Bench

    @cached_property
    def trace(self) -> Trace:
        """What was recorded."""
        return self.bench.trace()

    @cached_property
    def findings(self) -> list[Finding]:
        """What the judge says."""
        return judge(self.trace, self.setup)

    def bytes(self) -> list[bytes]:
        """All that was recorded, bit for bit."""
        trace = self.trace
        blocks = (trace.truth, trace.cells, trace.sides, trace.parameter, trace.journal, trace.bus)
        return [block.tobytes() for block in blocks]


def run(ready: Setup, fused: bool = False) -> Run:
    """Run a rig with the emulator to the end of its scenario."""
    bench = Bench(ready, Emulator(ready.settings, ready.rig.dt_ns, ready.rig.bus_free_ns))
    bench.start()
    (bench.run_fused if fused else bench.run)(ready.inputs.scenario.n_ticks)
    return Run(ready, bench)


def read_back(finished: Run) -> str:
    """What the judge holds against the bench; empty when every fault had its effect and was put to the test."""
    return "; ".join(f"{f.verdict.name} {f.expected}: {f.seen}" for f in finished.findings if f.requirement == "BENCH")


@dataclass(frozen=True)
class Case:
    """A kind of fault, where and when."""

    kind: FaultKind
    shape: dict[str, Any] = field(default_factory=dict)

    @property
    def start_s(self) -> float:
        """When it comes on."""
        return STARTS_S.get(self.kind.name, START_S)

    @property
    def start_ns(self) -> int:
        """When it comes on."""
        return round(self.start_s * 1e9)

    @property
    def stop_ns(self) -> int:
        """When it goes."""
        return round(STOP_S * 1e9)

    @property
    def is_instant(self) -> bool:
        """It has a time, but no duration."""
        return self.kind.seam == "supply"

    @property
    def target(self) -> str:
        """The first of the row's examples."""
        return TARGETS.get(self.kind.target, self.kind.example().split(" or ")[0].split(",")[0])

    @property
    def values(self) -> dict[str, float]:
        """The row's examples."""
        return {name: parameter.example for name, parameter in self.kind.parameters.items()}

    def spec(self, **changed: Any) -> FaultSpec:
        """As a scenario writes it. changed: keys that are otherwise."""
        times = {} if self.is_instant else {"stop_s": STOP_S}
        keys = {"fault": self.kind.name, "target": self.target, "start_s": self.start_s, "with": self.values, **times}
        return spec(**{key: value for key, value in {**keys, **self.shape, **changed}.items() if value is not None})

    @property
    def network(self) -> str:
        """One that can have this fault."""
        return "arbitrated" if self.kind.seam == "bus" else "classic"

    def driven(self, **changed: Any) -> Inputs:
        """The drive with this fault. changed: keys of it that are otherwise."""
        return driven(self.spec(**changed), network_name=self.network)

    def ready(self, n_packs: int = 1) -> Setup:
        """A rig with this fault."""
        return built(self.driven(), n_packs)

    def altered(self, rows: I64, numbers: F64) -> Setup:
        """A rig that was told of this fault, and whose table says something else."""
        ready = self.ready()
        ready.rig.faults = FaultTable.of(rows, numbers, 1)
        return ready

    @cached_property
    def bound(self) -> Bound:
        """Bound to the drive's pack and network."""
        return self.ready().faults[0]

    @cached_property
    def run(self) -> Run:
        """The run with the fault."""
        return run(self.ready())

    @cached_property
    def idle(self) -> Run:
        """The run in which the fault is announced, watched, and never happens."""
        ready = self.altered(self.bound.rows[:0], self.bound.numbers[:0])
        ready.resets_ns = ()
        return run(ready)

    def moved(self, column: int, by_ns: int) -> Setup:
        """A rig in which it starts or stops (START_NS, STOP_NS) at another time than announced."""
        rows = self.bound.rows.copy()
        rows[:, column] += by_ns
        ready = self.altered(rows, self.bound.numbers)
        ready.resets_ns = tuple(t_ns + by_ns for t_ns in ready.resets_ns)
        return ready

    def misplaced(self) -> list[tuple[str, Setup]]:
        """Rigs in which it comes 50 ms early or late, or goes so, or hits another target than announced."""
        ways = {"starts early": (START_NS, -SHIFT_NS), "starts late": (START_NS, SHIFT_NS)}
        if not self.is_instant:
            ways |= {"stops early": (STOP_NS, -SHIFT_NS), "stops late": (STOP_NS, SHIFT_NS)}
        found = [(name, self.moved(*way)) for name, way in ways.items()]
        if self.kind.target in ELSEWHERE:
            other = bind(self.spec(target=ELSEWHERE[self.kind.target]), self.ready().place, 0, "elsewhere")
            found.append(("elsewhere", self.altered(other.rows, other.numbers)))
        return found

    def weakened(self) -> list[tuple[str, Setup]]:
        """Rigs in which it is less than announced: each parameter at half its value, and what has none otherwise."""
        found = []
        for name, value in self.values.items():
            half = value / 2 if value else 1.0
            values = {**self.values, name: float(int(half)) if self.kind.parameters[name].whole else half}
            other = bind(self.spec(**{"with": values}), self.ready().place, 0, "weakened")
            found.append((name, self.altered(other.rows, other.numbers)))
        return found if found or self.is_instant else [self._lessened()]

    def _lessened(self) -> tuple[str, Setup]:
        """A kind without parameters: another number, another bit, another primitive, or one frame less."""
        rows, numbers = self.bound.rows.copy(), self.bound.numbers.copy()
        if self.kind.primitive == "cut":
            rows[:, START_NS] += SHIFT_NS
            return "a shorter time", self.altered(rows, numbers)
        if self.kind.primitive in ("drop", "freeze_counter"):
            return "one frame less", self.altered(rows[1:], numbers[1:])
        if self.kind.primitive == "flip":
            rows[:, MASK] <<= 1
            return "another bit", self.altered(rows, numbers)
        if self.kind.primitive == "hold":
            rows[:, PRIMITIVE] = CONSTANT
            return "another primitive", self.altered(rows, numbers)
        numbers[:, 0] = np.where(np.isnan(numbers[:, 0]), 1.0, numbers[:, 0] / 2 + 0.25)
        return "another number", self.altered(rows, numbers)


@lru_cache(maxsize=2)
def case(name: str) -> Case:
    """The case of a kind; its runs are kept while its tests last."""
    return Case(catalogue()[name])
