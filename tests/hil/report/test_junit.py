"""junit.xml, read by another program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from pages import Run

from hil.report import junit
from hil.verdict import Finding, Verdict


def test_it_carries_requirements_and_verdicts(finished: dict[str, Run]) -> None:
    """Each run is a test case with its requirements, its verdict and its measured figures as properties."""
    for run in finished.values():
        root = ElementTree.parse(run.place / "junit.xml").getroot()
        case = root.find("testsuite/testcase")
        assert case is not None
        pairs = [(p.get("name"), p.get("value")) for p in case.findall("properties/property")]
        assert run.record.name == case.get("name")
        assert sorted({f.requirement for f in run.record.findings}) == [v for k, v in pairs if k == "requirement"]
        assert ("verdict", run.record.verdict.name) in pairs
        for finding in run.record.findings:
            if finding.value is not None:
                assert (f"{finding.requirement} {finding.what} [{finding.unit}]", f"{finding.value:.6g}") in pairs


def test_failures_and_errors_are_told_apart(finished: dict[str, Run]) -> None:
    """FAIL is a failure, INCONC an error with its name, PASS neither; the suite counts them."""
    records = [finished[name].record for name in ("passes", "fails")]
    unclear = replace(records[0], findings=[replace(records[0].findings[0], verdict=Verdict.INCONC)])
    suite = ElementTree.fromstring(junit.text([*records, unclear]).encode()).find("testsuite")
    assert suite is not None
    assert ("3", "1", "1") == tuple(suite.get(name) for name in ("tests", "failures", "errors"))
    passed, failed, open_ = suite.findall("testcase")
    assert passed.find("failure") is passed.find("error") is None
    assert "FAIL" == failed.findall("failure")[0].get("type")
    assert "INCONC" == open_.findall("error")[0].get("type")


def test_hostile_words_survive(finished: dict[str, Run], tmp_path: Path) -> None:
    """Markup is escaped, and what XML cannot hold is replaced, so that every reader reads the file."""
    said = '<x> & "q" ]]> \x1b[31mred\x1b[0m \x00 \udcff ü'
    record = replace(finished["fails"].record, findings=[Finding("SR-STATE", said, said, said, Verdict.FAIL, next_step=said)])
    path = tmp_path / "junit.xml"
    path.write_text(junit.text([record]), encoding="utf-8")
    failure = ElementTree.parse(path).getroot().find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert '<x> & "q" ]]> \ufffd[31mred\ufffd[0m \ufffd \ufffd ü' in failure.text
