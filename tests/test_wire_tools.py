"""The tools behind make wires and make test-socketcan: what they make of a result, and of a machine that lacks things."""

from __future__ import annotations

import shutil
from pathlib import Path

import every_wire as wires
import pytest
import socketcan

WANTED = (("SR-A", "detection", "PASS"), ("SR-B", "quiet", "PASS"))


def found(*verdicts: str, seen: str = "so") -> dict[str, object]:
    rows = [[requirement, what, verdict, seen] for (requirement, what, _), verdict in zip(WANTED, verdicts, strict=True)]
    return {"findings": rows, "errors": ""}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (found("PASS", "PASS"), "as in lockstep"),
        (found("PASS", "INCONC", seen="but the bench missed 3"), "undecided: SR-B, the machine was busy"),
        (found("INCONC", "PASS", seen="no write to tear"), "undecided: SR-A, no write to tear"),
        (found("INCONC", "FAIL"), "differs: SR-B quiet FAIL, so"),
        ({"findings": [], "errors": "no bus"}, "differs: no bus"),
        ({"findings": found("PASS", "PASS")["findings"][:1], "errors": ""}, "differs: other findings than in lockstep"),
    ],
)
def test_a_result_is_equal_undecided_or_different(result: dict[str, object], said: str) -> None:
    """A verdict that differs is a difference, whatever else is undecided; an undecided one is none."""
    assert said == wires.judge(result, WANTED)


def test_the_short_scenarios_for_every_wire_are_eight_of_at_most_15_s() -> None:
    """All are shipped, and for the shipped pack."""
    chosen = wires.cases(list(wires.CI), 15.0)
    assert 8 == len(chosen)
    assert {("--pack", "nfm-16s", "--network", "classic")} == {case.device for case in chosen}


def test_a_page_names_what_is_not_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell for each wire; nothing for what was not run."""
    monkeypatch.setattr(wires, "KEPT", tmp_path)
    for wire, outcome in (("slcan", "as in lockstep"), ("serial", "undecided: SR-B, the machine was busy")):
        (tmp_path / wire).mkdir()
        (tmp_path / wire / "hvil-open.json").write_text(f'{{"outcome": "{outcome}"}}', encoding="utf-8")
    text = wires.page(wires.cases(["hvil-open", "shunt-silent"], 15.0))
    assert "| hvil-open | 4 | = | ? |  |  |" in text
    assert "- hvil-open over serial: undecided: SR-B, the machine was busy" in text
    assert "1 of 2 scenarios were run" in text


def test_without_apt_it_is_said_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the packages, and the command."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert {"user-mode-linux", "can-utils", "gcc"} < set(socketcan.missing())
    with pytest.raises(SystemExit, match=r"need can-utils, but this is no Debian .*sudo apt-get install .* can-utils"):
        socketcan.install(["can-utils"])
