"""nabench judge: the verdict again, from the run folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli import say


def judge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Judge a recorded run anew and compare with the result it was filed with. Exit codes as in nabench run."""
    from hil.errors import ScenarioError
    from hil.report import folder, table
    from hil.report.record import result_text

    record = folder.load(run)
    text = result_text(record)
    filed = run / "result.json"
    if not filed.is_file():
        raise ScenarioError(f"{filed}: does not exist; expected the result that the run was filed with")
    same = filed.read_bytes() == text.encode()
    if json_:
        typer.echo(text, nl=False)
    else:
        console = say.console()
        table.show(record, run, console, full=True)
        console.print("result.json: identical, byte for byte" if same else "result.json: DIFFERS from this judgement")
    if not same:
        typer.echo(
            f"error: {filed} is not what this trace gives; the folder was changed or judged by another version", err=True
        )
        raise typer.Exit(2)
    raise typer.Exit(record.verdict.exit_code)
