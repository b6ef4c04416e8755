"""Which scenario catches which broken firmware: the proof that every scenario, and every limit, can fail.

    python tools/mutants.py            print the tables
    python tools/mutants.py --write    write docs/mutants.md
    python tools/mutants.py --check    fail when docs/mutants.md is not what comes out

A defect is caught when the verdict is FAIL. Runs go through setup, device and judge in this process, in the fused gear
where the device allows it; a defect that keeps a device from being understood at all (ERROR, INCONC) counts as missed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hil import devices, judge, scenario, setup
from hil.bench import Bench
from hil.dut.broken import DEFECTS, step_of
from hil.dut.emulator import Emulator
from hil.setup import Setup
from hil.verdict import Finding, Verdict

PAGE = Path(__file__).parents[1] / "docs" / "mutants.md"
PER_LIMIT = ("check-off", "limit-plus-step", "debounce-doubled")
# Minutes of virtual time: these meet only the defects that need them.
LONG_S = 150.0
FOR_LONG = ("sign-flipped", "capacity-wrong", "soc-frozen", "derating-off", "goes-silent")


def prepare(path: Path) -> Setup:
    """A scenario, built once; every run gets a fresh copy of its rig."""
    return setup.build(scenario.load(path))


def run(built: Setup, dut: str = "emulator") -> list[Finding]:
    """All findings of one run against a device."""
    fresh = replace(built, rig=copy.deepcopy(built.rig, {id(built.network): built.network}))
    device = devices.create(dut, fresh)
    bench = Bench(fresh, device)
    bench.start()
    fused = isinstance(device, Emulator) and type(device).exchange is Emulator.exchange
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
    """Broken devices with one limit wrong, by the code of the limit."""
    rows = built.inputs.calibration.limit
    out: dict[str, list[str]] = {}
    for row in rows:
        possible = {
            "check-off": True,
            "limit-plus-step": step_of(row.quantity) is not None,
            "debounce-doubled": row.debounce_ms > 0,
        }
        out[row.code] = [f"broken:{name}={row.code}" for name in PER_LIMIT if possible[name]]
    return out


def serving(setups: dict[str, Setup], code: str) -> list[str]:
    """Scenarios that expect something of a limit: by a requirement's codes or by its flag."""
    out = []
    for name, built in setups.items():
        required = built.inputs.requirements.by_id()
        for row in built.inputs.scenario.expect:
            if code in required[row.requirement].codes or getattr(row, "signal", "") == f"Diag_{code}":
                out.append(name)
                break
    return sorted(out, key=lambda name: setups[name].inputs.scenario.duration_s)
