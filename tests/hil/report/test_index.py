"""The overview over several runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import Page, Run

from hil.report import index

BROKEN = ['/a/<b>x</b>.scenario.toml: fault[0].target "cell[17]" does not exist', "second error"]


def page(finished: dict[str, Run], names: list[str], broken: list[str], out: Path) -> Page:
    """The overview of some runs."""
    path = index.write([(finished[name].record.outcome(), finished[name].place) for name in names], broken, out)
    assert out / "index.html" == path
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def whole(finished: dict[str, Run], tmp_path: Path) -> Page:
    """Two runs and two errors."""
    return page(finished, ["passes", "fails"], BROKEN, tmp_path / "deep" / "out")


def test_each_run_is_linked_with_its_verdict(finished: dict[str, Run], tmp_path: Path) -> None:
    """Links lead from the overview to the reports that are there, wherever the overview lies."""
    out = tmp_path / "out"
    there = page(finished, ["passes", "fails", "long"], [], out)
    links = {str(a["href"]) for a in there.of("a")} - {"#uncovered"}
    assert {finished[name].place / "report.html" for name in finished} == {(out / link).resolve() for link in links}
    rows = [a["class"] for a in there.of("tr") if a.get("class")]
    assert [finished[name].record.verdict.name for name in ("passes", "fails", "long")] == rows


def test_a_run_that_failed_says_why(finished: dict[str, Run], whole: Page) -> None:
    """One line with the first failed judgement and the next step."""
    bad = next(finding for finding in finished["fails"].record.findings if finding.verdict.name == "FAIL")
    assert (
        f"{bad.requirement}, {bad.what}: FAIL. Expected {bad.expected}; seen {bad.seen}. Next: {bad.next_step}." in whole.text
    )


def test_uncovered_requirements_are_listed(whole: Page) -> None:
    """What no run judged stands in a list of its own, and nowhere else is it called covered."""
    listed = re.search(r"Requirements that nothing covers (.*?) Requirements:", whole.text)
    assert listed is not None
    assert "SR-NOBODY Nobody <u>tests</u> this" in listed[1]
    assert "SR-SOC" in listed[1]
    assert "SR-STATE" not in listed[1]
    assert "2 requirements not covered" in whole.text
    assert 2 == whole.text.count("not covered") - 1


def test_a_requirement_that_is_named_but_not_judged_is_not_covered(finished: dict[str, Run], tmp_path: Path) -> None:
    """An expectation without a finding covers nothing."""
    from dataclasses import replace

    run = finished["passes"]
    unjudged = replace(run.record, findings=[f for f in run.record.findings if f.requirement != "SR-CELL-OV"])
    text = Page(index.text([(unjudged.outcome(), run.place)], [], tmp_path)).text
    assert "SR-CELL-OV Over-voltage opens named by passes, but not judged there" in text


def test_when_all_is_covered_it_says_so(finished: dict[str, Run], tmp_path: Path) -> None:
    """Every requirement of the file judged: no list, and the top says it."""
    from dataclasses import replace

    run = finished["passes"]
    inputs = run.record.setup.inputs
    few = inputs.requirements.model_copy(update={"requirement": inputs.requirements.requirement[:2]})
    record = replace(run.record, setup=replace(run.record.setup, inputs=replace(inputs, requirements=few)))
    text = Page(index.text([(record.outcome(), run.place)], [], tmp_path)).text
    assert "every requirement is covered" in text


def test_broken_scenarios_weigh_as_error(whole: Page) -> None:
    """Each of their errors is listed, and the overall verdict is ERROR."""
    for problem in BROKEN:
        assert problem in whole.text
    assert "verdict big ERROR" in [a.get("class") for a in whole.of("div")]


def test_hostile_words_stay_words(whole: Page) -> None:
    """Markup in titles, requirements and errors is shown, not obeyed; nothing is loaded."""
    assert not any(whole.of(tag) for tag in ("script", "img", "u", "i", "iframe"))
    assert "</script><script>alert(1)</script>" in whole.text
    assert not any((a.get("href") or "").startswith(("http", "//")) for _, a in whole.tags)


def test_nothing_ran(tmp_path: Path) -> None:
    """With errors only there is still an overview."""
    text = Page(index.text([], BROKEN, tmp_path)).text
    assert "0 runs" in text
    assert BROKEN[1] in text


def test_an_expectation_that_cannot_fail_on_it_does_not_cover_a_requirement(finished: dict[str, Run], tmp_path: Path) -> None:
    """Open contactors before anything was closed say nothing about over-voltage: touched, but not put to the test."""
    from dataclasses import replace

    from hil.scenario import ContactorsExpect

    run = finished["passes"]
    inputs = run.record.setup.inputs
    fake = ContactorsExpect(kind="contactors", requirement="SR-CELL-OV", state="open", from_s=0.5, to_s=1.5)
    others = [row for row in inputs.scenario.expect if row.requirement != "SR-CELL-OV"]
    outcome = run.record.outcome()
    faked = replace(outcome, inputs=replace(inputs, scenario=inputs.scenario.model_copy(update={"expect": [*others, fake]})))
    assert any(f.requirement == "SR-CELL-OV" for f in faked.findings)
    text = Page(index.text([(faked, run.place)], [], tmp_path)).text
    assert "SR-CELL-OV Over-voltage opens touched by passes, but not put to the test" in text
    assert "SR-CELL-OV Over-voltage opens touched" not in Page(index.text([(outcome, run.place)], [], tmp_path)).text


def test_all_that_is_shipped_is_put_to_the_test() -> None:
    """Every requirement of the reference profile has a shipped expectation of a kind that can fail on it."""
    from hil import files, requirement
    from hil.scenario import Scenario

    rows = [row for path in files.shipped("scenario").values() for row in files.load(path, Scenario).expect]
    for needed in requirement.load("reference")[1].requirement:
        assert index.covers(needed, [row for row in rows if row.requirement == needed.id]), needed.id


def test_an_overview_of_part_of_the_runs_says_so(finished: dict[str, Run], tmp_path: Path) -> None:
    """And is no PASS, though all that ran passed."""
    run = finished["passes"]
    there = Page(index.text([(run.record.outcome(), run.place)], [], tmp_path, 'stopped by SIGTERM in scenario "x"'))
    assert 'Not all were run: stopped by SIGTERM in scenario "x".' in there.text
    assert "verdict big INCONC" in [a.get("class") for a in there.of("div")]
