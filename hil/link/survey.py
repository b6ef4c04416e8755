"""What this machine has for real wires: interfaces of python-can that load, serial ports, CAN in the kernel."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

from hil.link import ethtool

# Interface, what it needs beyond python-can, and how to get it.
_NEEDS = {
    "udp_multicast": ("msgpack", "pip install msgpack"),
    "gs_usb": ("gs_usb", "pip install gs_usb"),
    "cantact": ("cantact", "pip install cantact"),
    "canalystii": ("canalystii", "pip install canalystii"),
}
_ARPHRD_CAN = "280"  # linux/if_arp.h
_WINDOWS_ONLY = ("ixxat", "vector")
_SHOWN = (
    "virtual",
    "udp_multicast",
    "slcan",
    "serial",
    "socketcan",
    "socketcand",
    "pcan",
    "kvaser",
    "vector",
    "ixxat",
    "gs_usb",
)


@dataclass(frozen=True)
class Interface:
    """One interface. reason: why it does not load; fix: the command that helps, both empty when it loads."""

    name: str
    loads: bool
    reason: str = ""
    fix: str = ""


def interfaces() -> list[Interface]:
    """The usual interfaces, and whether their software is here. A driver may still miss its device."""
    from can.interfaces import BACKENDS

    found = []
    quiet = logging.getLogger("can")
    level, quiet_level = quiet.level, logging.CRITICAL
    quiet.setLevel(quiet_level)
    try:
        for name in _SHOWN:
            module, _ = BACKENDS[name]
            found.append(_probe(name, module))
    finally:
        quiet.setLevel(level)
    return found


def _probe(name: str, module: str) -> Interface:
    if name in _WINDOWS_ONLY and sys.platform != "win32":
        return Interface(name, False, "Windows only", "use an adapter with a Linux driver: socketcan, pcan, slcan")
    needed, fix = _NEEDS.get(name, ("", ""))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if needed:
                importlib.import_module(needed)
            importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a driver's module may raise anything when its library is missing
        return Interface(
            name, False, str(error).splitlines()[0] if str(error) else type(error).__name__, fix or f"see the driver of {name}"
        )
    return Interface(name, True)


def serial_ports() -> list[str]:
    """Serial ports with what they say of themselves."""
    from serial.tools import list_ports

    return [f"{port.device} ({port.description})" for port in sorted(list_ports.comports(), key=lambda port: port.device)]


def kernel_can() -> str:
    """Empty when the kernel speaks CAN, else why not."""
    if not hasattr(socket, "AF_CAN"):
        return "this system has no SocketCAN"
    try:
        with socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW):
            return ""
    except OSError as error:
        return error.strerror or str(error)


@dataclass(frozen=True)
class Permit:
    """Something that this user may or may not do. found: what is so.  fix: the command that changes it, empty when well."""

    what: str
    found: str
    fix: str = ""


def port_permits() -> list[Permit]:
    """Whether the serial ports may be opened (Linux: group dialout or its like)."""
    from serial.tools import list_ports

    if sys.platform == "win32":
        return []
    found = []
    for port in sorted(list_ports.comports(), key=lambda port: port.device):
        path = Path(port.device)
        if os.access(path, os.R_OK | os.W_OK):
            found.append(Permit(f"port {port.device}", "may be read and written"))
        else:
            group = _group(path)
            found.append(
                Permit(f"port {port.device}", f"belongs to group {group}", f"sudo usermod -aG {group} $USER; log in anew")
            )
    return found or [_dialout()]


def _group(path: Path) -> str:
    try:
        return path.group()
    except (KeyError, OSError):
        return "dialout"


def _dialout() -> Permit:
    """Without a port to try: whether this user is in the group that ports usually belong to."""
    import grp

    try:
        dialout = grp.getgrnam("dialout")
    except KeyError:
        return Permit("serial permission", "there is no group dialout here, and no port to try")
    if os.geteuid() == 0 or dialout.gr_gid in (*os.getgroups(), os.getegid()):
        return Permit("serial permission", "root" if os.geteuid() == 0 else "in group dialout")
    return Permit("serial permission", "not in group dialout", "sudo usermod -aG dialout $USER; log in anew")


def kernel_buses(root: Path = Path("/sys/class/net")) -> list[Permit]:
    """CAN interfaces of the kernel with their state and who stamps their frames, and the command that brings one up."""
    found = []
    for folder in sorted(root.glob("*")):
        try:
            kind, flags = (folder / "type").read_text().strip(), int((folder / "flags").read_text(), 16)
        except (OSError, ValueError):
            continue
        if kind == _ARPHRD_CAN:
            name, is_up = folder.name, bool(flags & 1)
            rate = "" if name.startswith("v") else " type can bitrate 500000"
            state = f"{'up' if is_up else 'down'}; {ethtool.about(name, root)}"
            found.append(Permit(f"bus {name}", state, "" if is_up else f"sudo ip link set {name} up{rate}"))
    return found


def multicast(group: str = "239.74.163.2") -> Permit:
    """Whether a frame over udp_multicast comes back, which several processes on this machine need."""
    fix = "sudo ip link set lo multicast on; sudo ip route add 239.0.0.0/8 dev lo"
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ears,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
        ):
            ears.bind(("", 0))
            ears.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4))
            ears.settimeout(0.5)
            mouth.sendto(b"nabench", (group, ears.getsockname()[1]))
            ears.recv(16)
    except OSError as error:
        return Permit("multicast", f"a frame to {group} does not come back: {error.strerror or error}", fix)
    return Permit("multicast", f"a frame to {group} comes back")
