"""Error and remote frames of a real kernel in our journal, and its slcan driver as a second opinion on adapters."""

from __future__ import annotations

import os
import pty
import socket
import struct
import subprocess
import sys
import time
import tty
from pathlib import Path

import wall
from kernel_can import BUS

from hil.link import slcan_errors
from hil.record import logs
from hil.record.frame import ERROR, PASSIVE, REMOTE, RX, SWITCHED, LogFrame

EXT, FD = 1, 2
FRAME = struct.Struct("=IB3x8s")
ERROR_ID, ERROR_FILTER, ALL_ERRORS = 0x2000_0000, 2, 0x1FFF_FFFF
LINES = (b"e1a", b"e3bcO", b"e2fs", b"e1B", b"e1o", b"sp000200", b"sw096000", b"sp130130", b"sa057033", b"sb255255")


def test_error_and_remote_frames_of_a_bus_are_in_the_journal_in_their_place(tmp_path: Path) -> None:
    """`nabench watch --record` beside a bare socket: with classes, bytes, lengths asked for, and both bits of CAN FD."""
    path = tmp_path / "a.journal"
    passive = b"\0\x20\0\0\0\0\x80\x10"
    command = [
        sys.executable,
        "-c",
        "from hil.cli import main; main()",
        "watch",
        f"socketcan:{BUS}",
        "--network",
        "fd",
        "--json",
    ]
    watch = subprocess.Popen([*command, "--for", "3", "--record", str(path)], stdout=subprocess.PIPE, text=True)
    with socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW) as raw:
        raw.bind((BUS,))
        wall.wait_until(path.exists, 30.0)
        raw.send(FRAME.pack(0x100, 2, b"ok"))
        raw.send(FRAME.pack(ERROR_ID | 0x204, 8, passive))
        subprocess.run(["cansend", BUS, "123#R5"], check=True)
        for frame in ("18000300#R", "101##0AA", "102##1BB", "103##3CC"):
            subprocess.run(["cansend", BUS, frame], check=True)
        raw.send(FRAME.pack(0x100, 2, b"ok"))
    watch.communicate(timeout=30)
    assert 0 == watch.returncode
    found = list(logs.open_log(path)[1])
    assert [
        LogFrame(0, 0, 0x100, RX, 2, b"ok"),
        LogFrame(0, 0, 0x204, ERROR | RX, 8, passive),
        LogFrame(0, 0, 0x123, REMOTE | RX, 5, b""),
        LogFrame(0, 0, 0x18000300, EXT | REMOTE | RX, 0, b""),
        LogFrame(0, 0, 0x101, FD | RX, 1, b"\xaa"),
        LogFrame(0, 0, 0x102, FD | SWITCHED | RX, 1, b"\xbb"),
        LogFrame(0, 0, 0x103, FD | SWITCHED | PASSIVE | RX, 1, b"\xcc"),
        LogFrame(0, 0, 0x100, RX, 2, b"ok"),
    ] == [frame._replace(t_ns=0) for frame in found]
    assert [frame.t_ns for frame in found] == sorted(frame.t_ns for frame in found)


def test_we_take_the_error_lines_of_an_adapter_for_what_the_kernels_driver_takes_them() -> None:
    """The same lines through slcand and the kernel's line discipline: classes, bytes and counters of each error frame agree.

    Each tells another state than the one before: the kernel, as we, passes over a state that it knows already.
    """
    near, far = pty.openpty()
    tty.setraw(far)
    daemon = subprocess.Popen(["slcand", "-F", "-o", "-c", "-s6", os.ttyname(far), "slcan0"])
    try:
        wall.wait_until(lambda: Path("/sys/class/net/slcan0").exists())
        subprocess.run(["ip", "link", "set", "slcan0", "up"], check=True)
        with socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW) as raw:
            raw.setsockopt(socket.SOL_CAN_RAW, ERROR_FILTER, ALL_ERRORS)
            raw.bind(("slcan0",))
            raw.settimeout(5.0)
            for line in LINES:
                os.write(near, line + b"\r")
                time.sleep(0.05)
                number, length, data = FRAME.unpack(raw.recv(16))
                ours = slcan_errors.parse(line)
                assert ours is not None
                assert (hex(number), data[:length].hex()) == (hex(ERROR_ID | ours.can_id), ours.data.hex()), line
    finally:
        daemon.terminate()
        daemon.wait(timeout=10)
        os.close(near)
        os.close(far)
