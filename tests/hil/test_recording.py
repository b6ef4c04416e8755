"""Recordings that cannot be what the scenario says, and those that give no reference for a SOC."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from command import Ran, changed, nabench
from pages import REQUIREMENTS
from rigs import switched_on

from hil import files, judge, runner, scenario
from hil.errors import ScenarioError
from hil.figures import leg_at
from hil.observe import View
from hil.report.record import RunRecord
from hil.verdict import Finding, Verdict
from hil.wirelog import WireLog

MEASURED = files.shipped("scenario")["recorded-hakadi-1c"]
DATA = MEASURED.parent / "recordings" / "hakadi-1c-2-1.csv.gz"
SHIPPED = changed(MEASURED.read_text(encoding="utf-8"), ("recordings/hakadi-1c-2-1.csv.gz", "data.csv.gz"))
LOAD = '[[load]]\nat_s = 2.0\nkind = "recorded"\n'
NO_LEG = "no leg between full (recording.full_V {full}) and empty (recording.empty_V {empty})"

# A minute down, a pause, a minute up: 4 V to 2 V and back at 20 A, which moves 0.33 Ah.
T_S = np.arange(0.0, 160.0)
VOLT = np.interp(T_S, [0, 10, 70, 80, 90, 150, 159], [4.0, 4.0, 2.0, 2.1, 2.1, 4.0, 3.9])
AMPS = np.where((T_S >= 10) & (T_S <= 70), 20.0, 0.0) - np.where((T_S >= 90) & (T_S <= 150), 20.0, 0.0)
SMALL = """
format = 1
name = "small"
title = "A recording of a test"
pack = "nfm-16s"
requirements = "requirements.toml"
duration_s = 170.0
tick_ms = 100

[initial]
soc = 0.5

[recording]
file = "data.csv"
source = "made for a test"
time = { column = "t" }
voltage = { column = "u" }
current = { column = "i", positive = "discharge" }
temperature_degC = 25.0
start_s = 5.0
full_V = 4.0
empty_V = 2.0
discharge_uncertainty = 0.01
charge_uncertainty = 0.01

[[request]]
at_s = 0.5
mode = "drive"

[[load]]
at_s = 5.0
kind = "recorded"

