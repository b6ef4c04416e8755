"""How much a signal looks like a role: words of its name, its message and its comment, its unit and its size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hil.guess.words import Role

_WORDS = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")
_IN_NAME, _IN_MESSAGE, _IN_COMMENT = 1.0, 0.7, 0.6
_GROUPS, _UNIT, _LIKES = 0.65, 0.25, 0.10
_NO_UNIT = 0.5  # a file without units says nothing against one


@dataclass(frozen=True)
class Seen:
    """A signal of a DBC, as far as guessing goes. senders: nodes, none where the DBC names none."""

    message: Any
    signal: Any
    senders: tuple[str, ...]
    name: tuple[str, ...]
    message_name: tuple[str, ...]
    comment: tuple[str, ...]

    @property
    def key(self) -> tuple[int, str]:
        """What orders signals: as the bus does, then by name."""
        return int(self.message.frame_id), str(self.signal.name)


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Words of a name or comment, in small letters."""
    return tuple(word.lower() for word in _WORDS.findall(text[:400]))


def seen(message: Any, signal: Any) -> Seen:
    """A signal with its words."""
    return Seen(
        message, signal, tuple(message.senders), words(signal.name), words(message.name), words(str(signal.comment or ""))
    )


def has(found: tuple[str, ...], word: str) -> bool:
    """True when a word is there; one of four letters or more also as the beginning of a longer one."""
    return any(each == word or (len(word) >= 4 and each.startswith(word)) for each in found)


def unit_of(signal: Any, role: Role) -> tuple[float, float] | None:
    """(scale, offset) from the signal's unit to the role's; None when it is another quantity's."""
    unit = str(signal.unit or "").strip().lower()
    if unit in role.units:
        return role.units[unit]
    return (1.0, 0.0) if not unit else None


def score(one: Seen, role: Role) -> tuple[float, str]:
    """(0 to 1, why) how much a signal looks like a role; 0 when something speaks against it."""
    signal, why = one.signal, []
    if not role.bits[0] <= signal.length <= role.bits[1] or any(has(one.name, word) for word in role.never):
        return 0.0, ""
    if unit_of(signal, role) is None:
        return 0.0, ""
    total = 0.0
    for group in role.groups:
        places = ((one.name, _IN_NAME), (one.message_name, _IN_MESSAGE), (one.comment, _IN_COMMENT))
        best = max(((share, word) for found, share in places for word in group if has(found, word)), default=(0.0, ""))
        unit = str(signal.unit or "").strip().lower()
        if best[0] < _IN_NAME and unit and len(role.units) > 1 and unit in group:
            best = (_IN_NAME, unit)  # the unit says the quantity
        if best[0] == 0.0:
            return 0.0, ""
        total += best[0]
        why.append(best[1])
    value = _GROUPS * total / len(role.groups)
    unit = str(signal.unit or "").strip()
    value += _UNIT * (1.0 if unit or "" in role.units else _NO_UNIT)
    liked = sorted({word for word in role.likes if has(one.name, word) or has(one.message_name, word)})
    value += _LIKES * min(len(liked), 2) / 2
    said = ", ".join(f'"{word}"' for word in dict.fromkeys([*why, *liked[:2]]))
    return min(value, 1.0), said + (f", unit {unit}" if unit else "")
