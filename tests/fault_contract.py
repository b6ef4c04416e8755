"""The contract of every fault in the catalogue: when it acts, that it is read back, that the reading back can fail."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pytest
from fault_cases import Case, Run, built, driven, read_back, run

from firmware_sim.types import I64
from firmware_sim.wire.layout import CYCLE_NS
from hil import journal as j
from hil.fault.catalogue import PRIMITIVES
from hil.fault.target import BLOCKS
from hil.observe import View, observe
from hil.verdict import Verdict
from hil.wirelog import WireLog

_DELIVERED = {j.TO_DUT: j.OFFERED_TO_DUT, j.FROM_DUT: j.OFFERED_FROM_DUT}
_BLOCKS = ("cells", "par", "strings", "pack", "pack_par", "block", "sensor")
_STATE_AXES = {"value": 0, "valid": 0, "out": 0, "sender": 0}


@lru_cache(maxsize=2)
def _undisturbed(network: str) -> Run:
    return run(built(driven(network_name=network)))


@pytest.fixture
def undisturbed(case: Case) -> Run:
    """The drive without any fault."""
    return _undisturbed(case.network)


def _until(rows: I64, t_ns: int) -> I64:
    return rows[rows[:, j.T_NS] <= t_ns]


def _crossed(rows: I64) -> I64:
    """Frames that really crossed the wire."""
    return rows[np.isin(rows[:, j.KIND], list(_DELIVERED))]


class FaultContract:
    """Of one kind of fault. Needs a fixture `case`."""

    def test_before_it_starts_nothing_differs(self, case: Case) -> None:
        """Up to its start, truth, both sides of the seam, parameters and frames are those of the run without it."""
        k = case.start_ns // 10_000_000 - len(case.bound.from_dut[:1])  # what the device says in a tick belongs to the next
        seen, idle = case.run.trace, case.idle.trace
        for name in ("truth", "sides", "parameter"):
            assert getattr(idle, name)[:k].tobytes() == getattr(seen, name)[:k].tobytes(), name
        assert idle.cells[: k // 10].tobytes() == seen.cells[: k // 10].tobytes()
        assert _until(idle.journal, case.start_ns).tobytes() == _until(seen.journal, case.start_ns).tobytes()
        assert case.idle.bytes() != case.run.bytes()

    def test_watching_for_it_changes_nothing(self, case: Case, undisturbed: Run) -> None:
        """With both sides recorded and no fault in the table the run is that without a fault, to its end."""
        assert undisturbed.trace.truth.tobytes() == case.idle.trace.truth.tobytes()
        assert _crossed(undisturbed.trace.journal).tobytes() == _crossed(case.idle.trace.journal).tobytes()

    def test_after_it_stops_the_seam_is_untouched(self, case: Case) -> None:
        """From its end on, readings are what the sensors say, parameters are nominal, and frames arrive as offered."""
        trace, log = case.run.trace, WireLog(case.run.trace.journal, case.run.setup.network)
        k = case.stop_ns // 10_000_000
        np.testing.assert_array_equal(trace.sides[k:, 1], trace.sides[k:, 0])
        np.testing.assert_array_equal(
            trace.parameter[k + 1 :], np.broadcast_to(trace.parameter[0], trace.parameter[k + 1 :].shape)
        )
        for kind, slots in ((j.TO_DUT, case.bound.to_dut), (j.FROM_DUT, case.bound.from_dut)):
            for slot in slots:
                offered, came = (_late(log.frames(x, slot), case.stop_ns) for x in (_DELIVERED[kind], kind))
                assert len(offered) > 0 or log.layout(kind).slots[slot, CYCLE_NS] > 100_000_000
                own = np.isin(came[:, 0], offered[:, 0])
                np.testing.assert_array_equal(came[own], offered)
                assert (came[~own, 0] < case.stop_ns + 100_000_000).all()

    def test_its_effect_is_read_back(self, case: Case) -> None:
        """The observer finds the effect, inside its time, and the judge holds nothing against the bench."""
        view = View(case.run.trace, WireLog(case.run.trace.journal, case.run.setup.network), case.run.setup)
        effect = observe(view, case.run.setup.faults[0])
        assert effect.happened, effect.text
        assert effect.start is not None, effect.text
        assert case.start_ns - 10_000_000 <= effect.start.low_ns <= effect.start.high_ns < case.stop_ns
        assert "" == read_back(case.run)

    def test_without_it_the_run_is_an_error(self, case: Case) -> None:
        """A fault that was announced and did not happen is found out."""
        assert Verdict.ERROR in {f.verdict for f in case.idle.findings}
        assert "ERROR the fault has its effect" in read_back(case.idle)

    def test_at_another_time_or_place_the_run_is_an_error(self, case: Case) -> None:
        """A fault that comes or goes 50 ms early or late, or hits something else, is found out wherever that can be seen."""
        found = 0
        for way, ready in case.misplaced():
            wrong = run(ready)
            said = read_back(wrong)
            assert "ERROR the fault has its effect" in said or wrong.bytes() == case.run.bytes(), way
            found += bool(said)
        assert found >= 2

    def test_with_another_strength_the_run_is_an_error(self, case: Case) -> None:
        """A fault with half of one parameter, another bit, or one frame less is found out."""
        for way, ready in case.weakened():
            assert "ERROR the fault has its effect" in read_back(run(ready)), way

    def test_the_same_seed_gives_the_same_bytes(self, case: Case) -> None:
        """A second run is equal in every recorded bit, also in the other gear where that can run it."""
        assert case.run.bytes() == run(case.ready(), fused=case.kind.seam != "bus").bytes()

    def test_pack_0_of_a_batch_is_the_pack_alone(self, case: Case) -> None:
        """Three packs in a batch: pack 0 equals the single run in record, plant and firmware, bit for bit."""
        batch = run(case.ready(n_packs=3))
        assert case.run.bytes() == batch.bytes()
        for name in _BLOCKS:
            alone = getattr(case.run.setup.rig.plant, name)
            np.testing.assert_array_equal(getattr(batch.setup.rig.plant, name)[:, :1], alone, err_msg=name)
        for name, alone in vars(case.run.bench.dut.state).items():  # type: ignore[attr-defined]
            in_batch = getattr(batch.bench.dut.state, name)  # type: ignore[attr-defined]
            np.testing.assert_array_equal(in_batch.take([0], _STATE_AXES.get(name, 1)), alone, err_msg=name)

    def test_its_row_is_consistent(self, case: Case) -> None:
        """Primitive and address exist; title and class are given; defaults and examples lie in their bounds."""
        kind = case.kind
        assert kind.title
        assert re.fullmatch(r"[SCABP]\d\d( [SCABP]\d\d)*", kind.catalogue)
        assert kind.primitive in PRIMITIVES
        assert (kind.address is not None) == (kind.primitive in BLOCKS)
        assert kind.address is None or isinstance(getattr(BLOCKS[kind.primitive], kind.address), int)
        columns = [*kind.fixed, *(parameter.column for parameter in kind.parameters.values())]
        assert len(columns) == len(set(columns))
        for name, parameter in kind.parameters.items():
            assert parameter.min < parameter.max, name
            assert "" == parameter.refuses(parameter.example), name
            assert parameter.default is None or "" == parameter.refuses(parameter.default), name


def _late(rows: I64, t_ns: int) -> I64:
    """Time, length and payload of frames that ended at or after a time."""
    columns = [j.T_NS, j.LENGTH, *range(j.WORD, rows.shape[1])]
    return rows[rows[:, j.T_NS] >= t_ns][:, columns]
