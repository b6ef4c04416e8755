"""Which scenario catches which broken firmware: the proof that every scenario, and every limit, can fail.

    python tools/mutants.py            print the tables
    python tools/mutants.py --write    write docs/mutants.md
    python tools/mutants.py --check    fail when docs/mutants.md is not what comes out

A defect is caught when the verdict is FAIL. Runs go through setup, device and judge in this process, in the fused gear
where device and network allow it; a defect that keeps a device from being understood at all (ERROR, INCONC) counts as missed.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import sys
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hil import devices, files, judge, scenario, setup
from hil.bench import Bench
from hil.dut.broken import DEFECTS, step_of
from hil.dut.emulator import Emulator
from hil.setup import Setup
from hil.verdict import Finding, Verdict

PAGE = Path(__file__).parents[1] / "docs" / "mutants.md"
REFERENCE = "nfm-16s"  # the calibration whose limits the table lists; the others are derived from it
PER_LIMIT = ("check-off", "limit-plus-step", "debounce-doubled")
# Minutes of virtual time: these meet only the defects that need them.
LONG_S = 150.0
FOR_LONG = (
    "check-off", "sign-flipped", "capacity-wrong", "soc-frozen", "derating-off", "taper-off", "no-reference", "never-rests",
    "goes-silent",
)  # fmt: skip
# Defects of one limit that no scenario may catch, because the requirement still holds.
HARMLESS = {
    "debounce-doubled=CellOvervoltageCritical": "twice 20 ms still meets the 50 ms of SR-CELL-OV-CRITICAL",
    "debounce-doubled=CellUndervoltageCritical": "twice 20 ms still meets the 50 ms of SR-CELL-UV-CRITICAL",
    "debounce-doubled=DeepDischarge": "twice 20 ms still meets the 50 ms of SR-DEEP-DISCHARGE",
    "debounce-doubled=CurrentOffset": "twice 2 s still meets the 10 s of SR-CURRENT-OFFSET",
    "debounce-doubled=CurrentOnOpen": "twice 100 ms still meets the 500 ms of SR-CURRENT-OPEN-PATH",
    "limit-plus-step=CurrentDirection": "one more step of the current still meets the 10 s of SR-CURRENT-SIGN",
}


def prepare(path: Path) -> Setup:
    """A scenario, built once; every run gets a fresh copy of its rig."""
    return setup.build(scenario.load(path))


def run(built: Setup, dut: str = "emulator") -> list[Finding]:
    """All findings of one run against a device."""
    fresh = replace(built, rig=copy.deepcopy(built.rig, {id(built.network): built.network}))
    device = devices.create(dut, fresh)
    bench = Bench(fresh, device)
    bench.start()
    fused = isinstance(device, Emulator) and type(device).exchange is Emulator.exchange and fresh.rig.bus is None
    (bench.run_fused if fused else bench.run)(fresh.inputs.scenario.n_ticks)
    return judge.judge(bench.trace(), fresh)


def caught(findings: Iterable[Finding]) -> Finding | None:
    """The first finding that fails when the run as a whole fails; None when the defect slipped through."""
    rows = list(findings)
    failed = [row for row in rows if row.verdict is Verdict.FAIL]
    return failed[0] if failed and judge.overall(rows) is Verdict.FAIL else None


def duts_of(built: Setup) -> list[str]:
    """Broken devices a scenario meets: all named ones, or those that long scenarios are there for."""
    names = FOR_LONG if built.inputs.scenario.duration_s > LONG_S else tuple(DEFECTS)
    return [f"broken:{name}" for name in names]


def limit_duts(built: Setup) -> dict[str, list[str]]:
    """Broken devices with one limit wrong, by the label of the limit: its code, that of a group's as code@group."""
    rows = built.inputs.calibration.limit
    out: dict[str, list[str]] = {}
    for row in rows:
        possible = {
            "check-off": True,
            "limit-plus-step": step_of(row.quantity) is not None,
            "debounce-doubled": row.debounce_ms > 0,
        }
        out[row.label] = [f"broken:{name}={row.label}" for name in PER_LIMIT if possible[name]]
    return out


def serving(setups: dict[str, Setup], label: str) -> list[str]:
    """Scenarios that expect something of a limit: by a requirement's codes or by its flag."""
    out, code = [], label.partition("@")[0]
    for name, built in setups.items():
        required = built.inputs.requirements.by_id()
        for row in built.inputs.scenario.expect:
            if code in required[row.requirement].codes or getattr(row, "signal", "") == f"Diag_{code}":
                out.append(name)
                break
    return sorted(out, key=lambda name: setups[name].inputs.scenario.duration_s)


@dataclass(frozen=True)
class Row:
    """What one scenario caught: defect to the finding that failed, in the order of DEFECTS."""

    scenario: str
    met: int
    caught: dict[str, Finding]


def meet(path: Path) -> Row:
    """A scenario against every broken device that it meets. The good device must pass, or a FAIL would mean nothing."""
    built = prepare(path)
    name = path.name.removesuffix(files.SUFFIXES["scenario"])
    good = judge.overall(run(built))
    if good is not Verdict.PASS:
        sys.exit(f"{name}: the good device ends in {good.name}; expected PASS")
    duts = duts_of(built)
    found = {dut.removeprefix("broken:"): finding for dut in duts if (finding := caught(run(built, dut))) is not None}
    return Row(name, len(duts), found)


def limits_of(path: Path, codes: Iterable[str]) -> dict[str, list[str]]:
    """Of a scenario: for each code the defects of its limit that it catches."""
    built = prepare(path)
    duts = limit_duts(built)
    return {code: [dut for dut in duts[code] if caught(run(built, dut)) is not None] for code in codes}


