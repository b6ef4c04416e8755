"""One log, from its file to its findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire.layout import BUS, CAN_ID, EXTENDED, FLAGS
from hil import devices, scenario, setup
from hil import judge as judges
from hil.dut import Paced
from hil.errors import ScenarioError
from hil.link.frame import hex_id
from hil.observe import View
from hil.record import logs
from hil.replay import compare, expect, feed, judged, survey
from hil.replay.feed import Played
from hil.replay.survey import Fit, Survey
from hil.report import folder
from hil.report.record import Speed
from hil.scenario import Scenario
from hil.setup import Setup
from hil.taint import taint
from hil.verdict import Evidence, Finding, Verdict, worst
from hil.wirelog import WireLog

_TICK_MS = 10


@dataclass(frozen=True)
class Options:
    """How to replay. scenario: what is expected, and the pack it is for; None takes pack, calibration and network.

    event: instead of what the log's name promises.  exact: codes beside the promised ones are failures.
    compare: with the recorded device, from settle_s on, within tolerance_ms (None: what sampling can do).
    armed: a real device may be driven.  channels: BUS=CHANNEL of the log, where its ids do not say it.
    """

    dut: str = "emulator"
    pack: str = "nfm-16s"
    network: str = "classic"
    calibration: str | None = None
    scenario: Path | None = None
    event: str | None = None
    exact: bool = False
    compare: bool = False
    settle_s: float = 0.0
    tolerance_ms: float | None = None
    armed: bool = False
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A replayed log. name: of the case.  played: None when it could not be replayed.  notes: what one should know besides.

    expected: what it promises, in words.
    """

    name: str
    path: Path
    expected: str
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)
    played: Played | None = None
    speed: Speed | None = None

    @property
    def verdict(self) -> Verdict:
        """The heaviest finding."""
        return worst([finding.verdict for finding in self.findings])


def name_of(path: Path) -> str:
    """Name of a case: the file's without its endings."""
    name = path.name.removesuffix(".gz")
    return name.removesuffix(Path(name).suffix) if logs.is_log(path) else name


def build(path: Path, options: Options, found: Survey) -> Setup:
    """The pack, network and expectations that a log is replayed with. Raises ScenarioError."""
    if options.scenario is not None:
        return setup.build(scenario.load(options.scenario))
    if logs.is_run(path):
        return folder.load(path).setup
    duration_s = max((found.last_ns - found.first_ns) / 1e9, 0.001 * _TICK_MS)
    made = Scenario(
        format=1, name="replay", title=f"Replay of {path.name}", pack=options.pack, network=options.network,
        calibration=options.calibration, duration_s=duration_s, tick_ms=_TICK_MS,
    )  # fmt: skip
    return setup.build(scenario.complete(Path.cwd() / "replay.toml", made))


def replay(path: Path, options: Options, progress: Callable[[int, int], None] = lambda _k, _n: None) -> Case:
    """Replay one log and judge it. Raises NabenchError."""
    promised = options.event if options.event is not None else expect.of_name(path)
    found = survey.look(path)
    built = build(path, options, found)
    names = built.network.from_dut.signal_names
    events = expect.parse(promised, names, "--expect" if options.event is not None else str(path)) if promised else None
    rows = list(built.inputs.scenario.expect)
    fitted = survey.fit(found, built.network, options.channels)
    use_supply = bool(found.supply) and not survey.uses_supply(built.network)
    dut = devices.create(options.dut, built)
    if not dut.lockstep and not options.armed:
        raise ScenarioError(*_would_send(found, fitted, built))
    played = feed.play(found, fitted, built, dut, use_supply, progress)
    trace = played.trace
    view = View(trace, WireLog(trace.journal, built.network), built)
    findings = [*judges.fallen(view), *judges.device_spoke(view)]
    cut = found.about.cut or ("the link to the device was lost" if trace.info["broken off"] else "")
    if events is not None:
        findings += expect.judge(view, events, cut, exact=options.exact)
    findings += judged.expectations(view, rows)
    if options.compare:
        recorded = WireLog(played.recorded, built.network)
        tolerance_ns = None if options.tolerance_ms is None else round(options.tolerance_ms * MS_NS)
        settle_ns = round(options.settle_s * 1e9)
        diffs = compare.differences(built.network, recorded, view.log, tolerance_ns, settle_ns, trace.dt_ns)
        findings += compare.findings(built.network, diffs, len(played.recorded))
    findings = [_doubted(taint(trace, finding, built.network), fitted) for finding in findings]
    findings = [*_of_log(fitted), *_of_run(view, found, rows), *findings]
    speed = Speed(trace.n_ticks * trace.dt_ns / 1e9, 0.0, played.wall_s)
    return Case(name_of(path), path, promised, findings, _notes(found, fitted, isinstance(dut, Paced)), played, speed)


