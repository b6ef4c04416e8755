"""nabench cells: one page that opens anywhere, whose numbers are those of the cell and of what was measured on it."""

from __future__ import annotations

import base64
import csv
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh import models
from bokeh.document import Document
from command import changed, nabench, tree
from pages import HOSTILE, Page

from hil import files
from hil.gallery import curves, figures, simulate
from hil.plant import cellfile

pytestmark = pytest.mark.compiled_only  # whole discharges of many cells
ROOT = Path(__file__).resolve().parents[3]
TUB = ROOT / "tests" / "data" / "tub-sib-18650"
SHIPPED = files.shipped("cell")["nfm-18650"].read_text(encoding="utf-8")
CELL = cellfile.load("nfm-18650")[1]
KINDS = ("ocv", "slope", "loop", "heat", "charge", "entropy")
_ELSEWHERE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
LOW_V = (
    ("charge_max_V = 4.1", "charge_max_V = 1.8"), ("absolute_max_V = 4.2", "absolute_max_V = 1.9"),
    ("discharge_min_V = 1.5", "discharge_min_V = 0.9"), ("nominal_V = 3.1", "nominal_V = 1.56"),
)  # fmt: skip


def numbers(node: dict[str, Any]) -> Any:
    """Arrays of the page as lists."""
    return np.frombuffer(base64.b64decode(node["float32"]), "<f4").tolist() if "float32" in node else node


def read_by_bokeh(page: Page) -> Document:
    """The plots as Bokeh's own Python side reads them; it refuses unknown names and wrong values."""
    return Document.from_json({**Document().to_json(deferred=False), **page.document(object_hook=numbers)})


