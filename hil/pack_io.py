"""The pack's I/O unit and the charger: what the device's frames make them do.

The I/O unit drives the coils from BMS_Contactors. A command counts when its CRC is right and its counter has moved, so
a device that hangs while its hardware repeats the last frame is silent too. All coils are released when no valid command
has come for 100 ms, or at once when the device loses its supply. The charger takes its limit from
BMS_Limits. Commands act at the instant their frame ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8
from firmware_sim.wire.codec import decode_slot
from firmware_sim.wire.crc import crc_is_right, read_counter
from firmware_sim.wire.layout import E2E, LEN, LENGTH, NO_E2E, SENT, SLOT, T_NS, Layout
from hil.errors import ScenarioError
from hil.plant import contactor
from hil.plant import pack as pk

SILENCE_NS = 100_000_000

# Columns of the role vector: signals in the layout of the device's frames, and the slots that carry them.
PLUS, MINUS, PRE, CHARGE_LIMIT, COMMAND_SLOT, LIMIT_SLOT = range(6)
# Rows of `last`.
LAST_NS, LAST_COUNTER = range(2)


@dataclass
class PackIo:
    """State of the I/O unit of n packs.

    roles: (6,) int64.  value, valid: (pack, signal) decoded frames of the device.  last: (2, pack) int64, time and counter of
    the last valid command.
    """

    roles: I64
    value: F64
    valid: U8
    last: I64


def build(layout: Layout, n_packs: int) -> PackIo:
    """The I/O unit for the frames a device sends. Raises ScenarioError when the network lacks its commands."""
    roles = []
    for name in ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand", "BMS_ChargeCurrentLimit"):
        if name not in layout.signal_names:
            raise ScenarioError(f'the network lacks signal "{name}", which the pack\'s I/O unit or charger obeys')
        roles.append(layout.index(name))
    roles += [int(layout.signals[roles[0], SLOT]), int(layout.signals[roles[3], SLOT])]
    value = np.zeros((n_packs, layout.n_signals))
    valid = np.zeros((n_packs, layout.n_signals), np.uint8)
    last = np.zeros((2, n_packs), np.int64)
    last[LAST_COUNTER] = -1
    return PackIo(np.array(roles, np.int64), value, valid, last)


@kernel
def release(block: I64, p: int, t_ns: int) -> None:
    """Release all coils of pack p."""
    for c in range(contactor.N_CONTACTORS):
        contactor.drive(block, p, c, 0, t_ns)


@kernel
def obey(
    t_ns: int, words: I64, meta: I64, signals: I64, scales: F64, slots: I64, roles: I64, value: F64, valid: U8, last: I64,
    block: I64, pack: F64,
) -> None:  # fmt: skip
    """Act on the device's frames of one tick. t_ns: end of the tick.  block, pack: plant blocks, changed in place."""
    for p in range(words.shape[0]):
        s = roles[COMMAND_SLOT]
        counter = read_counter(words, p, slots, s) if slots[s, E2E] != NO_E2E else -1
        moved = counter < 0 or counter != last[LAST_COUNTER, p]
        sent = meta[p, SENT, s] == 1 and meta[p, LEN, s] == slots[s, LENGTH]
        if sent and moved and crc_is_right(words, p, slots, s):
            decode_slot(words, p, s, signals, scales, slots, value, valid)
            last[LAST_NS, p], last[LAST_COUNTER, p] = meta[p, T_NS, s], counter
            for c in range(contactor.N_CONTACTORS):
                at = roles[PLUS + c]
                closed = valid[p, at] == 1 and value[p, at] > 0.5
                contactor.drive(block, p, c, 1 if closed else 0, meta[p, T_NS, s])
        elif t_ns - last[LAST_NS, p] >= SILENCE_NS:
            release(block, p, t_ns)
        s = roles[LIMIT_SLOT]
        if meta[p, SENT, s] == 1 and crc_is_right(words, p, slots, s):
            decode_slot(words, p, s, signals, scales, slots, value, valid)
            at = roles[CHARGE_LIMIT]
            pack[pk.CHARGE_LIMIT_A, p] = value[p, at] if valid[p, at] == 1 else 0.0
