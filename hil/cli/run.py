"""nabench run: scenarios against a device, a run folder for each, and an index over several."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say
from hil.link import stop

if TYPE_CHECKING:
    from rich.console import Console

    from hil.report.record import Outcome, RunRecord
    from hil.runner import Options
    from hil.verdict import Verdict


def run(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; none means all shipped ones.", show_default=False),
    ] = None,
    dut: Annotated[str, typer.Option(help="The device; see: nabench list duts.")] = "emulator",
    bench: Annotated[
        Path | None,
        typer.Option(help="Bench file that says what the device is, and what this bench can do.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**53, help="Seed instead of the scenario's.", show_default=False)
    ] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Take wall time; missed deadlines make verdicts INCONC.")
    ] = False,
    calibration: Annotated[
        str | None, typer.Option(help="Calibration (name or file) instead of the scenario's.", show_default=False)
    ] = None,
    arm: Annotated[bool, typer.Option("--arm", help="Drive a real device; without it, what would be sent is listed.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the run folders.")] = Path("nabench-runs"),
    json_: Annotated[bool, typer.Option("--json", help="Print results as JSON instead of tables.")] = False,
) -> None:
    """Run scenarios and judge them. Exit code: 0 PASS, 1 FAIL, 2 ERROR or wrong usage, 3 INCONC; the worst counts.

    Ctrl-C and SIGTERM leave the device safe and keep what was done; exit code 130 or 143.
    """
    import sys

    from hil.errors import ScenarioError
    from hil.runner import Options

    if bench is not None and dut != "emulator":
        raise ScenarioError(f"--dut {dut} and --bench {bench} both say what the device is; expected one of them")
    options = Options(dut, seed, realtime, calibration, arm, bench, sys.stdin is not None and sys.stdin.isatty())
    paths, found = _plan(scenarios, options, out)
    if found:
        if json_:
            typer.echo(_document("ERROR", [], found))
        raise ScenarioError(*found)
    if not arm:
        _only_armed(paths, options, json_)
    raise typer.Exit(_run_all(paths, options, out, json_))


def _only_armed(paths: list[Path], options: Options, as_json: bool) -> None:
    """List what would be sent to a real device. Raises ScenarioError when there is one; nothing was opened then."""
    import sys

    from hil import arming, runner
    from hil.errors import ScenarioError

    told: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        lines = runner.unarmed(path, options)
        if not lines:
            return
        told.setdefault(tuple(lines), []).append(_name(path))
    for sent, names in told.items():
        typer.echo(f"{', '.join(names)} would send\n" + "\n".join(sent), err=as_json)
    problem = f"the device is real: nothing was opened or sent; to go on: {arming.typed(['nabench', *sys.argv[1:]])}"
    if told and as_json:
        typer.echo(_document("ERROR", [], [problem]))
    if told:
        raise ScenarioError(problem)


def _plan(names: list[str] | None, options: Options, out: Path) -> tuple[list[Path], list[str]]:
    """Files to run, each once, and what stands in the way of running them at all."""
    from hil import benchfile, calibration, devices, files
    from hil.errors import Problems
    from hil.report import folder, index
    from hil.scenario import Scenario

    problems, unread = Problems(), Problems()
    found = [problems.call(files.resolve, "scenario", name) for name in names or files.shipped("scenario")]
    paths = list({path.resolve(): path for path in found if path is not None}.values())
    problems.call(devices.maker_of, options.dut)
    if options.bench is not None:
        problems.call(benchfile.load, options.bench)
    if options.calibration is not None:
        problems.call(calibration.load, options.calibration)
    first: dict[str, Path] = {}
    for path in paths:
        s = unread.call(files.load, path, Scenario)
        if s is not None and first.setdefault(s.name, path) is not path:
            problems.found.append(
                f'{path}: name "{s.name}" is that of {first[s.name]} too, and so would be its run folder; '
                "give it another, or run them apart"
            )
    for name in first:
        problems.call(folder.place, out, name)
    if len(paths) > 1:
        problems.call(index.place, out)
    return paths, list(dict.fromkeys(problems.found))


def _document(verdict: str, results: list[dict[str, object]], errors: list[str]) -> str:
    import json

    return json.dumps({"verdict": verdict, "results": results, "errors": errors}, indent=1, sort_keys=True)


@dataclass
class _Done:
    """What became of the scenarios so far. stopped: how the rest was called off; empty when it was not.

    sending: what is sent to a real device, as it was listed last.
    """

    outcomes: list[tuple[Outcome, Path]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    stopped: str = ""
    sending: str = ""


def _run_all(paths: list[Path], options: Options, out: Path, as_json: bool) -> int:
    """Run, write and print every scenario, until somebody wants an end; returns the exit code."""
    from hil import warm
    from hil.report import index, table
    from hil.verdict import Verdict, worst

    console = say.console(stderr=as_json)
    done, number = _Done(), 0
    with stop.heeded():
        try:
            warm.warm(lambda text: console.print(text, style="dim"))
            for path in paths:
                _add(done, path, options, out, None if as_json else console, full=len(paths) == 1)
        except KeyboardInterrupt as error:
            number = stop.number_of(error)
            done.stopped = _stopped(number, paths, len(done.verdicts))
        overview = index.write(done.outcomes, done.broken, out, done.stopped) if len(paths) > 1 else None
    verdict = worst([*done.verdicts, *([Verdict.INCONC] if done.stopped else [])])
    if as_json:
        errors = [*done.broken, *([done.stopped] if done.stopped else [])]
        typer.echo(_document(verdict.name, [{**outcome.result, "folder": str(at)} for outcome, at in done.outcomes], errors))
    elif overview is not None:
        table.show_many(done.verdicts, overview, console)
    if done.stopped:
        typer.echo(done.stopped, err=True)
    return 128 + number if done.stopped else verdict.exit_code


def _add(done: _Done, path: Path, options: Options, out: Path, console: Console | None, *, full: bool) -> None:
    """Run and write one scenario and note what became of it. console: where it is shown, if anywhere."""
    from hil.errors import NabenchError
    from hil.report import folder, table
    from hil.verdict import Verdict

    options = replace(options, journal=_journal(out, _name(path)))
    try:
        record = _run_one(path, options, say.console(stderr=True) if console is None else console, done)
        place = folder.write(record, out)
    except NabenchError as error:
        done.broken += error.problems
        done.verdicts.append(Verdict.ERROR)
        say.errors(error.problems)
        return
    finally:
        if options.journal is not None and options.journal.exists():
            typer.echo(f"what was on the bus: {options.journal}", err=True)
    done.outcomes.append((record.outcome(), place))
    done.verdicts.append(record.verdict)
    if console is not None:
        table.show(record, place, console, full=full)


def _journal(out: Path, name: str) -> Path:
    """A name that no earlier run has, for what must not be lost: it comes into the run folder when that is written."""
    import time

    return out / f"{name}.{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() // 1_000_000 % 1_000:03d}.journal"


def _stopped(number: int, paths: list[Path], n_done: int) -> str:
    """What was broken off, and what there is all the same."""
    where = f' in scenario "{_name(paths[n_done])}"' if n_done < len(paths) else ""
    return f"stopped by {stop.name_of(number)}{where}; {n_done} of {len(paths)} scenarios were done"


def _name(path: Path) -> str:
    return path.name.removesuffix(".scenario.toml").removesuffix(".toml")


def _run_one(path: Path, options: Options, console: Console, done: _Done) -> RunRecord:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hil import runner

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(_name(path), total=None)

        def say_once(text: str) -> None:
            """What will be sent, unless the run before said the same."""
            if text != done.sending:
                console.print(f"sending\n{text}", markup=False)
                done.sending = text

        return runner.run(path, options, lambda at, total: bar.update(task, completed=at, total=total), say_once)
