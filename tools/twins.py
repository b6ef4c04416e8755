"""Two firmwares on the same scenarios, the emulator and one in C: where what they sent differs, frame by frame.

The emulator estimates by the method of the other, so that what differs is a difference of the two programs.

python tools/twins.py            run every scenario of the pack against both (minutes), print the table
python tools/twins.py --write    write it into docs/native.md
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil import files, runner
from hil.report.record import RunRecord
from hil.scenario import Scenario
from hil.verdict import Verdict
from hil.wirelog import WireLog

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "native.md"
PACK = "nfm-16s"
DECISIONS = ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand", "BMS_State", "BMS_FaultCode")
_BETWEEN = re.compile(r"(<!-- tools/twins.py -->\n).*?(\n<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Difference:
    """Of one signal: frames that differ, the longest stretch of them [frame], when it begins [s], the largest distance."""

    signal: str
    frames: int
    longest: int
    at_s: float
    most: float


def decided(record: RunRecord) -> list[str]:
    """Signals by which a BMS decides and says why: commands, state, code, and every flag."""
    names = record.setup.network.from_dut.signal_names
    return [*DECISIONS, *(name for name in names if name.startswith("Diag_"))]


def differences(one: RunRecord, other: RunRecord, names: list[str]) -> list[Difference]:
    """Frame by frame; a signal of which one sent more frames differs throughout."""
    found = []
    logs = [WireLog(record.trace.journal, record.setup.network) for record in (one, other)]
    for name in names:
        a, b = (log.said(name) for log in logs)
        if len(a.t_ns) != len(b.t_ns):
            found.append(Difference(name, abs(len(a.t_ns) - len(b.t_ns)), len(a.t_ns), 0.0, np.inf))
            continue
        apart = (a.valid != b.valid) | (a.valid & b.valid & (a.value != b.value))
        if apart.any():
            k = np.flatnonzero(apart)
            longest = max(np.split(k, np.flatnonzero(np.diff(k) > 1) + 1), key=len)
            most = float(np.abs(a.value - b.value)[a.valid & b.valid].max(initial=0.0))
            found.append(Difference(name, len(k), len(longest), float(a.t_ns[longest[0]]) / 1e9, most))
    return found


def method_of_twin(folder: Path) -> Path:
    """The calibration of the pack, with the filter that the small BMS has."""
    text, changed = re.subn(
        r'^method = "\w+"', 'method = "ekf"', files.shipped("calibration")[PACK].read_text("utf-8"), flags=re.MULTILINE
    )
    assert changed == 1
    path = folder / "ekf.toml"
    path.write_text(text, encoding="utf-8")
    return path


def run_both(scenario: Path, dut: str, calibration: Path) -> tuple[RunRecord, RunRecord]:
    """The emulator's run with a calibration, and that of another device."""
    return runner.run(scenario, runner.Options(calibration=str(calibration))), runner.run(scenario, runner.Options(dut=dut))


@dataclass(frozen=True)
class Row:
    """One scenario. failed: what fails with the firmware in C.  apart: signals of decision that differ, with their frames.

    soc_apart: largest distance of the states of charge, in points of %.
    """

    name: str
    verdict: str
    failed: tuple[str, ...]
    apart: dict[str, int]
    soc_apart: float


def compare(job: tuple[str, Path, str, Path]) -> Row:
    """One scenario against both."""
    name, *others = job
    emulated, native = run_both(*others)
    failed = tuple(dict.fromkeys(f.what for f in native.findings if f.verdict is not Verdict.PASS))
    apart = {d.signal: d.frames for d in differences(emulated, native, decided(emulated))}
    soc = differences(emulated, native, ["BMS_Soc"])
    return Row(name, native.verdict.name, failed, apart, soc[0].most if soc else 0.0)


def table(rows: list[Row]) -> str:
    """What docs/native.md says."""
    good = [row for row in rows if row.verdict == "PASS"]
    equal = [row for row in rows if not row.apart]
    soc = np.array([row.soc_apart for row in rows])
    most = rows[int(soc.argmax())].name
    lines = [
        f'All {len(rows)} scenarios of pack `{PACK}` were run against both, the emulator with `method = "ekf"`:',
        "",
        "| scenarios | with the small BMS | because of |",
        "|---|---|---|",
        f"| {len(good)} | PASS | |",
        *(f"| `{r.name}` | {r.verdict} | {', '.join(f'`{what}`' for what in r.failed)} |" for r in rows if r.verdict != "PASS"),
        "",
        f"Contactor commands, state, fault code and every diagnosis flag were equal in each frame of {len(equal)} of them.",
        "In the others some frames differ:",
        "",
        "| scenario | signal: frames |",
        "|---|---|",
        *(f"| `{r.name}` | {', '.join(f'`{s}`: {n}' for s, n in r.apart.items())} |" for r in rows if r.apart),
        "",
        f"State of charge, in single and in double precision, was at most {np.median(soc):.2f} points of % apart in half of",
        f"them, and {soc.max():.2f} in `{most}`.",
    ]
    return "\n".join(lines)


def main() -> None:
    """See the module text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    paths = {n: p for n, p in files.shipped("scenario").items() if files.load(p, Scenario).pack == PACK}
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as pool:
        subprocess.run(["make", "-s", "-C", str(ROOT / "examples" / "native_firmware"), f"BUILD={folder}"], check=True)
        belief = method_of_twin(Path(folder))
        jobs = [(name, path, f"native:{folder}/bms.so", belief) for name, path in paths.items()]
        text = table(list(pool.map(compare, jobs)))
    if write:
        PAGE.write_text(_BETWEEN.sub(lambda m: m[1] + text + m[2], PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
