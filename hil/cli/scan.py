"""nabench scan: who talks on a bus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say

if TYPE_CHECKING:
    from hil.link.asking import Answer


def scan(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="INTERFACE:CHANNEL[?KEY=VALUE&...].")],
    network: Annotated[str, typer.Option(help="Network (name or file) whose databases name the messages.")] = "classic",
    dbc: Annotated[list[Path] | None, typer.Option(help="DBC file instead of a network; may be repeated.")] = None,
    for_: Annotated[float, typer.Option("--for", min=0.01, max=3600, metavar="SECONDS", help="How long to listen.")] = 2.0,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            metavar="uds|uds29|j1939|all", help="Ask who is there, too; needs --arm. May be repeated.", show_default=False
        ),
    ] = None,
    arm: Annotated[bool, typer.Option("--arm", help="With --ask: send; without it, what would be sent is shown.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Listen, and show every id with period, length, message and node; with --ask also who answers.

    Exit code 3 when nothing was heard.
    """
    import json

    from rich.markup import escape
    from rich.table import Table

    from hil.link import asking, scanning, sending, spec
    from hil.link.can_bus import CanBus

    where, database = spec.parse(bus), sending.database_of(network, dbc or [])
    kinds = _kinds(ask or [], bus, arm, json_)
    answers: list[Answer] = []
    doubtful: list[Answer] = []
    opened = CanBus(where, database.buses[0].bitrate, any(message.is_fd for message in database.messages))
    try:
        lines = scanning.fit(scanning.listen(opened, for_), database)
        before = {(line.talk.can_id, line.talk.extended) for line in lines}
        for answer in asking.ask(opened, kinds, before) if kinds else ():
            (doubtful if answer.was_sending else answers).append(answer)
    finally:
        opened.close()
    nodes = scanning.nodes(lines, database)
    told: dict[str, object] = {}
    if kinds:
        told = {"answers": [answer.as_dict() for answer in answers], "was_sending": [answer.label for answer in doubtful]}
    if json_:
        typer.echo(json.dumps({"bus": bus, "ids": [line.as_dict() for line in lines], "nodes": nodes} | told))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("id", "frames", "every ms", "bytes", "message", "node", "remark"):
            table.add_column(name, no_wrap=name != "remark", justify="right" if name in ("frames", "every ms") else "left")
        for line in lines:
            talk, period = line.talk, line.talk.period_ms
            lengths = "/".join(map(str, sorted(talk.lengths)))
            shown = "" if period is None else f"{period:.1f}"
            table.add_row(talk.label, str(talk.n), shown, lengths, *map(escape, (line.message, line.node, line.remark)))
        say.console().print(table)
        spoke = ", ".join(f"{name} {heard} of {all_}" for name, (heard, all_) in nodes.items() if heard)
        silent = ", ".join(name for name, (heard, _) in nodes.items() if not heard)
        typer.echo(f"nodes by messages heard: {spoke or 'none'}" + (f"; silent: {silent}" if silent else ""))
        for answer in answers:
            said = ", ".join(f"{name} {text}" for name, text in answer.said.items())
            asked = f" (asked on {answer.asked})" if answer.asked else ", on what id it is asked is not known"
            typer.echo(f"answered: {answer.kind} {answer.label}{asked}{f': {said}' if said else ''}")
        for answer in doubtful:
            typer.echo(f"no answer: {answer.kind} {answer.label}: it sends what looks like one, but was sending already")
        if kinds and not answers:
            typer.echo(f"nobody answered to {', '.join(kinds)}")
    if not lines and not answers:
        typer.echo(f'nothing was heard on "{bus}" in {for_:g} s', err=True)
    raise typer.Exit(0 if lines or answers else 3)


def _kinds(ask: list[str], bus: str, arm: bool, json_: bool) -> list[str]:
    """What is asked, after it was shown (on stderr beside JSON).

    Raises ScenarioError for other words, or when it is not armed.
    """
    import sys

    from hil import arming
    from hil.errors import ScenarioError, nearest
    from hil.link import asking

    known = [*asking.KINDS, "all"]
    strange = [word for word in ask if word not in known]
    if strange:
        raise ScenarioError(f"--ask {strange[0]}: expected one of {', '.join(known)}{nearest(strange[0], known)}")
    if arm and not ask:
        raise ScenarioError("--arm is for --ask: a scan without it sends nothing")
    kinds = [kind for kind in asking.KINDS if kind in ask or "all" in ask]
    if kinds:
        lines = [f"{'asking' if arm else 'would ask'} on {bus}:"]
        lines += [
            f"  {question.label}  {question.data.hex(' ').upper()}  {question.what}" for question in asking.questions(kinds)
        ]
        lines += [f"  {text}" for text in asking.more(kinds)]
        typer.echo("\n".join(lines), err=json_)
    if kinds and not arm:
        raise ScenarioError(f"nothing was opened or sent; to go on: {arming.typed(['nabench', *sys.argv[1:]])}")
    return kinds
