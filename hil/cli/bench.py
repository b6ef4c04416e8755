"""nabench bench: how fast the bench is, in ratios that hold on any machine."""

from __future__ import annotations

from typing import Annotated

import typer

from hil.cli import say


def bench(
    cells: Annotated[str, typer.Option(help="Pack sizes, cells in series, with commas between.")] = "16,96,192",
    rounds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Interleaved rounds; 15 by default, 3 with --quick.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A third of a minute: fewer rounds, no cold start.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a ratio misses its target.")] = False,
    peers: Annotated[
        bool, typer.Option("--peers", help="Measure the plant alone against thevenin and PyBaMM instead (extra: peers).")
    ] = False,
    wire: Annotated[
        bool, typer.Option("--wire", help="Measure a full bus instead: readers, the whole bench, and how frames keep time.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as JSON instead of tables.")] = False,
) -> None:
    """Measure speed against the obvious design (NumPy, cantools, python-can) and against codec and bus alone."""
    sizes = _sizes(cells)
    import dataclasses
    import json

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from hil import warm
    from hil.errors import ScenarioError
    from hil.speed import case, measure, peer_cells, peer_table, table, wire_table
    from hil.speed import peers as solvers
    from hil.speed import wire as full_bus

    subject, shown = (full_bus, wire_table) if wire else (solvers, peer_table) if peers else (measure, table)
    if wire and peers:
        raise ScenarioError("--wire and --peers are two measurements; expected one of them")
    if wire:
        sizes = ()
    elif peers:
        peer_cells.need()
        sizes = tuple(dict.fromkeys((1, *sizes)))
    else:
        case.benchmark("baseline")
    plan = subject.QUICK if quick else subject.Plan()
    plan = dataclasses.replace(plan, cells=sizes, rounds=plan.rounds if rounds is None else rounds)
    console, aside = say.console(), say.console(stderr=True)
    warm.warm(lambda text: aside.print(text, style="dim"))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=aside, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        found = subject.measure(plan, lambda text: bar.update(task, description=text))
    promised = shown.targets(found)
    if json_:
        found["targets"] = [{**dataclasses.asdict(target), "met": target.met} for target in promised]
        typer.echo(json.dumps(found, indent=1))
    else:
        shown.show(found, console)
    missed = [target for target in promised if not target.met and not target.aim]
    raise typer.Exit(1 if strict and missed else 0)


def _sizes(text: str) -> tuple[int, ...]:
    """Pack sizes from the command line. Raises ScenarioError."""
    from hil.errors import ScenarioError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 192 for part in parts):
        raise ScenarioError(f'--cells "{text}": expected numbers from 1 to 192 with commas between, such as 16,96,192')
    return tuple(dict.fromkeys(int(part) for part in parts))
