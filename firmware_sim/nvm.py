"""Non-volatile memory: two copies of one record, written in turn and in pieces; at the start the newest whole one counts.

A record is words of 32 bits: SEQUENCE, CRC, FORMAT, the pack's words, then the words of each cell. A write takes one piece
of PIECE words a tick:

    piece 0         SEQUENCE and CRC of the older copy become 0: whatever happens from here on, it is no record
    pieces 1 ... n  the words behind them, as the state is in that tick
    piece n + 1     SEQUENCE, one more than that of the other copy, and CRC

So a loss of supply between any two pieces, or within one, leaves the other copy as it was. The CRC is CRC-32 (IEEE 802.3,
as zlib's) over FORMAT to the last word and then SEQUENCE, little-endian; it is carried along from piece to piece. FORMAT
holds a version and the number of cells: the record of another firmware or pack counts as none. A number is kept as a
signed integer of its unit, see _CELL and _PACK; what does not fit stays at its end.

SOC and current error are those of the tick in which the write began (keep); health and counters are at most some ticks
younger.
Latched limits are no part of it: each is a word of its own (NVM_LATCHED), written in the tick in which it trips.
"""

from __future__ import annotations

import math

import numpy as np

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

N_COPIES = 2
SEQUENCE, CRC, FORMAT = range(3)
N_HEAD = 3
PIECE = 16
_VERSION = 2
_MASK = 0xFFFFFFFF
ERASED = 0xFFFFFFFF  # what a word reads whose page was erased and not written again

# Words of the pack: row of `real` and its unit; then row of `whole` and how many of it make one.
_PACK = (
    (st.IN_AH, 1e-3), (st.OUT_AH, 1e-3), (st.ZERO_A, 1e-6), (st.TREND_SOC, 1e-9), (st.TREND_SIGMA, 1e-9),
    (st.TREND_SPREAD, 1e-9),
)  # fmt: skip
_COUNTS = (
    (st.ON_NS, 1_000_000_000), (st.PARKED_NS, 1_000_000_000), (st.TREND_AT_NS, 1_000_000_000), (st.TREND_SET, 1),
    (st.DEEP_COUNT, 1), (st.OVER_COUNT, 1), (st.UNDER_COUNT, 1),
)  # fmt: skip
# Words of a cell: row of `cell` and its unit.
_CELL = (
    (st.KEPT_Z, 1e-9), (st.KEPT_SIGMA, 1e-9), (st.SOH_CAPACITY, 1e-9), (st.SOH_CAPACITY_SIGMA, 1e-9),
    (st.SOH_RESISTANCE, 1e-8), (st.SOH_RESISTANCE_SIGMA, 1e-8), (st.SOH_R_PER_K, 1e-8),
    (st.KEPT_BIAS_A, 1e-6), (st.KEPT_BIAS_SIGMA_A, 1e-6),
    (st.TREND_D, 1e-9), (st.SHOWN_FAST, 1e-8), (st.SHOWN_SLOW, 1e-8), (st.SHOWN_PER_K, 1e-8),
)  # fmt: skip
_PACK_ROW, _PACK_UNIT = np.array([row for row, _ in _PACK], np.int64), np.array([unit for _, unit in _PACK])
_COUNT_ROW, _COUNT_UNIT = (np.array(column, np.int64) for column in zip(*_COUNTS, strict=True))
_CELL_ROW, _CELL_UNIT = np.array([row for row, _ in _CELL], np.int64), np.array([unit for _, unit in _CELL])
_N_PACK, _N_COUNT, _N_CELL = len(_PACK), len(_COUNTS), len(_CELL)


def _crc32_table() -> I64:
    """[b]: CRC-32 of byte b, reflected polynomial 0xEDB88320."""
    table = np.zeros(256, np.int64)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xEDB88320 if crc & 1 else crc >> 1
        table[byte] = crc
    return table


_CRC32 = _crc32_table()


def n_words(n_cells: int) -> int:
    """Words of one copy."""
    return N_HEAD + _N_PACK + _N_COUNT + _N_CELL * n_cells


def blank(n_packs: int, n_cells: int) -> I64:
    """Memory from the factory, (copy, pack, word): no record."""
    return np.zeros((N_COPIES, n_packs, n_words(n_cells)), np.int64)


@kernel
def _with_word(crc: int, word: int) -> int:
    """CRC carried on over the four bytes of a word."""
    for n in range(4):
        crc = (crc >> 8) ^ _CRC32[(crc ^ (word >> (8 * n))) & 0xFF]
    return crc


@kernel
def _fixed(value: float, unit: float) -> int:
    """A number as a word: in units, signed, at its end where it does not fit; 0 for what is no number."""
    units = value / unit
    if units != units:
        return 0
    return int(min(max(units, -2147483647.0), 2147483647.0) + (0.5 if units >= 0.0 else -0.5)) & _MASK


@kernel
def _number(word: int, unit: float) -> float:
    """The number that a word stands for."""
    return (word - (1 << 32) if word >= 1 << 31 else word) * unit


