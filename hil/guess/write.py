"""A guess as files: a mapping and a network that load, each row with its confidence and reason, and what is left to do."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil import files, network
from hil.dbcfile import reading
from hil.errors import NabenchError, ScenarioError
from hil.guess.look import Seen
from hil.guess.place import Guess, Placed, guess
from hil.guess.words import FAMILIES, SINGLES, Role

_TICK_NS = 10_000_000
_MOST_CELLS, _MOST_SENSORS = 192, 64
_CYCLES_MS = (100, 200, 500, 1000)
_BITRATES = (500_000, 1_000_000)
_MOST_TRIES = 40
_DOUBT = 0.75
_COUNTS = re.compile(r"counter|(?<!retry)(?<!terminated)count$|cnt|alive|_bz$|rolling|sqc", re.IGNORECASE)
_CHECKS = re.compile(r"crc|check(sum)?|_cs$|chks", re.IGNORECASE)
_WIDEST_COUNTER, _NARROWEST_CHECK = 16, 3
_ROW = re.compile(r"signal\[(\d+)\]")


@dataclass
class Draft:
    """Two files, and what a reader should hear. lines: of the report.  missing: needed roles that nothing was found for."""

    mapping: str
    network: str
    lines: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass
class _Row:
    """A [[signal]] row: its text, and what it came from."""

    text: str
    placed: Placed


def draft(dbc: Path, out: Path, cells: int | None = None, sensors: int | None = None) -> Draft:
    """The files for a DBC. out: where the mapping will stand; the network stands beside it.

    cells, sensors: of the pack that it is for.  Raises ScenarioError when the DBC is none, or no signal plays any role.
    """
    read = reading.read(dbc)
    guessed = guess(read.database)
    rows = [row for placed in guessed.placed for row in _rows(placed, read.database)]
    dropped: list[str] = []
    for cycle_ms in _CYCLES_MS:
        for bitrate in _BITRATES:
            result = _tried(dbc, out, guessed, rows, dropped, (cycle_ms, bitrate))
            if result is not None:
                mapping, net = result
                lines, missing = _report(read, guessed, rows, dropped, cells, sensors)
                return Draft(mapping, net, lines, missing)
    told = _placed(guessed.placed)
    raise ScenarioError(
        f"{dbc}: no mapping of it could be made that loads: a bench needs messages of the device and to it, and too little of "
        "this looks like either",
        *(f"{dbc}: found all the same: {line.strip()}" for line in told),
        *(
            f"{dbc}: {role.name} is perhaps {perhaps}"
            for role in (*FAMILIES, *SINGLES)
            if role.needed and (perhaps := _perhaps(guessed, role))
        ),
    )


def _tried(
    dbc: Path, out: Path, guessed: Guess, rows: list[_Row], dropped: list[str], rates: tuple[int, int]
) -> tuple[str, str] | None:
    """Texts that load. Rows that do not fit are dropped from `rows` and told in `dropped`; None when that does not help."""
    for _ in range(_MOST_TRIES):
        mapping = _mapping(dbc, guessed, rows)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "trial.mapping.toml").write_text(mapping, encoding="utf-8")
            text = _network(dbc.name, rows, "trial.mapping.toml", str(dbc.resolve()), rates)
            (place / "trial.network.toml").write_text(text, encoding="utf-8")
            try:
                network.load(str(place / "trial.network.toml"), _MOST_CELLS, _MOST_SENSORS, _TICK_NS)
            except NabenchError as error:
                bad = sorted({int(match[1]) for text in error.problems if (match := _ROW.search(text))}, reverse=True)
                if not bad or not all(n < len(rows) for n in bad):
                    if not any("schedule needs" in text for text in error.problems):
                        dropped += [text.rpartition("toml: ")[2] for text in error.problems[:1]]
                    return None
                for n in bad:
                    why = next(text for text in error.problems if f"signal[{n}]" in text)
                    dropped.append(f"{rows[n].placed.role.name}: {why.partition(f'signal[{n}]')[2].lstrip('.: ')}")
                    del rows[n]
                continue
        beside = out.with_name(out.name.removesuffix(".mapping.toml").removesuffix(".toml") + ".network.toml")
        link = os.path.relpath(dbc.resolve(), beside.resolve().parent)
        return mapping, _network(dbc.name, rows, out.name, link, rates)
    return None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _full(one: Seen, database: Any) -> str:
    """Name of a signal, with its message where the name stands in several."""
    twice = sum(s.name == one.signal.name for m in database.messages for s in m.signals) > 1
    return f"{one.message.name}.{one.signal.name}" if twice else str(one.signal.name)


def _pattern(names: list[str]) -> str | None:
    """One pattern for names whose number runs from 0 or 1 without a gap; None when there is none."""
    first = re.findall(r"\d+", names[0])
    for n, digits in enumerate(first):
        if int(digits) not in (0, 1):
            continue
        at = [match.span() for match in re.finditer(r"\d+", names[0])][n]
        width = f":0{len(digits)}" if len(digits) > 1 else ""
        for letter, start in (("n", 0), ("n1", 1)):
            shape = (names[0][: at[0]], names[0][at[1] :])
            if int(digits) == start and names == [
                f"{shape[0]}{format(k + start, width.removeprefix(':'))}{shape[1]}" for k in range(len(names))
            ]:
                return f"{shape[0]}{{{letter}{width}}}{shape[1]}"
    return None


def _rows(placed: Placed, database: Any) -> list[_Row]:
    """[[signal]] rows of a role: one with a pattern where the names allow it."""
    head = f"# {100 * placed.score:.0f} %: {placed.why}" + "".join(f"; {note}" for note in placed.notes)
    keys = {key: value for key, value in placed.rows.items() if key != "valid"}
    valid = placed.rows.get("valid")
    if "{" not in placed.role.name:
        names = [_full(one, database) for one in placed.signals]
        body = _quoted(names[0]) if len(names) == 1 else "[" + ", ".join(map(_quoted, names)) + "]"
        return [_Row(_row(head, placed.role.name, body, keys), placed)]
    names = [_full(one, database) for one in placed.signals]
    pattern = _pattern(names)
    shape = _pattern(valid) if valid else None
    if pattern is not None and (valid is None or shape is not None):
        extra = {"valid": shape, **keys} if valid else keys
        return [_Row(_row(f"{head}; {len(names)} of them", placed.role.name, _quoted(pattern), extra), placed)]
    out = []
    for k, name in enumerate(names):
        role = re.sub(r"\{n:(\d+)\}", lambda match, k=k: format(k, match[1]), placed.role.name)  # type: ignore[misc]
        extra = {"valid": valid[k], **keys} if valid else keys
        out.append(_Row(_row(head if k == 0 else "", role, _quoted(name), extra), placed))
    return out


def _row(head: str, role: str, signal: str, keys: dict[str, Any]) -> str:
    lines = ["[[signal]]", f"role = {_quoted(role)}", f"signal = {signal}"]
    for key, value in keys.items():
        if isinstance(value, dict):
            text = "{ " + ", ".join(f"{raw} = {number}" for raw, number in value.items()) + " }"
        else:
            text = _quoted(value) if isinstance(value, str) else f"{value:.12g}" if isinstance(value, float) else str(value)
        lines.append(f"{key} = {text}")
    return "\n".join([head, *lines] if head else lines) + "\n"


def _used(rows: list[_Row]) -> dict[str, Any]:
    """Messages in which something plays a role, by name."""
    return {one.message.name: one.message for row in rows for one in row.placed.signals}


def _mapping(dbc: Path, guessed: Guess, rows: list[_Row]) -> str:
    used = _used(rows)
    head = [
        f"# Drafted by nabench map from {dbc.name}: a guess. Read every row, and correct what is wrong.",
        "# The figure before a row says how much the signal looks like the role; the words say why.",
        "format = 1",
        f"title = {_quoted(f'{dbc.stem}, drafted')}",
        f"dut = {_quoted(guessed.dut)}  # {guessed.why_dut}",
        "",
    ]
    turned = [
        f"# {why}\n[[message]]\nname = {_quoted(name)}\nsender = {_quoted(node)}\n"
        for name, (node, why) in sorted(guessed.turned.items())
        if name in used
    ]
    open_ = _to_fill_in(guessed, rows)
    return "\n".join([*head, *(row.text for row in rows), *open_, *turned, *_protection(used)])


def _missing(rows: list[_Row]) -> list[Role]:
    """Needed roles without a row."""
    there = {row.placed.role.name for row in rows}
    return [role for role in (*FAMILIES, *SINGLES) if role.needed and role.name not in there]


def _perhaps(guessed: Guess, role: Role) -> str:
    """Signals that might play a role, or nothing; of those that look enough like it, why they do not."""
    rest = next((rest for other, rest in guessed.open if other is role), [])
    bars = [guessed.barred.get((role.name, one.key), "") for _, one in rest]
    return ", ".join(
        f"{one.message.name}.{one.signal.name} ({100 * value:.0f} %{f': {bar}' if bar else ''})"
        for (value, one), bar in zip(rest, bars, strict=True)
    )


def _to_fill_in(guessed: Guess, rows: list[_Row]) -> list[str]:
    """Rows of the needed roles that were not placed, as comments."""
    missing = _missing(rows)
    lines = ['# ---- needed, not placed: nothing runs without them. Fill them in, and take the "# " away.'] if missing else []
    for role in missing:
        perhaps = _perhaps(guessed, role)
        lines += [
            "# [[signal]]",
            f"# role = {_quoted(role.name)}",
            f'# signal = "?"{f"  # perhaps {perhaps}" if perhaps else "  # nothing looks like it"}',
            "",
        ]
    return lines


def _protection(used: dict[str, Any]) -> list[str]:
    """What looks like counters and checksums, as rows to complete: the scheme is never guessed."""
    lines = []
    for name, message in sorted(used.items()):
        counters = [s.name for s in message.signals if _COUNTS.search(s.name) and 2 <= s.length <= _WIDEST_COUNTER]
        sums = [s.name for s in message.signals if _CHECKS.search(s.name) and s.length >= _NARROWEST_CHECK]
        if sums or counters:
            profile = '"?"' if sums else '"counter"  # or one with a check'
            lines += ["# [[e2e]]", f"# message = {_quoted(name)}", f"# profile = {profile}"]
            lines += [f"# {key} = {_quoted(found[0])}" for key, found in (("crc", sums), ("counter", counters)) if found]
            lines.append("")
    if not lines:
        return []
    return [
        "# ---- these look like counters and checksums. Their scheme does not stand in a DBC, and none is invented: without",
        '# these rows they are sent as "not available". Profiles, and what each needs: docs/mapping.md, "Protection".',
        *lines,
    ]


def _network(title: str, rows: list[_Row], mapping: str, dbc: str, rates: tuple[int, int]) -> str:
    used = _used(rows)
    missing = sorted(name for name, message in used.items() if not message.cycle_time)
    is_fd = any(message.is_fd or message.length > 8 for message in used.values())
    lines = [
        f"# Drafted by nabench map from {title}.",
        "format = 1",
        f"title = {_quoted(f'{title}, drafted')}",
        f"mapping = {_quoted(mapping)}",
        "",
        "[[bus]]",
        'name = "battery"',
        f"bitrate = {rates[1]}  # a DBC does not say it: look it up",
        *(["data_bitrate = 2000000"] if is_fd else []),
        f"dbc = [{_quoted(Path(dbc).as_posix())}]",
    ]
    if missing:
        lines += ["", "# a DBC without GenMsgCycleTime for these: measure or look up", "[bus.cycle_ms]"]
        lines += [f"{name} = {rates[0]}" for name in missing]
    return "\n".join(lines) + "\n"


def _placed(placed: list[Placed]) -> list[str]:
    """A line for each role that was placed; "?" behind what is a guess at best."""
    lines = []
    for each in placed:
        count = len(each.signals)
        name = each.signals[0].signal.name + (f" to {each.signals[-1].signal.name} ({count})" if count > 1 else "")
        lines.append(f"{100 * each.score:3.0f} %{'?' if each.score < _DOUBT else ' '} {each.role.name:<28} {name}")
    return lines


def _report(
    read: reading.Read, guessed: Guess, rows: list[_Row], dropped: list[str], cells: int | None, sensors: int | None
) -> tuple[list[str], list[str]]:
    """(what is missing, what was placed, what might be, each in a line; the needed roles that are missing)."""
    needed, missing = [role for role in (*FAMILIES, *SINGLES) if role.needed], _missing(rows)
    lines = [f"{len(needed) - len(missing)} of {len(needed)} needed roles placed"]
    if missing:
        lines[0] += ": nothing can be run with this draft before the others are filled in"
    for role in missing:
        perhaps = _perhaps(guessed, role)
        lines.append(f"needed, not placed: {role.name}" + (f"; perhaps {perhaps}" if perhaps else "; nothing looks like it"))
    lines.append(f'device: "{guessed.dut}" ({guessed.why_dut})')
    lines += _placed([placed for placed in guessed.placed if any(row.placed is placed for row in rows)])
    for role, _ in guessed.open:
        perhaps = _perhaps(guessed, role)
        if not role.needed:
            lines.append(f"not placed: {role.name}" + (f"; perhaps {perhaps}" if perhaps else "; nothing looks like it"))
    lines += [f"dropped: {text}" for text in dropped]
    for label, wanted in (("CellVoltage_{n:03}", cells), ("CellTemperature_{n:02}", sensors)):
        there = sum(len(placed.signals) for placed in guessed.placed if placed.role.name == label)
        if wanted is not None and there < wanted:
            lines.append(f"the pack needs {wanted} of {label}; the DBC has {there}")
    alike: dict[tuple[str, str], list[str]] = {}
    for name, told in sorted(guessed.turned.items()):
        alike.setdefault(told, []).append(name)
    for (node, why), names in alike.items():
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f'taken as sent by "{node}": {", ".join(names[:4])}{more} ({why})')
    lines += [f"left out: {text}" for text in read.sentences()]
    lines += [f"note: {text}" for text in read.notes]
    return lines, [role.name for role in missing]


def file_name(dbc: Path) -> str:
    """Usual name of the mapping of a DBC."""
    stem = re.sub(r"[^a-z0-9]+", "-", dbc.stem.lower()).strip("-") or "my"
    return f"{stem}.mapping.toml"


def write(dbc: Path, out: Path, made: Draft) -> tuple[Path, Path]:
    """Write both files; nothing that exists is overwritten. Raises ScenarioError."""
    if not out.name.endswith(".toml"):
        raise ScenarioError(f'--out {out}: expected the name of a file that ends in .toml, as in "{file_name(dbc)}"')
    beside = out.with_name(out.name.removesuffix(".mapping.toml").removesuffix(".toml") + ".network.toml")
    there = [path for path in (out, beside) if path.exists()]
    if there:
        raise ScenarioError(*(f"{path} exists already; give another name with --out, or remove it first" for path in there))
    out.parent.mkdir(parents=True, exist_ok=True)
    files.write(out, made.mapping)
    files.write(beside, made.network)
    return out, beside
