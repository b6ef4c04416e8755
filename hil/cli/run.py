"""nabench run: scenarios against a device, a run folder for each, and an index over several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say

if TYPE_CHECKING:
    from rich.console import Console

    from hil.report.record import Outcome, RunRecord
    from hil.runner import Options


def run(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; none means all shipped ones.", show_default=False),
    ] = None,
    dut: Annotated[str, typer.Option(help="The device; see: nabench list duts.")] = "emulator",
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**53, help="Seed instead of the scenario's.", show_default=False)
    ] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Take wall time; missed deadlines make verdicts INCONC.")
    ] = False,
    calibration: Annotated[
        str | None, typer.Option(help="Calibration (name or file) instead of the scenario's.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the run folders.")] = Path("nabench-runs"),
    json_: Annotated[bool, typer.Option("--json", help="Print results as JSON instead of tables.")] = False,
) -> None:
    """Run scenarios and judge them. Exit code: 0 PASS, 1 FAIL, 2 ERROR or wrong usage, 3 INCONC; the worst counts."""
    from hil.errors import ScenarioError
    from hil.runner import Options

    options = Options(dut, seed, realtime, calibration)
    paths, found = _plan(scenarios, options, out)
    if found:
        if json_:
            typer.echo(_document("ERROR", [], found))
        raise ScenarioError(*found)
    raise typer.Exit(_run_all(paths, options, out, json_))


def _plan(names: list[str] | None, options: Options, out: Path) -> tuple[list[Path], list[str]]:
    """Files to run, each once, and what stands in the way of running them at all."""
    from hil import calibration, devices, files
    from hil.errors import Problems
    from hil.report import folder, index
    from hil.scenario import Scenario

    problems, unread = Problems(), Problems()
    found = [problems.call(files.resolve, "scenario", name) for name in names or files.shipped("scenario")]
    paths = list({path.resolve(): path for path in found if path is not None}.values())
    problems.call(devices.maker_of, options.dut)
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


def _run_all(paths: list[Path], options: Options, out: Path, as_json: bool) -> int:
    """Run, write and print every scenario; returns the exit code."""
    from hil import warm
    from hil.errors import NabenchError
    from hil.report import folder, index, table
    from hil.verdict import Verdict, worst

    console = say.console(stderr=as_json)
    warm.warm(lambda text: console.print(text, style="dim"))
    outcomes: list[tuple[Outcome, Path]] = []
    verdicts: list[Verdict] = []
    broken: list[str] = []
    for path in paths:
        try:
            record = _run_one(path, options, console)
            place = folder.write(record, out)
        except NabenchError as error:
            broken += error.problems
            verdicts.append(Verdict.ERROR)
            say.errors(error.problems)
            continue
        outcomes.append((record.outcome(), place))
        verdicts.append(record.verdict)
        if not as_json:
            table.show(record, place, console, full=len(paths) == 1)
    overview = index.write(outcomes, broken, out) if len(paths) > 1 else None
    if as_json:
        typer.echo(_document(worst(verdicts).name, [{**outcome.result, "folder": str(at)} for outcome, at in outcomes], broken))
    elif overview is not None:
        table.show_many(verdicts, overview, console)
    return worst(verdicts).exit_code


def _run_one(path: Path, options: Options, console: Console) -> RunRecord:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hil import runner

    name = path.name.removesuffix(".scenario.toml").removesuffix(".toml")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        return runner.run(path, options, lambda done, total: bar.update(task, completed=done, total=total))
