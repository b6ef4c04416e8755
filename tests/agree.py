"""When a run in wall time says the same as the run in lockstep."""

from __future__ import annotations

from typing import Any

import wall

from hil import runner

Judged = list[tuple[str, str, str]]


def judged(findings: list[dict[str, Any]]) -> Judged:
    """Requirement, what was judged, verdict."""
    return [(finding["requirement"], finding["what"], finding["verdict"]) for finding in findings]


def lockstep(name: str) -> Judged:
    """What a shipped scenario finds against the emulator in virtual time."""
    record = runner.run(wall.shipped(name), runner.Options())
    return judged([finding.as_dict() for finding in record.findings])


def assert_as_in_lockstep(result: dict[str, Any], expected: Judged, device_was_late: bool) -> None:
    """Verdict for verdict as in lockstep; a machine that was too busy leaves INCONC, and says why."""
    assert set(expected) == {(r, what, "PASS") for r, what, _ in expected}
    for finding in result["findings"]:
        if finding["verdict"] == "INCONC":
            assert device_was_late or "missed" in finding["seen"] or result["link"]["safe_stop"], finding
        elif not device_was_late:
            assert (finding["requirement"], finding["what"], finding["verdict"]) in expected, finding
    if result["verdict"] == "PASS":
        assert expected == judged(result["findings"])
