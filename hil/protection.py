"""E2E protection of messages: what a DBC's attributes or a mapping say of it, and whether the message is made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware_sim.wire import layout as w
from hil.signal_rows import bits_of

PROFILES = {"None": w.NO_E2E, "P11": w.P11, "P05": w.P05}
COUNTER_MAX = {w.NO_E2E: 0, w.P11: 14, w.P05: 255}
# Bits of CRC and counter.
_HEADERS = {w.P11: ((0, 8), (8, 4)), w.P05: ((0, 16), (16, 8))}
_LAST_ID = 0xFFFF


@dataclass(frozen=True)
class Protection:
    """How a message is protected.

    profile: NO_E2E, P11 or P05.  data_id: of page 0.  per_page: what each page adds to it.  crc, counter: the signals that
    carry them, None where they are found by their place.
    """

    profile: int = w.NO_E2E
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
    profile = PROFILES.get(value, w.NO_E2E) if isinstance(value, str) else value
    good = profile in COUNTER_MAX and isinstance(data_id, int)
    return Protection(profile, data_id) if good else Protection()


def problems(message: Any) -> list[str]:
    """What is wrong with the E2E attributes of a message, which a foreign file may have defined as anything."""
    value, data_id = attribute(message, "E2eProfile", 0), attribute(message, "E2eDataId", 0)
    found = []
    if value not in PROFILES and value not in PROFILES.values():
        found.append(f'message "{message.name}": E2eProfile is {value!r}; expected one of {", ".join(PROFILES)}')
    pages = max((page for s in message.signals for page in s.multiplexer_ids or ()), default=0)
    if not isinstance(data_id, int) or not 0 <= data_id <= _LAST_ID - pages:
        found.append(f'message "{message.name}": E2eDataId is {data_id!r}; expected 0 to {_LAST_ID - pages}')
    return found


def header(message: Any, protection: Protection, found: list[str]) -> set[str]:
    """Names of the CRC and counter signals, which the E2E code owns. found: sentences are added to it."""
    if protection.profile == w.NO_E2E:
        return set()
    names = set()
    given = (protection.crc, protection.counter)
    for (start, length), what, name in zip(_HEADERS[protection.profile], ("CRC", "counter"), given, strict=True):
        wanted = set(range(start, start + length))
        at = next((s for s in message.signals if s.name == name), None)
        if name is not None and at is not None and (set(bits_of(at)) != wanted or _is_turned(at)):
            found.append(
                f'message "{message.name}": {what} signal "{name}" lies at bits {_shown(bits_of(at))}; this E2E profile has it '
                f"at bits {start} to {start + length - 1}, the lowest first"
            )
        match = [at] if at is not None else [s for s in message.signals if set(bits_of(s)) == wanted and not _is_turned(s)]
        if match:
            names.add(match[0].name)
        else:
            found.append(
                f'message "{message.name}": E2E needs its {what} at bit {start}, {length} bits long; no signal lies there'
            )
    return names


def _is_turned(signal: Any) -> bool:
    """True when its bytes stand the other way round: the profiles send the low byte first."""
    return bits_of(signal) != sorted(bits_of(signal))


def _shown(bits: list[int]) -> str:
    return f"{min(bits)} to {max(bits)}"
