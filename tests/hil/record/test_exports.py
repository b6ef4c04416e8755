"""ExportContract: what another program reads from an export is what was recorded."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import can
import cantools
import numpy as np
import pytest
import rigs

from hil import files, journal, truth
from hil.bench import Bench
from hil.record import blf, signals
from hil.trace import Trace

# Frames in all shapes: doubled, late, cut short, with a wrong CRC, and a device that restarts.
FAULTS = [
    {"fault": "frame_doubled", "target": "message:Shunt_Values", "start_s": 0.5, "stop_s": 0.8},
    {"fault": "frame_late", "target": "node:PackIO", "start_s": 0.9, "stop_s": 1.2, "with": {"delay_ms": 33.0}},
    {"fault": "frame_crc", "target": "node:Monitor", "start_s": 1.3, "stop_s": 1.5},
    {"fault": "reset", "start_s": 1.7, "single": True},
]


def ran(network: str, faults: list[dict[str, Any]]) -> tuple[Bench, Trace]:
    """A short drive on a network."""
    return rigs.run(rigs.drive({"kind": "current", "current_A": 2.0}, network=network, fault=faults, duration_s=2.5))


def delivered(trace: Trace) -> np.ndarray:
    """Journal rows of the frames that arrived, in order of time."""
    rows = trace.journal[trace.journal[:, journal.KIND] <= journal.FROM_DUT]
    return rows[np.argsort(rows[:, journal.T_NS], kind="stable")]


class BlfContract:
    """Of one network; `network` says which."""

    network: str

    @pytest.fixture(scope="class")
    @classmethod
    def trace(cls) -> Trace:
        """A run on it."""
        return ran(cls.network, FAULTS)[1]

    @pytest.fixture(scope="class")
    @classmethod
    def frames(cls, trace: Trace, tmp_path_factory: pytest.TempPathFactory) -> list[can.Message]:
        """Its frames, as python-can reads them back."""
        path = tmp_path_factory.mktemp("blf") / "frames.blf"
        blf.write(trace, path)
        with can.BLFReader(path) as reader:
            return list(reader)

    def test_every_frame_is_there_at_its_time(self, trace: Trace, frames: list[can.Message]) -> None:
        """As many frames as arrived, each at the same nanosecond, on its bus, in its direction."""
        rows = delivered(trace)
        assert len(rows) == len(frames) > 500
        assert rows[:, journal.T_NS].tolist() == [round(frame.timestamp * 1e9) for frame in frames]
        assert rows[:, journal.BUS_NO].tolist() == [frame.channel for frame in frames]
        assert (rows[:, journal.KIND] == journal.FROM_DUT).tolist() == [frame.is_rx for frame in frames]

    def test_ids_and_payloads_are_those_of_the_wire(self, trace: Trace, frames: list[can.Message]) -> None:
        """Id, format, length and every byte of each frame."""
        for row, frame in zip(delivered(trace).tolist(), frames, strict=True):
            payload = b"".join((word & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little") for word in row[journal.WORD :])
            assert row[journal.ID] == frame.arbitration_id
            assert bool(row[journal.FRAME_FLAGS] & 1) == frame.is_extended_id
            assert bool(row[journal.FRAME_FLAGS] & 2) == frame.is_fd
            assert row[journal.LENGTH] == frame.dlc
            assert payload[: row[journal.LENGTH]] == bytes(frame.data)

    def test_equal_runs_give_equal_files(self, trace: Trace, tmp_path: Path) -> None:
        """The file holds no time of day."""
        paths = tmp_path / "a.blf", tmp_path / "b.blf"
        blf.write(trace, paths[0])
        blf.write(ran(self.network, FAULTS)[1], paths[1])
        assert paths[0].read_bytes() == paths[1].read_bytes()


class TestClassicBlf(BlfContract):
    network = "classic"


class TestFdBlf(BlfContract):
    network = "fd"

    def test_it_holds_fd_frames(self, frames: list[can.Message]) -> None:
        """Cell voltages travel in FD frames longer than eight bytes."""
        assert any(frame.is_fd and frame.dlc > 8 for frame in frames)


@pytest.fixture(scope="module")
def bench_and_trace() -> tuple[Bench, Trace]:
    """A run without faults."""
    return ran("classic", [])


@pytest.fixture(scope="module")
def text(bench_and_trace: tuple[Bench, Trace], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its signals.csv."""
    bench, trace = bench_and_trace
    path = tmp_path_factory.mktemp("csv") / "signals.csv"
    signals.write(trace, bench.setup.network, path)
    return path.read_text(encoding="utf-8")


