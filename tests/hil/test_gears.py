"""Three gears, one set of functions: staged, fused and interpreted end in the same state, and a batch is its packs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware_sim import mode
from firmware_sim import state as st
from hil import scenario, setup
from hil.bench import Bench
from hil.fault.table import FROM_DUT, PLANT, SEAM, SENSOR, TO_DUT
from hil.speed import case, start

TICKS = 300

# One fault or more of every primitive, at every seam, both directions, one reset; most of them while the contactors close.
EVERYWHERE = """
format = 1
name = "faults-everywhere"
title = "Faults at all seams at once"
pack = "nfm-16s"
network = "bench"
duration_s = 3.0
request = [{ at_s = 0.3, mode = "drive" }]
load = [{ at_s = 1.0, kind = "power", power_W = 40.0 }, { at_s = 1.15, kind = "resistance", resistance_ohm = 30.0 }]
fault = [
  { fault = "cell_offset", target = "cell[3]", start_s = 0.4, with = { offset_V = 0.02 } },
  { fault = "cell_stuck", target = "cell[4]", start_s = 0.6 },
  { fault = "cell_reads", target = "cell[5]", start_s = 1.4, stop_s = 1.5, with = { value_V = 3.9 } },
  { fault = "cell_lost", target = "cell[6]", start_s = 1.6, stop_s = 1.65 },
  { fault = "tap_open", target = "tap[8]", start_s = 1.7, stop_s = 1.9 },
  { fault = "taps_swapped", target = "tap[10]", start_s = 2.0, stop_s = 2.1, with = { with_tap = 12 } },
  { fault = "ntc_short", target = "ntc[1]", start_s = 1.0, stop_s = 2.0 },
  { fault = "current_offset", start_s = 0.5, with = { offset_A = 0.05 } },
  { fault = "node_silent", target = "node:Vehicle", start_s = 0.9, stop_s = 1.1 },
  { fault = "frame_lost", target = "message:CellVoltages[2]", start_s = 0.5, on_ms = 20, off_ms = 50 },
  { fault = "frame_late", target = "message:CellVoltages[1]", start_s = 0.5, with = { delay_ms = 25.0 } },
  { fault = "frame_doubled", target = "message:Shunt_Values", start_s = 0.6, stop_s = 1.8 },
  { fault = "frame_crc", target = "message:CellTemperatures", start_s = 0.8, stop_s = 1.3 },
  { fault = "counter_frozen", target = "message:PackIO_Status", start_s = 1.2, stop_s = 1.24 },
  { fault = "frame_length", target = "message:Vehicle_Request", start_s = 1.3, single = true, with = { length = 5 } },
  { fault = "frame_late", name = "answer-late", target = "message:BMS_Contactors", start_s = 1.75, with = { delay_ms = 12.0 } },
  { fault = "contactor_slow", target = "contactor:precharge", start_s = 0.1, with = { open_ms = 45.0 } },
  { fault = "internal_short", target = "cell[2]", start_s = 0.2, with = { resistance_ohm = 2.0 } },
  { fault = "resistance_raised", target = "cell[9]", start_s = 0.2, stop_s = 2.5, with = { factor = 1.5 } },
  { fault = "insulation", start_s = 1.8, with = { resistance_kohm = 4.0 } },
  { fault = "reset", start_s = 2.2 },
]
"""


@pytest.fixture
def everywhere(tmp_path: Path) -> Path:
    """A scenario file with faults at all seams."""
    path = tmp_path / "faults-everywhere.scenario.toml"
    path.write_text(EVERYWHERE)
    return path


def _bench(path: Path, n_packs: int = 1) -> Bench:
    return case.with_emulator(setup.build(scenario.load(path), n_packs=n_packs))


def test_faults_reach_all_seams(everywhere: Path) -> None:
    """The scenario of this file disturbs plant, sensors, frames both ways and supply, of a pack that drives and then opens."""
    bench = _bench(everywhere)
    assert {PLANT, SENSOR, TO_DUT, FROM_DUT} == set(bench.rig.faults.rows[:, SEAM].tolist())
    assert (2_200_000_000,) == bench.setup.resets_ns
    bench.run(120)
    assert mode.RUN == bench.dut.state.whole[st.STATE, 0]
    bench.run(80)
    assert mode.ERROR == bench.dut.state.whole[st.STATE, 0]


def test_fused_ends_where_staged_ends(everywhere: Path) -> None:
    """With faults at all seams both gears leave plant, firmware, journal and truth equal, bit for bit."""
    staged, fused = _bench(everywhere), _bench(everywhere)
    staged.run(TICKS)
    fused.run_fused(TICKS)
    assert case.state_hash(staged) == case.state_hash(fused)


def test_fused_in_pieces_ends_where_fused_in_one_ends(everywhere: Path) -> None:
    """How many ticks a compiled call runs does not matter."""
    whole, pieces = _bench(everywhere), _bench(everywhere)
    whole.run_fused(TICKS)
    for n_ticks in (1, 76, 123, 100):
        pieces.run_fused(n_ticks)
    assert case.state_hash(whole) == case.state_hash(pieces)


@pytest.mark.compiled_only
@pytest.mark.parametrize("network", ["bench", "classic"])
def test_interpreted_ends_where_compiled_ends(everywhere: Path, network: str) -> None:
    """Plain Python, in a process of its own, comes to the same bits."""
    everywhere.write_text(EVERYWHERE.replace('network = "bench"', f'network = "{network}"'))
    compiled = _bench(everywhere)
    compiled.run(TICKS)
    found = start.interpreted(str(everywhere), TICKS)
    assert not found["compiled"]
    assert case.state_hash(compiled) == found["state_hash"]


@pytest.mark.parametrize("fused", [False, True])
def test_pack_0_of_a_batch_is_that_pack_alone(everywhere: Path, fused: bool) -> None:
    """Three packs in a batch: every row of pack 0, in plant and firmware, equals a run of one pack, bit for bit."""
    one, three = _bench(everywhere), _bench(everywhere, n_packs=3)
    for bench in (one, three):
        case.Gear(bench, fused).run(TICKS)
    assert one.rig.plant.n_packs == 1
    for name in ("cells", "par", "strings", "pack", "pack_par", "block", "sensor"):
        alone, batch = getattr(one.rig.plant, name), getattr(three.rig.plant, name)
        np.testing.assert_array_equal(batch[:, :1], alone, err_msg=name)
    axes = {"value": 0, "valid": 0, "out": 0, "sender": 0}
    for name, alone in vars(one.dut.state).items():
        batch = getattr(three.dut.state, name)
        np.testing.assert_array_equal(batch.take([0], axes.get(name, 1)), alone, err_msg=name)
    np.testing.assert_array_equal(three.trace().journal, one.trace().journal)


def test_packs_of_a_batch_differ(everywhere: Path) -> None:
    """The other packs have cells and noise of their own, so that equality with pack 0 is no accident."""
    three = _bench(everywhere, n_packs=3)
    three.run_fused(TICKS)
    z = three.dut.state.cell[st.Z]
    assert len({tuple(row) for row in z.tolist()}) == 3
