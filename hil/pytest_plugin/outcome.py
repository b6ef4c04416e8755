"""What a test leaves: sentences instead of our own frames, figures as properties, a run folder."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

import hil

if TYPE_CHECKING:
    from hil.errors import NabenchError
    from hil.session import Session
    from hil.verdict import Finding


def sentence(error: NabenchError) -> BaseException:
    """An error as its sentences alone."""
    return pytest.fail.Exception("\n".join(error.problems), pytrace=False)


def measured(findings: list[Finding]) -> list[tuple[str, object]]:
    """Measured figures as properties, with their bands."""
    found: list[tuple[str, object]] = []
    for f in findings:
        if f.value is not None:
            found.append((f"{f.requirement} {f.what} [{f.unit}]", f"{f.value:.6g}"))
            if f.low is not None and f.high is not None:
                found.append((f"{f.requirement} {f.what}, band [{f.unit}]", f"{f.low:.6g} {f.high:.6g}"))
    return found


def without_our_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """What a user did wrong, or a device, is told where the user's code stands; our own errors keep their traceback."""
    error = excinfo.value
    known = [
        kind
        for module, name in (("hil.errors", "NabenchError"), ("hil.session.claim", "Unmet"))
        if (kind := getattr(sys.modules.get(module), name, None)) is not None
    ]
    if not isinstance(error, tuple(known)):
        return excinfo
    ours = str(Path(hil.__file__).parent)
    kept = None
    for entry in reversed(list(traceback.walk_tb(excinfo.tb))):
        if not entry[0].f_code.co_filename.startswith(ours):
            kept = TracebackType(kept, entry[0], entry[0].f_lasti, entry[1])
    error.__suppress_context__ = True
    return excinfo if kept is None else pytest.ExceptionInfo.from_exc_info((type(error), error, kept))


def filed(item: pytest.Item, session: Session, out: Path, excinfo: pytest.ExceptionInfo[BaseException] | None) -> str:
    """Write the run folder of a test; says where it is and how to run it again, or why there is none."""
    from hil.session.story import slug_of_test

    name = slug_of_test(item.nodeid)
    try:
        place = session.write(out, name, item.nodeid, _said(session, excinfo))
    except Exception as error:  # noqa: BLE001 - a folder that cannot be written must not hide what the test found
        return f"no run folder: {error}"
    report = place / "report.html"
    lines = [f"report: {report}" if report.is_file() else f"run folder: {place}"]
    lines.append(
        f"the same stimuli again, without the test's demands: nabench run {place / 'inputs' / 'scenario.scenario.toml'}"
    )
    return "\n".join(lines)


def _said(session: Session, excinfo: pytest.ExceptionInfo[BaseException] | None) -> list[Finding]:
    """What the test itself said beyond the demands of its bench."""
    if excinfo is None:
        return []
    from hil.errors import NabenchError
    from hil.session import Unmet
    from hil.verdict import Finding, Verdict

    error = excinfo.value
    if isinstance(error, Unmet):
        return [] if error.finding in session.findings else [error.finding]
    verdict = Verdict.ERROR if isinstance(error, NabenchError) else Verdict.FAIL
    seen = excinfo.exconly(tryshort=True).strip().splitlines()
    return [
        Finding("TEST", "the test itself", "it passes", seen[0] if seen else excinfo.typename, verdict, next_step="see pytest")
    ]
