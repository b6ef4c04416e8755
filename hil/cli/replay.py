"""nabench replay: recorded logs against a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say
from hil.link import stop

if TYPE_CHECKING:
    from rich.console import Console

    from hil.replay.case import Case, Options


def replay(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A log, a journal, a run folder, or a folder of logs.")],
    dut: Annotated[str, typer.Option(help="The device; see: nabench list duts.")] = "emulator",
    pack: Annotated[str, typer.Option(help="Pack (name or file) that the device is for.")] = "nfm-16s",
    calibration: Annotated[
        str | None, typer.Option(help="Calibration (name or file) instead of the pack's.", show_default=False)
    ] = None,
    network: Annotated[str, typer.Option(help="Network (name or file) of the log.")] = "classic",
    dbc: Annotated[
        list[Path] | None, typer.Option(help="DBC file of the log instead of a network, with --map; may be repeated.")
    ] = None,
    map_: Annotated[Path | None, typer.Option("--map", help="Mapping of the DBC to our roles.", show_default=False)] = None,
    bitrate: Annotated[int, typer.Option(help="Of the bus, with --dbc.")] = 500_000,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BUS=CHANNEL", help="Which channel of the log is which bus; else their ids say it. May be repeated."
        ),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Scenario (name or file) with pack, network and expectations.", show_default=False)
    ] = None,
    event: Annotated[
        str | None,
        typer.Option("--expect", metavar="EVENT", help="Event to expect instead of that in the name; none: nothing."),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Codes beside the expected ones are failures.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Compare with the recorded device.")] = False,
    settle: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="With --compare: what is earlier does not count.")
    ] = 0.0,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance-ms", min=0.0, help="With --compare: shorter differences do not count.", show_default=False),
    ] = None,
    arm: Annotated[bool, typer.Option("--arm", help="Drive a real device; without it, what would be sent is listed.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for page, JUnit XML and results.")] = Path("nabench-replays"),
    json_: Annotated[bool, typer.Option("--json", help="Print results as JSON instead of a table.")] = False,
) -> None:
    """Feed a log's frames of the rest of the bus to a device and judge what it answers.

    A name like 0007.CellOvervoltage.blf says the event that must be reported, 0008.none.asc that none may; a folder of such
    logs is a regression suite. In lockstep as fast as possible, on a real bus with the log's timing. Exit code: 0 PASS,
    1 FAIL, 2 ERROR, NONE or wrong usage, 3 INCONC; the worst counts.
    """
    import tempfile

    from hil import devices, files
    from hil.errors import Problems, ScenarioError
    from hil.replay import case, network_of

    problems = Problems()
    problems.call(devices.maker_of, dut)
    for kind, name in (("pack", pack), ("network", network), ("calibration", calibration)):
        if name is not None:
            problems.call(files.resolve, kind, name)
    problems.settle()
    if (dbc is None) != (map_ is None):
        raise ScenarioError("--dbc and --map belong together: the DBC of the log, and what its signals mean")
    with tempfile.TemporaryDirectory(prefix="nabench-") as scratch:
        if dbc is not None and map_ is not None:
            network = str(network_of.write(Path(scratch), dbc, map_, bitrate))
        elif "/" in network or network.endswith(".toml"):
            network = str(Path(network).absolute())
        path = None if scenario is None else files.resolve("scenario", scenario)
        channels = tuple(channel or ())
        options = case.Options(dut, pack, network, calibration, path, event, exact, compare, settle, tolerance, arm, channels)
        raise typer.Exit(_all(log, options, out, json_))


def _all(log: Path, options: Options, out: Path, as_json: bool) -> int:
    import json

    from hil import files, warm
    from hil.errors import ScenarioError
    from hil.record import logs
    from hil.replay import case, folder
    from hil.verdict import Verdict, worst

    is_suite = log.is_dir() and not logs.is_run(log)
    paths = case.listed(log) if is_suite else [log]
    if not is_suite and not log.is_dir():
        if why := files.why_not(log):
            raise ScenarioError(f"{log}: {why}")
        logs.suffix_of(log, packed=True)
    folder.place(out, [case.name_of(path) for path in paths])
    console = say.console(stderr=as_json)
    done: list[Case] = []
    stopped, number = "", 0
    with stop.heeded():
        try:
            warm.warm(lambda text: console.print(text, style="dim"))
            for path in paths:
                done.append(_one(path, options, console, is_suite))
                folder.write_one(done[-1], options.dut, out)
        except KeyboardInterrupt as error:
            number = stop.number_of(error)
            stopped = f"stopped by {stop.name_of(number)}; {len(done)} of {len(paths)} logs were done"
        page = folder.write_all(done, options.dut, out, stopped)
    verdict = worst([*(each.verdict for each in done), *([Verdict.INCONC] if stopped else [])])
    if as_json:
        results = [folder.result(each, options.dut) for each in done]
        typer.echo(json.dumps({"verdict": verdict.name, "results": results}, indent=1, sort_keys=True))
    else:
        _show(done, is_suite, console)
        typer.echo(f"{verdict.name} {len(done)} {'log' if len(done) == 1 else 'logs'} ({case.speed_of(done):.0f} x real time)")
        typer.echo(f"page: {page}")
    if stopped:
        typer.echo(stopped, err=True)
    return 128 + number if stopped else verdict.exit_code


def _one(path: Path, options: Options, console: Console, is_suite: bool) -> Case:
    """One log; in a suite a broken one is a case of its own, and the rest goes on."""
    from rich.progress import BarColumn, Progress, TextColumn

    from hil.errors import ScenarioError
    from hil.replay import case

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(path.name, total=None)
            return case.replay(path, options, lambda k, n: bar.update(task, completed=k, total=n))
    except ScenarioError as error:
        if not is_suite:
            raise
        return case.refused(path, error.problems)


def _show(done: list[Case], is_suite: bool, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from hil.verdict import Verdict

    table = Table(show_lines=False)
    for name in ("log", "what", "expected", "seen", "verdict"):
        table.add_column(name, no_wrap=name == "verdict", overflow="fold")
    for case in done:
        shown = [f for f in case.findings if not is_suite or f.verdict is case.verdict]
        for n, f in enumerate(shown):
            table.add_row(case.path.name if n == 0 else "", *(Text(x) for x in (f.what, f.expected, f.seen)), f.verdict.name)
        if not shown:
            table.add_row(case.path.name, "", "", "nothing was judged", Verdict.NONE.name)
    console.print(table)
    for case in done:
        for note in case.notes:
            console.print(Text(f"{case.path.name}: {note}"))
