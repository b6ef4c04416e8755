"""nabench new firmware and new headers: a BMS in C with the tables of a pack and a network, or the tables alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_SOURCES = (".c", ".h", ".md", "Makefile")


def files_of(
    what: str, place: Path, pack: str | None, network: str | None, others: Mapping[str, object]
) -> tuple[dict[Path, str], str]:
    """Files to write with their texts, and what to do next. Raises ScenarioError.

    place: the folder to write to.  others: options of other kinds, None where not given.
    """
    from hil import files
    from hil.dut.native import headers
    from hil.errors import ScenarioError

    strangers = [f"{option} belongs to new pack, not to new {what}" for option, value in others.items() if value is not None]
    if pack is None:
        strangers.append(f"new {what} needs --pack: a shipped pack (nabench list packs), or a pack file of yours")
    if strangers or pack is None:
        raise ScenarioError(*strangers)
    tables = headers.texts(pack, network or "classic")
    if what == "headers":
        return {place / name: text for name, text in tables.items()}, f"build with -I{place}"
    sources = sorted(path for path in files.example_folder("native_firmware").iterdir() if path.name.endswith(_SOURCES))
    texts = {place / path.name: path.read_text(encoding="utf-8") for path in sources}
    makefile = texts[place / "Makefile"].replace("PACK ?= nfm-16s", f"PACK ?= {_seen_from(place, pack)}")
    texts[place / "Makefile"] = makefile.replace("NETWORK ?= classic", f"NETWORK ?= {_seen_from(place, network or 'classic')}")
    texts |= {place / "tables" / name: text for name, text in tables.items()}
    return texts, f"make -C {place}; nabench run SCENARIO --dut native:{place / 'bms.so'}"


def _seen_from(place: Path, name: str) -> str:
    """A shipped name as it is, a file by its way from the new folder."""
    return os.path.relpath(name, place) if name.endswith(".toml") else name
