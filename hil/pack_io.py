"""The pack's I/O unit and the charger: what the device's frames make them do.

The I/O unit drives the coils from BMS_Contactors. A command counts when its CRC is right and its counter has moved, so
a device that hangs while its hardware repeats the last frame is silent too. All coils are released when no valid command
has come for 100 ms, or at once when the device loses its supply. The charger takes its limit from BMS_Limits, the inverter from
BMS_DischargeForesight, where a network has it. Frames act
at the instant they end, in their order: those in slots and those that no slot held, as late ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8
from firmware_sim.wire.codec import decode_slot
from firmware_sim.wire.crc import crc_is_right, read_counter
from firmware_sim.wire.event import is_for, unpack
from firmware_sim.wire.layout import COUNTER_MASK, EVENT_LEN, EVENT_T_NS, LEN, LENGTH, SENT, SLOT, T_NS, Layout
from hil.errors import ScenarioError
from hil.plant import contactor
from hil.plant import pack as pk

SILENCE_NS = 100_000_000
_LATE_NS = 1 << 62

# Columns of the role vector: signals in the layout of the device's frames, and the slots that carry them.
PLUS, MINUS, PRE, CHARGE_LIMIT, PULSE_LIMIT, COMMAND_SLOT, LIMIT_SLOT, PULSE_SLOT = range(8)
# Rows of `last`.
LAST_NS, LAST_COUNTER = range(2)


@dataclass
class PackIo:
    """State of the I/O unit of n packs.

    roles: (8,) int64, -1 where the network has no pulse limit.  value, valid: (pack, signal) decoded frames of the device.
    last: (2, pack) int64, time and counter of
    the last valid command.  spare: (pack, word) for frames outside slots.
    """

    roles: I64
    value: F64
    valid: U8
    last: I64
    spare: I64


def build(layout: Layout, n_packs: int) -> PackIo:
    """The I/O unit for the frames a device sends. Raises ScenarioError when the network lacks its commands."""
    roles = []
    for name in ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand", "BMS_ChargeCurrentLimit"):
        if name not in layout.signal_names:
            raise ScenarioError(f'the network lacks signal "{name}", which the pack\'s I/O unit or charger obeys')
        roles.append(layout.index(name))
    pulse = layout.index("BMS_DischargeCurrent10s") if "BMS_DischargeCurrent10s" in layout.signal_names else -1
    slots = [int(layout.signals[at, SLOT]) if at >= 0 else -1 for at in (roles[0], roles[3], pulse)]
    roles += [pulse, *slots]
    value = np.zeros((n_packs, layout.n_signals))
    valid = np.zeros((n_packs, layout.n_signals), np.uint8)
    last = np.zeros((2, n_packs), np.int64)
    last[LAST_COUNTER] = -1
    return PackIo(np.array(roles, np.int64), value, valid, last, np.zeros((n_packs, layout.n_words), np.int64))


@kernel
def release(block: I64, p: int, t_ns: int) -> None:
    """Release all coils of pack p."""
    for c in range(contactor.N_CONTACTORS):
        contactor.drive(block, p, c, 0, t_ns)


@kernel
def _command(
    words: I64, p: int, length: int, t_ns: int, signals: I64, scales: F64, slots: I64, roles: I64, value: F64, valid: U8,
    last: I64, block: I64,
) -> bool:  # fmt: skip
    """Drive the coils by a frame that ended at t_ns; False when it is no valid command."""
    s = roles[COMMAND_SLOT]
    counter = read_counter(words, p, slots, s) if slots[s, COUNTER_MASK] != 0 else -1
    moved = counter < 0 or counter != last[LAST_COUNTER, p]
    if length != slots[s, LENGTH] or not moved or not crc_is_right(words, p, slots, s):
        return False
    decode_slot(words, p, s, signals, scales, slots, value, valid)
    last[LAST_NS, p], last[LAST_COUNTER, p] = t_ns, counter
    for c in range(contactor.N_CONTACTORS):
        at = roles[PLUS + c]
        closed = valid[p, at] == 1 and value[p, at] > 0.5
        contactor.drive(block, p, c, 1 if closed else 0, t_ns)
    return True


@kernel
def _limit(
    words: I64, p: int, which: int, length: int, signals: I64, scales: F64, slots: I64, roles: I64, value: F64, valid: U8,
    pack: F64,
) -> None:  # fmt: skip
    """Tell the charger or the inverter its limit; one that is no value is 0. which: of the slots."""
    s = roles[which]
    if length == slots[s, LENGTH] and crc_is_right(words, p, slots, s):
        decode_slot(words, p, s, signals, scales, slots, value, valid)
        at = roles[CHARGE_LIMIT] if which == LIMIT_SLOT else roles[PULSE_LIMIT]
        row = pk.CHARGE_LIMIT_A if which == LIMIT_SLOT else pk.PULSE_LIMIT_A
        pack[row, p] = value[p, at] if valid[p, at] == 1 else 0.0


@kernel
def obey(
    t_ns: int, words: I64, meta: I64, events: I64, n_events: int, signals: I64, scales: F64, slots: I64, blank: I64,
    roles: I64, value: F64, valid: U8, last: I64, spare: I64, block: I64, pack: F64,
) -> None:  # fmt: skip
    """Act on the device's frames of one tick. t_ns: end of the tick.  block, pack: plant blocks, changed in place."""
    for p in range(words.shape[0]):
        commanded = False
        for which in range(COMMAND_SLOT, PULSE_SLOT + 1):
            s = roles[which]
            if s < 0:
                continue
            sent = meta[p, SENT, s] == 1
            own_ns = meta[p, T_NS, s] if sent else _LATE_NS
            for late in range(2 if n_events > 0 else 1):
                for e in range(n_events):
                    at_ns = events[e, EVENT_T_NS]
                    if (at_ns >= own_ns) == (late == 1) and is_for(events, e, slots, blank, p, s):
                        unpack(events, e, slots, p, s, spare)
                        length = events[e, EVENT_LEN]
                        if which != COMMAND_SLOT:
                            _limit(spare, p, which, length, signals, scales, slots, roles, value, valid, pack)
                        elif _command(spare, p, length, at_ns, signals, scales, slots, roles, value, valid, last, block):
                            commanded = True
                if sent and late == 0:
                    if which != COMMAND_SLOT:
                        _limit(words, p, which, meta[p, LEN, s], signals, scales, slots, roles, value, valid, pack)
                    elif _command(words, p, meta[p, LEN, s], own_ns, signals, scales, slots, roles, value, valid, last, block):
                        commanded = True
        if not commanded and t_ns - last[LAST_NS, p] >= SILENCE_NS:
            release(block, p, t_ns)
