"""The `[[e2e]]` rows of a mapping: how a message is protected, as its owner's scheme has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from firmware_sim.wire import layout as w
from hil import files
from hil.errors import nearest
from hil.protection.of_message import Protection
from hil.protection.scheme import FREE, NAMED, PROFILES, Scheme
from hil.shape import refuse

Byte = Annotated[int, Field(ge=0, le=0xFF)]
_LIST_AT = {"before": w.LISTED_BEFORE, "after": w.LISTED_AFTER, "onto": w.LISTED_ONTO}
_ALWAYS = {"message", "profile"}
_COUNTING = {"counter", "counter_first", "counter_last", "counter_step", "counts"}
_CHECKED = {"crc", "bytes", "before", "after", "data_ids", "list_at", "data_id", "per_page", "xor_out"}
_OF_CRC = {"poly", "init", "reflect", "over_crc"}


class E2eRule(files.FileModel):
    """How a message is protected; nothing is computed for a message that has no such rule.

    profile: of AUTOSAR, a CRC by name, "CRC", "sum", "nibble-sum", "xor", "nibble-xor", or "counter" alone.
    crc, counter: the signals that carry them; those of a profile lie where it wants them.  id_mode: of P01 and P11.
    data_id: of the message.  per_page: what each page adds to it, of a message with pages.  data_ids: 16 bytes, picked by the
    lowest four bits of the counter.  list_at: where they come in.  counter_first, counter_last, counter_step: as it counts.
    counts: each page for itself, or one counter over all pages of the message.
    poly, init, xor_out, reflect: of a CRC.  init: also what a sum begins with.  subtract: what is summed is taken off it.
    over_crc: the bytes of the CRC itself count too, as 0.  bytes: first and last that is checked.  before, after: bytes that
    stand only in the check; "low" and "high" are those of the data id.
    """

    message: Annotated[str, Field(min_length=1)]
    profile: str
    crc: str | None = None
    counter: str | None = None
    data_id: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 0
    per_page: Annotated[int, Field(ge=0, le=0xFF)] = 0
    id_mode: Literal["both", "alternating", "low", "nibble"] | None = None
    data_ids: Annotated[list[Byte], Field(min_length=16, max_length=16)] | None = None
    list_at: Literal["before", "after", "onto"] = "after"
    counter_first: Annotated[int, Field(ge=0, le=0xFFFF)] = 0
    counter_last: Annotated[int, Field(ge=1, le=0xFFFF)] | None = None
    counter_step: Annotated[int, Field(ge=1, le=0xFFFF)] = 1
    counts: Literal["page", "message"] = "page"
    poly: Annotated[int, Field(ge=1, le=0xFFFFFFFF)] | None = None
    init: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 0
    xor_out: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] = 0
    reflect: bool = False
    subtract: bool = False
    over_crc: bool = False
    bytes: Annotated[list[Annotated[int, Field(ge=0, le=63)]], Field(min_length=2, max_length=2)] | None = None
    before: Annotated[list[Byte | Literal["low", "high"]], Field(max_length=8)] = []
    after: Annotated[list[Byte | Literal["low", "high"]], Field(max_length=8)] = []

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> E2eRule:
        found = []
        if self.profile not in PROFILES and self.profile not in FREE:
            known = [*PROFILES, *FREE]
            names = ", ".join(f'"{name}"' for name in known)
            found.append(
                f'profile "{self.profile}" is not computed here; expected one of {names}{nearest(self.profile, known)}'
            )
        else:
            allowed, needed = self._keys()
            given = self.model_fields_set - _ALWAYS
            found += [
                f'{key} does not belong to profile "{self.profile}"; expected only {_listed(allowed)}'
                for key in sorted(given - allowed)
            ]
            missing = [key for key in needed if key not in given]
            if missing:
                found.append(f'profile "{self.profile}" needs {_listed(needed)}')
            found += self._numbers() if not found else []
        refuse(found, self, info)
        return self

    def _keys(self) -> tuple[set[str], list[str]]:
        """Keys that a profile may have, and those that it must."""
        if self.profile == "None":
            return set(), []
        modes = PROFILES.get(self.profile)
        if modes is not None:
            by_list = any(scheme.list_at and not scheme.listed for scheme in modes.values())
            needed = ["data_ids" if by_list else "data_id", "crc", "counter"]
            return {*needed, "counts", *(() if by_list else ("per_page",)), *(("id_mode",) if len(modes) > 1 else ())}, needed
        if self.profile == "counter":
            return _COUNTING, ["counter"]
        if self.profile in NAMED:
            return _COUNTING | _CHECKED - {"xor_out"} | {"over_crc"}, ["crc"]
        if self.profile == "CRC":
            return _COUNTING | _CHECKED | _OF_CRC, ["crc", "poly"]
        return _COUNTING | _CHECKED | ({"init", "subtract"} if "sum" in self.profile else {"init"}), ["crc"]

    def _numbers(self) -> list[str]:
        """What is wrong with the numbers, as far as it is seen without the message."""
        found = []
        modes = PROFILES.get(self.profile)
        if modes is not None and self.id_mode is not None and self.id_mode not in modes:
            found.append(f'id_mode "{self.id_mode}" is none of profile "{self.profile}"; expected {_listed(modes)}')
        scheme = self.scheme
        most = (1 << scheme.id_bits) - 1
        if self.data_id > most:
            found.append(f"data_id {self.data_id} is too large; expected at most {most}")
        if scheme.id_at and scheme.id_shift and self.data_id >> scheme.id_shift >= 1 << len(scheme.id_at):
            found.append(f'data_id {self.data_id} is too large; with id_mode "nibble" expected at most 4095')
        for key, of in (("per_page", "data_id"), ("list_at", "data_ids")):
            if key in self.model_fields_set and of not in self.model_fields_set:
                found.append(f"{key} is for {of}, which is not given")
        if self.data_ids is not None and self.counter is None:
            found.append("data_ids are picked by the counter; name it with `counter`")
        if self.counter is None and self.model_fields_set & (_COUNTING - {"counter"}):
            found.append("counter_first, counter_last, counter_step and counts are for the signal that `counter` names")
        if self.counter_last is not None and (
            self.counter_last <= self.counter_first or (self.counter_last - self.counter_first) % self.counter_step
        ):
            found.append(
                f"counter_last {self.counter_last} is not reached from {self.counter_first} in steps of {self.counter_step}"
            )
        if self.bytes is not None and self.bytes[0] > self.bytes[1]:
            found.append(f"bytes {self.bytes}: expected the first and the last that is checked")
        used = {"low", "high"} & {byte for byte in (*self.before, *self.after) if isinstance(byte, str)}
        if self.profile in FREE and bool(used) != ("data_id" in self.model_fields_set):
            found.append('data_id and its bytes "low" and "high" in `before` or `after` go together')
        return found

    @property
    def scheme(self) -> Scheme:
        """The scheme with what the row says of it."""
        modes = PROFILES.get(self.profile)
        if modes is not None:
            usual = next(iter(modes.values()))
            made = usual if self.id_mode is None else modes.get(self.id_mode, usual)
            made = replace(made, over_pages=self.counts == "message")
            return made if self.data_ids is None else replace(made, listed=tuple(self.data_ids))
        base = FREE[self.profile]
        said: dict[str, Any] = {
            "first": self.counter_first, "last": self.counter_last, "step": self.counter_step,
            "over_pages": self.counts == "message",
            "before": tuple(self.before), "after": tuple(self.after), "over_crc": self.over_crc,
            "data": None if self.bytes is None else (self.bytes[0], self.bytes[1]),
        }  # fmt: skip
        if self.data_ids is not None:
            said |= {"listed": tuple(self.data_ids), "list_at": _LIST_AT[self.list_at]}
        if self.profile not in NAMED:
            said |= {"init": self.init, "xor_out": self.xor_out, "minus": self.subtract, "reflect": self.reflect}
            said |= {"poly": self.poly or 0}
        return replace(base, **said)

    @property
    def protection(self) -> Protection:
        """What is noted of the message."""
        return Protection(self.scheme, self.data_id, self.per_page, self.crc, self.counter)


def _listed(keys: Any) -> str:
    names = sorted(keys) if isinstance(keys, set) else list(keys)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "no other key"
