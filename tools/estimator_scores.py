"""Write the tables of docs/estimators.md from the score of the estimators.

    python tools/estimator_scores.py                        run `nabench score --json` (minutes) and write the tables
    python tools/estimator_scores.py score.json             the same from what it printed before
    python tools/estimator_scores.py [score.json] --check   compare the tables with the page's

Equal seeds give equal figures, so every digit counts in a comparison.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import accuracy_page
from estimator_tables import Found, sections, table

from hil.score import recorded
from hil.score.believe import SUBJECT

PAGE = accuracy_page.PAGE.with_name("estimators.md")


def measure() -> Found:
    """What the score finds with its defaults."""
    command = [sys.executable, "-c", "from hil.cli import main; main()", "score", "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # type: ignore[no-any-return]


def split() -> list[str]:
    """Recordings that a calibration was fitted to, those that are scored, and what the filter is told of their rig."""
    lines = []
    for one in recorded.sets():
        seen, unseen = (", ".join(f"`{name}`" for name in names) for names in (one.fitted, one.unseen))
        told = ", ".join(f"`{key}` {value:g}" for key, value in one.filter.items())
        belief = f"`{one.calibration}`" + (f", model `{one.model}`" if one.model else "")
        lines.append((one.name, belief, seen, unseen, told or "nothing"))
    columns = (
        "recordings",
        "belief",
        "fitted and tuned on, never scored",
        "scored, never fitted",
        "told in place of the belief's",
    )
    return table(columns, lines)


def main(arguments: Sequence[str], page: Path = PAGE) -> int:
    """Exit code: 0, or 1 when the page says something else."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("file", nargs="?", type=Path, metavar="FILE", help="what `nabench score --json` printed")
    words.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    told = words.parse_args(arguments)
    found = measure() if told.file is None else json.loads(told.file.read_text(encoding="utf-8"))
    made = {**sections(found, SUBJECT), "scores-split": split()}
    if not told.check:
        return accuracy_page.put(made, page)
    wrong = [line for name, lines in made.items() for line in accuracy_page.differences(name, lines, 0.0, 0.0, page)]
    print("\n".join(wrong) or f"{page.name}: as written")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