[[expect]]
kind = "soc"
requirement = "SR-SOC"
cell = 0
from_s = 5.0
"""


def checked(folder: Path, text: str, rows: slice = slice(None)) -> tuple[Ran, Path]:
    """What is said of the shipped recording, or of some of its rows, in a scenario."""
    header, *lines = gzip.decompress(DATA.read_bytes()).splitlines()
    (folder / "data.csv.gz").write_bytes(gzip.compress(b"\n".join([header, *lines[rows]]) + b"\n", 1))
    path = folder / "own.scenario.toml"
    path.write_text(text)
    return nabench("check", path), path


def small(folder: Path, text: str = SMALL, volt: np.ndarray = VOLT, amps: np.ndarray = AMPS) -> Path:
    """A scenario with a recording of a few minutes."""
    (folder / "requirements.toml").write_text(REQUIREMENTS)
    rows = (f"{t:g},{u:.4f},{i:g}\n" for t, u, i in zip(T_S, volt, amps, strict=True))
    (folder / "data.csv").write_text("t,u,i\n" + "".join(rows))
    path = folder / "small.scenario.toml"
    path.write_text(text)
    return path


def judged(record: RunRecord) -> Finding:
    """The finding on SOC."""
    return next(finding for finding in record.findings if finding.requirement == "SR-SOC")


# ---- without a leg there is no reference


@pytest.mark.parametrize("soc", ["0.97", "0.5"])
def test_a_recording_that_never_gets_empty_judges_no_soc(tmp_path: Path, soc: str) -> None:
    """Its first 40 minutes end at 2.8 V: whatever `initial.soc` was guessed, it is no reference."""
    ran, path = checked(tmp_path, changed(SHIPPED, ("soc = 0.97", f"soc = {soc}")), slice(0, 23_700))
    none = NO_LEG.format(full="4.1", empty="1.5")
    why = f"{none} in data.csv.gz: empty was never reached, the lowest voltage is 2.836 V"
    assert [f'{path}: expect[2] of kind "soc" needs the reference of the recording: {why}'] == ran.problems


@pytest.mark.parametrize(
    ("full", "empty", "why"),
    [
        ("9.0", "1.5", "full was never reached, the highest voltage is 4.107 V"),
        ("4.1", "0.5", "empty was never reached, the lowest voltage is 1.499 V"),
        (
            "9.0", "0.5",
            "full was never reached, the highest voltage is 4.107 V; empty was never reached, the lowest voltage is 1.499 V",
        ),
    ],
)  # fmt: skip
def test_ends_that_the_recording_never_reaches_are_refused(tmp_path: Path, full: str, empty: str, why: str) -> None:
    """Of the whole shipped file, which has two legs between 4.1 and 1.5 V."""
    ran, path = checked(
        tmp_path, changed(SHIPPED, ("full_V = 4.1", f"full_V = {full}"), ("empty_V = 1.5", f"empty_V = {empty}"))
    )
    none = NO_LEG.format(full=float(full).__format__("g"), empty=empty)
    assert [
        f'{path}: expect[2] of kind "soc" needs the reference of the recording: {none} in data.csv.gz: {why}'
    ] == ran.problems


def test_the_soc_of_the_pack_rests_on_the_recording_too(tmp_path: Path) -> None:
    """Cell 0 is a part of it; a simulated cell is known to the bench."""
    rising = np.maximum(VOLT, 2.8)
    pack = small(tmp_path, changed(SMALL, ("cell = 0\n", "")), volt=rising)
    (problem,) = nabench("check", pack).problems
    assert problem.startswith(f'{pack}: expect[0] of kind "soc" needs the reference of the recording: no leg between full')
    assert 0 == nabench("check", small(tmp_path, changed(SMALL, ("cell = 0", "cell = 3")), volt=rising)).code


def test_a_leg_that_the_run_cuts_is_none(tmp_path: Path) -> None:
    """The first leg ends at 75 s: a run of 74 s plays no leg, one of 76 s plays it."""
    path = small(tmp_path, changed(SMALL, ("duration_s = 170.0", "duration_s = 74.0")))
    why = f"{NO_LEG.format(full='4', empty='2')} is wholly inside the run: the first one in data.csv lasts from 15 to 75 s"
    wanted = f'{path}: expect[0] of kind "soc" needs the reference of the recording: {why}, and duration_s is 74'
    assert [wanted] == nabench("check", path).problems
    assert 0 == nabench("check", small(tmp_path, changed(SMALL, ("duration_s = 170.0", "duration_s = 76.0")))).code


def test_a_leg_on_another_load_is_none(tmp_path: Path) -> None:
    """The voltage of the recording without its current is no leg."""
    text = changed(SMALL, ("at_s = 5.0", "at_s = 100.0"), ("duration_s = 170.0", "duration_s = 120.0"))
    (problem,) = nabench("check", small(tmp_path, text)).problems
    assert 'is driven by a load of kind "recorded" throughout: the first one in data.csv lasts from 15 to 75 s' in problem


def test_an_expectation_between_the_legs_is_refused(tmp_path: Path) -> None:
    """What is not known then cannot be judged then."""
    path = small(tmp_path, SMALL.replace("from_s = 5.0", "from_s = 80.0\nto_s = 90.0"))
    wanted = f"{path}: expect[0].from_s 80 to 90 s holds no leg of the recording; its SOC is known in 15 to 75 s, 95 to 155 s"
    assert [wanted] == nabench("check", path).problems


def test_samples_outside_the_legs_are_not_judged(tmp_path: Path) -> None:
    """Whatever `initial.soc` says: every judged sample lies in a leg, and the figures stay the same."""
    found = []
    for name in ("0.5", "0.9"):
        record = runner.run(small(tmp_path, changed(SMALL, ("soc = 0.5", f"soc = {name}"))), runner.Options())
        found.append(judged(record))
    view = View(record.trace, WireLog(record.trace.journal, record.setup.network), record.setup)
    t_s = np.array([14.9, 15.0, 75.0, 75.1, 94.9, 95.0, 155.0, 155.1, 169.0])
    assert [0, 1, 1, 0, 0, 2, 2, 0, 0] == leg_at(view, np.asarray(np.round(t_s * 1e9), np.int64)).tolist()
    assert found[0] == found[1]


def test_a_run_that_ends_before_its_first_leg_does_is_inconclusive(tmp_path: Path) -> None:
    """A leg that was cut short has no throughput of its own."""
    built = runner.prepare(small(tmp_path), runner.Options())
    bench = switched_on(built)
    bench.run_fused(700)
    finding = next(f for f in judge.judge(bench.trace(), built) if f.requirement == "SR-SOC")
    assert Verdict.INCONC is finding.verdict
    assert finding.seen.startswith("no leg between full and empty: the run ended at 70 s, the first one at 75 s")


def test_the_page_says_why_there_is_no_table(tmp_path: Path) -> None:
    """A recording may be played without being judged."""
    text = (
        SMALL[: SMALL.index("[[expect]]")] + '[[expect]]\nkind = "quiet"\nrequirement = "SR-STATE"\nfrom_s = 2.0\nto_s = 4.0\n'
    )
    path = small(tmp_path, text, volt=np.maximum(VOLT, 2.8))
    nabench("run", path, "--out", tmp_path / "runs")
    page = (tmp_path / "runs" / "small" / "report.html").read_text(encoding="utf-8")
    assert "in data.csv: empty was never reached, the lowest voltage is 2.8 V.</p>" in page


# ---- wiring


def test_a_current_in_milliampere_is_refused(tmp_path: Path) -> None:
    """1,500 A do not come out of a cell of 1.5 Ah."""
    ran, _ = checked(tmp_path, SHIPPED.replace('{ column = "current",', '{ column = "current", scale = 1000.0,'))
    (problem,) = ran.problems
    assert f"{tmp_path}/data.csv.gz: the current runs from -1664.2 to 1415.9 A; expected one cell of 1.57345 Ah" in problem
    assert problem.endswith("-45 to 45 A; check recording.current.scale")


def test_a_leg_that_moves_next_to_no_charge_is_refused(tmp_path: Path) -> None:
    """Ampere taken for milliampere; and milliseconds for seconds make it too much."""
    ran, _ = checked(tmp_path, SHIPPED.replace('{ column = "current",', '{ column = "current", scale = 0.001,'))
    (problem,) = ran.problems
    assert "carries 0.00147 Ah; expected one cell of 1.57345 Ah, 0.157 to 15.7 Ah; check recording.current.scale" in problem
    ran, _ = checked(tmp_path, changed(SHIPPED, (", scale = 0.001 }", " }")))
    (problem,) = ran.problems
    assert "carries 1.47e+03 Ah; expected one cell of 1.57345 Ah" in problem


@pytest.mark.parametrize("rows", [slice(None), slice(0, 23_700), slice(39_000, None)])
def test_a_reversed_current_is_refused(tmp_path: Path, rows: slice) -> None:
    """On the whole file, and where it holds one direction only."""
    ran, _ = checked(tmp_path, changed(SHIPPED, ('positive = "charge"', 'positive = "discharge"')), rows)
    (problem,) = ran.problems
    assert problem.startswith(f"{tmp_path}/data.csv.gz: over ")
    assert problem.endswith('check recording.current.positive, is it "charge"?')
    if rows == slice(None):
        assert "over 1.56 Ah of discharge the voltage rises by 2.17 V" in problem
        assert "and over 1.47 Ah of charge the voltage falls by 2.51 V" in problem


@pytest.mark.parametrize("noise_V", [0.0, 0.05])
def test_short_pulses_have_the_right_sign(tmp_path: Path, noise_V: float) -> None:
    """A cell pulsed both ways on its plateau, noisy as a bad logger: right is believed, reversed and clear is not."""
    rng = np.random.default_rng(1)
    amps = 3.0 * np.sign(np.sin(T_S / 3.0))
    polarised = np.zeros(len(T_S))
    for k in range(1, len(T_S)):
        polarised[k] = 0.6 * polarised[k - 1] - 0.02 * amps[k]
    volt = 3.0 + polarised + noise_V * rng.standard_normal(len(T_S))
    text = SMALL[: SMALL.index("[[expect]]")]
    assert [] == nabench("check", small(tmp_path, text, volt, amps)).problems
    reversed_ = nabench("check", small(tmp_path, text, volt, -amps)).problems
    assert noise_V > 0.0 or (len(reversed_) == 1 and "check recording.current.positive" in reversed_[0])


def test_a_recording_without_its_load_is_refused(tmp_path: Path) -> None:
    """Voltage without current is no cell that a device could follow."""
    needs = 'recording: its current needs a load of kind "recorded"'
    add = 'add [[load]] with at_s = 5 and kind = "recorded"'
    text = SMALL[: SMALL.index("[[expect]]")]
    path = small(tmp_path, text.replace('[[load]]\nat_s = 5.0\nkind = "recorded"\n', ""))
    assert [f"{path}: {needs}, found none; {add}"] == nabench("check", path).problems
    path = small(tmp_path, changed(text, ('kind = "recorded"', 'kind = "current"\ncurrent_A = 1.0')))
    assert [f'{path}: {needs}, found only "current"; {add}'] == nabench("check", path).problems


def test_figures_of_the_rig_go_to_the_filter_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    """[recording] filter changes what the calibration says of the filter; a key that it does not have is named."""
    shipped = files.shipped("scenario")["recorded-hakadi-1c"]
    sodium = scenario.load(shipped).calibration.filter.sodium
    assert (60.0, 600.0) == (sodium.heat_K_per_W, sodium.heat_tau_s)
    wrong = tmp_path / "wrong.scenario.toml"
    wrong.write_text(shipped.read_text(encoding="utf-8").replace("heat_K_per_W", "heat_per_W"), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r'filter\.heat_per_W does not exist; did you mean "heat_K_per_W"'):
        scenario.load(wrong)
