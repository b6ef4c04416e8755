"""A mapping file: which signals of somebody else's databases play which role of ours.

A role is the name a signal has in our own databases (dbc/README.md). A mapping renames the signals of a network's
databases to roles and converts their units and signs (hil.casting), so the wire tables that follow speak our names and
units and everything behind them stays as it is. It invents nothing: messages without a role are neither sent nor expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from hil import files, roles
from hil.errors import ScenarioError, nearest
from hil.protection.rule import E2eRule
from hil.shape import refuse

NUMBER = re.compile(r"\{(n1?)(?::(0?[1-9]))?\}")
_SIGNED_ROLES = ("Shunt_Current", "Shunt_ChargeCounter", "BMS_PackCurrent")


class SignalRule(files.FileModel):
    """A role and the signal that plays it.

    role, signal: names, or patterns with one number each: {n} counts from 0, {n1} from 1, {n:03} has three digits.
    signal: "Signal", or "Message.Signal" when several messages have one of that name; a list where several flags say one code.
    first: what is added to the number in the role, where another rule has the numbers below.
    scale, offset: role = signal * scale + offset, where signal is the physical value of its DBC.
    positive: what a positive value means there; nabench counts discharge as positive.
    values: whose names the raw values have: "own", those of the DBC, or "nabench", ours for this role.
    error, not_available: raw values that are no value, where the DBC does not name them so.
    valid: the signal of the same frame that says whether this one is a value.  valid_is, invalid_is: its raw values for that.
    meaning: raw value to value of the role, by number or by our name for it, where no scale and offset can say it.
    cleared: raw values of BMS_FaultCode that mean that there is no fault.
    along: codes that come along with others, so they never say which of them opened the contactors.
    """

    role: Annotated[str, Field(min_length=1)]
    signal: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1, max_length=64)]
    first: Annotated[int, Field(ge=0, le=999)] = 0
    scale: float = 1.0
    offset: float = 0.0
    positive: Literal["discharge", "charge"] = "discharge"
    values: Literal["own", "nabench"] = "own"
    error: int | None = None
    not_available: int | None = None
    valid: Annotated[str, Field(min_length=1)] | None = None
    valid_is: Annotated[int, Field(ge=0)] = 1
    invalid_is: Annotated[int, Field(ge=0)] | None = None
    meaning: Annotated[dict[str, int | str], Field(min_length=1, max_length=8)] | None = None
    cleared: list[int] = []
    along: list[str] = []

    @model_validator(mode="after")
    def _shape(self, info: ValidationInfo) -> SignalRule:
        found = ["scale must not be 0"] if self.scale == 0.0 else []
        texts = [("role", self.role), *(("signal", name) for name in self.names)]
        for name, text in texts if self.valid is None else [*texts, ("valid", self.valid)]:
            if len(NUMBER.findall(text)) > 1:
                found.append(f'{name} "{text}" has several numbers; expected at most one of {{n}} and {{n1}}')
            elif set("{}") & set(NUMBER.sub("", text)):
                found.append(f'{name} "{text}": expected a number as {{n}}, {{n1}} or with digits as {{n:03}}')
        numbered = [bool(NUMBER.search(name)) for name in self.names]
        if not found and any(one != bool(NUMBER.search(self.role)) for one in numbered):
            found.append(f'role "{self.role}" and signal "{self.names[0]}": both need a number, or none')
        if self.positive == "charge" and roles.is_role(self.role) and self.role not in _SIGNED_ROLES:
            found.append(f'positive is for signed currents and charges ({", ".join(_SIGNED_ROLES)}), not "{self.role}"')
        found += self._besides()
        refuse(found, self, info)
        return self

    def _besides(self) -> list[str]:
        """What is wrong with keys that few signals need."""
        found = []
        if self.first and not NUMBER.search(self.role):
            found.append(f'first is for patterns with a number, not for "{self.role}"')
        if isinstance(self.signal, list) and not (self.role.startswith("Diag_") and not any(map(NUMBER.search, self.signal))):
            found.append(f'signal: a list is for the flags of one code (Diag_...), without numbers, not for "{self.role}"')
        if len(set(self.names)) != len(self.names):
            found.append(f'signal: a flag stands twice in the list of "{self.role}"')
        if self.valid is None and {"valid_is", "invalid_is"} & self.model_fields_set:
            found.append("valid_is and invalid_is are for the signal that `valid` names")
        if self.valid is not None and self.valid_is == self.bad:
            found.append(f"valid_is and invalid_is are both {self.bad}")
        if self.valid is not None and isinstance(self.signal, list):
            found.append("valid is for one signal, not for a list of flags")
        if self.meaning is not None:
            found += [f'meaning: "{raw}" is no raw value; expected 0 to 254' for raw in self.meaning if not _is_raw(raw)]
            if (self.scale, self.offset, self.positive, self.values) != (1.0, 0.0, "discharge", "own") or self.valid:
                found.append("meaning says each value by itself; leave out scale, offset, positive, values and valid")
        if (self.cleared or self.along) and self.role != "BMS_FaultCode":
            found.append(f'cleared and along are for the role "BMS_FaultCode", not "{self.role}"')
        return found

    @property
    def names(self) -> list[str]:
        """The signal, or the flags."""
        return [self.signal] if isinstance(self.signal, str) else self.signal

    @property
    def bad(self) -> int:
        """Raw value of the signal `valid` for "no value"."""
        return self.invalid_is if self.invalid_is is not None else int(self.valid_is == 0)

    @property
    def factor(self) -> float:
        """Scale with its sign."""
        return -self.scale if self.positive == "charge" else self.scale


def _is_raw(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 254


class MessageRule(files.FileModel):
    """What the DBC does not say of a message, or says otherwise.

    sender: the node that sends it.  cycle_ms: its cycle; of a paged message that of each page.  phase_ms: time of its first
    frame.  page_ms: from one page to the next, instead of a cycle.  pages: their order.
    """

    name: Annotated[str, Field(min_length=1)]
    sender: Annotated[str, Field(min_length=1)] | None = None
    cycle_ms: Annotated[int, Field(ge=1, le=65_535)] | None = None
    phase_ms: Annotated[int, Field(ge=0, le=65_535)] | None = None
    page_ms: Annotated[int, Field(ge=1, le=65_535)] | None = None
    pages: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=1024)] | None = None

    @model_validator(mode="after")
    def _one_cycle(self, info: ValidationInfo) -> MessageRule:
        found = []
        if self.cycle_ms is not None and self.page_ms is not None:
            found.append('expected one of "cycle_ms" (of each page) and "page_ms" (from page to page)')
        if self.pages is not None and len(set(self.pages)) != len(self.pages):
            found.append("pages: a page stands twice; each is sent once in a round")
        refuse(found, self, info)
        return self


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
    message: list[MessageRule] = []
    e2e: list[E2eRule] = []

    @property
    def along(self) -> frozenset[str]:
        """Codes that come along with others."""
        return frozenset(code for rule in self.signal for code in rule.along)


def _examples(pattern: str) -> Iterable[str]:
    """Names that a role pattern may stand for."""
    return (filled(pattern, n) for n in (0, 1))


def filled(pattern: str, n: int) -> str:
    """A pattern with its number, counted from 0, put in."""
    return NUMBER.sub(lambda m: format(n + (m[1] == "n1"), m[2] or ""), pattern)


def check_roles(mapping: Mapping, path: Path) -> None:
    """Refuse names that are no roles of ours. Raises ScenarioError."""
    found = strangers(mapping, path)
    if found:
        raise ScenarioError(*found)


def strangers(mapping: Mapping, path: Path) -> list[str]:
    """What is wrong with the names of roles, without any database."""
    known = roles.sent_by_device()
    found = [
        f'{path}: signal[{n}].role "{rule.role}" is not a role{nearest(rule.role, known)}'
        for n, rule in enumerate(mapping.signal)
        if not may_be_role(rule.role)
    ]
    return found + [
        f'{path}: constant[{n}].{key} "{name}" is not a role{nearest(name, known)}'
        for n, row in enumerate(mapping.constant)
        for key, name in (("role", row.role), ("with", row.carrier))
        if name is not None and not roles.is_role(name)
    ]


def may_be_role(pattern: str) -> bool:
    """True when a pattern, with some number in it, is a role."""
    return any(roles.is_role(name) for name in _examples(pattern))


def load(name: str, near: Path) -> tuple[Path, Mapping]:
    """The mapping that the network file `near` names. Raises ScenarioError."""
    path = files.data_file(name, near, "mapping")
    return path, files.load(path, Mapping)
