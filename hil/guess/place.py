"""Which signal plays which role: the device first, then families of cells and sensors, then one signal for each role."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hil import roles
from hil.database import is_there, pages_of
from hil.guess.look import Seen, has, score, seen, unit_of, words
from hil.guess.words import FAMILIES, FLAGS, NAMES, NOT_AVAILABLE, OPEN_CLOSED, SINGLES, WARNS, Role

SURE = 0.55
_DEVICE_WORDS = ("bms", "bcu", "bmu", "bmc", "becm", "bec", "batt", "bpcm", "hvbatt", "bdu")
_OTHER_WORDS = ("charger", "obc", "motor", "inverter")
_NOBODY = ""
_MOST_CELLS = {"CellVoltage": 192, "CellTemperature": 64}
_WRONG_SIDE = 0.8
_FEWEST = 2


@dataclass
class Placed:
    """A role and its signals. why: in words.  rows: keys of the row besides role and signal."""

    role: Role
    signals: list[Seen]
    score: float
    why: str
    rows: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Guess:
    """A whole guess.

    dut: name of the device.  turned: messages whose sender is said otherwise, and why.  open: what was not placed, and what
    might play it.  barred: (role, signal) that look alike and yet were not placed, and why.
    """

    dut: str
    why_dut: str
    placed: list[Placed]
    turned: dict[str, tuple[str, str]]
    open: list[tuple[Role, list[tuple[float, Seen]]]]
    barred: dict[tuple[str, tuple[int, str]], str] = field(default_factory=dict)


def guess(database: Any) -> Guess:
    """Roles for the signals of a cantools database."""
    pool = [
        seen(message, signal)
        for message in sorted(database.messages, key=lambda m: m.frame_id)
        for signal in message.signals
        if not signal.is_multiplexer and _once(message, signal)
    ]
    dut, why_dut = _device(pool)
    out = Guess(dut or "BMS", why_dut, [], {}, [])
    taken: set[tuple[int, str]] = set()
    for role in FAMILIES:
        _family(out, role, pool, dut, taken)
    ranked = _ranked(pool, dut)
    done: set[str] = set()
    for value, role, one, why in ranked:
        if value >= SURE and role.name not in done and one.key not in taken:
            if bar := _bar(out, role, one, dut):
                out.barred[role.name, one.key] = bar
                continue
            done.add(role.name)
            taken.add(one.key)
            out.placed.append(_single(role, one, value, why))
            _turn(out, role, one, dut)
    for code, shapes in FLAGS.items():
        _flags(out, code, shapes, pool, dut, taken)
    for role in SINGLES:
        if role.name not in done:
            rest = [(value, one) for value, other, one, _ in ranked if other is role and one.key not in taken]
            out.open.append((role, rest[:3]))
    return out


def _once(message: Any, signal: Any) -> bool:
    return sum(is_there(signal, dict(page)) for page in pages_of(message)) == 1


def _sent(role: Role) -> bool:
    return roles.is_sent(role.name.replace("{n:03}", "000").replace("{n:02}", "00"))


def _device(pool: list[Seen]) -> tuple[str, str]:
    """The node that is tested: it says what a BMS says, hears what one hears, and is called so."""
    nodes = sorted({sender for one in pool for sender in one.senders or (_NOBODY,)})
    best = (-1.0, "", "")
    for node in nodes:
        said: dict[str, float] = {}
        heard = 0.0
        for one in pool:
            if node in one.senders or (node == _NOBODY and not one.senders):
                for role in SINGLES:
                    if _sent(role):
                        said[role.name] = max(said.get(role.name, 0.0), score(one, role)[0])
            elif node in one.signal.receivers:
                heard = max(heard, score(one, FAMILIES[0])[0])
        named = [word for word in _DEVICE_WORDS if has(words(node), word)]
        if any(has(words(node), word) for word in _OTHER_WORDS):
            named = []
        value = sum(x for x in said.values() if x >= SURE) + 2.0 * heard + (1.5 if named else 0.0)
        good = sorted(name for name, x in said.items() if x >= SURE)
        why = "; ".join(
            text
            for text in (
                f"sends what looks like {', '.join(good[:4])}" if good else "",
                "hears cell voltages" if heard >= SURE else "",
                f'"{named[0]}" in its name' if named else "",
            )
            if text
        )
        if value > best[0] + 1e-9:
            best = (value, node, why or "no other node fits better")
    return best[1], best[2]


def _ranked(pool: list[Seen], dut: str) -> list[tuple[float, Role, Seen, str]]:
    """All (score, role, signal, why), the best first; equal ones as the bus orders them."""
    out = []
    for n, role in enumerate(SINGLES):
        for one in pool:
            value, why = score(one, role)
            if value > 0.0:
                out.append(
                    (round(value * (1.0 if _right_side(role, one, dut) else _WRONG_SIDE), 6), n, one.key, role, one, why)
                )
    out.sort(key=lambda row: (-row[0], row[1], row[2]))
    return [(value, role, one, why) for value, _, _, role, one, why in out]


def _right_side(role: Role, one: Seen, dut: str) -> bool:
    return _sent(role) == (dut in one.senders or (dut == _NOBODY and not one.senders))


def _bar(out: Guess, role: Role, one: Seen, dut: str) -> str:
    """Why a message may not go in the direction of a role; empty when it may."""
    for other in out.placed:
        if _sent(other.role) != _sent(role) and any(s.message is one.message for s in other.signals):
            return f"its message has {other.role.name}, which goes the other way"
    if _right_side(role, one, dut) or (_sent(role) and not one.senders):
        return ""
    if _sent(role):
        return f"{'/'.join(one.senders)} sends it, not the device"
    if role.needed or one.message.name in out.turned:
        return ""
    return "the device sends it, and the role is not needed"  # no message is turned round without need


def _turn(out: Guess, role: Role, one: Seen, dut: str) -> None:
    """Note a sender where the DBC has none, or the wrong one."""
    name = one.message.name
    if _sent(role) and dut not in one.senders:
        out.turned[name] = (out.dut, "the DBC names no sender")
    elif not _sent(role) and (dut in one.senders or (dut == _NOBODY and not one.senders)):
        node = "CellMonitor" if role in FAMILIES else "Measuring"
        said = f"the DBC has it sent by {dut} itself" if dut else "the DBC names no sender"
        out.turned[name] = (node, f"{said}; the bench must send it, or it cannot stimulate what it says")


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in re.findall(r"\d{1,9}|\D+", text)]


def _family(out: Guess, role: Role, pool: list[Seen], dut: str, taken: set[tuple[int, str]]) -> None:
    """Cells and sensors: the largest set of signals that look alike, in the order of their numbers."""
    found: dict[tuple[str, str, int], list[tuple[Seen, float, str]]] = {}
    for one in pool:
        value, why = score(one, role)
        if value >= SURE and re.search(r"\d", one.signal.name) and one.key not in taken:
            shape = re.sub(r"_[A-Ha-h]$", "_#", re.sub(r"\d+", "#", one.signal.name))
            found.setdefault((shape, str(one.signal.unit), one.signal.length), []).append((one, value, why))
    good = {key: rows for key, rows in found.items() if len(rows) >= _FEWEST}
    if not good:
        out.open.append((role, []))
        return
    side = {key: _right_side(role, rows[0][0], dut) for key, rows in good.items()}
    key = max(sorted(good), key=lambda k: (side[k], len(good[k]) * sum(v for _, v, _ in good[k]) / len(good[k])))
    rows = sorted(good[key], key=lambda row: (_natural(row[0].signal.name), row[0].key))
    seen_names: set[str] = set()
    rows = [row for row in rows if not (row[0].signal.name in seen_names or seen_names.add(row[0].signal.name))]  # type: ignore[func-returns-value]
    most = _MOST_CELLS[role.name.split("_")[0]]
    notes = [f"the DBC has {len(rows)}; the bench knows {most}"] if len(rows) > most else []
    rows = rows[:most]
    one = rows[0][0]
    placed = Placed(role, [each for each, _, _ in rows], min(v for _, v, _ in rows), rows[0][2], {}, notes)
    _units(placed, one)
    _codes(placed, one)
    _validity(placed, pool)
    out.placed.append(placed)
    for each in placed.signals:
        taken.add(each.key)
        _turn(out, role, each, dut)


def _validity(placed: Placed, pool: list[Seen]) -> None:
    """A bit for each signal of a family that says whether it is a value, by its name and frame."""
    first = placed.signals[0]
    number = re.findall(r"\d+", first.signal.name)
    for one in pool:
        told = [word for word in ("valid", "invalid", "err", "fault", "sna", "ok") if has(one.name, word)]
        mine = set(first.name) - {"volt", "voltage", "temp", "mv", "u", "v", "t"}
        if one.message is not first.message or one.signal.length != 1 or not told or one is first:
            continue
        if re.findall(r"\d+", one.signal.name) == number and mine & set(one.name):
            names = [numbered(one.signal.name, each) for each in placed.signals]
            there = {(other.message.name, other.signal.name) for other in pool}
            if all((each.message.name, name) in there for each, name in zip(placed.signals, names, strict=True)):
                placed.rows["valid"] = names
                placed.rows["valid_is"] = 0 if told[0] not in ("valid", "ok") or has(one.name, "invalid") else 1
                return


def numbered(name: str, like: Seen) -> str:
    """A name with the numbers of another signal instead of its own."""
    numbers = iter(re.findall(r"\d+", like.signal.name))
    return re.sub(r"\d+", lambda match: next(numbers, match[0]), name)


def _units(placed: Placed, one: Seen) -> None:
    """Scale and offset from their unit to ours."""
    scale, offset = unit_of(one.signal, placed.role) or (1.0, 0.0)
    unit = str(one.signal.unit or "").strip()
    if scale != 1.0:
        placed.rows["scale"] = scale
    if offset != 0.0:
        placed.rows["offset"] = offset
    if not unit and len(placed.role.units) > 1 and "" not in placed.role.units:
        placed.notes.append("the DBC gives no unit")


def _codes(placed: Placed, one: Seen) -> None:
    """The raw value that says "no value", by its name."""
    choices = {int(raw): "".join(words(str(name))) for raw, name in (one.signal.choices or {}).items()}
    none = [raw for raw, name in sorted(choices.items()) if name in NOT_AVAILABLE]
    if none and "not_available" not in {str(name).lower().replace(" ", "_") for name in (one.signal.choices or {}).values()}:
        placed.rows["not_available"] = none[-1]


def _single(role: Role, one: Seen, value: float, why: str) -> Placed:
    """A role with one signal, and what its row must say."""
    placed = Placed(role, [one], value, why)
    _units(placed, one)
    choices = {int(raw): str(name) for raw, name in (one.signal.choices or {}).items()}
    if role.name == "Shunt_Current":
        text = str(one.signal.comment or "").lower()
        charge = re.search(r"positive[^.;]*\bcharg|charg\w*[^.;]*positive|\+[^.;]*charg", text) and "discharg" not in text
        placed.rows["positive"] = "charge" if charge else "discharge"
        placed.notes.append("the comment says so" if charge else "which way is positive is not known: look it up")
        _codes(placed, one)
    elif role.name.endswith(("Feedback", "Command")):
        if choices:
            meaning = {
                raw: OPEN_CLOSED[key] for raw, name in sorted(choices.items()) if (key := name.strip().lower()) in OPEN_CLOSED
            }
            if meaning == {0: 1, 1: 0}:
                placed.rows |= {"scale": -1.0, "offset": 1.0}
            elif sorted(meaning.values()) == [0, 1] and any(raw != value for raw, value in meaning.items()):
                placed.rows["meaning"] = meaning
            _codes(placed, one)
        elif has(one.name, "open") and not has(one.name, "close"):
            placed.rows |= {"scale": -1.0, "offset": 1.0}
            placed.notes.append("the bit says that it is open")
    elif role.name == "BMS_FaultCode" and not choices:
        placed.rows["values"] = "nabench"
        placed.notes.append("the DBC names no codes: ours are taken")
    elif choices and role.name in NAMES:
        _meaning(placed, choices)
        _codes(placed, one)
    else:
        _codes(placed, one)
    return placed


def _meaning(placed: Placed, choices: dict[int, str]) -> None:
    """Which of their values is which of ours, by name; nothing when a name of theirs is not known, or stands for two."""
    ours = {text: raw for raw, text in roles.values(placed.role.name).items()}
    known = NAMES[placed.role.name]
    meaning: dict[int, int] = {}
    strange = []
    for raw, name in sorted(choices.items()):
        word = "".join(words(name))
        found = [known[key] for key in known if word == key or (len(key) >= 4 and word.startswith(key))]
        if found and ours[found[0]] not in meaning.values():
            meaning[raw] = ours[found[0]]
        elif word not in NOT_AVAILABLE:
            strange.append(name)
    same = {text.lower(): raw for raw, text in choices.items()}
    clash = any(same.get(text, raw) != raw for text, raw in ours.items())  # equal names must have equal numbers
    if strange:
        placed.notes.append(f'its "{strange[0]}" is none of ours for sure: say with `meaning` which is which')
    if meaning and (clash or (not strange and any(raw != value for raw, value in meaning.items()))):
        placed.rows["meaning"] = meaning


def _flags(
    out: Guess, code: str, shapes: Iterable[tuple[str, ...]], pool: list[Seen], dut: str, taken: set[tuple[int, str]]
) -> None:
    """Bits of the device that say a code; several where several do."""
    first, *pairs = shapes
    found = []
    for one in pool:
        if one.signal.length != 1 or one.key in taken or any(has(one.name, word) for word in WARNS):
            continue
        if dut not in one.senders and not (dut == _NOBODY and not one.senders):
            continue
        if any(has(one.name, word) for word in first) or any(all(has(one.name, word) for word in pair) for pair in pairs):
            found.append(one)
    role = Role(code, ())
    if found:
        found.sort(key=lambda one: one.key)
        taken |= {one.key for one in found}
        why = f"bits of the device called {', '.join(one.signal.name for one in found[:3])}"
        out.placed.append(Placed(role, found, 0.6, why))
        for one in found:
            _turn(out, role, one, dut)