def column(text: str, name: str) -> np.ndarray:
    """A column, as numpy reads it; empty fields are NaN."""
    head = next(csv.reader(io.StringIO(text)))
    return np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1)[:, head.index(name)]


def test_rows_stand_on_a_grid(text: str, bench_and_trace: tuple[Bench, Trace]) -> None:
    """One row every 0.1 s from the start to the end of the run."""
    trace = bench_and_trace[1]
    assert np.allclose(np.arange(25) * 0.1, column(text, "t [s]"))
    assert 2.5 == trace.n_ticks * trace.dt_ns / 1e9


def test_truth_is_that_of_the_trace(text: str, bench_and_trace: tuple[Bench, Trace]) -> None:
    """Every column of the truth, at every grid time, to seven digits."""
    trace = bench_and_trace[1]
    rows = np.round(column(text, "t [s]") * 100).astype(int)
    for name, unit in truth.COLUMNS:
        if unit != "ns":
            found = column(text, f"true {name} [{unit}]")
            assert np.allclose(trace.column(name)[rows], found, rtol=1e-6, atol=1e-30, equal_nan=True), name


@pytest.mark.parametrize("cell", [0, 7, 15])
def test_cells_are_those_of_the_trace(text: str, bench_and_trace: tuple[Bench, Trace], cell: int) -> None:
    """Voltage, temperature and SOC of a cell at every grid time."""
    trace = bench_and_trace[1]
    for row, (name, unit) in enumerate(truth.CELL_COLUMNS):
        assert np.allclose(trace.cells[:, row, cell], column(text, f"true {name} {cell} [{unit}]"), rtol=1e-6), name


@pytest.mark.parametrize(
    ("signal", "unit"), [("BMS_Soc", "%"), ("BMS_PackVoltage", "V"), ("BMS_State", "1"), ("CellSoc_009", "%")]
)
def test_signals_hold_what_cantools_decodes(text: str, bench_and_trace: tuple[Bench, Trace], signal: str, unit: str) -> None:
    """At each grid time stands the last value that had arrived; before the first, and for none, nothing."""
    database = cantools.database.load_file(files.dbc_folder() / "bms.dbc")
    message = next(m for m in database.messages if any(s.name == signal for s in m.signals))
    seen: list[tuple[int, float]] = []
    for row in delivered(bench_and_trace[1]).tolist():
        if row[journal.KIND] == journal.FROM_DUT and row[journal.ID] == message.frame_id:
            payload = (row[journal.WORD] & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")[: row[journal.LENGTH]]
            values = message.decode(payload, decode_choices=False)
            raw = message.decode(payload, decode_choices=False, scaling=False)
            lowest, highest = (s for s in [message.get_signal_by_name(signal)] for s in (s.minimum, s.maximum))
            if signal in raw and lowest <= values[signal] <= highest:
                seen.append((row[journal.T_NS], float(values[signal])))
    assert seen
    for t_s, found in zip(column(text, "t [s]"), column(text, f"{signal} [{unit}]"), strict=True):
        held = [value for t_ns, value in seen if t_ns <= t_s * 1e9]
        assert np.isnan(found) if not held else found == pytest.approx(held[-1], rel=1e-6)


def test_a_long_run_keeps_its_rows_few() -> None:
    """The grid widens in steps of 0.1 s so that there are never more than 10,000 rows."""
    trace = rigs.run(rigs.scenario(duration_s=0.1))[1]
    for seconds, expected in ((1000.0, 10_000), (1001.0, 5005), (86_400.0, 9932)):
        n_ticks = round(seconds * 100)
        longer = Trace(**{**trace.__dict__, "truth": np.broadcast_to(trace.truth[:1], (n_ticks, trace.truth.shape[1]))})
        assert expected == len(signals.grid(longer))
