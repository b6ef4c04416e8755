"""The record of a session: chunks of the rig, bounded in memory, pieces of which are traces of their own.

Full chunks move from the rig to the tape; when they take more than the budget, the oldest go. A piece of the tape is a
Trace whose first row is time 0, so whatever reads traces reads pieces too; CHUNK is a multiple of the rig's cells_every,
so every chunk begins with a sample of all cells. Columns that the rig began to record later
(Rig.widen) are filled up: both sides of a signal that nothing had touched yet are unknown (NaN) and equal; a parameter
that nothing had touched yet has the value with which it was first seen.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from firmware_sim.types import F64
from hil import journal as j
from hil import truth
from hil.bus import records
from hil.errors import ScenarioError, nearest
from hil.network import Network
from hil.rig import CHUNK, Chunk, Rig
from hil.session.live import Latest
from hil.trace import Trace
from hil.wirelog import WireLog

_OF_CELL = re.compile(r"(\w+)\[(\d+)\]$")
_MOVED = ("main_plus_changed", "main_minus_changed", "precharge_changed")


@dataclass(frozen=True)
class Piece:
    """Ticks k_0 to k_1 of a run as a trace whose first row is time 0."""

    trace: Trace
    base_ns: int


def cut(trace: Trace, k_0: int, k_1: int) -> Piece:
    """Ticks k_0 to k_1 - 1 of a trace, starting with the sample of all cells at or before k_0."""
    every = trace.cells_every
    k_0 = max(k_0, 0) // every * every
    k_1 = min(k_1, trace.n_ticks)
    base_ns = k_0 * trace.dt_ns
    t_ns = trace.journal[:, j.T_NS]
    rows = trace.journal[(t_ns >= base_ns) & (t_ns < k_1 * trace.dt_ns)].copy()
    rows[:, j.T_NS] -= base_ns
    table = trace.truth[k_0:k_1].copy()
    columns = [name for name, _ in truth.COLUMNS]
    for name in _MOVED:
        table[:, columns.index(name)] -= base_ns
    piece = replace(
        trace,
        truth=table,
        cells=trace.cells[k_0 // every : -(-k_1 // every)],
        sides=trace.sides[k_0:k_1],
        parameter=trace.parameter[k_0:k_1],
        journal=rows,
        late_ns=trace.late_ns[k_0:k_1],
        bus=records.moved(records.between(trace.bus, base_ns, k_1 * trace.dt_ns), -base_ns),
    )
    return Piece(piece, base_ns)


class Tape:
    """The chunks of a run. budget_bytes: what full chunks may take before the oldest go."""

    def __init__(self, rig: Rig, budget_bytes: int) -> None:
        self._rig = rig
        self._budget = budget_bytes
        self._full: deque[Chunk] = deque()
        self._bytes = 0
        self._dropped = 0
        self.lost_frames = 0
        self.latest = Latest(rig.network)
        self._read = 0

    @property
    def first_tick(self) -> int:
        """First tick that is still here."""
        return self._dropped * CHUNK

    def harvest(self) -> None:
        """Take full chunks from the rig; cheap when there is none."""
        while self._rig.chunks:
            chunk = self._rig.chunks.pop(0)
            self.latest.absorb(chunk.log[self._read :])
            self._read = 0
            self.lost_frames += int(chunk.log_count[1] + chunk.bus_count[1])
            self._full.append(chunk)
            self._bytes += _size(chunk)
        while self._bytes > self._budget and len(self._full) > 1:
            self._bytes -= _size(self._full.popleft())
            self._dropped += 1

    def refresh(self) -> Latest:
        """The latest values, with every frame up to now."""
        self.harvest()
        chunk = self._rig.chunk
        rows = int(chunk.log_count[0])
        if rows > self._read:
            self.latest.absorb(chunk.log[self._read : rows].copy())
            self._read = rows
        return self.latest

    def frames_lost(self) -> int:
        """Frames that found no room in the journal, among the events or among the late ones."""
        rig = self._rig
        here = int(rig.chunk.log_count[1] + rig.chunk.bus_count[1] + rig.events.count[1]) + rig.faults.lost_frames
        return self.lost_frames + here + (0 if rig.bus is None else rig.bus.lost)

    def need(self, k: int) -> None:
        """Raise ScenarioError when tick k is no longer on the tape."""
        if k < self.first_tick:
            first_s, at_s = self.first_tick * self._rig.dt_ns / 1e9, k * self._rig.dt_ns / 1e9
            raise ScenarioError(
                f"the record begins at {first_s:g} s, because it may take {self._budget >> 20} MB; "
                f"{at_s:g} s is no longer in it; look earlier, or give the session more with memory_MB"
            )

    def whole(self, late_ns: list[int], touched: tuple[str, ...]) -> Trace:
        """All of the run as one trace. Raises ScenarioError when its beginning is gone."""
        self.need(0)
        return self._assemble(0, late_ns, touched)

    def piece(self, k_0: int, k_1: int, late_ns: list[int], touched: tuple[str, ...]) -> Piece:
        """Ticks k_0 to k_1 - 1. Raises ScenarioError when they are no longer here."""
        k_0 = max(k_0, 0)
        self.need(k_0)
        # one chunk more, for frames that end in the piece but were sent before it
        first = max(k_0 // CHUNK - 1, self._dropped)
        trace = self._assemble(first, late_ns, touched)
        start = first * CHUNK
        found = cut(trace, k_0 - start, k_1 - start)
        return Piece(found.trace, found.base_ns + start * self._rig.dt_ns)

    def _assemble(self, first: int, late_ns: list[int], touched: tuple[str, ...]) -> Trace:
        """Chunks from number `first` on as a trace; times in it count from that chunk's start."""
        self.harvest()
        rig, c = self._rig, self._rig.chunk
        here = Chunk(
            c.truth[: c.n_ticks], c.cells[: c.n_cells], c.sides[: c.n_ticks], c.parameters[: c.n_ticks],
            c.log[: int(c.log_count[0])], c.log_count, c.bus[: int(c.bus_count[0])], c.bus_count,
        )  # fmt: skip
        chunks = [*list(self._full)[first - self._dropped :], here]
        base_ns = first * CHUNK * rig.dt_ns
        journal = np.concatenate([x.log for x in chunks])
        table = np.concatenate([x.truth for x in chunks])
        if base_ns:
            journal[:, j.T_NS] -= base_ns
            columns = [name for name, _ in truth.COLUMNS]
            for name in _MOVED:
                table[:, columns.index(name)] -= base_ns
        return Trace(
            dt_ns=rig.dt_ns,
            truth=table,
            cells=np.concatenate([x.cells for x in chunks]),
            cells_every=rig.cells_every,
            touched=touched,
            sides=np.concatenate([_widened(x.sides, len(rig.touched)) for x in chunks]),
            parameters=tuple(".".join(str(x) for x in address) for address in rig.addresses.tolist()),
            parameter=_filled(np.concatenate([_widened(x.parameters, len(rig.addresses)) for x in chunks])),
            journal=journal,
            late_ns=np.array(late_ns[first * CHUNK :], np.int64),
            lost_frames=self.frames_lost(),
            bus=records.moved(np.concatenate([x.bus for x in chunks]), -base_ns),
        )


