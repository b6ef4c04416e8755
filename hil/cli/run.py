"""nabench run: scenarios against a device, a run folder for each, and an index over several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hil.report.record import RunRecord
    from hil.runner import Options


def run(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="Names or files; none means all shipped ones.", show_default=False),
    ] = None,
    dut: Annotated[str, typer.Option(help="The device; see: nabench list duts.")] = "emulator",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed instead of the scenario's.", show_default=False)] = None,
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
    from hil import files
    from hil.errors import Problems
    from hil.runner import Options

    problems = Problems()
    names = scenarios or list(files.shipped("scenario"))
    paths = [path for name in names if (path := problems.call(files.resolve, "scenario", name)) is not None]
    problems.settle()
    options = Options(dut, seed, realtime, calibration)
    raise typer.Exit(_run_all(paths, options, out, json_))


def _run_all(paths: list[Path], options: Options, out: Path, as_json: bool) -> int:
    """Run, write and print every scenario; returns the exit code."""
    import json

    from rich.console import Console

    from hil import warm
    from hil.errors import NabenchError
    from hil.report import folder, index, table
    from hil.verdict import Verdict, worst

    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    warm.warm(lambda text: console.print(text, style="dim"))
    records: list[tuple[RunRecord, Path]] = []
    verdicts: list[Verdict] = []
    broken: list[str] = []
    for path in paths:
        try:
            record = _run_one(path, options, console)
            place = folder.write(record, out)
        except NabenchError as error:
            broken += error.problems
            verdicts.append(Verdict.ERROR)
            for problem in error.problems:
                typer.echo(f"error: {problem}", err=True)
            continue
        records.append((record, place))
        verdicts.append(record.verdict)
        if not as_json:
            table.show(record, place, console, full=len(paths) == 1)
    overview = index.write(records, broken, out) if len(paths) > 1 else None
    verdict = worst(verdicts)
    if as_json:
        results = [{**record.result(), "folder": str(place)} for record, place in records]
        typer.echo(json.dumps({"verdict": verdict.name, "results": results, "errors": broken}, indent=1, sort_keys=True))
    elif overview is not None:
        table.show_many(records, overview, verdict, console)
    return verdict.exit_code


def _run_one(path: Path, options: Options, console: object) -> RunRecord:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from hil import runner

    assert isinstance(console, Console)
    name = path.name.removesuffix(".scenario.toml").removesuffix(".toml")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        return runner.run(path, options, lambda done, total: bar.update(task, completed=done, total=total))