def limit_table(setups: dict[str, Setup], paths: dict[str, Path], pool: Executor) -> dict[str, dict[str, str]]:
    """Code to (defect to the shortest scenario that catches it, "" for none)."""
    first = next(built for built in setups.values() if built.inputs.calibration.name == REFERENCE)
    wanted = limit_duts(first)
    asked: dict[str, list[str]] = {}
    for code in wanted:
        for name in serving(setups, code):
            asked.setdefault(name, []).append(code)
    answers = dict(zip(asked, pool.map(limits_of, [paths[name] for name in asked], asked.values()), strict=True))
    order = sorted(asked, key=lambda name: setups[name].inputs.scenario.duration_s)
    return {
        code: {dut: next((name for name in order if dut in answers[name].get(code, ())), "") for dut in duts}
        for code, duts in wanted.items()
    }


def examples(text: str) -> dict[str, str]:
    """Scenario to the defect that the page names for it."""
    return dict(re.findall(r"^\| ([\w-]+) \| \d+ of \d+ \| ([\w-]+) \|", text, re.MULTILINE))


def limit_examples(text: str) -> list[tuple[str, str]]:
    """(defect=code, scenario) for each defect of a limit that the page names a scenario for."""
    rows = re.findall(r"^\| (\w+) \|" + r" ([^|]*) \|" * len(PER_LIMIT) + "$", text[text.index("## Limits") :], re.MULTILINE)
    named = [(f"{name}={row[0]}", by) for row in rows for name, by in zip(PER_LIMIT, row[1:], strict=True)]
    return [(defect, by) for defect, by in named if re.fullmatch(r"[\w-]{2,}", by) and by not in PER_LIMIT]


def page(rows: list[Row], limits: dict[str, dict[str, str]]) -> str:
    """docs/mutants.md."""
    n_long = sum(row.met < len(DEFECTS) for row in rows)
    out = [
        "# Every scenario can fail",
        "",
        f"Made by `make mutants`: {len(rows)} scenarios against {len(DEFECTS)} broken firmwares (`--dut broken:NAME`).",
        f"A defect counts as caught when the verdict of the run is FAIL. {n_long} scenarios of minutes meet only the",
        f"{len(FOR_LONG)} defects that need minutes. `make campaign` runs the example of every scenario, and every defect of",
        "a limit, again.",
        "",
        "```console",
        "$ nabench run cell-overvoltage-sense --dut broken:check-off=CellOvervoltageMsl  # exit 1",
        "```",
        "",
        "## Scenarios",
        "",
        "| scenario | caught | for example | finding |",
        "|---|---|---|---|",
    ]
    for row in rows:
        name = telling(row, rows)
        finding = row.caught[name] if name else None
        told = f"{finding.requirement}: {finding.seen}" if finding is not None else ""
        out.append(f"| {row.scenario} | {len(row.caught)} of {row.met} | {name} | {told.replace('|', '/')} |")
    out += ["", "## Broken firmwares", "", "| defect | what it does | caught by |", "|---|---|---|"]
    for name, defect in DEFECTS.items():
        by = [row.scenario for row in rows if name in row.caught]
        shown = ", ".join(by[:3]) + (f" and {len(by) - 3} more" if len(by) > 3 else "")
        out.append(f"| {name} | {defect.text} | {shown} |")
    out += [
        "", "## Limits", "", "The shortest scenario that catches the defect of this one limit; a dash where it cannot have it.",
        "*Harmless*: with the defect the requirement still holds, so no verdict may be FAIL.", "",
        "| limit | " + " | ".join(PER_LIMIT) + " |",
        "|---|" + "---|" * len(PER_LIMIT),
    ]  # fmt: skip
    for code, by_dut in limits.items():
        cells = [
            by_dut.get(f"broken:{name}={code}", "-") or f"*harmless*: {HARMLESS.get(f'{name}={code}')}" for name in PER_LIMIT
        ]
        out.append(f"| {code} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def telling(row: Row, rows: list[Row]) -> str:
    """The defect that says most about a scenario: one of its protection, and of those the one that the fewest catch."""

    def common(name: str) -> tuple[bool, int]:
        return name in ("goes-silent", "hangs"), sum(name in other.caught for other in rows)

    return min(row.caught, key=common, default="")


def main() -> None:
    """Run all, print or write or compare, and complain about what slips through."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/mutants.md")
    parser.add_argument("--check", action="store_true", help="fail when docs/mutants.md is not what comes out")
    given = parser.parse_args()
    paths = files.shipped("scenario")
    setups = {name: prepare(path) for name, path in paths.items()}
    by_length = sorted(paths, key=lambda name: -setups[name].inputs.scenario.duration_s)
    run(setups[by_length[-1]])  # compile before the workers start
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = {}
        for row in pool.map(meet, [paths[name] for name in by_length]):
            done[row.scenario] = row
            print(f"{len(done)}/{len(paths)} {row.scenario}: {len(row.caught)} of {row.met}", file=sys.stderr)
        limits = limit_table(setups, paths, pool)
    rows = [done[name] for name in paths]
    text = page(rows, limits)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    elif not given.check:
        print(text)
    missed = [f"scenario {row.scenario} catches no defect" for row in rows if not row.caught]
    missed += [f"defect {name} slips through every scenario" for name in DEFECTS if not any(name in r.caught for r in rows)]
    through = {dut.removeprefix("broken:") for by_dut in limits.values() for dut, by in by_dut.items() if not by}
    missed += [f"{name} slips through every scenario" for name in sorted(through - set(HARMLESS))]
    missed += [f"{name} is held for harmless, but a scenario catches it" for name in sorted(set(HARMLESS) - through)]
    if given.check and PAGE.read_text(encoding="utf-8") != text:
        missed.append(f"{PAGE} is not what comes out; run make mutants")
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