def _would_send(found: Survey, fitted: Fit, built: Setup) -> list[str]:
    """What a real device would get, and that it does not."""
    layout = built.network.to_dut
    rows: dict[tuple[int, int, int], str] = {}
    for slot, name in zip(layout.slots.tolist(), layout.slot_names, strict=True):
        rows[slot[BUS], slot[CAN_ID], slot[FLAGS] & EXTENDED] = name.partition("[")[0]
    lines = [
        f"would send {hex_id(can_id, bool(extended))} {rows[bus, can_id, extended]}, {n} frames"
        for channel, bus in sorted(fitted.buses.items())
        for (can_id, extended), n in sorted(found.frames[channel].items())
        if (bus, can_id, extended) in rows
    ]
    return [*lines, "the device is real: nothing was opened or sent; to go on, give --arm"]


def _of_log(fitted: Fit) -> list[Finding]:
    """That the log lacks messages which the device lives on."""
    if not fitted.missing:
        return []
    names = ", ".join(dict.fromkeys(fitted.missing))
    return [
        Finding(
            "LOG", "messages", "the log holds all that the rest of the bus sends", f"not one frame of {names}", Verdict.INCONC,
            next_step="the device rightly misses them: record the whole bus, or name the network and pack of this log",
        )
    ]  # fmt: skip


def _doubted(finding: Finding, fitted: Fit) -> Finding:
    """What rests on a log that lacks what the device lives on cannot be known, whatever it looked like."""
    if not fitted.missing or finding.verdict not in (Verdict.PASS, Verdict.FAIL):
        return finding
    return replace(finding, seen=f"{finding.seen}; but the log lacks what the device lives on", verdict=Verdict.INCONC)


def _of_run(view: View, found: Survey, rows: list[scenario.Expect]) -> list[Finding]:
    """What of the replay itself was not as it should be."""
    trace, findings = view.trace, []
    if trace.lost_frames:
        seen, hint = f"{trace.lost_frames} frames found no room in a tick", "is the log of one bus, and in order?"
        findings.append(Finding("LOG", "frames", "every frame is fed", seen, Verdict.ERROR, next_step=hint))
    if trace.info["broken off"]:
        end_ns = trace.n_ticks * trace.dt_ns
        seen = f"the link to the device was lost at {end_ns / 1e9:g} s"
        ended = (Evidence(end_ns, "end of the replay"),)
        findings.append(Finding("BENCH", "replay", "it goes on to the end of the log", seen, Verdict.INCONC, evidence=ended))
    if rows and trace.n_ticks < view.setup.inputs.scenario.n_ticks:
        findings.append(judges.ended_early(view))
    if found.about.cut and not rows:
        findings.append(
            Finding(
                "LOG", "end", "the log is whole", f"it is cut: {found.about.cut}", Verdict.NONE,
                next_step="what is there was replayed",
            )
        )  # fmt: skip
    return findings


def _notes(found: Survey, fitted: Fit, in_wall_time: bool) -> list[str]:
    notes = []
    if fitted.unknown:
        shown = ", ".join(f"0x{can_id:X}" for can_id, _ in sorted(fitted.unknown)[:6])
        notes.append(
            f"{sum(fitted.unknown.values())} frames with {len(fitted.unknown)} ids that the network does not know: {shown}"
        )
    notes += [f"{n} {what} left out" for what, n in sorted(found.left_out.items())]
    notes += [f"{n} {what} in the log" for what, n in sorted(found.about.skipped.items())]
    if found.about.cut:
        notes.append(f"the log is cut: {found.about.cut}")
    if in_wall_time:
        notes.append("in wall time")
    return notes


def refused(path: Path, problems: tuple[str, ...]) -> Case:
    """A log that could not be replayed."""
    finding = Finding("LOG", "replay", "a log that can be replayed", "; ".join(problems), Verdict.ERROR)
    return Case(name_of(path), path, expect.of_name(path), [finding])


def listed(where: Path) -> list[Path]:
    """The logs of a folder, by name. Raises ScenarioError when there is none, or two of one name."""
    paths = sorted(path for path in where.iterdir() if path.is_file() and logs.is_log(path) and not path.name.startswith("."))
    if not paths:
        kinds = " ".join(logs.FORMATS)
        raise ScenarioError(f"{where}: no log in this folder; expected files that end in {kinds}")
    first: dict[str, Path] = {}
    twice = [path for path in paths if first.setdefault(name_of(path), path) is not path]
    if twice:
        raise ScenarioError(
            *(f"{path}: its results would be those of {first[name_of(path)].name} too; rename it" for path in twice)
        )
    return paths


def speed_of(cases: list[Case]) -> float:
    """Simulated over wall time of all that was replayed."""
    done = [case.speed for case in cases if case.speed is not None]
    wall_s = float(np.sum([speed.wall_s for speed in done]))
    return float(np.sum([speed.simulated_s for speed in done])) / wall_s if wall_s > 0 else 0.0
