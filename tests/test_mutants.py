"""Every scenario and every limit can fail: what docs/mutants.md says is run again, and the table is printed at the end."""

from __future__ import annotations

from functools import lru_cache

import mutants
import pytest

from hil import files
from hil.dut.broken import DEFECTS
from hil.setup import Setup

PATHS = files.shipped("scenario")
TEXT = mutants.PAGE.read_text(encoding="utf-8")
EXAMPLES = mutants.examples(TEXT)
LIMITS = mutants.limit_examples(TEXT)

pytestmark = [pytest.mark.compiled_only, pytest.mark.campaign]


@lru_cache(maxsize=4)
def built(name: str) -> Setup:
    """A scenario, built once for the tests that follow each other."""
    return mutants.prepare(PATHS[name])


def test_the_page_names_a_defect_for_every_scenario() -> None:
    """No shipped scenario is without a broken firmware that it catches, and the page speaks of no other."""
    assert set(PATHS) == set(EXAMPLES)
    assert set(EXAMPLES.values()) <= set(DEFECTS)


def test_the_page_has_every_limit() -> None:
    """Each defect of each limit is either caught by a scenario or known to be harmless, with the reason."""
    wanted = {dut.removeprefix("broken:") for duts in mutants.limit_duts(built("mode-walk")).values() for dut in duts}
    assert wanted == {defect for defect, _ in LIMITS} | set(mutants.HARMLESS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_scenario_fails_under_a_broken_firmware(name: str, record_property: pytest.RecordProperty) -> None:
    """The named defect ends in FAIL, and the good device, with the same seed, in PASS."""
    finding = mutants.caught(mutants.run(built(name), f"broken:{EXAMPLES[name]}"))
    assert finding is not None
    record_property("mutant", f"{name:34} {EXAMPLES[name]:24} {finding.requirement}: {finding.seen}")


@pytest.mark.parametrize(("defect", "name"), LIMITS, ids=[defect for defect, _ in LIMITS])
def test_each_limit_that_is_wrong_is_caught(defect: str, name: str) -> None:
    """A limit that is never checked, stands a step further out, or takes twice as long, ends in FAIL somewhere."""
    assert mutants.caught(mutants.run(built(name), f"broken:{defect}")) is not None


@pytest.mark.parametrize("defect", mutants.HARMLESS)
def test_a_harmless_defect_gets_no_verdict_against_it(defect: str) -> None:
    """Where the requirement still holds, the scenario of that limit must not fail."""
    code = defect.partition("=")[2]
    names = {by for other, by in LIMITS if other.endswith(f"={code}")}
    assert names
    for name in names:
        assert mutants.caught(mutants.run(built(name), f"broken:{defect}")) is None
