"""A mapping: which signals of somebody else's databases play which role of ours.

A role is the name a signal has in our own databases (dbc/README.md). A mapping renames the signals of a network's
databases to roles and converts their units and signs, so the wire tables that follow speak our names and units and
everything behind them stays as it is. It invents nothing: messages without a role are neither sent nor expected.

A role that no frame carries can be held at a constant. It becomes a signal of zero bits in a frame that exists: it
decodes to the constant whenever that frame comes, so its age is that frame's age, and it takes no room on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from firmware_sim.wire.layout import COUNT, CYCLE_NS, FIRST, OFFSET, RAW_NAN, SCALE, SLOT, WORD, WORD_0, Layout
from hil import files, roles
from hil.database import Database
from hil.errors import ScenarioError, nearest
from hil.shape import refuse

_NUMBER = re.compile(r"\{(n1?)(?::(0?[1-9]))?\}")
_SIGNED_ROLES = ("Shunt_Current", "Shunt_ChargeCounter", "BMS_PackCurrent")


class SignalRule(files.FileModel):
    """A role and the signal that plays it.

    role, signal: names, or patterns with one number each: {n} counts from 0, {n1} from 1, {n:03} has three digits.
    signal: "Signal", or "Message.Signal" when several messages have one of that name.
    scale, offset: role = signal * scale + offset, where signal is the physical value of its DBC.
    positive: what a positive value means there; nabench counts discharge as positive.
    values: whose names the raw values have: "own", those of the DBC, or "nabench", ours for this role.
    error, not_available: raw values that are no value, where the DBC does not name them so.
    """

    role: Annotated[str, Field(min_length=1)]
    signal: Annotated[str, Field(min_length=1)]
    scale: float = 1.0
    offset: float = 0.0
    positive: Literal["discharge", "charge"] = "discharge"
    values: Literal["own", "nabench"] = "own"
    error: int | None = None
    not_available: int | None = None

    @model_validator(mode="after")
    def _shape(self, info: ValidationInfo) -> SignalRule:
        found = ["scale must not be 0"] if self.scale == 0.0 else []
        for name, text in (("role", self.role), ("signal", self.signal)):
            if len(_NUMBER.findall(text)) > 1:
                found.append(f'{name} "{text}" has several numbers; expected at most one of {{n}} and {{n1}}')
            elif set("{}") & set(_NUMBER.sub("", text)):
                found.append(f'{name} "{text}": expected a number as {{n}}, {{n1}} or with digits as {{n:03}}')
        if not found and bool(_NUMBER.search(self.role)) != bool(_NUMBER.search(self.signal)):
            found.append(f'role "{self.role}" and signal "{self.signal}": both need a number, or none')
        if self.positive == "charge" and roles.is_role(self.role) and self.role not in _SIGNED_ROLES:
            found.append(f'positive is for signed currents and charges ({", ".join(_SIGNED_ROLES)}), not "{self.role}"')
        refuse(found, self, info)
        return self

    @property
    def factor(self) -> float:
        """Scale with its sign."""
        return -self.scale if self.positive == "charge" else self.scale


class Constant(files.FileModel):
    """A value that stands still.

    role: one that no frame carries; it comes with the frame that carries the role `with` (without: the most frequent).
    signal: one that has no role, but must not be sent as "not available".
    """

    role: str | None = None
    signal: str | None = None
    value: float
    carrier: str | None = Field(default=None, alias="with")

    @model_validator(mode="after")
    def _one_target(self) -> Constant:
        if (self.role is None) == (self.signal is None):
            raise ValueError('needs exactly one of "role" and "signal"')
        if self.carrier is not None and self.role is None:
            raise ValueError('"with" is for roles; a signal has its own frame')
        return self


class Mapping(files.Document):
    """A mapping file. dut: name of the node that is the device under test."""

    KIND: ClassVar[str] = "mapping"
    title: str
    dut: Annotated[str, Field(min_length=1)]
    signal: Annotated[list[SignalRule], Field(min_length=1)]
    constant: list[Constant] = []


@dataclass(frozen=True)
class ConstantSignal:
    """A role that no frame carries, as far as others ask a database about it."""

    name: str
    value: float
    choices: dict[int, str]
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    comment: str = "constant of the mapping"


@dataclass
class _Work:
    """A mapping on its way into a database: what is wrong, and what has its role already."""

    path: Path
    database: Database
    where: dict[str, list[tuple[Any, Any]]]
    problems: list[str] = field(default_factory=list)
    role_of: dict[str, str] = field(default_factory=dict)
    user_of: dict[tuple[str, str], str] = field(default_factory=dict)


def _examples(pattern: str) -> Iterable[str]:
    """Names that a role pattern may stand for."""
    return (_filled(pattern, n) for n in (0, 1))


def _filled(pattern: str, n: int) -> str:
    """A pattern with its number, counted from 0, put in."""
    return _NUMBER.sub(lambda m: format(n + (m[1] == "n1"), m[2] or ""), pattern)


def check_roles(mapping: Mapping, path: Path) -> None:
    """Refuse names that are no roles of ours. Raises ScenarioError."""
    found = _strangers(mapping, path)
    if found:
        raise ScenarioError(*found)


def _strangers(mapping: Mapping, path: Path) -> list[str]:
    """What is wrong with the names of roles, without any database."""
    known = roles.sent_by_device()
    found = [
        f'{path}: signal[{n}].role "{rule.role}" is not a role{nearest(rule.role, known)}'
        for n, rule in enumerate(mapping.signal)
        if not _may_be_role(rule.role)
    ]
    return found + [
        f'{path}: constant[{n}].{key} "{name}" is not a role{nearest(name, known)}'
        for n, row in enumerate(mapping.constant)
        for key, name in (("role", row.role), ("with", row.carrier))
        if name is not None and not roles.is_role(name)
    ]


def _may_be_role(pattern: str) -> bool:
    return any(roles.is_role(name) for name in _examples(pattern))


def load(name: str, near: Path) -> tuple[Path, Mapping]:
    """The mapping that the network file `near` names. Raises ScenarioError."""
    path = files.data_file(name, near, "mapping")
    return path, files.load(path, Mapping)


def apply(mapping: Mapping, path: Path, database: Database) -> None:
    """Give the signals of a database their roles, units and signs, in place.

    Raises ScenarioError with everything that does not fit.
    """
    where: dict[str, list[tuple[Any, Any]]] = {}
    for message in database.messages:
        for signal in message.signals:
            where.setdefault(signal.name, []).append((message, signal))
            where[f"{message.name}.{signal.name}"] = [(message, signal)]
    work = _Work(path, database, where, _strangers(mapping, path))
    senders = {sender for message in database.messages for sender in message.senders}
    dut = mapping.dut if mapping.dut in senders else None
    if dut is None:
        work.problems.append(f'{path}: dut "{mapping.dut}" sends no message of these databases{nearest(mapping.dut, senders)}')
    for n, rule in enumerate(mapping.signal):
        for role, name in _pairs(work, rule, n):
            _give_role(work, dut, rule, n, role, name)
    for n, row in enumerate(mapping.constant):
        _check_constant(work, row, n)
    if work.problems:
        raise ScenarioError(*work.problems)
    for row in mapping.constant:
        if row.role is not None:
            database.constants[row.role] = ConstantSignal(row.role, row.value, roles.values(row.role))


def _pairs(work: _Work, rule: SignalRule, n: int) -> list[tuple[str, str]]:
    """(role, signal name) of a rule; for patterns, every number for which a signal is there."""
    at = _NUMBER.search(rule.signal)
    if at is None:
        return [(rule.role, rule.signal)]
    shape = re.compile(re.escape(rule.signal[: at.start()]) + r"(\d+)" + re.escape(rule.signal[at.end() :]))
    numbers = {int(m[1]) - (at[1] == "n1") for name in work.where if (m := shape.fullmatch(name))}
    found = [k for k in sorted(numbers) if k >= 0 and _filled(rule.signal, k) in work.where]
    if not found:
        example = _filled(rule.signal, 0)
        hint = nearest(example, work.where)
        work.problems.append(
            f'{work.path}: signal[{n}].signal "{rule.signal}": there is no signal "{example}" or the like{hint}'
        )
    elif found != list(range(len(found))):
        gap = next(k for k in range(len(found)) if k not in found)
        work.problems.append(
            f'{work.path}: signal[{n}].signal "{rule.signal}": there is no signal "{_filled(rule.signal, gap)}", '
            f'but there is "{_filled(rule.signal, found[-1])}"; numbers must run without a gap'
        )
    pairs = [(_filled(rule.role, k), _filled(rule.signal, k)) for k in found]
    if not _may_be_role(rule.role):
        return pairs
    strange = [role for role, _ in pairs if not roles.is_role(role)]
    if strange:
        work.problems.append(f'{work.path}: signal[{n}].role "{rule.role}": there is no role "{strange[0]}"')
    return [(role, name) for role, name in pairs if role not in strange]


def _give_role(work: _Work, dut: str | None, rule: SignalRule, n: int, role: str, name: str) -> None:
    """Rename one signal to its role and convert it, or note why not. dut: None when there is no such node."""
    here = f"{work.path}: signal[{n}]"
    places = work.where.get(name, [])
    if not places:
        work.problems.append(f'{here}.signal "{name}" does not exist{nearest(name, (k for k in work.where if "." not in k))}')
        return
    if len(places) > 1:
        full = " or ".join(f'"{message.name}.{name}"' for message, _ in places)
        work.problems.append(f'{here}.signal "{name}" exists {len(places)} times; write {full}')
        return
    message, signal = places[0]
    key = (message.name, name.rpartition(".")[2])
    if not roles.is_role(role):
        return
    if role in work.role_of:
        work.problems.append(f'{here}.role "{role}" is played by "{work.role_of[role]}" already')
    elif key in work.user_of:
        work.problems.append(f'{here}.signal "{name}" plays the role "{work.user_of[key]}" already')
    elif dut is not None and roles.is_sent(role) != (dut in message.senders):
        who = "the device sends" if roles.is_sent(role) else "the device receives"
        by = ", ".join(message.senders) if message.senders else "nobody"
        work.problems.append(f'{here}: {who} role "{role}", but message "{message.name}" is sent by {by} (dut is "{dut}")')
    elif (clash := _clash(rule, role, signal)) is not None:
        work.problems.append(f"{here}: {clash}")
    else:
        work.role_of[role], work.user_of[key] = name, role
        convert(signal, rule, role)


def _clash(rule: SignalRule, role: str, signal: Any) -> str | None:
    """Names that both tables of values have, with other numbers: the device would understand something else."""
    if rule.values == "nabench" or not signal.choices:
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


def convert(signal: Any, rule: SignalRule, role: str) -> None:
    """Rename a cantools signal to its role and express it in our units."""
    factor, low, high = rule.factor, signal.minimum, signal.maximum
    choices = dict(signal.choices or {})
    if rule.values == "nabench":
        choices = dict(roles.values(role))
    codes = {"error": rule.error, "not_available": rule.not_available}
    for text, raw in codes.items():
        if raw is not None:
            choices[raw] = text
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


def hold(mapping: Mapping, layout: Layout, sent: bool) -> Layout:
    """A layout with the constants of its direction. sent: True for the frames of the device."""
    for row in mapping.constant:
        if row.role is not None and roles.is_sent(row.role) == sent:
            carrier = _frame_of(layout, row.carrier)
            layout = _with_constant(layout, row.role, row.value, carrier)
        elif row.signal is not None and (name := row.signal.rpartition(".")[2]) in layout.signal_names:
            i, signals = layout.index(name), layout.signals.copy()
            signals[i, RAW_NAN] = round((row.value - layout.scales[i, OFFSET]) / layout.scales[i, SCALE])
            layout = replace(layout, signals=signals)
    return layout


def _frame_of(layout: Layout, carrier: str | None) -> int:
    """Slot with which a constant comes."""
    if carrier is not None and carrier in layout.signal_names:
        return int(layout.signals[layout.index(carrier), SLOT])
    return int(np.argmin(layout.slots[:, CYCLE_NS]))


def _with_constant(layout: Layout, name: str, value: float, slot: int) -> Layout:
    """A layout with one more signal, of zero bits, at the end of a slot."""
    at = int(layout.slots[slot, FIRST] + layout.slots[slot, COUNT])
    row = np.zeros(layout.signals.shape[1], np.int64)
    row[SLOT], row[WORD] = slot, layout.slots[slot, WORD_0]
    slots = layout.slots.copy()
    slots[slot, COUNT] += 1
    slots[slot + 1 :, FIRST] += 1
    names, units = list(layout.signal_names), list(layout.units)
    names.insert(at, name)
    units.insert(at, "")
    return replace(
        layout,
        signals=np.insert(layout.signals, at, row, axis=0),
        scales=np.insert(layout.scales, at, (1.0, value), axis=0),
        slots=slots,
        signal_names=tuple(names),
        units=tuple(units),
    )
