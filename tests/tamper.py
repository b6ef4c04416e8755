"""Traces of real runs, and what a liar would make of them: bits, times, frames and contacts changed, checks put right."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import rigs

from firmware_sim.types import I64
from firmware_sim.wire.crc import write_crc
from firmware_sim.wire.layout import E2E, KIND, LENGTH, MASK, N_WORDS, P11, SHIFT, SLOT, WORD, WORD_0
from hil import devices, files, judge, truth
from hil import journal as j
from hil.bench import Bench
from hil.setup import Setup
from hil.trace import Trace
from hil.verdict import Finding
from hil.wirelog import WireLog

NS = 1_000_000_000
DRIVE = [{"at_s": 0.2, "mode": "drive"}]
LIE = {"fault": "cell_reads", "target": "cell[5]", "start_s": 2.0, "with": {"value_V": 4.2002}}
REACTION = {"kind": "reaction", "requirement": "SR-CELL-OV"}
QUIET = {"kind": "quiet", "requirement": "SR-QUIET", "from_s": 1.2, "to_s": 2.0}
STATE = {"kind": "signal", "requirement": "SR-LATCH", "signal": "BMS_State", "is": "run", "from_s": 1.2, "to_s": 2.0}


class Tape:
    """A run of the emulator, fused, and its trace to be changed. Times are seconds; `to_s` None is the end."""

    def __init__(self, setup: Setup, trace: Trace) -> None:
        self.setup, self.trace = setup, trace

    @classmethod
    def of(cls, dut: str = "emulator", **keys: Any) -> Tape:
        """Run a scenario from keywords to its end, against the emulator as it is or broken."""
        inputs = rigs.scenario(**keys)
        built = rigs.build(inputs)
        bench = Bench(built, devices.create(dut, built))
        bench.start()
        bench.run_fused(inputs.scenario.n_ticks)
        return cls(bench.setup, bench.trace())

    def copy(self) -> Tape:
        """Another one with the same contents."""
        return Tape(self.setup, copy.deepcopy(self.trace))

    def findings(self) -> list[Finding]:
        """What the judge says."""
        return judge.judge(self.trace, self.setup)

    def finding(self, requirement: str, what: str = "") -> Finding:
        """The one finding of a requirement on something whose name starts like this."""
        found = [f for f in self.findings() if f.requirement == requirement and f.what.startswith(what)]
        assert len(found) == 1, found
        return found[0]

    def expecting(self, *expect: dict[str, Any], **keys: Any) -> Tape:
        """The same run, judged by other expectations (and other keys of the scenario that only the judge reads)."""
        scenario = self.setup.inputs.scenario
        data = {**scenario.model_dump(by_alias=True, exclude_none=True), "expect": list(expect), **keys}
        setup = copy.copy(self.setup)
        setup.inputs = rigs.scenario(**data)
        return Tape(setup, copy.deepcopy(self.trace))

    # ---- frames

    def layout(self, kind: int) -> Any:
        """Wire tables of a direction."""
        return WireLog(self.trace.journal, self.setup.network).layout(kind)

    def rows(self, kind: int, slot: int, from_s: float = 0.0, to_s: float | None = None) -> I64:
        """Which rows of the journal are frames of a slot in [from, to)."""
        t = self.trace.journal[:, j.T_NS]
        inside = (t >= from_s * NS) & (t < (np.inf if to_s is None else to_s * NS))
        return np.flatnonzero((self.trace.journal[:, j.KIND] == kind) & (self.trace.journal[:, j.SLOT] == slot) & inside)

    def slot(self, name: str, kind: int = j.FROM_DUT) -> int:
        """Slot of a signal or a message."""
        layout = self.layout(kind)
        return int(layout.signals[layout.index(name), SLOT]) if name in layout.signal_names else layout.slot_names.index(name)

    def say(self, signal: str, raw: int, from_s: float = 0.0, to_s: float | None = None, kind: int = j.FROM_DUT) -> Tape:
        """Put a raw value into every frame in [from, to) that carries a signal, with a CRC that fits."""
        layout = self.layout(kind)
        row = layout.signals[layout.index(signal)]
        assert row[KIND] == 0
        slot = int(row[SLOT])
        word = j.WORD + int(row[WORD] - layout.slots[slot, WORD_0])
        at = self.rows(kind, slot, from_s, to_s)
        mask, shift = int(row[MASK]), int(row[SHIFT])
        words = self.trace.journal[at, word]
        self.trace.journal[at, word] = (words & ~np.int64(mask << shift)) | np.int64((raw & mask) << shift)
        self._sign(kind, slot, at)
        return self

    def _sign(self, kind: int, slot: int, rows: I64) -> None:
        layout = self.layout(kind)
        words = np.zeros((1, layout.n_words), np.int64)
        first, n = int(layout.slots[slot, WORD_0]), int(layout.slots[slot, N_WORDS])
        for at in rows:
            words[0, first : first + n] = self.trace.journal[at, j.WORD : j.WORD + n]
            write_crc(words, 0, layout.slots, slot)
            self.trace.journal[at, j.WORD : j.WORD + n] = words[0, first : first + n]

    def hang(self, slot: str, from_s: float) -> Tape:
        """From then on every frame of a slot is its last one, sent again in time."""
        at = self.rows(j.FROM_DUT, self.slot(slot), from_s)
        self.trace.journal[at, j.WORD :] = self.trace.journal[at[0], j.WORD :]
        return self

    def break_crc(self, slot: str, from_s: float, to_s: float | None = None) -> Tape:
        """A wrong CRC in every frame of a slot in [from, to)."""
        s = self.slot(slot)
        assert self.layout(j.FROM_DUT).slots[s, E2E] == P11
        self.trace.journal[self.rows(j.FROM_DUT, s, from_s, to_s), j.WORD] ^= 0xFF
        return self

    def shorten(self, slot: str, from_s: float, to_s: float | None = None) -> Tape:
        """One byte less in every frame of a slot in [from, to)."""
        s = self.slot(slot)
        self.trace.journal[self.rows(j.FROM_DUT, s, from_s, to_s), j.LENGTH] = int(self.layout(j.FROM_DUT).slots[s, LENGTH]) - 1
        return self

    def mute(
        self, slots: Sequence[str] | None = None, from_s: float = 0.0, to_s: float | None = None, kind: int = j.FROM_DUT
    ) -> Tape:
        """Take away the frames of some slots (or of all of a direction) in [from, to)."""
        names = self.layout(kind).slot_names if slots is None else slots
        gone = np.concatenate([self.rows(kind, self.slot(name, kind), from_s, to_s) for name in names])
        self.trace.journal = np.delete(self.trace.journal, gone, axis=0)
        return self

    def move(self, slot: str, by_ms: float, from_s: float, to_s: float | None = None) -> Tape:
        """Frames of a slot that ended in [from, to) ended later, or with a negative time earlier."""
        self.trace.journal[self.rows(j.FROM_DUT, self.slot(slot), from_s, to_s), j.T_NS] += round(by_ms * 1e6)
        return self

    # ---- truth

    def truth(self, column: str, value: float, from_s: float, to_s: float | None = None) -> Tape:
        """A column of the truth in [from, to)."""
        k_0, k_1 = round(from_s * NS / self.trace.dt_ns), None if to_s is None else round(to_s * NS / self.trace.dt_ns)
        self.trace.truth[k_0:k_1, [name for name, _ in truth.COLUMNS].index(column)] = value
        return self

    def path(self, closed: bool, from_s: float, to_s: float | None = None) -> Tape:
        """Both main contacts, open or closed in [from, to), moved at its beginning."""
        for name in ("main_plus", "main_minus"):
            self.truth(name, float(closed), from_s, to_s).truth(f"{name}_changed", from_s * NS, from_s, to_s)
        return self

    def cut(self, to_s: float) -> Tape:
        """The record ends here."""
        t = self.trace
        n = round(to_s * NS / t.dt_ns)
        t.truth, t.sides, t.parameter, t.late_ns = t.truth[:n], t.sides[:n], t.parameter[:n], t.late_ns[:n]
        t.cells = t.cells[: -(-n // t.cells_every)]
        t.journal = t.journal[t.journal[:, j.T_NS] < to_s * NS]
        return self

    def late(self, ms: float, from_s: float, to_s: float) -> Tape:
        """A run in wall time whose bench was late in [from, to)."""
        if not len(self.trace.late_ns):
            self.trace.late_ns = np.zeros(self.trace.n_ticks, np.int64)
        k_0, k_1 = (round(t * NS / self.trace.dt_ns) for t in (from_s, to_s))
        self.trace.late_ns[k_0:k_1] = round(ms * 1e6)
        return self

    def first(self, signal: str, above: float, from_s: float = 0.0) -> float:
        """End of the first frame from then on in which a signal, either way, reads above a value [s]."""
        series = WireLog(self.trace.journal, self.setup.network).series(signal)
        k = np.flatnonzero((series.t_ns >= from_s * NS) & (series.value > above))
        return float(series.t_ns[k[0]]) / NS


@lru_cache(maxsize=1)
def overvoltage() -> Tape:
    """A drive without a load in which cell 5 reads one step above its limit from 2 s on; the path is open at 2.62 s."""
    return Tape.of(request=DRIVE, fault=[LIE], expect=[REACTION, QUIET, STATE], duration_s=4.0)


@lru_cache(maxsize=1)
def ladder() -> Tape:
    """All three tiers of over-voltage in turn, as shipped."""
    text = files.read_toml(files.shipped("scenario")["cell-overvoltage-ladder"])
    return Tape.of(**{key: value for key, value in text.items() if key not in ("format", "name", "title", "text")})


@lru_cache(maxsize=1)
def precharge() -> Tape:
    """An open precharge resistor: three tries and no more, the last one ends at 12.8 s."""
    fault = {"fault": "precharge_open", "start_s": 0.0}
    expect = {"kind": "precharge", "requirement": "SR-PRECHARGE-TRIES"}
    return Tape.of(request=[{"at_s": 0.5, "mode": "drive"}], fault=[fault], expect=[expect], duration_s=17.0)
