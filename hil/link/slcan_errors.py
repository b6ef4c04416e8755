"""What an adapter says of errors over slcan, as error frames of the Linux kernel.

    s S rrr ttt   the state of its controller: a active, w warning, p passive, b bus-off; receive and transmit error counters
    e N c..       N errors: a no acknowledge, b B a recessive or dominant bit, c CRC, f form, s stuffing, o O its buffer overran

Few adapters do. Source: comments of the kernel's slcan driver (Linux 6.0); classes and bytes as in linux/can/error.h.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BUS_OFF = 0x40
_CONTROLLER, _PROTOCOL, _ACKNOWLEDGE, _BUS_ERROR, _COUNTERS = 0x4, 0x8, 0x20, 0x80, 0x200
_STATE = re.compile(rb"s([awpb])(\d{3})(\d{3})")
_ERRORS = re.compile(rb"e([0-8])([abBcfoOs]*)")
_ACTIVE, _NOT_ACTIVE = 0x40, {b"w": (0x04, 0x08), b"p": (0x10, 0x20)}  # data[1]: in receiving, in transmitting
_OVERRUN = {"o": 0x01, "O": 0x02}  # data[1]
_KINDS = {"c": 0x01, "f": 0x02, "s": 0x04, "b": 0x08, "B": 0x10}  # data[2]
_PLACES = {"a": 0x19, "c": 0x08}  # data[3]


class Error(NamedTuple):
    """An error frame. can_id: its classes.  data: 8 bytes.  state: of the controller, empty where it is not told."""

    can_id: int
    data: bytes
    state: str = ""


def parse(line: bytes) -> Error | None:
    """The error of a line; None when it tells none."""
    if match := _STATE.fullmatch(line):
        return _state(match[1], int(match[2]), int(match[3]))
    if (match := _ERRORS.fullmatch(line)) and len(match[2]) == int(match[1]):
        return _errors(match[2].decode())
    return None


def _state(letter: bytes, receive: int, transmit: int) -> Error:
    data = bytearray(8)
    state = letter.decode()
    if letter == b"b":
        return Error(BUS_OFF, bytes(data), state)
    if letter == b"a":
        data[1] = _ACTIVE
    else:
        in_receiving, in_transmitting = _NOT_ACTIVE[letter]
        data[1] = in_receiving * (transmit <= receive) | in_transmitting * (transmit >= receive)
    data[6], data[7] = min(transmit, 255), min(receive, 255)
    return Error(_CONTROLLER | _COUNTERS, bytes(data), state)


def _errors(letters: str) -> Error:
    can_id, data = _PROTOCOL | _BUS_ERROR, bytearray(8)
    for letter in letters:
        can_id |= _ACKNOWLEDGE if letter == "a" else _CONTROLLER if letter in _OVERRUN else 0
        data[1] |= _OVERRUN.get(letter, 0)
        data[2] |= _KINDS.get(letter, 0)
        data[3] = _PLACES.get(letter, data[3])
    return Error(can_id, bytes(data))
