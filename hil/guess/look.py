"""How much a signal looks like a role: words of its name, its message and its comment, its unit and its size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hil.guess.words import ELSEWHERE, HOME, NAMES, NUMBERING, OPEN_CLOSED, Role

_WORDS = re.compile(r"SO[CH](?=[a-z])|[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")
_IN_NAME, _IN_MESSAGE, _IN_COMMENT = 1.0, 0.7, 0.6
_GROUPS, _UNIT, _LIKES = 0.65, 0.25, 0.10
_NO_UNIT = 0.5  # a file without units says nothing against one
# What is known of a signal besides its words: no word of the battery (worse for some roles), a word of something else, values
# that mean nothing to us, no values where some should be.
_HOMELESS, _LOST, _FOREIGN, _STRANGE, _SILENT, _ONE_BIT = 0.8, 0.6, 0.5, 0.6, 0.85, 0.7


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
    """A signal with its words. A message called after its id says nothing by that."""
    of_message = tuple(word for word in words(message.name) if word != "id")
    return Seen(message, signal, tuple(message.senders), words(signal.name), of_message, words(str(signal.comment or "")))


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
    if not role.bits[0] <= signal.length <= role.bits[1] or any(has(one.name, word) for word in (*role.never, *NUMBERING)):
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
    factor, doubt = _doubt(one, role)
    return min(value, 1.0) * factor, said + (f", unit {unit}" if unit else "") + doubt


def _doubt(one: Seen, role: Role) -> tuple[float, str]:
    """(factor, why) by what speaks against a signal whose words fit."""
    where = [*(words(node) for node in one.senders), one.name, one.message_name, one.comment]
    own = {word for group in role.groups for word in group}
    foreign = [word for word in ELSEWHERE if word not in own and (has(one.name, word) or has(one.message_name, word))]
    if foreign:
        return _FOREIGN, f'; but "{foreign[0]}" is of something else'
    factor, said = _values(one, role)
    if not any(has(found, word) for found in where for word in HOME):
        lost = "{" in role.name or role.name.startswith("BMS_")  # a vehicle has many temperatures, states and limits
        return min(factor, _LOST if lost else _HOMELESS), said or "; nothing says that it is the battery's"
    return factor, said


def _values(one: Seen, role: Role) -> tuple[float, str]:
    """(factor, why) by the names of its values."""
    names = ["".join(words(str(name))) for name in (one.signal.choices or {}).values()]
    if role.name in NAMES:
        known = NAMES[role.name]
        ours = {known[key] for key in known for name in names if name == key or (len(key) >= 4 and name.startswith(key))}
        if len(ours) >= 2:
            return 1.0, ""
        if names:
            return _STRANGE, f'; but its values ("{next(iter(one.signal.choices.values()))}" ...) mean nothing to us'
        return (_ONE_BIT if one.signal.length == 1 else _SILENT), "; the DBC names no values"
    if role.name.endswith(("Feedback", "Command")):
        if names and {OPEN_CLOSED[name] for name in names if name in OPEN_CLOSED} != {0, 1}:
            return _STRANGE, f'; but its values ("{next(iter(one.signal.choices.values()))}" ...) mean nothing to us'
        if not names and one.signal.length > 1:
            return _SILENT, "; the DBC names no values"
    return 1.0, ""
