"""ReportContract: what holds for the page of every run."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh import models
from bokeh.document import Document
from pages import HOSTILE, Page, Run

from hil import runner
from hil.report import folder, html
from hil.verdict import Verdict

_MOST_BYTES = 8_000_000
_MOST_POINTS = 4000
_ELSEWHERE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)


def numbers(node: dict[str, Any]) -> Any:
    """Arrays of the page as lists."""
    return np.frombuffer(base64.b64decode(node["float32"]), "<f4").tolist() if "float32" in node else node


def read_by_bokeh(page: Page) -> Document:
    """The plots as Bokeh's own Python side reads them; it refuses unknown names and wrong values."""
    return Document.from_json({**Document().to_json(deferred=False), **page.document(object_hook=numbers)})


class ReportContract:
    """Of one run; `name` says which."""

    name: str

    @pytest.fixture
    def run(self, finished: dict[str, Run]) -> Run:
        """The run."""
        return finished[self.name]

    @pytest.fixture
    def page(self, run: Run) -> Page:
        """Its page."""
        return Page(run.html)

    def test_it_loads_nothing_from_elsewhere(self, page: Page) -> None:
        """No tag names an address on the network, no style imports one, no script of ours holds one."""
        for tag, attributes in page.tags:
            for name in ("src", "href", "data", "action", "poster", "srcset"):
                value = attributes.get(name)
                assert value is None or value == "data:," or value.startswith("#"), (tag, name, value)
        assert not any("url(" in style or "@import" in style for style in page.styles)
        own = [text for attributes, text in page.scripts if "Bokeh Contributors" not in text[:400] and "id" not in attributes]
        assert 1 == len(own)
        assert "http" not in own[0]

    def test_it_holds_every_finding(self, run: Run, page: Page) -> None:
        """Requirement, what, expected, seen, next step and verdict of each finding, and a button for each evidence."""
        buttons = [b for b in page.of("button") if "data-plot" in b]
        assert run.record.findings
        for finding in run.record.findings:
            for said in (finding.requirement, finding.what, finding.expected, finding.seen, finding.next_step):
                assert " ".join(said.split()) in page.text
            for e in finding.evidence:
                same = [b for b in buttons if b["data-at"] is not None and abs(float(b["data-at"]) - e.t_ns * 1e-9) < 1e-9]
                assert any(e.what == b["title"] for b in same)
        shown = [a["class"] for tag, a in page.tags if tag == "span" and (a.get("class") or "").startswith("verdict ")]
        assert [f"verdict {finding.verdict.name}" for finding in run.record.findings] == shown
        assert f"verdict big {run.record.verdict.name}" in [a.get("class") for a in page.of("div")]

    def test_its_buttons_lead_to_plots(self, page: Page) -> None:
        """Each jump names a plot that is there and a stretch of time that holds its instant."""
        plots = {a["id"] for a in page.of("section")}
        for button in (b for b in page.of("button") if "data-plot" in b):
            assert button["data-plot"] in plots
            start, at, stop = (float(button[f"data-{name}"] or "nan") for name in ("from", "at", "to"))
            assert start < at < stop

    def test_it_says_what_it_rests_on(self, run: Run, page: Page) -> None:
        """Every assumption, every input with its SHA-256, every fault with its effect."""
        for assumption in run.record.assumptions():
            assert " ".join(assumption.split()) in page.text
        copies = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (run.place / "inputs").iterdir()}
        shown = set(re.findall(r"\b[0-9a-f]{64}\b", page.text))
        assert set(run.record.trace.info["inputs"].values()) == shown <= copies
        for fault in run.record.setup.faults:
            assert fault.kind.title in page.text

    def test_it_keeps_its_size(self, run: Run, page: Page) -> None:
        """At most 8 MB a page and 4,000 points a line."""
        lengths: list[int] = []

        def measured(node: dict[str, Any]) -> Any:
            if "float32" in node:
                lengths.append(len(base64.b64decode(node["float32"])) // 4)
            return node

        page.document(object_hook=measured)
        assert (run.place / "report.html").stat().st_size <= _MOST_BYTES
        assert 0 < max(lengths) <= _MOST_POINTS

    def test_bokeh_reads_its_plots(self, page: Page) -> None:
        """Bokeh accepts every model, name and value; all plots share one time axis and stand in the order of the page."""
        document = read_by_bokeh(page)
        plots = list(document.roots)
        assert [a["id"] for a in page.of("section")] == [plot.name for plot in plots]
        assert 1 == len({plot.x_range.id for plot in plots})
        assert "time" == plots[0].x_range.name
        assert document.get_model_by_name("cursor") is not None
        for plot in plots:
            axes = [axis.axis_label for axis in [*plot.below, *plot.left]]
            assert all(re.search(r"\[.+\]", label) for label in axes)

    def test_every_limit_line_in_sight_has_its_name_beside_it(self, page: Page) -> None:
        """None is dropped because another one is near: lines and names agree in number, order and value, a line apart."""
        drawn = 0
        for plot in (plot for plot in read_by_bokeh(page).roots if plot.left):
            low, high = plot.y_range.start, plot.y_range.end
            lines = [r.data_source.data["y"] for r in plot.renderers if isinstance(r.glyph, models.HSpan)]
            values = sorted(y for y in (lines[0] if lines else []) if low <= y <= high)
            names = dict(plot.right[0].major_label_overrides) if plot.right else {}
            places = sorted(names)
            assert pytest.approx(values, abs=1e-5) == [float(names[at].split()[-2]) for at in places]
            if places:
                assert places == sorted(plot.right[0].ticker.ticks)
                assert isinstance(plot.right[0].major_label_policy, models.AllLabels)
                assert min(np.diff(places), default=np.inf) >= 12.99 * (high - low) / (plot.height - 52)
            drawn += len(places)
        assert drawn > 0

    def test_no_text_in_a_plot_asks_for_a_typesetter(self, page: Page) -> None:
        """No name that is drawn holds a formula, for which BokehJS would go to the network."""
        document = read_by_bokeh(page)
        drawn = [label.text for label in document.select({"type": models.Label})]
        for axis in document.select({"type": models.LinearAxis}):
            drawn += list(axis.major_label_overrides.values())
        assert not [text for text in drawn if re.search(r"\$\$|\\\[|\\\(", text)]

    def test_extremes_are_drawn(self, run: Run, page: Page) -> None:
        """The highest and the lowest true current of the run stand in the plot, to the last float32 bit."""
        true = np.float32(run.record.trace.column("current"))
        document = read_by_bokeh(page)
        plot = next(root for root in document.roots if root.name == "current")
        source = next(r.data_source.data for r in plot.renderers if isinstance(r.glyph, models.MultiLine))
        curve = np.float32(source["ys"][source["label"].index("true, through the cells")])
        assert (true.min(), true.max()) == (curve.min(), curve.max())

    def test_the_folder_gives_the_same_page(self, run: Run, tmp_path: Path) -> None:
        """Loaded from its folder alone and judged anew, a run gives its page byte for byte."""
        again = tmp_path / "report.html"
        (tmp_path / "environment.json").write_bytes((run.place / "environment.json").read_bytes())
        html.write(folder.load(run.place), again)
        assert (run.place / "report.html").read_bytes() == again.read_bytes()


class TestPassed(ReportContract):
    name = "passes"

    def test_hostile_words_stay_words(self, run: Run, page: Page) -> None:
        """Markup in titles, fault names and requirements is shown, not obeyed."""
        assert " ".join(HOSTILE.split()).replace("\\\\", "\\") in page.text.replace("\\\\", "\\")
        assert "$$x^2$$ </script> <u>f</u>" in page.text
        assert 4 == len(page.scripts)
        assert not any(page.of(tag) for tag in ("img", "u", "i", "iframe"))

    def test_it_says_that_all_passed(self, run: Run, page: Page) -> None:
        """The paragraph at the top counts the judgements and names the measured times."""
        assert Verdict.PASS is run.record.verdict
        assert f"All {len(run.record.findings)} judgements passed." in page.text

    def test_the_touched_cell_stands_out(self, page: Page) -> None:
        """The cell with the fault is drawn on its own, and what the device read of it reaches the injected value."""
        document = read_by_bokeh(page)
        plot = next(root for root in document.roots if root.name == "cells")
        source = next(r.data_source.data for r in plot.renderers if isinstance(r.glyph, models.MultiLine))
        curves = dict(zip(source["label"], source["ys"], strict=True))
        assert 17 == len(curves)
        assert 4.4 == pytest.approx(np.nanmax(curves["cell 5 as read: CellVoltage_005"]), abs=1e-4)
        assert np.nanmax(curves["cell 5"]) < 4.2

    def test_two_runs_give_the_same_page(self, run: Run, scenarios: dict[str, Path]) -> None:
        """The page holds no time of day, no counter and no address of its own: only the environment may differ."""
        again = runner.run(scenarios["passes"], runner.Options())
        assert html.text(run.record, {}) == html.text(again, {})

    def test_a_device_that_never_spoke_has_a_page_too(self, run: Run) -> None:
        """Without a single frame there is still a page, with the truth in its plots."""
        silent = replace(run.record.trace, journal=run.record.trace.journal[:0])
        page = Page(html.text(replace(run.record, trace=silent), {}))
        assert {"cells", "soc", "current", "states"} <= {root.name for root in read_by_bokeh(page).roots}

    def test_the_bench_shows_how_late_it_was(self, run: Run) -> None:
        """A run in real time has a plot of the lateness of each tick with the deadline; others have none."""
        late = np.zeros(run.record.trace.n_ticks, np.int64)
        late[100] = 25_000_000
        page = Page(html.text(replace(run.record, trace=replace(run.record.trace, late_ns=late)), {}))
        plot = next(root for root in read_by_bokeh(page).roots if root.name == "late")
        source = next(r.data_source.data for r in plot.renderers if isinstance(r.glyph, models.MultiLine))
        assert 25.0 == max(source["ys"][0])
        assert ["deadline 10 ms"] == list(plot.right[0].major_label_overrides.values())
        assert "late" not in {a["id"] for a in Page(run.html).of("section")}


class TestFailed(ReportContract):
    name = "fails"

    def test_it_says_what_failed_and_what_to_do(self, run: Run, page: Page) -> None:
        """The paragraph at the top holds the first failed judgement with its next step."""
        first = next(finding for finding in run.record.findings if finding.verdict is Verdict.FAIL)
        top = page.text[: page.text.index("Judgements")]
        assert Verdict.FAIL is run.record.verdict
        for said in (first.requirement, first.expected, first.seen, first.next_step):
            assert said in top


class TestLong(ReportContract):
    name = "long"

    def test_many_cells_are_drawn_as_a_band(self, run: Run, page: Page) -> None:
        """192 cells make a band from the lowest to the highest, whose ends are those of the truth."""
        document = read_by_bokeh(page)
        plot = next(root for root in document.roots if root.name == "cells")
        band = next(r.data_source.data for r in plot.renderers if isinstance(r.glyph, models.VArea))
        low, high = (np.float32(run.record.trace.column(f"cell_voltage_{end}")) for end in ("min", "max"))
        assert (low.min(), high.max()) == (np.float32(min(band["low"])), np.float32(max(band["high"])))

    def test_the_recording_has_its_error_table(self, run: Run, page: Page) -> None:
        """Both legs are listed with their direction and the uncertainty of their reference."""
        assert "Accuracy of the estimated SOC of cell 0" in page.text
        assert re.search(r"discharge of 0\.41\d Ah, 3\d to 400 s all \d+", page.text)
        assert re.search(r"charge of 0\.4[01]\d Ah, 4\d\d to 800 s all \d+", page.text)
        assert "± 1.0" in page.text
        assert "± 2.0" in page.text
