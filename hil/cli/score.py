"""nabench score: how far the estimators' state of charge is from references, recorded and simulated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say

if TYPE_CHECKING:
    from hil.score.cases import Group
    from hil.score.score import Plan, Scored


def score(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of your own CSV files instead of what ships.", show_default=False),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", metavar="M", help="Method of estimation; may be given again. All when left out.", show_default=False
        ),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            "--peer",
            metavar="NAME=PYTHON",
            help="Estimator of another package, in the interpreter that has it; may be given again. Slow.",
            show_default=False,
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option("--condition", metavar="C", help="Condition; may be given again. All when left out.", show_default=False),
    ] = None,
    map_: Annotated[
        Path | None,
        typer.Option(
            "--map",
            help="What the columns of --data mean; the one *.map.toml in that folder when left out.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print figures as JSON instead of tables.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write a page of plots too.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of noise, lost frames and drawn plants.")] = 1,
    draws: Annotated[int, typer.Option(min=1, max=1000, help="Simulated plants a condition.")] = 4,
    states: Annotated[int, typer.Option(min=1, max=100_000, help="States in which the current limits are asked.")] = 200,
    clean: Annotated[bool, typer.Option("--clean", help="Add no sensor errors.")] = False,
) -> None:
    """Score the estimators: SOC, band, convergence, capacity, resistance, current limits. Exit code 0 or 2."""
    from hil.errors import Problems
    from hil.report.html import claim_early
    from hil.score import cases, score

    problems = Problems()
    methods = problems.call(score.check_methods, method or []) or ()
    pythons = problems.call(score.check_peers, peer or []) or {}
    conditions = problems.call(cases.check, condition or []) or ()
    if data is None and map_ is not None:
        problems.found.append("--map needs --data, the folder whose columns it names")
    if data is not None and condition:
        problems.found.append("--condition is for what ships; leave it out with --data")
    if clean and {cases.POWER, cases.HEALTH} & set(condition or []):
        problems.found.append("--clean is not for the conditions power and health, which are about sensor errors")
    if html is not None:
        problems.call(claim_early, html, "--html")
    problems.settle()
    told = [] if clean or data is not None else [name for name in conditions if name in (cases.POWER, cases.HEALTH)]
    plan = score.Plan(
        methods=(*methods, *pythons),
        seed=seed,
        errors=not clean,
        power_states=states if cases.POWER in told else 0,
        health_draws=cases.HEALTH_PER_DRAW * draws if cases.HEALTH in told else 0,
    )
    if data is not None:
        from hil.score import folder

        own = folder.cases(data, map_)
        for note in own.notes:
            typer.echo(f"note: {note}", err=True)
        work = [cases.Group("own files", lambda: own.cases)]
    else:
        work = cases.groups(conditions, seed, draws)
    _tell(_with_bar(work, plan, pythons), json_, html)


def _with_bar(work: list[Group], plan: Plan, pythons: dict[str, str]) -> Scored:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from hil.score import believe, peers, score

    make = peers.maker(pythons, believe.emulated) if pythons else believe.emulated
    console = say.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)
        return score.run(work, plan, lambda text, share: bar.update(task, description=text, completed=share), make)


def _tell(scored: Scored, as_json: bool, html: Path | None) -> None:
    """Print the figures, after the page is written."""
    import json

    from hil import files
    from hil.errors import BenchError
    from hil.score import page, table

    if html is not None:
        try:
            files.write(html, page.text(scored))
        except OSError as error:
            raise BenchError(f"--html {html}: cannot be written: {error.strerror}") from None
    if as_json:
        typer.echo(json.dumps(scored.as_json(), indent=1, allow_nan=False))
        return
    table.show(scored, say.console())
    if html is not None:
        typer.echo(f"wrote {html}")