@kernel
def is_record(nvm: I64, copy: int, p: int, n_cells: int) -> bool:
    """Whether a copy is a whole record of this firmware and pack."""
    if nvm[copy, p, SEQUENCE] == 0 or nvm[copy, p, FORMAT] != (_VERSION << 16 | n_cells):
        return False
    crc = _MASK
    for n in range(FORMAT, nvm.shape[2]):
        crc = _with_word(crc, nvm[copy, p, n])
    return (_with_word(crc, nvm[copy, p, SEQUENCE]) ^ _MASK) == nvm[copy, p, CRC]


@kernel
def newest(nvm: I64, p: int, n_cells: int) -> int:
    """The copy that counts at the start; -1 when there is none."""
    best = -1
    for copy in range(N_COPIES):
        newer = best < 0 or nvm[copy, p, SEQUENCE] > nvm[best, p, SEQUENCE]
        if newer and is_record(nvm, copy, p, n_cells):
            best = copy
    return best


@kernel
def load(nvm: I64, copy: int, cell: F64, real: F64, whole: I64, p: int) -> None:
    """Take a copy into the state of a device that starts."""
    at = N_HEAD
    for n in range(_N_PACK):
        real[_PACK_ROW[n], p] = _number(nvm[copy, p, at + n], _PACK_UNIT[n])
    at += _N_PACK
    for n in range(_N_COUNT):
        whole[_COUNT_ROW[n], p] = nvm[copy, p, at + n] * _COUNT_UNIT[n]
    at += _N_COUNT
    for i in range(cell.shape[2]):
        for n in range(_N_CELL):
            cell[_CELL_ROW[n], p, i] = _number(nvm[copy, p, at + _N_CELL * i + n], _CELL_UNIT[n])
    whole[st.NVM_FOUND, p] = 1
    whole[st.NVM_SEQUENCE, p] = nvm[copy, p, SEQUENCE]
    whole[st.NVM_COPY, p] = copy


@kernel
def _word(cell: F64, real: F64, whole: I64, p: int, n: int) -> int:
    """Word n of the record, from the state as it is now."""
    if n == FORMAT:
        return _VERSION << 16 | cell.shape[2]
    n -= N_HEAD
    if n < _N_PACK:
        return _fixed(real[_PACK_ROW[n], p], _PACK_UNIT[n])
    n -= _N_PACK
    if n < _N_COUNT:
        return min(whole[_COUNT_ROW[n], p] // _COUNT_UNIT[n], _MASK)
    n -= _N_COUNT
    i, field = n // _N_CELL, n % _N_CELL
    return _fixed(cell[_CELL_ROW[field], p, i], _CELL_UNIT[field])


@kernel
def write(nvm: I64, cell: F64, real: F64, whole: I64, p: int) -> None:
    """Write the next piece; the one after the last ends the write. NVM_PIECE: number of the next piece, from 1; 0: none."""
    copy, piece = 1 - whole[st.NVM_COPY, p], whole[st.NVM_PIECE, p] - 1
    first = FORMAT + PIECE * (piece - 1)
    if piece == 0:
        nvm[copy, p, SEQUENCE] = nvm[copy, p, CRC] = 0
        whole[st.NVM_CRC, p] = _MASK
    elif first < nvm.shape[2]:
        for n in range(first, min(first + PIECE, nvm.shape[2])):
            word = _word(cell, real, whole, p, n)
            nvm[copy, p, n] = word
            whole[st.NVM_CRC, p] = _with_word(whole[st.NVM_CRC, p], word)
    else:
        sequence = whole[st.NVM_SEQUENCE, p] + 1
        nvm[copy, p, SEQUENCE] = sequence
        nvm[copy, p, CRC] = _with_word(whole[st.NVM_CRC, p], sequence) ^ _MASK
        whole[st.NVM_SEQUENCE, p], whole[st.NVM_COPY, p] = sequence, copy
        whole[st.NVM_PIECE, p] = 0
        return
    whole[st.NVM_PIECE, p] += 1


@kernel
def keep(cell: F64, p: int, bias_row: int) -> None:
    """What the record says of the estimates, all cells in one tick. bias_row: variance of BIAS_A, -1 where there is none."""
    for i in range(cell.shape[2]):
        cell[st.KEPT_Z, p, i] = cell[st.Z, p, i]
        cell[st.KEPT_SIGMA, p, i] = max(math.sqrt(cell[st.P, p, i]), cell[st.TOLD, p, i])
        cell[st.KEPT_BIAS_A, p, i] = cell[st.BIAS_A, p, i]
        cell[st.KEPT_BIAS_SIGMA_A, p, i] = math.sqrt(cell[bias_row, p, i]) if bias_row >= 0 else 0.0


@kernel
def save(
    nvm: I64, cell: F64, real: F64, whole: I64, settings: I64, bias_row: int, p: int, dt_ns: int
) -> None:  # fmt: skip
    """Begin a write once in SAVE_NS and go on with one that has begun."""
    if whole[st.IS_SEEDED, p] == 0:
        return
    if whole[st.NVM_PIECE, p] == 0 and whole[st.UP_NS, p] % settings[cfg.SAVE_NS] < dt_ns:
        keep(cell, p, bias_row)
        whole[st.NVM_PIECE, p] = 1
    if whole[st.NVM_PIECE, p] > 0:
        write(nvm, cell, real, whole, p)
