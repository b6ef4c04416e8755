"""Giving the signals of somebody else's databases their roles, as a mapping says, and all that is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_sim.wire.layout import NO_E2E
from hil import roles
from hil.database import Database, Schedule, is_there, pages_of
from hil.errors import NabenchError, ScenarioError, nearest
from hil.holding import ConstantSignal
from hil.mapping import NUMBER, Constant, Mapping, MessageRule, SignalRule, filled, may_be_role, strangers
from hil.protection import of_message
from hil.protection.rule import E2eRule
from hil.signal_rows import Guard, Meaning

_WIDEST_GUARDED = 62


@dataclass
class _Work:
    """A mapping on its way into a database: what is wrong, and what has its role already."""

    path: Path
    database: Database
    where: dict[str, list[tuple[Any, Any]]]
    problems: list[str] = field(default_factory=list)
    role_of: dict[str, str] = field(default_factory=dict)
    user_of: dict[tuple[str, str], str] = field(default_factory=dict)


def apply(mapping: Mapping, path: Path, database: Database) -> None:
    """Give the signals of a database their roles, units and signs, in place.

    Raises ScenarioError with everything that does not fit.
    """
    where: dict[str, list[tuple[Any, Any]]] = {}
    for message in database.messages:
        for signal in message.signals:
            where.setdefault(signal.name, []).append((message, signal))
            where[f"{message.name}.{signal.name}"] = [(message, signal)]
    work = _Work(path, database, where, strangers(mapping, path))
    for n, line in enumerate(mapping.message):
        _schedule(work, line, n)
    senders = {sender for message in database.messages for sender in message.senders}
    dut = mapping.dut if mapping.dut in senders else None
    if dut is None:
        work.problems.append(f'{path}: dut "{mapping.dut}" sends no message of these databases{nearest(mapping.dut, senders)}')
    for n, rule in enumerate(mapping.signal):
        if isinstance(rule.signal, list):
            _give_flags(work, dut, rule, n)
            continue
        for k, role, name in _pairs(work, rule, rule.signal, n):
            _give_role(work, dut, rule, n, k, role, name)
    for n, protected in enumerate(mapping.e2e):
        _protect(work, protected, n)
    for n, row in enumerate(mapping.constant):
        _check_constant(work, row, n)
    known = set(roles.values("BMS_FaultCode").values()) | {roles.code_of(role) for role in work.role_of if "Diag_" in role}
    work.problems += [
        f'{path}: signal[{n}].along: "{code}" is no code{nearest(code, known)}'
        for n, rule in enumerate(mapping.signal)
        for code in rule.along
        if code not in known
    ]
    if work.problems:
        raise ScenarioError(*work.problems)
    database.played |= {place: role for place, role in work.user_of.items() if roles.is_role(role)}
    for row in mapping.constant:
        if row.role is not None:
            database.constants[row.role] = ConstantSignal(row.role, row.value, roles.values(row.role))


def _pairs(work: _Work, rule: SignalRule, pattern: str, n: int) -> list[tuple[int, str, str]]:
    """(number, role, signal name) of a rule; for patterns, every number for which a signal is there."""
    at = NUMBER.search(pattern)
    if at is None:
        return [(0, rule.role, pattern)]
    shape = re.compile(re.escape(pattern[: at.start()]) + r"(\d{1,6})" + re.escape(pattern[at.end() :]))
    numbers = {int(m[1]) - (at[1] == "n1") for name in work.where if (m := shape.fullmatch(name))}
    found = [k for k in sorted(numbers) if k >= 0 and filled(pattern, k) in work.where]
    here = f'{work.path}: signal[{n}].signal "{pattern}"'
    if not found:
        example = filled(pattern, 0)
        why = _left_out(work, example)
        work.problems += why or [f'{here}: there is no signal "{example}" or the like{nearest(example, work.where)}']
    elif found != list(range(len(found))):
        gap = next(k for k in range(len(found)) if k not in found)
        work.problems.append(
            f'{here}: there is no signal "{filled(pattern, gap)}", '
            f'but there is "{filled(pattern, found[-1])}"; numbers must run without a gap'
        )
    pairs = [(k, filled(rule.role, k + rule.first), filled(pattern, k)) for k in found]
    if not may_be_role(rule.role):
        return pairs
    strange = [role for _, role, _ in pairs if not roles.is_role(role)]
    if strange:
        work.problems.append(f'{work.path}: signal[{n}].role "{rule.role}": there is no role "{strange[0]}"')
    return [pair for pair in pairs if pair[1] not in strange]


def _left_out(work: _Work, name: str) -> list[str]:
    """Why a signal cannot be had, when its message is named and was left out."""
    return work.database.left_out.get(name.partition(".")[0], []) if "." in name else []


def _find(work: _Work, key: str, name: str) -> tuple[Any, Any] | None:
    """(message, signal) of a name in a mapping, or None with the problem noted. key: where the name stands."""
    places = work.where.get(name, [])
    if len(places) == 1:
        return places[0]
    if places:
        full = " or ".join(f'"{message.name}.{name}"' for message, _ in places)
        work.problems.append(f'{work.path}: {key} "{name}" exists {len(places)} times; write {full}')
    else:
        lost = _left_out(work, name)
        hint = nearest(name, (k for k in work.where if ("." in k) == ("." in name)))
        if not lost and work.database.left_out:
            hint += f" ({len(work.database.left_out)} messages were left out: nabench check FILE.dbc says why)"
        work.problems += lost or [f'{work.path}: {key} "{name}" does not exist{hint}']
    return None


def _give_flags(work: _Work, dut: str | None, rule: SignalRule, n: int) -> None:
    """Several flags that say one code: the first has its name, the others the name with a number behind it."""
    for k, name in enumerate(rule.names):
        role = rule.role if k == 0 else roles.further_flag(rule.role, k + 1)
        _give_role(work, dut, rule, n, k, role, name)


def _give_role(work: _Work, dut: str | None, rule: SignalRule, n: int, k: int, role: str, name: str) -> None:
    """Rename one signal to its role and convert it, or note why not.

    dut: None when there is no such node.  k: number of the signal in a pattern.
    """
    here = f"{work.path}: signal[{n}]"
    place = _find(work, f"signal[{n}].signal", name)
    if place is None or not roles.is_role(role):
        return
    message, signal = place
    key = (message.name, name.rpartition(".")[2])
    if role in work.role_of:
        work.problems.append(f'{here}.role "{role}" is played by "{work.role_of[role]}" already')
    elif key in work.user_of:
        work.problems.append(f'{here}.signal "{name}" plays the role "{work.user_of[key]}" already')
    elif dut is not None and roles.is_sent(role) != (dut in message.senders):
        who = "the device sends" if roles.is_sent(role) else "the device receives"
        by = ", ".join(message.senders) if message.senders else "nobody"
        work.problems.append(f'{here}: {who} role "{role}", but message "{message.name}" is sent by {by} (dut is "{dut}")')
    elif (why := _unfit(rule, role, message, signal)) is not None:
        work.problems.append(f"{here}: {why}")
    else:
        meaning = _meaning(work, here, rule, role, signal)
        work.role_of[role], work.user_of[key] = name, role
        if rule.valid is not None:
            _guard(work, n, rule, filled(rule.valid, k), message, signal, role)
        convert(signal, rule, role, meaning)
        if meaning is not None:
            work.database.meanings[message.name, role] = meaning


def _unfit(rule: SignalRule, role: str, message: Any, signal: Any) -> str | None:
    """Why a signal cannot play a role, whoever sends it."""
    pages = pages_of(message)
    switches = {name for page in pages for name, _ in page}
    there = sum(is_there(signal, dict(page)) for page in pages)
    if signal.name in switches:
        return f'signal "{signal.name}" is the multiplexer of message "{message.name}"; it cannot play a role'
    if there != 1:
        return (
            f'signal "{signal.name}" comes on {there} pages of message "{message.name}"; '
            "a role needs a signal that comes on one page"
        )
    if signal.is_float and (rule.error is not None or rule.not_available is not None or rule.meaning is not None):
        return f'signal "{signal.name}" is a float; it has no raw values to name, and NaN is no value'
    if rule.valid is not None and not signal.is_float and signal.length > _WIDEST_GUARDED:
        return f'signal "{signal.name}" has {signal.length} bits; with `valid` at most {_WIDEST_GUARDED} are understood'
    return _clash(rule, role, signal)


def _guard(work: _Work, n: int, rule: SignalRule, name: str, message: Any, signal: Any, role: str) -> None:
    """Tie a signal to the one that says whether it is a value."""
    here = f"signal[{n}].valid"
    own = f"{message.name}.{name}"
    place = work.where[own][0] if own in work.where else _find(work, here, name)
    if place is None:
        return
    other, guard = place
    key = (other.name, name.rpartition(".")[2])
    if other is not message or any(
        is_there(signal, dict(page)) and not is_there(guard, dict(page)) for page in pages_of(message)
    ):
        work.problems.append(
            f'{work.path}: {here} "{name}" comes in another frame than "{work.role_of[role]}"; validity counts in one frame'
        )
    elif key in work.user_of and work.user_of[key] != f"validity, valid at {rule.valid_is} and not at {rule.bad}":
        work.problems.append(f'{work.path}: {here} "{name}" plays the role "{work.user_of[key]}" already')
    elif max(rule.valid_is, rule.bad) >= 1 << (guard.length - guard.is_signed) or guard.is_float:
        work.problems.append(f'{work.path}: {here} "{name}" has {guard.length} bits; {rule.valid_is} and {rule.bad} must fit')
    else:
        work.user_of[key] = f"validity, valid at {rule.valid_is} and not at {rule.bad}"
        guard.minimum = guard.maximum = None
        work.database.guards[message.name, role] = Guard(guard.name, rule.valid_is, rule.bad)


def _meaning(work: _Work, here: str, rule: SignalRule, role: str, signal: Any) -> Meaning | None:
    """The table of a rule, its values by number; None without one, or with the problem noted."""
    if rule.meaning is None:
        return None
    ours = {text.lower(): raw for raw, text in roles.values(role).items() if text not in ("error", "not_available")}
    values: dict[int, int] = {}
    for text, said in rule.meaning.items():
        raw, value = int(text), ours.get(said.lower(), -1) if isinstance(said, str) else said
        key = f"{here}.meaning.{text}"
        if raw >= 1 << (signal.length - signal.is_signed):
            work.problems.append(f'{key}: {raw} does not fit the {signal.length} bits of "{signal.name}"')
        elif value < 0 and isinstance(said, str):
            work.problems.append(f'{key}: "{said}" is no value of role "{role}"{nearest(said, ours)}')
        elif not 0 <= value <= 7:
            work.problems.append(f"{key}: expected a value of 0 to 7, found {value}")
        elif value in values:
            work.problems.append(f"{key}: {values[value]} and {raw} both mean {said}; a value stands as one raw value")
        else:
            values[value] = raw
    return Meaning(values, rule.not_available if rule.not_available is not None else rule.error) if values else None


def _schedule(work: _Work, line: MessageRule, n: int) -> None:
    """Note when a message is sent and by whom."""
    here = f"{work.path}: message[{n}]"
    try:
        message = work.database.message(line.name)
    except NabenchError as error:
        work.problems += [f'{here}.name "{line.name}": {text}' for text in error.problems]
        return
    if line.name in work.database.schedules:
        work.problems.append(f'{here}.name "{line.name}" stands twice')
    pages = pages_of(message)
    if (line.pages is not None or line.page_ms is not None) and max(map(len, pages)) == 0:
        work.problems.append(f'{here}: message "{line.name}" has no multiplexer, so it has no pages')
    elif line.pages is not None:
        known = {page[0][1] for page in pages} if max(map(len, pages)) == 1 else set(range(len(pages)))
        strange = [page for page in line.pages if page not in known]
        if strange:
            work.problems.append(f'{here}.pages: message "{line.name}" has no page {strange[0]}; it has {_listed(known)}')
    if line.sender is not None:
        message.senders[:] = [line.sender]
    order = None if line.pages is None else tuple(line.pages)
    work.database.schedules[line.name] = Schedule(line.cycle_ms, line.phase_ms, line.page_ms, order)


def _listed(pages: set[int]) -> str:
    shown = sorted(pages)
    return ", ".join(map(str, shown[:12])) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def _protect(work: _Work, rule: E2eRule, n: int) -> None:
    """Note how a message is protected."""
    here = f"{work.path}: e2e[{n}]"
    try:
        message = work.database.message(rule.message)
    except NabenchError as error:
        work.problems += [f'{here}.message "{rule.message}": {text}' for text in error.problems]
        return
    names = {signal.name for signal in message.signals}
    said = {"crc": rule.crc, "counter": rule.counter}
    gone = [
        (key, name)
        for key, name in said.items()
        if name is not None and (name not in names or (message.name, name) in work.user_of)
    ]
    for key, name in gone:
        role = work.user_of.get((message.name, name))
        why = f'plays the role "{role}"' if role else f'is not in message "{rule.message}"{nearest(name, names)}'
        work.problems.append(f'{here}.{key} "{name}" {why}')
    if rule.message in work.database.protections:
        work.problems.append(f'{here}.message "{rule.message}" stands twice')
    pages = pages_of(message)
    if "per_page" in rule.model_fields_set and max(map(len, pages)) == 0:
        work.problems.append(
            f'{here}.per_page: message "{rule.message}" has no multiplexer, so it has no pages; '
            "expected data_id alone, or a message with pages"
        )
    protected = rule.protection
    if protected.scheme.way != NO_E2E and not gone:
        found: list[str] = []
        taken = of_message.header(message, protected, found) & {name for name in names if roles.is_role(name)}
        work.problems += [f"{here}: {text}" for text in found]
        work.problems += [
            f'{here}: "{name}" lies where the profile has its CRC, counter or fixed bits' for name in sorted(taken)
        ]
        last = rule.data_id + rule.per_page * max(
            (page[0][1] if len(page) == 1 else k for k, page in enumerate(pages) if page), default=0
        )
        most = (1 << protected.scheme.id_bits) - 1
        if last > most:
            work.problems.append(f"{here}: data_id of the last page is {last}; expected at most {most}")
    work.database.protections[rule.message] = protected


def _clash(rule: SignalRule, role: str, signal: Any) -> str | None:
    """Names that both tables of values have, with other numbers: the device would understand something else."""
    if rule.values == "nabench" or not signal.choices or rule.meaning is not None:
        return None
    ours = {text.lower(): raw for raw, text in roles.values(role).items()}
    wrong = []
    for raw, text in signal.choices.items():
        value = raw * rule.factor + rule.offset
        want = ours.get(str(text).lower())
        if want is not None and str(text).lower() not in ("error", "not_available") and value != want:
            wrong.append(f'"{text}" is {value:g}, in ours {want}')
    if not wrong:
        return None
    return f'role "{role}" has other numbers for the same names ({", ".join(wrong)}); use scale and offset to make them equal'


def convert(signal: Any, rule: SignalRule, role: str, meaning: Meaning | None = None) -> None:
    """Rename a cantools signal to its role and express it in our units."""
    factor, low, high = rule.factor, signal.minimum, signal.maximum
    choices = dict(signal.choices or {})
    if meaning is not None:
        ours = roles.values(role)
        signal.choices = {value: choices.get(raw, ours.get(value, f"{value}")) for value, raw in meaning.values.items()}
        signal.scale, signal.offset, signal.minimum, signal.maximum, signal.name = 1, 0, None, None, role
        return
    if rule.values == "nabench":
        choices = dict(roles.values(role))
    codes = {"error": rule.error, "not_available": rule.not_available}
    for text, raw in codes.items():
        if raw is not None:
            choices[raw] = text
    for raw in rule.cleared:
        choices[raw] = "cleared"
    fits = 1 << (signal.length - signal.is_signed)
    signal.choices = {raw: text for raw, text in choices.items() if raw < fits} or None
    if any(raw is not None for raw in codes.values()):
        low, high = _without_codes(signal, [raw for raw in codes.values() if raw is not None])
    signal.offset = signal.offset * factor + rule.offset
    signal.scale = signal.scale * factor
    if low is not None and high is not None and low < high:
        ends = sorted((low * factor + rule.offset, high * factor + rule.offset))
        signal.minimum, signal.maximum = ends
    signal.name = role


def _without_codes(signal: Any, codes: list[int]) -> tuple[float, float]:
    """Physical range of a signal, cut so that raw values which are no value lie outside."""
    top = (1 << (signal.length - signal.is_signed)) - 1
    first, last = (-top - 1 if signal.is_signed else 0), top
    if signal.minimum is not None and signal.maximum is not None and signal.minimum < signal.maximum:
        ends = sorted(round((end - signal.offset) / signal.scale) for end in (signal.minimum, signal.maximum))
        first, last = max(first, ends[0]), min(last, ends[1])
    for raw in sorted(codes, reverse=True):
        if first <= raw <= last:
            first, last = (first, raw - 1) if last - raw <= raw - first else (raw + 1, last)
    a, b = (float(raw * signal.scale + signal.offset) for raw in (first, last))
    return min(a, b), max(a, b)


def _check_constant(work: _Work, row: Constant, n: int) -> None:
    here = f"{work.path}: constant[{n}]"
    if row.role is not None and row.role in work.role_of:
        work.problems.append(f'{here}.role "{row.role}" is played by signal "{work.role_of[row.role]}" already')
    if row.carrier is not None and not roles.is_role(row.carrier):
        return
    if row.carrier is not None and row.carrier not in work.role_of:
        work.problems.append(f'{here}.with "{row.carrier}" has no signal in this mapping{nearest(row.carrier, work.role_of)}')
    elif (
        row.role is not None
        and roles.is_role(row.role)
        and row.carrier is not None
        and roles.is_sent(row.role) != roles.is_sent(row.carrier)
    ):
        work.problems.append(f'{here}: "{row.role}" and "{row.carrier}" go in opposite directions')
    if row.signal is None:
        return
    places = work.where.get(row.signal, [])
    if len(places) != 1:
        found = "does not exist" if not places else f"exists {len(places)} times; write it with its message"
        work.problems.append(f'{here}.signal "{row.signal}" {found}{nearest(row.signal, work.where) if not places else ""}')
    elif (places[0][0].name, row.signal.rpartition(".")[2]) in work.user_of:
        role = work.user_of[places[0][0].name, row.signal.rpartition(".")[2]]
        work.problems.append(f'{here}.signal "{row.signal}" plays the role "{role}"; it cannot stand still')


def has_role(message: Any) -> bool:
    """True when some signal of a message plays a role, after `apply`."""
    return any(roles.is_role(signal.name) for signal in message.signals)
