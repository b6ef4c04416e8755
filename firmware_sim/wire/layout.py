"""Where every signal of one direction lies: the tables into which a DBC is compiled.

Frames of one tick stand in an Image, one slot for each (message, page). A slot is 1 word of 64 bits (classic frame) or
8 (CAN FD). Words are int64, not uint64: interpreted and compiled Python agree on every int64 operation, and a mask after
an arithmetic shift gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64, I64

# Columns of Layout.signals: one row a signal.
# RAW_MIN to RAW_MAX is a value; RAW_LOW, RAW_HIGH, RAW_NAN stand on the wire for values below, above, and for none.
SLOT, WORD, SHIFT, BITS, MASK, KIND, RAW_MIN, RAW_MAX, RAW_LOW, RAW_HIGH, RAW_NAN, LINK = range(12)
N_SIGNAL_COLUMNS = 12
# KIND is a sum of these; 0 is the fast path: unsigned, little-endian, inside one word.
# GUARDED   another signal of its frame, row LINK, says whether it is a value.
# GUARD     such a signal: raw LINK means "a value", raw RAW_NAN "none".
# TABLE     the values 0 to 7 stand as the raw values in the bytes of LINK; 255 is none. RAW_LOW, RAW_HIGH and RAW_NAN that
#           are no such value are ~raw.
# FLOAT     a float of 32 or 64 bits; RAW_MIN to RAW_NAN are the bits of float64 numbers. The largest kind, so that one
#           comparison tells.
SIGNED, BIG_ENDIAN, SPLIT, GUARDED, GUARD, TABLE, FLOAT = 1, 2, 4, 8, 16, 32, 64
NO_VALUE = 255

# Columns of Layout.scales: physical = raw * SCALE + OFFSET.
SCALE, OFFSET = range(2)

# Columns of Layout.slots: one row a (message, page), bus by bus, in order of arbitration.
(
    CAN_ID, FLAGS, LENGTH, WORD_0, N_WORDS, FIRST, COUNT, E2E, DATA_ID, CRC_SEED, COUNTER_MAX, CYCLE_NS, PHASE_NS, FRAME_NS,
    BUS, PAGE_MASK,
    COUNTER_WORD, COUNTER_SHIFT, COUNTER_MASK, COUNTER_FIRST, COUNTER_STEP, TURNED, FIXED_MASK, FIXED,
    CHECK, CHECK_WORD, CHECK_SHIFT, CHECK_BITS, WIDTH, POLY, START, FINAL, BYTES, BEFORE, N_BEFORE, AFTER, N_AFTER,
    LISTED, LIST_LOW, LIST_HIGH, COUNTS_WITH,
) = range(41)  # fmt: skip
N_SLOT_COLUMNS = 41
# FLAGS is a sum of these; NOTED only in an event: it was on the bus, but nobody obeys it.
EXTENDED, FD, NOTED = 1, 2, 4
# How a frame is protected. P11 and P05 are the two fast ways to a CRC; OTHER is as the columns from CHECK on say.
NO_E2E, P11, P05, OTHER = range(4)
# The counter, when COUNTER_MASK is not 0: COUNTER_FIRST, then COUNTER_STEP more each time, COUNTER_MAX times, then again.
# It lies in word COUNTER_WORD of the frame, from bit COUNTER_SHIFT on. TURNED is a sum of these: the counter, the check
# is big-endian, its shift counted in the word with its bytes reversed. COUNTS_WITH: the slot whose counter it is, itself, or
# the first page where one counter runs over all pages. FIXED: what stands at FIXED_MASK in the first word.
COUNTER_TURNED, CHECK_TURNED = 1, 2
# CHECK: a CRC (the highest bit of a byte first, or the lowest), a sum of bytes or of their halves, or the exclusive or of
# them. START, FINAL: what it begins with and what is inverted in the end. POLY: of the CRC; of a sum 1 or -1, its sign.
# WIDTH: bits of the result. CHECK_BITS: where it stands in its word; there the frame counts as 0. BYTES: those of the frame
# that are checked, one bit a byte; BEFORE, AFTER: up to 8 bytes more. LISTED: one of 16 bytes more, picked by the counter.
NO_CHECK, CRC_HIGH, CRC_LOW, SUM, HALF_SUM, XOR, HALF_XOR = range(7)
NOT_LISTED, LISTED_BEFORE, LISTED_AFTER, LISTED_ONTO = range(4)


@dataclass(frozen=True)
class Layout:
    """All frames of one direction.

    signals: (n_signals, 12) int64, columns SLOT ... LINK.  scales: (n_signals, 2) float64, SCALE OFFSET.
    slots: (n_slots, 41) int64, columns CAN_ID ... COUNTS_WITH; the signals of slot s are rows FIRST to FIRST + COUNT - 1.
    blank: (n_words,) int64, the bits of an empty frame: the multiplexer's page, and what is FIXED.
    signal_names, slot_names: in the order of the rows.  units: of each signal.
    """

    signals: I64
    scales: F64
    slots: I64
    blank: I64
    signal_names: tuple[str, ...]
    slot_names: tuple[str, ...]
    units: tuple[str, ...]

    @property
    def n_signals(self) -> int:
        """Count of signals."""
        return len(self.signal_names)

    @property
    def n_slots(self) -> int:
        """Count of (message, page) slots."""
        return len(self.slot_names)

    @property
    def n_words(self) -> int:
        """Count of 64-bit words in an image."""
        return int(self.blank.shape[0])

    def index(self, name: str) -> int:
        """Row of a signal. Raises KeyError with the name when there is none."""
        try:
            return self.signal_names.index(name)
        except ValueError:
            raise KeyError(name) from None


# Rows of Image.meta.
SENT, LEN, T_NS = range(3)


@dataclass(frozen=True)
class Image:
    """The frames of one direction in one tick.

    words: (n_packs, n_words) int64, the payload, little-endian: byte i of a slot is bits 8 i to 8 i + 7 of its words.
    meta: (n_packs, 3, n_slots) int64: SENT (1: a frame is here), LEN [bytes], T_NS (end of frame on the bus).
    """

    words: I64
    meta: I64

    @classmethod
    def empty(cls, layout: Layout, n_packs: int) -> Image:
        """An image in which nothing was sent."""
        meta = np.zeros((n_packs, 3, layout.n_slots), np.int64)
        return cls(np.tile(layout.blank, (n_packs, 1)), meta)


# Columns of an Events table: frames that no slot holds.
EVENT_T_NS, EVENT_PACK, EVENT_BUS, EVENT_ID, EVENT_FLAGS, EVENT_LEN, EVENT_WORD_0 = range(7)
N_EVENT_COLUMNS = EVENT_WORD_0 + 8


@dataclass
class Events:
    """Frames that no slot holds: second copies, late arrivals, unknown ids, wrong lengths.

    rows: (capacity, 14) int64, columns EVENT_*.  count: (2,) int64: rows in use, and rows lost because it was full.
    """

    rows: I64
    count: I64

    @classmethod
    def empty(cls, capacity: int = 64) -> Events:
        """A table without events."""
        return cls(np.zeros((capacity, N_EVENT_COLUMNS), np.int64), np.zeros(2, np.int64))
