"""The fault table as the kernels see it, and when a row is on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.jit import inlined
from firmware_sim.types import F64, I64

# Columns of FaultTable.rows, int64.
SEAM, PRIMITIVE, TARGET, EXTRA, PACK, START_NS, STOP_NS, ON_NS, PERIOD_NS, MASK, GROUP = range(11)
N_COLUMNS = 11
# SEAM.
PLANT, SENSOR, TO_DUT, FROM_DUT, BUS = range(5)
# PACK: -1 means every pack.  GROUP: number of the scenario's fault that the row belongs to.
# Columns of FaultTable.numbers, float64: arguments of the primitive.
A, B, C = range(3)
N_NUMBERS = 3
# Rows of FaultTable.memory, (row, pack, fault row), float64: what a primitive remembers.
WAS_ON, KEPT = range(2)
N_MEMORY = 2

FOREVER_NS = 1 << 62
_ROOM, _ROOM_MORE = 4096, 256  # for the first pack, and for each further one


@dataclass
class FaultTable:
    """Faults of a run.

    rows: (n, 11) int64.  numbers: (n, 3) float64.  memory: (2, n_packs, n) float64.
    pending: (2, capacity, 14) frames that wait for their late arrival, to and from the device, columns of wire Events.
    n_pending: (2, 2) int64: of each direction, how many wait, and how many were lost because there was no room.
    """

    rows: I64
    numbers: F64
    memory: F64
    pending: I64
    n_pending: I64

    @classmethod
    def empty(cls, n_packs: int) -> FaultTable:
        """A table without faults."""
        return cls.of(np.zeros((0, N_COLUMNS), np.int64), np.zeros((0, N_NUMBERS)), n_packs)

    @classmethod
    def of(cls, rows: I64, numbers: F64, n_packs: int) -> FaultTable:
        """A table whose primitives remember nothing yet."""
        memory = np.zeros((N_MEMORY, n_packs, rows.shape[0]))
        pending = np.zeros((2, _ROOM + _ROOM_MORE * (n_packs - 1), 14), np.int64)
        return cls(rows, numbers, memory, pending, np.zeros((2, 2), np.int64))

    def extended(self, rows: I64, numbers: F64) -> FaultTable:
        """This table with more rows behind; what the old rows remember is kept."""
        n_packs = self.memory.shape[1]
        memory = np.concatenate([self.memory, np.zeros((N_MEMORY, n_packs, rows.shape[0]))], axis=2)
        both = np.concatenate([self.rows, rows]), np.concatenate([self.numbers, numbers])
        return FaultTable(*both, memory, self.pending, self.n_pending)

    @property
    def lost_frames(self) -> int:
        """Late frames for which there was no room: from here on the run is not what the scenario says."""
        return int(self.n_pending[:, 1].sum())


@inlined
def is_on(rows: I64, n: int, t_ns: int) -> bool:
    """Whether row n is on at t_ns: inside [start, stop), and in the on-part of its period if it has one."""
    start_ns, period_ns = rows[n, START_NS], rows[n, PERIOD_NS]
    inside = start_ns <= t_ns < rows[n, STOP_NS]
    return inside and (period_ns == 0 or (t_ns - start_ns) % period_ns < rows[n, ON_NS])


@inlined
def turn(rows: I64, n: int, t_ns: int) -> int:
    """How often row n has been off since it started, at a time at which it is on."""
    period_ns = rows[n, PERIOD_NS]
    return 0 if period_ns == 0 else (t_ns - rows[n, START_NS]) // period_ns
