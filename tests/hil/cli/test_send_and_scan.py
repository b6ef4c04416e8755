"""nabench send and scan: frames by hand that a device takes, and who talks on a bus."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import wall
from command import nabench

from hil.link import scanning, sending, survey
from hil.link.can_bus import CanBus, Frame
from hil.link.spec import parse
from hil.link.supply import Supply


def heard(ears: CanBus, count: int) -> list[Frame]:
    """The next frames on a bus."""
    until_ns, found = time.monotonic_ns() + 5_000_000_000, []
    while len(found) < count:
        frame = ears.receive(until_ns)
        assert frame is not None, found
        found.append(frame)
    return found


# ---- send


def test_nothing_is_sent_before_the_bench_is_armed() -> None:
    """What would be sent is shown, and what to type."""
    bus = wall.virtual()
    ears = CanBus(parse(bus), 500_000, False)
    ran = nabench("send", bus, "Vehicle_Request", "ModeRequest=drive", "--every", "100")
    assert (2, True) == (
        ran.code,
        ran.out.startswith(f"would send on {bus}, every 100 ms until Ctrl-C:\n  0x080  Vehicle_Request"),
    )
    assert "counter and CRC of profile 11" in ran.out
    assert [
        f"nothing was opened or sent; to go on: nabench send {bus} Vehicle_Request ModeRequest=drive --every 100 --arm"
    ] == (ran.problems)
    assert ears.receive(0) is None
    ears.close()


def test_bytes_are_sent_as_they_are_written() -> None:
    """Short and long ids, CAN FD, no bytes at all."""
    bus = wall.virtual()
    ears = CanBus(parse(bus), 500_000, True)
    ran = nabench("send", bus, "123#0102", "18FF1234#", "7FF##1" + "AB" * 12, "--arm")
    assert (0, "sent 3 frames") == (ran.code, ran.out.splitlines()[-1])
    found = [(frame.can_id, frame.flags, frame.data) for frame in heard(ears, 3)]
    assert [(0x123, 0, b"\1\2"), (0x18FF1234, 1, b""), (0x7FF, 2, b"\xab" * 12)] == found
    ears.close()


def test_signals_by_name_come_with_counter_and_crc() -> None:
    """Our own receiver of the supply frame takes all of them; the counter goes on from frame to frame."""
    bus = wall.virtual()
    ears, supply = CanBus(parse(bus), 500_000, False), Supply()
    ran = nabench("send", bus, "Bench_Supply", "DutSupply=off", "DutMemory=keep", "--every", "10", "--for", "0.2", "--arm")
    assert (0, True) == (ran.code, ran.out.splitlines()[-1].startswith("sent 20 frames, the worst "))
    frames = heard(ears, 20)
    assert [(False, False)] * 20 == [supply.read(frame) for frame in frames]
    counters = [frame.data[1] & 0xF for frame in frames]
    assert [(counters[0] + n) % 15 for n in range(20)] == counters
    ears.close()


@pytest.mark.timeout(60)
def test_a_served_device_follows_what_is_sent_by_hand() -> None:
    """Switched off by send in a process of its own, which Ctrl-C ends."""
    with wall.device(wall.multicast()) as device:
        child = wall.nabench("send", device.bus, "Bench_Supply", "DutSupply=off", "--every", "50", "--arm")
        wall.wait_until(lambda: not device.served._on, 30.0)
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=20)
    assert (0, "") == (child.returncode, err)
    assert "sent" in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("123#010",), 'frame "123#010": expected ID#BYTES, as in 123#0102'),
        (("FFF#01",), "id 0xFFF is too large; 3 digits are up to 7FF"),
        (("123#" + "00" * 9,), "has 9 bytes; expected at most 8 bytes; CAN FD is ID##FLAGS"),
        (("Vehicle_Requst", "ModeRequest=drive"), 'there is no message "Vehicle_Requst"; did you mean "Vehicle_Request"?'),
        (("Vehicle_Request", "ModeRequst=drive"), 'has no signal "ModeRequst"; did you mean "ModeRequest"?'),
        (("Vehicle_Request", "ModeRequest=drve"), 'Vehicle_ModeRequest="drve": expected a number; did you mean "drive"?'),
        (("Vehicle_Request", "ModeRequest"), '"ModeRequest": expected SIGNAL=VALUE'),
        (("CellVoltages", "CellVoltage_004=99"), "CellVoltage_004=99: expected -0.5 to 6 V"),
        (("CellVoltages[99]",), 'message "CellVoltages[99]" has no such page'),
        (("CellVoltages",), 'message "CellVoltages" has 64 pages; name one of them'),
        (("123#00", "--for", "1"), "--for needs --every"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_sentence(words: tuple[str, ...], told: str) -> None:
    """Found, expected, nearest."""
    ran = nabench("send", "virtual:x", *words, "--arm")
    assert 2 == ran.code
    (problem,) = ran.problems
    assert told in problem


def test_a_page_is_found_by_its_signals_and_signals_that_are_left_are_not_available() -> None:
    """Of a multiplexed message with many pages."""
    order = sending.Named(sending.database_of("classic", []), "CellVoltages", ["CellVoltage_004=3.3"])
    assert order.text().startswith("0x100  CellVoltages[1]  [8]  CellVoltage_004=3.3 V; not available: CellVoltage_003")
    assert 8 == len(order.frame().data)


# ---- scan


def test_every_id_on_a_bus_with_its_message_and_node() -> None:
    """A served device, and a stranger beside it."""
    with wall.device(wall.virtual()) as device:
        stranger = CanBus(parse(device.bus), 500_000, False)
        stranger.send(0x18FF1234, 1, bytes(3))
        ran = nabench("scan", device.bus, "--for", "0.6")
        stranger.send(0x18FF1234, 1, bytes(3))
        stranger.close()
        data = json.loads(nabench("scan", device.bus, "--for", "0.3", "--json").out)
    assert 0 == ran.code
    rows = {line.split()[0]: line.split() for line in ran.out.splitlines() if line.startswith("0x")}
    assert ["BMS_Contactors", "BMS"] == rows["0x010"][4:6]
    assert "8" == rows["0x010"][3]
    assert ran.out.splitlines()[-1].startswith("nodes by messages heard: BMS ")
    assert "silent: Bench, Monitor" in ran.out
    assert {"id", "frames", "period_ms", "lengths", "message", "node", "remark"} <= set(data["ids"][0])
    assert "BMS" in data["nodes"]


def test_what_differs_from_the_dbc_is_remarked() -> None:
    """An unknown id, another length, another period; and nothing where all is as it says."""
    database = sending.database_of("classic", [])

    def talk(can_id: int, data: bytes, period_ms: int) -> scanning.Talk:
        found = scanning.Talk(can_id, False)
        for n in range(10):
            found.note(Frame(n * period_ms * 1_000_000, can_id, 0, data, 0))
        return found

    talks = [talk(0x80, bytes(8), 100), talk(0xA0, bytes(6), 10), talk(0xA1, bytes(8), 200), talk(0x333, bytes(1), 10)]
    remarks = [line.remark for line in scanning.fit(talks, database)]
    assert [
        "",
        "6 bytes, the DBC says 8",
        "every 200 ms, the DBC says 100",
        "no message of the DBC has this id",
    ] == remarks


def test_a_silent_bus_is_said_to_be_one() -> None:
    """Exit code 3."""
    bus = wall.virtual()
    ran = nabench("scan", bus, "--for", "0.05")
    assert (3, f'nothing was heard on "{bus}" in 0.05 s\n') == (ran.code, ran.err)


# ---- doctor


def test_a_kernel_bus_that_is_down_comes_with_the_command_that_brings_it_up(tmp_path: Path) -> None:
    """Read from where Linux shows its interfaces; others than CAN are left out. Behind USB the kernel stamps late."""
    for name, kind, flags in (
        ("can0", "280", "0x40080"),
        ("vcan0", "280", "0x400c1"),
        ("vcan1", "280", "0x80"),
        ("eth0", "1", "0x1"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(kind + "\n")
        (tmp_path / name / "flags").write_text(flags + "\n")
    (tmp_path / "can0" / "device").mkdir()
    (tmp_path / "bus" / "usb").mkdir(parents=True)
    (tmp_path / "can0" / "device" / "subsystem").symlink_to(tmp_path / "bus" / "usb")
    found = [(permit.what, permit.found, permit.fix) for permit in survey.kernel_buses(tmp_path)]
    usb = "down; unknown driver on usb, time stamps by the kernel, known to 1 ms"
    bare = "unknown driver, time stamps by the kernel, known to 0.1 ms"
    assert [
        ("bus can0", usb, "sudo ip link set can0 up type can bitrate 500000"),
        ("bus vcan0", f"up; {bare}", ""),
        ("bus vcan1", f"down; {bare}", "sudo ip link set vcan1 up"),
    ] == found


def test_multicast_is_tried_by_a_frame_that_must_come_back() -> None:
    """An address that is no group does not come back."""
    assert "" == survey.multicast().fix
    assert "sudo ip link set lo multicast on" in survey.multicast("10.255.255.1").fix
