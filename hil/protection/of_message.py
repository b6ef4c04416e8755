"""Protection of one message: what a DBC's attributes or a mapping say of it, and whether the message is made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware_sim.wire import layout as w
from hil.protection.columns import place_of
from hil.protection.scheme import PROFILES, Bits, Scheme
from hil.signal_rows import bits_of

# What the attribute E2eProfile may say, in its order.
_OF_DBC = ("None", "P11", "P05")
_LAST_ID = 0xFFFF
_WIDEST_COUNTER = 16
NONE = PROFILES["None"][""]


@dataclass(frozen=True)
class Protection:
    """How a message is protected.

    scheme: how it is computed.  data_id: of page 0.  per_page: what each page adds to it.  crc, counter: the signals that
    carry them, None where they are found by their place or there is none.
    """

    scheme: Scheme = NONE
    data_id: int = 0
    per_page: int = 1
    crc: str | None = None
    counter: str | None = None


def attribute(message: Any, name: str, default: Any) -> Any:
    """Value of a DBC attribute of a message."""
    attributes = message.dbc.attributes if message.dbc is not None else {}
    return attributes[name].value if name in attributes else default


def of_dbc(message: Any) -> Protection:
    """What the attributes E2eProfile and E2eDataId say; `problems` tells whether they can be believed."""
    value, data_id = attribute(message, "E2eProfile", 0), attribute(message, "E2eDataId", 0)
    profile = _OF_DBC.index(value) if value in _OF_DBC else value
    if profile not in range(len(_OF_DBC)) or not isinstance(data_id, int):
        return Protection()
    return Protection(next(iter(PROFILES[_OF_DBC[profile]].values())), data_id)


def problems(message: Any) -> list[str]:
    """What is wrong with the E2E attributes of a message, which a foreign file may have defined as anything."""
    value, data_id = attribute(message, "E2eProfile", 0), attribute(message, "E2eDataId", 0)
    found = []
    if value not in _OF_DBC and value not in range(len(_OF_DBC)):
        found.append(f'message "{message.name}": E2eProfile is {value!r}; expected one of {", ".join(_OF_DBC)}')
    pages = max((page for s in message.signals for page in s.multiplexer_ids or ()), default=0)
    if not isinstance(data_id, int) or not 0 <= data_id <= _LAST_ID - pages:
        found.append(f'message "{message.name}": E2eDataId is {data_id!r}; expected 0 to {_LAST_ID - pages}')
    return found


def header(message: Any, protection: Protection, found: list[str]) -> set[str]:
    """Names of the signals that the protection owns: CRC, counter, and what is fixed. found: sentences are added to it."""
    scheme = protection.scheme
    names: set[str] = set()
    if message.length < scheme.shortest:
        found.append(
            f'message "{message.name}" has {message.length} bytes; this E2E profile has {scheme.shortest} bytes of its own'
        )
        return names
    for wanted, what, name in ((scheme.crc_at, "CRC", protection.crc), (scheme.counter_at, "counter", protection.counter)):
        signal = _signal(message, wanted, what, name, found)
        if signal is not None:
            names.add(signal.name)
    found += [f'message "{message.name}": {text}' for text in _unfit(message, protection)]
    fixed = set(scheme.fixed_at)
    for signal in message.signals:
        bits = set(bits_of(signal))
        if bits <= fixed and not signal.is_multiplexer:
            names.add(signal.name)
        elif bits & fixed:
            found.append(f'message "{message.name}": signal "{signal.name}" lies where this E2E profile has its own bits')
    return names


def _signal(message: Any, wanted: Bits, what: str, name: str | None, found: list[str]) -> Any:
    """The signal of a CRC or counter, at its place or of its name; None where there is none, or with the problem noted."""
    at = next((s for s in message.signals if s.name == name), None)
    label = f'message "{message.name}": {what} signal "{name}"'
    if not wanted:
        if at is None:
            return None
        if at.is_float or at.multiplexer_ids is not None or at.is_multiplexer:
            found.append(
                f"{label} is a float, a multiplexer, or comes only on some pages; expected a whole number in each frame"
            )
        elif place_of(tuple(bits_of(at))) is None:
            found.append(f"{label} lies across the border of 8 bytes (bits {_shown(bits_of(at))}), where it is not computed")
        return at
    if at is not None and tuple(bits_of(at)) != wanted:
        found.append(
            f"{label} lies at bits {_shown(bits_of(at))}; this E2E profile has it at bits {_shown(wanted)}, "
            f"the {'lowest' if wanted[0] == min(wanted) else 'highest'} first"
        )
    match = [at] if at is not None else [s for s in message.signals if tuple(bits_of(s)) == wanted]
    if not match:
        found.append(
            f'message "{message.name}": E2E needs its {what} at bit {min(wanted)}, '
            f"{len(wanted)} bits long; no signal lies there"
        )
    return match[0] if match else None


def _unfit(message: Any, protection: Protection) -> list[str]:
    """What of a scheme that a mapping put together does not fit the message."""
    scheme, found = protection.scheme, []
    crc, counter = (next((s for s in message.signals if s.name == name), None) for name in (protection.crc, protection.counter))
    if protection.crc is not None and protection.crc == protection.counter:
        found.append(f'signal "{protection.crc}" cannot be both CRC and counter')
    if scheme.data is not None and scheme.data[1] >= message.length:
        found.append(f"bytes {list(scheme.data)} do not fit its {message.length} bytes")
    if crc is not None and not scheme.crc_at:
        narrowest = 3 if scheme.kind == w.CRC_HIGH else 1
        widest = {w.CRC_HIGH: 32, w.XOR: 8, w.HALF_XOR: 4}.get(scheme.kind, 32)
        if scheme.width and crc.length != scheme.width:
            found.append(f'CRC signal "{crc.name}" has {crc.length} bits; this CRC has {scheme.width}')
        elif not narrowest <= crc.length <= widest:
            found.append(f'CRC signal "{crc.name}" has {crc.length} bits; {narrowest} to {widest} are computed here')
        elif max(scheme.poly, scheme.init, scheme.xor_out) >> crc.length:
            found.append(f'poly, init and xor_out must fit the {crc.length} bits of CRC signal "{crc.name}"')
    if counter is not None and not scheme.counter_at:
        top = (1 << counter.length) - 1
        if not 2 <= counter.length <= _WIDEST_COUNTER:
            found.append(f'counter signal "{counter.name}" has {counter.length} bits; 2 to {_WIDEST_COUNTER} are counted here')
        elif (top if scheme.last is None else scheme.last) > top or scheme.first + scheme.step > top:
            found.append(f'counter signal "{counter.name}" has {counter.length} bits; it cannot say what it should count to')
    return found


def places(message: Any, protection: Protection) -> tuple[Bits, Bits]:
    """Bits of CRC and counter of a message, the lowest first; empty where there is none."""
    at = {signal.name: tuple(bits_of(signal)) for signal in message.signals}
    scheme = protection.scheme
    return (
        scheme.crc_at or (at.get(protection.crc, ()) if protection.crc is not None else ()),
        scheme.counter_at or (at.get(protection.counter, ()) if protection.counter is not None else ()),
    )


def _shown(bits: list[int] | Bits) -> str:
    return f"{min(bits)} to {max(bits)}"
