"""The page of a score: figures against what is asked, worst runs over time, distribution of errors, wrong starts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hil.report import bokehjs, html
from hil.report.bokehjs import Model
from hil.score import floors, plots, recorded, starts, table
from hil.score.case import Case
from hil.score.figures import Row
from hil.score.floors import Asked
from hil.score.inject import SIGNS
from hil.score.score import Scored, subject

_WORDS = ("current gain {} 1 %", "current offset {} 0.5 % of 1C", "voltage {} 5 mV", "temperature {} 5 K")


@dataclass(frozen=True)
class Block:
    """One condition of one data set.

    key: of its plots.  beliefs: names of the calibrations.  rows: with what is asked of each, and what the bound misses too.
    worst, errors: the worst run and its sensor errors, in words.  since: when its scoring begins, where that is not at once.
    """

    key: str
    title: str
    beliefs: str
    rows: list[tuple[Row, dict[str, Asked], list[str]]]
    worst: str
    errors: str
    since: str


def text(scored: Scored) -> str:
    """The page as HTML. Equal scores give equal text."""
    rows = scored.rows()
    inks = plots.colours(list(dict.fromkeys(row.method for row in rows)))
    drawn: dict[str, Model] = {"figures": plots.figures(rows, scored.tracks, inks)} if rows else {}
    judged_method = subject(scored.plan.methods)
    blocks = []
    for n, (data, condition) in enumerate(dict.fromkeys((row.data, row.condition) for row in rows)):
        own = [row for row in rows if (row.data, row.condition) == (data, condition)]
        tracks = [track for track in scored.tracks if track.data == data and track.case.condition == condition]
        key = f"c{n}"
        above, below, worst, pack = plots.worst(tracks, judged_method, inks)
        drawn |= {
            f"{key}-soc": above,
            f"{key}-error": below,
            f"{key}-histogram": plots.histogram(tracks, inks),
            f"{key}-coverage": plots.coverage(own, inks),
        }
        judged = [
            (row, {one.what: one for one in floors.asked(row)}, [table.told(one) for one in floors.beyond(row)]) for row in own
        ]
        beliefs = ", ".join(dict.fromkeys(_believed(track.case) for track in tracks))
        errors = _signs(pack) if scored.plan.errors else ""
        first_s, _ = plots.scored_s(worst)
        since = f"{first_s / 3600:.2f} h" if first_s > worst.t_s[0] else ""
        blocks.append(Block(key, table.heading(own[0]), beliefs, judged, worst.case.data, errors, since))
    for key, plot in drawn.items():
        plot.attributes["name"] = key
    document, roots = bokehjs.document(list(drawn.values()))
    whole = scored.as_json()
    folder = Path(__file__).parent / "templates"
    return (
        html.templates(folder)
        .get_template("score.html.j2")
        .render(
            title=_title(scored, bool(blocks)),
            scored=scored,
            blocks=blocks,
            is_asked=any(asked for block in blocks for _, asked, _ in block.rows) or bool(scored.health or scored.power),
            inks=inks,
            dashed=plots.DASHED,
            most_beyond=plots.MOST_BEYOND,
            subject=judged_method,
            floors=floors.load(),
            told=table.told,
            percent=table.percent,
            sets=recorded.sets() if any(row.condition in ("discharge", "recharge") for row in rows) else [],
            convergence=whole["convergence"],
            health=[(row, {one.what: one for one in floors.asked_of_health(row)}) for row in scored.health],
            power=[(row, {one.what: one for one in floors.asked_of_power(row)}) for row in scored.power],
            minutes=table.minutes,
            within=starts.WITHIN,
            heights={key: plot.attributes["height"] for key, plot in drawn.items()},
            script=bokehjs.script(),
            document=document.replace("<", "\\u003c"),
            roots=json.dumps({root: f"plot-{key}" for key, root in zip(drawn, roots, strict=True)}),
        )
    )


def _title(scored: Scored, has_soc: bool) -> str:
    """What the page is about."""
    of = ["the state of charge"] * has_soc + ["capacity and resistance"] * bool(scored.health)
    limits = "current limits" if scored.power else ""
    return (
        f"Error of {', of '.join(of)}{', and ' * bool(limits)}{limits}" if of else limits.capitalize() or "Nothing was scored"
    )


def _believed(case: Case) -> str:
    """Whose beliefs a case is judged with."""
    own = f", model {Path(case.model_name).stem}" if case.model_name else ""
    return Path(case.calibration).stem + own


def _signs(pack: int) -> str:
    """A combination of sensor errors in words."""
    return ", ".join(words.format("+" if sign > 0 else "-") for words, sign in zip(_WORDS, SIGNS[pack], strict=True))
