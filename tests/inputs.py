"""Files that are right, for tests to spoil."""

from __future__ import annotations

from pathlib import Path

from command import changed

from hil import files

SCENARIO = """\
format = 1
name = "bad"
title = "A scenario of a test"
pack = "nfm-16s"
duration_s = 10.0
tick_ms = 10
seed = 1

[initial]
soc = 0.6

[[request]]
at_s = 0.5
mode = "drive"

[[load]]
at_s = 3.0
kind = "current"
current_A = 2.0

[[fault]]
fault = "cell_reads"
target = "cell[5]"
start_s = 6.0
with = { value_V = 4.25 }

[[expect]]
kind = "signal"
requirement = "SR-MODE-RUN"
signal = "BMS_State"
is = "run"
mode = "once"
from_s = 0.5
to_s = 3.0

[[expect]]
kind = "quiet"
requirement = "SR-QUIET"
from_s = 3.0
to_s = 6.0

[[expect]]
kind = "reaction"
requirement = "SR-CELL-OV"
"""
PACK = (files.folder("pack") / "nfm-16s.toml").read_text(encoding="utf-8")
CELL = (files.folder("cell") / "nfm-18650.toml").read_text(encoding="utf-8")
CALIBRATION = (files.folder("calibration") / "nfm-16s.toml").read_text(encoding="utf-8")
REQUIREMENTS = """\
format = 1
name = "own"
title = "Two of them"

[[requirement]]
id = "SR-CELL-OV"
title = "Over-voltage opens"
text = "The BMS shall open."
hazard = "fire"
source = "assumption: of a test"
codes = ["CellOvervoltageMsl"]
trigger = { quantity = "cell_voltage", above = "cell.absolute_max_V" }
fdti_ms = [450, 550]
fhti_ms = 750

[[requirement]]
id = "SR-SOC"
title = "SOC is right"
text = "The BMS shall know."
hazard = "stranded"
source = "assumption: of a test"
limits = { max_error = 0.05 }
"""
NETWORK = (files.folder("network") / "classic.toml").read_text(encoding="utf-8")
MAPPING = (Path(__file__).parents[1] / "examples/own_dbc/truck.mapping.toml").read_text(encoding="utf-8")

# A run of 7 s, and changes that end in another verdict, with their exit codes.
SHORT = changed(SCENARIO, ("duration_s = 10.0", "duration_s = 7.0"))
ENDS = {
    "pass": (0, SHORT),
    "fail": (1, changed(SHORT, ('is = "run"', 'is = "charge"'))),
    "none": (2, SHORT.partition("[[expect]]")[0]),
    "inconc": (3, changed(SHORT, ("value_V = 4.25", "value_V = 4.0"))),
}