def low_voltage() -> str:
    """The shipped cell as one that never comes near the window: all of its curve divided by three."""
    text = changed(SHIPPED, ('name = "nfm-18650"', 'name = "low"'), *LOW_V)

    def third(found: re.Match[str]) -> str:
        values = [f"{float(x) / 3:.5f}" for x in re.findall(r"[\d.]+", found[2])]
        return f"{found[1]} = [{', '.join(values)}]"

    return re.sub(r"^(discharge_V|charge_V) = \[(.*?)\]", third, text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page_of(*words: object) -> Page:
    """The page that a call writes."""
    ran = nabench("cells", *words)
    assert (0, "", "cells.html\n") == (ran.code, ran.err, ran.out)
    return Page(Path("cells.html").read_text(encoding="utf-8"))


def plotted(drawn: Document, plot: str, label: str) -> dict[float, float]:
    """Points of a curve of a plot."""
    (found,) = drawn.select({"name": plot})
    data = next(r.data_source.data for r in found.renderers if label in r.data_source.data.get("label", ()))
    n = list(data["label"]).index(label)
    return dict(zip(np.round(data["xs"][n], 3), data["ys"][n], strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of all shipped cells, and of a user's with hostile words and one that never lies in the window."""
    folder = tmp_path_factory.mktemp("cells")
    hostile = changed(
        SHIPPED, ('name = "nfm-18650"', f"name = '''{HOSTILE}'''"), ('title = "Layered', f'title = "{HOSTILE[:9]}Layered')
    )
    (folder / "hostile.toml").write_text(hostile, encoding="utf-8")
    (folder / "low.toml").write_text(low_voltage(), encoding="utf-8")
    out = folder / "page.html"
    ran = nabench("cells", *files.shipped("cell"), folder / "hostile.toml", folder / "low.toml", "--out", out)
    assert (0, "", f"{out}\n") == (ran.code, ran.err, ran.out)
    return Page(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(whole: Page) -> Document:
    """Its plots."""
    return read_by_bokeh(whole)


def test_it_loads_nothing_from_elsewhere(whole: Page) -> None:
    """No tag names an address on the network, and no style imports one."""
    for tag, attributes in whole.tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value == "data:," or value.startswith("#"), (tag, name, value)
    assert not any("url(" in style or "@import" in style for style in whole.styles)


def test_every_cell_has_its_figures_and_every_link_its_section(whole: Page, drawn: Document) -> None:
    """Six figures a cell and one over all; the overview leads to each."""
    keys = [a["id"] for a in whole.of("section")]
    assert [f"c{n}" for n in range(len(files.shipped("cell")) + 2)] == keys
    assert [f"#{key}" for key in keys] == [a["href"] for a in whole.of("a")]
    places = {a["id"] for a in whole.of("div") if (a.get("id") or "").startswith("plot-")}
    assert {"plot-overview", *(f"plot-{key}-{kind}" for key in keys for kind in KINDS)} == places
    assert len(places) == len(drawn.roots)


def test_hostile_words_stay_words(whole: Page, drawn: Document) -> None:
    """What a user writes into a file is shown, not obeyed, and asks for no typesetter."""
    assert HOSTILE in " ".join(whole.words)
    assert [] == whole.of("img")
    assert 4 == len(whole.scripts)
    labels = [model.text for model in drawn.select({"type": models.Label})]
    assert not any("$$" in text or "\\(" in text for text in labels)


def test_a_cell_that_never_lies_in_the_window_says_so(whole: Page) -> None:
    """With the band beside its curve; the others say between which SOC."""
    assert "2.7 to 3.2 V: never" in whole.text
    assert re.search(r"2\.7 to 3\.2 V: \d\d to \d\d % SOC", whole.text)


def test_every_source_stands_on_the_page(whole: Page) -> None:
    """With the confidence of each table, and a mark where it is assumed in part."""
    for name in files.shipped("cell"):
        for table in cellfile.load(name)[1].tables().values():
            assert " ".join(table.source.split()) in whole.text
    chips = [a["class"] for a in whole.of("span") if (a.get("class") or "").startswith("chip ")]
    assert 3 <= chips.count("chip half")
    assert {"chip measured", "chip fitted", "chip datasheet", "chip assumption"} <= set(chips)


def test_equal_cells_give_equal_pages() -> None:
    """Byte for byte, and no path of this machine stands in the page of a shipped cell."""
    assert "cells.html\n" == nabench("cells", "nfm-18650").out
    first = Path("cells.html").read_bytes()
    assert 0 == nabench("cells", "nfm-18650").code
    assert first == Path("cells.html").read_bytes()
    assert str(ROOT) not in first.decode()


def test_ten_cells_are_a_page_of_bearable_size_in_bearable_time() -> None:
    """Less than 8 MB and 20 s of processor time."""
    names = []
    for n in range(10):
        names.append(f"cell-{n}.toml")
        Path(names[-1]).write_text(changed(SHIPPED, ('name = "nfm-18650"', f'name = "cell-{n}"')))
    started_s = time.process_time()
    page_of(*names)
    assert time.process_time() - started_s < 20.0
    assert Path("cells.html").stat().st_size < 8_000_000


def test_the_map_holds_the_measured_resistance() -> None:
    """10 s at 1C of the capacity, 5 % above the table's 1.5 A: within 7 % of it from 30 to 90 % SOC."""
    temps, socs = (5, 15, 25, 35, 45), (30, 40, 50, 60, 70, 80, 90)
    with (TUB / "sib_pulse_resistance_1C_mohm.csv").open(newline="", encoding="ascii") as text:
        rows = [row for row in csv.DictReader(text) if row["dir"] == "discharge" and int(row["soc_pct"]) in socs]
    found = simulate.pulses(CELL, tuple(map(float, temps)), tuple(soc / 100 for soc in socs)).ohm
    assert len(temps) * len(socs) == len(rows)
    for row in rows:
        ohm = found[temps.index(int(row["t_set_c"])), socs.index(int(row["soc_pct"]))]
        assert 1e-3 * float(row["r_10s"]) == pytest.approx(float(ohm), rel=0.07), row


def test_the_map_shows_a_cell_whose_resistance_is_doubled() -> None:
    """Every number is twice that of the shipped cell, but for what the open-circuit voltage adds; as text three digits."""
    names = ("r0_ohm", "r1_ohm", "r2_ohm")
    twice = {name: [[2 * x for x in row] for row in getattr(CELL.resistance, name)] for name in names}
    doubled = CELL.model_copy(update={"resistance": CELL.resistance.model_copy(update=twice)})
    one, two = (simulate.pulses(cell, (5.0, 25.0), (0.4, 0.6)).ohm for cell in (CELL, doubled))
    assert two / one == pytest.approx(np.full((2, 2), 1.97), abs=0.03)
    assert ["1145", "99.7", "52.3", "2.6"] == [figures.milliohm(x) for x in (1.145, 0.09974, 0.0523, 0.0026)]


def test_a_pulse_that_leaves_the_limits_is_marked() -> None:
    """At -20 degC and a tenth of the charge the voltage falls below 1.5 V; where it would fall below 0 V there is no number."""
    pulses = simulate.pulses(CELL, (-20.0, 25.0), (0.1, 0.5))
    assert not pulses.leaves[1].any()
    assert pulses.leaves[0].all()
    assert np.isnan(pulses.ohm[0, 0])
    weak = CELL.model_copy(update={"limits": CELL.limits.model_copy(update={"discharge_max_A": 0.15})})
    assert 0.15 == simulate.pulses(weak, (-20.0,), (0.5,)).current_A
    assert not simulate.pulses(weak, (-20.0,), (0.5,)).leaves.any()


def test_charge_in_the_cold_is_split_into_table_and_circuit() -> None:
    """With all charge in reach both curves are one; the shipped table takes charge below 25 degC and none above."""
    found = simulate.discharges(CELL, 1.0, (-20.0, 5.0, 25.0, 45.0))
    assert (found.circuit - found.share)[2:] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert np.all((found.circuit - found.share)[:2] > 0.05)
    assert np.all(np.diff(found.share) > 0)
    whole = CELL.reach.model_copy(update={"share": [1.0] * len(CELL.reach.share)})
    free = simulate.discharges(CELL.model_copy(update={"reach": whole}), 1.0, (-20.0, 5.0))
    assert list(free.circuit) == pytest.approx(list(free.share), abs=1e-12)
    assert list(found.circuit[:2]) == pytest.approx(list(free.share), abs=1e-12)


def test_a_discharge_counts_its_own_charge() -> None:
    """Without resistance a cell gives what lies between full and the lowest voltage, whatever the rate."""
    shape = len(CELL.resistance.temp_degC), len(CELL.resistance.soc)
    tiny = {name: np.full(shape, 1e-7).tolist() for name in ("r0_ohm", "r1_ohm", "r2_ohm")}
    ocv = CELL.ocv.model_copy(update={"charge_V": CELL.ocv.discharge_V})
    entropy = CELL.entropy.model_copy(update={"dudt_mV_per_K": [0.0] * len(CELL.entropy.soc)})
    ideal = CELL.model_copy(
        update={
            "self_discharge": None,
            "ageing": None,
            "resistance": CELL.resistance.model_copy(update=tiny),
            "ocv": ocv,
            "entropy": entropy,
        }
    )
    below = (CELL.ocv.discharge_V[0] - CELL.limits.discharge_min_V) / CELL.ocv.below_empty_V_per_soc
    for rate in (1.0, 0.2):
        found = simulate.discharges(ideal, rate, (25.0,))
        assert 1.0 + below == pytest.approx(float(found.share[0]), abs=2e-4)


def test_a_cell_that_may_not_is_not_discharged() -> None:
    """Temperatures outside its limits are left out; a rate above its own is cut to that, and named so."""
    limits = CELL.limits.model_copy(
        update={"discharge_min_degC": 0.0, "discharge_max_degC": 40.0, "discharge_max_A": 0.5 * CELL.capacity_Ah}
    )
    weak = CELL.model_copy(update={"limits": limits})
    assert (0.0, 25.0) == simulate.allowed(weak, (-20.0, -0.1, 0.0, 25.0, 45.0))
    assert 0.5 == pytest.approx(simulate.discharges(weak, 1.0, (25.0,)).rate_per_h)
    assert ["1C", "C/5", "C/2", "0.85C", "2C"] == [figures.rate(x) for x in (1.0, 0.2, 0.5, 0.85, 2.0)]
    Path("hot.toml").write_text(changed(SHIPPED, ("discharge_min_degC = -30.0", "discharge_min_degC = 50.0")))
    assert "1 cell" in page_of("hot.toml").text


def test_slope_loop_and_window_are_those_of_the_file() -> None:
    """Against straight lines between the numbers of the file, by NumPy alone."""
    found = curves.of(CELL)
    mean = 0.5 * (np.array(CELL.ocv.discharge_V) + np.array(CELL.ocv.charge_V))
    low, high = (float(np.interp(volt, mean, CELL.ocv.soc)) for volt in (2.7, 3.2))
    assert (low, high) == pytest.approx(found.window, abs=5e-4)
    at = {0.28: 0.01, 0.5: 0.01, 0.84: 0.01}
    for soc, half in at.items():
        rise = np.interp(soc + half, CELL.ocv.soc, mean) - np.interp(soc - half, CELL.ocv.soc, mean)
        assert 1e3 * rise / (200 * half) == pytest.approx(float(np.interp(100 * soc, found.soc, found.slope_mV)), rel=0.02)
    assert CELL.ocv.charge_V[0] - CELL.ocv.discharge_V[0] == pytest.approx(float(found.charge_V[0] - found.discharge_V[0]))
    assert curves.window(np.array([0.0, 1.0]), np.array([3.3, 4.0])) is None
    assert (0.0, 1.0) == curves.window(np.array([0.0, 1.0]), np.array([2.8, 3.1]))


def test_what_is_drawn_is_what_was_computed(drawn: Document) -> None:
    """A cell's branch after charge, point by point."""
    points = plotted(drawn, f"c{list(files.shipped('cell')).index(CELL.name)}-ocv", "after charge")
    for soc, volt in zip(CELL.ocv.soc, CELL.ocv.charge_V, strict=True):
        assert volt == pytest.approx(points[round(100 * soc, 3)], abs=1e-5)


def test_all_that_is_wrong_with_all_cells_is_said(here: Path) -> None:
    """And no page is written."""
    Path("a.toml").write_text(changed(SHIPPED, (f"capacity_Ah = {CELL.capacity_Ah}", "capacity_Ah = -1.0")))
    Path("b.toml").write_text(changed(SHIPPED, ("0.0, 0.01, 0.02, 0.03, 0.04", "0.0, 0.02, 0.01, 0.03, 0.04")))
    ran = nabench("cells", "nfm-18560", "a.toml", "nfm-18650", "b.toml")
    assert (2, "") == (ran.code, ran.out)
    assert ['cell "nfm-18560" is neither shipped nor a path; did you mean "nfm-18650"?',
            "a.toml: capacity_Ah: expected more than 0, found -1.0",
            "b.toml: ocv.soc must rise from entry to entry; 0.01 follows 0.02"] == ran.problems  # fmt: skip
    assert {"a.toml", "b.toml"} == tree(here)


def test_a_page_that_is_not_ours_is_kept(here: Path) -> None:
    """It may be the user's; a folder in its place is said too."""
    Path("cells.html").write_text("<p>mine</p>")
    ran = nabench("cells", "nfm-18650")
    assert (2, ["cells.html: nabench did not write this; move it away, or give another --out"]) == (ran.code, ran.problems)
    assert "<p>mine</p>" == Path("cells.html").read_text()
    assert 0 == nabench("cells", "nfm-18650", "--out", "deep/down.html").code
    ran = nabench("cells", "nfm-18650", "--out", "cells.html/down.html")
    assert 2 == ran.code
    assert "cells.html/down.html: the gallery cannot be written" in ran.problems[0]