def _size(chunk: Chunk) -> int:
    return sum(block.nbytes for block in (chunk.truth, chunk.cells, chunk.sides, chunk.parameters, chunk.log, chunk.bus))


def _widened(block: F64, width: int) -> F64:
    """Columns that were not recorded yet read NaN."""
    missing = width - block.shape[-1]
    if not missing:
        return block
    return np.pad(block, [(0, 0)] * (block.ndim - 1) + [(0, missing)], constant_values=np.nan)


def _filled(block: F64) -> F64:
    """Each column's leading NaN get its first value."""
    for n in range(block.shape[1]):
        known = np.flatnonzero(~np.isnan(block[:, n]))
        if len(known):
            block[: known[0], n] = block[known[0], n]
    return block


# ---- captures


class Track(NamedTuple):
    """One quantity over time. t_s, value: (n,) arrays.  unit."""

    t_s: F64
    value: F64
    unit: str

    def at(self, t_s: npt.ArrayLike) -> F64:
        """The last value at or before each time; NaN before the first."""
        k = np.searchsorted(self.t_s, np.asarray(t_s, np.float64) + 1e-9, side="right") - 1
        if not len(self.value):
            return np.full(k.shape, np.nan)
        return np.where(k >= 0, self.value[np.maximum(k, 0)], np.nan)


