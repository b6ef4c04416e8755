"""Roles: the names that signals have in our own databases, who sends them, and what their values are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from hil import files
from hil.database import parse

_SHIPPED = ("monitor.dbc", "shunt.dbc", "pack_io.dbc", "vehicle.dbc", "bms.dbc")
_DEVICE = "BMS"
_HEADER = re.compile(r"_(Crc|Counter|Page)$")
_FLAG = re.compile(r"Diag_\w+")
_FURTHER = re.compile(r"__\d+$")


@lru_cache(maxsize=1)
def sent_by_device() -> dict[str, bool]:
    """Every role, and whether the device sends it: the signals of the shipped databases without their E2E headers."""
    found: dict[str, bool] = {}
    for name in _SHIPPED:
        sent = False
        for line in (files.dbc_folder() / name).read_text(encoding="ascii").splitlines():
            if line.startswith("BO_ "):
                sent = line.split()[-1] == _DEVICE
            elif line.startswith(" SG_ ") and not _HEADER.search(signal := line.split()[1]):
                found[signal] = sent
    return found


def further_flag(role: str, n: int) -> str:
    """Name of the nth flag that says the same code."""
    return f"{role}__{n}"


def code_of(flag: str) -> str:
    """The code that a diagnosis flag says: its name without Diag_, and without the number of a further flag."""
    return _FURTHER.sub("", flag.removeprefix("Diag_"))


def codes(names: Iterable[str]) -> list[str]:
    """The codes that some signals say, each once."""
    return list(dict.fromkeys(code_of(name) for name in names if name.startswith("Diag_")))


def further_flags(flag: str, names: Iterable[str]) -> list[str]:
    """Those of some signals that say the same code as this one, which has no number."""
    return [name for name in names if name.startswith(f"{flag}__") and _FURTHER.sub("", name) == flag]


def is_role(name: str) -> bool:
    """True for our signals, and for diagnosis flags of a calibration's own."""
    return name in sent_by_device() or _FLAG.fullmatch(name) is not None


def is_sent(role: str) -> bool:
    """True when the device sends a role; flags of a calibration's own are its own."""
    return sent_by_device().get(role, True)


@lru_cache(maxsize=1)
def _signals() -> dict[str, Any]:
    """Our signals as cantools reads them."""
    found = {}
    for name in _SHIPPED:
        for message in parse(files.dbc_folder() / name).messages:
            found.update({signal.name: signal for signal in message.signals})
    return found


def values(role: str) -> dict[int, str]:
    """Names of a role's raw values in our databases; empty where there are none."""
    signal = _signals().get(role)
    return {} if signal is None else {int(raw): str(text) for raw, text in (signal.choices or {}).items()}
