"""What a firmware finds after a loss of supply: its memory, and nothing else."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import compiled
import pytest
import rigs

from firmware_sim.wire.layout import Events, Image
from hil import devices
from hil.bench import Bench
from hil.dut.native import Native, child
from hil.dut.native.process import Memory, Process
from hil.errors import DutError

TICK_NS = 10_000_000


@pytest.fixture
def memory() -> Iterator[Memory]:
    """From the factory."""
    fresh = Memory()
    yield fresh
    fresh.close()


def numbers(sent: list[bytes]) -> tuple[int, int, int, int]:
    """Ticks, frames, power-ups and what came in a wrong order, as remembers.c says them."""
    (ticks, frames), (ups, wrong) = (struct.unpack("<II", child.FRAME.unpack(raw)[5][:8]) for raw in sent)
    return ticks, frames, ups, wrong


def test_each_power_up_starts_anew_and_finds_its_memory(tmp_path: Path, memory: Memory) -> None:
    """Variables have their initial values, memory what was written last; time goes on in ticks, frames in order."""
    path = compiled.library(tmp_path / "f.so", "remembers.c")
    frame = [child.FRAME.pack(5_000_000 + n, 0x30, 0, 0, 8, b"") for n in range(3)]
    for ups in (1, 2, 3):
        process = Process(path, memory, TICK_NS, 1, 7 * TICK_NS, 5.0)
        for k in range(1, 4):
            refused, sent = process.step((7 + k) * TICK_NS, frame[: k if k < 3 else 0])
            assert 0 == refused
            assert (1000 + k, min(k * (k + 1) // 2, 3), ups, 0) == numbers(sent)
        process.close()
    assert 3 == int.from_bytes(memory.read()[:4], "little")


def test_a_write_that_is_torn_leaves_its_first_half(tmp_path: Path) -> None:
    """Of three writes the one that the time picks is half there, those before it whole, those behind it not at all."""
    save = "for(uint32_t n=0;n<3;n++)host->nvm_write(100*n,(const char[9]){1,2,3,4,5,6,7,8,9},9)"
    path = compiled.library(tmp_path / "f.so", SAVE=save)
    whole, half, none = bytes(range(1, 10)), b"\1\2\3\4" + b"\xff" * 5, b"\xff" * 9
    for which, expected in ((0, (half, none, none)), (4, (whole, half, none)), (8, (whole, whole, half))):
        erased = Memory()
        process = Process(path, erased, TICK_NS, 1, 0, 5.0)
        assert process.tear(which)
        process.close()
        held = erased.read()
        erased.close()
        assert expected == tuple(held[100 * n : 100 * n + 9] for n in range(3))


def test_without_nab_save_only_a_write_under_way_can_be_torn(tmp_path: Path, memory: Memory) -> None:
    """A firmware that wrote in the last tick was writing; one that did not is only reset."""
    path = compiled.library(tmp_path / "f.so", DEFECT="if(t_ns==AT_NS)host->nvm_write(8,&t_ns,8)", AT_NS="20000000")
    for ticks, torn in ((1, False), (2, True), (3, False)):
        process = Process(path, memory, TICK_NS, 1, 0, 5.0)
        for k in range(ticks):
            process.step((k + 1) * TICK_NS, [])
        assert torn == process.tear(0)
        process.close()


def test_a_memory_that_could_not_be_torn_is_noted(tmp_path: Path) -> None:
    """The bench does not say that it tore what nobody wrote; the judge makes INCONC of it (test_torn.py)."""
    built = rigs.build(rigs.scenario(duration_s=1.0, fault=[{"fault": "reset_torn_write", "start_s": 0.5}]))
    path = compiled.library(tmp_path / "f.so")
    bench = Bench(built, devices.create(f"native:{path}", built))
    bench.start()
    bench.run(100)
    bench.dut.close()
    assert [500_000_000] == bench.untorn_ns == bench.trace().info["untorn_ns"]


def test_a_firmware_that_is_built_anew_while_it_runs_is_refused(tmp_path: Path) -> None:
    """A power-up of another firmware than the one whose fingerprint stands in the record would be a lie."""
    built = rigs.build(rigs.scenario())
    path = compiled.library(tmp_path / "f.so")
    dut = Native(built.rig, built.network, str(path))
    dut.start(0)
    dut.exchange(0, Image.empty(built.network.to_dut, 1), Events.empty(1))
    dut.reset(TICK_NS)
    compiled.library(tmp_path / "g.so", DEFECT="exit(7)").replace(path)
    with pytest.raises(DutError, match="was changed while it ran"):
        dut.reset(2 * TICK_NS)
    assert 3 > dut.account()["power_ups"]
    dut.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("abort()", "it died of SIGABRT (Aborted) in nab_init"),
        ("return 5", "it did not come up again: nab_init returned 5; expected 0"),
    ],
)
def test_a_firmware_that_falls_at_a_reset_is_a_finding(tmp_path: Path, statement: str, said: str) -> None:
    """It comes up once, and not again; then again at the next supply."""
    start = f"uint8_t n=0;host->nvm_read(0,&n,1);n=n==255?1:n+1;host->nvm_write(0,&n,1);if(n==2){statement};"
    built = rigs.build(rigs.scenario())
    path = compiled.gcc(
        tmp_path / "f.so", "-shared", "-fPIC", f"-DSTART={start}", str(compiled.SOURCES / "speaks.c")
    )  # fmt: skip
    dut = Native(built.rig, built.network, str(path))
    nothing = Image.empty(built.network.to_dut, 1)

    def speaks(k: int) -> bool:
        image, _ = dut.exchange(k * TICK_NS, nothing, Events.empty(1))
        return bool(image.meta[0, 0].any())

    dut.start(0)
    assert speaks(0)
    dut.reset(TICK_NS)
    assert not speaks(1)
    dut.reset(2 * TICK_NS)
    assert speaks(2)
    ((at_ns, why),) = dut.account()["fallen"]
    dut.close()
    assert TICK_NS == at_ns
    assert said == why