class Capture(dict[str, Track]):
    """Quantities over time, by name. With a single one, its arrays are at hand as .t_s and .value."""

    @property
    def _only(self) -> Track:
        if len(self) != 1:
            raise ScenarioError(f'this capture holds {len(self)} quantities; take one, as in capture["{next(iter(self), "")}"]')
        return next(iter(self.values()))

    @property
    def t_s(self) -> F64:
        """Times of the only quantity."""
        return self._only.t_s

    @property
    def value(self) -> F64:
        """Values of the only quantity."""
        return self._only.value

    def table(self, every_s: float) -> npt.NDArray[np.void]:
        """All quantities on one grid as a structured array with the field t_s; each holds its last value."""
        ends = [track.t_s[-1] for track in self.values() if len(track.t_s)]
        starts = [track.t_s[0] for track in self.values() if len(track.t_s)]
        grid = np.arange(min(starts), max(ends) + 1e-9, every_s) if ends else np.zeros(0)
        out = np.zeros(len(grid), [("t_s", np.float64), *((name, np.float64) for name in self)])
        out["t_s"] = grid
        for name, track in self.items():
            out[name] = track.at(grid)
        return out


def capture(piece: Piece, network: Network, names: Iterable[str], from_s: float = 0.0) -> Capture:
    """Signals, columns of truth, and truths of single cells (cell_voltage[5]) from a time on. Raises ScenarioError."""
    log = WireLog(piece.trace.journal, network)
    found = Capture()
    for name in names:
        track = _track(piece, log, network, name)
        later = track.t_s >= from_s - 1e-9
        found[name] = Track(track.t_s[later], np.asarray(track.value[later], np.float64), track.unit)
    return found


def cell_quantity(name: str, n_cells: int) -> tuple[int, int] | None:
    """Row of a cell sample and cell of a name like cell_voltage[5]; None for other names. Raises ScenarioError."""
    match = _OF_CELL.match(name)
    rows = [column for column, _ in truth.CELL_COLUMNS]
    if match is None or match[1] not in rows:
        return None
    if int(match[2]) >= n_cells:
        raise ScenarioError(f'"{name}" does not exist; this pack has {match[1]}[0] to {match[1]}[{n_cells - 1}]')
    return rows.index(match[1]), int(match[2])


def _track(piece: Piece, log: WireLog, network: Network, name: str) -> Track:
    trace, base_s = piece.trace, piece.base_ns * 1e-9
    units = dict(truth.COLUMNS)
    if name in units:
        return Track(trace.t_s + base_s, trace.column(name), units[name])
    of_cell = cell_quantity(name, trace.cells.shape[2])
    if of_cell is not None:
        return Track(trace.t_cells_s + base_s, trace.cells[:, of_cell[0], of_cell[1]], truth.CELL_COLUMNS[of_cell[0]][1])
    signals = {n: u for x in (network.to_dut, network.from_dut) for n, u in zip(x.signal_names, x.units, strict=True)}
    if name not in signals:
        known = [*signals, *units, "cell_voltage[0]", "cell_temperature[0]", "cell_soc[0]"]
        raise ScenarioError(f'"{name}" is neither a signal nor a truth{nearest(name, known)}')
    series = log.series(name)
    return Track(np.asarray(series.t_ns[series.valid] * 1e-9 + base_s, np.float64), series.value[series.valid], signals[name])
