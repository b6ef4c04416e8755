"""The same scenarios over every wire: two nabench processes, the bench and the BMS, against the run in lockstep.

    python tools/every_wire.py --ci         8 scenarios of at most 15 s over each wire: a minute on an idle machine
    python tools/every_wire.py              all scenarios: ten hours, so it goes on where it was ended (see --fresh)
    python tools/every_wire.py --longest 30 those of at most 30 s
    python tools/every_wire.py --write      write docs/wires.md of what is known so far

The wires run at the same time, each with its own pair of processes; results are kept in build/wires/WIRE/SCENARIO.json.
A run that the machine was too busy for is undecided and tried once more; undecided is said, but is no difference.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hil import files, runner, scenario
from hil.verdict import Verdict

REPO = Path(__file__).resolve().parents[1]
PAGE, KEPT = REPO / "docs" / "wires.md", REPO / "build" / "wires"
WIRES = {
    "slcan": "slcan over a pair of serial ports",
    "serial": "python-can's serial framing over a pair of serial ports",
    "udp_multicast": "UDP multicast on the loopback",
    "socketcand": "socketcand over TCP on the loopback",
}
CI = (
    "monitor-silent", "frames-wrong-crc", "reset-in-run", "hvil-open", "cell-overvoltage-critical", "contactor-stuck-precharge",
    "shunt-silent", "overcurrent-discharge-real",
)  # fmt: skip
_TRIES = 2
_SHOWN = 90
STOPPED = threading.Event()
CHILDREN: list[subprocess.Popen[str]] = []
_BUSY = ("missed", "not be proven alive")

Row = list[str]  # requirement, what, verdict


@dataclass(frozen=True)
class Case:
    """A scenario. device: the arguments of `nabench serve` for its pack."""

    name: str
    path: Path
    duration_s: float
    device: tuple[str, ...]


def cases(names: list[str], longest_s: float) -> list[Case]:
    """The scenarios that are wanted, those of one device together, short ones first."""
    out = []
    for name, path in files.shipped("scenario").items():
        if names and name not in names:
            continue
        s = scenario.load(path).scenario
        if s.duration_s > longest_s:
            continue
        own = () if s.calibration is None else ("--calibration", s.calibration)
        out.append(Case(name, path, s.duration_s, ("--pack", s.pack, "--network", s.network, *own)))
    return sorted(
        out, key=lambda case: (case.device != ("--pack", "nfm-16s", "--network", "classic"), case.device, case.duration_s)
    )


@cache
def lockstep(path: Path) -> tuple[tuple[str, str, str], ...]:
    """What a scenario finds in lockstep."""
    record = runner.run(path, runner.Options())
    return tuple((f.requirement, f.what, f.verdict.name) for f in record.findings)


def nabench(*arguments: str) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-c", "from hil.cli import main; main()", *arguments]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    CHILDREN.append(child)
    return child


def stop(_number: int, _frame: object) -> None:
    """Ctrl-C or a request to terminate: end what is under way; it is not kept."""
    STOPPED.set()
    for child in CHILDREN:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)


@contextmanager
def line(wire: str, work: Path) -> Iterator[tuple[list[str], str]]:
    """Arguments of `nabench serve`, and the bus as the bench names it."""
    if wire in ("slcan", "serial"):
        link = work / "bms"
        yield ["--bus", f"{wire}:pty", "--link", str(link)], f"{wire}:{link}"
    elif wire == "udp_multicast":
        bus = f"udp_multicast:239.74.163.2?port={20_000 + uuid.uuid4().int % 40_000}"
        yield ["--bus", bus], bus
    else:
        with subprocess.Popen(
            [sys.executable, str(REPO / "tools" / "socketcand_hub.py")], stdout=subprocess.PIPE, text=True
        ) as hub:
            assert hub.stdout is not None
            bus = f"socketcand:can0?host=127.0.0.1&port={hub.stdout.readline().strip()}"
            try:
                yield ["--bus", bus], bus
            finally:
                hub.kill()


@contextmanager
def served(arguments: list[str]) -> Iterator[None]:
    """A device that is up."""
    child = nabench("serve", *arguments)
    assert child.stdout is not None
    try:
        if not child.stdout.readline().startswith("serving"):
            sys.exit(f"nabench serve {' '.join(arguments)}: {child.communicate()[1]}")
        yield
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)


def run(case: Case, bus: str, out: Path) -> dict[str, Any]:
    """One run by `nabench run`: its findings, or what was wrong."""
    child = nabench("run", str(case.path), "--dut", f"remote:{bus}", "--out", str(out), "--json", "--arm")
    text, errors = child.communicate(timeout=case.duration_s * 1.5 + 120)
    shutil.rmtree(out, ignore_errors=True)
    try:
        results = json.loads(text)["results"]
    except ValueError:
        return {"findings": [], "errors": (text + errors).strip()[-400:]}
    rows = [[f["requirement"], f["what"], f["verdict"], f["seen"]] for result in results for f in result["findings"]]
    return {"findings": rows, "errors": "" if results else text[-400:]}


def judge(found: dict[str, Any], wanted: tuple[tuple[str, str, str], ...]) -> str:
    """Begins with "as in lockstep", "undecided" or "differs"."""
    rows = found["findings"]
    if found["errors"] or not rows:
        return f"differs: {found['errors'] or 'no finding'}"
    if tuple(tuple(row[:3]) for row in rows) == wanted:
        return "as in lockstep"
    verdicts = {(requirement, what): verdict for requirement, what, verdict in wanted}
    undecided = ""
    for requirement, what, verdict, seen in rows:
        if verdict == Verdict.INCONC.name:
            busy = any(word in seen for word in _BUSY)
            undecided = undecided or f"undecided: {requirement}, {'the machine was busy' if busy else seen}"
        elif verdicts.get((requirement, what)) != verdict:
            return f"differs: {requirement} {what} {verdict}, {seen}"
    return undecided or "differs: other findings than in lockstep"


def over(wire: str, wanted: list[Case], say: Any) -> None:
    """All scenarios over one wire; what is known already is left out."""
    folder = KEPT / wire
    folder.mkdir(parents=True, exist_ok=True)
    todo = [case for case in wanted if not (folder / f"{case.name}.json").exists()]
    for device in dict.fromkeys(case.device for case in todo):
        if STOPPED.is_set():
            return
        with ExitStack() as stack:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            arguments, bus = stack.enter_context(line(wire, work))
            stack.enter_context(served([*arguments, *device]))
            for case in (case for case in todo if case.device == device):
                for _ in range(_TRIES):
                    outcome = judge(run(case, bus, work / "runs"), lockstep(case.path))
                    if not outcome.startswith("undecided") or STOPPED.is_set():
                        break
                if STOPPED.is_set():
                    return
                kept = folder / f"{case.name}.json"
                kept.with_suffix(".new").write_text(
                    json.dumps({"outcome": outcome, "duration_s": case.duration_s}), encoding="utf-8"
                )
                os.replace(kept.with_suffix(".new"), kept)
                say(f"{wire:14} {case.name:34} {outcome}")


def known(wanted: list[Case]) -> dict[str, dict[str, str]]:
    """Scenario to (wire to outcome), as far as it is known."""
    out: dict[str, dict[str, str]] = {}
    for case in wanted:
        for wire in WIRES:
            kept = KEPT / wire / f"{case.name}.json"
            if kept.exists():
                out.setdefault(case.name, {})[wire] = json.loads(kept.read_text(encoding="utf-8"))["outcome"]
    return out


def page(wanted: list[Case]) -> str:
    """The table of docs/wires.md."""
    rows, notes = known(wanted), []
    marks = {"as": "=", "un": "?", "di": "**x**"}
    lines = [
        "# The same verdicts over every wire",
        "",
        "Written by `make wires`: each scenario by two processes, `nabench run` and `nabench serve`, over each wire, against",
        "the run in lockstep. `=`: verdict for verdict as in lockstep; `?`: undecided, the bench says that it cannot know;",
        "**x**: another verdict. The CAN of a real kernel has its own test, `make test-socketcan`.",
        "",
        *(f"- `{wire}`: {what}" for wire, what in WIRES.items()),
        "",
        f"| scenario | s | {' | '.join(WIRES)} |",
        f"|---|---|{'---|' * len(WIRES)}",
    ]
    for case in sorted(wanted, key=lambda case: case.name):
        if case.name not in rows:
            continue
        cells = [marks[rows[case.name][wire][:2]] if wire in rows[case.name] else "" for wire in WIRES]
        lines.append(f"| {case.name} | {case.duration_s:g} | {' | '.join(cells)} |")
        notes += [
            f"- {case.name} over {wire}: {text}"
            for wire, text in rows[case.name].items()
            if not text.startswith("as in lockstep")
        ]
    left = len(wanted) - len(rows)
    lines += [
        "",
        f"{len(rows)} of {len(wanted)} scenarios were run; the others have not been run yet." if left else "All were run.",
    ]
    if notes:
        lines += ["", "## What is not equal", "", *notes]
    return "\n".join(lines) + "\n"


def main() -> int:
    """0: no verdict differs; 1: one does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ci", action="store_true", help=f"{len(CI)} short scenarios, anew")
    parser.add_argument("--longest", type=float, default=1e9, metavar="SECONDS", help="leave out what takes longer")
    parser.add_argument("--wire", action="append", choices=WIRES, help="only this one")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--write", action="store_true", help="write docs/wires.md")
    parser.add_argument("scenario", nargs="*", help="only these")
    given = parser.parse_args()
    names = list(CI) if given.ci else given.scenario
    wanted = cases(names, given.longest)
    wires = given.wire or list(WIRES)
    if given.fresh or given.ci:
        for wire in wires:
            for case in wanted:
                (KEPT / wire / f"{case.name}.json").unlink(missing_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with ThreadPoolExecutor(len(wires)) as pool:
        for done in [pool.submit(over, wire, wanted, lambda text: print(text, flush=True)) for wire in wires]:
            done.result()
    if STOPPED.is_set():
        sys.exit("stopped; what was done is kept")
    if given.write:
        PAGE.write_text(page(cases([], 1e9)), encoding="utf-8")
    outcomes = [text for by_wire in known(wanted).values() for wire, text in by_wire.items() if wire in wires]
    same = sum(text.startswith("as in") for text in outcomes)
    differ = sum(text.startswith("differs") for text in outcomes)
    print(f"{same} as in lockstep, {differ} differ, {len(outcomes) - same - differ} undecided")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
