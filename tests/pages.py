"""For tests of reports: scenarios that pass, fail, and are long and wide; and pages as a browser sees them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hil.report.record import RunRecord

HOSTILE = "<b>A</b> & \"q\" 'p' $$\\\\frac{1}{2}$$ </script><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }}"

REQUIREMENTS = """
format = 1
name = "of-a-test"
title = "Of <i>a</i> test"

[[requirement]]
id = "SR-STATE"
title = "The state is right"
text = "<img src=x> The BMS goes where it is sent."
hazard = "none"
source = "assumption: of a test"

[[requirement]]
id = "SR-CELL-OV"
title = "Over-voltage opens"
text = "A cell over its limit opens the contactors."
hazard = "fire"
codes = ["CellOvervoltageCritical"]
trigger = { quantity = "cell_voltage", above = "cell.absolute_max_V" }
fdti_ms = [0, 200]
fhti_ms = 400
source = "assumption: of a test"

[[requirement]]
id = "SR-SOC"
title = "SOC is close"
text = "SOC stays close."
hazard = "none"
limits = { max_error = 0.5 }
source = "assumption: of a test"

[[requirement]]
id = "SR-NOBODY"
title = "Nobody <u>tests</u> this"
text = "A requirement without a scenario."
hazard = "none"
source = "assumption: of a test"
"""

SHORT = """
format = 1
name = "{name}"
title = '''{title}'''
text = "Text <i>with</i> marks."
pack = "nfm-16s"
requirements = "requirements.toml"
duration_s = 4.0

[[request]]
at_s = 0.2
mode = "drive"

[[fault]]
fault = "cell_reads"
name = "{fault}"
target = "cell[5]"
start_s = 2.0
stop_s = 3.5
with = {{ value_V = 4.4 }}

[[expect]]
kind = "signal"
requirement = "SR-STATE"
signal = "BMS_State"
is = "{state}"
mode = "once"
from_s = 0.0
to_s = 1.8

[[expect]]
kind = "reaction"
requirement = "SR-CELL-OV"
"""

LONG = """
format = 1
name = "long"
title = "A recording of a quarter of an hour on a pack of 192 cells"
pack = "big.pack.toml"
requirements = "requirements.toml"
duration_s = 900.0
tick_ms = 100

[recording]
file = "recording.csv"
source = "made for a test"
time = {{ column = "t" }}
voltage = {{ column = "u" }}
current = {{ column = "i", positive = "charge" }}
temperature_degC = 25.0
start_s = 10.0
full_V = 4.0
empty_V = 2.0
discharge_uncertainty = 0.01
charge_uncertainty = 0.02

[[request]]
at_s = 1.0
mode = "drive"

[[load]]
at_s = 10.0
kind = "recorded"

[[fault]]
fault = "cell_offset"
target = "cell[*]"
start_s = 300.0
stop_s = 301.0
with = {{ offset_V = 0.01 }}

[[fault]]
fault = "frame_lost"
target = "message:CellVoltages[7]"
start_s = 500.0
stop_s = 600.0
on_ms = 300
off_ms = 400

[[fault]]
fault = "ntc_reads"
target = "ntc[1]"
start_s = 700.0
with = {{ value_degC = 30.0 }}

[[expect]]
kind = "soc"
requirement = "SR-SOC"
cell = 0
from_s = 20.0
"""


class Page(HTMLParser):
    """What a browser would see: tags with attributes, text, and the scripts apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words, with single blanks."""
        return " ".join(" ".join(self.words).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def document(self, **how: Any) -> Any:
        """The plots, decoded."""
        return json.loads(next(text for attributes, text in self.scripts if attributes.get("id") == "document"), **how)


@dataclass(frozen=True)
class Run:
    """A finished run, its folder and its page."""

    record: RunRecord
    place: Path

    @property
    def html(self) -> str:
        """The report."""
        return (self.place / "report.html").read_text(encoding="utf-8")
