"""What this machine has for real wires: interfaces of python-can that load, serial ports, CAN in the kernel."""

from __future__ import annotations

import importlib
import logging
import socket
import sys
import warnings
from dataclasses import dataclass

# Interface, what it needs beyond python-can, and how to get it.
_NEEDS = {
    "udp_multicast": ("msgpack", "pip install msgpack"),
    "gs_usb": ("gs_usb", "pip install gs_usb"),
    "cantact": ("cantact", "pip install cantact"),
    "canalystii": ("canalystii", "pip install canalystii"),
}
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
